"""Calendars: which days are banking days, and counting by them.

A calendar is a set of dated holidays of one division, with its source. It knows the years it covers and
refuses to answer outside them: a silent "not a holiday" in an unknown year would pay people late.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources

from engineroom.kernel.errors import EngineroomError

WEEKEND = frozenset((5, 6))
"""Saturday and Sunday, as `date.weekday` counts."""


class CalendarNotKnown(EngineroomError):
    """The calendar has no holidays for that year; a newer table must be added."""


@dataclass(frozen=True)
class Calendar:
    """Days on which banks of a division are open: not of the weekend, not a listed holiday. weekend: the
    days of the week on which they rest, which are not Saturday and Sunday everywhere."""

    division: str
    holidays: dict[date, str]
    first_year: int
    last_year: int
    source: str
    weekend: frozenset[int] = WEEKEND

    def is_banking_day(self, day: date) -> bool:
        if not self.first_year <= day.year <= self.last_year:
            raise CalendarNotKnown(
                f"{self.division} holidays are known {self.first_year} to {self.last_year}, not for {day}"
            )
        return day.weekday() not in self.weekend and day not in self.holidays

    def on_or_before(self, day: date) -> date:
        """The day itself when banks are open, else the last one before it."""
        while not self.is_banking_day(day):
            day -= timedelta(days=1)
        return day

    def on_or_after(self, day: date) -> date:
        while not self.is_banking_day(day):
            day += timedelta(days=1)
        return day

    def add(self, day: date, banking_days: int) -> date:
        """So many banking days after (before, when negative) the day, which need not be one itself."""
        step = timedelta(days=1 if banking_days > 0 else -1)
        for _ in range(abs(banking_days)):
            day += step
            while not self.is_banking_day(day):
                day += step
        return day


@cache
def calendar(division: str) -> Calendar:
    """The calendar of a division of rules/bank_holidays.csv: ENG (with Wales, and Bacs), SCT, NIR."""
    text = resources.files("engineroom.kernel").joinpath("rules/bank_holidays.csv").read_text("utf-8")
    rows = [r for r in csv.DictReader(text.splitlines()) if r["division"] == division]
    if not rows:
        raise CalendarNotKnown(f"there is no calendar for {division!r}")
    holidays = {date.fromisoformat(r["date"]): r["name"] for r in rows}
    years = sorted(d.year for d in holidays)
    return Calendar(division, holidays, years[0], years[-1], rows[0]["source"])
