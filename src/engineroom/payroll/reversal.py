"""Taking issued payslips back, and paying anew in their place (decision 010).

A reversal is a run of negative copies, each linked to the payslip that it takes back; a payslip is taken
back once. A replacement pays the same period anew. Both bear the tax period of what they correct, so figures
to date come out as if the first payslip had never been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection
from django.utils import timezone

from engineroom.foundation import numbering
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import (
    LONGEST_REASON,
    Conflict,
    EngineroomError,
    InputRefused,
    Problem,
    reason_given,
)
from engineroom.payroll.inputs import REPLACEMENT, REVERSAL, STATED
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import (
    ClaimPaid,
    PaidItem,
    PayItem,
    PayRun,
    Payslip,
    RecurringPaid,
    ReversedPayslip,
)
from engineroom.payroll.services import find_run

REPLACED = "in place of what was taken back"
"""The source of an item that a replacement pays again."""
LONGEST_REPLACING = LONGEST_REASON - 50
"""A reason that such items give: before it they say in place of which payslip they are."""


@dataclass(frozen=True)
class ReversalOpened:
    """replacement_id, replacement: where it was asked for, the run that pays anew."""

    run_id: UUID
    number: int
    payslips: int
    pay_date: date
    replacement_id: UUID | None = None
    replacement: int | None = None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def reverse_payslips(
    run_id: UUID,
    *,
    reason: str,
    payroll_numbers: Sequence[str] = (),
    replace: bool = False,
    pay_date: date | None = None,
) -> ReversalOpened:
    """Open a run that takes payslips of a released run back: of these people, or of everybody in it.

    replace: open a run as well that pays the same to the same people, to be changed before it is calculated.
    pay_date: of both; today, or the day of the last run that is released, where that is later.
    """
    reason = reason_given(reason, LONGEST_REPLACING if replace else LONGEST_REASON)
    original = PayRun.objects.select_for_update().get(id=find_run(run_id).id)
    slips = _slips(original, payroll_numbers)
    if replace and original.kind in STATED:
        raise EngineroomError(f"{original} states figures and pays nobody; reverse it and state others")
    day = _day_of(original, pay_date)
    run = _opened(original, REVERSAL, original, day)
    for slip in slips:
        ReversedPayslip.objects.create(
            client_id=run.client_id, payslip=slip, original=original, run=run, reason=reason
        )
    if not replace:
        return ReversalOpened(run.id, run.number, len(slips), run.pay_date)
    anew = _opened(original, REPLACEMENT, run, day)
    for slip in slips:
        _pay_again(original, slip, anew, reason)
    return ReversalOpened(run.id, run.number, len(slips), run.pay_date, anew.id, anew.number)


def _slips(original: PayRun, payroll_numbers: Sequence[str]) -> list[Payslip]:
    """The payslips that are to be taken back, each of which stands."""
    if original.kind == REVERSAL:
        raise Conflict(f"{original} is a reversal itself; pay anew what it took back")
    if approvals.released("pay_run", original.id) is None:
        raise Conflict(f"{original} is not released, so nothing of it was issued; change and calculate it")
    found = Payslip.objects.filter(client_id=original.client_id, attempt=original.published)
    slips = list(found.select_related("person", "attempt").order_by("person__payroll_number"))
    taken = {
        row.payslip_id: row.run.number
        for row in ReversedPayslip.objects.filter(
            client_id=original.client_id, original=original
        ).select_related("run")
    }
    if not payroll_numbers:
        slips = [slip for slip in slips if slip.id not in taken]
        if not slips:
            raise Conflict(f"every payslip of {original} is taken back already")
        return slips
    by_number = {slip.person.payroll_number: slip for slip in slips}
    wrong = [
        Problem(f"{original} has no payslip of {number!r}", "Copy the payroll number", field="payroll_number")
        for number in payroll_numbers
        if number not in by_number
    ]
    wrong += [
        Problem(
            f"pay run {taken[slip.id]} takes the payslip of {number} back already",
            "Leave it out, or give that run up",
            field="payroll_number",
        )
        for number in payroll_numbers
        if (slip := by_number.get(number)) and slip.id in taken
    ]
    if wrong:
        raise InputRefused(wrong)
    return [by_number[number] for number in sorted(set(payroll_numbers))]


def _day_of(original: PayRun, asked: date | None) -> date:
    """A banking day that no released run comes after: what was issued later went on from what stood then."""
    released = Release.objects.filter(client_id=original.client_id, subject_kind="pay_run")
    runs = PayRun.objects.filter(
        client_id=original.client_id, frequency=original.frequency, id__in=released.values("subject_id")
    )
    last = runs.order_by("-pay_date").values_list("pay_date", flat=True).first() or original.pay_date
    if asked is not None and asked < last:
        raise Conflict(f"a run of {last} is released; take back on that day or later")
    banking = jurisdiction(original.jurisdiction).banks
    return banking.on_or_after(asked or max(last, timezone.now().date()))


def _opened(original: PayRun, kind: str, corrects: PayRun, day: date) -> PayRun:
    return PayRun.objects.create(
        client_id=original.client_id,
        kind=kind,
        schedule=original.schedule,
        jurisdiction=original.jurisdiction,
        frequency=original.frequency,
        pay_date=day,
        due=original.law_date,
        period_starts=original.period_starts,
        period_ends=original.period_ends,
        tax_year=original.tax_year,
        tax_period=original.tax_period,
        number=numbering.take("pay-run"),
        corrects=corrects,
    )


def _pay_again(original: PayRun, slip: Payslip, anew: PayRun, reason: str) -> None:
    """Items of the replacement: those that the payslip paid, and the rest of it by element. What orders took,
    claims paid and recurring pay up to a total came to is worked out anew."""
    law = jurisdiction(original.jurisdiction)
    left = {
        element: amount
        for element, amount in zip(slip.attempt.elements, slip.amounts, strict=True)
        if element in law.paid_as
    }
    if law.claims:
        of_claims = ClaimPaid.objects.filter(
            client_id=original.client_id, attempt=slip.attempt, person_id=slip.person_id
        )
        for payment, amount in of_claims.values_list("claim__payment", "amount"):
            left[law.claims.elements[payment]] -= amount
    of_totals = RecurringPaid.objects.filter(
        client_id=original.client_id, attempt=slip.attempt, person_id=slip.person_id
    )
    for element, amount in of_totals.values_list("recurring__element", "amount"):
        left[element] -= amount
    taken = PaidItem.objects.filter(client_id=original.client_id, run=original).values("item_id")
    again = []
    for item in PayItem.objects.filter(client_id=original.client_id, person_id=slip.person_id, id__in=taken):
        left[item.element] = left.get(item.element, 0) - item.amount
        again.append((item.element, item.amount, item.period, item.original_id, item.reason))
    why = f"in place of payslip {original.number}/{slip.person.payroll_number}: {reason}"
    period_of = None if original.kind != "regular" else original.id
    again += [(e, amount, original.period_ends, period_of, why) for e, amount in left.items() if amount]
    PayItem.objects.bulk_create(
        PayItem(
            client_id=original.client_id,
            person_id=slip.person_id,
            element=element,
            amount=amount,
            period=period,
            run=anew,
            original_id=of_period,
            reason=words,
            source=REPLACED,
        )
        for element, amount, period, of_period, words in again
    )


# --- questions --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Correction:
    """A run that takes back from another, or pays anew in its place."""

    number: int
    kind: str
    is_released: bool
    people: int
    reason: str


CORRECTIONS = """
SELECT r.number, r.kind, EXISTS (
    SELECT FROM foundation_release x
    WHERE x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id),
  (SELECT count(*) FROM payroll_reversedpayslip v WHERE v.client_id = r.client_id AND v.run_id = r.id),
  coalesce((SELECT min(v.reason) FROM payroll_reversedpayslip v
            WHERE v.client_id = r.client_id AND v.run_id = r.id), '')
FROM payroll_payrun r
WHERE r.client_id = %(client)s AND r.corrects_id = %(run)s
  AND (r.kind <> 'reversal' OR EXISTS (
    SELECT FROM payroll_reversedpayslip v WHERE v.client_id = r.client_id AND v.run_id = r.id))
ORDER BY r.number
"""


def corrections_of(run: PayRun) -> list[Correction]:
    """Runs that take payslips of this one back; of a reversal, those that pay anew in its place."""
    with connection.cursor() as cursor:
        cursor.execute(CORRECTIONS, {"client": run.client_id, "run": run.id})
        return [Correction(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Fate:
    """A payslip's other side: the run and payslip that takes it back or that it takes back, and why."""

    word: str
    run: int
    payroll_number: str
    reason: str
    is_released: bool


FATE = """
SELECT 'taken back by', t.number, p.payroll_number, v.reason, t.id
FROM payroll_reversedpayslip v
JOIN payroll_payrun t ON t.client_id = v.client_id AND t.id = v.run_id
JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
WHERE v.client_id = %(client)s AND v.id = %(slip)s
UNION ALL
SELECT 'takes back', o.number, p.payroll_number, v.reason, o.id
FROM payroll_payslip n
JOIN payroll_reversedpayslip v ON v.client_id = n.client_id AND v.run_id = n.run_id
JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id AND s.person_id = n.person_id
JOIN payroll_payrun o ON o.client_id = v.client_id AND o.id = v.original_id
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
WHERE n.client_id = %(client)s AND n.id = %(slip)s
"""


def fates_of(payslip_id: UUID) -> list[Fate]:
    """What takes a payslip back, or what it takes back."""
    with connection.cursor() as cursor:
        cursor.execute(FATE, {"client": current_client_id(), "slip": payslip_id})
        rows = cursor.fetchall()
    return [
        Fate(word, run, number, reason, approvals.released("pay_run", run_id) is not None)
        for word, run, number, reason, run_id in rows
    ]
