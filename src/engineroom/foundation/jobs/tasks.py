"""The ground floor's own jobs: seal what was written, and requeue what a killed worker left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

from procrastinate import Blueprint, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status

from engineroom.foundation.access import services as access
from engineroom.foundation.audit import services as audit
from engineroom.foundation.tenancy.scope import acting

log = logging.getLogger(__name__)

STALLED_AFTER_SECONDS = 30
"""A worker beats every 10 s (procrastinate's default); three beats missed is a dead worker."""

MOST_REQUEUES = 5
"""A job that took five workers down with it is the cause, not the victim: it is failed, for a person."""

ground = Blueprint()
"""Our jobs, given to the app once it stands. Declared on the app they would be lost: `on_app_ready` runs
after the app has taken over what was declared before it, and before anything more can be declared on it."""

SEALERS: list[Callable[[], int]] = [audit.seal]
"""What is sealed for a client with fresh audit events, inside `acting`. A room adds its own."""


T = TypeVar("T")


def periodic(jobs: Blueprint, *, cron: str, periodic_id: str) -> Callable[[T], T]:
    """jobs.periodic, such that mypy 1.18 survives it: it breaks on that signature from its own cache."""
    decorator: Any = jobs.periodic(cron=cron, periodic_id=periodic_id)
    return cast("Callable[[T], T]", decorator)


@periodic(ground, cron="* * * * * */5", periodic_id="seal")
@ground.task(name="foundation.seal_all", queueing_lock="seal_all", pass_context=False)
def seal_all(timestamp: int = 0) -> None:
    """Chain the new audit events of every client. One client's trouble does not keep the others waiting."""
    system = access.system_user()
    failed: list[Exception] = []
    for client_id in access.clients_with_unsealed_events():
        try:
            with acting(system, write=client_id):
                for sealer in SEALERS:
                    sealer()
        except Exception as error:
            log.exception("client %s could not be sealed", client_id)
            failed.append(error)
    if failed:
        raise failed[0]


@periodic(ground, cron="*/1 * * * *", periodic_id="requeue")
@ground.task(
    name="foundation.requeue_stalled", queueing_lock="requeue_stalled", retry=RetryStrategy(max_attempts=3)
)
async def requeue_stalled(timestamp: int = 0) -> None:
    """Put the jobs of workers that stopped beating back into the queue."""
    await requeue(STALLED_AFTER_SECONDS)


async def requeue(seconds: float) -> int:
    """Requeue jobs whose worker has not beaten for that long. Returns how many."""
    requeued = 0
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=seconds):
        assert job.id is not None
        try:
            if job.attempts >= MOST_REQUEUES:
                await app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=False)
                log.error("job %s (%s) outlived none of its workers; it is failed", job.id, job.task_name)
            else:
                await app.job_manager.retry_job(job)
                requeued += 1
        except ConnectorException:
            log.info("job %s was requeued or finished by somebody else", job.id)
    return requeued


__all__ = ["SEALERS", "requeue", "requeue_stalled", "seal_all"]
