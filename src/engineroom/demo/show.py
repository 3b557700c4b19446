"""The demonstration: the sample firm set up as its people would do it, and one payday from timesheets to the
bank.

Every step goes through the commands of the product under somebody's own token; nothing here writes a table. A
second run finds everything done.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import typer
from django.conf import settings
from django.utils import timezone

from engineroom.billing import selectors as billing
from engineroom.billing.models import Invoice
from engineroom.cli import papers, serving, show
from engineroom.cli.firm import migrate
from engineroom.cli.ground import identity, options, seal_everything, write_token_file
from engineroom.demo import bank, work
from engineroom.demo.cast import DATA_PROCESSING, SERVICES_TAKEN, YEAR_STARTS
from engineroom.demo.sample import HOUSE, Firm, Sample, people_of_the_firm, write_sample
from engineroom.foundation import postgres
from engineroom.foundation.access import services as access
from engineroom.foundation.access.bootstrap import install
from engineroom.foundation.access.models import Grant, User
from engineroom.foundation.access.selectors import client_named, installation
from engineroom.foundation.engagement import selectors as terms
from engineroom.foundation.engagement import services as engagement
from engineroom.foundation.engagement.selectors import ServiceLine
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict
from engineroom.ledger import selectors as ledger_selectors
from engineroom.ledger import services as ledger
from engineroom.ledger.charts import STAFFING
from engineroom.ledger.models import Book
from engineroom.openitems import selectors as openitems
from engineroom.payday import steps
from engineroom.payroll.selectors import run_of
from engineroom.people import services as people
from engineroom.people.models import Person, PersonLogin
from engineroom.settlement import services as settlement
from engineroom.settlement.models import OwnAccount, Payment
from engineroom.settlement.selectors import reconcile
from engineroom.web import letters, links

OPENING_BALANCE_MINOR = 250_000_00
HOST, FIRST_PORT = "127.0.0.1", 8000


class NotADemo(Conflict):
    """This database holds a real firm; the demonstration keeps its hands off it."""


def run(out: Path, *, reset: bool, serve: bool = False) -> None:
    """Set up what is missing, run the payday, play the bank, say what happened, and serve its pages."""
    firm = people_of_the_firm()
    port = serving.free_port(HOST, FIRST_PORT) if serve else FIRST_PORT
    settings.BASE_URL = serving.base_url(HOST, port)  # the letters made here lead to what it serves
    if reset:
        _reset()
    say = _Steps()
    say("the database")
    migrate()
    _install(firm)
    say("the sample's files")
    sample = write_sample(out / "sample")
    say(f"{firm.name}: people, clients, grants")
    _staff(firm)
    client = client_named(_member(firm, "tom"), sample.client.code)
    say(f"{sample.client.name}: books, customers, people, assignments")
    _open_client(firm, sample, client.id)
    say("the work: procedures and promises")
    desk = work.Desk(firm, client.id)
    work.publish_the_ready_ones(firm)
    work.promise(desk)
    say(f"payday {sample.pay_date}: timesheets to paid people and billed customers")
    options.email = firm.member("priya").email
    work.pay_the_week(desk, sample)
    say("the bank's statement: what was paid, what came back, who paid us")
    statement = _play_the_bank(firm, sample, client.id, out)
    work.clear_the_week(desk, sample, statement)
    seal_everything()
    written = papers.leave(_member(firm, "priya"), client.id, sample.pay_date, out)
    seal_everything()
    say("letters, with a link each that opens one thing once")
    _tell_people(firm, sample, client.id)
    say(f"payday {sample.pay_date + WEEK}: calculated, and left for somebody to check")
    work.prepare_the_next_week(desk, sample, sample.pay_date + WEEK)
    say("other work: a leaver, a paper that the client is asked for, a month to be closed")
    work.other_work(desk, sample)
    seal_everything()
    _print_books(firm, client.id)
    _print_where(sample, out, written)
    if serve:
        _serve(sample, port)


def _serve(sample: Sample, port: int) -> None:
    """On the port that was free, or the next if somebody took it: two demonstrations run side by side."""
    port = serving.free_port(HOST, port)
    story = sample.story
    hour = f"/c/{sample.client.code}/thread?reference={story.traced_payroll_number}@{story.traced_day}"
    typer.secho("The pages (no password needed: choose whom to be)", bold=True)
    typer.echo("  begin with one hour, followed from the timesheet to the bank:")
    typer.echo(f"    http://{HOST}:{port}/demo/become?{urlencode({'next': hour})}")
    typer.echo("  or with what waits to be done:")
    typer.echo(f"    http://{HOST}:{port}/")
    typer.echo("  stop with Ctrl-C; come back with ./demo")
    serving.serve(HOST, port)


class _Steps:
    """Numbered lines of progress."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, text: str) -> None:
        self.n += 1
        typer.secho(f"{self.n}. {text}", bold=True)


def _member(firm: Firm, name: str) -> Identity:
    return identity(firm.member(name).email)


def _reset() -> None:
    """Throw the demonstration away: its database, its vault, its tokens. Never anything but a
    demonstration."""
    from django.db import connections

    if postgres.is_external():
        raise NotADemo("--reset works on the embedded database only; yours is at DATABASE_URL")
    try:
        here = _installed()
    except Exception:  # a half-made demo has no tables yet; then there is nothing to lose
        here = None
    if here is not None and not here:
        raise NotADemo("this database holds a real firm; --reset throws away demonstrations only")
    connections.close_all()
    postgres.recreate_database()
    for folder in (Path(settings.VAULT_DIR), Path(settings.TOKEN_DIR)):
        shutil.rmtree(folder, ignore_errors=True)
    access.system_user.cache_clear()


def _installed() -> bool | None:
    """True: a demonstration. False: a real firm. None: nothing yet."""
    with acting(access.system_user()):
        row = installation()
    return None if row is None else row.is_demo


def _install(firm: Firm) -> None:
    tom = firm.member("tom")
    try:
        done = install(firm.name, tom.email, tom.name, is_demo=True)
    except Conflict:
        if not _installed():
            raise NotADemo(
                "this database holds a real firm; the demonstration needs one of its own"
            ) from None
        return
    write_token_file(tom.email, done.token)


def _staff(firm: Firm) -> None:
    """Tom makes Ada an admin; Ada makes everybody else, the clients and the grants, Tom's included."""
    tom, ada = firm.member("tom"), firm.member("ada")
    with acting(_member(firm, "tom")) as scope:
        known = set(User.objects.values_list("email", flat=True))
        house = Client.objects.get(is_house=True).id
        granted = Grant.objects.count() > len(scope.roles) + 6
    if granted:
        return
    with acting(_member(firm, "tom"), write=house):
        if ada.email not in known:
            made = access.create_user(ada.email, ada.name)
            access.grant(made.user_id, "admin", starts=timezone.now().date(), reason="runs the installation")
            write_token_file(ada.email, access.issue_token(made.user_id).token)
    with acting(_member(firm, "ada"), write=house):
        clients = {
            c.code: access.open_client(c.code, c.name, details=c.details).client_id for c in firm.clients
        }
        clients[HOUSE] = house
        ids = dict(User.objects.values_list("email", "id"))
        for member in firm.staff:
            if member.email not in ids:
                ids[member.email] = access.create_user(member.email, member.name).user_id
                write_token_file(member.email, access.issue_token(ids[member.email]).token)
            for code, role in member.roles.items():
                if member.email != ada.email and (member.email, code) != (tom.email, HOUSE):
                    access.grant(
                        ids[member.email],
                        role,
                        starts=timezone.now().date(),
                        reason="sample firm",
                        on_client_id=clients[code],
                    )
        for contact in firm.contacts:
            if contact.email in ids:
                continue
            made_id = access.create_user(contact.email, contact.name, kind=contact.kind).user_id
            for code, role in contact.roles.items():
                access.grant(
                    made_id,
                    role,
                    starts=timezone.now().date(),
                    reason="sample firm",
                    on_client_id=clients[code],
                )


def _open_client(firm: Firm, sample: Sample, client_id: UUID) -> None:
    bea, priya = _member(firm, "bea"), _member(firm, "priya")
    with acting(bea, write=client_id):
        if not Book.objects.exists():
            ledger.open_book(STAFFING)
        if not OwnAccount.objects.exists():
            own = sample.own_account
            settlement.add_own_account(
                "main",
                own.name,
                sort_code=own.sort_code,
                account_number=own.account_number,
                service_user_number=own.service_user_number,
                iban=own.iban,
            )
    for kind, path in sample.imports():
        if kind != "timesheets":
            done = steps.import_files(priya, client_id, kind, [path])
            counts = ", ".join(f"{n:,} {what}" for t in done.taken for what, n in t.counts.items())
            typer.echo(f"  {path.name}: {counts or 'taken before'}")
    _give_logins(firm, client_id)
    _agree(firm, client_id)


def _agree(firm: Firm, client_id: UUID) -> None:
    """What the firm does for the client, from the year's beginning."""
    with acting(_member(firm, "lena"), write=client_id):
        if not terms.all_terms():
            engagement.agree_terms(
                YEAR_STARTS,
                agreed_on=YEAR_STARTS - timedelta(days=27),
                agreed_with="Ivor Beck",
                services=[ServiceLine(*line) for line in SERVICES_TAKEN],
                data_processing=DATA_PROCESSING,
            )


def _give_logins(firm: Firm, client_id: UUID) -> None:
    """Whoever has a payroll number is that person from now on."""
    with acting(_member(firm, "lena"), write=client_id):
        for contact in firm.contacts:
            user = User.objects.filter(email=contact.email).first()
            person = Person.objects.filter(payroll_number=contact.payroll_number).first()
            if user and person and not PersonLogin.objects.filter(user_id=user.id).exists():
                people.give_login(person.counterparty_id, user.id, starts=timezone.now().date())


def _play_the_bank(firm: Firm, sample: Sample, client_id: UUID, out: Path) -> Path:
    with acting(_member(firm, "bea"), read=[client_id]):
        day = steps.payday_of(sample.pay_date)  # others may have had their paydays since
        assert day.run is not None and day.batch is not None and day.bill_run is not None
        batch = day.batch
        issued = set(Invoice.objects.filter(bill_run=day.bill_run).values_list("number", flat=True))
        back = Payment.objects.select_related("payee").get(batch=batch, payee__code=sample.story.returned)
        invoices = [
            bank.InvoiceFacts(i.reference, i.amount, i.counterparty)
            for i in sorted(
                openitems.open_items(kind="invoice", include_closed=True), key=lambda i: i.reference
            )
            if i.reference in issued
        ]
    return bank.write_statement(
        out / "sample" / "statement.xml",
        account=sample.own_account,
        batch=bank.BatchFacts(batch.reference, batch.total, batch.entry_day),
        returned=[bank.ReturnedFacts(back.reference, back.amount, _later(batch.entry_day), back.payee.name)],
        receipts=bank.customers_pay(invoices, _later(batch.entry_day)),
        opening_minor=OPENING_BALANCE_MINOR,
    )


def _tell_people(firm: Firm, sample: Sample, client_id: UUID) -> None:
    """Every temp with an address learns that their payslip is there: in the outbox, nothing leaves."""
    with acting(_member(firm, "priya"), write=client_id):
        run = run_of(sample.pay_date)
        if run is not None:
            told = links.notify_payslips(run.id)
    if run is None:
        return
    if told.mailing_id:  # the worker's job; whoever only looks need not start one
        letters.send(client_id, told.mailing_id)
    there = len(list(Path(settings.OUTBOX_DIR).glob("*.eml")))
    said = f"{told.written} letters in" if told.written else f"no new letters, {there} there:"
    typer.echo(f"  {said} {settings.OUTBOX_DIR}; {told.without_address} have no address")


WEEK = timedelta(days=7)


def _later(day: date) -> date:
    from engineroom.kernel.calendar import calendar

    return calendar("ENG").add(day, 2)


def _print_books(firm: Firm, client_id: UUID) -> None:
    with acting(_member(firm, "bea"), read=[client_id]):
        balances = ledger_selectors.trial_balance()
        controls = openitems.controls()
        bank_account = reconcile()
        wrong = sum(c.wrong for c in ledger_selectors.verify())
        billed = billing.reconcile()
    rows = [(b.code, b.name, show.money(max(b.balance, 0)), show.money(max(-b.balance, 0))) for b in balances]
    rows.append(
        (
            "",
            "Total",
            show.money(sum(max(b.balance, 0) for b in balances)),
            show.money(sum(max(-b.balance, 0) for b in balances)),
        )
    )
    show.table("Trial balance", ("account", "", "debit", "credit"), rows, right=[2, 3])
    holds: list[tuple[str, Callable[[], bool]]] = [
        ("every entry balances and no balance is without its postings", lambda: wrong == 0),
        ("every control account is the sum of its open items", lambda: all(c.ok for c in controls)),
        ("every hour on a payslip is billed, waits, is held or was written off", lambda: billed.ok),
        ("the bank's statement is the ledger plus the exceptions", lambda: bank_account.ok),
    ]
    for what, ok in holds:
        typer.echo(f"  {'holds' if ok() else 'DOES NOT HOLD'}: {what}")


def _print_where(sample: Sample, out: Path, written: list[Path]) -> None:
    """Paths and commands on lines of their own, whole, so that they can be copied from any terminal."""
    story = sample.story
    places = [("the run's report, one page", p) for p in written if p.name.startswith("report-")]
    places += [
        ("payslips", out / "payslips"),
        ("invoices", out / "invoices"),
        ("the payment file and the journal", out),
        ("the files it all came from", sample.folder),
    ]
    commands = [
        (
            "follow one hour from the timesheet to the bank",
            "priya",
            f"trace {story.traced_payroll_number}@{story.traced_day}",
        ),
        ("ask a payslip why", "priya", f"payroll explain 1/{story.traced_payroll_number}"),
        ("prove the books", "bea", f"ledger verify {sample.client.code}"),
    ]
    typer.secho("Where to look", bold=True)
    for what, path in places:
        typer.echo(f"  {what}:\n    {path.resolve()}")
    typer.secho("What to type next", bold=True)
    for what, who, command in commands:
        typer.echo(f"  {what}:\n    {_program()} --as {who}@harbour.example {command}")


def _program() -> str:
    """How this very installation's command is typed, with its data folder if that is not the usual one."""
    path = Path(sys.argv[0]).resolve()
    program = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    home = os.environ.get("ENGINEROOM_HOME")
    return f"ENGINEROOM_HOME={shlex.quote(home)} {shlex.quote(program)}" if home else shlex.quote(program)
