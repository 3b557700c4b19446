"""A country made up for tests: a tenth of what was earned in the calendar year beyond 1,000.00.

It shows that nothing of a run is British: other elements, other inputs, another year, another clock, other
things kept of people, and back pay that is taxed again in the period that it is pay for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from engineroom.kernel.calendar import Calendar
from engineroom.kernel.tables import Version, parse_table, rules_hash
from engineroom.payroll.engine.elements import PayElement
from engineroom.payroll.engine.inputs import Inputs, NumberInput
from engineroom.payroll.engine.lines import Line
from engineroom.payroll.engine.steps import Calculation, Element, rows_without
from engineroom.payroll.itemised import Explained, Facts, Itemised, PapersAsked
from engineroom.payroll.jurisdictions import Asked, BackPay, Details, PayYear
from engineroom.payroll.postings import Agency, OwedPeriod, Part, Postings, cost
from engineroom.payroll.tax_details import stated_on
from engineroom.payroll.tax_record import Recorded, TaxField

TITHE = parse_table(
    """
table: tithe
jurisdiction: xx
versions:
  - from: 2026-01-01
    source: "made up"
    confidence: verified
    values: {free_pence: 100000, one_in: 10}
"""
)
MOST = 10**11


def quarter(day: date) -> OwedPeriod:
    """Tithes are paid over by the quarter, ten days after it."""
    number = (day.month + 2) // 3
    starts = date(day.year, 3 * number - 2, 1)
    after = date(day.year + number // 4, 3 * number % 12 + 1, 1)
    due = after + timedelta(days=10)
    name = f"quarter {number} of {day.year}"
    return OwedPeriod(name, str(day.year), number, starts, after - timedelta(days=1), due)


BARN = Agency(
    "BARN", "The tithe barn", "agency", "tithe", "due to the barn", "Tithes to the barn",
    (Part("tithe", "Tithe", ("tithe",), "2200"),), quarter, "made up",
)  # fmt: skip


def read_facts(asked: PapersAsked) -> dict[UUID, Facts]:
    return {slip.person_id: [("Paid in", "grain")] for slip in asked.slips}


POSTINGS = Postings(
    costs=(
        cost("basic_pay", "Wage", "5000", "Wages"),
        cost("overtime_pay", "Late wage", "5010", "Late wages"),
        cost("weekend_pay", "Sunday wage", "5010", "Late wages"),
    ),
    agencies=(BARN,),
    net_account="2210",
    headings=(("Wages", "by day"), ("Late wages", "by night")),
)
ITEMISED = Itemised("made up", lambda frequency, n: f"Moon {n}", "Cart", read_facts=read_facts)
EXPLAINED = Explained({"tithe": ("The tithe", "tithe")}, {"tithe": "tithe"})


RECORD = Recorded(
    (
        TaxField("clan", "Clan", "choice", "Of the village", choices=("hill", "river"), hint="By birth."),
        TaxField("relief", "Free of tithe", "money", "Of the village"),
        TaxField("herd", "Goats", "count", "Of the farm"),
        TaxField("share", "Share of the mill", "percent", "Of the farm"),
        TaxField("sworn", "Sworn in", "day", "Of the farm"),
        TaxField("elder", "An elder", "flag", "Of the farm"),
    )
)

BANKS = Calendar("xx", {date(2026, 12, 25): "Hearth day"}, 2020, 2030, "made up")
HARVEST = replace(BANKS, holidays={date(2026, 8, 24): "Harvest"}, weekend=frozenset((4, 5)))
"""Banks that rest on Fridays and Saturdays, and at harvest."""


class Anybody(dict[UUID, dict[str, Any]]):
    """Details of everybody: nobody needs any."""

    def __contains__(self, person: object) -> bool:
        return True

    def __missing__(self, person: UUID) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class ToyTables:
    versions: Mapping[str, Version]

    @property
    def hash(self) -> str:
        return rules_hash(self.versions.values())


@dataclass(frozen=True)
class Toyland:
    code: str = "xx"
    engine_version: int = 3
    frequencies: tuple[str, ...] = ("weekly", "semi_monthly", "monthly")
    paid_as: frozenset[str] = frozenset(("basic_pay", "overtime_pay", "weekend_pay", "minutes_worked"))
    stands: frozenset[str] = frozenset()
    banks: Calendar = BANKS
    zone: str = "Pacific/Kiritimati"
    file_days: int = 1
    tax_record: Recorded = RECORD
    back_pay: BackPay = "original period"
    orders: None = None
    claims: None = None
    leave_pay: None = None
    postings: Postings = POSTINGS
    itemised: Itemised = ITEMISED
    explained: Explained = EXPLAINED
    elements: tuple[Element, ...] = (
        Element("basic_pay", "Wage", "earning"),
        Element("overtime_pay", "Late wage", "earning"),
        Element("weekend_pay", "Sunday wage", "earning"),
        Element("gross", "Wages", "total"),
        Element("tithe", "Tithe", "deduction"),
        Element("net_pay", "In hand", "total"),
        Element("minutes_worked", "Time", "figure", "minutes"),
    )

    @property
    def to_date(self) -> Mapping[str, str]:
        return {"earned_before": "gross", "tithe_before": "tithe"}

    def leave_in_lieu(self, rate: int, minutes_per_week: int, minutes: int) -> int | None:
        return None

    def resolve_tables(self, pay_date: date, further: Collection[str] = ()) -> ToyTables:
        return ToyTables({"tithe": TITHE.at(pay_date)})

    def calculate(
        self, chunk: Mapping[str, Any], tables: ToyTables, orders: Mapping[str, Any] | None = None
    ) -> Calculation:
        numbers = {
            name: NumberInput("pence", MOST)
            for name in (*(e.code for e in self.elements if e.kind == "earning"), *self.to_date)
        } | {
            "relief": NumberInput("pence", MOST),
            "minutes_worked": NumberInput("minutes", 10**6),
            "tax_period": NumberInput("count", 53, 1, None),
        }
        columns, problems, n = Inputs(numbers, others=("frequency",)).read(chunk)
        rows = rows_without(problems, n)
        c = {name: column[rows] for name, column in columns.items()}
        law = tables.versions["tithe"]
        c["gross"] = c["basic_pay"] + c["overtime_pay"] + c["weekend_pay"]
        liable = np.maximum(c["earned_before"] + c["gross"] - law["free_pence"] - c["relief"], 0)
        c["tithe"] = liable // law["one_in"] - c["tithe_before"]
        c["net_pay"] = c["gross"] - c["tithe"]
        return Calculation(c, rows, problems)

    def year_of(self, pay_date: date) -> PayYear:
        return PayYear(str(pay_date.year), date(pay_date.year, 1, 1), date(pay_date.year, 12, 31))

    def period_of(self, frequency: str, pay_date: date) -> int:
        if frequency == "semi_monthly":
            return 2 * pay_date.month - (pay_date.day <= 15)
        return pay_date.month if frequency == "monthly" else (pay_date.timetuple().tm_yday - 1) // 7 + 1

    def pay_elements(self, day: date) -> tuple[PayElement, ...]:
        return tuple(
            PayElement(e.code, e.label, frozenset({"paid"})) for e in self.elements if e.kind == "earning"
        )

    def read_details(self, asked: Asked) -> Details:
        """Who says nothing has no relief: everybody in the run can be calculated."""
        return Details(
            Anybody(stated_on(asked)),
            lambda rows: {"relief": np.array([row.get("relief", 0) for row in rows], dtype=np.int64)},
        )

    def explain(self, row: int, columns: Mapping[str, Any], tables: ToyTables) -> list[Line]:
        return [Line("tithe", "tithe", int(columns["tithe"][row]), "a tenth of what is over", rule="Tithe")]

    def explanation(self, row: int, columns: Mapping[str, Any], tables: ToyTables) -> list[str]:
        return [f"{line.about} {line.written} {line.how}" for line in self.explain(row, columns, tables)]
