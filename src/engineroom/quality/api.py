"""Promises for programs: how the clocks of cases stand, why, and how promises were kept."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from django.utils import timezone
from ninja import Field, Query, Schema
from pydantic import StringConstraints

from engineroom.foundation.api import Asked, Name, Page, PageAsked, Reason, Room, Text, cut_list
from engineroom.foundation.tenancy.models import Client
from engineroom.quality import clocks, services
from engineroom.quality.scorecard import month_of, scorecard

router = Room("quality")

Month = Annotated[str, StringConstraints(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]


class ClockOut(Schema):
    """A running promise in working seconds, and every line of why. due: null while it stands still."""

    case_number: int
    title: str
    state: str
    used_s: int
    budget_s: int
    due: datetime | None
    explanation: list[str]


class ScorecardOut(Schema):
    """Cases that ended in the month. Percentages are of what was done, rounded down; else null."""

    month: str
    started: int
    ended: int
    on_time: int
    late: int
    cancelled: int
    on_time_percent: int | None
    first_time_right_percent: int | None
    sent_back: int
    worked_s: int
    waited_for_client_s: int


class ScorecardAsked(Schema):
    month: Month | None = None


class PromiseIn(Asked):
    """budget_s: working seconds. procedure_key: empty for all procedures without a promise of their own."""

    name: Name
    budget_s: int = Field(ge=1, le=services.LONGEST_BUDGET_S)
    procedure_key: Text = ""
    pauses_for_client: bool = True
    warn_percent: int = Field(80, ge=1, le=100)
    reason: Text = ""


class PromiseEnded(Asked):
    """procedure_key: empty for the promise to all procedures without one of their own."""

    procedure_key: Text = ""
    reason: Reason


class PromiseOut(Schema):
    promise_id: UUID
    procedure_key: str
    budget_s: int


def _clock(one: clocks.CaseClock) -> ClockOut:
    read = one.reading
    return ClockOut(
        case_number=one.row.number,
        title=one.row.title,
        state=read.state.value,
        used_s=read.elapsed_s,
        budget_s=read.budget_s,
        due=datetime.fromtimestamp(read.due, UTC) if read.due is not None else None,
        explanation=one.explained(int(timezone.now().timestamp())),
    )


@router.read("/clocks", Page[ClockOut], "Promises that run")
def running(client: Client, page: Query[PageAsked]) -> Page[ClockOut]:
    """The clocks of running cases, by case number."""
    rows, onward = cut_list(
        clocks.running(client.id), page, by=lambda one: (f"{one.row.number:019d}", one.row.id)
    )
    return Page(items=[_clock(one) for one in rows], next=onward)


@router.read("/scorecard", ScorecardOut, "How promises were kept in a month")
def card(client: Client, asked: Query[ScorecardAsked]) -> ScorecardOut:
    """The figures that the client sees. Without a month, the current one."""
    today = timezone.now().date()
    month = asked.month or f"{today:%Y-%m}"
    found = scorecard(client.id, *month_of(date.fromisoformat(f"{month}-01")))
    return ScorecardOut(
        month=month,
        started=found.started,
        ended=len(found.cases),
        on_time=found.count("on-time"),
        late=found.count("late"),
        cancelled=found.count("cancelled"),
        on_time_percent=found.on_time_percent,
        first_time_right_percent=found.right_percent,
        sent_back=found.reworks,
        worked_s=found.worked_s,
        waited_for_client_s=found.waited_s,
    )


@router.command("/promises", PromiseOut, "Promise a working time", permission="quality.prepare")
def promise(client: Client, body: PromiseIn) -> PromiseOut:
    """Cases that run are counted by it too."""
    made = services.promise(
        body.name,
        body.budget_s,
        procedure_key=body.procedure_key,
        pauses_for_client=body.pauses_for_client,
        warn_percent=body.warn_percent,
        reason=body.reason,
    )
    return _made(made)


@router.command("/promises/end", PromiseOut, "Promise no more", permission="quality.prepare")
def end_promise(client: Client, body: PromiseEnded) -> PromiseOut:
    """From now on. What was counted stays countable."""
    return _made(services.end_promise(procedure_key=body.procedure_key, reason=body.reason))


def _made(made: services.PromiseMade) -> PromiseOut:
    return PromiseOut(promise_id=made.promise_id, procedure_key=made.procedure_key, budget_s=made.budget_s)
