"""CSV and QIF: what a file looks like is proposed, what a person confirmed is read, nothing is guessed."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.settlement.formats import mapped
from engineroom.settlement.formats.mapped import Mapping, detect, fingerprint_of
from engineroom.settlement.formats.record import Account, Line, Statement

SHARED = Path(os.environ.get("ENGINEROOM_SHARED", Path(__file__).parents[2].parent / "shared"))
QIF = SHARED / "formats/qif/visible/quiffen"
OURS = Account(None, "20000055667788", "GBP", None, None)

BRITISH = (
    "Account,Main\n\nDate,Type,Description,Paid out,Paid in,Balance\n"
    '27/11/2026,FPI,"ACME, rent",,"1,250.00","2,250.00"\n'
    "13/11/2026,DD,BROADBAND,30.10,,1000.00\n"
)
GERMAN = (
    "Buchungstag;Wertstellung;Begünstigter;Verwendungszweck;Betrag\r\n"
    "27.11.2026;28.11.2026;Müller GmbH;Rechnung 7;-1.234,56\r\n"
    "30.11.2026;30.11.2026;Café;Lohn;99,00\r\n"
)


def read(data: bytes, mapping: Mapping) -> tuple[Statement, list[Line]]:
    return mapped.read(data, mapping, account=OURS, currency="GBP")


def refused(data: bytes, mapping: Mapping) -> list[Problem]:
    with pytest.raises(InputRefused) as refusal:
        read(data, mapping)
    return list(refusal.value.problems)


def test_a_british_csv_is_known_by_its_headings_and_held_to_its_balances() -> None:
    data = BRITISH.encode()
    found = detect(data, "csv")
    assert not found.doubts
    assert (found.mapping.date_format, found.mapping.delimiter, found.mapping.heading_row) == (
        "%d/%m/%Y",
        ",",
        3,
    )
    assert dict(found.mapping.columns) == {
        "date": 0,
        "code": 1,
        "text": 2,
        "debit": 3,
        "credit": 4,
        "balance": 5,
    }
    statement, [rent, broadband] = read(data, found.mapping)
    assert (statement.opening_minor, statement.closing_minor) == (103_010, 225_000)
    assert (rent.amount_minor, broadband.amount_minor) == (125_000, -3_010)
    assert (rent.transaction.remittance_text, rent.booking_date) == ("ACME, rent", date(2026, 11, 27))
    [problem] = refused(BRITISH.replace('"2,250.00"', '"2,251.00"').encode(), found.mapping)
    assert (problem.row, problem.field) == (4, "balance")


def test_a_german_csv_in_windows_letters_has_commas_for_pennies() -> None:
    data = GERMAN.encode("cp1252")
    found = detect(data, "csv")
    assert (found.mapping.encoding, found.mapping.delimiter, found.mapping.decimal) == ("cp1252", ";", ",")
    assert found.mapping.date_format == "%d.%m.%Y"
    _, [paid, came] = read(data, found.mapping)
    assert (paid.amount_minor, paid.transaction.counterparty_name) == (-123_456, "Müller GmbH")
    assert (paid.value_date, came.amount_minor) == (date(2026, 11, 28), 9_900)


def test_what_nothing_says_is_a_doubt_that_a_person_decides() -> None:
    data = b"Date,Description,Amount\n03/04/2026,RENT,5.00\n"
    found = detect(data, "csv")
    assert any("day or month" in doubt for doubt in found.doubts)
    assert any("no amount is negative" in doubt for doubt in found.doubts)
    _, [line] = read(data, replace(found.mapping, date_format="%m/%d/%Y", debits_are_negative=False))
    assert (line.booking_date, line.amount_minor) == (date(2026, 3, 4), -500)


@pytest.mark.parametrize(
    ("old", "new", "row", "field"),
    [
        ("13/11/2026", "11/13/2026", 5, "date"),
        ("30.10", "3O.10", 5, "money out"),
        ("30.10,,", "30.10,1.00,", 5, "amount"),
        ("30.10,,", ",,", 5, "amount"),
    ],
)
def test_a_cell_that_is_not_as_the_layout_says_is_refused(old: str, new: str, row: int, field: str) -> None:
    mapping = detect(BRITISH.encode(), "csv").mapping
    assert (row, field) in [(p.row, p.field) for p in refused(BRITISH.replace(old, new).encode(), mapping)]


def test_a_mapping_that_cannot_be_is_refused_before_anything_is_read() -> None:
    whole = detect(BRITISH.encode(), "csv").mapping
    assert Mapping.of(whole.as_dict()) == whole
    for wrong in (
        replace(whole, columns=()),
        replace(whole, columns=(*whole.columns, ("amount", 3))),
        replace(whole, columns=(("date", 0), ("date", 1), ("amount", 2))),
        replace(whole, date_format="%H"),
        replace(whole, delimiter="x"),
        replace(whole, columns=(("date", 0), ("what", 1), ("amount", 2))),
    ):
        assert mapped.problems_of(wrong)
        assert refused(BRITISH.encode(), wrong)


def test_files_of_one_shape_have_one_fingerprint() -> None:
    later = BRITISH.replace("27/11", "28/11").replace("ACME", "OTHER")
    assert fingerprint_of(BRITISH.encode(), "csv") == fingerprint_of(later.encode(), "csv")
    other = BRITISH.replace("Paid out", "Paid off")
    assert fingerprint_of(BRITISH.encode(), "csv") != fingerprint_of(other.encode(), "csv")


VERDICTS = {
    "tests__test_files__test_category_inherit.qif": "no list of movements",
    "tests__test_files__test_category_override.qif": "read 4",
    "tests__test_files__test_option_autoswitch.qif": "no list of movements",
    "tests__test_files__test_oth_a.qif": "read 6",
    "tests__test_files__test_split.qif": "read 1",
}


@pytest.mark.parametrize(("name", "verdict"), VERDICTS.items())
def test_qif_files_of_another_project_get_the_verdict_they_deserve(name: str, verdict: str) -> None:
    path = QIF / name
    if not path.exists():
        pytest.skip(f"no sample at {path}; set ENGINEROOM_SHARED")
    data = path.read_bytes()
    mapping = detect(data, "qif").mapping
    if not verdict.startswith("read"):
        assert any(verdict in p.problem and p.row for p in refused(data, mapping))
        return
    statement, lines = read(data, mapping)
    assert f"read {len(lines)}" == verdict
    kept = "\n".join(line.said for line in lines).splitlines()
    inside, wanted = False, []
    for row in data.decode().splitlines():
        inside = row.lower().startswith(("!type:bank", "!type:oth")) if row.startswith("!") else inside
        if inside and row.strip() and row[0] not in "!^#":
            wanted.append(row)
    assert kept == wanted
    assert statement.id == "QIF"


def test_every_qif_sample_has_a_verdict() -> None:
    if not QIF.exists():
        pytest.skip(f"no samples at {QIF}; set ENGINEROOM_SHARED")
    assert {p.name for p in QIF.iterdir()} == set(VERDICTS)


def test_a_qif_day_is_read_as_the_layout_says() -> None:
    data = b"!Type:Bank\nD3/4'26\nT-1,250.00\nPACME\nMrent\n^\n"
    found = detect(data, "qif")
    assert any("day or month" in doubt for doubt in found.doubts)
    for date_format, day in (("%d/%m/%Y", date(2026, 4, 3)), ("%m/%d/%Y", date(2026, 3, 4))):
        _, [line] = read(data, replace(found.mapping, date_format=date_format))
        assert (line.booking_date, line.amount_minor, line.transaction.counterparty_name) == (
            day,
            -125_000,
            "ACME",
        )


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_arbitrary_and_mutated_bytes_are_read_or_refused(data: st.DataObject) -> None:
    good = data.draw(
        st.sampled_from([BRITISH.encode(), GERMAN.encode("cp1252"), b"!Type:Bank\nD3/4'26\nT-1\n^\n"])
    )
    changed = bytearray(good)
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=8)
    ):
        changed[at] = byte
    for raw in (bytes(changed), data.draw(st.binary(max_size=200))):
        for format_ in ("csv", "qif"):
            try:
                found = detect(raw, format_)  # type: ignore[arg-type]
                _, lines = read(raw, found.mapping)
            except InputRefused as refusal:
                assert all(p.problem and p.remedy for p in refusal.problems)
                continue
            assert all("\0" not in line.said for line in lines)
