"""Salaries of a period: whole, begun, left and raised within it, by days and by hours."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.payroll.engine.proration import BASES, MONDAY_TO_FRIDAY
from engineroom.payroll.engine.salaries import Stretches, salaries

STARTS, ENDS = date(2026, 11, 1), date(2026, 11, 30)
DAYS = [STARTS + timedelta(days=n) for n in range(30)]
FULL_TIME = 37 * 60 + 30


def stretches(*rows: tuple[int, int, date, date], weekdays: int = MONDAY_TO_FRIDAY) -> Stretches:
    """person, annual, first, last."""
    return Stretches(
        np.array([r[0] for r in rows], dtype=np.int64),
        np.array([r[1] for r in rows], dtype=np.int64),
        np.array([r[2] for r in rows], dtype="datetime64[D]"),
        np.array([r[3] for r in rows], dtype="datetime64[D]"),
        np.full(len(rows), weekdays, dtype=np.int64),
        np.full(len(rows), FULL_TIME, dtype=np.int64),
    )


def paid(*rows: tuple[int, int, date, date], basis: str) -> list[int]:
    done = salaries(stretches(*rows), STARTS, ENDS, basis, 12)
    assert not done.problems
    return done.pay.tolist()


@pytest.mark.behaviour("PAY-07")
@pytest.mark.parametrize(
    ("basis", "begun", "left", "raised"),
    [
        # November 2026 has 30 days and 21 working days; 36,000.00 a year are 3,000.00 a month.
        ("calendar_days", 3000_00 * 15 // 30, 3000_00 * 15 // 30, 3000_00 // 2 + 3600_00 // 2),
        # From Monday the 16th 11 working days, before it 10.
        ("working_days", 1571_43, 1428_57, 1428_57 + 1885_72),
        ("hours", 1571_43, 1428_57, 1428_57 + 1885_72),
        # A working day is 36,000.00/260, a calendar day 36,000.00/365.
        ("260ths", 1523_08, 1384_62, 1428_57 + 1885_72),
        ("365ths", 1479_45, 1479_45, 3000_00 // 2 + 3600_00 // 2),
    ],
)
def test_who_begins_leaves_or_is_raised_in_the_month_is_paid_the_part(
    basis: str, begun: int, left: int, raised: int
) -> None:
    middle, eve = date(2026, 11, 16), date(2026, 11, 15)
    whole, starter, leaver, before, after = paid(
        (0, 36_000_00, STARTS, ENDS),
        (1, 36_000_00, middle, ENDS),
        (2, 36_000_00, STARTS, eve),
        (3, 36_000_00, STARTS, eve),
        (3, 43_200_00, middle, ENDS),
        basis=basis,
    )
    assert whole == 3000_00
    assert (starter, leaver) == (begun, left)
    assert abs(before + after - raised) <= 1


@given(
    st.integers(0, 10**9),
    st.sampled_from(sorted(BASES)),
    st.lists(st.sampled_from(DAYS[1:]), unique=True, max_size=6).map(sorted),
    st.integers(1, 127),
)
def test_a_month_cut_in_any_way_at_one_salary_is_the_month(
    annual: int, basis: str, cuts: list[date], weekdays: int
) -> None:
    firsts = [STARTS, *cuts]
    lasts = [*(cut - timedelta(days=1) for cut in cuts), ENDS]
    rows = [(0, annual, first, last) for first, last in zip(firsts, lasts, strict=True)]
    done = salaries(stretches(*rows, weekdays=weekdays), STARTS, ENDS, basis, 12)
    assert not done.problems
    assert done.pay.sum() == int(Fraction(annual, 12) + Fraction(1, 2))
    assert (done.pay >= 0).all()


def test_a_change_of_working_pattern_is_paid_as_parts_of_two_wholes() -> None:
    """Monday to Friday to the 15th (10 of 21), then Monday and Tuesday at another salary (5 of 10)."""
    of = stretches((0, 36_000_00, STARTS, date(2026, 11, 15)), (0, 12_000_00, date(2026, 11, 16), ENDS))
    of.weekdays[1] = 0b11
    done = salaries(of, STARTS, ENDS, "working_days", 12)
    assert (done.pay.tolist(), done.problems) == ([1428_57, 555_56], [])


def test_somebody_without_working_days_is_a_problem_that_says_what_to_do() -> None:
    done = salaries(stretches((0, 36_000_00, STARTS, ENDS), weekdays=0), STARTS, ENDS, "working_days", 12)
    assert [(p.field, p.remedy) for p in done.problems] == [
        ("units_of_period", "Give the person's working pattern, or another basis")
    ]
