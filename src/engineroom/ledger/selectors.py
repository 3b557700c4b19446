"""Questions of the books: balances as at a day, and as known at a sealed point."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.ui import listing


@dataclass(frozen=True)
class Balance:
    """One account's balance. debit, credit: turnover in minor units; balance: debit minus credit."""

    account_id: UUID
    code: str
    name: str
    type: str
    is_control: bool
    currency: str
    debit: int
    credit: int

    @property
    def balance(self) -> int:
        return self.debit - self.credit

    @property
    def credit_balance(self) -> int:
        return -self.balance


def trial_balance(
    *, as_at: date | None = None, known_at: int | None = None, book: str = "main"
) -> list[Balance]:
    """Balances per account and currency, by effective day and by sealed point; either may be left open.

    known_at: a sealed number. The answer for a sealed point never changes, whatever is posted later.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.id, a.code, a.name, a.type, a.is_control, d.currency,
              sum(d.debit)::bigint, sum(d.credit)::bigint
            FROM ledger_delta d
            JOIN ledger_account a ON a.client_id = d.client_id AND a.id = d.account_id
            JOIN ledger_book b ON b.client_id = a.client_id AND b.id = a.book_id AND b.code = %(book)s
            LEFT JOIN ledger_batchseal s ON s.client_id = d.client_id AND s.id = d.batch_id
            WHERE d.client_id = %(client)s
              AND (%(day)s::date IS NULL OR d.day <= %(day)s)
              AND (%(seal)s::bigint IS NULL OR s.sealed_no <= %(seal)s)
            GROUP BY a.id, a.code, a.name, a.type, a.is_control, d.currency ORDER BY a.code, d.currency
            """,
            {"client": current_client_id(), "book": book, "day": as_at, "seal": known_at},
        )
        return [Balance(*row) for row in cursor.fetchall()]


def last_seal() -> int:
    """The client's latest sealed point; 0 before the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(sealed_no), 0) FROM ledger_batchseal WHERE client_id = %s",
            [current_client_id()],
        )
        return int(cursor.fetchone()[0])


@dataclass(frozen=True)
class JournalLine:
    """One posting as the journal prints it. amount: minor units, debit positive."""

    entry_id: UUID
    day: date
    batch_kind: str
    narrative: str
    account_code: str
    account_name: str
    currency: str
    amount: int
    dimension: UUID | None


def journal(
    *,
    subjects: list[UUID] | None = None,
    since: date | None = None,
    until: date | None = None,
    book: str = "main",
) -> list[JournalLine]:
    """Every posting of the book, or of the batches with these subjects, in the order of days and entries.

    since, until: only of these days, both included.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id, e.day, b.kind, e.narrative, a.code, a.name, p.currency, p.amount, p.dimension
            FROM ledger_posting p
            JOIN ledger_entry e ON e.client_id = p.client_id AND e.id = p.entry_id
            JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id
            JOIN ledger_account a ON a.client_id = p.client_id AND a.id = p.account_id
            JOIN ledger_book k ON k.client_id = e.client_id AND k.id = e.book_id AND k.code = %(book)s
            WHERE p.client_id = %(client)s
              AND (%(subjects)s::uuid[] IS NULL OR b.subject_id = ANY(%(subjects)s))
              AND (%(since)s::date IS NULL OR p.day >= %(since)s)
              AND (%(until)s::date IS NULL OR p.day <= %(until)s)
            ORDER BY e.day, e.id, p.line_no
            """,
            {
                "client": current_client_id(),
                "book": book,
                "subjects": subjects,
                "since": since,
                "until": until,
            },
        )
        return [JournalLine(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Booked:
    """What some entries come to. difference: by currency, debit minus credit, zero when the books balance."""

    entries: int
    postings: int
    accounts: tuple[str, ...]
    difference: dict[str, int]
    entry_ids: tuple[UUID, ...]


def booked(entry_ids: list[UUID], subject_ids: list[UUID]) -> Booked:
    """These entries and those of the batches that have one of the subjects.

    Postings are looked up entry by entry (OFFSET 0 keeps it so): PostgreSQL, which counts the client twice,
    once here and once in the policy, would go over all postings of the book.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH e AS (
              SELECT e.id, e.batch_id FROM ledger_entry e
              WHERE e.client_id = %(client)s AND e.id = ANY(%(entries)s)
              UNION
              SELECT e.id, e.batch_id FROM ledger_batch b
              JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
              WHERE b.client_id = %(client)s AND b.subject_id = ANY(%(subjects)s))
            SELECT p.currency, sum(p.amount)::bigint, count(*), array_agg(DISTINCT a.name ORDER BY a.name),
              array_agg(DISTINCT e.id ORDER BY e.id)
            FROM e CROSS JOIN LATERAL (
              SELECT l.account_id, l.currency, l.amount FROM ledger_posting l
              WHERE l.client_id = %(client)s AND l.entry_id = e.id OFFSET 0) p
            JOIN ledger_account a ON a.client_id = %(client)s AND a.id = p.account_id
            GROUP BY p.currency ORDER BY p.currency
            """,
            {"client": current_client_id(), "entries": entry_ids, "subjects": subject_ids},
        )
        rows = cursor.fetchall()
    entries = sorted({entry for row in rows for entry in row[4]})
    return Booked(
        len(entries),
        sum(row[2] for row in rows),
        tuple(dict.fromkeys(name for row in rows for name in row[3])),
        {row[0]: row[1] for row in rows},
        tuple(entries),
    )


def sealed_point(entry_ids: Sequence[UUID]) -> int | None:
    """The latest sealed point that covers one of these entries; None while none is sealed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT max(s.sealed_no) FROM ledger_entry e
            JOIN ledger_batchseal s ON s.client_id = e.client_id AND s.id = e.batch_id
            WHERE e.client_id = %s AND e.id = ANY(%s)
            """,
            [current_client_id(), list(entry_ids)],
        )
        point: int | None = cursor.fetchone()[0]
        return point


def locked_through(book: str = "main") -> date | None:
    """The last day on which nothing posts any more; None while nothing is locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.locked_through FROM ledger_periodlock l
            JOIN ledger_book b ON b.client_id = l.client_id AND b.id = l.book_id AND b.code = %s
            WHERE l.client_id = %s ORDER BY l.number DESC LIMIT 1
            """,
            [book, current_client_id()],
        )
        row = cursor.fetchone()
        return row[0] if row else None


POSTED_BY_DAY = """
  SELECT p.account_id, p.currency, p.day, e.batch_id,
    coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0),
    coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0)
  FROM ledger_posting p LEFT JOIN ledger_entry e ON e.client_id = p.client_id AND e.id = p.entry_id
  WHERE p.client_id = %(client)s GROUP BY 1, 2, 3, 4"""
KEPT_BY_DAY = """
  SELECT account_id, currency, day, batch_id, sum(debit), sum(credit)
  FROM ledger_delta WHERE client_id = %(client)s GROUP BY 1, 2, 3, 4"""

CHECKS = {
    "entries that do not add to zero in every currency": """
        SELECT count(DISTINCT id) FROM (
          SELECT e.id FROM ledger_entry e
          LEFT JOIN ledger_posting p ON p.client_id = e.client_id AND p.entry_id = e.id
          WHERE e.client_id = %(client)s GROUP BY e.id, p.currency
          HAVING sum(p.amount) IS DISTINCT FROM 0) wrong""",
    "entries with missing or extra lines": """
        SELECT count(*) FROM (
          SELECT e.id FROM ledger_entry e
          LEFT JOIN ledger_posting p ON p.client_id = e.client_id AND p.entry_id = e.id
          WHERE e.client_id = %(client)s
          GROUP BY e.id, e.line_count HAVING count(p.id) <> e.line_count) wrong""",
    "batches with missing or extra entries": """
        SELECT count(*) FROM (
          SELECT b.id FROM ledger_batch b
          LEFT JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
          WHERE b.client_id = %(client)s
          GROUP BY b.id, b.entry_count HAVING count(e.id) <> b.entry_count) wrong""",
    "lines without their entry, or of another day or book than it": """
        SELECT count(*) FROM ledger_posting p
        LEFT JOIN ledger_entry e ON e.client_id = p.client_id AND e.id = p.entry_id
        LEFT JOIN ledger_account a ON a.client_id = p.client_id AND a.id = p.account_id
        WHERE p.client_id = %(client)s
          AND (p.day, a.book_id) IS DISTINCT FROM (e.day, e.book_id)""",
    "reversals that are not the negative of their entry": """
        SELECT count(DISTINCT r.id) FROM ledger_entry r
        JOIN ledger_posting n ON n.client_id = r.client_id AND n.entry_id = r.id
        LEFT JOIN ledger_posting p
          ON p.client_id = r.client_id AND p.entry_id = r.reverses_id AND p.line_no = n.line_no
        WHERE r.client_id = %(client)s AND r.reverses_id IS NOT NULL
          AND (n.account_id, n.currency, n.amount, n.dimension)
              IS DISTINCT FROM (p.account_id, p.currency, -p.amount, p.dimension)""",
    "account days whose balance is not the sum of their postings": f"""
        SELECT count(*) FROM ({POSTED_BY_DAY} EXCEPT {KEPT_BY_DAY}) wrong""",  # noqa: S608 our own text
    "account days with a balance but no postings": f"""
        SELECT count(*) FROM ({KEPT_BY_DAY} EXCEPT {POSTED_BY_DAY}) wrong""",  # noqa: S608 our own text
    "seals out of turn, or of batches that are gone": """
        SELECT count(*) FROM (
          SELECT s.sealed_no, row_number() OVER (ORDER BY s.sealed_no) AS turn, b.id
          FROM ledger_batchseal s LEFT JOIN ledger_batch b ON b.client_id = s.client_id AND b.id = s.id
          WHERE s.client_id = %(client)s) seal
        WHERE sealed_no <> turn OR id IS NULL""",
}
"""Each question counts what is wrong, from the postings themselves."""


@dataclass(frozen=True)
class Check:
    """One thing that must hold, and how often it does not."""

    what: str
    wrong: int

    @property
    def ok(self) -> bool:
        return self.wrong == 0


def verify() -> list[Check]:
    """Re-prove the books from the postings themselves."""
    return answered(CHECKS)


def answered(questions: Mapping[str, str]) -> list[Check]:
    """Questions that each count what is wrong with the client, asked. All must come to zero."""
    results = []
    with connection.cursor() as cursor:
        for what, sql in questions.items():
            cursor.execute(sql, {"client": current_client_id()})
            results.append(Check(what, int(cursor.fetchone()[0])))
    return results


# --- pages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AccountView:
    """An account with its balances by currency as they stand, minor units, debit minus credit."""

    id: UUID
    code: str
    name: str
    type: str
    is_control: bool
    balances: dict[str, int]


def account(code: str, book: str = "main") -> AccountView | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.id, a.code, a.name, a.type, a.is_control, coalesce((
              SELECT jsonb_object_agg(currency, total) FROM (
                SELECT currency, sum(debit - credit)::bigint AS total FROM ledger_delta
                WHERE client_id = a.client_id AND account_id = a.id GROUP BY currency) d), '{}'::jsonb)::text
            FROM ledger_account a
            JOIN ledger_book b ON b.client_id = a.client_id AND b.id = a.book_id AND b.code = %s
            WHERE a.client_id = %s AND a.code = %s
            """,
            [book, current_client_id(), code],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    account_id, code, name, kind, is_control, balances = row
    return AccountView(account_id, code, name, kind, is_control, json.loads(balances))


@dataclass(frozen=True)
class AccountLine:
    """One posting of an account. amount: minor units, debit positive."""

    day: date
    id: UUID
    entry_id: UUID
    narrative: str
    kind: str
    currency: str
    amount: int
    balance: int = 0

    @property
    def credit(self) -> int:
        return -self.amount

    @property
    def cause(self) -> str:
        return self.kind.replace("_", " ")


ACCOUNT_LINES = """
SELECT p.day, p.id, p.entry_id, e.narrative, b.kind, p.currency, p.amount
FROM ledger_posting p
JOIN ledger_entry e ON e.client_id = p.client_id AND e.id = p.entry_id
JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id
WHERE p.client_id = %(client)s AND p.account_id = %(account)s
  AND (%(since)s::date IS NULL OR p.day >= %(since)s) AND (%(until)s::date IS NULL OR p.day <= %(until)s)
"""


def account_lines(
    account_id: UUID, *, since: date | None = None, until: date | None = None, cursor: str = ""
) -> listing.Slice[AccountLine]:
    """Postings of an account, latest first, each with the balance after it in its currency."""
    asked = {"client": current_client_id(), "account": account_id, "since": since, "until": until}
    order = listing.Order([("day", "date"), ("id", "uuid")], latest_first=True)
    found = listing.read_slice(ACCOUNT_LINES, asked, order, cursor, AccountLine)
    if not found.rows:
        return found
    after = _balances_after(account_id, found.rows[0])
    rows = []
    for line in found.rows:
        rows.append(replace(line, balance=after[line.currency]))
        after[line.currency] -= line.amount
    return replace(found, rows=rows)


def _balances_after(account_id: UUID, line: AccountLine) -> dict[str, int]:
    """By currency: what the account stood at once the line was posted, in the order of days."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT currency, sum(amount)::bigint FROM (
              SELECT currency, debit - credit AS amount FROM ledger_delta
              WHERE client_id = %(client)s AND account_id = %(account)s AND day < %(day)s
              UNION ALL
              SELECT currency, amount FROM ledger_posting
              WHERE client_id = %(client)s AND account_id = %(account)s AND day = %(day)s AND id <= %(id)s) p
            GROUP BY currency
            """,
            {"client": current_client_id(), "account": account_id, "day": line.day, "id": line.id},
        )
        return {currency: int(total) for currency, total in cursor.fetchall()}


@dataclass(frozen=True)
class EntryLine:
    """One line of an entry. amount: minor units, debit positive. about: whom the amount is about."""

    line_no: int
    account_code: str
    account_name: str
    currency: str
    amount: int
    about: str

    @property
    def credit(self) -> int:
        return -self.amount


@dataclass(frozen=True)
class EntryView:
    """A journal entry with its lines, its batch, and what it reverses or is reversed by."""

    id: UUID
    day: date
    narrative: str
    book: str
    number: int
    batch_id: UUID
    kind: str
    subject_kind: str
    subject_id: UUID
    by: str
    at: datetime
    sealed_no: int | None
    entries_in_batch: int
    reverses: UUID | None
    reversed_by: UUID | None
    lines: tuple[EntryLine, ...] = ()

    @property
    def cause(self) -> str:
        return self.kind.replace("_", " ")


def entry(entry_id: UUID) -> EntryView | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id, e.day, e.narrative, k.code, e.number, b.id, b.kind, b.subject_kind, b.subject_id,
              coalesce(u.name, ''), b.at, s.sealed_no, b.entry_count, e.reverses_id, r.id
            FROM ledger_entry e
            JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id
            JOIN ledger_book k ON k.client_id = e.client_id AND k.id = e.book_id
            LEFT JOIN ledger_batchseal s ON s.client_id = b.client_id AND s.id = b.id
            LEFT JOIN ledger_entry r ON r.client_id = e.client_id AND r.reverses_id = e.id
            LEFT JOIN foundation_user u ON u.id = b.by_user_id
            WHERE e.client_id = %s AND e.id = %s
            """,
            [current_client_id(), entry_id],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            """
            SELECT p.line_no, a.code, a.name, p.currency, p.amount, coalesce(p.dimension::text, '')
            FROM ledger_posting p JOIN ledger_account a ON a.client_id = p.client_id AND a.id = p.account_id
            WHERE p.client_id = %s AND p.entry_id = %s ORDER BY p.line_no
            """,
            [current_client_id(), entry_id],
        )
        return replace(EntryView(*row), lines=tuple(EntryLine(*line) for line in cursor.fetchall()))


@dataclass(frozen=True)
class LockView:
    number: int
    locked_through: date
    reason: str
    by: str
    at: datetime


def locks(book: str = "main", latest: int = 50) -> list[LockView]:
    """The locks of a book, latest first; the first one counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.number, l.locked_through, l.reason, coalesce(u.name, ''), l.at FROM ledger_periodlock l
            JOIN ledger_book b ON b.client_id = l.client_id AND b.id = l.book_id AND b.code = %s
            LEFT JOIN foundation_user u ON u.id = l.by_user_id
            WHERE l.client_id = %s ORDER BY l.number DESC LIMIT %s
            """,
            [book, current_client_id(), latest],
        )
        return [LockView(*row) for row in cursor.fetchall()]


def books() -> list[tuple[str, str]]:
    """(code, name) of the client's books, the main one first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, name FROM ledger_book WHERE client_id = %s ORDER BY code <> 'main', code",
            [current_client_id()],
        )
        return list(cursor.fetchall())
