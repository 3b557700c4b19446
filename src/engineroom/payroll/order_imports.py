"""The file of attachment orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column
from engineroom.foundation.imports.tables import Findings
from engineroom.kernel.errors import LONGEST_REASON, Problem
from engineroom.payroll import orders
from engineroom.payroll.item_imports import NUMBER, AboutPeople
from engineroom.payroll.jurisdictions import KNOWN, OrderField


def _column(field: OrderField) -> Column:
    if field.unit == "choice":
        return Column(field.name, "choice", choices=field.choices)
    return Column(field.name, "bool" if field.unit == "flag" else "money")


def _stated() -> list[Column]:
    """A column for each thing that orders state in any country that is known."""
    fields = {f.name: f for law in KNOWN.values() if law.orders for f in law.orders.fields}
    return [_column(field) for field in fields.values()]


@importer
class PayOrders(AboutPeople):
    """Orders that courts and authorities have sent, one a row."""

    kind = "pay-orders"
    summary = "attachment orders: what is to be taken from somebody's pay, and for whom"
    columns = (
        NUMBER,
        Column("kind", required=True, max_length=30),
        Column("reference", required=True, max_length=40),
        Column("creditor", required=True, max_length=40),
        Column("creditor_name", max_length=200),
        Column("made_on", "date", required=True),
        Column("from_date", "date", required=True),
        Column("until_date", "date"),
        *_stated(),
        Column("reason", required=True, max_length=LONGEST_REASON),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        keys = [(r["payroll_number"], r["kind"], r["reference"]) for r in parsed.content.rows()]
        found.repeated(keys, "reference", lambda key: f"order {key[2]} of {key[0]}")
        return [*super().check(parsed), *found.problems]

    def check_row(self, row: dict[str, Any]) -> list[Problem]:
        said = _said(row)
        renamed = {"starts": "from_date", "ends": "until_date"}
        return [
            Problem(p.problem, p.remedy, field=renamed.get(p.field or "", p.field))
            for p in (*orders.wrong_order(said), *orders.stands_already(row["person_id"], said))
        ]

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        rows: Sequence[dict[str, Any]] = list(parsed.content.rows())
        for person, row in zip(self.people_of(parsed), rows, strict=True):
            orders.keep_order(person, _said(row), row["reason"])
        return {"orders": len(rows)}


def _said(row: dict[str, Any]) -> orders.OrderSaid:
    stated = {column.name: row.get(column.name) for column in _stated()}
    return orders.OrderSaid(
        row["kind"],
        row["reference"],
        row["creditor"],
        row["made_on"],
        row["from_date"],
        {name: int(value) if isinstance(value, bool) else value for name, value in stated.items()
         if value is not None},
        creditor_name=row["creditor_name"] or "",
        ends=row["until_date"],
    )  # fmt: skip
