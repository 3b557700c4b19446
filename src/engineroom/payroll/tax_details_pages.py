"""How a person is taxed: what held when, and what is said next."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.commands import keyed
from engineroom.payroll import selectors, tax_details
from engineroom.payroll.engine.gb.nic import DIRECTOR_METHODS
from engineroom.payroll.engine.gb.pension import RELIEFS
from engineroom.payroll.tax_details import CATEGORIES, LOAN_PLANS, TaxSaid
from engineroom.people.selectors import named_person
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField, MoneyField, PercentField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page


def _words(codes: tuple[str, ...], none: str) -> list[tuple[str, str]]:
    return [(code, code.replace("_", " ") if code else none) for code in codes]


class TaxForm(GroupedForm):
    """Details from a day on, beginning as a copy of the latest."""

    groups = (
        Group("Tax and National Insurance", ["from_date", "tax_code", "week1", "ni_category"]),
        Group("Loans", ["student_loan_plan", "postgraduate_loan"]),
        Group("Pension", ["pension_relief", "pension_employee", "pension_employer"]),
        Group("Director, and earlier employment in this tax year",
              ["director", "director_weeks", "previous_pay", "previous_tax"]),
    )  # fmt: skip

    from_date = DayField(label="From", help_text="A payday on or after it goes by this.")
    tax_code = LineField(max_length=12, label="Tax code", help_text="As HMRC's notice has it.")
    week1 = forms.BooleanField(required=False, label="Week 1 or month 1, not cumulative")
    ni_category = forms.ChoiceField(choices=[(c, c) for c in CATEGORIES], label="NI category")
    student_loan_plan = forms.ChoiceField(
        choices=[("", "none"), *((p, f"plan {p}") for p in LOAN_PLANS)], required=False, label="Student loan"
    )
    postgraduate_loan = forms.BooleanField(required=False, label="Postgraduate loan")
    pension_relief = forms.ChoiceField(
        choices=_words(RELIEFS, "not in the scheme"), required=False, label="Pension"
    )
    pension_employee = PercentField(required=False, label="Employee's share", help_text="Such as 5%.")
    pension_employer = PercentField(required=False, label="Employer's share", help_text="Such as 3%.")
    director = forms.ChoiceField(
        choices=_words(DIRECTOR_METHODS, "no director"), required=False, label="Director's NI"
    )
    director_weeks = forms.IntegerField(
        required=False, label="Tax weeks left", help_text="In the year of appointment; else empty."
    )
    previous_pay = MoneyField("GBP", required=False, label="Earlier pay")
    previous_tax = MoneyField("GBP", required=False, label="Earlier tax")


def said_in(asked: dict[str, Any]) -> TaxSaid:
    return TaxSaid(
        asked["tax_code"],
        not asked["week1"],
        asked["ni_category"],
        asked["student_loan_plan"],
        asked["postgraduate_loan"],
        asked["pension_relief"],
        asked["pension_employee"],
        asked["pension_employer"],
        asked["director"],
        asked["director_weeks"],
        asked["previous_pay"] or 0,
        asked["previous_tax"] or 0,
    )


def _as_it_stands(said: TaxSaid | None) -> dict[str, Any]:
    if said is None:
        return {"ni_category": "A"}
    first = asdict(said) | {"week1": not said.is_cumulative, "director": said.director_method}
    return {name: value for name, value in first.items() if value}


@page("payroll.read", reads="tax_details")
def details(request: PageRequest, client: str, payroll_number: str) -> HttpResponse:
    """What held when, and a form for what holds next."""
    person = named_person(payroll_number)
    request.reading(person.counterparty_id)
    context: dict[str, Any] = {
        "person": person,
        "details": selectors.tax_details_of(person.counterparty_id),
        "hides_pay": "pay" in request.masked,
    }
    if request.may("payroll.prepare"):
        stands = tax_details.standing(person.counterparty_id, timezone.now().date())
        context["form"] = form_of(request, TaxForm(initial=_as_it_stands(stands)))
    return render(request, "payroll/tax_details.html", context)


@action("payroll.prepare")
def say(request: PageRequest, client: str, payroll_number: str) -> Done:
    """Say how somebody is taxed from a day on; what is wrong stands beside its field."""
    asked = filled_in(TaxForm(request.POST))
    person = named_person(payroll_number)
    with keyed(request.key):
        done = tax_details.set_tax_details(person.counterparty_id, said_in(asked), starts=asked["from_date"])
    what = f"{person.name} is taxed by {done.tax_code} from {format_day(done.starts)}."
    return Done(
        f"{what} A run that is calculated and not released is calculated again.",
        to=reverse("payroll:tax_details", args=[client, payroll_number]),
    )


urlpatterns = [
    path("c/<str:client>/tax-details/<path:payroll_number>/do/say", say, name="tax_details_say"),
    path("c/<str:client>/tax-details/<path:payroll_number>", details, name="tax_details"),
]
