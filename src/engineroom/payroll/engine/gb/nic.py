"""Class 1 National Insurance for one pay period, by the exact percentage method.

Earnings are cut into slices at the thresholds of the pay period; a slice is charged at its category's rate.
Employee and employer each round twice: once for the slices up to the upper earnings limit, once for the slice
above it, each with HMRC's own rounding (`nic_round`), and then add (HMRC, NI guidance for software
developers; HMRC NIC test data). Nothing is carried from one period to the next. Largest product: 10**11 pence
x 150,000 ppm x 10, 1.5e17.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import Minor, ceil_div, nic_round
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, by_frequency, share_of_year
from engineroom.payroll.engine.steps import Column

CATEGORIES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""A category's number in columns is its letter's place. Which letters exist is the table's to say."""

UNREACHED = 10**15
"""Pence; the threshold of a frequency the table does not speak of. Such rows are refused before this."""


@dataclass(frozen=True)
class NicClass1:
    """The table `ni_class1` as arrays: thresholds in pence by frequency, rates in ppm by category letter."""

    lower_earnings_limit: Column  # (frequencies,)
    primary_threshold: Column
    upper_earnings_limit: Column
    employer_from: Column  # (letters, frequencies)
    employee_ppm: Column  # (letters,)
    employee_above_uel_ppm: Column
    employer_ppm: Column
    liable: Column  # 0 for X and for letters that do not exist

    @classmethod
    def of(cls, version: Version) -> NicClass1:
        thresholds = {name: _threshold(version, name) for name in version["thresholds"]}
        rows: list[dict[str, str]] = [version["categories"].get(letter) or {} for letter in CATEGORIES]

        def rate(name: str) -> Column:
            return np.array([ppm(row.get(name, "0")) for row in rows], dtype=np.int64)

        return cls(
            lower_earnings_limit=thresholds["LEL"],
            primary_threshold=thresholds["PT"],
            upper_earnings_limit=thresholds["UEL"],
            employer_from=np.stack([thresholds[row.get("employer_from", "ST")] for row in rows]),
            employee_ppm=rate("employee"),
            employee_above_uel_ppm=rate("employee_above_uel"),
            employer_ppm=rate("employer"),
            liable=np.array([bool(row) for row in rows], dtype=np.int64),
        )


def _threshold(version: Version, name: str) -> Column:
    published: dict[str, Any] = version["thresholds"][name]
    return by_frequency(version, lambda f: 100 * period_threshold(published, f), UNREACHED)


def period_threshold(published: dict[str, Any], frequency: str) -> int:
    """Whole pounds: as published, else annual x weeks / 52 (months / 12) rounded up, never weekly x weeks."""
    if frequency in published:
        return int(published[frequency])
    return ceil_div(*share_of_year(published["annual"], frequency))


def earnings_bands(
    niable_pay: Minor, frequency: Column, category: Column, t: NicClass1
) -> tuple[Minor, Minor, Minor, Minor]:
    """Earnings at the LEL, from LEL to PT, from PT to UEL (the FPS's three figures), and above UEL.

    The first two are nothing until earnings reach the LEL. Category X has none.
    """
    lel, pt = t.lower_earnings_limit[frequency], t.primary_threshold[frequency]
    uel = t.upper_earnings_limit[frequency]
    earnings = t.liable[category] * niable_pay
    reached = (earnings > 0) & (earnings >= lel)
    return (
        reached * lel,
        reached * (np.minimum(earnings, pt) - lel),
        np.maximum(np.minimum(earnings, uel) - pt, 0),
        np.maximum(earnings - uel, 0),
    )


def class1_primary(pt_to_uel: Minor, above_uel: Minor, category: Column, t: NicClass1) -> Minor:
    """Employee's Class 1 NIC: the main rate from PT to UEL and the rate above, each rounded, then added."""
    main = nic_round(pt_to_uel * t.employee_ppm[category], PPM)
    return main + nic_round(above_uel * t.employee_above_uel_ppm[category], PPM)


def class1_secondary(
    niable_pay: Minor, above_uel: Minor, frequency: Column, category: Column, t: NicClass1
) -> tuple[Minor, Minor]:
    """Earnings on which the employer pays up to the UEL, and the employer's Class 1 NIC.

    The employer pays from the secondary threshold, or from the upper secondary threshold of the category
    (under 21, apprentice, veteran, Freeport, Investment zone), to the UEL and above it; the two slices round
    apart.
    """
    starts = t.employer_from.take(category * len(FREQUENCIES) + frequency)
    uel = t.upper_earnings_limit[frequency]
    charged = t.liable[category] * np.maximum(np.minimum(niable_pay, uel) - starts, 0)
    rate = t.employer_ppm[category]
    return charged, nic_round(charged * rate, PPM) + nic_round(above_uel * rate, PPM)
