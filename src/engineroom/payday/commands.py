"""The steps of a payday as commands of their own, so that a procedure can call them: each is one step of
`steps`, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.billing import papers as billing_papers
from engineroom.billing import services as billing
from engineroom.foundation.commands import command
from engineroom.kernel.errors import Conflict
from engineroom.payday import steps
from engineroom.payroll import papers as payroll_papers
from engineroom.payroll import selectors as payroll_selectors
from engineroom.payroll import services as payroll


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
    plan = payroll.plan_calculation(run.run_id)
    for chunk in steps.chunks_left(plan):
        payroll.calculate_chunk(plan.attempt_id, chunk)
    payroll.publish_attempt(plan.attempt_id)
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
    """Approve the run and the invoices of a pay date exactly as they were calculated."""
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
