"""Background jobs: procrastinate on the same database, queued in the transaction that sets them off.

A job's arguments are ids only. It may run twice (a killed worker's job is requeued), so every job is
idempotent.
"""

from __future__ import annotations

from typing import Any


def on_app_ready(app: Any) -> None:
    """procrastinate calls this once its app stands: it gets the ground's own jobs."""
    from engineroom.foundation.jobs.tasks import ground

    app.add_tasks_from(ground, namespace="")
