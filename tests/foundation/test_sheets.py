"""Tables from people: right cells come in exactly, wrong cells are named, and no file can hurt us."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.foundation.imports import sheets
from engineroom.foundation.imports.sheets import Column, Limits, Sheet, read_sheet, safe_cell, write_csv
from engineroom.kernel.errors import InputRefused

WEEK = (
    Column("Employee No", required=True, aliases=("Payroll No", "Works number"), max_length=12),
    Column("Date", "date", required=True),
    Column("Hours", "hours", required=True),
    Column("Rate", "money"),
    Column("Type", "choice", choices=("Basic", "Overtime")),
    Column("Approved", "bool"),
)
HEAD = "Employee No,Date,Hours,Rate,Type,Approved\n"
ROW = "E1,2026-11-16,7.5,12.21,basic,yes\n"


def sheet_of(data: bytes | str, columns: tuple[Column, ...] = WEEK, **other: Any) -> Sheet:
    data = data.encode() if isinstance(data, str) else data
    return read_sheet(data, file_name="week.csv", columns=columns, **other)


def refusal(data: bytes | str, columns: tuple[Column, ...] = WEEK, **other: Any) -> str:
    """The one problem of a file of which no row comes back."""
    sheet = sheet_of(data, columns, **other)
    assert len(sheet) == 0
    [problem] = [p for p in sheet.problems if p.severity == "error"]
    assert problem.file == "week.csv" and problem.remedy
    return problem.problem


def value(kind: Any, text: str, **column: Any) -> Any:
    """One cell read, or the words of its problem."""
    sheet = sheet_of(f'Id,Cell\n1,"{text}"\n', (Column("Id"), Column("Cell", kind, **column)))
    if sheet.problems:
        [problem] = sheet.problems
        assert (problem.row, problem.field) == (2, "Cell") and problem.remedy
        return problem.problem
    return sheet.columns["Cell"][0]


def workbook(fill: Callable[[Any, Any], None], **options: Any) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, **options})
    fill(book, book.add_worksheet())
    book.close()
    return out.getvalue()


def table(*rows: list[Any]) -> bytes:
    def fill(book: Any, sheet: Any) -> None:
        for n, row in enumerate(rows):
            sheet.write_row(n, 0, row)

    return workbook(fill)


# good rows --------------------------------------------------------------------------------------------


def test_a_table_comes_back_as_typed_columns() -> None:
    sheet = sheet_of(HEAD + ROW + "E2,17/11/2026,7:20,,Overtime,N\n")
    assert sheet.columns == {
        "Employee No": ["E1", "E2"],
        "Date": [date(2026, 11, 16), date(2026, 11, 17)],
        "Hours": [450, 440],
        "Rate": [1221, None],
        "Type": ["Basic", "Overtime"],
        "Approved": [True, False],
    }
    assert (sheet.row_numbers, sheet.problems, len(sheet)) == ([2, 3], (), 2)
    assert next(sheet.rows())["Hours"] == 450
    assert sheet.or_refuse() is sheet


def test_headings_come_in_any_order_case_and_name() -> None:
    sheet = sheet_of("hours;WORKS_NUMBER;date\n7,5;E1;2026-11-16\n".replace("7,5", "7.5"))
    assert sheet.columns["Employee No"] == ["E1"]
    assert sheet.columns["Rate"] == [None]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_delimiters_and_encodings_are_recognised(delimiter: str, encoding: str) -> None:
    text = f"Name{delimiter}Note\nZoë{delimiter}£5 – ok\n"
    data = text.encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data
    sheet = sheet_of(data, (Column("Name"), Column("Note")))
    assert (sheet.columns, sheet.problems) == ({"Name": ["Zoë"], "Note": ["£5 – ok"]}, ())


def test_windows_text_is_read_with_a_warning() -> None:
    sheet = sheet_of("Name\nZoë O’Neil\n".encode("cp1252"), (Column("Name"),))
    assert sheet.columns["Name"] == ["Zoë O’Neil"]
    assert [p.severity for p in sheet.or_refuse().problems] == ["warning"]


def test_quoted_cells_blank_rows_and_rows_before_the_headings_keep_their_row_numbers() -> None:
    sheet = sheet_of(
        '\n,,\nName,Note\n"Smith, John","two\nlines"\n , \nAnn,"say ""hi"""\n',
        (Column("Name"), Column("Note")),
    )
    assert sheet.columns == {"Name": ["Smith, John", "Ann"], "Note": ["two\nlines", 'say "hi"']}
    assert sheet.row_numbers == [4, 6]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("hours", "7.5", 450),
        ("hours", "7:30", 450),
        ("hours", "-7:30", -450),
        ("hours", "-0.25", -15),
        ("hours", "0", 0),
        ("hours", "30:00", 1800),
        ("hours", "7.1", 426),
        ("hours", "7.33", "7.33 hours is not a whole number of minutes"),
        ("hours", "7:75", "'7:75' is not hours"),
        ("hours", "7h", "'7h' is not hours"),
        ("money", "£1,234.50", 123450),
        ("money", "-£5", -500),
        ("money", "12.345", "'12.345' has more than 2 decimals"),
        ("money", "1.234,50", "'1.234,50' is not an amount"),
        ("money", "(5.00)", "'(5.00)' is not an amount"),
        ("money", "٣", "'٣' is not an amount"),
        ("money", "9" * 5000, f"{'9' * 40!r} is not an amount"),
        ("date", "2026-02-28", date(2026, 2, 28)),
        ("date", "6/4/2026", date(2026, 4, 6)),
        ("date", "04/13/2026", "'04/13/2026' is not a day of the calendar"),
        ("date", "31/02/2026", "'31/02/2026' is not a day of the calendar"),
        ("date", "06/04/26", "'06/04/26' is not a date"),
        ("date", "46118", "'46118' is not a date"),
        ("date", "0001-01-01", "'0001-01-01' is not a year we know"),
        ("int", "-12", -12),
        ("int", "1.0", "'1.0' is not a whole number"),
        ("int", "9" * 30, f"{'9' * 30!r} is not a whole number"),
        ("percent", "8%", 80_000),
        ("percent", "0.5 %", 5_000),
        ("percent", "0.08", "'0.08' is not a percentage"),
        ("percent", "8", "'8' is not a percentage"),
        ("percent", "0.00001%", "'0.00001%' is finer than 0.0001%"),
        ("bool", "TRUE", True),
        ("bool", "perhaps", "'perhaps' is neither yes nor no"),
        ("text", " Ann ", "Ann"),
        ("text", "bell\x07", "the cell has characters that cannot be shown"),
        ("money", "#DIV/0!", "the formula in this cell failed (#DIV/0!)"),
    ],
)
def test_a_cell_is_read_exactly_or_its_problem_is_said(kind: str, text: str, expected: Any) -> None:
    assert value(kind, text) == expected


def test_choices_lengths_and_required_cells_are_held() -> None:
    assert value("choice", "OVERTIME", choices=("Basic", "Overtime")) == "Overtime"
    assert value("choice", "Bonus", choices=("Basic", "Overtime")) == "'Bonus' is not one of Basic, Overtime"
    assert value("text", "abcdef", max_length=5) == "'abcdef'... has 6 characters"
    assert value("text", "x" * 10_001) == "the cell has 10,001 characters"
    assert value("text", " ", required=True) == "the cell is empty"
    assert value("text", "") is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [("date", "31/02/1990"), ("date", "secret"), ("int", "12x"), ("money", "1.999"), ("text", "too long")],
)
def test_a_private_cell_is_never_quoted(kind: str, text: str) -> None:
    said = value(kind, text, private="identity", max_length=5)
    assert isinstance(said, str) and text not in said
    assert value("text", "too long", private="bank", max_length=5) == "has 8 characters, at most 5"
    assert value("text", "short", private="bank", max_length=5) == "short"


def test_a_bad_cell_is_named_and_the_other_rows_still_come() -> None:
    sheet = sheet_of(HEAD + ROW + "E2,yesterday,7.33,1.999,Bonus,yes\n" + ROW + ",2026-11-16,8,,,\n")
    assert sheet.row_numbers == [2, 4]
    assert sheet.rows_refused == 2
    assert all(len(values) == 2 for values in sheet.columns.values())
    assert [(p.row, p.field) for p in sheet.problems] == [
        (3, "Date"),
        (3, "Hours"),
        (3, "Rate"),
        (3, "Type"),
        (5, "Employee No"),
    ]
    with pytest.raises(InputRefused, match=r"week.csv, row 3, Date: 'yesterday' is not a date"):
        sheet.or_refuse()


def test_many_problems_are_counted_rather_than_listed() -> None:
    sheet = sheet_of(HEAD + "E1,x,1,,,\n" * 1500 + ROW)
    assert (sheet.rows_refused, len(sheet), len(sheet.problems)) == (1500, 1, 1001)
    assert sheet.problems[-1].problem == "500 more problems are not listed"


# headings ---------------------------------------------------------------------------------------------


def test_missing_headings_are_refused_with_what_to_rename() -> None:
    sheet = sheet_of("Employe No,Date\nE1,2026-11-16\n")
    assert len(sheet) == 0
    errors = [p for p in sheet.problems if p.severity == "error"]
    assert [(p.row, p.field) for p in errors] == [(1, "Employee No"), (1, "Hours")]
    assert errors[0].remedy == "Rename 'Employe No' to 'Employee No'"
    assert errors[1].remedy == "Add a column 'Hours'"


def test_a_heading_that_stands_twice_is_refused() -> None:
    problem = refusal("Employee No,Payroll No,Date,Hours\nE1,E2,2026-11-16,1\n")
    assert problem == "two columns are headed Employee No: 'Employee No' and 'Payroll No'"


def test_columns_we_do_not_read_are_warned_about() -> None:
    sheet = sheet_of("Employee No,Date,Hours,Shoe size,\nE1,2026-11-16,1,9,lost\n")
    assert len(sheet.or_refuse()) == 1
    assert [(p.severity, p.field) for p in sheet.problems] == [("warning", "Shoe size"), ("warning", "E")]


def test_cells_beyond_the_headings_are_refused_and_empty_ones_are_not() -> None:
    sheet = sheet_of(HEAD + ROW.replace("\n", ",,\n") + ROW.replace("12.21", "1,234.50"))
    assert sheet.row_numbers == [2]
    assert sheet.problems[0].problem == "the row has 7 cells under 6 headings"


# files that are no tables -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b" \r\n ", "the file is empty"),
        (b"\xef\xbb\xbf,,\n", "the file has no headings"),
        (HEAD.encode(), "there are no rows below the headings"),
        (b"%PDF-1.7\x00\x01\x02", "the file is not text"),
        (b"Name\nA\x81\x8d\n", "the file is neither UTF-8 nor Windows text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "protected by a password"),
        (b"PK\x03\x04 and nothing else", "damaged or truncated"),
        (",".join(f"c{n}" for n in range(10_000)).encode() + b"\n1\n", "more than 200 columns"),
        (b"Employee No,Date,Hours\n" + b"x" * 3_000_000, "a line has more than 2,000,000 characters"),
    ],
)
def test_what_is_no_table_is_refused_in_one_problem(data: bytes, says: str) -> None:
    assert says in refusal(data)


def test_too_many_rows_or_bytes_are_refused_in_one_problem(tmp_path: Path) -> None:
    assert "more than 3 rows" in refusal(HEAD + ROW * 4, limits=Limits(rows=3))
    assert len(sheet_of(HEAD + ROW * 3, limits=Limits(rows=3))) == 3
    path = tmp_path / "week.csv"
    path.write_text(HEAD + ROW * 10)
    assert len(read_sheet(path, file_name="week.csv", columns=WEEK)) == 10
    tight = Limits(file_bytes=100)
    assert (
        "larger than"
        in read_sheet(path, file_name="week.csv", columns=WEEK, limits=tight).problems[0].problem
    )


@pytest.mark.parametrize(
    ("data", "row"),
    [
        (HEAD + ROW + "E2,2026-11-1", 3),
        (HEAD + ROW + 'E2,2026-11-16,8,,"Bas', 3),
        (HEAD + ROW + 'E2,"a"b,1\n', 3),
    ],
)
def test_a_truncated_file_is_named_at_its_last_row(data: str, row: int) -> None:
    sheet = sheet_of(data)
    assert sheet.row_numbers == [2]
    assert row in {p.row for p in sheet.problems if p.severity == "error"}


def test_a_file_without_a_last_line_end_is_whole() -> None:
    assert sheet_of(HEAD + ROW.rstrip("\n")).problems == ()


# workbooks --------------------------------------------------------------------------------------------


def test_a_workbook_reads_as_its_csv_does() -> None:
    def fill(book: Any, sheet: Any) -> None:
        day, clock = book.add_format({"num_format": "dd/mm/yyyy"}), book.add_format({"num_format": "[h]:mm"})
        sheet.write_row(1, 1, ["Employee No", "Date", "Hours", "Rate", "Type", "Approved"])
        sheet.write_row(2, 1, [101, None, None, 12.21, "basic"])
        sheet.write_datetime(2, 2, datetime(2026, 11, 16), day)  # noqa: DTZ001
        sheet.write_number(2, 3, 7.5)
        sheet.write_boolean(2, 6, True)
        sheet.write_row(4, 1, ["00102", "17/11/2026", None, None, "Overtime", 0])
        sheet.write_formula(4, 4, "=A1*3", None, 0.1 + 0.2)
        sheet.write_number(4, 3, 440 / 60 / 24, clock)

    sheet = sheet_of(workbook(fill))
    assert sheet.problems == ()
    assert sheet.columns == {
        "Employee No": ["101", "00102"],
        "Date": [date(2026, 11, 16), date(2026, 11, 17)],
        "Hours": [450, 440],
        "Rate": [1221, 30],
        "Type": ["Basic", "Overtime"],
        "Approved": [True, False],
    }
    assert sheet.row_numbers == [3, 5]


def test_a_formula_that_failed_is_a_problem_not_an_empty_cell() -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Name", "Rate"])
        sheet.write_row(1, 0, ["Ann"])
        sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")
        sheet.write_row(2, 0, ["Ben", 5])

    sheet = sheet_of(workbook(fill), (Column("Name"), Column("Rate", "money")))
    assert sheet.columns == {"Name": ["Ben"], "Rate": [500]}
    assert sheet.problems[0].problem == "the formula in this cell failed (#DIV/0!)"


def test_a_yes_in_one_row_and_a_one_in_another_are_not_mixed_up() -> None:
    columns = (Column("Name"), Column("Count", "int"))
    sheet = sheet_of(table(["Name", "Count"], ["a", 1], ["b", True], ["c", 0], ["d", False]), columns)
    assert sheet.columns["Count"] == [1, 0]
    assert [p.row for p in sheet.problems] == [3, 5]


def test_percentages_a_workbook_keeps_as_fractions_are_asked_for_again() -> None:
    columns = (Column("Name"), Column("Rate", "percent"))
    sheet = sheet_of(table(["Name", "Rate"], ["a", 0.08], ["b", "8%"]), columns)
    assert sheet.columns == {"Name": ["b"], "Rate": [80_000]}
    assert "Text" in sheet.problems[0].remedy


def test_only_the_first_visible_sheet_is_read_and_said_so() -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Name"])
        book.add_worksheet("Week").write_column(0, 0, ["Name", "Ann"])
        book.add_worksheet("Other").write_column(0, 0, ["x"])
        sheet.hide()
        book.worksheets()[1].activate()
        book.worksheets()[1].set_first_sheet()

    sheet = sheet_of(workbook(fill), (Column("Name"),))
    assert sheet.columns["Name"] == ["Ann"]
    assert "only 'Week' was read" in sheet.problems[0].problem


def repacked(data: bytes, change: Callable[[str, bytes], bytes], **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", **options) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


def in_sheet(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, part: part.replace(old, new) if "worksheets/" in name else part


NAMES = table(["Name"], ["Ann"])


def test_two_cells_far_apart_do_not_make_us_lay_out_the_sheet_between_them() -> None:
    """In a process of its own: without the check, calamine asks for 550 GB and aborts."""
    far = repacked(NAMES, in_sheet(b'r="A2"', b'r="XFD1048576"'))
    program = (
        "import sys; from engineroom.foundation.imports.sheets import *\n"
        "sheet = read_sheet(sys.stdin.buffer.read(), file_name='f', columns=[Column('Name')])\n"
        "print(sheet.problems[0].problem)"
    )
    source = str(Path(sheets.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=far,
        capture_output=True,
        check=False,
        env={"PYTHONPATH": source},
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert b"more than 100,000 rows (a cell in row 1,048,576)" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'r="A2"', b'r="A100002"', "more than 100,000 rows"),
        (b'r="A2"', b'r="GS2"', "more than 200 columns (a cell in column GS)"),
        (b'r="A2"', b'r="ZZZ2"', "more than 200 columns"),
        (b'<c r="A2"', b"<c", "do not say where they are"),
        (b'<c r="A2"', b'<x:c r="XFD9"', "more than 200 columns"),
        (b"<c r=", b"<c\tr=", "do not say where they are"),
        (b"<worksheet", b"\0<worksheet", "damaged"),
    ],
)
def test_cells_where_no_table_has_any_are_refused(old: bytes, new: bytes, says: str) -> None:
    assert says in refusal(repacked(NAMES, in_sheet(old, new)), (Column("Name"),))


def test_cells_up_to_the_limit_are_read() -> None:
    at_limit = repacked(NAMES, in_sheet(b'r="A2"', b'r="A99999"'))
    assert sheet_of(at_limit, (Column("Name"),)).row_numbers == [99_999]


def test_a_zip_bomb_is_refused_unopened() -> None:
    bomb = repacked(NAMES, in_sheet(b"<sheetData>", b"<sheetData>" + b" " * 30_000_000), compression=8)
    assert len(bomb) < 100_000
    assert "unpacks to" in refusal(bomb, (Column("Name"),))
    many = Limits(archive_entries=3)
    assert "entries" in refusal(NAMES, (Column("Name"),), limits=many)
    assert "unpacks to" in refusal(NAMES, (Column("Name"),), limits=Limits(unpacked_bytes=1000))


def test_a_directory_that_lies_about_sizes_only_truncates_itself() -> None:
    bomb = repacked(NAMES, in_sheet(b"<sheetData>", b"<sheetData>" + b" " * 30_000_000), compression=8)
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    lying = bomb.replace(size.to_bytes(4, "little"), (900).to_bytes(4, "little"))
    assert "damaged" in refusal(lying, (Column("Name"),))


def test_archives_that_are_not_plain_workbooks_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("letter.txt", "hello")
    assert "not an .xlsx workbook" in refusal(out.getvalue(), (Column("Name"),))
    lzma = repacked(NAMES, lambda _, part: part, compression=zipfile.ZIP_LZMA)
    assert "packed in a way" in refusal(lzma, (Column("Name"),))
    encrypted = bytearray(NAMES)
    at = encrypted.rfind(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    assert "encrypted" in refusal(bytes(encrypted), (Column("Name"),))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_workbook_is_refused(keep: float) -> None:
    assert "damaged or truncated" in refusal(NAMES[: int(len(NAMES) * keep)], (Column("Name"),))


# hostile bytes ----------------------------------------------------------------------------------------

changes = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 30), st.binary(max_size=5)), min_size=1, max_size=4
)


def mutated(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, other in edits:
        at %= len(data) + 1
        data = data[:at] + other + data[at + length :]
    return data


def is_whole(sheet: Sheet) -> bool:
    return {len(values) for values in sheet.columns.values()} == {len(sheet)}


@given(st.binary(max_size=600))
def test_arbitrary_bytes_give_problems_and_never_crash(data: bytes) -> None:
    sheet = sheet_of(data)
    assert is_whole(sheet)
    assert sheet.problems


@given(changes)
def test_mutated_csv_never_crashes(edits: list[tuple[int, int, bytes]]) -> None:
    assert is_whole(sheet_of(mutated((HEAD + ROW * 5).encode(), edits)))


@given(changes)
@settings(deadline=None)
def test_mutated_workbooks_never_crash(edits: list[tuple[int, int, bytes]]) -> None:
    assert is_whole(sheet_of(mutated(NAMES, edits), (Column("Name"),)))


@given(changes)
@settings(deadline=None)
def test_workbooks_with_mutated_parts_never_crash(edits: list[tuple[int, int, bytes]]) -> None:
    def change(name: str, part: bytes) -> bytes:
        return (
            mutated(part, edits)
            if name.endswith(("sheet1.xml", "workbook.xml", "sharedStrings.xml"))
            else part
        )

    assert is_whole(sheet_of(repacked(NAMES, change), (Column("Name"),)))


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(st.lists(texts.filter(lambda t: t.strip() == t and t), min_size=1, max_size=5))
def test_text_that_is_exported_reads_back_the_same_but_for_the_apostrophe(cells: list[str]) -> None:
    exported = write_csv(["N", "Text"], [[n, cell] for n, cell in enumerate(cells)])
    found = sheet_of(exported, (Column("N", "int"), Column("Text"))).columns["Text"]
    assert [safe_cell(cell) for cell in cells] == found or any(c in sheets._EXCEL_ERRORS for c in cells)


# speed and export -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fifty_thousand_rows_are_read_whole() -> None:
    columns = (*WEEK, Column("Name"), Column("Count", "int"))
    rows = (
        [
            f"E{n}",
            f"{1 + n % 28:02d}/11/2026",
            f"{n % 12}:{n % 60:02d}",
            f"{n % 9999}.{n % 100:02d}",
            "Basic",
            "y",
            f"N {n}",
            n,
        ]
        for n in range(50_000)
    )
    data = write_csv([c.name for c in columns], rows)
    sheet = read_sheet(data, file_name="big.csv", columns=columns)
    assert (len(sheet), sheet.problems) == (50_000, ())


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("-12.50", "-12.50"),
        ("+447700900123", "+447700900123"),
        ("-1,234.00", "-1,234.00"),
        ("a=b", "a=b"),
        ("O'Neil", "O'Neil"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_run_is_exported_as_text(text: str, safe: str) -> None:
    assert safe_cell(text) == safe


def test_an_export_opens_in_excel_with_accents_dates_and_empty_cells() -> None:
    data = write_csv(["Name", "Day", "Paid"], [["Zoë, A", date(2026, 11, 16), True], [None, "=x", -5]])
    assert data.decode("utf-8-sig") == 'Name,Day,Paid\r\n"Zoë, A",2026-11-16,yes\r\n,\'=x,-5\r\n'
    assert data.startswith(b"\xef\xbb\xbf")
