"""A firm at work: 200 clients, a million postings, one client of 10,000 people, and something to do on most
of them, made through the product's own commands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from benchmarks.ground import many_clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.firm import Firm, Temp, TestClient

CLIENTS, POSTINGS, PEOPLE = 200, 1_000_000, 10_000
SMALL, BIG_SHARE = 6, 5
"""People of a small client; one fifth of the postings are the big one's."""

LINES_AN_ENTRY, MONTHS = 3, 12
PASSWORD = "three brass valves turning"
THREADS = {
    "hour": "timesheets_timeentry",
    "payable": "timesheets_charge",
    "payslip": "payroll_payslip",
    "invoice_line": "billing_invoiceline",
    "invoice": "billing_invoice",
    "item": "openitems_openitem",
    "payment": "settlement_payment",
    "batch": "settlement_paymentbatch",
    "bank_line": "settlement_bankline",
    "entry": "ledger_entry",
}
"""Kinds on the thread, and the tables of them."""


@dataclass(frozen=True)
class BusyFirm:
    """Who signs in, and what there is to open. runs: (client, number); threads: (client, kind, id)."""

    email: str
    password: str
    big: str
    clients: list[str]
    runs: list[tuple[str, int]]
    threads: list[tuple[str, str, UUID]]


def make(firm: Firm) -> BusyFirm:
    with _told("clients"):
        clients = many_clients(firm, CLIENTS)
    with _told("postings"):
        _books(clients)
    with _told("the big client's paydays"):
        _work(clients[0], _people(PEOPLE, customers=200), stage=1)
    with _told("the small clients' paydays"):
        for n, client in enumerate(clients[1:]):
            _work(client, _people(SMALL, customers=2), stage=n % 5)
    _settle()
    specialist = clients[0].staff["specialist"]
    _set_password(specialist.id)
    return BusyFirm(
        specialist.email,
        PASSWORD,
        clients[0].code,
        [c.code for c in clients],
        _runs(clients),
        _things(clients),
    )


@contextmanager
def _told(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"#   {what}: {time.perf_counter() - start:.0f} s", flush=True)


# --- books --------------------------------------------------------------------------------------------


def _books(clients: Sequence[TestClient]) -> None:
    """A year of entries, a batch a month, on accounts that no open items stand behind."""
    of_small = POSTINGS * (BIG_SHARE - 1) // BIG_SHARE // (len(clients) - 1)
    for n, client in enumerate(clients):
        _year(client, POSTINGS // BIG_SHARE if n == 0 else of_small)


def _year(client: TestClient, postings: int) -> None:
    from engineroom.kernel.ids import uuid7, uuids_to_column
    from engineroom.ledger.services import EntryColumns, LineColumns, account_ids, book_named, post

    entries = -(-postings // LINES_AN_ENTRY // MONTHS)
    entry = np.repeat(np.arange(entries), LINES_AN_ENTRY)
    net = np.arange(1, entries + 1, dtype=np.int64) * 100
    amount = np.stack([net * 12 // 10, -net, net - net * 12 // 10], axis=1).reshape(-1)
    first = np.datetime64(_today()) - MONTHS * 28
    with client.acting("bookkeeper"):
        codes, book = account_ids(), book_named().id
        # A month of sales, one of wages: more accounts than three are moved.
        columns = [uuids_to_column([codes[c] for c in chosen]) for chosen in _ACCOUNTS]
        for month in range(MONTHS):
            days = first + month * 28 + np.arange(entries) % 28
            accounts = columns[month % len(columns)][np.tile(np.arange(LINES_AN_ENTRY), entries)]
            post(
                "benchmark",
                ("benchmark", uuid7()),
                book,
                EntryColumns(days, ["Benchmark"] * entries),
                LineColumns(entry, accounts, amount),
            )


_ACCOUNTS = [("1200", "4000", "2250"), ("5000", "1200", "2240"), ("5030", "2240", "2900")]


# --- paydays ------------------------------------------------------------------------------------------


def _today() -> date:
    from engineroom.foundation import duties

    return duties.today()


def next_friday() -> date:
    """The pay date that is being worked on: three days ahead or more."""
    day = _today() + timedelta(days=3)
    return day + timedelta(days=(4 - day.weekday()) % 7)


def _people(many: int, *, customers: int) -> list[Temp]:
    from tests.firm import Temp

    return [
        Temp(
            f"P{n:05d}",
            f"Person {n}",
            customer=f"K{n % customers:03d}",
            tax_code=("1257L", "BR", "S1257L", "C1257L", "K475")[n % 5],
            pension=("relief_at_source", "", "net_pay")[n % 3],
            account=f"{n + 1:08d}",
        )
        for n in range(many)
    ]


def _work(client: TestClient, temps: Sequence[Temp], stage: int) -> None:
    """A payday that is over; and the next one: hours only, calculated, approved, released, or hours beside a
    statement that nobody can explain.
    """
    from tests.firm import approve_payday, hours_file, run_payday, set_up

    from engineroom.payday import steps

    due = next_friday()
    set_up(client, temps)
    run_payday(client, temps, due - timedelta(days=7))
    if stage == 4:
        steps.clear(client.staff["bookkeeper"], client.id, [_statement(client)])
    disputed = [replace(t, status="disputed") if n < 2 else t for n, t in enumerate(temps)]
    client.take("timesheets", hours_file(client, disputed, due - timedelta(days=11), "next.csv"))
    if stage in (1, 2, 3):
        steps.calculate(client.staff["specialist"], client.id, due)
    if stage in (2, 3):
        approve_payday(client, pay_date=due)
    if stage == 3:
        steps.release(client.staff["checker"], client.id, due)


def _statement(client: TestClient) -> Any:
    from tests.settlement import bank

    lines = [
        bank.Booked((n + 1) * 1250, f"UNKNOWN {n}", f"Payer {n}", reference=f"R{n}", day=_today())
        for n in range(5)
    ]
    return bank.write(client.folder, bank.statement(lines, period=(_today(), _today())))


def _settle() -> None:
    """As a worker, autovacuum and a checkpoint leave it, which a firm has behind it: a million postings were
    written just now, and tidying them up takes half of the processor for minutes."""
    from tests.firm import superuser

    from engineroom.cli.ground import seal_everything

    seal_everything()
    with superuser() as server:
        server.autocommit = True
        server.execute("VACUUM (ANALYZE)")
        server.execute("CHECKPOINT")


# --- what there is to open ----------------------------------------------------------------------------


def _set_password(user_id: UUID) -> None:
    from engineroom.foundation.access import sign_in
    from engineroom.foundation.tenancy.scope import acting

    user = sign_in.user_at_the_door(user_id=user_id)
    assert user is not None
    with acting(sign_in.identity_of(user)):
        sign_in.change_password(user, PASSWORD)


def _runs(clients: Sequence[TestClient]) -> list[tuple[str, int]]:
    return [row[:2] for row in _rows(clients, "SELECT number FROM payroll_payrun WHERE client_id = %s")]


def _things(clients: Sequence[TestClient]) -> list[tuple[str, str, UUID]]:
    """Some of every kind: of the big client, and of every seventh one."""
    return [
        (code, kind, found)
        for kind, table in THREADS.items()
        for code, found in _rows(
            clients[::7],
            f"SELECT id FROM {table} WHERE client_id = %s ORDER BY md5(id::text) LIMIT 5",
        )
    ]


def _rows(clients: Sequence[TestClient], sql: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    found = []
    for client in clients:
        with client.acting("specialist"), connection.cursor() as cursor:
            cursor.execute(sql, [client.id])
            found += [(client.code, *row) for row in cursor.fetchall()]
    return found
