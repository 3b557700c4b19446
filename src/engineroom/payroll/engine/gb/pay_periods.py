"""How often people are paid, and which tax week or month a pay date falls in.

Every GB table works in weeks or in months: a pay frequency is a number of one or of the other. Multi-week pay
uses the number of its *last* week: fortnightly 2, 4, 6, four-weekly 4, 8, 12 (HMRC manual PAYE70015).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np

from engineroom.kernel.periods import gb_tax_month, gb_tax_week
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.steps import Column

FREQUENCIES = ("weekly", "biweekly", "four_weekly", "monthly", "quarterly", "semi_annual", "annual")
"""A frequency's number in columns is its place here."""

WEEKS = {"weekly": 1, "biweekly": 2, "four_weekly": 4}
MONTHS = {"monthly": 1, "quarterly": 3, "semi_annual": 6, "annual": 12}

WEEKS_IN_TAX_YEAR = 52
MONTHS_IN_TAX_YEAR = 12

UNITS = np.array([WEEKS.get(f) or MONTHS[f] for f in FREQUENCIES], dtype=np.int64)
"""Weeks or months in one pay period, by frequency number."""

UNITS_IN_YEAR = np.array(
    [WEEKS_IN_TAX_YEAR if f in WEEKS else MONTHS_IN_TAX_YEAR for f in FREQUENCIES], dtype=np.int64
)
"""52 where the frequency counts weeks, 12 where it counts months."""

LAST_TAX_PERIOD = np.array([53, 54, 56, 12, 12, 12, 12], dtype=np.int64)
"""The highest tax week or month of a frequency; beyond week 52 lies the extra payday that some years have."""


def tax_period(frequency: str, pay_date: date) -> int:
    """The tax week or month whose tables a payday uses: 1 to 53, 54 or 56 in weeks, 1 to 12 in months."""
    span = int(UNITS[FREQUENCIES.index(frequency)])
    return whole_periods(gb_tax_week(pay_date) if frequency in WEEKS else gb_tax_month(pay_date), span)


def whole_periods(week_or_month: int, span: int) -> int:
    """Up to the end of the pay period: a fortnight paid in week 3 uses week 4."""
    return -(-week_or_month // span) * span


def frequencies_of(version: Version) -> tuple[str, ...]:
    """The frequencies a table speaks of, those known only from memory last."""
    return (*version["frequencies"], *version["other_frequencies"])


def by_frequency(version: Version, value_of: Callable[[str], int], absent: int) -> Column:
    """value_of each frequency the table speaks of, `absent` for the others, shape (len(FREQUENCIES),)."""
    known = frequencies_of(version)
    return np.array([value_of(f) if f in known else absent for f in FREQUENCIES], dtype=np.int64)


def share_of_year(annual: int, frequency: str) -> tuple[int, int]:
    """annual x units / units in a year, as numerator and denominator, for one pay period."""
    number = FREQUENCIES.index(frequency)
    return annual * int(UNITS[number]), int(UNITS_IN_YEAR[number])
