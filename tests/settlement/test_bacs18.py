"""Bacs Standard 18: what is written can be sent, what is read adds up, and nothing else passes."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engineroom.kernel.errors import InputRefused
from engineroom.kernel.tables import NoTableForDate
from engineroom.settlement.formats.bacs18 import (
    BacsFile,
    Credit,
    Originator,
    bacs_text,
    read,
    unverified_fields,
    write,
)

SHARED = Path(os.environ.get("ENGINEROOM_SHARED", Path(__file__).parents[2].parent / "shared"))
BUREAU = Originator("654321", "401234", "87654321", "Harbour Payroll Ltd")
ANNA = Credit("200415", "11112222", "Anna Ødegård", "WAGES WK 33", 48_217)
BEN = Credit("309876", "00045678", "B. O'Neil-Smith & Co", "INV/2026/0071", 125_000)
MADE, DAY = date(2026, 8, 12), date(2026, 8, 14)


def file_of(*credits: Credit, **other: Any) -> bytes:
    return write(BUREAU, credits, DAY, **{"created_on": MADE, "serial": 42, "file_number": 3, **other})


def problems_of(*credits: Credit, originator: Originator = BUREAU, **other: Any) -> list[tuple[Any, Any]]:
    with pytest.raises(InputRefused) as refusal:
        write(originator, credits, DAY, **{"created_on": MADE, "serial": 42, "file_number": 3, **other})
    assert all(p.remedy for p in refusal.value.problems)
    return [(p.row, p.field) for p in refusal.value.problems]


def refusal_of(data: bytes) -> InputRefused:
    with pytest.raises(InputRefused) as refusal:
        read(data, file_name="sent.txt")
    assert all(p.file == "sent.txt" and p.remedy for p in refusal.value.problems)
    return refusal.value


# writing ----------------------------------------------------------------------------------------------


EXACT = """\
VOL1000042                               654321                                1|
HDR1A654321S   65432100004200010001       26224 26233 000000                    |
HDR2F0200000100                                   00                            |
UHL1 26226999999    000000001 DAILY  003                                        |
2004151111222209940123487654321    00000048217HARBOUR PAYROLL LTWAGES WK 33       ANNA ODEGARD      |
3098760004567809940123487654321    00000125000HARBOUR PAYROLL LTINV/2026/0071     B. ONEIL-SMITH & C|
4012348765432101740123487654321    00000173217HARBOUR PAYROLL LTCONTRA            HARBOUR PAYROLL LT|
EOF1A654321S   65432100004200010001       26224 26233 000000                    |
EOF2F0200000100                                   00                            |
UTL10000000173217000000017321700000010000002                                    |
"""
"""Bars mark the ends of lines."""


def test_a_single_day_file_is_exact_to_the_byte() -> None:
    assert file_of(ANNA, BEN).decode() == EXACT.replace("|\n", "\r\n")


def test_a_multi_day_file_has_106_byte_records_and_a_contra_for_each_day() -> None:
    later = replace(BEN, processing_day=date(2026, 8, 17))
    lines = file_of(ANNA, later, multi_day=True).decode().split("\r\n")
    assert lines[2].startswith("HDR2F0212000106")
    assert lines[3][28:37] == "4 MULTI  "
    assert [line[100:] for line in lines[4:8]] == [" 26226", " 26229", " 26226", " 26229"]
    assert [line[35:46] for line in lines[6:8]] == ["00000048217", "00000125000"]
    assert {len(line) for line in lines[4:8]} == {106}
    assert lines[-2][4:44] == "0000000173217" * 2 + "0000002" * 2


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Zoë Brontë", "ZOE BRONTE"),
        ("O'Neil", "ONEIL"),
        ("O’Neil", "ONEIL"),
        ("Straße", "STRASSE"),
        ("Łukasz Ørsted", "LUKASZ ORSTED"),
        ("Smith, John (jr)", "SMITH JOHN JR"),
        ("A & B/C-D. 1", "A & B/C-D. 1"),
        ("李小龙", ""),
        ("tab\tand\nline", "TAB AND LINE"),
        ("１２３", "123"),
    ],
)
def test_names_are_written_in_the_characters_bacs_carries(text: str, written: str) -> None:
    assert bacs_text(text, 18) == written.ljust(18)


@given(st.text(max_size=40), st.integers(1, 30))
def test_any_text_fills_its_field_with_bacs_characters_and_stays_when_written_again(
    text: str, width: int
) -> None:
    written = bacs_text(text, width)
    assert len(written) == width
    assert set(written) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.&/- ")
    assert bacs_text(written, width) == written


def test_every_bad_credit_is_named_by_position_and_field() -> None:
    assert problems_of(
        replace(ANNA, sort_code="20-04-15"),
        ANNA,
        replace(ANNA, account="1111222"),
        replace(ANNA, amount_minor=0),
        replace(ANNA, amount_minor=-1),
        replace(ANNA, amount_minor=2_000_000_001),
        replace(ANNA, name=" -. "),
        replace(ANNA, reference=""),
        replace(ANNA, reference="NINETEEN CHARACTERS"),
        replace(ANNA, reference="Contra 7"),
        replace(ANNA, sort_code="٢٠٠٤١٥", account="", name="'"),
    ) == [
        (1, "sort code"),
        (3, "account"),
        (4, "amount"),
        (5, "amount"),
        (6, "amount"),
        (7, "name"),
        (8, "reference"),
        (9, "reference"),
        (10, "reference"),
        (11, "sort code"),
        (11, "account"),
        (11, "name"),
    ]


def test_the_largest_credit_bacs_takes_is_written() -> None:
    assert read(file_of(replace(ANNA, amount_minor=2_000_000_000))).total_minor == 2_000_000_000


def test_more_than_a_contra_can_say_is_refused() -> None:
    assert problems_of(*[replace(ANNA, amount_minor=2_000_000_000)] * 50) == [(None, "amount")]


def test_an_originator_or_file_that_bacs_would_reject_is_refused() -> None:
    wrong = Originator("12345", "000000", "1234567x", "…")
    assert problems_of(ANNA, originator=wrong, serial=0, file_number=1000, created_on=date(2026, 8, 15)) == [
        (None, "service user number"),
        (None, "originator sort code"),
        (None, "originator account"),
        (None, "originator name"),
        (None, "serial"),
        (None, "file number"),
        (None, "processing day"),
    ]


def test_a_weekend_an_empty_run_and_a_stray_day_are_refused() -> None:
    assert problems_of() == [(None, None)]
    with pytest.raises(InputRefused, match="Saturday"):
        write(BUREAU, [ANNA], date(2026, 8, 15), created_on=MADE, serial=1, file_number=1)
    assert problems_of(replace(ANNA, processing_day=date(2026, 8, 17))) == [(1, "processing day")]
    early = replace(ANNA, processing_day=date(2026, 8, 13))
    assert problems_of(early, multi_day=True) == [(1, "processing day")]


def test_what_is_known_only_from_memory_can_be_shown() -> None:
    names = {f.name: f.value for f in unverified_fields(DAY)}
    assert names["uhl1_destination"] == "999999"
    assert names["hdr2_block_length_multi"] == "02120"
    assert "credit_cap_pence" not in names
    assert all(f.source for f in unverified_fields())
    with pytest.raises(NoTableForDate):
        unverified_fields(date(2001, 1, 1))


def test_ten_thousand_credits_are_one_file_that_reads_back() -> None:
    credits = [replace(ANNA, name=f"Zoë O'Neil {n}", amount_minor=n) for n in range(1, 10_001)]
    assert read(file_of(*credits)).total_minor == sum(range(1, 10_001))


# reading ----------------------------------------------------------------------------------------------

names = st.text("ABCXYZ089.&/- ", min_size=1, max_size=18).filter(lambda t: t.strip(".&/- "))
names = names.map(lambda t: " ".join(t.split())).filter(lambda t: not t.startswith("CONTRA"))
digits = "0123456789"
sort_codes = st.text(digits, min_size=6, max_size=6).filter(lambda t: t != "000000")
accounts = st.text(digits, min_size=8, max_size=8).filter(lambda t: t != "00000000")
weekdays = st.dates(date(2013, 1, 1), date(2090, 1, 1)).filter(lambda d: d.weekday() < 5)


@st.composite
def files(draw: st.DrawFn) -> BacsFile:
    day, multi_day = draw(weekdays), draw(st.booleans())
    days = [day, *(d for n in range(1, 5) if (d := date.fromordinal(day.toordinal() + n)).weekday() < 5)]
    credits = draw(
        st.lists(
            st.builds(
                Credit,
                sort_codes,
                accounts,
                names,
                names,
                st.integers(1, 2_000_000_000),
                st.sampled_from(days) if multi_day else st.none(),
            ),
            min_size=1,
            max_size=8,
        )
    )
    originator = Originator(
        draw(st.text(digits, min_size=6, max_size=6)), draw(sort_codes), draw(accounts), draw(names)
    )
    return BacsFile(
        originator=originator,
        credits=tuple(credits),
        processing_day=day,
        created_on=day,
        serial=draw(st.integers(1, 999_999)),
        file_number=draw(st.integers(1, 999)),
        multi_day=multi_day,
        contra_count=len({c.processing_day for c in credits}),
        total_minor=sum(c.amount_minor for c in credits),
    )


def written(file: BacsFile) -> bytes:
    return write(
        file.originator,
        file.credits,
        file.processing_day,
        created_on=file.created_on,
        serial=file.serial,
        file_number=file.file_number,
        multi_day=file.multi_day,
    )


@given(files())
def test_what_is_written_reads_back_the_same(file: BacsFile) -> None:
    data = written(file)
    assert read(data) == file
    assert written(read(data)) == data


@given(files(), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_one_changed_digit_of_money_never_passes(file: BacsFile, data: st.DataObject) -> None:
    lines = written(file).split(b"\r\n")
    at = data.draw(st.integers(4, len(lines) - 5))
    column = data.draw(st.integers(35, 45))
    other = data.draw(st.sampled_from([d for d in b"0123456789" if d != lines[at][column]]))
    lines[at] = lines[at][:column] + bytes([other]) + lines[at][column + 1 :]
    with pytest.raises(InputRefused):
        read(b"\r\n".join(lines))


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    assert refusal_of(data).problems


@given(files(), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_mutated_files_are_read_or_refused_but_never_crash(file: BacsFile, data: st.DataObject) -> None:
    mutated = bytearray(written(file))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at : at + data.draw(st.integers(0, 90))] = data.draw(st.binary(max_size=4))
        if not mutated:
            break
    try:
        read(bytes(mutated))
    except InputRefused as refusal:
        assert refusal.problems


@pytest.mark.parametrize("keep", [1, 4, 6, 9])
def test_a_truncated_file_is_refused_with_a_line(keep: int) -> None:
    lines = file_of(ANNA, BEN).split(b"\r\n")
    refusal = refusal_of(b"\r\n".join(lines[:keep]))
    assert refusal.problems[0].row is not None
    assert "truncated" in str(refusal)


def test_a_changed_amount_is_refused_with_the_sums() -> None:
    refusal = refusal_of(file_of(ANNA, BEN).replace(b"00000048217", b"00000058217"))
    assert "1,832.17, its contra is 1,732.17" in str(refusal)
    assert [p.field for p in refusal.problems] == ["contra", "credit total"]


def test_a_missing_credit_is_refused() -> None:
    lines = file_of(ANNA, BEN).split(b"\r\n")
    refusal = refusal_of(b"\r\n".join(lines[:5] + lines[6:]))
    assert {p.field for p in refusal.problems} == {"contra", "credit total", "credit count"}


@pytest.mark.parametrize(
    ("old", "new", "row", "field"),
    [
        (b"EOF1A654321", b"EOF1A654322", 8, "EOF1"),
        (b"HDR1A654321", b"HDR1A654329", 2, "service user number"),
        (b"UHL1 26226", b"UHL1 26000", 4, "processing day"),
        (b"2004151111222209", b"20041511112222091", 5, None),
        (b"22220994", b"22220174", 5, "transaction code"),
        (b"ANNA ODEGARD", b"Anna Odegard", 5, None),
        (b"20041511112222", b"2004151111222x", 5, None),
        (b"0994012348765432", b"0994012348765439", 5, "originator account"),
    ],
)
def test_a_damaged_line_is_named(old: bytes, new: bytes, row: int, field: str | None) -> None:
    data = file_of(ANNA, BEN)
    assert old in data
    assert (row, field) in [(p.row, p.field) for p in refusal_of(data.replace(old, new, 1)).problems]


def test_lines_may_end_with_line_feed_alone() -> None:
    assert read(file_of(ANNA).replace(b"\r\n", b"\n")) == read(file_of(ANNA))


def test_a_file_received_from_a_bank_is_refused_by_name() -> None:
    sample = SHARED / "formats/bacs18/visible/std18_received_sample.txt"
    if not sample.exists():
        pytest.skip(f"no sample at {sample}; set ENGINEROOM_SHARED")
    refusal = refusal_of(sample.read_bytes())
    assert len(refusal.problems) == 1
    assert "received from a bank" in str(refusal)
