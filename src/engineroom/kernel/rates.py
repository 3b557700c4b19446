"""Exact rates: integers of parts per million, or a ratio of integers. Never a float.

One part per million is 0.0001 percent; 8% is 80,000 ppm; time and a half is 1,500,000 ppm.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from engineroom.kernel.rounding import Num, half_up

PPM = 1_000_000


def ppm(value: str | Decimal) -> int:
    """Parts per million of a decimal fraction: ppm("0.0185") is 18,500. Refuses what is not exact in ppm."""
    try:
        scaled = Decimal(value) * PPM
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not a decimal number") from error
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more than six decimals")
    return int(scaled)


def apply_ppm(amount: Num, rate_ppm: int) -> Num:
    """Amount times rate, half up to a whole minor unit. Columns: |amount| below 9e12 / (rate_ppm / 1e6)."""
    return half_up(amount * rate_ppm, PPM)


def format_ppm(rate_ppm: int) -> str:
    """As a percentage people read: 80000 is "8%", 18500 is "1.85%"."""
    text = f"{Decimal(rate_ppm) / 10_000:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"
