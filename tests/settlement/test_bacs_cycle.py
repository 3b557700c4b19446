"""Money arrives on the pay date or before it, never after: the three banking days of Bacs."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.kernel.calendar import CalendarNotKnown, calendar
from engineroom.settlement.engine import BacsCycle, bacs_cycle

BANKS = calendar("ENG")


@pytest.mark.behaviour("SETL-02", part="Bacs")
@pytest.mark.parametrize(
    ("pay_date", "submit_by", "processing_day", "entry_day"),
    [
        # an ordinary Friday
        (date(2026, 11, 27), date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27)),
        # a Monday: the days before it lie in the week before
        (date(2026, 11, 30), date(2026, 11, 26), date(2026, 11, 27), date(2026, 11, 30)),
        # a Saturday and a Sunday are paid on the Friday
        (date(2026, 11, 28), date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27)),
        (date(2026, 11, 29), date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27)),
        # the Tuesday after Easter: Good Friday (3 April 2026) and Easter Monday (6 April) are closed
        (date(2026, 4, 7), date(2026, 4, 1), date(2026, 4, 2), date(2026, 4, 7)),
        # Good Friday itself is paid on the Thursday
        (date(2026, 4, 3), date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2)),
        # Christmas Day 2026 is a Friday, Boxing Day a Saturday observed on Monday 28
        (date(2026, 12, 25), date(2026, 12, 22), date(2026, 12, 23), date(2026, 12, 24)),
        (date(2026, 12, 28), date(2026, 12, 22), date(2026, 12, 23), date(2026, 12, 24)),
        (date(2026, 12, 29), date(2026, 12, 23), date(2026, 12, 24), date(2026, 12, 29)),
        # the first banking day of 2027 is Monday 4 January: 1 January is a Friday
        (date(2027, 1, 4), date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 4)),
        # the late summer bank holiday, Monday 31 August 2026
        (date(2026, 8, 31), date(2026, 8, 26), date(2026, 8, 27), date(2026, 8, 28)),
    ],
)
def test_a_pay_date_gives_the_last_day_to_submit(
    pay_date: date, submit_by: date, processing_day: date, entry_day: date
) -> None:
    assert bacs_cycle(pay_date, BANKS) == BacsCycle(submit_by, processing_day, entry_day)


@pytest.mark.behaviour("SETL-02", part="Bacs")
@given(st.dates(date(2025, 1, 1), date(2030, 12, 30)))  # the day after the last one is in no calendar yet
def test_the_three_days_are_banking_days_in_a_row_and_end_on_or_before_the_pay_date(pay_date: date) -> None:
    cycle = bacs_cycle(pay_date, BANKS)
    assert all(map(BANKS.is_banking_day, (cycle.submit_by, cycle.processing_day, cycle.entry_day)))
    assert BANKS.add(cycle.submit_by, 1) == cycle.processing_day
    assert BANKS.add(cycle.processing_day, 1) == cycle.entry_day <= pay_date
    assert BANKS.add(cycle.entry_day, 1) > pay_date


@pytest.mark.behaviour("SETL-02", part="Bacs")
def test_a_scottish_holiday_does_not_stop_bacs() -> None:
    st_andrews_day = date(2026, 11, 30)
    assert not calendar("SCT").is_banking_day(st_andrews_day)
    assert bacs_cycle(st_andrews_day, BANKS).entry_day == st_andrews_day


def test_a_year_whose_holidays_are_not_known_is_refused_rather_than_guessed() -> None:
    with pytest.raises(CalendarNotKnown):
        bacs_cycle(date(2050, 6, 30), BANKS)
