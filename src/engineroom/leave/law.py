"""What the law of a client's country says of leave, from dated tables. A country is added by adding its
three files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from engineroom.kernel.calendar import calendar
from engineroom.kernel.errors import NotFound
from engineroom.kernel.rates import ppm
from engineroom.kernel.tables import DatedTable, load_table
from engineroom.leave.engine import Counts, Law

PACKAGE = "engineroom.leave"
COUNTRIES = ("gb",)


@dataclass(frozen=True)
class ReadyKind:
    """A kind of leave as the law of a country has it."""

    code: str
    label: str
    unit: str
    element: str = ""
    payment: str = ""
    entitles: bool = False
    needs_approval: bool = False
    own: bool = False
    counts: Counts = "work"
    spells: bool = False
    private: bool = False


@dataclass(frozen=True)
class Entitlement:
    """What the law gives at least."""

    weeks_ppm: int
    most_days: int
    accrual_ppm: int
    carry_ppm: int
    source: str


def _table(jurisdiction: str, name: str) -> DatedTable:
    if jurisdiction not in COUNTRIES:
        raise NotFound(f"there are no ready kinds of leave for {jurisdiction!r}: add kinds of your own")
    return load_table(PACKAGE, f"{jurisdiction}_{name}")


def ready_kinds(jurisdiction: str, day: date) -> list[ReadyKind]:
    """Raises NotFound for a country without them."""
    return [ReadyKind(**row) for row in _table(jurisdiction, "kinds").at(day)["kinds"]]


def least_entitlement(jurisdiction: str, day: date) -> Entitlement:
    v = _table(jurisdiction, "entitlement").at(day)
    return Entitlement(
        ppm(v["weeks"]), v["most_days"], ppm(v["accrual_rate"]), ppm(v["carry_weeks"]), v.source
    )


@cache
def spell_laws(jurisdiction: str) -> tuple[tuple[date, Law], ...]:
    """How sickness is linked, by the day from which it is so. A country without a table links nothing."""
    if jurisdiction not in COUNTRIES:
        return ((date.min, Law(1, 0)),)
    versions = _table(jurisdiction, "sickness").versions
    return tuple((v.starts, Law(v["days_of_a_spell"], v["linking_days"])) for v in versions)


def self_certified_days(jurisdiction: str, day: date) -> int | None:
    """Days of a spell for which nobody's certificate but one's own is wanted; None where no table says it."""
    if jurisdiction not in COUNTRIES:
        return None
    table = _table(jurisdiction, "sickness")
    return int(max(table.versions, key=lambda v: (v.starts <= day, v.starts))["self_certified_days"])


def holidays_between(division: str, first: date, last: date) -> Collection[date]:
    """Public holidays of a division of the kernel's calendar; none where no division is named.

    Raises CalendarNotKnown for a year that the calendar does not know: it would count a holiday as leave.
    """
    if not division:
        return frozenset()
    known = calendar(division)
    for day in (first, last):
        known.is_banking_day(day)  # says so where the year is unknown
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return frozenset(day for day in days if day in known.holidays)
