"""A firm for tests: users, clients, files; made through the product's own commands."""

from __future__ import annotations

import csv
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.core.management import call_command

from engineroom.foundation.access import services as access
from engineroom.foundation.access.bootstrap import install
from engineroom.foundation.tenancy.scope import Identity, Scope, acting
from engineroom.ledger import services as ledger
from engineroom.ledger.charts import STAFFING
from engineroom.payday import steps
from engineroom.people import accounts
from engineroom.people.selectors import held_accounts
from engineroom.settlement import services as settlement

ROLES = ("owner", "lead", "specialist", "checker", "bookkeeper")
PAY_DATE = date(2026, 11, 27)
WEEK_ENDS = date(2026, 11, 22)
MONDAY = WEEK_ENDS - timedelta(days=6)
_numbers = itertools.count(1)


@dataclass
class TestClient:
    """A client with one user per role, its files folder, and short ways to act and to import."""

    __test__ = False

    id: UUID
    code: str
    staff: dict[str, Identity]
    folder: Path
    own_account: str = "20000055667788"

    @contextmanager
    def acting(self, role: str = "specialist", **more: Any) -> Iterator[Scope]:
        with acting(self.staff[role], write=self.id, **more) as scope:
            yield scope

    def file(self, name: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
        """A CSV file with these rows."""
        path = self.folder / name
        with path.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([headings, *rows])
        return path

    def take(self, kind: str, *paths: Path, role: str = "specialist") -> steps.Imported:
        return steps.import_files(self.staff[role], self.id, kind, list(paths))


@dataclass
class Firm:
    """The installation: its owner, its admin, and every client made so far."""

    house_id: UUID
    owner: Identity
    admin: Identity
    folder: Path
    clients: list[TestClient] = field(default_factory=list)

    def new_user(self, kind: str = "staff") -> Identity:
        n = next(_numbers)
        with acting(self.owner, write=self.house_id):
            made = access.create_user(f"user{n}@firm.example", f"User {n}", kind=kind)
        return access.identity(made.user_id)

    def grant(self, user: Identity, client_id: UUID, role: str, **more: Any) -> None:
        with acting(self.admin, write=self.house_id):
            access.grant(
                user.id, role, starts=date(2026, 1, 1), reason="test", on_client_id=client_id, **more
            )

    def new_client(self, *, with_books: bool = True) -> TestClient:
        n = next(_numbers)
        code = f"C{n:05d}"
        with acting(self.owner, write=self.house_id):
            client_id = access.open_client(code, f"Client {n} Ltd", details=DETAILS).client_id
        staff = {role: self.new_user() for role in ROLES}
        for role, user in staff.items():
            self.grant(user, client_id, role)
        folder = self.folder / code
        folder.mkdir()
        client = TestClient(client_id, code, staff, folder)
        if with_books:
            with client.acting("bookkeeper"):
                ledger.open_book(STAFFING)
                settlement.add_own_account(
                    "main", code, sort_code="200000", account_number="55667788", service_user_number="123456"
                )
        self.clients.append(client)
        return client


DETAILS = {
    "address": "1 Test Street, Carlisle CA1 1AA",
    "vat_number": "GB 000 0000 00",
    "paye_reference": "123/AB456",
}


def make_firm() -> Firm:
    """Migrate, install, and make an admin beside the owner."""
    call_command("migrate", database="owner", verbosity=0)
    done = install("Test Bureau Ltd", "owner@firm.example", "The Owner", is_demo=True)
    owner = access.authenticate(done.token)
    with acting(owner, write=done.house_client_id):
        made = access.create_user("admin@firm.example", "The Admin")
        access.grant(made.user_id, "admin", starts=date(2026, 1, 1), reason="test")
    folder = Path(settings.HOME) / "files"
    folder.mkdir(exist_ok=True)
    return Firm(done.house_client_id, owner, access.identity(made.user_id), folder)


# --- small files --------------------------------------------------------------------------------------


@dataclass
class Temp:
    """A person on one assignment, and the hours of one week from Monday on."""

    number: str = "T1"
    name: str = "Jo Bloggs"
    hours: Sequence[str] = ("8", "8", "8", "8", "8")
    customer: str = "ACME"
    order: str = ""
    pay_rate: str = "15.00"
    bill_rate: str = "21.00"
    tax_code: str = "1257L"
    basis: str = "cumulative"
    pension: str = ""
    loan: str = ""
    status: str = "approved"
    account: str = ""

    @property
    def assignment(self) -> str:
        return f"{self.number}-{self.customer}"


def set_up(client: TestClient, temps: Sequence[Temp], orders: Sequence[Sequence[str]] = ()) -> None:
    """Import customers, orders, people, tax details and assignments for these temps."""
    customers = sorted({t.customer for t in temps})
    client.take(
        "customers",
        client.file(
            "customers.csv",
            ("code", "name", "address", "payment_days"),
            [(c, f"{c} Ltd", "1 Road, Town", "30") for c in customers],
        ),
    )
    if orders:
        headings = ("customer", "order_number", "from_date", "until_date", "limit_amount", "limit_hours")
        client.take("orders", client.file("orders.csv", headings, orders))
    people = {t.number: t for t in temps}.values()
    client.take(
        "people",
        client.file(
            "people.csv",
            ("payroll_number", "name", "start_date", "sort_code", "account_number"),
            [
                (t.number, t.name, "2026-01-05", "20-00-00", t.account or f"{n:08d}")
                for n, t in enumerate(people, 1)
            ],
        ),
    )
    headings = (
        "payroll_number", "from_date", "tax_code", "basis", "ni_category", "student_loan_plan",
        "pension_relief", "pension_employee", "pension_employer",
    )  # fmt: skip
    rows = [
        (
            t.number,
            "2026-04-06",
            t.tax_code,
            t.basis,
            "A",
            t.loan,
            t.pension,
            "5%" if t.pension else "",
            "3%" if t.pension else "",
        )
        for t in people
    ]
    client.take("tax-details", client.file("tax.csv", headings, rows))
    headings = (
        "assignment",
        "payroll_number",
        "customer",
        "order_number",
        "role",
        "start_date",
        "pay_rate",
        "bill_rate",
    )
    rows = [
        (t.assignment, t.number, t.customer, t.order, "Operative", "2026-01-05", t.pay_rate, t.bill_rate)
        for t in temps
    ]
    client.take("assignments", client.file("assignments.csv", headings, rows))


HOURS_HEADINGS = ("assignment", "payroll_number", "date", "hours", "status", "comment")


def hours_file(
    client: TestClient, temps: Sequence[Temp], monday: date = MONDAY, name: str = "hours.csv"
) -> Path:
    """A timesheet file of one week."""
    rows = [
        (t.assignment, t.number, (monday + timedelta(days=d)).isoformat(), h, t.status, "")
        for t in temps
        for d, h in enumerate(t.hours)
        if h
    ]
    return client.file(name, HOURS_HEADINGS, rows)


def approve_accounts(client: TestClient, role: str = "checker") -> int:
    """Approve every account that is held, as somebody who had no part in it; how many there were."""
    with client.acting(role):
        held = held_accounts()
    for one in held:
        with client.acting(role):
            accounts.approve_account(one.proposal_id, content_hash=one.content_hash)
    return len(held)


def approve_payday(client: TestClient, role: str = "lead", pay_date: date = PAY_DATE) -> steps.ApprovedBoth:
    """Look at what stands, then approve exactly that."""
    with client.acting(role):
        seen = steps.content_of(steps.payday_of(pay_date))
    return steps.approve(client.staff[role], client.id, pay_date, run_hash=seen.run, bill_hash=seen.bills)


def run_payday(
    client: TestClient, temps: Sequence[Temp], pay_date: date = PAY_DATE, *, with_papers: bool = False
) -> steps.Payday:
    """From hours to posted invoices: specialist prepares, lead approves, checker releases and issues."""
    client.take(
        "timesheets", hours_file(client, temps, pay_date - timedelta(days=11), f"hours-{pay_date}.csv")
    )
    steps.calculate(client.staff["specialist"], client.id, pay_date)
    approve_payday(client, pay_date=pay_date)
    steps.release(client.staff["checker"], client.id, pay_date)
    steps.issue(client.staff["checker"], client.id, pay_date)
    steps.post(client.staff["specialist"], client.id, pay_date, with_papers=with_papers)
    with client.acting("specialist"):
        return steps.payday_of(pay_date)


# --- going around the application ---------------------------------------------------------------------


def connect(role: str = "default") -> psycopg.Connection[tuple[Any, ...]]:
    """A raw connection: `default` is the app role, `owner` the owner."""
    s = settings.DATABASES[role]
    return psycopg.connect(
        host=s["HOST"], port=s["PORT"], dbname=s["NAME"], user=s["USER"], password=s["PASSWORD"] or None
    )


def enter(
    connection: psycopg.Connection[Any],
    user: Identity,
    *,
    read: Sequence[UUID] = (),
    write: UUID | None = None,
) -> None:
    """Open a scope by hand, as `acting` does, in the connection's current transaction."""
    connection.execute("SELECT app_enter(%s, NULL, 'firm', %s, %s)", [user.id, list(read), write])


def superuser() -> psycopg.Connection[tuple[Any, ...]]:
    """A connection that no guard binds: for looking at raw bytes, and for tampering."""
    from engineroom.foundation import postgres

    server = postgres.status()
    assert server is not None
    return psycopg.connect(server.conninfo(dbname=settings.DATABASES["default"]["NAME"]))


# --- the command line ---------------------------------------------------------------------------------


def give_token(firm: Firm, user: Identity) -> None:
    """A token file for the user, where `--as` finds it."""
    from engineroom.cli.ground import write_token_file

    with acting(firm.admin, write=firm.house_id):
        write_token_file(user.email, access.issue_token(user.id).token)


def typed(*words: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command `engineroom` as a process of its own, on the session's server."""
    program = Path(sys.executable).parent / "engineroom"
    return subprocess.run(
        [program, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "ENGINEROOM_HOME": str(settings.HOME), **(environment or {})},
    )
