"""Timers: each once, late once, over restarts and with several workers; escalations call and don't stop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connections
from procrastinate.contrib.django import app

from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import acting
from engineroom.sop import drafts, running, services, timers
from engineroom.sop.models import Case, CaseEvent, Task
from engineroom.sop.together import fire_alike
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


@pytest.mark.behaviour("SOP-07")
def test_a_large_backlog_is_fired_by_two_connections_and_each_timer_once(
    firm: Firm, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks = [firm.new_client(with_books=False) for _ in range(3)]
    for desk in desks:
        waits(desk, begun(desk, 2))
    fire, threads, both = timers.fire_client, set(), Barrier(2, timeout=30)

    def seen(client_id: UUID, now: datetime) -> int:
        if client_id in {desk.id for desk in desks} and threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            both.wait()
        return fire(client_id, now)

    monkeypatch.setattr(timers, "fire_client", seen)
    monkeypatch.setattr(timers, "SIDE_BY_SIDE", 6)
    assert timers.fire_due(in_days(4)) >= 6
    assert len(threads) == 2
    assert [fired(desk) for desk in desks] == [["wait"] * 2] * 3


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


ALIKE = """---
procedure: {key}
title: Alike
fields:
  kind: {{title: Kind, type: choice, options: [short, long], required: no}}
---
## Wait
```yaml
timer: 3 days
```

{then}
"""
TASK = "## Then\n```yaml\nwho: specialist\nsla: 4 working hours\n```\n"
THEN = {
    "a_task": TASK,
    "the_end": "",
    "the_client": "## Ask\n```yaml\nask:\n  - text: What\n    key: what\nsla: 1 day\n```\n",
    "a_timer": "## More\n```yaml\ntimer: 2 hours\n```\n",
    "a_fork": "## Both\n```yaml\nparallel: [one, two]\nthen: last\n```\n"
    + "".join(f"## {n}\n```yaml\nwho: lead\n```\n" for n in ("One", "Two", "Last")),
    "an_escalation": "## Then\n```yaml\nwho: specialist\nescalate: {after: 1 hour, to: lead}\n```\n",
    "a_choice": '## Which\n```yaml\nchoice:\n  - when: kind = "short"\n    go: then\n'
    f"  - otherwise: end\n```\n{TASK}",
}
"""What comes after a timer. The first five go together, the others one by one."""


def rows_of(client: TestClient, case_id: UUID) -> str:
    """Everything that stands of a case, its tasks by where they came in its story and not by their ids."""
    with client.acting("lead"):
        case = Case.objects.values("state", "seq", "arrived", "values", "ended_at").get(id=case_id)
        tasks = list(Task.objects.filter(client_id=client.id, case_id=case_id).values())
        events = list(CaseEvent.objects.filter(client_id=client.id, case_id=case_id).order_by("seq").values())
    names = {str(i): f"task {n}" for n, i in enumerate(dict.fromkeys(e["task_id"] for e in events))}
    for row in [*tasks, *events]:
        del row["case_id"]
        row["id"] = names.get(str(row["id"]), "an event")
    for event in events:
        del event["at"]
        event["task_id"] = names[str(event["task_id"])]
        event["data"] = {k: names.get(str(v), v) for k, v in event["data"].items()}
        if event["step"] == "wait":
            event["data"].pop("fires", None)
    for task in tasks:
        task["host_id"] = names.get(str(task["host_id"]))
        task["race_id"] = task["race_id"] and "raced"
        if task["step"] == "wait":
            task |= {"opened_at": None, "fires_at": None}
    return "\n".join([str(case), *sorted(map(str, tasks)), *map(str, events)])


class OneByOne:
    """In the place of `fire_alike`: counts what went together, or lets nothing."""

    def __init__(self, together: bool) -> None:
        self.together, self.went = together, 0

    def __call__(self, case_ids: Sequence[UUID], now: datetime) -> set[UUID]:
        fired = fire_alike(case_ids, now) if self.together else set()
        self.went += len(fired)
        return fired


@pytest.mark.behaviour("SOP-07")
@pytest.mark.parametrize("then", THEN)
def test_cases_that_go_on_together_are_left_as_those_that_go_one_by_one(
    firm: Firm, client: TestClient, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(ALIKE.format(key=f"alike_{then}", then=THEN[then]))
    now = in_days(4)
    found: list[list[str]] = []
    for way in (OneByOne(together=True), OneByOne(together=False)):
        monkeypatch.setattr(timers, "fire_alike", way)
        with client.acting("specialist"):
            kinds: tuple[dict[str, str], ...] = ({}, {"kind": "short"}, {"kind": "long"})
            cases = [services.start_case(f"alike_{then}", "Alike", values).case_id for values in kinds]
        assert timers.fire_client(client.id, now) == 3
        assert way.went == (3 if way.together and list(THEN).index(then) < 5 else 0)
        found.append([rows_of(client, case) for case in cases])
    assert found[0] == found[1]


def test_a_case_with_something_else_open_or_within_a_case_does_not_go_on_with_the_others(
    firm: Firm, client: TestClient
) -> None:
    """A sub-procedure that ends on a timer takes the case around it on."""
    inner = ALIKE.format(key="alike_inner", then="")
    outer = (
        "---\nprocedure: alike_outer\ntitle: Outer\n---\n## Sub\n```yaml\nprocedure: alike_inner\n```\n"
        + TASK
    )
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(inner)
        drafts.publish(outer)
    with client.acting("specialist"):
        case = services.start_case("alike_outer").case_id
        alone = services.start_case("alike_inner").case_id
    assert timers.fire_client(client.id, in_days(4)) == 2
    assert (steps_of(client, case), steps_of(client, alone)) == (["then"], [])


def test_the_worker_fires_what_is_due(client: TestClient, waiting: str) -> None:
    cases = begun(client)
    waits(client, cases)
    with client.acting("lead"):
        Task.objects.filter(client_id=client.id, case_id=cases[0], step="wait").update(fires_at=in_days(-1))
    app.configure_task("sop.fire_timers").defer()
    run_worker(wait=False)
    assert steps_of(client, cases[0]) == ["round"]
