"""What every reader of a statement does: collect problems by line, hold the file to its own sums, stay small.

A reader goes over a stream once. Problems are collected and raised at the end of the file as InputRefused, so
that a person gets all of them: keep nothing before the iteration has ended.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO, ClassVar, NoReturn

from engineroom.kernel.errors import InputRefused, Problem, errors_of
from engineroom.kernel.money import EXPONENTS, NotMoney, format_minor, parse_minor
from engineroom.settlement.formats.record import Account, Line, Statement, Transaction

MAX_FILE_BYTES = 512 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
MAX_ROW_BYTES = 64 * 1024
"""Of formats that come in rows: a real one has some hundred characters."""

MAX_ROWS_HELD = 20_000
"""Rows of one entry or one head, which are held together."""

MAX_PROBLEMS = 200
"""After so many, reading stops: the file is of another kind than it seems."""

AGAIN = "Download the statement from the bank again"
CORRECT = "Ask the bank for a correct statement"


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_PLAIN = re.compile(r"([+-]?)([0-9]*)(?:[.,]([0-9]*))?")


class Reading:
    """One pass over one file: problems, sums, and the fields that formats share."""

    format: ClassVar[str]

    def __init__(self, stream: BinaryIO, file_name: str, expected_currency: str | None) -> None:
        self.stream = stream
        self.file_name = file_name
        self.expected_currency = expected_currency
        self.problems: list[Problem] = []
        self.bytes_read = 0

    # the stream ------------------------------------------------------------------------------------------

    def chunk(self) -> bytes:
        chunk = self.stream.read(CHUNK_BYTES)
        self.bytes_read += len(chunk)
        if self.bytes_read > MAX_FILE_BYTES:
            problem = f"the file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB"
            self.refuse(None, None, problem, "Ask the bank for one file per day")
        return chunk

    def chunks(self) -> Iterator[bytes]:
        """The file in pieces; UTF-16, which its first bytes say, comes as UTF-8."""
        first = self.chunk()
        if not first.strip():
            self.refuse(None, None, "the file is empty", AGAIN)
        if first[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            chunk = first.removeprefix(codecs.BOM_UTF8)
            while chunk:
                yield chunk
                chunk = self.chunk()
            return
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        while first:
            yield decoder.decode(first).encode("utf-8", "replace")
            first = self.chunk()

    def rows(self) -> Iterator[tuple[int, str]]:
        """Each row with its number, without its end and without characters that no row has."""
        number, rest = 0, b""
        for chunk in self.chunks():
            rest += chunk
            parts = re.split(rb"\r\n|\n|\r(?!\Z)", rest)  # a CR at the very end may have its LF to come
            rest = parts.pop()
            for part in parts:
                number += 1
                yield number, self.row_text(number, part)
            if len(rest) > MAX_ROW_BYTES:
                self.row_text(number + 1, rest)
        if rest:
            yield number + 1, self.row_text(number + 1, rest.rstrip(b"\r"))

    def row_text(self, number: int, row: bytes) -> str:
        if len(row) > MAX_ROW_BYTES:
            problem = f"a row has more than {MAX_ROW_BYTES:,} characters, so the file is not {self.format}"
            self.refuse(number, None, problem, CORRECT)
        return decoded(row)

    # what is wrong ---------------------------------------------------------------------------------------

    def wrong(self, line: int | None, field: str | None, problem: str, remedy: str) -> None:
        self.problems.append(Problem(problem, remedy, self.file_name, line, field))
        if len(self.problems) >= MAX_PROBLEMS:
            summary = f"reading stopped after {MAX_PROBLEMS} problems; nothing was taken"
            raise InputRefused(self.problems, summary)

    def warn(self, line: int | None, field: str | None, problem: str, remedy: str) -> None:
        if len(self.problems) < MAX_PROBLEMS - 1:
            self.problems.append(Problem(problem, remedy, self.file_name, line, field, "warning"))

    def refuse(self, line: int | None, field: str | None, problem: str, remedy: str) -> NoReturn:
        self.problems.append(Problem(problem, remedy, self.file_name, line, field))
        raise InputRefused(self.problems)

    def finish(self, count: int, what: str) -> None:
        """At the end of the file: there was a statement, and nothing was wrong."""
        if not count and not errors_of(self.problems):
            self.wrong(None, None, f"there is no statement in the file: {what}", AGAIN)
        if errors_of(self.problems):
            raise InputRefused(self.problems)

    def check_footing(self, statement: Statement, booked_minor: int, complete: bool) -> None:
        """Opening plus booked lines is closing. Not asked when a line could not be read."""
        opening, closing, currency = statement.opening_minor, statement.closing_minor, statement.currency
        if opening is None or closing is None:
            if errors_of(self.problems):  # a balance is there, but could not be read
                return
            missing = " and no ".join(n for n, b in (("opening", opening), ("closing", closing)) if b is None)
            problem = f"statement {statement.id} has no {missing} booked balance: its lines cannot be checked"
            self.warn(statement.source_line, "Bal", problem, "Compare it with the bank's own list")
        elif complete and opening + booked_minor != closing:
            parts = " + ".join(format_minor(m, currency) for m in (opening, booked_minor))
            total = f"{parts} is not {format_minor(closing, currency)}"
            problem = f"statement {statement.id} does not add up: {total}"
            self.wrong(
                statement.source_line, "Bal", problem, "Lines are missing or changed: download it again"
            )

    # fields ----------------------------------------------------------------------------------------------

    def currency(self, line: int | None, field: str, said: str | None) -> str:
        """A currency we know, and the one that is expected. Another is a problem, and so is none."""
        currency = said or self.expected_currency
        if currency is None or currency not in EXPONENTS:
            what = f"{currency!r} is not a currency we know" if currency else "the statement has no currency"
            self.refuse(line, field, what, CORRECT)
        if self.expected_currency and currency != self.expected_currency:
            problem = (
                f"the statement is in {currency}, the account it is meant for in {self.expected_currency}"
            )
            self.wrong(line, field, problem, "Choose the account the statement belongs to")
        return currency

    def minor(self, line: int | None, field: str, text: str, currency: str) -> int | None:
        """Signed minor units of 12.34 or 12,34 without thousands; None, and a problem, for anything else."""
        match = _PLAIN.fullmatch(text.strip())
        sign, whole, fraction = match.group(1, 2, 3) if match else ("", "", "")
        try:
            if not (whole or fraction):
                raise NotMoney(f"{text[:40]!r} is not an amount")
            amount = parse_minor(f"{whole or '0'}.{fraction or '0'}", currency)
        except NotMoney as error:
            self.wrong(line, field, str(error), CORRECT)
            return None
        return -amount if sign == "-" else amount

    def day(self, line: int | None, field: str, year: str, month: str, day: str) -> date | None:
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            self.wrong(line, field, f"{f'{year}-{month}-{day}'[:40]!r} is not a date", CORRECT)
            return None


def decoded(row: bytes) -> str:
    """UTF-8, else what Western banks write (Windows-1252). Characters that no text has become spaces."""
    try:
        text = row.decode("utf-8")
    except UnicodeDecodeError:
        text = row.decode("cp1252", "replace")
    return _CONTROLS.sub(" ", text) if _CONTROLS.search(text) else text


def squeezed(*parts: str | None) -> str | None:
    """The parts in one line, single spaces between words; None when nothing is said."""
    return " ".join(" ".join(part.split()) for part in parts if part and part.strip()) or None


def account_named(text: str, *, currency: str | None = None, name: str | None = None,
                  servicer: str | None = None) -> Account:  # fmt: skip
    """An account by what a source calls it: an IBAN where it has the shape of one, else another id."""
    plain = re.sub(r"[ .\-]", "", text).upper()
    is_iban = re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", plain) is not None
    return Account(
        plain if is_iban else None, None if is_iban else text.strip() or None, currency, name, servicer
    )


def simple_line(
    ordinal: int,
    source_line: int,
    amount_minor: int,
    currency: str,
    *,
    booked: date | None,
    value: date | None,
    transaction: Transaction,
    reference: str | None = None,
    bank_reference: str | None = None,
    customer_reference: str | None = None,
    code: str | None = None,
    information: str | None = None,
    is_reversal: bool = False,
    status: str = "BOOK",
    said: str = "",
) -> Line:
    """A line of a format that says one payment an entry."""
    from engineroom.settlement.formats.record import BankTransactionCode

    return Line(
        ordinal=ordinal,
        source_line=source_line,
        amount_minor=amount_minor,
        currency=currency,
        is_credit=amount_minor > 0,
        is_reversal=is_reversal,
        status=status,
        booking_date=booked,
        value_date=value,
        entry_reference=reference,
        account_servicer_reference=bank_reference,
        bank_transaction_code=BankTransactionCode(proprietary=code),
        additional_information=information,
        batch_count=None,
        transactions=(transaction,),
        customer_reference=customer_reference,
        said=said,
    )
