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

The same reader reads account reports (camt.052) and notifications (camt.054) where it is asked to: they say
movements in the same words, but neither is final, and only statements are held to their balances.

Nothing in the file makes us fetch or expand anything: a DOCTYPE is refused by name, entities are not
resolved, the network is off, and no run of bytes that yields nothing may grow beyond MAX_HELD_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache, lru_cache
from typing import BinaryIO, Literal, NoReturn, cast

from lxml import etree

from engineroom.kernel.errors import InputRefused, errors_of
from engineroom.kernel.money import EXPONENTS, NotMoney, format_minor, parse_minor
from engineroom.settlement.formats.reading import AGAIN, CORRECT, Reading
from engineroom.settlement.formats.record import (
    Account,
    Balance,
    BankTransactionCode,
    Kind,
    Line,
    Statement,
    Transaction,
)

MAX_HELD_BYTES = 4 * 1024 * 1024
"""The most one transaction, or what stands before it, may take: a real one takes some kilobytes."""

MAX_TRANSACTIONS = 100_000
"""Transactions in one entry: a batch of payments booked as one sum."""

FIRST_VERSION, LAST_VERSION = 2, 13

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(\w+)\.(\w+)\.(\w+)\.([0-9]+)")
_DECIMAL = re.compile(r"\+?([0-9]{0,18}(?:\.[0-9]{0,18})?)")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T[0-9:.,]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_DOCTYPE = re.compile(rb"(?:[^<]|<\?|<!--|<(?![A-Za-z!?]))*<!DOCTYPE")
"""A DOCTYPE before the first element, also where the parser gave up inside it."""

_OTHER_MESSAGES = {
    "BkToCstmrStmt": "an account statement (camt.053)",
    "BkToCstmrAcctRpt": "an account report (camt.052), which is not final",
    "BkToCstmrDbtCdtNtfctn": "a debit and credit notification (camt.054), which has no balances",
    "CstmrCdtTrfInitn": "a payment order (pain.001)",
    "CstmrDrctDbtInitn": "a collection order (pain.008)",
    "CstmrPmtStsRpt": "a payment status report (pain.002)",
}
_CONTAINERS = {"BkToCstmrStmt": "Stmt", "BkToCstmrAcctRpt": "Rpt", "BkToCstmrDbtCdtNtfctn": "Ntfctn"}
_NUMBERS = {"BkToCstmrStmt": "053", "BkToCstmrAcctRpt": "052", "BkToCstmrDbtCdtNtfctn": "054"}
_KINDS: dict[str, Kind] = {"Stmt": "statement", "Rpt": "report", "Ntfctn": "notification"}
STATEMENTS = frozenset(["BkToCstmrStmt"])
ALL_MESSAGES = frozenset(_CONTAINERS)
_OPENING = ("OPBD", "PRCD")
"""Opening booked; else what closed the day before."""

_ENTRY_FIELDS = frozenset(
    ("NtryRef", "Amt", "CdtDbtInd", "RvslInd", "Sts", "BookgDt", "ValDt", "AcctSvcrRef", "BkTxCd")
)
"""What an entry says before its transactions and is still needed at its end."""


def read(
    stream: BinaryIO,
    *,
    file_name: str,
    expected_currency: str | None = None,
    messages: frozenset[str] = STATEMENTS,
    keep_said: bool = False,
) -> Iterator[Statement]:
    """The statements of a file, in order, their lines lazily.

    expected_currency: of the account this file is meant for. Raises InputRefused: at once when the file
    cannot be read on (not XML, truncated, another message), else at its end with every problem found. A
    problem's row is the line in the file. messages: those that are read; others are refused by name.
    keep_said: each line keeps its entry's XML.
    """
    return _Reading(stream, file_name, expected_currency, messages, keep_said).statements()


class _Reading(Reading):
    """One pass over one file: the walk, what is wrong with it, the parts of a statement, single fields."""

    format = "camt.053"

    def __init__(
        self,
        stream: BinaryIO,
        file_name: str,
        expected_currency: str | None,
        messages: frozenset[str],
        keep_said: bool,
    ) -> None:
        super().__init__(stream, file_name, expected_currency)
        self.messages = messages
        self.keep_said = keep_said
        self.said: list[str] = []
        self.container = "Stmt"
        self.parents: dict[str, str] = {}
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
            if name == self.container:  # its end: a statement without entries
                statement = self.statement(element, None)
                yield statement
                self.check_statement(statement, 0, complete=True)
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
            self.wrong(None, None, f"there is no statement ({self.container}) in the file", CORRECT)
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
            self.transactions, self.batch_count, self.said = [], None, []
            complete = complete and line is not None
            if line is not None:
                booked_minor += line.amount_minor if line.is_booked else 0
                yield line
            ordinal += 1
            name, element = next(elements)
        if element.find(_q("Bal")) is not None:
            self.wrong(_at(element), "Bal", "a balance stands after the entries", CORRECT)
        self.check_statement(statement, booked_minor, complete)
        self.inside_statement = False

    def check_statement(self, statement: Statement, booked_minor: int, complete: bool) -> None:
        if statement.kind == "statement":
            self.check_footing(statement, booked_minor, complete)

    def elements(self) -> Iterator[tuple[str, etree._Element]]:
        """Each entry (Ntry) when complete, each statement (Stmt) at its end; emptied once the caller is done.

        Transactions and batches are read here, in passing, so that an entry of thousands is never held as
        XML.
        """
        for element in self.parse():
            name = _name(element)
            parent = element.getparent()
            if parent is None or _name(parent) != self.parents.get(name):
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
        self.keep(element)
        element.clear()
        _remove_before(element)
        if len(entry) > len(_ENTRY_FIELDS):
            for sibling in list(parent.itersiblings(preceding=True)):
                if _name(sibling) not in _ENTRY_FIELDS:
                    self.keep(sibling)
                    entry.remove(sibling)
        if len(entry) > 2 * len(_ENTRY_FIELDS):
            self.refuse(_at(entry), "Ntry", "an entry repeats its fields", CORRECT)

    def keep(self, element: etree._Element) -> None:
        if self.keep_said:
            self.said.append(etree.tostring(element, encoding="unicode", with_tail=False))

    def parse(self) -> Iterator[etree._Element]:
        """Elements of interest at their end, chunk by chunk."""
        chunk = self.chunk()
        self.probe(chunk)
        parser = _parser("end", tuple(f"{{*}}{name}" for name in self.parents))
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
        if _name(root) != "Document" or name not in self.messages:
            kind = _OTHER_MESSAGES.get(name, f"<{_name(root)}><{name}>")
            problem = f"the file is {kind}, not an account statement (camt.053)"
            self.refuse(_at(message), name, problem, "Choose camt.053 when you download from the bank")
        self.container = _CONTAINERS[name]
        self.parents = {
            self.container: name,
            "Ntry": self.container,
            "TxDtls": "NtryDtls",
            "Btch": "NtryDtls",
        }
        if not namespace:
            return
        said = _NAMESPACE.fullmatch(namespace)
        number = _NUMBERS[name]
        if said is None or said.group(1, 2) != ("camt", number):
            self.refuse(_at(root), "Document", f"{namespace!r} is not a camt.{number} namespace", CORRECT)
        if not FIRST_VERSION <= int(said.group(4)) <= LAST_VERSION:
            problem = f"version {said.group(4)} of camt.{number} is not one we read"
            remedy = f"Ask the bank for a version from {FIRST_VERSION:02d} to {LAST_VERSION:02d}"
            self.refuse(_at(root), "Document", problem, remedy)

    # what is wrong ---------------------------------------------------------------------------------------

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
            period_start=self.day_of(text, "FrToDt/FrDtTm", "FrToDt/FrDt"),
            period_end=self.day_of(text, "FrToDt/ToDtTm", "FrToDt/ToDt"),
            account=account,
            currency=currency,
            balances=balances,
            opening_minor=next((by_code[code] for code in _OPENING if code in by_code), None),
            closing_minor=by_code.get("CLBD"),
            source_line=_at(stmt) or 0,
            problems=self.problems,
            kind=_KINDS[self.container],
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
        amount = self.amount(text, f"Bal {code}", currency)
        sign = self.sign(text, f"Bal {code}")
        if amount is None or sign is None:
            return None
        return Balance(code, sign * amount, currency, self.day_of(text, "Dt/Dt", "Dt/DtTm"))

    def line(self, statement: Statement, ntry: etree._Element, ordinal: int) -> Line | None:
        """The entry; None, and problems, when what it says of money cannot be believed."""
        where = f"Ntry {ordinal}"
        text = _Texts(ntry)
        amount = self.amount(text, where, statement.currency)
        sign = self.sign(text, where)
        status = text("Sts/Cd", "Sts/Prtry", "Sts")
        if status is None:
            self.wrong(_at(ntry), where, "the entry does not say whether it is booked (Sts)", CORRECT)
        if amount is None or sign is None or status is None:
            return None
        self.check_transactions(ntry, where, sign * amount, statement.currency)
        self.keep(ntry)
        return Line(
            ordinal=ordinal,
            source_line=_at(ntry) or 0,
            amount_minor=sign * amount,
            currency=statement.currency,
            is_credit=sign > 0,
            is_reversal=_is_true(text("RvslInd")),
            status=status,
            booking_date=self.day_of(text, "BookgDt/Dt", "BookgDt/DtTm"),
            value_date=self.day_of(text, "ValDt/Dt", "ValDt/DtTm"),
            entry_reference=text("NtryRef"),
            account_servicer_reference=text("AcctSvcrRef"),
            bank_transaction_code=_bank_transaction_code(text),
            additional_information=text("AddtlNtryInf"),
            batch_count=self.batch_count,
            transactions=tuple(self.transactions),
            said="\n".join(self.said),
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
        amount, currency = self.transaction_amount(text)
        end_to_end = text("Refs/EndToEndId")
        end_to_end = (
            None if end_to_end == "NOTPROVIDED" else end_to_end
        )  # ISO 20022's word for "there is none"
        is_return = "RtrInf" in text.elements
        name, account, agent = _counterparty(text, sign)
        original, original_currency = self.original_amount(text, currency, ntry)
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
            remittance_text=text.joined("RmtInf/Ustrd"),
            structured_reference=text.joined("RmtInf/Strd/CdtrRefInf/Ref"),
            is_return=is_return,
            return_reason=text("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf"),
            original_end_to_end_id=end_to_end if is_return else None,  # the return's Refs keep it
            additional_information=text("AddtlTxInf"),
            bank_transaction_code=_bank_transaction_code(text),
            original_amount_minor=original,
            original_currency=original_currency,
            exchange_rate=text("AmtDtls/InstdAmt/CcyXchg/XchgRate", "AmtDtls/TxAmt/CcyXchg/XchgRate"),
        )

    def original_amount(
        self, text: _Texts, currency: str | None, ntry: etree._Element
    ) -> tuple[int | None, str | None]:
        """What was instructed, where that is another currency."""
        element = text.elements.get("AmtDtls/InstdAmt/Amt")
        said = None if element is None else element.get("Ccy")
        if element is None or said is None or said not in EXPONENTS:
            return None, None
        if said == (currency or _entry_currency(ntry)):
            return None, None
        return self.minor_of(element, "TxDtls InstdAmt", said), said

    def transaction_amount(self, text: _Texts) -> tuple[int | None, str | None]:
        """The amount of one transaction, unsigned, in its currency: Amt since .03, AmtDtls/TxAmt before."""
        element = text.elements.get("Amt")
        if element is None:
            element = text.elements.get("AmtDtls/TxAmt/Amt")
        if element is None:
            return None, None
        currency = element.get("Ccy") or ""
        if currency not in EXPONENTS:  # it only informs: the entry's amount is what counts
            problem = f"{currency!r} is not a currency we know; the transaction comes without amount"
            self.warn(_at(element), "TxDtls Amt", problem, "Match the entry as a whole")
            return None, None
        return self.minor_of(element, "TxDtls Amt", currency), currency

    # fields ----------------------------------------------------------------------------------------------

    def amount(self, text: _Texts, where: str, currency: str) -> int | None:
        """The unsigned amount that must be there, in the statement's currency."""
        element = text.elements.get("Amt")
        if element is None:
            self.wrong(text.line, where, "the amount is missing", CORRECT)
            return None
        if (said := element.get("Ccy")) != currency:
            problem = f"the amount is in {said or 'no currency'}, the account in {currency}"
            self.wrong(_at(element), f"{where} Amt", problem, CORRECT)
            return None
        return self.minor_of(element, f"{where} Amt", currency)

    def minor_of(self, element: etree._Element, where: str, currency: str) -> int | None:
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

    def day_of(self, text: _Texts, *paths: str) -> date | None:
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
    return _local(element.tag)


@lru_cache(4096)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _at(element: etree._Element) -> int | None:
    """The element's line in the file (lxml's stubs do not type it)."""
    return cast("int | None", element.sourceline)


_NOT_GATHERED = frozenset(("Ntry", "Bal"))


class _Texts:
    """The texts below an element by their path, gathered in one walk: looking for each would be ten walks.

    Where a path comes twice the first counts. Entries and balances of a statement are not gathered.
    """

    __slots__ = ("element", "elements", "more", "texts")

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        self.elements: dict[str, etree._Element] = {}
        self.texts: dict[str, str] = {}
        self.more: dict[str, list[str]] = {}
        self.gather(element, "")

    def gather(self, element: etree._Element, before: str) -> None:
        elements, texts = self.elements, self.texts
        for child in element:
            name = _local(child.tag)
            if name in _NOT_GATHERED:
                continue
            path = before + name
            if path not in elements:
                elements[path] = child
            if len(child):
                self.gather(child, path + "/")
            elif (text := child.text) and (text := text.strip()):
                if path in texts:
                    self.more.setdefault(path, []).append(text)
                else:
                    texts[path] = text

    def joined(self, path: str) -> str | None:
        """All texts at a path that comes again and again."""
        first = self.texts.get(path)
        return first if path not in self.more else " ".join([first or "", *self.more[path]])

    def __call__(self, *paths: str) -> str | None:
        """The text at the first path that has any."""
        for path in paths:
            if (text := self.texts.get(path)) is not None:
                return text
        return None

    @property
    def line(self) -> int | None:
        return _at(self.element)


def _entry_currency(ntry: etree._Element) -> str | None:
    amount = ntry.find(_q("Amt"))
    return None if amount is None else amount.get("Ccy")


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
