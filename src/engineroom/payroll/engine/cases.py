"""One published case of a vectors file: typed access to its inputs, and what may be wrong with it.

The format is KINDS.md's: inputs and expected results are JSON objects, money is a decimal string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from engineroom.kernel.errors import EngineroomError
from engineroom.kernel.money import NotMoney, parse_minor
from engineroom.kernel.rates import ppm
from engineroom.payroll.engine.steps import RowProblem

COLUMNS = (
    "id", "jurisdiction", "year", "frequency", "period_no", "kind", "inputs", "expected", "tolerance",
    "status", "source", "notes",
)  # fmt: skip

NEEDED = ("id", "jurisdiction", "kind", "inputs", "expected", "tolerance")

MOST_PERIODS = 366
"""Days of a year: nobody is paid more often."""

Results = Mapping[str, Decimal | int | str | bool]
"""What a kind computes, by the names of KINDS.md. Money is a Decimal in pounds (dollars, pesos)."""

KindFunction = Callable[["Case"], Results]


class BadCase(EngineroomError):
    """A row of a vectors file that cannot be run as it stands: says which field."""

    status = 422

    def __init__(self, field_name: str, problem: str) -> None:
        self.field, self.problem = field_name, problem
        super().__init__(f"{field_name}: {problem}")


@dataclass
class Case:
    """A row. Reading an input marks it as used: one that no rule reads is a mistake, not a detail."""

    row: int
    id: str
    jurisdiction: str
    year: str
    frequency: str
    period_no: str
    kind: str
    inputs: dict[str, Any]
    expected: dict[str, Any]
    tolerance: Decimal
    used: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, row: int, raw: Mapping[str, str | None]) -> Case:
        """From a CSV row. Raises BadCase naming the field."""
        if missing := [name for name in NEEDED if raw.get(name) is None]:
            raise BadCase(missing[0], "the row has no such field")
        if None in raw:
            raise BadCase("row", "it has more fields than the header")
        text = {name: (raw.get(name) or "").strip() for name in COLUMNS}
        period = text["period_no"]
        if period and not (period.isascii() and period.isdigit() and 1 <= int(period) <= MOST_PERIODS):
            raise BadCase("period_no", f"{period!r} is not a period of a year, 1 to {MOST_PERIODS}")
        expected = _json_object("expected", text["expected"])
        if not expected:
            raise BadCase("expected", "it is empty, so nothing could fail")
        return cls(
            row=row,
            id=text["id"],
            jurisdiction=text["jurisdiction"],
            year=text["year"],
            frequency=text["frequency"],
            period_no=text["period_no"],
            kind=text["kind"],
            inputs=_json_object("inputs", text["inputs"]),
            expected=expected,
            tolerance=_tolerance(text["tolerance"]),
        )

    @property
    def period(self) -> int:
        """The number of the period. Raises BadCase where the row gives none."""
        if not self.period_no:
            raise BadCase("period_no", "it is missing")
        return int(self.period_no)

    def refusal(self, problem: RowProblem, sources: Mapping[str, tuple[str, ...]]) -> BadCase:
        """What a rule says of a column, said of the input of this row that the column was made from.

        sources: which inputs a column may have been made from, where the names differ.
        """
        made_from = sources.get(problem.field, (problem.field,))
        named = next((f"inputs.{name}" for name in made_from if self.has(name)), made_from[-1])
        return BadCase(named, f"{problem.problem}. {problem.remedy}")

    def has(self, name: str) -> bool:
        return name in self.inputs

    def text(self, name: str, default: str | None = None) -> str:
        value = self._value(name, default)
        if not isinstance(value, str):
            raise BadCase(f"inputs.{name}", f"{value!r} is not text")
        return value

    def money(self, name: str, default: str | None = None) -> int:
        """Minor units."""
        text = self.text(name, default)
        try:
            return parse_minor(text)
        except NotMoney as error:
            raise BadCase(f"inputs.{name}", str(error)) from error

    def integer(self, name: str, default: int | None = None) -> int:
        value = self._value(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadCase(f"inputs.{name}", f"{value!r} is not a whole number")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise BadCase(f"inputs.{name}", f"{value!r} is neither true nor false")
        return value

    def rate_ppm(self, name: str) -> int:
        """A rate ("0.09") in parts per million (90,000)."""
        text = self.text(name)
        try:
            return ppm(_plain(text))
        except (ValueError, ArithmeticError) as error:
            raise BadCase(f"inputs.{name}", f"{text!r} is not a rate: {error}") from error

    def percent_ppm(self, name: str, default: str | None = None) -> int:
        """A percent ("5") in parts per million (50,000)."""
        text = self.text(name, default)
        try:
            return ppm(_plain(text) / 100)
        except (ValueError, ArithmeticError) as error:
            raise BadCase(f"inputs.{name}", f"{text!r} is not a percentage: {error}") from error

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        text = self.text(name, default)
        if text not in allowed:
            raise BadCase(f"inputs.{name}", f"{text!r} is not one of {', '.join(allowed)}")
        return text

    def _value(self, name: str, default: object) -> Any:
        self.used.add(name)
        if name in self.inputs:
            return self.inputs[name]
        if default is None:
            raise BadCase(f"inputs.{name}", "it is missing")
        return default


def _plain(text: str) -> Decimal:
    """Digits and at most one point, as people write a rate. Raises ValueError."""
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", text):
        raise ValueError("write digits with a point, such as 4.5")
    return Decimal(text)


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BadCase(name, f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadCase(name, "it is not a JSON object")
    return value


def _tolerance(text: str) -> Decimal:
    value = decimal_of(text or "0")
    if value is None or value < 0:
        raise BadCase("tolerance", f"{text!r} is not an amount")
    return value


def decimal_of(value: object) -> Decimal | None:
    """The finite decimal a value writes, or None."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def pounds(minor: int) -> Decimal:
    """Minor units of a two-decimal currency as KINDS.md writes money."""
    return Decimal(minor).scaleb(-2)
