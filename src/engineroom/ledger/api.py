"""The books for programs: balances, entries, postings, locks."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from ninja import Query, Schema
from pydantic import Field, StringConstraints

from engineroom.foundation.api import NO_NUL, Asked, Day, Name, Page, PageAsked, Reason, Room, cut, one
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import NotFound
from engineroom.ledger import selectors, services
from engineroom.ledger.models import Account, Batch, Entry, PeriodLock, Posting

router = Room("ledger")


class BalanceOut(Schema):
    """One account's turnover and balance in minor units; balance is debit minus credit."""

    account_id: UUID
    account_code: str
    account_name: str
    account_type: str
    currency: str
    debit_minor: int
    credit_minor: int
    balance_minor: int


class TrialBalanceOut(Schema):
    """Balances as at a day and as known at a sealed point. last_seal: the latest sealed point there is."""

    as_at: date | None
    known_at: int | None
    last_seal: int
    balances: list[BalanceOut]


class AccountOut(Schema):
    """An account of a book. A control account's balance is the sum of its open items."""

    id: UUID
    code: str
    name: str
    type: str
    is_control: bool


class PostingOut(Schema):
    """One line of an entry, in minor units: debit is positive, credit negative."""

    id: UUID
    entry_id: UUID
    line_no: int
    account_id: UUID
    account_code: str
    day: date
    currency: str
    amount_minor: int
    dimension: UUID | None


class EntryOut(Schema):
    """One balanced journal entry; what caused it is its subject."""

    id: UUID
    day: date
    narrative: str
    kind: str
    subject_kind: str
    subject_id: UUID
    line_count: int
    reverses: UUID | None


class EntryDetailOut(EntryOut):
    """An entry with its lines, and the entry that reverses it, if one does."""

    reversed_by: UUID | None
    postings: list[PostingOut]


class LockOut(Schema):
    """Nothing posts on or before locked_through. Of a book's locks the latest counts."""

    id: UUID
    number: int
    locked_through: date
    reason: str
    by_user_id: UUID


class LockAsked(Asked):
    """An earlier day than the last lock's reopens; the trail says so."""

    through: Day
    reason: Reason
    book: Name = "main"


class ReverseAsked(Asked):
    """day: of the reversing entry."""

    day: Day
    reason: Reason


@router.read("/trial-balance", TrialBalanceOut, "Trial balance as at, as known at")
def trial_balance(
    client: Client,
    as_at: Day | None = None,
    known_at: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None,
    book: Name = "main",
) -> TrialBalanceOut:
    """Balances per account and currency. The answer for a sealed point never changes."""
    last = selectors.last_seal()
    if known_at is not None and known_at > last:
        raise NotFound(f"the last sealed point is {last}: what is known at {known_at} may change")
    return TrialBalanceOut(
        as_at=as_at,
        known_at=known_at,
        last_seal=last,
        balances=[
            BalanceOut(
                account_id=b.account_id,
                account_code=b.code,
                account_name=b.name,
                account_type=b.type,
                currency=b.currency,
                debit_minor=b.debit,
                credit_minor=b.credit,
                balance_minor=b.balance,
            )
            for b in selectors.trial_balance(as_at=as_at, known_at=known_at, book=book)
        ],
    )


@router.read("/accounts", Page[AccountOut], "Accounts by code")
def accounts(client: Client, page: Query[PageAsked]) -> Page[AccountOut]:
    """The chart of accounts."""
    rows, onward = cut(Account.objects.filter(client_id=client.id), page, by="code")
    return Page(
        items=[
            AccountOut(id=a.id, code=a.code, name=a.name, type=a.type, is_control=a.is_control) for a in rows
        ],
        next=onward,
    )


@router.read("/entries", Page[EntryOut], "Journal entries, latest day first")
def entries(
    client: Client,
    page: Query[PageAsked],
    subject_id: UUID | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> Page[EntryOut]:
    """The journal; subject_id: only what one run, invoice or bank line caused."""
    rows = Entry.objects.filter(client_id=client.id).select_related("batch")
    if subject_id:
        caused = Batch.objects.filter(client_id=client.id, subject_id=subject_id)
        rows = rows.filter(batch_id__in=caused.values("id"))
    if since:
        rows = rows.filter(day__gte=since)
    if until:
        rows = rows.filter(day__lte=until)
    found, onward = cut(rows, page, by="day", latest_first=True)
    return Page(items=[_entry(row) for row in found], next=onward)


def _entry(row: Entry) -> EntryOut:
    return EntryOut(
        id=row.id,
        day=row.day,
        narrative=row.narrative,
        kind=row.batch.kind,
        subject_kind=row.batch.subject_kind,
        subject_id=row.batch.subject_id,
        line_count=row.line_count,
        reverses=row.reverses_id,
    )


@router.read("/entries/{entry_id}", EntryDetailOut, "One entry with its postings")
def entry(client: Client, entry_id: UUID) -> EntryDetailOut:
    """A balanced entry, its lines, and what it reverses or is reversed by."""
    row = one(Entry.objects.select_related("batch"), "entry", entry_id)
    back = Entry.objects.filter(client_id=client.id, reverses_id=row.id).values_list("id", flat=True).first()
    lines = Posting.objects.filter(client_id=client.id, entry=row).select_related("account")
    return EntryDetailOut(
        **_entry(row).dict(),
        reversed_by=back,
        postings=[_posting(line) for line in lines.order_by("line_no")],
    )


@router.read("/postings", Page[PostingOut], "Postings of an account, latest day first")
def postings(
    client: Client,
    page: Query[PageAsked],
    account: Name,
    since: Day | None = None,
    until: Day | None = None,
) -> Page[PostingOut]:
    """account: its code. What moved on it, line by line."""
    rows = Posting.objects.filter(client_id=client.id, account__code=account).select_related("account")
    if since:
        rows = rows.filter(day__gte=since)
    if until:
        rows = rows.filter(day__lte=until)
    found, onward = cut(rows, page, by="day", latest_first=True)
    return Page(items=[_posting(row) for row in found], next=onward)


def _posting(row: Posting) -> PostingOut:
    return PostingOut(
        id=row.id,
        entry_id=row.entry_id,
        line_no=row.line_no,
        account_id=row.account_id,
        account_code=row.account.code,
        day=row.day,
        currency=row.currency,
        amount_minor=row.amount,
        dimension=row.dimension,
    )


@router.read("/period-locks", Page[LockOut], "Locks of the books, latest first")
def period_locks(client: Client, page: Query[PageAsked]) -> Page[LockOut]:
    """Through which days nothing posts any more, and why."""
    found, onward = cut(PeriodLock.objects.filter(client_id=client.id), page, by="number", latest_first=True)
    return Page(
        items=[
            LockOut(
                id=row.id,
                number=row.number,
                locked_through=row.locked_through,
                reason=row.reason,
                by_user_id=row.by_user_id,
            )
            for row in found
        ],
        next=onward,
    )


class LockedOut(Schema):
    """The lock's number, and the last day on which nothing posts."""

    number: int = Field(description="counts the locks of the book")
    locked_through: date


@router.command("/period-locks", LockedOut, "Lock the books through a day", permission="ledger.prepare")
def lock_period(client: Client, asked: LockAsked) -> LockedOut:
    """Nothing posts on or before the day."""
    done = services.lock_period(asked.through, reason=asked.reason, book=asked.book)
    return LockedOut(number=done.number, locked_through=done.locked_through)


@router.command(
    "/entries/{entry_id}/reverse", services.Reversed, "Reverse an entry", permission="ledger.prepare"
)
def reverse_entry(client: Client, entry_id: UUID, asked: ReverseAsked) -> services.Reversed:
    """Post the entry's negative, linked both ways. An entry is reversed once."""
    return services.reverse_entry(entry_id, day=asked.day, reason=asked.reason)


class AccountAsked(Asked):
    """A new account of the book."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=20, pattern=NO_NUL)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_NUL)]
    type: Literal["asset", "liability", "equity", "income", "expense"]
    is_control: bool = False


@router.command("/accounts", services.AccountAdded, "Add an account", permission="ledger.prepare")
def add_account(client: Client, asked: AccountAsked) -> services.AccountAdded:
    """To the client's book. A control account is posted to with open items only."""
    return services.add_account(asked.code, asked.name, asked.type, is_control=asked.is_control)
