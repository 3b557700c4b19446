"""What waits for whom: inboxes over many clients, and one case with everything that happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count

from engineroom.foundation import duties
from engineroom.foundation.duties import LONDON, Duty
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.sop import drafts, selectors
from engineroom.sop.graph import Graph, Step
from engineroom.sop.models import Case, CaseEvent, CaseMove, Task, TaskEvidence, Version

SHOWN = 50
ON_TODAY = 60
"""Of each kind on Today, the earliest; the inbox has them all."""


@dataclass(frozen=True)
class Waiting:
    """A task of an inbox."""

    task_id: UUID
    client_id: UUID
    case_id: UUID
    case_number: int
    case_title: str
    step: str
    title: str
    kind: str
    state: str
    role: str
    due_at: datetime | None
    reworks: int
    mine: bool = False


COLUMNS = """t.id, t.client_id, c.id, c.number, c.title, t.step, t.title, t.kind, t.state, t.role, t.due_at,
  t.reworks"""
CASE_OF = "JOIN sop_case c ON c.client_id = t.client_id AND c.id = t.case_id"

MINE = f"""
SELECT {COLUMNS} FROM sop_task t {CASE_OF}
WHERE t.assignee_id = %(me)s AND t.state IN ('open', 'check') AND t.assignee_id IS NOT NULL
  AND t.client_id = ANY(%(clients)s)
ORDER BY t.due_at LIMIT %(limit)s
"""  # noqa: S608 the names are ours

# Role by role and client by client, the earliest of each by the index: of all that wait, fifty are read.
POOL = f"""
SELECT {COLUMNS} FROM unnest(%(of)s::uuid[], %(roles)s::text[]) AS g (client_id, role)
CROSS JOIN LATERAL (
  SELECT * FROM sop_task w WHERE w.client_id = g.client_id AND w.role = g.role
    AND w.state IN ('open', 'check') AND w.assignee_id IS NULL
    AND w.kind IN ('task', 'command', 'client_request') AND w.maker_id IS DISTINCT FROM %(me)s
  ORDER BY w.due_at LIMIT %(limit)s) t
{CASE_OF} ORDER BY t.due_at LIMIT %(limit)s
"""  # noqa: S608 the names are ours

CALLED = f"""
SELECT {COLUMNS} FROM unnest(%(of)s::uuid[], %(roles)s::text[]) AS g (client_id, role)
CROSS JOIN LATERAL (
  SELECT * FROM sop_task w WHERE w.client_id = g.client_id AND w.escalated_to = g.role
    AND w.state IN ('open', 'check') AND w.escalated_to <> '' ORDER BY w.due_at LIMIT %(limit)s) t
{CASE_OF} ORDER BY t.due_at LIMIT %(limit)s
"""  # noqa: S608 the names are ours

ASKED = f"""
SELECT {COLUMNS} FROM unnest(%(clients)s::uuid[]) AS g (client_id)
CROSS JOIN LATERAL (
  SELECT * FROM sop_task w WHERE w.client_id = g.client_id AND w.state = 'open' AND w.kind = 'client_request'
  ORDER BY w.due_at LIMIT %(limit)s) t
{CASE_OF} ORDER BY t.due_at LIMIT %(limit)s
"""  # noqa: S608 the names are ours


def _asked(sql: str, clients: Sequence[UUID], limit: int, *, mine: bool) -> list[Waiting]:
    scope = current_scope()
    pairs = [(c, role) for c in clients for role in scope.roles.get(c, ())]
    with connection.cursor() as cursor:
        cursor.execute(
            sql,
            {
                "me": scope.user.id,
                "clients": list(clients),
                "of": [c for c, _ in pairs],
                "roles": [r for _, r in pairs],
                "limit": limit,
            },
        )
        return [replace(Waiting(*row), mine=mine) for row in cursor.fetchall()]


AT_WORK = """
SELECT g.client_id FROM unnest((SELECT app_read())) AS g (client_id)
WHERE EXISTS (SELECT FROM sop_task w WHERE w.client_id = g.client_id AND w.state IN ('open', 'check'))
"""


def _at_work() -> list[UUID]:
    """The clients of the scope with a task that is not over: the questions of many are asked of few."""
    with connection.cursor() as cursor:
        cursor.execute(AT_WORK)
        return [row[0] for row in cursor.fetchall()]


def inbox(limit: int = SHOWN) -> list[Waiting]:
    """What I have, what a role of mine was called to, and what anybody with a role of mine may take.

    What is due first stands at the top."""
    clients = _at_work()
    if not clients:
        return []
    found = {
        w.task_id: w
        for sql, mine in ((POOL, False), (CALLED, False), (MINE, True))
        for w in _asked(sql, clients, limit, mine=mine)
    }
    return _by_due(found.values())[:limit]


def asked_of_clients(limit: int = SHOWN) -> list[Waiting]:
    """What waits for clients' answers."""
    clients = _at_work()
    return _by_due(_asked(ASKED, clients, limit, mine=False)) if clients else []


def _by_due(found: Any) -> list[Waiting]:
    far = datetime.max.replace(tzinfo=LONDON)
    return sorted(found, key=lambda w: (w.due_at or far, w.case_number))


@duties.register_mine
def _duties(clients: Sequence[UUID], day: date) -> list[Duty]:
    """On Today stands what the inbox begins with, and what clients were asked."""
    mine = inbox(ON_TODAY)
    return [_duty(w, "firm") for w in mine] + [_duty(w, "client") for w in asked_of_clients(ON_TODAY)]


def _duty(w: Waiting, waits_for: Any) -> Duty:
    what = f"Check: {w.title}" if w.state == "check" else w.title
    return Duty(
        client_id=w.client_id,
        what=what,
        note=f"Case {w.case_number}, {w.case_title}",
        permission="sop.work",
        page=("sop:case", (w.case_number,)),
        due=w.due_at.astimezone(LONDON).date() if w.due_at else None,
        waits_for=waits_for,
        subject=("client_request", w.task_id) if waits_for == "client" else None,
    )


# --- one case -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A piece of evidence as it is looked at."""

    key: str
    title: str
    value: str
    by: str
    at: datetime
    file_id: UUID | None


@dataclass(frozen=True)
class TaskView:
    """A task with its step, who has it, and what was shown for it. The latest of each piece counts."""

    row: Task
    step: Step | None
    assignee: str
    maker: str
    ended_by: str
    evidence: list[Shown]
    ticked: frozenset[str]
    values: dict[str, str]


@dataclass(frozen=True)
class Happened:
    seq: int
    kind: str
    at: datetime
    who: str
    on_behalf: str
    title: str
    data: dict[str, Any]
    of: str
    """The kind of the step that it is about, if it is about one."""


@dataclass(frozen=True)
class CaseView:
    row: Case
    graph: Graph
    version: int
    started_by: str
    open: list[TaskView]
    over: list[TaskView]
    events: list[Happened]
    states: dict[str, str]
    parent: Case | None
    children: list[Case]


def case_numbered(number: int) -> Case | None:
    return Case.objects.filter(client_id=current_client_id(), number=number).first()


STATE_OF = {"done": "done", "skipped": "skipped", "open": "now", "check": "waiting"}


def case_view(number: int) -> CaseView | None:
    """A case with its tasks, their evidence and its timeline, the newest event first."""
    row = case_numbered(number)
    if row is None:
        return None
    graph = drafts.graph_of(row.version_id)
    tasks = list(Task.objects.filter(client_id=row.client_id, case_id=row.id).order_by("id"))
    events = list(CaseEvent.objects.filter(client_id=row.client_id, case_id=row.id).order_by("-seq"))
    shown = list(
        TaskEvidence.objects.filter(client_id=row.client_id, task_id__in=[t.id for t in tasks]).order_by(
            "at", "id"
        )
    )
    people = {row.started_by_id, *(e.by_id for e in events), *(e.on_behalf_id for e in events)}
    people |= {i for t in tasks for i in (t.assignee_id, t.maker_id, t.ended_by_id)} | {
        e.by_id for e in shown
    }
    names = selectors.names_of(people)
    views = [_task_view(t, graph, names, [e for e in shown if e.task_id == t.id]) for t in tasks]
    by_id: dict[UUID | None, Task] = {t.id: t for t in tasks}
    states = {t.step: STATE_OF[t.state] for t in tasks if t.state in STATE_OF}
    version = drafts.version_of(row.version_id)
    parents = (
        Task.objects.filter(client_id=row.client_id, id=row.parent_task_id) if row.parent_task_id else []
    )
    return CaseView(
        row,
        graph,
        version.number,
        names.get(row.started_by_id, ""),
        [v for v in views if v.row.ended_at is None],
        [
            v
            for v in reversed(views)
            if v.row.ended_at is not None and v.row.kind not in ("timer", "escalation")
        ],
        [_happened(e, names, by_id.get(e.task_id)) for e in events],
        states,
        next((t.case for t in parents), None),
        list(
            Case.objects.filter(client_id=row.client_id, parent_task_id__in=[t.id for t in tasks]).order_by(
                "number"
            )
        ),
    )


def _happened(e: CaseEvent, names: dict[UUID | None, str], task: Task | None) -> Happened:
    who, on_behalf = names.get(e.by_id, ""), names.get(e.on_behalf_id, "")
    title, of = (task.title, task.kind) if task else ("", "")
    return Happened(e.seq, e.kind, e.at, who, on_behalf, title, e.data, of)


def _task_view(
    row: Task, graph: Graph, names: dict[UUID | None, str], shown: Sequence[TaskEvidence]
) -> TaskView:
    step = graph.by_key.get(row.step)
    titles = {item.key: item.title for item in step.evidence} if step else {}
    latest = {e.key: e for e in shown if e.kind != "check"}
    return TaskView(
        row,
        step,
        names.get(row.assignee_id, ""),
        names.get(row.maker_id, ""),
        names.get(row.ended_by_id, ""),
        [
            Shown(e.key, titles.get(e.key, e.key), e.value, names.get(e.by_id, ""), e.at, e.file_id)
            for e in latest.values()
        ],
        frozenset(e.key for e in shown if e.kind == "check"),
        {e.key: e.value for e in latest.values()},
    )


@dataclass(frozen=True)
class CaseListed:
    row: Case
    open_titles: list[str]


def cases(state: str = "running", limit: int = SHOWN, before: int | None = None) -> list[CaseListed]:
    """A client's cases, the newest first, with what is open in each."""
    rows = Case.objects.filter(client_id=current_client_id())
    if state:
        rows = rows.filter(state=state)
    if before:
        rows = rows.filter(number__lt=before)
    found = list(rows.order_by("-number")[:limit])
    standing: dict[UUID, list[str]] = {}
    of_these = Task.objects.filter(
        client_id=current_client_id(), case_id__in=[r.id for r in found], ended_at=None
    )
    for case_id, title in of_these.exclude(kind="escalation").order_by("id").values_list("case_id", "title"):
        standing.setdefault(case_id, []).append(title)
    return [CaseListed(row, standing.get(row.id, [])) for row in found]


def running_by_version(key: str) -> dict[UUID, int]:
    """How many cases of a procedure run on each of its versions."""
    rows = Case.objects.filter(client_id=current_client_id(), procedure_key=key, state="running")
    return dict(rows.values_list("version_id").annotate(n=Count("id")))


@dataclass(frozen=True)
class MoveMade:
    """Cases that went together from one version to another. is_back: it took an earlier move back."""

    batch: UUID
    at: datetime
    by: str
    reason: str
    start: int
    to: int
    cases: int
    is_back: bool
    was_taken_back: bool


def moves_of(key: str) -> list[MoveMade]:
    """The moves of a procedure's cases, the newest first."""
    numbers = dict(Version.objects.filter(procedure__key=key).values_list("id", "number"))
    moves = CaseMove.objects.filter(client_id=current_client_id(), to_version_id__in=list(numbers))
    rows = list(moves.order_by("-id")[:2_000])
    undone = {r.undoes_id for r in rows if r.undoes_id}
    names = selectors.names_of({r.by_id for r in rows})
    found: dict[UUID, list[CaseMove]] = {}
    for row in rows:
        found.setdefault(row.batch, []).append(row)
    return [
        MoveMade(
            batch,
            of[0].at,
            names.get(of[0].by_id, ""),
            of[0].reason,
            numbers[of[0].from_version_id],
            numbers[of[0].to_version_id],
            len(of),
            of[0].undoes_id is not None,
            any(r.id in undone for r in of),
        )
        for batch, of in found.items()
    ]
