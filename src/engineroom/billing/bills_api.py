"""Bills of suppliers for programs: entered, read from e-invoices, coded, approved, withdrawn."""

from __future__ import annotations

from datetime import date
from typing import Annotated, BinaryIO, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, File, Query, Schema
from ninja.files import UploadedFile
from pydantic import StringConstraints

from engineroom.billing import accounts, checking, einvoices, received, supplier_bills
from engineroom.billing.models import SupplierBill
from engineroom.foundation import vault
from engineroom.foundation.api import (
    ERRORS_OF_COMMANDS,
    NO_NUL,
    Asked,
    Code,
    ContentAsked,
    Day,
    Page,
    PageAsked,
    ReasonAsked,
    Room,
    answers,
    caller_of,
    client_of,
    cut,
    one,
    require,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.money import MAX_MINOR

router = Room("billing")

Words = Annotated[str, StringConstraints(max_length=300, pattern=NO_NUL)]
Minor = Annotated[int, Field(ge=-MAX_MINOR, le=MAX_MINOR)]
AccountCode = Annotated[str, StringConstraints(min_length=1, max_length=20, pattern=NO_NUL)]


class SupplierBillLineOut(Schema):
    """What a line is for, and where it goes."""

    line_no: int
    description: str
    net_minor: int
    account: str


class SupplierBillOut(Schema):
    """A bill in minor units; a credit note is negative. state: draft, posted, withdrawn or reversed."""

    id: UUID
    number: int
    supplier: str
    supplier_name: str
    reference: str
    issue_date: date
    due: date
    currency: str
    net_minor: int
    vat_minor: int
    gross_minor: int
    state: str
    source: str


class SupplierBillDetailOut(SupplierBillOut):
    """A bill with its lines, what is left to pay, and the hash that an approver approves."""

    content_hash: str
    open_minor: int
    file_id: UUID | None
    note: str
    reason: str
    lines: list[SupplierBillLineOut]


class BillLineAsked(Asked):
    """A line as the bill has it."""

    description: Words
    net_minor: Minor
    account: AccountCode = accounts.PURCHASES


class EnterBillAsked(Asked):
    """A bill as its supplier states it. supplier_name: of a new supplier."""

    supplier: Words
    supplier_name: Words = ""
    reference: Words
    issue_date: Day
    due: Day | None = None
    lines: Annotated[list[BillLineAsked], Field(max_length=supplier_bills.MOST_LINES)]
    vat_minor: Minor
    note: Words = ""


class BillOfFileAsked(Asked):
    """Where the lines of an e-invoice go. supplier: its code, where its VAT number does not say."""

    account: AccountCode = accounts.PURCHASES
    supplier: Words = ""


class BillAccountAsked(Asked):
    """Where a line goes; without its number, where all of them go."""

    account: AccountCode
    line_no: Annotated[int, Field(ge=1, le=supplier_bills.MOST_LINES)] | None = None


class FindingOut(Schema):
    """What is wrong with an e-invoice, in the rule's own words, by whom."""

    by: str
    rule: str
    severity: str
    text: str
    where: str


class EInvoiceReadOut(Schema):
    """An e-invoice as it was read and kept. fatal: how many findings keep it from being a bill."""

    file_id: UUID
    syntax: str
    number: str
    fatal: int
    findings: list[FindingOut]


def _out(row: SupplierBill) -> SupplierBillOut:
    return SupplierBillOut(
        id=row.id,
        number=row.number,
        supplier=row.supplier.code,
        supplier_name=row.supplier.name,
        reference=row.reference,
        issue_date=row.issue_date,
        due=row.due,
        currency=row.currency,
        net_minor=row.net,
        vat_minor=row.vat,
        gross_minor=row.gross,
        state=row.state,
        source=row.source,
    )


@router.read("/supplier-bills", Page[SupplierBillOut], "Bills of suppliers, latest first")
def supplier_bills_listed(client: Client, page: Query[PageAsked]) -> Page[SupplierBillOut]:
    """Every bill that came in, whatever became of it."""
    rows = SupplierBill.objects.filter(client_id=client.id).select_related("supplier")
    found, onward = cut(rows, page, by="number", latest_first=True)
    return Page(items=[_out(row) for row in found], next=onward)


@router.read("/supplier-bills/{bill_id}", SupplierBillDetailOut, "One bill of a supplier")
def supplier_bill(client: Client, bill_id: UUID) -> SupplierBillDetailOut:
    """Its lines, where they go, and what is left to pay."""
    row = one(SupplierBill.objects.select_related("supplier"), "supplier bill", bill_id)
    return SupplierBillDetailOut(
        **_out(row).dict(),
        content_hash=bytes(row.content_hash).hex(),
        open_minor=supplier_bills.bill(row.number).open,
        file_id=row.file_id,
        note=row.note,
        reason=row.reason,
        lines=[
            SupplierBillLineOut(
                line_no=line.line_no,
                description=line.description,
                net_minor=line.net,
                account=line.account.code,
            )
            for line in supplier_bills.lines_of(row)
        ],
    )


@router.command(
    "/supplier-bills", supplier_bills.BillKept, "Enter a supplier's bill", permission="accounting.prepare"
)
def enter_bill(client: Client, asked: EnterBillAsked) -> supplier_bills.BillKept:
    """As a draft: it owes nothing before another person approves it."""
    return supplier_bills.enter_bill(
        supplier_bills.BillSaid(
            supplier=asked.supplier,
            supplier_name=asked.supplier_name,
            reference=asked.reference,
            issue_date=asked.issue_date,
            due=asked.due,
            vat=asked.vat_minor,
            note=asked.note,
            lines=tuple(
                supplier_bills.BillLine(line.description, line.net_minor, line.account)
                for line in asked.lines
            ),
        )
    )


@router.post(
    "/e-invoices",
    response=answers(EInvoiceReadOut, [e for e in ERRORS_OF_COMMANDS if e not in (409, 428)]),
    summary="Read and keep an e-invoice that came in",
    operation_id="billing.read_einvoice",
)
def read_einvoice(request: HttpRequest, code: Code, file: File[UploadedFile]) -> EInvoiceReadOut:
    """UBL or CII, with everything that is wrong with it. It becomes a bill by a call of its own."""
    caller = caller_of(request)
    client = client_of(caller, code)
    with acting(caller, write=client.id) as scope:
        require(scope, "accounting.prepare")
        name = file.name or "e-invoice.xml"
        kept = einvoices.keep_checked(cast("BinaryIO", file.file), name=name, permission="accounting.prepare")
        verdict = checking.check(vault.read(kept), name=kept.name)
    return EInvoiceReadOut(
        file_id=kept.id,
        syntax=verdict.syntax,
        number=verdict.invoice.number,
        fatal=verdict.fatal,
        findings=[
            FindingOut(by=by, rule=each.rule, severity=each.severity, text=each.text, where=each.where)
            for by, found in zip(verdict.by, verdict.findings, strict=True)
            for each in found
        ],
    )


@router.command(
    "/e-invoices/{file_id}/bill",
    supplier_bills.BillKept,
    "Make a draft bill of an e-invoice",
    permission="accounting.prepare",
)
def bill_of_einvoice(client: Client, file_id: UUID, asked: BillOfFileAsked) -> supplier_bills.BillKept:
    """Of one that was read and kept. 422 names every rule that it breaks, and what no bill is posted with."""
    return received.bill_from_einvoice(file_id, account=asked.account, supplier=asked.supplier)


@router.command(
    "/supplier-bills/{bill_id}/account",
    supplier_bills.BillKept,
    "Say where a bill's lines go",
    permission="accounting.prepare",
)
def set_bill_account(client: Client, bill_id: UUID, asked: BillAccountAsked) -> supplier_bills.BillKept:
    """Of a draft: one line, or all of them."""
    return supplier_bills.set_bill_account(bill_id, asked.account, line_no=asked.line_no)


@router.command(
    "/supplier-bills/{bill_id}/approve",
    supplier_bills.BillKept,
    "Approve and post a supplier's bill",
    permission="accounting.approve",
)
def approve_bill(client: Client, bill_id: UUID, asked: ContentAsked) -> supplier_bills.BillKept:
    """Exactly the bill you looked at; whoever made part of it may not."""
    return supplier_bills.approve_bill(bill_id, content_hash=asked.content_hash)


@router.command(
    "/supplier-bills/{bill_id}/withdraw",
    supplier_bills.BillKept,
    "Withdraw a draft bill",
    permission="accounting.prepare",
)
def withdraw_bill(client: Client, bill_id: UUID, asked: ReasonAsked) -> supplier_bills.BillKept:
    """It was wrong, or is none of ours. It stays, with its reason."""
    return supplier_bills.withdraw_bill(bill_id, reason=asked.reason)
