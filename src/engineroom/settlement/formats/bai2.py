"""BAI2, the cash management report of American and Canadian banks, read as it streams by.

Records (01 file, 02 group, 03 account, 16 transaction, 88 continuation, 49, 98 and 99 trailers) are comma
separated and end with a slash. Banks also let a text run to the end of the row without a slash, break a text
over rows without an 88, and put several records in one row: all of that is read.

A file is held to its own totals: each trailer says the sum of the amounts before it and how many records
there were. Positions and type codes: BAI Cash Management Balance Reporting Specifications Version 2
(../shared/formats/bai2/common/spec).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from engineroom.settlement.formats.reading import (
    AGAIN,
    CORRECT,
    MAX_ROWS_HELD,
    Reading,
    account_named,
    simple_line,
    squeezed,
)
from engineroom.settlement.formats.record import Balance, Line, Statement, Transaction

_CODES = ("01", "02", "03", "16", "49", "88", "98", "99")
_NEXT = re.compile(r"/\s+(?=(?:01|02|03|16|49|88|98|99),)")
"""Where one row holds several records."""

_DIGITS = re.compile(r"[0-9]{1,18}")
_SIGNED = re.compile(r"[+-]?[0-9]{1,18}")
_TAGGED = re.compile(r"([A-Z]{4}): ?(.*)")

NON_MONETARY = "890"
OPENING, CLOSING = "010", "015"
"""Opening ledger, closing ledger."""

_BALANCES = {
    "010": "OPBD", "015": "CLBD", "040": "OPAV", "045": "CLAV", "030": "ITBD", "060": "ITAV",
}  # fmt: skip
"""Type codes of balances as ISO 20022 calls them."""

RETURNS = frozenset(
    ("252", "255", "257", "261", "266", "268", "452", "455", "552", "555", "557", "561", "566")
)
"""Type codes of payments that came back or were refused: ACH and cheque returns, rejects."""


def read(stream: BinaryIO, *, file_name: str, expected_currency: str | None = None) -> Iterator[Statement]:
    """The accounts of a file as statements, their lines lazily. Raises InputRefused, as camt053.read does."""
    return _Reading(stream, file_name, expected_currency).statements()


@dataclass
class _Record:
    """One record with what continues it: its fields and its text, each from where it began."""

    row: int
    code: str
    body: str
    texts: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    closed: bool = False
    """Whether it ended with its slash."""

    count: int = 1
    """How many records it is: itself and its 88s."""


@dataclass
class _Sums:
    """What has gone by under one header, to compare with its trailer."""

    amount: int = 0
    records: int = 1
    parts: int = 0


class _Reading(Reading):
    format = "BAI2"

    def __init__(self, stream: BinaryIO, file_name: str, expected_currency: str | None) -> None:
        super().__init__(stream, file_name, expected_currency)
        self.file = _Sums(records=0)
        self.group = _Sums()
        self.account = _Sums()
        self.ended = False
        self.group_currency: str | None = None
        self.as_of: date | None = None
        self.message_id: str | None = None

    # records ---------------------------------------------------------------------------------------------

    def records(self) -> Iterator[_Record]:
        """Records with their continuations."""
        held: _Record | None = None
        for row, text in self.pieces():
            code = text[:2] if text[2:3] in (",", "/") and text[:2] in _CODES else ""
            if code and code != "88":
                if held:
                    yield held
                closed = text.rstrip().endswith("/")
                held = _Record(row, code, _unslashed(text)[3:], said=[text], closed=closed)
                continue
            if held is None:
                what = f"the row begins with {text[:10]!r}, which is no BAI2 record"
                self.refuse(row, None, what, "Choose BAI2 when you download from the bank")
            if not code and (held.closed or held.code not in ("16", "88")):
                self.refuse(row, None, f"{text[:10]!r} is no BAI2 record and continues none", CORRECT)
            if len(held.texts) >= MAX_ROWS_HELD:
                self.refuse(row, None, f"a record goes on for more than {MAX_ROWS_HELD:,} rows", CORRECT)
            held.said.append(text)
            held.count += code == "88"
            held.closed = text.rstrip().endswith("/")
            more = _unslashed(text)
            held.texts.append(more[3:] if code else more)
        if held:
            yield held

    def pieces(self) -> Iterator[tuple[int, str]]:
        """Rows; of a row that holds several records each, with the slash it ended with."""
        for row, text in self.rows():
            if not text.strip():
                continue
            parts = _NEXT.split(text)
            for n, part in enumerate(parts):
                yield row, part.strip() + "/" if n < len(parts) - 1 else (part.lstrip() if n else part)

    # the walk --------------------------------------------------------------------------------------------

    def statements(self) -> Iterator[Statement]:
        records = self.records()
        count = 0
        record = next(records, None)
        if record is None or record.code != "01":
            row, said = (record.row, record.code) if record else (1, "nothing")
            self.refuse(row, "01", f"the file begins with {said}, not with a file header (01)", AGAIN)
        while record is not None:
            record_next: _Record | None = None
            self.count_record(record)
            if record.code == "03":
                count += 1
                statement = self.statement(record)
                if statement is None:
                    record = next(records, None)
                    while record is not None and record.code in ("16", "49"):
                        record = next(records, None)
                    continue
                rest = _Rest()
                statement.lines = self.lines(statement, records, rest)
                yield statement
                for _ in statement.lines:
                    pass
                if not rest.done:
                    raise RuntimeError("the lines of a statement were closed before their end")
                record_next = rest.record
            else:
                self.other(record)
                record_next = next(records, None)
            record = record_next
        if not self.ended:
            problem = "the file ends without its trailer (99): it is truncated"
            self.wrong(None, "99", problem, AGAIN)
        self.finish(count, "no account (03)")

    def count_record(self, record: _Record) -> None:
        self.account.records += record.count
        self.group.records += record.count
        self.file.records += record.count

    def other(self, record: _Record) -> None:
        """Headers and trailers outside an account."""
        fields = _fields(record)
        if self.ended:
            self.refuse(record.row, record.code, "records follow the file trailer (99)", AGAIN)
        if record.code == "01":
            self.message_id = _at(fields, 4) or None
            self.file = _Sums(records=record.count)
        elif record.code == "02":
            self.group = _Sums(records=record.count)
            self.file.parts += 1
            self.group_currency = _at(fields, 5).strip() or None
            self.as_of = self.bai_day(record.row, "as-of date", _at(fields, 3))
        elif record.code == "98":
            self.check_total(record, fields, self.group, "group", self.group.parts)
            self.file.amount += self.group.amount
            self.group = _Sums(records=0)
        elif record.code == "99":
            self.check_total(record, fields, self.file, "file", self.file.parts)
            self.ended = True
        else:
            self.refuse(record.row, record.code, f"a record {record.code} stands outside an account", CORRECT)

    def lines(self, statement: Statement, records: Iterator[_Record], rest: _Rest) -> Iterator[Line]:
        ordinal, booked, complete = 0, 0, True
        record = next(records, None)
        while record is not None and record.code == "16":
            self.count_record(record)
            ordinal += 1
            line = self.line(statement, record, ordinal)
            complete = complete and line is not None
            if line is not None:
                booked += line.amount_minor if line.is_booked else 0
                yield line
            record = next(records, None)
        if record is None or record.code != "49":
            row, found = (record.row, record.code) if record else (statement.source_line, "the end")
            self.refuse(row, "49", f"the account's trailer (49) is missing before {found}", AGAIN)
        self.count_record(record)
        statement.said += record.said
        self.check_total(record, _fields(record), self.account, "account", None)
        self.group.amount += self.account.amount
        self.group.parts += 1
        if statement.opening_minor is not None or statement.closing_minor is not None or ordinal:
            self.check_footing(statement, booked, complete)
        rest.record, rest.done = next(records, None), True

    def check_total(
        self, record: _Record, fields: list[str], sums: _Sums, what: str, parts: int | None
    ) -> None:
        total, count = _at(fields, 0).strip(), _at(fields, 1 if parts is None else 2).strip()
        if not _SIGNED.fullmatch(total) or int(total) != sums.amount:
            problem = f"the control total of the {what} is {total[:20]!r}, its records add to {sums.amount}"
            self.wrong(record.row, record.code, problem, "Records are missing or changed: download it again")
        if not _DIGITS.fullmatch(count) or int(count) != sums.records:
            problem = f"the {what} says it has {count[:20]!r} records; it has {sums.records}"
            self.wrong(record.row, record.code, problem, "Records are missing or changed: download it again")
        said = _at(fields, 1).strip()
        if parts is not None and (not _DIGITS.fullmatch(said) or int(said) != parts):
            inner = "accounts" if what == "group" else "groups"
            problem = f"the {what} says it has {said[:20]!r} {inner}; it has {parts}"
            self.wrong(record.row, record.code, problem, "Records are missing or changed: download it again")

    # parts -----------------------------------------------------------------------------------------------

    def statement(self, record: _Record) -> Statement | None:
        fields = _fields(record)
        self.account = _Sums(records=record.count)
        number = _at(fields, 0).strip()
        if not number:
            self.wrong(record.row, "03", "the account has no number", CORRECT)
        said = _at(fields, 1).strip() or self.group_currency or "USD"  # the specification's default
        currency = self.currency(record.row, "currency", said)
        balances = self.summaries(record, fields[2:], currency)
        by_code = {b.code: b.amount_minor for b in balances}
        day = self.as_of
        return Statement(
            id=f"{number or '?'} {day.isoformat() if day else ''}".strip(),
            message_id=self.message_id,
            electronic_sequence_number=None,
            legal_sequence_number=None,
            page_number=None,
            is_last_page=None,
            created_at=None,
            period_start=day,
            period_end=day,
            account=account_named(number, currency=_at(fields, 1).strip() or None),
            currency=currency,
            balances=tuple(balances),
            opening_minor=by_code.get("OPBD"),
            closing_minor=by_code.get("CLBD"),
            source_line=record.row,
            problems=self.problems,
            said=list(record.said),
        )

    def summaries(self, record: _Record, fields: list[str], currency: str) -> list[Balance]:
        """(type, amount, count, funds type with its fields), again and again."""
        balances: list[Balance] = []
        at = 0
        while at < len(fields):
            code, amount = fields[at].strip(), _at(fields, at + 1).strip()
            funds = _at(fields, at + 3).strip()
            at += 4 + self.funds_fields(record, fields, at + 4, funds)
            if not code and not amount:
                continue
            if not re.fullmatch(r"[0-9]{3}", code):
                self.wrong(record.row, "type code", f"{code[:20]!r} is not a type code", CORRECT)
                return balances
            if not amount:
                continue
            if not _SIGNED.fullmatch(amount):
                self.wrong(record.row, f"amount of {code}", f"{amount[:40]!r} is not an amount", CORRECT)
                continue
            minor = int(amount)
            self.account.amount += minor
            balances.append(Balance(_BALANCES.get(code, code), minor, currency, self.as_of))
        return balances

    def funds_fields(self, record: _Record, fields: list[str], at: int, funds: str) -> int:
        """How many fields the funds type brings with it."""
        if funds in ("", "0", "1", "2", "Z"):
            return 0
        if funds == "V":
            return 2
        if funds == "S":
            return 3
        if funds == "D":
            pairs = _at(fields, at).strip()
            if _DIGITS.fullmatch(pairs) and int(pairs) <= 100:
                return 1 + 2 * int(pairs)
        self.wrong(record.row, "funds type", f"{funds[:20]!r} is not a funds type", CORRECT)
        return 0

    def line(self, statement: Statement, record: _Record, ordinal: int) -> Line | None:
        fields, texts = record.body.split(","), list(record.texts)
        wanted = 3
        while True:  # the fields of the funds type, and both references, may come in an 88
            wanted = 5 + self.funds_fields_of(fields)
            if len(fields) >= wanted or not texts:
                break
            fields += texts.pop(0).split(",")
        code, amount = fields[0].strip(), _at(fields, 1).strip()
        funds = _at(fields, 2).strip()
        shift = 3 + self.funds_fields(record, fields, 3, funds)
        bank, customer = _at(fields, shift).strip() or None, _at(fields, shift + 1).strip() or None
        first = ",".join(fields[shift + 2 :])
        sign = _sign(code)
        if sign is None:
            problem = f"the type code {code[:20]!r} is neither a credit nor a debit that we know"
            self.wrong(record.row, "type code", problem, "Ask the bank what it means, and tell us")
            return None
        if not _DIGITS.fullmatch(amount) and not (code == NON_MONETARY and not amount):
            self.wrong(record.row, "amount", f"{amount[:40]!r} is not an amount", CORRECT)
            return None
        minor = int(amount or 0)
        self.account.amount += minor
        value = self.as_of
        if funds == "V" and (said := _at(fields, 3).strip()):
            value = self.bai_day(record.row, "value date", said)
        return simple_line(
            ordinal,
            record.row,
            sign * minor,
            statement.currency,
            booked=self.as_of,
            value=value,
            transaction=_transaction(code, sign, [first, *texts], statement.currency, sign * minor),
            bank_reference=bank,
            customer_reference=customer,
            code=code,
            information=squeezed(first, *texts),
            status="INFO" if code == NON_MONETARY else "BOOK",
            said="\n".join(record.said),
        )

    @staticmethod
    def funds_fields_of(fields: list[str]) -> int:
        funds = _at(fields, 2).strip()
        pairs = _at(fields, 3).strip()
        return {"V": 2, "S": 3}.get(funds, 1 + 2 * int(pairs) if funds == "D" and _DIGITS.fullmatch(pairs[:2])
                                    and len(pairs) <= 2 else 0)  # fmt: skip

    def bai_day(self, row: int, field: str, text: str) -> date | None:
        text = text.strip()
        if not re.fullmatch(r"[0-9]{6}", text):
            self.wrong(row, field, f"{text[:20]!r} is not a date (YYMMDD)", CORRECT)
            return None
        return self.day(row, field, f"20{text[:2]}", text[2:4], text[4:])


@dataclass
class _Rest:
    """What follows the lines of an account."""

    record: _Record | None = None
    done: bool = False


def _unslashed(text: str) -> str:
    text = text.rstrip()
    return text[:-1] if text.endswith("/") else text


def _fields(record: _Record) -> list[str]:
    """The fields of a header or trailer, continuations included."""
    fields = record.body.split(",")
    for text in record.texts:
        fields += text.split(",")
    return fields


def _at(fields: list[str], n: int) -> str:
    return fields[n] if n < len(fields) else ""


def _sign(code: str) -> int | None:
    """Credits are 100 to 399 and the bank's own 920 to 959; debits 400 to 699 and 960 to 999."""
    if not re.fullmatch(r"[0-9]{3}", code):
        return None
    number = int(code)
    if code == NON_MONETARY or 100 <= number <= 399 or 920 <= number <= 959:
        return 1
    return -1 if 400 <= number <= 699 or 960 <= number <= 999 else None


def _transaction(code: str, sign: int, texts: list[str], currency: str, amount: int) -> Transaction:
    """The payment as far as its text says it: some banks tag what they say (EREF:, CRNM:, DBNM:)."""
    tags: dict[str, str] = {}
    for text in texts:
        if match := _TAGGED.fullmatch(text.strip()):
            tags.setdefault(match.group(1), match.group(2).strip())
    other = tags.get("DBNM" if sign > 0 else "CRNM") or None
    is_return = code in RETURNS
    reason = re.search(r'Reason: "?([RC][0-9]{2})\b', " ".join(texts))
    end_to_end = tags.get("EREF") or None
    return Transaction(
        amount_minor=amount,
        currency=currency,
        end_to_end_id=end_to_end,
        counterparty_name=other,
        counterparty_account=tags.get("DACT" if sign > 0 else "CACT") or None,
        counterparty_agent=tags.get("DBIC" if sign > 0 else "CBIC")
        or tags.get("DABA" if sign > 0 else "CABA"),
        remittance_text=tags.get("REMI") or None,
        is_return=is_return,
        return_reason=reason.group(1) if reason and is_return else None,
        original_end_to_end_id=end_to_end if is_return else None,
    )
