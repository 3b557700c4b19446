"""A workbook of inputs as a person leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import xlsxwriter

from engineroom.payroll import workbook

Cells = Mapping[tuple[str, str], object]
"""What somebody types: by payroll number and heading. A formula is (formula, the value kept of it)."""


def typed(path: Path, out: Path, cells: Cells) -> Path:
    """The workbook at `path` with other cells: what a spreadsheet would save."""
    before = workbook.read_filled(path, path.name)
    assert before is not None
    with xlsxwriter.Workbook(out) as book:
        table = book.add_worksheet(workbook.TABLE)
        table.write_row(0, 0, [heading.text for heading in before.label.headings])
        for n, row in enumerate(before.sheet.rows(), 1):
            for column, heading in enumerate(before.label.headings):
                value = row[heading.text]
                if value is not None and heading.part in ("one-off", "recurring"):
                    value = value / 100
                elif value is not None and heading.part == "hours":
                    value = value / 60
                _write(table, n, column, cells.get((row["payroll_number"], heading.text), value))
        hidden = book.add_worksheet(workbook.LABEL)
        for n, line in enumerate([*before.label.lines(), ("seal", before.seal, "")]):
            hidden.write_row(n, 0, line)
        hidden.hide()
    return out


def _write(table: xlsxwriter.worksheet.Worksheet, row: int, column: int, value: object) -> None:
    if isinstance(value, tuple):
        table.write_formula(row, column, value[0], value=value[1])
    elif isinstance(value, int | float):
        table.write_number(row, column, value)
    elif value is not None:
        table.write_string(row, column, str(value))
