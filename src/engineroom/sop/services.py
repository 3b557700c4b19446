"""What people do with cases and tasks. Each verb locks its case, moves it by the machine and writes once;
what may not be, PostgreSQL refuses besides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_type_hints
from uuid import UUID

from django.db import DatabaseError
from django.db.models import F
from pydantic import TypeAdapter, ValidationError

from engineroom.foundation import numbering
from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant, User
from engineroom.foundation.commands import REGISTRY, command
from engineroom.foundation.dated import lives_on
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import (
    Conflict,
    EngineroomError,
    InputRefused,
    NotFound,
    NotPermitted,
    Problem,
    reason_given,
    too_long,
    whole,
)
from engineroom.kernel.ids import uuid7
from engineroom.sop import drafts, machine, running
from engineroom.sop.conditions import ConditionRefused, Field, read_value
from engineroom.sop.evidence import KIND as FILE_KIND
from engineroom.sop.graph import Step
from engineroom.sop.models import WORKED_KINDS, Case, Task
from engineroom.sop.running import OpenTask, Running

OVERRIDING = frozenset({"lead", "owner"})
"""Roles that may do what is another role's, and take over what somebody has. Guards bind them as anybody."""

LONGEST_TEXT = 4_000
LONGEST_REASON = 500
LONGEST_TITLE = 200
FARTHEST_DUE = timedelta(days=732)


class NotYours(NotPermitted):
    """The task is another role's, or a colleague has it."""


class EvidenceMissing(EngineroomError):
    """The step is not done: what it asks for is not there."""

    status = 422


class AnotherFinished(Conflict):
    """Somebody finished the step first."""


# --- what the verbs share -------------------------------------------------------------------------------


@dataclass(frozen=True)
class TaskDone:
    """How a task stands after a verb, and its case."""

    task_id: UUID
    case_id: UUID
    case_number: int
    state: str
    case_state: str

    @property
    def subject(self) -> str:
        return f"case:{self.case_id}"


@contextmanager
def _at(task_id: UUID) -> Iterator[tuple[Running, OpenTask, Step, datetime]]:
    """A task with its case under lock. Written when the block ends. What a guard refuses is said in words."""
    case = running.load_at(task_id)
    task = case.tasks.get(task_id) if case else None
    if case is None or task is None:
        raise _over(task_id)
    now = running.clock()
    step = case.graph.by_key[task.step]
    yield case, task, step, now
    with in_words(step):
        running.write([case], now)


def _over(task_id: UUID) -> EngineroomError:
    """Why there is nothing to be done at a task any more: for whoever comes second, who was first."""
    row = Task.objects.select_related("case").filter(client_id=current_client_id(), id=task_id).first()
    if row is None:
        return NotFound("there is no such task")
    if row.ended_at is None:
        return Conflict(f"case {row.case.number} is {row.case.state} already")
    name = _name(row.ended_by_id) or "somebody else"
    word = {"done": "finished", "skipped": "skipped"}.get(row.state)
    return AnotherFinished(
        f"{name} {word} {row.title!r} already; look at the case again"
        if word
        else f"{row.title!r} was {row.state}; look at the case again"
    )


STATES = {"ER403": NotPermitted, "ER409": Conflict, "ER422": EvidenceMissing}


@contextmanager
def in_words(step: Step | None = None) -> Iterator[None]:
    """What a guard of the database refuses, as an error of ours. The command's savepoint takes it back."""
    try:
        yield
    except DatabaseError as error:
        refused = STATES.get(getattr(error.__cause__, "sqlstate", None) or "")
        if refused is None:
            raise
        said = str(error.__cause__).splitlines()[0]
        raise refused(_titled(said, step) if step and refused is EvidenceMissing else said) from error


def _titled(said: str, step: Step) -> str:
    """The guard names evidence by its keys, which end its sentence; people know it by its titles."""
    titles = {item.key: item.title for item in step.evidence}
    titles |= {f"check_{n}": text for n, text in enumerate(step.checks, 1)}
    words, colon, keys = said.rpartition(": ")
    return words + colon + ", ".join(titles.get(key, key) for key in keys.split(", "))


def _mine(case: Running, task: OpenTask, step: Step) -> None:
    """Whether the acting user may do this task now. Raises NotYours."""
    scope = current_scope()
    roles = scope.roles.get(scope.client_id, frozenset())
    if task.kind == "client_request" and task.state == "open":
        if not (scope.may("sop.answer") or roles & OVERRIDING or "specialist" in roles):
            raise NotYours(f"{step.title!r} waits for the client's answer")
        return
    wanted = _wanted(task, step)
    if not may_take(wanted, roles) and not roles & _called(task):
        raise NotYours(
            f"{step.title!r} is for a {wanted}; you are {' and '.join(sorted(roles)) or 'nobody'} here"
        )
    taken = task.assignee_id not in (None, scope.user.id, scope.on_behalf.id if scope.on_behalf else None)
    if taken and task.state == "open" and not roles & OVERRIDING:
        name = _name(task.assignee_id)
        raise NotYours(f"{name or 'a colleague'} has {step.title!r}; ask them to release it")


def _wanted(task: OpenTask, step: Step) -> str:
    """The role whose the task is now: the checker's while it waits for a check."""
    return step.checker if task.state == "check" and step.checker else step.role


def may_take(wanted: str, roles: Collection[str]) -> bool:
    """Whether one of the roles may do what is the wanted one's, or anybody's who works here."""
    return bool(roles) and (not wanted or wanted in roles or not OVERRIDING.isdisjoint(roles))


def _change(task: OpenTask, of: Step | None = None, **columns: Any) -> None:
    """Columns of an open task. What a guard refuses is said in words, of the step where it asks for some."""
    with in_words(of):
        Task.objects.filter(client_id=current_client_id(), id=task.id).update(**columns)


def _called(task: OpenTask) -> set[str]:
    """The role that was called to a task, to do it. A check stays its checker's, whoever was called."""
    return {task.escalated_to} - {""} if task.state != "check" else set()


def _name(user_id: UUID | None) -> str | None:
    if user_id is None:
        return None
    return User.objects.filter(id=user_id).values_list("name", flat=True).first()


def _receipt(case: Running, task: OpenTask, state: str) -> TaskDone:
    return TaskDone(task.id, case.id, case.number, state, case.state)


# --- cases ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CaseStarted:
    case_id: UUID
    number: int
    version: int

    @property
    def subject(self) -> str:
        return f"case:{self.case_id}"


@command("sop.work")
def start_case(procedure: str, title: str = "", values: dict[str, str] | None = None) -> CaseStarted:
    """Begin a case of a procedure's latest version. values: what it carries, as typed, by field."""
    return begin_case(procedure, title, values or {}, now=running.clock())


def begin_case(
    procedure: str,
    title: str,
    values: Mapping[str, str],
    *,
    parent_task_id: UUID | None = None,
    now: datetime,
) -> CaseStarted:
    version = drafts.latest(procedure)
    graph = drafts.graph_of(version.id)
    fields = {f.key: f for f in graph.fields}
    given = {k: v.strip() for k, v in values.items() if k in fields and v.strip()}
    problems = [] if parent_task_id else _unknown(values, fields)
    problems += too_long("title", title, LONGEST_TITLE)
    problems += _wrong(given, fields) + (
        []
        if parent_task_id
        else [
            Problem(f"{f.title} is missing", "Fill it in", field=f.key)
            for f in graph.fields
            if f.required and f.key not in given
        ]
    )
    if problems:
        raise InputRefused(problems, f"the case cannot begin: {len(problems)} problems")
    row = Case(
        client_id=current_client_id(),
        title=title.strip() or graph.title[:LONGEST_TITLE],
        procedure_key=procedure,
        version_id=version.id,
        values=given,
        parent_task_id=parent_task_id,
        number=numbering.take("case"),
        started_by_id=current_scope().user.id,
    )
    row.save(force_insert=True)
    case = Running(
        row.id, row.number, row.title, procedure, version.id, dict(given), [], 0, parent_task_id, {}
    )
    case.tell("started", title=row.title, version=version.number, values=given)
    case.take(machine.begin(graph, machine.by_values(case.typed()), running.new_ids()), now)
    with in_words():
        running.write([case], now)
    return CaseStarted(row.id, row.number, version.number)


def _unknown(values: Mapping[str, str], fields: Mapping[str, Field]) -> list[Problem]:
    return [
        Problem(f"there is no field {key}", f"the fields are: {', '.join(fields) or 'none'}", field=key)
        for key in values
        if key not in fields
    ]


def _wrong(values: Mapping[str, str], fields: Mapping[str, Field]) -> list[Problem]:
    found = []
    for key, text in values.items():
        if long := too_long(key, text, LONGEST_TEXT):
            found += long
            continue
        try:
            read_value(fields[key], text)
        except ConditionRefused as error:
            found.append(Problem(str(error), "Correct it", field=key))
    return found


@dataclass(frozen=True)
class CaseCancelled:
    case_id: UUID
    number: int
    tasks: int

    @property
    def subject(self) -> str:
        return f"case:{self.case_id}"


@command("sop.work")
def cancel_case(case_id: UUID, reason: str) -> CaseCancelled:
    """End a case and everything open in it, with a reason; cases within it end with it."""
    reason = reason_given(reason, LONGEST_REASON)
    case = running.load_one(case_id)
    now = running.clock()
    tasks = list(case.tasks.values())
    _cancel(case, reason, now)
    return CaseCancelled(case.id, case.number, len(tasks))


def _cancel(case: Running, reason: str, now: datetime) -> None:
    within = Case.objects.filter(
        client_id=current_client_id(), state="running", parent_task_id__in=list(case.tasks)
    )
    children = running.load(list(within.values_list("id", flat=True)))
    for task in list(case.tasks.values()):
        case.tell("cancelled", task, reason=reason)
        case.end(task, "cancelled", reason)
    case.tell("case_cancelled", reason=reason)
    case.state, case.reason, case.arrived = "cancelled", reason, []
    with in_words():
        running.write([case], now)
    for child in children:
        _cancel(child, reason, now)


@command("sop.work", brief=True)
def comment(case_id: UUID, text: str, task_id: UUID | None = None) -> TaskDone | None:
    """Say something on a case's timeline. Not for private data: it stands there for good."""
    if not text.strip():
        raise InputRefused([Problem("nothing is said", "Write a sentence", field="text")])
    text = whole("text", text, LONGEST_TEXT)
    case = running.load_one(case_id)
    task = case.tasks.get(task_id) if task_id else None
    case.tell("commented", task, text=text)
    running.write([case], running.clock())
    return _receipt(case, task, task.state) if task else None


# --- who has a task -------------------------------------------------------------------------------------


@command("sop.work", brief=True)
def claim(task_id: UUID) -> TaskDone:
    """Take a task that nobody has. Of two who do so at once, one has it."""
    with _at(task_id) as (case, task, step, _now):
        me = current_scope().user.id
        if task.assignee_id == me:
            return _receipt(case, task, task.state)
        if task.assignee_id is not None and task.state == "open":
            name = _name(task.assignee_id)
            raise Conflict(f"{name or 'a colleague'} has {step.title!r} already")
        _mine(case, task, step)
        _assign(case, task, me, "claimed")
    return _receipt(case, task, task.state)


def _assign(case: Running, task: OpenTask, user_id: UUID | None, kind: str, **data: Any) -> None:
    _change(task, assignee_id=user_id)
    task.assignee_id = user_id
    case.tell(kind, task, assignee=user_id, **data)


@command("sop.work", brief=True)
def release(task_id: UUID, reason: str = "") -> TaskDone:
    """Give a task back to whoever has its role."""
    reason = whole("reason", reason, LONGEST_REASON)
    with _at(task_id) as (case, task, step, _now):
        if task.assignee_id is None:
            raise Conflict(f"nobody has {step.title!r}")
        _mine(case, task, step)
        _assign(case, task, None, "released", reason=reason)
    return _receipt(case, task, task.state)


@command("sop.work", brief=True)
def delegate(task_id: UUID, user_id: UUID, reason: str) -> TaskDone:
    """Give a task to a colleague who has its role here."""
    reason = reason_given(reason, LONGEST_REASON)
    with _at(task_id) as (case, task, step, _now):
        _mine(case, task, step)
        to = access.identity(user_id)
        wanted = _wanted(task, step)
        if not may_take(wanted, _roles_of(user_id)):
            raise Conflict(f"{to.name} is no {wanted or 'member of staff'} of this client")
        _assign(case, task, user_id, "delegated", reason=reason)
    return _receipt(case, task, task.state)


def _roles_of(user_id: UUID) -> list[str]:
    live = Grant.objects.filter(lives_on(running.clock().date()), user_id=user_id)
    return list(live.filter(of_client_id=current_client_id()).values_list("role", flat=True))


@command("sop.work", brief=True)
def escalate(task_id: UUID, to: str, reason: str) -> TaskDone:
    """Call another role to a task: lead, owner, or whose step or check it is. Whoever has it keeps it.

    Anybody who works here may call: who is called is never the caller, so nobody gets a right by it."""
    reason = reason_given(reason, LONGEST_REASON)
    with _at(task_id) as (case, task, step, _now):
        if to not in (may := callable_roles(step)):
            raise InputRefused(
                [Problem(f"{to!r} cannot be called here", f"one of {', '.join(may)}", field="to")]
            )
        scope = current_scope()
        if to in scope.roles.get(scope.client_id, frozenset()):
            raise NotPermitted(f"you are {to} here yourself: call another role")
        _change(task, escalated_to=to)
        case.tell("escalated", task, to=to, reason=reason)
    return _receipt(case, task, task.state)


def callable_roles(step: Step) -> list[str]:
    """Who may be called to a step by hand. A procedure's own `escalate` may name any role."""
    return sorted(OVERRIDING | ({step.role, step.checker} & set(drafts.WORKING_ROLES)))


def hand_over(user_id: UUID, successor_id: UUID | None, reason: str) -> tuple[int, int]:
    """The open tasks of somebody who left: to the successor where they hold the role, else back to the role.

    No command: part of an off-boarding, which the audit trail has. Returns how many were given and freed.
    """
    open_ones = Task.objects.filter(client_id=current_client_id(), assignee_id=user_id, ended_at=None)
    given = freed = 0
    for task_id in open_ones.order_by("id").values_list("id", flat=True):
        with _at(task_id) as (case, task, step, _now):
            if successor_id and may_take(_wanted(task, step), _roles_of(successor_id)):
                _assign(case, task, successor_id, "delegated", reason=reason)
                given += 1
            else:
                _assign(case, task, None, "released", reason=reason)
                freed += 1
    return given, freed


# --- doing a task ---------------------------------------------------------------------------------------


@command("sop.work", brief=True)
def add_evidence(task_id: UUID, item: str, value: str = "", file_id: UUID | None = None) -> TaskDone:
    """Show something for a step before it is done. item: which piece it is, by its key.

    Files come through the vault and are named by id."""
    with _at(task_id) as (case, task, step, _now):
        _mine(case, task, step)
        _show(case, task, step, {item: value} if file_id is None else {}, {item: file_id} if file_id else {})
    return _receipt(case, task, task.state)


def _show(
    case: Running,
    task: OpenTask,
    step: Step,
    values: Mapping[str, str],
    files: Mapping[str, UUID],
    ticked: Mapping[str, bool] | None = None,
) -> None:
    """Evidence into its rows; fields also into what the case carries. Raises InputRefused."""
    wanted = {item.key: item for item in step.evidence}
    known = {k: v.strip() for k, v in values.items() if v.strip()}
    problems = [
        Problem(
            f"{step.title!r} asks for no {key}", f"it asks for: {', '.join(wanted) or 'nothing'}", field=key
        )
        for key in (*known, *files)
        if key not in wanted
    ]
    fields = {k: item.field for k, item in wanted.items() if item.field is not None}
    problems += _wrong({k: v for k, v in known.items() if k in fields}, fields)
    for key, text in known.items():
        if key in wanted and wanted[key].field is None and (fault := _plain_fault(wanted[key].kind, text)):
            problems.append(Problem(f"{wanted[key].title}: {fault}", "Correct it", field=key))
    if problems:
        raise InputRefused(problems, f"{len(problems)} problems; nothing was kept")
    names = _file_names(files.values()) if files else {}
    rows = [_evidence(task, key, wanted[key].kind, text) for key, text in known.items()]
    rows += [_evidence(task, key, "file", names[f], f) for key, f in files.items()]
    rows += [_evidence(task, key, "check", "yes") for key, on in (ticked or {}).items() if on]
    if rows:
        case.evidence += rows
        # A file is carried by its id, so that a later step's command can be given it.
        kept = {k: v for k, v in known.items() if k in fields} | {k: str(f) for k, f in files.items()}
        case.values |= kept
        case.tell("evidence", task, keys=[row["key"] for row in rows], values=kept)


def _file_names(ids: Collection[UUID]) -> dict[UUID, str]:
    of_client = VaultFile.objects.filter(client_id=current_client_id(), kind=FILE_KIND, id__in=ids)
    names = dict(of_client.values_list("id", "name"))
    if len(names) != len(set(ids)):
        raise NotFound("a file that is named was not kept as evidence for this client")
    return names


def _plain_fault(kind: str, text: str) -> str:
    if kind == "file":
        return "a file is asked for, not a text"
    if kind == "link" and not text.startswith(("https://", "http://", "/")):
        return "a link begins with https://"
    if kind == "hash" and not (8 <= len(text) <= 128 and all(c in "0123456789abcdefABCDEF" for c in text)):
        return "a hash is 8 to 128 hexadecimal digits"
    return "" if len(text) <= LONGEST_TEXT else "at most 4,000 characters"


def _evidence(task: OpenTask, key: str, kind: str, value: str, file_id: UUID | None = None) -> dict[str, Any]:
    return {"id": uuid7(), "task_id": task.id, "key": key, "kind": kind, "value": value, "file_id": file_id}


@command("sop.work", brief=True)
def complete(
    task_id: UUID,
    values: dict[str, str] | None = None,
    checks: list[int] | None = None,
    files: dict[str, UUID] | None = None,
) -> TaskDone:
    """A step is done, with its evidence. checks: which of its checks are ticked, counted from 1.

    With four eyes it waits for a second person. Raises EvidenceMissing, NotYours, AnotherFinished.
    """
    with _at(task_id) as (case, task, step, now):
        if task.kind not in ("task", "client_request"):
            raise Conflict(f"{step.title!r} is a {task.kind}: it is not ticked off but run")
        return _finish(case, task, step, now, values or {}, files or {}, checks or [])


def _finish(
    case: Running,
    task: OpenTask,
    step: Step,
    now: datetime,
    values: Mapping[str, str],
    files: Mapping[str, UUID],
    checks: list[int],
    **told: Any,
) -> TaskDone:
    if task.state == "check":
        raise Conflict(f"{step.title!r} is done and waits for a second person to accept it or send it back")
    _mine(case, task, step)
    ticked = {f"check_{n}": True for n in checks if 1 <= n <= len(step.checks)}
    _show(case, task, step, values, files, ticked)
    if step.four_eyes:
        me = current_scope().user.id
        with in_words():
            running.show(case)
        _change(task, of=step, state="check", assignee_id=None, role=step.checker or step.role)
        task.state, task.assignee_id, task.maker_id = "check", None, me
        if task.kind == "client_request":
            case.tell("resumed", task, reason="client")
        case.tell("submitted", task, **told)
        return _receipt(case, task, "check")
    _done(case, task, now, **told)
    return _receipt(case, task, "done")


def _done(case: Running, task: OpenTask, now: datetime, **told: Any) -> None:
    if task.kind == "client_request" and task.state == "open":
        case.tell("resumed", task, reason="client")
    case.tell("done", task, **told)
    case.ended.append((task.id, "done", ""))
    running.go_on(case, task, now)


@command("sop.answer", brief=True)
def answer(
    task_id: UUID, values: dict[str, str] | None = None, files: dict[str, UUID] | None = None
) -> TaskDone:
    """The client's answer to what they were asked."""
    with _at(task_id) as (case, task, step, now):
        if task.kind != "client_request":
            raise NotFound("there is no such request")
        return _finish(case, task, step, now, values or {}, files or {}, [], answered=True)


@command("sop.work", brief=True)
def accept(task_id: UUID) -> TaskDone:
    """Say yes to what somebody else did."""
    with _at(task_id) as (case, task, step, now):
        if task.state != "check":
            raise Conflict(f"{step.title!r} does not wait for a check")
        _mine(case, task, step)
        _done(case, task, now, accepted=True, maker=task.maker_id)
        return _receipt(case, task, "done")


@command("sop.work", brief=True)
def reject(task_id: UUID, reason: str) -> TaskDone:
    """Send what somebody did back to them, with a reason. It counts as rework."""
    reason = reason_given(reason, LONGEST_REASON)
    with _at(task_id) as (case, task, step, _now):
        if task.state != "check":
            raise Conflict(f"{step.title!r} does not wait for a check")
        _mine(case, task, step)
        if current_scope().user.id == task.maker_id:
            raise NotPermitted("maker is not checker: you did this yourself; another person looks at it")
        role = "client" if task.kind == "client_request" else step.role
        _change(
            task, state="open", assignee_id=task.maker_id, role=role, reworks=F("reworks") + 1, reason=reason
        )
        task.state, task.assignee_id = "open", task.maker_id
        if task.kind == "client_request":
            case.tell("paused", task, reason="client")
        case.tell("rejected", task, reason=reason, to=task.maker_id)
    return _receipt(case, task, "open")


@command("sop.work", brief=True)
def skip(task_id: UUID, reason: str) -> TaskDone:
    """Leave a step out, with a reason: where the procedure says that one may, or as a lead."""
    reason = reason_given(reason, LONGEST_REASON)
    with _at(task_id) as (case, task, step, now):
        if task.kind not in ("task", "command", "client_request"):
            raise Conflict(f"{step.title!r} is nobody's to skip: it waits by itself")
        _mine(case, task, step)
        scope = current_scope()
        me = {scope.user.id, scope.on_behalf.id if scope.on_behalf else scope.user.id}
        if task.state == "check" and task.maker_id in me:
            raise NotPermitted("maker is not checker: you did this yourself; another person looks at it")
        if task.kind == "client_request" and task.state == "open":
            case.tell("resumed", task, reason="client")
        case.tell("skipped", task, reason=reason)
        case.ended.append((task.id, "skipped", reason))
        running.go_on(case, task, now)
    return _receipt(case, task, "skipped")


@command("sop.work")
def run_step(task_id: UUID) -> TaskDone:
    """Carry out the registered command of a step, with the rights of whoever does so, and finish the step."""
    with _at(task_id) as (case, task, step, now):
        if task.kind != "command":
            raise Conflict(f"{step.title!r} runs no command")
        _mine(case, task, step)
        registered = REGISTRY.get(step.command)
        if registered is None:
            raise NotFound(f"there is no command {step.command} in this installation")
        receipt = registered.run(**_arguments(case, step), key=str(task.id))
        kept = {
            field: str(getattr(receipt, name))
            for field, name in step.keeps
            if getattr(receipt, name, None) not in (None, "")
        }
        cleared = [field for field, name in step.keeps if field not in kept]
        case.values = {k: v for k, v in case.values.items() if k not in cleared} | kept
        case.tell("ran", task, command=step.command, values=kept | dict.fromkeys(cleared, ""))
        _done(case, task, now)
    return _receipt(case, task, "done")


def _arguments(case: Running, step: Step) -> dict[str, Any]:
    """A command's arguments out of what the case carries, each as the type that the command wants."""
    hints = get_type_hints(REGISTRY[step.command].run)
    needed = {name for name, must in drafts.commands()[step.command] if must}
    found: dict[str, Any] = {}
    problems = []
    for name, given in step.arguments:
        text = case.values.get(given[1:], "") if given.startswith("$") else given
        if text == "" and given.startswith("$"):
            continue
        try:
            found[name] = TypeAdapter(hints.get(name, str)).validate_python(text)
        except ValidationError as error:
            problems.append(
                Problem(f"{name}: {error.errors()[0]['msg']}", f"correct {given} of the case", field=name)
            )
    problems += [
        Problem(f"{name} is not known", f"the case does not say {given[1:]} yet", field=name)
        for name, given in step.arguments
        if name in needed - set(found) and given.startswith("$")
    ]
    if problems:
        raise InputRefused(problems, f"{step.command} cannot be run")
    return found


@command("sop.work")
def send_message(case_id: UUID, message: str) -> CaseStarted:
    """Tell a case that what it waits for has come."""
    case = running.load_one(case_id)
    now = running.clock()
    waiting = [
        t for t in case.tasks.values() if t.kind == "wait" and case.graph.by_key[t.step].message == message
    ]
    if not waiting:
        names = sorted({case.graph.by_key[t.step].message for t in case.tasks.values() if t.kind == "wait"})
        raise Conflict(
            f"case {case.number} does not wait for {message!r}"
            + (f", but for {', '.join(names)}" if names else "")
        )
    for task in waiting:
        if task.id in case.tasks:
            case.tell("done", task, message=message)
            case.ended.append((task.id, "done", ""))
            running.go_on(case, task, now)
    running.write([case], now)
    return CaseStarted(case.id, case.number, 0)


@command("sop.work", brief=True)
def move_due(task_id: UUID, due_at: datetime, reason: str) -> TaskDone:
    """Have a task due at another moment, still to come, with a reason. The case's own promise stays."""
    reason = reason_given(reason, LONGEST_REASON)
    with _at(task_id) as (case, task, step, now):
        if task.kind not in WORKED_KINDS:
            raise Conflict(f"{step.title!r} is nobody's to be late with: it waits by itself")
        _mine(case, task, step)
        if not now < due_at <= now + FARTHEST_DUE:
            wrong = "the moment is over already" if due_at <= now else "the moment is years away"
            raise InputRefused([Problem(wrong, "Say one that is still to come, and soon", field="due")])
        _change(task, due_at=due_at)
        case.tell("due_moved", task, due=due_at, reason=reason)
    return _receipt(case, task, task.state)
