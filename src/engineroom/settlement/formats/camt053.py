"""camt.053, the ISO 20022 account statement, read as it streams by: 512 MB need no more memory than 5.

    for statement in read(stream, file_name="march.xml", expected_currency="GBP"):
        for line in statement.lines:
            ...

The reader goes over the file once. `statement.lines` comes lazily and belongs to its statement: going on to
the next statement reads the rest of this one's lines first, because they must add up. Problems are
collected while reading and *raised at the end of the file* as InputRefused, so that a person gets all of
them: keep nothing before the iteration has ended (read inside one transaction). Meanwhile
`statement.problems` shows them; a warning alone is never raised.

Versions .02 to .13, with or without a namespace. A statement is believed only if it foots: opening balance
plus booked lines is the closing balance.

Nothing in the file makes us fetch or expand anything: a DOCTYPE is refused by name, entities are not
resolved, the network is off, and no run of bytes that yields nothing may grow beyond MAX_HELD_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import BinaryIO, Literal, NoReturn, cast

from lxml import etree

from engineroom.kernel.errors import InputRefused, Problem, errors_of
from engineroom.kernel.money import EXPONENTS, NotMoney, format_minor, parse_minor

MAX_FILE_BYTES = 512 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
MAX_HELD_BYTES = 4 * 1024 * 1024
"""The most one transaction, or what stands before it, may take: a real one takes some kilobytes."""

MAX_TRANSACTIONS = 100_000
"""Transactions in one entry: a batch of payments booked as one sum."""

MAX_PROBLEMS = 200
"""After so many, reading stops: the file is of another kind than it seems."""

FIRST_VERSION, LAST_VERSION = 2, 13
AGAIN = "Download the statement from the bank again"
CORRECT = "Ask the bank for a correct statement"

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(\w+)\.(\w+)\.(\w+)\.([0-9]+)")
_DECIMAL = re.compile(r"\+?([0-9]{0,18}(?:\.[0-9]{0,18})?)")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T[0-9:.,]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_DOCTYPE = re.compile(rb"(?:[^<]|<\?|<!--|<(?![A-Za-z!?]))*<!DOCTYPE")
"""A DOCTYPE before the first element, also where the parser gave up inside it."""

_OTHER_MESSAGES = {
    "BkToCstmrAcctRpt": "an account report (camt.052), which is not final",
    "BkToCstmrDbtCdtNtfctn": "a debit and credit notification (camt.054), which has no balances",
    "CstmrCdtTrfInitn": "a payment order (pain.001)",
    "CstmrDrctDbtInitn": "a collection order (pain.008)",
    "CstmrPmtStsRpt": "a payment status report (pain.002)",
}
_PARENTS = {"Stmt": "BkToCstmrStmt", "Ntry": "Stmt", "TxDtls": "NtryDtls", "Btch": "NtryDtls"}
_OPENING = ("OPBD", "PRCD")
"""Opening booked; else what closed the day before."""

_ENTRY_FIELDS = frozenset(
    ("NtryRef", "Amt", "CdtDbtInd", "RvslInd", "Sts", "BookgDt", "ValDt", "AcctSvcrRef", "BkTxCd")
)
"""What an entry says before its transactions and is still needed at its end."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose statement it is: an IBAN, or another identification (in Britain sort code and account number)."""

    iban: str | None
    other_id: str | None
    currency: str | None
    name: str | None
    servicer: str | None


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance on a day. code: OPBD, PRCD, CLBD, CLAV, ... as the bank says; overdrawn is negative."""

    code: str
    amount_minor: int
    currency: str
    day: date | None


@dataclass(frozen=True, slots=True)
class BankTransactionCode:
    """What kind of movement it is: ISO's domain, family and subfamily, and the bank's own code."""

    domain: str | None = None
    family: str | None = None
    subfamily: str | None = None
    proprietary: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One payment of an entry (TxDtls). The amount, if said, is signed as the account sees it."""

    amount_minor: int | None = None
    currency: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    mandate_id: str | None = None
    payment_information_id: str | None = None
    account_servicer_reference: str | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    counterparty_agent: str | None = None
    remittance_text: str | None = None
    structured_reference: str | None = None
    is_return: bool = False
    return_reason: str | None = None
    original_end_to_end_id: str | None = None
    additional_information: str | None = None
    bank_transaction_code: BankTransactionCode = BankTransactionCode()


_NO_TRANSACTION = Transaction()


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. `ordinal` counts from 1 within its statement; `amount_minor` is signed: money out is
    negative.

    is_reversal: the entry takes back an earlier one; the sign already says which way the money goes.
    `transactions` are the payments the entry is made of: none, one, or a batch. `transaction` is the only
    one, and an empty one when there are none or several.
    """

    ordinal: int
    source_line: int
    amount_minor: int
    currency: str
    is_credit: bool
    is_reversal: bool
    status: str
    booking_date: date | None
    value_date: date | None
    entry_reference: str | None
    account_servicer_reference: str | None
    bank_transaction_code: BankTransactionCode
    additional_information: str | None
    batch_count: int | None
    transactions: tuple[Transaction, ...]

    @property
    def is_booked(self) -> bool:
        return self.status == "BOOK"

    @property
    def transaction(self) -> Transaction:
        return self.transactions[0] if len(self.transactions) == 1 else _NO_TRANSACTION


@dataclass
class Statement:
    """The head of one statement, and its lines.

    currency: the account's, else what balances or lines say. problems: of the whole file, so far.
    """

    id: str
    message_id: str | None
    electronic_sequence_number: int | None
    legal_sequence_number: int | None
    page_number: int | None
    is_last_page: bool | None
    created_at: datetime | None
    period_start: date | None
    period_end: date | None
    account: Account
    currency: str
    balances: tuple[Balance, ...]
    opening_minor: int | None
    closing_minor: int | None
    source_line: int
    lines: Iterator[Line] = field(default_factory=lambda: iter(()), repr=False)
    problems: list[Problem] = field(default_factory=list, repr=False)


def read(stream: BinaryIO, *, file_name: str, expected_currency: str | None = None) -> Iterator[Statement]:
    """The statements of a file, in order, their lines lazily.

    expected_currency: of the account this file is meant for. Raises InputRefused: at once when the file
    cannot be read on (not XML, truncated, another message), else at its end with every problem found. A
    problem's row is the line in the file.
    """
    return _Reading(stream, file_name, expected_currency).statements()


class _Reading:
    """One pass over one file: the walk, what is wrong with it, the parts of a statement, single fields."""

    def __init__(self, stream: BinaryIO, file_name: str, expected_currency: str | None) -> None:
        self.stream = stream
        self.file_name = file_name
        self.expected_currency = expected_currency
        self.problems: list[Problem] = []
        self.bytes_read = 0
        self.message_id: str | None = None
        self.transactions: list[Transaction] = []
        self.batch_count: int | None = None
        self.inside_statement = False

    # the walk --------------------------------------------------------------------------------------------

    def statements(self) -> Iterator[Statement]:
        elements = self.elements()
        count = 0
        for name, element in elements:
            count += 1
            if name == "Stmt":  # its end: a statement without entries
                statement = self.statement(element, None)
                yield statement
                self.check_footing(statement, 0, complete=True)
                continue
            parent = element.getparent()
            assert parent is not None  # elements() checked it
            statement = self.statement(parent, element)
            statement.lines = self.lines(statement, element, elements)
            self.inside_statement = True
            yield statement
            for _ in statement.lines:  # whatever the caller left: the next statement stands behind it
                pass
            if self.inside_statement:
                raise RuntimeError("the lines of a statement were closed before their end")
        if not count:
            self.wrong(None, None, "there is no statement (Stmt) in the file", CORRECT)
        if errors_of(self.problems):
            raise InputRefused(self.problems)

    def lines(
        self, statement: Statement, first: etree._Element, elements: Iterator[tuple[str, etree._Element]]
    ) -> Iterator[Line]:
        """Lines from the first entry to the end of the statement, where its balances are checked."""
        ordinal, booked_minor, complete = 1, 0, True
        name, element = "Ntry", first
        while name == "Ntry":
            line = self.line(statement, element, ordinal)
            self.transactions, self.batch_count = [], None
            complete = complete and line is not None
            if line is not None:
                booked_minor += line.amount_minor if line.is_booked else 0
                yield line
            ordinal += 1
            name, element = next(elements)
        if element.find(_q("Bal")) is not None:
            self.wrong(_at(element), "Bal", "a balance stands after the entries", CORRECT)
        self.check_footing(statement, booked_minor, complete)
        self.inside_statement = False

    def elements(self) -> Iterator[tuple[str, etree._Element]]:
        """Each entry (Ntry) when complete, each statement (Stmt) at its end; emptied once the caller is done.

        Transactions and batches are read here, in passing, so that an entry of thousands is never held as
        XML.
        """
        for element in self.parse():
            name = _name(element)
            parent = element.getparent()
            if parent is None or _name(parent) != _PARENTS[name]:
                self.refuse(_at(element), name, f"{name} stands where camt.053 has none", CORRECT)
            if name in ("TxDtls", "Btch"):
                self.read_inside_entry(name, element, parent)
                continue
            yield name, element
            element.clear()
            _remove_before(element)

    def read_inside_entry(self, name: str, element: etree._Element, parent: etree._Element) -> None:
        """Take in one transaction or batch, then drop it and what stands before it."""
        entry = parent.getparent()
        if entry is None or _name(entry) != "Ntry":
            self.refuse(_at(element), name, "NtryDtls stands where camt.053 has none", CORRECT)
        if name == "Btch":
            self.batch_count = (self.batch_count or 0) + (self.whole(_Texts(element), "NbOfTxs") or 0) or None
        elif len(self.transactions) < MAX_TRANSACTIONS:
            self.transactions.append(self.transaction(element, entry))
        else:
            problem = f"an entry has more than {MAX_TRANSACTIONS:,} transactions"
            self.refuse(_at(element), name, problem, "Ask the bank for smaller batches")
        element.clear()
        _remove_before(element)
        for sibling in list(parent.itersiblings(preceding=True)):
            if _name(sibling) not in _ENTRY_FIELDS:
                entry.remove(sibling)
        if len(entry) > 2 * len(_ENTRY_FIELDS):
            self.refuse(_at(entry), "Ntry", "an entry repeats its fields", CORRECT)

    def parse(self) -> Iterator[etree._Element]:
        """Elements of interest at their end, chunk by chunk."""
        parser = _parser("end", tuple(f"{{*}}{name}" for name in _PARENTS))
        chunk = self.chunk()
        self.probe(chunk)
        held = 0
        while True:
            try:
                if chunk:
                    parser.feed(chunk)
                else:
                    parser.close()
            except etree.XMLSyntaxError as error:
                self.refuse_syntax(error, at_end=not chunk)
            held += len(chunk)
            for element in _events(parser):
                held = 0
                yield element
            if not chunk:
                return
            if held > MAX_HELD_BYTES:
                problem = f"more than {MAX_HELD_BYTES:,} bytes stand between entries"
                self.refuse(None, None, problem, CORRECT)
            chunk = self.chunk()

    def chunk(self) -> bytes:
        chunk = self.stream.read(CHUNK_BYTES)
        self.bytes_read += len(chunk)
        if self.bytes_read > MAX_FILE_BYTES:
            problem = f"the file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB"
            self.refuse(None, None, problem, "Ask the bank for one file per day")
        return chunk

    def probe(self, chunk: bytes) -> None:
        """Refuse what is not camt.053 by its first two elements, before anything of it is read."""
        if not chunk.strip():
            self.refuse(None, None, "the file is empty", AGAIN)
        if chunk.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] != b"<":
            problem = "the file is not XML, so it is not camt.053"
            self.refuse(1, None, problem, "Choose camt.053 when you download from the bank")
        parser = _parser("start", None)
        failed: etree.XMLSyntaxError | None = None
        try:
            parser.feed(chunk)
        except etree.XMLSyntaxError as error:
            failed = error
        events = _events(parser)
        root, message = next(events, None), next(events, None)
        if _DOCTYPE.match(chunk) or (root is not None and root.getroottree().docinfo.internalDTD is not None):
            problem = "the file has a DOCTYPE, which could make it mean something else than it says"
            self.refuse(1, "DOCTYPE", problem, "Ask the bank for the statement without it")
        if root is None or message is None:
            if failed is not None:
                self.refuse_syntax(failed, at_end=False)
            self.refuse(1, None, "the file ends before a statement begins: it is truncated", AGAIN)
        self.check_message(root, message)

    def check_message(self, root: etree._Element, message: etree._Element) -> None:
        name = _name(message)
        namespace = root.tag.rpartition("}")[0].removeprefix("{")
        if _name(root) != "Document" or name != "BkToCstmrStmt":
            kind = _OTHER_MESSAGES.get(name, f"<{_name(root)}><{name}>")
            problem = f"the file is {kind}, not an account statement (camt.053)"
            self.refuse(_at(message), name, problem, "Choose camt.053 when you download from the bank")
        if not namespace:
            return
        said = _NAMESPACE.fullmatch(namespace)
        if said is None or said.group(1, 2) != ("camt", "053"):
            self.refuse(_at(root), "Document", f"{namespace!r} is not a camt.053 namespace", CORRECT)
        if not FIRST_VERSION <= int(said.group(4)) <= LAST_VERSION:
            problem = f"version {said.group(4)} of camt.053 is not one we read"
            remedy = f"Ask the bank for a version from {FIRST_VERSION:02d} to {LAST_VERSION:02d}"
            self.refuse(_at(root), "Document", problem, remedy)

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

    def refuse_syntax(self, error: etree.XMLSyntaxError, *, at_end: bool) -> NoReturn:
        message = re.sub(r", line \d+, column \d+.*", "", error.msg or "it is not well formed")
        if at_end or "remature end" in message:
            self.refuse(error.lineno, None, "the file ends in the middle: it is truncated", AGAIN)
        if "encod" in message.lower() or "UTF" in message or "Char 0x" in message:
            problem = f"the file is not in the encoding it says ({message})"
            self.refuse(error.lineno, None, problem, "Upload it as the bank gave it, not saved by an editor")
        self.refuse(error.lineno, None, f"the file is not well-formed XML: {message}", AGAIN)

    # parts of a statement --------------------------------------------------------------------------------

    def statement(self, stmt: etree._Element, first_entry: etree._Element | None) -> Statement:
        message = stmt.getparent()
        if message is not None:  # the first statement takes it away with itself; the others keep it
            group = message.find(_q("GrpHdr/MsgId"))
            self.message_id = group.text if group is not None else self.message_id
        text = _Texts(stmt)
        account = self.account(text)
        currency = self.currency_of(stmt, account, first_entry)
        found = (self.balance(bal, currency) for bal in stmt.findall(_q("Bal")))
        balances = tuple(balance for balance in found if balance is not None)
        by_code = {b.code: b.amount_minor for b in reversed(balances)}
        last_page = text("StmtPgntn/LastPgInd")
        return Statement(
            id=self.needed(text, "Id"),
            message_id=self.message_id,
            electronic_sequence_number=self.whole(text, "ElctrncSeqNb"),
            legal_sequence_number=self.whole(text, "LglSeqNb"),
            page_number=self.whole(text, "StmtPgntn/PgNb"),
            is_last_page=None if last_page is None else _is_true(last_page),
            created_at=self.moment(text, "CreDtTm"),
            period_start=self.day(text, "FrToDt/FrDtTm", "FrToDt/FrDt"),
            period_end=self.day(text, "FrToDt/ToDtTm", "FrToDt/ToDt"),
            account=account,
            currency=currency,
            balances=balances,
            opening_minor=next((by_code[code] for code in _OPENING if code in by_code), None),
            closing_minor=by_code.get("CLBD"),
            source_line=_at(stmt) or 0,
            problems=self.problems,
        )

    def account(self, text: _Texts) -> Account:
        bank = "Acct/Svcr/FinInstnId"
        account = Account(
            iban=text("Acct/Id/IBAN"),
            other_id=text("Acct/Id/Othr/Id"),
            currency=text("Acct/Ccy"),
            name=text("Acct/Nm", "Acct/Ownr/Nm"),
            servicer=text(f"{bank}/BICFI", f"{bank}/BIC", f"{bank}/Nm"),
        )
        if not (account.iban or account.other_id):
            problem = "the statement does not say which account it is of"
            self.wrong(text.line, "Acct", problem, CORRECT)
        return account

    def currency_of(self, stmt: etree._Element, account: Account, entry: etree._Element | None) -> str:
        """The account's currency; else that of its balances or of the first entry; else the expected one."""
        amounts = [bal.find(_q("Amt")) for bal in stmt.findall(_q("Bal"))]
        if entry is not None:
            amounts.append(entry.find(_q("Amt")))
        said = next((a.get("Ccy") for a in amounts if a is not None and a.get("Ccy")), None)
        currency = account.currency or said or self.expected_currency
        if currency is None or currency not in EXPONENTS:
            problem = (
                f"{currency!r} is not a currency we know" if currency else "the statement has no currency"
            )
            self.refuse(_at(stmt), "Ccy", problem, CORRECT)
        if self.expected_currency and currency != self.expected_currency:
            problem = (
                f"the statement is in {currency}, the account it is meant for in {self.expected_currency}"
            )
            self.wrong(_at(stmt), "Ccy", problem, "Choose the account the statement belongs to")
        return currency

    def balance(self, bal: etree._Element, currency: str) -> Balance | None:
        text = _Texts(bal)
        code = text("Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry") or "?"
        amount = self.amount(bal, f"Bal {code}", currency)
        sign = self.sign(text, f"Bal {code}")
        if amount is None or sign is None:
            return None
        return Balance(code, sign * amount, currency, self.day(text, "Dt/Dt", "Dt/DtTm"))

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

    def line(self, statement: Statement, ntry: etree._Element, ordinal: int) -> Line | None:
        """The entry; None, and problems, when what it says of money cannot be believed."""
        where = f"Ntry {ordinal}"
        text = _Texts(ntry)
        amount = self.amount(ntry, where, statement.currency)
        sign = self.sign(text, where)
        status = text("Sts/Cd", "Sts/Prtry", "Sts")
        if status is None:
            self.wrong(_at(ntry), where, "the entry does not say whether it is booked (Sts)", CORRECT)
        if amount is None or sign is None or status is None:
            return None
        self.check_transactions(ntry, where, sign * amount, statement.currency)
        return Line(
            ordinal=ordinal,
            source_line=_at(ntry) or 0,
            amount_minor=sign * amount,
            currency=statement.currency,
            is_credit=sign > 0,
            is_reversal=_is_true(text("RvslInd")),
            status=status,
            booking_date=self.day(text, "BookgDt/Dt", "BookgDt/DtTm"),
            value_date=self.day(text, "ValDt/Dt", "ValDt/DtTm"),
            entry_reference=text("NtryRef"),
            account_servicer_reference=text("AcctSvcrRef"),
            bank_transaction_code=_bank_transaction_code(text),
            additional_information=text("AddtlNtryInf"),
            batch_count=self.batch_count,
            transactions=tuple(self.transactions),
        )

    def check_transactions(self, ntry: etree._Element, where: str, amount_minor: int, currency: str) -> None:
        """Several transactions that all say an amount in the account's currency should add to the entry."""
        amounts = [t.amount_minor for t in self.transactions if t.currency == currency]
        known = [amount for amount in amounts if amount is not None]
        if 1 < len(known) == len(self.transactions) and sum(known) != amount_minor:
            sums = (
                f"{format_minor(sum(known), currency)}, the entry is {format_minor(amount_minor, currency)}"
            )
            self.warn(_at(ntry), where, f"its transactions add to {sums}", "Match the entry as a whole")

    def transaction(self, tx: etree._Element, ntry: etree._Element) -> Transaction:
        text = _Texts(tx)
        indicator = text("CdtDbtInd") or ntry.findtext(_q("CdtDbtInd"), "").strip()
        sign = -1 if indicator == "DBIT" else 1
        amount, currency = self.transaction_amount(tx)
        end_to_end = text("Refs/EndToEndId")
        end_to_end = (
            None if end_to_end == "NOTPROVIDED" else end_to_end
        )  # ISO 20022's word for "there is none"
        is_return = tx.find(_q("RtrInf")) is not None
        name, account, agent = _counterparty(text, sign)
        return Transaction(
            amount_minor=None if amount is None else sign * amount,
            currency=currency,
            end_to_end_id=end_to_end,
            instruction_id=text("Refs/InstrId"),
            transaction_id=text("Refs/TxId"),
            mandate_id=text("Refs/MndtId"),
            payment_information_id=text("Refs/PmtInfId"),
            account_servicer_reference=text("Refs/AcctSvcrRef"),
            counterparty_name=name,
            counterparty_account=account,
            counterparty_agent=agent,
            remittance_text=_joined(tx, "RmtInf/Ustrd"),
            structured_reference=_joined(tx, "RmtInf/Strd/CdtrRefInf/Ref"),
            is_return=is_return,
            return_reason=text("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf"),
            original_end_to_end_id=end_to_end if is_return else None,  # the return's Refs keep it
            additional_information=text("AddtlTxInf"),
            bank_transaction_code=_bank_transaction_code(text),
        )

    def transaction_amount(self, tx: etree._Element) -> tuple[int | None, str | None]:
        """The amount of one transaction, unsigned, in its currency: Amt since .03, AmtDtls/TxAmt before."""
        element = tx.find(_q("Amt"))
        if element is None:
            element = tx.find(_q("AmtDtls/TxAmt/Amt"))
        if element is None:
            return None, None
        currency = element.get("Ccy") or ""
        if currency not in EXPONENTS:  # it only informs: the entry's amount is what counts
            problem = f"{currency!r} is not a currency we know; the transaction comes without amount"
            self.warn(_at(element), "TxDtls Amt", problem, "Match the entry as a whole")
            return None, None
        return self.minor(element, "TxDtls Amt", currency), currency

    # fields ----------------------------------------------------------------------------------------------

    def amount(self, parent: etree._Element, where: str, currency: str) -> int | None:
        """The unsigned amount that must be there, in the statement's currency."""
        element = parent.find(_q("Amt"))
        if element is None:
            self.wrong(_at(parent), where, "the amount is missing", CORRECT)
            return None
        if (said := element.get("Ccy")) != currency:
            problem = f"the amount is in {said or 'no currency'}, the account in {currency}"
            self.wrong(_at(element), f"{where} Amt", problem, CORRECT)
            return None
        return self.minor(element, f"{where} Amt", currency)

    def minor(self, element: etree._Element, where: str, currency: str) -> int | None:
        text = (element.text or "").strip()
        match = _DECIMAL.fullmatch(text)
        whole, _, fraction = (match.group(1) if match else "").partition(".")
        try:
            if not (whole or fraction):  # xs:decimal allows 1. and .5, but no comma and nothing empty
                raise NotMoney(f"{text[:40]!r} is not an amount")
            return parse_minor(f"{whole or '0'}.{fraction or '0'}", currency)
        except NotMoney as error:
            self.wrong(_at(element), where, str(error), CORRECT)
            return None

    def sign(self, text: _Texts, where: str) -> int | None:
        indicator = text("CdtDbtInd")
        if indicator not in ("CRDT", "DBIT"):
            self.wrong(text.line, where, f"{indicator!r} is neither CRDT nor DBIT", CORRECT)
            return None
        return 1 if indicator == "CRDT" else -1

    def needed(self, text: _Texts, path: str) -> str:
        found = text(path)
        if found is None:
            self.wrong(text.line, path, f"{path} is missing", CORRECT)
        return found or ""

    def whole(self, text: _Texts, path: str) -> int | None:
        found = text(path)
        if found is None:
            return None
        if not re.fullmatch(r"[0-9]{1,18}", found):
            self.wrong(text.line, path, f"{found[:40]!r} is not a whole number", CORRECT)
            return None
        return int(found)

    def day(self, text: _Texts, *paths: str) -> date | None:
        """A date, or the date of a moment as the bank wrote it: not moved to another time zone."""
        found = text(*paths)
        if found is None:
            return None
        match = _DATE.fullmatch(found)
        try:
            return date.fromisoformat(match.group(1) if match else "")
        except ValueError:
            self.wrong(text.line, paths[0], f"{found[:40]!r} is not a date", CORRECT)
            return None

    def moment(self, text: _Texts, path: str) -> datetime | None:
        found = text(path)
        if found is None:
            return None
        try:
            return datetime.fromisoformat(found)
        except ValueError:
            self.wrong(text.line, path, f"{found[:40]!r} is not a date and time", CORRECT)
            return None


def _parser(event: Literal["start", "end"], tags: tuple[str, ...] | None) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=(event,),
        tag=tags,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _events(parser: etree.XMLPullParser) -> Iterator[etree._Element]:
    for _, element in parser.read_events():
        yield cast(etree._Element, element)  # the stubs allow for namespace events, which we do not ask for


@cache
def _q(path: str) -> str:
    """The path in any namespace or none: a/b is {*}a/{*}b."""
    return "/".join(f"{{*}}{name}" for name in path.split("/"))


def _name(element: etree._Element) -> str:
    """The name without its namespace. Not etree.QName: it raises for a brace inside the namespace."""
    return element.tag.rpartition("}")[2]


def _at(element: etree._Element) -> int | None:
    """The element's line in the file (lxml's stubs do not type it)."""
    return cast("int | None", element.sourceline)


class _Texts:
    """The texts below an element by their path, gathered in one walk: looking for each would be ten walks.

    Where a path comes twice the first counts. Entries and balances of a statement are not gathered.
    """

    __slots__ = ("element", "texts")

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        self.texts: dict[str, str] = {}
        self.gather(element, "")

    def gather(self, element: etree._Element, before: str) -> None:
        for child in element:
            name = _name(child)
            if name in ("Ntry", "Bal"):
                continue
            path = before + name
            if len(child):
                self.gather(child, path + "/")
            elif (text := child.text) and (text := text.strip()):
                self.texts.setdefault(path, text)

    def __call__(self, *paths: str) -> str | None:
        """The text at the first path that has any."""
        for path in paths:
            if (text := self.texts.get(path)) is not None:
                return text
        return None

    @property
    def line(self) -> int | None:
        return _at(self.element)


def _joined(parent: etree._Element, path: str) -> str | None:
    texts = (element.text for element in parent.findall(_q(path)))
    return " ".join(stripped for text in texts if text and (stripped := text.strip())) or None


def _is_true(text: str | None) -> bool:
    return text in ("true", "1")


def _remove_before(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def _bank_transaction_code(text: _Texts) -> BankTransactionCode:
    return BankTransactionCode(
        text("BkTxCd/Domn/Cd"),
        text("BkTxCd/Domn/Fmly/Cd"),
        text("BkTxCd/Domn/Fmly/SubFmlyCd"),
        text("BkTxCd/Prtry/Cd"),
    )


def _counterparty(text: _Texts, sign: int) -> tuple[str | None, str | None, str | None]:
    """Name, account and bank of the other side: who was paid when money went out, who paid when it came in.

    Of returns some banks keep the roles of the first payment, so a side that is not named gives way to the
    other.
    """
    for side in ("Cdtr", "Dbtr") if sign < 0 else ("Dbtr", "Cdtr"):
        parties = (side, f"{side}/Pty", f"Ultmt{side}", f"Ultmt{side}/Pty")  # Pty since .08
        name = text(*(f"RltdPties/{party}/Nm" for party in parties))
        account = text(f"RltdPties/{side}Acct/Id/IBAN", f"RltdPties/{side}Acct/Id/Othr/Id")
        if name or account:
            bank = f"RltdAgts/{side}Agt/FinInstnId"
            return name, account, text(f"{bank}/BICFI", f"{bank}/BIC", f"{bank}/ClrSysMmbId/MmbId")
    return None, None, None
