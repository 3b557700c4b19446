"""Background jobs: queued with the transaction that sets them off, and finished though a worker is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from tests.firm import TestClient, superuser

from engineroom.foundation.audit import services as audit
from engineroom.foundation.audit.models import AuditUnsealed
from engineroom.foundation.jobs import tasks
from engineroom.foundation.numbering.models import NumberSeries
from engineroom.foundation.tenancy.scope import acting

ROOT = Path(__file__).parents[2]
HEARTBEAT_SECONDS = 0.3


def jobs(task: str, *columns: str) -> list[tuple[object, ...]]:
    with superuser() as look:
        asked = ", ".join(columns) or "status::text"
        return look.execute(
            f"SELECT {asked} FROM procrastinate_jobs WHERE task_name = %s ORDER BY id", [task]
        ).fetchall()


def wait_for(condition: Callable[[], object], seconds: float = 120, every: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(every)


@contextmanager
def working(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of its own, gone afterwards."""
    log = Path(os.environ["ENGINEROOM_HOME"]) / "worker.log"
    with log.open("ab") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def slow_worker() -> tuple[str, ...]:
    return sys.executable, "-m", "tests.foundation.slow_work", str(HEARTBEAT_SECONDS)


def taken(client: TestClient) -> int:
    with acting(client.staff["lead"], read=[client.id]):
        row = NumberSeries.objects.filter(series="slow work").first()
        return row.next_number - 1 if row else 0


@pytest.fixture(autouse=True)
def nothing_left(firm: object) -> Iterator[None]:
    yield
    with superuser() as clean:
        clean.execute("DELETE FROM procrastinate_jobs WHERE task_name LIKE 'test.%%'")


def test_a_job_is_queued_with_its_transaction_or_not_at_all(client, tmp_path):
    queue = app.configure_task("test.slow")
    with pytest.raises(ZeroDivisionError), client.acting():
        queue.defer(client_id=str(client.id), folder=str(tmp_path))
        raise ZeroDivisionError
    assert jobs("test.slow") == []
    with client.acting():
        queue.defer(client_id=str(client.id), folder=str(tmp_path))
        assert jobs("test.slow") == [], "not before the commit"
    assert jobs("test.slow") == [("todo",)]


def test_a_killed_workers_job_is_requeued_and_finished_once_and_the_seal_goes_on(client, tmp_path):
    """Two real workers: the first is killed in the middle of the job; the second notices and does it."""
    arguments = {"client_id": str(client.id), "folder": str(tmp_path)}
    with client.acting():
        app.configure_task("test.slow").defer(**arguments)
    with working(*slow_worker()) as first:
        wait_for(lambda: (tmp_path / "started").exists())
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert jobs("test.slow") == [("doing",)], "nobody has noticed yet"
    assert taken(client) == 0, "and what it had written is gone"
    with working(*slow_worker()) as second:
        wait_for(lambda: ask_to_requeue() or taken(client), every=0.5)
        wait_for(lambda: jobs("test.slow") == [])  # done, and gone from the queue
        assert taken(client) == 1
        with client.acting():
            audit.record("something")
        wait_for(lambda: not unsealed(client))
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=20) == 0
    assert taken(client) == 1


def ask_to_requeue() -> None:
    """As the clock does every minute."""
    with suppress(AlreadyEnqueued):
        app.configure_task("foundation.requeue_stalled", queueing_lock="requeue_stalled").defer()


def unsealed(client: TestClient) -> bool:
    with acting(client.staff["lead"], read=[client.id]):
        return AuditUnsealed.objects.filter(client_id=client.id).exists()


def test_a_worker_whose_idle_connection_was_cut_loses_one_job_at_most_and_works_on(client, tmp_path):
    (tmp_path / "started").touch()  # nothing takes long here
    arguments = {"client_id": str(client.id), "folder": str(tmp_path)}
    with working(*slow_worker()):
        app.configure_task("test.where").defer(**arguments)
        wait_for(lambda: jobs("test.where") == [])
        with superuser() as server:
            server.execute("SELECT pg_terminate_backend(%s, 5000)", [int((tmp_path / "backend").read_text())])
        before = failed()
        app.configure_task("test.where").defer(**arguments)
        wait_for(lambda: jobs("test.where") in ([("failed",)], []))  # lost, or the clock's was, or none
        app.configure_task("test.slow").defer(**arguments)
        wait_for(lambda: jobs("test.slow") != [("todo",)] and jobs("test.slow") != [("doing",)])
    assert jobs("test.slow") == [] and taken(client) == 1
    assert len(failed()) <= len(before) + 1


def failed() -> list[int]:
    with superuser() as look:
        found = look.execute("SELECT id FROM procrastinate_jobs WHERE status = 'failed'").fetchall()
    return [job for (job,) in found]


def test_the_worker_command_works_until_it_is_told_to_stop(firm):
    before = workers()
    with working(str(Path(sys.executable).parent / "engineroom"), "worker") as process:
        wait_for(lambda: workers() - before)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def workers() -> set[int]:
    with superuser() as look:
        return {row[0] for row in look.execute("SELECT id FROM procrastinate_workers")}


def test_a_job_that_outlived_no_worker_is_given_up_and_others_are_not(client):
    queue = app.configure_task("test.poison")
    for _ in range(2):
        queue.defer()
    with superuser() as stalled:
        [(poison,), (victim,)] = stalled.execute(
            "SELECT id FROM procrastinate_jobs WHERE task_name = 'test.poison' ORDER BY id"
        ).fetchall()
        stalled.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', attempts = 1 WHERE id = %s", [victim]
        )
        stalled.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', attempts = %s WHERE id = %s",
            [tasks.MOST_REQUEUES, poison],
        )
    assert asyncio.run(tasks.requeue(1)) == 1
    assert jobs("test.poison", "id", "status::text", "attempts") == [
        (poison, "failed", tasks.MOST_REQUEUES + 1),
        (victim, "todo", 2),
    ]


PLAIN = ("timestamp", "chunk", "action", "pay_date", "context", "limits", "starts")
"""The context is the worker's own, and stands in no queue."""


def test_every_job_takes_ids_and_plain_values_only():
    """What a job is given lies readable in the queue: never a name, an amount or an account."""
    import inspect

    ours = {name: task for name, task in app.tasks.items() if task.func.__module__.startswith("engineroom.")}
    assert {"foundation.seal_all", "foundation.requeue_stalled"} <= set(ours)
    for name, task in ours.items():
        for parameter in inspect.signature(task.func).parameters:
            assert parameter.endswith("_id") or parameter in PLAIN, (name, parameter)
