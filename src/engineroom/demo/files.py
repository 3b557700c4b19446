"""Files as people make them: CSV as spreadsheets save it, and plain workbooks with dates and times in them.

A file is the same bytes every time: workbooks carry a fixed day on which they were made.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter

MADE_ON = datetime(2026, 11, 23, 8, 30)  # noqa: DTZ001  a workbook's own time has no zone
MINUTES_AN_HOUR = 60

Cell = str | int | float | date | timedelta | None


def write_csv(
    path: Path, headings: Sequence[str], rows: Iterable[Sequence[object]], *, mark: bool = False
) -> Path:
    """A CSV file with the line ends of a spreadsheet. mark: begin with a byte order mark, as Excel does."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    path.write_bytes(out.getvalue().encode("utf-8-sig" if mark else "utf-8"))
    return path


def write_xlsx(path: Path, sheet: str, headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Path:
    """A workbook with dates and times as Excel keeps them. An empty row stays empty, text stays text."""
    with xlsxwriter.Workbook(path, {"in_memory": True}) as workbook:
        workbook.set_properties({"author": "", "created": MADE_ON})
        formats = {
            "heading": workbook.add_format({"bold": True}),
            "date": workbook.add_format({"num_format": "dd/mm/yyyy"}),
            "hours": workbook.add_format({"num_format": "[h]:mm"}),
        }
        table = workbook.add_worksheet(sheet)
        table.set_column(0, len(headings) - 1, 18)
        table.write_row(0, 0, headings, formats["heading"])
        for n, row in enumerate(rows, 1):
            for column, cell in enumerate(row):
                _write_cell(table, n, column, cell, formats)
    return path


def _write_cell(table: Any, row: int, column: int, cell: Cell, formats: dict[str, Any]) -> None:
    match cell:
        case None | "":
            return
        case str():
            table.write_string(row, column, cell)
        case timedelta():
            table.write_datetime(row, column, cell, formats["hours"])
        case date():
            table.write_datetime(row, column, cell, formats["date"])
        case _:
            table.write_number(row, column, cell)


# how people write the same thing ---------------------------------------------------------------------


def iso_date(day: date) -> str:
    return day.isoformat()


def british_date(day: date) -> str:
    return f"{day.day:02d}/{day.month:02d}/{day.year}"


def short_date(day: date) -> str:
    return f"{day.day}/{day.month}/{day.year}"


def clock_hours(minutes: int) -> str:
    """450 is 7:30."""
    return f"{minutes // MINUTES_AN_HOUR}:{minutes % MINUTES_AN_HOUR:02d}"


def long_clock_hours(minutes: int) -> str:
    """450 is 07:30."""
    return clock_hours(minutes).rjust(5, "0")


def decimal_hours(minutes: int) -> str:
    """450 is 7.5; what is no quarter of an hour cannot be said in decimals and is written by the clock."""
    hundredths, rest = divmod(minutes * 100, MINUTES_AN_HOUR)
    return clock_hours(minutes) if rest else f"{hundredths / 100:g}"


@dataclass(frozen=True)
class Habit:
    """How somebody writes a customer's hours. padding: spaces after texts; approved: their word for it."""

    day: Callable[[date], str]
    hours: Callable[[int], str]
    padding: str = ""
    approved: str = "approved"


HABITS = {
    "ALDER": Habit(british_date, decimal_hours),
    "BRIGHT": Habit(iso_date, clock_hours),
    "CAFE": Habit(short_date, decimal_hours, "  ", "Approved"),
    "CEDAR": Habit(british_date, long_clock_hours, " "),
    "FERRIS": Habit(iso_date, decimal_hours, "", "APPROVED"),
    "KESTREL": Habit(british_date, clock_hours, "", ""),
    "MOORLAND": Habit(short_date, long_clock_hours, "", "Approved"),
}
"""By customer. No word at all counts as approved too."""
