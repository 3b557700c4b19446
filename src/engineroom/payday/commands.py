"""The steps of a payday as commands of their own, so that a procedure can call them: each is one step of
`steps`, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.billing import papers as billing_papers
from engineroom.billing import services as billing
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.payday import steps
from engineroom.payroll import papers as payroll_papers
from engineroom.payroll import selectors as payroll_selectors
from engineroom.payroll import services as payroll
from engineroom.payroll.models import AttemptChunk
from engineroom.settlement import services as settlement


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
    left = AttemptChunk.objects.filter(
        client_id=current_client_id(), attempt_id=plan.attempt_id, done_at=None
    )
    for chunk in list(left.order_by("chunk").values_list("chunk", flat=True)):
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
    day = steps.payday_of(pay_date)
    stands = steps.content_of(day)
    if (stands.bills or "") != bill_hash:
        raise approvals.ContentChanged(
            f"the invoices of {pay_date} are not as they were; calculate, then look again"
        )
    assert day.run is not None, "content_of found it"
    payroll.approve_pay_run(day.run.id, content_hash=run_hash)
    if bill_hash and day.bill_run is not None:
        billing.approve_bill_run(day.bill_run.id, content_hash=bill_hash)
    return DayApproved(day.run.id, day.bill_run.id if bill_hash and day.bill_run else None)


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
    day = _day(pay_date)
    assert day.run is not None
    net = (
        payroll_selectors.run_figures(day.run).totals.get("net_pay")
        if day.run_released
        else payroll.release_pay_run(day.run.id).net
    )
    batch_id = day.batch.id if day.batch else None
    if batch_id is None and net:
        batch_id = settlement.release_payments(
            "pay_run", day.run.id, kind="net_pay", pay_date=pay_date
        ).batch_id
    return DayReleased(day.run.id, batch_id)


def _day(pay_date: date) -> steps.Payday:
    day = steps.payday_of(pay_date)
    if day.run is None:
        raise NotFound(f"there is no pay run for {pay_date}; calculate it first")
    return day


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
    day = _day(pay_date)
    if not day.run_released:
        raise NotFound(f"there is no released pay run for {pay_date}; release it first")
    if day.bill_run is None or day.issued or not billing.anything_to_issue(day.bill_run.id):
        return DayIssued(day.bill_run.id if day.bill_run else None, 0)
    return DayIssued(day.bill_run.id, len(billing.issue_bill_run(day.bill_run.id).invoices))


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
    day = _day(pay_date)
    assert day.run is not None
    payroll_papers.issue_payslips(day.run.id)
    if day.bill_run and day.issued:
        billing_papers.print_invoices(day.bill_run.id)
    return DayPapers(day.run.id, payroll_selectors.run_figures(day.run).payslips)
