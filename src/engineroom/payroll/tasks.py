"""Payroll's background jobs. Arguments are ids only; the commands they run are idempotent."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from procrastinate.contrib.django import app

from engineroom.foundation.access import services as access
from engineroom.foundation.tenancy.scope import acting
from engineroom.payroll import attempts, batch, papers
from engineroom.payroll.models import Attempt, AttemptChunk


@app.task(name="payroll.calculate_chunk", queue="payroll")
def calculate_chunk_job(client_id: str, attempt_id: str, chunk: int, user_id: str) -> None:
    """Calculate one chunk for the user who asked; whoever finishes the last chunk publishes."""
    system, user = access.system_user(), access.identity(UUID(user_id))
    with acting(system, write=UUID(client_id), on_behalf=user):
        attempts.calculate_chunk(UUID(attempt_id), chunk)
    with acting(system, write=UUID(client_id), on_behalf=user):
        attempt = Attempt.objects.select_related("run").get(id=UUID(attempt_id))
        left = AttemptChunk.objects.filter(
            client_id=attempt.client_id, attempt=attempt, done_at=None
        ).exists()
        if not left and attempt.run.published_id != attempt.id:
            attempts.publish_attempt(attempt.id)


@app.task(name="payroll.print_payslips", queue="payroll")
def print_payslips_job(client_id: str, run_id: str, user_id: str) -> None:
    """Typeset what is missing of a run's payslips for the user who asked, a part a transaction: cut off, the
    parts that are kept stay, and the job again makes the rest."""
    system, user = access.system_user(), access.identity(UUID(user_id))
    left = 1
    while left:
        with acting(system, write=UUID(client_id), on_behalf=user):
            left = papers.issue_payslips(UUID(run_id), at_most=papers.RENDER_AT_ONCE).left


@app.task(name="payroll.batch_part", queue="payroll")
def batch_part_job(
    batch_id: str,
    client_id: str,
    action: str,
    pay_date: str,
    user_id: str,
    limits: dict[str, list[str] | None] | None = None,
) -> None:
    """One client of a batch; what it cannot do is its result, and no other client's."""
    user = access.identity(UUID(user_id), limits)
    batch.run_part(UUID(batch_id), UUID(client_id), action, date.fromisoformat(pay_date), user)
