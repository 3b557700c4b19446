"""Bill runs and invoices for programs."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Schema

from engineroom.billing import einvoices, mirrors, papers, services
from engineroom.billing.models import BillRun, Invoice, InvoiceLine
from engineroom.foundation.api import Asked, ContentAsked, Day, Page, PageAsked, Room, cut, one
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound

router = Room("billing")


class BillRunOut(Schema):
    """What is to be billed through a day. content_hash: what an approver approves."""

    id: UUID
    number: int
    through: date
    issue_date: date
    content_hash: str


class BillRunDetailOut(BillRunOut):
    """A bill run and how far it is."""

    approved_by: UUID | None
    invoices: list[UUID]


class InvoiceOut(Schema):
    """An issued invoice, in minor units."""

    id: UUID
    bill_run_id: UUID
    number: str
    customer_id: UUID
    customer: str
    order_number: str
    issue_date: date
    tax_point: date
    due: date
    currency: str
    net_minor: int
    vat_minor: int
    gross_minor: int


class InvoiceLineOut(Schema):
    """One assignment, one week, one kind of hour, one rate by hour."""

    id: UUID
    line_no: int
    description: str
    assignment_id: UUID
    week_ending: date
    kind: str
    minutes: int
    rate_minor: int
    net_minor: int
    vat_ppm: int


class MirrorOut(Schema):
    """The other side of an invoice of the house to a client of the firm. bill_id: null while it is pending.

    problem: why it could not be written yet.
    """

    client: str
    bill_id: UUID | None
    problem: str


class InvoiceDetailOut(InvoiceOut):
    """An invoice with its lines and the rule its VAT follows."""

    vat_rule: str
    lines: list[InvoiceLineOut]
    mirror: MirrorOut | None


class PrepareAsked(Asked):
    """What is to be invoiced on a day for the weeks through another."""

    issue_date: Day
    through: Day


class BillRunPreparedOut(Schema):
    """The drafts as bound by their hash."""

    bill_run_id: UUID
    number: int
    invoices: int
    net_minor: int
    currency: str
    content_hash: str
    approval_voided: bool


class InvoicesIssuedOut(Schema):
    """The numbers that were taken, and what the invoices come to."""

    bill_run_id: UUID
    invoices: list[str]
    net_minor: int
    vat_minor: int
    gross_minor: int
    currency: str


def _bill_run(row: BillRun) -> BillRunOut:
    return BillRunOut(
        id=row.id,
        number=row.number,
        through=row.through,
        issue_date=row.issue_date,
        content_hash=bytes(row.content_hash).hex(),
    )


@router.read("/bill-runs", Page[BillRunOut], "Bill runs, latest first")
def bill_runs(client: Client, page: Query[PageAsked]) -> Page[BillRunOut]:
    """Every bill run that was prepared."""
    rows, onward = cut(BillRun.objects.filter(client_id=client.id), page, by="number", latest_first=True)
    return Page(items=[_bill_run(row) for row in rows], next=onward)


@router.read("/bill-runs/{bill_run_id}", BillRunDetailOut, "One bill run")
def bill_run(client: Client, bill_run_id: UUID) -> BillRunDetailOut:
    """Who approved it, and the invoices that were issued from it."""
    row = one(BillRun.objects.all(), "bill run", bill_run_id)
    approval = approvals.standing("bill_run", row.id)
    issued = Invoice.objects.filter(client_id=client.id, bill_run=row).order_by("number")
    return BillRunDetailOut(
        **_bill_run(row).dict(),
        approved_by=approval.user_id if approval else None,
        invoices=list(issued.values_list("id", flat=True)),
    )


def _invoice(row: Invoice) -> InvoiceOut:
    return InvoiceOut(
        id=row.id,
        bill_run_id=row.bill_run_id,
        number=row.number,
        customer_id=row.customer_id,
        customer=row.customer.name,
        order_number=row.order_number,
        issue_date=row.issue_date,
        tax_point=row.tax_point,
        due=row.due,
        currency=row.currency,
        net_minor=row.net,
        vat_minor=row.vat,
        gross_minor=row.gross,
    )


@router.read("/invoices", Page[InvoiceOut], "Invoices, latest first")
def invoices(client: Client, page: Query[PageAsked], customer_id: UUID | None = None) -> Page[InvoiceOut]:
    """Issued invoices; customer_id: of one customer only."""
    rows = Invoice.objects.filter(client_id=client.id).select_related("customer")
    if customer_id:
        rows = rows.filter(customer_id=customer_id)
    found, onward = cut(rows, page, by="issue_date", latest_first=True)
    return Page(items=[_invoice(row) for row in found], next=onward)


@router.read("/invoices/{invoice_id}", InvoiceDetailOut, "One invoice with its lines")
def invoice(client: Client, invoice_id: UUID) -> InvoiceDetailOut:
    """An invoice as issued."""
    row = one(Invoice.objects.select_related("customer"), "invoice", invoice_id)
    lines = InvoiceLine.objects.filter(client_id=client.id, invoice=row).order_by("line_no")
    mirror = mirrors.mirror_of(row.id)
    return InvoiceDetailOut(
        **_invoice(row).dict(),
        vat_rule=row.vat_rule,
        mirror=MirrorOut(
            client=mirrors.client_billed(row.parties), bill_id=mirror.document_id, problem=mirror.problem
        )
        if mirror
        else None,
        lines=[
            InvoiceLineOut(
                id=line.id,
                line_no=line.line_no,
                description=line.description,
                assignment_id=line.assignment_id,
                week_ending=line.week_ending,
                kind=line.kind,
                minutes=line.minutes,
                rate_minor=line.rate,
                net_minor=line.net,
                vat_ppm=line.vat_ppm,
            )
            for line in lines
        ],
    )


@router.read("/invoices/{invoice_id}/pdf", None, "An invoice as PDF", media="application/pdf")
def invoice_pdf(client: Client, invoice_id: UUID) -> HttpResponse:
    """The paper as printed."""
    row = one(Invoice.objects.all(), "invoice", invoice_id)
    file = VaultFile.objects.filter(client_id=client.id, kind=papers.KIND, subject_id=row.id).first()
    if file is None:
        raise NotFound("this invoice is not printed yet")
    return file_answer(file)


@router.read("/invoices/{invoice_id}/ubl", None, "An invoice as an e-invoice", media="application/xml")
def invoice_ubl(client: Client, invoice_id: UUID) -> HttpResponse:
    """The UBL as written, which stays as it is."""
    row = one(Invoice.objects.all(), "invoice", invoice_id)
    file = einvoices.file_of(row.id)
    if file is None:
        raise NotFound("this invoice is not written as an e-invoice yet")
    return file_answer(file)


@router.command(
    "/invoices/{invoice_id}/ubl",
    einvoices.EInvoiceWritten,
    "Write an invoice as an e-invoice",
    permission="billing.prepare",
)
def write_ubl(client: Client, invoice_id: UUID) -> einvoices.EInvoiceWritten:
    """UBL for Peppol, once. 422 names what the parties lack, or what the schema, the arithmetic or the
    installed official rules find.
    """
    return einvoices.write_einvoice(invoice_id)


@router.command(
    "/invoices/{invoice_id}/mirror",
    mirrors.MirrorQueued,
    "Try again to write an invoice's other side",
    permission="billing.prepare",
)
def mirror_again(client: Client, invoice_id: UUID) -> mirrors.MirrorQueued:
    """Of an invoice of the house to a client of the firm: the client's draft bill, where it is not there."""
    return mirrors.mirror_again(invoice_id)


@router.command("/bill-runs", BillRunPreparedOut, "Prepare a bill run", permission="billing.prepare")
def prepare_bill_run(client: Client, asked: PrepareAsked) -> BillRunPreparedOut:
    """Bind what is to be invoiced. Prepared again, it follows what changed."""
    done = services.prepare_bill_run(asked.issue_date, asked.through)
    return BillRunPreparedOut(
        bill_run_id=done.bill_run_id,
        number=done.number,
        invoices=done.invoices,
        net_minor=done.net,
        currency=client.currency,
        content_hash=done.content_hash,
        approval_voided=done.approval_voided,
    )


@router.command(
    "/bill-runs/{bill_run_id}/approve",
    services.BillRunApproved,
    "Approve a bill run",
    permission="billing.approve",
)
def approve_bill_run(client: Client, bill_run_id: UUID, asked: ContentAsked) -> services.BillRunApproved:
    """Approve exactly the drafts you looked at; whoever made part of them may not."""
    return services.approve_bill_run(bill_run_id, content_hash=asked.content_hash)


@router.command(
    "/bill-runs/{bill_run_id}/issue",
    InvoicesIssuedOut,
    "Issue and post the invoices",
    permission="billing.release",
)
def issue_bill_run(client: Client, bill_run_id: UUID) -> InvoicesIssuedOut:
    """Numbers are taken, invoices stand for good, revenue and receivables are posted."""
    done = services.issue_bill_run(bill_run_id)
    return InvoicesIssuedOut(
        bill_run_id=done.bill_run_id,
        invoices=done.invoices,
        net_minor=done.net,
        vat_minor=done.vat,
        gross_minor=done.gross,
        currency=client.currency,
    )


@router.command(
    "/bill-runs/{bill_run_id}/print",
    papers.InvoicesPrinted,
    "Print the invoices",
    permission="billing.prepare",
)
def print_invoices(client: Client, bill_run_id: UUID) -> papers.InvoicesPrinted:
    """Typeset the issued invoices; those that are there stay as they are."""
    return papers.print_invoices(bill_run_id)
