"""Somebody new as payroll sees them: the form of what they declare; and of a leaver, what is unpaid."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.payroll import starters
from engineroom.payroll.tax_details import currency_here, record_here
from engineroom.payroll.tax_forms import form_of_fields, said_in
from engineroom.people import leaving
from engineroom.people.employment import Starter
from engineroom.people.models import Person
from engineroom.ui.display import format_count, format_hours
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page


class StarterForm(GroupedForm):
    """Who it is; what they declare is their country's, and follows."""

    groups = (
        Group("Who, and from when",
              ["payroll_number", "name", "date_of_birth", "email", "ni_number", "starts"]),
    )  # fmt: skip

    payroll_number = LineField(max_length=20, label="Payroll number")
    name = LineField(max_length=200, label="Name")
    date_of_birth = DayField(required=False, label="Date of birth")
    email = forms.EmailField(required=False, label="Email")
    ni_number = LineField(required=False, max_length=13)
    starts = DayField(label="First day of employment")

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        if identifier := record_here().identifier:
            self.fields["ni_number"].label = identifier
        else:
            del self.fields["ni_number"]


def _form() -> type[GroupedForm]:
    return form_of_fields(StarterForm, record_here().starting, currency_here())


@page("payroll.prepare")
def starter(request: PageRequest, client: str) -> HttpResponse:
    """A form for somebody new: who they are, from when, and what they declare of their tax."""
    return render(request, "payroll/starter.html", {"form": form_of(request, _form()())})


@action("payroll.prepare")
def begin(request: PageRequest, client: str) -> Done:
    asked = filled_in(_form()(request.POST))
    who = Starter.of(
        asked["payroll_number"],
        asked["name"],
        email=asked["email"],
        date_of_birth=asked["date_of_birth"],
        ni_number=asked.get("ni_number", ""),
    )
    declared = said_in(record_here().starting, asked)
    done = starters.start_employee(who, declared, starts=asked["starts"], key=request.key)  # type: ignore[call-arg]
    return Done(
        f"{who.name} begins, taxed by {done.taxed_by}. Set their terms and account.",
        to=reverse("people:person", args=[client, who.payroll_number]),
    )


UNPAID = """
SELECT count(DISTINCT t.id), coalesce(sum(e.minutes), 0)::bigint
FROM timesheets_assignment a
JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
WHERE a.client_id = %s AND a.person_id = %s
  AND NOT EXISTS (SELECT FROM payroll_paidtimesheet p WHERE p.client_id = t.client_id AND p.id = t.id)
"""


@leaving.register
def _unpaid(person: Person, last_day: date) -> list[leaving.OpenMatter]:
    """Hours that no run has taken."""
    with connection.cursor() as cursor:
        cursor.execute(UNPAID, [current_client_id(), person.counterparty_id])
        weeks, minutes = cursor.fetchone()
    if not weeks:
        return []
    how_much = f"{format_hours(minutes)} in {format_count(weeks, 'week', 'weeks')}"
    return [leaving.OpenMatter("Hours not paid yet", how_much, "Pay them in the last run")]


urlpatterns = [
    path("c/<str:client>/starters/new", starter, name="starter"),
    path("c/<str:client>/starters/begin", begin, name="starter_begin"),
]
