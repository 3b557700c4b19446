"""Part periods: named bases against a slow opinion in Fractions and calendar days, and parts that add up."""

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.proration import (
    BASES,
    EVERY_DAY,
    MONDAY_TO_FRIDAY,
    days_within,
    employed_within,
    prorate,
)

DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))
PATTERNS = st.integers(1, 127)


def column(*values):
    return np.array(values, dtype=np.int64)


def day(*values):
    return np.array(values, dtype="datetime64[D]")


def half_up(value):
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def by_hand(first, last, pattern):
    span = (last - first).days + 1
    days = (first + timedelta(days=n) for n in range(max(span, 0)))
    return sum(bool(pattern >> d.weekday() & 1) for d in days)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(DAYS, st.integers(-3, 60), PATTERNS), min_size=1, max_size=20))
def test_days_of_a_pattern_are_those_one_counts_on_a_calendar(rows):
    firsts, spans, patterns = zip(*rows, strict=True)
    lasts = [first + timedelta(days=span) for first, span in zip(firsts, spans, strict=True)]
    found = days_within(day(*firsts), day(*lasts), column(*patterns))
    assert found.tolist() == [by_hand(*row) for row in zip(firsts, lasts, patterns, strict=True)]


@settings(max_examples=150, deadline=None)
@given(
    basis=st.sampled_from(sorted(BASES)),
    people=st.lists(
        st.tuples(
            st.integers(0, 10**11), st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(0, 9)
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_parts_agree_with_fractions_and_the_parts_of_a_full_period_are_the_whole(basis, people):
    person, pay, units, of = [], [], [], []
    for number, (whole, stretches, absent) in enumerate(people):
        period = max(sum(stretches) + absent, 1)
        for stretch in stretches:
            person.append(number), pay.append(whole), units.append(stretch), of.append(period)
    done = prorate(column(*person), column(*pay), column(*units), column(*of), basis)
    assert done.problems == []
    for number, (whole, stretches, absent) in enumerate(people):
        parts = [int(p) for p, owner in zip(done.pay, person, strict=True) if owner == number]
        full = absent == 0 and sum(stretches) > 0
        period, parts_of_year = max(sum(stretches) + absent, 1), BASES[basis].parts_of_year
        rate = Fraction(whole * 12, parts_of_year) if parts_of_year and not full else Fraction(whole, period)
        assert sum(parts) == half_up(rate * sum(stretches))
        if full:
            assert sum(parts) == whole
        worked = 0
        for part, stretch in zip(parts, stretches, strict=True):
            assert part == half_up(rate * (worked + stretch)) - half_up(rate * worked)
            assert abs(part - rate * stretch) <= 1
            worked += stretch


@settings(max_examples=100, deadline=None)
@given(
    pay=st.integers(0, 10**9),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    joined=st.integers(0, 5),
)
def test_it_does_not_matter_in_how_many_stretches_a_period_is_cut(pay, cuts, joined):
    whole = sum(cuts) + joined
    n = len(cuts)
    cut = prorate(np.zeros(n, np.int64), np.full(n, pay), column(*cuts), np.full(n, whole), "working_days")
    once = prorate(column(0), column(pay), column(sum(cuts)), column(whole), "working_days")
    assert cut.pay.sum() == once.pay[0]


def test_a_starter_and_a_leaver_are_paid_for_their_days():
    """2,600.00 a month; September 2026 has 30 days, 22 of them Monday to Friday; 10 and 7 worked."""
    period = day("2026-09-01", "2026-09-01"), day("2026-09-30", "2026-09-30")
    starts, ends = day("2026-09-17", "2020-01-01"), day("NaT", "2026-09-09")
    first, last = employed_within(*period, starts, ends)
    for basis, pattern, expected in (
        ("calendar_days", EVERY_DAY, [121_333, 78_000]),  # 14 and 9 of 30
        ("working_days", MONDAY_TO_FRIDAY, [118_182, 82_727]),  # 10 and 7 of 22
        ("260ths", MONDAY_TO_FRIDAY, [120_000, 84_000]),  # 31,200.00 / 260 = 120.00 a day
        ("365ths", EVERY_DAY, [119_671, 76_932]),  # 31,200.00 x 14 / 365
    ):
        patterns = np.full(2, pattern)
        units, whole = days_within(first, last, patterns), days_within(*period, patterns)
        done = prorate(column(0, 1), column(260_000, 260_000), units, whole, basis)
        assert done.pay.tolist() == expected, basis


def test_hours_of_a_part_timer_are_a_part_of_the_contracted_hours():
    done = prorate(column(0), column(150_000), column(31 * 60 + 30), column(90 * 60), "hours")
    assert done.pay.tolist() == [52_500]


def test_a_raise_within_the_month_pays_each_stretch_at_its_own_rate():
    """2,000.00 to the 10th of a month of 30 days, 2,300.00 from the 11th."""
    done = prorate(column(5, 5), column(200_000, 230_000), column(10, 20), column(30, 30), "calendar_days")
    assert done.pay.tolist() == [66_667, 153_333]


def test_the_penny_left_over_falls_into_a_later_stretch():
    done = prorate(column(0, 0, 0), np.full(3, 100), column(1, 1, 1), np.full(3, 3), "working_days")
    assert done.pay.tolist() == [33, 34, 33]


def test_parts_of_a_year_that_make_a_full_month_are_the_months_pay():
    """23 working days at 1/260 of a year would be 2,760.00; the month pays 2,600.00, however it is cut."""
    whole = prorate(column(0), column(260_000), column(23), column(23), "260ths")
    two = prorate(column(0, 0), column(260_000, 260_000), column(11, 12), column(23, 23), "260ths")
    assert whole.pay.tolist() == [260_000]
    assert two.pay.sum() == 260_000
    weekly = prorate(column(0), column(50_000), column(3), column(5), "260ths", periods_in_year=52)
    assert weekly.pay.tolist() == [30_000]


def test_who_was_not_employed_in_the_period_has_no_units_and_no_pay():
    first, last = employed_within(day("2026-09-01"), day("2026-09-30"), day("2026-10-05"), day("NaT"))
    units = days_within(first, last, column(EVERY_DAY))
    assert units.tolist() == [0]
    assert prorate(column(0), column(260_000), units, column(30), "calendar_days").pay.tolist() == [0]


@pytest.mark.parametrize(
    ("pay", "units", "of", "field", "says"),
    [
        (-1, 1, 30, "pay_of_period", "below zero"),
        (10**15, 1, 30, "pay_of_period", "more than one person can have"),
        (100, -1, 30, "units", "below zero"),
        (100, 31, 30, "units", "more calendar days than the pay period"),
        (100, 0, 0, "units_of_period", "no calendar days to take a part of"),
        (100, 1, 10**9, "units_of_period", "a year has fewer"),
    ],
)
def test_a_stretch_that_makes_no_sense_is_an_error_and_its_person_gets_no_number(pay, units, of, field, says):
    pays, counted, whole = column(300, pay, 600, 300), column(10, units, 0, 15), column(30, of, of or 30, 30)
    done = prorate(column(0, 1, 1, 2), pays, counted, whole, "calendar_days")
    assert {p.field for p in done.problems} == {field}
    assert says in done.problems[0].problem and done.problems[0].remedy
    assert {p.row for p in done.problems} <= {1, 2}
    assert done.pay.tolist() == [100, 0, 0, 150]


def test_rows_of_a_person_that_stand_apart_are_refused():
    done = prorate(column(1, 0), column(100, 100), column(1, 1), column(2, 2), "hours")
    assert [(p.row, p.field) for p in done.problems] == [(1, "person")]


def test_a_basis_that_does_not_exist_is_the_callers_mistake():
    with pytest.raises(ValueError, match="there is no basis 'thirtieths'; bases are calendar_days"):
        prorate(column(0), column(1), column(1), column(1), "thirtieths")


def test_nobody_is_no_problem():
    nothing = np.zeros(0, dtype=np.int64)
    done = prorate(nothing, nothing, nothing, nothing, "hours")
    assert (len(done.pay), done.problems) == (0, [])
