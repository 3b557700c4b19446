"""What salaries pay in a period: the whole of it to who is there all of it, a part by days or hours to who
is not.

A row is a stretch of terms of one person. The part of each is `proration.prorate`'s to say; here stands what
it is asked: which days of the period a stretch has, and what a full period at its salary pays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.groups import begin_of, sum_before
from engineroom.payroll.engine.proration import BASES, Days, Prorated, days_within, prorate
from engineroom.payroll.engine.steps import Column


@dataclass(frozen=True, eq=False)
class Stretches:
    """Salaries of a period, shape (n,); rows of one person stand together, in order of time.

    person: whose, ascending. annual: minor units a year. first, last: days of the terms, cut to the period.
    weekdays: a working pattern (Monday 1, Tuesday 2, ...). minutes: contracted a week.
    """

    person: Column
    annual: Minor
    first: Days
    last: Days
    weekdays: Column
    minutes: Column


def salaries(of: Stretches, starts: date, ends: date, basis: str, periods_in_year: int) -> Prorated:
    """Each stretch's pay in the period from starts to ends. Raises ValueError for a basis that is none.

    A full period pays the year's salary divided by its periods, to the nearest penny.
    """
    n = len(of.person)
    begins, closes = np.full(n, starts, "datetime64[D]"), np.full(n, ends, "datetime64[D]")
    full = (2 * of.annual + periods_in_year) // (2 * periods_in_year)
    counts = BASES[basis].counts if basis in BASES else ""
    every_day = np.full(n, 127, dtype=np.int64)
    pattern = every_day if counts == "calendar days" else of.weekdays
    units, whole = days_within(of.first, of.last, pattern), days_within(begins, closes, pattern)
    group = _of_one_pattern(of.person, pattern, of.minutes if counts == "minutes" else every_day)
    if counts == "minutes":
        units, whole = _minutes(units, of, group), _minutes_of(whole, of)
    done = prorate(group, full, units, whole, basis, periods_in_year=periods_in_year)
    return Prorated(done.pay, done.problems)


def _of_one_pattern(person: Column, *parts_of_what: Column) -> Column:
    """Stretches that are parts of one and the same whole: another working pattern begins another one."""
    new = np.zeros(len(person), dtype=np.int64)
    for column in (person, *parts_of_what):
        new[1:] |= column[1:] != column[:-1]
    return np.cumsum(new)


def _minutes_of(days: Column, of: Stretches) -> Column:
    """Contracted minutes of so many working days, cut to whole ones."""
    a_week = np.maximum(np.bitwise_count(of.weekdays).astype(np.int64), 1)
    return days * of.minutes // a_week


def _minutes(days: Column, of: Stretches, group: Column) -> Column:
    """Minutes of each stretch, so that those of a whole period are the period's, however it is cut."""
    through = _minutes_of(sum_before(days, group) + days, of)
    before = np.where(np.arange(len(group)) == begin_of(group), 0, np.roll(through, 1))
    return through - before
