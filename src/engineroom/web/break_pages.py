"""Break it: in a demonstration, what should never be possible is tried in earnest, and who refused is shown.

Every attempt is SQL past all of the application's own checks, on the application's own connection and as its
own role, in a transaction that is rolled back whatever happens. What is shown of a refusal are PostgreSQL's
words. Should something be let through, it is shown in red, and a test fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import path
from psycopg import ClientCursor

from engineroom.foundation.access.roles import WRITING
from engineroom.foundation.access.sign_in import clients_of, identity_of
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import FACE_OF_KIND, Identity, acting
from engineroom.ui.pages import PageRequest, page
from engineroom.web.context import is_demo

Values = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """Something that must not work.

    given: SQL that finds a row to try it on; its columns are the values of `tried`. tried: statements in
    order, of which the last must fail. guard: what it is that refuses; place: where the design says so.
    reads_nothing: the statement is let through, and must find no row.
    """

    name: str
    title: str
    plan: str
    given: str
    tried: tuple[str, ...]
    guard: str
    explained: str
    place: str
    reads_nothing: bool = False


ATTEMPTS = (
    Attempt(
        "approve-own-run",
        "Approve your own pay run",
        "Open a run yourself, and say yes to it yourself.",
        "SELECT coalesce(max(number), 0) + 1 AS number, gen_random_uuid() AS run FROM payroll_payrun",
        (
            """INSERT INTO payroll_payrun (id, client_id, jurisdiction, kind, frequency, pay_date,
  period_starts, period_ends, tax_year, tax_period, number)
VALUES (%(run)s, %(client)s, 'gb', 'trial', 'weekly', current_date,
  current_date, current_date, '2026-27', 34, %(number)s)""",
            """INSERT INTO foundation_approval
  (id, client_id, subject_kind, subject_id, content_hash, user_id)
VALUES (gen_random_uuid(), %(client)s, 'pay_run', %(run)s, '\\x00', %(user)s)""",
        ),
        "trigger approval_checked, function check_approval()",
        "The first statement made you a maker: a trigger notes whoever writes part of a run. The second asks "
        "for an approval, and another trigger looks for your name among the makers, through every file and "
        "every term that the run took in. Writing somebody else's id into it is no use: the trigger puts "
        "whoever is at work in its place.",
        "Approvals: maker is not checker",
    ),
    Attempt(
        "edit-a-posting",
        "Edit a posting",
        "Make an amount in the books a penny larger.",
        "SELECT id AS posting FROM ledger_posting ORDER BY id DESC LIMIT 1",
        ("UPDATE ledger_posting SET amount = amount + 1 WHERE id = %(posting)s",),
        "privileges of the role engineroom_app",
        "The role that serves pages may add to history and never change it: it does not hold the right to "
        "UPDATE this table. Who does hold it meets a trigger that refuses all the same. A mistake in the "
        "books is taken back by an entry of its own.",
        "History: insert only",
    ),
    Attempt(
        "delete-a-payslip",
        "Delete a payslip",
        "Let a payslip disappear.",
        "SELECT id AS payslip FROM payroll_payslip ORDER BY id DESC LIMIT 1",
        ("DELETE FROM payroll_payslip WHERE id = %(payslip)s",),
        "privileges of the role engineroom_app",
        "Payslips are history like postings: added, and neither changed nor deleted. Another run corrects.",
        "History: insert only",
    ),
    Attempt(
        "import-twice",
        "Take the same file in twice",
        "Pretend that an accepted file of hours had not been accepted yet.",
        "SELECT kind, sha256, preview_id AS preview FROM foundation_importcommit ORDER BY id DESC LIMIT 1",
        (
            "INSERT INTO foundation_importcommit (id, client_id, kind, sha256, preview_id)\n"
            "VALUES (gen_random_uuid(), %(client)s, %(kind)s, %(sha256)s, %(preview)s)",
        ),
        "unique constraint import_once",
        "A file is known by the hash of its bytes. Client, kind and hash are one unique key: taking the "
        "same bytes a second time finds the first, under whatever name the file comes.",
        "Commands: twice is once",
    ),
    Attempt(
        "read-another-client",
        "Read another client's people",
        "Work on one client, and ask for the people of another by id: a WHERE that somebody got wrong.",
        "",
        ("SELECT count(*) FROM people_person WHERE client_id = %(other)s",),
        "row security policy people_person_read",
        "The statement is correct SQL and finds nothing. Every table of clients carries a policy: only rows "
        "of clients that the transaction was opened for exist for it. The policy is forced, so it binds the "
        "tables' owner too.",
        "Row security: clients never see each other",
        reads_nothing=True,
    ),
    Attempt(
        "add-a-line",
        "Add a line to an old entry",
        "Slip one more line into an entry that was posted long ago.",
        "SELECT entry_id AS entry, account_id AS account, currency, day, line_no + 1000 AS line "
        "FROM ledger_posting ORDER BY id LIMIT 1",
        (
            """INSERT INTO ledger_posting
  (id, client_id, entry_id, line_no, account_id, currency, amount, day)
VALUES (gen_random_uuid(), %(client)s, %(entry)s, %(line)s, %(account)s, %(currency)s, 100, %(day)s)""",
        ),
        "trigger ledger_posting_checked, function check_postings()",
        "An entry says how many lines it has, and is written with all of them in one statement. A line that "
        "comes later is one too many: the trigger counts.",
        "Ledger: whole entries",
    ),
    Attempt(
        "unbalanced-entry",
        "Post an entry that does not balance",
        "Debit 100.00 and credit 99.99.",
        "SELECT gen_random_uuid() AS batch, gen_random_uuid() AS entry, b.id AS book, "
        "min(a.id::text)::uuid AS debit, max(a.id::text)::uuid AS credit, b.currency "
        "FROM ledger_book b JOIN ledger_account a ON a.client_id = b.client_id AND a.book_id = b.id "
        "GROUP BY b.id, b.currency LIMIT 1",
        (
            """WITH b AS (
  INSERT INTO ledger_batch (id, client_id, kind, subject_kind, subject_id, by_user_id, entry_count)
  VALUES (%(batch)s, %(client)s, 'trial', 'trial', %(batch)s, %(user)s, 1)),
e AS (
  INSERT INTO ledger_entry (id, client_id, batch_id, number, book_id, day, narrative, line_count)
  VALUES (%(entry)s, %(client)s, %(batch)s, 1, %(book)s, current_date, 'out by a penny', 2))
INSERT INTO ledger_posting (id, client_id, entry_id, line_no, account_id, currency, amount, day)
VALUES
  (gen_random_uuid(), %(client)s, %(entry)s, 1, %(debit)s, %(currency)s, 10000, current_date),
  (gen_random_uuid(), %(client)s, %(entry)s, 2, %(credit)s, %(currency)s, -9999, current_date)""",
        ),
        "trigger ledger_posting_checked, function check_postings()",
        "At the end of the statement a trigger adds up every entry it wrote, per currency. Anything but "
        "nought is refused, so there is no moment at which the books do not balance.",
        "Ledger: zero in every currency",
    ),
)
BY_NAME = {attempt.name: attempt for attempt in ATTEMPTS}


@dataclass(frozen=True)
class Refusal:
    """What PostgreSQL said, and of what."""

    message: str
    sqlstate: str
    detail: str
    constraint: str
    context: str


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt. refusal: None where nothing refused; found: rows that a reading one got."""

    attempt: Attempt
    statements: Sequence[str]
    refusal: Refusal | None
    found: int | None = None
    there: int | None = None
    """How many rows there really are, asked as somebody who may see them."""
    whose: str = ""
    at_work_on: str = ""
    nothing_to_try: bool = False

    @property
    def held(self) -> bool:
        """Whether the guard did what it says: refused, or showed nothing of what is really there."""
        if self.attempt.reads_nothing:
            return self.refusal is not None or self.found == 0
        return self.refusal is not None


@page(None, scope="mine")
def break_it(request: PageRequest) -> HttpResponse:
    """What can be tried, on a client of the user's."""
    if not is_demo():
        raise Http404
    on = _client(request.clients)
    return render(request, "web/break_it.html", {"attempts": ATTEMPTS, "on": on})


def attempt(request: HttpRequest, name: str) -> HttpResponse:
    """Try it, roll it back, and show who refused. No `@action`: that one would commit."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.is_authenticated:
        return redirect("account_login")
    identity = identity_of(request.user)
    if not is_demo() or FACE_OF_KIND[identity.kind] != "firm" or name not in BY_NAME:
        raise Http404
    held = clients_of(identity)
    on = _client(held)
    if on is None:
        raise Http404
    outcome = (
        _reading(identity, on, [c for c, _ in held])
        if BY_NAME[name].reads_nothing
        else _writing(identity, on, name)
    )
    words = {"attempts": ATTEMPTS, "on": on, "outcome": outcome}
    return render(request, "web/break_it.html", words)


def _client(held: Sequence[tuple[Client, frozenset[str]]]) -> Client | None:
    """The client to try things on: the first the user may write, the house last."""
    mine = sorted((c for c, names in held if names & set(WRITING)), key=lambda c: (c.is_house, c.code))
    return mine[0] if mine else None


@contextmanager
def _undone(identity: Identity, **scope: Any) -> Iterator[None]:
    """A scope like any other, whose transaction is rolled back at its end."""
    with acting(identity, **scope):
        try:
            yield
        finally:
            transaction.set_rollback(True)


def _writing(identity: Identity, on: Client, name: str) -> Outcome:
    """The statements of an attempt, in a scope that may write the client. Nothing of it remains."""
    chosen = BY_NAME[name]
    with _undone(identity, write=on.id):
        values = _values(chosen.given)
        if values is None:
            return Outcome(chosen, (), None, nothing_to_try=True)
        values |= {"client": on.id, "user": identity.id}
        shown, refusal = _tried(chosen.tried, values)
    return Outcome(chosen, shown, refusal)


def _reading(identity: Identity, on: Client, held: Sequence[Client]) -> Outcome:
    """Another client's people, counted by somebody at work on `on`; and how many there really are.

    How many there are can only be asked by who may see them: of another client of the user's, the one with
    most people. Where those have none, `on` is asked for from one of those, and by whoever holds a single
    client while at work on none.
    """
    chosen = BY_NAME["read-another-client"]
    there = {client.id: _people_of(identity, client) for client in held}
    others = [client for client in held if client.id != on.id and there[client.id]]
    other = max(others, key=lambda client: there[client.id], default=on)
    at_work = [client for client in (on, *held) if client.id != other.id][:1]
    with _undone(identity, read=[client.id for client in at_work]):
        shown, refusal = _tried(chosen.tried, {"other": other.id})
        found = None if refusal else _count(chosen.tried[0], {"other": other.id})
    return Outcome(
        chosen,
        shown,
        refusal,
        found=found,
        there=there[other.id],
        whose=other.name,
        at_work_on=at_work[0].name if at_work else "no client",
        nothing_to_try=there[other.id] == 0,
    )


def _people_of(identity: Identity, client: Client) -> int:
    with acting(identity, read=[client.id]):
        return _count(BY_NAME["read-another-client"].tried[0], {"other": client.id})


def _values(given: str) -> Values | None:
    """The row to try it on, by column; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(given)
        row = cursor.fetchone()
        return dict(zip([c.name for c in cursor.description], row, strict=True)) if row else None


def _count(statement: str, values: Values) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.fetchone()[0])


def _tried(statements: Sequence[str], values: Values) -> tuple[list[str], Refusal | None]:
    """As they were sent, up to the one that was refused."""
    shown = []
    with connection.cursor() as cursor:
        for statement in statements:
            shown.append(_as_sent(statement, values))
            try:
                cursor.execute(statement, values)
            except DatabaseError as error:
                return shown, _refusal(error)
    return shown, None


def _as_sent(statement: str, values: Values) -> str:
    """The statement with its values in place, as PostgreSQL would be typed to."""
    connection.ensure_connection()
    return ClientCursor(connection.connection).mogrify(statement, values)


def _refusal(error: DatabaseError) -> Refusal:
    cause = error.__cause__
    diag = getattr(cause, "diag", None)
    if diag is None:
        return Refusal(str(error), "", "", "", "")
    return Refusal(
        diag.message_primary or str(cause),
        diag.sqlstate or "",
        diag.message_detail or "",
        diag.constraint_name or "",
        (diag.context or "").splitlines()[0] if diag.context else "",
    )


urlpatterns = [
    path("demo/break", break_it, name="break_it"),
    path("demo/break/<slug:name>", attempt, name="break_attempt"),
]
