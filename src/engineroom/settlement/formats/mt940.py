"""MT940, SWIFT's customer statement, and MT942, its interim report, read as they stream by.

A statement is a run of tagged fields from :20: to a line with a hyphen (or the next :20:), with or without
SWIFT's blocks {1:...}{4: around it. Movements are :61:, each with the :86: that follows it. Banks write what
they know of the payment into :86: in one of three manners: numbered parts (166?00...?20...?32, or with >),
words between slashes (/EREF/.../NAME/.../REMI/...), or plain text. All three are read; the text is kept.

A value date of 30 February is a bank's way of counting interest days: it is read as the month's last day and
told. Statements must foot: :60F: or :60M: plus the movements is :62F: or :62M:.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
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
from engineroom.settlement.formats.record import Account, Balance, Kind, Line, Statement, Transaction

MAX_FIELDS = 1_000
"""Fields from one :20: or :61: to the next; real ones have ten."""

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):")
_PREFIX = re.compile(r"(?:\{[1235]:(?:[^{}]++|\{[^{}]*+\})*+\})*+\{4:")
"""SWIFT's blocks before the text: block 3 has blocks of its own, {3:{108:..}}. Nothing read is given back
(the plus behind each count), so that a row of any kind is gone over once.
"""

_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9,.]{1,20})")
_MOVEMENT = re.compile(
    r"(?P<value>[0-9]{6})(?P<entry>[0-9]{4})?(?P<mark>R?[CD])(?P<funds>[A-Z])?\n?(?P<amount>[0-9,.]{1,20})"
    r"(?:(?P<kind>[A-Z][A-Z0-9 ]{3})(?P<reference>.*))?",
    re.DOTALL,
)
_PARTS = re.compile(r"([?>])([0-9]{2})")
_PURPOSE = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC|COAM|OAMT|RREF)\+")
_SLASHED = re.compile(
    r"/(EREF|PREF|MARF|CSID|BENM|ORDP|NAME|ID|ADDR|REMI|ISDT|RTRN|IBAN|BIC|TRTP|TRCD|PURP|ULTC|ULTD|CDTRREF|"
    r"CDTRREFTP|UDTR|UCRD|OCMT|EXCH|CHGS|ACCW|CNTP|SVCL|BOID|TR1|TR2|KREF|MREF|INIT|RETN)/"
)
_SEQUENCE = re.compile(r"([0-9]{1,10})(?:/([0-9]{1,5}))?")

_BALANCE_CODES = {"60F": "OPBD", "60M": "OPBD", "62F": "CLBD", "62M": "CLBD", "64": "CLAV", "65": "FWAV"}
"""MT940's balances as ISO 20022 calls them. M: at the break between two messages of one statement."""

RETURN_CODES = frozenset(("RTI", "RTN", "RDT"))
"""Types of returned items in :61: (NRTI is SWIFT's own)."""


def read(stream: BinaryIO, *, file_name: str, expected_currency: str | None = None) -> Iterator[Statement]:
    """The statements of a file, their lines lazily. Raises InputRefused, as camt053.read does."""
    return _Reading(stream, file_name, expected_currency).statements()


@dataclass(slots=True)
class _Field:
    """One tagged field, its continuation rows joined by line feeds; tag '-' ends a message."""

    row: int
    tag: str
    text: str
    said: str


class _Reading(Reading):
    format = "MT940"

    def fields(self) -> Iterator[_Field]:
        tag, first = "", 0
        held: list[str] = []
        said: list[str] = []
        since = 0
        for row, raw in self.rows():
            prefix = _PREFIX.match(raw)
            text = raw[prefix.end() :] if prefix else raw
            match = _TAG.match(text)
            if match is None and text[:1] != "-" and not (text[:1] == "{" or not tag):
                if len(held) >= MAX_ROWS_HELD:
                    self.refuse(row, tag, f"a field goes on for more than {MAX_ROWS_HELD:,} rows", CORRECT)
                held.append(text)
                said.append(raw)
                continue
            if tag:
                yield _Field(first, tag, "\n".join(held), "\n".join(said))
                tag = ""
            since = 0 if match and match.group(1) in ("20", "61") else since + bool(raw.strip())
            if since > MAX_FIELDS:
                self.refuse(row, None, f"more than {MAX_FIELDS:,} fields stand without a movement", CORRECT)
            if match:
                tag, first, held, said = match.group(1), row, [text[match.end() :]], [raw]
            elif text[:1] == "-":
                yield _Field(row, "-", text, raw)
            elif raw.strip():
                yield _Field(row, "", text, raw)
        if tag:
            yield _Field(first, tag, "\n".join(held), "\n".join(said))

    def statements(self) -> Iterator[Statement]:
        fields = self.fields()
        count = 0
        following: _Field | None = None
        before: list[str] = []
        while True:
            message = _Message()
            message.said, before = before, []
            one = following or next(fields, None)
            following = None
            while one is not None and one.tag != "61" and not message.ends(one):
                message.take(one)
                one = next(fields, None)
            if one is None and not message.any:
                break
            if message.any:
                count += 1
                statement = self.statement(message)
                rest = _Rest()
                statement.lines = self.lines(statement, message, one, fields, rest)
                yield statement
                for _ in statement.lines:
                    pass
                if not rest.done:
                    raise RuntimeError("the lines of a statement were closed before their end")
                one = rest.field
            elif one is not None and one.tag == "61":
                self.refuse(one.row, "61", "a movement stands before any statement (:20:)", CORRECT)
            if one is None:
                break
            if one.tag == "-":
                before.append(one.said)
            else:
                following = one
        self.finish(count, "nothing in it begins with :20:")

    # parts -----------------------------------------------------------------------------------------------

    def statement(self, message: _Message) -> Statement:
        """The head: balances that stand before the movements. What stands behind them comes later."""
        row = message.row
        if message.text("20") is None:
            self.wrong(row, ":20:", "the statement does not begin with its reference (:20:)", AGAIN)
        opening = next((f for f in message.fields if f.tag in ("60F", "60M")), None)
        found = self.balance(opening) if opening else None
        named = message.text("25")
        if not named:
            self.wrong(row, ":25:", "the statement does not say which account it is of (:25:)", CORRECT)
        closing = next((self.balance(f) for f in message.fields if f.tag in ("62F", "62M")), None)
        said = next((b.currency for b in (found, closing) if b), None) or _interim_currency(message)
        if opening and found is None:
            said = said or "?"
        if said is None and self.expected_currency is None and self.problems:
            self.refuse(row, ":60F:", "the statement has no opening balance, so no currency", AGAIN)
        currency = self.currency(row, ":60F:", said)
        sequence = _SEQUENCE.fullmatch((message.text("28C") or message.text("28") or "").strip())
        balances = tuple(b for b in (found, closing) if b)
        kind: Kind = (
            "report" if message.text("34F") is not None or message.text("13D") is not None else "statement"
        )
        return Statement(
            id=self.id_of(message),
            message_id=message.text("20"),
            electronic_sequence_number=int(sequence.group(1)) if sequence else None,
            legal_sequence_number=None,
            page_number=int(sequence.group(2)) if sequence and sequence.group(2) else None,
            is_last_page=None,
            created_at=None,
            period_start=found.day if found else None,
            period_end=closing.day if closing else None,
            account=self.account(named or "", currency),
            currency=currency,
            balances=balances,
            opening_minor=found.amount_minor if found else None,
            closing_minor=closing.amount_minor if closing else None,
            source_line=row,
            problems=self.problems,
            kind=kind,
            said=[*message.said],
        )

    def id_of(self, message: _Message) -> str:
        """:20: is often the same for every statement: the number and the opening day tell them apart."""
        opening = next((f.text for f in message.fields if f.tag in ("60F", "60M")), "")
        number = (message.text("28C") or message.text("28") or "").strip()
        parts = [(message.text("20") or "?").strip()[:16], number[:12], opening[1:7]]
        return " ".join(part for part in parts if part)

    def account(self, text: str, currency: str) -> Account:
        """:25: is an IBAN, or the bank's code and the account's number with a slash between."""
        plain = text.strip().split("\n")[0]
        if plain.endswith(currency):
            plain = plain[: -len(currency)].rstrip()
        bank, _, number = plain.partition("/")
        found = account_named(number if number and account_named(number).iban else plain, currency=currency)
        return Account(found.iban, found.other_id, currency, None, bank if number else None)

    def balance(self, field: _Field) -> Balance | None:
        match = _BALANCE.match(field.text.strip())
        where = f":{field.tag}:"
        if match is None:
            problem = f"{field.text.strip()[:40]!r} is not a balance (C or D, date, currency, amount)"
            self.wrong(field.row, where, problem, CORRECT)
            return None
        mark, day, currency, amount = match.groups()
        known = self.currency(field.row, where, currency)
        minor = self.minor(field.row, where, amount, known)
        when = self.day(field.row, where, _century(day[:2]), day[2:4], day[4:])
        if minor is None:
            return None
        return Balance(_BALANCE_CODES[field.tag], minor if mark == "C" else -minor, known, when)

    def lines(
        self,
        statement: Statement,
        message: _Message,
        one: _Field | None,
        fields: Iterator[_Field],
        rest: _Rest,
    ) -> Iterator[Line]:
        ordinal, booked, complete = 0, 0, True
        while one is not None and not message.ends(one):
            if one.tag != "61":
                self.behind(statement, message, one)
                one = next(fields, None)
                continue
            movement, details = one, []
            one = next(fields, None)
            while one is not None and one.tag in ("86", "NS"):
                details.append(one)
                one = next(fields, None)
            ordinal += 1
            line = self.line(statement, movement, details, ordinal)
            complete = complete and line is not None
            if line is not None:
                booked += line.amount_minor
                yield line
        if statement.kind == "statement":
            self.check_footing(statement, booked, complete)
        rest.field, rest.done = one, True

    def behind(self, statement: Statement, message: _Message, field: _Field) -> None:
        """Balances and what else stands behind the movements."""
        statement.said.append(field.said)
        message.seen.add(field.tag)
        if field.tag not in _BALANCE_CODES:
            return
        balance = self.balance(field)
        if balance is None:
            return
        statement.balances = (*statement.balances, balance)
        if balance.currency != statement.currency:
            problem = f"the balance is in {balance.currency}, the statement in {statement.currency}"
            self.wrong(field.row, f":{field.tag}:", problem, CORRECT)
        elif field.tag in ("62F", "62M"):
            statement.closing_minor, statement.period_end = balance.amount_minor, balance.day

    def line(self, statement: Statement, field: _Field, details: list[_Field], ordinal: int) -> Line | None:
        match = _MOVEMENT.fullmatch(field.text.rstrip())
        if match is None:
            problem = f"{field.text[:40]!r} is not a movement (date, C or D, amount, type, reference)"
            self.wrong(field.row, ":61:", problem, CORRECT)
            return None
        amount = self.minor(field.row, ":61:", match["amount"], statement.currency)
        value = self.value_date(field.row, match["value"])
        booked = self.entry_date(field.row, match["entry"], value) if match["entry"] else value
        if amount is None:
            return None
        mark = match["mark"]
        sign = 1 if mark in ("C", "RD") else -1  # a reversed debit comes in, a reversed credit goes out
        customer, bank, more = _references(match["reference"] or "")
        text = "\n".join(d.text for d in details)
        facts = _facts(text)
        kind = (match["kind"] or "").strip()
        transaction = _transaction(facts, sign * amount, statement.currency, kind, more)
        return simple_line(
            ordinal,
            field.row,
            sign * amount,
            statement.currency,
            booked=booked,
            value=value,
            transaction=transaction,
            bank_reference=bank,
            customer_reference=customer,
            code="+".join(c for c in (kind, facts.get("code")) if c) or None,
            information=squeezed(
                facts.get("booking"), None if transaction.remittance_text else facts.get("text"), more
            ),
            is_reversal=mark.startswith("R"),
            said="\n".join([field.said, *(d.said for d in details)]),
        )

    def value_date(self, row: int, text: str) -> date | None:
        year, month, day = int(_century(text[:2])), int(text[2:4]), int(text[4:])
        if month == 2 and 28 < day <= 30 and day > (last := monthrange(year, month)[1]):
            problem = f"{day} February {year} is the bank's way to count interest: read as the {last}th"
            self.warn(row, ":61:", problem, "Nothing is to be done")
            return date(year, month, last)
        return self.day(row, ":61:", str(year), text[2:4], text[4:])

    def entry_date(self, row: int, text: str, value: date | None) -> date | None:
        """Day and month; the year is the one that brings it nearest to the value date."""
        if value is None:
            return None
        year = (
            value.year
            + (int(text[:2]) == 1 and value.month == 12)
            - (int(text[:2]) == 12 and value.month == 1)
        )
        return self.day(row, ":61:", str(year), text[:2], text[2:])


class _Message:
    """The fields of one statement up to its first movement, and which have been seen since."""

    def __init__(self) -> None:
        self.fields: list[_Field] = []
        self.said: list[str] = []
        self.seen: set[str] = set()

    @property
    def any(self) -> bool:
        return bool(self.fields)

    @property
    def row(self) -> int:
        return self.fields[0].row if self.fields else 1

    def take(self, field: _Field) -> None:
        self.said.append(field.said)
        if field.tag:
            self.fields.append(field)
            self.seen.add(field.tag)

    def ends(self, field: _Field) -> bool:
        """Whether the field is no longer this statement's."""
        return self.any and (field.tag == "-" or (field.tag == "20" and "20" in self.seen))

    def text(self, tag: str) -> str | None:
        return next((f.text for f in self.fields if f.tag == tag), None)


@dataclass
class _Rest:
    """The field that follows a statement."""

    field: _Field | None = None
    done: bool = False


def _century(year: str) -> str:
    """MT940 came in the eighties: a year from 80 on is of the last century."""
    return f"{'19' if int(year) >= 80 else '20'}{year}"


def _interim_currency(message: _Message) -> str | None:
    """MT942 has no balance: its floor limit (:34F:) says the currency."""
    match = re.match(r"[A-Z]{3}", message.text("34F") or "")
    return match.group() if match else None


def _references(text: str) -> tuple[str | None, str | None, str | None]:
    """The account owner's reference, the bank's after //, and supplementary details on the next row."""
    first, _, more = text.partition("\n")
    customer, _, bank = first.partition("//")
    return customer.strip() or None, bank.strip() or None, squeezed(more)


def _facts(text: str) -> dict[str, str]:
    """What :86: says, by what it is: code, booking, text, name, account, bank, end_to_end, ..."""
    flat = text.replace("\n", "")
    numbered = re.match(r"([0-9]{3})([?>])[0-9]{2}", flat)
    if numbered:
        return _numbered(flat, numbered.group(1), numbered.group(2))
    if _SLASHED.search(flat):
        return _between_slashes(flat)
    return {"text": text}


def _numbered(flat: str, code: str, separator: str) -> dict[str, str]:
    """German banks' parts: 00 booking text, 20-29 and 60-63 purpose, 30 bank, 31 account, 32-33 name."""
    pieces = re.split(re.escape(separator) + r"([0-9]{2})", flat)
    said_of: dict[str, list[str]] = {}
    for number, said in zip(pieces[1::2], pieces[2::2], strict=False):
        said_of.setdefault(number, []).append(said)
    parts = {number: "".join(all_said) for number, all_said in said_of.items()}
    purpose = "".join(parts.get(f"{n}", "") for n in [*range(20, 30), *range(60, 64)])
    facts = {
        "code": code,
        "booking": parts.get("00", "").strip(),
        "bank": parts.get("30", "").strip(),
        "account": parts.get("31", "").strip(),
        "name": (parts.get("32", "") + parts.get("33", "")).strip(),
        "text": purpose.strip(),
    }
    words = _PURPOSE.split(purpose)
    named = {"EREF": "end_to_end", "MREF": "mandate", "SVWZ": "remittance", "KREF": "instruction"}
    for word, said in zip(words[1::2], words[2::2], strict=False):
        if word in named and said.strip():
            facts.setdefault(named[word], said.strip())
    return {name: said for name, said in facts.items() if said}


def _between_slashes(flat: str) -> dict[str, str]:
    words = _SLASHED.split(flat)
    named = {"EREF": "end_to_end", "MARF": "mandate", "MREF": "mandate", "REMI": "remittance", "NAME": "name",
             "IBAN": "account", "BIC": "bank", "CDTRREF": "structured", "RTRN": "returned",
             "RETN": "returned", "PREF": "payment", "TRCD": "code"}  # fmt: skip
    facts = {"text": flat}
    for word, said in zip(words[1::2], words[2::2], strict=False):
        if word in named and said.strip("/ "):
            facts.setdefault(named[word], said.strip("/ "))
    return facts


def _transaction(
    facts: dict[str, str], amount: int, currency: str, kind: str, more: str | None
) -> Transaction:
    end_to_end = facts.get("end_to_end")
    end_to_end = None if end_to_end in ("NOTPROVIDED", "NONREF") else end_to_end
    is_return = "returned" in facts or kind[1:] in RETURN_CODES
    account = facts.get("account")
    if account is None and more and account_named(more).iban:
        account = more
    return Transaction(
        amount_minor=amount,
        currency=currency,
        end_to_end_id=end_to_end,
        instruction_id=facts.get("instruction"),
        mandate_id=facts.get("mandate"),
        payment_information_id=facts.get("payment"),
        counterparty_name=facts.get("name"),
        counterparty_account=account,
        counterparty_agent=facts.get("bank"),
        remittance_text=squeezed(facts.get("remittance")),
        structured_reference=facts.get("structured"),
        is_return=is_return,
        return_reason=facts.get("returned"),
        original_end_to_end_id=end_to_end if is_return else None,
    )
