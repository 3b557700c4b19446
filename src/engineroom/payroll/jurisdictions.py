"""What a run needs to know of the country whose law it pays by: one object for each, and none known by name.

Services, inputs and selectors speak to a `Jurisdiction` only: its elements, its tables and its engine, the
year and the period that a pay date falls in, which inputs it asks for beside pay, which figures it goes on
from, and under which period's law back pay is taxed. A run keeps the code of its jurisdiction; a further
country is a further object that is registered (docs/adding-a-jurisdiction.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal, Protocol
from uuid import UUID

from engineroom.kernel.errors import EngineroomError
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.elements import PayElement
from engineroom.payroll.engine.lines import Line
from engineroom.payroll.engine.steps import Calculation, Element

BackPay = Literal["period of payment", "original period"]
"""By which period's law a difference of earlier pay is taxed: that in which it is paid, or that which it is
pay for."""


class NoJurisdiction(EngineroomError):
    """No law is known for that country."""

    status = 422


@dataclass(frozen=True)
class PayYear:
    """The year over which figures to date are added up. starts, ends: inclusive, of pay dates."""

    name: str
    starts: date
    ends: date


class Tables(Protocol):
    """The law of a pay date."""

    @property
    def versions(self) -> Mapping[str, Version]: ...
    @property
    def hash(self) -> str: ...


@dataclass(frozen=True)
class Asked:
    """Which people a jurisdiction is asked about, and for which payday: those from `first` to `last` in id
    order."""

    client_id: UUID
    first: UUID
    last: UUID
    pay_date: date
    year: PayYear
    pays_hours: bool = True
    """Whether the run pays hours as they were worked."""


def _no_columns(rows: Sequence[Any]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Details:
    """How people are taxed, as their jurisdiction keeps it.

    of: by person; who is not in it cannot be calculated. columns: the engine's inputs from those values, a
    row each. before: by person and element, what was paid in the year before the run by somebody else.
    """

    of: Mapping[UUID, Any] = field(default_factory=dict)
    columns: Callable[[Sequence[Any]], dict[str, Any]] = _no_columns
    before: Mapping[UUID, Mapping[str, int]] = field(default_factory=dict)


class Jurisdiction(Protocol):
    """A country's law, as runs ask for it.

    elements: of a payslip, in order. frequencies: those its tables know. to_date: for each input that goes on
    from the year so far, the element that it is the sum of. paid_as: elements that are inputs of their own
    name. stands: elements that are no amounts of a payslip but how far something is. calendar: whose bank
    holidays move a pay day.
    """

    @property
    def code(self) -> str: ...
    @property
    def engine_version(self) -> int: ...
    @property
    def elements(self) -> tuple[Element, ...]: ...
    @property
    def frequencies(self) -> tuple[str, ...]: ...
    @property
    def to_date(self) -> Mapping[str, str]: ...
    @property
    def paid_as(self) -> frozenset[str]: ...
    @property
    def stands(self) -> frozenset[str]: ...
    @property
    def calendar(self) -> str: ...
    @property
    def back_pay(self) -> BackPay: ...

    def resolve_tables(self, pay_date: date) -> Any:
        """The law of a pay date (Tables). Raises NoTableForDate."""

    def calculate(
        self, chunk: Mapping[str, Any], tables: Any, orders: Mapping[str, Any] | None = None
    ) -> Calculation:
        """Every payslip of a chunk; what cannot be calculated is a problem of its row."""
        ...

    def year_of(self, pay_date: date) -> PayYear: ...

    def period_of(self, frequency: str, pay_date: date) -> int:
        """The number of the pay period of that frequency whose tables a pay date uses."""
        ...

    def pay_elements(self, day: date) -> tuple[PayElement, ...]:
        """What can be paid on a day, in the order of the payslip."""
        ...

    def read_details(self, asked: Asked) -> Details: ...

    def explain(self, row: int, columns: Mapping[str, Any], tables: Any) -> list[Line]: ...

    def explanation(self, row: int, columns: Mapping[str, Any], tables: Any) -> list[str]: ...


_known: dict[str, Jurisdiction] = {}
KNOWN: Mapping[str, Jurisdiction] = MappingProxyType(_known)


def register(jurisdiction: Jurisdiction) -> None:
    """Have runs find it by its code; the same code again stands in place of the one before."""
    _known[jurisdiction.code] = jurisdiction


def jurisdiction(code: str) -> Jurisdiction:
    """Raises NoJurisdiction."""
    found = _known.get(code)
    if found is None:
        raise NoJurisdiction(f"no law is known for {code!r}; known are {', '.join(sorted(_known))}")
    return found


def element_codes(of: Jurisdiction) -> list[str]:
    """The elements of a payslip as a run freezes them."""
    return [element.code for element in of.elements]
