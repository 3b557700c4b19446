"""How promises were kept in a span of days: every figure is a list of cases, and opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from engineroom.quality.clocks import MOST_CASES, OFFICE, CaseClock, clocks, terms_of
from engineroom.sop.models import Case
from engineroom.sop.sla import State

SHOWS: dict[str, Callable[[CaseClock], bool]] = {
    "on-time": lambda c: c.reading.state is State.MET,
    "late": lambda c: c.reading.state is State.BREACHED,
    "cancelled": lambda c: c.reading.state is State.CANCELLED,
    "first-time-right": lambda c: c.row.state == "done" and c.reworks == 0,
    "reworked": lambda c: c.reworks > 0,
    "waited": lambda c: c.reading.paused_s > 0,
    "skipped": lambda c: c.skipped > 0,
}
"""What each figure of the card counts, by the word in its address."""


@dataclass(frozen=True)
class Scorecard:
    """Cases that ended from `first` to `last`, both included, in the client's own days."""

    first: date
    last: date
    cases: list[CaseClock]
    started: int
    without_promise: int
    not_counted: int

    def of(self, show: str) -> list[CaseClock]:
        return [case for case in self.cases if SHOWS[show](case)] if show else self.cases

    def count(self, show: str) -> int:
        return len(self.of(show))

    @property
    def finished(self) -> int:
        """Ended by being done: cancelled cases are no success and no failure."""
        return self.count("on-time") + self.count("late")

    @property
    def on_time_percent(self) -> int | None:
        return _percent(self.count("on-time"), self.finished)

    @property
    def right_percent(self) -> int | None:
        return _percent(self.count("first-time-right"), self.finished)

    @property
    def reworks(self) -> int:
        return sum(case.reworks for case in self.cases)

    @property
    def worked_s(self) -> int:
        """Working time on the firm's side, all cases together."""
        return sum(case.reading.elapsed_s for case in self.cases)

    @property
    def waited_s(self) -> int:
        """Working time in which the client was waited for."""
        return sum(
            case.clock.hours.between(p.start, p.end if p.end is not None else case.clock.last)
            for case in self.cases
            for p in case.clock.pauses
        )


def _percent(part: int, whole: int) -> int | None:
    """Rounded down: 99.6 % on time is not all of it."""
    return part * 100 // whole if whole else None


def month_of(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def scorecard(client_id: UUID, first: date, last: date) -> Scorecard:
    """The card of a client. What ended at 23:30 there ended that day there."""
    terms = terms_of(client_id)
    zone = ZoneInfo(terms.hours[-1][1].zone if terms.hours else OFFICE.zone)
    start = datetime.combine(first, time(), zone)
    end = datetime.combine(last + timedelta(days=1), time(), zone)
    ended = Case.objects.filter(client_id=client_id, ended_at__gte=start, ended_at__lt=end)
    started = Case.objects.filter(client_id=client_id, started_at__gte=start, started_at__lt=end).count()
    rows = list(ended.order_by("-ended_at", "-id")[: MOST_CASES + 1])
    found = clocks(rows[:MOST_CASES], terms)
    not_counted = max(0, ended.count() - MOST_CASES) if len(rows) > MOST_CASES else 0
    return Scorecard(first, last, found, started, min(len(rows), MOST_CASES) - len(found), not_counted)
