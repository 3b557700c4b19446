"""Attachment orders: entered, varied, ended, and what each has taken so far.

What an order states is its jurisdiction's to say (`jurisdictions.Orders`), and is refused here in the words
in which a calculation would refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from engineroom.foundation.commands import command
from engineroom.foundation.dated import lasts_until
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import (
    EngineroomError,
    NotFound,
    Problem,
    too_long,
    wrong_reason,
)
from engineroom.kernel.money import NotMoney, parse_minor
from engineroom.openitems.models import Counterparty
from engineroom.openitems.services import counterparty
from engineroom.payroll.items import country, of_person, refuse
from engineroom.payroll.jurisdictions import OrderField, Orders, StandingOrder, jurisdiction
from engineroom.payroll.models import PayOrder
from engineroom.payroll.taken_off import end_on, ends_before, refuse_varying
from engineroom.payroll.withheld import EVERYTHING, carried_by

Stated = Mapping[str, int | str]
CREDITOR = "agency"
"""The kind of counterparty that orders pay."""


def order_rules() -> Orders:
    """The orders of the client's country. Raises EngineroomError where it has none."""
    rules = jurisdiction(country()).orders
    if rules is None:
        raise EngineroomError("the law of this client's country has no attachment orders here")
    return rules


@dataclass(frozen=True)
class OrderSaid:
    """An order as somebody enters it. creditor: its code; creditor_name: needed where it is a new one."""

    kind: str
    reference: str
    creditor: str
    made_on: date
    starts: date
    stated: Stated
    creditor_name: str = ""
    ends: date | None = None


@dataclass(frozen=True)
class OrderAdded:
    order_id: UUID
    person_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def add_pay_order(person_id: UUID, said: OrderSaid, *, reason: str) -> OrderAdded:
    """Have an order taken from a person's pay from a day on. Raises InputRefused with everything wrong."""
    of_person(person_id)
    refuse([*wrong_order(said), *stands_already(person_id, said), *wrong_reason(reason)])
    return OrderAdded(keep_order(person_id, said, reason), person_id)


def keep_order(person_id: UUID, said: OrderSaid, reason: str) -> UUID:
    """Write an order that was found right; a new creditor becomes a counterparty."""
    row = PayOrder.objects.create(
        client_id=current_scope().client_id,
        person_id=person_id,
        kind=said.kind,
        creditor=counterparty(CREDITOR, said.creditor.strip(), said.creditor_name.strip() or said.creditor),
        reference=said.reference.strip(),
        made_on=said.made_on,
        starts=said.starts,
        ends=said.ends,
        stated=without_nothing(said.stated),
        reason=reason.strip(),
    )
    return row.id


@command("payroll.prepare")
def vary_pay_order(order_id: UUID, *, starts: date, stated: Stated, reason: str) -> OrderAdded:
    """From a day on the order states other figures; arrears and balance go on, unless it states them too."""
    row = _find(order_id)
    refuse_varying(row, starts, "order")
    said = OrderSaid(row.kind, row.reference, row.creditor.code, row.made_on, starts, stated, ends=row.ends)
    refuse([*wrong_order(said), *wrong_reason(reason)])
    ends_before(row, starts)
    varied = PayOrder.objects.create(
        client_id=row.client_id,
        first_id=row.began_as,
        person_id=row.person_id,
        kind=row.kind,
        creditor_id=row.creditor_id,
        reference=row.reference,
        made_on=row.made_on,
        starts=starts,
        ends=row.ends,
        stated=without_nothing(stated),
        reason=reason.strip(),
    )
    return OrderAdded(varied.id, row.person_id)


@dataclass(frozen=True)
class OrderEnded:
    order_id: UUID
    person_id: UUID
    ends: date

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def end_pay_order(order_id: UUID, *, ends: date, reason: str) -> OrderEnded:
    """The last day on which pay that is paid is taken from: it was discharged, or called off."""
    row = _find(order_id)
    refuse(wrong_reason(reason))
    end_on(row, ends)
    return OrderEnded(row.id, row.person_id, ends)


def _find(order_id: UUID) -> PayOrder:
    client_id = current_scope().client_id
    row = PayOrder.objects.select_related("creditor").filter(client_id=client_id, id=order_id).first()
    if row is None:
        raise NotFound(f"there is no attachment order {order_id}")
    return row


# --- what can be said -------------------------------------------------------------------------------------


def wrong_order(said: OrderSaid) -> list[Problem]:
    """Everything that is wrong with an order by itself."""
    rules = order_rules()
    problems = [*too_long("reference", said.reference, 40), *too_long("creditor", said.creditor, 40)]
    if not said.reference.strip():
        problems.append(Problem("no reference is given", "Give the order's own number", field="reference"))
    if said.ends is not None and said.ends < said.starts:
        problems.append(
            Problem(f"ends on {said.ends}, before {said.starts}", "Correct one of the days", field="ends")
        )
    problems += _wrong_creditor(said)
    if said.kind not in rules.kinds:
        known = ", ".join(rules.kinds)
        return [
            *problems,
            Problem(f"there is no kind of order {said.kind!r}", f"Use one of {known}", field="kind"),
        ]
    stated = without_nothing(said.stated)
    more = list(_wrong_stated(said.kind, stated, rules))
    if not more:
        standing = StandingOrder(0, said.kind, said.made_on, stated, {}, said.starts)
        more = rules.wrong(standing)
    return [*problems, *more]


def _wrong_creditor(said: OrderSaid) -> list[Problem]:
    code, name = said.creditor.strip(), said.creditor_name.strip()
    if not code:
        return [Problem("nobody is named to be paid", "Give the creditor's code", field="creditor")]
    if name or Counterparty.objects.filter(client_id=current_client_id(), kind=CREDITOR, code=code).exists():
        return too_long("creditor_name", name, 200)
    return [Problem(f"{code!r} is a new creditor without a name", "Give the name too", field="creditor_name")]


def _wrong_stated(kind: str, stated: Stated, rules: Orders) -> list[Problem]:
    fields = {f.name: f for f in rules.fields}
    label = rules.kinds[kind]
    found = []
    for name, value in stated.items():
        one = fields.get(name)
        if one is None:
            known = ", ".join(fields)
            found.append(Problem(f"orders state no {name!r}", f"They state {known}", field=name))
        elif kind not in one.kinds:
            problem = f"an order of the kind {label} states no {one.label.lower()}"
            found.append(Problem(problem, "Leave it empty", field=name))
        else:
            found += _wrong_value(one, value)
    found += [
        Problem(f"an order of the kind {label} states its {f.label.lower()}", "Give it", field=f.name)
        for f in rules.fields
        if f.needed and kind in f.kinds and f.name not in stated
    ]
    return found


def _wrong_value(one: OrderField, value: object) -> list[Problem]:
    if one.unit == "choice":
        good = value in one.choices
        remedy = f"Give {' or '.join(one.choices)}"
    else:
        good = type(value) is int and value >= 0 and (one.unit != "flag" or value == 1)
        remedy = "Give 1 for yes and 0 for no" if one.unit == "flag" else "Give an amount"
    return [] if good else [Problem(f"{one.label} is {value!r}", remedy, field=one.name)]


def without_nothing(stated: Stated) -> dict[str, int | str]:
    """What is said: empty texts, flags and amounts of nought say nothing. A balance of nought does."""
    return {
        name: value
        for name, value in stated.items()
        if value is not None and value != "" and (value != 0 or name == "balance")
    }


def stands_already(person_id: UUID, said: OrderSaid) -> list[Problem]:
    same = PayOrder.objects.filter(
        lasts_until(said.starts),
        client_id=current_client_id(),
        person_id=person_id,
        kind=said.kind,
        reference=said.reference.strip(),
    )
    if not same.exists():
        return []
    return [
        Problem(
            f"order {said.reference.strip()} of this person stands already",
            "Vary that order, or end it first",
            field="reference",
        )
    ]


def stated_as_text(said: Sequence[str], currency: str) -> dict[str, int | str]:
    """ "normal_deduction=50.00" and the like, as a command line gives them. Raises InputRefused."""
    fields = {f.name: f for f in order_rules().fields}
    found: dict[str, int | str] = {}
    problems = []
    for text in said:
        name, equals, value = (part.strip() for part in text.partition("="))
        one = fields.get(name)
        if not equals or one is None:
            problem = f"{text!r} is nothing that an order states"
            problems.append(Problem(problem, f"Write NAME=VALUE; names are {', '.join(fields)}"))
            continue
        try:
            found[name] = value if one.unit == "choice" else _number(one, value, currency)
        except (ValueError, NotMoney) as error:
            problems.append(Problem(f"{name}: {error}", "Write it as 1,234.50, or 1 for yes", field=name))
    refuse(problems)
    return found


def _number(one: OrderField, value: str, currency: str) -> int:
    return int(value) if one.unit == "flag" else parse_minor(value, currency)


# --- questions --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderView:
    """An order with what it took on published payslips. taken: in all, of every row it was varied by;
    balance: still owed, None where it names no sum. arrears: missed deductions it takes on."""

    row: PayOrder
    kind: str
    taken: int
    arrears: int
    balance: int | None
    paydays: int


def pay_orders(day: date, person_id: UUID | None = None) -> list[OrderView]:
    """Orders that are not over on a day, by payroll number and as they were made; or those of one person,
    over or not."""
    rows = PayOrder.objects.filter(client_id=current_client_id()).select_related("person", "creditor")
    rows = rows.filter(lasts_until(day)) if person_id is None else rows.filter(person_id=person_id)
    return _viewed(list(rows.order_by("person__payroll_number", "made_on", "reference", "starts")))


def _viewed(rows: Sequence[PayOrder]) -> list[OrderView]:
    if not rows:
        return []
    asked = {**EVERYTHING, "client": current_client_id(), "orders": list({row.began_as for row in rows})}
    carried, kinds = carried_by(asked), order_rules().kinds
    found = []
    for row in rows:
        of = carried[row.id]
        left = of.usable
        found.append(
            OrderView(
                row,
                kinds.get(row.kind, row.kind),
                of.taken,
                left["deduction_arrears"] or 0,
                left["balance"],
                of.paydays,
            )
        )
    return found


@dataclass(frozen=True)
class TakenView:
    """What one order took on one payslip. Minor units. A payslip that takes another back says nothing of what
    is left."""

    person_id: UUID
    kind: str
    reference: str
    creditor: str
    deduction: int
    fee: int
    arrears: int
    balance: int | None


TAKEN_BY_RUN = """
SELECT t.person_id, o.kind, o.reference, k.name, t.deduction, t.fee,
  CASE WHEN t.takes_back_id IS NULL THEN t.deduction_arrears ELSE 0 END,
  CASE WHEN t.takes_back_id IS NULL THEN t.balance END
FROM payroll_ordertaken t
JOIN payroll_payorder o ON o.client_id = t.client_id AND o.id = t.order_id
JOIN openitems_counterparty k ON k.client_id = o.client_id AND k.id = o.creditor_id
WHERE t.client_id = %(client)s AND t.attempt_id = %(attempt)s
  AND (%(person)s::uuid IS NULL OR t.person_id = %(person)s)
ORDER BY t.person_id, t.place
"""


def taken_on(attempt_id: UUID | None, person_id: UUID | None = None) -> dict[UUID, list[TakenView]]:
    """What orders took on the payslips of an attempt, by person, as they were dealt with."""
    asked = {"client": current_client_id(), "attempt": attempt_id, "person": person_id}
    with connection.cursor() as cursor:
        cursor.execute(TAKEN_BY_RUN, asked)
        rows = cursor.fetchall()
    found: dict[UUID, list[TakenView]] = {}
    kinds = order_rules().kinds if rows else {}
    for person, kind, *more in rows:
        found.setdefault(person, []).append(TakenView(person, kinds.get(kind, kind), *more))
    return found
