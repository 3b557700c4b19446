"""Invoices as customers get them: PDFs of what was issued, kept in the vault, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection

from engineroom.billing.documents import InvoiceDocument, InvoiceLine, PaymentDetail, VatLine, render_invoices
from engineroom.billing.models import Invoice
from engineroom.billing.models import InvoiceLine as Row
from engineroom.billing.services import find_bill_run
from engineroom.foundation import vault
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.money import format_minor
from engineroom.ui.display import format_hours

KIND = "billing.invoice"


@dataclass(frozen=True)
class InvoicesPrinted:
    bill_run_id: UUID
    invoices: int

    @property
    def subject(self) -> str:
        return f"bill_run:{self.bill_run_id}"


@command("billing.prepare")
def print_invoices(bill_run_id: UUID) -> InvoicesPrinted:
    """Typeset the issued invoices of a bill run into the vault. Those that are there already stay as they are."""
    run = find_bill_run(bill_run_id)
    invoices = list(
        Invoice.objects.filter(client_id=run.client_id, bill_run=run)
        .exclude(
            id__in=VaultFile.objects.filter(
                client_id=run.client_id, kind=KIND, subject_id__isnull=False
            ).values("subject_id")
        )
        .select_related("customer")
        .order_by("number")
    )
    client = Client.objects.get(id=run.client_id)
    held = held_by_customer(run.client_id)
    for invoice, pdf in zip(
        invoices,
        render_invoices([document(client, i, held.get(i.customer_id, "")) for i in invoices]),
        strict=True,
    ):
        vault.store(
            pdf, name=f"{invoice.number}.pdf", kind=KIND, media_type="application/pdf", subject_id=invoice.id
        )
    return InvoicesPrinted(run.id, len(invoices))


def document(client: Client, invoice: Invoice, held_note: str) -> InvoiceDocument:
    """What an invoice shows, from the rows as issued."""
    lines = list(Row.objects.filter(client_id=invoice.client_id, invoice=invoice).order_by("line_no"))
    weeks = [line.week_ending for line in lines]
    customer, ours = invoice.customer.details, client.details
    rate = lines[0].vat_ppm
    return InvoiceDocument(
        supplier_name=client.name,
        supplier_address=_lines(ours.get("address", "")),
        supplier_vat_number=ours.get("vat_number", ""),
        customer_name=invoice.customer.name,
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


def held_by_customer(client_id: UUID) -> dict[UUID, str]:
    """What is held back from each customer, in words for the foot of an invoice."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.customer_id, h.reason, coalesce(o.number, ''), sum(c.minutes)::bigint, sum(c.bill_amount)::bigint
            FROM timesheets_hold h
            JOIN timesheets_charge c ON c.client_id = h.client_id AND c.id = h.id
            JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
            JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
            JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
            LEFT JOIN timesheets_purchaseorder o ON o.client_id = a.client_id AND o.id = a.order_id
            WHERE h.client_id = %s
              AND NOT EXISTS (SELECT FROM timesheets_holdend x WHERE x.client_id = h.client_id AND x.id = h.id)
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """,
            [client_id],
        )
        notes: dict[UUID, list[str]] = {}
        for customer, reason, order, minutes, amount in cursor:
            why = f"beyond order {order}" if reason == "over_order" else reason
            notes.setdefault(customer, []).append(
                f"{format_hours(minutes)} hours ({format_minor(amount, symbol=True)}) are held: {why}"
            )
        return {customer: "; ".join(parts) for customer, parts in notes.items()}
