"""Periods: tax years, tax weeks and tax months.

Great Britain: the tax year starts on 6 April; tax week 1 is 6 to 12 April, tax month 1 is 6 April to 5 May,
and the *pay date* decides (facts/gb.md section 1.3; HMRC CWG2). Week 53 is the 365th day, and the 366th of a
leap year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache


@dataclass(frozen=True, slots=True, order=True)
class GbTaxYear:
    """The tax year that starts on 6 April of `start_year`."""

    start_year: int

    @classmethod
    def of(cls, pay_date: date) -> GbTaxYear:
        return cls(pay_date.year if (pay_date.month, pay_date.day) >= (4, 6) else pay_date.year - 1)

    @classmethod
    def parse(cls, name: str) -> GbTaxYear:
        """From "2026-27". Raises ValueError for anything else."""
        start, _, end = name.partition("-")
        known = len(start) == 4 and start.isascii() and start.isdigit() and int(start) > 0
        if not (known and end == f"{(int(start) + 1) % 100:02d}"):
            raise ValueError(f"{name!r} is not a tax year such as 2026-27")
        return cls(int(start))

    @property
    def first_day(self) -> date:
        return date(self.start_year, 4, 6)

    @property
    def last_day(self) -> date:
        return date(self.start_year + 1, 4, 5)

    def __str__(self) -> str:
        return f"{self.start_year}-{(self.start_year + 1) % 100:02d}"


def gb_tax_week(pay_date: date) -> int:
    """1 to 53."""
    return (pay_date - GbTaxYear.of(pay_date).first_day).days // 7 + 1


def gb_tax_month(pay_date: date) -> int:
    """1 to 12; each runs from the 6th to the 5th."""
    first = GbTaxYear.of(pay_date).first_day
    months = (pay_date.year - first.year) * 12 + pay_date.month - first.month
    return months + 1 if pay_date.day >= 6 else months


def gb_tax_month_end(pay_date: date) -> date:
    """The 5th that ends the tax month of the pay date."""
    day = pay_date if pay_date.day <= 5 else (pay_date.replace(day=1) + timedelta(days=32))
    return day.replace(day=5)


@lru_cache(maxsize=4096)
def week_ending(day: date, weekday: int = 6) -> date:
    """The last day of the working week that holds the day; weeks end on Sunday (6) unless told otherwise."""
    return day + timedelta(days=(weekday - day.weekday()) % 7)
