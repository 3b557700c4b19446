"""Bank statements as files, in any format a bank gives, read twice as they stream by: 512 MB need no more
memory than 5.

The preview goes over the file to say what is wrong with it and keeps the heads of its statements and some
bytes of each line (`_Marks`); taking it goes over the vault's copy again and lays the lines down in parts.
"""

from __future__ import annotations

import hashlib
import io
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation import vault
from engineroom.foundation.columns import stage
from engineroom.foundation.imports.models import ImportCommit
from engineroom.foundation.imports.services import MEGABYTE, Importer, Parsed, importer
from engineroom.foundation.statistics import many_rows_written
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.ids import uuid7_column
from engineroom.settlement import layouts
from engineroom.settlement.formats import mapped, reading, record
from engineroom.settlement.formats import statements as formats
from engineroom.settlement.formats.reading import CORRECT
from engineroom.settlement.models import BankLine, OwnAccount, Statement

LINES_AT_ONCE = 5_000
"""Lines laid down in one statement: some megabytes, and enough that the round trips do not count."""

MAX_STATEMENTS = 10_000
"""Statements in one file: thirty accounts' for a year. Their heads are held in memory."""

STATEMENT_ID_WIDTH = 60


DIGEST_BYTES = 32


@dataclass
class _Marks:
    """Of each booked line of a statement: what makes it itself, what it says, where it stands."""

    keys: bytearray = field(default_factory=bytearray)
    texts: bytearray = field(default_factory=bytearray)
    rows: array[int] = field(default_factory=lambda: array("q"))
    nameless: bytearray = field(default_factory=bytearray)

    def add(self, head: record.Statement, line: record.Line) -> None:
        self.keys += _identity(head, line)
        self.texts += _text_digest(_reference(line)[:500], (line.transaction.counterparty_name or "")[:140])
        self.rows.append(line.source_line)
        self.nameless.append(not _bank_reference(line))

    def __iter__(self) -> Iterator[tuple[bytes, bytes, int, bool]]:
        for n, row in enumerate(self.rows):
            at = slice(n * DIGEST_BYTES, (n + 1) * DIGEST_BYTES)
            yield bytes(self.keys[at]), bytes(self.texts[at]), row, bool(self.nameless[n])


@dataclass(frozen=True)
class Heading:
    """A statement of the file without its lines. days: of its booked lines, first and last.

    nameless: booked lines that carry no reference of the bank, so that nothing but their statement says which
    line they are.
    """

    head: record.Statement
    booked: int
    nameless: int
    days: tuple[date, date] | None
    marks: _Marks


@importer
class Statements(Importer):
    """Bank statements. The same file twice is a no-op; a line in two files is taken once."""

    kind = "statement"
    permission = "settlement.prepare"
    limit_bytes = 512 * MEGABYTE
    summary = "bank statements: camt.053, MT940, OFX or QFX, BAI2; CSV and QIF once their layout is confirmed"

    def parse(self, path: Path, file_name: str) -> Parsed:
        found: list[Heading] = []
        problems: list[Problem] = []
        with path.open("rb") as stream:
            head = stream.read(reading.CHUNK_BYTES)
        if (form := formats.format_of(head)) == "csv" or form == "qif":
            return _unmapped(path, file_name, form)
        try:
            with path.open("rb") as stream:
                for statement in formats.read(stream, file_name=file_name):
                    found.append(_heading(statement, file_name, problems))
                    if len(found) > MAX_STATEMENTS:
                        raise InputRefused([_too_many(file_name)])
        except InputRefused as refused:
            problems = [*refused.problems, *problems]
        else:
            problems = [*found[-1].head.problems, *problems]  # the reader's warnings are of the whole file
        return Parsed(found, sum(heading.booked for heading in found), problems[: reading.MAX_PROBLEMS])

    def check(self, parsed: Parsed) -> list[Problem]:
        if isinstance(parsed.content, Unmapped):
            return _check_mapped(parsed.content)
        ours = _own_accounts()
        problems = []
        for heading in parsed.content:
            account = _account_of(heading.head, ours)
            if heading.head.kind != "statement":
                problems.append(_not_final(heading.head))
            elif account is None:
                problems.append(_of_nobody(heading.head))
            elif heading.head.currency != account.currency:
                problems.append(_of_another_currency(heading.head, account))
            elif heading.nameless and (before := _overlapping(heading, account)):
                problems.append(_perhaps_twice(heading, before))
        if not problems or all(p.severity == "warning" for p in problems):
            problems += _known_before(parsed.content, ours)
            problems += _between(parsed.content, ours)
        return problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        if isinstance(parsed.content, Unmapped):
            return _take_mapped(parsed.content, commit_id)
        commit = ImportCommit.objects.select_related("preview__file").get(
            client_id=current_scope().client_id, id=commit_id
        )
        ours = _own_accounts()
        taking = _Taking(commit_id)
        read_before = iter(parsed.content)
        with io.BufferedReader(_Stored(vault.frames(commit.preview.file))) as stream:
            for statement in formats.read(stream, file_name=commit.preview.file.name):
                account = _account_of(statement, ours)
                assert account is not None, "check() refused it"
                taking.add(statement, account, next(read_before).head)
        fresh = taking.finish()
        return {"statements": taking.statements, "lines": fresh, "known": taking.lines - fresh}


LAYOUT = "layout"
"""The field of a problem that confirming a layout mends."""


@dataclass(frozen=True)
class Unmapped:
    """A file whose meaning a person must have confirmed: its bytes, and its shape."""

    data: bytes
    file_name: str
    format: mapped.Format
    fingerprint: str


def _unmapped(path: Path, file_name: str, form: mapped.Format) -> Parsed:
    if path.stat().st_size > mapped.MAX_FILE_BYTES:
        problem = f"the file is larger than {mapped.MAX_FILE_BYTES // MEGABYTE} MB"
        return Parsed([], 0, [Problem(problem, "Ask the bank for one file per month", file_name)])
    data = path.read_bytes()
    content = Unmapped(data, file_name, form, mapped.fingerprint_of(data, form))
    return Parsed(content, data.count(b"\n^" if form == "qif" else b"\n"))


def _read_mapped(content: Unmapped) -> tuple[record.Statement, list[record.Line], OwnAccount]:
    """With the layout that was confirmed for its shape. Raises InputRefused."""
    known = layouts.remembered(content.fingerprint)
    if known is None:
        problem = f"nobody has said what files like this {formats.NAMES[content.format]} file mean"
        remedy = "Confirm its layout once, here or with engineroom bank layout"
        raise InputRefused([Problem(problem, remedy, content.file_name, None, LAYOUT)])
    account, mapping = known
    ours = record.Account(account.iban or None, account.sort_code + account.account_number, None, None, None)
    statement, lines = mapped.read(
        content.data, mapping, account=ours, currency=account.currency, file_name=content.file_name
    )
    return statement, lines, account


def _check_mapped(content: Unmapped) -> list[Problem]:
    try:
        statement, lines, account = _read_mapped(content)
    except InputRefused as refused:
        return list(refused.problems)
    statement.lines = iter(lines)
    problems = list(statement.problems)
    heading = _heading(statement, content.file_name, problems)
    problems += _known_before([heading], [account])
    return [*problems, *_between([heading], [account])]


def _take_mapped(content: Unmapped, commit_id: UUID) -> dict[str, int]:
    statement, lines, account = _read_mapped(content)
    statement.lines = iter(lines)
    taking = _Taking(commit_id)
    taking.add(statement, account, statement)
    fresh = taking.finish()
    return {"statements": taking.statements, "lines": fresh, "known": taking.lines - fresh}


class _Stored(io.RawIOBase):
    """A file of the vault as a stream: one frame of it in memory at a time."""

    def __init__(self, frames: Iterator[bytes]) -> None:
        self.frames = frames
        self.held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.held:
            self.held = memoryview(next(self.frames, b""))
        n = min(len(buffer), len(self.held))
        buffer[:n] = self.held[:n]
        self.held = self.held[n:]
        return n


# what is wrong ----------------------------------------------------------------------------------------


def _heading(statement: record.Statement, file_name: str, problems: list[Problem]) -> Heading:
    """Go over a statement's lines, and keep what can be kept of any number of them."""
    booked = nameless = 0
    days: tuple[date, date] | None = None
    marks = _Marks()
    for line in _booked(statement.lines):
        booked += 1
        nameless += not _bank_reference(line)
        marks.add(statement, line)
        day = line.booking_date or line.value_date
        if day is not None:
            days = (min(days[0], day), max(days[1], day)) if days else (day, day)
        elif len(problems) < reading.MAX_PROBLEMS:
            problem = (
                f"entry {line.ordinal} of statement {statement.id} has no booking date and no value date"
            )
            where = (file_name, line.source_line, f"Ntry {line.ordinal}")
            problems.append(Problem(problem, CORRECT, *where))
    if len(statement.id) > STATEMENT_ID_WIDTH:
        problem = f"the statement's Id has {len(statement.id)} characters; the standard allows 35"
        problems.append(Problem(problem, CORRECT, file_name, statement.source_line, "Id"))
    return Heading(replace(statement, lines=iter(())), booked, nameless, days, marks)


def _too_many(file_name: str) -> Problem:
    problem = f"the file has more than {MAX_STATEMENTS:,} statements"
    return Problem(problem, "Ask the bank for one file per account or per month", file_name, None, "Stmt")


def _of_nobody(head: record.Statement) -> Problem:
    named = head.account.iban or head.account.other_id or "no account"
    return Problem(
        f"statement {head.id} is of {named}, which is not a bank account of this client",
        "Check that it is this client's statement, or add the account first",
        None,
        head.source_line,
        "Acct",
    )


def _not_final(head: record.Statement) -> Problem:
    return Problem(
        f"statement {head.id} is a report of a day that is not over: its lines may still change",
        "Take the final statement of the day (camt.053, MT940)",
        None,
        head.source_line,
        None,
    )


def _of_another_currency(head: record.Statement, account: OwnAccount) -> Problem:
    return Problem(
        f"statement {head.id} is in {head.currency}, the account {account.code} is in {account.currency}",
        "Ask the bank for the statement of the right account",
        None,
        head.source_line,
        "Ccy",
    )


def _overlapping(heading: Heading, account: OwnAccount) -> Statement | None:
    """A statement taken before, under another id, that covers a day on which this one has lines."""
    if heading.days is None:
        return None
    first, last = heading.days
    return (
        Statement.objects.filter(
            client_id=account.client_id, own_account=account, starts__lte=last, ends__gte=first
        )
        .exclude(statement_id=heading.head.id)
        .order_by("starts", "id")
        .first()
    )


def _perhaps_twice(heading: Heading, before: Statement) -> Problem:
    return Problem(
        f"{heading.nameless} lines of statement {heading.head.id} have no reference of the bank, and "
        f"statement {before.statement_id} covers some of the same days: a line in both would be taken twice",
        "Compare the two, and take statements that do not overlap",
        None,
        heading.head.source_line,
        "AcctSvcrRef",
        "warning",
    )


def _between(headings: list[Heading], ours: list[OwnAccount]) -> list[Problem]:
    """Gaps and overlaps between the file's statements, and with those taken before beside them."""
    by_account: dict[UUID, list[formats.Span]] = {}
    for heading in headings:
        account = _account_of(heading.head, ours)
        assert account is not None, "looked at only where check() knows every account"
        head = heading.head
        span = formats.Span(
            head.id,
            head.period_start,
            head.period_end,
            head.opening_minor,
            head.closing_minor,
            head.currency,
            head.source_line,
        )
        by_account.setdefault(account.id, []).append(span)
    problems: list[Problem] = []
    for account_id, spans in by_account.items():
        problems += formats.gaps(_with_neighbours(account_id, spans))
    return problems[: reading.MAX_PROBLEMS]


def _with_neighbours(account_id: UUID, spans: list[formats.Span]) -> list[formats.Span]:
    """The last statement taken before the file's first day, and the file's own in order of their days."""
    spans = sorted(spans, key=lambda span: span.starts or date.min)
    first = spans[0].starts
    if first is None:
        return spans
    before = (
        Statement.objects.filter(
            client_id=current_scope().client_id, own_account_id=account_id, starts__lt=first
        )
        .order_by("-starts", "-ends", "-import_id", "-ordinal")
        .select_related("own_account")
        .first()
    )
    if before is None:
        return spans
    currency = spans[0].currency
    span = formats.Span(
        before.statement_id, before.starts, before.ends, before.opening, before.closing, currency
    )
    return [span, *spans]


COMPARE = "Compare it with the line taken before; if it is another payment, ask the bank for its reference"


def _known_before(headings: list[Heading], ours: list[OwnAccount]) -> list[Problem]:
    """Lines that will not be taken because they are known, where a person should look whether that is right.

    A line that the bank's reference names is the same whatever else it says now; a line without a reference
    is known by its words alone, and another file with the same words may mean another line.
    """
    problems: list[Problem] = []
    total = 0
    for row, problem in _doubtful(headings, ours):
        total += 1
        if total <= reading.MAX_PROBLEMS:
            problems.append(Problem(problem, COMPARE, None, row, "Ntry", "warning"))
    if total > len(problems):
        more = f"{total - len(problems):,} more lines like these are known already"
        problems.append(Problem(more, "Compare the files", None, row, "Ntry", "warning"))
    return problems


def _doubtful(headings: list[Heading], ours: list[OwnAccount]) -> Iterator[tuple[int, str]]:
    before: tuple[UUID, str, int | None] | None = None
    count: Counter[bytes] = Counter()
    taken: set[bytes] = set()  # of the lines without a reference that stand before in this file
    for heading in headings:
        account = _account_of(heading.head, ours)
        assert account is not None, "looked at only where check() knows every account"
        if not _follows(before, account, heading.head):
            count.clear()
        before = (account.id, heading.head.id, heading.head.page_number)
        marks = iter(heading.marks)
        while some := list(islice(marks, LINES_AT_ONCE)):
            yield from _doubtful_of(some, account, heading.head.id, count, taken)


def _doubtful_of(
    some: list[tuple[bytes, bytes, int, bool]],
    account: OwnAccount,
    statement_id: str,
    count: Counter[bytes],
    taken: set[bytes],
) -> Iterator[tuple[int, str]]:
    asked: list[tuple[bytes, bytes, int, bool]] = []
    for key, text, row, nameless in some:
        count[key] += 1
        asked.append((_nth(key, count[key]), text, row, nameless))
    known = _texts_of_known(account, [identity for identity, *_ in asked])
    for identity, text, row, nameless in asked:
        here = account.id.bytes + identity
        if nameless and (identity in known or here in taken):
            yield (
                row,
                f"a line of statement {statement_id} without a reference of the bank is known by its words, "
                "and not taken again",
            )
        elif not nameless and known.get(identity, text) != text:
            yield row, "the bank's reference is known, with another text: the line is not taken again"
        if nameless:
            taken.add(here)


def _texts_of_known(account: OwnAccount, identities: list[bytes]) -> dict[bytes, bytes]:
    rows = BankLine.objects.filter(
        client_id=account.client_id, own_account=account, identity__in=identities
    ).values_list("identity", "remittance", "counterparty_name")
    return {bytes(identity): _text_digest(remittance, name) for identity, remittance, name in rows}


def _own_accounts() -> list[OwnAccount]:
    return list(OwnAccount.objects.filter(client_id=current_scope().client_id))


def _account_of(statement: record.Statement, ours: list[OwnAccount]) -> OwnAccount | None:
    """By IBAN; else by sort code and account number; else by the account number where only one has it."""
    iban = (statement.account.iban or "").replace(" ", "")
    other = "".join(c for c in statement.account.other_id or "" if c.isdigit())
    for account in ours:
        if iban and iban == account.iban:
            return account
        if other and other.endswith(account.sort_code + account.account_number):
            return account
    named = [account for account in ours if other and other == account.account_number]
    return named[0] if len(named) == 1 else None


# taking -----------------------------------------------------------------------------------------------

TAKEN_TABLE = """
CREATE TEMPORARY TABLE taken_bank_line (LIKE settlement_bankline, series bigint, place bigint)
ON COMMIT DROP
"""
"""Where lines gather. `identity` is unfinished there: how many equal ones stand before it is to come."""

TAKE = """
INSERT INTO settlement_bankline ({columns}, identity)
SELECT {columns}, sha256(identity || int8send(
  row_number() OVER (PARTITION BY own_account_id, series, identity ORDER BY place)))
FROM pg_temp.taken_bank_line ORDER BY place
ON CONFLICT (client_id, own_account_id, identity) DO NOTHING
"""


class _Taking:
    """The statements of one file on their way into the tables.

    What makes a line itself is its key (`_identity`) and how many of the same key stand before it in its
    statement: so two identical lines stay two, and the same line in two files, or in two overlapping
    statements of one file, is one. The pages of one statement in one file are one statement.
    """

    def __init__(self, commit_id: UUID) -> None:
        self.commit_id = commit_id
        self.statements = self.lines = self.series = 0
        self.last: tuple[UUID, str, int | None] | None = None
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pg_temp.taken_bank_line")
            cursor.execute(TAKEN_TABLE)

    def add(self, head: record.Statement, account: OwnAccount, whole: record.Statement) -> None:
        """Take a statement. whole: its head as it was once all of it was read; some say balances last."""
        self.statements += 1
        self.series += not _follows(self.last, account, head)
        self.last = (account.id, head.id, head.page_number)
        statement = Statement.objects.create(
            client_id=account.client_id,
            own_account=account,
            statement_id=head.id,
            ordinal=self.statements,
            sequence=str(head.electronic_sequence_number or head.legal_sequence_number or ""),
            starts=whole.period_start,
            ends=whole.period_end,
            opening=whole.opening_minor,
            closing=whole.closing_minor,
            import_id=self.commit_id,
        )
        lines = _booked(head.lines)
        while some := list(islice(lines, LINES_AT_ONCE)):
            self._lay_down(head, statement, account, some)

    def _lay_down(
        self, head: record.Statement, statement: Statement, account: OwnAccount, lines: list[record.Line]
    ) -> None:
        n = len(lines)
        columns = {
            **_line_columns(statement, account, lines),
            "identity": [_identity(head, line) for line in lines],
            "series": np.full(n, self.series, dtype=np.int64),
            "place": np.arange(self.lines, self.lines + n, dtype=np.int64),
        }
        stage("stage_bank_line", columns, n)
        listed = ", ".join(columns)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO pg_temp.taken_bank_line ({listed}) "  # noqa: S608 names are ours
                f"SELECT {listed} FROM pg_temp.stage_bank_line"
            )
        self.lines += n

    def finish(self) -> int:
        """Move what is new into its table. Returns how many lines that is."""
        with connection.cursor() as cursor:
            cursor.execute(TAKE.format(columns=", ".join(LINE_COLUMNS)))
            fresh = int(cursor.rowcount)
            cursor.execute("DROP TABLE pg_temp.taken_bank_line")
        many_rows_written("settlement_bankline", fresh)
        return fresh


LINE_COLUMNS = (
    "id", "client_id", "statement_id", "own_account_id", "ordinal", "booked", "value_date", "currency",
    "amount", "bank_reference", "end_to_end", "counterparty_name", "remittance", "return_reason",
)  # fmt: skip


def _booked(lines: Iterable[record.Line]) -> Iterator[record.Line]:
    return (line for line in lines if line.is_booked)


def _line_columns(statement: Statement, account: OwnAccount, lines: list[record.Line]) -> dict[str, Any]:
    n = len(lines)
    return {
        "id": uuid7_column(n),
        "client_id": account.client_id,
        "statement_id": statement.id,
        "own_account_id": account.id,
        "ordinal": np.array([line.ordinal for line in lines], dtype=np.int32),
        "booked": [line.booking_date or line.value_date for line in lines],
        "value_date": [line.value_date or line.booking_date for line in lines],
        "currency": [line.currency for line in lines],
        "amount": [line.amount_minor for line in lines],
        "bank_reference": [(_bank_reference(line) or "")[:60] for line in lines],
        "end_to_end": [_end_to_end(line)[:60] for line in lines],
        "counterparty_name": [(line.transaction.counterparty_name or "")[:140] for line in lines],
        "remittance": [_reference(line)[:500] for line in lines],
        "return_reason": [_return_reason(line)[:10] for line in lines],
    }


def _follows(
    before: tuple[UUID, str, int | None] | None, account: OwnAccount, head: record.Statement
) -> bool:
    """Whether this is the next page of the statement that stood before it in the file."""
    if before is None or head.page_number is None or before[2] is None:
        return False
    return before == (account.id, head.id, head.page_number - 1)


def _identity(head: record.Statement, line: record.Line) -> bytes:
    """The key of a line: the bank's own reference where it has one, else its words within its page.

    A bank may word a line anew in a later file, so beside a reference its words do not count. A page is part
    of a nameless line's key: two pages of a statement may come as two files, with equal lines on both.
    """
    money = (line.booking_date or line.value_date, line.amount_minor, line.currency)
    if bank := _bank_reference(line):
        said = repr(("bank", bank, *map(str, money)))
    else:
        within = (head.id, head.page_number)
        words = (_reference(line), line.transaction.counterparty_name)
        said = repr(("statement", *map(str, within), *map(str, money), *words))
    return hashlib.sha256(said.encode()).digest()


def _nth(key: bytes, n: int) -> bytes:
    """The identity of the n-th line of a key, as TAKE makes it."""
    return hashlib.sha256(key + n.to_bytes(8, "big")).digest()


def _text_digest(remittance: str, name: str) -> bytes:
    return hashlib.sha256(repr((remittance, name)).encode()).digest()


NO_REFERENCE = frozenset(["", "NONREF", "NOTPROVIDED"])
"""What banks write where they have nothing to say."""


def _bank_reference(line: record.Line) -> str | None:
    """The bank's own reference of the line, or of the one payment it is."""
    for reference in (line.account_servicer_reference, line.transaction.account_servicer_reference):
        if _says_something(reference):
            return reference
    return None


def _says_something(reference: str | None) -> bool:
    return (reference or "").strip().upper() not in NO_REFERENCE


def _reference(line: record.Line) -> str:
    """Every reference and text of the line, in one string."""
    parts: list[str | None] = [line.entry_reference, line.customer_reference, line.additional_information]
    for tx in line.transactions:
        parts += [
            tx.end_to_end_id,
            tx.original_end_to_end_id,
            tx.payment_information_id,
            tx.remittance_text,
            tx.structured_reference,
            tx.additional_information,
        ]
    return " ".join(dict.fromkeys(p for p in parts if p and _says_something(p)))


def _end_to_end(line: record.Line) -> str:
    tx = line.transaction
    found = (tx.original_end_to_end_id, tx.end_to_end_id, line.customer_reference)
    return next((one for one in found if one and _says_something(one)), "")


def _return_reason(line: record.Line) -> str:
    tx = line.transaction
    return (tx.return_reason or "RETURN") if tx.is_return or tx.return_reason else ""
