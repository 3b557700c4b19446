"""What a calculation is made of: steps over named columns, the elements they leave, the rows refused.

A calculation is a tuple of `Step`s run in order over a dict of int64 columns of shape (n,). A step reads
columns, may use one dated table, and writes columns. Nothing is thrown away, so the columns that are left
*are* the trace, and `trace` prints any one row of them as: what was read, under which version of which table,
and what came out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from engineroom.kernel.money import format_minor
from engineroom.kernel.tables import Version

Column = npt.NDArray[np.int64]
"""Whole numbers of any unit, int64, shape (n,)."""

Unit = Literal[
    "pence",
    "minutes",
    "ppm",
    "ten_thousandths",
    "count",
    "weeks",
    "days",
    "weekdays",
    "month",
    "periods",
    "years",
    "hundredths",
    "row",
    "flag",
    "code",
]
"""Of a column. ten_thousandths are of a pound: the precision HMRC's PAYE routines carry."""


@lru_cache(maxsize=1024)
def same_for_all(value: int, n: int) -> Column:
    """A column of n equal values that is one value in memory; read only."""
    return np.broadcast_to(np.int64(value), (n,))


def look_up(values: Column, place: Column) -> Column:
    """Of each row the value at its place; one value in memory where every row has the same place.

    Most chunks are of people paid alike, whose thresholds need no looking up row by row.
    """
    if place.strides == (0,) and len(place):
        return same_for_all(int(values[place[0]]), len(place))
    return values.take(place)


MEMORY_OF_CHUNKS = 16 << 20
"""Bytes: several chunks' columns."""


def keep_memory() -> None:
    """Have the C library keep the memory of a chunk's columns for the next chunk.

    Its `free` gives the top of the heap back to the system as soon as a few columns lie there, and the next
    chunk begins with a page fault for every 4 KB, which takes as long as the calculation does
    (docs/benchmarks.md). glibc learns from the largest block that was let go of: what is smaller stays
    (mallopt(3), M_MMAP_THRESHOLD). The block is never written to, so it takes no memory itself.
    """
    np.empty(MEMORY_OF_CHUNKS, dtype=np.uint8)


def is_nought(column: Column) -> bool:
    """Whether a column is known to be nought throughout without looking at every row."""
    return column.strides == (0,) and len(column) > 0 and not column[0]


class RowProblem(NamedTuple):
    """One row of a chunk that cannot be calculated: which (from 0), where, what, and what to do about it."""

    row: int
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.field}: {self.problem}. {self.remedy}"


def refuse(wrong: npt.NDArray[np.bool_], field: str, problem: str, remedy: str) -> list[RowProblem]:
    """The same problem for every row that is wrong."""
    return [RowProblem(row, field, problem, remedy) for row in np.flatnonzero(wrong).tolist()]


def rows_without(problems: Sequence[RowProblem], n: int) -> Column:
    """Of n rows those that have no problem, ascending."""
    if not problems:
        return np.arange(n, dtype=np.int64)
    good = np.ones(n, dtype=bool)
    good[[problem.row for problem in problems]] = False
    return np.flatnonzero(good)


@dataclass(frozen=True, slots=True)
class Element:
    """A figure that a payslip shows or stores. Reductions and deductions are positive amounts taken off."""

    code: str
    label: str
    kind: Literal["earning", "reduction", "deduction", "employer", "accrual", "total", "figure"]
    unit: Unit = "pence"


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of the calculation.

    function takes the `reads` columns in order, then the table's parameters when it has a table, and returns
    the `writes` columns in order (one column, or a tuple of them).
    """

    name: str
    function: Callable[..., Column | tuple[Column, ...]]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    source: str
    table: str | None = None

    def run(self, columns: dict[str, Column], parameters: Mapping[str, Any]) -> None:
        """Add what this step writes to the columns."""
        arguments: list[Any] = list(map(columns.__getitem__, self.reads))
        if self.table is not None:
            arguments.append(parameters[self.table])
        written = self.function(*arguments)
        if isinstance(written, tuple):
            columns.update(zip(self.writes, written, strict=True))
        else:
            (name,) = self.writes
            columns[name] = written


class Calculation(NamedTuple):
    """What a chunk came to.

    columns: every input and every step's result, int64, shape (m,), for the m rows that could be calculated.
    rows: for each of those, its index in the chunk, ascending. problems: the rows that could not; they have
    no numbers. orders: attachment orders of those rows, what each took and carries forward, shape (orders,).
    """

    columns: dict[str, Column]
    rows: Column
    problems: list[RowProblem]
    orders: Mapping[str, Column] = MappingProxyType({})


def trace(
    row: int,
    columns: Mapping[str, Column],
    steps: Sequence[Step],
    versions: Mapping[str, Version],
    units: Mapping[str, Unit],
) -> list[str]:
    """One line a step: what it read, the law it applied, and what it wrote, for one row of the columns."""

    def figures(names: tuple[str, ...]) -> str:
        return ", ".join(
            f"{name} {_written(int(columns[name][row]), units.get(name, 'pence'))}" for name in names
        )

    return [
        f"{step.name}: read {figures(step.reads)}; {_law(step, versions)}; wrote {figures(step.writes)}"
        for step in steps
    ]


def _law(step: Step, versions: Mapping[str, Version]) -> str:
    if step.table is None:
        return step.source
    version = versions[step.table]
    until = f" until {version.ends}" if version.ends else ""
    memory = f"; unverified: {', '.join(version.unverified())}" if version.unverified() else ""
    law = f"table {step.table} from {version.starts}{until} ({version.confidence}: {version.source}{memory})"
    return f"{step.source}; {law}"


def four_decimals(ten_thousandths: int) -> str:
    """Pounds to four decimals, as tax routines carry them."""
    whole, fraction = divmod(ten_thousandths, 10_000)
    return f"{whole:,}.{fraction:04d}"


def _written(value: int, unit: Unit) -> str:
    if unit == "pence":
        return format_minor(value)
    if unit == "ten_thousandths":
        return four_decimals(value)
    return str(value) if unit in ("flag", "code", "count") else f"{value:,} {unit}"
