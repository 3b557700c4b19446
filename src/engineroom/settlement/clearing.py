"""Clearing: what the bank says against what is on its way and what is owed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.ids import uuids_to_column
from engineroom.ledger.selectors import locked_through
from engineroom.ledger.services import AlreadyPosted, Journal, Line, account_ids, post_journals
from engineroom.openitems.models import OpenItem
from engineroom.openitems.selectors import open_items
from engineroom.openitems.services import NothingLeft, add_item, allocate
from engineroom.settlement import accounts
from engineroom.settlement.engine import matching
from engineroom.settlement.models import (
    BankLine,
    Cleared,
    ClearingUndone,
    LineException,
    LineExplanation,
    OwnAccount,
    Payment,
    PaymentBatch,
)


class AlreadyCleared(Conflict):
    """Somebody else cleared one of the lines meanwhile; nothing was done twice."""


@dataclass(frozen=True)
class ClearingDone:
    """How many lines are cleared now, and how many stay exceptions, each with its reason."""

    cleared: int
    exceptions: int
    returned: int


@command("settlement.prepare")
def clear_lines(own_account: str = "main") -> ClearingDone:
    """Match the account's open lines, post what is certain, and give every other line its reason.

    Of two people clearing one account the second waits, then finds what the first has left.
    """
    client_id = current_scope().client_id
    account = _account_alone(client_id, own_account)
    rows = {row.id: row for row in _in_order(_for_rules(client_id).filter(own_account=account))}
    waiting, locked = _locked_apart(list(rows.values()))
    lines = [_to_match(row) for row in waiting]
    outcome = matching.match(lines, _candidates(account, lines))
    for settled in outcome.settled:
        _settle(account, rows[settled.line.id], settled)
    unsettled = [*outcome.unsettled, *locked]
    _note_exceptions(client_id, unsettled)
    returned = sum(s.rule == "returned payment" for s in outcome.settled)
    return ClearingDone(len(outcome.settled), len(unsettled), returned)


def _account_alone(client_id: UUID, code: str) -> OwnAccount:
    row = (
        OwnAccount.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account")
        .filter(client_id=client_id, code=code)
        .first()
    )
    if row is None:
        raise NotFound(f"this client has no bank account called {code!r}; add it first")
    return row


def _uncleared(client_id: UUID) -> QuerySet[BankLine]:
    done = Cleared.objects.filter(client_id=client_id, line_id=OuterRef("id"))
    return BankLine.objects.filter(~Exists(done), client_id=client_id)


def _for_rules(client_id: UUID) -> QuerySet[BankLine]:
    """Open lines that no person has taken in hand: one that was explained waits for a second person, and one
    that was taken back for somebody who knows better than the rule that had cleared it.
    """
    said = (
        LineExplanation.objects.filter(client_id=client_id, line_id=OuterRef("id"))
        .order_by("-at", "-id")
        .annotate(stands=Q(items__len__gt=0) | ~Q(account_code=""))
        .values("stands")[:1]
    )
    undone = ClearingUndone.objects.filter(client_id=client_id, line_id=OuterRef("id"))
    left = _uncleared(client_id).annotate(said=Subquery(said))
    return left.filter(~Exists(undone)).filter(Q(said=False) | Q(said__isnull=True))


def _in_order(rows: QuerySet[BankLine]) -> QuerySet[BankLine]:
    return rows.order_by("booked", "statement__statement_id", "ordinal", "id")


def _locked_apart(rows: list[BankLine]) -> tuple[list[BankLine], list[matching.Unsettled]]:
    """Lines of a locked period cannot be posted: they wait as exceptions and hold up nobody else's."""
    through = locked_through()
    locked = [row for row in rows if through and row.booked <= through]
    detail = (
        f"the books are locked through {through}; reopen the period and clear again, "
        "or say what the line is: it is posted on the first open day"
    )
    why = [matching.Unsettled(_to_match(row), "period locked", detail) for row in locked]
    return [row for row in rows if not (through and row.booked <= through)], why


def _to_match(row: BankLine) -> matching.Line:
    text = f"{row.end_to_end} {row.bank_reference} {row.remittance}"
    return matching.Line(
        row.id, row.booked, row.currency, row.amount, text, row.counterparty_name, bool(row.return_reason)
    )


def _candidates(account: OwnAccount, lines: list[matching.Line]) -> list[matching.Candidate]:
    """What a line may settle: files on their way, payments that may come back, open invoices.

    What is settled already comes with nothing left, so that a line which names it is not taken for another.
    Only the files that a line names give their payments: the others are years of them.
    """
    batches = list(PaymentBatch.objects.filter(client_id=account.client_id, own_account=account))
    entry_days = {batch.transit_item_id: batch.entry_day for batch in batches}
    texts = "\n".join(matching.normalised(f"{line.reference} {line.counterparty}") for line in lines)
    named = [batch.id for batch in batches if matching.normalised(batch.reference) in texts]
    found = [
        matching.Candidate("batch", i.id, i.reference, i.open, i.currency, "", entry_days[i.id])
        for i in open_items(kind="in_transit", include_closed=True)
        if i.id in entry_days
    ]
    back = OpenItem.objects.filter(
        client_id=account.client_id, subject_kind="payment", subject_id=OuterRef("id")
    )
    payments = (
        Payment.objects.filter(client_id=account.client_id, batch_id__in=named)
        .annotate(is_back=Exists(back))
        .order_by("id")
    )
    found += [
        matching.Candidate("payment", p.id, p.reference, 0 if p.is_back else p.amount, account.currency)
        for p in payments.iterator()
    ]
    found += [
        matching.Candidate("invoice", i.id, i.reference, i.open, i.currency, i.counterparty)
        for i in open_items(kind="invoice", include_closed=True)
    ]
    return found


def _settle(account: OwnAccount, row: BankLine, settled: matching.Settled) -> None:
    """Post the line and allocate it. The line's own row in Cleared makes sure it happens once."""
    try:
        with transaction.atomic():
            item_id = _returned(account, row, settled) or _received_or_paid(account, row, settled)
            Cleared.objects.create(
                client_id=row.client_id,
                line=row,
                rule=settled.rule,
                why=settled.why[:300],
                item_id=item_id,
            )
    except (IntegrityError, AlreadyPosted, NothingLeft) as error:
        raise AlreadyCleared(
            "somebody cleared one of these lines, or settled what it pays, meanwhile; "
            "nothing was done twice, look again"
        ) from error


def _post_line(account: OwnAccount, row: BankLine, settled: matching.Settled, other: str) -> UUID:
    """One entry for the line: the bank's account against the other one. Returns the entry's id."""
    narrative = f"Bank {row.booked}: {settled.why}"[:300]
    lines = (
        Line(account.account.code, row.amount, currency=row.currency),
        Line(other, -row.amount, currency=row.currency),
    )
    posted = post_journals("bank_line", ("bank_line", row.id), [Journal(row.booked, narrative, lines)])
    return posted.entry_ids[0]


def _returned(account: OwnAccount, row: BankLine, settled: matching.Settled) -> UUID | None:
    """A payment that came back: that one payee is owed again. None when the line is no return."""
    candidate = settled.parts[0][0]
    if candidate.kind != "payment":
        return None
    payment = Payment.objects.select_related("item__account").get(client_id=row.client_id, id=candidate.id)
    owed = payment.item
    again = add_item(
        owed.kind,
        counterparty_id=payment.payee_id,
        account_id=owed.account_id,
        amount=-row.amount,
        due=row.booked,
        entry_id=_post_line(account, row, settled, owed.account.code),
        subject=("payment", payment.id),
        reference=f"{owed.reference} returned"[:100],
        currency=row.currency,
    )
    return again.id


OTHER_SIDE: dict[matching.Kind, str] = {"batch": accounts.IN_TRANSIT, "invoice": accounts.RECEIVABLES}


def _received_or_paid(account: OwnAccount, row: BankLine, settled: matching.Settled) -> UUID:
    """The line becomes an item of its own on the other account, set against what it settles."""
    other = OTHER_SIDE[settled.parts[0][0].kind]
    subject = ("bank_line", row.id)
    entry_id = _post_line(account, row, settled, other)
    item = add_item(
        "bank_line",
        counterparty_id=None,
        account_id=account_ids()[other],
        amount=-row.amount,
        due=row.booked,
        entry_id=entry_id,
        subject=subject,
        reference=row.bank_reference,
        currency=row.currency,
    )
    allocate(
        uuids_to_column([candidate.id for candidate, _ in settled.parts]),
        item.id,
        np.array([abs(amount) for _, amount in settled.parts], dtype=np.int64),
        subject=subject,
        entry_id=entry_id,
    )
    return settled.parts[0][0].id


def _note_exceptions(client_id: UUID, unsettled: list[matching.Unsettled]) -> None:
    """Keep the reason of every line that is not cleared, unless it is the reason it had."""
    latest = _latest_reasons(client_id)
    LineException.objects.bulk_create(
        LineException(client_id=client_id, line_id=u.line.id, reason=u.reason, detail=u.detail[:300])
        for u in unsettled
        if latest.get(u.line.id) != (u.reason, u.detail[:300])
    )


def _latest_reasons(client_id: UUID) -> dict[UUID, tuple[str, str]]:
    """By line, of lines that are not cleared."""
    rows = (
        LineException.objects.filter(client_id=client_id, line_id__in=_uncleared(client_id).values("id"))
        .order_by("line_id", "-at", "-id")
        .distinct("line_id")
        .values_list("line_id", "reason", "detail")
    )
    return {line: (reason, detail) for line, reason, detail in rows}


@dataclass(frozen=True)
class OpenException:
    """A bank line that nothing explains yet, with the latest reason."""

    line: BankLine
    reason: str
    detail: str


def open_exceptions() -> list[OpenException]:
    """Every line of the client that is not cleared, with why. A line nobody looked at yet says so."""
    client_id = current_client_id()
    reasons = defaultdict(lambda: ("not looked at", "run: engineroom clear"), _latest_reasons(client_id))
    rows = _uncleared(client_id).select_related("own_account").order_by("booked", "ordinal", "id")
    return [OpenException(row, *reasons[row.id]) for row in rows]
