"""Holiday: how much of it there is, what of it has been earned, and what a week of it is paid.

Who works the same hours every week has 5.6 weeks a year, at most 28 days (Working Time Regulations 1998 reg.
13 and 13A). Irregular-hours and part-year workers accrue 12.07% of the hours worked, at the end of each pay
period, in leave years that begin on or after 1 April 2024 (reg. 15B); the same percentage of pay for work is
what rolled-up holiday pay is (reg. 16A), and what holiday yet to be taken costs.

A week's holiday is paid at the average of the last 52 *paid* weeks, looking back 104 weeks at most (ERA 1996
s.221 to 224, WTR reg. 16). Largest product: 52 x 10**9 pence x 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engineroom.kernel.money import format_minor
from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import ROUNDINGS, Minor, ceil_div
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.worksheets import Worksheet
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, BadChunk, NumberInput
from engineroom.payroll.engine.steps import (
    Calculation,
    Column,
    RowProblem,
    Step,
    is_nought,
    refuse,
    rows_without,
)

MINUTES_IN_A_WEEK = 7 * 24 * 60
MAX_WEEK_PENCE = 10**9
"""Ten million pounds a week."""

Weeks: TypeAlias = npt.NDArray[np.int64]
"""Amounts by person and week, shape (n, weeks), the latest week first."""


@dataclass(frozen=True)
class Holiday:
    """The table `holiday`."""

    accrual_ppm: int
    rounding: str
    weeks_ppm: int
    most_days: int
    reference_weeks: int
    look_back_weeks: int

    @classmethod
    def of(cls, version: Version) -> Holiday:
        return cls(
            ppm(version["accrual_rate"]),
            version["rounding"],
            ppm(version["weeks"]),
            version["most_days"],
            version["reference_weeks"],
            version["look_back_weeks"],
        )


def holiday_accrued(
    minutes_worked: Column, pay_for_work: Minor, accrues: Column, t: Holiday
) -> tuple[Column, Minor]:
    """Minutes of holiday, and pence of holiday pay, earned in the period; nothing where `accrues` is 0."""
    if is_nought(accrues):
        return accrues, accrues
    rounded = ROUNDINGS[t.rounding]
    minutes: Column = rounded(minutes_worked * t.accrual_ppm, PPM)
    pay: Minor = rounded(pay_for_work * t.accrual_ppm, PPM)
    return accrues * minutes, accrues * pay


def entitlement(
    minutes_a_week: Column, hundredths_of_days_a_week: Column, t: Holiday
) -> tuple[Column, Column]:
    """Minutes of holiday a year, and hundredths of days: 5.6 weeks, but at most 28 days.

    Up to a whole minute or hundredth: the law gives at least 5.6 weeks.
    """
    most = t.most_days * 100
    days = np.minimum(ceil_div(hundredths_of_days_a_week * t.weeks_ppm, PPM), most)
    of_weeks = ceil_div(minutes_a_week * t.weeks_ppm, PPM)
    of_most_days = ceil_div(minutes_a_week * most, hundredths_of_days_a_week)
    return np.minimum(of_weeks, of_most_days), days


def rolled_up(pay_for_work: Minor, t: Holiday) -> tuple[Minor, Minor]:
    """Holiday pay on top of all pay for work done in the period, and both together."""
    pay: Minor = ROUNDINGS[t.rounding](pay_for_work * t.accrual_ppm, PPM)
    return pay, pay_for_work + pay


def average_week(weekly_pay: Weeks, t: Holiday) -> tuple[Minor, Column]:
    """The average of the last 52 paid weeks, and how many there were.

    weekly_pay: pence, shape (n, weeks), the latest week first; a week without pay, or not to be counted
    (sickness or statutory leave), is 0 and is passed over, back to 104 weeks. Fewer paid weeks than 52: their
    average.
    """
    looked_at = weekly_pay[:, : t.look_back_weeks]
    paid = looked_at > 0
    counted = paid & (np.cumsum(paid, axis=1) <= t.reference_weeks)
    weeks: Column = counted.sum(axis=1)
    total: Minor = (looked_at * counted).sum(axis=1)
    rounded: Any = ROUNDINGS[t.rounding]  # takes a column below the line as well
    average: Minor = rounded(total, np.maximum(weeks, 1))
    return average, weeks


def accrued_on_leave(
    weekly_minutes: Weeks, weeks_in_service: Column, minutes_of_leave: Column, t: Holiday
) -> Column:
    """Minutes of holiday an irregular-hours worker accrues in a period of sickness or statutory leave.

    12.07% of average weekly hours over the 52 weeks before, weeks without work *included*, for the weeks of
    leave (reg. 15D and 15E). weekly_minutes: shape (n, weeks), the latest first. weeks_in_service: fewer than
    52 where the employment is shorter. minutes_of_leave: the weeks of leave in minutes (a week is 10,080).
    """
    window = np.arange(weekly_minutes.shape[1]) < np.minimum(weeks_in_service, t.reference_weeks)[:, None]
    worked = (weekly_minutes * window).sum(axis=1)
    over = np.clip(weeks_in_service, 1, t.reference_weeks) * MINUTES_IN_A_WEEK
    rounded: Any = ROUNDINGS[t.rounding]
    minutes: Column = rounded(worked * minutes_of_leave * t.accrual_ppm, over * PPM)
    return minutes


def week_of_holiday(weekly_pay: Weeks, t: Holiday) -> Calculation:
    """`average_week` for whoever's weeks can be believed: the others are problems and get no number.

    columns: week_of_holiday in pence, weeks_counted. A person without a paid week in the last 104 is a
    problem: the law has no average for them.
    """
    if weekly_pay.dtype.kind != "i" or weekly_pay.ndim != 2:
        raise BadChunk("weekly pay is whole pence, a row of weeks for each person, the latest week first")
    wrong = np.argwhere((weekly_pay < 0) | (weekly_pay > MAX_WEEK_PENCE))
    problems = [
        RowProblem(
            row,
            f"week {week + 1}",
            f"{format_minor(int(weekly_pay[row, week]))} is no week's pay",
            "Correct the week",
        )
        for row, week in wrong.tolist()
    ]
    nothing = np.asarray((weekly_pay[:, : t.look_back_weeks] <= 0).all(axis=1))
    nothing[wrong[:, 0]] = False
    no_week = f"no week of the last {t.look_back_weeks} was paid"
    problems += refuse(nothing, "weekly_pay", no_week, "Agree a week's pay and enter it")
    rows = rows_without(problems, len(weekly_pay))
    average, weeks = average_week(weekly_pay[rows], t)
    return Calculation({"week_of_holiday": average, "weeks_counted": weeks}, rows, sorted(problems))


def _no_days(columns: Mapping[str, Column], parameters: Mapping[str, Any]) -> Iterator[RowProblem]:
    in_the_days = columns["hundredths_of_days_a_week"] * (24 * 60) // 100
    problem = "there are more hours than the days of the week have"
    yield from refuse(
        columns["minutes_a_week"] > in_the_days, "minutes_a_week", problem, "Check hours and days"
    )


ENTITLEMENT = Worksheet(
    name="Statutory holiday entitlement",
    numbers={
        "minutes_a_week": NumberInput("minutes", MINUTES_IN_A_WEEK, 0, None),
        "hundredths_of_days_a_week": NumberInput("hundredths", 700, 1, None),
    },
    tables={"holiday": Holiday.of},
    check=_no_days,
    steps=(
        Step(
            "Entitlement",
            entitlement,
            ("minutes_a_week", "hundredths_of_days_a_week"),
            ("holiday_minutes", "holiday_hundredths_of_days"),
            "Working Time Regulations 1998 reg. 13 and 13A",
            "holiday",
        ),
    ),
    units={"holiday_minutes": "minutes", "holiday_hundredths_of_days": "hundredths"},
)

ROLLED_UP = Worksheet(
    name="Rolled-up holiday pay",
    numbers={"pay_for_work": NumberInput("pence", MAX_PAY_PENCE, 0, None)},
    tables={"holiday": Holiday.of},
    steps=(
        Step(
            "Rolled-up holiday pay",
            rolled_up,
            ("pay_for_work",),
            ("holiday_pay", "total"),
            "Working Time Regulations 1998 reg. 16A",
            "holiday",
        ),
    ),
)
