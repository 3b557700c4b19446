"""Payment files and payments, found by their reference; bank lines by what the bank says of them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from engineroom.foundation import search
from engineroom.foundation.search import Hit
from engineroom.settlement.models import BankLine, Cleared, Payment, PaymentBatch
from engineroom.ui.display import format_count, format_day


def _batches(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    """`ER000012`, or a payment of it: `ER000012 00003`."""
    reference, _, of_payment = text.upper().partition(" ")
    rows = PaymentBatch.objects.filter(
        client_id__in=clients, reference__gte=reference, reference__lt=reference + "\U0010ffff"
    )
    found = sorted(rows.order_by()[:limit], key=lambda b: (b.entry_day, b.number), reverse=True)
    if of_payment:
        return _payments(f"{reference} {of_payment.strip()}", found, limit)
    return [
        Hit(
            b.client_id,
            f"Payment file {b.reference}",
            f"{format_count(b.count, 'payment')}, paid {format_day(b.entry_day)}",
            ("settlement:batch", (b.number,)),
            b.total,
        )
        for b in found
    ]


def _payments(reference: str, batches: Sequence[PaymentBatch], limit: int) -> list[Hit]:
    """Through their files: a payment's reference is unique within one."""
    rows = Payment.objects.filter(
        client_id__in={b.client_id for b in batches},
        batch_id__in=[b.id for b in batches],
        reference__gte=reference,
        reference__lt=reference + "\U0010ffff",
    )
    return [
        Hit(
            p.client_id,
            f"Payment {p.reference}",
            f"{p.payee.name}, {format_day(p.batch.entry_day)}",
            ("settlement:batch", (p.batch.number,)),
            p.amount,
            subject_kind="payment",
            subject_id=p.id,
            private=True,
        )
        for p in rows.select_related("payee", "batch").order_by("reference")[:limit]
    ]


def _lines(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    ids = search.named("bank_line", text, clients, limit)
    rows = list(BankLine.objects.filter(client_id__in=clients, id__in=ids).order_by("-booked", "-id"))
    cleared = set(
        Cleared.objects.filter(Q(client_id__in=clients), line_id__in=ids).values_list("line_id", flat=True)
    )
    return [
        Hit(
            row.client_id,
            f"Bank line {row.bank_reference or row.ordinal}",
            ", ".join(
                filter(
                    None,
                    (
                        format_day(row.booked),
                        row.counterparty_name or row.remittance[:60],
                        "cleared" if row.id in cleared else "not explained yet",
                    ),
                )
            ),
            ("settlement:line", (row.id,)),
            row.amount,
            row.currency,
        )
        for row in rows
    ]


search.register("Payments", _batches, permission="settlement.read")
search.register("Bank lines", _lines, permission="settlement.read")
