"""What is true of leave: the minutes of a day, what a stretch takes, what a year gives, which sickness is
linked.

All of it in minutes. A week's contracted minutes are shared among its working days so that they add up
exactly (`minutes_of_weekday`); a part of a day is in hundredths. Nothing here is rounded twice: an
entitlement is summed over changing terms as a fraction and goes *up* to a minute once, because the law
gives at least so much.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Literal

from engineroom.kernel.rates import PPM
from engineroom.kernel.rounding import ceil_div, half_up

A_DAY = timedelta(days=1)
FULL, HALF = 100, 50
"""A day in hundredths."""

Counts = Literal["work", "pattern", "all"]
"""Which days of a stretch count: working days without public holidays; working days with them (qualifying
days of sickness); every day of the calendar (weeks of parental leave)."""


@dataclass(frozen=True)
class Pattern:
    """Contracted working time from a day until a day. days: bit 0 is Monday; minutes: of a week."""

    starts: date
    ends: date | None
    days: int
    minutes: int

    def covers(self, day: date) -> bool:
        return self.starts <= day and (self.ends is None or day <= self.ends)

    @property
    def days_a_week(self) -> int:
        return self.days.bit_count()


class NoPattern(Exception):
    """Nothing says what somebody works on a day. `day` is the first such day."""

    def __init__(self, day: date) -> None:
        self.day = day
        super().__init__(f"no terms say what is worked on {day}")


@lru_cache(1024)
def minutes_of_weekday(weekday: int, days: int, minutes: int) -> int:
    """A working day's share of the week; the week's shares add up to its minutes. Nought on another day."""
    if not days >> weekday & 1:
        return 0
    number = days.bit_count()
    before = (days & ((1 << weekday) - 1)).bit_count()
    return minutes * (before + 1) // number - minutes * before // number


def pattern_on(day: date, patterns: Iterable[Pattern]) -> Pattern:
    """Raises NoPattern."""
    for pattern in patterns:
        if pattern.covers(day):
            return pattern
    raise NoPattern(day)


# --- what a stretch takes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class DayTaken:
    """One day of a stretch. part: hundredths of a day; minutes: of working time, which may be none."""

    day: date
    minutes: int
    part: int


def days_taken(
    starts: date,
    ends: date,
    patterns: Sequence[Pattern],
    holidays: Collection[date],
    counts: Counts,
    *,
    from_noon: bool = False,
    until_noon: bool = False,
) -> list[DayTaken]:
    """The days that a stretch takes, half of the first or the last where it begins or ends at noon.

    Raises NoPattern for a day that no terms cover.
    """
    found = []
    for offset in range((ends - starts).days + 1):
        day = starts + offset * A_DAY
        pattern = pattern_on(day, patterns)
        works = bool(pattern.days >> day.weekday() & 1)
        if counts != "all" and (not works or (counts == "work" and day in holidays)):
            continue
        part = FULL - HALF * (from_noon and day == starts) - HALF * (until_noon and day == ends)
        of_day = minutes_of_weekday(day.weekday(), pattern.days, pattern.minutes)
        found.append(DayTaken(day, half_up(of_day * part, FULL), part))
    return found


def hours_taken(day: date, minutes: int, patterns: Sequence[Pattern]) -> DayTaken:
    """So many minutes of one day, and the part of it that they are: at most a whole one.

    Raises NoPattern.
    """
    pattern = pattern_on(day, patterns)
    of_day = minutes_of_weekday(day.weekday(), pattern.days, pattern.minutes)
    return DayTaken(day, minutes, min(FULL, half_up(minutes * FULL, of_day)) if of_day else FULL)


def hundredths_of_days(minutes: int, pattern: Pattern) -> int | None:
    """Minutes as days of the person's own week; None for whoever has no hours of their own."""
    if not pattern.minutes:
        return None
    return half_up(minutes * pattern.days_a_week * FULL, pattern.minutes)


# --- what a year gives ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LeaveYear:
    starts: date
    ends: date

    @property
    def days(self) -> int:
        return (self.ends - self.starts).days + 1


def leave_year(day: date, month: int, day_of_month: int) -> LeaveYear:
    """The leave year of a day. day_of_month: at most 28, so that every year has it."""
    starts = date(day.year, month, day_of_month)
    if starts > day:
        starts = starts.replace(year=day.year - 1)
    return LeaveYear(starts, starts.replace(year=starts.year + 1) - A_DAY)


@dataclass(frozen=True)
class Rule:
    """What somebody is entitled to. weeks_ppm: weeks a year; most_days: a year, 0 for no limit.

    accrual: front, all of it on the first day; monthly, a twelfth on the first day of each month of the
    leave year; hours, `accrual_ppm` of the hours worked.
    """

    weeks_ppm: int
    most_days: int
    accrual: Literal["front", "monthly", "hours"]
    accrual_ppm: int
    carry_ppm: int
    """Weeks that go on into the next year at most."""


def entitlement(rule: Rule, year: LeaveYear, patterns: Sequence[Pattern], through: date | None = None) -> int:
    """Minutes that a leave year has given by a day: by the end of it, where none is named.

    Day by day of the terms in it, so starters, leavers and changed hours are in proportion (Working Time
    Regulations 1998 reg. 13(5) and 14(3)). By the month it is a twelfth on each month's first day (reg.
    15A); by the hours worked the hours give it, and this gives nothing.
    """
    if rule.accrual == "hours":
        return 0
    numerator = 0  # minutes x PPM x days
    for pattern in patterns:
        days = _overlap(pattern, year)
        if days and pattern.minutes:
            numerator += _of_a_year(rule, pattern) * days
    whole = PPM * year.days
    if rule.accrual == "monthly" and through is not None:
        months = months_begun(year, through)
        numerator, whole = numerator * months, whole * 12
    return ceil_div(numerator, whole)


def _overlap(pattern: Pattern, year: LeaveYear) -> int:
    first = max(pattern.starts, year.starts)
    last = min(pattern.ends or year.ends, year.ends)
    return max(0, (last - first).days + 1)


def _of_a_year(rule: Rule, pattern: Pattern) -> int:
    """Minutes x PPM of a whole year on this pattern: so many weeks, but not more than so many days."""
    of_weeks = pattern.minutes * rule.weeks_ppm
    if not rule.most_days or not pattern.days_a_week:
        return of_weeks
    return min(of_weeks, pattern.minutes * rule.most_days * PPM // pattern.days_a_week)


def months_begun(year: LeaveYear, through: date) -> int:
    """Months of the leave year whose first day has come: 0 before it, 12 at most."""
    if through < year.starts:
        return 0
    first = year.starts
    months = (through.year - first.year) * 12 + through.month - first.month + (through.day >= first.day)
    return min(12, months)


def accrued_by_hours(rule: Rule, minutes_worked: int) -> int:
    """Leave earned by hours worked, to the nearest minute (reg. 15B)."""
    return half_up(minutes_worked * rule.accrual_ppm, PPM)


@dataclass(frozen=True)
class Carried:
    """What becomes of a year's balance when it ends: what goes on, and what is lost. Together they are it."""

    carried: int
    forfeited: int


def carry_over(rule: Rule, left: int, pattern: Pattern | None) -> Carried:
    """What is left goes on up to the limit; what was taken too much goes on as it is: nobody's debt is
    forgiven."""
    if left <= 0:
        return Carried(left, 0)
    limit = pattern.minutes * rule.carry_ppm // PPM if pattern else 0
    carried = min(left, limit)
    return Carried(carried, left - carried)


def lapsed(carried_in: int, used: int) -> int:
    """Of what was carried into a year, what was not used by its last day: carried leave is taken first."""
    return max(0, carried_in - used)


# --- spells ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    """Sickness of somebody from a day to a day. days: hundredths of qualifying days. key: whose row it is."""

    person: object
    key: object
    first: date
    last: date
    days: int


@dataclass(frozen=True)
class Law:
    """Of a stretch's first day: how long a spell must be to count, and how far apart linked ones may be."""

    least_days: int
    linking_days: int


@dataclass(frozen=True)
class Linked:
    """Of one stretch: its spell's first and last day, the first stretch of its chain, and the chain's days
    before."""

    stretch: Stretch
    spell_first: date
    spell_last: date
    counts: bool
    chain: object
    days_before: int


def linked(stretches: Iterable[Stretch], laws: Iterable[tuple[date, Law]]) -> Iterator[Linked]:
    """Each stretch with its spell and chain, by person and first day.

    Stretches without a day between them are one spell. Spells that count are linked to the one before when
    at most `linking_days` lie between them (SSCBA 1992 s.152); one too short to count is left alone. laws:
    by first day.
    """
    dated = sorted(laws, key=lambda law: law[0])
    ordered = sorted(stretches, key=lambda s: (str(s.person), s.first))
    for _, group in groupby(ordered, key=attrgetter("person")):
        yield from _linked_of(list(group), dated)


def _linked_of(stretches: list[Stretch], laws: list[tuple[date, Law]]) -> Iterator[Linked]:
    chain: Stretch | None = None
    last: date | None = None
    before = 0
    for spell in _spells(stretches):
        first, ends = spell[0].first, spell[-1].last
        length = sum((s.last - s.first).days + 1 for s in spell)
        whole = [length >= _law(laws, s.first).least_days for s in spell]
        for stretch, counts in zip(spell, whole, strict=True):
            if not counts:
                yield Linked(stretch, first, ends, False, stretch.key, 0)
                continue
            gap = _law(laws, stretch.first).linking_days
            if chain is None or last is None or (stretch.first - last).days - 1 > gap:
                chain, before = stretch, 0
            yield Linked(stretch, first, ends, True, chain.key, before)
            before, last = before + stretch.days, stretch.last


def _spells(stretches: Sequence[Stretch]) -> Iterator[list[Stretch]]:
    spell: list[Stretch] = []
    for stretch in stretches:
        if spell and stretch.first > spell[-1].last + A_DAY:
            yield spell
            spell = []
        spell.append(stretch)
    if spell:
        yield spell


def _law(laws: Sequence[tuple[date, Law]], day: date) -> Law:
    found = [law for starts, law in laws if starts <= day]
    return found[-1] if found else laws[0][1]
