"""Net to gross: the least gross pay that leaves exactly the wanted net, by the real steps, for columns.

What is deducted never falls when gross pay rises by a penny: so net pay rises by a penny at most, passes
over no amount on its way up, and every net above that of no pay at all has a gross. The least is found by
adding to the net what is deducted from the gross found so far, again and again: from below, each turn comes
closer and none comes past it. Each turn is one calculation of the whole column.

Where deductions do fall (a threshold that lets somebody out of one), net pay jumps over amounts. Then no turn
can be trusted, and the pennies around the jump are tried one by one: either one of them is exact, or it is
said that none is, with the gross that leaves the least above what was wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.steps import Column

MOST_TURNS = 400
"""Enough for 10**9 pence when 95% of each further pound is deducted; what is left is tried by pennies."""

WINDOW_PENCE = 20_000
"""Below and above the place where net pay passes the wanted amount: wider than any jump in a payslip."""

NetOf = Callable[[Minor, Column], Minor]
"""Net pay of amounts of gross pay, and the rows they belong to; both shape (m,)."""


class GrossedUp(NamedTuple):
    """gross: the least found; net: what it leaves. exact: 1 where that is what was wanted.

    Where exact is 0 net is the least above it within the window, or gross is 0 and already leaves more, or no
    gross up to `most` leaves as much (then net is below what was wanted).
    """

    gross: Minor
    net: Minor
    exact: Column


def gross_up(net_of: NetOf, wanted: Minor, most: int) -> GrossedUp:
    """The least gross pay, nought to `most`, that leaves exactly the wanted net. Shape (n,).

    net_of: gross less what is deducted from it, by the steps of a country.
    """
    everybody = np.arange(len(wanted), dtype=np.int64)
    gross, jumped = _from_below(net_of, wanted, most)
    net = net_of(gross, everybody)
    for row in np.flatnonzero(jumped | (net != wanted)).tolist():
        gross[row], net[row] = _around_the_jump(net_of, int(wanted[row]), row, most)
    return GrossedUp(gross, net, (net == wanted).astype(np.int64))


def _from_below(net_of: NetOf, wanted: Minor, most: int) -> tuple[Minor, Column]:
    """Where adding the deductions stops, and the rows in which it did not lead upwards only."""
    gross = np.zeros_like(wanted)
    jumped = np.zeros(len(wanted), dtype=bool)
    rows = np.arange(len(wanted), dtype=np.int64)
    for _ in range(MOST_TURNS):
        before = gross[rows]
        after = np.clip(wanted[rows] + before - net_of(before, rows), 0, most)
        jumped[rows] |= after < before
        gross[rows] = np.maximum(after, before)
        rows = rows[after > before]
        if not len(rows):
            break
    jumped[rows] = True
    return gross, jumped


def _around_the_jump(net_of: NetOf, wanted: int, row: int, most: int) -> tuple[int, int]:
    """Of one row: the least gross around the place where net passes the wanted amount that leaves just that.

    Failing that, the least of those that leave the least above it; failing that, the one that leaves most.
    """
    below, above = 0, most
    while below < above:  # the place, coarsely: net pay may dip on its way, by less than the window
        middle = (below + above) // 2
        if int(_net_of_one(net_of, np.array([middle]), row)[0]) < wanted:
            below = middle + 1
        else:
            above = middle
    tried = np.arange(max(below - WINDOW_PENCE, 0), min(below + WINDOW_PENCE, most) + 1, dtype=np.int64)
    net = _net_of_one(net_of, tried, row)
    enough = net >= wanted
    best = int(np.where(enough, net, net.max() + 1).argmin()) if enough.any() else int(net.argmax())
    return int(tried[best]), int(net[best])


def _net_of_one(net_of: NetOf, gross: Minor, row: int) -> Minor:
    return net_of(gross, np.full(len(gross), row, dtype=np.int64))
