"""Which format a bank's file is in, and its statements: camt.053, MT940, OFX or QFX, BAI2.

QIF and CSV do not say whose account they are of nor how their dates and amounts are meant: they are read with
a mapping that somebody confirmed (`mapped`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import BinaryIO, Literal, cast

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import format_minor
from engineroom.settlement.formats import bai2, camt053, mt940, ofx
from engineroom.settlement.formats.reading import CHUNK_BYTES
from engineroom.settlement.formats.record import Statement

Format = Literal["camt", "mt940", "ofx", "bai2", "qif", "csv", ""]

NAMES: dict[str, str] = {
    "camt": "camt.053",
    "mt940": "MT940",
    "ofx": "OFX",
    "bai2": "BAI2",
    "qif": "QIF",
    "csv": "CSV",
}
READ = "camt.053, MT940, OFX or QFX, BAI2, QIF or CSV"

_BAI2 = re.compile(r"\s*01,[^,\r\n]*,[^,\r\n]*,[0-9]{6},")
_MT940 = re.compile(r"(?:^|[\r\n])[ \t]*(?:\{[1-4]:|:20:)")  # blanks, not rows: each is looked at once
_QIF = re.compile(r"(?:^|[\r\n])!(?:Type|Account|Option|Clear)", re.IGNORECASE)
_SEPARATORS = ",;\t|"


def format_of(head: bytes) -> Format:
    """By the first bytes of a file; empty when it looks like none that we read."""
    text = _text(head)
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] == "<" or "OFXHEADER" in start[:2000].upper():
        return "ofx" if "<OFX" in text.upper() or "OFXHEADER" in text[:2000].upper() else "camt"
    if _BAI2.match(text):
        return "bai2"
    if _QIF.search(text):
        return "qif"
    if _MT940.search(text):
        return "mt940"
    if re.search(r"[\x00-\x08\x0e-\x1f]", text[:2000]):
        return ""
    return "csv" if any(separator in text for separator in _SEPARATORS) else ""


def _text(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace")
    return head.decode("latin-1")  # byte for byte: every mark that we look for is ASCII


def read(stream: BinaryIO, *, file_name: str, expected_currency: str | None = None) -> Iterator[Statement]:
    """The statements of a file in any format that says whose it is. Raises InputRefused."""
    head = stream.read(CHUNK_BYTES)
    format_ = format_of(head)
    rest = cast("BinaryIO", Rejoined(head, stream))
    if format_ in ("qif", "csv"):
        problem = f"the file is {NAMES[format_]}, which does not say whose account it is of"
        raise InputRefused([Problem(problem, "Confirm what its columns mean first", file_name)])
    readers = {"mt940": mt940.read, "ofx": ofx.read, "bai2": bai2.read}
    reader = readers.get(format_, camt053.read)
    if format_ == "" and head.strip():
        problem = f"the file is in no format that we read: it is not XML, and not {READ}"
        remedy = "Choose camt.053, MT940 or OFX when you download from the bank"
        raise InputRefused([Problem(problem, remedy, file_name, 1)])
    yield from reader(rest, file_name=file_name, expected_currency=expected_currency)


class Rejoined:
    """A stream whose first bytes were looked at already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self.head = head
        self.stream = stream

    def read(self, size: int = -1) -> bytes:
        if not self.head:
            return self.stream.read(size)
        taken, self.head = (self.head, b"") if size < 0 else (self.head[:size], self.head[size:])
        return taken


# between statements -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """Of one statement what tells whether it follows another. row: where it stands in its file."""

    id: str
    starts: date | None
    ends: date | None
    opening: int | None
    closing: int | None
    currency: str
    row: int | None = None


def gaps(spans: Sequence[Span]) -> list[Problem]:
    """Where statements of one account, in order, do not follow one another: a gap or an overlap, by name.

    The balances decide, since formats count days differently; days say which of the two it is.
    """
    found = []
    for before, after in pairwise(spans):
        if before.closing is None or after.opening is None or before.closing == after.opening:
            continue
        sums = (
            f"{before.id} closes with {format_minor(before.closing, before.currency)}, "
            f"{after.id} opens with {format_minor(after.opening, after.currency)}"
        )
        if before.ends and after.starts and after.starts <= before.ends:
            problem = f"statements overlap from {after.starts} to {before.ends}: {sums}"
            remedy = "A line in both is taken once; compare the two where lines have no reference of the bank"
        else:
            days = ""
            if before.ends and after.starts and after.starts - before.ends > timedelta(days=1):
                days = f" from {before.ends} to {after.starts}"
            problem = f"statements are missing{days}: {sums}"
            remedy = "Download the statements between the two as well"
        found.append(Problem(problem, remedy, None, after.row, "Bal", "warning"))
    return found
