"""Pay, bill and markup from each other, and what a week leaves after on-costs: by hand, as properties."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.billing.margin import on_costs_of
from engineroom.billing.solving import NONE, Unsolvable, least_bill, marked_up, solve, week

RATES = on_costs_of("gb", date(2026, 11, 27), with_levy=True)[0]
rate = st.integers(1, 10_000_00)
markup = st.integers(-500_000, 5_000_000)
minutes = st.integers(15, 7 * 24 * 60)


@pytest.mark.behaviour("BILL-02")
def test_a_week_of_forty_hours_by_hand() -> None:
    """15.00 an hour: 600.00 and 12.07% holiday are 672.42. NIC 15% of 576.42 is 86.463; pension 3% of 552.42
    is 16.5726; the levy 0.5% is 3.3621."""
    found = week(15_00, 21_00, 40 * 60, RATES)
    assert (found.pay, found.holiday, found.nic, found.pension, found.levy) == (60000, 7242, 8646, 1657, 336)
    assert (found.before, found.after) == (24000, 84000 - 77881)
    assert least_bill(15_00, 40 * 60, RATES, 100_000) == 21_64  # 778.81 / 0.9 is 865.344, an hour 21.6336


def test_below_the_thresholds_nothing_but_holiday_is_added() -> None:
    found = week(12_71, 18_00, 6 * 60, RATES)
    assert (found.nic, found.pension) == (0, 0) and found.holiday == 920


@pytest.mark.behaviour("BILL-02")
@given(rate, markup)
def test_the_bill_follows_from_pay_and_markup_and_each_from_the_others(pay: int, ppm: int) -> None:
    exact = Decimal(pay) * (1_000_000 + ppm) / 1_000_000
    bill = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert marked_up(pay, ppm) == bill
    if bill:
        assert solve(pay=pay, markup_ppm=ppm).bill == bill
        again = solve(pay=pay, bill=bill)
        assert marked_up(pay, again.markup_ppm) == bill
        highest = solve(bill=bill, markup_ppm=ppm).pay
        assert marked_up(highest, ppm) <= bill < marked_up(highest + 1, ppm) and highest >= pay


@pytest.mark.behaviour("BILL-02")
@given(rate, minutes, st.integers(0, 600_000))
def test_the_least_bill_reaches_the_floor_and_a_penny_less_does_not(
    pay: int, worked: int, floor: int
) -> None:
    least = least_bill(pay, worked, RATES, floor)
    assert week(pay, least, worked, RATES).reaches(floor)
    assert least == 1 or not week(pay, least - 1, worked, RATES).reaches(floor)
    assert week(pay, least, worked, NONE).after == week(pay, least, worked, RATES).before


@pytest.mark.parametrize(
    "given_", [{}, {"pay": 1}, {"pay": 1, "bill": 1, "markup_ppm": 0}, {"bill": 1, "markup_ppm": -1_000_000}]
)
def test_what_cannot_be_solved_is_said(given_: dict[str, int]) -> None:
    with pytest.raises(Unsolvable):
        solve(**given_)
