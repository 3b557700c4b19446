"""Terms of a person: what stands, what was said before, and new ones, shown before they are said."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import LONGEST_REASON
from engineroom.people import selectors, terms
from engineroom.people.engine import Agreed, days_of
from engineroom.people.models import Person
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, Group, GroupedForm, HoursField, LineField, MoneyField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page


class TermsForm(GroupedForm):
    """Terms from a day on, beginning as a copy of those that stand."""

    groups = (
        Group("From when until when", ["starts", "ends"]),
        Group("Pay and time", ["basis", "amount", "hours_per_week", "working_days"]),
        Group("Place and reason", ["title", "cost_centre", "reason"]),
    )

    starts = DayField(label="From")
    ends = DayField(
        required=False, label="Until", help_text="Empty: until other terms begin, or the employment ends."
    )
    basis = forms.ChoiceField(
        choices=[("salary", "a salary, a year"), ("hourly", "by the hour")], label="Paid"
    )
    hours_per_week = HoursField(label="Hours a week", help_text="0 where none are promised.")
    working_days = LineField(max_length=60, label="Working days", help_text="Such as Mon-Fri, or Mon, Wed.")
    title = LineField(required=False, max_length=terms.LONGEST_TITLE, label="Title")
    cost_centre = LineField(required=False, max_length=terms.LONGEST_COST_CENTRE, label="Cost centre")
    reason = LineField(
        required=False,
        max_length=LONGEST_REASON,
        label="Why it changes",
        help_text="Needed for a day that is past.",
    )

    field_order = ("starts", "ends", "basis", "amount")

    def __init__(self, currency: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = MoneyField(currency, label=f"Amount, {currency}")
        self.order_fields(self.field_order)

    def clean_working_days(self) -> int:
        bits = days_of(self.cleaned_data["working_days"])
        if bits is None:
            raise forms.ValidationError("These are no days: write Mon-Fri, or Mon, Wed.")
        return bits


def agreed_in(asked: dict[str, Any]) -> Agreed:
    return Agreed(
        asked["basis"], asked["amount"], asked["hours_per_week"], asked["working_days"],
        asked["title"].strip(), asked["cost_centre"].strip(),
    )  # fmt: skip


@page("people.read", reads="person")
def terms_page(request: PageRequest, client: str, payroll_number: str) -> HttpResponse:
    """Everything said of a person's terms, and a form for what is said next."""
    found = selectors.named_person(payroll_number)
    request.reading(found.counterparty_id, terms=True)
    assert request.client is not None
    context = _context(request.client, found)
    if request.may("people.prepare"):
        fresh = TermsForm(request.client.currency, initial=_as_they_are(context["standing"]))
        context["form"] = form_of(request, fresh)
    return render(request, "people/terms.html", context)


def _context(client: Client, person: Person) -> dict[str, Any]:
    rows = selectors.terms_of(person.counterparty_id)
    return {
        "person": person,
        "currency": client.currency,
        "standing": [r for r in rows if r.stands],
        "earlier": [r for r in rows if not r.stands],
        "today": timezone.now().date(),
    }


def _as_they_are(standing: list[selectors.TermsSeen]) -> dict[str, Any]:
    if not standing:
        return {"working_days": "Mon-Fri"}
    last = standing[0].agreed
    return {
        "basis": last.basis,
        "amount": last.amount,
        "hours_per_week": last.minutes_per_week,
        "working_days": last.days,
        "title": last.title,
        "cost_centre": last.cost_centre,
    }


@action("people.prepare")
def terms_preview(request: PageRequest, client: str, payroll_number: str) -> HttpResponse:
    """What would stand, beside what stands. Nothing is said yet."""
    person = selectors.named_person(payroll_number)
    assert request.client is not None
    form = TermsForm(request.client.currency, request.POST)
    asked = filled_in(form)
    seen = terms.preview_terms(
        person.counterparty_id,
        agreed_in(asked),
        starts=asked["starts"],
        ends=asked["ends"],
        reason=asked["reason"],
    )
    context = {
        "person": person,
        "currency": request.client.currency,
        "seen": seen,
        "kept": {s.row_id for s in seen.after if s.row_id},
        "reason": asked["reason"],
        "given": [(name, request.POST.get(name, "")) for name in form.fields],
        "form_key": request.key,
    }
    return render(request, "people/terms_preview.html", context)


@action("people.prepare")
def terms_set(request: PageRequest, client: str, payroll_number: str) -> Done:
    person = selectors.named_person(payroll_number)
    assert request.client is not None
    asked = filled_in(TermsForm(request.client.currency, request.POST))
    terms.set_terms(
        person.counterparty_id,
        agreed_in(asked),
        starts=asked["starts"],
        ends=asked["ends"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(f"The terms hold from {format_day(asked['starts'])}.", to=_address(client, payroll_number))


@action("people.prepare")
def terms_withdraw(request: PageRequest, client: str, payroll_number: str, terms_id: UUID) -> Done:
    selectors.named_person(payroll_number)
    terms.withdraw_terms(terms_id, reason=request.POST.get("reason", ""), key=request.key)  # type: ignore[call-arg]
    return Done("The terms are taken back; those before them hold.", to=_address(client, payroll_number))


def _address(client: str, payroll_number: str) -> str:
    return reverse("people:terms", args=[client, payroll_number])


urlpatterns = [
    path("c/<str:client>/terms/<path:payroll_number>/do/preview", terms_preview, name="terms_preview"),
    path("c/<str:client>/terms/<path:payroll_number>/do/set", terms_set, name="terms_set"),
    path(
        "c/<str:client>/terms/<path:payroll_number>/do/withdraw/<uuid:terms_id>",
        terms_withdraw,
        name="terms_withdraw",
    ),
    path("c/<str:client>/terms/<path:payroll_number>", terms_page, name="terms"),
]
