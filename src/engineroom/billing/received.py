"""E-invoices that came in, as draft bills of suppliers: what the XML says, once nothing fatal is wrong.

The supplier is found by its VAT number, else by its company number; a new one is made with what the e-invoice
says of it. What no bill can be posted with is refused by name: another currency than the client's books,
VAT that the buyer accounts for, and an e-invoice addressed to somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engineroom.billing import accounts, checking, einvoices
from engineroom.billing.formats.binding import format_hundredths
from engineroom.billing.formats.einvoice import Finding, Invoice, Party
from engineroom.billing.supplier_bills import (
    LONGEST_DESCRIPTION,
    BillKept,
    BillLine,
    BillSaid,
    keep,
    suppliers,
    wrong,
)
from engineroom.foundation import vault
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.kernel.money import EXPONENTS
from engineroom.openitems.models import Counterparty

BUYER_ACCOUNTS = {
    "AE": "reverse charge",
    "K": "supply within the European Union",
}
"""UNTDID 5305 categories under which the buyer owes the VAT (EN 16931, BR-AE and BR-IC rules)."""


@command("accounting.prepare")
def bill_from_einvoice(file_id: UUID, *, account: str = accounts.PURCHASES, supplier: str = "") -> BillKept:
    """Make a draft bill of an e-invoice that came in and was kept.

    account: where its lines go, until somebody says otherwise. supplier: the code of whose it is, where its
    VAT number does not say. Raises InputRefused with everything that keeps it from being a bill, each rule in
    its own words; Conflict where the bill is there already.
    """
    file = file_named(file_id)
    verdict = checking.check(vault.read(file), name=file.name)
    fatal = [finding for finding in verdict.all if finding.severity == "fatal"]
    one = verdict.invoice
    problems = [_said_wrong(file.name, each) for each in fatal] or list(_no_bill(one, file.name))
    if problems:
        raise InputRefused(problems, f"{file.name} became no bill; it is kept as it came")
    found = _found(one, supplier)
    said = said_of(one, found.code, found.name, account)
    if problems := wrong(said):
        raise InputRefused(problems, f"{file.name} became no bill; it is kept as it came")
    return keep(said, source="einvoice", file=file, details=found.details)


def file_named(file_id: UUID) -> VaultFile:
    """Raises NotFound."""
    rows = VaultFile.objects.filter(client_id=current_client_id(), kind=einvoices.CHECKED, id=file_id)
    row = rows.first()
    if row is None:
        raise NotFound("there is no such e-invoice")
    return row


def _said_wrong(name: str, finding: Finding) -> Problem:
    remedy = "Ask the supplier for one that is right"
    return Problem(f"{finding.rule}: {finding.text}", remedy, file=name, field=finding.where or None)


def _no_bill(one: Invoice, name: str) -> Iterator[Problem]:
    """What keeps a right e-invoice from being posted here."""
    client = Client.objects.get(id=current_client_id())
    if one.currency != client.currency:
        remedy = f"Ask for it in {client.currency}: no rate of exchange is kept yet"
        yield Problem(f"it is in {one.currency}, and the books are in {client.currency}", remedy, file=name)
    for part in one.tax.breakdown if one.tax else ():
        if part.category in BUYER_ACCOUNTS:
            what = f"its VAT is the buyer's to account for ({BUYER_ACCOUNTS[part.category]})"
            remedy = "Have the bookkeeper post it by hand: both sides of that VAT are not posted yet"
            yield Problem(what, remedy, file=name)
    ours = _vat_id(str(client.details.get("vat_number", "")), str(client.details.get("country", "")))
    theirs = _vat_id(one.buyer.vat_id if one.buyer else "", "")
    if one.buyer is not None and ours[:2].isalpha() and theirs and ours != theirs:
        what = f"it is addressed to {one.buyer.name or 'somebody'} of VAT number {one.buyer.vat_id}"
        yield Problem(what, f"Take it in where it belongs; {client.name} is {ours}", file=name)
    if one.issue_date is None or one.totals is None or not one.lines:
        yield Problem("it has no day, no totals or no lines", "Ask the supplier for one that has", file=name)


def _vat_id(number: str, country: str) -> str:
    plain = re.sub(r"[^0-9A-Za-z]", "", number).upper()
    return plain if not plain or plain[:2].isalpha() else country.upper() + plain


@dataclass(frozen=True)
class _Supplier:
    code: str
    name: str
    details: dict[str, Any]


def _found(one: Invoice, code: str) -> _Supplier:
    """Whose bill it is: as said, by its numbers, or a new supplier."""
    seller = one.seller or Party()
    name = (seller.name or seller.trading_name).strip()[:200]
    details = _details(seller)
    if code.strip():
        return _Supplier(code.strip(), name, details)
    known = list(suppliers())
    for number in ("vat_number", "company_number"):
        said = _vat_id(str(details.get(number, "")), "")
        for row in known if said else ():
            if _vat_id(str(row.details.get(number, "")), str(row.details.get("country", ""))) == said:
                return _Supplier(row.code, row.name, {})
    return _Supplier(_new_code(name, known), name, details)


def _details(seller: Party) -> dict[str, Any]:
    """What the e-invoice says of the supplier. Where to pay is not among it: that is for a person to say."""
    where = seller.address
    said = {
        "address": ", ".join(p for p in (where.line1, where.line2, where.line3) if p) if where else "",
        "city": where.city if where else "",
        "post_code": where.post_code if where else "",
        "country": where.country if where else "",
        "vat_number": seller.vat_id,
        "company_number": seller.legal_id.value if seller.legal_id else "",
    }
    return {key: value for key, value in said.items() if value}


def _new_code(name: str, known: list[Counterparty]) -> str:
    taken = {row.code for row in known}
    stem = re.sub(r"[^A-Z0-9]", "", name.upper())[:12] or "SUPPLIER"
    codes = [stem, *(f"{stem}{n}" for n in range(2, len(taken) + 3))]
    return next(code for code in codes if code not in taken)


def said_of(one: Invoice, code: str, name: str, account: str) -> BillSaid:
    """The e-invoice as a bill: its lines, and what stands beside them. A credit note is negative.

    Raises InputRefused for an amount that its currency cannot hold.
    """
    assert one.issue_date is not None and one.totals is not None
    sign = -1 if one.is_credit_note else 1
    currency = one.currency
    lines = [
        BillLine(_described(line.name or line.description), line.net or 0, account) for line in one.lines
    ]
    lines += [
        BillLine(_described(part.reason or "charge"), part.amount or 0, account) for part in one.charges
    ]
    lines += [
        BillLine(_described(part.reason or "allowance"), -(part.amount or 0), account)
        for part in one.allowances
    ]
    if one.totals.rounding:
        lines.append(BillLine("rounding", one.totals.rounding, account))
    paid = one.totals.paid or 0
    return BillSaid(
        supplier=code,
        supplier_name=name,
        reference=one.number,
        issue_date=one.issue_date,
        due=one.due if one.due and one.due >= one.issue_date else None,
        lines=tuple(
            BillLine(line.description, sign * minor(line.net, currency), line.account)
            for line in lines
            if line.net
        ),
        vat=sign * minor(one.tax.tax or 0 if one.tax else 0, currency),
        note=f"it says that {format_hundredths(paid)} {currency} is paid already" if paid else "",
    )


def _described(text: str) -> str:
    """The file is kept beside the bill: what is longer stands there."""
    words = " ".join(text.split()) or "not described"
    return words if len(words) <= LONGEST_DESCRIPTION else words[: LONGEST_DESCRIPTION - 1] + "…"


def minor(amount: int, currency: str) -> int:
    """Whole hundredths as minor units. Raises InputRefused for a currency that has none such."""
    exponent = EXPONENTS.get(currency, 2)
    if exponent < 2 and amount % 10 ** (2 - exponent):
        problem = Problem(f"{format_hundredths(amount)} is no amount in {currency}", "Ask for a right one")
        raise InputRefused([problem])
    return int(amount * 10 ** (exponent - 2)) if exponent >= 2 else int(amount // 10 ** (2 - exponent))
