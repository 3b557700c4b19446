"""Part of a period's pay: who starts, leaves, changes pay or takes unpaid leave within a pay period.

A *basis* says what is counted and what it is a part of. The first three take the part that the counted units
are of those of the pay period; the others pay so many parts of a year, however long the period is:

    calendar_days   days of the calendar
    working_days    days of the person's working pattern; bank holidays are among them, as they are paid
    hours           contracted minutes
    260ths          working days, each 1/260 of a year's pay; a full period is the period's pay
    365ths          calendar days, each 1/365 of a year's pay; a full period is the period's pay

Rounding is half up to a penny. *Residue*: within a period the running total is rounded, and each stretch
takes what it adds to the total before it. So the parts of a full period at one rate are the whole, to the
penny, in whatever way it was cut, and the penny left over falls into the later stretch. Stretches at 260ths
that together are a full period are taken as parts of the period, since a year's would come to another sum.

No basis is law in Great Britain: the contract says which. Largest product: 10**11 pence x 527,040
minutes x 2, which is 1.1e17, below 2**63.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.groups import begin_of, sum_before
from engineroom.payroll.engine.steps import Column, RowProblem, refuse

Days = npt.NDArray[np.datetime64]
"""Days, datetime64[D], shape (n,)."""

MAX_PAY_PENCE = 10**11
MAX_UNITS = 366 * 24 * 60
EVERY_DAY = 0b1111111
MONDAY_TO_FRIDAY = 0b0011111
"""A working pattern is a set of weekdays: Monday 1, Tuesday 2, Wednesday 4 and so on, added."""


@dataclass(frozen=True, slots=True)
class Basis:
    """parts_of_year: None, where the period's own units are what a part is of."""

    counts: str
    parts_of_year: int | None = None


BASES: dict[str, Basis] = {
    "calendar_days": Basis("calendar days"),
    "working_days": Basis("working days"),
    "hours": Basis("minutes"),
    "260ths": Basis("working days", 260),
    "365ths": Basis("calendar days", 365),
}


class Prorated(NamedTuple):
    """pay: each stretch's part, pence; nought in the rows with problems, which have no number."""

    pay: Minor
    problems: list[RowProblem]


def days_within(first: Days, last: Days, weekdays: Column) -> Column:
    """Days of the pattern from first to last, both included; nought where last is before first."""
    days = np.zeros(len(first), dtype=np.int64)
    for pattern in np.unique(weekdays).tolist():
        if 0 < pattern <= EVERY_DAY:
            rows = weekdays == pattern
            mask = [bool(pattern >> weekday & 1) for weekday in range(7)]
            days[rows] = np.busday_count(first[rows], last[rows] + np.timedelta64(1, "D"), weekmask=mask)
    return np.maximum(days, 0)


def employed_within(period_first: Days, period_last: Days, starts: Days, ends: Days) -> tuple[Days, Days]:
    """The part of the pay period in which somebody is employed. ends: NaT for who does not leave.

    Who is not employed in it at all gets a last day before the first, and so no units.
    """
    ends = np.where(np.isnat(ends), period_last, ends)
    return np.maximum(period_first, starts), np.minimum(period_last, ends)


def prorate(
    person: Column,
    pay_of_period: Minor,
    units: Column,
    units_of_period: Column,
    basis: str,
    *,
    periods_in_year: int = 12,
) -> Prorated:
    """Each stretch's pay. A row is a stretch; rows of one person stand together, in order of time.

    person: whose stretch it is, ascending. pay_of_period: what a full period at the rate of the stretch pays,
    pence; after a raise the next stretch has another. units: as the basis counts them; units_of_period: those
    of the whole pay period. periods_in_year: pay periods, for bases that take parts of a year.
    """
    of = BASES.get(basis)
    if of is None:
        raise ValueError(f"there is no basis {basis!r}; bases are {', '.join(BASES)}")
    problems = _problems(person, pay_of_period, units, units_of_period, of)
    good = ~np.isin(person, person[[p.row for p in problems]]) if problems else np.ones(len(person), bool)
    pay = np.zeros(len(person), dtype=np.int64)
    if good.any():
        who, full_pay, counted, whole = (c[good] for c in (person, pay_of_period, units, units_of_period))
        pay[good] = _parts(who, full_pay, counted, whole, of.parts_of_year, periods_in_year)
    return Prorated(pay, problems)


def _parts(
    person: Column,
    pay: Minor,
    units: Column,
    units_of_period: Column,
    parts_of_year: int | None,
    periods_in_year: int,
) -> Minor:
    begins = begin_of(person)
    if parts_of_year is None:
        numerator, denominator = pay * units, units_of_period
    else:
        whole = np.zeros_like(units)
        np.add.at(whole, begins, units)
        full = whole[begins] == units_of_period
        numerator = pay * units * np.where(full, 1, periods_in_year)
        denominator = np.where(full, units_of_period, parts_of_year)
    total = sum_before(numerator, person) + numerator
    rounded = (2 * total + denominator) // (2 * denominator)
    before = np.where(np.arange(len(person)) == begins, 0, np.roll(rounded, 1))
    return rounded - before


def _problems(
    person: Column, pay: Minor, units: Column, units_of_period: Column, basis: Basis
) -> list[RowProblem]:
    what = basis.counts
    counted = np.clip(units, 0, MAX_UNITS)
    within = sum_before(counted, person) + counted
    checks = (
        ("person", np.diff(person, prepend=person[:1]) < 0, "the rows of a person do not stand together",
         "Sort the stretches by person and day"),
        ("pay_of_period", pay < 0, "pay of a period is below zero", "Correct the pay"),
        ("pay_of_period", pay > MAX_PAY_PENCE, "pay of a period is more than one person can have",
         "Check the amount and its decimal point"),
        ("units_of_period", units_of_period < 1, f"the pay period has no {what} to take a part of",
         "Give the person's working pattern, or another basis"),
        ("units_of_period", units_of_period > MAX_UNITS, f"a year has fewer {what}", "Check the period"),
        ("units", units < 0, f"a number of {what} below zero", "Give nought or more"),
        ("units", (units >= 0) & (units_of_period >= 1) & (within > units_of_period),
         f"the stretches have more {what} than the pay period",
         "Check that they lie in it and do not overlap"),
    )  # fmt: skip
    return sorted(
        row for field, wrong, problem, remedy in checks for row in refuse(wrong, field, problem, remedy)
    )
