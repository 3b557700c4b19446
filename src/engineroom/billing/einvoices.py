"""Issued invoices as e-invoices: written once from the rows as issued, gated, and kept beside the PDF.

What an e-invoice says of the parties is what the invoice was issued with. It is kept only if it passes the
schema, our own arithmetic, to the penny, and the official rules that are installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.db import connection

from engineroom.billing import checking
from engineroom.billing.formats import arithmetic, reading, schemas, ubl
from engineroom.billing.formats import einvoice as model
from engineroom.billing.formats.binding import format_hundredths
from engineroom.billing.formats.einvoice import Finding
from engineroom.billing.models import Invoice, InvoiceLine
from engineroom.foundation import vault
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.foundation.vault.models import VaultFile
from engineroom.foundation.vault.services import keep
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.kernel.money import EXPONENTS
from engineroom.kernel.rates import PPM

KIND = "billing.einvoice"
CHECKED = "billing.einvoice_checked"
"""One that came in and was read."""

MEDIA_TYPE = "application/xml"

CREDIT_TRANSFER = "30"
"""UNTDID 4461."""


@dataclass(frozen=True)
class EInvoiceWritten:
    """sha256: of the XML, which stays as it is. new: it was not there before."""

    invoice_id: UUID
    number: str
    file_id: UUID
    sha256: str
    new: bool

    @property
    def subject(self) -> str:
        return f"invoice:{self.invoice_id}"


def file_of(invoice_id: UUID) -> VaultFile | None:
    """The e-invoice as it was written, if it was."""
    return VaultFile.objects.filter(client_id=current_client_id(), kind=KIND, subject_id=invoice_id).first()


def find(number: str) -> Invoice:
    """Raises NotFound."""
    row = Invoice.objects.filter(client_id=current_client_id(), number=number).first()
    if row is None:
        raise NotFound(f"there is no invoice {number}")
    return row


@command("billing.prepare")
def write_einvoice(invoice_id: UUID) -> EInvoiceWritten:
    """Write an issued invoice as UBL for Peppol and keep it; what is kept already stays as it is.

    Raises InputRefused with every detail of the parties that is missing, and for one that is not right by
    schema, arithmetic or the installed official rules.
    """
    row = Invoice.objects.filter(client_id=current_client_id(), id=invoice_id).first()
    if row is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    # One at a time: whoever writes this invoice too waits, and finds ours.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"e-invoice:{row.id}"])
    kept = file_of(row.id)
    if kept is not None:
        return EInvoiceWritten(row.id, row.number, kept.id, bytes(kept.sha256).hex(), False)
    content = ubl.write_document(document(row))
    if problems := [_problem(row, finding) for finding in findings(content)]:
        raise InputRefused(problems, f"{row.number} is no e-invoice yet; nothing was kept")
    made = vault.store(content, name=f"{row.number}.xml", kind=KIND, media_type=MEDIA_TYPE, subject_id=row.id)
    return EInvoiceWritten(row.id, row.number, made.id, bytes(made.sha256).hex(), True)


def findings(content: bytes) -> list[Finding]:
    """What keeps an e-invoice of ours from going out. Of our own figures not even a penny is tolerated."""
    one = reading.receive(content, file_name="e-invoice")
    found = [
        *one.findings,
        *schemas.check(one.root, one.syntax),
        *arithmetic.check(one.invoice),
    ]
    if found:
        return found
    return [finding for finding in checking.official(one) if finding.severity == "fatal"]


def _problem(row: Invoice, finding: Finding) -> Problem:
    remedy = "Complete what the rule asks for, or tell whoever keeps Engineroom"
    return Problem(f"{finding.rule}: {finding.text}", remedy, file=row.number, field=finding.where)


def keep_checked(stream: BinaryIO, *, name: str, permission: str = "billing.prepare") -> VaultFile:
    """Keep an e-invoice that came in, unpacked, as it can be read again. Raises InputRefused for what is
    none, RulesNotApplied, NotPermitted.
    """
    name = Path(name).name[-255:]
    verdict = checking.check(stream, name=name)
    return keep(
        verdict.content,
        permission=permission,
        name=name,
        kind=CHECKED,
        media_type=MEDIA_TYPE,
        subject=("client", current_client_id()),
    )


# --- an issued invoice in the words of EN 16931 -------------------------------------------------------------


def document(row: Invoice) -> model.Invoice:
    """The invoice as issued. Raises InputRefused with all that its parties lack."""
    supplier, customer = row.parties["supplier"], row.parties["customer"]
    if problems := list(missing(row)):
        raise InputRefused(problems, f"{row.number} cannot be written as an e-invoice yet")
    lines = list(InvoiceLine.objects.filter(client_id=row.client_id, invoice=row).order_by("line_no"))
    made = tuple(_line(line, row.currency) for line in lines)
    rate = lines[0].vat_ppm
    net, tax = hundredths(row.net, row.currency), hundredths(row.vat, row.currency)
    gross = hundredths(row.gross, row.currency)
    part = model.TaxBreakdown(taxable=net, tax=tax, category=_category(rate), rate=_percent(rate))
    return model.Invoice(
        customization=model.PEPPOL_CUSTOMIZATION,
        profile=model.PEPPOL_PROFILE,
        number=row.number,
        issue_date=row.issue_date,
        due=row.due,
        type_code="380",
        tax_point=row.tax_point if row.tax_point != row.issue_date else None,
        currency=row.currency,
        buyer_reference=_said(customer, "buyer_reference"),
        period_start=min(line.week_ending for line in lines) - timedelta(days=6),
        period_end=max(line.week_ending for line in lines),
        purchase_order=row.order_number,
        seller=_party(supplier),
        buyer=_party(customer),
        payment_means=_payment(supplier, row.number),
        tax=model.TaxTotal(tax=tax, breakdown=(part,)),
        totals=model.Totals(lines=net, net=net, gross=gross, payable=gross),
        lines=made,
    )


def hundredths(minor: int, currency: str) -> int:
    """An amount as EN 16931 writes it. Raises InputRefused where it has more than two decimals."""
    exponent = EXPONENTS[currency]
    if exponent > 2 and minor % 10 ** (exponent - 2):
        problem = Problem(
            f"{currency} has {exponent} decimals and an e-invoice two",
            "Bill in whole hundredths",
            field="amount",
        )
        raise InputRefused([problem])
    return minor * int(10 ** (2 - exponent)) if exponent <= 2 else minor // int(10 ** (exponent - 2))


def missing(row: Invoice) -> Iterator[Problem]:
    """What Peppol asks of both parties and the invoice was issued without."""
    for who, party, where in (
        ("supplier", row.parties["supplier"], "`engineroom clients describe`"),
        ("customer", row.parties["customer"], "the file of customers"),
    ):
        wanted = {
            "address": _said(party, "address"),
            "country": _said(party, "country"),
            "endpoint": _said(party, "endpoint").partition(":")[2],
        }
        if who == "supplier":
            wanted["vat_number"] = _said(party, "vat_number")
        else:
            wanted["buyer_reference"] = row.order_number or _said(party, "buyer_reference")
        for field, value in wanted.items():
            if not value:
                yield Problem(
                    f"the {who} was issued without its {MEANING[field]}",
                    f"Say it in {where} ({field}) before the next invoice; this one was issued as it is",
                    file=row.number,
                    field=f"{who} {field}",
                )


MEANING = {
    "address": "address",
    "country": "country, as in GB",
    "endpoint": "electronic address, as in 0088:5060012345678",
    "vat_number": "VAT number",
    "buyer_reference": "order, or a reference of the buyer's own",
}


def _said(party: Mapping[str, Any], key: str) -> str:
    return str(party.get(key) or "").strip()


def _party(details: Mapping[str, Any]) -> model.Party:
    country = _said(details, "country").upper()
    vat = _vat_id(_said(details, "vat_number"), country)
    company = _said(details, "company_number")
    parts = [part.strip() for part in _said(details, "address").replace("\n", ",").split(",") if part.strip()]
    first, *others = parts or [""]
    return model.Party(
        name=_said(details, "name"),
        legal_id=model.Identifier(value=company) if company else None,
        vat_id=vat,
        endpoint=_endpoint(_said(details, "endpoint")),
        address=model.Address(
            line1=first,
            line2=others[0] if others else "",
            line3=", ".join(others[1:]),
            city=_said(details, "city"),
            post_code=_said(details, "post_code"),
            country=country,
        ),
        contact_email=_said(details, "email"),
    )


def _endpoint(said: str) -> model.Identifier | None:
    scheme, _, value = said.partition(":")
    if value:
        return model.Identifier(value=value.strip(), scheme=scheme.strip())
    return None


def _vat_id(number: str, country: str) -> str:
    """With its country's letters before it (BR-CO-09), without spaces."""
    plain = "".join(number.split()).upper()
    return plain if not plain or plain[:2].isalpha() else country + plain


def _payment(supplier: Mapping[str, Any], number: str) -> tuple[model.PaymentMeans, ...]:
    sort_code = "".join(filter(str.isdigit, _said(supplier, "sort_code")))
    account = "".join(_said(supplier, "iban").split()) or sort_code + _said(supplier, "account_number")
    if not account:
        return ()
    return (model.PaymentMeans(code=CREDIT_TRANSFER, remittance=number, account=account),)


def _percent(ppm: int) -> Decimal:
    return (Decimal(ppm) * 100 / PPM).normalize() + 0


def _category(ppm: int) -> str:
    return "S" if ppm else "Z"


def _line(line: InvoiceLine, currency: str) -> model.Line:
    """Hours at a rate an hour; where hours do not end in two decimals, minutes at the rate for sixty.

    Each charge was rounded to the penny; what that adds up to beyond the official tolerance stands as an
    allowance or a charge of the line, so that its figures hang together.
    """
    in_hours = line.minutes % 3 == 0
    net, rate = hundredths(line.net, currency), hundredths(line.rate, currency)
    exact = Fraction(line.minutes * rate, 60)
    rounded = arithmetic.nearest(exact)
    allowances: tuple[model.AllowanceCharge, ...] = ()
    charges: tuple[model.AllowanceCharge, ...] = ()
    if net != rounded:
        part = model.AllowanceCharge(amount=abs(net - rounded), reason="each day rounded to the penny")
        allowances, charges = ((), (part,)) if net > rounded else ((part,), ())
    return model.Line(
        id=str(line.line_no),
        quantity=Decimal(line.minutes) / 60 if in_hours else Decimal(line.minutes),
        unit="HUR" if in_hours else "MIN",
        net=net,
        period_start=line.week_ending - timedelta(days=6),
        period_end=line.week_ending,
        allowances=allowances,
        charges=charges,
        price=Decimal(format_hundredths(rate)),
        base_quantity=None if in_hours else Decimal(60),
        base_unit="" if in_hours else "MIN",
        category=_category(line.vat_ppm),
        rate=_percent(line.vat_ppm),
        name=line.description,
        description=f"{line.kind} hours, week ending {line.week_ending.isoformat()}",
    )
