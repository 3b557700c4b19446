"""The steps of a payday, each of them a command of its own, and what each needs to know to be repeated
safely.

`payday` is these steps in order. A step that was done is found done; a step that was cut off is taken up.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

from engineroom.billing import papers as billing_papers
from engineroom.billing import services as billing
from engineroom.billing.models import BillRun, Invoice
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.commands import keyed
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.imports import services as imports
from engineroom.foundation.side_by_side import beside
from engineroom.foundation.tenancy.scope import Identity, acting, current_client_id, current_scope
from engineroom.kernel.errors import EngineroomError, InputRefused, NotFound, NotPermitted, Problem, errors_of
from engineroom.kernel.periods import week_ending
from engineroom.payroll import attempts
from engineroom.payroll import papers as payroll_papers
from engineroom.payroll import selectors as payroll_selectors
from engineroom.payroll import services as payroll
from engineroom.payroll.models import AttemptChunk, PayRun
from engineroom.settlement import clearing
from engineroom.settlement import services as settlement
from engineroom.settlement.models import PaymentBatch
from engineroom.ui.display import format_count


class AnotherPersonNeeded(EngineroomError):
    """The next step belongs to somebody else. `commands` are what they run."""

    status = 403

    def __init__(self, why: str, commands: Sequence[str]) -> None:
        self.commands = tuple(commands)
        super().__init__("\n".join([why, *(f"  {c}" for c in commands)]))


@dataclass
class Imported:
    """What the files held, and what was taken. problems: warnings, when everything was taken."""

    taken: list[imports.Taken] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def import_files(user: Identity, client_id: UUID, kind: str, paths: Sequence[Path]) -> Imported:
    """Preview every file, then take all of them in one transaction. Raises InputRefused with every problem of
    all."""
    handler = imports.find_importer(kind)
    if lost := next((path for path in paths if not path.is_file()), None):
        raise NotFound(f"there is no file {lost}")
    previews: list[imports.Previewed] = []
    problems: list[Problem] = []
    for path in paths:
        with acting(user, write=client_id):
            _require(handler.permission, f"import {kind}")
            seen, found = preview(kind, path)
        previews.append(seen)
        problems += found
    if errors := errors_of(problems):
        rows = sum(p.rows for p in previews)
        counted = f"{format_count(len(errors), 'error')} in {format_count(rows, 'row')}"
        raise InputRefused(problems, f"{counted}; nothing was taken")
    with acting(user, write=client_id):
        taken = [imports.take(p.preview_id) for p in previews]
    failpoint("import:after")
    return Imported(taken, problems)


def preview(kind: str, path: Path) -> tuple[imports.Previewed, list[Problem]]:
    """Inside `acting`: what a file holds and what is wrong with it, every problem with the file's name.

    What was taken before, to the byte, has no problems: its rows are known, of course.
    """
    seen, found = imports.preview(kind, path)
    if seen.already_taken:
        return seen, []
    return seen, [p if p.file else replace(p, file=path.name) for p in found]


def _require(permission: str, what: str) -> None:
    scope = current_scope()
    if not scope.may(permission, scope.client_id):
        raise NotPermitted(f"{scope.user.email} may not {what} here: it needs the permission {permission}")


@dataclass(frozen=True)
class Payday:
    """The pay run and the bill run of one pay date, as far as they exist."""

    run: PayRun | None
    bill_run: BillRun | None
    batch: PaymentBatch | None
    run_released: bool
    issued: bool


def payday_of(pay_date: date) -> Payday:
    """Inside `acting`: what stands for a pay date."""
    client_id = current_client_id()
    run = PayRun.objects.filter(
        client_id=client_id, kind="regular", schedule=None, frequency="weekly", pay_date=pay_date
    ).first()
    through = week_ending(pay_date) - timedelta(days=7)
    bill_run = BillRun.objects.filter(client_id=client_id, issue_date=pay_date, through=through).first()
    of_run = {"client_id": client_id, "subject_kind": "pay_run", "subject_id": run.id if run else None}
    batch = PaymentBatch.objects.filter(**of_run).first() if run else None
    released = bool(run and Release.objects.filter(**of_run).exists())
    issued = bool(bill_run and Invoice.objects.filter(client_id=client_id, bill_run=bill_run).exists())
    return Payday(run, bill_run, batch, released, issued)


def run_of(day: Payday) -> PayRun:
    if day.run is None:
        raise NotFound("there is no pay run for that pay date; calculate it first")
    return day.run


def released_run_of(day: Payday) -> PayRun:
    if day.run is None or not day.run_released:
        raise NotFound("there is no released pay run for that pay date; release it first")
    return day.run


@dataclass(frozen=True)
class Calculated:
    """published: None when the run is released, so nothing of it moves. bill_run: None when it is issued."""

    run: payroll.RunOpened
    published: attempts.Published | None
    bill_run: billing.BillRunPrepared | None


def calculate(user: Identity, client_id: UUID, pay_date: date) -> Calculated:
    """Open the run, calculate what is left of it and publish; prepare the invoices beside that, of the same
    hours.

    A run that finds nothing to pay is not opened: it would stand in the way of every later one.
    """
    with acting(user, write=client_id):
        run = payroll.open_pay_run(pay_date)
        plan = None if payday_of(pay_date).run_released else attempts.plan_calculation(run.run_id)
    with beside(lambda: _prepare_bills(user, client_id, pay_date, run.period_ends)) as preparing:
        published = _calculate_and_publish(user, client_id, plan) if plan else None
    failpoint("publish:after")
    return Calculated(run, published, preparing.result())


def _prepare_bills(
    user: Identity, client_id: UUID, pay_date: date, through: date
) -> billing.BillRunPrepared | None:
    with acting(user, write=client_id):
        return None if payday_of(pay_date).issued else billing.prepare_bill_run(pay_date, through)


def _calculate_and_publish(
    user: Identity, client_id: UUID, plan: attempts.AttemptPlanned
) -> attempts.Published:
    _calculate_chunks(user, client_id, plan)
    with acting(user, write=client_id):
        return attempts.publish_attempt(plan.attempt_id)


def calculate_run(
    user: Identity, client_id: UUID, run_id: UUID, *, key: str | None = None
) -> attempts.Published:
    """Calculate what is left of one open run and publish it; the same key again gives the same receipt."""
    with acting(user, write=client_id), keyed(key):
        plan = attempts.plan_calculation(run_id)
    _calculate_chunks(user, client_id, plan)
    with acting(user, write=client_id), keyed(key):
        return attempts.publish_attempt(plan.attempt_id)


def _calculate_chunks(user: Identity, client_id: UUID, plan: attempts.AttemptPlanned) -> None:
    with acting(user, read=[client_id]):
        chunks = chunks_left(plan)
    for chunk in chunks:
        with acting(user, write=client_id):
            attempts.calculate_chunk(plan.attempt_id, chunk)
    failpoint("calculate:after")


def chunks_left(plan: attempts.AttemptPlanned) -> list[int]:
    """Inside `acting`: what of an attempt is not calculated yet."""
    left = AttemptChunk.objects.filter(
        client_id=current_client_id(), attempt_id=plan.attempt_id, done_at=None
    )
    return list(left.order_by("chunk").values_list("chunk", flat=True))


@dataclass(frozen=True)
class ApprovedBoth:
    run: payroll.Approved
    bill_run: billing.BillRunApproved | None


@dataclass(frozen=True)
class Content:
    """What stands to be approved, by hash: what a checker looks at and then says yes to.

    bills: None when there are none, or they are issued.
    """

    run: str
    bills: str | None


def content_of(day: Payday) -> Content:
    """Inside `acting`, in the transaction that shows the figures: a yes must name what was seen."""
    if day.run is None or day.run.content_hash is None:
        raise NotFound("there is no calculated pay run for that pay date; calculate it first")
    bills = bytes(day.bill_run.content_hash).hex() if day.bill_run and not day.issued else None
    return Content(bytes(day.run.content_hash).hex(), bills)


def approve(
    user: Identity, client_id: UUID, pay_date: date, *, run_hash: str, bill_hash: str | None
) -> ApprovedBoth:
    """Approve the run and the invoices of a pay date exactly as the approver saw them.

    run_hash, bill_hash: of what was shown. Raises ContentChanged when either is no longer what stands.
    """
    with acting(user, write=client_id):
        return approve_day(pay_date, run_hash, bill_hash)


def approve_day(pay_date: date, run_hash: str, bill_hash: str | None) -> ApprovedBoth:
    """`approve`, inside `acting`."""
    day = payday_of(pay_date)
    stands = content_of(day)
    if (stands.bills is None) != (bill_hash is None):
        raise approvals.ContentChanged(
            f"the invoices of {pay_date} are not as they were when you looked; look again"
        )
    run = payroll.approve_pay_run(run_of(day).id, content_hash=run_hash)
    bills = None
    if bill_hash is not None and day.bill_run is not None:
        bills = billing.approve_bill_run(day.bill_run.id, content_hash=bill_hash)
    return ApprovedBoth(run, bills)


def is_approved(pay_date: date) -> bool:
    """Inside `acting`: whether run and invoices have standing approvals of what stands now."""
    day = payday_of(pay_date)
    return _stands("pay_run", day.run) and (
        day.bill_run is None or day.issued or _stands("bill_run", day.bill_run)
    )


def is_released(pay_date: date) -> bool:
    """Inside `acting`: whether the run is released and, if anybody gets money, the payment file written."""
    day = payday_of(pay_date)
    if day.run is None or not day.run_released:
        return False
    return day.batch is not None or not payroll_selectors.run_figures(day.run).totals.get("net_pay")


def _stands(kind: str, subject: PayRun | BillRun | None) -> bool:
    if subject is None or subject.content_hash is None:
        return False
    approval = approvals.standing(kind, subject.id)
    return approval is not None and bytes(approval.content_hash) == bytes(subject.content_hash)


@dataclass(frozen=True)
class Released:
    run: payroll.RunReleased | None
    batch: settlement.BatchReleased | None


def release(user: Identity, client_id: UUID, pay_date: date) -> Released:
    """Release the run and write the payment file: one transaction, because neither makes sense without the
    other."""
    with acting(user, write=client_id):
        released = release_day(pay_date)
    failpoint("release:after")
    return released


def release_day(pay_date: date) -> Released:
    """`release`, inside `acting`."""
    return release_run(run_of(payday_of(pay_date)))


def release_run(of: PayRun) -> Released:
    """Inside `acting`: a run of any schedule let out, and its payment file written, each unless it was."""
    subject = {"client_id": of.client_id, "subject_kind": "pay_run", "subject_id": of.id}
    released = Release.objects.filter(**subject).exists()
    run = None if released else payroll.release_pay_run(of.id)
    batch = None
    net = run.net if run else _left_to_pay(of)
    if net and not PaymentBatch.objects.filter(**subject).exists():
        batch = settlement.release_payments("pay_run", of.id, kind="net_pay", pay_date=of.pay_date)
    return Released(run, batch)


def _left_to_pay(of: PayRun) -> int:
    """Of a released run without a file. What was set against earlier pay is paid by none."""
    row = payroll_selectors.run_row(of.number)
    return 0 if row is None or row.has_nothing_left or row.kind == "reversal" else row.net


def issue(user: Identity, client_id: UUID, pay_date: date) -> billing.InvoicesIssued | None:
    """Let the approved invoices out and post them: for one who may release, and did not approve them. None
    when they are out already, or there are none."""
    with acting(user, write=client_id):
        day = payday_of(pay_date)
        released_run_of(day)
        issued = issue_bills(day)
    failpoint("post:after")
    return issued


def issue_bills(day: Payday) -> billing.InvoicesIssued | None:
    """Inside `acting`: the invoices of a pay date, unless they are out."""
    return billing.issue_bill_run(day.bill_run.id) if day.bill_run and not day.issued else None


Issuing = Future[billing.InvoicesIssued | None]
"""Invoices on their way out, or why they stayed in: `result()` gives or raises."""


PATIENCE_S = 20.0
"""How long invoices that are written wait for the release: its own work is over by then, or it waits for
somebody who waits for us, which PostgreSQL cannot see."""


def release_and_issue(user: Identity, client_id: UUID, pay_date: date) -> tuple[Released, Issuing]:
    """`release` and `issue` by one person, beside each other: invoices are written while the run is released,
    and commit only once it is. An error of theirs leaves the release as it is. Where it takes much longer, or
    waits for a lock that the invoices keep somebody from, they are rolled back and issued after it.
    """
    released: Future[Released] = Future()

    def issue_once_released() -> billing.InvoicesIssued | None:
        try:
            with acting(user, write=client_id):
                issued = issue_bills(payday_of(pay_date))
                released.result(PATIENCE_S)
        except TimeoutError:
            released.result()
            return issue(user, client_id, pay_date)
        failpoint("post:after")
        return issued

    with beside(issue_once_released) as issuing:
        try:
            done = release(user, client_id, pay_date)
            released.set_result(done)
        except BaseException as error:
            if not released.done():
                released.set_exception(error)
            raise
    return done, issuing


def is_issued(pay_date: date) -> bool:
    """Inside `acting`: whether nothing of the pay date is left to be issued. A bill run without drafts has no
    invoices; issuing it once more does nothing."""
    day = payday_of(pay_date)
    return day.bill_run is None or day.issued or not billing.anything_to_issue(day.bill_run.id)


@dataclass(frozen=True)
class Posted:
    """invoices: None when they were issued before; payslips and printed: None when no papers were asked for,
    or they are another's to make.
    """

    invoices: billing.InvoicesIssued | None
    payslips: payroll_papers.PayslipsIssued | None
    printed: billing_papers.InvoicesPrinted | None


def post(user: Identity, client_id: UUID, pay_date: date, *, with_papers: bool = True) -> Posted:
    """Issue and post the invoices, if that is not done, then make the papers: payslips and invoices as PDF.

    Issuing is a releaser's, papers are a preparer's: whoever holds one of the two does that part.
    """
    with acting(user, write=client_id) as scope:
        day = payday_of(pay_date)
        run = released_run_of(day)
        left = not is_issued(pay_date)
        may_print = scope.may("payroll.prepare") and scope.may("billing.prepare")
    invoices = issue(user, client_id, pay_date) if left else None
    payslips = printed = None
    if with_papers and may_print:
        with acting(user, write=client_id):
            payslips = payroll_papers.issue_payslips(run.id)
            if day.bill_run:
                printed = billing_papers.print_invoices(day.bill_run.id)
    return Posted(invoices, payslips, printed)


@dataclass(frozen=True)
class Cleared:
    imported: Imported
    clearing: clearing.ClearingDone


def clear(user: Identity, client_id: UUID, statements: Sequence[Path]) -> Cleared:
    """Take bank statements in and clear their lines: posted where it is certain, an exception with its reason
    where not."""
    imported = import_files(user, client_id, "statement", statements) if statements else Imported()
    with acting(user, write=client_id):
        done = clearing.clear_lines()
    return Cleared(imported, done)
