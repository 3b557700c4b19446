"""The attachment orders of a chunk of payslips: read, refused where they cannot be dealt with, and dealt
with.

A person has any number of orders, so they are rows of their own: `payslip` says which row of the chunk each
is against. Between reading and paying they meet the payslip twice, before and after student loans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.gb import attachments
from engineroom.payroll.engine.gb.attachments import NATIONS, ORDERS, RATE_TABLES, Attachments
from engineroom.payroll.engine.groups import place_of
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, BadChunk, Choice, Inputs, NumberInput, Values
from engineroom.payroll.engine.steps import Column, RowProblem, refuse

TABLES = tuple(attachments.TABLES)

BY_HAND = "Work this order out by hand, or add the table with its source"

INPUTS = Inputs(
    numbers={
        # Row of the chunk, from 0.
        "payslip": NumberInput("row", 10**9, 0, None),
        # Days since 1970-01-01, as NumPy numbers a date.
        "made_on": NumberInput("days", 10**6, 0, None),
        # Both of the pay period; the deduction of a current maintenance arrestment is a day's.
        "normal_deduction": NumberInput("pence", MAX_PAY_PENCE),
        "protected_earnings": NumberInput("pence", MAX_PAY_PENCE),
        "deduction_arrears": NumberInput("pence", MAX_PAY_PENCE),
        "protected_arrears": NumberInput("pence", MAX_PAY_PENCE),
        "balance": NumberInput("pence", MAX_PAY_PENCE, 0, MAX_PAY_PENCE),
        "days": NumberInput("days", 366),
        "takes_fee": NumberInput("flag", 1),
    },
    choices={
        "kind": Choice(ORDERS, "a kind of attachment order"),
        "rate_table": Choice(RATE_TABLES, "a rate table of Direct Earnings Attachments", ""),
        "nation": Choice(NATIONS, "a nation whose councils attach earnings", ""),
    },
)
"""Columns that orders may have."""

CARRIED = ("deduction_arrears", "protected_arrears", "balance")
"""What an order takes from one payday to the next."""

AS_GIVEN = ("kind", "made_on", "normal_deduction", "protected_earnings", "days", "rate_table", "nation")

WALES = (
    "the council tax table of Wales (The Council Tax (Administration and Enforcement) (Amendment) (Wales) "
    "Regulations 2022) is not entered"
)


def read_orders(
    given: Mapping[str, Values], payslips: int, parameters: Mapping[str, Any]
) -> tuple[dict[str, Column], list[RowProblem]]:
    """The orders' columns as int64, and what is wrong with them, said of the payslips they are against.

    Raises BadChunk where the columns are none, name a payslip that is not there, or the tables of orders were
    not resolved.
    """
    if missing := [name for name in TABLES if name not in parameters]:
        raise BadChunk(
            f"orders need the tables {', '.join(missing)}: resolve_tables(pay_date, orders.TABLES)"
        )
    columns, found, _ = INPUTS.read(given)
    for payslip in columns["payslip"][(columns["payslip"] < 0) | (columns["payslip"] >= payslips)].tolist():
        raise BadChunk(f"an order names payslip {payslip} of {payslips}")
    council_tax = parameters["council_tax_attachment"]
    said = {(p.row, p.field) for p in found}
    needs = _what_a_kind_needs(columns, council_tax.given)
    found += [p for p in needs if (p.row, p.field) not in said]
    found += _too_many(columns, council_tax.most_orders)
    return columns, [
        p._replace(row=int(columns["payslip"][p.row]), field=f"order {p.row}, {p.field}") for p in found
    ]


def _what_a_kind_needs(columns: Mapping[str, Column], nations: tuple[str, ...]) -> Iterator[RowProblem]:
    kind, nation = columns["kind"], columns["nation"]
    yield from refuse(
        (kind == attachments.DIRECT_EARNINGS) & (columns["rate_table"] == 0),
        "rate_table",
        "a Direct Earnings Attachment is at the standard or the higher rate",
        "Give standard or higher, as the notice says",
    )
    yield from refuse(
        (kind == attachments.COUNCIL_TAX) & (nation == 0),
        "nation",
        "the table of a council tax order depends on the council's nation",
        f"Give {' or '.join(nations)}",
    )
    not_entered = [NATIONS.index(name) for name in NATIONS[1:] if name not in nations]
    of_them = (kind == attachments.COUNCIL_TAX) & np.isin(nation, not_entered)
    yield from refuse(of_them, "nation", WALES, BY_HAND)
    yield from refuse(
        (kind == attachments.CURRENT_MAINTENANCE) & (columns["days"] == 0),
        "days",
        "a current maintenance arrestment takes an amount a day",
        "Give the number of days since the last payday",
    )


def _too_many(columns: Mapping[str, Column], most_of_council: int) -> Iterator[RowProblem]:
    """Orders beyond those that may be in force together."""
    yield from _beyond(
        most_of_council,
        attachments.COUNCIL_TAX,
        columns,
        f"more than {most_of_council} council tax orders of one person",
        "Send the latest back to the council",
    )
    yield from _beyond(
        1,
        attachments.EARNINGS_ARRESTMENT,
        columns,
        "a second earnings arrestment of one person",
        "The sheriff conjoins them: ask for a conjoined arrestment order",
    )


def _beyond(
    most: int, kind: int, columns: Mapping[str, Column], problem: str, remedy: str
) -> Iterator[RowProblem]:
    rows = np.flatnonzero((columns["kind"] == kind) & (columns["balance"] > 0))
    rows = rows[np.argsort(columns["payslip"][rows], kind="stable")]
    for row in rows[place_of(columns["payslip"][rows]) >= most].tolist():
        yield RowProblem(row, "kind", problem, remedy)


class Orders:
    """The orders against the payslips of a chunk, on their way through its steps."""

    def __init__(self, columns: Mapping[str, Column], rows: Column, parameters: Mapping[str, Any]) -> None:
        """columns: as `read_orders` leaves them. rows: the payslips that are calculated, ascending."""
        kept = np.isin(columns["payslip"], rows)
        orders = {name: column[kept] for name, column in columns.items()}
        orders["payslip"] = np.searchsorted(rows, orders["payslip"])
        self.orders, self.rows = attachments.in_order(orders), rows
        self.given = np.flatnonzero(kept)
        self.t = Attachments(*(parameters[name] for name in TABLES))

    def before_loans(self, net: Minor, frequency: Column) -> tuple[Minor, Column, Minor]:
        """A step: what orders before loans take; whether they stop loans, and the earnings they protect."""
        self.taken, self.met = self._take(0, net, net, frequency)
        stopped, protected = attachments.rules_for_loans(self.orders, net, self.t)
        return attachments.by_person(self.taken, self.orders["payslip"], len(net)), stopped, protected

    def after_loans(
        self, net: Minor, frequency: Column, before: Minor, student: Minor, postgraduate: Minor
    ) -> tuple[Minor, Minor]:
        """A step: what the other orders take, and the employer's fees."""
        room = np.maximum(net - before - student - postgraduate, 0)
        taken, met = self._take(1, net, room, frequency)
        self.taken, self.met = self.taken + taken, self.met + met
        others = attachments.by_person(taken, self.orders["payslip"], len(net))
        self.fees = attachments.fees(self.orders, self.taken, room - others, self.t)
        return others, attachments.by_person(self.fees, self.orders["payslip"], len(net))

    def _take(self, after_loans: int, net: Minor, room: Minor, frequency: Column) -> tuple[Minor, Minor]:
        unit, span = attachments.UNIT_OF[frequency], attachments.SPAN_OF[frequency]
        return attachments.take(self.orders, after_loans, net, room, unit, span, self.t)

    def result(self, paid: Column) -> dict[str, Column]:
        """Each order of the payslips paid (rows of the chunk): what came in (`<name>_before` if it changes),
        what it met and took, and what it carries forward.
        """
        missed, short, balance = attachments.carried_forward(self.orders, self.taken, self.met)
        payslip = self.rows[self.orders["payslip"]]
        columns = {
            **{name: self.orders[name] for name in AS_GIVEN},
            **{f"{name}_before": self.orders[name] for name in CARRIED},
            "order": self.given[self.orders["given"]],
            "payslip": payslip,
            "dealt_with": self.orders["place"],
            "earnings_met": self.met,
            "deduction": self.taken,
            "fee": self.fees,
            "deduction_arrears": missed,
            "protected_arrears": short,
            "balance": balance,
        }
        kept = np.flatnonzero(np.isin(payslip, paid))
        kept = kept[np.argsort(columns["order"][kept])]
        return {name: column[kept] for name, column in columns.items()}
