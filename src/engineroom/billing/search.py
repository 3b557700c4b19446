"""Invoices, found by their number or by whom they were sent to; customers by what is billed to them.

Bills of suppliers, by the supplier's own number of them or by whose they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from engineroom.billing.models import Invoice, SupplierBill
from engineroom.foundation import search
from engineroom.foundation.search import Hit
from engineroom.ui.display import format_day


def _invoices(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    customers = search.named("customer", text, clients, limit)
    numbered = Q(pk__in=[])
    for spelling in search.spelled(text):
        # Both ends: a range is what an index serves under row security, and what LIKE is not.
        numbered |= Q(number__gte=spelling, number__lt=spelling + "\U0010ffff")
    if whole := search.numbered(text):
        numbered |= Q(number=whole)
    rows = Invoice.objects.filter(client_id__in=clients)
    found = [*rows.filter(numbered).select_related("customer").order_by()[:limit]]
    if customers:
        sent = rows.filter(customer_id__in=customers).select_related("customer")
        found += sent.order_by("-issue_date", "-number")[:limit]
    newest = sorted({i.id: i for i in found}.values(), key=lambda i: (i.issue_date, i.number), reverse=True)
    return [
        Hit(
            i.client_id,
            f"Invoice {i.number}",
            f"{i.customer.name}, {format_day(i.issue_date)}",
            ("billing:invoice", (i.number,)),
            i.gross,
            i.currency,
        )
        for i in newest[:limit]
    ]


search.register("Invoices", _invoices, permission="billing.read")


def _supplier_bills(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    theirs = search.named("supplier", text, clients, limit)
    rows = SupplierBill.objects.filter(client_id__in=clients).select_related("supplier")
    wanted = Q(reference__in=search.spelled(text)) | Q(supplier_id__in=theirs)
    return [
        Hit(
            b.client_id,
            f"Bill {b.reference}",
            f"{b.supplier.name}, {format_day(b.issue_date)}",
            ("billing:supplier_bill", (b.number,)),
            b.gross,
            b.currency,
        )
        for b in rows.filter(wanted).order_by("-number")[:limit]
    ]


search.register("Bills of suppliers", _supplier_bills, permission="billing.read")
