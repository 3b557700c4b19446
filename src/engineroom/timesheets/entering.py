"""Hours as their workers enter them: kept as a draft, sent, taken back; and the customer's answer taken in.

An answer is written down as a file of timesheets, kept in the vault as the evidence of what was answered,
and taken in as every such file is: by the same checks, into the same timesheets, with the same makers.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from uuid import UUID

from engineroom.foundation import duties
from engineroom.foundation.commands import command
from engineroom.foundation.imports import services as imports
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, errors_of, whole, wrong_reason
from engineroom.kernel.periods import week_ending
from engineroom.people import own
from engineroom.people.models import Employment
from engineroom.timesheets import entered
from engineroom.timesheets.entered import DayEntered, WeekView
from engineroom.timesheets.models import Assignment, EnteredDay, EnteredWeek
from engineroom.ui.display import format_day

DAY_MINUTES = 24 * 60
LONGEST_NOTE = 200


@dataclass(frozen=True)
class DaySaid:
    """A day as it is typed: from when until when with breaks, or its minutes."""

    day: date
    minutes: int | None = None
    starts: time | None = None
    ends: time | None = None
    break_minutes: int = 0
    note: str = ""


@dataclass(frozen=True)
class WeekKept:
    """A week as it stands now. content: a hash of what stands in it."""

    week_id: UUID
    state: str
    minutes: int
    content: str

    @property
    def subject(self) -> str:
        return f"entered_week:{self.week_id}"


# --- the worker's -----------------------------------------------------------------------------------------


@command("timesheets.own")
def save_week(assignment_id: UUID, ending: date, days: list[DaySaid]) -> WeekKept:
    """Keep what one worked in a week at one placement: a draft, as often as one likes until it is sent."""
    me = own.myself()
    assignment = entered.assignment_of(assignment_id)
    if me is None or assignment is None or assignment.person_id != me.counterparty_id:
        raise NotFound("there is no such placement of yours")
    _refuse_week(assignment, ending)
    row, _ = EnteredWeek.objects.get_or_create(
        client_id=me.client_id,
        assignment_id=assignment.id,
        week_ending=ending,
        defaults={"person_id": me.counterparty_id},
    )
    row = EnteredWeek.objects.select_for_update().get(client_id=me.client_id, id=row.id)
    if row.state != "draft":
        raise Conflict("this week was sent already; take it back first, if it is not answered yet")
    kept = _kept_days(assignment, ending, days, row.id)
    EnteredDay.objects.filter(client_id=me.client_id, week_id=row.id).delete()
    EnteredDay.objects.bulk_create(
        EnteredDay(
            client_id=me.client_id, week_id=row.id, person_id=me.counterparty_id, day=d.day, starts=d.starts,
            ends=d.ends, break_minutes=d.break_minutes, minutes=d.minutes, note=d.note,
        )
        for d in kept
    )  # fmt: skip
    return _receipt(row.id)


def _refuse_week(assignment: Assignment, ending: date) -> None:
    today = duties.today()
    last = week_ending(today)
    if ending != week_ending(ending):
        raise InputRefused([Problem(f"{ending} ends no week", "Weeks end on a Sunday", field="week")])
    if not last - timedelta(days=7 * entered.WEEKS_BACK) <= ending <= last:
        problem = f"the week ending {format_day(ending)} cannot be entered here now"
        remedy = f"Enter this week or one of the {entered.WEEKS_BACK} before; tell your agency of older ones"
        raise InputRefused([Problem(problem, remedy, field="week")])
    if entered.is_taken(assignment.id, ending):
        raise Conflict(
            f"hours of {assignment.code} for the week ending {format_day(ending)} are taken in already; "
            "tell your agency if they are wrong"
        )


def _kept_days(
    assignment: Assignment, ending: date, days: Sequence[DaySaid], week_id: UUID
) -> list[DayEntered]:
    """The days with their minutes. Raises InputRefused with everything that is wrong, each at its day."""
    problems: list[Problem] = []
    kept: list[DayEntered] = []
    elsewhere = entered.entered_elsewhere(assignment.person_id, ending, week_id)
    jobs = list(
        Employment.objects.filter(client_id=assignment.client_id, person_id=assignment.person_id).values_list(
            "starts", "ends"
        )
    )
    for said in days:
        wrong = _wrong_day(assignment, ending, said)
        if not wrong and not any(s <= said.day and (e is None or said.day <= e) for s, e in jobs):
            wrong = ("you are not employed on that day", "Leave it empty, or tell your agency", "hours")
        one = None if wrong else _entered(said)
        if one and not wrong:
            wrong = _wrong_beside(one, [d for d in elsewhere if d.day == said.day])
        if wrong:
            problem, remedy, what = wrong
            problems.append(Problem(f"{format_day(said.day)}: {problem}", remedy, field=f"{said.day}_{what}"))
        elif one:
            kept.append(one)
    if len({d.day for d in days}) < len(days):
        problems.append(Problem("a day stands twice", "Say each day once", field="day"))
    if problems:
        raise InputRefused(problems)
    return sorted(kept, key=lambda d: d.day)


Wrong = tuple[str, str, str]
"""What is wrong, what to do, and at which part of the day."""


def _wrong_day(assignment: Assignment, ending: date, said: DaySaid) -> Wrong | None:
    if not ending - timedelta(days=6) <= said.day <= ending:
        return "it is no day of this week", "Choose the week that it is of", "hours"
    if said.day > duties.today():
        return "it is still to come", "Enter hours once they are worked", "hours"
    if said.day < assignment.starts or (assignment.ends and said.day > assignment.ends):
        return "your placement does not run on that day", "Leave it empty, or tell your agency", "hours"
    if (said.starts is None) != (said.ends is None):
        return "start and end go together", "Say both, or the hours alone", "starts"
    if said.starts is None and said.minutes is None:
        return "there are no hours", "Say start and end, or the hours", "hours"
    if said.starts is not None and said.minutes is not None:
        return "hours are said twice", "Say start and end, or the hours alone", "hours"
    if said.starts is None and said.break_minutes:
        return "a break is of a start and an end", "Say those, or the hours without the break", "break"
    if len(said.note) > LONGEST_NOTE:
        return f"the note has {len(said.note)} letters", f"Say it in up to {LONGEST_NOTE}", "note"
    minutes = _minutes(said)
    if said.break_minutes < 0 or minutes < 1:
        return "the break leaves nothing of the hours", "Correct the break or the times", "break"
    if minutes > DAY_MINUTES:
        return "a day has 24 hours", "Correct the hours", "hours"
    return None


def _minutes(said: DaySaid) -> int:
    if said.starts is None or said.ends is None:
        return said.minutes or 0
    return entered.minutes_between(said.starts, said.ends) - said.break_minutes


def _entered(said: DaySaid) -> DayEntered:
    return DayEntered(said.day, _minutes(said), said.starts, said.ends, said.break_minutes, said.note.strip())


def _wrong_beside(one: DayEntered, others: Sequence[DayEntered]) -> Wrong | None:
    """Nobody works at two places at once, nor more than a day has."""
    if one.minutes + sum(d.minutes for d in others) > DAY_MINUTES:
        return "with your other placements the day has more than 24 hours", "Correct the hours", "hours"
    for other in others:
        if _span(one) and _span(other) and _overlap(_span(one), _span(other)):
            return f"you entered {other.words} elsewhere", "Correct one of the two", "starts"
    return None


def _span(one: DayEntered) -> tuple[int, int]:
    """Minutes after midnight; empty where no times were said."""
    if one.starts is None or one.ends is None:
        return (0, 0)
    starts = one.starts.hour * 60 + one.starts.minute
    return starts, starts + entered.minutes_between(one.starts, one.ends)


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@command("timesheets.own")
def send_week(week_id: UUID, *, content: str) -> WeekKept:
    """Send a week as it stands; content: the hash of what one saw."""
    view = _my_week(week_id)
    if view.state != "draft":
        raise Conflict("this week was sent already")
    if not view.days:
        raise Conflict("there are no hours in this week; enter them first")
    if content != view.content:
        raise Conflict("the week was changed meanwhile; look at it again, then send it")
    move(view.id, "sent")
    return _receipt(view.id)


@command("timesheets.own")
def take_back_week(week_id: UUID) -> WeekKept:
    """Make a sent week a draft again, as long as it was not put to the customer."""
    view = _my_week(week_id)
    if view.state == "draft":
        raise Conflict("this week was not sent")
    if view.state != "sent":
        raise Conflict("the customer has this week already; tell your agency what is wrong with it")
    move(view.id, "draft")
    return _receipt(view.id)


def _my_week(week_id: UUID) -> WeekView:
    me = own.myself()
    view = entered.week(week_id)
    if me is None or view is None or view.payroll_number != me.payroll_number:
        raise NotFound("there is no such week of yours")
    return view


def move(week_id: UUID, state: str) -> None:
    """PostgreSQL says who may move it where."""
    EnteredWeek.objects.filter(client_id=current_client_id(), id=week_id).update(state=state)


def _receipt(week_id: UUID) -> WeekKept:
    view = entered.week(week_id)
    assert view is not None
    return WeekKept(view.id, view.state, view.minutes, view.content)


# --- the customer's answer --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Disputed:
    """A day that the customer disputes, and why."""

    day: date
    reason: str


@dataclass(frozen=True)
class AnswerTaken:
    """What became of the answer: whose weeks, how many hours, how many charges are held for a dispute."""

    import_id: UUID
    weeks: int
    entries: int
    held: int

    @property
    def subject(self) -> str:
        return f"import:{self.import_id}"


@command("timesheets.prepare")
def record_answer(week_id: UUID, *, content: str, said_by: str, disputed: list[Disputed]) -> AnswerTaken:
    """Take in what a customer answered outside, on paper or by phone: what they dispute, each day with its
    reason, and the rest as approved. said_by: who answered, and how."""
    view = entered.week(week_id)
    if view is None:
        raise NotFound(f"there is no entered week {week_id}")
    who = whole("name of who answered", said_by, 150)
    if not who:
        problem = Problem("nobody is named", "Say who answered for the customer, and how", field="said_by")
        raise InputRefused([problem])
    return take_answer([view], {view.id: content}, {view.id: disputed}, who)


def take_answer(
    views: Sequence[WeekView],
    contents: dict[UUID, str],
    disputed: dict[UUID, list[Disputed]],
    said_by: str,
) -> AnswerTaken:
    """Write an answer down as a file of timesheets and take it in. Raises Conflict, InputRefused."""
    rows = []
    for view in views:
        row = EnteredWeek.objects.select_for_update().get(client_id=current_client_id(), id=view.id)
        if row.state not in ("sent", "asked"):
            raise Conflict(f"the week of {view.name} is {row.state}; there is nothing to answer")
        if contents.get(view.id) != view.content:
            raise Conflict(f"the week of {view.name} was changed meanwhile; look at it again")
        rows += _answered_rows(view, disputed.get(view.id, []), said_by)
    done = _taken(rows, f"answer-{views[0].customer_code}-{views[0].week_ending}.csv")
    for view in views:
        move(view.id, "answered")
    return AnswerTaken(done.commit_id, len(views), done.counts["entries"], done.counts["held"])


HEADINGS = ("assignment", "payroll_number", "date", "hours", "status", "comment")


def _answered_rows(view: WeekView, disputed: Sequence[Disputed], said_by: str) -> list[tuple[str, ...]]:
    why = {one.day: one.reason.strip() for one in disputed}
    problems = []
    for one in disputed:
        if one.day not in {d.day for d in view.days}:
            problems.append(Problem(f"{one.day} is no day of {view.name}'s week", "Leave it out"))
        problems += [
            Problem(f"{view.name}, {format_day(one.day)}: {p.problem}", p.remedy, field=f"{one.day}_reason")
            for p in wrong_reason(one.reason)
        ]
    if problems:
        raise InputRefused(problems)
    first = next((d.day for d in view.days if d.day not in why), None)
    return [
        (
            view.code,
            view.payroll_number,
            d.day.isoformat(),
            f"{d.minutes // 60}:{d.minutes % 60:02d}",
            "day disputed" if d.day in why else "approved",
            f"{why[d.day]} ({said_by})"
            if d.day in why
            else f"answered by {said_by}"
            if d.day == first
            else "",
        )
        for d in view.days
    ]


def _taken(rows: Sequence[tuple[str, ...]], name: str) -> imports.Taken:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name.replace("/", "_")
        with path.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([HEADINGS, *rows])
        previewed, problems = imports.preview("timesheets", path)
    if errors := errors_of(problems):
        raise InputRefused(errors, "these hours cannot be taken in as they stand; nothing was")
    return imports.take(previewed.preview_id)
