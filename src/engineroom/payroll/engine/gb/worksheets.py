"""A rule that stands on its own, beside the payslip: what it takes, its dated tables, its steps in order.

    tables = LEVY.tables_at(date(2026, 5, 5))
    done = LEVY.calculate({"pay_bill_to_date": [30_000_000], "tax_month": 1}, tables)
    done.columns["levy"][0]

A worksheet reads a chunk as a payslip does: bad rows are problems with what to do about them and get no
number; the columns that are left are its trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from engineroom.kernel.tables import Version, load_table, rules_hash
from engineroom.payroll.engine.gb.inputs import inputs_of
from engineroom.payroll.engine.inputs import Choice, Inputs, NumberInput, Values
from engineroom.payroll.engine.steps import (
    Calculation,
    Column,
    RowProblem,
    Step,
    Unit,
    rows_without,
    trace,
)


@dataclass(frozen=True)
class GbTables:
    """The versions in force on one day, and the parameters made from them."""

    pay_date: date
    versions: Mapping[str, Version]
    parameters: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """What a run keeps to prove which law it applied."""
        return rules_hash(self.versions.values())

    @cached_property
    def inputs(self) -> Inputs:
        """The columns of a payslip."""
        return inputs_of(self.versions)


def resolve(day: date, tables: Mapping[str, Callable[[Version], Any]]) -> GbTables:
    """The named tables of a day. Raises NoTableForDate when one has no version for it."""
    versions = {name: load_table(__package__ or "", name).at(day) for name in tables}
    return GbTables(day, versions, {name: of(versions[name]) for name, of in tables.items()})


Check = Callable[[Mapping[str, Column], Mapping[str, Any]], Iterable[RowProblem]]
"""What only several columns, or columns and a table, together can show."""


@dataclass(frozen=True)
class Worksheet:
    """One rule. numbers and choices: its inputs. tables: those it uses, by name. check: see Check."""

    name: str
    numbers: Mapping[str, NumberInput]
    steps: tuple[Step, ...]
    tables: Mapping[str, Callable[[Version], Any]] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    check: Check = lambda columns, parameters: ()
    units: Mapping[str, Unit] = field(default_factory=dict)

    @cached_property
    def inputs(self) -> Inputs:
        """Its columns."""
        return Inputs(self.numbers, self.choices)

    def tables_at(self, day: date) -> GbTables:
        """The law of a day. Raises NoTableForDate."""
        return resolve(day, self.tables)

    def calculate(self, chunk: Mapping[str, Values], tables: GbTables) -> Calculation:
        """Every row of a chunk; one value alone stands for every row. Raises BadChunk for what is none."""
        columns, problems, n = self.inputs.read(chunk)
        rows = rows_without(problems, n)
        columns = {name: column[rows] for name, column in columns.items()}
        if more := list(self.check(columns, tables.parameters)):
            problems += [p._replace(row=int(rows[p.row])) for p in more]
            good = rows_without(more, len(rows))
            columns, rows = {name: column[good] for name, column in columns.items()}, rows[good]
        for step in self.steps:
            step.run(columns, tables.parameters)
        return Calculation(columns, rows, sorted(set(problems)))

    def trace(self, row: int, done: Calculation, tables: GbTables) -> list[str]:
        """One line a step for one row of the columns."""
        units = {name: spec.unit for name, spec in self.numbers.items()} | dict.fromkeys(self.choices, "code")
        return trace(row, done.columns, self.steps, tables.versions, {**units, **self.units})
