"""Questions of settlement: how far each payment file is proven, whether the bank agrees with the books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_scope
from engineroom.settlement.models import BatchStage, Cleared, OwnAccount, PaymentBatch, Statement


@dataclass(frozen=True)
class PaymentFileView:
    """A payment file and the furthest thing proven of it: released, submitted, settled or cleared."""

    id: UUID
    reference: str
    pay_date: date
    count: int
    total: int
    submit_by: date
    processing_day: date
    entry_day: date
    state: str


def payment_files() -> list[PaymentFileView]:
    """Every payment file of the client, latest first."""
    client_id = _client()
    cleared: set[UUID | None] = set(
        Cleared.objects.filter(client_id=client_id).values_list("item_id", flat=True)
    )
    stages = set(BatchStage.objects.filter(client_id=client_id).values_list("batch_id", "stage"))
    return [
        PaymentFileView(
            b.id,
            b.reference,
            b.pay_date,
            b.count,
            b.total,
            b.submit_by,
            b.processing_day,
            b.entry_day,
            furthest(b, cleared, stages),
        )
        for b in PaymentBatch.objects.filter(client_id=client_id).order_by("-number")
    ]


def furthest(batch: PaymentBatch, cleared: set[UUID | None], stages: set[tuple[UUID, str]]) -> str:
    """Sent is not settled is not cleared: the furthest that is proven."""
    if batch.transit_item_id in cleared:
        return "cleared"
    for stage in ("settled", "submitted"):
        if (batch.id, stage) in stages:
            return stage
    return "released"


@dataclass(frozen=True)
class Reconciliation:
    """An account beside its statements, minor units. The two agree but for the lines nothing explains yet.

    bank_movement: of all lines taken. ledger: what the books posted for those lines. exceptions: lines that
    are not cleared. without_bank: what the books moved on the account without any bank line. missing: what
    the bank's own balances say moved, from the first statement to the last, beyond the lines taken: a
    statement is missing, or a line was taken twice; None when the statements give no balances.
    """

    account: str
    bank_movement: int
    ledger: int
    exceptions: int
    without_bank: int = 0
    missing: int | None = None

    @property
    def ok(self) -> bool:
        return (
            self.bank_movement == self.ledger + self.exceptions and not self.without_bank and not self.missing
        )


RECONCILE = """
WITH line AS (
  SELECT l.id, l.amount, c.id IS NOT NULL AS cleared
  FROM settlement_bankline l LEFT JOIN settlement_cleared c ON c.client_id = l.client_id AND c.id = l.id
  WHERE l.client_id = %(client)s AND l.own_account_id = %(own)s),
posted AS (
  SELECT p.amount, b.subject_id
  FROM ledger_posting p
  JOIN ledger_entry e ON e.client_id = p.client_id AND e.id = p.entry_id
  JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id
  WHERE p.client_id = %(client)s AND p.account_id = %(account)s AND p.currency = %(currency)s)
SELECT
  (SELECT coalesce(sum(amount), 0) FROM line)::bigint,
  (SELECT coalesce(sum(p.amount), 0) FROM posted p JOIN line l ON l.id = p.subject_id)::bigint,
  (SELECT coalesce(sum(amount) FILTER (WHERE NOT cleared), 0) FROM line)::bigint,
  (SELECT coalesce(sum(p.amount), 0) FROM posted p WHERE NOT EXISTS (
    SELECT FROM settlement_bankline l WHERE l.client_id = %(client)s AND l.id = p.subject_id))::bigint
"""

BANKS_OWN_BALANCES = """
SELECT
  (array_agg(opening ORDER BY starts, import_id, ordinal))[1],
  (array_agg(closing ORDER BY ends DESC, import_id DESC, ordinal DESC))[1],
  bool_and(opening IS NOT NULL AND closing IS NOT NULL AND starts IS NOT NULL AND ends IS NOT NULL)
FROM settlement_statement WHERE client_id = %(client)s AND own_account_id = %(own)s
"""


def reconcile(own_account: str = "main") -> Reconciliation:
    """What the bank says moved, against what the books posted for it. Statements may have gaps and overlap.

    An opening balance that the books took over is the first statement's opening balance: no difference.
    """
    client_id = _client()
    account = OwnAccount.objects.get(client_id=client_id, code=own_account)
    asked: dict[str, UUID | str] = {
        "client": client_id,
        "own": account.id,
        "account": account.account_id,
        "currency": account.currency,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECONCILE, asked)
        moved, posted, left, without_bank = cursor.fetchone()
        cursor.execute(BANKS_OWN_BALANCES, asked)
        opening, closing, all_given = cursor.fetchone()
    return Reconciliation(
        account.name,
        moved,
        posted,
        left,
        without_bank=0 if all_given and without_bank == opening else without_bank,
        missing=closing - opening - moved if all_given else None,
    )


def statements() -> list[Statement]:
    return list(Statement.objects.filter(client_id=_client()).order_by("starts", "statement_id"))


def _client() -> UUID:
    scope = current_scope()
    return scope.write or scope.read[0]
