"""Timers: each once, late once, over restarts and with several workers; escalations call and don't stop."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connections
from procrastinate.contrib.django import app

from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import acting
from engineroom.sop import drafts, running, services, timers
from engineroom.sop.models import CaseEvent, Task
from tests.firm import Firm, TestClient

TEXT = """---
procedure: waiting
title: Waiting
---
## Begin
```yaml
who: specialist
escalate: {after: 1 hour, to: lead}
late: {after: 2 hours, go: hurry}
```

## Wait
```yaml
timer: 3 days
next: round
```

## Hurry
```yaml
who: lead
next: end
```

## Round
```yaml
timer: 1 day
next: again
```

## Again
```yaml
who: specialist
evidence:
  - yes_no: Again
    key: again
next:
  - when: again = yes
    go: round
  - otherwise: end
```
"""


@pytest.fixture(scope="module")
def waiting(firm: Firm) -> str:
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(TEXT).key


def begun(client: TestClient, how_many: int = 1) -> list[UUID]:
    with client.acting("specialist"):
        return [services.start_case("waiting").case_id for _ in range(how_many)]


def waits(client: TestClient, cases: list[UUID]) -> None:
    """All of them past their first step."""
    with client.acting("specialist"):
        for task in Task.objects.filter(client_id=client.id, case_id__in=cases, step="begin"):
            services.complete(task.id)


def fired(client: TestClient) -> list[str]:
    with client.acting("lead"):
        events = CaseEvent.objects.filter(client_id=client.id, kind="fired").order_by("at", "seq")
        return list(events.values_list("step", flat=True))


def steps_of(client: TestClient, case_id: UUID) -> list[str]:
    with client.acting("lead"):
        return sorted(
            Task.objects.filter(client_id=client.id, case_id=case_id, ended_at=None).values_list(
                "step", flat=True
            )
        )


def in_days(days: float) -> datetime:
    return running.clock() + timedelta(days=days)


def test_an_escalation_calls_a_role_and_the_step_stays(client: TestClient, waiting: str) -> None:
    [case] = begun(client)
    assert timers.fire_client(client.id, in_days(0.05)) == 1
    with client.acting("lead"):
        row = Task.objects.get(client_id=client.id, case_id=case, step="begin")
        assert (row.state, row.escalated_to) == ("open", "lead")
    assert steps_of(client, case) == ["begin", "begin_late"]
    assert timers.fire_client(client.id, in_days(0.1)) == 1
    assert steps_of(client, case) == ["begin", "hurry"]


def test_a_step_that_is_done_in_time_is_not_called_for(client: TestClient, waiting: str) -> None:
    cases = begun(client)
    waits(client, cases)
    assert timers.fire_client(client.id, in_days(1)) == 0
    assert steps_of(client, cases[0]) == ["wait"]


@pytest.mark.behaviour("SOP-07")
def test_a_backlog_fires_late_once_and_not_once_for_each_time_it_was_missed(
    client: TestClient, waiting: str
) -> None:
    """Nobody fired for ten days: the timer of three days fires once, the daily one once, from now on."""
    cases = begun(client)
    waits(client, cases)
    now = in_days(10)
    assert timers.fire_client(client.id, now) == 1
    assert timers.fire_client(client.id, now) == 0
    assert fired(client) == ["wait"]
    with client.acting("lead"):
        following = Task.objects.get(client_id=client.id, case_id=cases[0], step="round")
        assert following.fires_at is not None and following.fires_at - now >= timedelta(hours=23)


@pytest.mark.behaviour("SOP-07")
def test_several_workers_at_one_backlog_fire_each_timer_once(client: TestClient, waiting: str) -> None:
    cases = begun(client, 30)
    waits(client, cases)
    now = in_days(4)

    def work(_: int) -> int:
        try:
            return timers.fire_client(client.id, now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        counted = sum(pool.map(work, range(4)))
    counted += timers.fire_client(client.id, now)  # what a worker left because another held it
    assert counted == 30
    assert fired(client) == ["wait"] * 30


@pytest.mark.slow  # processes of its own, one of them killed on purpose
@pytest.mark.behaviour("SOP-07")
def test_a_worker_killed_between_two_batches_leaves_what_is_left_to_the_next(
    client: TestClient, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = begun(client, 5)
    waits(client, cases)
    code = (
        "import django, sys; django.setup()\n"
        "from datetime import datetime; from uuid import UUID; from engineroom.sop import timers\n"
        "timers.BATCH = 2\n"
        "timers.fire_client(UUID(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))"
    )
    now = in_days(4)
    words = [sys.executable, "-c", code, str(client.id), now.isoformat()]
    environment = {**os.environ, "ENGINEROOM_HOME": str(settings.HOME)}
    killed = subprocess.run(
        words,
        env={**environment, "ENGINEROOM_FAILPOINT": "timers:batch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode != 0
    assert len(fired(client)) == 2
    finished = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert fired(client) == ["wait"] * 5


def test_the_worker_fires_what_is_due(client: TestClient, waiting: str) -> None:
    cases = begun(client)
    waits(client, cases)
    with client.acting("lead"):
        Task.objects.filter(client_id=client.id, case_id=cases[0], step="wait").update(fires_at=in_days(-1))
    app.configure_task("sop.fire_timers").defer()
    run_worker(wait=False)
    assert steps_of(client, cases[0]) == ["round"]
