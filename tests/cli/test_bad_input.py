# ruff: noqa: E501  one case a line, as a table
"""Files that are wrong or hostile: what is said, and that nothing of them is written."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from tests.firm import HOURS_HEADINGS, MONDAY, Firm, Temp, TestClient, set_up

from engineroom.foundation.imports.services import preview
from engineroom.foundation.imports.sheets import write_csv
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.payday import steps

DAY = MONDAY.isoformat()
GOOD = ("T1-ACME", "T1", DAY, "8", "approved", "")


def rows_of(*rows: tuple[str, ...]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(write_csv(HOURS_HEADINGS, rows)) and None


def content(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def truncated(path: Path) -> None:
    path.write_bytes(write_csv(HOURS_HEADINGS, [GOOD, GOOD])[:-25])


def too_large(path: Path) -> None:
    with path.open("wb") as out:
        out.write(b"assignment,payroll_number,date,hours\r\n")
        out.truncate(51 * 1024 * 1024)


def bomb(path: Path) -> None:
    sheet = b"<worksheet><sheetData>" + b" " * (60 * 1024 * 1024) + b"</sheetData></worksheet>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", sheet)


def wide(path: Path) -> None:
    path.write_text(
        ",".join([*HOURS_HEADINGS, *(f"c{n}" for n in range(10_000))]) + "\n" + "1," * 10_005 + "1\n"
    )


def compressed(path: Path) -> None:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as stream:
        stream.write(write_csv(HOURS_HEADINGS, [GOOD]))
    path.write_bytes(out.getvalue())


BAD: dict[str, tuple[str, Callable[[Path], None], str, int | None, str | None, str, str]] = {
    # what: (kind, how the file is made, its suffix, row, field, problem, remedy)
    "malformed": ("timesheets", content(b'a,b\n"x,1\n'), ".csv", None, None, "assignment", ""),
    "no table": ("timesheets", content(b"Dear all,\nhours attached.\n"), ".csv", 1, "assignment", "is missing", "Add a column"),
    "empty": ("timesheets", content(b""), ".csv", None, None, "the file is empty", "Choose the file again"),
    "truncated": ("timesheets", truncated, ".csv", 3, None, "stops early", "Save the table as CSV again"),
    "wrongly encoded": ("timesheets", content(b"\x81\x8d\x8f,\x90\n"), ".csv", None, None, "neither UTF-8 nor Windows", "CSV (UTF-8)"),
    "binary": ("timesheets", content(bytes(range(256)) * 9), ".csv", None, None, "text", "CSV (UTF-8)"),
    "gzip": ("timesheets", compressed, ".csv", None, None, "the file", "Save the table"),
    "damaged workbook": ("timesheets", content(b"PK\x03\x04" + b"x" * 999), ".xlsx", None, None, "damaged", "Open it in Excel"),
    "50 MB": ("timesheets", too_large, ".csv", None, None, "50 MB", "Split it"),
    "zip bomb": ("timesheets", bomb, ".xlsx", None, None, "unpacks to 60 MB", "Copy the table alone"),
    "10,000 columns": ("timesheets", wide, ".csv", None, None, "more than 200 columns", "Delete the columns"),
    "unknown person": (
        "timesheets", rows_of(GOOD, ("T1-ACME", "T9", "2026-11-17", "8", "", "")), ".csv", 3, "payroll_number",
        "there is nobody with payroll number 'T9'", "assignment T1-ACME is T1's",
    ),
    "unknown assignment": (
        "timesheets", rows_of(GOOD, ("X9", "T1", DAY, "8", "", "")), ".csv", 3, "assignment", "no assignment 'X9'", "Import the assignment",
    ),
    "outside the assignment": (
        "timesheets", rows_of(GOOD, ("T1-ACME", "T1", "2025-12-31", "8", "", "")), ".csv", 3, "date",
        "lies outside the assignment, which runs from 2026-01-05", "extend the assignment",
    ),
    "25 hours in a day": (
        "timesheets", rows_of(("T1-ACME", "T1", DAY, "16", "", ""), ("T1-BETA", "T1", DAY, "9", "", "")), ".csv", 3, "hours",
        "T1 would work 25 hours on 2026-11-16", "A day has 24 hours",
    ),
    "a duplicate line": ("timesheets", rows_of(GOOD, GOOD), ".csv", 3, "date", "stands in row 2 already", "Remove one"),
    "negative hours": (
        "timesheets", rows_of(GOOD, ("T1-ACME", "T1", "2026-11-17", "-2", "", "")), ".csv", 3, "hours", "below zero", "cannot be corrected here yet",
    ),
    "no hours at all": (
        "timesheets", rows_of(GOOD, ("T1-ACME", "T1", "2026-11-17", "eight", "", "")), ".csv", 3, "hours", "'eight' is not hours", "Write 7.5 or 7:30",
    ),
    "no date": (
        "timesheets", rows_of(GOOD, ("T1-ACME", "T1", "31/11/2026", "8", "", "")), ".csv", 3, "date", "not a day of the calendar", "Write the day",
    ),
    "an unknown status": (
        "timesheets", rows_of(GOOD, ("T1-ACME", "T1", "2026-11-17", "8", "maybe", "")), ".csv", 3, "status", "not one of approved, disputed", "Write one of",
    ),
    "an impossible tax code": (
        "tax-details",
        content(b"payroll_number,from_date,tax_code,ni_category\r\nT1,2026-11-01,1257Q,A\r\n"), ".csv", 2, "tax_code", "1257Q", "",
    ),
    "tax details of nobody": (
        "tax-details",
        content(b"payroll_number,from_date,tax_code,ni_category\r\nT9,2026-11-01,1257L,A\r\n"), ".csv", 2, "payroll_number",
        "nobody with payroll number 'T9'", "Import the person first",
    ),
    "details that stand already": (
        "tax-details",
        content(b"payroll_number,from_date,tax_code,ni_category\r\nT1,2026-04-06,1257L,A\r\n"), ".csv", 2, "from_date",
        "stand already", "Give a later day",
    ),
    "an account number of seven": (
        "people", content(b"payroll_number,name,start_date,sort_code,account_number\r\nT2,Al,2026-01-05,200000,1234567\r\n"),
        ".csv", 2, "account_number", "not an account number", "Write eight digits",
    ),
    "a rate of nothing": (
        "assignments",
        content(b"assignment,payroll_number,customer,role,start_date,pay_rate,bill_rate\r\nN1,T1,ACME,Op,2026-01-05,0,21\r\n"),
        ".csv", 2, "pay_rate", "0.00 is not a rate", "Write pounds an hour",
    ),
    "an assignment at nobody's": (
        "assignments",
        content(b"assignment,payroll_number,customer,role,start_date,pay_rate,bill_rate\r\nN1,T1,ZETA,Op,2026-01-05,12,21\r\n"),
        ".csv", 2, "customer", "there is no customer 'ZETA'", "Import the customer first",
    ),
    "a customer's terms": (
        "customers", content(b"code,name,payment_days\r\nZ,Zeta,999\r\n"), ".csv", 2, "payment_days", "999 days", "Write 0 to 365",
    ),
    "an order of nobody": (
        "orders", content(b"customer,order_number,from_date\r\nZETA,1,2026-01-01\r\n"), ".csv", 2, "customer", "'ZETA'", "Import the customer",
    ),
    "a statement that is none": ("statement", content(b"<Document>"), ".xml", None, None, "", ""),
    "a statement cut off": ("statement", content(b'<?xml version="1.0"?><Document><BkToCstmrStmt><Stmt><Id>1</Id>'), ".xml", None, None, "", ""),
    "a statement with an entity": (
        "statement", content(b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaa">]><Document>&a;</Document>'), ".xml", None, None, "", "",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ready(firm: Firm) -> TestClient:
    client = firm.new_client()
    set_up(client, [Temp("T1"), Temp("T1", customer="BETA")])
    return client


def written(client: TestClient) -> dict[str, int]:
    """How many rows each table of the client has, but for what looking at a file leaves behind: that it was looked at."""
    looked = {
        "foundation_importpreview", "foundation_vaultfile", "foundation_auditevent", "foundation_auditunsealed",
        "foundation_contribution",
    }  # fmt: skip
    with client.acting("lead"), connection.cursor() as cursor:
        counts = {}
        for model in apps.get_models():
            if getattr(model, "table_kind", "") == "client" and model._meta.db_table not in looked:
                cursor.execute(
                    f"SELECT count(*) FROM {model._meta.db_table} WHERE client_id = %s", [client.id]
                )
                counts[model._meta.db_table] = cursor.fetchone()[0]
        return counts


def refusal(client: TestClient, kind: str, path: Path) -> tuple[Problem, ...]:
    role = "bookkeeper" if kind == "statement" else "specialist"
    with pytest.raises(InputRefused) as refused:
        steps.import_files(client.staff[role], client.id, kind, [path])
    return refused.value.problems


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_refused_by_name_row_field_and_remedy_and_nothing_of_it_is_written(
    ready: TestClient, tmp_path: Path, what: str
) -> None:
    kind, make, suffix, row, field, problem, remedy = BAD[what]
    path = tmp_path / f"{what.replace(' ', '-')}{suffix}"
    make(path)
    before = written(ready)
    problems = refusal(ready, kind, path)
    assert written(ready) == before
    errors = [p for p in problems if p.severity == "error"]
    assert errors
    assert {p.file for p in problems} == {path.name}
    assert all(p.problem and p.remedy for p in problems)
    meant = [p for p in errors if problem in p.problem and remedy in p.remedy]
    assert meant, errors
    if row is not None:
        assert [p for p in meant if p.row == row], meant
    if field is not None:
        assert [p for p in meant if p.field == field], meant


def test_the_rest_of_the_preview_is_still_shown(ready: TestClient) -> None:
    """One row cannot be read, one is of nobody; the other rows are looked at all the same, and counted."""
    rows = [
        GOOD,
        ("T1-ACME", "T1", "2026-11-17", "eight", "", ""),
        ("T1-ACME", "T1", "2025-11-18", "8", "", ""),
    ]
    path = ready.file("mixed.csv", HOURS_HEADINGS, rows)
    with ready.acting():
        seen, problems = preview("timesheets", path)
    assert [(p.row, p.field) for p in problems][:2] == [(3, "hours"), (4, "date")]
    assert seen.rows == 3, "all of the file's"
    assert seen.errors == len(problems)


def test_one_bad_file_among_good_ones_keeps_all_of_them_out(ready: TestClient) -> None:
    good = ready.file("good.csv", HOURS_HEADINGS, [GOOD])
    bad = ready.file("bad.csv", HOURS_HEADINGS, [("T1-ACME", "T9", "2026-11-17", "8", "", "")])
    before = written(ready)
    with pytest.raises(InputRefused):
        ready.take("timesheets", good, bad)
    assert written(ready) == before


def test_two_files_of_the_same_week_are_refused_together(ready: TestClient) -> None:
    """Neither is wrong alone: what the first would write is seen when the second is taken, and both are left."""
    one = ready.file("one.csv", HOURS_HEADINGS, [GOOD])
    two = ready.file("two.csv", HOURS_HEADINGS, [("T1-ACME", "T1", "2026-11-17", "8", "", "")])
    before = written(ready)
    with pytest.raises(InputRefused, match="was taken in already"):
        ready.take("timesheets", one, two)
    assert written(ready) == before


def test_a_statement_in_another_currency_is_refused(ready: TestClient, tmp_path: Path) -> None:
    from engineroom.demo import bank

    path = bank.write_statement(
        tmp_path / "euro.xml",
        account=bank.OwnAccountFacts("GB72ZZZZ20000055667788", "200000", "55667788", "X"),
        batch=bank.BatchFacts("ER000001", 100, MONDAY),
        returned=[],
        receipts=[],
        opening_minor=0,
    )
    text = path.read_text()
    own = "<Othr><Id>20000055667788</Id></Othr>"
    text = text.replace("<IBAN>GB72ZZZZ20000055667788</IBAN>", own)
    path.write_text(text.replace('Ccy="GBP"', 'Ccy="EUR"').replace("<Ccy>GBP</Ccy>", "<Ccy>EUR</Ccy>"))
    before = written(ready)
    problems: Any = refusal(ready, "statement", path)
    assert written(ready) == before
    assert [p for p in problems if p.file == "euro.xml" and p.field == "Ccy" and "is in EUR" in p.problem], (
        problems
    )
