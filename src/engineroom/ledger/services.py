"""Writing the books: post, reverse, lock. Nothing else writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import DatabaseError, IntegrityError, connection

from engineroom.foundation.columns import Rows, rows_of
from engineroom.foundation.commands import command
from engineroom.foundation.numbering import take
from engineroom.foundation.statistics import many_rows_written
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, Problem, reason_given
from engineroom.kernel.ids import NIL, column_to_uuids, uuid7, uuid7_column
from engineroom.ledger.models import ACCOUNT_TYPES, Account, Book, Entry, PeriodLock, Posting

Uuids = npt.NDArray[np.uint8]


class UnbalancedEntry(EngineroomError):
    """The lines of an entry do not add to zero in every currency."""

    status = 422


class PeriodLocked(Conflict):
    """The day lies in a locked period of the book."""


class AlreadyPosted(Conflict):
    """The same act was posted before, or by somebody else at this moment; nothing was posted twice."""


@dataclass
class EntryColumns:
    """n entries by column. day: datetime64[D], shape (n,); narrative: n texts; reverses: n ids or None."""

    day: npt.NDArray[np.datetime64]
    narrative: Sequence[str]
    reverses: Sequence[UUID | None] | None = None


@dataclass
class LineColumns:
    """m lines by column, sorted by entry. entry: index into the entries; amount: minor units, debit positive.

    account, dimension: (m, 16) uint8 ids; an all-zero dimension is none. currency: one for all, or m texts.
    """

    entry: npt.NDArray[np.int64]
    account: Uuids
    amount: npt.NDArray[np.int64]
    currency: str | Sequence[str] = "GBP"
    dimension: Uuids | None = None


@dataclass(frozen=True)
class PostedBatch:
    """What was posted: the batch and the ids of its entries, in the order given."""

    batch_id: UUID
    entry_ids: list[UUID] = field(repr=False)


def post(
    kind: str, subject: tuple[str, UUID], book_id: UUID, entries: EntryColumns, lines: LineColumns
) -> PostedBatch:
    """Write whole entries with their lines in one statement, as one batch. The only writer of the ledger.

    kind and subject make the batch unique: the same act posts once. Raises UnbalancedEntry before it touches
    the database; AlreadyPosted, PeriodLocked, and what else PostgreSQL refuses.
    """
    n, m = len(entries.day), len(lines.amount)
    counts = np.bincount(lines.entry, minlength=n)
    _refuse_unbalanced(entries, lines)
    batch_id = uuid7()
    entry_ids, line_no = uuid7_column(n), _line_numbers(lines.entry)
    written = {
        "id": uuid7_column(m),
        "entry_id": entry_ids[lines.entry],
        "line_no": line_no.astype(np.int32),
        "account_id": lines.account,
        "day": entries.day[lines.entry],
        "currency": lines.currency,
        "amount": lines.amount,
        "dimension": lines.dimension if lines.dimension is not None else NIL,
    }
    with ExitStack() as staged:
        headed = staged.enter_context(_entry_rows(book_id, entry_ids, entries, counts, n))
        lined = staged.enter_context(rows_of("stage_ledger_line", written, m))
        with _explained(kind, subject):
            _write(batch_id, kind, subject, n, headed, lined)
    many_rows_written("ledger_entry", n)
    many_rows_written("ledger_posting", m)
    return PostedBatch(batch_id, column_to_uuids(entry_ids))


@contextmanager
def _explained(kind: str, subject: tuple[str, UUID]) -> Iterator[None]:
    """The refusals of PostgreSQL that a person may meet, as sentences."""
    try:
        yield
    except IntegrityError as error:
        if _constraint(error) in ("batch_once", "entry_reversed_once"):
            raise AlreadyPosted(
                f"{kind.replace('_', ' ')} of {subject[0].replace('_', ' ')} {subject[1]} is posted already"
            ) from error
        raise
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) == "ER409":
            raise PeriodLocked(str(error.__cause__).splitlines()[0]) from error
        raise


def _constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)


def _line_numbers(entry: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """1, 2, .. within each entry; the lines come sorted by entry."""
    if len(entry) and np.any(np.diff(entry) < 0):
        raise ValueError("lines must be sorted by entry")
    first = np.searchsorted(entry, entry, side="left")
    return np.arange(len(entry)) - first + 1


def _refuse_unbalanced(entries: EntryColumns, lines: LineColumns) -> None:
    currency = lines.currency
    if isinstance(currency, str):
        codes, names = np.zeros(len(lines.amount), dtype=np.int64), [currency]
    else:
        names, codes = np.unique(np.asarray(currency), return_inverse=True)  # type: ignore[assignment]
    n = len(entries.day)
    totals = np.zeros((n, len(names)), dtype=np.int64)
    np.add.at(totals, (lines.entry, codes), lines.amount)
    if totals.any():
        at, which = (int(i[0]) for i in np.nonzero(totals))
        raise UnbalancedEntry(
            f"entry {at + 1} ({entries.narrative[at]!r}) is out by {totals[at, which]} minor units "
            f"of {names[which]}"
        )


def _entry_rows(
    book_id: UUID, ids: Uuids, entries: EntryColumns, counts: npt.NDArray[np.int64], n: int
) -> AbstractContextManager[Rows]:
    return rows_of(
        "stage_ledger_entry",
        {
            "id": ids,
            "number": np.arange(1, n + 1, dtype=np.int32),
            "book_id": book_id,
            "day": entries.day,
            "narrative": list(entries.narrative),
            "line_count": counts.astype(np.int32),
            "reverses_id": [r or NIL for r in entries.reverses] if entries.reverses else NIL,
        },
        n,
    )


def _write(
    batch_id: UUID, kind: str, subject: tuple[str, UUID], entries: int, headed: Rows, lined: Rows
) -> None:
    """All three tables in one statement: the triggers at its end see the whole batch."""
    scope = current_scope()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH b AS (
              INSERT INTO ledger_batch
                (id, client_id, kind, subject_kind, subject_id, by_user_id, entry_count)
              VALUES (%(batch)s, %(client)s, %(kind)s, %(subject_kind)s, %(subject)s, %(user)s, %(entries)s)),
            e AS (
              INSERT INTO ledger_entry
                (id, client_id, batch_id, number, book_id, day, narrative, line_count, reverses_id)
              SELECT id, %(client)s, %(batch)s, number, book_id, day, narrative, line_count,
                     nullif(reverses_id, %(nil)s)
              FROM {headed.source})
            INSERT INTO ledger_posting
              (id, client_id, entry_id, line_no, account_id, day, currency, amount, dimension)
            SELECT id, %(client)s, entry_id, line_no, account_id, day, currency, amount,
                   nullif(dimension, %(nil)s)
            FROM {lined.source}
            """,  # noqa: S608 names are ours
            {
                **headed.values,
                **lined.values,
                "batch": batch_id,
                "client": scope.client_id,
                "kind": kind,
                "subject_kind": subject[0],
                "subject": subject[1],
                "user": scope.user.id,
                "entries": entries,
                "nil": NIL,
            },
        )


@dataclass(frozen=True)
class Line:
    """One line of a small entry, by account code. amount: minor units, debit positive."""

    account: str
    amount: int
    dimension: UUID | None = None
    currency: str = "GBP"


@dataclass(frozen=True)
class Journal:
    """A small entry. Lines of zero are left out; lines may come in any order."""

    day: date
    narrative: str
    lines: tuple[Line, ...]
    reverses: UUID | None = None


def post_journals(
    kind: str, subject: tuple[str, UUID], journals: Iterable[Journal], book: str = "main"
) -> PostedBatch:
    """`post` for a handful of entries written by hand. Raises NotFound for an unknown account code."""
    kept = [(j, [line for line in j.lines if line.amount]) for j in journals]
    kept = [(j, lines) for j, lines in kept if lines]
    if not kept:
        raise EngineroomError("there is nothing to post: every line is zero")
    codes = account_ids(book)
    flat = [(n, line) for n, (_, lines) in enumerate(kept) for line in lines]
    for _, line in flat:
        if line.account not in codes:
            raise NotFound(f"there is no account {line.account!r} in the book {book!r}")
    return post(
        kind,
        subject,
        book_named(book).id,
        EntryColumns(
            np.array([j.day for j, _ in kept], dtype="datetime64[D]"),
            [j.narrative for j, _ in kept],
            [j.reverses for j, _ in kept],
        ),
        LineColumns(
            np.array([n for n, _ in flat], dtype=np.int64),
            _ids([codes[line.account] for _, line in flat]),
            np.array([line.amount for _, line in flat], dtype=np.int64),
            [line.currency for _, line in flat],
            _ids([line.dimension or NIL for _, line in flat]),
        ),
    )


def _ids(values: list[UUID]) -> Uuids:
    return np.frombuffer(b"".join(v.bytes for v in values), dtype=np.uint8).reshape(-1, 16)


def book_named(code: str = "main") -> Book:
    try:
        return Book.objects.get(client_id=current_scope().client_id, code=code)
    except Book.DoesNotExist:
        raise NotFound(f"this client has no book called {code!r}") from None


def account_ids(book: str = "main") -> dict[str, UUID]:
    """Account ids of a book, by code."""
    rows = Account.objects.filter(client_id=current_scope().client_id, book__code=book)
    return dict(rows.values_list("code", "id"))


def seal_batches() -> int:
    """Give every committed batch of the client its place in the order of knowledge. Returns how many."""
    client_id = current_scope().client_id
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('ledger-seal:' || %s, 0))", [str(client_id)]
        )
        cursor.execute(
            """
            INSERT INTO ledger_batchseal (id, client_id, sealed_no)
            SELECT b.id, b.client_id,
                   (SELECT coalesce(max(sealed_no), 0) FROM ledger_batchseal WHERE client_id = %(c)s)
                   + row_number() OVER (ORDER BY b.at, b.id)
            FROM ledger_batch b
            WHERE b.client_id = %(c)s
              AND NOT EXISTS (SELECT FROM ledger_batchseal s WHERE s.client_id = b.client_id AND s.id = b.id)
            """,
            {"c": client_id},
        )
        return int(cursor.rowcount)


@dataclass(frozen=True)
class Opened:
    book_id: UUID
    accounts: int

    @property
    def subject(self) -> str:
        return f"book:{self.book_id}"


@command("ledger.prepare")
def open_book(
    accounts: list[tuple[str, str, str, bool]], *, code: str = "main", currency: str = "GBP"
) -> Opened:
    """Open a book with its accounts: (code, name, type, is control account)."""
    client_id = current_scope().client_id
    if Book.objects.filter(client_id=client_id, code=code).exists():
        raise Conflict(f"this client has a book called {code!r} already")
    book = Book.objects.create(client_id=client_id, code=code, name=code.title(), currency=currency)
    Account.objects.bulk_create(
        Account(client_id=client_id, book=book, code=c, name=name, type=kind, is_control=control)
        for c, name, kind, control in accounts
    )
    return Opened(book.id, len(accounts))


@dataclass(frozen=True)
class AccountAdded:
    account_id: UUID
    code: str

    @property
    def subject(self) -> str:
        return f"account:{self.account_id}"


@command("ledger.prepare")
def add_account(
    code: str,
    name: str,
    type: str,
    *,
    is_control: bool = False,
    book: str = "main",
) -> AccountAdded:
    """Add an account to a book. A control account is posted to with open items only."""
    code, name = code.strip(), name.strip()
    problems = []
    if not code or len(code) > LONGEST_CODE or not code.isprintable() or " " in code:
        remedy = f"Give up to {LONGEST_CODE} letters and digits without spaces"
        problems.append(Problem(f"{code!r} is no code of an account", remedy, field="code"))
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        problems.append(
            Problem("the account has no name", f"Give up to {LONGEST_NAME} letters", field="name")
        )
    if type not in ACCOUNT_TYPES:
        known = ", ".join(ACCOUNT_TYPES)
        problems.append(Problem(f"{type!r} is no type of account", f"Take one of {known}", field="type"))
    if problems:
        raise InputRefused(problems, "No account was added")
    row = book_named(book)
    if Account.objects.filter(client_id=row.client_id, book=row, code=code).exists():
        raise Conflict(f"the book has an account {code} already")
    added = Account.objects.create(
        client_id=row.client_id, book=row, code=code, name=name, type=type, is_control=is_control
    )
    return AccountAdded(added.id, code)


LONGEST_CODE, LONGEST_NAME = 20, 100


@dataclass(frozen=True)
class Reversed:
    batch_id: UUID
    entry_id: UUID

    @property
    def subject(self) -> str:
        return f"entry:{self.entry_id}"


_followers: list[Callable[[UUID, UUID], None]] = []


def on_reversal(follow: Callable[[UUID, UUID], None]) -> None:
    """Register what a reversal brings with it: called with the entry and its reversal, in one transaction.

    So a higher room takes back what it hung on the entry (its open items), or refuses.
    """
    _followers.append(follow)


LONGEST_REASON = 280
"""Of a reversal: it stands whole in the entry's narrative."""


@command("ledger.prepare")
def reverse_entry(entry_id: UUID, *, day: date, reason: str) -> Reversed:
    """Post the entry's negative, linked both ways. An entry is reversed once; a reversal is not reversed."""
    client_id = current_scope().client_id
    entry = Entry.objects.filter(client_id=client_id, id=entry_id).first()
    if entry is None:
        raise NotFound(f"there is no entry {entry_id}")
    reason = reason_given(reason, LONGEST_REASON)
    if entry.reverses_id is not None:
        raise Conflict("this entry is itself a reversal; post the right entry instead")
    if Entry.objects.filter(client_id=client_id, reverses_id=entry_id).exists():
        raise AlreadyPosted("this entry has been reversed already")
    rows = list(Posting.objects.filter(client_id=client_id, entry_id=entry_id).order_by("line_no"))
    posted = post(
        "reversal",
        ("entry", entry_id),
        entry.book_id,
        EntryColumns(np.array([day], dtype="datetime64[D]"), [f"Reversal: {reason}"], [entry_id]),
        LineColumns(
            np.zeros(len(rows), dtype=np.int64),
            _ids([r.account_id for r in rows]),
            np.array([-r.amount for r in rows], dtype=np.int64),
            [r.currency for r in rows],
            _ids([r.dimension or NIL for r in rows]),
        ),
    )
    for follow in _followers:
        follow(entry_id, posted.entry_ids[0])
    return Reversed(posted.batch_id, posted.entry_ids[0])


@dataclass(frozen=True)
class Locked:
    number: int
    locked_through: date


@command("ledger.prepare")
def lock_period(through: date, *, reason: str, book: str = "main") -> Locked:
    """Nothing posts on or before the day. An earlier day than the last lock's reopens; the trail says so.

    Waits for entries under way: what was posted before the lock is there, and nothing comes after it.
    """
    row = book_named(book)
    number = take(f"period-lock:{row.id}")
    PeriodLock.objects.create(
        client_id=row.client_id,
        book=row,
        number=number,
        locked_through=through,
        reason=reason,
        by_user_id=current_scope().user.id,
    )
    return Locked(number, through)
