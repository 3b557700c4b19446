"""Questions about weeks as workers enter them: which there are, and what the rules make of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.periods import week_ending
from engineroom.timesheets import engine
from engineroom.timesheets.models import Assignment, EnteredDay, Timesheet

WEEKS_BACK = 5
"""How many weeks before this one somebody may still enter: what is older goes through the office."""


def minutes_between(starts: time, ends: time) -> int:
    """From one to the other; to the next morning, where the end is not after the start."""
    worked = (ends.hour - starts.hour) * 60 + ends.minute - starts.minute
    return worked if worked > 0 else worked + 24 * 60


@dataclass(frozen=True)
class DayEntered:
    """A day as it was entered."""

    day: date
    minutes: int
    starts: time | None
    ends: time | None
    break_minutes: int
    note: str

    @property
    def words(self) -> str:
        """From when until when, where that was said."""
        if self.starts is None or self.ends is None:
            return ""
        pause = f", break {self.break_minutes} min" if self.break_minutes else ""
        return f"{self.starts:%H:%M} to {self.ends:%H:%M}{pause}"


@dataclass(frozen=True)
class WeekView:
    """A week with its days, whose it is and where."""

    id: UUID
    assignment_id: UUID
    week_ending: date
    state: str
    code: str
    role: str
    customer_code: str
    customer: str
    payroll_number: str
    name: str
    days: tuple[DayEntered, ...]

    @property
    def minutes(self) -> int:
        return sum(day.minutes for day in self.days)

    @property
    def content(self) -> str:
        """What stands in it, as a hash: whoever sends or answers it says what they saw."""
        return content_of(self.days)


def content_of(days: Iterable[DayEntered]) -> str:
    lines = "\n".join(f"{d.day}|{d.minutes}|{d.starts or ''}|{d.ends or ''}|{d.break_minutes}" for d in days)
    return hashlib.sha256(lines.encode()).hexdigest()


WEEKS = """
SELECT w.id, w.assignment_id, w.week_ending, w.state, a.code, a.role, k.code, k.name, p.payroll_number, p.name
FROM timesheets_enteredweek w
JOIN timesheets_assignment a ON a.client_id = w.client_id AND a.id = w.assignment_id
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
JOIN people_person p ON p.client_id = w.client_id AND p.id = w.person_id
WHERE w.client_id = %(client)s AND {which}
ORDER BY w.week_ending DESC, k.name, p.payroll_number COLLATE "C", a.code
"""


def _weeks(which: str, **values: Any) -> list[WeekView]:
    client_id = current_client_id()
    with connection.cursor() as cursor:
        cursor.execute(WEEKS.format(which=which), {"client": client_id, **values})
        heads: list[tuple[Any, ...]] = cursor.fetchall()
    days: dict[UUID, list[DayEntered]] = {head[0]: [] for head in heads}
    for row in EnteredDay.objects.filter(client_id=client_id, week_id__in=list(days)).order_by("day"):
        days[row.week_id].append(
            DayEntered(row.day, row.minutes, row.starts, row.ends, row.break_minutes, row.note)
        )
    return [WeekView(*(*head, tuple(days[head[0]]))) for head in heads]


def week(week_id: UUID) -> WeekView | None:
    return next(iter(_weeks("w.id = %(id)s", id=week_id)), None)


def week_of(assignment_id: UUID, ending: date) -> WeekView | None:
    which = "w.assignment_id = %(assignment)s AND w.week_ending = %(ending)s"
    return next(iter(_weeks(which, assignment=assignment_id, ending=ending)), None)


def waiting() -> list[WeekView]:
    """What workers sent and nobody has answered for, newest week first."""
    return _weeks("w.state IN ('sent', 'asked')")


def weeks_with(ids: Iterable[UUID]) -> list[WeekView]:
    return _weeks("w.id = ANY(%(ids)s)", ids=list(ids))


def answered(limit: int = 50) -> list[WeekView]:
    return _weeks("w.state = 'answered'")[:limit]


@dataclass(frozen=True)
class Placed:
    """A week of one of my placements: entered or not. state: empty where nothing is; taken where the hours
    came in otherwise."""

    assignment_id: UUID
    code: str
    role: str
    customer: str
    week_ending: date
    state: str
    minutes: int


MY_PLACEMENTS = """
SELECT a.id, a.code, a.role, k.name, a.starts, a.ends FROM timesheets_assignment a
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
WHERE a.client_id = %s AND a.person_id = %s AND a.starts <= %s AND (a.ends IS NULL OR a.ends >= %s)
ORDER BY k.name, a.code
"""


def my_weeks(person_id: UUID, today: date) -> list[Placed]:
    """This week and those before that may still be entered, newest first, for each placement."""
    client_id, last = current_client_id(), week_ending(today)
    endings = [last - timedelta(days=7 * n) for n in range(WEEKS_BACK + 1)]
    first = endings[-1] - timedelta(days=6)
    with connection.cursor() as cursor:
        cursor.execute(MY_PLACEMENTS, [client_id, person_id, last, first])
        placements = cursor.fetchall()
    mine = _weeks("w.person_id = %(person)s AND w.week_ending >= %(first)s", person=person_id, first=first)
    entered = {(w.assignment_id, w.week_ending): w for w in mine}
    sheets = Timesheet.objects.filter(client_id=client_id, week_ending__gte=first)
    taken = set(sheets.values_list("assignment_id", "week_ending"))
    found = []
    for ending in endings:
        for id, code, role, customer, starts, ends in placements:
            if starts > ending or (ends is not None and ends < ending - timedelta(days=6)):
                continue
            one = entered.get((id, ending))
            state = one.state if one else "taken" if (id, ending) in taken else ""
            found.append(Placed(id, code, role, customer, ending, state, one.minutes if one else 0))
    return found


@dataclass(frozen=True)
class Made:
    """What hours of one kind come to. Minor units; rate: an hour."""

    day: date
    kind: str
    minutes: int
    rate: int
    amount: int


def made_of(assignment_id: UUID, days: Sequence[DayEntered]) -> list[Made]:
    """What the rules make of a week's days, in the worker's view: what is paid. Days that no rate covers are
    left out, and whoever asks says so (`without_rate`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM app_pay_rates(%s)", [assignment_id])
        rates = cursor.fetchall()
    covered = [(d, rate) for d in days if (rate := _rate_on(rates, d.day)) is not None]
    if not covered:
        return []
    n = len(covered)

    def column(at: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        return np.array([rate[at] for _, rate in covered], dtype=np.int64)

    worked = engine.HourColumns(
        timesheet=np.zeros(n, dtype=np.int64),
        day=np.array([d.day for d, _ in covered], dtype="datetime64[D]"),
        minutes=np.array([d.minutes for d, _ in covered], dtype=np.int64),
        pay_rate=column(0),
        bill_rate=np.zeros(n, dtype=np.int64),
        overtime_ppm=column(1),
        weekend_ppm=column(2),
        threshold=column(3),
    )
    made = engine.interpret(worked)
    parts = zip(
        made.entry.tolist(),
        made.kind.tolist(),
        made.minutes.tolist(),
        made.pay_rate.tolist(),
        made.pay_amount.tolist(),
        strict=True,
    )
    return [
        Made(covered[entry][0].day, engine.KINDS[kind], minutes, rate, amount)
        for entry, kind, minutes, rate, amount in parts
    ]


def _rate_on(
    rates: Sequence[tuple[date, date | None, int, int, int, int]], day: date
) -> tuple[int, ...] | None:
    for starts, ends, *values in rates:
        if starts <= day and (ends is None or day <= ends):
            return tuple(values)
    return None


def assignment_of(assignment_id: UUID) -> Assignment | None:
    """With its customer; of the scope's client, and from one's own face one's own."""
    rows = Assignment.objects.filter(client_id=current_client_id(), id=assignment_id)
    return rows.select_related("customer", "person").first()


def entered_elsewhere(person_id: UUID, ending: date, week_id: UUID | None) -> list[DayEntered]:
    """What somebody entered for the same days on other placements."""
    rows = EnteredDay.objects.filter(
        client_id=current_client_id(), person_id=person_id, day__range=(ending - timedelta(days=6), ending)
    )
    return [
        DayEntered(r.day, r.minutes, r.starts, r.ends, r.break_minutes, r.note)
        for r in rows.exclude(week_id=week_id)
    ]


def is_taken(assignment_id: UUID, ending: date) -> bool:
    return Timesheet.objects.filter(
        client_id=current_client_id(), assignment_id=assignment_id, week_ending=ending
    ).exists()


def mine(person_id: UUID, limit: int = 60) -> list[WeekView]:
    return _weeks("w.person_id = %(person)s", person=person_id)[:limit]
