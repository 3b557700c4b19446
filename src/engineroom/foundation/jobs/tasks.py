"""The ground floor's own jobs: seal what was written, and requeue what a killed worker left behind."""

from __future__ import annotations


from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from engineroom.foundation.access import services as access
from engineroom.foundation.audit import services as audit
from engineroom.foundation.tenancy.scope import acting

STALLED_AFTER_SECONDS = 30
"""A worker beats every 10 s (procrastinate's default); three beats missed is a dead worker."""


@app.periodic(cron="* * * * * */5", periodic_id="seal")
@app.task(name="foundation.seal_all", queueing_lock="seal_all", pass_context=False)
def seal_all(timestamp: int = 0) -> None:
    """Chain the new audit events of every client."""
    system = access.system_user()
    for client_id in access.clients_with_unsealed_events():
        with acting(system, write=client_id):
            audit.seal()


@app.periodic(cron="*/1 * * * *", periodic_id="requeue")
@app.task(name="foundation.requeue_stalled", queueing_lock="requeue_stalled", retry=RetryStrategy(max_attempts=3))
async def requeue_stalled(timestamp: int = 0) -> None:
    """Put the jobs of workers that stopped beating back into the queue."""
    await requeue(STALLED_AFTER_SECONDS)


async def requeue(seconds: float) -> int:
    """Requeue jobs whose worker has not beaten for that long. Returns how many."""
    stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=seconds))
    for job in stalled:
        await app.job_manager.retry_job(job)
    return len(stalled)


__all__ = ["requeue", "requeue_stalled", "seal_all"]
