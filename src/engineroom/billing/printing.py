"""Billing's background jobs as whoever asked for them finds them again: invoices printed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from engineroom.billing import papers
from engineroom.foundation.jobs import shown
from engineroom.foundation.jobs.shown import Shown

KIND = "invoices"

PRINTED = """
SELECT r.id, r.number, count(i.id), count(f.id)
FROM billing_billrun r
JOIN billing_invoice i ON i.client_id = r.client_id AND i.bill_run_id = r.id
LEFT JOIN foundation_vaultfile f ON f.client_id = i.client_id AND f.kind = %(kind)s AND f.subject_id = i.id
WHERE r.client_id = ANY(%(clients)s) AND r.id = ANY(%(runs)s)
GROUP BY r.id, r.number
"""


def mine(clients: Sequence[UUID], bill_run_id: UUID | None = None) -> list[Shown]:
    """The bill runs whose invoices I had printed."""
    asked = shown.asked_by_me("billing.plan_printing", clients, bill_run_id)
    if not asked:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PRINTED, {"kind": papers.KIND, "clients": list(clients), "runs": list(asked)})
        found = cursor.fetchall()
    queue = shown.queue_of(papers.JOB, "bill_run_id", list(asked))
    return [_job(row, *asked[row[0]], queue.get(row[0], shown.Queued())) for row in found]


def _job(row: tuple[UUID, int, int, int], client_id: UUID, at: datetime, queued: shown.Queued) -> Shown:
    run_id, number, total, done = row
    left = f"{total - done} of {total} invoices are not printed; try again, what is printed stays."
    state, why, may_retry = shown.state_of(client_id, queued, done, total, "billing.prepare", left)
    what = f"Invoices of bill run {number}"
    page = ("billing:run", (number,))
    return Shown(client_id, KIND, run_id, what, at, done, total, "invoice", state, page, why, may_retry)


def _again(job: Shown) -> str:
    papers.plan_printing(job.id)
    return f"{job.what} are in the queue again."


shown.register(KIND, shown.Kind("billing.read", "billing.prepare", mine, _again))
