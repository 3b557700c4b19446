"""Named roundings, exact on integers: a rule says which one it uses, and no rule writes its own.

Every function takes Python ints or int64 arrays alike. With arrays the caller keeps |numerator| * 2 below
2**63 (9.2e18); each engine states its own bound where columns multiply.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Minor = npt.NDArray[np.int64]
"""A column of minor units (pence, cents), int64, shape (n,)."""

Num = TypeVar("Num", int, npt.NDArray[np.int64])


def floor_div(numerator: Num, denominator: int | Num) -> Num:
    """Towards minus infinity."""
    return numerator // denominator


def ceil_div(numerator: Num, denominator: int | Num) -> Num:
    """Towards plus infinity."""
    return -(-numerator // denominator)


def half_up(numerator: Num, denominator: int) -> Num:
    """Nearest; an exact half goes away from zero, as accountants round."""
    # One less below zero turns an exact half there away from zero, and nothing else: those above it are
    # whole numbers over the same denominator.
    rounded: Num = (2 * numerator + denominator - (numerator < 0)) // (2 * denominator)
    return rounded


def half_down(numerator: Num, denominator: int) -> Num:
    """Nearest; an exact half goes towards zero ("halfpenny or less disregarded")."""
    if isinstance(numerator, int):
        sign = -1 if numerator < 0 else 1
        return sign * -((denominator - 2 * abs(numerator)) // (2 * denominator))
    rounded: Num = np.sign(numerator) * -((denominator - 2 * np.abs(numerator)) // (2 * denominator))
    return rounded


def half_even(numerator: Num, denominator: int) -> Num:
    """Nearest; an exact half goes to the even neighbour."""
    quotient = numerator // denominator
    twice = 2 * (numerator - quotient * denominator)
    up = (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1))
    rounded: Num = quotient + up
    return rounded


def floor_to_pound(pence: Num) -> Num:
    """Down to a whole hundred of minor units."""
    return pence // 100 * 100


def nic_round(numerator: Num, denominator: int) -> Num:
    """HMRC's rounding for National Insurance: cut at the third decimal of a pound, then 6 and over goes up.

    The amount is numerator/denominator in *pence*. Its first decimal of a penny decides: 0 to 5 down, 6 to 9
    up; so 0.56p gives 0 and 0.60p gives 1. Plain half-down fails 87 of HMRC's 896 test rows (facts/gb.md
    section 1.4).
    """
    # Tenths are 10 n // d, and (tenths + 4) // 10 the pennies; a floor of a floor is one division.
    return (5 * numerator + 2 * denominator) // (5 * denominator)


def largest_remainder(total: int, weights: list[int]) -> list[int]:
    """Split `total` minor units in proportion to non-negative weights; the parts always add to the total.

    Leftover units go to the largest remainders, ties to the earlier position, so the split is repeatable.
    All-zero weights put everything on the first part.
    """
    if not weights:
        raise ValueError("nothing to split among")
    whole = sum(weights)
    if whole == 0:
        return [total, *([0] * (len(weights) - 1))]
    sign = -1 if total < 0 else 1
    shares = [divmod(abs(total) * w, whole) for w in weights]
    parts = [q for q, _ in shares]
    left = abs(total) - sum(parts)
    for i in sorted(range(len(weights)), key=lambda i: (-shares[i][1], i))[:left]:
        parts[i] += 1
    return [sign * p for p in parts]


ROUNDINGS = {
    "floor": floor_div,
    "ceiling": ceil_div,
    "half_up": half_up,
    "half_down": half_down,
    "half_even": half_even,
    "nic_round": nic_round,
}
"""The roundings a dated table may name."""
