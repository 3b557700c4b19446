"""Which few of a group come to an amount: subset sums, bounded so that their cost stays near linear.

A group's elements are taken in windows of WINDOW, each beginning STRIDE after the last, and of each window
all choices of up to MOST_OF elements are added up at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from engineroom.settlement.engine.columns import Hashes, Ints, joined, mixed, ranks

WINDOW, STRIDE = 16, 8
MOST_OF = 4
AT_ONCE = 400_000
"""Sums at a time: bounds the memory."""
MOST_ANSWERS = 8
"""Of so many choices for one target the first are kept: more say no more than that there are several."""


@dataclass(frozen=True)
class Sums:
    """target: whose amount these come to; elements: rows of up to MOST_OF, -1 where there are fewer."""

    target: Ints
    elements: Ints


def subset_sums(
    group: Hashes, amount: Ints, target_group: Hashes, target_amount: Ints, smallest: int = 2
) -> Sums:
    """For each target the choices of its group's elements that come to its amount, the fewest elements first,
    then the earliest in the order given.
    """
    wanted = mixed(target_group, target_amount)
    sorted_wanted = np.unique(wanted)
    order = np.argsort(group, kind="stable")
    order = order[np.isin(group[order], target_group)]
    rows = []
    for length, starts in _windows(group[order]):
        for size in range(smallest, min(length, MOST_OF) + 1):
            choice = _choices(length, size)
            step = max(1, AT_ONCE // len(choice))
            for at in range(0, len(starts), step):
                window = starts[at : at + step]
                members = order[window[:, None, None] + choice[None]]
                sums = amount[members].sum(axis=2)
                keys = mixed(np.broadcast_to(group[order[window]][:, None], sums.shape).ravel(), sums.ravel())
                place = np.minimum(np.searchsorted(sorted_wanted, keys), len(sorted_wanted) - 1)
                hit = np.flatnonzero(sorted_wanted[place] == keys)
                found = np.full((len(hit), MOST_OF), -1, np.int64)
                found[:, :size] = members.reshape(-1, size)[hit]
                rows.append(found)
    chosen = np.unique(np.concatenate(rows), axis=0) if rows else np.zeros((0, MOST_OF), np.int64)
    return _answers(chosen, group, amount, wanted)


def _answers(chosen: Ints, group: Hashes, amount: Ints, wanted: Hashes) -> Sums:
    size = (chosen >= 0).sum(axis=1)
    chosen = chosen[np.lexsort((*chosen.T[::-1], size))]
    total = np.where(chosen >= 0, amount[chosen], 0).sum(axis=1)
    keys = mixed(group[chosen[:, 0]], total)
    keep = np.flatnonzero(ranks(keys) < MOST_ANSWERS)
    target, which = joined(wanted, keys[keep], MOST_ANSWERS)
    return Sums(target, chosen[keep][which])


@cache
def _choices(length: int, size: int) -> Ints:
    return np.array(list(combinations(range(length), size)), np.int64)


def _windows(group: Hashes) -> list[tuple[int, Ints]]:
    """(length, starts) of the windows of every group, which stand one behind the other."""
    if not len(group):
        return []
    begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    lengths = np.diff(np.r_[begins, len(group)])
    made = [
        (length, begins[lengths == length]) for length in range(1, WINDOW + 1) if (lengths == length).any()
    ]
    large = np.flatnonzero(lengths > WINDOW)
    if len(large):
        many = -(-(lengths[large] - WINDOW) // STRIDE) + 1
        which = np.repeat(large, many)
        step = np.arange(len(which)) - np.repeat(np.cumsum(many) - many, many)
        starts = np.minimum(begins[which] + step * STRIDE, begins[which] + lengths[which] - WINDOW)
        made.append((WINDOW, starts))
    return made
