"""How a person is taxed: what held when, and what is said next."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.commands import keyed
from engineroom.payroll import selectors, tax_details
from engineroom.payroll.tax_forms import form_of_fields, said_in
from engineroom.people.selectors import named_person
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, Group, GroupedForm
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page


class TaxForm(GroupedForm):
    """Details from a day on, beginning as a copy of the latest; the country's fields follow."""

    groups = (Group("From when", ["from_date"]),)

    from_date = DayField(label="From", help_text="A payday on or after it goes by this.")


def _form() -> type[GroupedForm]:
    return form_of_fields(TaxForm, tax_details.record_here().fields, tax_details.currency_here())


@page("payroll.read", reads="tax_details")
def details(request: PageRequest, client: str, payroll_number: str) -> HttpResponse:
    """What held when, and a form for what holds next."""
    person = named_person(payroll_number)
    request.reading(person.counterparty_id)
    rows = selectors.tax_details_of(person.counterparty_id)
    context: dict[str, Any] = {
        "person": person,
        "details": tax_details.listed(rows),
        "hides_pay": "pay" in request.masked,
    }
    if request.may("payroll.prepare"):
        stands = tax_details.standing(person.counterparty_id, timezone.now().date())
        context["form"] = form_of(request, _form()(initial=stands or {}))
    return render(request, "payroll/tax_details.html", context)


@action("payroll.prepare")
def say(request: PageRequest, client: str, payroll_number: str) -> Done:
    """Say how somebody is taxed from a day on; what is wrong stands beside its field."""
    asked = filled_in(_form()(request.POST))
    person = named_person(payroll_number)
    said = said_in(tax_details.record_here().fields, asked)
    with keyed(request.key):
        done = tax_details.set_tax_details(person.counterparty_id, said, starts=asked["from_date"])
    what = f"{person.name} is taxed by {done.tax_code} from {format_day(done.starts)}."
    return Done(
        f"{what} A run that is calculated and not released is calculated again.",
        to=reverse("payroll:tax_details", args=[client, payroll_number]),
    )


urlpatterns = [
    path("c/<str:client>/tax-details/<path:payroll_number>/do/say", say, name="tax_details_say"),
    path("c/<str:client>/tax-details/<path:payroll_number>", details, name="tax_details"),
]
