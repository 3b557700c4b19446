"""OFX, versions 1 (SGML) and 2 (XML), also as QFX: what Quicken and many banks give, read as it streams by.

Version 1 leaves most end tags away, so a tag with text is an element and one without is an aggregate until
its end tag comes. Version 2 is read by the same rules, which hold for it too; a DOCTYPE is refused by name
and nothing is ever expanded but the five entities of XML and characters by number.

OFX says a closing balance (LEDGERBAL) with its day, and no opening one: it is the statement's closing only
where that day is the last of the list. Investment statements (INVSTMTRS) are no bank statements and refused.

A transaction that replaces or deletes an earlier one (CORRECTFITID) is refused: taken as one more payment it
would be counted beside what it corrects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from engineroom.settlement.formats.reading import AGAIN, CORRECT, Reading, decoded, simple_line, squeezed
from engineroom.settlement.formats.record import Account, Balance, Line, Statement, Transaction

MAX_TEXT_BYTES = 256 * 1024
"""The most one tag and its text may take; a memo has 255 characters."""

MAX_DEPTH = 64
MAX_FIELDS = 2_000
"""Elements of one transaction or one head."""

_TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9._]{0,63})\s*(/?)>")
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{2,6}(?:\.[0-9]{1,6})?)?(?:\s*\[[^\]]{0,20}\])?")

_STATEMENTS = {"STMTRS": "BANKACCTFROM", "CCSTMTRS": "CCACCTFROM"}
_ELEMENTS = frozenset((
    "ACCTID", "ACCTKEY", "ACCTTYPE", "BALAMT", "BANKID", "BRANCHID", "CHECKNUM", "CLTCOOKIE", "CODE",
    "CORRECTACTION", "CORRECTFITID", "CURDEF", "CURRATE", "CURSYM", "DTASOF", "DTAVAIL", "DTEND",
    "DTPOSTED", "DTPROFUP", "DTSERVER", "DTACCTUP", "DTSTART", "DTUSER", "EXTDNAME", "FID", "FITID",
    "LANGUAGE", "MEMO", "MESSAGE", "NAME", "ORG", "PAYEEID", "REFNUM", "SEVERITY", "SIC", "SRVRTID",
    "TRNAMT", "TRNTYPE", "TRNUID", "MKTGINFO",
))  # fmt: skip
"""Elements that may stand empty: they are never aggregates."""

_AGGREGATES = frozenset((
    "BANKACCTFROM", "BANKTRANLIST", "CCACCTFROM", "LEDGERBAL", "AVAILBAL", "OFX", "SONRS", "STATUS",
    "STMTRS", "CCSTMTRS", "STMTTRN",
))  # fmt: skip
"""Aggregates: text that stands in one of them, outside its elements, is no element's."""


def read(stream: BinaryIO, *, file_name: str, expected_currency: str | None = None) -> Iterator[Statement]:
    """The statements of a file, their lines lazily. Raises InputRefused, as camt053.read does."""
    return _Reading(stream, file_name, expected_currency).statements()


@dataclass
class _Event:
    """A tag that opens or closes an aggregate, or an element with its text."""

    kind: str
    name: str
    text: str
    row: int


@dataclass
class _Fields:
    """Elements of one aggregate by their path below it, the first of each; and the source's words."""

    row: int
    texts: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __call__(self, *paths: str) -> str | None:
        return next((self.texts[path] for path in paths if self.texts.get(path)), None)

    def add(self, path: str, event: _Event) -> None:
        self.texts.setdefault(path, event.text)
        self.rows.setdefault(path, event.row)
        self.said.append(f"<{event.name}>{event.text}")


class _Reading(Reading):
    format = "OFX"

    # tags ------------------------------------------------------------------------------------------------

    def events(self) -> Iterator[_Event]:
        """Tags in order. Text before the first tag (the header of version 1) goes by."""
        row, held, started = 1, b"", False
        chunks = self.chunks()
        ended = False
        while True:
            at = held.find(b"<")
            end = self.end_of_tag(held, at, row) if at >= 0 else -1
            if at < 0 or end < 0 or (not ended and held.find(b"<", end) < 0):
                if ended and (at < 0 or end < 0):
                    if at >= 0:
                        self.refuse(row, None, "the file ends inside a tag: it is truncated", AGAIN)
                    return
                if not ended:
                    if len(held) > MAX_TEXT_BYTES:
                        problem = f"more than {MAX_TEXT_BYTES:,} bytes stand in one element"
                        self.refuse(row, None, problem, CORRECT)
                    more = next(chunks, b"")
                    held, ended = held + more, not more
                    if not started and b"<OFX" not in held.upper() and len(held) > MAX_TEXT_BYTES // 4:
                        self.refuse(1, None, "the file has no <OFX>, so it is not OFX", AGAIN)
                    continue
            # many tags stand in what is held: take them in one go, so that it is cut only once
            position = 0
            while True:
                at = held.find(b"<", position)
                end = self.end_of_tag(held, at, row) if at >= 0 else -1
                after = held.find(b"<", end) if end >= 0 else -1
                if at < 0 or end < 0 or (after < 0 and not ended):
                    break
                after = after if after >= 0 else len(held)
                row += held.count(b"\n", position, at)
                said = held[at:end]
                if said[:2] == b"<!" and said[:9].upper() == b"<!DOCTYPE":
                    problem = "the file has a DOCTYPE, which could make it mean something else than it says"
                    self.refuse(row, "DOCTYPE", problem, "Ask the bank for the statement without it")
                if match := _TAG.fullmatch(said):
                    text = held[end:after]
                    while (
                        held[after : after + 9] == b"<![CDATA[" and (close := held.find(b"]]>", after)) >= 0
                    ):
                        text += held[after + 9 : close]
                        after = held.find(b"<", close)
                        after = after if after >= 0 else len(held)
                    started = True
                    yield from self.tag(match, text, row)
                elif said[:2] not in (b"<?", b"<!"):
                    self.refuse(row, None, f"{decoded(said[:30])!r} is not a tag", CORRECT)
                row += held.count(b"\n", at, after)
                position = after
            held = held[position:]
            if ended and not held.strip():
                return

    def end_of_tag(self, held: bytes, at: int, row: int) -> int:
        """Where the tag, comment or instruction ends; -1 if it is not whole yet."""
        if held.startswith(b"<!--", at):
            end = held.find(b"-->", at)
            return end + 3 if end >= 0 else -1
        if held.startswith(b"<![CDATA[", at):
            end = held.find(b"]]>", at)
            return end + 3 if end >= 0 else -1
        end = held.find(b">", at)
        return end + 1 if end >= 0 else -1

    def tag(self, match: re.Match[bytes], text: bytes, row: int) -> Iterator[_Event]:
        closing, raw, empty = match.groups()
        name = raw.decode("ascii").upper()
        words = _unescaped(decoded(text)).strip()
        if closing:
            yield _Event("close", name, "", row)
        elif empty:
            yield _Event("element", name, "", row)
        elif words and name in _AGGREGATES:
            self.wrong(row, name, f"text stands in {name} outside its elements: {words[:40]!r}", CORRECT)
            yield _Event("open", name, "", row)
        elif words or name in _ELEMENTS:
            yield _Event("element", name, words, row)
        else:
            yield _Event("open", name, "", row)

    # the walk --------------------------------------------------------------------------------------------

    def statements(self) -> Iterator[Statement]:
        events = self.events()
        count = 0
        stack: list[str] = []
        status = _Fields(1)
        first = next((e for e in events), None)
        if first is None or first.name != "OFX":
            what = f"<{first.name}>" if first else "no tag"
            self.refuse(1, None, f"the file begins with {what}, so it is not OFX", AGAIN)
        for event in events:
            if event.kind == "element":
                if stack[-1:] == ["STATUS"]:
                    status.texts[event.name] = event.text
                continue
            if event.kind == "close":
                self.check_status(event, status)
                if event.name in stack:
                    del stack[len(stack) - 1 - stack[::-1].index(event.name) :]
                continue
            if event.name == "INVSTMTRS":
                problem = (
                    "the file has an investment statement, which is of securities, not of a bank account"
                )
                self.refuse(event.row, event.name, problem, "Download the bank account's statement")
            if event.name in _STATEMENTS:
                count += 1
                part = _Part(event.name)
                statement = self.statement(event, events, part)
                statement.lines = self.lines(statement, events, part)
                yield statement
                for _ in statement.lines:
                    pass
                if not part.done:
                    raise RuntimeError("the lines of a statement were closed before their end")
                continue
            stack.append(event.name)
            if event.name == "STATUS":
                status = _Fields(event.row)
            if len(stack) > MAX_DEPTH:
                self.refuse(event.row, event.name, f"tags stand more than {MAX_DEPTH} deep", CORRECT)
        self.finish(count, "no STMTRS and no CCSTMTRS")

    def check_status(self, event: _Event, status: _Fields) -> None:
        if event.name == "STATUS" and (status("SEVERITY") or "").upper() == "ERROR":
            said = status("MESSAGE") or f"code {status('CODE')}"
            problem = f"the bank refused what was asked: {said[:200]}"
            self.wrong(status.row, "STATUS", problem, "Ask the bank for the statement again")

    def statement(self, event: _Event, events: Iterator[_Event], part: _Part) -> Statement:
        """The head, up to the first transaction or the end."""
        fields = self.gather(event, events, part, until="STMTTRN")
        currency = self.currency(fields.rows.get("CURDEF", event.row), "CURDEF", fields("CURDEF"))
        ours = _STATEMENTS[event.name]
        number = fields(f"{ours}/ACCTID")
        if not number:
            self.wrong(event.row, ours, "the statement does not say which account it is of", CORRECT)
        branch = [fields(f"{ours}/BANKID"), fields(f"{ours}/BRANCHID")]
        start = self.date_of(fields, "BANKTRANLIST/DTSTART")
        end = self.date_of(fields, "BANKTRANLIST/DTEND")
        statement = Statement(
            id=" ".join(str(x) for x in (number or "?", start or "", end or "") if x)[:60],
            message_id=None,
            electronic_sequence_number=None,
            legal_sequence_number=None,
            page_number=None,
            is_last_page=None,
            created_at=None,
            period_start=start,
            period_end=end,
            account=_account(number or "", branch[0], currency),
            currency=currency,
            balances=(),
            opening_minor=None,
            closing_minor=None,
            source_line=event.row,
            problems=self.problems,
            said=fields.said,
        )
        self.balances(statement, fields)
        return statement

    def balances(self, statement: Statement, fields: _Fields) -> None:
        for name, code in (("LEDGERBAL", "CLBD"), ("AVAILBAL", "CLAV")):
            amount = fields(f"{name}/BALAMT")
            if amount is None:
                continue
            minor = self.minor(fields.rows[f"{name}/BALAMT"], name, amount, statement.currency)
            day = self.date_of(fields, f"{name}/DTASOF")
            if minor is None:
                continue
            statement.balances = (*statement.balances, Balance(code, minor, statement.currency, day))
            if code == "CLBD" and day is not None and day == statement.period_end:
                statement.closing_minor = minor

    def lines(self, statement: Statement, events: Iterator[_Event], part: _Part) -> Iterator[Line]:
        ordinal = 0
        while not part.at_end:
            ordinal += 1
            fields = self.gather(
                _Event("open", "STMTTRN", "", part.row), events, _Part("STMTTRN"), until=None
            )
            line = self.line(statement, fields, ordinal)
            if line is not None:
                yield line
            rest = self.gather(_Event("open", part.name, "", part.row), events, part, until="STMTTRN")
            statement.said += rest.said
            self.balances(statement, rest)
        if ordinal:
            self.check_footing(statement, 0, complete=False)
        part.done = True

    def gather(self, begun: _Event, events: Iterator[_Event], part: _Part, until: str | None) -> _Fields:
        """Elements up to the end of the aggregate, or to the beginning of another inside it."""
        fields = _Fields(begun.row)
        for event in events:
            if event.kind == "element":
                if len(fields.said) >= MAX_FIELDS:
                    self.refuse(
                        event.row, event.name, f"{begun.name} has more than {MAX_FIELDS:,} fields", CORRECT
                    )
                fields.add("/".join([*part.stack, event.name]), event)
            elif event.kind == "open":
                if event.name == until:
                    part.row = event.row
                    return fields
                if event.name in _STATEMENTS or event.name == "STMTTRN":
                    problem = f"{event.name} begins before {part.name} has ended"
                    self.refuse(event.row, event.name, problem, AGAIN)
                part.stack.append(event.name)
                if len(part.stack) > MAX_DEPTH:
                    self.refuse(event.row, event.name, f"tags stand more than {MAX_DEPTH} deep", CORRECT)
            elif event.name == part.name:
                part.at_end = True
                return fields
            elif event.name in part.stack:
                del part.stack[len(part.stack) - 1 - part.stack[::-1].index(event.name) :]
        return self.refuse(begun.row, begun.name, f"{part.name} has no end: the file is truncated", AGAIN)

    # fields ----------------------------------------------------------------------------------------------

    def line(self, statement: Statement, fields: _Fields, ordinal: int) -> Line | None:
        amount = fields("TRNAMT")
        if amount is None:
            self.wrong(fields.row, "TRNAMT", f"transaction {ordinal} has no amount", CORRECT)
        minor = (
            None
            if amount is None
            else self.minor(fields.rows["TRNAMT"], "TRNAMT", amount, statement.currency)
        )
        if fields("DTPOSTED") is None:
            self.wrong(fields.row, "DTPOSTED", f"transaction {ordinal} has no date", CORRECT)
        booked = self.date_of(fields, "DTPOSTED")
        value = self.date_of(fields, "DTAVAIL") or booked
        said = fields("CURRENCY/CURSYM")
        if said is not None and said != statement.currency:
            problem = f"the amount is in {said[:10]}, the account in {statement.currency}"
            self.wrong(fields.rows["CURRENCY/CURSYM"], "CURSYM", problem, CORRECT)
        if not self.stands_alone(fields, ordinal) or minor is None or booked is None:
            return None
        kind = fields("TRNTYPE")
        name = fields("PAYEE/NAME", "NAME", "EXTDNAME")
        return simple_line(
            ordinal,
            fields.row,
            minor,
            statement.currency,
            booked=booked,
            value=value,
            transaction=Transaction(
                amount_minor=minor,
                currency=statement.currency,
                counterparty_name=name,
                counterparty_account=fields("BANKACCTTO/ACCTID", "CCACCTTO/ACCTID"),
                counterparty_agent=fields("BANKACCTTO/BANKID"),
                remittance_text=squeezed(fields("MEMO")),
                original_currency=fields("ORIGCURRENCY/CURSYM"),
                exchange_rate=fields("ORIGCURRENCY/CURRATE"),
            ),
            reference=fields("REFNUM"),
            bank_reference=fields("FITID"),
            customer_reference=fields("CHECKNUM"),
            code=kind,
            information=None,
            said="\n".join(fields.said),
        )

    def stands_alone(self, fields: _Fields, ordinal: int) -> bool:
        """Whether it is a payment of its own: a correction comes in the place of one told before."""
        corrected, action = fields("CORRECTFITID"), fields("CORRECTACTION")
        if corrected is None and action is None:
            return True
        name = "CORRECTACTION" if corrected is None else "CORRECTFITID"
        does = "deletes" if (action or "").upper() == "DELETE" else "replaces"
        own = f"transaction {(fields('FITID') or str(ordinal))[:60]!r}"
        other = repr(corrected[:60]) if corrected else "another, which it does not name"
        problem = f"{own} {does} {other}: taken as it stands, the payment would count twice"
        which = other if corrected else "the other"
        remedy = (
            f"Ask the bank for a statement in which {which} is corrected already, "
            "or download camt.053 or MT940, where a correction is an entry of its own"
        )
        self.wrong(fields.rows[name], name, problem, remedy)
        return False

    def date_of(self, fields: _Fields, path: str) -> date | None:
        """The day as the bank wrote it: not moved to another time zone."""
        said = fields(path)
        if said is None:
            return None
        row, name = fields.rows[path], path.rpartition("/")[2]
        match = _DATE.fullmatch(said)
        if match is None:
            self.wrong(row, name, f"{said[:40]!r} is not a date (YYYYMMDD)", CORRECT)
            return None
        return self.day(row, name, *match.groups())


@dataclass
class _Part:
    """Where the walk is inside one aggregate."""

    name: str
    stack: list[str] = field(default_factory=list)
    row: int = 1
    at_end: bool = False
    done: bool = False


def _account(number: str, bank: str | None, currency: str) -> Account:
    from engineroom.settlement.formats.reading import account_named

    found = account_named(number)
    other = f"{bank or ''} {number}".strip() if found.iban is None else None
    return Account(found.iban, other, currency, None, bank)


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        name = match.group(1)
        if name[0] != "#":
            return _ENTITIES[name]
        number = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
        return chr(number) if 31 < number < 0xD800 or 0xDFFF < number < 0x110000 else " "

    return _ENTITY.sub(one, text) if "&" in text else text
