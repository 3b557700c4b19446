"""What people owe their employer: advances, loans, and pay that is to come back. Entered, changed, ended.

Runs take an instalment of each payday off net pay until it is paid, never below the net pay that was agreed
to be left. Deducting it wants the person's agreement in writing, except for pay that was too much (Employment
Rights Act 1996 s.13 and s.14: remembered, not read). What a run could not take stays owed; it is not added to
the next instalment, since that much was not agreed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from uuid import UUID

import numpy as np
from django.db import connection
from django.utils import timezone

from engineroom.foundation.commands import command
from engineroom.foundation.dated import lasts_until
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, NotFound, Problem, too_long, wrong_reason
from engineroom.kernel.ids import uuids_to_column
from engineroom.kernel.money import MAX_MINOR, format_minor
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems.selectors import Open, open_items
from engineroom.openitems.services import add_item, allocate
from engineroom.payroll.account_map import country, map_of
from engineroom.payroll.items import of_person, refuse
from engineroom.payroll.models import Debt
from engineroom.payroll.posting import NET_PAY_BACK
from engineroom.payroll.repaid import REPAID
from engineroom.payroll.taken_off import end_on, ends_before, refuse_varying

OVERPAYMENT = "overpayment"
KINDS: Mapping[str, str] = MappingProxyType(
    {"advance": "Advance of pay", "loan": "Loan", OVERPAYMENT: "Pay to come back"}
)


@dataclass(frozen=True)
class DebtSaid:
    """A debt as somebody enters it. instalment: of a pay period; leaves: net pay that is not gone below."""

    kind: str
    reference: str
    amount: int
    instalment: int
    starts: date
    leaves: int = 0


@dataclass(frozen=True)
class DebtAdded:
    debt_id: UUID
    person_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def add_debt(person_id: UUID, said: DebtSaid, *, reason: str) -> DebtAdded:
    """Have runs take a debt off a person's net pay from a day on. Raises InputRefused with what is wrong.

    Pay to come back: what a reversal left as owed (an open item) is moved to what staff owe, to be got
    back once, by runs. An advance or a loan is posted where it is paid out.
    """
    of_person(person_id)
    refuse(
        [
            *wrong_debt(said),
            *stands_already(person_id, said),
            *not_owed(person_id, said),
            *wrong_reason(reason),
        ]
    )
    return DebtAdded(keep_debt(person_id, said, reason), person_id)


def keep_debt(person_id: UUID, said: DebtSaid, reason: str) -> UUID:
    """Write a debt that was found right."""
    row = Debt.objects.create(
        client_id=current_scope().client_id,
        person_id=person_id,
        kind=said.kind,
        reference=said.reference.strip(),
        amount=said.amount,
        instalment=said.instalment,
        leaves=said.leaves,
        starts=said.starts,
        reason=reason.strip(),
    )
    if said.kind == OVERPAYMENT:
        _move_to_debts(row)
    return row.id


@command("payroll.prepare")
def vary_debt(debt_id: UUID, *, starts: date, instalment: int, leaves: int, reason: str) -> DebtAdded:
    """From a day on another instalment is taken, or more is left; what is owed goes on."""
    row = _find(debt_id)
    refuse_varying(row, starts, "debt")
    said = DebtSaid(row.kind, row.reference, row.amount, instalment, starts, leaves)
    refuse([*wrong_debt(said), *wrong_reason(reason)])
    ends_before(row, starts)
    varied = Debt.objects.create(
        client_id=row.client_id,
        first_id=row.began_as,
        person_id=row.person_id,
        kind=row.kind,
        reference=row.reference,
        amount=row.amount,
        instalment=instalment,
        leaves=leaves,
        starts=starts,
        ends=row.ends,
        reason=reason.strip(),
    )
    return DebtAdded(varied.id, row.person_id)


@dataclass(frozen=True)
class DebtEnded:
    debt_id: UUID
    person_id: UUID
    ends: date

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def end_debt(debt_id: UUID, *, ends: date, reason: str) -> DebtEnded:
    """The last day on which pay that is paid is taken from: it was paid otherwise, or let off."""
    row = _find(debt_id)
    refuse(wrong_reason(reason))
    end_on(row, ends)
    return DebtEnded(row.id, row.person_id, ends)


def _find(debt_id: UUID) -> Debt:
    row = Debt.objects.filter(client_id=current_scope().client_id, id=debt_id).first()
    if row is None:
        raise NotFound(f"there is no debt {debt_id}")
    return row


# --- pay to come back -------------------------------------------------------------------------------------


def pay_to_come_back(person_id: UUID) -> list[Open]:
    """What reversals left a person owing, the oldest first."""
    return [
        item for item in open_items(kind=NET_PAY_BACK) if item.counterparty_id == person_id and item.open > 0
    ]


def _move_to_debts(row: Debt) -> None:
    """From net wages to what staff owe, set against the items that said so."""
    law, today = country(), timezone.now().date()
    line = next(line for line in law.postings.aside if (REPAID, 1) in line.sums)
    debts, wages = map_of(today).account_of(line), law.postings.net_account
    there = account_ids()
    if debts not in there:
        raise Conflict(f"the book has no account {debts}: add it, or map {line.code} to another")
    currency = Client.objects.values_list("currency", flat=True).get(id=row.client_id)
    posted = post_journals(
        "debt",
        ("debt", row.id),
        [
            Journal(
                today,
                f"Pay to come back is taken off pay, debt {row.reference}",
                (Line(debts, row.amount, currency=currency), Line(wages, -row.amount, currency=currency)),
            )
        ],
    )
    moved = add_item(
        "debt",
        counterparty_id=row.person_id,
        account_id=there[wages],
        amount=-row.amount,
        due=today,
        entry_id=posted.entry_ids[0],
        subject=("debt", row.id),
        reference=row.reference,
        currency=currency,
    )
    left, against = row.amount, []
    for item in pay_to_come_back(row.person_id):
        if amount := min(left, item.open):
            against.append((item.id, amount))
            left -= amount
    if left:
        raise Conflict(f"somebody dealt with {format_minor(left)} of it at this moment; look again")
    allocate(
        uuids_to_column([item for item, _ in against]),
        moved.id,
        np.array([amount for _, amount in against], dtype=np.int64),
        subject=("debt", row.id),
        entry_id=posted.entry_ids[0],
    )


# --- what can be said -------------------------------------------------------------------------------------


def wrong_debt(said: DebtSaid) -> list[Problem]:
    """Everything that is wrong with a debt by itself."""
    problems = too_long("reference", said.reference, 40)
    if not any(element.code == REPAID for element in country().elements):
        problems.append(Problem("runs of this client's country take no debts off pay", "Settle it otherwise"))
    if said.kind not in KINDS:
        known = ", ".join(KINDS)
        problems.append(
            Problem(f"there is no kind of debt {said.kind!r}", f"Use one of {known}", field="kind")
        )
    if not said.reference.strip():
        problems.append(
            Problem("no reference is given", "Give the agreement's own number", field="reference")
        )
    for name, amount, least in (
        ("amount", said.amount, 1),
        ("instalment", said.instalment, 1),
        ("leaves", said.leaves, 0),
    ):
        if not least <= amount <= MAX_MINOR:
            problem = f"{name} is {format_minor(amount)}"
            remedy = "Give an amount above nought" if least else "Give an amount, or nothing"
            problems.append(Problem(problem, remedy, field=name))
    return problems


def not_owed(person_id: UUID, said: DebtSaid) -> list[Problem]:
    """Pay to come back is no more than a reversal says."""
    if said.kind != OVERPAYMENT:
        return []
    owed = sum(item.open for item in pay_to_come_back(person_id))
    if said.amount <= owed:
        return []
    return [
        Problem(
            f"{format_minor(owed)} of pay is to come back from this person, not {format_minor(said.amount)}",
            "Take back the payslip that paid too much, or enter an advance",
            field="amount",
        )
    ]


def stands_already(person_id: UUID, said: DebtSaid) -> list[Problem]:
    same = Debt.objects.filter(
        lasts_until(said.starts),
        client_id=current_client_id(),
        person_id=person_id,
        kind=said.kind,
        reference=said.reference.strip(),
    )
    if not same.exists():
        return []
    problem = f"debt {said.reference.strip()} of this person stands already"
    return [Problem(problem, "Change that debt, or give another reference", field="reference")]


# --- questions --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DebtView:
    """A debt with what published payslips took of it, of every row it was changed by. Minor units."""

    row: Debt
    kind: str
    taken: int
    paydays: int

    @property
    def left(self) -> int:
        return self.row.amount - self.taken


TAKEN = """
SELECT coalesce(d.first_id, d.id), sum(t.amount)::bigint,
  sum(CASE WHEN t.takes_back_id IS NULL THEN 1 ELSE -1 END)::bigint
FROM payroll_debttaken t
JOIN payroll_debt d ON d.client_id = t.client_id AND d.id = t.debt_id
JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
WHERE t.client_id = %s AND coalesce(d.first_id, d.id) = ANY(%s) GROUP BY coalesce(d.first_id, d.id)
"""


def debts(day: date, person_id: UUID | None = None) -> list[DebtView]:
    """Debts that are not over on a day, by payroll number and as they began; or those of one person, over or
    not."""
    rows = Debt.objects.filter(client_id=current_client_id()).select_related("person")
    rows = rows.filter(lasts_until(day)) if person_id is None else rows.filter(person_id=person_id)
    found = list(rows.order_by("person__payroll_number", "starts", "reference"))
    if not found:
        return []
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, [current_client_id(), list({row.began_as for row in found})])
        taken = {began: (amount, paydays) for began, amount, paydays in cursor.fetchall()}
    return [DebtView(row, KINDS.get(row.kind, row.kind), *taken.get(row.began_as, (0, 0))) for row in found]


@dataclass(frozen=True)
class TakenView:
    """What one payslip paid back of one debt. left: after it; None on a payslip that takes another back."""

    person_id: UUID
    kind: str
    reference: str
    amount: int
    left: int | None


TAKEN_BY_RUN = """
SELECT t.person_id, d.kind, d.reference, t.amount, CASE WHEN t.takes_back_id IS NULL THEN d.amount - (
  SELECT sum(b.amount) FROM payroll_debttaken b
  JOIN payroll_debt c ON c.client_id = b.client_id AND c.id = b.debt_id
  JOIN payroll_payrun q ON q.client_id = b.client_id AND q.published_id = b.attempt_id
  WHERE b.client_id = t.client_id AND coalesce(c.first_id, c.id) = coalesce(d.first_id, d.id)
    AND (q.pay_date, q.number) <= (r.pay_date, r.number)) END::bigint
FROM payroll_debttaken t
JOIN payroll_debt d ON d.client_id = t.client_id AND d.id = t.debt_id
JOIN payroll_payrun r ON r.client_id = t.client_id AND r.id = t.run_id
WHERE t.client_id = %(client)s AND t.attempt_id = %(attempt)s
  AND (%(person)s::uuid IS NULL OR t.person_id = %(person)s)
ORDER BY t.person_id, t.place
"""


def taken_on(attempt_id: UUID | None, person_id: UUID | None = None) -> dict[UUID, list[TakenView]]:
    """What was paid back on the payslips of an attempt, by person."""
    asked = {"client": current_client_id(), "attempt": attempt_id, "person": person_id}
    with connection.cursor() as cursor:
        cursor.execute(TAKEN_BY_RUN, asked)
        rows = cursor.fetchall()
    found: dict[UUID, list[TakenView]] = {}
    for person, kind, *more in rows:
        found.setdefault(person, []).append(TakenView(person, KINDS.get(kind, kind), *more))
    return found
