"""What settlement offers to the rest: statements as files, payments and bank lines on the thread."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engineroom.foundation import prepared, thread
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.ledger.services import on_reversal
from engineroom.openitems import kinds
from engineroom.settlement import (  # noqa: F401  registers commands, duties, the importer, what is found
    again,
    by_hand,
    clearing,
    duties,
    imports,
    layouts,
    search,
)
from engineroom.settlement.models import BankLine, PaymentBatch

on_reversal(by_hand.keep_cleared)
kinds.register("payment", "payment file")
kinds.register("in_transit", "payments in transit")
kinds.register("bank_line", "bank line")


PAYMENTS = """
SELECT p.id, p.reference, k.name, p.amount, b.entry_day, b.number
FROM settlement_payment p
JOIN settlement_paymentbatch b ON b.client_id = p.client_id AND b.id = p.batch_id
JOIN openitems_counterparty k ON k.client_id = p.client_id AND k.id = p.payee_id
WHERE p.client_id = ANY(%s) AND p.id = ANY(%s)
"""


def _payments(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "payment",
            row[0],
            f"payment {row[1]} to {row[2]}",
            row[3],
            day=row[4],
            page=("settlement:batch", (row[5],)),
        )
        for row in prepared.rows(PAYMENTS, [list(current_scope().read), list(ids)])
    ]


BATCHES = """
SELECT b.id, b.reference, b.count, b.total, b.entry_day, b.submit_by, b.processing_day, b.number,
  CASE WHEN EXISTS (SELECT FROM settlement_cleared c
                    WHERE c.client_id = b.client_id AND c.item_id = b.transit_item_id) THEN 'cleared'
    ELSE coalesce((SELECT s.stage FROM settlement_batchstage s
                   WHERE s.client_id = b.client_id AND s.batch_id = b.id
                   ORDER BY s.stage = 'settled' DESC LIMIT 1), 'released') END
FROM settlement_paymentbatch b WHERE b.client_id = ANY(%s) AND b.id = ANY(%s)
"""


def _batches(ids: Sequence[UUID]) -> list[thread.Node]:
    """With the furthest that is proven of each: sent is not settled is not cleared."""
    return [
        thread.Node(
            "batch",
            row[0],
            f"payment file {row[1]}, {row[2]} payments",
            row[3],
            day=row[4],
            rule=f"Bacs: submit by {row[5]}, processed {row[6]}",
            state=row[8],
            page=("settlement:batch", (row[7],)),
        )
        for row in prepared.rows(BATCHES, [list(current_scope().read), list(ids)])
    ]


LINES = """
SELECT l.id, coalesce(nullif(l.bank_reference, ''), nullif(l.end_to_end, ''), l.ordinal::text),
  coalesce(nullif(l.counterparty_name, ''), left(l.remittance, 60)), l.amount, l.currency, l.booked, c.why
FROM settlement_bankline l
LEFT JOIN settlement_cleared c ON c.client_id = l.client_id AND c.id = l.id
WHERE l.client_id = ANY(%s) AND l.id = ANY(%s)
"""


def _bank_lines(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "bank_line",
            row[0],
            f"bank line {row[1]}: {row[2]}",
            row[3],
            row[4],
            row[5],
            rule="" if row[6] is None else f"cleared: {row[6]}",
            state="exception" if row[6] is None else "cleared",
            page=("settlement:line", (row[0],)),
        )
        for row in prepared.rows(LINES, [list(current_scope().read), list(ids)])
    ]


def _find_bank_line(text: str) -> list[UUID]:
    """By the bank's reference, else by the reference that the payer gave."""
    ours = BankLine.objects.filter(client_id__in=current_scope().read).order_by("booked", "id")
    for field in ("bank_reference", "end_to_end"):
        if found := list(ours.filter(**{f"{field}__iexact": text}).values_list("id", flat=True)):
            return found if text else []
    return []


def _find_batch(text: str) -> list[UUID]:
    rows = PaymentBatch.objects.filter(client_id__in=current_scope().read, reference__iexact=text)
    return list(rows.values_list("id", flat=True))


thread.register_kind("payment", _payments, lane="Paid")
thread.register_kind("batch", _batches, _find_batch, lane="Paid", also=["payment_batch"])
thread.register_kind("bank_line", _bank_lines, _find_bank_line, lane="At the bank")
BATCH_LINES = """(
  SELECT b.client_id, b.id AS batch_id, c.id AS line_id
  FROM settlement_paymentbatch b
  JOIN settlement_cleared c ON c.client_id = b.client_id AND c.item_id = b.transit_item_id
) cleared"""
ITEM_LINES = """(
  SELECT l.client_id, l.item_a_id AS item_id, l.subject_id AS line_id FROM openitems_allocation l
  JOIN openitems_openitem o ON o.client_id = l.client_id AND o.id = l.item_a_id AND o.kind = 'invoice'
  WHERE l.subject_kind = 'bank_line' AND l.undoes_id IS NULL AND NOT EXISTS (
    SELECT FROM openitems_allocation u WHERE u.client_id = l.client_id AND u.undoes_id = l.id)
) cleared"""
RETURNS = """(
  SELECT p.client_id, p.id AS payment_id, c.id AS line_id
  FROM settlement_payment p
  JOIN openitems_openitem o
    ON o.client_id = p.client_id AND o.subject_kind = 'payment' AND o.subject_id = p.id
  JOIN settlement_cleared c ON c.client_id = o.client_id AND c.item_id = o.id
) returned"""
OWED_AGAIN = """(
  SELECT o.client_id, o.subject_id AS payment_id, o.id AS item_id
  FROM openitems_openitem o WHERE o.subject_kind = 'payment'
) again"""
ENTRIES = """(
  SELECT b.client_id, b.subject_kind, b.subject_id, e.id AS entry_id
  FROM ledger_batch b JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
) posted"""
thread.register_link(
    thread.Link("batch", "entry", ENTRIES, "subject_id", "entry_id", "subject_kind = 'payment_batch'"),
    thread.Link("bank_line", "entry", ENTRIES, "subject_id", "entry_id", "subject_kind = 'bank_line'"),
    thread.Link("item", "payment", "settlement_payment", "item_id", "id"),
    thread.Link("payment", "batch", "settlement_payment", "id", "batch_id"),
    thread.Link("batch", "bank_line", BATCH_LINES, "batch_id", "line_id"),
    thread.Link("item", "bank_line", ITEM_LINES, "item_id", "line_id"),
    thread.Link("payment", "bank_line", RETURNS, "payment_id", "line_id"),
    thread.Link("payment", "item", OWED_AGAIN, "payment_id", "item_id"),
)
