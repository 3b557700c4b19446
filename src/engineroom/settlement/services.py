"""Paying open items: what was released, to accounts that were approved, and how far each file is proven.

No money moves here: a file is written for a person to submit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from django.db import IntegrityError, connection

from engineroom.foundation import numbering, vault
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.crypto.fields import DOTS, reveal
from engineroom.foundation.dated import lives_on
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.calendar import calendar
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, NotPermitted, Problem
from engineroom.kernel.ids import uuid7_column, uuids_to_column
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems import kinds
from engineroom.openitems.selectors import Open, open_items
from engineroom.openitems.services import add_item, allocate
from engineroom.people.accounts import fingerprint
from engineroom.people.models import BankAccount
from engineroom.settlement import accounts
from engineroom.settlement.engine import BacsCycle, bacs_cycle
from engineroom.settlement.formats import bacs18
from engineroom.settlement.models import BatchStage, OwnAccount, Payment, PaymentBatch

BACS_CALENDAR = "ENG"
"""Bacs keeps the bank holidays of England and Wales."""

LONDON = ZoneInfo("Europe/London")


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
    """Add a bank account that the client pays from and is paid to. Raises InputRefused, Conflict."""
    code, name = code.strip(), name.strip()
    sort_code = sort_code.replace("-", "").replace(" ", "")
    iban = iban.replace(" ", "").upper()
    if problems := _not_an_account(code, name, sort_code, account_number, service_user_number, iban):
        raise InputRefused(problems)
    client_id = current_scope().client_id
    if OwnAccount.objects.filter(client_id=client_id, code=code).exists():
        raise Conflict(f"this client has a bank account called {code!r} already; rename that one first")
    row = OwnAccount.objects.create(
        client_id=client_id,
        code=code,
        name=name,
        sort_code=sort_code,
        account_number=account_number,
        service_user_number=service_user_number,
        iban=iban,
        account_id=account_ids()[accounts.BANK],
    )
    return AccountAdded(row.id, row.code)


def _not_an_account(
    code: str, name: str, sort_code: str, account_number: str, service_user_number: str, iban: str
) -> list[Problem]:
    """Everything that cannot be a bank account, by its field."""
    found = []
    if not 1 <= len(code) <= 20 or not code.isprintable():
        found.append(Problem("the code is empty or too long", "Use 1 to 20 letters, as main", field="code"))
    if not 1 <= len(name) <= 100:
        found.append(Problem("the name is empty or too long", "Write the name on the account", field="name"))
    if not _digits(sort_code, 6):
        found.append(Problem("this is not a sort code", "Write six digits, as 20-00-00", field="sort_code"))
    if not _digits(account_number, 8):
        found.append(Problem("this is not an account number", "Write eight digits", field="account_number"))
    if service_user_number and not _digits(service_user_number, 6):
        remedy = "Write six digits, or leave it out where no Bacs files are sent"
        found.append(Problem("this is not a service user number", remedy, field="service_user_number"))
    if iban and not _is_iban(iban):
        found.append(Problem("the IBAN's check digits do not fit", "Copy it from a statement", field="iban"))
    return found


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()


def _is_iban(text: str) -> bool:
    """ISO 13616: letters as numbers from 10 on, the first four characters last, modulo 97 leaves one."""
    if not (5 <= len(text) <= 34 and text.isascii() and text.isalnum()):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


@command("settlement.prepare")
def rename_own_account(code: str, *, to: str) -> AccountAdded:
    """Give a bank account another code: so that the one that follows it can be added under its own."""
    row = _own_account(code)
    to = to.strip()
    if not 1 <= len(to) <= 20 or not to.isprintable():
        raise InputRefused(
            [Problem("the code is empty or too long", "Use 1 to 20 letters, as main", field="to")]
        )
    if OwnAccount.objects.filter(client_id=row.client_id, code=to).exists():
        raise Conflict(f"this client has a bank account called {to!r} already")
    row.code = to
    row.save(update_fields=["code"])
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
    """Pay a released subject's open items by Bacs: write the file, settle the items; money is in transit.

    Only what was released is paid, only to accounts that were approved. Raises NotApproved, PayeeChanged,
    InputRefused.
    """
    if approvals.released(subject_kind, subject_id) is None:
        raise approvals.NotApproved(
            f"this {subject_kind.replace('_', ' ')} is not released, so nothing of it is paid"
        )
    return write_file(
        (subject_kind, subject_id),
        kind=kind,
        pay_date=pay_date,
        own_account=own_account,
        approved=lambda: _approved_accounts(kind, subject_id),
    )


Approved = Callable[[], dict[UUID, bytes | None]]
"""By payee, the fingerprint of the account that was approved."""


def write_file(
    subject: tuple[str, UUID], *, kind: str, pay_date: date, own_account: str, approved: Approved
) -> BatchReleased:
    """The file that pays what is open of a released subject, once."""
    subject_kind, subject_id = subject
    _one_at_a_time(subject_kind, subject_id)
    before = PaymentBatch.objects.filter(
        client_id=current_scope().client_id, subject_kind=subject_kind, subject_id=subject_id
    ).first()
    if before is not None:
        raise Conflict(f"payment file {before.number} pays this already")
    ours = _own_account(own_account)
    items = _to_pay(kind, (subject_kind, subject_id), ours)
    cycle = bacs_cycle(pay_date, calendar(BACS_CALENDAR))
    payees = _payee_accounts(items, kind, approved(), pay_date)
    number = numbering.take("payment-batch")
    payments = _payments(items, number)
    content = _bacs_file(ours, payments, payees, cycle, number)
    return _record(ours, subject_kind, subject_id, payments, cycle, pay_date, number, content)


def _one_at_a_time(subject_kind: str, subject_id: UUID) -> None:
    """Whoever releases the same subject waits here, and then finds its file."""
    subject = f"release:{current_scope().client_id}:{subject_kind}:{subject_id}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [subject])


def _to_pay(kind: str, subject: tuple[str, UUID], ours: OwnAccount) -> list[Open]:
    """What is open of the subject, on one account and in the currency of ours."""
    items = open_items(kind=kind, subject=subject)
    if not items:
        raise NothingToPayOut("there is nothing left to pay")
    if {i.currency for i in items} != {ours.currency}:
        raise Conflict(f"{ours.name} pays {ours.currency} alone, and some of this is in another currency")
    if len({i.account_code for i in items}) > 1:
        raise Conflict("these items stand on several accounts; pay each account's by itself")
    return items


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
    ordered = sorted(items, key=lambda i: (i.reference, i.id))
    return [Due(item, f"{batch_reference(number)} {n:05d}") for n, item in enumerate(ordered, 1)]


@dataclass(frozen=True)
class PayeeAccount:
    name: str
    sort_code: str
    account_number: str


def _payee_accounts(
    items: list[Open], kind: str, expected: dict[UUID, bytes | None], pay_date: date
) -> dict[UUID, PayeeAccount]:
    """Where each payee is paid on the day, opened through the logged accessor and only as approved."""
    client_id = current_scope().client_id
    wanted = {i.counterparty_id for i in items}
    # All of the day's accounts: a list of ten thousand ids costs more than the rows it leaves out.
    current = BankAccount.objects.filter(lives_on(pay_date), client_id=client_id)
    rows = {row.person_id: row for row in current.order_by("starts") if row.person_id in wanted}
    found = {person: bytes(row.fingerprint) for person, row in rows.items()}
    _refuse_changed(items, found, expected)
    payees = _opened(list(rows.values()), f"payment file for {kind.replace('_', ' ')}")
    # What the row opens to must be what its fingerprint says, or somebody changed one without the other.
    opened = {
        person: fingerprint(client_id, payee.sort_code, payee.account_number)
        for person, payee in payees.items()
    }
    _refuse_changed(items, opened, expected)
    return payees


def _approved_accounts(kind: str, subject_id: UUID) -> dict[UUID, bytes | None]:
    registered = kinds.KINDS.get(kind)
    if registered is None or registered.expected_payees is None:
        raise approvals.NotApproved(
            f"nobody approves the accounts on which {kind.replace('_', ' ')} is paid; pay it another way"
        )
    return registered.expected_payees(subject_id)


def _opened(rows: list[BankAccount], purpose: str) -> dict[UUID, PayeeAccount]:
    sort_codes = reveal(rows, "sort_code", purpose=purpose)
    numbers = reveal(rows, "account_number", purpose=purpose)
    if DOTS in sort_codes:
        raise NotPermitted("your role here does not see bank accounts, so you cannot write a payment file")
    return {
        row.person_id: PayeeAccount(row.account_name, sort_code or "", number or "")
        for row, sort_code, number in zip(rows, sort_codes, numbers, strict=True)
    }


def _refuse_changed(items: list[Open], found: dict[UUID, bytes], expected: dict[UUID, bytes | None]) -> None:
    """Hold the file while one payee has no account, was not approved, or has another than was approved."""
    changed = [
        f"{i.reference} {i.counterparty}"
        for i in items
        if i.counterparty_id is None
        or i.counterparty_id not in found
        or found[i.counterparty_id] != expected.get(i.counterparty_id)
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
            created_on=min(datetime.now(LONDON).date(), cycle.submit_by),
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
    return Problem(
        f"{item.reference} {item.counterparty}: {problem.problem}", problem.remedy, None, None, problem.field
    )


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
    """The file into the vault, the batch and its payments, the entry, the items and their allocations."""
    client_id = current_scope().client_id
    total = sum(due.amount for due in payments)
    owed = payments[0].item.account_code
    batch_id = UUID(bytes=uuid7_column(1).tobytes())
    file = vault.store(
        content,
        name=f"{batch_reference(number)}-bacs18.txt",
        kind="settlement.bacs18",
        media_type="text/plain",
        subject_id=batch_id,
    )
    narrative = f"Payment file {batch_reference(number)}, on its way"
    reference = batch_reference(number)
    lines = (
        Line(owed, total, currency=ours.currency),
        Line(accounts.IN_TRANSIT, -total, currency=ours.currency),
    )
    subject = ("payment_batch", batch_id)
    narrative = f"Payment file {reference}, on its way"
    posted = post_journals("payment_batch", subject, [Journal(pay_date, narrative, lines)])
    ids = account_ids()
    paid, transit = (
        add_item(
            item_kind,
            counterparty_id=None,
            account_id=ids[account],
            amount=amount,
            due=pay_date,
            entry_id=posted.entry_ids[0],
            subject=subject,
            reference=reference,
            currency=ours.currency,
        )
        for item_kind, account, amount in (
            ("payment", owed, total),
            ("in_transit", accounts.IN_TRANSIT, -total),
        )
    )
    PaymentBatch.objects.create(
        id=batch_id,
        client_id=client_id,
        number=number,
        scheme="bacs18",
        own_account=ours,
        own_account_hash=ours.hash,
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
        reference=reference,
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
            "payee_id": uuids_to_column(
                [due.item.counterparty_id for due in payments if due.item.counterparty_id]
            ),
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
    """Record that the file was submitted to the scheme, or settled by it, with the evidence.

    evidence: what says so, such as a report's number. Neither moves money in the books: only the bank's own
    line does.
    """
    if stage not in ("submitted", "settled"):
        raise EngineroomError("a batch is `submitted` or `settled`; clearing is the bank statement's to say")
    scope = current_scope()
    batch = PaymentBatch.objects.filter(client_id=scope.client_id, id=batch_id).first()
    if batch is None:
        raise NotFound(f"there is no payment batch {batch_id}")
    done = set(
        BatchStage.objects.filter(client_id=scope.client_id, batch=batch).values_list("stage", flat=True)
    )
    if stage in done:
        raise Conflict(f"payment file {batch.reference} is {stage} already")
    if stage == "settled" and "submitted" not in done:
        raise Conflict(f"payment file {batch.reference} cannot settle before it is submitted")
    if not evidence.strip():
        raise EngineroomError("say what proves it: the number of the report, or of the message")
    try:
        BatchStage.objects.create(
            client_id=scope.client_id,
            batch=batch,
            stage=stage,
            on=on,
            evidence=evidence,
            by_user_id=scope.user.id,
        )
    except IntegrityError as error:
        raise Conflict(f"somebody recorded at this moment that {batch.reference} is {stage}") from error
    return StageRecorded(batch_id, stage)
