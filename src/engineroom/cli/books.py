"""`engineroom ledger`, `audit`, `billing`, `payments`: questions of the books, and the few acts beside
payday."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import show
from engineroom.cli.arguments import Client, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import EngineroomError, NotFound
from engineroom.ui.display import format_count, format_hours

if TYPE_CHECKING:
    from engineroom.settlement.selectors import Reconciliation
    from engineroom.timesheets.models import Timesheet

ledger = typer.Typer(no_args_is_help=True, help="The books.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")
billing = typer.Typer(no_args_is_help=True, help="Invoices and held hours.")
payments = typer.Typer(no_args_is_help=True, help="Payment files.")

OptionalDay = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@ledger.command("verify")
@on_the_ground
def verify_ledger(client: Client) -> None:
    """Re-prove the books from the postings: whole entries, balances, control accounts, nothing lost in
    billing, lines cleared and files paid as they say, the bank beside the books."""
    from engineroom.billing.selectors import reconcile
    from engineroom.ledger import selectors
    from engineroom.openitems import selectors as openitems
    from engineroom.settlement import selectors as settlement

    with reading(client):
        checks = [*selectors.verify(), *openitems.verify(), *settlement.verify()]
        reconciled = reconcile()
        banks = [(a.currency, settlement.reconcile(a.code)) for a in settlement.own_accounts()]
    rows: list[tuple[str, str, object]] = [("ok" if c.ok else "WRONG", c.what, c.wrong) for c in checks]
    (minutes, amount), paid = reconciled.difference, reconciled.payslip_difference
    for what, wrong in (
        ("paid hours that are not billed, waiting, held or written off (minutes)", minutes),
        ("the same in billable money", amount),
        ("hours of released runs that no payslip pays, or none was worked for (minutes)", paid),
    ):
        rows.append(("WRONG" if wrong else "ok", what, wrong))
    rows += [row for currency, bank in banks for row in _bank_rows(bank, currency)]
    show.table("Ledger", ("", "what must hold", "wrong"), rows, right=[2])
    if any(row[0] == "WRONG" for row in rows):
        raise EngineroomError("the books do not hold; see above")


def _bank_rows(bank: Reconciliation, currency: str) -> list[tuple[str, str, object]]:
    """A bank account beside its statements. What no balance of the bank proves is said, and is not wrong."""
    off = bank.bank_movement - bank.ledger - bank.exceptions
    found = [
        ("statement lines are the ledger's postings and the exceptions", off),
        ("posted without a line of the bank", bank.without_bank),
        ("moved by the bank's own balances, beyond the lines", bank.missing or 0),
    ]
    rows: list[tuple[str, str, object]] = [
        (
            "WRONG" if amount else "ok",
            f"{bank.account}: {what}",
            show.money(amount, currency) if amount else 0,
        )
        for what, amount in found
    ]
    for first, last in bank.unproven:
        span = f"from {first or 'the beginning'} to {last or 'now'}"
        rows.append(("open", f"{bank.account}: not provable {span}: statements without balances", ""))
    return rows


@ledger.command("trial-balance")
@on_the_ground
def trial_balance(
    client: Client,
    as_at: OptionalDay = None,
    known_at: Annotated[int | None, typer.Option(help="as known at this sealed point")] = None,
) -> None:
    """Balances as at a day, and as known at a sealed point."""
    from engineroom.ledger import selectors

    with reading(client):
        if known_at is not None and not 0 <= known_at <= selectors.last_seal():
            raise NotFound(
                f"the last sealed point is {selectors.last_seal()}: what is known at {known_at} may change"
            )
        rows = selectors.trial_balance(as_at=as_at.date() if as_at else None, known_at=known_at)
        sealed = selectors.last_seal()
    lines = [
        (
            b.code,
            b.name,
            b.currency,
            show.money(max(b.balance, 0), b.currency),
            show.money(max(-b.balance, 0), b.currency),
        )
        for b in rows
    ]
    total = sum(max(b.balance, 0) for b in rows), sum(max(-b.balance, 0) for b in rows)
    lines.append(("", "Total", "", show.money(total[0]), show.money(total[1])))
    show.table(
        f"Trial balance (last sealed point {sealed})",
        ("account", "name", "", "debit", "credit"),
        lines,
        right=[3, 4],
    )


@ledger.command("add-account")
@on_the_ground
def add_ledger_account(
    client: Client,
    code: Annotated[str, typer.Argument(help="as the client's books call it")],
    name: Annotated[str, typer.Argument()],
    type: Annotated[str, typer.Option(help="asset, liability, equity, income or expense")],
    control: Annotated[bool, typer.Option("--control", help="its balance is that of its open items")] = False,
) -> None:
    """Add an account to the client's book."""
    from engineroom.ledger import services

    with writing(client):
        done = services.add_account(code, name, type, is_control=control)
    typer.echo(f"account {done.code} is in the book")


@ledger.command("lock")
@on_the_ground
def lock(
    client: Client,
    through: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    reason: Reason,
) -> None:
    """Lock the books through a day; an earlier day than the last lock's reopens, and the trail says so."""
    from engineroom.ledger import services

    with writing(client):
        done = services.lock_period(through.date(), reason=reason)
    typer.echo(f"lock {done.number}: nothing posts on or before {done.locked_through}")


@ledger.command("reverse")
@on_the_ground
def reverse(
    client: Client,
    entry: Annotated[str, typer.Argument(help="the entry's id, or its first or last 8 letters")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    reason: Reason,
) -> None:
    """Post an entry's negative, linked both ways."""
    from engineroom.foundation import thread
    from engineroom.ledger import services

    with writing(client):
        found = thread.FIND["entry"](entry)
        if len(found) != 1:
            raise NotFound(
                f"{len(found) or 'no'} entries are called {entry!r}; `trace` and open items show ids"
            )
        done = services.reverse_entry(found[0], day=day.date(), reason=reason)
    typer.echo(f"reversed by entry {done.entry_id}")


@ledger.command("open-items")
@on_the_ground
def open_items(client: Client, kind: Annotated[str | None, typer.Option()] = None) -> None:
    """What is owed and held, by due date."""
    from engineroom.openitems import selectors

    with reading(client):
        rows = selectors.open_items(kind=kind)
    show.table(
        format_count(len(rows), "open item"),
        ("due", "kind", "counterparty", "reference", "amount", "open"),
        [
            (
                i.due,
                i.kind,
                i.counterparty,
                i.reference,
                show.money(i.amount, i.currency),
                show.money(i.open, i.currency),
            )
            for i in rows
        ],
        right=[4, 5],
    )


@audit.command("verify")
@on_the_ground
def verify_audit(client: Client) -> None:
    """Recompute the chain; names the first broken link and the unsealed tail."""
    from engineroom.foundation.audit import services
    from engineroom.foundation.tenancy.scope import acting

    seal_everything()
    user = identity()
    with acting(user, read=[client_named(user, client).id]):
        verdict = services.verify()
    typer.echo(f"{verdict.sealed} events sealed and whole, {verdict.unsealed} not sealed yet")
    if not verdict.ok:
        raise EngineroomError(f"the chain is broken: {verdict.broken}")


@billing.command("end-hold")
@on_the_ground
def end_hold(
    client: Client,
    hour: Annotated[str, typer.Argument(help="PAYROLLNUMBER@DATE: any hour of the held timesheet")],
    assignment: Annotated[
        str | None, typer.Option(metavar="CODE", help="which, if the person worked on several that day")
    ] = None,
    *,
    outcome: Annotated[str, typer.Option(help="billable or written_off")],
    reason: Reason,
) -> None:
    """End the holds of a timesheet: the customer agreed, or the hours are written off to margin."""
    from engineroom.timesheets.services import end_holds

    with writing(client):
        sheet = _timesheet_of(hour, assignment)
        done = end_holds(sheet.id, outcome=outcome, reason=reason)
        of = f"{sheet.assignment.customer.name}, week ending {sheet.week_ending}"
    charges = format_count(done.charges, "charge")
    typer.echo(f"{of}: {charges} of {show.money(done.amount)} now {done.outcome.replace('_', ' ')}")


def _timesheet_of(hour: str, assignment: str | None) -> Timesheet:
    """The one timesheet that an hour is on. Refuses when a person worked for two customers on the day."""
    from engineroom.foundation import thread
    from engineroom.timesheets.models import TimeEntry

    entries = TimeEntry.objects.filter(id__in=thread.FIND["hour"](hour)).select_related(
        "timesheet__assignment__customer"
    )
    sheets = {e.timesheet_id: e.timesheet for e in entries}
    if assignment is not None:
        sheets = {key: s for key, s in sheets.items() if s.assignment.code == assignment}
    if not sheets:
        on = f" on assignment {assignment}" if assignment else ""
        raise NotFound(f"there is no hour {hour!r}{on}; write PAYROLLNUMBER@DATE")
    if len(sheets) > 1:
        codes = ", ".join(
            sorted(f"{s.assignment.code} ({s.assignment.customer.name})" for s in sheets.values())
        )
        raise EngineroomError(f"{hour} is on several timesheets: add --assignment with one of {codes}")
    (found,) = sheets.values()
    return found


@billing.command("held")
@on_the_ground
def held(client: Client) -> None:
    """What is paid and may not be billed yet, hour by hour, and why."""
    from engineroom.billing import selectors
    from engineroom.cli.days import print_held

    with reading(client):
        rows = selectors.held()
    if not rows:
        typer.echo("nothing is held")
        return
    headings = ("customer", "order", "person", "day", "hours", "net", "why")
    lines = [
        (
            h.customer,
            h.order_number,
            h.person,
            h.day,
            format_hours(h.minutes),
            show.money(h.amount),
            f"{h.reason.replace('_', ' ')}{f': {h.note}' if h.note else ''}",
        )
        for h in rows
    ]
    show.table(f"{format_count(len(rows), 'charge')} held", headings, lines, right=[4, 5])
    print_held(selectors.held_by_reason(rows))


@billing.command("drafts")
@on_the_ground
def drafts(client: Client) -> None:
    """The invoices of every bill run that is not issued, as they would go out now."""
    from engineroom.billing import selectors, services
    from engineroom.cli.days import print_drafts

    with reading(client):
        waiting = [run for run in selectors.bill_runs().rows if run.waiting]
        for run in waiting:
            found = selectors.drafts(run.through, run.issue_date)
            now = services.content_hash(found, run.issue_date, services.parties_of(found)).hex()
            stale = "" if now == run.content_hash else "; changed since it was prepared: prepare it again"
            print_drafts(found, f"bill run {run.number} of {run.issue_date} ({run.state}{stale})")
    if not waiting:
        typer.echo("no bill run waits to be issued")


@payments.command("stage")
@on_the_ground
def stage(
    client: Client,
    batch: Annotated[str, typer.Argument(help="the payment file's reference, as ER000001")],
    stage: Annotated[str, typer.Option(help="submitted or settled")],
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    evidence: Annotated[str, typer.Option(help="the report or message that says so")],
) -> None:
    """Record that a payment file was submitted, or settled by the scheme. Cleared is the bank statement's to
    say."""
    from engineroom.foundation import thread
    from engineroom.settlement.services import record_stage

    with writing(client):
        found = thread.FIND["batch"](batch)
        if not found:
            raise NotFound(f"there is no payment file {batch!r}")
        done = record_stage(found[0], stage, on=on.date(), evidence=evidence)
    typer.echo(f"{batch} is {done.stage}")


@payments.command("list")
@on_the_ground
def list_(client: Client) -> None:
    """Payment files and how far each is proven: released, submitted, settled, cleared."""
    from engineroom.settlement.selectors import payment_files

    with reading(client):
        rows = [
            (
                f.reference,
                f.pay_date,
                f.count,
                show.money(f.total),
                f.submit_by,
                f.processing_day,
                f.entry_day,
                f.state,
            )
            for f in payment_files()
        ]
    headings = ("file", "pay date", "payments", "total", "submit by", "processed", "on accounts", "state")
    show.table("Payment files", headings, rows, right=[2, 3])


@payments.command("accounts")
@on_the_ground
def own_accounts(client: Client) -> None:
    """The client's bank accounts, by the code that other commands name them by."""
    from engineroom.settlement import selectors

    with reading(client):
        rows = [(a.code, a.name, a.currency, a.account.code) for a in selectors.own_accounts()]
    show.table("Bank accounts", ("code", "name", "", "posts to"), rows)


@payments.command("add-account")
@on_the_ground
def add_account(
    client: Client,
    code: Annotated[str, typer.Argument(help="what to call it, such as main")],
    name: Annotated[str, typer.Argument(help="the name on it")],
    sort_code: Annotated[str, typer.Option()],
    account_number: Annotated[str, typer.Option()],
    service_user_number: Annotated[str, typer.Option(help="the client's number with Bacs")] = "",
    iban: Annotated[str, typer.Option()] = "",
) -> None:
    """Add a bank account that the client pays from and is paid to."""
    from engineroom.settlement import services

    with writing(client):
        services.add_own_account(
            code,
            name,
            sort_code=sort_code,
            account_number=account_number,
            service_user_number=service_user_number,
            iban=iban,
        )
    typer.echo(f"added {code}")


@payments.command("rename-account")
@on_the_ground
def rename_account(
    client: Client, code: str, to: Annotated[str, typer.Option(help="the code it has from now on")]
) -> None:
    """Give a bank account another code, so that the one that follows it can be added under its own."""
    from engineroom.settlement import services

    with writing(client):
        done = services.rename_own_account(code, to=to)
    typer.echo(f"{code} is called {done.code}")
