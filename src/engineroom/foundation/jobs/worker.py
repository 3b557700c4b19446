"""The worker process: jobs on the same database, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio

from procrastinate.contrib.django import app
from procrastinate.jobs import DeleteJobCondition

HEARTBEAT_SECONDS = 10.0


def run_worker(
    *, wait: bool = True, concurrency: int = 1, heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> None:
    """Work until stopped; with wait=False, until the queue is empty."""
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]  # Django's connector has it

    async def work() -> None:
        with app.replace_connector(connector) as worker_app:
            async with worker_app.open_async():
                await worker_app.run_worker_async(
                    wait=wait,
                    concurrency=concurrency,
                    update_heartbeat_interval=heartbeat_seconds,
                    stalled_worker_timeout=3 * heartbeat_seconds,
                    install_signal_handlers=wait,
                    # Sealing alone is 17,000 jobs a day; what a job did is in its tables, not in the queue.
                    delete_jobs=DeleteJobCondition.SUCCESSFUL,
                )

    asyncio.run(work())
