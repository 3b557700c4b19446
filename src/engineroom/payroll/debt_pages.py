"""What people owe their employer: each debt, what is left of it, and what is done with it."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON
from engineroom.openitems.selectors import open_items
from engineroom.payroll import debts
from engineroom.payroll.posting import NET_PAY_BACK
from engineroom.payroll.schedule_pages import person_said
from engineroom.ui.fields import DayField, LineField, MoneyField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [NavigationEntry("Debts", "payroll:debts", "payroll.read", order=234, under="payroll:runs")]

LEAVES_HELP = "Net pay that is left, at least. Empty: none."


class AddDebt(forms.Form):
    """A debt as it was agreed."""

    payroll_number = LineField(max_length=20)
    kind = forms.ChoiceField(choices=list(debts.KINDS.items()))
    reference = LineField(max_length=40, help_text="The agreement's own number.")
    starts = DayField(label="Taken from", help_text="The first day on which pay that is paid is taken from.")
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, currency: str, *given: object, **more: object) -> None:
        super().__init__(*given, **more)  # type: ignore[arg-type]
        self.fields["amount"] = MoneyField(currency, help_text="In all, as it is owed now.")
        self.fields["instalment"] = MoneyField(currency, help_text="Of a pay period, at most.")
        self.fields["leaves"] = MoneyField(currency, required=False, help_text=LEAVES_HELP)
        self.order_fields(["payroll_number", "kind", "reference", "amount", "instalment", "leaves", "starts"])


class VaryDebt(forms.Form):
    """What is taken from a day on."""

    starts = DayField(label="From")
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, currency: str, *given: object, **more: object) -> None:
        super().__init__(*given, **more)  # type: ignore[arg-type]
        self.fields["instalment"] = MoneyField(currency)
        self.fields["leaves"] = MoneyField(currency, required=False, help_text=LEAVES_HELP)
        self.order_fields(["starts", "instalment", "leaves"])


class EndDebt(forms.Form):
    ends = DayField(label="Last day")
    reason = LineField(max_length=LONGEST_REASON)


@page("payroll.read", reads="debt")
def people_owe(request: PageRequest, client: str) -> HttpResponse:
    """Debts that are not over, and pay that is to come back and nothing takes yet."""
    assert request.client is not None
    today, currency = timezone.now().date(), request.client.currency
    may = request.may("payroll.prepare")
    found = debts.debts(today)
    back = [item for item in open_items(kind=NET_PAY_BACK) if item.open > 0]
    request.reading(None, rows=len(found) + len(back))
    context = {
        "currency": currency,
        "hides_pay": "pay" in request.masked,
        "rows": [(view, _vary_form(view, currency) if may else None) for view in found],
        "back": back,
        "may": may,
        "add_form": form_of(request, AddDebt(currency, initial={"starts": today})) if may else None,
        "end_form": EndDebt(initial={"ends": today}),
    }
    return render(request, "payroll/debts.html", context)


def _vary_form(view: debts.DebtView, currency: str) -> VaryDebt:
    first = {"starts": timezone.now().date(), "instalment": view.row.instalment, "leaves": view.row.leaves}
    return VaryDebt(currency, initial=first, auto_id=f"vary-{view.row.id}-%s")


@action("payroll.prepare")
def add_debt(request: PageRequest, client: str) -> Done:
    """Enter a debt; what is wrong stands beside its field."""
    assert request.client is not None
    asked = filled_in(AddDebt(request.client.currency, request.POST))
    person = person_said(asked["payroll_number"])
    said = debts.DebtSaid(
        asked["kind"],
        asked["reference"],
        asked["amount"],
        asked["instalment"],
        asked["starts"],
        asked["leaves"] or 0,
    )
    with keyed(request.key):
        debts.add_debt(person.counterparty_id, said, reason=asked["reason"])
    what = f"Debt {said.reference} is taken off {person.payroll_number}'s pay from {said.starts}."
    return Done(what, _debts(client))


def _debts(client: str) -> str:
    return reverse("payroll:debts", args=[client])


@action("payroll.prepare")
def vary_debt(request: PageRequest, client: str, debt_id: UUID) -> Done:
    """Another instalment from a day on."""
    assert request.client is not None
    asked = filled_in(VaryDebt(request.client.currency, request.POST))
    with keyed(request.key):
        debts.vary_debt(
            debt_id,
            starts=asked["starts"],
            instalment=asked["instalment"],
            leaves=asked["leaves"] or 0,
            reason=asked["reason"],
        )
    return Done(f"Another instalment is taken from {asked['starts']}.", _debts(client))


@action("payroll.prepare")
def end_debt(request: PageRequest, client: str, debt_id: UUID) -> Done:
    """The last day on which pay is taken from."""
    asked = filled_in(EndDebt(request.POST))
    with keyed(request.key):
        done = debts.end_debt(debt_id, ends=asked["ends"], reason=asked["reason"])
    return Done(f"The debt is taken until {done.ends}.", _debts(client))


urlpatterns = [
    path("c/<str:client>/debts", people_owe, name="debts"),
    path("c/<str:client>/debts/do/add", add_debt, name="debt_add"),
    path("c/<str:client>/debts/<uuid:debt_id>/vary", vary_debt, name="debt_vary"),
    path("c/<str:client>/debts/<uuid:debt_id>/end", end_debt, name="debt_end"),
]
