"""Figures and words as people read them: the last step before a page, a chart or a PDF.

Nothing here computes. Amounts arrive in minor units, times in minutes, and leave as text; every face shows
the same number in the same way because it passes through here. Negatives carry a plain hyphen-minus, so that
a figure copied out of a page is still a number in a spreadsheet.
"""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from typing import Literal, NamedTuple

from engineroom.kernel.money import format_minor


class Figure(NamedTuple):
    """A named amount, in minor units of the document's currency."""

    label: str
    amount_minor: int


_BIDI_CONTROLS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Letters that show nothing and turn the order of what follows: a name with one could reorder its figures."""


def printable(text: str) -> str:
    """The text, safe to set in a line: NFC, control letters as spaces, reordering controls dropped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _printable_letter(c) for c in unicodedata.normalize("NFC", text) if c not in _BIDI_CONTROLS
    )


def _printable_letter(letter: str) -> str:
    category = unicodedata.category(letter)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "\ufffd" if category == "Cs" else letter


def format_money(
    amount_minor: int,
    currency: str = "GBP",
    *,
    negative: Literal["minus", "parentheses"] = "minus",
    symbol: bool = True,
) -> str:
    """123450 is "£1,234.50". Negatives carry a minus; on statements they stand in parentheses."""
    if negative == "parentheses" and amount_minor < 0:
        return f"({format_minor(-amount_minor, currency, symbol=symbol)})"
    return format_minor(amount_minor, currency, symbol=symbol)


def format_change(amount_minor: int, currency: str = "GBP", *, symbol: bool = True) -> str:
    """A difference: "+£12.34", "-£12.34", and "£0.00" for none."""
    text = format_minor(amount_minor, currency, symbol=symbol)
    return f"+{text}" if amount_minor > 0 else text


def format_count(count: int, one: str, many: str = "") -> str:
    """2 as "2 people": the noun agrees with the number. many defaults to one + "s"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def format_duration(minutes: int) -> str:
    """Hours with their unit, once: "37.50 h", or "37 h 20 min" where two decimals cannot hold it."""
    text = format_hours(minutes)
    return f"{text} min" if " h " in text else f"{text} h"


def format_hours(minutes: int) -> str:
    """Minutes as hours: 2250 is "37.50"; 2240, which two decimals cannot hold, is "37 h 20".

    Never rounded: hours times rate must give the amount beside it.
    """
    sign, absolute = ("-" if minutes < 0 else ""), abs(int(minutes))
    hours, rest = divmod(absolute, 60)
    if rest % 3:
        return f"{sign}{hours:,} h {rest:02d}"
    return f"{sign}{hours:,}.{rest * 5 // 3:02d}"


def format_day(day: date) -> str:
    """8 May 2026: the month in letters, because 05/08 is two dates."""
    return f"{day.day} {day:%b %Y}"


def format_weekday(day: date) -> str:
    """Fri 8 May 2026."""
    return f"{day:%a} {format_day(day)}"


def format_moment(moment: datetime) -> str:
    """8 May 2026, 16:32 UTC. The zone is shown when the moment carries one."""
    zone = moment.tzname()
    return f"{format_day(moment)}, {moment:%H:%M}" + (f" {zone}" if zone else "")


def format_period(first: date, last: date) -> str:
    """27 Apr to 3 May 2026: the year once, when it is the same."""
    if first == last:
        return format_day(last)
    start = f"{first.day} {first:%b}" if first.year == last.year else format_day(first)
    return f"{start} to {format_day(last)}"
