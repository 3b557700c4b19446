"""Procedures for programs: read, checked, kept and published; running cases moved between versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Field, Query, Schema
from pydantic import StringConstraints

from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    InputProblem,
    Name,
    Page,
    PageAsked,
    Reason,
    ReasonAsked,
    Room,
    cut_list,
    firm_only,
)
from engineroom.foundation.commands import REGISTRY
from engineroom.foundation.tenancy.models import Client
from engineroom.sop import boards, drafts, moving, selectors

router = Room("sop")

LONGEST_PROCEDURE = 500_000
"""Characters: a request has a megabyte, and a character may need two."""

ProcedureText = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_PROCEDURE, pattern=r"^[^\x00]+$")
]
Note = Annotated[str, StringConstraints(max_length=drafts.LONGEST_NOTE, pattern=NO_NUL)]
Mark = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]*$")]
Decisions = Annotated[dict[Name, Name], Field(max_length=500)]


class ProcedureVersionOut(Schema):
    """A published version; it never changes. sha256: of its graph."""

    number: int
    sha256: str
    note: str
    published_at: datetime
    published_by: str


class ProcedureTextOut(Schema):
    """A procedure's text as it is worked on: the draft, else the latest version, else the ready one.

    mark: by which the kept text is known again; sent as `begun_from`, it keeps two writers apart.
    """

    key: str
    text: str
    format: str
    mark: str
    versions: list[ProcedureVersionOut]


class ProcedureTextIn(Asked):
    """format: Markdown, or a BPMN 2.0 model."""

    text: ProcedureText
    format: Literal["md", "bpmn"] = "md"


class ProcedureSaveIn(ProcedureTextIn):
    """of: the procedure's key, where the text cannot say it. begun_from: the mark it was begun from."""

    of: Annotated[str, StringConstraints(max_length=60, pattern=NO_NUL)] = ""
    begun_from: Mark | None = None


class ProcedurePublishIn(ProcedureTextIn):
    """note: what is new in this version. begun_from: the mark it was begun from."""

    note: Note = ""
    begun_from: Mark | None = None


class ProcedureCheckedOut(Schema):
    """A text as it was understood. key, sha256: empty while it holds no procedure."""

    key: str
    sha256: str
    steps: int
    can_be_published: bool
    problems: list[InputProblem]


class ProcedureSaved(Schema):
    """errors: what still keeps it from being published."""

    procedure_id: UUID
    key: str
    errors: int


class ProcedurePublished(Schema):
    version_id: UUID
    key: str
    number: int
    sha256: str


class BetweenIn(Asked):
    """decisions: where an open step goes, by key; "-" where it is no longer needed."""

    from_version: int
    to_version: int
    decisions: Decisions = {}


class MoveCasesIn(BetweenIn):
    """numbers: of the cases to move, if not all."""

    reason: Reason
    numbers: Annotated[list[int], Field(max_length=100_000)] | None = None


class CasePlanOut(Schema):
    """What would become of a case. goes: open step to step. undecided: the steps that need a decision."""

    case_number: int
    verdict: str
    goes: dict[str, str]
    why: list[str]
    undecided: list[str]


class RehearsedOut(Schema):
    plans: list[CasePlanOut]


class CasesMovedOut(Schema):
    """moved: numbers of cases. left: by number, why a case stays where it was."""

    batch: UUID
    moved: list[int]
    left: dict[int, str]


class CaseMoveOut(Schema):
    """Cases that went together. is_back: it took an earlier move back."""

    batch: UUID
    at: datetime
    by: str
    reason: str
    from_version: int
    to_version: int
    cases: int
    is_back: bool
    was_taken_back: bool


class ClientAskedOut(Schema):
    """asked: how many of the client's people got a letter."""

    task_id: UUID
    case_id: UUID
    asked: int


# Addresses that are words stand before those that are keys, or a key would be read in their place.

# --- texts ----------------------------------------------------------------------------------------------


@router.command("/procedures/check", ProcedureCheckedOut, "Check a text", permission="sop.prepare")
def check_procedure(client: Client, body: ProcedureTextIn) -> ProcedureCheckedOut:
    """What is wrong with it, by line, against the roles, commands and procedures there are. Keeps nothing."""
    checked = drafts.check(body.text, format=body.format)
    graph = checked.graph
    return ProcedureCheckedOut(
        key=graph.key if graph else "",
        sha256=checked.sha256,
        steps=len(graph.steps) if graph else 0,
        can_be_published=graph is not None and not checked.errors,
        problems=[InputProblem(**p.as_dict()) for p in checked.problems],
    )


@router.command("/procedures/save", ProcedureSaved, "Keep a text as a draft", permission="sop.prepare")
def save_procedure(client: Client, body: ProcedureSaveIn) -> drafts.Saved:
    """On the house client, with what is still wrong in it. A conflict, where another was kept meanwhile."""
    return drafts.save_draft(body.text, format=body.format, of=body.of, begun_from=body.begun_from)


@router.command("/procedures/publish", ProcedurePublished, "Publish a text", permission="sop.approve")
def publish_procedure(client: Client, body: ProcedurePublishIn) -> drafts.Published:
    """On the house client: frozen as the next version, or refused with every error it has."""
    return drafts.publish(body.text, format=body.format, note=body.note, begun_from=body.begun_from)


@router.read("/procedures/{procedure}", ProcedureTextOut, "A procedure's text and versions")
def procedure(client: Client, procedure: Name) -> ProcedureTextOut:
    """What an editor begins with; a ready procedure can be read before it is taken up."""
    firm_only("procedures")
    text, format = selectors.text_of(procedure)
    versions = [
        ProcedureVersionOut(
            number=v.number,
            sha256=v.sha256,
            note=v.note,
            published_at=v.published_at,
            published_by=v.published_by,
        )
        for v in selectors.versions(procedure)
    ]
    mark = selectors.mark_of(procedure)
    return ProcedureTextOut(key=procedure, text=text, format=format, mark=mark, versions=versions)


# --- between versions -----------------------------------------------------------------------------------


def _versions(procedure: str, asked: BetweenIn) -> tuple[UUID, UUID]:
    start, to = (drafts.version_numbered(procedure, n).id for n in (asked.from_version, asked.to_version))
    return start, to


@router.read("/procedures/{procedure}/moves", Page[CaseMoveOut], "Moves between versions, earliest first")
def moves(client: Client, procedure: Name, page: Query[PageAsked]) -> Page[CaseMoveOut]:
    """Of the client's cases."""
    firm_only("cases")
    found, onward = cut_list(boards.moves_of(procedure), page, by=lambda m: (m.at.isoformat(), m.batch))
    items = [
        CaseMoveOut(
            batch=m.batch,
            at=m.at,
            by=m.by,
            reason=m.reason,
            from_version=m.start,
            to_version=m.to,
            cases=m.cases,
            is_back=m.is_back,
            was_taken_back=m.was_taken_back,
        )
        for m in found
    ]
    return Page(items=items, next=onward)


@router.command("/procedures/{procedure}/rehearse", RehearsedOut, "Rehearse a move", permission="sop.approve")
def rehearse_move(client: Client, procedure: Name, body: BetweenIn) -> RehearsedOut:
    """What would become of each running case of a version. Moves nothing."""
    plans = moving.dry_run(*_versions(procedure, body), body.decisions)
    return RehearsedOut(
        plans=[
            CasePlanOut(
                case_number=p.number,
                verdict=p.verdict,
                goes=dict(p.goes),
                why=list(p.why),
                undecided=list(p.undecided),
            )
            for p in plans
        ]
    )


@router.command(
    "/procedures/{procedure}/moves", CasesMovedOut, "Move running cases", permission="sop.approve"
)
def move_cases(client: Client, procedure: Name, body: MoveCasesIn) -> moving.Moved:
    """To another version: those that are safe with these decisions. It is said why the others stay."""
    start, to = _versions(procedure, body)
    return moving.move_cases(start, to, body.reason, body.decisions, body.numbers)


@router.command("/moves/{batch}/back", CasesMovedOut, "Take a move back", permission="sop.approve")
def move_back(client: Client, batch: UUID, body: ReasonAsked) -> moving.Moved:
    """Of each case that is still where it was put. What was done meanwhile stays done."""
    return moving.move_back(batch, body.reason)


# --- asking ---------------------------------------------------------------------------------------------


@router.command("/tasks/{task_id}/ask", ClientAskedOut, "Ask the client by mail", permission="sop.work")
def ask_client(client: Client, task_id: UUID) -> ClientAskedOut:
    """Each of the client's people who may answer gets a letter with a link of their own."""
    done = REGISTRY["web.ask_client"].run(task_id)  # letters are a higher floor's: found by its name
    return ClientAskedOut(task_id=done.task_id, case_id=done.case_id, asked=done.asked)
