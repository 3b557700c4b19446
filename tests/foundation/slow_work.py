"""A worker process for tests: the product's own worker, and one job that takes long the first time.

python -m tests.foundation.slow_work HEARTBEAT_SECONDS
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from uuid import UUID


def main(heartbeat_seconds: float) -> None:
    import django

    django.setup()
    from procrastinate.contrib.django import app

    from engineroom.foundation import numbering
    from engineroom.foundation.access.services import system_user
    from engineroom.foundation.jobs import tasks
    from engineroom.foundation.jobs.worker import run_worker
    from engineroom.foundation.tenancy.scope import acting

    @app.task(name="test.slow")
    def slow(client_id: str, folder: str) -> None:
        """Takes a number. The first time it is at work for a minute in the middle of its transaction."""
        with acting(system_user(), write=UUID(client_id)):
            numbering.take("slow work")
            started = Path(folder) / "started"
            if not started.exists():
                started.touch()
                time.sleep(60)

    @app.task(name="test.where")
    def where(client_id: str, folder: str) -> None:
        """Says which of the server's processes it talks to."""
        from django.db import connection

        with acting(system_user(), write=UUID(client_id)), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (Path(folder) / "backend").write_text(str(cursor.fetchone()[0]))

    tasks.STALLED_AFTER_SECONDS = 3 * heartbeat_seconds
    run_worker(heartbeat_seconds=heartbeat_seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]))
