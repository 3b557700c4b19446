"""Payday and its steps as typed: what each did, printed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from uuid import UUID

import typer
from django.utils import timezone

from engineroom.billing import selectors as billing
from engineroom.billing.engine import Draft
from engineroom.billing.services import InvoicesIssued, parties_of, terms_of
from engineroom.cli import papers, show
from engineroom.cli.consent import agree, short
from engineroom.cli.ground import client_named, identity, seal_everything
from engineroom.foundation.access.selectors import holders_of, installation
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import EngineroomError, InputRefused, NotPermitted, Problem, errors_of
from engineroom.payday import steps
from engineroom.payday.steps import AnotherPersonNeeded
from engineroom.payroll import selectors as payroll
from engineroom.payroll.attempts import Published
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.services import RunOpened, find_run
from engineroom.settlement.clearing import open_exceptions
from engineroom.settlement.models import Cleared
from engineroom.ui.display import format_count as counted
from engineroom.ui.display import format_hours


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
        said = f"{counted(seen.rows, 'row')} read, {counted(errors, 'error')}, {counted(warnings, 'warning')}"
        typer.echo(f"{path.name}: {said}{again}")
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


def calculate(user: Identity, client: str, pay_date: date, out: Path | None) -> None:
    row = client_named(user, client)
    done = steps.calculate(user, row.id, pay_date)
    _print_calculated(done)
    if done.published:
        _print_blockers(user, row.id, done.run.run_id)
    _leave_drafts(user, row.id, pay_date, out)


def _print_blockers(user: Identity, client_id: UUID, run_id: UUID) -> None:
    """Who keeps the run from being approved, and what to do about each."""
    with acting(user, write=client_id):
        rows = [(b.payroll_number, b.field, b.problem, b.remedy) for b in blockers_of(find_run(run_id))]
    if not rows:
        return
    title = f"{counted(len(rows), 'blocker')}: the run cannot be approved"
    show.table(title, ("who", "field", "problem", "do"), rows[: show.SHOWN_PROBLEMS])


def _leave_drafts(user: Identity, client_id: UUID, pay_date: date, out: Path | None) -> None:
    """What a checker looks at before saying yes: the run's report and the drafts, nothing issued yet."""
    written = papers.leave_drafts(user, client_id, pay_date, out)
    for path in written:
        typer.echo(f"to look at before anybody approves: {path}")


def _print_calculated(done: steps.Calculated) -> None:
    if done.published is None:
        typer.echo(f"pay run {done.run.number} is released; nothing to calculate")
    else:
        _print_published(done.run, done.published)
    if done.bill_run:
        b = done.bill_run
        voided = "; the approval was voided" if b.approval_voided else ""
        net = f"net {show.money(b.net)}, content {short(b.content_hash)}"
        typer.echo(f"bill run {b.number}: {counted(b.invoices, 'invoice')} drafted, {net}{voided}")


def _print_published(run: RunOpened, p: Published) -> None:
    voided = "; the approval was voided" if p.approval_voided else ""
    typer.echo(
        f"pay run {run.number}: tax period {run.tax_period} of {run.tax_year}, "
        f"{counted(p.payslips, 'payslip')}, content {short(p.content_hash)}{voided}"
    )


def approve(user: Identity, client: str, pay_date: date, *, content: str | None, yes: bool) -> None:
    """content: what the approver saw before, by hash, run and invoices; else it is shown, and asked about."""
    client_id = client_named(user, client).id
    seen = show_what_stands(user, client_id, pay_date)
    hashes = [h for h in (seen.run, seen.bills) if h is not None]
    agree("Approve exactly this?", hashes, yes=yes, content=content)
    done = steps.approve(user, client_id, pay_date, run_hash=seen.run, bill_hash=seen.bills)
    _print_approved(user, done)


def _print_approved(user: Identity, done: steps.ApprovedBoth) -> None:
    bills = f", invoices {short(done.bill_run.content_hash)}" if done.bill_run else ""
    typer.echo(f"approved by {user.email}: pay {short(done.run.content_hash)}{bills}")


def show_what_stands(user: Identity, client_id: UUID, pay_date: date) -> steps.Content:
    """Totals, drafts and what is held, with their hashes, in one transaction: a yes is to exactly that."""
    with acting(user, write=client_id):
        day = steps.payday_of(pay_date)
        seen = steps.content_of(day)
        assert day.run is not None
        _print_totals(day.run)
        typer.echo(f"content of the run: {short(seen.run)}")
        if day.bill_run and seen.bills:
            drafts = billing.drafts(day.bill_run.through, day.bill_run.issue_date)
            print_drafts(drafts, f"bill run {day.bill_run.number}")
            print_held(billing.held_by_reason(billing.held()))
            typer.echo(f"content of the invoices: {short(seen.bills)}")
    return seen


def print_drafts(drafts: Sequence[Draft], of: str) -> None:
    """Invoices to be, customer by customer. Inside `acting`."""
    parties = parties_of(drafts)
    rows: list[tuple[object, ...]] = [
        (
            parties[d.customer]["customer"]["name"],
            d.order_number,
            format_hours(sum(line.minutes for line in d.lines)),
            show.money(d.net),
            show.money(d.vat),
            show.money(d.gross),
            counted(terms_of(parties[d.customer]), "day"),
        )
        for d in drafts
    ]
    sums = [show.money(sum(getattr(d, name) for d in drafts)) for name in ("net", "vat", "gross")]
    rows.append(("Total", "", format_hours(sum(x.minutes for d in drafts for x in d.lines)), *sums, ""))
    headings = ("customer", "order", "hours", "net", "VAT", "gross", "terms")
    show.table(f"{counted(len(drafts), 'draft')} of {of}", headings, rows, right=[2, 3, 4, 5])


def print_held(sums: Sequence[billing.HeldSum]) -> None:
    """What is paid and not billed yet, by customer and reason."""
    if sums:
        rows = [
            (h.customer, h.reason.replace("_", " "), format_hours(h.minutes), show.money(h.amount))
            for h in sums
        ]
        minutes, amount = sum(h.minutes for h in sums), sum(h.amount for h in sums)
        rows.append(("Total", "", format_hours(minutes), show.money(amount)))
        headings = ("customer", "why", "hours", "net")
        show.table("Held: paid, not billed yet", headings, rows, right=[2, 3])


def _print_totals(run: object) -> None:
    from engineroom.payroll.jurisdictions import jurisdiction
    from engineroom.payroll.models import PayRun

    assert isinstance(run, PayRun)
    totals = payroll.run_figures(run).totals
    rows = [
        (e.label, show.money(totals[e.code]))
        for e in jurisdiction(run.jurisdiction).elements
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
    _release_and_issue(user, client_id, pay_date)
    _leave(user, client_id, pay_date, out)


def _release_and_issue(user: Identity, client_id: UUID, pay_date: date) -> None:
    released, issuing = steps.release_and_issue(user, client_id, pay_date)
    _print_released(released)
    _print_issued(issuing.result())


def _print_released(done: steps.Released) -> None:
    if done.run:
        typer.echo(
            f"released: {counted(done.run.payslips, 'payslip')}, net {show.money(done.run.net)}, "
            "obligations posted"
        )
    if done.batch:
        b = done.batch
        typer.echo(
            f"payment file {b.file_name}: {counted(b.payments, 'payment')}, "
            f"{show.money(b.total)}; submit by {b.submit_by}, "
            f"processed {b.processing_day}, on accounts {b.entry_day}; sha256 {b.sha256[:16]}"
        )
        if b.submit_by < timezone.now().date():
            typer.secho(f"  {b.submit_by} is past: Bacs can no longer pay this on time", fg="yellow")
    if not done.run and not done.batch:
        typer.echo("released before; nothing done")


def post(user: Identity, client: str, pay_date: date, out: Path | None) -> None:
    row = client_named(user, client)
    done = steps.post(user, row.id, pay_date)
    there = papers.printed(user, row.id, pay_date)
    _print_posted(done, there)
    _leave(user, row.id, pay_date, out)
    if not done.invoices and not done.payslips and there.missing:
        raise AnotherPersonNeeded(
            f"nothing is done. The papers are another person's to make; {user.email} may not. One of:",
            _commands(user, row, "payroll.prepare", f"post {row.code} --pay-date {pay_date}"),
        )


def _print_issued(i: InvoicesIssued | None) -> None:
    if i and i.invoices:
        span = i.invoices[0] if len(i.invoices) == 1 else f"{i.invoices[0]} to {i.invoices[-1]}"
        invoices = counted(len(i.invoices), "invoice")
        typer.echo(f"issued {invoices}, {span}: net {show.money(i.net)}, VAT {show.money(i.vat)}")


def _print_posted(done: steps.Posted, there: papers.Printed) -> None:
    _print_issued(done.invoices)
    if done.payslips:
        invoices = done.printed.invoices if done.printed else 0
        made = f"{_new(done.payslips.payslips, there.payslips, 'payslip')} and "
        typer.echo(f"papers: {made}{_new(invoices, there.invoices, 'invoice')} as PDF")
    elif there.missing:
        typer.echo("papers: for whoever prepares to make, by `post` or the same payday again")
    else:
        typer.echo(f"papers: {counted(there.payslips, 'payslip')} are there as PDF")


def _new(made: int, there: int, what: str) -> str:
    return counted(made, what) if made else f"no new {what}s ({there:,} there)"


def clear(user: Identity, client: str, statements: Sequence[Path]) -> None:
    _clear(user, client_named(user, client).id, statements)


def _clear(user: Identity, client_id: UUID, statements: Sequence[Path]) -> None:
    before = cleared_lines(user, client_id)
    _print_imported(steps.clear(user, client_id, statements).imported)
    print_cleared(user, client_id, before)


def cleared_lines(user: Identity, client_id: UUID) -> set[UUID]:
    """The bank lines that are cleared already, to know the new ones from."""
    with acting(user, read=[client_id]):
        return set(Cleared.objects.values_list("line_id", flat=True))


def print_cleared(user: Identity, client_id: UUID, before: set[UUID]) -> None:
    """What was cleared since, and what stays an exception, with its reason."""
    with acting(user, read=[client_id]):
        new = Cleared.objects.exclude(line_id__in=before).select_related("line")
        cleared = [
            (
                x.line.booked,
                show.money(x.line.amount, x.line.currency),
                x.line.counterparty_name,
                x.rule,
                x.why,
            )
            for x in new.order_by("line__booked", "line__ordinal")
        ]
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
    # Not only the lines that rules looked at just now: one that somebody explained or took back
    # waits as well, for a person.
    waits = counted(len(rows), "exception waits for a person", "exceptions wait for a person")
    returned = sum(rule == "returned payment" for _, _, _, rule, _ in cleared)
    typer.echo(f"cleared {counted(len(cleared), 'bank line')}, {returned} of them returned payments; {waits}")
    if cleared:
        show.table("Cleared", ("day", "amount", "who", "rule", "what"), cleared, right=[1])
    if rows:
        show.table("Exceptions", ("day", "amount", "who", "reason", "detail"), rows, right=[1])


def _leave(user: Identity, client_id: UUID, pay_date: date, out: Path | None) -> None:
    written = papers.leave(user, client_id, pay_date, out)
    if written:
        typer.echo(f"{counted(len(written), 'file')} in {out}")


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
    _approve(user, row, pay_date, approve_as, out)
    _release(user, row, pay_date, release_as)
    posted = steps.post(user, row.id, pay_date)
    _print_posted(posted, papers.printed(user, row.id, pay_date))
    if statements and _may(user, row, "settlement.prepare"):
        _clear(user, row.id, statements)
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
            f"{counted(waiting, 'timesheet')} taken in after the run was released: "
            "this payday does not pay them; the next week's run takes them"
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
    with acting(user, read=[client.id]) as scope:
        return scope.may(permission)


def _commands(user: Identity, client: Client, permission: str, words: str) -> list[str]:
    """The command as each person types it who holds the permission there; who made the thing is refused all
    the same."""
    with acting(user, read=[client.id]):
        emails = sorted(u.email for u in holders_of(permission, client.id) if u.id != user.id)
    return [f"engineroom --as {email} {words}" for email in emails or ["SOMEBODY"]]


def _approve(
    user: Identity, client: Client, pay_date: date, approve_as: str | None, out: Path | None
) -> None:
    with acting(user, write=client.id):
        day = steps.payday_of(pay_date)
        if steps.is_approved(pay_date) or (day.run_released and day.issued):
            return
    seen = show_what_stands(user, client.id, pay_date)
    if approve_as is None:
        _leave_drafts(user, client.id, pay_date, out)
        raise AnotherPersonNeeded(
            f"prepared. Another person must approve exactly this; {user.email} "
            "prepared it and cannot. Then type "
            "the same payday again. One of:",
            _commands(user, client, "payroll.approve", f"approve {client.code} --pay-date {pay_date}"),
        )
    approver = identity(approve_as)
    done = steps.approve(approver, client.id, pay_date, run_hash=seen.run, bill_hash=seen.bills)
    _print_approved(approver, done)


def _release(user: Identity, client: Client, pay_date: date, release_as: str | None) -> None:
    """Pay and invoices let out, each unless it was: neither by whoever approved it."""
    with acting(user, write=client.id):
        paid, billed = steps.is_released(pay_date), steps.is_issued(pay_date)
    if paid and billed:
        return
    if release_as is None and not _may(user, client, "payroll.release"):
        raise AnotherPersonNeeded(
            "approved. Another person must release it, not who approved; "
            f"{user.email} may not release. Then type "
            "the same payday again. One of:",
            _commands(user, client, "payroll.release", f"release {client.code} --pay-date {pay_date}"),
        )
    releaser = identity(release_as) if release_as else user
    if paid:
        _print_issued(steps.issue(releaser, client.id, pay_date))
    else:
        _release_and_issue(releaser, client.id, pay_date)
