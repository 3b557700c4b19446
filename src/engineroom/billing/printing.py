"""Billing's background jobs as whoever asked for them finds them again: invoices printed."""

from __future__ import annotations

from engineroom.billing import papers
from engineroom.foundation.jobs import shown
from engineroom.foundation.jobs.shown import Printing, Shown

PRINTING = Printing(
    kind="invoices",
    verb="billing.plan_printing",
    prepares="billing.prepare",
    task=papers.JOB,
    argument="bill_run_id",
    sql="""
SELECT r.id, r.number, count(i.id), count(f.id)
FROM billing_billrun r
JOIN billing_invoice i ON i.client_id = r.client_id AND i.bill_run_id = r.id
LEFT JOIN foundation_vaultfile f
  ON f.client_id = i.client_id AND f.kind = %(paper)s AND f.subject_id = i.id
WHERE r.client_id = ANY(%(clients)s) AND r.id = ANY(%(subjects)s)
GROUP BY r.id, r.number
""",
    paper=papers.KIND,
    unit="invoice",
    what="Invoices of bill run {number}",
    page="billing:run",
)


def _again(job: Shown) -> str:
    papers.plan_printing(job.id)
    return f"{job.what} are in the queue again."


shown.register(PRINTING.kind, shown.Kind("billing.read", "billing.prepare", PRINTING.mine, _again))
