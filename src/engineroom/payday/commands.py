"""What procedures call: the steps of a payday, of a run of a schedule, of a bank reconciliation and of a
close, each as one command in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from engineroom.billing import papers as billing_papers
from engineroom.billing import selectors as billing_selectors
from engineroom.billing import services as billing
from engineroom.foundation import vault
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.imports import services as imports
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, errors_of
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.payday import steps
from engineroom.payroll import attempts
from engineroom.payroll import papers as payroll_papers
from engineroom.payroll import selectors as payroll_selectors
from engineroom.payroll import services as payroll
from engineroom.settlement import selectors as bank
from engineroom.settlement.models import OwnAccount, PaymentBatch
from engineroom.sop import evidence
from engineroom.ui.display import format_count


@dataclass(frozen=True)
class DayCalculated:
    """What stands for the pay date now. bill_hash: empty, when there is nothing to be invoiced."""

    run_id: UUID
    run_hash: str
    bill_hash: str

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def calculate(pay_date: date) -> DayCalculated:
    """Open the pay run of a pay date, calculate it, and prepare its invoices."""
    run = payroll.open_pay_run(pay_date)
    day = steps.payday_of(pay_date)
    if day.run_released:
        raise Conflict(f"the pay run of {pay_date} is released; it is calculated no more")
    plan = attempts.plan_calculation(run.run_id)
    for chunk in steps.chunks_left(plan):
        attempts.calculate_chunk(plan.attempt_id, chunk)
    attempts.publish_attempt(plan.attempt_id)
    if not day.issued:
        billing.prepare_bill_run(pay_date, run.period_ends)
    stands = steps.content_of(steps.payday_of(pay_date))
    return DayCalculated(run.run_id, stands.run, stands.bills or "")


@dataclass(frozen=True)
class DayApproved:
    run_id: UUID
    bill_run_id: UUID | None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.approve")
def approve(pay_date: date, run_hash: str, bill_hash: str = "") -> DayApproved:
    """Approve the run and the invoices of a pay date exactly as they were calculated.

    Where that stands already, approved on the run's own page or let out since, nothing is left to be done.
    """
    day = steps.payday_of(pay_date)
    if steps.is_approved(pay_date) and steps.content_of(day).run == run_hash:
        return DayApproved(steps.run_of(day).id, day.bill_run.id if day.bill_run else None)
    done = steps.approve_day(pay_date, run_hash, bill_hash or None)
    return DayApproved(done.run.run_id, done.bill_run.bill_run_id if done.bill_run else None)


@dataclass(frozen=True)
class DayReleased:
    run_id: UUID
    batch_id: UUID | None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.release")
def release(pay_date: date) -> DayReleased:
    """Release the approved run of a pay date and write its payment file."""
    steps.release_day(pay_date)
    day = steps.payday_of(pay_date)
    return DayReleased(steps.run_of(day).id, day.batch.id if day.batch else None)


@dataclass(frozen=True)
class DayIssued:
    bill_run_id: UUID | None
    invoices: int

    @property
    def subject(self) -> str | None:
        return f"bill_run:{self.bill_run_id}" if self.bill_run_id else None


@command("billing.release")
def issue(pay_date: date) -> DayIssued:
    """Let the approved invoices of a pay date out. With nothing to issue it does nothing."""
    day = steps.payday_of(pay_date)
    steps.released_run_of(day)
    issued = None if steps.is_issued(pay_date) else steps.issue_bills(day)
    return DayIssued(day.bill_run.id if day.bill_run else None, len(issued.invoices) if issued else 0)


@dataclass(frozen=True)
class DayPapers:
    run_id: UUID
    payslips: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def papers(pay_date: date) -> DayPapers:
    """Typeset the payslips of a released pay date, and its invoices if they are issued."""
    day = steps.payday_of(pay_date)
    run = steps.released_run_of(day)
    payroll_papers.issue_payslips(run.id)
    if day.bill_run and day.issued:
        billing_papers.print_invoices(day.bill_run.id)
    return DayPapers(run.id, payroll_selectors.run_figures(run).payslips)


# --- a run of a schedule --------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunCalculated:
    """run_hash: of exactly what was calculated; an approval names it."""

    run_id: UUID
    number: int
    payslips: int
    run_hash: str

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def calculate_run(schedule: str, pay_date: date) -> RunCalculated:
    """Open the regular run of a schedule's pay date, or find it, and calculate it."""
    run = payroll.open_pay_run(pay_date, schedule=schedule)
    if approvals.released("pay_run", run.run_id):
        raise Conflict(f"pay run {run.number} is released; it is calculated no more")
    plan = attempts.plan_calculation(run.run_id)
    for chunk in steps.chunks_left(plan):
        attempts.calculate_chunk(plan.attempt_id, chunk)
    done = attempts.publish_attempt(plan.attempt_id)
    return RunCalculated(run.run_id, run.number, done.payslips, done.content_hash)


@command("payroll.release")
def release_run(run_id: UUID) -> DayReleased:
    """Release an approved run and write its payment file."""
    run = payroll.find_run(run_id)
    steps.release_run(run)
    of_run = {"client_id": run.client_id, "subject_kind": "pay_run", "subject_id": run.id}
    return DayReleased(run.id, PaymentBatch.objects.filter(**of_run).values_list("id", flat=True).first())


# --- the bank and the books -----------------------------------------------------------------------------


@dataclass(frozen=True)
class StatementTaken:
    """again: the very same content was taken before, and nothing was done."""

    file_id: UUID
    again: bool

    @property
    def subject(self) -> str:
        return f"file:{self.file_id}"


@command("settlement.prepare")
def take_statement(file_id: UUID) -> StatementTaken:
    """Take in the bank statement that was shown for a step: all of it or, on any error, nothing."""
    shown = VaultFile.objects.filter(client_id=current_client_id(), kind=evidence.KIND, id=file_id).first()
    if shown is None:
        raise NotFound("there is no such file among what was shown for a step; show the statement first")
    with TemporaryDirectory() as folder:
        path = Path(folder) / (Path(shown.name).name or "statement")
        path.write_bytes(vault.read(shown))
        seen, problems = steps.preview("statement", path)
    if errors := errors_of(problems):
        raise InputRefused(
            problems, f"{format_count(len(errors), 'error')} in the statement; nothing was taken"
        )
    taken = imports.take(seen.preview_id)
    return StatementTaken(file_id, taken.again)


class BooksDoNotHold(EngineroomError):
    """Something that must hold of the books does not."""

    status = 409


@dataclass(frozen=True)
class BooksProven:
    """How many things were proved, and how many control accounts among them."""

    proofs: int
    control_accounts: int


@command("ledger.prepare")
def prove_books() -> BooksProven:
    """Prove the client's books anew: entries, control accounts, hours, and each bank account's statement."""
    checks, controls = ledger.verify(), openitems.controls()
    wrong = [check.what for check in checks if not check.ok]
    wrong += [
        f"account {c.account_code} {c.account_name} is not its open items" for c in controls if not c.ok
    ]
    accounts = list(OwnAccount.objects.filter(client_id=current_client_id()).values_list("code", flat=True))
    wrong += [
        f"the statement of the bank account {code} is not the ledger plus the exceptions"
        for code in accounts
        if not bank.reconcile(code).ok
    ]
    if not billing_selectors.reconcile().ok:
        wrong.append("hours on payslips are neither billed nor waiting, held or written off")
    if wrong:
        raise BooksDoNotHold("\n".join(["the books do not hold:", *(f"  {what}" for what in wrong)]))
    return BooksProven(len(checks) + len(controls) + len(accounts) + 1, len(controls))
