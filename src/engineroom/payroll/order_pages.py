"""Attachment orders: those that stand, what each has taken so far, and what is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON
from engineroom.payroll import items, orders
from engineroom.payroll.jurisdictions import OrderField, jurisdiction
from engineroom.payroll.orders import OrderSaid, OrderView
from engineroom.payroll.schedule_pages import person_said
from engineroom.ui.display import format_money
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField, MoneyField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [
    NavigationEntry("Attachment orders", "payroll:orders", "payroll.read", order=233, under="payroll:runs")
]


BALANCE = "balance"
CARRIED = (BALANCE, "deduction_arrears", "protected_arrears")
"""What runs carry on by themselves once the order stands."""


def _field(field: OrderField, currency: str) -> forms.Field:
    """An input for something that an order states."""
    if field.unit == "flag":
        return forms.BooleanField(required=False, label=field.label)
    if field.unit == "choice":
        choices = [("", ""), *((code, code.capitalize()) for code in field.choices)]
        return forms.ChoiceField(choices=choices, required=False, label=field.label, help_text=field.hint)
    return MoneyField(currency, required=False, label=field.label, help_text=field.hint)


class States(GroupedForm):
    """A form with an input for everything that orders state: most, some, and what is carried."""

    first: ClassVar[Sequence[Group]] = ()

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        for field in orders.order_rules().fields:
            self.fields[field.name] = _field(field, currency)
        self.order_fields([name for name in self.fields if name != "reason"])
        self.groups = [*self.first, *_groups(), Group("Why", ["reason"])]

    @staticmethod
    def stated(asked: dict[str, Any]) -> dict[str, int | str]:
        """What was said of it, as an order keeps it."""
        found = {field.name: asked[field.name] for field in orders.order_rules().fields}
        return orders.without_nothing({
            name: int(value) if isinstance(value, bool) else value
            for name, value in found.items() if value is not None
        })  # fmt: skip


def _groups() -> list[Group]:
    """What orders state, in three: what is carried from before, what only one kind states, and the rest."""
    fields = orders.order_rules().fields
    carried = [f.name for f in fields if f.name in CARRIED and f.name != BALANCE]
    of_one_kind = [f.name for f in fields if len(f.kinds) == 1 and f.name not in carried]
    rest = [f.name for f in fields if f.name not in carried and f.name not in of_one_kind]
    return [
        Group("What it states", rest),
        Group("Stated by one kind of order alone", of_one_kind),
        Group("Carried from the bureau before", carried),
    ]


class AddOrder(States):
    """An order as it came."""

    first = (
        Group("Whose pay, and which order", ["payroll_number", "kind", "reference", "made_on"]),
        Group("Whom it pays, and from when", ["creditor", "creditor_name", "starts", "ends"]),
    )

    payroll_number = LineField(max_length=20)
    kind = forms.ChoiceField()
    reference = LineField(max_length=40, help_text="The order's own number: it goes with the money.")
    creditor = LineField(max_length=40, label="Paid to, code", help_text="Such as DWP, or the court's code.")
    creditor_name = LineField(max_length=200, required=False, label="Name", help_text="Of a new creditor.")
    made_on = DayField(label="Made on", help_text="Earlier orders are dealt with first.")
    starts = DayField(label="Taken from", help_text="The first day on which pay that is paid is taken from.")
    ends = DayField(label="Until", required=False)
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(currency, *given, **more)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = list(orders.order_rules().kinds.items())


class VaryOrder(States):
    """What it states from a day on."""

    first = (Group("", ["starts"]),)

    starts = DayField(label="From")
    reason = LineField(max_length=LONGEST_REASON)


class EndOrder(forms.Form):
    ends = DayField(label="Last day")
    reason = LineField(max_length=LONGEST_REASON)


def states_in_words(view: OrderView, currency: str, hides_pay: bool) -> str:
    """ "normal deduction 200.00, protected earnings 700.00"."""
    said = []
    for field in orders.order_rules().fields:
        value = view.row.stated.get(field.name)
        if value is None or field.name == BALANCE:
            continue
        if field.unit == "pence":
            shown = "••••" if hides_pay else format_money(value, currency, symbol=False)
            said.append(f"{field.label.lower()} {shown}")
        else:
            said.append(f"{field.label.lower()} {value}" if field.unit == "choice" else field.label.lower())
    return ", ".join(said)


@page("payroll.read", reads="pay_order")
def pay_orders(request: PageRequest, client: str) -> HttpResponse:
    """Orders that are not over, with what they took."""
    assert request.client is not None
    today, currency = timezone.now().date(), request.client.currency
    hides, may = "pay" in request.masked, request.may("payroll.prepare")
    if jurisdiction(items.country()).orders is None:
        return render(request, "payroll/orders.html", {"rows": [], "no_law": True})
    found = orders.pay_orders(today)
    request.reading(None, rows=len(found))
    first = {"made_on": today, "starts": today}
    context = {
        "currency": currency,
        "hides_pay": hides,
        "rows": [
            (view, states_in_words(view, currency, hides), _vary_form(view, currency) if may else None)
            for view in found
        ],
        "may": may,
        "add_form": form_of(request, AddOrder(currency, initial=first)) if may else None,
        "end_form": EndOrder(initial={"ends": today}),
    }
    return render(request, "payroll/orders.html", context)


def _vary_form(view: OrderView, currency: str) -> VaryOrder:
    """What it states today, to be said anew. The balance goes on by itself: it is said only to change it."""
    initial = {**view.row.stated, "starts": timezone.now().date()}
    first = {name: value for name, value in initial.items() if name not in CARRIED}
    form = VaryOrder(currency, initial=first, auto_id=f"vary-{view.row.id}-%s")
    for name in [f.name for f in orders.order_rules().fields if view.row.kind not in f.kinds]:
        del form.fields[name]
    return form


@action("payroll.prepare")
def add_order(request: PageRequest, client: str) -> Done:
    """Enter an order; what is wrong stands beside its field."""
    assert request.client is not None
    asked = filled_in(AddOrder(request.client.currency, request.POST))
    person = person_said(asked["payroll_number"])
    said = OrderSaid(
        asked["kind"],
        asked["reference"],
        asked["creditor"],
        asked["made_on"],
        asked["starts"],
        States.stated(asked),
        creditor_name=asked["creditor_name"],
        ends=asked["ends"],
    )
    with keyed(request.key):
        orders.add_pay_order(person.counterparty_id, said, reason=asked["reason"])
    what = f"Order {said.reference} is taken from {person.payroll_number}'s pay from {said.starts}."
    return Done(what, _orders(client))


def _orders(client: str) -> str:
    return reverse("payroll:orders", args=[client])


@action("payroll.prepare")
def vary_order(request: PageRequest, client: str, order_id: UUID) -> Done:
    """Other figures from a day on."""
    assert request.client is not None
    asked = filled_in(VaryOrder(request.client.currency, request.POST))
    with keyed(request.key):
        orders.vary_pay_order(
            order_id, starts=asked["starts"], stated=States.stated(asked), reason=asked["reason"]
        )
    return Done(f"The order is varied from {asked['starts']}.", _orders(client))


@action("payroll.prepare")
def end_order(request: PageRequest, client: str, order_id: UUID) -> Done:
    """The last day on which it takes."""
    asked = filled_in(EndOrder(request.POST))
    with keyed(request.key):
        done = orders.end_pay_order(order_id, ends=asked["ends"], reason=asked["reason"])
    return Done(f"The order ends on {done.ends}.", _orders(client))


urlpatterns = [
    path("c/<str:client>/attachment-orders", pay_orders, name="orders"),
    path("c/<str:client>/attachment-orders/do/add", add_order, name="order_add"),
    path("c/<str:client>/attachment-orders/<uuid:order_id>/vary", vary_order, name="order_vary"),
    path("c/<str:client>/attachment-orders/<uuid:order_id>/end", end_order, name="order_end"),
]
