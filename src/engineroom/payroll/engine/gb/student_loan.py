"""Student and postgraduate loan deductions for one pay period; nothing is carried from one to the next.

A percentage of the pay above the period's threshold, down to a whole pound (HMRC, CSLM17000 onwards). The
threshold is cut to whole pence *first*; the untruncated one gives a pound less just above a whole pound. One
of plans 1, 2, 4 and 5 and the postgraduate loan may be due together; each rounds on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.kernel.money import parse_minor
from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import Minor, floor_div, floor_to_pound
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, by_frequency, share_of_year
from engineroom.payroll.engine.steps import Column, is_nought, look_up

PLANS = ("", *"123456789")
"""A plan's number in columns is its own number, 0 for none. Which plans exist is the table's to say."""

POSTGRADUATE = "PG"
UNREACHED = 10**15
"""Pence; the threshold of no plan, and of a frequency the table does not speak of."""


@dataclass(frozen=True)
class StudentLoan:
    """The table `student_loan` as arrays: thresholds in pence by plan and frequency, rates in ppm."""

    threshold: Column  # (plans, frequencies)
    rate_ppm: Column  # (plans,)
    postgraduate_threshold: Column  # (frequencies,)
    postgraduate_rate_ppm: int

    @classmethod
    def of(cls, version: Version) -> StudentLoan:
        plans: dict[str, dict[str, Any]] = version["plans"]
        return cls(
            threshold=np.stack([_thresholds(version, plans.get(plan)) for plan in PLANS]),
            rate_ppm=np.array([ppm(plans[p]["rate"]) if p in plans else 0 for p in PLANS], dtype=np.int64),
            postgraduate_threshold=_thresholds(version, plans[POSTGRADUATE]),
            postgraduate_rate_ppm=ppm(plans[POSTGRADUATE]["rate"]),
        )


def _thresholds(version: Version, plan: dict[str, Any] | None) -> Column:
    return by_frequency(version, lambda f: period_threshold(plan, f) if plan else UNREACHED, UNREACHED)


def period_threshold(plan: dict[str, Any], frequency: str) -> int:
    """Pence: as published, else annual x weeks / 52 (months / 12) cut to a penny."""
    if frequency in plan:
        return parse_minor(str(plan[frequency]))
    return floor_div(*share_of_year(100 * int(plan["annual"]), frequency))


def in_whole_pounds(pence_times_ppm: Minor) -> Minor:
    """Down to a whole pound, as pence: the pence below it and their fraction go in one division."""
    return floor_div(pence_times_ppm, 100 * PPM) * 100


def student_loan(niable_pay: Minor, frequency: Column, plan: Column, t: StudentLoan) -> tuple[Minor, Minor]:
    """Pay above the plan's threshold, and the deduction in whole pounds (as pence). Plan 0 owes nothing."""
    above = np.maximum(niable_pay - t.threshold.take(plan * len(FREQUENCIES) + frequency), 0)
    return above, in_whole_pounds(above * look_up(t.rate_ppm, plan))


def postgraduate_loan(
    niable_pay: Minor, frequency: Column, has_loan: Column, t: StudentLoan
) -> tuple[Minor, Minor]:
    """Pay above the postgraduate threshold, and the deduction in whole pounds (as pence)."""
    above = has_loan * np.maximum(niable_pay - look_up(t.postgraduate_threshold, frequency), 0)
    return above, in_whole_pounds(above * t.postgraduate_rate_ppm)


def room_for_loans(
    pay_left: Minor, net_earnings: Minor, priority_orders: Minor, stopped: Column, protected: Minor
) -> Minor:
    """What loans may take, in whole pounds: never more than is left of pay (SI 2000/944 reg. 36(1)).

    Where an order protects earnings, not more than net earnings after the orders before loans leave above
    them; some orders stop loans altogether (HMRC CSLM18015 to CSLM18025: the restricted amount is cut to a
    pound too).
    """
    if is_nought(protected) and is_nought(stopped):  # nobody has such an order
        return floor_to_pound(np.maximum(pay_left - priority_orders, 0))
    above_protected = np.where(protected > 0, net_earnings - protected, pay_left)
    left = np.minimum(pay_left, above_protected) - priority_orders
    return np.where(stopped == 1, 0, floor_to_pound(np.maximum(left, 0)))


def restricted(student: Minor, postgraduate: Minor, room: Minor) -> tuple[Minor, Minor]:
    """Both loans within what is left for them; the student loan first."""
    first = np.minimum(student, room)
    return first, np.minimum(postgraduate, room - first)
