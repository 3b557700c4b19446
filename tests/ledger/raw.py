"""Writing the books around the application: raw SQL as `app`, and as a superuser who plants damage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.db import connections

from engineroom.foundation.tenancy.scope import Identity
from engineroom.kernel.ids import uuid7
from engineroom.ledger.services import account_ids, book_named
from tests.firm import TestClient, connect, enter, superuser

R = TypeVar("R")
Row = dict[str, Any]
DAY = date(2026, 11, 10)
WAIT_S = 10.0


@dataclass
class Raw:
    """Rows for a client's books, as the application makes them; a test changes what is to be refused."""

    client: TestClient
    user: Identity
    book_id: UUID
    accounts: dict[str, UUID]

    def batch(self, entries: int = 1, **change: Any) -> Row:
        row = {
            "id": uuid7(),
            "client_id": self.client.id,
            "kind": "test",
            "subject_kind": "test",
            "subject_id": uuid7(),
            "by_user_id": self.user.id,
            "entry_count": entries,
            "at": "2026-11-10T12:00:00Z",
        }
        return row | change

    def entry(self, batch: Row, lines: int = 2, **change: Any) -> Row:
        row = {
            "id": uuid7(),
            "client_id": self.client.id,
            "batch_id": batch["id"],
            "number": 1,
            "book_id": self.book_id,
            "day": DAY,
            "narrative": "by hand",
            "line_count": lines,
            "reverses_id": None,
        }
        return row | change

    def line(self, entry: Row, number: int, account: str, amount: int, **change: Any) -> Row:
        row = {
            "id": uuid7(),
            "client_id": self.client.id,
            "entry_id": entry["id"],
            "line_no": number,
            "account_id": self.accounts[account],
            "day": entry["day"],
            "currency": "GBP",
            "amount": amount,
            "dimension": None,
        }
        return row | change

    def lines(self, entry: Row, *amounts: tuple[str, int], **change: Any) -> list[Row]:
        return [
            self.line(entry, n, account, amount, **change) for n, (account, amount) in enumerate(amounts, 1)
        ]

    def simple(self, amount: int = 100, **entry_change: Any) -> tuple[Row, Row, list[Row]]:
        """A whole batch of one entry: bank against income."""
        batch = self.batch()
        entry = self.entry(batch, **entry_change)
        return batch, entry, self.lines(entry, ("1200", amount), ("4000", -amount))

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the app role inside the bookkeeper's scope. Uncommitted work is rolled back."""
        raw = connect()
        try:
            enter(raw, self.user, read=[self.client.id], write=self.client.id)
            yield raw
        finally:
            raw.close()

    def write(
        self,
        connection: psycopg.Connection[Any],
        batches: Sequence[Row] = (),
        entries: Sequence[Row] = (),
        lines: Sequence[Row] = (),
    ) -> None:
        """All rows in one statement, as `ledger.post` writes them."""
        connection.execute(
            "WITH b AS "
            "(INSERT INTO ledger_batch SELECT * FROM json_populate_recordset(null::ledger_batch, %s)), "
            "e AS (INSERT INTO ledger_entry SELECT * FROM json_populate_recordset(null::ledger_entry, %s)) "
            "INSERT INTO ledger_posting SELECT * FROM json_populate_recordset(null::ledger_posting, %s)",
            [json.dumps(list(rows), default=str) for rows in (batches, entries, lines)],
        )

    def commit(self, batches: Sequence[Row], entries: Sequence[Row], lines: Sequence[Row]) -> None:
        with self.connection() as raw:
            self.write(raw, batches, entries, lines)
            raw.commit()


def raw_books(client: TestClient) -> Raw:
    with client.acting("bookkeeper"):
        return Raw(client, client.staff["bookkeeper"], book_named().id, account_ids())


def sqlstate_of(work: Callable[[], object]) -> str | None:
    """What PostgreSQL refuses the work with; None when it does not."""
    try:
        work()
    except psycopg.Error as error:
        return error.sqlstate
    return None


def tamper(sql: str, values: dict[str, object]) -> int:
    """Change rows behind every guard, as whoever holds the server can. Returns how many."""
    with superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        return connection.execute(sql, values).rowcount


@contextmanager
def another_person() -> Iterator[Callable[[Callable[[], R]], Future[R]]]:
    """Run work in another thread, which has a Django connection of its own."""

    def run(work: Callable[[], R]) -> R:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=4) as pool:
        yield lambda work: pool.submit(run, work)


def until_somebody_waits(how_many: int = 1) -> None:
    """Until so many connections wait for a lock; fails when none comes to wait."""
    with superuser() as connection:
        connection.autocommit = True  # one transaction would see the same picture for ever
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            (waiting,) = connection.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'"
            ).fetchone() or (0,)
            if waiting >= how_many:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")
