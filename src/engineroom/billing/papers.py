"""Invoices as customers get them: PDFs of what was issued, kept in the vault, once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from engineroom.billing import selectors
from engineroom.billing.documents import InvoiceDocument, InvoiceLine, PaymentDetail, VatLine, render_invoices
from engineroom.billing.models import BillRun, Invoice
from engineroom.billing.models import InvoiceLine as Row
from engineroom.billing.services import find_bill_run
from engineroom.foundation import vault
from engineroom.foundation.commands import command
from engineroom.foundation.jobs import shown
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.money import format_minor
from engineroom.ui.display import format_duration

KIND = "billing.invoice"

RENDER_AT_ONCE = 100
"""Invoices typeset before they are stored; bounds the memory of a large bill run."""

JOB = "billing.print_invoices"


@dataclass(frozen=True)
class InvoicesPrinted:
    bill_run_id: UUID
    invoices: int
    left: int = 0

    @property
    def subject(self) -> str:
        return f"bill_run:{self.bill_run_id}"


@dataclass(frozen=True)
class PrintingPlanned:
    """missing: invoices that are not printed yet; with none of them, nothing was queued."""

    bill_run_id: UUID
    missing: int

    @property
    def subject(self) -> str:
        return f"bill_run:{self.bill_run_id}"


@command("billing.prepare")
def plan_printing(bill_run_id: UUID) -> PrintingPlanned:
    """Have the invoices of a bill run typeset in the background. While that goes on, it is not queued
    twice."""
    from engineroom.billing.tasks import print_invoices_job

    run = find_bill_run(bill_run_id)
    missing = _missing(run).count()
    if missing and not shown.is_queued(JOB, "bill_run_id", run.id):
        print_invoices_job.configure(lock=f"print:{run.id}").defer(
            client_id=str(run.client_id), bill_run_id=str(run.id), user_id=str(current_scope().user.id)
        )
    return PrintingPlanned(run.id, missing)


def _missing(run: BillRun) -> QuerySet[Invoice]:
    """The issued invoices of a bill run that are not in the vault, by number."""
    files = VaultFile.objects.filter(client_id=run.client_id, kind=KIND, subject_id=OuterRef("id"))
    rows = Invoice.objects.filter(~Exists(files), client_id=run.client_id, bill_run=run)
    return rows.select_related("customer").order_by("number")


def invoice_files(bill_run_id: UUID) -> QuerySet[VaultFile]:
    """The PDFs of a bill run's invoices, by name."""
    client_id = current_client_id()
    invoices = Invoice.objects.filter(client_id=client_id, bill_run_id=bill_run_id)
    files = VaultFile.objects.filter(client_id=client_id, kind=KIND, subject_id__in=invoices.values("id"))
    return files.order_by("name", "id")


@command("billing.prepare")
def print_invoices(bill_run_id: UUID, *, at_most: int | None = None) -> InvoicesPrinted:
    """Typeset the issued invoices of a bill run into the vault. Those that are there already stay as they
    are.

    at_most: a part of those that are missing, by number; `left` says how many still are.
    """
    run = find_bill_run(bill_run_id)
    missing = list(_missing(run))
    invoices = missing[:at_most]
    if not invoices:
        return InvoicesPrinted(run.id, 0)
    held = held_by_customer()
    for invoice, pdf in zip(
        invoices,
        render_invoices([document(i, held.get(i.customer_id, "")) for i in invoices]),
        strict=True,
    ):
        vault.store(
            pdf, name=f"{invoice.number}.pdf", kind=KIND, media_type="application/pdf", subject_id=invoice.id
        )
    return InvoicesPrinted(run.id, len(invoices), len(missing) - len(invoices))


def document(invoice: Invoice, held_note: str) -> InvoiceDocument:
    """What an invoice shows, from the rows as issued."""
    lines = list(Row.objects.filter(client_id=invoice.client_id, invoice=invoice).order_by("line_no"))
    weeks = [line.week_ending for line in lines]
    customer, ours = invoice.parties["customer"], invoice.parties["supplier"]
    rate = lines[0].vat_ppm
    return InvoiceDocument(
        supplier_name=ours["name"],
        supplier_address=_lines(ours.get("address", "")),
        supplier_vat_number=ours.get("vat_number", ""),
        customer_name=customer["name"],
        customer_address=_lines(customer.get("address", "")),
        customer_vat_number=customer.get("vat_number", ""),
        invoice_number=invoice.number,
        issue_date=invoice.issue_date,
        tax_point=invoice.tax_point,
        due_date=invoice.due,
        period_from=min(weeks) - timedelta(days=6),
        period_to=max(weeks),
        order_number=invoice.order_number,
        lines=[
            InvoiceLine(
                line.description,
                "Temporary staff",
                line.kind,
                line.minutes,
                line.rate,
                line.net,
                line.vat_ppm,
            )
            for line in lines
        ],
        vat=[VatLine(rate, invoice.net, invoice.vat)],
        net_minor=invoice.net,
        vat_minor=invoice.vat,
        gross_minor=invoice.gross,
        currency=invoice.currency,
        held_note=held_note,
        pay_to=_pay_to(ours, invoice.number),
    )


def _pay_to(details: dict[str, str], number: str) -> list[PaymentDetail]:
    """Where to pay, as far as the client has said; always with the number that finds the invoice again."""
    known = [
        ("Sort code", details.get("sort_code")),
        ("Account", details.get("account_number")),
        ("IBAN", details.get("iban")),
    ]
    return [
        *(PaymentDetail(label, text) for label, text in known if text),
        PaymentDetail("Reference", number),
    ]


def _lines(address: str) -> list[str]:
    return [part.strip() for part in address.replace("\n", ",").split(",") if part.strip()]


def held_by_customer() -> dict[UUID, str]:
    """What is held back from each customer, in words for the foot of an invoice."""
    sums: dict[tuple[UUID, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in selectors.held():
        why = f"beyond order {row.order_number}" if row.reason == "over_order" else row.reason
        sums[row.customer_id, why][0] += row.minutes
        sums[row.customer_id, why][1] += row.amount
    notes: dict[UUID, list[str]] = defaultdict(list)
    for (customer, why), (minutes, amount) in sorted(sums.items()):
        notes[customer].append(
            f"{format_duration(minutes)} ({format_minor(amount, symbol=True)}) are held: {why}"
        )
    return {customer: "; ".join(parts) for customer, parts in notes.items()}
