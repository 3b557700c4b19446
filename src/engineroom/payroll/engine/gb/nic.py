"""Class 1 National Insurance for one pay period, by the exact percentage method.

Earnings are cut into slices at the thresholds of the pay period; a slice is charged at its category's rate.
Employee and employer each round twice: once for the slices up to the upper earnings limit, once for the slice
above it, each with HMRC's own rounding (`nic_round`), and then add (HMRC, NI guidance for software
developers; HMRC NIC test data). Nothing is carried from one period to the next. Largest product: 10**11 pence
x 150,000 ppm x 10, 1.5e17.

A company director's earnings period is the year, or what is left of it from the week of appointment, each
threshold pro rata and rounded up to a pound (Social Security (Contributions) Regulations 2001 reg. 8; HMRC
NIM12022 to NIM12031). By the annual method each payment is charged on pay to date less what was charged
before; by the alternative method payments are charged as anybody's, and the last one of the year by the
annual method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import Minor, ceil_div, nic_round
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, by_frequency, share_of_year
from engineroom.payroll.engine.steps import Column, is_nought, look_up

CATEGORIES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""A category's number in columns is its letter's place. Which letters exist is the table's to say."""

DIRECTOR_METHODS = ("", "annual", "alternative")
"""A method's number in columns is its place here; the first is nobody's who is a director."""

NOT_A_DIRECTOR, ANNUAL, ALTERNATIVE = range(len(DIRECTOR_METHODS))

WEEKS_OF_A_DIRECTOR = 52
"""In a director's earnings period when they are one all year; ceasing does not shorten it (NIM12022)."""

YEAR_OF_WEEKS = len(FREQUENCIES)
"""Number of a director's earnings period of 0 weeks: those of 1 to 52 follow. Below it, pay frequencies."""

PERIODS = YEAR_OF_WEEKS + WEEKS_OF_A_DIRECTOR + 1
"""How many earnings periods there are."""

UNREACHED = 10**15
"""Pence; the threshold of a frequency the table does not speak of. Such rows are refused before this."""


@dataclass(frozen=True)
class NicClass1:
    """The table `ni_class1` as arrays: thresholds in pence by earnings period, rates in ppm by letter."""

    lower_earnings_limit: Column  # (earnings periods,): the frequencies, then 0 to 52 weeks of a director
    primary_threshold: Column
    upper_earnings_limit: Column
    employer_from: Column  # (letters, earnings periods)
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
    of_pay = by_frequency(version, lambda f: 100 * period_threshold(published, f), UNREACHED)
    weeks = range(WEEKS_OF_A_DIRECTOR + 1)
    of_directors = [100 * ceil_div(published["annual"] * n, WEEKS_OF_A_DIRECTOR) for n in weeks]
    return np.concatenate([of_pay, np.array(of_directors, dtype=np.int64)])


def period_threshold(published: dict[str, Any], frequency: str) -> int:
    """Whole pounds: as published, else annual x weeks / 52 (months / 12) rounded up, never weekly x weeks."""
    if frequency in published:
        return int(published[frequency])
    return ceil_div(*share_of_year(published["annual"], frequency))


def earnings_period(
    niable_pay: Minor, frequency: Column, to_date_before: Minor, method: Column, weeks: Column, final: Column
) -> tuple[Column, Minor]:
    """The earnings period's number, and the earnings in it: of the pay period, or a director's to date."""
    if not method.any():
        return frequency, niable_pay
    yearly = (method == ANNUAL) | ((method == ALTERNATIVE) & (final == 1))
    number = np.where(yearly, YEAR_OF_WEEKS + weeks, frequency)
    return number, niable_pay + np.where(yearly, to_date_before, 0)


def charged_before(period: Column, to_date_before: Minor) -> Minor:
    """What was charged in this earnings period before: only a director's has had payments already."""
    if is_nought(to_date_before):
        return to_date_before
    return np.where(period >= YEAR_OF_WEEKS, to_date_before, 0)


def earnings_bands(
    nic_earnings: Minor, period: Column, category: Column, t: NicClass1
) -> tuple[Minor, Minor, Minor, Minor]:
    """Earnings at the LEL, from LEL to PT, from PT to UEL (the FPS's three figures), and above UEL.

    The first two are nothing until earnings reach the LEL. Category X has none. In a director's yearly period
    they are the year's to date, not this payment's alone.
    """
    lel, pt = look_up(t.lower_earnings_limit, period), look_up(t.primary_threshold, period)
    uel = look_up(t.upper_earnings_limit, period)
    earnings = look_up(t.liable, category) * nic_earnings
    reached = earnings >= lel
    return (
        reached * lel,
        reached * (np.minimum(earnings, pt) - lel),
        np.maximum(np.minimum(earnings, uel) - pt, 0),
        np.maximum(earnings - uel, 0),
    )


def class1_primary(
    pt_to_uel: Minor, above_uel: Minor, period: Column, category: Column, to_date_before: Minor, t: NicClass1
) -> Minor:
    """Employee's Class 1 NIC: the main rate from PT to UEL and the rate above, each rounded, then added.

    Of a director's year, what was charged before comes off; below zero it is given back.
    """
    main = nic_round(pt_to_uel * look_up(t.employee_ppm, category), PPM)
    above = nic_round(above_uel * look_up(t.employee_above_uel_ppm, category), PPM)
    return main + above - charged_before(period, to_date_before)


def class1_secondary(
    nic_earnings: Minor,
    above_uel: Minor,
    period: Column,
    category: Column,
    to_date_before: Minor,
    t: NicClass1,
) -> tuple[Minor, Minor]:
    """Earnings on which the employer pays up to the UEL, and the employer's Class 1 NIC.

    The employer pays from the secondary threshold, or from the upper secondary threshold of the category
    (under 21, apprentice, veteran, Freeport, Investment zone), to the UEL and above it; the two slices round
    apart. Of a director's year, what was charged before comes off.
    """
    starts = t.employer_from.take(category * PERIODS + period)
    uel = look_up(t.upper_earnings_limit, period)
    charged = look_up(t.liable, category) * np.maximum(np.minimum(nic_earnings, uel) - starts, 0)
    rate = look_up(t.employer_ppm, category)
    due = nic_round(charged * rate, PPM) + nic_round(above_uel * rate, PPM)
    return charged, due - charged_before(period, to_date_before)
