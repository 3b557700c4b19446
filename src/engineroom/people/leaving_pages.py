"""Leaving: the last day, why, and what still stands open; and coming back."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.people import employment, selectors
from engineroom.people.leaving import open_matters
from engineroom.people.models import LEAVING
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page


class LeavingForm(GroupedForm):
    last_day = DayField(label="Last day of employment")
    why = forms.ChoiceField(choices=list(LEAVING.items()), label="Why")
    note = LineField(required=False, max_length=300, label="Note")


class ReturnForm(forms.Form):
    starts = DayField(label="Employed again from")


@page("people.read", reads="person")
def leaving(request: PageRequest, client: str, payroll_number: str) -> HttpResponse:
    """The employment of a person: its end, what stands open then, and a return."""
    person = selectors.named_person(payroll_number)
    request.reading(person.counterparty_id, leaving=True)
    rows = selectors.employments_of(person.counterparty_id)
    latest = rows[0] if rows else None
    left = latest is not None and latest.ends is not None
    context = {
        "person": person,
        "employments": rows,
        "endings": selectors.endings_of(person.counterparty_id),
        "open_matters": open_matters(person, latest.ends) if latest and latest.ends else [],
        "left": left,
    }
    if request.may("people.prepare") and latest:
        day = latest.ends or timezone.now().date()
        context["form"] = form_of(request, LeavingForm(initial={"last_day": day}))
        if left:
            context["return_form"] = form_of(request, ReturnForm(prefix="back"))
    return render(request, "people/leaving.html", context)


@action("people.prepare")
def end(request: PageRequest, client: str, payroll_number: str) -> Done:
    person = selectors.named_person(payroll_number)
    asked = filled_in(LeavingForm(request.POST))
    employment.end_employment(person.counterparty_id, **asked, key=request.key)  # type: ignore[call-arg]
    said = f"The last day of {person.name} is {format_day(asked['last_day'])}."
    return Done(said, to=_address(client, payroll_number))


@action("people.prepare")
def come_back(request: PageRequest, client: str, payroll_number: str) -> Done:
    person = selectors.named_person(payroll_number)
    asked = filled_in(ReturnForm(request.POST, prefix="back"))
    employment.re_employ(person.counterparty_id, **asked, key=request.key)  # type: ignore[call-arg]
    said = f"{person.name} is employed again from {format_day(asked['starts'])}: set terms and tax details."
    return Done(said, to=_address(client, payroll_number))


def _address(client: str, payroll_number: str) -> str:
    return reverse("people:leaving", args=[client, payroll_number])


urlpatterns = [
    path("c/<str:client>/employment/<path:payroll_number>/do/end", end, name="leaving_end"),
    path("c/<str:client>/employment/<path:payroll_number>/do/return", come_back, name="leaving_return"),
    path("c/<str:client>/employment/<path:payroll_number>", leaving, name="leaving"),
]
