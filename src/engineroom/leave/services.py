"""Asking for leave, recording it, deciding of it, taking it back; and the evidence of sickness.

What is decided and what the ledger has are written in one transaction; PostgreSQL refuses to commit one
without the other, a decision by whoever asked, and a stretch that overlaps another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.utils import DatabaseError

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.calendar import CalendarNotKnown
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted, Problem, reason_given
from engineroom.kernel.ids import uuid7, uuid7s
from engineroom.leave import selectors
from engineroom.leave.engine import DayTaken, NoPattern, Pattern
from engineroom.leave.models import Booking, Decision, Evidence, LeaveEntry, LeaveKind
from engineroom.people import own
from engineroom.people.models import Person
from engineroom.ui.display import format_day, format_period

LONGEST_DAYS = 400
EVIDENCE = {"self_certificate": "Self-certificate", "fit_note": "Fit note", "other": "Other"}


@dataclass(frozen=True)
class Booked:
    """A booking as it stands now. minutes: what it takes."""

    booking_id: UUID
    person_id: UUID
    state: str
    minutes: int

    @property
    def subject(self) -> str:
        return f"leave_booking:{self.booking_id}"


@dataclass(frozen=True)
class Stretch:
    """What is asked for. from_noon, until_noon: half of the first or the last day. minutes: of one day
    alone."""

    starts: date
    ends: date
    from_noon: bool = False
    until_noon: bool = False
    minutes: int | None = None


@dataclass(frozen=True)
class Counted:
    """A stretch of somebody, with the days that it takes and the leave year of each."""

    kind: LeaveKind
    person_id: UUID
    stretch: Stretch
    days: tuple[DayTaken, ...]
    booking_id: UUID

    @property
    def minutes(self) -> int:
        return sum(day.minutes for day in self.days)


# --- asking and recording ---------------------------------------------------------------------------------


@command("leave.own")
def ask(kind_id: UUID, stretch: Stretch) -> Booked:
    """Ask for leave of one's own, or report it: what needs no approval stands at once.

    More than is left of an entitlement is refused here; whoever keeps the leave may record it.
    """
    me = own.myself()
    if me is None:
        raise NotFound("there is nobody here whose leave you could ask for")
    kind = kind_named(kind_id, stretch.starts)
    if not kind.own:
        raise NotPermitted(f"{kind.label} is recorded by whoever keeps your leave: ask them")
    counted = count(kind, me.counterparty_id, stretch)
    if kind.entitles:
        _refuse_more_than_is_left(counted)
    return _booked(counted, "" if kind.needs_approval else "recorded")


@command("leave.prepare")
def ask_for(person_id: UUID, kind_id: UUID, stretch: Stretch) -> Booked:
    """Put a request in for somebody who has no login: another person decides."""
    return _booked(count(kind_named(kind_id, stretch.starts), _person(person_id), stretch), "")


@command("leave.prepare")
def record(person_id: UUID, kind_id: UUID, stretch: Stretch) -> Booked:
    """Record leave as it was taken or agreed outside: it stands at once, also beyond what is left."""
    return _booked(count(kind_named(kind_id, stretch.starts), _person(person_id), stretch), "recorded")


def count(kind: LeaveKind, person_id: UUID, stretch: Stretch) -> Counted:
    """What a stretch takes. Raises InputRefused, Conflict."""
    _refuse_impossible(stretch)
    patterns = selectors.patterns_of([person_id], stretch.starts, stretch.ends).get(person_id, [])
    days = counted_days(kind, patterns, stretch)
    if standing := selectors.overlapping(person_id, stretch.starts, stretch.ends):
        _refuse_overlap(standing, stretch)
    return Counted(kind, person_id, stretch, tuple(days), uuid7())


def counted_days(kind: LeaveKind, patterns: Sequence[Pattern], stretch: Stretch) -> list[DayTaken]:
    """Raises InputRefused for days that no terms cover, that are not known, or of which none is worked."""
    s = stretch
    try:
        days = selectors.count_days(kind, patterns, s.starts, s.ends, s.from_noon, s.until_noon, s.minutes)
    except NoPattern as error:
        problem = f"no terms say what is worked on {format_day(error.day)}"
        remedy = "Record the person's terms for that day, or choose days of their employment"
        raise InputRefused([Problem(problem, remedy, field="starts")]) from error
    except CalendarNotKnown as error:
        remedy = "Book up to the last year that is known"
        raise InputRefused([Problem(str(error), remedy, field="ends")]) from error
    if not days:
        problem = "none of these days is worked"
        raise InputRefused([Problem(problem, "Choose days on which the person works", field="starts")])
    if kind.entitles and not sum(day.minutes for day in days):
        problem = "the person's terms give these days no hours"
        raise InputRefused([Problem(problem, "Say how many hours of one day it is", field="hours")])
    return days


def _refuse_impossible(stretch: Stretch) -> None:
    problems = []
    starts, ends = stretch.starts, stretch.ends
    if ends < starts:
        problems.append(Problem("the last day is before the first", "Correct one of them", field="ends"))
    elif (ends - starts).days > LONGEST_DAYS:
        problems.append(Problem(f"a booking is at most {LONGEST_DAYS} days", "Make two of it", field="ends"))
    if starts == ends and stretch.from_noon and stretch.until_noon:
        remedy = "Choose the morning or the afternoon"
        problems.append(Problem("nothing of the day is left", remedy, field="until noon"))
    if stretch.minutes is not None:
        if starts != ends or stretch.from_noon or stretch.until_noon:
            remedy = "Give one whole day, and its hours"
            problems.append(Problem("hours are of one day", remedy, field="hours"))
        if not 1 <= stretch.minutes <= 24 * 60:
            remedy = "Give a minute to 24 hours"
            problems.append(Problem("these are no hours of a day", remedy, field="hours"))
    if problems:
        raise InputRefused(problems)


def _refuse_overlap(standing: Sequence[Booking], stretch: Stretch) -> None:
    """Half days may meet in the middle of a day; anything else is taken twice."""
    first, last = _halves(stretch.starts, stretch.ends, stretch.from_noon, stretch.until_noon)
    for row in standing:
        begins, finishes = _halves(row.starts, row.ends, row.from_noon, row.until_noon)
        if begins <= last and finishes >= first:
            days = format_period(row.starts, row.ends)
            raise Conflict(f"{row.kind.label} stands on {days} already ({row.state}); cancel that first")


def _halves(starts: date, ends: date, from_noon: bool, until_noon: bool) -> tuple[int, int]:
    return starts.toordinal() * 2 + from_noon, ends.toordinal() * 2 + 1 - until_noon


def _refuse_more_than_is_left(counted: Counted) -> None:
    """Of each leave year that the stretch touches."""
    rules = selectors.Policies([counted.kind.id])
    by_year: dict[date, int] = {}
    for day in counted.days:
        year = rules.year_of(counted.kind.id, counted.person_id, day.day)
        by_year[year.starts] = by_year.get(year.starts, 0) + day.minutes
    for starts, minutes in by_year.items():
        left = selectors.balance(counted.person_id, counted.kind, starts).available
        if minutes > left:
            problem = (
                f"this takes {_hours(minutes)}, and {_hours(max(left, 0))} are left of the year from {starts}"
            )
            raise InputRefused(
                [Problem(problem, "Ask for less, or ask whoever keeps your leave", field="ends")]
            )


def _hours(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes % 60 else f"{minutes // 60} h"


def _booked(counted: Counted, decision: str) -> Booked:
    write_bookings([counted], decision)
    state = "approved" if decision else "asked"
    return Booked(counted.booking_id, counted.person_id, state, counted.minutes)


def write_bookings(rows: Sequence[Counted], decision: str, reason: str = "") -> None:
    """Write bookings, what is decided of them, and their days. Raises Conflict where some overlap."""
    client_id, n = current_scope().client_id, len(rows)
    columns = {
        "id": [row.booking_id for row in rows],
        "client_id": client_id,
        "kind_id": [row.kind.id for row in rows],
        "person_id": [row.person_id for row in rows],
        "starts": [row.stretch.starts for row in rows],
        "ends": [row.stretch.ends for row in rows],
        "from_noon": [row.stretch.from_noon for row in rows],
        "until_noon": [row.stretch.until_noon for row in rows],
        "minutes_given": [row.stretch.minutes for row in rows],
        "minutes": [row.minutes for row in rows],
        "state": "asked",
    }
    try:
        with transaction.atomic():
            insert_columns(Booking, columns, n, casts={"minutes_given": "integer"})
    except DatabaseError as error:
        raise explained(error) from error
    if decision:
        _decide([(row.booking_id, row.person_id) for row in rows], decision, reason)
        _take(client_id, rows)


def _decide(bookings: Sequence[tuple[UUID, UUID]], what: str, reason: str) -> None:
    columns = {
        "id": uuid7s(len(bookings)),
        "client_id": current_scope().client_id,
        "booking_id": [booking for booking, _ in bookings],
        "person_id": [person for _, person in bookings],
        "what": what,
        "reason": reason,
    }
    try:
        with transaction.atomic():
            insert_columns(Decision, columns, len(bookings))
    except DatabaseError as error:
        raise explained(error) from error


def _take(client_id: UUID, rows: Sequence[Counted]) -> None:
    """A line of the ledger for each day."""
    rules = selectors.Policies({row.kind.id for row in rows})
    lines = [(row, day) for row in rows for day in row.days]
    insert_columns(
        LeaveEntry,
        {
            "id": uuid7s(len(lines)),
            "client_id": client_id,
            "person_id": [row.person_id for row, _ in lines],
            "kind_id": [row.kind.id for row, _ in lines],
            "what": "taken",
            "day": [day.day for _, day in lines],
            "year_starts": [rules.year_of(row.kind.id, row.person_id, day.day).starts for row, day in lines],
            "minutes": [-day.minutes for _, day in lines],
            "part": [day.part for _, day in lines],
            "booking_id": [row.booking_id for row, _ in lines],
            "reason": "",
        },
        len(lines),
        casts={"part": "smallint"},
    )


# --- deciding -------------------------------------------------------------------------------------------


@command("leave.approve")
def approve(booking_id: UUID) -> Booked:
    """Say yes to leave that somebody else asked for. It stands in the ledger from now on."""
    row = _booking(booking_id)
    _in_state(row, "asked")
    patterns = selectors.patterns_of([row.person_id], row.starts, row.ends).get(row.person_id, [])
    stretch = Stretch(row.starts, row.ends, row.from_noon, row.until_noon, row.minutes_given)
    days = counted_days(row.kind, patterns, stretch)
    counted = Counted(row.kind, row.person_id, stretch, tuple(days), row.id)
    if counted.minutes != row.minutes:
        raise Conflict(
            f"it took {_hours(row.minutes)} when it was asked for and {_hours(counted.minutes)} by the terms "
            "that stand now; refuse it and ask again"
        )
    _decide([(row.id, row.person_id)], "approved", "")
    _take(row.client_id, [counted])
    return Booked(row.id, row.person_id, "approved", row.minutes)


@command("leave.approve")
def refuse(booking_id: UUID, *, reason: str) -> Booked:
    """Say no, and why: whoever asked reads it."""
    row = _booking(booking_id)
    _in_state(row, "asked")
    _decide([(row.id, row.person_id)], "refused", reason_given(reason))
    return Booked(row.id, row.person_id, "refused", 0)


@command("leave.own")
def withdraw(booking_id: UUID) -> Booked:
    """Take back what one asked for: a request at once, approved leave until the day before it begins."""
    row = _booking(booking_id)
    if row.state == "approved":
        return _cancelled(row, "taken back by whoever asked")
    _in_state(row, "asked")
    _decide([(row.id, row.person_id)], "withdrawn", "")
    return Booked(row.id, row.person_id, "withdrawn", 0)


@command("leave.prepare")
def cancel(booking_id: UUID, *, reason: str) -> Booked:
    """Take leave back, with the reason: its days are undone in the ledger, one by one. A request is
    withdrawn."""
    row = _booking(booking_id)
    reason = reason_given(reason)
    if row.state == "asked":
        _decide([(row.id, row.person_id)], "withdrawn", reason)
        return Booked(row.id, row.person_id, "withdrawn", 0)
    _in_state(row, "approved")
    return _cancelled(row, reason)


def _cancelled(row: Booking, reason: str) -> Booked:
    _decide([(row.id, row.person_id)], "cancelled", reason)
    taken = list(LeaveEntry.objects.filter(client_id=row.client_id, booking_id=row.id, what="taken"))
    insert_columns(
        LeaveEntry,
        {
            "id": uuid7s(len(taken)),
            "client_id": row.client_id,
            "person_id": row.person_id,
            "kind_id": row.kind_id,
            "what": "undone",
            "day": [line.day for line in taken],
            "year_starts": [line.year_starts for line in taken],
            "minutes": [-line.minutes for line in taken],
            "part": [-line.part for line in taken],
            "booking_id": row.id,
            "undoes_id": [line.id for line in taken],
            "reason": reason,
        },
        len(taken),
        casts={"part": "smallint"},
    )
    return Booked(row.id, row.person_id, "cancelled", 0)


# --- evidence -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EvidenceAdded:
    evidence_id: UUID
    booking_id: UUID

    @property
    def subject(self) -> str:
        return f"leave_booking:{self.booking_id}"


@command("leave.prepare")
def add_evidence(
    booking_id: UUID, what: str, covers_from: date, covers_until: date, *, file_id: UUID | None = None
) -> EvidenceAdded:
    """Keep a self-certificate or a fit note with an absence; the file lies in the vault, sealed."""
    row = _booking(booking_id)
    problems = []
    if what not in EVIDENCE:
        problems.append(Problem(f"there is no evidence {what!r}", f"Use {', '.join(EVIDENCE)}", field="what"))
    if covers_until < covers_from:
        problems.append(Problem("it ends before it begins", "Correct one of the days", field="until"))
    if problems:
        raise InputRefused(problems)
    kept = {"client_id": row.client_id, "id": file_id}
    if file_id is not None and not VaultFile.objects.filter(**kept).exists():
        raise NotFound(f"there is no file {file_id}")
    added = Evidence(
        client_id=row.client_id, booking_id=row.id, person_id=row.person_id, what=what,
        covers_from=covers_from, covers_until=covers_until, file_id=file_id,
        by_user_id=current_scope().user.id,
    )  # fmt: skip
    added.save(force_insert=True)
    return EvidenceAdded(added.id, row.id)


# --- what the verbs share -------------------------------------------------------------------------------


def kind_named(kind_id: UUID, day: date) -> LeaveKind:
    found = LeaveKind.objects.filter(client_id=current_client_id(), id=kind_id).first()
    if found is None:
        raise NotFound(f"there is no kind of leave {kind_id}")
    if found.ends is not None and found.ends < day:
        raise Conflict(f"{found.label} ended on {found.ends}; choose another kind")
    return found


def kind_coded(code: str) -> LeaveKind:
    """The kind that has the code now. Raises NotFound, which says the codes there are."""
    found = selectors.kind_coded(code)
    if found is None:
        known = ", ".join(sorted(kind.code for kind in selectors.kinds() if kind.ends is None))
        raise NotFound(
            f"there is no kind of leave {code!r}; there are: {known or 'none yet, offer them first'}"
        )
    return found


def _person(person_id: UUID) -> UUID:
    if not Person.objects.filter(client_id=current_client_id(), counterparty_id=person_id).exists():
        raise NotFound(f"there is no person {person_id}")
    return person_id


def _booking(booking_id: UUID) -> Booking:
    found = selectors.booking(booking_id)
    if found is None:
        raise NotFound(f"there is no leave {booking_id}")
    return found


def _in_state(row: Booking, state: str) -> None:
    if row.state != state:
        raise Conflict(f"this leave is {row.state} already")


def explained(error: DatabaseError) -> Any:
    """PostgreSQL's refusal as a sentence; anything unforeseen as it came."""
    state = getattr(error.__cause__, "sqlstate", None) or ""
    said = str(error.__cause__).splitlines()[0]
    if state == "ER403":
        return NotPermitted(said)
    if state == "ER409":
        return Conflict(said)
    if state == "23P01":
        return Conflict("this person has leave on some of these days already; cancel that first")
    return error
