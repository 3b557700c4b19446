from datetime import date, timedelta

import pytest

from engineroom.kernel.calendar import CalendarNotKnown, calendar
from engineroom.kernel.periods import GbTaxYear, gb_tax_month, gb_tax_month_end, gb_tax_week, week_ending


@pytest.mark.parametrize(
    ("day", "year", "week", "month"),
    [
        (date(2026, 4, 5), "2025-26", 53, 12),
        (date(2026, 4, 6), "2026-27", 1, 1),
        (date(2026, 4, 12), "2026-27", 1, 1),
        (date(2026, 4, 13), "2026-27", 2, 1),
        (date(2026, 5, 5), "2026-27", 5, 1),
        (date(2026, 5, 6), "2026-27", 5, 2),
        (date(2026, 12, 31), "2026-27", 39, 9),
        (date(2027, 1, 1), "2026-27", 39, 9),
        (date(2028, 2, 29), "2027-28", 48, 11),
        (date(2028, 4, 5), "2027-28", 53, 12),
    ],
)
def test_the_pay_date_decides_tax_year_week_and_month(day, year, week, month):
    assert (str(GbTaxYear.of(day)), gb_tax_week(day), gb_tax_month(day)) == (year, week, month)


def test_every_day_of_a_leap_tax_year_lies_in_its_year_and_periods_never_fall():
    year = GbTaxYear.parse("2027-28")
    days = [year.first_day + timedelta(days=d) for d in range((year.last_day - year.first_day).days + 1)]
    assert len(days) == 366
    assert {GbTaxYear.of(day) for day in days} == {year}
    weeks, months = [gb_tax_week(d) for d in days], [gb_tax_month(d) for d in days]
    assert weeks == sorted(weeks)
    assert months == sorted(months)
    assert (set(weeks), set(months)) == (set(range(1, 54)), set(range(1, 13)))
    assert weeks.count(53) == 2


@pytest.mark.parametrize("text", ["2026", "2026-28", "26-27", "2026-2027", "", "2099-99"])
def test_what_is_no_tax_year_is_refused(text):
    with pytest.raises(ValueError, match="is not a tax year"):
        GbTaxYear.parse(text)


def test_a_tax_month_ends_on_the_5th_and_a_century_is_crossed():
    assert gb_tax_month_end(date(2026, 12, 6)) == date(2027, 1, 5)
    assert gb_tax_month_end(date(2026, 12, 5)) == date(2026, 12, 5)
    assert str(GbTaxYear(2099)) == "2099-00"
    assert GbTaxYear.parse("2099-00") == GbTaxYear(2099)


def test_a_week_ends_on_its_day():
    assert week_ending(date(2026, 6, 24)) == date(2026, 6, 28)
    assert week_ending(date(2026, 6, 28)) == date(2026, 6, 28)
    assert week_ending(date(2026, 6, 24), weekday=4) == date(2026, 6, 26)


def test_banking_days_skip_weekends_and_the_divisions_own_holidays():
    england, scotland = calendar("ENG"), calendar("SCT")
    assert not england.is_banking_day(date(2026, 12, 25))
    assert not england.is_banking_day(date(2026, 6, 27))
    assert england.is_banking_day(date(2026, 6, 26))
    assert not scotland.is_banking_day(date(2026, 1, 2))
    assert england.is_banking_day(date(2026, 1, 2))


def test_counting_banking_days_goes_over_christmas_both_ways():
    england = calendar("ENG")
    assert england.add(date(2026, 12, 24), 1) == date(2026, 12, 29)
    assert england.add(date(2026, 12, 29), -1) == date(2026, 12, 24)
    assert england.add(date(2026, 12, 26), 0) == date(2026, 12, 26)
    assert england.on_or_before(date(2026, 12, 27)) == date(2026, 12, 24)
    assert england.on_or_after(date(2026, 12, 27)) == date(2026, 12, 29)


def test_a_year_or_division_that_is_not_known_is_refused_not_guessed():
    with pytest.raises(CalendarNotKnown, match="holidays are known"):
        calendar("ENG").is_banking_day(date(2199, 6, 1))
    with pytest.raises(CalendarNotKnown, match="no calendar"):
        calendar("MARS")
