"""Corrections of released runs for programs: payslips taken back, back pay."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from ninja import Query, Schema

from engineroom.foundation.api import (
    Asked,
    ContentAsked,
    Day,
    Name,
    Reason,
    Room,
    Text,
    log_read,
    refuse_masked,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.payroll import (
    retro,
    reversal,
)
from engineroom.payroll.api import BlockerOut

router = Room("payroll")


class TakeBackAsked(Asked):
    """payroll_numbers: of whom; empty, of everybody in it. replace: open a run as well that pays anew."""

    reason: Reason
    payroll_numbers: list[Name] = []
    replace: bool = False
    pay_date: Day | None = None


@router.command(
    "/pay-runs/{run_id}/reverse",
    reversal.ReversalOpened,
    "Take payslips of a released run back",
    permission="payroll.prepare",
)
def reverse_payslips(client: Client, run_id: UUID, asked: TakeBackAsked) -> reversal.ReversalOpened:
    """Opens a run of negative copies; calculate it, then others approve and release it."""
    return reversal.reverse_payslips(
        run_id,
        reason=asked.reason,
        payroll_numbers=asked.payroll_numbers,
        replace=asked.replace,
        pay_date=asked.pay_date,
    )


class BackPayAsked(Schema):
    """Of a schedule, or of the weekly runs of hours; since: periods that end on that day or later."""

    schedule: Text = ""
    since: Day | None = None
    payroll_number: Text = ""


class DifferenceOut(Schema):
    """An element of a person in a past period: as it was paid by the latest view, and as it is due now."""

    person_id: UUID
    payroll_number: str
    run_id: UUID
    run: int
    starts: date
    ends: date
    element: str
    paid_minor: int
    due_minor: int
    amount_minor: int


class BackPayOut(Schema):
    """Differences by period and payroll number. problems: who is left out, and what to do about it."""

    content_hash: str
    currency: str
    differences: list[DifferenceOut]
    problems: list[BlockerOut]


class AcceptBackPayAsked(ContentAsked):
    """With the same schedule, day and person as it was looked at."""

    schedule: Text = ""
    since: Day | None = None
    payroll_number: Text = ""


def _numbers(payroll_number: str) -> list[str]:
    return [payroll_number] if payroll_number else []


@router.read("/back-pay", BackPayOut, "What released periods would pay as everything is known now")
def back_pay(client: Client, asked: Query[BackPayAsked]) -> BackPayOut:
    """Beside what they paid by the latest view, before anybody accepts it. The read is logged."""
    refuse_masked("pay", "back pay")
    found = retro.back_pay(asked.schedule, since=asked.since, payroll_numbers=_numbers(asked.payroll_number))
    if found.differences:
        log_read("pay_item", None, "back pay", len(found.differences))
    return BackPayOut(
        content_hash=found.content_hash,
        currency=client.currency,
        differences=[
            DifferenceOut(
                person_id=d.person_id,
                payroll_number=d.payroll_number,
                run_id=d.run_id,
                run=d.run,
                starts=d.starts,
                ends=d.ends,
                element=d.element,
                paid_minor=d.paid,
                due_minor=d.due,
                amount_minor=d.amount,
            )
            for d in found.differences
        ],
        problems=[
            BlockerOut(payroll_number=b.payroll_number, field=b.field, problem=b.problem, remedy=b.remedy)
            for _, b in found.problems
        ],
    )


@router.command("/back-pay", retro.BackPayAccepted, "Accept back pay", permission="payroll.prepare")
def accept_back_pay(client: Client, asked: AcceptBackPayAsked) -> retro.BackPayAccepted:
    """An item of the next run for each person, period and element."""
    return retro.accept_back_pay(
        asked.schedule,
        content_hash=asked.content_hash,
        since=asked.since,
        payroll_numbers=_numbers(asked.payroll_number),
    )
