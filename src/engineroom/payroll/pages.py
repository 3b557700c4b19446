"""Pay runs from open to paid, the payslips of a run, and one payslip whose every figure answers why.

What a step of a higher room does (drafting invoices, writing the payment file) is found by the name of its
command: this room knows neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db import connection
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from engineroom.foundation import kept
from engineroom.foundation.approvals import selectors as yeses
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Approval
from engineroom.foundation.commands import REGISTRY, keyed
from engineroom.foundation.jobs import shown
from engineroom.foundation.prepared import planned_anew, planned_once
from engineroom.foundation.vault.answers import IN_A_ZIP, file_answer, zip_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, NotFound, NotPermitted
from engineroom.kernel.periods import week_ending
from engineroom.payroll import (
    account_pages,
    attempts,
    back_pay_pages,
    batch_pages,
    claim_pages,
    client_approval_pages,
    cut_off,
    debt_pages,
    debts,
    handing_over,
    liability_pages,
    order_pages,
    orders,
    papers,
    preview_pages,
    reopening,
    returned,
    reversal,
    reversal_pages,
    review,
    run_head,
    schedule_pages,
    selectors,
    services,
    starters_pages,
    tax_details,
    tax_details_pages,
    variance_pages,
    why,
)
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.inputs import Missing, people_in
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction
from engineroom.payroll.models import AttemptChunk, PayRun
from engineroom.payroll.repaid import REPAID
from engineroom.people.models import Person
from engineroom.people.panels import register_panel
from engineroom.ui import listing
from engineroom.ui.charts import Bar, Chart, Item, bars_chart, waterfall_chart
from engineroom.ui.display import format_count, format_money
from engineroom.ui.fields import DayField
from engineroom.ui.kept import kept_part
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, address, filled_in, form_of, page
from engineroom.ui.parts import Event

app_name = "payroll"

NAVIGATION = [
    NavigationEntry("Pay runs", "payroll:runs", "payroll.read", key="r", order=230),
    NavigationEntry("Pay schedules", "payroll:schedules", "payroll.read", order=231, under="payroll:runs"),
    NavigationEntry("Items of pay", "payroll:items", "payroll.read", order=232, under="payroll:runs"),
    *order_pages.NAVIGATION,
    *debt_pages.NAVIGATION,
    *claim_pages.NAVIGATION,
    *back_pay_pages.NAVIGATION,
    *batch_pages.NAVIGATION,
    *account_pages.NAVIGATION,
    *liability_pages.NAVIGATION,
    *client_approval_pages.NAVIGATION,
]

PEOPLE_AT_ONCE = 2_000
"""More are calculated in the background: a request would take longer than anybody waits for a page."""

FRIDAY = 4
PARTS = {
    "pay_run": "the run",
    "bill_run": "its invoices",
    "import": "a file that it took in",
    "person": "its people and their terms",
    "assignment": "its assignments",
    "rate_card": "the rate cards of its assignments",
    "counterparty": "its customers",
    "order": "its orders",
    "hold": "a hold that ended",
}
"""Parts of a run that somebody may have made, as a person reads them."""

PAPER_SHOWS = ("pay", "identity", "bank")
"""Classes of data that a payslip on paper shows: whoever may not see all of them gets none."""


class OpenRun(forms.Form):
    """A run is opened for a pay date."""

    pay_date = DayField(label="Pay date", help_text="It pays the weeks that ended before it.")


# --- runs -------------------------------------------------------------------------------------------------


@page("payroll.read", reads="pay_run")
def runs(request: PageRequest, client: str) -> HttpResponse:
    """Runs, latest first, and what waits for the next."""
    found = selectors.runs(request.GET.get("at", ""))
    friday = _next_friday(timezone.now().date())
    while selectors.run_of(friday):
        friday += timedelta(days=7)
    through = week_ending(friday) - timedelta(days=7)
    context = {
        "rows": [_with_blockers(row) for row in found.rows],
        "pager": listing.onward(request, found),
        "waiting": selectors.timesheets_waiting(through),
        "through": through,
        "form": form_of(request, OpenRun(initial={"pay_date": friday}))
        if request.may("payroll.prepare")
        else None,
        "hides_pay": "pay" in request.masked,
    }
    return render(request, "payroll/runs.html", context)


def _next_friday(day: date) -> date:
    return day + timedelta(days=(FRIDAY - day.weekday()) % 7)


def _run(number: int) -> tuple[PayRun, selectors.RunRow]:
    @planned_once()
    def found() -> tuple[PayRun | None, selectors.RunRow | None]:
        return selectors.run_numbered(number), selectors.run_row(number)

    run, row = kept.of_client(("run_numbered", number), found) if number < 1 << 31 else (None, None)
    if run is None or row is None:
        raise NotFound(f"there is no pay run {number}")
    return run, row


def _with_blockers(row: selectors.RunRow) -> selectors.RunRow:
    """The row as its own page shows it: counting what has changed since its run was calculated."""
    if row.is_released or not row.is_calculated:
        return row
    return replace(
        row, blockers=kept.of_client(("kept back", row.id), lambda: review.as_it_stands(row)).blockers
    )


@page("payroll.read", reads="pay_run")
def run(request: PageRequest, client: str, number: int) -> HttpResponse:
    """One run: how far it is, what it comes to, what keeps it, how it differs, and its payslips."""
    found, row = _run(number)
    request.reading(found.id)
    assert request.client is not None
    currency = request.client.currency
    seen = kept.of_client(("run", found.id), lambda: _seen(found, row.is_released))
    change = seen.change
    row = row if row.is_released else replace(row, blockers=len(seen.blockers))
    signed = yeses.signatures("pay_run", found.id)
    mine = next((m for m in signed.makers if m.user_id == request.identity.id), None)
    figures = selectors.run_figures(found)
    inputs = cut_off.inputs_of_run(found)
    over = attempts.over_for_good(found)
    context: dict[str, Any] = {
        "run": found,
        "row": row,
        "over": over,
        "currency": currency,
        "hides_pay": "pay" in request.masked,
        "under_way": selectors.calculation_under_way(found) if row.is_calculating else None,
        "figures": figures,
        "blockers": seen.blockers,
        "blocked": run_head.blocked(found, seen.blockers),
        "comments": seen.comments,
        "oddities": seen.oddities,
        "before": seen.before,
        "variance": _variance(request, found, change) if change and "pay" not in request.masked else "",
        "hash": bytes(found.content_hash).hex() if found.content_hash else "",
        "makers": signed.makers,
        "i_made": mine,
        "my_parts": [PARTS.get(part, part.replace("_", " ")) for part in mine.parts] if mine else [],
        # Whoever could approve it now is not offered to become its maker by the way.
        "offers_calculation": request.may("payroll.prepare")
        and not over
        and (
            mine is not None
            or not row.is_calculated
            or bool(seen.blockers)
            or not request.may("payroll.approve")
        ),
        "asked_at": seen.asked_at,
        "inputs": inputs,
        "inputs_url": address("inputs_period", client, inputs.schedule, inputs.pay_date) if inputs else "",
        "handings": [one for one in handing_over.handings(found) if not one.taken_back],
        "i_approved": seen.approval is not None
        and request.identity.id in (seen.approval.user_id, seen.approval.on_behalf_id),
        # Asked anew: of a run with two approvals, the other one may be mine.
        "kept_from_releasing": row.is_approved
        and request.may("payroll.release")
        and bool(yeses.kept_from_releasing(request.identity.id, [found.client_id], [found.id])),
        "events": _events(found, row, signed),
        "items_url": address("openitems:items", client),
        "may_see_books": request.may("ledger.read"),
        **_may(request),
        **run_head.head(found, row, figures, change, signed, seen.approval, currency),
        **reversal_pages.corrections(request, found, is_released=row.is_released),
        "slips": _slips(request, found, seen.before),
    }
    context |= _papers(request, found, row, seen.papers, figures.payslips)
    return render(request, "payroll/run.html", context)


def _papers(
    request: PageRequest, run: PayRun, row: selectors.RunRow, there: int, payslips: int
) -> dict[str, Any]:
    """How many payslips are printed, whether more are just now, and where they are had."""
    offered = there if not request.masked & set(PAPER_SHOWS) else 0
    return {
        "papers": there,
        "printing": row.is_released and there < payslips and shown.is_queued(papers.JOB, "run_id", run.id),
        "zips": [
            (part + 1, part * IN_A_ZIP + 1, min((part + 1) * IN_A_ZIP, there))
            for part in range(-(-offered // IN_A_ZIP))
        ],
    }


@dataclass(frozen=True)
class Seen:
    """What a checker reads about everybody in a run: kept until a command changes the client.

    blockers, oddities: of a run that may still change. What is issued is looked at as it was issued.
    """

    before: PayRun | None
    change: review.Variance | None
    blockers: tuple[Missing, ...]
    oddities: tuple[review.Oddity, ...]
    comments: tuple[returned.Comment, ...]
    papers: int
    asked_at: datetime | None
    approval: Approval | None


def _seen(run: PayRun, is_released: bool) -> Seen:
    with planned_once():
        before = review.run_before(run)
        asked_at = selectors.approval_asked_at(run)
        approval = approvals.standing("pay_run", run.id)
    return Seen(
        before,
        review.variance(run, before),
        tuple(blockers_of(run)) if run.published_id and not is_released else (),
        () if is_released else tuple(review.oddities(run)),
        tuple(returned.comments(run)),
        _printed(run),
        asked_at,
        approval,
    )


def _may(request: PageRequest) -> dict[str, bool]:
    verbs = ("prepare", "approve", "release")
    return {f"may_{verb}": request.may(f"payroll.{verb}") for verb in verbs}


def _variance(request: PageRequest, found: PayRun, change: review.Variance) -> SafeString:
    """How the run differs from the last, in words and two pictures."""
    client = request.client
    assert client is not None

    def context() -> dict[str, Any]:
        words = review.in_words(change, client.currency)
        charts = _variance_charts(change, found, client.currency)
        return {"run": found, "client": client, "change_words": words, "charts": charts}

    return kept_part("payroll/run_variance.html", found.id, context)


def _slips(request: PageRequest, found: PayRun, before: PayRun | None) -> SafeString:
    """The payslips as asked for: searched, sorted, a page of them."""
    client, hides_pay = request.client, "pay" in request.masked
    assert client is not None
    text = request.GET.get("q", "").strip()[:100]
    by_change = request.GET.get("sort") == "change" and before is not None
    at = request.GET.get("at", "")

    def context() -> dict[str, Any]:
        with planned_anew():
            part = selectors.slips_listed(found, before, text=text, by_change=by_change, cursor=at)
        return {
            "run": found,
            "client": client,
            "currency": client.currency,
            "hides_pay": hides_pay,
            "before": before,
            "slips": part.rows,
            "pager": listing.onward(request, part),
            "text": text,
            "by_change": by_change,
            "sort_url": listing.address(request, sort="" if by_change else "change"),
        }

    # What anybody may type is asked each time; the first page of a run is what everybody opens.
    if set(request.GET) <= {"sort"}:
        return kept_part("payroll/slips.html", (found.id, by_change, hides_pay, request.path), context)
    return render_to_string("payroll/slips.html", context())


def _variance_charts(change: review.Variance, found: PayRun, currency: str) -> list[Chart]:
    """Gross from the last run to this one, and the other sums beside what they were."""
    before = f"Run {change.before.number}"
    walk = [
        Bar(before, change.gross_before, "total"),
        *(
            Bar(label, amount, "up") if amount > 0 else Bar(label, -amount, "down")
            for label, amount in change.parts()
        ),
        Bar(f"Run {found.number}", change.gross, "total"),
    ]
    sums = [
        Item(e.label, change.now_figures.totals[e.code], change.of(e.code))
        for e in jurisdiction(found.jurisdiction).elements
        if e.kind in ("deduction", "employer", "total") and change.now_figures.totals.get(e.code)
    ]
    return [
        waterfall_chart(walk, currency, title=f"Gross pay, from run {change.before.number} to this one"),
        bars_chart(sums, currency, title="Sums of this run", versus=before.lower()),
    ]


def _events(found: PayRun, row: selectors.RunRow, signed: yeses.Signatures) -> list[Event]:
    """How far the run is: what happened to it, and what is next."""
    events = [Event(found.opened_at, "Opened")]
    if found.published is not None:
        events.append(Event(found.published.at, f"Calculated, attempt {found.published.number}"))
    for yes in signed.approvals:
        what = "Approval, void since" if yes.void else "Approved"
        events.append(Event(yes.at, what, yes.by, yes.void or "", "void" if yes.void else "done"))
    if released := signed.released:
        events.append(Event(released.at, "Released: frozen, and posted to the books", released.by))
        if row.in_file:
            events.append(Event(None, "In the payment file"))
        events.append(_paid(row))
    return events


def _paid(row: selectors.RunRow) -> Event:
    if row.has_nothing_left:
        return Event(None, "Set against what was paid before: nothing is left to pay", kind="done")
    if row.is_cleared:
        return Event(None, "Paid: the bank statement proves it", kind="done")
    return Event(None, "Paid, once the bank statement proves it", kind="open")


@page("payroll.read")
def progress(request: PageRequest, client: str, number: int) -> HttpResponse:
    """How far a long calculation is; once it is over, the page is asked for anew."""
    found, _ = _run(number)
    under_way = selectors.calculation_under_way(found)
    response = render(request, "payroll/progress.html", {"run": found, "under_way": under_way})
    if under_way is None:
        response.headers["HX-Refresh"] = "true"
    return response


@page("payroll.read")
def printing(request: PageRequest, client: str, number: int) -> HttpResponse:
    """How far the printing of payslips is; once it is over, the page is asked for anew."""
    found, row = _run(number)
    payslips = selectors.run_figures(found).payslips
    context = {
        "run": found,
        "figures": {"payslips": payslips},
        **_papers(request, found, row, _printed(found), payslips),
    }
    response = render(request, "payroll/printing.html", context)
    if not context["printing"]:
        response.headers["HX-Refresh"] = "true"
    return response


PRINTED = """
SELECT count(*) FROM payroll_payslip s
JOIN foundation_vaultfile f ON f.client_id = s.client_id AND f.kind = %s AND f.subject_id = s.id
WHERE s.client_id = %s AND s.attempt_id = %s
"""


def _printed(run: PayRun) -> int:
    with connection.cursor() as cursor:
        cursor.execute(PRINTED, [papers.KIND, run.client_id, run.published_id])
        return int(cursor.fetchone()[0])


@page("payroll.read", reads="payslip")
def papers_of_run(request: PageRequest, client: str, number: int, part: int) -> HttpResponse:
    """The printed payslips of a run in one file, a part of a large run. Who may not see what they show gets
    none."""
    found, _ = _run(number)
    request.reading(found.id, papers_of_part=part)
    _require_papers(request)
    first = (part - 1) * IN_A_ZIP
    files = papers.payslip_files(found)[first : first + IN_A_ZIP] if part > 0 else []
    if not files:
        raise Http404
    return zip_answer(files, f"payslips-{found.pay_date}-run-{number}-{part}.zip")


# --- what is done with a run ------------------------------------------------------------------------------


@action("payroll.prepare")
def open_run(request: PageRequest, client: str) -> Done:
    """Open the run of a pay date and calculate it."""
    asked = filled_in(OpenRun(request.POST))
    with keyed(request.key):
        opened = services.open_pay_run(asked["pay_date"])
    return _calculated(request, client, opened.run_id, opened.number, opened.period_ends, opened.pay_date)


@action("payroll.prepare")
def open_scheduled(request: PageRequest, client: str) -> Done:
    """Open the run of a schedule's payday; regular pay is calculated at once, other kinds wait for items."""
    asked = filled_in(schedule_pages.run_form(request.POST))
    with keyed(request.key):
        opened = services.open_pay_run(asked["pay_date"], schedule=asked["schedule"], kind=asked["kind"])
    if asked["kind"] != "regular":
        to = reverse("payroll:items", args=[client])
        return Done(f"Run {opened.number} is open: add its items, then calculate it.", to)
    return _calculated(request, client, opened.run_id, opened.number, opened.period_ends, opened.pay_date)


@action("payroll.prepare")
def calculate(request: PageRequest, client: str, number: int) -> Done:
    """Calculate again: what waits is taken in, the same content keeps an approval, any other voids it."""
    found, _ = _run(number)
    return _calculated(request, client, found.id, number, found.period_ends, found.pay_date)


def _calculated(
    request: PageRequest, client: str, run_id: UUID, number: int, period_ends: date, pay_date: date
) -> Done:
    run = services.find_run(run_id)
    of_hours = run.schedule_id is None and run.kind == "regular"
    people = selectors.people_waiting(period_ends, run_id) if of_hours else len(people_in(run))
    long = people > PEOPLE_AT_ONCE
    to = reverse("payroll:run", args=[client, number])
    with keyed(request.key):
        plan = attempts.plan_calculation(run_id, in_background=long)
    if long:
        return Done(
            f"Run {number} is being calculated for {format_count(plan.people, 'person', 'people')}.", to
        )
    left = AttemptChunk.objects.filter(attempt_id=plan.attempt_id, done_at=None).order_by("chunk")
    for chunk in list(left.values_list("chunk", flat=True)):
        attempts.calculate_chunk(plan.attempt_id, chunk)
    with keyed(request.key):
        done = attempts.publish_attempt(plan.attempt_id)
        if of_hours:
            _draft_invoices(request, pay_date, period_ends)
    voided = " The approval it had is void." if done.approval_voided else ""
    kept = len(blockers_of(services.find_run(run_id)))
    blocked = f" {format_count(kept, 'blocker')} to solve." if kept else ""
    return Done(f"Run {number} is calculated: {format_count(done.payslips, 'payslip')}.{blocked}{voided}", to)


def _draft_invoices(request: PageRequest, pay_date: date, period_ends: date) -> None:
    """The bill run of the same weeks follows, as it does on the command line; an issued one stays."""
    found = REGISTRY.get("billing.prepare_bill_run")
    if found and request.may(found.permission):
        with suppress(Conflict):
            found.run(pay_date, period_ends)


@action("payroll.approve")
def approve(request: PageRequest, client: str, number: int) -> Done:
    """Exactly what was looked at: the form carries its hash."""
    found, row = _run(number)
    services.approve_pay_run(
        found.id,
        content_hash=request.POST.get("content_hash", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    follows = "The client approves it next." if row.client_must else "A second person releases it."
    return Done(
        f"Run {number} is approved as it stands. {follows}",
        to=reverse("payroll:run", args=[client, number]),
    )


@action("payroll.release")
def release(request: PageRequest, client: str, number: int) -> Done:
    """Freeze the run, post it, and write the payment file: one transaction, none makes sense alone."""
    found, _ = _run(number)
    assert request.client is not None
    with keyed(request.key):
        done = services.release_pay_run(found.id)
        file = None
        if done.net and (pay := REGISTRY.get("settlement.release_payments")):
            file = pay.run("pay_run", found.id, kind="net_pay", pay_date=found.pay_date)
    net = format_money(done.net, request.client.currency)
    written = f" Payment file {file.file_name} is written: submit it by {file.submit_by}." if file else ""
    return Done(
        f"Run {number} is released: {format_count(done.payslips, 'payslip')}, {net} net.{written}",
        to=reverse("payroll:run", args=[client, number]),
    )


@action("payroll.prepare")
def issue(request: PageRequest, client: str, number: int) -> Done:
    """Have the payslips of a released run typeset; those that are there stay as they are."""
    found, _ = _run(number)
    planned = papers.plan_printing(found.id, key=request.key)  # type: ignore[call-arg]
    are_printed = f"{format_count(planned.missing, 'payslip is', 'payslips are')} being printed."
    return Done(
        are_printed if planned.missing else "Every payslip of this run is printed already.",
        to=reverse("payroll:run", args=[client, number]),
    )


@action("payroll.prepare")
def abandon(request: PageRequest, client: str, number: int) -> Done:
    """Give the hours of a run back that was never released."""
    found, _ = _run(number)
    with keyed(request.key):
        done = services.abandon_pay_run(found.id, reason=request.POST.get("reason", ""))
    return Done(
        f"Run {number} is given up: {format_count(done.timesheets, 'timesheet')} wait for another run.",
        to=reverse("payroll:run", args=[client, number]),
    )


@action("payroll.prepare")
def reopen(request: PageRequest, client: str, number: int) -> Done:
    """Take the approvals of a run back that is not released, to change what it pays."""
    found, _ = _run(number)
    with keyed(request.key):
        reopening.reopen_pay_run(found.id, reason=request.POST.get("reason", ""))
    return Done(
        f"Run {number} is reopened: its approval no longer holds. Change what it pays, then calculate.",
        to=reverse("payroll:run", args=[client, number]),
    )


@action("payroll.approve")
def return_run(request: PageRequest, client: str, number: int) -> Done:
    """Say what is wrong with whom: the run waits until that is answered."""
    found, _ = _run(number)
    with keyed(request.key):
        reopening.return_pay_run(
            found.id,
            content_hash=request.POST.get("content_hash", ""),
            comment=request.POST.get("comment", ""),
            payroll_number=request.POST.get("payroll_number", ""),
        )
    return Done(
        f"Run {number} is returned with your comment.", to=reverse("payroll:run", args=[client, number])
    )


@action("payroll.prepare")
def answer(request: PageRequest, client: str, number: int, comment_id: UUID) -> Done:
    """Say what there is to say to a comment with which the run was returned."""
    with keyed(request.key):
        reopening.answer_comment(comment_id, words=request.POST.get("words", ""))
    return Done("The comment is answered.", to=reverse("payroll:run", args=[client, number]))


@action("payroll.approve")
def take_back(request: PageRequest, client: str, number: int) -> Done:
    """Take one's own yes back."""
    found, _ = _run(number)
    with keyed(request.key):
        reopening.take_back_approval(found.id, reason=request.POST.get("reason", ""))
    return Done(
        f"Your approval of run {number} no longer holds.", to=reverse("payroll:run", args=[client, number])
    )


# --- one payslip ------------------------------------------------------------------------------------------


@page("payroll.read", reads="payslip")
def payslip(request: PageRequest, client: str, number: int, payroll_number: str) -> HttpResponse:
    """A payslip as its person reads it, and why every figure is what it is."""
    found, row = _run(number)
    slip = selectors.payslip_of(found, payroll_number)
    if slip is None or found.published is None:
        raise NotFound(f"run {number} has no payslip for payroll number {payroll_number!r}")
    request.reading(slip.id)
    assert request.client is not None
    hidden = "pay" in request.masked
    law = jurisdiction(found.jurisdiction)
    answers = [] if hidden else why.of_payslip(slip.id)
    paper = VaultFile.objects.filter(client_id=found.client_id, kind=papers.KIND, subject_id=slip.id).first()
    context = {
        "run": found,
        "row": _with_blockers(row),
        "slip": slip,
        "run_word": f"Run {number}",
        "currency": request.client.currency,
        "hides_pay": hidden,
        "answers": answers,
        "rules": found.published.rules,
        "attempt": found.published,
        "earnings": papers.pay_lines(law, slip, selectors.paid_hours_of(found, slip.person_id)),
        "deductions": _deductions(law, found, slip, answers, request.client.currency),
        "employer": _figures(law, slip, "employer", answers),
        "accruals": _figures(law, slip, "accrual", answers),
        "more": _figures(law, slip, "figure", answers),
        "gross_why": why.anchor(law, "gross", answers),
        "net_why": why.anchor(law, "net_pay", answers),
        "to_date": _to_date(found, slip),
        "fates": reversal.fates_of(slip.id),
        "chart": None
        if hidden
        else waterfall_chart(
            why.gross_to_net(law, slip.figures), request.client.currency, title="From gross to net"
        ),
        "paper": paper,
        "may_see_paper": not request.masked & set(PAPER_SHOWS),
        "thread_url": address("thread", client, "payslip", slip.id),
        "person_url": address("people:person", client, slip.payroll_number),
    }
    return render(request, "payroll/payslip.html", context)


def _figures(
    law: Jurisdiction, slip: selectors.SlipView, kind: str, answers: Sequence[why.Answer]
) -> list[tuple[str, int, bool, str]]:
    """Label, figure, whether it is minutes, and where it is answered; those that are nought are left out."""
    return [
        (e.label, slip.figures[e.code], e.unit == "minutes", why.anchor(law, e.code, answers))
        for e in law.elements
        if e.kind == kind and slip.figures.get(e.code)
    ]


def _deductions(
    law: Jurisdiction,
    found: PayRun,
    slip: selectors.SlipView,
    answers: Sequence[why.Answer],
    currency: str,
) -> list[tuple[str, int, bool, str]]:
    """As the payslip itemises them: each attachment order and debt by itself."""
    taken = orders.taken_on(found.published_id, slip.person_id).get(slip.person_id, [])
    owed = debts.taken_on(found.published_id, slip.person_id).get(slip.person_id, [])
    codes = {e.label: e.code for e in law.elements}
    codes |= {papers.debt_label(one, currency): REPAID for one in owed}
    of_orders = law.orders.takes[0] if law.orders else ""
    return [
        (label, amount, False, why.anchor(law, codes.get(label, of_orders), answers))
        for label, amount in papers.deductions_of(law, slip, taken, owed, currency)
    ]


def _to_date(found: PayRun, slip: selectors.SlipView) -> list[tuple[str, int]]:
    """What was paid here in the tax year, this payslip included."""
    sums = selectors.year_to_date(found, slip.person_id)
    return [
        (e.label, sums[e.code])
        for e in jurisdiction(found.jurisdiction).elements
        if e.kind in ("total", "deduction", "employer") and sums.get(e.code)
    ]


@page("payroll.read", reads="payslip")
def paper(request: PageRequest, client: str, slip_id: UUID) -> HttpResponse:
    """The payslip as issued, proven against its hash. Who may not see what it shows gets none."""
    request.reading(slip_id, paper=True)
    _require_papers(request)
    assert request.client is not None
    file = VaultFile.objects.filter(client_id=request.client.id, kind=papers.KIND, subject_id=slip_id).first()
    if file is None:
        raise Http404
    return file_answer(file)


def _require_papers(request: PageRequest) -> None:
    if hidden := request.masked & set(PAPER_SHOWS):
        raise NotPermitted(
            f"a payslip shows {' and '.join(sorted(hidden))} data, which your role does not see"
        )


# --- on a person's page -----------------------------------------------------------------------------------


def _of_person(request: PageRequest, person: Person) -> SafeString | None:
    """How somebody is taxed, and their payslips."""
    if not request.may("payroll.read"):
        return None
    details = selectors.tax_details_of(person.counterparty_id)
    slips = selectors.slips_of_person(person.counterparty_id)
    standing = orders.pay_orders(timezone.now().date(), person.counterparty_id)
    owes = debts.debts(timezone.now().date(), person.counterparty_id)
    context = {
        "details": tax_details.listed(details),
        "slips": slips,
        "orders": standing,
        "debts": owes,
        "person": person,
        "client": request.client,
        "hides_pay": "pay" in request.masked,
    }
    return render_to_string("payroll/of_person.html", context)


register_panel(_of_person, order=30)

urlpatterns = [
    *starters_pages.urlpatterns,
    *tax_details_pages.urlpatterns,
    path("c/<str:client>/runs", runs, name="runs"),
    path("c/<str:client>/runs/open", open_run, name="open"),
    path("c/<str:client>/schedules", schedule_pages.schedules, name="schedules"),
    path("c/<str:client>/schedules/do/add", schedule_pages.add_schedule, name="schedule_add"),
    path("c/<str:client>/schedules/do/put", schedule_pages.put_on, name="schedule_put"),
    path("c/<str:client>/schedules/do/open", open_scheduled, name="schedule_open"),
    path("c/<str:client>/pay-items", schedule_pages.pay_items, name="items"),
    path("c/<str:client>/pay-items/do/add", schedule_pages.add_item, name="item_add"),
    path(
        "c/<str:client>/pay-items/<uuid:item_id>/withdraw", schedule_pages.withdraw_item, name="item_withdraw"
    ),
    path("c/<str:client>/recurring-pay/do/add", schedule_pages.add_recurring, name="recurring_add"),
    path(
        "c/<str:client>/recurring-pay/<uuid:recurring_id>/end",
        schedule_pages.end_recurring,
        name="recurring_end",
    ),
    path("c/<str:client>/runs/<int:number>", run, name="run"),
    path("c/<str:client>/runs/<int:number>/do/progress", progress, name="progress"),
    path("c/<str:client>/runs/<int:number>/do/calculate", calculate, name="calculate"),
    path("c/<str:client>/runs/<int:number>/do/approve", approve, name="approve"),
    path("c/<str:client>/runs/<int:number>/do/release", release, name="release"),
    path("c/<str:client>/runs/<int:number>/do/issue", issue, name="issue"),
    path("c/<str:client>/runs/<int:number>/do/abandon", abandon, name="abandon"),
    path("c/<str:client>/runs/<int:number>/do/printing", printing, name="printing"),
    path("c/<str:client>/runs/<int:number>/do/payslips-<int:part>.zip", papers_of_run, name="papers"),
    path("c/<str:client>/runs/<int:number>/do/reopen", reopen, name="reopen"),
    path("c/<str:client>/runs/<int:number>/do/take-back", take_back, name="take_back"),
    path("c/<str:client>/runs/<int:number>/do/return", return_run, name="return"),
    path("c/<str:client>/runs/<int:number>/do/answer/<uuid:comment_id>", answer, name="answer"),
    *variance_pages.urlpatterns,
    *preview_pages.urlpatterns,
    *order_pages.urlpatterns,
    *debt_pages.urlpatterns,
    *claim_pages.urlpatterns,
    *reversal_pages.urlpatterns,
    *back_pay_pages.urlpatterns,
    *batch_pages.urlpatterns,
    *account_pages.urlpatterns,
    *liability_pages.urlpatterns,
    *client_approval_pages.urlpatterns,
    path("c/<str:client>/runs/<int:number>/<path:payroll_number>", payslip, name="payslip"),
    path("c/<str:client>/payslips/<uuid:slip_id>.pdf", paper, name="paper"),
]
