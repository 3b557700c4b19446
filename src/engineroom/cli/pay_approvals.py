"""`engineroom payroll`: a run approved, released, and its approval handed to a colleague."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from engineroom.cli import consent
from engineroom.cli.arguments import Client, Reason, Run
from engineroom.cli.ground import (
    FIRM_AND_CLIENT,
    client_named,
    identity,
    on_the_ground,
    reading,
    seal_everything,
    writing,
)
from engineroom.cli.payroll import RUN, app
from engineroom.kernel.errors import Conflict, NotFound


@app.command(rich_help_panel=RUN)
@on_the_ground
def approve(
    client: Client,
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    content: Annotated[str | None, typer.Option(help="the content you looked at")] = None,
) -> None:
    """Show what a run comes to and approve exactly that. Not for whoever made a part of it."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import selectors, services

    consent.require_content(yes=yes, content=content)
    user = identity()
    row = client_named(user, client, FIRM_AND_CLIENT)
    with acting(user, write=row.id):
        run_id, content_hash = _show(run, row.currency)
    consent.agree("Approve exactly this?", [content_hash], yes=yes, content=content)
    with acting(user, write=row.id):
        services.approve_pay_run(run_id, content_hash=content_hash)
    typer.echo(f"pay run {run} is approved by {user.email}, content {consent.short(content_hash)}")
    with acting(user, read=[row.id]):
        after = selectors.run_row(run)
    if after is not None and after.waits_for_client:
        typer.echo("next: an approver of the client's; nothing is released without their approval")
    else:
        typer.echo(f"next: another person, engineroom payroll release {client} {run}")
    seal_everything()


def _show(number: int, currency: str) -> tuple[UUID, str]:
    """What an approver says yes to, and its hash; that it was looked at is in the trail."""
    from engineroom.cli import show
    from engineroom.foundation.audit import services as audit
    from engineroom.payroll import review, run_head, selectors

    run = selectors.named_run(number)
    if not run.content_hash:
        raise Conflict(f"{run} is not calculated: there is nothing to approve yet")
    audit.record("read", subject_kind="pay_run", subject_id=run.id, detail={"purpose": "approve"})
    figures = selectors.run_figures(run)
    change = review.variance(run, review.run_before(run))
    rows = [("People", f"{figures.payslips:,}", run_head.people_note(figures, change))]
    sums = run_head.sums(run, figures, change, currency)
    rows += [(one.label, show.money(one.amount, currency), one.note) for one in sums]
    content_hash = bytes(run.content_hash).hex()
    title = f"Pay run {number}, content {consent.short(content_hash)}"
    show.table(title, ("", "now", "beside the last run"), rows, right=[1])
    for odd in review.oddities(run):
        typer.echo(f"look first: {odd.what}: {', '.join(name for _, name in odd.people[:8])}. {odd.look}")
    return run.id, content_hash


@app.command(rich_help_panel=RUN)
@on_the_ground
def release(client: Client, run: Run) -> None:
    """Freeze an approved run, post it and write its payment file. Not for whoever approved it."""
    from engineroom.payday import steps
    from engineroom.payroll import selectors

    with writing(client):
        done = steps.release_run(selectors.named_run(run))
    if done.run is None and done.batch is None:
        typer.echo(f"pay run {run} was released before; nothing is left to be done")
    if done.run is not None:
        typer.echo(f"pay run {run} is released: {done.run.payslips} payslips are frozen and posted")
    if done.batch is not None:
        typer.echo(f"payment file {done.batch.file_name} is written: submit it by {done.batch.submit_by}")


@app.command("client-approval", rich_help_panel=RUN)
@on_the_ground
def client_approval(
    client: Client,
    say: Annotated[str, typer.Option(help="none, wanted or must; of a schedule also as_client")] = "",
    starts: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="for paydays from this one")
    ] = None,
    schedule: Annotated[str, typer.Option(help="of its runs alone: its code")] = "",
    reason: Annotated[str, typer.Option(help="why; it is kept with it")] = "",
) -> None:
    """Whether runs wait for the client's own approval; or say it from a payday on."""
    from engineroom.cli import show
    from engineroom.payroll import client_approval as policy

    if not say:
        with reading(client) as row:
            found = policy.policies()
        if not found:
            typer.echo(f"nothing was agreed with {row.code}: its runs do not wait for the client's approval")
            return
        rows = [
            (one.schedule or "all", one.starts, one.words if one.stands else f"said otherwise: {one.words}",
             one.reason)
            for one in found
        ]  # fmt: skip
        show.table(f"Client approval of {row.code}", ("runs", "paid from", "approval", "why"), rows)
        return
    if starts is None:
        raise Conflict("say from which payday on: --from 2026-12-01")
    with writing(client):
        done = policy.say_client_approval(say, starts=starts.date(), schedule=schedule, reason=reason)
    of = f"runs of {done.schedule}" if done.schedule else "all runs"
    typer.echo(f"{of} paid from {done.starts}: the client's approval is {policy.WORDS[done.wanted]}")


@app.command("hand-over", rich_help_panel=RUN)
@on_the_ground
def hand_over(
    client: Client,
    to: Annotated[str, typer.Option(help="the colleague's address")],
    reason: Reason,
    run: Annotated[int | None, typer.Option(help="this run only")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="every run until this day")
    ] = None,
) -> None:
    """Let a colleague of the client approve in your place: a run, or every run until a day."""
    from engineroom.payroll import handing_over, selectors

    with writing(client, FIRM_AND_CLIENT):
        found = {one.email.lower(): one for one in handing_over.approvers_of_client()}
        if to.lower() not in found:
            raise NotFound(f"{to} is no approver of {client}; they are {', '.join(sorted(found)) or 'none'}")
        run_id = selectors.named_run(run).id if run is not None else None
        last = until.date() if until else None
        done = handing_over.hand_over(found[to.lower()].id, run_id=run_id, until=last, reason=reason)
    what = f"pay run {run}" if run is not None else f"every run until {done.ends}"
    typer.echo(f"{found[to.lower()].name} approves {what}")


@app.command("handed-over", rich_help_panel=RUN)
@on_the_ground
def handed_over(
    client: Client,
    take_back: Annotated[int | None, typer.Option(help="end one, by its place in the list")] = None,
    reason: Annotated[str, typer.Option()] = "",
) -> None:
    """Approvals that were handed to colleagues, latest first; or end one of them."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import handing_over

    user = identity()
    row = client_named(user, client, FIRM_AND_CLIENT)
    with acting(user, read=[row.id]):
        found = handing_over.handings()
    if take_back is not None:
        if not 1 <= take_back <= len(found):
            raise NotFound(f"there is no {take_back} in the list; it has {len(found)}")
        with acting(user, write=row.id):
            handing_over.take_back_handover(found[take_back - 1].id, reason=reason)
        typer.echo("taken back")
        seal_everything()
        return
    rows = [
        (
            n,
            one.giver,
            one.taker,
            f"run {one.run}" if one.run else f"{one.starts} to {one.ends}",
            one.taken_back or "stands",
        )
        for n, one in enumerate(found, 1)
    ]
    show.table(f"Approvals of {row.code} handed over", ("", "from", "to", "what", "state"), rows)
