"""Money: a whole number of minor units and an ISO 4217 currency. No floats come near it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from engineroom.kernel.errors import EngineroomError

EXPONENTS = {
    "GBP": 2, "EUR": 2, "USD": 2, "PHP": 2, "INR": 2, "CHF": 2, "SEK": 2, "NOK": 2, "DKK": 2,
    "PLN": 2, "CZK": 2, "CAD": 2, "AUD": 2, "NZD": 2, "SGD": 2, "HKD": 2, "AED": 2, "ZAR": 2,
    "RON": 2, "HUF": 2, "ILS": 2, "MXN": 2, "CNY": 2, "JPY": 0, "KRW": 0, "ISK": 0, "KWD": 3,
    "BHD": 3, "TND": 3, "BRL": 2, "TRY": 2,
}  # fmt: skip
"""Digits after the decimal point, ISO 4217 (2026 list). A currency that is not here is refused by name."""

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "PHP": "₱", "INR": "₹", "JPY": "¥"}

MAX_MINOR = 10**15
"""No amount in the system is larger: ten trillion pounds. Leaves a factor of 9,000 before int64 ends."""

_AMOUNT = re.compile(r"(-?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?", re.ASCII)


class NotMoney(EngineroomError):
    """The text is not an amount of the currency."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount. Adding two currencies is an error, not a guess."""

    minor: int
    currency: str = "GBP"

    def __post_init__(self) -> None:
        if self.currency not in EXPONENTS:
            raise NotMoney(f"{self.currency!r} is not a currency we know")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise NotMoney(f"cannot mix {self.currency} with {other.currency}")

    def __str__(self) -> str:
        return format_minor(self.minor, self.currency)


def exponent(currency: str) -> int:
    """Digits after the point. Raises NotMoney for a currency we do not know."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise NotMoney(f"{currency!r} is not a currency we know") from None


def parse_minor(text: str, currency: str = "GBP") -> int:
    """Minor units of a written amount: "1,234.50" is 123450. Refuses more decimals than the currency has.

    Accepts a leading minus and thousands commas in their places; nothing else (no symbols, no exponents, no
    brackets): "abc" is an error, never 0.00.
    """
    digits = exponent(currency)
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise NotMoney(f"{text!r} is not an amount")
    sign, whole, fraction = match.group(1), match.group(2).replace(",", ""), match.group(3) or ""
    if len(fraction) > digits and fraction[digits:].strip("0"):
        raise NotMoney(f"{text!r} has more than {digits} decimals")
    too_long = len(whole) > len(str(MAX_MINOR))  # before int(), which refuses thousands of digits its own way
    minor = 0 if too_long else int(whole + fraction[:digits].ljust(digits, "0"))
    if too_long or minor > MAX_MINOR:
        raise NotMoney(f"{text!r} is larger than any amount we take")
    return -minor if sign else minor


def in_major(minor: int, currency: str = "GBP") -> Decimal:
    """Minor units as the number that a spreadsheet's cell holds, exactly: 123450 is 1234.50."""
    return Decimal(minor).scaleb(-exponent(currency))


def format_minor(minor: int, currency: str = "GBP", *, symbol: bool = False, grouped: bool = True) -> str:
    """Minor units as written: 123450 is "1,234.50"; with symbol "£1,234.50"."""
    digits = exponent(currency)
    sign, absolute = ("-" if minor < 0 else ""), abs(int(minor))
    whole, fraction = divmod(absolute, 10**digits)
    text = f"{whole:,}" if grouped else str(whole)
    if digits:
        text += f".{fraction:0{digits}d}"
    return f"{sign}{SYMBOLS.get(currency, currency + ' ') if symbol else ''}{text}"
