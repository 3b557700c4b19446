"""Whose earnings statutory pay is worked out from: the relevant period, and what was paid in it.

It ends with the last normal payday on or before a day, and begins the day after the last normal payday at
least eight weeks before that one (gov.uk; SMP (General) Regulations 1986 reg. 21). For maternity and what
corresponds to it that day is the Saturday of the qualifying week; for sick pay, the last one before the
sickness. The figures are inputs of `parental_pay.WEEK`, `sick_pay.DAYS` and `sick_pay.SPELLS`, which divide
them without rounding: by weeks, or by months x 52 / 12 for whoever is paid by the month.

    found = relevant_period({"until": [day]}, {"person": 0, "payday": days, "pay": amounts})
    WEEK.calculate({"payment": "smp", "week_no": 1, **{n: found.columns[n] for n in EARNINGS_INPUTS}}, tables)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engineroom.kernel.rounding import Minor, half_up
from engineroom.payroll.engine.gb.sick_pay import LAST_DAY, MAX_EARNINGS_PENCE
from engineroom.payroll.engine.inputs import BadChunk, Inputs, NumberInput, Values
from engineroom.payroll.engine.steps import Calculation, Column, RowProblem, refuse, rows_without

EIGHT_WEEKS = 8 * 7
WEEKS_BEFORE_BIRTH = 15
NEVER = -1

PEOPLE = Inputs({"until": NumberInput("days", LAST_DAY, 0, None), "paid_monthly": NumberInput("flag", 1)})
"""Of each person: the last day on which the period's last payday may lie."""

PAYDAYS = Inputs(
    {
        "person": NumberInput("row", 10**9, 0, None),
        "payday": NumberInput("days", LAST_DAY, 0, None),
        "pay": NumberInput("pence", MAX_EARNINGS_PENCE, 0, None),
    }
)
"""Normal paydays, any number of a person: the person's row, the day, and what was earned on it."""


def saturday_of_qualifying_week(expected_birth: Column) -> Column:
    """The end of the 15th week before the week of the expected birth; weeks are Sunday to Saturday."""
    sunday = expected_birth - (expected_birth + 4) % 7  # 1970-01-01 was a Thursday
    return sunday - 7 * WEEKS_BEFORE_BIRTH + 6


def last_payday(person: Column, payday: Column, until: Column) -> Column:
    """Of each person the last payday on or before the day; NEVER where there is none."""
    last = np.full(len(until), NEVER, dtype=np.int64)
    in_time = payday <= until[person]
    np.maximum.at(last, person[in_time], payday[in_time])
    return last


def paid_within(person: Column, payday: Column, pay: Minor, after: Column, until: Column) -> Minor:
    """Of each person what was paid after one day and until another."""
    earnings = np.zeros(len(until), dtype=np.int64)
    inside = (payday > after[person]) & (payday <= until[person])
    np.add.at(earnings, person[inside], pay[inside])
    return earnings


def relevant_period(people: Mapping[str, Values], paydays: Mapping[str, Values]) -> Calculation:
    """Of each person `relevant_earnings`, `relevant_periods` (weeks, or months) and `paid_monthly`.

    And `period_after` and `period_until`: the paydays between which the period lies. A person whose paydays
    do not reach back eight weeks is a problem and gets no number. Raises BadChunk.
    """
    columns, problems, n = PEOPLE.read(people)
    rows_of, found, _ = PAYDAYS.read(paydays)
    person, payday = rows_of["person"], rows_of["payday"]
    if len(person) and not 0 <= int(person.min()) <= int(person.max()) < n:
        raise BadChunk(f"a payday names person {int(person.min())} to {int(person.max())} of {n}")
    problems += [p._replace(row=int(person[p.row]), field=f"payday {p.row}, {p.field}") for p in found]
    until = last_payday(person, payday, columns["until"])
    after = last_payday(person, payday, until - EIGHT_WEEKS)
    earnings = paid_within(person, payday, rows_of["pay"], after, until)
    said = {p.row for p in problems}
    problems += [p for p in _no_period(after, until, columns["paid_monthly"], earnings) if p.row not in said]
    rows = rows_without(problems, n)
    days = until - after
    months = half_up(12 * 4 * days, 4 * 365 + 1)
    columns |= {
        "period_after": after,
        "period_until": until,
        "relevant_earnings": earnings,
        "relevant_periods": np.where(columns["paid_monthly"] == 1, months, days // 7),
    }
    return Calculation({name: c[rows] for name, c in columns.items()}, rows, sorted(set(problems)))


def _no_period(after: Column, until: Column, paid_monthly: Column, earnings: Minor) -> Iterator[RowProblem]:
    none, short = until == NEVER, (until != NEVER) & (after == NEVER)
    yield from refuse(none, "until", "no payday lies on or before it", "Give the paydays before it")
    problem = "the paydays do not reach back eight weeks before the last one"
    remedy = "Give the paydays before; for whoever was not employed so long, work the average out by hand"
    yield from refuse(short, "until", problem, remedy)
    known = ~none & ~short
    odd = known & (paid_monthly == 0) & ((until - after) % 7 != 0)
    problem = "between its first and its last payday lie no whole weeks"
    remedy = "Give the normal paydays, not the days to which pay was moved"
    yield from refuse(odd, "until", problem, remedy)
    too_much = known & ~odd & (earnings > MAX_EARNINGS_PENCE)
    yield from refuse(too_much, "until", "more was paid in the period than one person can have", "Check it")
