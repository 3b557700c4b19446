"""The workbook of a period's inputs: what it looks like, what it is of, and how it is read back.

A hidden sheet names the client, the schedule, the period and every column, and seals that with a keyed hash:
a workbook of another client or period, or one whose label was edited, is known before its rows are looked at.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import UUID

import xlsxwriter

from engineroom.foundation import crypto
from engineroom.foundation.imports.sheets import LIMITS, Column, Sheet, read_hidden_sheet, read_sheet
from engineroom.kernel.errors import LONGEST_REASON
from engineroom.kernel.money import exponent, in_major

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
VERSION = "1"
TABLE, LABEL = "Pay", "engineroom"
PLACE = "payroll.workbook"
MOST_PROBLEMS = 10_000

Part = Literal["one-off", "recurring", "hours", "fixed", "reason"]


@dataclass(frozen=True)
class Heading:
    """A column: what it is headed, what part of the inputs it holds, and of which element."""

    text: str
    part: Part
    element: str = ""


NUMBER, NAME, TERMS = Heading("payroll_number", "fixed"), Heading("name", "fixed"), Heading("terms", "fixed")
HOURS, REASON = Heading("hours", "hours"), Heading("reason", "reason")


@dataclass(frozen=True)
class Label:
    """What a workbook is of. Days as ISO 8601."""

    client: str
    schedule: str
    starts: str
    ends: str
    paid: str
    currency: str
    headings: tuple[Heading, ...]

    def lines(self) -> list[tuple[str, str, str]]:
        facts = (
            ("engineroom", VERSION), ("client", self.client), ("schedule", self.schedule),
            ("starts", self.starts), ("ends", self.ends), ("paid", self.paid), ("currency", self.currency),
        )  # fmt: skip
        return [
            *((name, value, "") for name, value in facts),
            *((h.part, h.text, h.element) for h in self.headings),
        ]

    def seal(self, client_id: UUID) -> str:
        """A keyed hash over every line: nobody can make one for another client or period."""
        text = "\n".join("\t".join(line) for line in self.lines())
        return crypto.fingerprint(client_id, PLACE, text.encode()).hex()


@dataclass(frozen=True)
class Filled:
    """A workbook as it came back. seal: as it stands in it."""

    label: Label
    seal: str
    sheet: Sheet

    def heading(self, part: Part) -> list[Heading]:
        return [h for h in self.label.headings if h.part == part]


@dataclass(frozen=True)
class Line:
    """A person's row. amounts: minor units by heading; minutes: of the hours said before."""

    number: str
    name: str
    terms: str
    minutes: int | None
    amounts: Mapping[Heading, int]
    reason: str = ""


# --- written ----------------------------------------------------------------------------------------------


def written(label: Label, client_id: UUID, lines: Sequence[Line]) -> bytes:
    """The workbook: a row a person, and the label on a sheet that nobody sees."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        book.set_properties({"title": f"Inputs of {label.schedule}, {label.starts} to {label.ends}"})
        _write_table(book, label, lines)
        hidden = book.add_worksheet(LABEL)
        for n, row in enumerate([*label.lines(), ("seal", label.seal(client_id), "")]):
            for column, text in enumerate(row):
                hidden.write_string(n, column, text)
        hidden.very_hidden()
    return out.getvalue()


def _write_table(book: Any, label: Label, lines: Sequence[Line]) -> None:
    table = book.add_worksheet(TABLE)
    heading = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    given = book.add_format({"font_color": "#555555", "bg_color": "#F2F2F2"})
    places = exponent(label.currency)
    money = book.add_format({"num_format": "#,##0" + ("." + "0" * places if places else "")})
    hours = book.add_format({"num_format": "0.00"})
    for column, one in enumerate(label.headings):
        table.write_string(0, column, one.text, heading)
        table.set_column(column, column, _width(one))
    for row, line in enumerate(lines, 1):
        for column, one in enumerate(label.headings):
            if one.part == "fixed":
                text = {NUMBER: line.number, NAME: line.name, TERMS: line.terms}[one]
                table.write_string(row, column, text, given)
            elif one.part == "hours":
                if line.minutes is not None:
                    table.write_number(row, column, Decimal(line.minutes) / 60, hours)
                else:
                    table.write_blank(row, column, None, hours)
            elif one.part == "reason":
                table.write_string(row, column, line.reason)
            elif (amount := line.amounts.get(one)) is not None:
                table.write_number(row, column, in_major(amount, label.currency), money)
            else:
                table.write_blank(row, column, None, money)
    table.freeze_panes(1, 2)
    table.autofilter(0, 0, max(1, len(lines)), len(label.headings) - 1)
    _say_how(table, label, max(1, len(lines)))


def _say_how(table: Any, label: Label, last: int) -> None:
    """What a cell takes, said by the spreadsheet where it is typed."""
    for column, one in enumerate(label.headings):
        if one.part not in HOW:
            continue
        rule: dict[str, Any] = {
            "validate": "any",
            "input_title": one.text[:32],
            "input_message": HOW[one.part],
        }
        if one.part in ("one-off", "recurring"):
            amounts = {"validate": "decimal", "criteria": "between", "minimum": -1e9, "maximum": 1e9}
            rule |= amounts | {"error_type": "warning"}
        table.data_validation(1, column, last, column, rule)


HOW = {
    "one-off": "An amount of this period alone; below zero it takes back. Empty: nothing.",
    "recurring": "An amount of every period from this one on. 0 ends it; empty leaves it as it is.",
    "hours": "Hours worked by whoever is paid by the hour: 37.5 or 37:30.",
    "reason": "Why, in a few words; it stands with every amount of the row.",
}


def _width(heading: Heading) -> int:
    return {NUMBER: 15, NAME: 26, TERMS: 22, REASON: 30}.get(heading, 13)


# --- read -------------------------------------------------------------------------------------------------


NEEDED = {"client", "schedule", "starts", "ends", "seal"}


def read_label(path: Path) -> tuple[Label, str] | None:
    """What a workbook is of, and its seal; None where it has no label of ours."""
    rows = [(*row, "", "", "")[:3] for row in read_hidden_sheet(path, LABEL)]
    facts = {name: value for name, value, _ in rows}
    if facts.get("engineroom") != VERSION or NEEDED - facts.keys():
        return None
    headings = tuple(
        Heading(text, part, element)  # type: ignore[arg-type]  # one of the parts: asked in this line
        for part, text, element in rows
        if part in get_args(Part)
    )
    if NUMBER not in headings or NAME not in headings or len(headings) > LIMITS.columns:
        return None
    label = Label(
        facts["client"], facts["schedule"], facts["starts"], facts["ends"], facts.get("paid", ""),
        facts.get("currency", ""), headings,
    )  # fmt: skip
    return label, facts["seal"]


def read_filled(path: Path, file_name: str) -> Filled | None:
    """Every row, typed, with everything that is wrong in its form; None for no workbook of ours."""
    found = read_label(path)
    if found is None:
        return None
    label, seal = found
    columns = [_column(heading, label.currency) for heading in label.headings]
    limits = replace(LIMITS, problems=MOST_PROBLEMS)
    sheet = read_sheet(path, file_name=file_name, columns=columns, limits=limits)
    problems = tuple(replace(p, sheet=TABLE) for p in sheet.problems)
    return Filled(label, seal, replace(sheet, problems=problems))


def _column(heading: Heading, currency: str) -> Column:
    if heading.part in ("one-off", "recurring"):
        return Column(heading.text, "money", currency=currency)
    if heading.part == "hours":
        return Column(heading.text, "hours")
    longest = {NUMBER: 20, NAME: 200, REASON: LONGEST_REASON}.get(heading)
    return Column(heading.text, required=heading in (NUMBER, NAME), max_length=longest)


def iso(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
