"""Paying open items, and clearing what the bank says.

No money moves here: a file is written for a person to submit, and a statement is read that a person downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np

from engineroom.foundation import numbering, vault
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.crypto.fields import DOTS, reveal
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.calendar import calendar
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, NotPermitted, Problem
from engineroom.kernel.ids import uuid7_column, uuids_to_column
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems import kinds
from engineroom.openitems.selectors import Open, open_items
from engineroom.openitems.services import add_item, allocate
from engineroom.people.models import BankAccount
from engineroom.settlement import accounts
from engineroom.settlement.engine import BacsCycle, bacs_cycle
from engineroom.settlement.formats import bacs18
from engineroom.settlement.models import BatchStage, OwnAccount, Payment, PaymentBatch

BACS_CALENDAR = "ENG"
"""Bacs keeps the bank holidays of England and Wales."""


class NothingToPayOut(EngineroomError):
    """The subject has no open items to pay."""

    status = 422


class PayeeChanged(Conflict):
    """Payees whose account is not the one that was approved; their payments wait for somebody to look."""


@dataclass(frozen=True)
class AccountAdded:
    own_account_id: UUID
    code: str

    @property
    def subject(self) -> str:
        return f"own_account:{self.own_account_id}"


@command("settlement.prepare")
def add_own_account(
    code: str, name: str, *, sort_code: str, account_number: str, service_user_number: str, iban: str = ""
) -> AccountAdded:
    """Add a bank account that the client pays from and is paid to."""
    row = OwnAccount.objects.create(
        client_id=current_scope().client_id,
        code=code,
        name=name,
        sort_code=sort_code,
        account_number=account_number,
        service_user_number=service_user_number,
        iban=iban,
        account_id=account_ids()[accounts.BANK],
    )
    return AccountAdded(row.id, row.code)


@dataclass(frozen=True)
class BatchReleased:
    """A payment file as written: not sent, not settled, not cleared."""

    batch_id: UUID
    number: int
    payments: int
    total: int
    submit_by: date
    processing_day: date
    entry_day: date
    file_id: UUID
    file_name: str
    sha256: str

    @property
    def subject(self) -> str:
        return f"payment_batch:{self.batch_id}"


@command("settlement.release")
def release_payments(
    subject_kind: str, subject_id: UUID, *, kind: str, pay_date: date, own_account: str = "main"
) -> BatchReleased:
    """Pay the open items of a released subject by Bacs: write the file, settle the items, money is in transit.

    Only what was released is paid, only to accounts that were approved. Raises NotApproved, PayeeChanged, InputRefused.
    """
    if approvals.released(subject_kind, subject_id) is None:
        raise approvals.NotApproved(f"this {subject_kind.replace('_', ' ')} is not released, so nothing of it is paid")
    before = PaymentBatch.objects.filter(
        client_id=current_scope().client_id, subject_kind=subject_kind, subject_id=subject_id
    ).first()
    if before is not None:
        raise Conflict(f"payment file {before.number} pays this already")
    items = [i for i in open_items(kind=kind) if (i.subject_kind, i.subject_id) == (subject_kind, subject_id)]
    if not items:
        raise NothingToPayOut("there is nothing left to pay")
    ours = _own_account(own_account)
    cycle = bacs_cycle(pay_date, calendar(BACS_CALENDAR))
    number = numbering.take("payment-batch")
    payments = _payments(items, number)
    payees = _payee_accounts(items, kind, subject_id, pay_date)
    content = _bacs_file(ours, payments, payees, cycle, number)
    return _record(ours, subject_kind, subject_id, payments, cycle, pay_date, number, content)


def _own_account(code: str) -> OwnAccount:
    row = OwnAccount.objects.filter(client_id=current_scope().client_id, code=code).first()
    if row is None:
        raise NotFound(f"this client has no bank account called {code!r}; add it first")
    return row


def batch_reference(number: int) -> str:
    """What our files are called, on the bank's statement too."""
    return f"ER{number:06d}"


@dataclass(frozen=True)
class Due:
    """One payment to be: the open item, and the reference the payee and a return will show."""

    item: Open
    reference: str

    @property
    def amount(self) -> int:
        return -self.item.open


def _payments(items: list[Open], number: int) -> list[Due]:
    ordered = sorted(items, key=lambda i: i.reference)
    return [Due(item, f"{batch_reference(number)} {n:05d}") for n, item in enumerate(ordered, 1)]


@dataclass(frozen=True)
class PayeeAccount:
    name: str
    sort_code: str
    account_number: str


def _payee_accounts(items: list[Open], kind: str, subject_id: UUID, pay_date: date) -> dict[UUID, PayeeAccount]:
    """Where each payee is paid on the day, opened through the logged accessor, and only if it is what was approved."""
    client_id = current_scope().client_id
    rows = {
        row.person_id: row
        for row in BankAccount.objects.filter(
            client_id=client_id, person_id__in=[i.counterparty_id for i in items], starts__lte=pay_date
        ).order_by("starts")
        if row.ends is None or row.ends >= pay_date
    }
    expected = kinds.KINDS[kind].expected_payees if kind in kinds.KINDS else None
    _refuse_changed(items, rows, expected(subject_id) if expected else {})
    ordered = [rows[i.counterparty_id] for i in items if i.counterparty_id in rows]
    purpose = f"payment file for {kind.replace('_', ' ')}"
    sort_codes = reveal(ordered, "sort_code", purpose=purpose)
    numbers = reveal(ordered, "account_number", purpose=purpose)
    if DOTS in sort_codes:
        raise NotPermitted("your role here does not see bank accounts, so you cannot write a payment file")
    return {
        row.person_id: PayeeAccount(row.account_name, sort_code or "", number or "")
        for row, sort_code, number in zip(ordered, sort_codes, numbers, strict=True)
    }


def _refuse_changed(
    items: list[Open], rows: dict[UUID, BankAccount], expected: dict[UUID, bytes | None]
) -> None:
    changed = [
        f"{i.reference} {i.counterparty}"
        for i in items
        if i.counterparty_id not in rows
        or (i.counterparty_id in expected and bytes(rows[i.counterparty_id].fingerprint) != expected[i.counterparty_id])
    ]
    if changed:
        raise PayeeChanged(
            f"{len(changed)} payees' accounts are not those that were approved: {', '.join(changed[:10])}. "
            "Have the change approved, then calculate and approve the run again"
        )


def _bacs_file(
    ours: OwnAccount, payments: list[Due], payees: dict[UUID, PayeeAccount], cycle: BacsCycle, number: int
) -> bytes:
    credits = []
    for due in payments:
        assert due.item.counterparty_id is not None
        payee = payees[due.item.counterparty_id]
        credits.append(
            bacs18.Credit(payee.sort_code, payee.account_number, payee.name, due.reference, due.amount)
        )
    originator = bacs18.Originator(ours.service_user_number, ours.sort_code, ours.account_number, ours.name)
    try:
        return bacs18.write(
            originator,
            credits,
            cycle.processing_day,
            created_on=min(date.today(), cycle.submit_by),
            serial=(number - 1) % 999_999 + 1,
            file_number=(number - 1) % 999 + 1,
        )
    except InputRefused as refused:
        raise InputRefused([_named(p, payments) for p in refused.problems]) from None


def _named(problem: Problem, payments: list[Due]) -> Problem:
    """A problem of the n-th credit, said with the payee's reference."""
    if problem.row is None:
        return problem
    item = payments[problem.row - 1].item
    return Problem(f"{item.reference} {item.counterparty}: {problem.problem}", problem.remedy, None, None, problem.field)


def _record(
    ours: OwnAccount,
    subject_kind: str,
    subject_id: UUID,
    payments: list[Due],
    cycle: BacsCycle,
    pay_date: date,
    number: int,
    content: bytes,
) -> BatchReleased:
    """The file into the vault, the batch and its payments, the entry, the item in transit, and the allocations."""
    client_id = current_scope().client_id
    total = sum(due.amount for due in payments)
    batch_id = UUID(bytes=uuid7_column(1).tobytes())
    file = vault.store(
        content,
        name=f"{batch_reference(number)}-bacs18.txt",
        kind="settlement.bacs18",
        media_type="text/plain",
        subject_id=batch_id,
    )
    narrative = f"Payment file {batch_reference(number)}, on its way"
    posted = post_journals(
        "payment_batch",
        ("payment_batch", batch_id),
        [Journal(pay_date, narrative, (Line(accounts.NET_WAGES, total), Line(accounts.IN_TRANSIT, -total)))],
    )
    codes = account_ids()
    common = {"counterparty_id": None, "due": pay_date, "entry_id": posted.entry_ids[0]}
    subject = ("payment_batch", batch_id)
    paid = add_item(
        "payment", account_id=codes[accounts.NET_WAGES], amount=total, subject=subject, reference=batch_reference(number), **common
    )
    transit = add_item(
        "in_transit", account_id=codes[accounts.IN_TRANSIT], amount=-total, subject=subject, reference=batch_reference(number), **common
    )
    PaymentBatch.objects.create(
        id=batch_id,
        client_id=client_id,
        number=number,
        scheme="bacs18",
        own_account=ours,
        subject_kind=subject_kind,
        subject_id=subject_id,
        pay_date=pay_date,
        submit_by=cycle.submit_by,
        processing_day=cycle.processing_day,
        entry_day=cycle.entry_day,
        count=len(payments),
        total=total,
        file=file,
        transit_item=transit,
        reference=batch_reference(number),
    )
    _insert_payments(batch_id, paid.id, payments)
    failpoint("release")
    return BatchReleased(
        batch_id,
        number,
        len(payments),
        total,
        cycle.submit_by,
        cycle.processing_day,
        cycle.entry_day,
        file.id,
        file.name,
        bytes(file.sha256).hex(),
    )


def _insert_payments(batch_id: UUID, paid_item: UUID, payments: list[Due]) -> None:
    """A payment and the allocation that settles its item share one id."""
    n = len(payments)
    ids = uuid7_column(n)
    items = uuids_to_column([due.item.id for due in payments])
    amounts = np.array([due.amount for due in payments], dtype=np.int64)
    insert_columns(
        Payment,
        {
            "id": ids,
            "client_id": current_scope().client_id,
            "batch_id": batch_id,
            "item_id": items,
            "payee_id": uuids_to_column([due.item.counterparty_id for due in payments if due.item.counterparty_id]),
            "amount": amounts,
            "reference": [due.reference for due in payments],
        },
        n,
    )
    allocate(items, paid_item, amounts, subject=("payment_batch", batch_id), ids=ids)


@dataclass(frozen=True)
class StageRecorded:
    batch_id: UUID
    stage: str

    @property
    def subject(self) -> str:
        return f"payment_batch:{self.batch_id}"


@command("settlement.prepare")
def record_stage(batch_id: UUID, stage: str, *, on: date, evidence: str) -> StageRecorded:
    """Record that the file was submitted to the scheme, or settled by it, with the evidence (a report's number).

    Neither moves money in the books: only the bank's own line does.
    """
    if stage not in ("submitted", "settled"):
        raise EngineroomError("a batch is `submitted` or `settled`; clearing is the bank statement's to say")
    scope = current_scope()
    batch = PaymentBatch.objects.filter(client_id=scope.client_id, id=batch_id).first()
    if batch is None:
        raise NotFound(f"there is no payment batch {batch_id}")
    done = set(BatchStage.objects.filter(client_id=scope.client_id, batch=batch).values_list("stage", flat=True))
    if stage in done:
        raise Conflict(f"payment file {batch.reference} is {stage} already")
    if stage == "settled" and "submitted" not in done:
        raise Conflict(f"payment file {batch.reference} cannot settle before it is submitted")
    BatchStage.objects.create(
        client_id=scope.client_id, batch=batch, stage=stage, on=on, evidence=evidence, by_user_id=scope.user.id
    )
    return StageRecorded(batch_id, stage)


