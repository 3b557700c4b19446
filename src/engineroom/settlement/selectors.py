"""Questions of settlement: how far each payment file is proven, and whether the bank agrees with the books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Sum

from engineroom.foundation.tenancy.scope import current_scope
from engineroom.ledger.selectors import trial_balance
from engineroom.settlement.clearing import open_exceptions
from engineroom.settlement.models import BankLine, BatchStage, Cleared, OwnAccount, PaymentBatch, Statement


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
    cleared = set(Cleared.objects.filter(client_id=client_id).values_list("item_id", flat=True))
    stages = set(BatchStage.objects.filter(client_id=client_id).values_list("batch_id", "stage"))
    return [
        PaymentFileView(
            b.id, b.reference, b.pay_date, b.count, b.total, b.submit_by, b.processing_day, b.entry_day, _state(b, cleared, stages)
        )
        for b in PaymentBatch.objects.filter(client_id=client_id).order_by("-number")
    ]


def _state(batch: PaymentBatch, cleared: set[UUID | None], stages: set[tuple[UUID, str]]) -> str:
    """Sent is not settled is not cleared: the furthest that is proven."""
    if batch.transit_item_id in cleared:
        return "cleared"
    for stage in ("settled", "submitted"):
        if (batch.id, stage) in stages:
            return stage
    return "released"


@dataclass(frozen=True)
class Reconciliation:
    """An account's ledger balance beside its statement: equal but for the lines nothing explains yet."""

    account: str
    bank_movement: int
    ledger: int
    exceptions: int

    @property
    def ok(self) -> bool:
        return self.bank_movement == self.ledger + self.exceptions


def reconcile(own_account: str = "main") -> Reconciliation:
    """What the bank moved since the first statement, against what the books posted to the bank account."""
    client_id = _client()
    account = OwnAccount.objects.select_related("account").get(client_id=client_id, code=own_account)
    moved = BankLine.objects.filter(client_id=client_id, own_account=account).aggregate(total=Sum("amount"))["total"] or 0
    posted = sum(b.balance for b in trial_balance() if b.account_id == account.account_id)
    left = sum(e.line.amount for e in open_exceptions() if e.line.own_account_id == account.id)
    return Reconciliation(account.name, moved, posted, left)


def statements() -> list[Statement]:
    return list(Statement.objects.filter(client_id=_client()).order_by("starts", "statement_id"))


def _client() -> UUID:
    scope = current_scope()
    return scope.write or scope.read[0]
