"""Payday and its steps as typed: what each did, printed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from uuid import UUID

import typer
from django.utils import timezone

from engineroom.cli import papers, show
from engineroom.cli.ground import client_named, identity, seal_everything
from engineroom.foundation.access.models import Grant
from engineroom.foundation.access.roles import may
from engineroom.foundation.access.selectors import installation
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, acting, current_scope
from engineroom.kernel.errors import EngineroomError, InputRefused, NotPermitted, Problem, errors_of
from engineroom.payday import steps
from engineroom.payday.steps import AnotherPersonNeeded
from engineroom.payroll import selectors as payroll
from engineroom.payroll.services import Published, RunOpened
from engineroom.settlement.clearing import open_exceptions


class DemoOnly(NotPermitted):
    """A second identity on one command line works only in a database marked as demo."""


def import_files(user: Identity, client: str, kind: str, files: Sequence[Path], *, preview: bool) -> None:
    client_id = client_named(user, client).id
    if preview:
        _preview(user, client_id, kind, files)
        return
    done = steps.import_files(user, client_id, kind, files)
    _print_imported(done)


def _preview(user: Identity, client_id: UUID, kind: str, files: Sequence[Path]) -> None:
    found: list[Problem] = []
    for path in files:
        with acting(user, write=client_id):
            seen, problems = steps.preview(kind, path)
        found += problems
        again = "; the very same content was taken before" if seen.already_taken else ""
        errors = len(errors_of(problems))
        warnings = len(problems) - errors
        typer.echo(f"{path.name}: {seen.rows} rows read, {errors} errors, {warnings} warnings{again}")
    if errors_of(found):
        raise InputRefused(found, "the files have errors and would not be taken")
    if found:
        show.problems(found)


def _print_imported(done: steps.Imported) -> None:
    for taken in done.taken:
        counts = ", ".join(f"{n:,} {what}" for what, n in taken.counts.items())
        typer.echo(f"{taken.file_name}: {'taken before, nothing done' if taken.again else counts}")
    if done.problems:
        show.problems(done.problems)


def calculate(user: Identity, client: str, pay_date: date) -> None:
    done = steps.calculate(user, client_named(user, client).id, pay_date)
    _print_calculated(done)


def _print_calculated(done: steps.Calculated) -> None:
    if done.published is None:
        typer.echo(f"pay run {done.run.number} is released; nothing to calculate")
    else:
        _print_published(done.run, done.published)
    if done.bill_run:
        b = done.bill_run
        voided = "; the approval was voided" if b.approval_voided else ""
        net = f"net {show.money(b.net)}, content {b.content_hash[:16]}"
        typer.echo(f"bill run {b.number}: {b.invoices} invoices drafted, {net}{voided}")


def _print_published(run: RunOpened, p: Published) -> None:
    voided = "; the approval was voided" if p.approval_voided else ""
    typer.echo(
        f"pay run {run.number}: tax week {run.tax_period} of {run.tax_year}, {p.payslips} payslips, "
        f"{p.blockers} blockers, content {p.content_hash[:16]}{voided}"
    )


def approve(user: Identity, client: str, pay_date: date, *, ask: bool) -> None:
    client_id = client_named(user, client).id
    with acting(user, write=client_id):
        day = steps.payday_of(pay_date)
        if day.run is not None:
            _print_totals(day.run)
    if ask:
        typer.confirm("Approve exactly this?", abort=True)
    done = steps.approve(user, client_id, pay_date)
    typer.echo(f"approved by {user.email}: pay {done.run.content_hash[:16]}", nl=False)
    typer.echo(f", invoices {done.bill_run.content_hash[:16]}" if done.bill_run else "")


def _print_totals(run: object) -> None:
    from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS
    from engineroom.payroll.models import PayRun

    assert isinstance(run, PayRun)
    totals = payroll.totals(run)
    rows = [
        (e.label, show.money(totals[e.code]))
        for e in ELEMENTS
        if e.unit == "pence" and e.kind != "figure" and totals.get(e.code)
    ]
    show.table(
        f"Pay run {run.number}, {run.pay_date}: {len(payroll.payslips(run))} people",
        ("", "GBP"),
        rows,
        right=[1],
    )


def release(user: Identity, client: str, pay_date: date, out: Path | None) -> None:
    client_id = client_named(user, client).id
    done = steps.release(user, client_id, pay_date)
    _print_released(done)
    _leave(user, client_id, pay_date, out)


def _print_released(done: steps.Released) -> None:
    if done.run:
        typer.echo(
            f"released: {done.run.payslips} payslips, net {show.money(done.run.net)}, obligations posted"
        )
    if done.batch:
        b = done.batch
        typer.echo(
            f"payment file {b.file_name}: {b.payments} payments, "
            f"{show.money(b.total)}; submit by {b.submit_by}, "
            f"processed {b.processing_day}, on accounts {b.entry_day}; sha256 {b.sha256[:16]}"
        )
        if b.submit_by < timezone.now().date():
            typer.secho(f"  {b.submit_by} is past: Bacs can no longer pay this on time", fg="yellow")
    if not done.run and not done.batch:
        typer.echo("released before; nothing done")


def post(user: Identity, client: str, pay_date: date, out: Path | None) -> None:
    client_id = client_named(user, client).id
    done = steps.post(user, client_id, pay_date)
    _print_posted(done)
    _leave(user, client_id, pay_date, out)


def _print_posted(done: steps.Posted) -> None:
    if done.invoices and done.invoices.invoices:
        i = done.invoices
        span = i.invoices[0] if len(i.invoices) == 1 else f"{i.invoices[0]} to {i.invoices[-1]}"
        typer.echo(
            f"issued {len(i.invoices)} invoices, {span}: net {show.money(i.net)}, VAT {show.money(i.vat)}"
        )
    if done.payslips:
        printed = done.printed.invoices if done.printed else 0
        typer.echo(f"papers: {done.payslips.payslips} payslips and {printed} invoices as PDF")


def clear(user: Identity, client: str, statements: Sequence[Path]) -> None:
    client_id = client_named(user, client).id
    done = steps.clear(user, client_id, statements)
    _print_imported(done.imported)
    _print_cleared(user, client_id, done)


def _print_cleared(user: Identity, client_id: UUID, done: steps.Cleared) -> None:
    c = done.clearing
    typer.echo(
        f"cleared {c.cleared} bank lines, {c.returned} of them returned payments; {c.exceptions} exceptions"
    )
    with acting(user, read=[client_id]):
        rows = [
            (
                e.line.booked,
                show.money(e.line.amount, e.line.currency),
                e.line.counterparty_name,
                e.reason,
                e.detail,
            )
            for e in open_exceptions()
        ]
    if rows:
        show.table("Exceptions", ("day", "amount", "who", "reason", "detail"), rows, right=[1])


def _leave(user: Identity, client_id: UUID, pay_date: date, out: Path | None) -> None:
    written = papers.leave(user, client_id, pay_date, out)
    if written:
        typer.echo(f"{len(written)} files in {out}")


def payday(
    user: Identity,
    client: str,
    pay_date: date,
    timesheets: Sequence[Path],
    *,
    statements: Sequence[Path],
    out: Path | None,
    approve_as: str | None,
    release_as: str | None,
) -> None:
    """Every step in order; each may have been done before. Raises AnotherPersonNeeded where somebody else
    must act."""
    if approve_as or release_as:
        _demo_only(user)
    row = client_named(user, client)
    _print_imported(steps.import_files(user, row.id, "timesheets", timesheets))
    _print_calculated(steps.calculate(user, row.id, pay_date))
    seal_everything()
    _approve(user, row, pay_date, approve_as)
    _release(user, row, pay_date, release_as)
    _print_posted(steps.post(user, row.id, pay_date))
    if statements and _may(user, row, "settlement.prepare"):
        _print_cleared(user, row.id, steps.clear(user, row.id, statements))
    seal_everything()
    _leave(user, row.id, pay_date, out)
    seal_everything()
    _say_what_waits(user, row, pay_date)
    if statements and not _may(user, row, "settlement.prepare"):
        raise AnotherPersonNeeded(
            f"posted. The bank statement is another person's to clear; {user.email} may not.",
            _commands(
                user, row, "settlement.prepare", f"clear {row.code} {shlex.join(map(str, statements))}"
            ),
        )


def _say_what_waits(user: Identity, client: Client, pay_date: date) -> None:
    """Hours taken in after the run was released are not paid by it: nobody may find that out on a payday."""
    with acting(user, read=[client.id]):
        day = steps.payday_of(pay_date)
        waiting = payroll.timesheets_waiting(day.run.period_ends) if day.run else 0
    if waiting:
        raise EngineroomError(
            f"{waiting} timesheets were taken in after the run was released: this payday does not pay them; "
            "the next week's run takes them"
        )


def _demo_only(user: Identity) -> None:
    with acting(user):
        here = installation()
    if here is None or not here.is_demo:
        raise DemoOnly(
            "--approve-as and --release-as work in a demonstration only; here each "
            "person types their own command"
        )


def _may(user: Identity, client: Client, permission: str) -> bool:
    with acting(user, read=[client.id]):
        return may(current_scope().roles.get(client.id, frozenset()), permission)


def _commands(user: Identity, client: Client, permission: str, words: str) -> list[str]:
    """The command as each person types it who holds the permission there; who made the thing is refused all
    the same."""
    today = timezone.now().date()
    with acting(user, read=[client.id]):
        grants = Grant.objects.filter(of_client=client, starts__lte=today).select_related("user")
        live = [g for g in grants if (g.ends is None or g.ends >= today) and g.user_id != user.id]
    emails = sorted({g.user.email for g in live if may(frozenset({g.role}), permission)})
    return [f"engineroom --as {email} {words}" for email in emails or ["SOMEBODY"]]


def _approve(user: Identity, client: Client, pay_date: date, approve_as: str | None) -> None:
    with acting(user, write=client.id):
        day = steps.payday_of(pay_date)
        if steps.is_approved(pay_date) or (day.run_released and day.issued):
            return
        if day.run is not None:
            _print_totals(day.run)
    if approve_as is None:
        raise AnotherPersonNeeded(
            f"prepared. Another person must approve exactly this; {user.email} "
            "prepared it and cannot. Then type "
            "the same payday again. One of:",
            _commands(user, client, "payroll.approve", f"approve {client.code} --pay-date {pay_date}"),
        )
    approver = identity(approve_as)
    done = steps.approve(approver, client.id, pay_date)
    bills = f", invoices {done.bill_run.content_hash[:16]}" if done.bill_run else ""
    typer.echo(f"approved by {approver.email}: pay {done.run.content_hash[:16]}{bills}")


def _release(user: Identity, client: Client, pay_date: date, release_as: str | None) -> None:
    with acting(user, write=client.id):
        if steps.is_released(pay_date):
            return
    if release_as is None and not _may(user, client, "payroll.release"):
        raise AnotherPersonNeeded(
            "approved. Another person must release it, not who approved; "
            f"{user.email} may not release. Then type "
            "the same payday again. One of:",
            _commands(user, client, "payroll.release", f"release {client.code} --pay-date {pay_date}"),
        )
    _print_released(steps.release(identity(release_as) if release_as else user, client.id, pay_date))
