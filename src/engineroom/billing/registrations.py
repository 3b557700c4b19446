"""What billing offers to the rest: its open items; invoices and bills of suppliers on the thread."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engineroom.billing import duties, margin, printing, search, tasks  # noqa: F401  each registers
from engineroom.billing.models import BillRun, Invoice, InvoiceMirror, SupplierBill
from engineroom.billing.supplier_bills import ITEM_KIND, SUBJECT, is_reversed
from engineroom.foundation import prepared, thread
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.money import format_minor
from engineroom.ledger.services import on_reversal
from engineroom.openitems import kinds
from engineroom.timesheets.selectors import register_biller

kinds.register("invoice", "invoice")
register_biller(
    """(SELECT b.client_id, b.id AS charge_id, i.number FROM billing_billed b
  JOIN billing_invoiceline l ON l.client_id = b.client_id AND l.id = b.invoice_line_id
  JOIN billing_invoice i ON i.client_id = l.client_id AND i.id = l.invoice_id)"""
)
kinds.register(ITEM_KIND, "supplier bill")
on_reversal(is_reversed)


LINES = """
SELECT l.id, i.number, l.line_no, l.description, l.kind, l.net, l.rate, i.currency, i.issue_date
FROM billing_invoiceline l JOIN billing_invoice i ON i.client_id = l.client_id AND i.id = l.invoice_id
WHERE l.client_id = ANY(%s) AND l.id = ANY(%s)
"""


def _lines(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "invoice_line",
            row[0],
            f"line {row[2]} of {row[1]}: {row[3]}, {row[4]}",
            row[5],
            row[7],
            row[8],
            rule=f"{format_minor(row[6], row[7])} an hour",
            page=("billing:invoice", (row[1],)),
        )
        for row in prepared.rows(LINES, [list(current_scope().read), list(ids)])
    ]


INVOICES = """
SELECT i.id, i.number, k.name, i.gross, i.currency, i.issue_date, i.vat_rule
FROM billing_invoice i JOIN openitems_counterparty k ON k.client_id = i.client_id AND k.id = i.customer_id
WHERE i.client_id = ANY(%s) AND i.id = ANY(%s)
"""


def _invoices(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "invoice",
            row[0],
            f"invoice {row[1]} to {row[2]}",
            row[3],
            row[4],
            row[5],
            rule=row[6],
            page=("billing:invoice", (row[1],)),
        )
        for row in prepared.rows(INVOICES, [list(current_scope().read), list(ids)])
    ]


def _bill_runs(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "bill_run", r.id, f"bill run {r.number}", day=r.issue_date, page=("billing:run", (r.number,))
        )
        for r in BillRun.objects.filter(id__in=ids)
    ]


def _supplier_bills(ids: Sequence[UUID]) -> list[thread.Node]:
    rows = SupplierBill.objects.select_related("supplier").filter(
        client_id__in=current_scope().read, id__in=list(ids)
    )
    return [
        thread.Node(
            SUBJECT,
            r.id,
            f"supplier bill {r.number}: {r.reference} of {r.supplier.name}",
            r.gross,
            r.currency,
            r.issue_date,
            state=r.state,
            page=("billing:supplier_bill", (r.number,)),
        )
        for r in rows
    ]


def _find_supplier_bill(text: str) -> list[UUID]:
    rows = SupplierBill.objects.filter(client_id__in=current_scope().read, reference__iexact=text)
    return list(rows.order_by("-number").values_list("id", flat=True))


def _find_invoice(text: str) -> list[UUID]:
    scope = current_scope()
    return list(
        Invoice.objects.filter(client_id__in=scope.read, number__iexact=text).values_list("id", flat=True)
    )


def _mirrors(ids: Sequence[UUID]) -> list[thread.Hop]:
    """What the firm bills a client is that client's bill of a supplier."""
    rows = InvoiceMirror.objects.filter(client_id__in=current_scope().read, invoice_id__in=list(ids))
    return [
        thread.Hop(("invoice", r.invoice_id), r.to_client_id, SUBJECT, r.document_id, forward=True)
        for r in rows
    ]


def _mirrored(ids: Sequence[UUID]) -> list[thread.Hop]:
    rows = SupplierBill.objects.filter(
        client_id__in=current_scope().read, id__in=list(ids), source="mirror"
    ).values_list("id", "exchange_client_id", "exchange_id")
    return [
        thread.Hop((SUBJECT, bill), client, "invoice", invoice, forward=False)
        for bill, client, invoice in rows
        if client is not None
    ]


thread.register_hops("invoice", _mirrors)
thread.register_hops(SUBJECT, _mirrored)
thread.register_kind("bill_run", _bill_runs, lane="On a document")
thread.register_kind("invoice_line", _lines, lane="On a document")
thread.register_kind("invoice", _invoices, _find_invoice, lane="On a document")
thread.register_kind(SUBJECT, _supplier_bills, _find_supplier_bill, lane="On a document")
INVOICE_ENTRIES = """(
  SELECT client_id, subject_id AS invoice_id, entry_id FROM openitems_openitem WHERE subject_kind = 'invoice'
) posted"""
thread.register_link(
    thread.Link("invoice", "entry", INVOICE_ENTRIES, "invoice_id", "entry_id"),
    thread.Link("billable", "invoice_line", "billing_billed", "id", "invoice_line_id"),
    thread.Link("invoice_line", "invoice", "billing_invoiceline", "id", "invoice_id"),
    thread.Link("invoice", "item", "openitems_openitem", "subject_id", "id", "subject_kind = 'invoice'"),
    thread.Link(SUBJECT, "entry", "billing_supplierbill", "id", "entry_id"),
    thread.Link(SUBJECT, "item", "openitems_openitem", "subject_id", "id", "subject_kind = 'supplier_bill'"),
)
