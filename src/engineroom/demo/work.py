"""The firm's work as the demonstration leaves it: procedures published, promises made, and cases, each as far
as its people got.

Who does a step here is who does it in the firm. A second run finds every step done and does none again:
what somebody did meanwhile is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from django.utils import timezone

from engineroom.billing.models import Invoice
from engineroom.cli import days, show
from engineroom.cli.ground import identity, seal_everything
from engineroom.demo.cast import LEAVER, TEMP_BY_NUMBER
from engineroom.demo.sample import Firm, Sample
from engineroom.demo.week import WEEK_ENDS
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, Scope, acting, current_client_id
from engineroom.payday import steps
from engineroom.quality import services as quality
from engineroom.quality.models import Promise
from engineroom.sop import drafts, services
from engineroom.sop.models import Case, Task, Version
from engineroom.ui.display import format_count, format_day

ZONE = ZoneInfo("Europe/London")
HOUR_S = 3600

PROMISES = (
    ("pay_and_bill_week", "From hours to cleared bank lines: six working days", 51 * HOUR_S),
    ("month_end_close", "The month closed: ten working days", 85 * HOUR_S),
    ("", "Whatever else is asked of us: three working days", 51 * HOUR_S // 2),
)
"""What the client was promised: whose cases, in which words, working time at 8.5 hours a day."""


@dataclass(frozen=True)
class Desk:
    """A client's work and the people who do it, by the first part of their addresses."""

    firm: Firm
    client_id: UUID

    def who(self, name: str) -> Identity:
        return identity(self.firm.member(name).email)

    @contextmanager
    def acting(self, name: str) -> Iterator[Scope]:
        with acting(self.who(name), write=self.client_id) as scope:
            yield scope


def publish_the_ready_ones(firm: Firm) -> None:
    """Lena takes up every procedure that comes with Engineroom."""
    lena = identity(firm.member("lena").email)
    with acting(lena):
        house = Client.objects.get(is_house=True).id
        known = set(Version.objects.values_list("procedure__key", flat=True))
    for key, text in drafts.library().items():
        if key not in known:
            with acting(lena, write=house):
                drafts.publish(text, note="As it comes")
    count = format_count(len(drafts.library()), "procedure")
    typer.echo(f"  {count} published; promised to the client:")


def promise(desk: Desk) -> None:
    """Lena promises, before anything begins that is measured by it."""
    for key, name, budget_s in PROMISES:
        with desk.acting("lena"):
            if not Promise.objects.filter(client_id=desk.client_id, procedure_key=key).exists():
                quality.promise(name, budget_s, procedure_key=key)
        typer.echo(f"    {name}")


# --- one case -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """A case that its people go through. is_new: it was begun just now."""

    desk: Desk
    case_id: UUID
    number: int
    is_new: bool

    def run(self, name: str, step: str) -> bool:
        """Have somebody run a step's command, unless that is done. Says whether they did."""
        with self.open_task(name, step) as task:
            if task is not None:
                services.run_step(task.id)
        return task is not None

    def do(
        self,
        name: str,
        step: str,
        values: Mapping[str, str] | None = None,
        *,
        checks: int = 0,
        again: bool = False,
    ) -> bool:
        """Have somebody finish a step, or finish it again after it came back to them."""
        with self.open_task(name, step, reworks=int(again)) as task:
            if task is not None:
                services.complete(task.id, dict(values or {}), list(range(1, checks + 1)))
        return task is not None

    def accept(self, name: str, step: str) -> None:
        with self.open_task(name, step, state="check") as task:
            if task is not None:
                services.accept(task.id)

    def send_back(self, name: str, step: str, reason: str) -> None:
        with self.open_task(name, step, state="check", reworks=0) as task:
            if task is not None:
                services.reject(task.id, reason)

    @contextmanager
    def open_task(self, name: str, step: str, *, state: str = "open", **having: int) -> Iterator[Task | None]:
        with self.desk.acting(name):
            open_ones = Task.objects.filter(client_id=self.desk.client_id, case_id=self.case_id, step=step)
            yield open_ones.filter(state=state, **having).first()


def begin(desk: Desk, name: str, procedure: str, title: str, values: Mapping[str, str]) -> Work:
    """The case of that title, begun unless it stands."""
    with desk.acting(name):
        row = Case.objects.filter(
            client_id=current_client_id(), procedure_key=procedure, title=title, parent_task_id=None
        ).first()
        if row is not None:
            return Work(desk, row.id, row.number, is_new=False)
        done = services.start_case(procedure, title, dict(values))
    return Work(desk, done.case_id, done.number, is_new=True)


# --- the weeks ------------------------------------------------------------------------------------------


def _week(desk: Desk, pay_date: date) -> Work:
    title = f"Pay and bill, paid {format_day(pay_date)}"
    return begin(desk, "priya", "pay_and_bill_week", title, {"pay_date": pay_date.isoformat()})


def pay_the_week(desk: Desk, sample: Sample) -> None:
    """The sample's payday, as the case of a procedure: hours to invoices and a payment file, nobody twice."""
    week, pay_date = _week(desk, sample.pay_date), sample.pay_date
    _take_in(desk, week, list(sample.timesheets))
    if week.run("priya", "calculate"):
        _say(week, "Priya", "calculated the pay run and drafted the invoices")
        days.show_what_stands(desk.who("lena"), desk.client_id, pay_date)
    week.do("priya", "look_at_the_variances", {"unusual": UNUSUAL, "stands": "yes"}, checks=2)
    if week.run("lena", "approve"):
        _say(week, "Lena", "approved exactly this")
    if week.run("omar", "release"):
        _say(week, "Omar", "released it")
    if week.run("omar", "issue_the_invoices"):
        _say(week, "Omar", "let the invoices out")
    if week.run("priya", "make_the_papers"):
        _say(week, "Priya", "made the papers")
    _say_what_went_out(desk, pay_date)
    seal_everything()


UNUSUAL = "The first week paid here. Brightwell's order is used up: what is beyond it is paid and held."


def _take_in(desk: Desk, week: Work, files: list[Path]) -> None:
    for taken in steps.import_files(desk.who("priya"), desk.client_id, "timesheets", files).taken:
        counts = ", ".join(f"{n:,} {what}" for what, n in taken.counts.items())
        typer.echo(f"  {taken.file_name}: {counts if not taken.again else 'taken before'}")
    if week.do("priya", "take_in_the_hours", {"files": str(len(files)), "complete": "yes"}, checks=1):
        _say(week, "Priya", "took in the hours")


def _say(work: Work, who: str, did: str) -> None:
    typer.echo(f"  case {work.number}: {who} {did}")


def _say_what_went_out(desk: Desk, pay_date: date) -> None:
    with desk.acting("priya"):
        batch = steps.payday_of(pay_date).batch
        invoices = list(Invoice.objects.filter(issue_date=pay_date).order_by("number"))
        assert batch is not None
        payments = format_count(batch.count, "payment")
        typer.echo(
            f"  payment file {batch.reference}: {payments}, {show.money(batch.total)}; submit by "
            f"{batch.submit_by}, on accounts {batch.entry_day}"
        )
    total = show.money(sum(i.gross for i in invoices))
    typer.echo(
        f"  {format_count(len(invoices), 'invoice')}, {invoices[0].number} to {invoices[-1].number}: {total}"
    )


def clear_the_week(desk: Desk, sample: Sample, statement: Path) -> None:
    """Bea submits the file, Omar looks at the bank's receipt; she takes the statement in and clears it."""
    week = _week(desk, sample.pay_date)
    with desk.acting("bea"):
        batch = steps.payday_of(sample.pay_date).batch
        assert batch is not None
    submitted = {"submission": "Receipt 7Q41-0093", "submitted_on": batch.submit_by.isoformat()}
    week.do("bea", "submit_the_payment_file", submitted, checks=1)
    week.accept("omar", "submit_the_payment_file")
    week.run("bea", "record_the_submission")
    seen = days.cleared_lines(desk.who("bea"), desk.client_id)
    for taken in steps.import_files(desk.who("bea"), desk.client_id, "statement", [statement]).taken:
        typer.echo(f"  {taken.file_name}: {'taken before' if taken.again else 'taken in'}")
    if week.run("bea", "clear_the_bank"):
        _say(week, "Bea", "cleared the bank, and the case is done")
    days.print_cleared(desk.who("bea"), desk.client_id, seen)


def prepare_the_next_week(desk: Desk, sample: Sample, pay_date: date) -> None:
    """The following payday as Priya leaves it in the evening: for Lena to approve."""
    with desk.acting("priya"):
        if steps.is_approved(pay_date) or steps.payday_of(pay_date).run_released:
            return
    week = _week(desk, pay_date)
    _take_in(desk, week, [sample.next_timesheets])
    week.run("priya", "calculate")
    week.do("priya", "look_at_the_variances", {"unusual": NEXT_UNUSUAL, "stands": "yes"}, checks=2)
    if week.is_new:
        _say(week, "Priya", "calculated it and left it for Lena to approve")


NEXT_UNUSUAL = "Lee Musgrave left on 19 November and is not in it."


# --- what else goes on ----------------------------------------------------------------------------------


def other_work(desk: Desk, sample: Sample) -> None:
    """A leaver, whose last pay came back once; a paper that the client is asked for; a month being closed."""
    for work, stands in (
        (_leaver(desk), "a leaver, sent back once, and done"),
        (_paper(desk, sample), "asks the client for a paper"),
        (_month(desk), "closes the month; something of it is due today"),
    ):
        typer.echo(f"  case {work.number}: {stands}")


def _leaver(desk: Desk) -> Work:
    temp = TEMP_BY_NUMBER[LEAVER]
    assert temp.leaves is not None
    work = begin(
        desk,
        "priya",
        "joiner_mover_leaver",
        f"{temp.name} leaves Brightwell",
        {"person": temp.name, "change": "leaver", "from_day": temp.leaves.isoformat()},
    )
    work.do("lena", "agree_the_last_day", {"last_day": temp.leaves.isoformat(), "at_once": "no"})
    last_day = f"Last day {format_day(temp.leaves)} entered"
    work.do("priya", "change_the_payroll", {"payroll_change": last_day})
    work.send_back("lena", "change_the_payroll", "Which week is the last one paid? Please say so here.")
    last_week = f"{last_day}; the week that ends {format_day(WEEK_ENDS)} is the last one paid"
    work.do("priya", "change_the_payroll", {"payroll_change": last_week}, again=True)
    work.accept("lena", "change_the_payroll")
    no_access = "Had no sign-in here; nothing was left to end"
    work.do("lena", "change_the_access", {"grants": no_access}, checks=1)
    work.do("priya", "equipment", checks=1)
    work.do("lena", "confirm", checks=1)
    return work


def _paper(desk: Desk, sample: Sample) -> Work:
    order = sample.story.over_order_number
    return begin(
        desk,
        "priya",
        "document_request",
        f"Brightwell's larger order instead of {order}",
        {"what": f"Brightwell's order, raised: hours beyond {order} are paid and cannot be billed"},
    )


def _month(desk: Desk) -> Work:
    work = begin(
        desk,
        "bea",
        "month_end_close",
        "Close of November 2026",
        {"month_ends": "2026-11-30", "reason": "November is closed"},
    )
    if work.is_new:
        with work.open_task("bea", "bill_what_was_done") as task:
            if task is not None:
                services.claim(task.id)
                services.move_due(task.id, _later_today(), "Ivor Beck asked to see today what is held")
    return work


def _later_today() -> datetime:
    """The end of the office's day; late in the evening, the last minute; just before midnight, tomorrow's."""
    now = timezone.now().astimezone(ZONE)
    for moment in (time(17, 30), time(23, 59)):
        if (due := datetime.combine(now, moment, ZONE)) > now + timedelta(minutes=10):
            return due
    return datetime.combine(now + timedelta(days=1), time(17, 30), ZONE)
