"""Payments, bank statements and clearing for programs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from ninja import Field, Query, Schema
from pydantic import StringConstraints

from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    ContentAsked,
    Day,
    Name,
    Page,
    PageAsked,
    Reason,
    ReasonAsked,
    Room,
    cut,
    hides,
    log_read,
    one,
    refuse_masked,
    require,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.answers import file_answer
from engineroom.payroll.models import PayRun
from engineroom.payroll.services import release_pay_run
from engineroom.settlement import again, by_hand, clearing, likely, selectors, services
from engineroom.settlement.models import (
    BankLine,
    Cleared,
    LineException,
    Payment,
    PaymentBatch,
    Statement,
)

router = Room("settlement")


class PaymentBatchOut(Schema):
    """A payment file and the furthest thing proven of it: released, submitted, settled or cleared."""

    id: UUID
    number: int
    reference: str
    scheme: str
    subject_kind: str
    subject_id: UUID
    pay_date: date
    submit_by: date
    processing_day: date
    entry_day: date
    payments: int
    total_minor: int
    currency: str
    state: str


class PaymentOut(Schema):
    """One payee's line in a batch. amount is absent where the role does not see pay."""

    id: UUID
    item_id: UUID
    payee_id: UUID
    payee: str
    amount_minor: int | None
    currency: str
    reference: str


class StatementOut(Schema):
    """A bank statement as imported, in minor units."""

    id: UUID
    statement_id: str
    sequence: str
    starts: date | None
    ends: date | None
    opening_minor: int | None
    closing_minor: int | None
    currency: str
    import_id: UUID


class BankLineOut(Schema):
    """One booked line, signed: money in is positive. explained_by: why it is cleared; else exception."""

    id: UUID
    statement_id: UUID
    booked: date
    value_date: date | None
    currency: str
    amount_minor: int
    bank_reference: str
    end_to_end: str
    counterparty_name: str
    remittance: str
    return_reason: str
    cleared: bool
    rule: str | None
    explained_by: str | None
    settles_item: UUID | None


class PartOut(Schema):
    """An open item, and how much of it a line settles."""

    item_id: UUID
    amount_minor: int


class ExplanationOut(Schema):
    """What somebody said of a line that is not approved yet, under the hash that an approval names.

    account takes what the items leave: rest_minor, null once one of them is open no more.
    """

    content_hash: str
    parts: list[PartOut]
    account: str
    rest_minor: int | None
    reason: str
    said_by: UUID
    said_at: datetime


class OneBankLineOut(BankLineOut):
    """explanation: what waits for another person's yes."""

    explanation: ExplanationOut | None


class LikelyOut(Schema):
    """What a line may be: a suggestion, of 100. parts: what to say of the line, should it be so."""

    score: int
    why: str
    items: list[UUID]
    parts: list[PartOut]


class ExceptionOut(Schema):
    """A line that nothing explains yet, and why. likely: what it may be, for whoever may explain it."""

    line: BankLineOut
    reason: str
    detail: str
    likely: LikelyOut | None


class PartAsked(Asked):
    """amount_minor: how much of the open item the line settles."""

    item_id: UUID
    amount_minor: Annotated[int, Field(gt=0, lt=2**63)]


class ExplainAsked(Asked):
    """parts: open items that the line settles. account: where the rest goes, if there is one."""

    parts: Annotated[list[PartAsked], Field(max_length=1000)] = []
    account: Annotated[str, StringConstraints(max_length=60, pattern=NO_NUL)] = ""
    reason: Reason


class ClearAsked(Asked):
    """own_account: the code of the client's bank account."""

    own_account: Name = "main"


class StageAsked(Asked):
    """evidence: the report or message that says so."""

    stage: Literal["submitted", "settled"]
    on: Day
    evidence: Reason


class ReleasedOut(Schema):
    """The released run and the payment file written for it: not sent, not settled, not cleared."""

    run_id: UUID
    payslips: int
    net_minor: int
    currency: str
    payment_batch_id: UUID | None
    payments: int
    submit_by: date | None
    processing_day: date | None
    entry_day: date | None
    file_name: str | None
    sha256: str | None


def _batch(row: PaymentBatch, states: dict[UUID, str]) -> PaymentBatchOut:
    return PaymentBatchOut(
        id=row.id,
        number=row.number,
        reference=row.reference,
        scheme=row.scheme,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        pay_date=row.pay_date,
        submit_by=row.submit_by,
        processing_day=row.processing_day,
        entry_day=row.entry_day,
        payments=row.count,
        total_minor=row.total,
        currency=row.own_account.currency,
        state=states[row.id],
    )


def _states() -> dict[UUID, str]:
    return {view.id: view.state for view in selectors.payment_files()}


@router.read("/payment-batches", Page[PaymentBatchOut], "Payment files, latest first")
def payment_batches(client: Client, page: Query[PageAsked]) -> Page[PaymentBatchOut]:
    """Payment files and how far each is proven. The read is logged."""
    rows = PaymentBatch.objects.filter(client_id=client.id).select_related("own_account")
    found, onward = cut(rows, page, by="number", latest_first=True)
    states = _states()
    if found:
        log_read("payment_batch", None, "totals of payment files", len(found))
    return Page(items=[_batch(row, states) for row in found], next=onward)


@router.read("/payment-batches/{batch_id}", PaymentBatchOut, "One payment file")
def payment_batch(client: Client, batch_id: UUID) -> PaymentBatchOut:
    """When it is to be submitted, and how far it is proven."""
    row = one(PaymentBatch.objects.select_related("own_account"), "payment batch", batch_id)
    log_read("payment_batch", row.id, "totals of payment files")
    return _batch(row, _states())


@router.read("/payment-batches/{batch_id}/payments", Page[PaymentOut], "The payments of a file")
def payments(client: Client, batch_id: UUID, page: Query[PageAsked]) -> Page[PaymentOut]:
    """Who is paid what, under which reference. The read is logged."""
    batch = one(PaymentBatch.objects.select_related("own_account"), "payment batch", batch_id)
    rows = Payment.objects.filter(client_id=client.id, batch=batch).select_related("payee")
    found, onward = cut(rows, page, by="reference")
    if found:
        log_read("payment_batch", batch.id, "payments", len(found))
    hidden = hides("pay")
    return Page(
        items=[
            PaymentOut(
                id=p.id,
                item_id=p.item_id,
                payee_id=p.payee_id,
                payee=p.payee.name,
                amount_minor=None if hidden else p.amount,
                currency=batch.own_account.currency,
                reference=p.reference,
            )
            for p in found
        ],
        next=onward,
    )


@router.read("/payment-batches/{batch_id}/file", None, "A payment file as written", media="text/plain")
def payment_file(client: Client, batch_id: UUID) -> HttpResponse:
    """The bytes for the scheme, for whoever submits them or let them out. They hold bank accounts. Logged."""
    if not current_scope().may("settlement.release"):
        require(current_scope(), "settlement.prepare")
    row = one(PaymentBatch.objects.select_related("file"), "payment batch", batch_id)
    for data_class in ("pay", "bank"):
        refuse_masked(data_class, "a payment file")
    log_read("payment_batch", row.id, "payment file", row.count)
    return file_answer(row.file)


@router.read("/bank-statements", Page[StatementOut], "Bank statements as imported")
def bank_statements(client: Client, page: Query[PageAsked]) -> Page[StatementOut]:
    """Statements in the order in which they were taken."""
    rows = Statement.objects.filter(client_id=client.id).select_related("own_account")
    found, onward = cut(rows, page, by="id")
    return Page(
        items=[
            StatementOut(
                id=s.id,
                statement_id=s.statement_id,
                sequence=s.sequence,
                starts=s.starts,
                ends=s.ends,
                opening_minor=s.opening,
                closing_minor=s.closing,
                currency=s.own_account.currency,
                import_id=s.import_id,
            )
            for s in found
        ],
        next=onward,
    )


@router.read("/bank-lines", Page[BankLineOut], "Bank lines, latest first")
def bank_lines(
    client: Client, page: Query[PageAsked], statement_id: UUID | None = None, cleared: bool | None = None
) -> Page[BankLineOut]:
    """Booked lines, each with what explains it; cleared: only those that are, or are not."""
    rows = BankLine.objects.filter(client_id=client.id)
    if statement_id:
        rows = rows.filter(statement_id=statement_id)
    if cleared is not None:
        done = Exists(Cleared.objects.filter(client_id=client.id, line_id=OuterRef("id")))
        rows = rows.filter(done if cleared else ~done)
    found, onward = cut(rows, page, by="booked", latest_first=True)
    return Page(items=_lines(client, found), next=onward)


@router.read("/bank-lines/{line_id}", OneBankLineOut, "One bank line")
def bank_line(client: Client, line_id: UUID) -> OneBankLineOut:
    """A booked line and what explains it, or what was said of it and waits to be approved."""
    line = _lines(client, [one(BankLine.objects.all(), "bank line", line_id)])[0]
    said = by_hand.what_is_said(line_id)
    return OneBankLineOut(**line.dict(), explanation=_explanation(said) if said else None)


def _explanation(said: by_hand.Said) -> ExplanationOut:
    return ExplanationOut(
        content_hash=said.content_hash,
        parts=[PartOut(item_id=part.item_id, amount_minor=part.amount) for part, _ in said.parts],
        account=said.row.account_code,
        rest_minor=said.rest,
        reason=said.row.reason,
        said_by=said.row.by_user_id,
        said_at=said.row.at,
    )


def _lines(client: Client, rows: list[BankLine]) -> list[BankLineOut]:
    done = Cleared.objects.filter(client_id=client.id, line_id__in=[row.id for row in rows])
    explained = {c.line_id: c for c in done}
    return [_line(row, explained.get(row.id)) for row in rows]


def _line(row: BankLine, done: Cleared | None) -> BankLineOut:
    return BankLineOut(
        id=row.id,
        statement_id=row.statement_id,
        booked=row.booked,
        value_date=row.value_date,
        currency=row.currency,
        amount_minor=row.amount,
        bank_reference=row.bank_reference,
        end_to_end=row.end_to_end,
        counterparty_name=row.counterparty_name,
        remittance=row.remittance,
        return_reason=row.return_reason,
        cleared=done is not None,
        rule=done.rule if done else None,
        explained_by=done.why if done else None,
        settles_item=done.item_id if done else None,
    )


@router.read("/bank-exceptions", Page[ExceptionOut], "Bank lines that nothing explains yet")
def bank_exceptions(client: Client, page: Query[PageAsked]) -> Page[ExceptionOut]:
    """Each line that is not cleared, with the reason found at the latest try and what it may be."""
    done = Exists(Cleared.objects.filter(client_id=client.id, line_id=OuterRef("id")))
    tried = Exists(LineException.objects.filter(client_id=client.id, line_id=OuterRef("id")))
    rows = BankLine.objects.filter(tried, ~done, client_id=client.id)
    found, onward = cut(rows, page, by="booked")
    why = {
        e.line_id: e
        for e in LineException.objects.filter(
            client_id=client.id, line_id__in=[row.id for row in found]
        ).order_by("id")
    }
    guesses = likely.suggestions() if found else {}
    return Page(
        items=[
            ExceptionOut(
                line=_line(row, None),
                reason=why[row.id].reason,
                detail=why[row.id].detail,
                likely=_likely(guesses.get(row.id)),
            )
            for row in found
        ],
        next=onward,
    )


def _likely(guess: likely.Likely | None) -> LikelyOut | None:
    if guess is None:
        return None
    return LikelyOut(
        score=guess.score,
        why=guess.why,
        items=[item.id for item in guess.items],
        parts=[PartOut(item_id=part.item_id, amount_minor=part.amount) for part in guess.parts],
    )


@router.command(
    "/pay-runs/{run_id}/release", ReleasedOut, "Release and pay a pay run", permission="settlement.release"
)
def release_and_pay(client: Client, run_id: UUID) -> ReleasedOut:
    """Release the approved run, post what it owes and write the payment file: all or nothing.

    Whoever approved it may not.
    """
    run = one(PayRun.objects.all(), "pay run", run_id)
    released = release_pay_run(run.id)
    batch = None
    if released.net:
        batch = services.release_payments("pay_run", run.id, kind="net_pay", pay_date=run.pay_date)
    return ReleasedOut(
        run_id=run.id,
        payslips=released.payslips,
        net_minor=released.net,
        currency=client.currency,
        payment_batch_id=batch.batch_id if batch else None,
        payments=batch.payments if batch else 0,
        submit_by=batch.submit_by if batch else None,
        processing_day=batch.processing_day if batch else None,
        entry_day=batch.entry_day if batch else None,
        file_name=batch.file_name if batch else None,
        sha256=batch.sha256 if batch else None,
    )


class ReturnedPaymentOut(Schema):
    """A payment that came back and is still owed. content_hash: of what an approval binds.

    account: whether the payee has another account than the one that it came back from.
    """

    payment_id: UUID
    item_id: UUID
    payee_id: UUID
    payee: str
    reference: str
    left_minor: int | None
    currency: str
    returned_on: date
    why: str
    account: again.Account
    account_waits: bool
    content_hash: str
    is_approved: bool


class ApproveAgainAsked(ContentAsked):
    """same_account: it goes to the account that it came back from, as the bank takes it now."""

    same_account: bool = False


class PayAgainAsked(Asked):
    """The day on which it is to arrive."""

    pay_date: Day


@router.read("/returned-payments", list[ReturnedPaymentOut], "Payments that came back and are still owed")
def returned_payments(client: Client) -> list[ReturnedPaymentOut]:
    """The oldest first. The read is logged."""
    found = again.returned_payments()
    if found:
        log_read("payment", None, "payments that came back", len(found))
    return [
        ReturnedPaymentOut(
            payment_id=r.payment_id,
            item_id=r.item_id,
            payee_id=r.payee_id,
            payee=r.payee,
            reference=r.reference,
            left_minor=None if hides("pay") else r.left,
            currency=r.currency,
            returned_on=r.returned_on,
            why=r.why,
            account=r.account,
            account_waits=r.is_held,
            content_hash=r.content_hash,
            is_approved=r.is_approved,
        )
        for r in found
    ]


@router.command(
    "/returned-payments/{payment_id}/approve",
    again.PayingAgainApproved,
    "Approve that what came back is paid again",
    permission="settlement.approve",
)
def approve_paying_again(
    client: Client, payment_id: UUID, asked: ApproveAgainAsked
) -> again.PayingAgainApproved:
    """Exactly the account and the amount that the hash names. Whoever entered the account may not."""
    return again.approve_paying_again(
        payment_id, content_hash=asked.content_hash, same_account=asked.same_account
    )


@router.command(
    "/returned-payments/{payment_id}/pay",
    services.BatchReleased,
    "Pay again what came back",
    permission="settlement.release",
)
def pay_again(client: Client, payment_id: UUID, asked: PayAgainAsked) -> services.BatchReleased:
    """In a file of its own, as another person approved."""
    return again.pay_again(payment_id, pay_date=asked.pay_date)


@router.command("/clearing", clearing.ClearingDone, "Clear the bank's lines", permission="settlement.prepare")
def clear_lines(client: Client, asked: ClearAsked) -> clearing.ClearingDone:
    """Match open lines, post what is certain, and give every other line its reason."""
    return clearing.clear_lines(asked.own_account)


@router.command(
    "/bank-lines/{line_id}/explain",
    by_hand.LineExplained,
    "Say what a bank line is",
    permission="settlement.prepare",
)
def explain_line(client: Client, line_id: UUID, asked: ExplainAsked) -> by_hand.LineExplained:
    """By open items, and an account for what they leave. Nothing is posted before another person approves."""
    parts = [by_hand.Part(p.item_id, p.amount_minor) for p in asked.parts]
    return by_hand.explain_line(line_id, parts=parts, account=asked.account, reason=asked.reason)


@router.command(
    "/bank-lines/{line_id}/approve",
    by_hand.LineExplained,
    "Approve what was said of a bank line",
    permission="settlement.approve",
)
def approve_line(client: Client, line_id: UUID, asked: ContentAsked) -> by_hand.LineExplained:
    """Exactly what the hash names, and post it. Whoever said it may not."""
    return by_hand.approve_explanation(line_id, content_hash=asked.content_hash)


@router.command(
    "/bank-lines/{line_id}/withdraw",
    by_hand.LineExplained,
    "Withdraw what was said of a bank line",
    permission="settlement.prepare",
)
def withdraw_line(client: Client, line_id: UUID, asked: ReasonAsked) -> by_hand.LineExplained:
    """What is not approved yet is taken back."""
    return by_hand.withdraw_explanation(line_id, reason=asked.reason)


@router.command(
    "/bank-lines/{line_id}/undo",
    by_hand.ClearingTakenBack,
    "Take a clearing back",
    permission="settlement.prepare",
)
def undo_line(client: Client, line_id: UUID, asked: ReasonAsked) -> by_hand.ClearingTakenBack:
    """The posting is reversed, what it settled is as open as before, and the line waits for a person."""
    return by_hand.undo_clearing(line_id, reason=asked.reason)


@router.command(
    "/payment-batches/{batch_id}/stages",
    services.StageRecorded,
    "Record how far a payment file is",
    permission="settlement.prepare",
)
def record_stage(client: Client, batch_id: UUID, asked: StageAsked) -> services.StageRecorded:
    """Submitted to the scheme, or settled by it. Cleared is the bank statement's to say."""
    return services.record_stage(batch_id, asked.stage, on=asked.on, evidence=asked.evidence)
