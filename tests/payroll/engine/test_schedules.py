"""Periods of schedules: no gap, no overlap, paid when banks are open, and the 53rd week found where it is."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.kernel.calendar import calendar
from engineroom.payroll.engine import schedules
from engineroom.payroll.engine.gb.pay_periods import tax_period
from engineroom.payroll.engine.schedules import Rhythm

BANKS = calendar("ENG")
DAY = timedelta(days=1)
DAYS = st.dates(date(2025, 1, 1), date(2028, 6, 30))


@st.composite
def rhythms(draw: st.DrawFn) -> Rhythm:
    frequency = draw(st.sampled_from(list(schedules.PERIODS_IN_YEAR)))
    weeks, halves = frequency in schedules.WEEKS, frequency == schedules.TWICE_A_MONTH
    none = (14, 15) if halves else ()
    anchor = draw(
        DAYS.filter(lambda day: weeks or (day.day <= schedules.LAST_ANCHOR_DAY and day.day not in none))
    )
    rules = (schedules.DAY_OF_MONTH, schedules.DAYS_AFTER) if halves else schedules.PAY_RULES
    rule = schedules.DAYS_AFTER if weeks else draw(st.sampled_from(rules))
    days = {schedules.DAYS_AFTER: st.integers(0, 30), schedules.LAST_BANKING_DAY: st.just(0)}
    pay_day = draw(days.get(rule, st.integers(1, 15 if halves else 31)))
    return Rhythm(frequency, anchor, rule, pay_day, draw(st.integers(0, 10)))


@given(rhythms(), DAYS)
def test_every_day_is_in_exactly_one_period_and_paydays_follow_one_another(
    rhythm: Rhythm, first: date
) -> None:
    assert not schedules.wrong_with(rhythm)
    found = list(schedules.periods(rhythm, first, first + timedelta(days=90), BANKS))
    assert found[0].starts <= first <= found[0].ends
    assert schedules.period_at(rhythm, rhythm.anchor, BANKS).starts == rhythm.anchor
    assert found[-1].ends >= first + timedelta(days=90)
    for before, after in pairwise(found):
        assert after.starts == before.ends + DAY
        assert after.due > before.due
        assert after.paid > before.paid
    for period in found:
        assert period.due >= period.ends or rhythm.frequency in schedules.MONTHS, "nobody is paid before"
        assert BANKS.is_banking_day(period.paid)
        assert period.cut_off <= period.paid <= period.due
        assert schedules.period_at(rhythm, period.ends, BANKS) == period
        assert schedules.period_paid_on(rhythm, period.paid, BANKS) == period


@pytest.mark.parametrize(
    ("rhythm", "day", "period", "paid"),
    [
        # The 25th of May 2026 is a bank holiday, a Monday: Friday the 22nd.
        (Rhythm("monthly", date(2026, 1, 1), "day_of_month", 25), date(2026, 5, 9),
         (date(2026, 5, 1), date(2026, 5, 31)), date(2026, 5, 22)),
        (Rhythm("monthly", date(2026, 1, 1), "day_of_month", 31), date(2026, 2, 9),
         (date(2026, 2, 1), date(2026, 2, 28)), date(2026, 2, 27)),
        # The last banking day of a year with its bank holidays.
        (Rhythm("monthly", date(2026, 1, 1), "last_banking_day"), date(2026, 12, 9),
         (date(2026, 12, 1), date(2026, 12, 31)), date(2026, 12, 31)),
        # From the 16th to the 15th, paid on the 5th of the month after.
        (Rhythm("monthly", date(2026, 1, 16), "day_of_next_month", 5), date(2026, 11, 15),
         (date(2026, 10, 16), date(2026, 11, 15)), date(2026, 12, 4)),
        (Rhythm("four_weekly", date(2026, 4, 6), "days_after", 5), date(2026, 5, 4),
         (date(2026, 5, 4), date(2026, 5, 31)), date(2026, 6, 5)),
        (Rhythm("quarterly", date(2026, 4, 1), "last_banking_day"), date(2026, 6, 30),
         (date(2026, 4, 1), date(2026, 6, 30)), date(2026, 6, 30)),
        # Twice a month: on the 15th and the last; on the 5th and the 20th; the 26th to the 10th on the 15th.
        (Rhythm("semi_monthly", date(2026, 1, 16), "day_of_month", 15), date(2026, 9, 3),
         (date(2026, 9, 1), date(2026, 9, 15)), date(2026, 9, 15)),
        (Rhythm("semi_monthly", date(2026, 1, 1), "day_of_month", 15), date(2026, 2, 16),
         (date(2026, 2, 16), date(2026, 2, 28)), date(2026, 2, 27)),
        (Rhythm("semi_monthly", date(2026, 1, 1), "day_of_month", 5), date(2026, 12, 31),
         (date(2026, 12, 16), date(2026, 12, 31)), date(2027, 1, 5)),
        (Rhythm("semi_monthly", date(2026, 1, 26), "day_of_month", 15), date(2026, 3, 1),
         (date(2026, 2, 26), date(2026, 3, 10)), date(2026, 3, 13)),
        (Rhythm("semi_monthly", date(2026, 1, 11), "days_after", 5), date(2026, 6, 11),
         (date(2026, 6, 11), date(2026, 6, 25)), date(2026, 6, 30)),
    ],
)  # fmt: skip
def test_periods_whose_days_a_person_can_look_up(
    rhythm: Rhythm, day: date, period: tuple[date, date], paid: date
) -> None:
    found = schedules.period_at(rhythm, day, BANKS)
    assert (found.starts, found.ends) == period
    assert found.paid == paid


@pytest.mark.behaviour("PAY-07")
@pytest.mark.parametrize(
    ("frequency", "anchor", "last"),
    [
        ("weekly", date(2026, 3, 30), 53),
        ("biweekly", date(2026, 3, 23), 54),
        ("four_weekly", date(2026, 3, 9), 56),
    ],
)
def test_the_extra_payday_of_a_year_is_week_53_54_or_56(frequency: str, anchor: date, last: int) -> None:
    """Paid on Sunday 5 April 2026, the last day of 2025-26 (moved to Thursday by Good Friday), and the whole
    year before it."""
    rhythm = Rhythm(frequency, anchor, "days_after", 0)
    year = [
        p
        for p in schedules.periods(rhythm, date(2025, 3, 1), date(2026, 4, 30), BANKS)
        if date(2025, 4, 6) <= p.due <= date(2026, 4, 5)
    ]
    assert year[-1].due == date(2026, 4, 5)
    assert year[-1].paid == date(2026, 4, 2)
    assert [tax_period(frequency, p.due) for p in year] == list(
        range(schedules.WEEKS[frequency], last + 1, schedules.WEEKS[frequency])
    )


@pytest.mark.parametrize(
    ("rhythm", "field"),
    [
        (Rhythm("daily", date(2026, 1, 1), "days_after"), "frequency"),
        (Rhythm("monthly", date(2026, 1, 31), "last_banking_day"), "anchor"),
        (Rhythm("weekly", date(2026, 1, 5), "last_banking_day"), "pay_rule"),
        (Rhythm("monthly", date(2026, 1, 1), "whenever"), "pay_rule"),
        (Rhythm("monthly", date(2026, 1, 1), "day_of_month", 32), "pay_day"),
        (Rhythm("monthly", date(2026, 1, 1), "last_banking_day", 9), "pay_day"),
        (Rhythm("monthly", date(2126, 1, 1), "last_banking_day"), "anchor"),
        (Rhythm("weekly", date(2026, 1, 5), "days_after", -1), "pay_day"),
        (Rhythm("semi_monthly", date(2026, 1, 14), "days_after", 5), "anchor"),
        (Rhythm("semi_monthly", date(2026, 1, 1), "last_banking_day"), "pay_rule"),
        (Rhythm("semi_monthly", date(2026, 1, 1), "day_of_month", 20), "pay_day"),
        (Rhythm("weekly", date(2026, 1, 5), "days_after", 5, 99), "cut_off_days"),
    ],
)
def test_what_is_no_schedule_says_which_field_and_what_to_do(rhythm: Rhythm, field: str) -> None:
    assert [name for name, _, remedy in schedules.wrong_with(rhythm) if remedy] == [field]
