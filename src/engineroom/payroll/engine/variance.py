"""What each changed input did to a payslip: the payslip before, turned into this one, an input at a time.

The calculation itself is asked. It begins with the inputs of the payslip before, under the law of then; then
the law becomes that of now; then one group of inputs after the other takes its value of now. What a figure
moves by at a step is what that step did to it, so the parts add up to the change, always and exactly. Where
the calculation of the inputs of a payslip does not give its figures (another version of the engine), the
difference is a part of its own, and not explained by an input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.payroll.engine.steps import Calculation, Column

UNEXPLAINED = "unexplained"
LAW = "law"

Inputs = Mapping[str, Any]
"""Columns of n rows, or one value for all of them."""

Calculate = Callable[[Inputs], Calculation]


@dataclass(frozen=True)
class Part:
    """What one step did. keys: the groups of it, several where only together they could be calculated.

    rows: of the people whose part it is. moved: by element, of each of those rows, minor units or minutes.
    """

    keys: tuple[str, ...]
    rows: tuple[int, ...]
    moved: Mapping[str, Column]


@dataclass(frozen=True)
class Side:
    """A set of payslips: what they were calculated from and by, and their figures as they stand."""

    inputs: Inputs
    calculate: Calculate
    figures: Mapping[str, Column]


def changed_groups(before: Inputs, now: Inputs, groups: Mapping[str, Sequence[str]], n: int) -> list[str]:
    """The groups of inputs of which anything differs for anybody, in their order."""
    return [
        key
        for key, columns in groups.items()
        if any(name in before or name in now for name in columns)
        and not all(_same(before.get(name), now.get(name), n) for name in columns)
    ]


def _same(one: Any, other: Any, n: int) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(np.broadcast_to(one, (n,)), np.broadcast_to(other, (n,))))


def explain(before: Side, now: Side, groups: Mapping[str, Sequence[str]], n: int) -> list[Part]:
    """The parts of the change of n payslips, in the order of the steps; what is nought is left out.

    groups: every input by name, in the order in which they take their value of now.
    """
    elements = sorted({*before.figures, *now.figures})
    walk = _Walk(elements, _matrix(before.figures, elements, n))
    walk.step(UNEXPLAINED, _figures(before.calculate(before.inputs), elements, n))
    state = dict(before.inputs)
    walk.step(LAW, _figures(now.calculate(state), elements, n))
    for key in changed_groups(before.inputs, now.inputs, groups, n):
        for name in groups[key]:
            if name in now.inputs:
                state[name] = now.inputs[name]
            else:
                state.pop(name, None)
        walk.step(key, _figures(now.calculate(state), elements, n))
    walk.step(UNEXPLAINED, (_matrix(now.figures, elements, n), np.ones(n, dtype=bool)))
    return walk.parts


Found = tuple[Column, Any]
"""Figures of shape (n, elements), and which rows have any: a row may not be calculable half-way."""


class _Walk:
    """Where each row stands, and the steps that it could not take yet."""

    def __init__(self, elements: Sequence[str], start: Column) -> None:
        self.elements = elements
        self.stands = start
        self.waiting: list[tuple[str, ...]] = [()] * len(start)
        self.parts: list[Part] = []

    def step(self, key: str, found: Found) -> None:
        figures, there = found
        moved = np.where(there[:, None], figures - self.stands, 0)
        by_keys: dict[tuple[str, ...], list[int]] = {}
        for row in range(len(self.stands)):
            keys = (*self.waiting[row], key)
            if not there[row]:
                self.waiting[row] = keys
                continue
            self.waiting[row] = ()
            if moved[row].any():
                by_keys.setdefault(keys, []).append(row)
        for keys, rows in by_keys.items():
            columns = {code: moved[rows, i] for i, code in enumerate(self.elements)}
            self.parts.append(Part(keys, tuple(rows), columns))
        self.stands = self.stands + moved


def _matrix(figures: Mapping[str, Column], elements: Sequence[str], n: int) -> Column:
    nothing = np.zeros(n, dtype=np.int64)
    return np.stack([figures.get(code, nothing) for code in elements], axis=1)


def _figures(done: Calculation, elements: Sequence[str], n: int) -> Found:
    there = np.zeros(n, dtype=bool)
    there[done.rows] = True
    figures = np.zeros((n, len(elements)), dtype=np.int64)
    for i, code in enumerate(elements):
        if code in done.columns:
            figures[done.rows, i] = done.columns[code]
    return figures, there
