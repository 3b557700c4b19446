"""What settlement has to do next: files to submit, stages to prove, bank lines to explain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation import duties
from engineroom.foundation.duties import Duty
from engineroom.ui.display import format_day, format_weekday

FILES = """
SELECT b.client_id, b.number, b.reference, b.count, b.total, b.submit_by, b.entry_day
FROM settlement_paymentbatch b
WHERE b.client_id = ANY(%(clients)s) AND b.pay_date >= %(since)s
  AND NOT EXISTS (SELECT FROM settlement_batchstage s
                  WHERE s.client_id = b.client_id AND s.batch_id = b.id AND s.stage = 'submitted')
  AND NOT EXISTS (SELECT FROM settlement_cleared c
                  WHERE c.client_id = b.client_id AND c.item_id = b.transit_item_id)
"""

LINES = """
SELECT l.client_id, count(*), sum(abs(l.amount))::bigint, min(l.booked), min(l.currency)
FROM settlement_bankline l
WHERE l.client_id = ANY(%(clients)s) AND l.booked >= %(since)s
  AND NOT EXISTS (SELECT FROM settlement_cleared c WHERE c.client_id = l.client_id AND c.id = l.id)
GROUP BY l.client_id
"""

SAID = """
SELECT x.client_id, x.id, l.id, l.amount, l.currency, l.booked, x.reason
FROM settlement_lineexplanation x
JOIN settlement_bankline l ON l.client_id = x.client_id AND l.id = x.line_id
WHERE x.client_id = ANY(%(clients)s) AND l.booked >= %(since)s
  AND (cardinality(x.items) > 0 OR x.account_code <> '')
  AND NOT EXISTS (SELECT FROM settlement_cleared c WHERE c.client_id = l.client_id AND c.id = l.id)
  AND NOT EXISTS (SELECT FROM settlement_clearingundone u
                  WHERE u.client_id = l.client_id AND u.line_id = l.id AND u.at >= x.at)
  AND NOT EXISTS (SELECT FROM settlement_lineexplanation y
                  WHERE y.client_id = x.client_id AND y.line_id = x.line_id AND (y.at, y.id) > (x.at, x.id))
"""

RETURNED = """
SELECT i.client_id, p.id, k.name, p.reference, -i.amount, i.currency, i.due, EXISTS (
  SELECT FROM foundation_approval a
  WHERE a.client_id = p.client_id AND a.subject_kind = 'payment' AND a.subject_id = p.id
    AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id))
FROM openitems_openitem i
JOIN settlement_payment p ON p.client_id = i.client_id AND p.id = i.subject_id
JOIN openitems_counterparty k ON k.client_id = p.client_id AND k.id = p.payee_id
WHERE i.client_id = ANY(%(clients)s) AND i.subject_kind = 'payment' AND i.due >= %(since)s
  AND NOT EXISTS (SELECT FROM openitems_allocation a
                  WHERE a.client_id = i.client_id AND (a.item_a_id = i.id OR a.item_b_id = i.id))
"""

LOOK_BACK_DAYS = 120


@duties.register
def _duties(clients: Sequence[UUID], day: date) -> list[Duty]:
    asked: dict[str, Any] = {"clients": list(clients), "since": day - timedelta(days=LOOK_BACK_DAYS)}
    with connection.cursor() as cursor:
        cursor.execute(FILES, asked)
        found = [_file(*row) for row in cursor.fetchall()]
        cursor.execute(LINES, asked)
        found += [_lines(*row) for row in cursor.fetchall()]
        cursor.execute(SAID, asked)
        found += [_said(*row) for row in cursor.fetchall()]
        cursor.execute(RETURNED, asked)
        found += [_came_back(*row) for row in cursor.fetchall()]
    return found


def _file(
    client_id: UUID, number: int, reference: str, count: int, total: int, submit_by: date, entry_day: date
) -> Duty:
    note = f"{count} payments for {format_weekday(entry_day)}"
    return Duty(
        client_id,
        f"Submit payment file {reference}",
        note,
        "settlement.prepare",
        ("settlement:batch", (number,)),
        submit_by,
        total,
    )


def _lines(client_id: UUID, lines: int, moved: int, first: date, currency: str) -> Duty:
    what = "Explain a bank line" if lines == 1 else f"Explain {lines} bank lines"
    return Duty(
        client_id,
        what,
        f"the oldest of {format_day(first)}",
        "settlement.prepare",
        ("settlement:bank", ()),
        first + timedelta(days=1),
        moved,
        currency,
    )


def _came_back(
    client_id: UUID,
    payment: UUID,
    payee: str,
    reference: str,
    amount: int,
    currency: str,
    returned: date,
    is_approved: bool,
) -> Duty:
    return Duty(
        client_id,
        f"Pay {payee} again",
        f"{reference} came back on {format_day(returned)}",
        "settlement.release" if is_approved else "settlement.approve",
        ("settlement:returned", ()),
        returned + timedelta(days=1),
        amount,
        currency,
        subject=("payment", payment),
        lets_out=is_approved,
    )


def _said(
    client_id: UUID, said: UUID, line: UUID, amount: int, currency: str, booked: date, reason: str
) -> Duty:
    return Duty(
        client_id,
        "Check what a bank line is said to be",
        reason[:80],
        "settlement.approve",
        ("settlement:line", (line,)),
        booked + timedelta(days=2),
        abs(amount),
        currency,
        subject=("line_explanation", said),
    )
