"""Attachment orders of Great Britain, as they are entered, read by a run and explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from engineroom.kernel.errors import Problem
from engineroom.kernel.tables import NoTableForDate
from engineroom.payroll.engine.gb import attachments, gross_to_net, orders
from engineroom.payroll.engine.gb.attachments import NATIONS, ORDERS, RATE_TABLES
from engineroom.payroll.engine.gb.explain_orders import NAMES, explain_orders
from engineroom.payroll.engine.gb.sick_pay import day_number
from engineroom.payroll.engine.gb.worksheets import resolve
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE
from engineroom.payroll.engine.lines import Line
from engineroom.payroll.engine.steps import Calculation
from engineroom.payroll.jurisdictions import OrderField, StandingOrder

ALL = frozenset(ORDERS)
STATED = frozenset(("priority", "child_maintenance", "current_maintenance", "non_priority"))
PROTECTED = frozenset(("priority", "child_maintenance", "non_priority"))
CARRIES = frozenset(("priority", "child_maintenance"))
ARRESTED = "current_maintenance"

FIELDS = (
    OrderField(
        "normal_deduction",
        "Normal deduction",
        STATED,
        needed=True,
        hint="Of a pay period; of a day for a current maintenance arrestment.",
    ),
    OrderField("protected_earnings", "Protected earnings", PROTECTED, hint="Of a pay period."),
    OrderField("balance", "Still to be paid", ALL, hint="In all. Empty where the order names no sum."),
    OrderField(
        "rate_table",
        "Rate",
        frozenset(("direct_earnings",)),
        needed=True,
        unit="choice",
        choices=RATE_TABLES[1:],
        hint="Of a Direct Earnings Attachment.",
    ),
    OrderField(
        "nation",
        "Nation of the council",
        frozenset(("council_tax",)),
        needed=True,
        unit="choice",
        choices=NATIONS[1:],
        hint="Of a council tax order.",
    ),
    OrderField("takes_fee", "With the employer's charge for each deduction", ALL, unit="flag"),
    OrderField(
        "deduction_arrears", "Deductions missed before", CARRIES, hint="As the bureau before carried them."
    ),
    OrderField(
        "protected_arrears",
        "Protected earnings missed before",
        frozenset(("priority",)),
        hint="As the bureau before carried them.",
    ),
)


@dataclass(frozen=True)
class GbOrders:
    """What `payroll/engine/gb/orders.py` takes, in the words of whoever enters it."""

    fields: tuple[OrderField, ...] = FIELDS
    tables: tuple[str, ...] = orders.TABLES
    takes: tuple[str, ...] = ("priority_orders", "other_orders")
    charges: tuple[str, ...] = ("order_fees",)

    @property
    def kinds(self) -> Mapping[str, str]:
        return NAMES

    def wrong(self, order: StandingOrder) -> list[Problem]:
        day = order.since + timedelta(days=1)
        try:
            parameters = resolve(day, attachments.TABLES).parameters
        except NoTableForDate:  # of a year whose law is not here yet: its runs will look at it again
            return []
        _, problems = orders.read_orders(self.columns([order], day), 1, parameters)
        return [Problem(p.problem, p.remedy, field=p.field.rpartition(", ")[2]) for p in problems]

    def columns(self, standing: Sequence[StandingOrder], day: date) -> dict[str, Any]:
        given: dict[str, Any] = {
            "payslip": [o.payslip for o in standing],
            "kind": [o.kind for o in standing],
            "made_on": [day_number(o.made_on) for o in standing],
            # Debtors (Scotland) Act 1987 s.51: the daily rate for the days since the last payday.
            "days": [max((day - o.since).days, 1) if o.kind == ARRESTED else 0 for o in standing],
        }
        for name in ("normal_deduction", "protected_earnings", "takes_fee"):
            given[name] = [o.stated.get(name, 0) for o in standing]
        for name in ("rate_table", "nation"):
            given[name] = [o.stated.get(name, "") for o in standing]
        for name in orders.CARRIED:
            given[name] = [_carried(o, name) for o in standing]
        return given

    def explain(self, payslip: int, done: Calculation, tables: gross_to_net.GbTables) -> list[Line]:
        return explain_orders(payslip, done, tables)


def _carried(order: StandingOrder, name: str) -> int:
    """Of an order's first payday what it states itself; an order that names no sum takes without end."""
    found = order.carried[name] if name in order.carried else order.stated.get(name)
    nothing = MAX_PAY_PENCE if name == "balance" else 0
    return nothing if found is None else int(found)


GB_ORDERS = GbOrders()
