"""Ordinary tables from people's files, CSV and XLSX, read safely and said back exactly.

A file is the enemy until read: it may be huge, a bomb, half there, in another encoding, or right but for
three cells. `read_sheet` never raises for what is in a file. It returns the rows it could read, as columns
of typed values, and a Problem for everything else: which row, which column, what to do. Whoever imports
decides with `Sheet.or_refuse` whether three bad cells stop the rest.

Values are exact: money is minor units, hours are minutes, percentages are parts per million. Numbers of a
workbook are floats; Excel shows and means 15 significant digits of them, so we take 15 (ECMA-376 18.3.1.96;
Microsoft, "Excel specifications and limits": number precision 15 digits).

Imports nothing of Django.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from python_calamine import CalamineError, SheetVisibleEnum, load_workbook

from engineroom.kernel.errors import InputRefused, Problem, by_row, errors_of
from engineroom.kernel.money import SYMBOLS, NotMoney, parse_minor
from engineroom.kernel.rates import ppm

Kind = Literal["text", "date", "money", "hours", "int", "percent", "choice", "bool"]
Private = Literal["identity", "bank"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file we take. rows and columns of a workbook cannot be raised: see _BAD_CELL."""

    file_bytes: int = 50 * 1024 * 1024
    rows: int = 100_000
    columns: int = 200
    cell_characters: int = 10_000
    unpacked_bytes: int = 400 * 1024 * 1024
    unpacked_ratio: int = 200
    archive_entries: int = 5_000
    problems: int = 1_000


LIMITS = Limits()


@dataclass(frozen=True)
class Column:
    """What one column should hold. name: its heading; aliases: other headings it may have.

    kind and the value it gives: text str; date datetime.date; money minor units of `currency`; hours
    minutes, from 7.5 or 7:30; int; percent parts per million, and the % sign must be there; choice one of
    `choices`, any case; bool. An empty cell gives None. required: the heading must be there and no cell may
    be empty. private: the class of data it holds; problems are kept and shown to roles that may not see it,
    so they never quote such a cell.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    aliases: Sequence[str] = ()
    choices: Sequence[str] = ()
    currency: str = "GBP"
    max_length: int | None = None
    private: Private | None = None


@dataclass(frozen=True)
class Sheet:
    """What could be read: columns of equal length, by name, of the rows without errors, and every problem.

    row_numbers: where each row stands in the file, as a spreadsheet counts. rows_refused: how many had an
    error.
    """

    file_name: str
    columns: dict[str, list[Any]] = field(default_factory=dict)
    row_numbers: list[int] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()
    rows_refused: int = 0

    def __len__(self) -> int:
        return len(self.row_numbers)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Row by row, for few rows; many are better taken by column."""
        names = list(self.columns)
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, values, strict=True))

    def or_refuse(self) -> Sheet:
        """This sheet when nothing is wrong with it. Raises InputRefused with the problems otherwise."""
        if errors_of(self.problems):
            raise InputRefused(self.problems)
        return self


def read_sheet(
    data: bytes | Path, *, file_name: str, columns: Sequence[Column], limits: Limits = LIMITS
) -> Sheet:
    """The table in a CSV file, or in the first visible sheet of an XLSX workbook.

    The first row that is not empty has the headings, in any order. Encodings: UTF-8, UTF-16 with its mark,
    else Windows-1252 with a warning. Delimiters: comma, semicolon, tab. A formula counts as the value Excel
    kept of it.
    """
    assert limits.rows <= LIMITS.rows and limits.columns <= LIMITS.columns
    reading = _Reading(file_name, tuple(columns), limits)
    try:
        rows = reading.rows_of(reading.bytes_of(data))
        return reading.sheet(rows)
    except _Unreadable:
        return Sheet(file_name, {c.name: [] for c in columns}, problems=tuple(reading.problems))


def read_hidden_sheet(data: bytes | Path, name: str, *, limits: Limits = LIMITS) -> list[list[str]]:
    """The cells of a workbook's hidden sheet, as text; nothing where there is none, or no workbook.

    What is wrong with the file is said when its table is read.
    """
    reading = _Reading("", (), limits)
    try:
        found = reading.bytes_of(data)
    except _Unreadable:
        return []
    checked = _checked_workbook(found, limits) if found[:4] == b"PK\x03\x04" else b""
    if not checked or isinstance(checked, _Bad):
        return []
    try:
        workbook = load_workbook(io.BytesIO(checked))
        hidden = [s.name for s in workbook.sheets_metadata if s.visible != SheetVisibleEnum.Visible]
        rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) if name in hidden else []
    except BaseException as error:  # as above: a panic of the Rust reader is a BaseException of its own
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return []
    return [[_text_of(cell).strip() for cell in row] for row in rows]


class _Unreadable(Exception):
    """The whole file is refused; its problem is noted already."""


@dataclass(frozen=True, slots=True)
class _Bad:
    """A cell that cannot be read: what is wrong, and the remedy."""

    problem: str
    remedy: str


Cell = Any  # what csv and calamine give: str, int, float, bool, date, datetime, time, timedelta
Row = tuple[int, list[Cell]]


class _Reading:
    def __init__(self, file_name: str, columns: tuple[Column, ...], limits: Limits) -> None:
        self.file_name = file_name
        self.columns = columns
        self.limits = limits
        self.problems: list[Problem] = []
        self.unlisted = 0
        self.cut_short = False

    def wrong(self, row: int | None, field: str | None, problem: str, remedy: str) -> None:
        if len(self.problems) < self.limits.problems:
            self.problems.append(Problem(problem, remedy, self.file_name, row, field))
        else:
            self.unlisted += 1

    def warn(self, row: int | None, field: str | None, problem: str, remedy: str) -> None:
        self.problems.append(Problem(problem, remedy, self.file_name, row, field, "warning"))

    def refuse(self, problem: str, remedy: str) -> _Unreadable:
        self.problems.append(Problem(problem, remedy, self.file_name))
        return _Unreadable()

    # from bytes to rows ------------------------------------------------------------------------------

    def bytes_of(self, data: bytes | Path) -> bytes:
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        if size > self.limits.file_bytes:
            megabytes = self.limits.file_bytes // 1024 // 1024
            raise self.refuse(f"the file is larger than {megabytes} MB", "Split it into several files")
        return data.read_bytes() if isinstance(data, Path) else data

    def rows_of(self, data: bytes) -> list[Row]:
        if not data.strip():
            raise self.refuse("the file is empty", "Choose the file again")
        if data[:4] == b"PK\x03\x04":
            rows = self.workbook_rows(data)
        elif data[:4] == b"\xd0\xcf\x11\xe0":  # a compound file: what Excel wraps an encrypted workbook in
            problem = "the workbook is protected by a password, or in the old .xls format"
            raise self.refuse(problem, "Save it as .xlsx without a password, or as CSV")
        else:
            rows = self.csv_rows(self.text_of(data))
        if not rows:
            raise self.refuse("the file has no headings", f"Its first row should be: {self.headings()}")
        return rows

    def headings(self) -> str:
        return ", ".join(c.name for c in self.columns)

    def text_of(self, data: bytes) -> str:
        encoding = "utf-8-sig"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            text = self.windows_text(data)
        if "\0" in text:
            raise self.refuse("the file is not text", "Save the table as CSV (UTF-8) or .xlsx")
        return text

    def windows_text(self, data: bytes) -> str:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            remedy = "Save the table as CSV (UTF-8) or .xlsx"
            raise self.refuse("the file is neither UTF-8 nor Windows text", remedy) from None
        if "\0" not in text:
            problem = "the file is not UTF-8; it was read as Windows-1252"
            self.warn(None, None, problem, "Check names with accents, or save it as CSV (UTF-8)")
        return text

    def csv_rows(self, text: str) -> list[Row]:
        """Rows that are not blank. A quote that never closes ends them, with a problem."""
        longest = self.limits.columns * self.limits.cell_characters
        delimiter = self.delimiter(text[:longest])
        rows: list[Row] = []
        n = 0
        try:
            lines = self.short(io.StringIO(text, newline=""), longest)
            for n, cells in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), 1):
                first = cells[0] if cells else ""
                if (first and not first.isspace()) or not _is_blank(cells):
                    rows.append((n, cells))
                    if len(rows) == 1 or len(rows) > self.limits.rows:
                        self.check_size(len(rows), len(rows[0][1]))
        except csv.Error as error:
            problem = f"the row cannot be read ({error})"
            if "unexpected end" in str(error):
                problem = (
                    "a quoted cell begins here and never ends: the file is truncated, or a quote is missing"
                )
            self.wrong(n + 1, None, problem, "Save the table as CSV again, or as .xlsx")
        # A file cut while written ends inside a row; a complete one without a last line end is common.
        self.cut_short = bool(rows) and text[-1] not in "\r\n" and len(rows[-1][1]) < len(rows[0][1])
        return rows

    def short(self, lines: Iterable[str], longest: int) -> Iterator[str]:
        for line in lines:
            if len(line) > longest:
                problem = f"a line has more than {longest:,} characters"
                raise self.refuse(problem, "Save the table as CSV again; it may have lost its line ends")
            yield line

    def delimiter(self, start: str) -> str:
        """The one that gives the most headings we know, else the most cells, else the comma."""
        known = {_plain(name) for c in self.columns for name in (c.name, *c.aliases)}

        def score(delimiter: str) -> tuple[int, int]:
            try:
                heading = next(
                    (r for r in csv.reader(io.StringIO(start), delimiter=delimiter) if any(r)), [""]
                )
            except csv.Error:
                return 0, 0
            return sum(_plain(cell) in known for cell in heading), len(heading)

        return max(",;\t", key=score)

    def check_size(self, rows: int, columns: int) -> None:
        if rows > self.limits.rows + 1:
            problem = f"the table has more than {self.limits.rows:,} rows"
            raise self.refuse(problem, "Split it, and delete empty rows below the table")
        if columns > self.limits.columns:
            problem = f"the table has more than {self.limits.columns} columns"
            raise self.refuse(problem, "Delete the columns right of the table")

    def workbook_rows(self, data: bytes) -> list[Row]:
        """Rows of the first visible sheet that are not blank."""
        checked = _checked_workbook(data, self.limits)
        if isinstance(checked, _Bad):
            raise self.refuse(checked.problem, checked.remedy)
        try:
            workbook = load_workbook(io.BytesIO(checked))
            visible = [s.name for s in workbook.sheets_metadata if s.visible == SheetVisibleEnum.Visible]
            cells = workbook.get_sheet_by_name(visible[0]).to_python(skip_empty_area=False) if visible else []
        except CalamineError as error:
            remedy = "Open it in Excel and save it again as .xlsx"
            raise self.refuse(f"the workbook cannot be read ({error})", remedy) from error
        except BaseException as error:  # a panic of the Rust reader is a BaseException of its own
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            remedy = "Open it in Excel and save it again as .xlsx"
            raise self.refuse("the workbook is damaged", remedy) from error
        if len(visible) > 1:
            problem = f"the workbook has {len(visible)} sheets; only {visible[0]!r} was read"
            self.warn(None, None, problem, "Put what belongs to the table on the first sheet")
        rows = [(n, row) for n, row in enumerate(cells, 1) if not _is_blank(row)]
        self.check_size(len(rows), len(cells[0]) if cells else 0)
        return rows

    # from rows to columns ----------------------------------------------------------------------------

    def sheet(self, rows: list[Row]) -> Sheet:
        heading_row, heading = rows[0]
        body = rows[1:]
        before = len(errors_of(self.problems))
        places = self.places(heading_row, [_text_of(cell).strip() for cell in heading], body)
        if len(errors_of(self.problems)) > before:
            raise _Unreadable
        if not body:
            raise self.refuse("there are no rows below the headings", "Choose a file with rows in it")
        bad = self.square(body, len(heading))
        numbers = [n for n, _ in body]
        by_place = list(zip(*(cells for _, cells in body), strict=True))
        found: dict[str, list[Any]] = {
            column.name: self.convert(column, by_place[places[column.name]], numbers, bad)
            if column.name in places
            else [None] * len(body)
            for column in self.columns
        }
        if bad:
            keep = [k for k in range(len(body)) if k not in bad]
            numbers = [numbers[k] for k in keep]
            found = {name: [values[k] for k in keep] for name, values in found.items()}
        return Sheet(self.file_name, found, numbers, self.sorted_problems(), len(bad))

    def places(self, row: int, heading: list[str], body: list[Row]) -> dict[str, int]:
        """Where each column stands. Missing and double headings are errors, unknown ones warnings."""
        by_name = {_plain(name): c.name for c in self.columns for name in (c.name, *c.aliases)}
        places: dict[str, int] = {}
        unknown: list[str] = []
        for i, text in enumerate(heading):
            name = by_name.get(_plain(text))
            if name is None:
                unknown.append(text)
                self.warn_unread(row, i, text, body)
            elif name in places:
                problem = f"two columns are headed {name}: {heading[places[name]]!r} and {text!r}"
                self.wrong(row, name, problem, "Delete or rename one of them")
            else:
                places[name] = i
        for column in self.columns:
            if column.required and column.name not in places:
                quotable = not any(c.private for c in self.columns)
                close = get_close_matches(column.name, unknown, 1) if quotable else []
                remedy = (
                    f"Rename {close[0]!r} to {column.name!r}" if close else f"Add a column {column.name!r}"
                )
                self.wrong(row, column.name, f"the column {column.name!r} is missing", remedy)
        return places

    def warn_unread(self, row: int, i: int, text: str, body: list[Row]) -> None:
        if text and any(c.private for c in self.columns):
            # In a file without headings the first row is somebody's, and this would quote their number.
            problem = f"column {_letters(i)} has a heading that we do not read; it was left out"
            self.warn(row, _letters(i), problem, f"Fine if it is yours alone; we read: {self.headings()}")
        elif text:
            problem = f"the column {text[:40]!r} is not one we read; it was left out"
            self.warn(row, text[:40], problem, f"Fine if it is yours alone; we read: {self.headings()}")
        elif any(i < len(cells) and not _is_blank(cells[i : i + 1]) for _, cells in body):
            problem = f"column {_letters(i)} has cells but no heading; it was left out"
            self.warn(row, _letters(i), problem, "Give it a heading, or delete it")

    def square(self, body: list[Row], width: int) -> set[int]:
        """Make every row as wide as the headings. Returns the positions of rows that cannot be."""
        bad: set[int] = set()
        for k, (n, cells) in enumerate(body):
            if len(cells) < width:
                cells += [""] * (width - len(cells))
            elif len(cells) > width and not _is_blank(cells[width:]):
                problem = f"the row has {len(cells)} cells under {width} headings"
                self.wrong(n, None, problem, "Put text that has a comma in it in quotes, or give a heading")
                bad.add(k)
            if len(cells) > width:
                del cells[width:]
        if self.cut_short:
            problem = "the last row stops early and has no line end: the file is truncated"
            self.wrong(body[-1][0], None, problem, "Save the table as CSV again")
            bad.add(len(body) - 1)
        return bad

    def convert(self, column: Column, cells: tuple[Cell, ...], rows: list[int], bad: set[int]) -> list[Any]:
        """One column's values. Each different cell is converted once: most columns repeat themselves."""
        different = set(cells)
        if True in different or False in different:  # equal to 1 and 0, so they could stand for those
            cells = tuple(_text_of(c) if c.__class__ is bool else c for c in cells)
            different = set(cells)
        convert = _CONVERTERS[column.kind](column)
        if column.private:
            convert = _unquoted(column, convert)
        missing = _Bad("the cell is empty", "Fill it in") if column.required else None
        known: dict[Cell, Any] = {}
        refused = False
        for cell in different:
            text = cell if cell.__class__ is str else _text_of(cell)
            known[cell] = value = self.value(text.strip(), missing, convert)
            refused = refused or value.__class__ is _Bad
        values = list(map(known.__getitem__, cells))
        if refused:
            for k, value in enumerate(values):
                if value.__class__ is _Bad:
                    self.wrong(rows[k], column.name, value.problem, value.remedy)
                    bad.add(k)
        return values

    def value(self, text: str, missing: _Bad | None, convert: Callable[[str], Any]) -> Any:
        if not text:
            return missing
        if len(text) > self.limits.cell_characters:
            return _Bad(
                f"the cell has {len(text):,} characters", f"Take at most {self.limits.cell_characters:,}"
            )
        if text in _EXCEL_ERRORS:
            return _Bad(f"the formula in this cell failed ({text})", "Correct the formula, or type the value")
        return convert(text)

    def sorted_problems(self) -> tuple[Problem, ...]:
        self.problems = by_row(self.problems)
        if self.unlisted:
            problem = f"{self.unlisted:,} more problems are not listed"
            last = self.problems[-1].row if self.problems else None
            remedy = "Correct these first, then import again"
            self.problems.append(Problem(problem, remedy, self.file_name, last))
        return tuple(self.problems)


_EXCEL_ERRORS = frozenset(
    ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!", "#GETTING_DATA")
)
_NOT_PLAIN = re.compile(r"[\W_]+")


def _plain(heading: str) -> str:
    """A heading without case, spaces and signs: "Employee No." is "employee_no"."""
    return _NOT_PLAIN.sub("", heading.casefold())


def _is_blank(cells: Sequence[Cell]) -> bool:
    return not any(c.strip() if c.__class__ is str else True for c in cells)


def _letters(i: int) -> str:
    """The letters over a spreadsheet's column: 0 is A, 27 is AB."""
    letters = ""
    i += 1
    while i:
        i, rest = divmod(i - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _text_of(cell: Cell) -> str:
    """A workbook's cell as a person would have typed it into a CSV file."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        text = f"{cell:.15g}"
        return f"{Decimal(text):f}" if "e" in text else text
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    if isinstance(cell, time):
        cell = timedelta(
            hours=cell.hour, minutes=cell.minute, seconds=cell.second, microseconds=cell.microsecond
        )
    if isinstance(cell, timedelta):
        seconds = round(cell.total_seconds())  # a time of day is a fraction of a day, seldom exact
        sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
        text = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}"
        return f"{text}:{seconds % 60:02d}" if seconds % 60 else text
    return str(cell)


# conversions: text in, value or _Bad out -------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_GB_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_DECIMAL_HOURS = re.compile(r"(-?)([0-9]{1,6})(?:\.([0-9]{1,6}))?")
_CLOCK_HOURS = re.compile(r"(-?)([0-9]{1,6}):([0-5][0-9])")
_INT = re.compile(r"-?[0-9]{1,18}")
_PERCENT = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?) ?%")
_BOOLS = {
    "yes": True,
    "y": True,
    "true": True,
    "1": True,
    "no": False,
    "n": False,
    "false": False,
    "0": False,
}

Converter = Callable[[str], Any]


def _text_converter(column: Column) -> Converter:
    longest = column.max_length or LIMITS.cell_characters

    def convert(text: str) -> str | _Bad:
        if not text.isprintable() and _CONTROL.search(text):
            return _Bad("the cell has characters that cannot be shown", "Type its text again")
        if len(text) > longest:
            return _Bad(f"{text[:20]!r}... has {len(text)} characters", f"Shorten it to {longest}")
        return text

    return convert


def _date_converter(column: Column) -> Converter:
    def convert(text: str) -> date | _Bad:
        if match := _ISO_DATE.fullmatch(text):
            year, month, day = map(int, match.groups())
        elif match := _GB_DATE.fullmatch(text):
            day, month, year = map(int, match.groups())
        else:
            return _Bad(f"{text[:40]!r} is not a date", "Write it as 2026-04-06 or 06/04/2026")
        try:
            found = date(year, month, day)
        except ValueError:
            return _Bad(
                f"{text!r} is not a day of the calendar", "Write the day before the month: 06/04/2026"
            )
        if not 1900 <= year <= 2100:
            return _Bad(f"{text!r} is not a year we know", "Write the year with four digits")
        return found

    return convert


def _money_converter(column: Column) -> Converter:
    symbol = SYMBOLS.get(column.currency, column.currency)

    def convert(text: str) -> int | _Bad:
        plain = text.replace(symbol, "", 1) if text.lstrip("-").startswith(symbol) else text
        remedy = "Write it as 1234.50, with a minus before it if it is negative"
        if len(plain) > 30 or not plain.isascii():
            return _Bad(f"{text[:40]!r} is not an amount", remedy)
        try:
            return parse_minor(plain, column.currency)
        except NotMoney as error:
            return _Bad(str(error), remedy)

    return convert


def _hours_converter(column: Column) -> Converter:
    """Minutes. The sign is kept; whether it may be negative, or a day have so many, is not decided here."""

    def convert(text: str) -> int | _Bad:
        if match := _CLOCK_HOURS.fullmatch(text):
            sign, hours, minutes = match.groups()
            total = int(hours) * 60 + int(minutes)
        elif match := _DECIMAL_HOURS.fullmatch(text):
            sign, hours, fraction = match.groups()
            scale = 10 ** len(fraction or "")
            total, rest = divmod(int(hours + (fraction or "")) * 60, scale)
            if rest:
                return _Bad(f"{text} hours is not a whole number of minutes", "Write hours and minutes: 7:20")
        else:
            return _Bad(f"{text[:40]!r} is not hours", "Write 7.5 or 7:30")
        return -total if sign else total

    return convert


def _int_converter(column: Column) -> Converter:
    def convert(text: str) -> int | _Bad:
        return (
            int(text)
            if _INT.fullmatch(text)
            else _Bad(f"{text[:40]!r} is not a whole number", "Write digits only")
        )

    return convert


def _percent_converter(column: Column) -> Converter:
    """Parts per million. Without the sign nobody can tell 8 from 0.08: a workbook keeps 8% as 0.08."""

    def convert(text: str) -> int | _Bad:
        match = _PERCENT.fullmatch(text)
        if match is None:
            remedy = "Write 8% with its sign; in Excel format the column as Text first"
            return _Bad(f"{text[:40]!r} is not a percentage", remedy)
        try:
            return ppm(Decimal(match.group(1)) / 100)
        except ValueError:
            return _Bad(f"{text!r} is finer than 0.0001%", "Write at most four decimals")

    return convert


def _choice_converter(column: Column) -> Converter:
    by_text = {choice.casefold(): choice for choice in column.choices}
    allowed = ", ".join(column.choices)

    def convert(text: str) -> str | _Bad:
        found = by_text.get(text.casefold())
        return (
            _Bad(f"{text[:40]!r} is not one of {allowed}", f"Write one of {allowed}")
            if found is None
            else found
        )

    return convert


def _bool_converter(column: Column) -> Converter:
    def convert(text: str) -> bool | _Bad:
        found = _BOOLS.get(text.casefold())
        return _Bad(f"{text[:40]!r} is neither yes nor no", "Write yes or no") if found is None else found

    return convert


_PRIVATE_WORDS = {
    "date": ("the cell is not a day that we know", "Write it as 2026-04-06 or 06/04/2026"),
    "money": ("the cell is not an amount", "Write it as 1234.50"),
    "hours": ("the cell is not hours", "Write 7.5 or 7:30"),
    "int": ("the cell is not a whole number", "Write digits only"),
    "percent": ("the cell is not a percentage", "Write 8% with its sign"),
    "choice": ("the cell is not one of the choices", "Write one of them"),
    "bool": ("the cell is neither yes nor no", "Write yes or no"),
}


def _unquoted(column: Column, convert: Converter) -> Converter:
    """The converter of a private column: what is wrong is said without the cell's own words."""

    def without_the_cell(text: str) -> Any:
        value = convert(text)
        if not isinstance(value, _Bad):
            return value
        if column.kind != "text":
            return _Bad(*_PRIVATE_WORDS[column.kind])
        if column.max_length and len(text) > column.max_length:
            return _Bad(f"has {len(text)} characters, at most {column.max_length}", "Shorten it")
        return _Bad("the cell has characters that cannot be shown", "Type its text again")

    return without_the_cell


_CONVERTERS: dict[str, Callable[[Column], Converter]] = {
    "text": _text_converter,
    "date": _date_converter,
    "money": _money_converter,
    "hours": _hours_converter,
    "int": _int_converter,
    "percent": _percent_converter,
    "choice": _choice_converter,
    "bool": _bool_converter,
}


# workbooks -------------------------------------------------------------------------------------------

_GOOD_REF = rb' r="(?:[A-F]?[A-Z]|G[A-R])(?:[0-9]{1,5}|10000[01])"'
_BAD_CELL = re.compile(rb"<c(?![A-Za-z:])(?!" + _GOOD_REF + rb")")
_BAD_PREFIXED_CELL = re.compile(rb":c(?=[\s/>])(?!" + _GOOD_REF + rb")")
"""A cell (<c>, or <x:c>) outside A1 to GR100001, or one that does not say where it is.

calamine lays a sheet out as a full rectangle before it answers: 2 cells, at A1 and XFD1048576, made it ask
for 550 GB and abort the process (measured, 0.9.1). So no such cell may reach it.
"""

_FAR_CELL = re.compile(rb'<(?:\w+:)?c r="([A-Z]{1,3})([0-9]{1,7})"')
_DAMAGED = _Bad("the workbook is damaged or truncated", "Open it in Excel and save it again as .xlsx")


def _checked_workbook(data: bytes, limits: Limits) -> bytes | _Bad:
    """The workbook packed anew with only what was checked, so that the reader sees what we saw.

    Sizes are the central directory's; zipfile gives no more bytes of an entry than it says there, so a
    directory that lies only truncates itself. Pictures, macros and other parts that are not XML are left
    out. Cells whose formula failed become text, because calamine gives them as empty cells.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if (bad := _archive_problem(entries, limits)) is not None:
                return bad
            parts = {e.filename: archive.read(e) for e in entries if e.filename.endswith((".xml", ".rels"))}
    except Exception:  # zipfile and zlib raise a dozen kinds on damaged input; all mean the same to a person
        return _DAMAGED
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            if (bad := _part_problem(part)) is not None:
                return bad
            archive.writestr(name, part.replace(b' t="e"', b' t="str"'))
    return packed.getvalue()


def _archive_problem(entries: list[zipfile.ZipInfo], limits: Limits) -> _Bad | None:
    """What the central directory alone gives away."""
    names = {e.filename for e in entries}
    if len(entries) > limits.archive_entries or len(names) < len(entries):
        return _Bad(
            f"the archive has {len(entries):,} entries, or two of one name", "Save it in Excel as .xlsx"
        )
    if "[Content_Types].xml" not in names or "xl/workbook.xml" not in names:
        return _Bad("the file is an archive, but not an .xlsx workbook", "Save the table as .xlsx or CSV")
    if any(e.flag_bits & 1 for e in entries):
        return _Bad("the workbook is encrypted", "Save it without a password")
    if any(e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in entries):
        return _Bad("the workbook is packed in a way Excel does not use", "Save it in Excel as .xlsx")
    unpacked = sum(e.file_size for e in entries)
    bomb = any(
        e.file_size > 1024 * 1024 and e.file_size > limits.unpacked_ratio * e.compress_size for e in entries
    )
    if bomb or unpacked > limits.unpacked_bytes:
        problem = f"the workbook unpacks to {unpacked // 1024 // 1024:,} MB, far more than a table needs"
        return _Bad(problem, "Copy the table alone into a new workbook, or save it as CSV")
    return None


def _part_problem(part: bytes) -> _Bad | None:
    """Whether a part has cells where a table we take has none."""
    if b"\0" in part:  # UTF-16: legal, but nobody writes it, and cells in it could hide from the scan
        return _DAMAGED
    match = _BAD_CELL.search(part) or _BAD_PREFIXED_CELL.search(part)
    if match is None:
        return None
    place = _FAR_CELL.match(part, match.start()) or _FAR_CELL.match(part, part.rfind(b"<", 0, match.end()))
    if place is None:
        return _Bad("the workbook has cells that do not say where they are", "Save it in Excel as .xlsx")
    if len(place.group(2)) > 5 and int(place.group(2)) > LIMITS.rows + 1:
        problem = f"the table has more than {LIMITS.rows:,} rows (a cell in row {int(place.group(2)):,})"
        return _Bad(problem, "Split it, and delete empty rows below the table")
    problem = f"the table has more than {LIMITS.columns} columns (a cell in column {place.group(1).decode()})"
    return _Bad(problem, "Delete the columns right of the table")


# export ----------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?[0-9][0-9,]*(?:\.[0-9]+)?%?")


def safe_cell(text: str) -> str:
    """Text that a spreadsheet shows and does not run: an apostrophe before what would begin a formula.

    Formulas begin with = + - @, a tab or a carriage return (OWASP, "CSV injection"). A plain number keeps
    its sign.
    """
    if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and not _NUMBER.fullmatch(text):
        return "'" + text if text else text
    return text


def write_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file for people: UTF-8 with the mark Excel needs, CR LF, every text made safe.

    None is an empty cell, dates are ISO, bool is yes or no. Money must come as text (format_minor): a
    column of minor units would be read as pounds.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe_cell(h) for h in headers])
    for row in rows:
        writer.writerow([_exported(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")


def _exported(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return safe_cell(str(cell))
