"""Cases that go on alike: each stands on one timer and on nothing else, and what follows asks nothing of it.

What becomes of one of them is found once, by the machine and by the words of `running`, for a case that is
all of them; then it is written for all by a few statements. Whatever is not so simple goes one by one:
another open step, a token at a join, a choice, a sub-procedure, something that stands beside what comes next,
a day that each case says for itself. Both ways leave the same rows (tests/sop/test_timers.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import EngineroomError
from engineroom.kernel.ids import uuid7_column
from engineroom.sop import machine
from engineroom.sop.drafts import graph_of
from engineroom.sop.graph import Graph, Step
from engineroom.sop.running import OpenTask, Running


class AsksTheCase(EngineroomError):
    """What follows depends on the case, so no two cases need go the same way."""


@dataclass(frozen=True)
class Following:
    """What becomes of every such case. opened: columns of each new task, its ids left out. ends: the case.

    events: kind, step, data, and whose: 0 is the timer, 1 the first task that opens; None is the case itself.
    """

    opened: tuple[tuple[Any, ...], ...]
    events: tuple[tuple[str, str, str, int | None], ...]
    ends: bool


def following(version_id: UUID, step: str, now: datetime) -> Following | None:
    """What follows a timer, if it is the same for all cases that stand on it alone."""
    graph = graph_of(version_id)
    timer = graph.by_key[step]
    ids = (str(UUID(int=n)) for n in count(1))
    task = OpenTask(UUID(next(ids)), step, timer.kind, "open", None, None, None, None)
    case = Running(UUID(int=0), 0, "", "", version_id, {}, [], 0, None, {task.id: task})
    case.tell("fired", task)
    try:
        move = machine.leave(graph, case.marking, str(task.id), _undecided, lambda: next(ids))
    except AsksTheCase:
        return None
    steps = [graph.by_key[p.step] for p in move.opened]
    beside = any(p.host or p.race for p in move.opened)
    if beside or move.marking.arrived or any(s.kind == "procedure" or s.until for s in steps):
        return None
    case.tasks.pop(task.id)
    case.take(move, now)
    place = {task.id: 0} | {row[0]: n for n, row in enumerate(case.opened, 1)}
    events = tuple(
        (kind, at, json.dumps(data, default=str), place[of] if of else None)
        for _, kind, of, at, data in case.events
    )
    return Following(tuple(row[2:] for row in case.opened), events, case.state == "done")


def _undecided(graph: Graph, step: Step) -> Sequence[int]:
    raise AsksTheCase(f"{step.title!r} is decided by what each case says")


LOCK = """
SELECT id::text FROM sop_case WHERE client_id = %s AND id = ANY(%s::uuid[]) AND state = 'running'
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
# Asked after the lock, so it sees what stands now.
ALONE = """
SELECT c.version_id, min(t.step), c.id::text, min(t.id::text), c.seq, c.parent_task_id IS NOT NULL
FROM sop_case c JOIN sop_task t ON t.client_id = c.client_id AND t.case_id = c.id AND t.ended_at IS NULL
WHERE c.client_id = %s AND c.id = ANY(%s::uuid[]) AND c.arrived = '{}'
GROUP BY c.id
HAVING count(*) = 1
  AND bool_and(t.kind = 'timer' AND t.host_id IS NULL AND t.race_id IS NULL AND t.fires_at <= %s)
"""
END = "UPDATE sop_task SET state = 'done', ended_at = %s WHERE client_id = %s AND id = ANY(%s::uuid[])"
OPEN = """
INSERT INTO sop_task (id, client_id, case_id, step, kind, title, role, host_id, race_id, fires_at, due_at,
  state, escalated_to, reworks, reason, opened_at)
SELECT n.id, %s, n.case_id, %s, %s, %s, %s, %s::uuid, %s::uuid, %s::timestamptz, %s::timestamptz,
  'open', '', 0, '', %s
FROM unnest(%s::uuid[], %s::uuid[]) AS n (id, case_id)
"""
TELL = """
INSERT INTO sop_caseevent (id, client_id, case_id, seq, kind, task_id, step, data)
SELECT n.id, %s, n.case_id, n.seq + %s, %s, n.task_id, %s, %s::jsonb
FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::uuid[]) AS n (id, case_id, seq, task_id)
"""
GO_ON = "UPDATE sop_case SET seq = seq + %s WHERE client_id = %s AND id = ANY(%s::uuid[])"
FINISH = """
UPDATE sop_case SET seq = seq + %s, state = 'done', ended_at = %s
WHERE client_id = %s AND id = ANY(%s::uuid[])
"""


def fire_alike(case_ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Fire the timers of those of the cases that go on alike. Returns which did; the others are untouched."""
    client = current_client_id()
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [client, _list(map(str, case_ids))])
        cursor.execute(ALONE, [client, _list(row[0] for row in cursor.fetchall()), now])
        groups: dict[tuple[UUID, str], list[tuple[str, str, int, bool]]] = {}
        for version_id, step, *row in cursor.fetchall():
            groups.setdefault((version_id, step), []).append(tuple(row))
        fired: set[UUID] = set()
        for (version_id, step), rows in groups.items():
            what = following(version_id, step, now)
            if what is not None and what.ends:
                rows = [row for row in rows if not row[3]]  # a case within a case takes its parent on
            if what is not None and rows:
                _write(cursor, what, rows, now)
                fired |= {UUID(row[0]) for row in rows}
    return fired


def _write(cursor: Any, what: Following, rows: Sequence[tuple[str, str, int, bool]], now: datetime) -> None:
    client, n = current_client_id(), len(rows)
    cases, timers = _list(row[0] for row in rows), _list(row[1] for row in rows)
    seqs = _list(str(row[2]) for row in rows)
    whose = [timers, *(_list(_ids(n)) for _ in what.opened)]
    cursor.execute(END, [now, client, timers])
    _all_of_them(cursor, n)
    for columns, ids in zip(what.opened, whose[1:], strict=True):
        cursor.execute(OPEN, [client, *columns, now, ids, cases])
    for number, (kind, step, data, of) in enumerate(what.events, 1):
        tasks = "{}" if of is None else whose[of]
        cursor.execute(TELL, [client, number, kind, step, data, _list(_ids(n)), cases, seqs, tasks])
    told = len(what.events)
    if what.ends:
        cursor.execute(FINISH, [told, now, client, cases])
    else:
        cursor.execute(GO_ON, [told, client, cases])
    _all_of_them(cursor, n)


def _all_of_them(cursor: Any, n: int) -> None:
    assert cursor.rowcount == n, f"{cursor.rowcount} of {n} rows under lock were there"


def _ids(n: int) -> Iterator[str]:
    digits = uuid7_column(n).tobytes().hex()
    return (digits[at : at + 32] for at in range(0, 32 * n, 32))


def _list(values: Iterator[str]) -> str:
    """An array as PostgreSQL reads it: of ids and numbers, which need no quotes."""
    return "{" + ",".join(values) + "}"
