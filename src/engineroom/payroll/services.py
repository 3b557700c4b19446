"""Pay runs: opened, approved, released, given up. What comes between is in `attempts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from engineroom.foundation import numbering
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, reason_given
from engineroom.kernel.periods import week_ending
from engineroom.payroll.attempts import content_hash as hash_of_content
from engineroom.payroll.attempts import locked_run
from engineroom.payroll.blockers import blockers_of, blockers_of_unreleased
from engineroom.payroll.client_approval import refuse_without_client
from engineroom.payroll.handing_over import refuse_if_handed
from engineroom.payroll.inputs import STATED, Missing
from engineroom.payroll.jurisdictions import jurisdiction, period_in_words
from engineroom.payroll.models import (
    Attempt,
    PaidItem,
    PaidTimesheet,
    PayRun,
    PaySchedule,
    Payslip,
    ReversedPayslip,
)
from engineroom.payroll.schedules import find_schedule, paid_on, period_of_day


class PayRunNotReady(Conflict):
    """The run still has blockers; each names the person and what to do about it."""

    def __init__(self, run: PayRun, blockers: Sequence[Missing], step: str = "approved") -> None:
        self.blockers = tuple(blockers)
        lines = [f"  {b.payroll_number}: {b.problem}. {b.remedy}" for b in self.blockers[:50]]
        super().__init__("\n".join([f"{run} cannot be {step}: {len(blockers)} blockers", *lines]))


@dataclass(frozen=True)
class RunOpened:
    run_id: UUID
    number: int
    pay_date: date
    period_ends: date
    tax_year: str
    tax_period: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


KINDS = ("regular", "off_cycle", "bonus", "final", "correction", *STATED)
"""Regular pay is one run a period. The others pay the items that are for them, or state figures to date."""


@command("payroll.prepare")
def open_pay_run(pay_date: date, *, schedule: str = "", kind: str = "regular") -> RunOpened:
    """The regular run of a pay date: opened once, found again afterwards. Without a schedule it is the weekly
    run of timesheets, which pays the weeks that ended before (temps are paid a week in arrears).

    schedule: its code; then a regular run is of the period paid on that day. Any other kind is a run of its
    own each time: it lives beside the regular run of the same period and pays only the items for it; a final
    run also what is agreed with whoever has left by its payday, up to their last day.
    """
    client_id = current_scope().client_id
    if kind not in KINDS:
        raise EngineroomError(f"{kind!r} is not a kind of run; kinds are {', '.join(KINDS)}")
    if schedule:
        return _opened(_open_scheduled(find_schedule(schedule), pay_date, kind))
    if kind != "regular":
        raise EngineroomError(f"a {kind} run is one of a schedule: name it")
    run = PayRun.objects.filter(
        client_id=client_id, kind="regular", schedule=None, frequency="weekly", pay_date=pay_date
    ).first()
    if run is None:
        code = Client.objects.values_list("jurisdiction", flat=True).get(id=client_id)
        year, period = jurisdiction(code).year_of(pay_date), jurisdiction(code).period_of("weekly", pay_date)
        _refuse_out_of_order(client_id, pay_date, year.name, period)
        period_ends = week_ending(pay_date) - timedelta(days=7)
        run = PayRun.objects.create(
            client_id=client_id,
            pay_date=pay_date,
            period_starts=period_ends - timedelta(days=6),
            period_ends=period_ends,
            jurisdiction=code,
            tax_year=year.name,
            tax_period=period,
            number=numbering.take("pay-run"),
        )
    return _opened(run)


def _opened(run: PayRun) -> RunOpened:
    return RunOpened(run.id, run.number, run.pay_date, run.period_ends, run.tax_year, run.tax_period)


def _open_scheduled(schedule: PaySchedule, pay_date: date, kind: str) -> PayRun:
    """The run of a schedule that is paid on a day. Raises NoSuchPayday, Conflict."""
    law = jurisdiction(schedule.jurisdiction)
    if kind == "regular":
        period = paid_on(schedule, pay_date)
        runs = PayRun.objects.filter(client_id=schedule.client_id, kind="regular", schedule=schedule)
        if found := runs.filter(period_starts=period.starts).first():
            return found
        starts, ends, due, paid = period.starts, period.ends, period.due, period.paid
    else:
        within = period_of_day(schedule, pay_date)
        starts, ends, due = within.starts, within.ends, pay_date
        paid = law.banks.on_or_before(pay_date)
    _refuse_before_released(schedule, paid)
    return PayRun.objects.create(
        client_id=schedule.client_id,
        kind=kind,
        schedule=schedule,
        jurisdiction=law.code,
        frequency=schedule.frequency,
        pay_date=paid,
        due=due,
        period_starts=starts,
        period_ends=ends,
        tax_year=law.year_of(due).name,
        tax_period=law.period_of(schedule.frequency, due),
        number=numbering.take("pay-run"),
    )


def _refuse_before_released(schedule: PaySchedule, pay_date: date) -> None:
    released = Release.objects.filter(client_id=schedule.client_id, subject_kind="pay_run")
    runs = PayRun.objects.filter(client_id=schedule.client_id, schedule=schedule, pay_date__gt=pay_date)
    if later := runs.filter(id__in=released.values("subject_id")).order_by("pay_date").first():
        raise Conflict(f"{later} of {later.pay_date} is released; no run can be opened before it")


def _refuse_out_of_order(client_id: UUID, pay_date: date, year: str, period: int) -> None:
    """One regular run a tax week, and none before a released one: thresholds and figures to date would be
    wrong.
    """
    weekly = PayRun.objects.filter(
        client_id=client_id, kind="regular", schedule=None, frequency="weekly", tax_year=year
    )
    if same := weekly.filter(tax_period=period).first():
        raise Conflict(
            f"{same} of {same.pay_date} is the run of {period_in_words(same)}; "
            "late hours go into the next week's run"
        )
    released = Release.objects.filter(client_id=client_id, subject_kind="pay_run").values("subject_id")
    if later := weekly.filter(pay_date__gt=pay_date, id__in=released).order_by("pay_date").first():
        raise Conflict(f"{later} of {later.pay_date} is released; no run can be opened before it")


def find_run(run_id: UUID) -> PayRun:
    run = PayRun.objects.filter(client_id=current_scope().client_id, id=run_id).first()
    if run is None:
        raise NotFound(f"there is no pay run {run_id}")
    return run


@dataclass(frozen=True)
class Approved:
    run_id: UUID
    approval_id: UUID
    content_hash: str

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.approve")
def approve_pay_run(run_id: UUID, *, content_hash: str) -> Approved:
    """Approve the run exactly as calculated; void if a penny changes afterwards.

    content_hash: of what the approver looked at. Raises PayRunNotReady, ContentChanged, MakerIsNotChecker.
    """
    run = find_run(run_id)
    if run.published_id is None or run.content_hash is None:
        raise Conflict(f"{run} is not calculated yet")
    if bytes(run.content_hash).hex() != content_hash:
        raise approvals.ContentChanged(f"{run} was recalculated since you looked; look again")
    refuse_if_handed(run)
    if blockers := blockers_of(run):
        raise PayRunNotReady(run, blockers)
    approval = approvals.approve("pay_run", run.id, bytes(run.content_hash))
    return Approved(run.id, approval.id, content_hash)


@dataclass(frozen=True)
class RunAbandoned:
    run_id: UUID
    timesheets: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def abandon_pay_run(run_id: UUID, *, reason: str) -> RunAbandoned:
    """Give what a run that was never released took in back, to be paid by another: a mistyped pay date.

    An approval of it is voided. The run stays, without figures; the trail says why.
    """
    reason = reason_given(reason, 400)
    run = locked_run(run_id)
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released: what was issued is frozen; correct it in another run")
    approvals.void_if_changed("pay_run", run.id, b"", f"abandoned: {reason}")
    given_back, _ = PaidTimesheet.objects.filter(client_id=run.client_id, run=run).delete()
    PaidItem.objects.filter(client_id=run.client_id, run=run).delete()
    ReversedPayslip.objects.filter(client_id=run.client_id, run=run).delete()
    last = Attempt.objects.filter(client_id=run.client_id, run=run).order_by("-number").first()
    run.published, run.content_hash, run.given_up_through = None, None, last.number if last else 0
    run.save(update_fields=["published", "content_hash", "given_up_through"])
    return RunAbandoned(run.id, given_back)


@dataclass(frozen=True)
class RunReleased:
    """net: what is to be paid out, after what it takes back or replaces is set against it."""

    run_id: UUID
    batch_id: UUID | None
    payslips: int
    net: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.release")
def release_pay_run(run_id: UUID) -> RunReleased:
    """Release the approved run: it is frozen, its obligations are posted, and everybody's net pay is an open
    item.

    Compares the content as it stands now, bank accounts included, with what was approved.
    """
    from engineroom.payroll.posting import post_pay_run
    from engineroom.payroll.set_against import set_against

    run = locked_run(run_id)
    if run.published is None:
        raise Conflict(f"{run} is not calculated yet")
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released already")
    digest = hash_of_content(run, run.published)
    approval = approvals.standing("pay_run", run.id)
    if approval and bytes(approval.content_hash) == digest:
        if blockers := blockers_of_unreleased(run):
            raise PayRunNotReady(run, blockers, "released")
        refuse_without_client(run, digest)
    approvals.release("pay_run", run.id, digest)
    posted = post_pay_run(run)
    net = set_against(run) if run.corrects_id else posted.net
    return RunReleased(run.id, posted.batch_id, posted.payslips, net)


def expected_payees(run_id: UUID) -> dict[UUID, bytes | None]:
    """For settlement: the account, by fingerprint, on which each payee of a run was approved to be paid."""
    run = find_run(run_id)
    if run.published_id is None:
        return {}
    rows = Payslip.objects.filter(client_id=run.client_id, attempt_id=run.published_id)
    return {
        person: bytes(account) if account else None
        for person, account in rows.values_list("person_id", "payee_fingerprint")
    }
