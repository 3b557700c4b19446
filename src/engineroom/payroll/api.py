"""Pay runs and payslips for programs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query, Schema
from pydantic import Field, StringConstraints

from engineroom.foundation import deadlines, duties
from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    ContentAsked,
    ContentHash,
    Day,
    Name,
    Page,
    PageAsked,
    Reason,
    ReasonAsked,
    Room,
    Text,
    cut,
    hides,
    log_read,
    one,
    refuse_masked,
)
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.vault.answers import file_answer, file_of
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound
from engineroom.payroll import (
    account_map,
    claims,
    cut_off,
    explained,
    handing_over,
    items,
    journal,
    liabilities,
    orders,
    papers,
    reopening,
    retro,
    returned,
    reversal,
    review,
    schedules,
    selectors,
    services,
    workbook_imports,
)
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun, Payslip
from engineroom.payroll.state import Code
from engineroom.payroll.workbook import XLSX

router = Room("payroll")


class RunStateOut(Schema):
    """How far a run is, in words for people, and what is to be done next, by whom: empty when nothing is."""

    code: Code
    word: str
    next: str
    by: str
    permission: str


class PayRunOut(Schema):
    """One calculation of pay. content_hash: what an approver approves; null before it is calculated."""

    id: UUID
    number: int
    kind: str
    frequency: str
    pay_date: date
    period_starts: date
    period_ends: date
    tax_year: str
    tax_period: int
    content_hash: str | None
    state: RunStateOut


class FigureOut(Schema):
    """A figure of a payslip or a run: in minor units when unit is `minor`, else in minutes."""

    code: str
    label: str
    kind: str
    unit: Literal["minor", "minutes"]
    amount: int


class BlockerOut(Schema):
    """What keeps the run from being approved or released, and what to do about it."""

    payroll_number: str
    field: str
    problem: str
    remedy: str


class PayRunDetailOut(PayRunOut):
    """A run with its totals and how far it is. figures are absent where the role does not see pay."""

    currency: str
    payslips: int
    figures: list[FigureOut]
    blockers: list[BlockerOut]
    approved_by: UUID | None
    released_by: UUID | None
    engine_version: int | None
    rules_hash: str | None


class PayslipOut(Schema):
    """One person's published result in a run."""

    id: UUID
    run_id: UUID
    person_id: UUID
    payroll_number: str
    name: str
    tax_code: str
    ni_category: str
    net_pay_minor: int | None
    currency: str


class PayslipDetailOut(PayslipOut):
    """A payslip with every figure, and how each was calculated, line by line, from the run's own trace."""

    figures: list[FigureOut]
    explanation: list[str]


class OpenRunAsked(Asked):
    """The regular run of a pay date. Without a schedule it is the weekly run of timesheets; a kind other than
    regular is a run of its own each time, which pays the items that are for it."""

    pay_date: Day
    schedule: Text = ""
    kind: Name = "regular"


def _state(row: selectors.RunRow) -> RunStateOut:
    state = row.state
    return RunStateOut(
        code=state.code, word=state.word, next=state.next, by=state.by, permission=state.permission
    )


def _run(row: PayRun, standing: selectors.RunRow) -> PayRunOut:
    return PayRunOut(
        id=row.id,
        number=row.number,
        kind=row.kind,
        frequency=row.frequency,
        pay_date=row.pay_date,
        period_starts=row.period_starts,
        period_ends=row.period_ends,
        tax_year=row.tax_year,
        tax_period=row.tax_period,
        content_hash=bytes(row.content_hash).hex() if row.content_hash else None,
        state=_state(standing),
    )


def _figures(code: str, amounts: dict[str, int]) -> list[FigureOut]:
    return [
        FigureOut(
            code=e.code,
            label=e.label,
            kind=e.kind,
            unit="minor" if e.unit == "pence" else "minutes",
            amount=amounts[e.code],
        )
        for e in jurisdiction(code).elements
        if e.code in amounts
    ]


@router.read("/pay-runs", Page[PayRunOut], "Pay runs, latest first")
def pay_runs(client: Client, page: Query[PageAsked]) -> Page[PayRunOut]:
    """Every run that was opened."""
    rows, onward = cut(PayRun.objects.filter(client_id=client.id), page, by="number", latest_first=True)
    standing = selectors.run_rows([row.id for row in rows])
    return Page(items=[_run(row, review.as_it_stands(standing[row.id])) for row in rows], next=onward)


@router.read("/pay-runs/{run_id}", PayRunDetailOut, "One pay run with its totals and blockers")
def pay_run(client: Client, run_id: UUID) -> PayRunDetailOut:
    """How far a run is, what it comes to, and what keeps it from going on. The read is logged."""
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    approval = approvals.standing("pay_run", run.id)
    released = approvals.released("pay_run", run.id)
    log_read("pay_run", run.id, "totals of pay")
    attempt = run.published
    blockers = services.blockers_of(run) if attempt else []
    standing = replace(selectors.run_rows([run.id])[run.id], blockers=len(blockers))
    return PayRunDetailOut(
        **_run(run, standing).dict(),
        currency=client.currency,
        payslips=Payslip.objects.filter(client_id=client.id, attempt=attempt).count() if attempt else 0,
        figures=[] if hides("pay") else _figures(run.jurisdiction, selectors.run_figures(run).totals),
        blockers=[
            BlockerOut(payroll_number=b.payroll_number, field=b.field, problem=b.problem, remedy=b.remedy)
            for b in blockers
        ],
        approved_by=approval.user_id if approval else None,
        released_by=released.user_id if released else None,
        engine_version=attempt.engine_version if attempt else None,
        rules_hash=attempt.rules_hash if attempt else None,
    )


@router.read("/pay-runs/{run_id}/payslips", Page[PayslipOut], "The payslips of a run")
def payslips(client: Client, run_id: UUID, page: Query[PageAsked]) -> Page[PayslipOut]:
    """The published payslips. The read is logged."""
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    rows = Payslip.objects.filter(client_id=client.id, attempt=run.published)
    found, onward = cut(rows.select_related("person", "attempt"), page, by="id")
    if found:
        log_read("pay_run", run.id, "net pay", len(found))
    return Page(items=[_payslip(client, row) for row in found], next=onward)


def _payslip(client: Client, row: Payslip) -> PayslipOut:
    amounts = dict(zip(row.attempt.elements, row.amounts, strict=True))
    return PayslipOut(
        id=row.id,
        run_id=row.run_id,
        person_id=row.person_id,
        payroll_number=row.person.payroll_number,
        name=row.person.name,
        tax_code=row.tax_code,
        ni_category=row.ni_category,
        net_pay_minor=None if hides("pay") else amounts["net_pay"],
        currency=client.currency,
    )


@router.read("/payslips/{payslip_id}", PayslipDetailOut, "One payslip, every figure explained")
def payslip(client: Client, payslip_id: UUID) -> PayslipDetailOut:
    """Every figure and how it came about, read from what the run itself kept. The read is logged."""
    row = one(Payslip.objects.select_related("person", "attempt__run"), "payslip", payslip_id)
    log_read("payslip", row.id, "payslip")
    hidden = hides("pay")
    amounts = dict(zip(row.attempt.elements, row.amounts, strict=True))
    return PayslipDetailOut(
        **_payslip(client, row).dict(),
        figures=[] if hidden else _figures(row.attempt.run.jurisdiction, amounts),
        explanation=[] if hidden else selectors.explanation(row.id),
    )


@router.read("/payslips/{payslip_id}/pdf", None, "A payslip as PDF", media="application/pdf")
def payslip_pdf(client: Client, payslip_id: UUID) -> HttpResponse:
    """The paper as issued. It shows a national identifier: who may not see those gets none."""
    row = one(Payslip.objects.all(), "payslip", payslip_id)
    for data_class in ("pay", "identity", "bank"):
        refuse_masked(data_class, "a payslip")
    file = VaultFile.objects.filter(client_id=client.id, kind=papers.KIND, subject_id=row.id).first()
    if file is None:
        raise NotFound("this payslip is not issued yet")
    log_read("payslip", row.id, "payslip as PDF")
    return file_answer(file)


@router.command("/pay-runs", services.RunOpened, "Open a pay run", permission="payroll.prepare")
def open_pay_run(client: Client, asked: OpenRunAsked) -> services.RunOpened:
    """The regular run of a pay date: opened once, found again afterwards."""
    return services.open_pay_run(asked.pay_date, schedule=asked.schedule, kind=asked.kind)


@router.command(
    "/pay-runs/{run_id}/approve", services.Approved, "Approve a pay run", permission="payroll.approve"
)
def approve_pay_run(client: Client, run_id: UUID, asked: ContentAsked) -> services.Approved:
    """Approve exactly what you looked at; whoever made part of it may not."""
    return services.approve_pay_run(run_id, content_hash=asked.content_hash)


@router.command(
    "/pay-runs/{run_id}/abandon", services.RunAbandoned, "Abandon a pay run", permission="payroll.prepare"
)
def abandon_pay_run(client: Client, run_id: UUID, asked: ReasonAsked) -> services.RunAbandoned:
    """Give the hours of a run that was never released back, to be paid by another."""
    return services.abandon_pay_run(run_id, reason=asked.reason)


@router.command(
    "/pay-runs/{run_id}/issue", papers.PayslipsIssued, "Issue the payslips", permission="payroll.prepare"
)
def issue_payslips(client: Client, run_id: UUID) -> papers.PayslipsIssued:
    """Typeset the payslips of a released run; those that are there stay as they are."""
    return papers.issue_payslips(run_id)


@router.command(
    "/pay-runs/{run_id}/reopen", reopening.RunReopened, "Reopen a pay run", permission="payroll.prepare"
)
def reopen_pay_run(client: Client, run_id: UUID, asked: ReasonAsked) -> reopening.RunReopened:
    """Take every approval of a run that is not released back, to change what it pays."""
    return reopening.reopen_pay_run(run_id, reason=asked.reason)


@router.command(
    "/pay-runs/{run_id}/take-back",
    reopening.RunReopened,
    "Take one's own approval of a pay run back",
    permission="payroll.approve",
)
def take_back_approval(client: Client, run_id: UUID, asked: ReasonAsked) -> reopening.RunReopened:
    """Your yes no longer holds; others' stand. Not after the release."""
    return reopening.take_back_approval(run_id, reason=asked.reason)


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


# --- schedules, items, recurring pay ----------------------------------------------------------------------


class PayPeriodOut(Schema):
    """A pay period. cut_off: the day on which its inputs close."""

    starts: date
    ends: date
    pay_date: date
    cut_off: date


class PayScheduleOut(Schema):
    """A pay schedule with the period of today and those that follow."""

    id: UUID
    code: str
    name: str
    frequency: str
    pay_rule: str
    pay_day: int
    cut_off_days: int
    proration: str
    ends: date | None
    periods: list[PayPeriodOut]


class PayScheduleAsked(Asked):
    """A schedule to add. anchor: the first day of any one of its periods."""

    code: Name
    name: Name
    frequency: Name
    anchor: Day
    pay_rule: Name
    pay_day: int = 0
    cut_off_days: int = 0
    proration: Name = "calendar_days"


class PlaceAsked(Asked):
    """Who is paid on it, from which day."""

    person_id: UUID
    starts: Day


class PayItemAsked(Asked):
    """An amount of an element, once. run_id: the run of another kind than regular that it is for."""

    person_id: UUID
    element: Name
    amount_minor: int
    period: Day
    reason: Reason
    run_id: UUID | None = None


class PayItemOut(Schema):
    """An item that waits for its run. amount_minor is absent where the role does not see pay."""

    id: UUID
    person_id: UUID
    payroll_number: str
    element: str
    amount_minor: int | None
    currency: str
    period: date
    reason: str
    source: str
    run_id: UUID | None


class RecurringAsked(Asked):
    """An amount of an element in every period that the days touch."""

    person_id: UUID
    element: Name
    amount_minor: int
    starts: Day
    ends: Day | None = None
    reason: Text = ""


class RecurringEndAsked(Asked):
    """The last day."""

    ends: Day


@router.read("/pay-schedules", list[PayScheduleOut], "Pay schedules with their next periods")
def pay_schedules(client: Client) -> list[PayScheduleOut]:
    """Every schedule, by code, with the periods from today's on."""
    today = timezone.now().date()
    return [
        PayScheduleOut(
            id=row.id,
            code=row.code,
            name=row.name,
            frequency=row.frequency,
            pay_rule=row.pay_rule,
            pay_day=row.pay_day,
            cut_off_days=row.cut_off_days,
            proration=row.proration,
            ends=row.ends,
            periods=[
                PayPeriodOut(starts=p.starts, ends=p.ends, pay_date=p.paid, cut_off=p.cut_off)
                for p in schedules.periods_from(row, today)
            ],
        )
        for row in schedules.pay_schedules()
    ]


@router.command("/pay-schedules", schedules.ScheduleAdded, "Add a pay schedule", permission="payroll.prepare")
def add_pay_schedule(client: Client, asked: PayScheduleAsked) -> schedules.ScheduleAdded:
    """Any frequency that the client's law has tables for."""
    return schedules.add_pay_schedule(
        asked.code,
        asked.name,
        frequency=asked.frequency,
        anchor=asked.anchor,
        pay_rule=asked.pay_rule,
        pay_day=asked.pay_day,
        cut_off_days=asked.cut_off_days,
        proration=asked.proration,
    )


@router.command(
    "/pay-schedules/{schedule}/people",
    schedules.PutOnSchedule,
    "Pay a person on a schedule",
    permission="payroll.prepare",
)
def put_on_schedule(client: Client, schedule: Name, asked: PlaceAsked) -> schedules.PutOnSchedule:
    """From a day on; the schedule they were on ends the day before."""
    return schedules.put_on_schedule(asked.person_id, schedule, starts=asked.starts)


@router.read("/pay-items", list[PayItemOut], "Items that wait for their run")
def pay_items(client: Client) -> list[PayItemOut]:
    """What no run has taken yet, by payroll number. The read is logged."""
    found = items.items_waiting()
    if found:
        log_read("pay_item", None, "items that wait", len(found))
    return [
        PayItemOut(
            id=row.id,
            person_id=row.person_id,
            payroll_number=row.person.payroll_number,
            element=row.element,
            amount_minor=None if hides("pay") else row.amount,
            currency=client.currency,
            period=row.period,
            reason=row.reason,
            source=row.source,
            run_id=row.run_id,
        )
        for row in found
    ]


@router.command("/pay-items", items.ItemAdded, "Add an item of pay", permission="payroll.prepare")
def add_pay_item(client: Client, asked: PayItemAsked) -> items.ItemAdded:
    """Taken once, by the regular run of its period or by the run that it is for."""
    return items.add_pay_item(
        asked.person_id,
        asked.element,
        asked.amount_minor,
        period=asked.period,
        reason=asked.reason,
        run_id=asked.run_id,
        source="api",
    )


@router.command(
    "/pay-items/{item_id}/withdraw", items.ItemWithdrawn, "Withdraw an item", permission="payroll.prepare"
)
def withdraw_pay_item(client: Client, item_id: UUID, asked: ReasonAsked) -> items.ItemWithdrawn:
    """Before a run has taken it."""
    return items.withdraw_pay_item(item_id, reason=asked.reason)


@router.command("/recurring-pay", items.RecurringAdded, "Add recurring pay", permission="payroll.prepare")
def add_recurring_pay(client: Client, asked: RecurringAsked) -> items.RecurringAdded:
    """Paid in every period of the person's schedule that the days touch."""
    return items.add_recurring_pay(
        asked.person_id,
        asked.element,
        asked.amount_minor,
        starts=asked.starts,
        ends=asked.ends,
        reason=asked.reason,
    )


@router.command(
    "/recurring-pay/{recurring_id}/end",
    items.RecurringEnded,
    "End recurring pay",
    permission="payroll.prepare",
)
def end_recurring_pay(client: Client, recurring_id: UUID, asked: RecurringEndAsked) -> items.RecurringEnded:
    """The last day on which it is paid."""
    return items.end_recurring_pay(recurring_id, ends=asked.ends)


# --- attachment orders ------------------------------------------------------------------------------------

StatedFigures = dict[Name, int | Text]


class PayOrderAsked(Asked):
    """An attachment order. stated: what it says, by name: minor units, 1 for yes, and choices as texts
    (GET /pay-orders/kinds lists them). creditor: the code of whom it pays; creditor_name: of a new one."""

    person_id: UUID
    kind: Name
    reference: Name
    creditor: Name
    creditor_name: Text = ""
    made_on: Day
    starts: Day
    ends: Day | None = None
    stated: StatedFigures = {}
    reason: Reason


class PayOrderVaried(Asked):
    """What an order states from a day on; what it missed and its balance go on."""

    starts: Day
    stated: StatedFigures
    reason: Reason


class PayOrderEndAsked(Asked):
    """The last day on which pay that is paid is taken from."""

    ends: Day
    reason: Reason


class PayOrderFieldOut(Schema):
    """Something that orders state. unit: pence (minor units), flag (0 or 1), or choice."""

    name: str
    label: str
    kinds: list[str]
    needed: bool
    unit: str
    choices: list[str]


class PayOrderKindsOut(Schema):
    """The kinds of attachment order of the client's country, by code, and what they state."""

    kinds: dict[str, str]
    fields: list[PayOrderFieldOut]


class PayOrderOut(Schema):
    """An order that is not over. Amounts are absent where the role does not see pay; balance_minor is null
    also where the order names no sum."""

    id: UUID
    person_id: UUID
    payroll_number: str
    kind: str
    reference: str
    creditor: str
    made_on: date
    starts: date
    ends: date | None
    stated: dict[str, int | str]
    taken_minor: int | None
    missed_minor: int | None
    balance_minor: int | None
    paydays: int
    currency: str


@router.read("/pay-orders/kinds", PayOrderKindsOut, "Kinds of attachment order, and what they state")
def pay_order_kinds(client: Client) -> PayOrderKindsOut:
    """Of the client's country."""
    rules = orders.order_rules()
    return PayOrderKindsOut(
        kinds=dict(rules.kinds),
        fields=[
            PayOrderFieldOut(
                name=f.name,
                label=f.label,
                kinds=sorted(f.kinds),
                needed=f.needed,
                unit=f.unit,
                choices=list(f.choices),
            )
            for f in rules.fields
        ],
    )


@router.read("/pay-orders", list[PayOrderOut], "Attachment orders that are not over")
def pay_orders(client: Client) -> list[PayOrderOut]:
    """By payroll number, with what each took so far. The read is logged."""
    found, hidden = orders.pay_orders(timezone.now().date()), hides("pay")
    if found:
        log_read("pay_order", None, "attachment orders", len(found))
    return [
        PayOrderOut(
            id=view.row.id,
            person_id=view.row.person_id,
            payroll_number=view.row.person.payroll_number,
            kind=view.row.kind,
            reference=view.row.reference,
            creditor=view.row.creditor.code,
            made_on=view.row.made_on,
            starts=view.row.starts,
            ends=view.row.ends,
            stated={} if hidden else view.row.stated,
            taken_minor=None if hidden else view.taken,
            missed_minor=None if hidden else view.arrears,
            balance_minor=None if hidden else view.balance,
            paydays=view.paydays,
            currency=client.currency,
        )
        for view in found
    ]


@router.command("/pay-orders", orders.OrderAdded, "Enter an attachment order", permission="payroll.prepare")
def add_pay_order(client: Client, asked: PayOrderAsked) -> orders.OrderAdded:
    """Every run takes it from then on, in the law's order."""
    said = orders.OrderSaid(
        asked.kind,
        asked.reference,
        asked.creditor,
        asked.made_on,
        asked.starts,
        dict(asked.stated),
        creditor_name=asked.creditor_name,
        ends=asked.ends,
    )
    return orders.add_pay_order(asked.person_id, said, reason=asked.reason)


@router.command(
    "/pay-orders/{order_id}/vary", orders.OrderAdded, "Vary an attachment order", permission="payroll.prepare"
)
def vary_pay_order(client: Client, order_id: UUID, asked: PayOrderVaried) -> orders.OrderAdded:
    """Other figures from a day on; what it missed and its balance go on."""
    return orders.vary_pay_order(
        order_id, starts=asked.starts, stated=dict(asked.stated), reason=asked.reason
    )


@router.command(
    "/pay-orders/{order_id}/end", orders.OrderEnded, "End an attachment order", permission="payroll.prepare"
)
def end_pay_order(client: Client, order_id: UUID, asked: PayOrderEndAsked) -> orders.OrderEnded:
    """It was discharged, or called off."""
    return orders.end_pay_order(order_id, ends=asked.ends, reason=asked.reason)


# --- statutory pay ----------------------------------------------------------------------------------------


class ClaimAsked(Asked):
    """What a statutory payment goes by. first_day: of the first of linked stretches. figures: by name; for
    sick pay relevant_earnings (minor units), relevant_periods (weeks or months), paid_monthly (1 or 0)."""

    person_id: UUID
    payment: Name
    first_day: Day
    figures: dict[Name, int]
    reason: Reason


class ClaimOut(Schema):
    """A claim. Amounts are absent where the role does not see pay."""

    id: UUID
    person_id: UUID
    payroll_number: str
    payment: str
    first_day: date
    figures: dict[str, int]
    period_from: date | None
    period_until: date | None
    days_paid: int
    paid_minor: int | None
    currency: str


@router.read("/claims", list[ClaimOut], "Claims of statutory pay")
def statutory_claims(client: Client) -> list[ClaimOut]:
    """The latest first; none where the role does not see health. The read is logged."""
    found = [] if hides("health") else claims.claims()
    if found:
        log_read("claim", None, "claims of statutory pay", len(found))
    hidden = hides("pay")
    return [
        ClaimOut(
            id=view.row.id,
            person_id=view.row.person_id,
            payroll_number=view.row.person.payroll_number,
            payment=view.row.payment,
            first_day=view.row.first_day,
            figures={} if hidden else view.row.figures,
            period_from=view.row.period_from,
            period_until=view.row.period_until,
            days_paid=view.days,
            paid_minor=None if hidden else view.paid,
            currency=client.currency,
        )
        for view in found
    ]


@router.command(
    "/claims", claims.ClaimStated, "State what statutory pay goes by", permission="payroll.prepare"
)
def state_claim(client: Client, asked: ClaimAsked) -> claims.ClaimStated:
    """Where it cannot be found in what was paid here; what is stated last counts."""
    return claims.state_claim(
        asked.person_id, asked.payment, asked.first_day, dict(asked.figures), reason=asked.reason
    )


Comment = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=NO_NUL)]


class ReturnAsked(Asked):
    """What is wrong, and with whom; without a payroll number, with the whole run."""

    content_hash: ContentHash
    comment: Comment
    payroll_number: Text = ""


class CommentOut(Schema):
    """A comment with which the run was returned. state: `open` ones keep it from being approved."""

    id: UUID
    payroll_number: str
    text: str
    at: datetime
    by_user_id: UUID
    state: Literal["open", "answered", "changed"]
    answer: str | None


class AnswerAsked(Asked):
    """What there is to say to a comment."""

    words: Comment


@router.read("/pay-runs/{run_id}/comments", list[CommentOut], "The comments with which a run was returned")
def comments(client: Client, run_id: UUID) -> list[CommentOut]:
    """Every comment, oldest first, and how it was answered."""
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    return [
        CommentOut(
            id=c.id,
            payroll_number=c.payroll_number,
            text=c.text,
            at=c.at,
            by_user_id=c.by_user_id,
            state=c.state,
            answer=c.answer,
        )
        for c in returned.comments(run)
    ]


@router.command(
    "/pay-runs/{run_id}/return", reopening.RunReturned, "Return a pay run", permission="payroll.approve"
)
def return_pay_run(client: Client, run_id: UUID, asked: ReturnAsked) -> reopening.RunReturned:
    """Nobody approves it until your comment is answered, by a change or by words."""
    return reopening.return_pay_run(
        run_id, content_hash=asked.content_hash, comment=asked.comment, payroll_number=asked.payroll_number
    )


@router.command(
    "/pay-run-comments/{comment_id}/answer",
    reopening.CommentAnswered,
    "Answer a comment",
    permission="payroll.prepare",
)
def answer_comment(client: Client, comment_id: UUID, asked: AnswerAsked) -> reopening.CommentAnswered:
    """Once, by words; a change to what it is about answers it too."""
    return reopening.answer_comment(comment_id, words=asked.words)


class VariancePartOut(Schema):
    """What one changed input did to a payslip: by element, in minor units or minutes."""

    label: str
    words: str
    is_explained: bool
    moved: dict[str, int]


class VarianceOut(Schema):
    """A person's payslip beside their last: the parts add up to the change, element by element."""

    payroll_number: str
    name: str
    before_run: int | None
    is_in_run: bool
    net_pay_before_minor: int
    net_pay_minor: int
    words: str
    parts: list[VariancePartOut]


@router.read("/pay-runs/{run_id}/variance", Page[VarianceOut], "Why payslips differ from the last")
def variance(client: Client, run_id: UUID, page: Query[PageAsked]) -> Page[VarianceOut]:
    """Everybody, the largest change of net pay first, told by the inputs that made it. The read is logged."""
    refuse_masked("pay", "a change of pay")
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    part = explained.listed(run, page.cursor or "", rows=page.limit)
    people = [row.person_id for row in part.rows]
    told = {v.person_id: v for v in explained.explain_people(run, people, client.currency)}
    if people:
        log_read("pay_run", run.id, "changes of pay", len(people))
    items = [_variance(told[person], client.currency) for person in people]
    return Page(items=items, next=part.next or None)


def _variance(v: explained.PersonVariance, currency: str) -> VarianceOut:
    return VarianceOut(
        payroll_number=v.payroll_number,
        name=v.name,
        before_run=v.before_run,
        is_in_run=v.is_in_run,
        net_pay_before_minor=v.before.get("net_pay", 0),
        net_pay_minor=v.now.get("net_pay", 0),
        words=v.in_words("net_pay", currency),
        parts=[
            VariancePartOut(label=p.label, words=p.words, is_explained=p.is_explained, moved=dict(p.moved))
            for p in v.parts
        ],
    )


class DeadlinesAsked(Schema):
    """From one day to another, both inclusive."""

    first: Day
    last: Day


class DeadlineOut(Schema):
    """The last day on which something is in time. is_kept: null where what stands does not say."""

    day: date
    kind: str
    what: str
    is_kept: bool | None
    source: str


@router.read("/deadlines", list[DeadlineOut], "Deadlines from one day to another")
def deadlines_of(client: Client, asked: Query[DeadlinesAsked]) -> list[DeadlineOut]:
    """Approvals, payment files, pay dates, what the tax authority expects; of every room, by day."""
    return [
        DeadlineOut(
            day=d.day,
            kind=d.kind,
            what=d.what,
            is_kept=d.is_kept if d.is_tracked else None,
            source=d.source,
        )
        for d in deadlines.between(asked.first, asked.last)
    ]


class AccountLineOut(Schema):
    """A line of runs' entries with its account. wrong: why it cannot be posted there; empty where it can."""

    line: str
    label: str
    side: Literal["cost", "owed", "aside"]
    cost_centre: str
    account: str
    account_name: str
    is_default: bool
    wrong: str


class AccountMapOut(Schema):
    """Where runs of a payday are posted. version: 0 while the client has said nothing."""

    day: date
    version: int
    lines: list[AccountLineOut]


class AccountMapAsked(Schema):
    """Of which payday; today where it is left out."""

    day: Day | None = None


@router.read("/account-map", AccountMapOut, "Where runs are posted", permission="ledger.read")
def account_map_of(client: Client, asked: Query[AccountMapAsked]) -> AccountMapOut:
    """Every line and cost centre of the client's law, for a payday."""
    day = asked.day or timezone.now().date()
    known, rows = account_map.lines_on(day)
    lines = [
        AccountLineOut(
            line=r.code, label=r.label, side=r.side, cost_centre=r.cost_centre, account=r.account,
            account_name=r.account_name, is_default=r.is_default, wrong=r.wrong,
        )
        for r in rows
    ]  # fmt: skip
    return AccountMapOut(day=day, version=known.version, lines=lines)


class MappedIn(Asked):
    """A line goes to an account, for paydays from a day on. account: empty puts the law's own back."""

    line: Annotated[Name, StringConstraints(max_length=60)]
    account: Annotated[str, StringConstraints(max_length=20, pattern=NO_NUL)] = ""
    starts: Day
    cost_centre: Annotated[str, StringConstraints(max_length=40, pattern=NO_NUL)] = ""


class MapAccountsAsked(ReasonAsked):
    """One version of the map, at once."""

    lines: list[MappedIn]


@router.command(
    "/account-map", account_map.AccountsMapped, "Say where runs are posted", permission="ledger.prepare"
)
def map_accounts(client: Client, asked: MapAccountsAsked) -> account_map.AccountsMapped:
    """A further version of the map; runs that are released stay as they were posted."""
    rows = [account_map.Mapped(r.line, r.account, r.starts, r.cost_centre) for r in asked.lines]
    return account_map.map_accounts(rows, reason=asked.reason, source="api")


class JournalLineOut(Schema):
    """A line of a run's journal. amount_minor: debit positive."""

    account: str
    account_name: str
    line: str
    label: str
    cost_centre: str
    customer: str
    amount_minor: int


class RunJournalOut(Schema):
    """What a run posts. version: of the account map. is_posted: whether it is in the books."""

    run_id: UUID
    number: int
    pay_date: date
    currency: str
    version: int
    is_posted: bool
    lines: list[JournalLineOut]


@router.read(
    "/pay-runs/{run_id}/journal", RunJournalOut, "The journal of a pay run", permission="ledger.read"
)
def run_journal(client: Client, run_id: UUID) -> RunJournalOut:
    """By account, cost centre and customer; before the release, what it would post now."""
    refuse_masked("pay", "a journal of pay")
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    known, rows = journal.journal_of(run)
    lines = [
        JournalLineOut(
            account=r.account, account_name=r.account_name, line=r.line, label=r.label,
            cost_centre=r.cost_centre, customer=r.customer, amount_minor=r.amount,
        )
        for r in rows
    ]  # fmt: skip
    return RunJournalOut(
        run_id=run.id, number=run.number, pay_date=run.pay_date, currency=client.currency,
        version=known.version,
        is_posted=approvals.released("pay_run", run.id) is not None, lines=lines,
    )  # fmt: skip


class OwedFigureOut(Schema):
    """A figure of what is owed: an element of payslips, or what was said beside them."""

    code: str
    label: str
    part: str
    amount_minor: int
    is_element: bool


class OwedOut(Schema):
    """What an agency is owed for one of its periods. difference_minor: figures less open items: nought."""

    period: str
    year: str
    number: int
    starts: date
    ends: date
    due_on: date
    due_minor: int
    paid_minor: int
    left_minor: int
    difference_minor: int
    figures: list[OwedFigureOut]
    run_ids: list[UUID]
    item_ids: list[UUID]


class TieOut(Schema):
    """An agency's periods beside the control accounts that hold them."""

    accounts: list[str]
    ledger_minor: int
    left_minor: int
    beside_minor: int
    difference_minor: int
    ok: bool


class AgencyOwedOut(Schema):
    """An agency with every period in which something was paid, the latest first."""

    code: str
    name: str
    source: str
    currency: str
    periods: list[OwedOut]
    tie: TieOut


@router.read("/liabilities", list[AgencyOwedOut], "What is owed to each agency")
def liabilities_of(client: Client) -> list[AgencyOwedOut]:
    """By period: due, paid and left; and what ties it to the control accounts. The read is logged."""
    refuse_masked("pay", "what is owed of pay")
    log_read("pay_run", None, "liabilities")
    found = []
    for agency in account_map.country().postings.agencies:
        periods = liabilities.owed_to(agency)
        tie = liabilities.tie_of(agency, periods)
        found.append(
            AgencyOwedOut(
                code=agency.code,
                name=agency.name,
                source=agency.source,
                currency=client.currency,
                periods=[_owed(owed) for owed in periods],
                tie=TieOut(
                    accounts=list(tie.accounts),
                    ledger_minor=tie.ledger,
                    left_minor=tie.left,
                    beside_minor=tie.beside,
                    difference_minor=tie.difference,
                    ok=tie.ok,
                ),
            )
        )
    return found


def _owed(owed: liabilities.Owed) -> OwedOut:
    return OwedOut(
        period=owed.period.name,
        year=owed.period.year,
        number=owed.period.number,
        starts=owed.period.starts,
        ends=owed.period.ends,
        due_on=owed.period.due,
        due_minor=owed.due,
        paid_minor=owed.paid,
        left_minor=owed.left,
        difference_minor=owed.difference,
        figures=[
            OwedFigureOut(
                code=f.code, label=f.label, part=p.part.name, amount_minor=f.amount, is_element=f.is_element
            )
            for p in owed.parts
            for f in p.figures
        ],
        run_ids=[run.id for run in owed.runs],
        item_ids=[item.id for item in owed.items],
    )


class SlipFigureOut(Schema):
    """One payslip's part of a figure."""

    run: int
    payroll_number: str
    amount_minor: int


class OwedSlipsAsked(PageAsked):
    """Which figure: an element, of a period of an agency."""

    agency: Name
    year: Name
    number: Annotated[int, Field(ge=1, le=400)]
    element: Name


@router.read("/liabilities/payslips", Page[SlipFigureOut], "The payslips that a figure is of")
def owed_payslips(client: Client, asked: Query[OwedSlipsAsked]) -> Page[SlipFigureOut]:
    """By run and payroll number; their sum is the figure. The read is logged."""
    refuse_masked("pay", "what is owed of pay")
    owed = liabilities.owed_for(liabilities.agency_called(asked.agency), asked.year, asked.number)
    part = liabilities.slips_of(owed, asked.element, asked.cursor or "", rows=asked.limit)
    if part.rows:
        log_read("payslip", None, "what is owed", len(part.rows))
    items = [
        SlipFigureOut(run=r.run, payroll_number=r.payroll_number, amount_minor=r.amount) for r in part.rows
    ]
    return Page(items=items, next=part.next or None)


class LiabilityAsked(ReasonAsked):
    """What changes an agency's due of the period that the day is in."""

    agency: Name
    name: Name
    amount_minor: int
    day: Day


@router.command(
    "/liabilities", liabilities.LiabilitySaid, "Say what stands on no payslip",
    permission="ledger.prepare",
)  # fmt: skip
def say_liability(client: Client, asked: LiabilityAsked) -> liabilities.LiabilitySaid:
    """An allowance, a levy: posted at once, and an open item of the agency."""
    return liabilities.say_liability(
        asked.agency, asked.name, asked.amount_minor, day=asked.day, reason=asked.reason
    )


# --- a period's inputs ------------------------------------------------------------------------------------


class PeriodInputsOut(Schema):
    """A period's inputs. closes: the last day on which one is in time, null where all are until the release.
    let_in_because: why a lead let late ones in. late: items that came later and wait for the next period."""

    starts: date
    ends: date
    pay_date: date
    cut_off: date | None
    closes: date | None
    let_in_because: str
    state: Literal["open", "let in", "closed", "released"]
    people: int
    workbooks: int
    late: int


class LetInAsked(ReasonAsked):
    """until: the last day on which an input is in time."""

    until: Day


@router.read("/pay-schedules/{schedule}/periods/{pay_date}", PeriodInputsOut, "Inputs of a period")
def period_inputs(client: Client, schedule: Name, pay_date: Day) -> PeriodInputsOut:
    """Whether inputs of the period that is paid on the day are in time, and what came of workbooks."""
    row = schedules.find_schedule(schedule)
    period = schedules.paid_on(row, pay_date)
    found = cut_off.cut_off_of(row, period)
    return PeriodInputsOut(
        starts=period.starts,
        ends=period.ends,
        pay_date=period.paid,
        cut_off=found.day,
        closes=found.closes,
        let_in_because=found.moved.reason if found.moved else "",
        state=found.state_on(duties.today()),
        people=len(workbook_imports.of_period(row, period).people),
        workbooks=len(workbook_imports.workbooks_taken(row, period)),
        late=cut_off.items_too_late(row, period, found.closes),
    )


@router.read(
    "/pay-schedules/{schedule}/periods/{pay_date}/workbook",
    None,
    "The workbook of a period",
    media=XLSX,
)
def period_workbook(client: Client, schedule: Name, pay_date: Day) -> HttpResponse:
    """Filled in, it is previewed and taken as an import of the kind `workbook`. The read is logged."""
    name, content, people = workbook_imports.workbook_of(schedule, pay_date)
    log_read("pay_schedule", schedules.find_schedule(schedule).id, "workbook of inputs", people)
    return file_of(content, name, XLSX)


@router.command(
    "/pay-schedules/{schedule}/periods/{pay_date}/let-in",
    cut_off.CutOffLifted,
    "Let late inputs of a period in",
    permission="foundation.prepare",
)
def let_late_inputs_in(
    client: Client, schedule: Name, pay_date: Day, asked: LetInAsked
) -> cut_off.CutOffLifted:
    """Though the cut-off is over; a lead says so, and the reason stays."""
    return cut_off.let_late_inputs_in(schedule, pay_date, until=asked.until, reason=asked.reason)


# --- an approval handed over ------------------------------------------------------------------------------


class ApproverOut(Schema):
    """Somebody of the client's who may approve its runs."""

    id: UUID
    name: str


class HandoverOut(Schema):
    """Who approves instead of whom: a run, by its number, or whatever comes up on the days. taken_back: why
    it no longer holds, empty while it does."""

    id: UUID
    run: int | None
    giver: str
    taker: str
    starts: date
    ends: date
    reason: str
    taken_back: str


class HandOverAsked(ReasonAsked):
    """One run, or every run until a day."""

    to_user_id: UUID
    run_id: UUID | None = None
    until: Day | None = None


@router.read("/approvers", list[ApproverOut], "Who of the client may approve its runs")
def approvers(client: Client) -> list[ApproverOut]:
    """By name. To these an approver may hand their approval."""
    return [ApproverOut(id=one.id, name=one.name) for one in handing_over.approvers_of_client()]


@router.read("/approval-handovers", list[HandoverOut], "Approvals handed over, latest first")
def handovers(client: Client) -> list[HandoverOut]:
    """The latest hundred, those that were taken back among them."""
    return [
        HandoverOut(
            id=one.id, run=one.run, giver=one.giver, taker=one.taker, starts=one.starts, ends=one.ends,
            reason=one.reason, taken_back=one.taken_back,
        )
        for one in handing_over.handings()
    ]  # fmt: skip


@router.command(
    "/approval-handovers", handing_over.ApprovalHanded, "Hand an approval over", permission="payroll.approve"
)
def hand_over(client: Client, asked: HandOverAsked) -> handing_over.ApprovalHanded:
    """To a colleague of the client who may approve, and made no part of it."""
    return handing_over.hand_over(
        asked.to_user_id, run_id=asked.run_id, until=asked.until, reason=asked.reason
    )


@router.command(
    "/approval-handovers/{handover_id}/take-back",
    handing_over.HandoverEnded,
    "Take an approval back that was handed over",
    permission="payroll.approve",
)
def take_back_handover(client: Client, handover_id: UUID, asked: ReasonAsked) -> handing_over.HandoverEnded:
    """By whoever handed it over, or whoever has it."""
    return handing_over.take_back_handover(handover_id, reason=asked.reason)
