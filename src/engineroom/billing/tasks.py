"""Billing's background jobs. Arguments are ids only; the commands they run are idempotent."""

from __future__ import annotations

from uuid import UUID

from procrastinate.contrib.django import app

from engineroom.billing import mirrors, papers
from engineroom.foundation.access import services as access
from engineroom.foundation.tenancy.scope import acting


@app.task(name=papers.JOB, queue="billing")
def print_invoices_job(client_id: str, bill_run_id: str, user_id: str) -> None:
    """Typeset what is missing of a bill run's invoices for the user who asked, a part a transaction: cut off,
    the parts that are kept stay, and the job again makes the rest."""
    system, user = access.system_user(), access.identity(UUID(user_id))
    left = 1
    while left:
        with acting(system, write=UUID(client_id), on_behalf=user):
            left = papers.print_invoices(UUID(bill_run_id), at_most=papers.RENDER_AT_ONCE).left


@app.task(name="billing.mirror_invoice", queue="billing")
def mirror_invoice_job(client_id: str, invoice_id: str, user_id: str) -> None:
    """Write the other side of an invoice at the client that it bills, for the user who issued it."""
    mirrors.write(UUID(client_id), UUID(invoice_id), UUID(user_id))
