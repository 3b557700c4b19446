"""`engineroom ledger`, `audit`, `billing`, `payments`: questions of the books, and the few acts beside
payday."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from engineroom.cli import show
from engineroom.cli.ground import client_named, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import EngineroomError, NotFound

ledger = typer.Typer(no_args_is_help=True, help="The books.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")
billing = typer.Typer(no_args_is_help=True, help="Invoices and held hours.")
payments = typer.Typer(no_args_is_help=True, help="Payment files.")

Client = Annotated[str, typer.Argument(help="the client's code")]
OptionalDay = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@ledger.command("verify")
@on_the_ground
def verify_ledger(client: Client) -> None:
    """Re-prove the books from the postings: whole entries, balances, control accounts, nothing lost in
    billing."""
    from engineroom.billing.selectors import reconcile
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.ledger import selectors
    from engineroom.openitems import selectors as openitems

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
        checks = [*selectors.verify(), *openitems.verify()]
        reconciled = reconcile()
    rows = [("ok" if c.ok else "WRONG", c.what, c.wrong) for c in checks]
    minutes, amount = reconciled.difference
    rows.append(
        (
            "ok" if reconciled.ok else "WRONG",
            "paid hours that are not billed, waiting, held or written off (minutes)",
            minutes,
        )
    )
    rows.append(("ok" if reconciled.ok else "WRONG", "the same in billable money", amount))
    show.table("Ledger", ("", "what must hold", "wrong"), rows, right=[2])
    if any(row[0] != "ok" for row in rows):
        raise EngineroomError("the books do not hold; see above")


@ledger.command("trial-balance")
@on_the_ground
def trial_balance(
    client: Client,
    as_at: OptionalDay = None,
    known_at: Annotated[int | None, typer.Option(help="as known at this sealed point")] = None,
) -> None:
    """Balances as at a day, and as known at a sealed point."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.ledger import selectors

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
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


@ledger.command("lock")
@on_the_ground
def lock(
    client: Client,
    through: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    reason: Annotated[str, typer.Option()],
) -> None:
    """Lock the books through a day; an earlier day than the last lock's reopens, and the trail says so."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.ledger import services

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = services.lock_period(through.date(), reason=reason)
    typer.echo(f"lock {done.number}: nothing posts on or before {done.locked_through}")
    seal_everything()


@ledger.command("reverse")
@on_the_ground
def reverse(
    client: Client,
    entry: Annotated[str, typer.Argument(help="the entry's id")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    reason: Annotated[str, typer.Option()],
) -> None:
    """Post an entry's negative, linked both ways."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.ledger import services

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = services.reverse_entry(UUID(entry), day=day.date(), reason=reason)
    typer.echo(f"reversed by entry {done.entry_id}")
    seal_everything()


@ledger.command("open-items")
@on_the_ground
def open_items(client: Client, kind: Annotated[str | None, typer.Option()] = None) -> None:
    """What is owed and held, by due date."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.openitems import selectors

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
        rows = selectors.open_items(kind=kind)
    show.table(
        f"{len(rows)} open items",
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
    outcome: Annotated[str, typer.Option(help="billable or written_off")],
    reason: Annotated[str, typer.Option()],
) -> None:
    """End the holds of a timesheet: the customer agreed, or the hours are written off to margin."""
    from engineroom.foundation import thread
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.timesheets.models import TimeEntry
    from engineroom.timesheets.services import end_holds

    user = identity()
    with acting(user, write=client_named(user, client).id):
        found = thread.FIND["hour"](hour)
        if not found:
            raise NotFound(f"there is no hour {hour!r}; write PAYROLLNUMBER@DATE")
        entry = TimeEntry.objects.get(id=found[0])
        done = end_holds(entry.timesheet_id, outcome=outcome, reason=reason)
    typer.echo(
        f"{done.charges} charges of {show.money(done.amount)} are now {done.outcome.replace('_', ' ')}"
    )
    seal_everything()


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
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.settlement.services import record_stage

    user = identity()
    with acting(user, write=client_named(user, client).id):
        found = thread.FIND["batch"](batch)
        if not found:
            raise NotFound(f"there is no payment file {batch!r}")
        done = record_stage(found[0], stage, on=on.date(), evidence=evidence)
    typer.echo(f"{batch} is {done.stage}")
    seal_everything()


@payments.command("list")
@on_the_ground
def list_(client: Client) -> None:
    """Payment files and how far each is proven: released, submitted, settled, cleared."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.settlement.selectors import payment_files

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
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
