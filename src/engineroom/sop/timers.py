"""Timers: what is due fires, each once, late once and not as often as it would have been on time.

A timer is an open task with an instant. Firing ends it and moves its case in the same transaction, so
whatever is killed when, it either has fired or still stands. Cases are taken under SKIP LOCKED: several
workers share the backlog, and a case that somebody works on just now is looked at again in the next round.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from engineroom.foundation.access import services as access
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.side_by_side import beside
from engineroom.foundation.tenancy.scope import acting, current_client_id
from engineroom.kernel.errors import EngineroomError
from engineroom.sop import running
from engineroom.sop.running import Running
from engineroom.sop.together import fire_alike

log = logging.getLogger(__name__)

BATCH = 2_000
"""Timers of one transaction: some tenths of a second, so that nobody waits long for a case that one moves."""

ONE_BY_ONE = 500
"""Cases of one transaction that do not go on alike with others."""

SIDE_BY_SIDE = 2 * BATCH
"""So many due, and two connections fire them: one keeps one core of PostgreSQL's busy, and is no faster for
being asked more."""

DUE_CLIENTS = """
SELECT client_id, count(*) FROM sop_task
WHERE state = 'open' AND fires_at IS NOT NULL AND fires_at <= %s AND client_id = ANY(%s)
GROUP BY client_id ORDER BY min(fires_at)
"""
DUE = """
SELECT id, case_id FROM sop_task
WHERE client_id = %s AND state = 'open' AND fires_at IS NOT NULL AND fires_at <= %s AND NOT case_id = ANY(%s)
ORDER BY fires_at LIMIT %s
"""


def fire_due(now: datetime | None = None) -> int:
    """Fire what is due, over all clients. Returns how many. One client's trouble leaves the others be."""
    now = now or running.clock()
    system = access.system_user()
    clients = access.all_client_ids()
    with acting(system, read=clients), connection.cursor() as cursor:
        cursor.execute(DUE_CLIENTS, [now, clients])
        due = cursor.fetchall()
    waiting = deque(client_id for client_id, _ in due)
    if len(due) < 2 or sum(count for _, count in due) < SIDE_BY_SIDE:
        return _fire_clients(waiting, now)
    with beside(lambda: _fire_clients(waiting, now)) as other:
        fired = _fire_clients(waiting, now)
    return fired + other.result()


def _fire_clients(waiting: deque[UUID], now: datetime) -> int:
    """Client after client from a queue that another thread may share."""
    fired = 0
    while waiting:
        try:
            client_id = waiting.popleft()
        except IndexError:  # the other one was quicker
            break
        try:
            fired += fire_client(client_id, now)
        except Exception:
            log.exception("timers of client %s could not all be fired", client_id)
    return fired


def fire_client(client_id: UUID, now: datetime) -> int:
    """Fire what is due for one client, in batches. A case that cannot go on is left standing, and said."""
    system = access.system_user()
    fired = 0
    left: list[UUID] = []
    while True:
        with acting(system, write=client_id):
            done, stuck, more = _batch(now, left)
        fired += done
        left += stuck
        failpoint("timers:batch")
        if not more:
            return fired


def _batch(now: datetime, left: Sequence[UUID]) -> tuple[int, list[UUID], bool]:
    """Fires up to a batch of timers. Returns how many, the cases to be left alone this round, and whether to
    look again."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, [current_client_id(), now, list(left), BATCH])
        due = cursor.fetchall()
    by_case: dict[UUID, list[UUID]] = {}
    for task_id, case_id in due:
        by_case.setdefault(case_id, []).append(task_id)
    together = fire_alike(list(by_case), now) if due else set()
    others = [case_id for case_id in by_case if case_id not in together]
    fired, stuck = _fire_each({case_id: by_case[case_id] for case_id in others[:ONE_BY_ONE]}, now)
    fired += len(together)
    return fired, stuck, len(due) == BATCH or len(others) > ONE_BY_ONE or bool(fired and stuck)


def _fire_each(by_case: Mapping[UUID, Sequence[UUID]], now: datetime) -> tuple[int, list[UUID]]:
    """Fires the timers of these cases, each by itself. Returns how many, and the cases to be left alone."""
    found = running.load(list(by_case), skip_locked=True) if by_case else []
    new_id = running.many_ids(2 * len(by_case) or 1)
    moved, fired = [], 0
    stuck = list(by_case.keys() - {case.id for case in found})
    for case in found:
        try:
            fired += _fire(case, by_case[case.id], now, new_id)
            moved.append(case)
        except EngineroomError as error:
            log.warning("case %s: a timer is due and the case cannot go on: %s", case.number, error)
            stuck.append(case.id)
    running.write(moved, now)
    return fired, stuck


def _fire(case: Running, tasks: Sequence[UUID], now: datetime, new_id: running.NewId) -> int:
    """The timers of one case, in the order in which they were due; one may withdraw the next."""
    fired = 0
    for task_id in tasks:
        task = case.tasks.get(task_id)
        if task is None:
            continue
        step = case.graph.by_key[task.step]
        case.tell("fired", task)
        if task.kind == "escalation" and task.host_id in case.tasks:
            host = case.tasks[task.host_id]
            case.called.append((host.id, step.role))
            case.tell("escalated", host, to=step.role, reason=f"not done after {step.after or step.until}")
        case.ended.append((task.id, "done", ""))
        running.go_on(case, task, now, new_id)
        fired += 1
    return fired
