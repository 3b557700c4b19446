"""The bank: the statement that answers a payment file, as camt.053.001.08.

The file leaves the account as one debit line with its reference; a payment that bounced comes back as a
credit with the payee's own reference and a reason; customers pay their invoices the way customers do. Every
line carries the bank's own reference, which begins with letters: it must not run on from digits of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

from engineroom.kernel.calendar import calendar
from engineroom.kernel.money import format_minor

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
BANK_NAME = "Sample Bank plc"
END_OF_DAY = time(18, 0)
CURRENCY = "GBP"

SALARIES_OUT = ("PMNT", "ICDT", "SALA")
RETURNED_TO_US = ("PMNT", "ICDT", "RRTN")
CREDIT_RECEIVED = ("PMNT", "RCDT", "DMCT")
"""ISO external bank transaction codes: domain, family, sub-family."""

_xml: Any = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


@dataclass(frozen=True)
class OwnAccountFacts:
    """Whose account it is. The bank does not need the service user number; Bacs does."""

    iban: str
    sort_code: str
    account_number: str
    name: str
    service_user_number: str = ""


@dataclass(frozen=True)
class BatchFacts:
    """A payment file: its reference, all it pays (minor units, positive), and the day it is booked."""

    reference: str
    total_minor: int
    entry_day: date


@dataclass(frozen=True)
class ReturnedFacts:
    """One payment of the file that comes back: its own reference in the file, and why (ISO return reason)."""

    reference: str
    amount_minor: int
    day: date
    payee: str
    reason: str = "AC04"
    """Closed account."""


@dataclass(frozen=True)
class ReceiptFacts:
    """Money from a customer, with whatever the customer wrote."""

    day: date
    amount_minor: int
    payer: str
    remittance: str


@dataclass(frozen=True)
class InvoiceFacts:
    """An invoice that waits to be paid."""

    number: str
    gross_minor: int
    customer: str


@dataclass(frozen=True)
class _Entry:
    """One line of the statement. amount_minor: money in is positive."""

    day: date
    amount_minor: int
    code: tuple[str, str, str]
    text: str
    details: Any


UNEXPECTED_MINOR, UNEXPECTED_PAYER, UNEXPECTED_TEXT = 120_00, "J WHITTAKER", "deposit refund"
"""A receipt that settles nothing: somebody must ask."""

PART_PERCENT = 60
PAYER_WIDTH = 18
"""What a bank shows of a payer's name."""


def customers_pay(invoices: Sequence[InvoiceFacts], first_day: date) -> list[ReceiptFacts]:
    """How five customers pay the first five invoices, one a banking day: by number in full, in part, with the
    number as somebody typed it, without any number, in full again. The other invoices stay open. And one
    receipt that nobody expects.
    """
    first_day = calendar("ENG").on_or_after(first_day)
    paid = [
        (amount_of(invoice.gross_minor), invoice.customer, text_of(invoice.number))
        for invoice, (amount_of, text_of) in zip(invoices, _WAYS_OF_PAYING, strict=False)
    ]
    paid.append((UNEXPECTED_MINOR, UNEXPECTED_PAYER, UNEXPECTED_TEXT))
    return [
        ReceiptFacts(calendar("ENG").add(first_day, n), amount, payer.upper()[:PAYER_WIDTH].strip(), text)
        for n, (amount, payer, text) in enumerate(paid)
    ]


def _in_full(gross_minor: int) -> int:
    return gross_minor


def _in_part(gross_minor: int) -> int:
    return gross_minor * PART_PERCENT // 100


_WAYS_OF_PAYING: tuple[tuple[Callable[[int], int], Callable[[str], str]], ...] = (
    (_in_full, lambda number: number),
    (_in_part, lambda number: f"{number} part, query on hours"),
    (_in_full, lambda number: f"pymt {number.lower().replace('-', ' ')}"),
    (_in_full, lambda number: "temp staff wk 47"),
    (_in_full, lambda number: f"YOUR INVOICE {number}"),
)
"""How much of an invoice comes, and what is written on it."""


def write_statement(
    path: Path,
    *,
    account: OwnAccountFacts,
    batch: BatchFacts,
    returned: Sequence[ReturnedFacts],
    receipts: Sequence[ReceiptFacts],
    opening_minor: int,
) -> Path:
    """Write one statement from the batch's day to the last line's. Balances foot; the order is by day."""
    entries = [_batch_entry(batch), *map(_return_entry, returned), *map(_receipt_entry, receipts)]
    entries.sort(key=lambda e: e.day)
    document = _xml.Document(_xml.BkToCstmrStmt(*_statement(account, entries, opening_minor)))
    path.write_bytes(etree.tostring(document, encoding="UTF-8", xml_declaration=True, pretty_print=True))
    return path


def _statement(account: OwnAccountFacts, entries: Sequence[_Entry], opening_minor: int) -> tuple[Any, Any]:
    first, last = entries[0].day, entries[-1].day
    closing_minor = opening_minor + sum(e.amount_minor for e in entries)
    statement_id = f"{account.sort_code}{account.account_number}-{last:%y%m%d}"
    made_at = f"{last}T{END_OF_DAY}"
    of_day: Counter[date] = Counter()
    lines = []
    for entry in entries:
        of_day[entry.day] += 1
        lines.append(_line(entry, f"SB{entry.day:%y%m%d}{of_day[entry.day]:05d}"))
    return (
        _xml.GrpHdr(_xml.MsgId(f"SB-{statement_id}"), _xml.CreDtTm(made_at)),
        _xml.Stmt(
            _xml.Id(statement_id),
            _xml.ElctrncSeqNb(f"{last:%j}".lstrip("0")),
            _xml.CreDtTm(made_at),
            _xml.FrToDt(_xml.FrDtTm(f"{first}T00:00:00"), _xml.ToDtTm(made_at)),
            _account(account),
            _balance("OPBD", opening_minor, first),
            _balance("CLBD", closing_minor, last),
            *lines,
        ),
    )


def _account(account: OwnAccountFacts) -> Any:
    return _xml.Acct(
        _xml.Id(_xml.IBAN(account.iban)),
        _xml.Ccy(CURRENCY),
        _xml.Nm(account.name),
        _xml.Svcr(
            _xml.FinInstnId(
                _xml.ClrSysMmbId(_xml.ClrSysId(_xml.Cd("GBDSC")), _xml.MmbId(account.sort_code)),
                _xml.Nm(BANK_NAME),
            )
        ),
    )


def _balance(code: str, minor: int, day: date) -> Any:
    return _xml.Bal(
        _xml.Tp(_xml.CdOrPrtry(_xml.Cd(code))),
        _amount(minor),
        _direction(minor),
        _xml.Dt(_xml.Dt(day.isoformat())),
    )


def _line(entry: _Entry, bank_reference: str) -> Any:
    domain, family, sub_family = entry.code
    day = _xml.Dt(entry.day.isoformat())
    return _xml.Ntry(
        _amount(entry.amount_minor),
        _direction(entry.amount_minor),
        _xml.Sts(_xml.Cd("BOOK")),
        _xml.BookgDt(day),
        _xml.ValDt(_xml.Dt(entry.day.isoformat())),
        _xml.AcctSvcrRef(bank_reference),
        _xml.BkTxCd(_xml.Domn(_xml.Cd(domain), _xml.Fmly(_xml.Cd(family), _xml.SubFmlyCd(sub_family)))),
        _xml.NtryDtls(entry.details),
        _xml.AddtlNtryInf(entry.text),
    )


def _amount(minor: int) -> Any:
    return _xml.Amt(format_minor(abs(minor), CURRENCY, grouped=False), Ccy=CURRENCY)


def _direction(minor: int) -> Any:
    return _xml.CdtDbtInd("DBIT" if minor < 0 else "CRDT")


def _batch_entry(batch: BatchFacts) -> _Entry:
    tx = _xml.TxDtls(
        _xml.Refs(_xml.PmtInfId(batch.reference), _xml.EndToEndId("NOTPROVIDED")), _amount(-batch.total_minor)
    )
    return _Entry(batch.entry_day, -batch.total_minor, SALARIES_OUT, f"BACS CREDITS {batch.reference}", tx)


def _return_entry(returned: ReturnedFacts) -> _Entry:
    details = _xml.TxDtls(
        _xml.Refs(_xml.EndToEndId(returned.reference)),
        _amount(returned.amount_minor),
        _xml.RltdPties(_xml.Cdtr(_xml.Pty(_xml.Nm(returned.payee)))),
        _xml.RtrInf(_xml.Rsn(_xml.Cd(returned.reason))),
    )
    return _Entry(returned.day, returned.amount_minor, RETURNED_TO_US, "RETURNED BACS CREDIT", details)


def _receipt_entry(receipt: ReceiptFacts) -> _Entry:
    details = _xml.TxDtls(
        _xml.Refs(_xml.EndToEndId("NOTPROVIDED")),
        _amount(receipt.amount_minor),
        _xml.RltdPties(_xml.Dbtr(_xml.Pty(_xml.Nm(receipt.payer)))),
        _xml.RmtInf(_xml.Ustrd(receipt.remittance)),
    )
    return _Entry(receipt.day, receipt.amount_minor, CREDIT_RECEIVED, "FASTER PAYMENT RECEIVED", details)
