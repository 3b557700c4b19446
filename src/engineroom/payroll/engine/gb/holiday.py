"""Holiday of irregular-hours and part-year workers: 12.07% of the hours worked and of the pay for them.

Working Time Regulations 1998 as amended for leave years that begin on or after 1 April 2024: accrued at the
end of each pay period. The same percentage of pay is what rolled-up holiday pay would be, and what holiday
yet to be taken costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import ROUNDINGS, Minor
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.steps import Column


@dataclass(frozen=True)
class Holiday:
    """The table `holiday`."""

    accrual_ppm: int
    rounding: str

    @classmethod
    def of(cls, version: Version) -> Holiday:
        return cls(ppm(version["accrual_rate"]), version["rounding"])


def holiday_accrued(
    minutes_worked: Column, pay_for_work: Minor, accrues: Column, t: Holiday
) -> tuple[Column, Minor]:
    """Minutes of holiday, and pence of holiday pay, earned in the period; nothing where `accrues` is 0."""
    rounded = ROUNDINGS[t.rounding]
    minutes: Column = rounded(minutes_worked * t.accrual_ppm, PPM)
    pay: Minor = rounded(pay_for_work * t.accrual_ppm, PPM)
    return accrues * minutes, accrues * pay
