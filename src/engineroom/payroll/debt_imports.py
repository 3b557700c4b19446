"""The file of debts: advances, loans and pay to come back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column
from engineroom.foundation.imports.tables import Findings
from engineroom.kernel.errors import LONGEST_REASON, Problem
from engineroom.payroll import debts
from engineroom.payroll.item_imports import NUMBER, AboutPeople


@importer
class Debts(AboutPeople):
    """What people owe their employer, one debt a row."""

    kind = "debts"
    summary = "advances, loans and pay to come back: how much, and what every payday takes of it"
    columns = (
        NUMBER,
        Column("kind", "choice", required=True, choices=tuple(debts.KINDS)),
        Column("reference", required=True, max_length=40),
        Column("amount", "money", required=True),
        Column("instalment", "money", required=True),
        Column("leaves", "money"),
        Column("from_date", "date", required=True),
        Column("reason", required=True, max_length=LONGEST_REASON),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        rows = list(parsed.content.rows())
        keys = [(r["payroll_number"], r["kind"], r["reference"]) for r in rows]
        found.repeated(keys, "reference", lambda key: f"debt {key[2]} of {key[0]}")
        back = [r["payroll_number"] for r in rows if r["kind"] == debts.OVERPAYMENT]
        for i, row in enumerate(rows):
            if row["kind"] == debts.OVERPAYMENT and back.count(row["payroll_number"]) > 1:
                problem = "pay to come back of one person stands in several rows"
                found.at(i, "kind", problem, "Put it into one row")
        return [*super().check(parsed), *found.problems]

    def check_row(self, row: dict[str, Any]) -> list[Problem]:
        said = _said(row)
        wrong = (
            *debts.wrong_debt(said),
            *debts.stands_already(row["person_id"], said),
            *debts.not_owed(row["person_id"], said),
        )
        return list(wrong)

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        rows = list(parsed.content.rows())
        for person, row in zip(self.people_of(parsed), rows, strict=True):
            debts.keep_debt(person, _said(row), row["reason"])
        return {"debts": len(rows)}


def _said(row: dict[str, Any]) -> debts.DebtSaid:
    return debts.DebtSaid(
        row["kind"], row["reference"], row["amount"], row["instalment"], row["from_date"], row["leaves"] or 0
    )
