"""Cases in memory and back: loaded whole under a lock, moved by the machine, written by a few statements.

One case or a thousand (timers) go the same way, so there is one writer. Inside `acting(write=client)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.ids import uuid7, uuid7s
from engineroom.sop import machine
from engineroom.sop.conditions import ConditionRefused, Value, read_value
from engineroom.sop.drafts import graph_of
from engineroom.sop.graph import Graph, Span, Step
from engineroom.sop.hours import WorkingHours
from engineroom.sop.machine import Marking, Move, Place

ZONE = ZoneInfo("Europe/London")
DAY_BEGINS = time(9)
"""A timer that waits for a day fires when its office opens."""
WORKING_DAY_S = 8 * 3600 + 1800
DEEPEST = 10
"""Cases of cases of cases: deeper is a circle of procedures that start each other."""


@lru_cache(maxsize=1)
def office_hours() -> WorkingHours:
    """When promises count where the client has no hours of its own."""
    return WorkingHours("Europe/London", division="ENG")


def after(start: datetime, length: Span) -> datetime:
    """The instant so much later. Days are days of the calendar: the same time by the clock on the wall,
    whatever the clocks did in between."""
    if length.unit in ("working_hours", "working_days"):
        seconds = length.count * (3600 if length.unit == "working_hours" else WORKING_DAY_S)
        return datetime.fromtimestamp(office_hours().after(int(start.timestamp()), seconds), UTC)
    if length.unit == "days":
        local = start.astimezone(ZONE)
        return (
            (local.replace(tzinfo=None) + timedelta(days=length.count)).replace(tzinfo=ZONE).astimezone(UTC)
        )
    minutes = length.count * (60 if length.unit == "hours" else 1)
    return start + timedelta(minutes=minutes)


@dataclass
class OpenTask:
    """A task that has not ended, as far as moving needs it."""

    id: UUID
    step: str
    kind: str
    state: str
    host_id: UUID | None
    race_id: UUID | None
    assignee_id: UUID | None
    maker_id: UUID | None
    escalated_to: str = ""


@dataclass
class Running:
    """A case under its lock: what it carries, where its tokens are, and what has happened to it just now."""

    id: UUID
    number: int
    title: str
    procedure_key: str
    version_id: UUID
    values: dict[str, str]
    arrived: list[int]
    seq: int
    parent_task_id: UUID | None
    tasks: dict[UUID, OpenTask]
    state: str = "running"
    reason: str = ""
    opened: list[tuple[Any, ...]] = field(default_factory=list)
    ended: list[tuple[UUID, str, str]] = field(default_factory=list)
    events: list[tuple[int, str, UUID | None, str, str]] = field(default_factory=list)
    children: list[tuple[UUID, Step]] = field(default_factory=list)
    called: list[tuple[UUID, str]] = field(default_factory=list)
    """Tasks to which another role is called."""

    @property
    def graph(self) -> Graph:
        return graph_of(self.version_id)

    @property
    def marking(self) -> Marking:
        places = tuple(
            Place(str(t.id), t.step, str(t.host_id or ""), str(t.race_id or "")) for t in self.tasks.values()
        )
        return Marking(places, tuple(self.arrived))

    def typed(self) -> dict[str, Value | None]:
        """What the case carries, for conditions. What cannot be read any more counts as unknown."""
        fields = self.graph.all_fields
        found: dict[str, Value | None] = {}
        for key, text in self.values.items():
            try:
                found[key] = read_value(fields[key], text) if key in fields else text
            except ConditionRefused:
                found[key] = None
        return found

    def tell(self, kind: str, task: OpenTask | None = None, /, **data: Any) -> None:
        """An event, with whatever is known of it."""
        self.seq += 1
        told = json.dumps({k: v for k, v in data.items() if v not in (None, "", {})}, default=str)
        self.events.append((self.seq, kind, task.id if task else None, task.step if task else "", told))

    def end(self, task: OpenTask, state: str, reason: str = "") -> None:
        self.ended.append((task.id, state, reason))
        self.tasks.pop(task.id, None)

    def take(self, move: Move, now: datetime) -> None:
        """What the machine moved: tasks withdrawn and opened, tokens waiting at joins, perhaps the end."""
        for place in move.withdrawn:
            task = self.tasks[UUID(place.id)]
            self.tell("withdrawn", task)
            self.end(task, "withdrawn")
        for place in move.opened:
            self.open(place, now)
        if list(move.marking.arrived) != self.arrived:
            self.arrived = list(move.marking.arrived)
            self.tell("arrived", flows=self.arrived)
        if move.marking.is_finished:
            self.state = "done"
            self.tell("finished")

    def open(self, place: Place, now: datetime) -> None:
        """A token begins to stand on a step."""
        step = self.graph.by_key[place.step]
        host, race = (UUID(i) if i else None for i in (place.host, place.race))
        task = OpenTask(UUID(place.id), step.key, step.kind, "open", host, race, None, None)
        self.tasks[task.id] = task
        fires, due = self._fires(step, now), after(now, step.sla) if step.sla else None
        role = "client" if step.kind == "client_request" else step.role
        self.opened.append(
            (task.id, self.id, step.key, step.kind, step.title[:200], role, host, race, fires, due)
        )
        self.tell("opened", task, kind=step.kind, host=host, race=race, due=due, fires=fires)
        if step.kind == "client_request":
            self.tell("paused", task, reason="client")
        if step.kind == "procedure":
            self.children.append((task.id, step))

    def _fires(self, step: Step, now: datetime) -> datetime | None:
        if step.kind not in ("timer", "escalation"):
            return None
        if step.after is not None:
            return after(now, step.after)
        day = self.typed().get(step.until)
        if day is None:
            raise Conflict(
                f"{step.title!r} waits for the day in {step.until}, and this case does not say it yet"
            )
        return datetime.combine(day, DAY_BEGINS, ZONE).astimezone(UTC)  # type: ignore[arg-type]  # a date field


# --- reading --------------------------------------------------------------------------------------------

CASES = """
SELECT id, number, title, procedure_key, version_id, "values"::text, arrived, seq, parent_task_id, state
FROM sop_case WHERE client_id = %s AND id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
CASE_OF_TASK = """
SELECT id, number, title, procedure_key, version_id, "values"::text, arrived, seq, parent_task_id, state
FROM sop_case WHERE client_id = %(client)s
  AND id = (SELECT case_id FROM sop_task WHERE client_id = %(client)s AND id = %(task)s) FOR NO KEY UPDATE
"""
TASKS = """
SELECT case_id, id, step, kind, state, host_id, race_id, assignee_id, maker_id, escalated_to
FROM sop_task WHERE client_id = %s AND case_id = ANY(%s) AND ended_at IS NULL ORDER BY id
"""


def load(ids: Sequence[UUID], *, skip_locked: bool = False) -> list[Running]:
    """Cases that run, locked until the transaction ends; those that have ended are left out."""
    sql = CASES + (" SKIP LOCKED" if skip_locked else "")
    return _locked(sql, [current_scope().client_id, list(ids)])


def load_at(task_id: UUID) -> Running | None:
    """The case that a task is of, if it runs; locked."""
    found = _locked(CASE_OF_TASK, {"client": current_scope().client_id, "task": task_id})
    return found[0] if found else None


def _locked(sql: str, values: Any) -> list[Running]:
    """Cases as they stand under their locks, which is what their tasks are asked after."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[Any] = cursor.fetchall()
        found = {
            id: Running(id, number, title, key, version, json.loads(values), list(arrived), seq, parent, {})
            for id, number, title, key, version, values, arrived, seq, parent, state in rows
            if state == "running"
        }
        cursor.execute(TASKS, [current_scope().client_id, list(found)])
        for case_id, *task in cursor.fetchall():
            found[case_id].tasks[task[0]] = OpenTask(*task)
    return list(found.values())


def load_one(case_id: UUID) -> Running:
    """One case that runs. Raises NotFound, or Conflict if it has ended."""
    found = load([case_id])
    if found:
        return found[0]
    from engineroom.sop.models import Case

    row = Case.objects.filter(client_id=current_scope().client_id, id=case_id).first()
    if row is None:
        raise NotFound("there is no such case")
    raise Conflict(f"case {row.number} is {row.state} already")


# --- moving ---------------------------------------------------------------------------------------------


NewId = Callable[[], str]


def new_ids() -> NewId:
    return lambda: str(uuid7())


def many_ids(count: int) -> NewId:
    """Ids made at once, for moves of many cases; more are made when they run out."""
    ids: list[UUID] = []

    def next_id() -> str:
        if not ids:
            ids.extend(reversed(uuid7s(count)))
        return str(ids.pop())

    return next_id


def go_on(case: Running, task: OpenTask, now: datetime, new_id: NewId | None = None) -> None:
    """The token of a task goes on; the task itself has been ended by the caller's words."""
    marking = case.marking
    move = machine.leave(
        case.graph, marking, str(task.id), machine.by_values(case.typed()), new_id or new_ids()
    )
    case.tasks.pop(task.id, None)
    case.take(move, now)


# --- writing --------------------------------------------------------------------------------------------

END_TASKS = """
UPDATE sop_task t SET state = e.state, reason = e.reason, ended_at = %(now)s,
  assignee_id = coalesce(t.assignee_id, e.by)
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(by)s::uuid[])
  AS e (id, state, reason, by)
WHERE t.client_id = %(client)s AND t.id = e.id
"""
CALL = """
UPDATE sop_task t SET escalated_to = n.role FROM unnest(%s::uuid[], %s::text[]) AS n (id, role)
WHERE t.client_id = %s AND t.id = n.id AND t.ended_at IS NULL
"""
NEW_TASKS = """
INSERT INTO sop_task (id, client_id, case_id, step, kind, title, role, host_id, race_id, fires_at, due_at,
  state, escalated_to, reworks, reason, opened_at)
SELECT id, %s, case_id, step, kind, title, role, host_id, race_id, fires_at, due_at, 'open', '', 0, '', %s
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::uuid[],
  %s::timestamptz[], %s::timestamptz[])
  AS n (id, case_id, step, kind, title, role, host_id, race_id, fires_at, due_at)
"""
EVENTS = """
INSERT INTO sop_caseevent (id, client_id, case_id, seq, kind, task_id, step, data)
SELECT id, %s, case_id, seq, kind, task_id, step, data::jsonb
FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::text[], %s::uuid[], %s::text[], %s::text[])
  AS n (id, case_id, seq, kind, task_id, step, data)
"""
UPDATE_CASES = """
UPDATE sop_case c SET state = n.state, reason = n.reason, "values" = n.vals::jsonb, seq = n.seq,
  arrived = ARRAY(SELECT jsonb_array_elements_text(n.arrived::jsonb)::int),
  ended_at = CASE WHEN n.state = 'running' THEN NULL ELSE %(now)s END
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(values)s::text[], %(seqs)s::int[],
  %(arrived)s::text[]) AS n (id, state, reason, vals, seq, arrived)
WHERE c.client_id = %(client)s AND c.id = n.id
"""


def write(cases: Iterable[Running], now: datetime) -> None:
    """Everything that happened to the cases, in four statements however many they are; then what follows from
    it in other cases: sub-procedures begin, and parents go on."""
    listed = [case for case in cases if case.events]
    if not listed:
        return
    scope = current_scope()
    ended = [row for case in listed for row in case.ended]
    opened = [row for case in listed for row in case.opened]
    events = [(case.id, *event) for case in listed for event in case.events]
    person = scope.user.id if scope.user.kind != "system" else None
    with connection.cursor() as cursor:
        if ended:
            cursor.execute(
                END_TASKS,
                {
                    "client": scope.client_id,
                    "now": now,
                    "ids": [e[0] for e in ended],
                    "states": [e[1] for e in ended],
                    "reasons": [e[2] for e in ended],
                    "by": [person if e[1] in ("done", "skipped") else None for e in ended],
                },
            )
        if called := [row for case in listed for row in case.called]:
            cursor.execute(CALL, [[c[0] for c in called], [c[1] for c in called], scope.client_id])
        if opened:
            cursor.execute(NEW_TASKS, [scope.client_id, now, *map(list, zip(*opened, strict=True))])
        ids = uuid7s(len(events))
        columns = list(map(list, zip(*events, strict=True)))
        cursor.execute(EVENTS, [scope.client_id, ids, *columns])
        cursor.execute(
            UPDATE_CASES,
            {
                "client": scope.client_id,
                "now": now,
                "ids": [c.id for c in listed],
                "states": [c.state for c in listed],
                "reasons": [c.reason for c in listed],
                "values": [json.dumps(c.values) for c in listed],
                "seqs": [c.seq for c in listed],
                "arrived": [json.dumps(c.arrived) for c in listed],
            },
        )
    children = [(case, task_id, step) for case in listed for task_id, step in case.children]
    parents = [case for case in listed if case.state == "done" and case.parent_task_id]
    for case in listed:
        case.opened, case.ended, case.events, case.children, case.called = [], [], [], [], []
    for case, task_id, step in children:
        begin_child(case, task_id, step, now)
    for case in parents:
        _parent_goes_on(case, now)


def begin_child(case: Running, task_id: UUID, step: Step, now: datetime) -> None:
    """A step that is a procedure of its own begins a case of its latest version, with fields they share."""
    from engineroom.sop.services import begin_case

    if _depth(case) >= DEEPEST:
        raise Conflict(
            f"{step.title!r} is the {DEEPEST}th case within a case: these procedures start each other"
        )
    begin_case(
        step.procedure, f"{case.title}: {step.title}"[:200], case.values, parent_task_id=task_id, now=now
    )


def _depth(case: Running) -> int:
    depth, parent = 0, case.parent_task_id
    while parent is not None and depth < DEEPEST:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.parent_task_id FROM sop_task t JOIN sop_case c ON c.client_id = t.client_id "
                "AND c.id = t.case_id WHERE t.client_id = %s AND t.id = %s",
                [current_scope().client_id, parent],
            )
            row = cursor.fetchone()
        parent, depth = (row[0] if row else None), depth + 1
    return depth


def _parent_goes_on(case: Running, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT case_id FROM sop_task WHERE client_id = %s AND id = %s AND ended_at IS NULL",
            [current_scope().client_id, case.parent_task_id],
        )
        row = cursor.fetchone()
    for parent in load([row[0]]) if row else []:
        task = parent.tasks.get(case.parent_task_id) if case.parent_task_id else None
        if task is not None:
            parent.tell("done", task, case=case.number)
            parent.ended.append((task.id, "done", ""))
            go_on(parent, task, now)
            write([parent], now)


def clock() -> datetime:
    """Now, to the second: what tasks are opened, due and ended at."""
    return timezone.now()


# --- the timeline is the case ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Replayed:
    """A case as its events alone say it."""

    state: str
    open: frozenset[tuple[UUID, str]]
    arrived: tuple[int, ...]
    values: Mapping[str, str]


ENDING = ("done", "skipped", "cancelled", "withdrawn", "fired")


def replay(events: Iterable[tuple[str, UUID | None, str, Mapping[str, Any]]]) -> Replayed:
    """Folds (kind, task, step, data) in order into what stands. Reads no other table."""
    state, arrived = "running", ()  # type: str, tuple[int, ...]
    standing: dict[UUID, str] = {}
    values: dict[str, str] = {}
    for kind, task, step, data in events:
        if kind == "opened" and task:
            standing[task] = step
        elif kind in ENDING and task:
            standing.pop(task, None)
        elif kind == "moved":
            standing = {UUID(i): s for i, s in data.get("places", {}).items()}
            arrived = tuple(data.get("arrived", ()))
        elif kind == "arrived":
            arrived = tuple(data["flows"])
        elif kind == "finished":
            state = "done"
        elif kind == "case_cancelled":
            state, standing, arrived = "cancelled", {}, ()
        values |= data.get("values", {})
    return Replayed(state, frozenset(standing.items()), arrived, values)
