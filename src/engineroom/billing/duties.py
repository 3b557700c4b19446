"""What billing has to do next: drafts to check, invoices to issue, held charges that wait for an answer,
bills of suppliers that wait for a yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation import duties
from engineroom.foundation.duties import Duty
from engineroom.ui.display import format_count, format_day

BILL_RUNS = """
SELECT r.client_id, r.id, r.number, r.issue_date, r.through,
  (SELECT v.content_hash = r.content_hash FROM foundation_approval v
   WHERE v.client_id = r.client_id AND v.subject_kind = 'bill_run' AND v.subject_id = r.id
     AND NOT EXISTS (SELECT FROM foundation_approvalvoid o WHERE o.client_id = v.client_id AND o.id = v.id)
   ORDER BY v.at DESC LIMIT 1)
FROM billing_billrun r
WHERE r.client_id = ANY(%(clients)s) AND r.issue_date >= %(since)s
  AND NOT EXISTS (SELECT FROM billing_invoice i WHERE i.client_id = r.client_id AND i.bill_run_id = r.id)
ORDER BY r.issue_date, r.number
"""

HELD = """
SELECT h.client_id, count(*), sum(c.bill_amount)::bigint,
  string_agg(DISTINCT replace(h.reason, '_', ' '), ', '), min(h.at)::date
FROM timesheets_hold h
JOIN timesheets_charge c ON c.client_id = h.client_id AND c.id = h.id
WHERE h.client_id = ANY(%(clients)s)
  AND NOT EXISTS (SELECT FROM timesheets_holdend x WHERE x.client_id = h.client_id AND x.id = h.id)
GROUP BY h.client_id
"""

SUPPLIER_BILLS = """
SELECT b.client_id, b.id, b.number, b.reference, k.name, b.due, b.gross, b.currency
FROM billing_supplierbill b
JOIN openitems_counterparty k ON k.client_id = b.client_id AND k.id = b.supplier_id
WHERE b.client_id = ANY(%(clients)s) AND b.state = 'draft'
ORDER BY b.due, b.number
"""

STUCK_MIRRORS = """
SELECT m.client_id, i.number, i.issue_date, m.problem
FROM billing_invoicemirror m JOIN billing_invoice i ON i.client_id = m.client_id AND i.id = m.id
WHERE m.client_id = ANY(%(clients)s) AND m.document_id IS NULL AND m.problem <> ''
ORDER BY i.number
"""

LOOK_BACK_DAYS = 120


@duties.register
def _duties(clients: Sequence[UUID], day: date) -> list[Duty]:
    asked: dict[str, Any] = {"clients": list(clients), "since": day - timedelta(days=LOOK_BACK_DAYS)}
    with connection.cursor() as cursor:
        cursor.execute(BILL_RUNS, asked)
        found = [_bill_run(*row) for row in cursor.fetchall()]
        cursor.execute(HELD, asked)
        found += [_held(*row) for row in cursor.fetchall()]
        cursor.execute(SUPPLIER_BILLS, asked)
        found += [_supplier_bill(*row) for row in cursor.fetchall()]
        cursor.execute(STUCK_MIRRORS, asked)
        found += [_stuck(*row) for row in cursor.fetchall()]
    return found


def _stuck(client_id: UUID, number: str, issued: date, problem: str) -> Duty:
    what = f"Have {number} written at the client that it bills"
    return Duty(client_id, what, problem, "billing.prepare", ("billing:invoice", (number,)), issued)


def _supplier_bill(
    client_id: UUID,
    bill_id: UUID,
    number: int,
    reference: str,
    supplier: str,
    due: date,
    gross: int,
    currency: str,
) -> Duty:
    return Duty(
        client_id,
        f"Approve supplier bill {number}",
        f"{reference} of {supplier}",
        "accounting.approve",
        ("billing:supplier_bill", (number,)),
        due,
        gross,
        currency,
        subject=("supplier_bill", bill_id),
    )


def _bill_run(
    client_id: UUID, run_id: UUID, number: int, issue_date: date, through: date, approved: bool | None
) -> Duty:
    page, note = ("billing:run", (number,)), f"weeks through {format_day(through)}"
    if approved:
        what, permission = f"Issue bill run {number}", "billing.release"
    else:
        what, permission = f"Check bill run {number}", "billing.approve"
    subject = ("bill_run", run_id)
    return Duty(client_id, what, note, permission, page, issue_date, subject=subject, lets_out=bool(approved))


def _held(client_id: UUID, charges: int, amount: int, reasons: str, since: date) -> Duty:
    return Duty(
        client_id,
        f"{format_count(charges, 'charge')} held",
        f"{reasons}, since {format_day(since)}",
        "timesheets.prepare",
        ("billing:held", ()),
        amount_minor=amount,
        waits_for="client",
    )
