"""Cases in memory and back: loaded whole under a lock, moved by the machine, written by one call.

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

from engineroom.foundation.prepared import sent_together
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


OPENED = ("id", "case_id", "step", "kind", "title", "role", "host_id", "race_id", "fires_at", "due_at")
EVENT = ("case_id", "seq", "kind", "task_id", "step", "data")


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
    evidence: list[dict[str, Any]] = field(default_factory=list)
    opened: list[tuple[Any, ...]] = field(default_factory=list)
    """Columns of new tasks, as OPENED names them."""
    ended: list[tuple[UUID, str, str]] = field(default_factory=list)
    events: list[tuple[int, str, UUID | None, str, dict[str, Any]]] = field(default_factory=list)
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
        told = {k: v for k, v in data.items() if v not in (None, "", {})}
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

CASE = """
SELECT id, number, title, procedure_key, version_id, "values"::text, arrived, seq, parent_task_id, state
FROM sop_case"""
LOCKED = f"{CASE} WHERE client_id = %s AND id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
LOCKED_AT = f"""{CASE} WHERE client_id = %(client)s
  AND id = (SELECT case_id FROM sop_task WHERE client_id = %(client)s AND id = %(task)s) FOR NO KEY UPDATE"""  # noqa: S608
TASK = """
SELECT case_id, id, step, kind, state, host_id, race_id, assignee_id, maker_id, escalated_to
FROM sop_task"""
TASKS = f"{TASK} WHERE client_id = %s AND case_id = ANY(%s) AND ended_at IS NULL ORDER BY id"
TASKS_AT = f"""{TASK} WHERE client_id = %(client)s AND ended_at IS NULL
  AND case_id = (SELECT case_id FROM sop_task WHERE client_id = %(client)s AND id = %(task)s) ORDER BY id"""  # noqa: S608 ours


def load(ids: Sequence[UUID], *, skip_locked: bool = False) -> list[Running]:
    """Cases that run, locked until the transaction ends; those that have ended are left out."""
    client = current_scope().client_id
    with connection.cursor() as cursor:
        cursor.execute(LOCKED + (" SKIP LOCKED" if skip_locked else ""), [client, list(ids)])
        found = _running(cursor.fetchall())
        cursor.execute(TASKS, [client, list(found)])
        return _with_tasks(found, cursor.fetchall())


def load_at(task_id: UUID) -> Running | None:
    """The case that a task is of, if it runs; locked."""
    values = {"client": current_scope().client_id, "task": task_id}
    # Sent in one go. The second begins when the first has its lock, so it sees what stands under it.
    with sent_together() as raw:
        cases, tasks = raw.execute(LOCKED_AT, values), raw.execute(TASKS_AT, values)
    found = _with_tasks(_running(cases.fetchall()), tasks.fetchall())
    return found[0] if found else None


def _running(rows: Iterable[Any]) -> dict[UUID, Running]:
    return {
        id: Running(id, number, title, key, version, json.loads(values), list(arrived), seq, parent, {})
        for id, number, title, key, version, values, arrived, seq, parent, state in rows
        if state == "running"
    }


def _with_tasks(cases: Mapping[UUID, Running], rows: Iterable[Any]) -> list[Running]:
    """Cases as they stand under their locks, which is what their tasks were asked after."""
    for case_id, *task in rows:
        if case_id in cases:
            cases[case_id].tasks[task[0]] = OpenTask(*task)
    return list(cases.values())


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

WRITE = "SELECT app_write_cases(%s::jsonb, %s::timestamptz)"


def write(cases: Iterable[Running], now: datetime) -> None:
    """Everything that happened to the cases, in one call however many they are (migration 0006); then what
    follows from it in other cases: sub-procedures begin, and parents go on."""
    listed = [case for case in cases if case.events]
    if not listed:
        return
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [json.dumps(_happened(listed), default=str), now])
    children = [(case, task_id, step) for case in listed for task_id, step in case.children]
    parents = [case for case in listed if case.state == "done" and case.parent_task_id]
    for case in listed:
        case.evidence, case.opened, case.ended, case.called = [], [], [], []
        case.events, case.children = [], []
    for case, task_id, step in children:
        begin_child(case, task_id, step, now)
    for case in parents:
        _parent_goes_on(case, now)


def show(case: Running) -> None:
    """Evidence on its own, ahead of the rest: for a guard that asks for it before the case is written."""
    if case.evidence:
        with connection.cursor() as cursor:
            cursor.execute(WRITE, [json.dumps({"evidence": case.evidence}, default=str), timezone.now()])
        case.evidence = []


def _happened(cases: Sequence[Running]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, by its columns' names."""
    user = current_scope().user
    person = user.id if user.kind != "system" else None
    rows: dict[str, list[dict[str, Any]]] = {
        "evidence": [row for case in cases for row in case.evidence],
        "ended": [
            {"id": id, "state": state, "reason": why, "by": person if state in ("done", "skipped") else None}
            for case in cases
            for id, state, why in case.ended
        ],
        "called": [{"id": id, "role": role} for case in cases for id, role in case.called],
        "opened": [dict(zip(OPENED, row, strict=True)) for case in cases for row in case.opened],
        "events": [dict(zip(EVENT, (case.id, *row), strict=True)) for case in cases for row in case.events],
        "cases": [
            {
                "id": case.id,
                "state": case.state,
                "reason": case.reason,
                "values": case.values,
                "seq": case.seq,
                "arrived": case.arrived,
            }
            for case in cases
        ],
    }
    for event, id in zip(rows["events"], uuid7s(len(rows["events"])), strict=True):
        event["id"] = id
    return {table: found for table, found in rows.items() if found}


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
