"""Items and recurring pay: what a person is paid beside hours and salary, with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.dated import lasts_until
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import (
    LONGEST_REASON,
    Conflict,
    EngineroomError,
    InputRefused,
    NotFound,
    Problem,
    too_long,
    wrong_reason,
)
from engineroom.kernel.money import MAX_MINOR
from engineroom.payroll.engine.elements import PayElement
from engineroom.payroll.inputs import STATED
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import CarriedIn, PaidItem, PayItem, PayRun, RecurringPay
from engineroom.payroll.recurring import paid_so_far
from engineroom.people.models import Person


@dataclass(frozen=True)
class ItemAdded:
    item_id: UUID
    person_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def add_pay_item(
    person_id: UUID,
    element: str,
    amount: int,
    *,
    period: date,
    reason: str,
    run_id: UUID | None = None,
    source: str = "",
    minutes: int = 0,
) -> ItemAdded:
    """Pay an amount of an element once: in the period of a day, or in the run of another kind that is named.

    amount: minor units; below zero it takes back. minutes: of work that it pays, which the payslip states.
    Raises InputRefused with everything wrong.
    """
    client_id = of_person(person_id)
    run = _run_for(run_id)
    stated = run is not None and run.kind in STATED
    known = stated_elements() if stated else payable(period)
    wrong = [*wrong_element(element, known), *wrong_amount(amount), *wrong_minutes(minutes)]
    refuse([*wrong, *wrong_reason(reason)])
    row = PayItem.objects.create(
        client_id=client_id,
        person_id=person_id,
        element=element,
        amount=amount,
        minutes=minutes,
        period=period,
        run=run,
        reason=reason.strip(),
        source=source[:40],
    )
    return ItemAdded(row.id, person_id)


def _run_for(run_id: UUID | None) -> PayRun | None:
    if run_id is None:
        return None
    run = PayRun.objects.filter(client_id=current_client_id(), id=run_id).first()
    if run is None:
        raise NotFound(f"there is no pay run {run_id}")
    if run.kind == "regular":
        raise EngineroomError(f"{run} is regular pay: leave the run out, and give the item's period")
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released: what was issued is frozen; open another run")
    return run


@dataclass(frozen=True)
class ItemWithdrawn:
    item_id: UUID
    person_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def withdraw_pay_item(item_id: UUID, *, reason: str) -> ItemWithdrawn:
    """Have an item not paid after all. What a run has taken stays in it: take it back by another item."""
    row = PayItem.objects.filter(client_id=current_client_id(), id=item_id).first()
    if row is None:
        raise NotFound(f"there is no item {item_id}")
    refuse(wrong_reason(reason))
    if row.withdrawn:
        raise Conflict(f"this item was withdrawn already: {row.withdrawn}")
    taken = PaidItem.objects.filter(client_id=row.client_id, item=row).select_related("run").first()
    if taken:
        raise Conflict(f"{taken.run} has taken this item; take it back by an item below zero")
    PayItem.objects.filter(client_id=row.client_id, id=row.id).update(withdrawn=reason.strip())
    return ItemWithdrawn(row.id, row.person_id)


@dataclass(frozen=True)
class RecurringAdded:
    recurring_id: UUID
    person_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def add_recurring_pay(
    person_id: UUID,
    element: str,
    amount: int,
    *,
    starts: date,
    ends: date | None = None,
    total: int | None = None,
    reason: str = "",
) -> RecurringAdded:
    """Pay an amount of an element in every pay period that the days touch. total: it is over once that much
    was paid in all, the last period less; of the amount's sign. What is taken back is paid later."""
    client_id = of_person(person_id)
    problems = [*wrong_element(element, payable(starts)), *wrong_amount(amount), *wrong_total(amount, total)]
    if ends is not None and ends < starts:
        problems.append(Problem(f"ends on {ends}, before {starts}", "Correct one of the days", field="ends"))
    refuse([*problems, *too_long("reason", reason, LONGEST_REASON)])
    row = RecurringPay.objects.create(
        client_id=client_id,
        person_id=person_id,
        element=element,
        amount=amount,
        total=total,
        starts=starts,
        ends=ends,
        reason=reason.strip(),
    )
    return RecurringAdded(row.id, person_id)


@dataclass(frozen=True)
class RecurringEnded:
    recurring_id: UUID
    person_id: UUID
    ends: date

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def end_recurring_pay(recurring_id: UUID, *, ends: date) -> RecurringEnded:
    """The last day on which it is paid; a period that the day lies in is paid whole."""
    row = RecurringPay.objects.filter(client_id=current_client_id(), id=recurring_id, withdrawn="").first()
    if row is None:
        raise NotFound(f"there is no recurring pay {recurring_id}")
    if row.ends is not None and row.ends <= ends:
        raise Conflict(f"it ends on {row.ends} already")
    if ends < row.starts:
        raise EngineroomError(f"it begins on {row.starts}; give that day or a later one")
    RecurringPay.objects.filter(client_id=row.client_id, id=row.id).update(ends=ends)
    return RecurringEnded(row.id, row.person_id, ends)


@dataclass(frozen=True)
class FigureCarriedIn:
    person_id: UUID
    tax_year: str
    element: str

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def carry_in(person_id: UUID, tax_year: str, element: str, amount: int, *, reason: str) -> FigureCarriedIn:
    """An element's figure of a tax year so far, as another bureau paid it. A further row adds to it."""
    client_id = of_person(person_id)
    refuse([*wrong_element(element, stated_elements()), *wrong_amount(amount), *wrong_reason(reason)])
    CarriedIn.objects.create(
        client_id=client_id,
        person_id=person_id,
        tax_year=tax_year,
        element=element,
        amount=amount,
        reason=reason.strip(),
    )
    return FigureCarriedIn(person_id, tax_year, element)


# --- what can be said -------------------------------------------------------------------------------------


def of_person(person_id: UUID) -> UUID:
    client_id = current_scope().client_id
    if not Person.objects.filter(client_id=client_id, counterparty_id=person_id).exists():
        raise NotFound(f"there is no person {person_id}")
    return client_id


def country() -> str:
    """Whose law the client's people are paid by."""
    return Client.objects.values_list("jurisdiction", flat=True).get(id=current_client_id())


def pay_elements(day: date) -> tuple[PayElement, ...]:
    """What can be paid on a day, in the order of the payslip."""
    return jurisdiction(country()).pay_elements(day)


def payable(day: date) -> list[str]:
    return [element.code for element in pay_elements(day)]


def stated_elements() -> list[str]:
    """Elements of which a figure to date can be stated: all but sums and what stands at the end of one."""
    law = jurisdiction(country())
    return [e.code for e in law.elements if e.kind != "total" and e.code not in law.stands]


def wrong_element(element: str, known: Sequence[str]) -> list[Problem]:
    if element in known:
        return []
    return [Problem(f"there is no element {element!r}", f"Use one of {', '.join(known)}", field="element")]


def wrong_amount(amount: int) -> list[Problem]:
    if amount == 0:
        return [Problem("the amount is nought", "Give an amount, or leave it out", field="amount")]
    if abs(amount) > MAX_MINOR:
        return [Problem("the amount is more than can be paid", "Check its decimal point", field="amount")]
    return []


MOST_MINUTES = 366 * 24 * 60


def wrong_minutes(minutes: int) -> list[Problem]:
    """Hours below zero go with an amount that takes back."""
    if abs(minutes) <= MOST_MINUTES:
        return []
    return [Problem("these are more hours than a year has", "Check the hours", field="hours")]


def wrong_total(amount: int, total: int | None) -> list[Problem]:
    """What is wrong with the total of an amount that is paid every period."""
    if total is None:
        return []
    if abs(total) > MAX_MINOR:
        return [Problem("the total is more than can be paid", "Check its decimal point", field="total")]
    if total * amount <= 0 or abs(total) < abs(amount):
        remedy = "Give the whole sum, with the sign of the amount"
        return [Problem("the total is less than one period's amount", remedy, field="total")]
    return []


def refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise InputRefused(list(problems))


# --- questions --------------------------------------------------------------------------------------------


def items_waiting() -> list[PayItem]:
    """Items that no run has taken and nobody withdrew, by payroll number."""
    client_id = current_client_id()
    taken = PaidItem.objects.filter(client_id=client_id).values("item_id")
    rows = PayItem.objects.filter(client_id=client_id, withdrawn="").exclude(id__in=taken)
    return list(rows.select_related("person", "run").order_by("person__payroll_number", "id"))


@dataclass(frozen=True)
class Recurring:
    """Recurring pay. paid: of one that has a total, by released runs so far."""

    row: RecurringPay
    paid: int = 0


def recurring_pay(day: date) -> list[Recurring]:
    """Recurring pay that is not over on a day, nor paid in all, by payroll number."""
    client_id = current_client_id()
    rows = RecurringPay.objects.filter(lasts_until(day), client_id=client_id, withdrawn="")
    found = list(rows.select_related("person").order_by("person__payroll_number", "starts", "id"))
    paid = paid_so_far(client_id, [row.id for row in found if row.total is not None])
    seen = [Recurring(row, paid.get(row.id, 0)) for row in found]
    return [one for one in seen if one.row.total is None or one.paid != one.row.total]
