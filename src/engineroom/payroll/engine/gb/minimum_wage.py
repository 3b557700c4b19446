"""The minimum wage check: pay that counts, over the hours of one pay reference period.

The rate is that of the age on the first day of the period (a birthday or a new rate inside it counts from the
next one), or the apprentice rate. What the employer takes for accommodation above the daily offset does not
count as paid (National Minimum Wage Regulations 2015 reg. 4 to 6A and 16). Largest product: 10**11 pence x
60.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.kernel.rounding import Minor, ceil_div
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.inputs import MAX_MINUTES
from engineroom.payroll.engine.gb.sick_pay import LAST_DAY, day_number
from engineroom.payroll.engine.gb.worksheets import Worksheet
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, NumberInput
from engineroom.payroll.engine.steps import Column, RowProblem, Step, refuse


@dataclass(frozen=True)
class MinimumWage:
    """The table `minimum_wage`, pence."""

    from_age: Column
    hourly: Column
    apprentice_hourly: int
    apprentice_below: int
    accommodation_daily: int
    starts: int  # day numbers: of the periods it is for
    ends: int

    @classmethod
    def of(cls, version: Version) -> MinimumWage:
        ages = version["ages"]
        return cls(
            np.array([band["from"] for band in ages], dtype=np.int64),
            np.array([band["hourly_pence"] for band in ages], dtype=np.int64),
            version["apprentice_hourly_pence"],
            version["apprentice_below"],
            version["accommodation_daily_pence"],
            day_number(version.starts),
            day_number(version.ends) if version.ends else LAST_DAY,
        )


def age_on(born_on: Column, day: Column) -> Column:
    """Whole years, from day numbers; born on 29 February, a year older on 1 March."""
    born, on = born_on.astype("datetime64[D]"), day.astype("datetime64[D]")
    months = on.astype("datetime64[M]").astype(np.int64) - born.astype("datetime64[M]").astype(np.int64)
    day_of_month = (on - on.astype("datetime64[M]")).astype(np.int64)
    born_day_of_month = (born - born.astype("datetime64[M]")).astype(np.int64)
    age: Column = (months - (day_of_month < born_day_of_month)) // 12
    return age


def hourly_rate(age: Column, apprentice: Column, first_year: Column, t: MinimumWage) -> Minor:
    """The rate of the age; an apprentice's under the age given in the table, or in the first year."""
    band = np.searchsorted(t.from_age, age, side="right") - 1
    as_apprentice = (apprentice == 1) & ((age < t.apprentice_below) | (first_year == 1))
    rate: Minor = np.where(as_apprentice, t.apprentice_hourly, t.hourly[band])
    return rate


def pay_that_counts(pay: Minor, accommodation: Minor, accommodation_days: Column, t: MinimumWage) -> Minor:
    """Pay less what accommodation costs above the offset of its days."""
    counted: Minor = pay - np.maximum(accommodation - accommodation_days * t.accommodation_daily, 0)
    return counted


def arrears(counted: Minor, minutes: Column, rate: Minor) -> tuple[Minor, Minor]:
    """The least pay for the time, up to a penny, and what is missing of it."""
    least = ceil_div(minutes * rate, 60)
    return least, np.maximum(least - counted, 0)


def _has_a_rate(columns: Mapping[str, Column], parameters: Mapping[str, Any]) -> Iterator[RowProblem]:
    """The rates are those of the day on which the period begins, and nobody is too young for them."""
    t: MinimumWage = parameters["minimum_wage"]
    for row in np.flatnonzero((columns["period_starts"] < t.starts) | (columns["period_starts"] > t.ends)):
        begins, first = (np.datetime64(int(day), "D") for day in (columns["period_starts"][row], t.starts))
        problem = f"the period begins on {begins}, the rates are those from {first}"
        yield RowProblem(int(row), "period_starts", problem, "Take the table of the day on which it begins")
    youngest = int(t.from_age[0])
    age = age_on(columns["born_on"], columns["period_starts"])
    problem = f"under {youngest} there is no minimum wage"
    yield from refuse(age < youngest, "born_on", problem, "Check the day of birth")


CHECK = Worksheet(
    name="Minimum wage of a pay reference period",
    numbers={
        "born_on": NumberInput("days", 10**5, -(10**5), None),
        "period_starts": NumberInput("days", 10**5, 0, None),
        "pay": NumberInput("pence", MAX_PAY_PENCE, 0, None),
        "minutes": NumberInput("minutes", MAX_MINUTES, 0, None),
        "apprentice": NumberInput("flag", 1),
        "apprentice_first_year": NumberInput("flag", 1),
        "accommodation": NumberInput("pence", MAX_PAY_PENCE),
        "accommodation_days": NumberInput("days", 366),
    },
    tables={"minimum_wage": MinimumWage.of},
    check=_has_a_rate,
    steps=(
        Step("Age", age_on, ("born_on", "period_starts"), ("age",), "NMW Regulations 2015 reg. 4B"),
        Step(
            "Hourly rate",
            hourly_rate,
            ("age", "apprentice", "apprentice_first_year"),
            ("hourly_rate",),
            "NMW Regulations 2015 reg. 4 to 5",
            "minimum_wage",
        ),
        Step(
            "Pay that counts",
            pay_that_counts,
            ("pay", "accommodation", "accommodation_days"),
            ("pay_that_counts",),
            "NMW Regulations 2015 reg. 14 to 16",
            "minimum_wage",
        ),
        Step(
            "Least pay and arrears",
            arrears,
            ("pay_that_counts", "minutes", "hourly_rate"),
            ("least_pay", "arrears"),
            "National Minimum Wage Act 1998 s.17",
        ),
    ),
    units={"age": "years"},
)
