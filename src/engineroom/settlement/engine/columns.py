"""Bank lines and open items as columns: what the pairing reads.

Amounts are minor units, signed as the bank signs them: money in is positive. Days are numbers of days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Flags = NDArray[np.bool_]

MOST = 10**12
"""No amount is larger, so that no sum of a million of them leaves 64 bits."""


class TooLarge(ValueError):
    """An amount beyond what sums are safe for."""


def currency_code(currency: str) -> int:
    """Three letters as a number: what a currency column holds."""
    return int.from_bytes(currency.encode("ascii"), "big")


@dataclass(frozen=True)
class Lines:
    """Booked lines of the bank. key: unique and sortable, so that no order of rows decides anything.

    charge: what the bank says it kept of the payment, positive. whole, whole_currency: the amount that the
    payer instructed, where the bank says it in another currency (else 0).
    """

    key: NDArray[Any]
    day: Ints
    currency: Ints
    amount: Ints
    text: Sequence[str]
    payer: Sequence[str]
    is_return: Flags
    charge: Ints
    whole: Ints
    whole_currency: Ints

    def __post_init__(self) -> None:
        _check(self.key, self.amount, self.charge, self.whole)

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class Items:
    """What a line may settle. amount: what the bank must show for it; 0 once nothing of it is left, so that a
    line which names it is not taken for another. is_return: a payment of ours, which may come back.
    """

    key: NDArray[Any]
    day: Ints
    currency: Ints
    amount: Ints
    reference: Sequence[str]
    payer: Sequence[str]
    is_return: Flags

    def __post_init__(self) -> None:
        _check(self.key, self.amount)

    def __len__(self) -> int:
        return len(self.key)


def _check(key: NDArray[Any], *amounts: Ints) -> None:
    if len(np.unique(key)) < len(key):
        raise ValueError("two rows have one key")
    for column in amounts:
        if len(column) and int(np.abs(column).max()) > MOST:
            raise TooLarge(f"an amount is above {MOST} minor units")


SALT, STIR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
HALF = np.uint64(31)


def mixed(*columns: NDArray[Any]) -> Hashes:
    """One 64-bit key of several columns. What is confirmed by a key is compared again by its columns."""
    made = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        made = (made ^ column.astype(np.uint64)) * SALT
        made = (made ^ (made >> HALF)) * STIR
        made ^= made >> HALF
    return made


def ranks(keys: Hashes) -> Ints:
    """The place of each row among those of its key, in the order of the rows."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(keys) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[begins, len(keys)])
    made = np.empty(len(keys), np.int64)
    made[order] = np.arange(len(keys)) - np.repeat(begins, lengths)
    return made


def counted(keys: Hashes, asked: Hashes) -> Ints:
    """How often each of the asked keys stands among the keys."""
    ordered = np.sort(keys)
    return np.searchsorted(ordered, asked, "right") - np.searchsorted(ordered, asked, "left")


def joined(left: Hashes, right: Hashes, most: int) -> tuple[Ints, Ints]:
    """Pairs of rows of equal keys; keys that stand more than `most` times on the right are left out."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first = np.searchsorted(ordered, left, "left")
    many = np.searchsorted(ordered, left, "right") - first
    many[many > most] = 0
    rows = np.repeat(np.arange(len(left)), many)
    begins = np.repeat(first - np.r_[0, np.cumsum(many)[:-1]], many) if len(left) else first
    return rows, order[begins + np.arange(len(rows))]
