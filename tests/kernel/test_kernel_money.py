import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.kernel.money import MAX_MINOR, Money, NotMoney, format_minor, parse_minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1,234.50", "GBP", 123450),
        ("1234.5", "GBP", 123450),
        ("-0.01", "GBP", -1),
        (" 7 ", "GBP", 700),
        ("0.10000", "GBP", 10),
        ("1,234", "JPY", 1234),
        ("1.234", "KWD", 1234),
    ],
)
def test_a_written_amount_is_read_exactly(text, currency, minor):
    assert parse_minor(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "£5",
        "1e3",
        "1,23",
        "1.234",
        "(5.00)",
        "1..2",
        "--1",
        "+1",
        "NaN",
        "١٢",
        "10000000000000.01",
        "9" * 5000,
    ],
)
def test_what_is_no_amount_is_an_error_never_nought(text):
    with pytest.raises(NotMoney):
        parse_minor(text)


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["GBP", "JPY", "KWD"]))
def test_an_amount_reads_back_as_written(minor, currency):
    assert parse_minor(format_minor(minor, currency), currency) == minor
    assert parse_minor(format_minor(minor, currency, grouped=False), currency) == minor


def test_an_amount_is_written_as_people_write_it():
    assert format_minor(-123450, symbol=True) == "-£1,234.50"
    assert format_minor(123450, "CHF", symbol=True) == "CHF 1,234.50"
    assert str(Money(5, "USD")) == "0.05"


def test_currencies_do_not_mix():
    assert Money(5) + Money(7) == Money(12)
    assert -Money(5) - Money(7) == Money(-12)
    with pytest.raises(NotMoney, match="cannot mix"):
        Money(5, "GBP") + Money(5, "EUR")
    with pytest.raises(NotMoney, match="not a currency"):
        Money(1, "XXX")
