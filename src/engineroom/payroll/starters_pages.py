"""Starters and leavers as payroll sees them: a new employee's form, the figures of a P45, what is unpaid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.safestring import SafeString

from engineroom.foundation.approvals.models import Release
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.payroll import selectors, starters
from engineroom.payroll.models import PayRun, Payslip
from engineroom.payroll.starters import STATEMENTS, Declared
from engineroom.payroll.tax_details import CATEGORIES, LOAN_PLANS
from engineroom.people import leaving
from engineroom.people.employment import Starter
from engineroom.people.models import Person
from engineroom.people.panels import register_panel
from engineroom.people.selectors import employments_of
from engineroom.ui.display import format_count, format_hours
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField, MoneyField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page


class StarterForm(GroupedForm):
    groups = (
        Group("Who", ["payroll_number", "name", "date_of_birth", "email", "ni_number"]),
        Group(
            "From when, and what they declare",
            ["starts", "statement", "ni_category", "student_loan_plan", "postgraduate_loan"],
        ),
        Group(
            "Of their P45, if they brought one", ["tax_code", "left", "previous_pay", "previous_tax", "week1"]
        ),
    )

    payroll_number = LineField(max_length=20, label="Payroll number")
    name = LineField(max_length=200, label="Name")
    date_of_birth = DayField(required=False, label="Date of birth")
    email = forms.EmailField(required=False, label="Email")
    ni_number = LineField(required=False, max_length=13, label="National Insurance number")
    starts = DayField(label="First day of employment")
    statement = forms.ChoiceField(choices=list(STATEMENTS.items()), label="They declare")
    tax_code = LineField(required=False, max_length=12, label="Tax code of the P45")
    week1 = forms.BooleanField(required=False, label="The P45's code is week 1 or month 1")
    left = DayField(required=False, label="Leaving date on the P45")
    previous_pay = MoneyField("GBP", required=False, label="Total pay to date on the P45")
    previous_tax = MoneyField("GBP", required=False, label="Total tax to date on the P45")
    ni_category = forms.ChoiceField(choices=[(c, c) for c in CATEGORIES], label="NI category")
    student_loan_plan = forms.ChoiceField(
        choices=[("", "none"), *((p, f"plan {p}") for p in LOAN_PLANS)], required=False, label="Student loan"
    )
    postgraduate_loan = forms.BooleanField(required=False, label="Postgraduate loan")


@page("payroll.prepare")
def starter(request: PageRequest, client: str) -> HttpResponse:
    """A form for somebody new: who they are, from when, and what they declare of their tax."""
    context = {"form": form_of(request, StarterForm(initial={"ni_category": "A"}))}
    return render(request, "payroll/starter.html", context)


@action("payroll.prepare")
def begin(request: PageRequest, client: str) -> Done:
    asked = filled_in(StarterForm(request.POST))
    who = Starter.of(
        asked["payroll_number"],
        asked["name"],
        email=asked["email"],
        date_of_birth=asked["date_of_birth"],
        ni_number=asked["ni_number"],
    )
    declared = Declared(
        asked["statement"],
        asked["tax_code"],
        asked["week1"],
        asked["previous_pay"] or 0,
        asked["previous_tax"] or 0,
        asked["left"],
        asked["ni_category"],
        asked["student_loan_plan"],
        asked["postgraduate_loan"],
    )
    done = starters.start_employee(who, declared, starts=asked["starts"], key=request.key)  # type: ignore[call-arg]
    basis = "cumulative" if done.is_cumulative else "week 1 or month 1"
    return Done(
        f"{who.name} begins, taxed by {done.tax_code}, {basis}. Set their terms and account.",
        to=reverse("people:person", args=[client, who.payroll_number]),
    )


# --- leavers --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LeaverFigures:
    """What a P45 says, from the payslips of the tax year: minor units. period: the week or month number.

    total_pay, total_tax: with earlier employment; None where the code is not cumulative (form P45, boxes 7).
    """

    last_day: date
    tax_code: str
    is_cumulative: bool
    period: int
    pay_here: int
    tax_here: int
    total_pay: int | None
    total_tax: int | None
    has_student_loan: bool


def leaver_figures(person: Person) -> LeaverFigures | None:
    """The figures of somebody who left; None before that, or without a payslip."""
    employments = employments_of(person.counterparty_id)
    if not employments or employments[0].ends is None:
        return None
    run = _last_run(person)
    details = selectors.tax_details_of(person.counterparty_id)
    if run is None or not details:
        return None
    sums = selectors.year_to_date(run, person.counterparty_id)
    pay, tax = sums.get("taxable_pay", 0), sums.get("paye", 0)
    first_day = date(int(run.tax_year[:4]), 4, 6)
    before = [d for d in details if d.starts >= first_day and (d.previous_pay or d.previous_tax)]
    earlier_pay, earlier_tax = (before[0].previous_pay, before[0].previous_tax) if before else (0, 0)
    now = details[0]
    return LeaverFigures(
        employments[0].ends,
        now.tax_code,
        now.is_cumulative,
        run.tax_period,
        pay,
        tax,
        pay + earlier_pay if now.is_cumulative else None,
        tax + earlier_tax if now.is_cumulative else None,
        bool(now.student_loan_plan or now.postgraduate_loan),
    )


def _last_run(person: Person) -> PayRun | None:
    """The last released run, by pay date, that has a payslip of the person."""
    slips = Payslip.objects.filter(client_id=person.client_id, person_id=person.counterparty_id)
    released = Release.objects.filter(client_id=person.client_id, subject_kind="pay_run")
    runs = PayRun.objects.filter(client_id=person.client_id, id__in=released.values("subject_id"))
    return runs.filter(published_id__in=slips.values("attempt_id")).order_by("-pay_date", "-number").first()


def _of_leaver(request: PageRequest, person: Person) -> SafeString | None:
    """The panel on a leaver's page."""
    figures = leaver_figures(person)
    if figures is None:
        return None
    context: dict[str, Any] = {
        "figures": figures,
        "client": request.client,
        "hides_pay": "pay" in request.masked,
    }
    return render_to_string("payroll/leaver.html", context)


register_panel(_of_leaver, order=25)

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
