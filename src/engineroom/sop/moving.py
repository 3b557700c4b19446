"""Running cases between versions of their procedure: what would happen to each, then all that can, and back.

A plan says of every open step where it goes: to the step of the same key, if it is still the same kind of
step; else where somebody decided; else it cannot be said, or cannot be at all. Evidence stays with its task,
and whatever has ended stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Conflict, NotFound, reason_given
from engineroom.kernel.ids import uuid7
from engineroom.sop import drafts, machine, running
from engineroom.sop.graph import WAITING, Graph
from engineroom.sop.models import Case, CaseMove, Task
from engineroom.sop.running import OpenTask, Running
from engineroom.sop.services import LONGEST_TITLE, in_words

Verdict = Literal["safe", "needs a decision", "impossible"]
LONGEST_REASON = 300
WITHDRAW = "-"
"""Decided of a step that the new version has no more: it is no longer needed."""


@dataclass(frozen=True)
class Plan:
    """What would become of one case. goes: for each open step, where; why: of what is not safe, in words."""

    case_id: UUID
    number: int
    verdict: Verdict
    goes: dict[str, str]
    why: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()


def plan(case: Running, target: Graph, decisions: Mapping[str, str]) -> Plan:
    """Dry: nothing is written. decisions: where a step of the old version goes in the new one, by key."""
    goes: dict[str, str] = {}
    why: list[str] = []
    undecided: list[str] = []
    for task in _standing(case):
        found, said = _goes(case.graph, task, target, decisions)
        if found is None:
            why.append(said)
            if said.startswith("where"):
                undecided.append(task.step)
        else:
            goes[task.step] = found
    impossible = [w for w in why if not w.startswith("where")]
    arrived = _arrivals(case, target)
    if arrived is None:
        impossible.append("a branch waits where branches meet, and the new version has no such flow")
        why.append(impossible[-1])
    if not why and case.tasks and all(to == WITHDRAW for to in goes.values()):
        impossible.append("nothing of it would be left open")
        why.append(impossible[-1])
    verdict: Verdict = "impossible" if impossible else "needs a decision" if undecided else "safe"
    return Plan(case.id, case.number, verdict, goes, tuple(why), tuple(undecided))


def _standing(case: Running) -> list[OpenTask]:
    """What a plan is about: timers beside a step go with their step."""
    return [t for t in case.tasks.values() if t.host_id is None]


def _goes(old: Graph, task: OpenTask, target: Graph, decisions: Mapping[str, str]) -> tuple[str | None, str]:
    title = old.by_key[task.step].title
    to = decisions.get(task.step, task.step)
    if to == WITHDRAW:
        return WITHDRAW, ""
    step = target.by_key.get(to)
    if step is None and to == task.step:
        return None, f"where {title!r} goes: the new version has no such step"
    if step is None:
        return None, f"{title!r} cannot go to {to!r}: the new version has no such step"
    if step.kind not in WAITING or step.attached_to:
        return None, f"{title!r} cannot go to {step.title!r}: nothing waits there"
    if step.kind != task.kind:
        if to == task.step:
            return None, f"where {title!r} goes: it is a {step.kind} now and was a {task.kind}"
        return None, f"{title!r} cannot go to {step.title!r}: a {task.kind} does not become a {step.kind}"
    if task.race_id is not None:
        return None, f"{title!r} is in a race: it moves when the race is over"
    if task.state == "check" and not step.four_eyes:
        return (
            None,
            f"{title!r} waits for a check that the new version has no more: accept it or send it back",
        )
    return to, ""


def _arrivals(case: Running, target: Graph) -> list[int] | None:
    """Flows with a waiting token, as the new version counts them; None if one of them is gone."""
    found = []
    for index in case.arrived:
        flow = case.graph.flows[index]
        same = [i for i, f in enumerate(target.flows) if (f.source, f.target) == (flow.source, flow.target)]
        kept = same and target.by_key[flow.target].kind == case.graph.by_key[flow.target].kind
        if not kept:
            return None
        found.append(same[0])
    return found


# --- commands -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moved:
    """What became of the cases that were asked for. left: by number, why it was not moved."""

    batch: UUID
    moved: list[int]
    left: dict[int, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"case_move:{self.batch}"


def cases_on(version_id: UUID) -> list[UUID]:
    """Running cases of a version, of the client of the scope."""
    rows = Case.objects.filter(client_id=current_client_id(), version_id=version_id, state="running")
    return list(rows.order_by("number").values_list("id", flat=True))


def dry_run(from_version: UUID, to_version: UUID, decisions: Mapping[str, str] | None = None) -> list[Plan]:
    """What would become of every running case of a version. Writes nothing; needs the client as write."""
    target = _target(from_version, to_version)
    return [plan(case, target, decisions or {}) for case in running.load(cases_on(from_version))]


def _target(from_version: UUID, to_version: UUID) -> Graph:
    old, new = drafts.version_of(from_version), drafts.version_of(to_version)
    if old.procedure_id != new.procedure_id:
        raise Conflict("a case moves between versions of its own procedure only")
    if old.id == new.id:
        raise Conflict("these are the same version")
    return drafts.graph_of(new.id)


@command("sop.approve")
def move_cases(
    from_version: UUID,
    to_version: UUID,
    reason: str,
    decisions: dict[str, str] | None = None,
    numbers: list[int] | None = None,
) -> Moved:
    """Take running cases of a version to another one: those that are safe with these decisions.

    The others stay where they are, and it is said why."""
    reason = reason_given(reason, LONGEST_REASON)
    target = _target(from_version, to_version)
    batch, now = uuid7(), running.clock()
    moved, left = [], {}
    for case in running.load(cases_on(from_version)):
        if numbers is not None and case.number not in numbers:
            continue
        found = plan(case, target, decisions or {})
        if found.verdict != "safe":
            left[case.number] = f"{found.verdict}: {'; '.join(found.why)}"
            continue
        _move(case, to_version, target, found.goes, batch, reason, now)
        moved.append(case.number)
    return Moved(batch, moved, left)


def _move(
    case: Running,
    to_version: UUID,
    target: Graph,
    goes: Mapping[str, str],
    batch: UUID,
    reason: str,
    now: datetime,
    *,
    undoes: UUID | None = None,
) -> None:
    """Rows first that say it, then the case, then its steps: the guards ask in that order."""
    before = {str(t.id): t.step for t in case.tasks.values()}
    arrived = _arrivals(case, target) or []
    with in_words():
        CaseMove.objects.create(
            client_id=current_client_id(),
            case_id=case.id,
            from_version_id=case.version_id,
            to_version_id=to_version,
            batch=batch,
            plan=dict(goes),
            before={"places": before, "arrived": case.arrived},
            undoes_id=undoes,
            reason=reason,
        )
        Case.objects.filter(client_id=current_client_id(), id=case.id).update(version_id=to_version)
        case.version_id, case.arrived = to_version, arrived
        _place(case, target, goes, now)
    number = drafts.version_of(to_version).number
    places = {str(t.id): t.step for t in case.tasks.values()}
    case.tell("moved", version=number, reason=reason, places=places, arrived=arrived)
    for task in list(case.tasks.values()):
        for companion in target.attached.get(task.step, ()):
            case.open(machine.Place(str(uuid7()), companion.key, host=str(task.id)), now)
    running.write([case], now)


def _place(case: Running, target: Graph, goes: Mapping[str, str], now: datetime) -> None:
    """Every open step to its place in the new version. What stands beside it ends, and begins anew."""
    for task in list(case.tasks.values()):
        if task.host_id is not None or goes.get(task.step) == WITHDRAW:
            case.tell("withdrawn", task)
            case.end(task, "withdrawn")
    for task in case.tasks.values():
        step = target.by_key[goes[task.step]]
        role = "client" if step.kind == "client_request" else step.role
        if task.state == "check":
            role = step.checker or step.role
        row = Task.objects.filter(client_id=current_client_id(), id=task.id)
        row.update(step=step.key, title=step.title[:LONGEST_TITLE], role=role)
        if step.sla is not None:
            row.filter(due_at=None).update(due_at=running.after(now, step.sla))
        task.step = step.key


@command("sop.approve")
def move_back(batch: UUID, reason: str) -> Moved:
    """Take back a move: of each case that is still where it was put. What was done meanwhile stays done."""
    reason = reason_given(reason, LONGEST_REASON)
    rows = list(
        CaseMove.objects.filter(client_id=current_client_id(), batch=batch, undoes=None).order_by("id")
    )
    if not rows:
        raise NotFound("there is no such move")
    undone = set(
        CaseMove.objects.filter(client_id=current_client_id(), undoes__in=[r.id for r in rows]).values_list(
            "undoes_id", flat=True
        )
    )
    numbers = dict(Case.objects.filter(id__in=[r.case_id for r in rows]).values_list("id", "number"))
    again, now = uuid7(), running.clock()
    moved: list[int] = []
    left: dict[int, str] = {}
    cases = {case.id: case for case in running.load([r.case_id for r in rows])}
    for row in rows:
        number, case = numbers[row.case_id], cases.get(row.case_id)
        if row.id in undone or case is None or case.version_id != row.to_version_id:
            left[number] = (
                "it has ended or moved on since" if row.id not in undone else "it was taken back before"
            )
            continue
        target = drafts.graph_of(row.from_version_id)
        back = {to: step for step, to in row.plan.items() if to != WITHDRAW}
        found = plan(case, target, {k: v for k, v in back.items() if k != v})
        if found.verdict != "safe":
            left[number] = f"{found.verdict}: {'; '.join(found.why)}"
            continue
        _move(case, row.from_version_id, target, found.goes, again, reason, now, undoes=row.id)
        _open_again(case, row, now)
        moved.append(number)
    return Moved(again, moved, left)


def _open_again(case: Running, row: CaseMove, now: datetime) -> None:
    """Steps that the move withdrew by decision begin again."""
    for step in [s for s, to in row.plan.items() if to == WITHDRAW]:
        case.take(machine.enter(case.graph, case.marking, step, running.new_ids()), now)
    running.write([case], now)
