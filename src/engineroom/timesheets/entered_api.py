"""Weeks as workers sent them, for programs, and the customer's answer."""

from __future__ import annotations

from datetime import date, time
from uuid import UUID

from ninja import Query, Schema

from engineroom.foundation.api import Asked, Page, PageAsked, Room, cut_list
from engineroom.foundation.tenancy.models import Client
from engineroom.timesheets import entered, entering
from engineroom.timesheets.entered import WeekView

router = Room("timesheets")


class EnteredDayOut(Schema):
    """A day as it was entered."""

    day: date
    minutes: int
    starts: time | None
    ends: time | None
    break_minutes: int
    note: str


class EnteredWeekOut(Schema):
    """A week as its worker entered it. content: a hash of what stands in it, to be sent with an answer."""

    id: UUID
    assignment_id: UUID
    assignment: str
    customer: str
    payroll_number: str
    week_ending: date
    state: str
    minutes: int
    content: str
    days: list[EnteredDayOut]


class WeekKeptOut(Schema):
    """A week as it stands now."""

    week_id: UUID
    state: str
    minutes: int
    content: str

    @classmethod
    def of(cls, done: entering.WeekKept) -> WeekKeptOut:
        return cls(week_id=done.week_id, state=done.state, minutes=done.minutes, content=done.content)


class DisputedDayAsked(Asked):
    """A day that the customer disputes, and why."""

    day: date
    reason: str


class WeekAnswerAsked(Asked):
    """What the customer answered: every day approved, but those disputed. said_by: who, and how."""

    content: str
    said_by: str
    disputed: list[DisputedDayAsked] = []


class AnswerTakenOut(Schema):
    """import_id: the file that the answer was written down as."""

    import_id: UUID
    weeks: int
    entries: int
    held: int


def week_out(view: WeekView) -> EnteredWeekOut:
    return EnteredWeekOut(
        id=view.id,
        assignment_id=view.assignment_id,
        assignment=view.code,
        customer=view.customer_code,
        payroll_number=view.payroll_number,
        week_ending=view.week_ending,
        state=view.state,
        minutes=view.minutes,
        content=view.content,
        days=[
            EnteredDayOut(
                day=d.day,
                minutes=d.minutes,
                starts=d.starts,
                ends=d.ends,
                break_minutes=d.break_minutes,
                note=d.note,
            )
            for d in view.days
        ],
    )


@router.read("/sent-weeks", Page[EnteredWeekOut], "Weeks that workers sent and nobody has answered for")
def sent_weeks(client: Client, page: Query[PageAsked]) -> Page[EnteredWeekOut]:
    """As workers entered them, oldest week first."""
    rows = entered.waiting()
    found, onward = cut_list(rows, page, by=lambda w: (w.week_ending.isoformat(), w.id))
    return Page(items=[week_out(view) for view in found], next=onward)


@router.command(
    "/sent-weeks/{week_id}/answer",
    AnswerTakenOut,
    "Take in what a customer answered for a week",
    permission="timesheets.prepare",
)
def record_answer(client: Client, week_id: UUID, asked: WeekAnswerAsked) -> AnswerTakenOut:
    """Where the customer answered outside, on paper or by phone. The hours become a timesheet."""
    disputed = [entering.Disputed(one.day, one.reason) for one in asked.disputed]
    done = entering.record_answer(week_id, content=asked.content, said_by=asked.said_by, disputed=disputed)
    return AnswerTakenOut(import_id=done.import_id, weeks=done.weeks, entries=done.entries, held=done.held)
