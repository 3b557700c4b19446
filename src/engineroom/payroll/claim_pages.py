"""Statutory pay: what each claim goes by, what it has been paid, and stating what could not be found."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON
from engineroom.payroll import claims, items
from engineroom.payroll.claims import ClaimView
from engineroom.payroll.jurisdictions import ClaimField, jurisdiction
from engineroom.payroll.schedule_pages import person_said
from engineroom.ui.display import format_money
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField, MoneyField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [
    NavigationEntry("Statutory pay", "payroll:claims", "payroll.read", order=234, under="payroll:runs")
]


def _field(field: ClaimField, currency: str) -> forms.Field:
    if field.unit == "pence":
        return MoneyField(currency, required=field.needed, label=field.label, help_text=field.hint)
    if field.unit == "flag":
        return forms.BooleanField(required=False, label=field.label, help_text=field.hint)
    return forms.IntegerField(
        required=field.needed, min_value=0, max_value=366, label=field.label, help_text=field.hint
    )


class StateClaim(GroupedForm):
    """What a statutory payment goes by."""

    payroll_number = LineField(max_length=20)
    payment = forms.ChoiceField()
    first_day = DayField(label="First day", help_text="Of the first of linked stretches.")
    paid_until = DayField(
        required=False,
        label="Earnings found in pay until",
        help_text="Instead of the earnings: the last day of the qualifying week.",
    )
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        rules = claims.claim_rules()
        payment = self.fields["payment"]
        assert isinstance(payment, forms.ChoiceField)
        payment.choices = list(rules.labels.items())
        for field in rules.fields:
            self.fields[field.name] = _field(field, currency)
            self.fields[field.name].required = False  # found, or said to be missing by the command
        self.order_fields([name for name in self.fields if name != "reason"])
        self.groups = [
            Group("Whose, and which payment", ["payroll_number", "payment", "first_day"]),
            Group("What it goes by", ["paid_until", *(field.name for field in rules.fields)]),
            Group("Why", ["reason"]),
        ]


def goes_by(view: ClaimView, currency: str, hides_pay: bool) -> str:
    """ "earnings 4,615.38, weeks or months 2"."""
    said = []
    for field in claims.claim_rules().fields:
        value = view.row.figures.get(field.name)
        if not value:
            continue
        if field.unit == "pence":
            shown = "••••" if hides_pay else format_money(value, currency, symbol=False)
            said.append(f"{field.label.lower()} {shown}")
        else:
            said.append(field.label.lower() if field.unit == "flag" else f"{field.label.lower()} {value}")
    return ", ".join(said)


@page("payroll.read", reads="claim")
def statutory_pay(request: PageRequest, client: str) -> HttpResponse:
    """Claims, the latest first."""
    assert request.client is not None
    currency, hides, may = request.client.currency, "pay" in request.masked, request.may("payroll.prepare")
    if jurisdiction(items.country()).claims is None:
        return render(request, "payroll/claims.html", {"rows": [], "no_law": True})
    # Sickness is health: a role that sees none sees that there are claims, and not whose.
    found = claims.claims() if "health" not in request.masked else []
    request.reading(None, rows=len(found))
    first = {"first_day": timezone.now().date()}
    context = {
        "currency": currency,
        "hides_pay": hides,
        "hides_health": "health" in request.masked,
        "rows": [(view, goes_by(view, currency, hides)) for view in found],
        "form": form_of(request, StateClaim(currency, initial=first)) if may else None,
    }
    return render(request, "payroll/claims.html", context)


@action("payroll.prepare")
def state_claim(request: PageRequest, client: str) -> Done:
    """State what a claim goes by."""
    assert request.client is not None
    asked = filled_in(StateClaim(request.client.currency, request.POST))
    person = person_said(asked["payroll_number"])
    figures = {
        field.name: int(asked[field.name])
        for field in claims.claim_rules().fields
        if asked[field.name] is not None
    }
    with keyed(request.key):
        claims.state_claim(
            person.counterparty_id,
            asked["payment"],
            asked["first_day"],
            figures,
            reason=asked["reason"],
            paid_until=asked["paid_until"],
        )
    what = f"What the claim of {person.payroll_number} goes by is stated; calculate their run again."
    return Done(what, reverse("payroll:claims", args=[client]))


urlpatterns = [
    path("c/<str:client>/statutory-pay", statutory_pay, name="claims"),
    path("c/<str:client>/statutory-pay/do/state", state_claim, name="claim_state"),
]
