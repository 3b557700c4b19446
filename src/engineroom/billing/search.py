"""Invoices, found by their number or by whom they were sent to; customers by what is billed to them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from engineroom.billing.models import Invoice
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
