"""Cases and tasks for programs: begin them, work them, read what happened. Clients' programs answer requests.

What a client is asked, and no more of a case, is shown to the client's own people.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Field, File, Query, Schema
from ninja.files import UploadedFile
from pydantic import AwareDatetime, StringConstraints

from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    Name,
    Page,
    PageAsked,
    Reason,
    ReasonAsked,
    Room,
    Text,
    cut,
    cut_list,
    firm_only,
    one,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.vault.answers import file_answer
from engineroom.kernel.errors import NotFound
from engineroom.sop import boards, drafts, evidence, selectors, services
from engineroom.sop.graph import Step
from engineroom.sop.models import Case, CaseEvent, Task, TaskEvidence, Version

router = Room("sop")

MOST_OF_AN_INBOX = 1_000
"""What is due first stands in an inbox of a program; what is beyond comes when that is done."""

Title = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]
Words = Annotated[str, StringConstraints(max_length=services.LONGEST_TEXT, pattern=NO_NUL)]
Values = Annotated[dict[Name, Words], Field(max_length=200)]
Files = Annotated[dict[Name, UUID], Field(max_length=200)]
Checks = Annotated[list[Annotated[int, Field(ge=1, le=1_000)]], Field(max_length=1_000)]


class FieldOut(Schema):
    """A value that a case carries or a step asks for. options: of a choice."""

    key: str
    title: str
    type: str
    required: bool
    options: list[str]


class ProcedureOut(Schema):
    """A published procedure: what a new case of it runs, and the values it begins with."""

    key: str
    title: str
    version: int
    fields: list[FieldOut]


class ProceduresOut(Schema):
    """Every published procedure, by key: one page, because there are few."""

    items: list[ProcedureOut]


class CaseOut(Schema):
    """A case. state: running, done or cancelled; reason: why it was cancelled."""

    id: UUID
    number: int
    title: str
    procedure: str
    version: int
    state: str
    reason: str
    started_at: datetime
    ended_at: datetime | None


class WantedOut(Schema):
    """A piece of evidence that a step asks for. type: of a `field`, what it holds."""

    key: str
    title: str
    kind: str
    required: bool
    type: str | None


class ShownOut(Schema):
    """A piece of evidence as it was shown; the latest of each key counts."""

    key: str
    title: str
    value: str
    file_id: UUID | None
    by: str
    at: datetime


class TaskOut(Schema):
    """A step of a case. state: open, check (waits for a second person), or how it ended. role: whose it is;
    called: the role that was called to it."""

    id: UUID
    step: str
    title: str
    kind: str
    state: str
    role: str
    assignee: str
    maker: str
    called: str
    due_at: datetime | None
    opened_at: datetime
    ended_at: datetime | None
    reworks: int
    reason: str
    checks: list[str]
    wants: list[WantedOut]
    evidence: list[ShownOut]


class CaseDetailOut(CaseOut):
    """A case with what it carries and its tasks, the open ones first."""

    values: dict[str, str]
    tasks: list[TaskOut]


class EventOut(Schema):
    """Something that happened to a case. data: what belongs to its kind, such as a reason."""

    seq: int
    kind: str
    at: datetime
    who: str
    on_behalf_of: str
    step: str
    task_id: UUID | None
    data: dict[str, Any]


class WaitingOut(Schema):
    """A task of an inbox. mine: I have it; else anybody with its role may take it."""

    id: UUID
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
    mine: bool


class RequestOut(Schema):
    """What the firm asks the client for. While it is open the case's clock stands still."""

    task_id: UUID
    case_number: int
    title: str
    text: str
    wants: list[WantedOut]
    opened_at: datetime
    due_at: datetime | None


class CasesAsked(PageAsked):
    state: Literal["running", "done", "cancelled"] | None = None
    procedure: Name | None = None


class StartIn(Asked):
    """values: what the case carries, as typed, by field. Without a title it has the procedure's."""

    procedure: Name
    title: Title = ""
    values: Values = {}


class SaidIn(Asked):
    """task_id: the open task that the words are about, if they are about one."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=services.LONGEST_TEXT, pattern=NO_NUL)]
    task_id: UUID | None = None


class MessageIn(Asked):
    message: Name


class ReleaseIn(Asked):
    reason: Text = ""


class DelegateIn(Asked):
    user_id: UUID
    reason: Reason


class DueIn(Asked):
    """due_at: with its zone, and still to come."""

    due_at: AwareDatetime
    reason: Reason


class EscalateIn(Asked):
    """to: lead, owner, or the role whose step or check it is."""

    to: Name
    reason: Reason


class DoneIn(Asked):
    """values and files: the evidence by key; files are kept first, and named by id. checks: those that are
    ticked, counted from 1."""

    values: Values = {}
    files: Files = {}
    checks: Checks = []


class AnswerIn(Asked):
    """What was asked for, by key. Files are kept first, and named by id."""

    values: Values = {}
    files: Files = {}


class ShowIn(Asked):
    """A piece of evidence: a value, or a file that was kept."""

    key: Name
    value: Words = ""
    file_id: UUID | None = None


class FileKept(Schema):
    file_id: UUID


class CommentMade(Schema):
    case_id: UUID


# --- reading --------------------------------------------------------------------------------------------


@router.read("/procedures", ProceduresOut, "Published procedures")
def procedures(client: Client) -> ProceduresOut:
    """What a case can be begun of."""
    firm_only("procedures")
    items = []
    for row in selectors.procedures():
        if row.number is None:
            continue
        graph = drafts.graph_of(drafts.latest(row.key).id)
        fields = [
            FieldOut(key=f.key, title=f.title, type=f.type, required=f.required, options=list(f.options))
            for f in graph.fields
        ]
        items.append(ProcedureOut(key=row.key, title=row.title, version=row.number, fields=fields))
    return ProceduresOut(items=sorted(items, key=lambda item: item.key))


@router.read("/cases", Page[CaseOut], "Cases, latest first")
def cases(client: Client, asked: Query[CasesAsked]) -> Page[CaseOut]:
    """A client's cases: all, those of a state, those of a procedure."""
    firm_only("cases")
    rows = Case.objects.filter(client_id=client.id)
    if asked.state:
        rows = rows.filter(state=asked.state)
    if asked.procedure:
        rows = rows.filter(procedure_key=asked.procedure)
    found, onward = cut(rows, asked, by="number", latest_first=True)
    numbers = _versions(found)
    return Page(items=[CaseOut(**_case(row, numbers)) for row in found], next=onward)


@router.read("/cases/{case_id}", CaseDetailOut, "One case with its tasks")
def case(client: Client, case_id: UUID) -> CaseDetailOut:
    """What is open, what was done, and what was shown for it."""
    firm_only("cases")
    row = one(Case.objects.all(), "case", case_id)
    view = boards.case_view(row.number)
    assert view is not None, "a case that stands has a view"
    tasks = [_task(task) for task in (*view.open, *view.over)]
    return CaseDetailOut(**_case(row, _versions([row])), values=row.values, tasks=tasks)


@router.read("/cases/{case_id}/events", Page[EventOut], "A case's timeline, earliest first")
def events(client: Client, case_id: UUID, page: Query[PageAsked]) -> Page[EventOut]:
    """Everything that happened: the case can be counted anew from it."""
    firm_only("cases")
    row = one(Case.objects.all(), "case", case_id)
    found, onward = cut(CaseEvent.objects.filter(client_id=client.id, case_id=row.id), page, by="seq")
    names = selectors.names_of({i for e in found for i in (e.by_id, e.on_behalf_id)})
    items = [
        EventOut(
            seq=e.seq,
            kind=e.kind,
            at=e.at,
            who=names.get(e.by_id, ""),
            on_behalf_of=names.get(e.on_behalf_id, ""),
            step=e.step,
            task_id=e.task_id,
            data=e.data,
        )
        for e in found
    ]
    return Page(items=items, next=onward)


@router.read(
    "/cases/{case_id}/files/{file_id}", None, "A file that was shown", media="application/octet-stream"
)
def evidence_file(client: Client, case_id: UUID, file_id: UUID) -> HttpResponse:
    """As it was kept. What it says it is stands in no header: whoever sent it said so."""
    firm_only("cases")
    rows = TaskEvidence.objects.filter(client_id=client.id, task__case_id=case_id, file_id=file_id)
    found = rows.first()
    if found is None or found.file is None:
        raise NotFound("there is no such file")
    answer = file_answer(found.file)
    answer["Content-Type"] = "application/octet-stream"
    return answer


@router.read("/tasks", Page[WaitingOut], "My inbox", permission="sop.work")
def inbox(client: Client, page: Query[PageAsked]) -> Page[WaitingOut]:
    """What I have, what a role of mine was called to, and what I may take: what is due first, first."""
    rows = boards.inbox(MOST_OF_AN_INBOX)
    found, onward = cut_list(rows, page, by=lambda w: (_when(w.due_at), w.task_id))
    return Page(items=[_waiting(w) for w in found], next=onward)


@router.read("/requests", Page[RequestOut], "What we are asked for", permission="sop.answer")
def requests(client: Client, page: Query[PageAsked]) -> Page[RequestOut]:
    """Open requests to the client, earliest first."""
    rows = Task.objects.filter(client_id=client.id, kind="client_request", state="open")
    found, onward = cut(rows.select_related("case"), page, by="id")
    return Page(items=[_request(row) for row in found], next=onward)


def _versions(rows: Iterable[Case]) -> dict[UUID, int]:
    wanted = {row.version_id for row in rows}
    return dict(Version.objects.filter(id__in=wanted).values_list("id", "number"))


def _case(row: Case, versions: dict[UUID, int]) -> dict[str, Any]:
    return {
        "id": row.id,
        "number": row.number,
        "title": row.title,
        "procedure": row.procedure_key,
        "version": versions[row.version_id],
        "state": row.state,
        "reason": row.reason,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }


def _task(view: boards.TaskView) -> TaskOut:
    row, step = view.row, view.step
    return TaskOut(
        id=row.id,
        step=row.step,
        title=row.title,
        kind=row.kind,
        state=row.state,
        role=row.role,
        assignee=view.assignee,
        maker=view.maker,
        called=row.escalated_to,
        due_at=row.due_at,
        opened_at=row.opened_at,
        ended_at=row.ended_at,
        reworks=row.reworks,
        reason=row.reason,
        checks=list(step.checks) if step else [],
        wants=_wants(step),
        evidence=[
            ShownOut(key=e.key, title=e.title, value=e.value, file_id=e.file_id, by=e.by, at=e.at)
            for e in view.evidence
        ],
    )


def _wants(step: Step | None) -> list[WantedOut]:
    return [
        WantedOut(
            key=item.key,
            title=item.title,
            kind=item.kind,
            required=item.required,
            type=item.field.type if item.field else None,
        )
        for item in (step.evidence if step else ())
    ]


def _when(due: datetime | None) -> str:
    """Sorts as the instant does; without one, last."""
    return f"{due.timestamp():020.6f}" if due else "~"


def _waiting(w: boards.Waiting) -> WaitingOut:
    return WaitingOut(
        id=w.task_id,
        case_id=w.case_id,
        case_number=w.case_number,
        case_title=w.case_title,
        step=w.step,
        title=w.title,
        kind=w.kind,
        state=w.state,
        role=w.role,
        due_at=w.due_at,
        reworks=w.reworks,
        mine=w.mine,
    )


def _request(row: Task) -> RequestOut:
    step = drafts.graph_of(row.case.version_id).by_key.get(row.step)
    return RequestOut(
        task_id=row.id,
        case_number=row.case.number,
        title=row.title,
        text=step.text if step else "",
        wants=_wants(step),
        opened_at=row.opened_at,
        due_at=row.due_at,
    )


# --- cases ----------------------------------------------------------------------------------------------


@router.command("/cases", services.CaseStarted, "Begin a case", permission="sop.work")
def start_case(client: Client, body: StartIn) -> services.CaseStarted:
    """Of a procedure's latest version."""
    return services.start_case(body.procedure, body.title, body.values)


@router.command("/cases/{case_id}/comment", CommentMade, "Say something on a case", permission="sop.work")
def comment(client: Client, case_id: UUID, body: SaidIn) -> CommentMade:
    """On its timeline, for good: nothing private belongs there."""
    services.comment(case_id, body.text, body.task_id)
    return CommentMade(case_id=case_id)


@router.command(
    "/cases/{case_id}/message", services.CaseStarted, "Tell a case what has come", permission="sop.work"
)
def send_message(client: Client, case_id: UUID, body: MessageIn) -> services.CaseStarted:
    """What it waits for: the case goes on."""
    return services.send_message(case_id, body.message)


@router.command("/cases/{case_id}/cancel", services.CaseCancelled, "Cancel a case", permission="sop.work")
def cancel_case(client: Client, case_id: UUID, body: ReasonAsked) -> services.CaseCancelled:
    """End it and everything open in it."""
    return services.cancel_case(case_id, body.reason)


# --- tasks ----------------------------------------------------------------------------------------------


@router.command("/tasks/{task_id}/claim", services.TaskDone, "Take a task", permission="sop.work")
def claim(client: Client, task_id: UUID) -> services.TaskDone:
    """One that nobody has. Of two who do so at once, one has it."""
    return services.claim(task_id)


@router.command("/tasks/{task_id}/release", services.TaskDone, "Give a task back", permission="sop.work")
def release(client: Client, task_id: UUID, body: ReleaseIn) -> services.TaskDone:
    """To whoever has its role."""
    return services.release(task_id, body.reason)


@router.command("/tasks/{task_id}/delegate", services.TaskDone, "Give a task on", permission="sop.work")
def delegate(client: Client, task_id: UUID, body: DelegateIn) -> services.TaskDone:
    """To a colleague who has its role here."""
    return services.delegate(task_id, body.user_id, body.reason)


@router.command("/tasks/{task_id}/files", FileKept, "Keep a file for a task", permission="sop.work")
def keep_file(client: Client, task_id: UUID, file: File[UploadedFile]) -> FileKept:
    """Up to 20 MB. It counts once it is named: as evidence, or when the task is done."""
    return _kept(client, task_id, file)


@router.command("/tasks/{task_id}/evidence", services.TaskDone, "Show evidence", permission="sop.work")
def add_evidence(client: Client, task_id: UUID, body: ShowIn) -> services.TaskDone:
    """Before the task is done."""
    return services.add_evidence(task_id, body.key, body.value, body.file_id)


@router.command("/tasks/{task_id}/complete", services.TaskDone, "Finish a task", permission="sop.work")
def complete(client: Client, task_id: UUID, body: DoneIn) -> services.TaskDone:
    """With its evidence. With four eyes it waits for a second person."""
    return services.complete(task_id, body.values, body.checks, body.files)


@router.command("/tasks/{task_id}/run", services.TaskDone, "Run a task's command", permission="sop.work")
def run_step(client: Client, task_id: UUID) -> services.TaskDone:
    """With the caller's own rights, and finish the task."""
    return services.run_step(task_id)


@router.command("/tasks/{task_id}/accept", services.TaskDone, "Accept what was done", permission="sop.work")
def accept(client: Client, task_id: UUID) -> services.TaskDone:
    """Not for whoever did it."""
    return services.accept(task_id)


@router.command("/tasks/{task_id}/reject", services.TaskDone, "Send a task back", permission="sop.work")
def reject(client: Client, task_id: UUID, body: ReasonAsked) -> services.TaskDone:
    """To whoever did it. It counts as rework."""
    return services.reject(task_id, body.reason)


@router.command("/tasks/{task_id}/skip", services.TaskDone, "Leave a task out", permission="sop.work")
def skip(client: Client, task_id: UUID, body: ReasonAsked) -> services.TaskDone:
    """Where the procedure says that one may, or as a lead."""
    return services.skip(task_id, body.reason)


@router.command(
    "/tasks/{task_id}/due", services.TaskDone, "Have a task due at another moment", permission="sop.work"
)
def move_due(client: Client, task_id: UUID, body: DueIn) -> services.TaskDone:
    """What was promised for the case stays."""
    return services.move_due(task_id, body.due_at, body.reason)


@router.command(
    "/tasks/{task_id}/escalate", services.TaskDone, "Call another role to a task", permission="sop.work"
)
def escalate(client: Client, task_id: UUID, body: EscalateIn) -> services.TaskDone:
    """Whoever has the task keeps it."""
    return services.escalate(task_id, body.to, body.reason)


# --- the client's answers -------------------------------------------------------------------------------


@router.command("/requests/{task_id}/files", FileKept, "Keep a file for an answer", permission="sop.answer")
def keep_answer_file(client: Client, task_id: UUID, file: File[UploadedFile]) -> FileKept:
    """Up to 20 MB. It counts once an answer names it."""
    return _kept(client, task_id, file, kind="client_request")


@router.command("/requests/{task_id}/answer", services.TaskDone, "Answer a request", permission="sop.answer")
def answer(client: Client, task_id: UUID, body: AnswerIn) -> services.TaskDone:
    """Whole: what is missing is refused by name. The case's clock runs again."""
    return services.answer(task_id, body.values, body.files)


def _kept(client: Client, task_id: UUID, file: UploadedFile, **only: str) -> FileKept:
    if not Task.objects.filter(client_id=client.id, id=task_id, ended_at=None, **only).exists():
        raise NotFound("there is no such open task")
    return FileKept(file_id=evidence.keep_upload(task_id, file))
