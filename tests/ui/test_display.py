"""Figures as people read them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.ui.display import format_day, format_hours, format_period, printable


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0.00"),
        (2250, "37.50"),
        (3, "0.05"),
        (2240, "37 h 20"),
        (-90, "-1.50"),
        (-1, "-0 h 01"),
        (90000, "1,500.00"),
    ],
)
def test_hours_are_exact(minutes, text):
    assert format_hours(minutes) == text


@given(st.integers(min_value=-(10**7), max_value=10**7))
def test_hours_can_be_read_back_to_the_minute(minutes):
    text = format_hours(minutes).replace(",", "")
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    hours, rest = text.split(" h ") if " h " in text else text.split(".")
    read = int(hours) * 60 + (int(rest) if " h " in text else int(rest) * 60 // 100)
    assert sign * read == minutes


def test_a_period_says_its_year_once_when_it_is_one():
    assert format_period(date(2026, 4, 27), date(2026, 5, 3)) == "27 Apr to 3 May 2026"
    assert format_period(date(2026, 12, 28), date(2027, 1, 3)) == "28 Dec 2026 to 3 Jan 2027"
    assert format_period(date(2026, 5, 3), date(2026, 5, 3)) == format_day(date(2026, 5, 3)) == "3 May 2026"


def test_printable_text_keeps_letters_and_drops_what_reorders_or_breaks_a_line():
    assert printable("Łukasz 王 \u0928\u093f\u200d") == "Łukasz 王 \u0928\u093f\u200d"
    assert printable("a\nb\u202ec\ud800") == "a bc\ufffd"
