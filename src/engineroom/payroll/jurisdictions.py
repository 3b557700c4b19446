"""What a run needs to know of the country whose law it pays by: one object for each, and none known by name.

Services, inputs and selectors speak to a `Jurisdiction` only: its elements, its tables and its engine, the
year and the period that a pay date falls in, which inputs it asks for beside pay, which figures it goes on
from, under which period's law back pay is taxed, what is posted and owed to whom, and what a payslip itemises
and how it is answered for. A run keeps the code of its jurisdiction; a further
country is a further object that is registered (docs/adding-a-jurisdiction.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from engineroom.kernel.calendar import Calendar
from engineroom.kernel.errors import EngineroomError, Problem
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.elements import PayElement
from engineroom.payroll.engine.lines import Line
from engineroom.payroll.engine.steps import Calculation, Element
from engineroom.payroll.itemised import Explained, Itemised
from engineroom.payroll.postings import Postings
from engineroom.payroll.tax_record import TaxRecord

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


@dataclass(frozen=True)
class OrderField:
    """Something that attachment orders state. kinds: those that do; needed: they cannot do without it.

    unit: minor units, a flag (0 or 1), or one of `choices`.
    """

    name: str
    label: str
    kinds: frozenset[str]
    needed: bool = False
    unit: Literal["pence", "flag", "choice"] = "pence"
    choices: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class StandingOrder:
    """An order against a payslip, as a run reads it. payslip: the place of its person in the chunk.

    stated: by `OrderField`. carried: what it took on from the last payday (`Orders.carried`); without any it
    is the order's first. since: the payday before, or the day the order came, if that was later.
    """

    payslip: int
    kind: str
    made_on: date
    stated: Mapping[str, int | str]
    carried: Mapping[str, int | None]
    since: date


class Orders(Protocol):
    """A country's attachment orders. kinds: their labels. fields: what they state. tables: the dated tables
    that only a run with orders needs. takes, charges: the elements of what they take and the employer
    keeps."""

    @property
    def kinds(self) -> Mapping[str, str]: ...
    @property
    def fields(self) -> tuple[OrderField, ...]: ...
    @property
    def tables(self) -> tuple[str, ...]: ...
    @property
    def takes(self) -> tuple[str, ...]: ...
    @property
    def charges(self) -> tuple[str, ...]: ...

    def wrong(self, order: StandingOrder) -> list[Problem]:
        """What is wrong with an order of a person who has no other, in the words of the calculation."""
        ...

    def columns(self, standing: Sequence[StandingOrder], day: date) -> dict[str, Any]:
        """The engine's rows of orders for a payday."""
        ...

    def explain(self, payslip: int, done: Calculation, tables: Any) -> list[Line]:
        """The orders against one payslip, line by line. payslip: its row in the chunk."""
        ...


@dataclass(frozen=True)
class Away:
    """A stretch of sickness of somebody. person: a number, the same for all their stretches. weekdays: the
    days that they work (Monday 1, Tuesday 2, ...). figures: what their claim goes by."""

    person: int
    first: date
    last: date
    weekdays: int
    figures: Mapping[str, int]


@dataclass(frozen=True)
class AwayByWeek:
    """Leave of somebody whose payment is by the week. first_day: of the claim; stretches: first and last day
    of each since then, as far as the period goes. figures: what the claim goes by."""

    payment: str
    stretches: tuple[tuple[date, date], ...]
    figures: Mapping[str, int]


@dataclass(frozen=True)
class Found:
    """What a claim goes by, found in what was paid: its figures, and the paydays between which that was."""

    figures: Mapping[str, int]
    period_from: date
    period_until: date


@dataclass(frozen=True)
class StatutoryPaid:
    """What a period pays for one stretch: minor units, and the figures that it was worked out from."""

    amount: int
    figures: Mapping[str, int]


@dataclass(frozen=True)
class ClaimField:
    """A figure that a claim goes by: minor units, a flag (0 or 1), or a number."""

    name: str
    label: str
    unit: Literal["pence", "flag", "count"] = "count"
    needed: bool = False
    hint: str = ""


class Claims(Protocol):
    """Statutory payments that a run works out from recorded leave.

    elements: by the payment's code, the element that pays it. labels: their names. tables: the dated tables
    needed. earned: the element of a payslip that average earnings are found from. fields: a claim's figures,
    as somebody may state them. by_week: payments for whole weeks of leave, whose claims somebody states; the
    others are of sickness, and found.
    """

    @property
    def elements(self) -> Mapping[str, str]: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def tables(self) -> tuple[str, ...]: ...
    @property
    def earned(self) -> str: ...
    @property
    def fields(self) -> tuple[ClaimField, ...]: ...
    @property
    def by_week(self) -> tuple[str, ...]: ...

    def find(self, first_day: date, frequency: str, paid: Sequence[tuple[date, int]]) -> Found | Problem:
        """What a claim from a day on goes by. paid: normal paydays, and what was earned on each."""
        ...

    def pay_weeks(self, one: AwayByWeek, starts: date, ends: date) -> StatutoryPaid | Problem | None:
        """What the weeks of leave that end from `starts` to `ends` pay; None where no week does."""
        ...

    def wrong(self, figures: Mapping[str, int]) -> list[Problem]:
        """What is wrong with figures that somebody states."""
        ...

    def pay(
        self, stretches: Sequence[Away], starts: date, ends: date, tables: Any
    ) -> tuple[dict[int, StatutoryPaid], list[tuple[int, Problem]]]:
        """What the days from `starts` to `ends` pay, by stretch, and what is wrong with any. Every stretch of
        a person that may be linked is given, whenever it was."""
        ...

    def explain(self, payment: str, amount: int, figures: Mapping[str, int], tables: Any) -> list[Line]:
        """How an amount was worked out."""
        ...


@dataclass(frozen=True)
class PaidDays:
    """Pay that counts for an average, and the days that it was for."""

    starts: date
    ends: date
    amount: int


class LeavePay(Protocol):
    """What leave is paid to whoever has no salary. reach: how far back pay is looked for, from the beginning
    of the pay period that the leave is in.

    A law that has it takes the inputs `leave_minutes`, `leave_week_minutes`, `leave_week_pay` and
    `leave_weeks_counted`, which its explanation speaks of.
    """

    @property
    def reach(self) -> timedelta: ...

    def counts(self, tables: Any) -> tuple[str, ...]:
        """Elements whose pay counts for the average."""
        ...

    def a_week(self, paid: Sequence[PaidDays], before: date, tables: Any) -> tuple[int, int] | Problem:
        """A week's pay in minor units, and of how many weeks it is the average. before: their end."""
        ...


class Jurisdiction(Protocol):
    """A country's law, as runs ask for it.

    elements: of a payslip, in order. frequencies: those its tables know. to_date: for each input that goes on
    from the year so far, the element that it is the sum of. paid_as: elements that are inputs of their own
    name. stands: elements that are no amounts of a payslip but how far something is. banks: the days on which
    they are open, which move a pay day. zone: whose clock says which day it is, such as Europe/London.
    file_days: how many banking days before people are paid the file that pays them is handed in. tax_record:
    what is kept of how people are taxed. postings: what a run posts and owes. itemised: the payslip on paper.
    explained: the groups of its answers.
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
    def banks(self) -> Calendar: ...
    @property
    def zone(self) -> str: ...
    @property
    def file_days(self) -> int: ...
    @property
    def tax_record(self) -> TaxRecord: ...
    @property
    def back_pay(self) -> BackPay: ...
    @property
    def postings(self) -> Postings: ...
    @property
    def itemised(self) -> Itemised: ...
    @property
    def explained(self) -> Explained: ...

    @property
    def orders(self) -> Orders | None:
        """Attachment orders; None where the country has none."""
        ...

    @property
    def claims(self) -> Claims | None:
        """Statutory payments; None where a run works out none."""
        ...

    @property
    def leave_pay(self) -> LeavePay | None:
        """What leave is paid to whoever is paid by the hour; None where a run does not work it out."""
        ...

    def leave_in_lieu(self, rate: int, minutes_per_week: int, minutes: int) -> int | None:
        """What so many minutes of leave pay to somebody on a salary who leaves without having taken them,
        minor units; None where the law says nothing of it. rate: a year's."""
        ...

    def resolve_tables(self, pay_date: date, further: Collection[str] = ()) -> Any:
        """The law of a pay date (Tables). further: names of tables that only some runs need; others are left
        out. Raises NoTableForDate."""

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


def today_of(law: Jurisdiction) -> date:
    """The day that it is there."""
    return datetime.now(ZoneInfo(law.zone)).date()


class InPeriod(Protocol):
    """What is paid for a tax period: a run, or its row in a list."""

    @property
    def jurisdiction(self) -> str: ...
    @property
    def frequency(self) -> str: ...
    @property
    def tax_period(self) -> int: ...


def period_in_words(run: InPeriod) -> str:
    """The tax period as its country counts it, within a sentence: "tax week 35"."""
    words = jurisdiction(run.jurisdiction).itemised.period(run.frequency, run.tax_period)
    return words[:1].lower() + words[1:]


def tables_of(law: Jurisdiction, pay_date: date, rules: Sequence[Mapping[str, Any]]) -> Any:
    """The tables that an attempt named in its rules, as they are today."""
    return law.resolve_tables(pay_date, [rule["table"] for rule in rules])


def element_codes(of: Jurisdiction) -> list[str]:
    """The elements of a payslip as a run freezes them."""
    return [element.code for element in of.elements]
