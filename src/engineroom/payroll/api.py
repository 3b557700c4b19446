"""Pay runs and payslips for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Schema

from engineroom.foundation.api import (
    Asked,
    ContentAsked,
    Day,
    Name,
    Page,
    PageAsked,
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
from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound
from engineroom.payroll import (
    papers,
    preview,
    reopening,
    review,
    selectors,
    services,
)
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.inputs import Missing
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun, Payslip
from engineroom.payroll.state import Code

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
    regular is a run of its own each time, which pays the items that are for it, and a
    final one whoever has left as well."""

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
    blockers = blockers_of(run) if attempt else []
    standing = replace(selectors.run_rows([run.id])[run.id], blockers=len(blockers))
    return PayRunDetailOut(
        **_run(run, standing).dict(),
        currency=client.currency,
        payslips=Payslip.objects.filter(client_id=client.id, attempt=attempt).count() if attempt else 0,
        figures=[] if hides("pay") else _figures(run.jurisdiction, selectors.run_figures(run).totals),
        blockers=_blockers(blockers),
        approved_by=approval.user_id if approval else None,
        released_by=released.user_id if released else None,
        engine_version=attempt.engine_version if attempt else None,
        rules_hash=attempt.rules_hash if attempt else None,
    )


class PreviewedSlipOut(Schema):
    """A payslip as it would be. net_before_minor: in the last comparable run; null for who was not in it.
    Amounts are absent where the role does not see pay."""

    person_id: UUID
    payroll_number: str
    name: str
    tax_code: str
    net_before_minor: int | None
    figures: list[FigureOut]


class RunWarningOut(Schema):
    """What an approver would look at. people: payroll numbers."""

    kind: str
    what: str
    look: str
    people: list[str]


class GrossChangeOut(Schema):
    """A part of the change of gross pay."""

    label: str
    amount_minor: int


class RunPreviewOut(Schema):
    """A run as it would be if it were calculated now. number: null where it is not open yet.
    is_as_calculated: it was calculated before, and would come to the same. before: the last comparable run;
    variance: gross pay against it, in words and in parts that add up to the change."""

    number: int | None
    pay_date: date
    period_starts: date
    period_ends: date
    currency: str
    is_as_calculated: bool
    payslips: int
    figures: list[FigureOut]
    before: int | None
    variance: str
    variance_parts: list[GrossChangeOut]
    left: list[str]
    blockers: list[BlockerOut]
    warnings: list[RunWarningOut]
    people: list[PreviewedSlipOut]


@router.read(
    "/pay-runs/{run_id}/preview",
    RunPreviewOut,
    "A pay run as it would be if it were calculated now",
    permission="payroll.prepare",
    tries=True,
)
def preview_pay_run(client: Client, run_id: UUID) -> RunPreviewOut:
    """Figures, variance, blockers and warnings, for up to 2,000 people; nothing of it is kept. The read is
    logged."""
    run = one(PayRun.objects.all(), "pay run", run_id)
    return _previewed(client, preview.preview_run(run, at_most=preview.MOST_AT_ONCE))


class PaydayPreviewAsked(Schema):
    """The regular run of a payday. schedule: its code; without one, the weekly run of timesheets."""

    pay_date: Day
    schedule: Text = ""


@router.read(
    "/pay-run-preview",
    RunPreviewOut,
    "The run of a payday as it would be, opened or not",
    permission="payroll.prepare",
    tries=True,
)
def preview_payday(client: Client, asked: Query[PaydayPreviewAsked]) -> RunPreviewOut:
    """As the preview of a run; one that is not open is opened for it, and that is taken back too."""
    would = preview.preview_payday(asked.pay_date, schedule=asked.schedule, at_most=preview.MOST_AT_ONCE)
    return _previewed(client, would)


def _previewed(client: Client, would: preview.Preview) -> RunPreviewOut:
    log_read("pay_run", would.run.id if would.is_open else None, "preview", len(would.slips))
    run, hidden = would.run, hides("pay")
    change = None if hidden else would.change
    return RunPreviewOut(
        number=run.number if would.is_open else None,
        pay_date=run.pay_date,
        period_starts=run.period_starts,
        period_ends=run.period_ends,
        currency=client.currency,
        is_as_calculated=would.is_as_calculated,
        payslips=would.figures.payslips,
        figures=[] if hidden else _figures(run.jurisdiction, would.figures.totals),
        before=would.before.number if would.before else None,
        variance=review.in_words(change, client.currency) if change else "",
        variance_parts=[
            GrossChangeOut(label=label, amount_minor=amount)
            for label, amount in (change.parts() if change else ())
        ],
        left=[number for number, _, _ in would.left],
        blockers=_blockers(would.blockers),
        warnings=[
            RunWarningOut(
                kind=odd.kind, what=odd.what, look=odd.look, people=[number for number, _ in odd.people]
            )
            for odd in would.oddities
        ],
        people=[
            PreviewedSlipOut(
                person_id=slip.person_id,
                payroll_number=slip.payroll_number,
                name=slip.name,
                tax_code=slip.tax_code,
                net_before_minor=None if hidden else slip.net_before,
                figures=[] if hidden else _figures(run.jurisdiction, slip.figures),
            )
            for slip in would.slips
        ],
    )


def _blockers(found: Sequence[Missing]) -> list[BlockerOut]:
    return [
        BlockerOut(payroll_number=b.payroll_number, field=b.field, problem=b.problem, remedy=b.remedy)
        for b in found
    ]


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
