"""Rows that belong together: several stretches, or several orders, of one person.

`group` is a column of equal numbers for the rows of a group, which stand together; which number does not
matter. Shape (n,) throughout.
"""

from __future__ import annotations

import numpy as np

from engineroom.payroll.engine.steps import Column


def begin_of(group: Column) -> Column:
    """Of each row, the first row of its group."""
    first = np.ones(len(group), dtype=bool)
    first[1:] = group[1:] != group[:-1]
    begins = np.flatnonzero(first)
    return np.repeat(begins, np.diff(begins, append=len(group)))


def place_of(group: Column) -> Column:
    """Of each row, its place in its group, from 0."""
    place: Column = np.arange(len(group), dtype=np.int64) - begin_of(group)
    return place


def sum_before(values: Column, group: Column) -> Column:
    """Of each row, the sum of its group's rows before it. Wraps at 2**64 cancel out in the difference."""
    before: Column = np.cumsum(values) - values
    return before - before[begin_of(group)]
