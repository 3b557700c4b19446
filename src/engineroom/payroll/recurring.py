"""Recurring pay up to a total: what a payday pays of it, the last one less (decision 009).

What was paid of it is never written on it: each payslip leaves a `RecurringPaid`, a reversal the negative of
that. So pay that was taken back is paid later, and an attempt that is not published counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.payroll.models import AttemptChunk, RecurringPaid

# Left is what no earlier run paid of it, whatever the period.
STANDING = """
SELECT c.id, c.person_id, c.element, c.amount, c.total, coalesce(b.amount, 0) FROM payroll_recurringpay c
LEFT JOIN LATERAL (
  SELECT sum(t.amount)::bigint AS amount FROM payroll_recurringpaid t
  JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
  WHERE t.client_id = c.client_id AND t.recurring_id = c.id
    AND (r.pay_date, r.number) < (%(day)s, %(number)s)) b ON true
WHERE c.client_id = %(client)s AND c.person_id BETWEEN %(first)s AND %(last)s AND c.total IS NOT NULL
  AND c.starts <= %(ends)s AND (c.ends IS NULL OR c.ends >= %(starts)s) AND c.withdrawn = ''
  AND (%(closes)s::date IS NULL OR (c.added_at AT TIME ZONE %(zone)s)::date <= %(closes)s)
ORDER BY c.person_id, c.element, c.id
"""

# Of a run that was released, what stands: a total is paid late rather than as back pay.
AS_PAID = """
SELECT t.person_id, c.element, sum(t.amount)::bigint FROM payroll_recurringpaid t
JOIN payroll_recurringpay c ON c.client_id = t.client_id AND c.id = t.recurring_id
JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
WHERE t.client_id = %(client)s AND r.id = %(run)s AND NOT EXISTS (
  SELECT FROM payroll_payslip s
  JOIN payroll_reversedpayslip v ON v.client_id = s.client_id AND v.id = s.id
  JOIN foundation_release x
    ON x.client_id = v.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = v.run_id
  WHERE s.client_id = t.client_id AND s.attempt_id = t.attempt_id AND s.person_id = t.person_id)
GROUP BY t.person_id, c.element
"""


@dataclass(frozen=True)
class Instalment:
    """What a run pays of one recurring pay. Minor units; below zero where it takes off."""

    recurring_id: UUID
    person_id: UUID
    element: str
    amount: int


def read_instalments(bounds: Mapping[str, Any]) -> list[Instalment]:
    """Of everybody from one person to another, what is due of theirs in the period of a run."""
    found = []
    for recurring_id, person, element, each, total, paid in _rows(STANDING, bounds):
        left = total - paid
        amount = min(each, left) if total > 0 else max(each, left)
        if amount * total > 0:
            found.append(Instalment(recurring_id, person, element, amount))
    return found


def as_paid(bounds: Mapping[str, Any]) -> list[tuple[UUID, str, int]]:
    """What the run paid of totals, by person and element."""
    return [(person, element, amount) for person, element, amount in _rows(AS_PAID, bounds)]


def write_paid(row: AttemptChunk, instalments: Iterable[Instalment], people: Iterable[UUID]) -> None:
    """What these people's payslips pay of each."""
    got = set(people)
    RecurringPaid.objects.bulk_create(
        RecurringPaid(
            client_id=row.client_id,
            run_id=row.run_id,
            attempt_id=row.attempt_id,
            person_id=one.person_id,
            recurring_id=one.recurring_id,
            amount=one.amount,
        )
        for one in instalments
        if one.person_id in got
    )


def take_back(row: AttemptChunk, original: UUID, people: Sequence[UUID]) -> None:
    """The negative of what these people's payslips of an attempt paid."""
    paid = RecurringPaid.objects.filter(client_id=row.client_id, attempt_id=original, person_id__in=people)
    RecurringPaid.objects.bulk_create(
        RecurringPaid(
            client_id=row.client_id,
            run_id=row.run_id,
            attempt_id=row.attempt_id,
            person_id=one.person_id,
            recurring_id=one.recurring_id,
            amount=-one.amount,
            takes_back_id=one.id,
        )
        for one in paid.order_by("id")
    )


CONTENT = """
SELECT p.payroll_number, c.element, c.starts, c.total, t.amount FROM payroll_recurringpaid t
JOIN payroll_recurringpay c ON c.client_id = t.client_id AND c.id = t.recurring_id
JOIN people_person p ON p.client_id = t.client_id AND p.id = t.person_id
WHERE t.client_id = %(client)s AND t.attempt_id = %(attempt)s
ORDER BY p.payroll_number COLLATE "C", c.element, c.starts, c.total, t.amount
"""


def content_lines(client_id: UUID, attempt_id: UUID) -> list[str]:
    """What an approval binds: a line each, none where nothing is paid up to a total."""
    return [
        canonical.line(
            "recurring_paid", f"{number} {element} {starts}", [("total", total), ("amount", amount)]
        )
        for number, element, starts, total, amount in _rows(
            CONTENT, {"client": client_id, "attempt": attempt_id}
        )
    ]


PAID_SO_FAR = """
SELECT t.recurring_id, sum(t.amount)::bigint FROM payroll_recurringpaid t
JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
JOIN foundation_release x ON x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id
WHERE t.client_id = %(client)s AND t.recurring_id = ANY(%(of)s) GROUP BY t.recurring_id
"""


def paid_so_far(client_id: UUID, recurring: Sequence[UUID]) -> dict[UUID, int]:
    """By id, what released runs paid, less what was taken back."""
    asked = {"client": client_id, "of": list(recurring)}
    return dict(_rows(PAID_SO_FAR, asked)) if recurring else {}


def _rows(sql: str, bounds: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, bounds)
        rows: list[Any] = cursor.fetchall()
        return rows
