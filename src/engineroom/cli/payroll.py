"""`engineroom payroll`: a run from open to calculated, looking at it, corrections, proof of the engine."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from engineroom.cli.arguments import Client, Reason, Run
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import EngineroomError, NotFound

app = typer.Typer(
    no_args_is_help=True,
    help="Pay runs. One person opens and calculates a run (`open`, `calculate`), looks at it (`variance`), "
    "another approves it, a third releases it (`approve`, `release`); `runs` says what each waits for. Temps "
    "of a pay date, with their invoices, go by `engineroom payday`.",
)

GIVEN = "What a run is given"
RUN = "A run, step by step"
LOOK = "Looking at runs"
RIGHT = "Putting it right"
BOOKS = "Books and agencies"
PROOF = "Proof of the engine"
"""Under which heading `--help` lists a command."""


@app.command(rich_help_panel=PROOF)
def verify(
    file: Annotated[
        Path,
        typer.Argument(help="a CSV of cases: id, jurisdiction, year, frequency, kind, inputs, expected, ..."),
    ],
    kind: Annotated[list[str] | None, typer.Option(help="only this kind; may be given several times")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="what is not supported counts as failed")] = False,
) -> None:
    """Run published cases through the engine: one line per kind, every failure with both numbers."""
    from engineroom.payroll.engine.verify import verify_file

    report = verify_file(file, kind or None)
    for line in report.lines():
        typer.echo(line)
    if report.failed or (strict and report.not_supported) or (not report.passed and not report.not_supported):
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
@on_the_ground
def explain(
    reference: Annotated[str, typer.Argument(help="RUN/PAYROLLNUMBER, as printed on the payslip")],
    client: Annotated[str | None, typer.Option(help="look at this client only")] = None,
) -> None:
    """How a payslip was calculated, line by line, with rule, version and source."""
    from engineroom.foundation import thread
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import selectors

    user = identity()
    with acting(user):
        clients = [c for c in my_clients() if client is None or c.code.lower() == client.lower()]
    blocked = ""
    for row in clients:
        with acting(user, write=row.id):
            found = thread.FIND["payslip"](reference)
            if found:
                audit.record(
                    "read", subject_kind="payslip", subject_id=found[0], detail={"purpose": "explain"}
                )
                for line in selectors.explanation(found[0]):
                    typer.echo(line)
                break
            blocked = blocked or _blocked(reference)
    else:
        raise NotFound(
            blocked or f"there is no payslip {reference!r} that you may see; write RUN/PAYROLLNUMBER"
        )
    seal_everything()


def _blocked(reference: str) -> str:
    """Why RUN/PAYROLLNUMBER has no payslip, where the run was calculated without it."""
    from engineroom.foundation.tenancy.scope import current_scope
    from engineroom.payroll import selectors
    from engineroom.payroll.blockers import why_without_payslip

    number, _, person = reference.partition("/")
    if not (number.isdecimal() and len(number) < 10 and current_scope().may("payroll.read")):
        return ""
    run = selectors.run_numbered(int(number))
    found = why_without_payslip(run, person) if run else None
    return f"{person} is blocked in run {number}: {found.problem}. {found.remedy}" if found else ""


@app.command(rich_help_panel=PROOF)
@on_the_ground
def recheck(
    client: Client,
    run: Run,
) -> None:
    """Calculate an old run again from its kept inputs: the same pennies, or which version differs."""
    from engineroom.payroll import selectors

    with reading(client) as row:
        pay_run = selectors.run_numbered(run)
        if pay_run is None or pay_run.published_id is None:
            raise NotFound(f"{row.code} has no calculated pay run {run}")
        result = selectors.recheck(pay_run)
    if result.ok:
        typer.echo(f"{result.payslips} payslips: the same pennies")
        return
    blame = []
    if not result.same_rules:
        blame.append(f"rules were {result.rules_then[:16]}, are {result.rules_now[:16]}")
    if result.engine_then != result.engine_now:
        blame.append(f"engine was {result.engine_then}, is {result.engine_now}")
    raise EngineroomError(
        f"{result.different} of {result.payslips} payslips differ: "
        f"{'; '.join(blame) or 'same rules and engine: a defect'}"
    )


@app.command(rich_help_panel=LOOK)
@on_the_ground
def runs(client: Client) -> None:
    """Pay runs, latest first: how far each is, what is to be done next, and by whom."""
    from engineroom.cli import show
    from engineroom.payroll import review, selectors
    from engineroom.ui.display import format_day

    with reading(client):
        rows = [review.as_it_stands(row) for row in selectors.runs().rows]
    if not rows:
        typer.echo("no pay run yet: bring a week's timesheets in, then calculate the run of its pay date")
        return
    show.table(
        "Pay runs",
        ("run", "what", "paid", "people", "state", "next", "by"),
        [
            (
                str(row.number),
                row.kind_words,
                format_day(row.pay_date),
                str(row.people),
                row.state.word,
                row.state.next,
                row.state.by,
            )
            for row in rows
        ],
    )


@app.command(rich_help_panel=RUN)
@on_the_ground
def batch(
    action: Annotated[str, typer.Argument(help="calculate, ask or release")],
    pay_date: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="whose runs")],
    client: Annotated[list[str] | None, typer.Option(help="only these clients; else all of yours")] = None,
) -> None:
    """One action over all your clients, one after the other; one that fails stops none of the others."""
    from engineroom.cli import show
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.ids import uuid7
    from engineroom.payroll import batch as batches

    kind = batches.KINDS.get(action)
    if kind is None:
        raise NotFound(f"there is no action {action!r}; write {', '.join(batches.KINDS)}")
    user, batch_id = identity(), uuid7()
    only = {code.lower() for code in client or []}
    with acting(user):
        rows = {c.id: c for c in my_clients() if not only or c.code.lower() in only}
    with acting(user, read=list(rows)) as scope:
        chosen = [c for c in rows if scope.may(kind.permission, c)]
    for client_id in chosen:
        batches.run_part(batch_id, client_id, action, pay_date.date(), user)
    with acting(user, read=chosen):
        found = batches.parts(batch_id)
    told = [(rows[one.client_id].code, one.outcome, one.words) for one in found]
    show.table(f"{kind.label}, {len(found)} clients", ("client", "result", "what happened"), sorted(told))
    seal_everything()
    if any(one.outcome == "failed" for one in found):
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
@on_the_ground
def deadlines(
    month: Annotated[str, typer.Option(help="as 2026-11")],
    client: Annotated[str | None, typer.Option(help="this client only")] = None,
) -> None:
    """Every deadline of a month over all your clients: approvals, payment files, pay dates, and HMRC's."""
    from calendar import monthrange

    from engineroom.cli import show
    from engineroom.foundation import deadlines as registered
    from engineroom.foundation import duties
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.ui.display import format_weekday

    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise NotFound(f"{month!r} is not a month; write it as 2026-11") from None
    user = identity()
    with acting(user):
        rows = {c.id: c for c in my_clients() if client is None or c.code.lower() == client.lower()}
    with acting(user, read=list(rows)):
        found = registered.between(first, first.replace(day=monthrange(first.year, first.month)[1]))
    today = duties.today()
    told = [(format_weekday(d.day), rows[d.client_id].code, d.kind, d.what, d.state_on(today)) for d in found]
    show.table(f"Deadlines of {month}", ("day", "client", "kind", "what", "state"), told)


@app.command(rich_help_panel=RIGHT)
@on_the_ground
def reopen(
    client: Client,
    run: Run,
    reason: Reason,
    mine: Annotated[bool, typer.Option("--mine", help="take back your own approval only")] = False,
) -> None:
    """Take the approval of an unreleased run back, to change what it pays; the reason stays in the trail."""
    from engineroom.payroll import reopening, selectors

    with writing(client):
        pay_run = selectors.named_run(run)
        take = reopening.take_back_approval if mine else reopening.reopen_pay_run
        done = take(pay_run.id, reason=reason)
    typer.echo(f"pay run {run} is reopened; {done.approvals} approvals no longer hold")
    typer.echo(f"next: change what it pays, then engineroom payroll calculate {client} {run}")


@app.command(rich_help_panel=LOOK)
@on_the_ground
def variance(
    client: Client,
    run: Run,
    person: Annotated[str | None, typer.Option(help="payroll number: every element of one person")] = None,
) -> None:
    """Why payslips differ from the last, by the inputs that changed; the largest change of net pay first."""
    from engineroom.cli import show
    from engineroom.foundation.audit import services as audit
    from engineroom.payroll import explained, selectors

    with writing(client) as row:
        pay_run = selectors.named_run(run)
        audit.record("read", subject_kind="pay_run", subject_id=pay_run.id, detail={"purpose": "variance"})
        if person is not None:
            one = explained.person_variance(pay_run, person, row.currency)
            elements = explained.element_rows(pay_run, one, row.currency)
        else:
            people = [listed.person_id for listed in explained.listed(pay_run).rows]
            told = {v.person_id: v for v in explained.explain_people(pay_run, people, row.currency)}
    if person is not None:
        rows = [
            (e.label, e.change if e.is_minutes else show.money(e.change, row.currency), e.words)
            for e in elements
        ]
        show.table(
            f"{one.name}, run {run} beside run {one.before_run or '-'}",
            ("element", "change", "because"),
            rows,
        )
    else:
        found = [
            (
                v.payroll_number,
                v.name,
                show.money(v.change("net_pay"), row.currency),
                v.in_words("net_pay", row.currency),
            )
            for v in (told[p] for p in people)
        ]
        show.table(f"Net pay, run {run} beside the last", ("number", "name", "change", "because"), found)


@app.command(rich_help_panel=RUN)
@on_the_ground
def preview(
    client: Client,
    run: Annotated[int | None, typer.Argument(help="the run's number; or say its payday")] = None,
    pay_date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="of a regular run, opened or not")
    ] = None,
    schedule: Annotated[str, typer.Option(help="a pay schedule's code; else the weekly run of hours")] = "",
) -> None:
    """What a run would come to if it were calculated now; nothing of it is kept."""
    from engineroom.cli import show
    from engineroom.foundation.api import hides
    from engineroom.foundation.audit import services as audit
    from engineroom.payroll import preview as previews
    from engineroom.payroll import review, selectors

    if (run is None) == (pay_date is None):
        raise EngineroomError("say which run: its number, or --pay-date and the schedule it is of")
    with writing(client) as row:
        if pay_date is not None:
            would = previews.preview_payday(pay_date.date(), schedule=schedule)
        else:
            would = previews.preview_run(selectors.named_run(run or 0))
        hidden = hides("pay")
        read = would.run.id if would.is_open else None
        audit.record("read", subject_kind="pay_run", subject_id=read, detail={"purpose": "preview"})

    def money(amount: int | None) -> str:
        return "••••" if hidden else show.money(amount, row.currency)

    headings = ["number", "name", "gross", "net"]
    people = [[slip.payroll_number, slip.name, money(slip.gross), money(slip.net)] for slip in would.slips]
    if would.before:
        headings.append(f"on run {would.before.number}")
        people = [[*cells, money(slip.change)] for cells, slip in zip(people, would.slips, strict=True)]
    of = f"run {would.run.number}" if would.is_open else f"the run of {would.run.pay_date}"
    show.table(f"Preview of {of}", headings, people, right=[2, 3, 4])
    if not would.is_open:
        typer.echo("this run is not open yet")
    for number, name, _ in would.left:
        typer.echo(f"in the last run and not in this one: {number} {name}")
    for one in would.blockers:
        typer.echo(f"it would be kept by {one.payroll_number}: {one.problem}. {one.remedy}")
    for odd in would.oddities:
        typer.echo(f"look at: {odd.what} ({', '.join(number for number, _ in odd.people[:20])}). {odd.look}")
    total = {name: money(would.figures.totals.get(name, 0)) for name in ("gross", "net_pay")}
    typer.echo(f"{would.figures.payslips} payslips, gross {total['gross']}, net {total['net_pay']}")
    if would.change and not hidden:
        typer.echo(review.in_words(would.change, row.currency))
    typer.echo("nothing of this is kept" + ("; it is as calculated" if would.is_as_calculated else ""))


@app.command(rich_help_panel=RUN)
@on_the_ground
def returned(
    client: Client,
    run: Run,
    answer: Annotated[
        int | None, typer.Option(help="which comment you answer, by its place in the list")
    ] = None,
    words: Annotated[str, typer.Option(help="what there is to say to it")] = "",
) -> None:
    """The comments with which a run was returned, and their answers; or answer one."""
    from engineroom.cli import show
    from engineroom.payroll import reopening, selectors
    from engineroom.payroll import returned as comments

    with writing(client):
        pay_run = selectors.named_run(run)
        found = comments.comments(pay_run)
        if answer is not None:
            if not 1 <= answer <= len(found):
                raise NotFound(f"run {run} has no comment {answer}; it has {len(found)}")
            reopening.answer_comment(found[answer - 1].id, words=words)
            found = comments.comments(pay_run)
    rows = [(n, c.about, c.text, c.state, c.answer or "") for n, c in enumerate(found, 1)]
    show.table(f"Comments on pay run {run}", ("", "about", "comment", "state", "answer"), rows)


@app.command(rich_help_panel=RIGHT)
@on_the_ground
def abandon(
    client: Client,
    run: Run,
    reason: Reason,
) -> None:
    """Give up an unreleased run: what it took in is paid by another, or by it when it is calculated anew."""
    from engineroom.payroll import selectors, services

    with writing(client):
        pay_run = selectors.named_run(run)
        done = services.abandon_pay_run(pay_run.id, reason=reason)
    typer.echo(f"pay run {run} is abandoned; {done.timesheets} timesheets wait for another run")


@app.command(rich_help_panel=RIGHT)
@on_the_ground
def reverse(
    client: Client,
    run: Annotated[int, typer.Argument(help="the released run's number")],
    reason: Annotated[str, typer.Option(help="why; it stands beside every payslip")],
    person: Annotated[
        list[str] | None, typer.Option(help="payroll number; else everybody in the run")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="open a run as well that pays anew")] = False,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day of both")] = None,
) -> None:
    """Open a run that takes payslips back; `payroll calculate` both, then others approve and release them."""
    from engineroom.payroll import reversal, selectors

    with writing(client):
        done = reversal.reverse_payslips(
            selectors.named_run(run).id,
            reason=reason,
            payroll_numbers=tuple(person or ()),
            replace=replace,
            pay_date=on.date() if on else None,
        )
    typer.echo(f"pay run {done.number} takes {done.payslips} payslips of run {run} back, on {done.pay_date}")
    if done.replacement:
        typer.echo(f"pay run {done.replacement} pays anew: look at its items before you calculate it")


@app.command("back-pay", rich_help_panel=RIGHT)
@on_the_ground
def back_pay(
    client: Client,
    schedule: Annotated[str, typer.Option(help="a pay schedule's code; else the weekly runs of hours")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="periods that end then or later")
    ] = None,
    person: Annotated[list[str] | None, typer.Option(help="payroll number; else everybody")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="have it paid by the next run")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    content: Annotated[str | None, typer.Option(help="the content you looked at")] = None,
) -> None:
    """What released periods would pay as everything is known now, beside what they paid; or accept it."""
    from engineroom.cli import consent, show
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import retro

    consent.require_content(yes=yes, content=content)
    user = identity()
    row = client_named(user, client)
    asked = {"since": since.date() if since else None, "payroll_numbers": tuple(person or ())}
    with acting(user, write=row.id):
        found = retro.back_pay(schedule, **asked)  # type: ignore[arg-type]
        audit.record("read", subject_kind="pay_item", subject_id=None, detail={"purpose": "back pay"})
    for run, one in found.problems:
        typer.echo(f"left out of run {run.number}: {one.payroll_number}: {one.problem}. {one.remedy}")
    if not found.differences:
        typer.echo("nothing is due: every released period paid what is known now")
        return
    amounts = [
        (
            d.payroll_number,
            d.name,
            f"{d.starts} to {d.ends}",
            d.label,
            *(show.money(minor, row.currency) for minor in (d.paid, d.due, d.amount)),
        )
        for d in found.differences
    ]
    headings = ("number", "name", "period", "element", "paid", "due", "difference")
    show.table(f"Back pay, content {consent.short(found.content_hash)}", headings, amounts, right=[4, 5, 6])
    if accept:
        consent.agree("Have it paid by the next run?", [found.content_hash], yes=yes, content=content)
        with acting(user, write=row.id):
            done = retro.accept_back_pay(schedule, content_hash=found.content_hash, **asked)  # type: ignore[arg-type]
        typer.echo(f"{done.items} items of {done.people} people wait for the next run")
    seal_everything()


@app.command("open", rich_help_panel=RUN)
@on_the_ground
def open_run(
    client: Client,
    schedule: Annotated[str, typer.Argument(help="the pay schedule's code")],
    pay_date: Annotated[datetime, typer.Argument()],
    kind: Annotated[str, typer.Option(help="regular, off_cycle, bonus, final, correction, ...")] = "regular",
) -> None:
    """Open the run of a schedule's payday; `engineroom payroll calculate` pays it."""
    from engineroom.payroll import services

    with writing(client):
        done = services.open_pay_run(pay_date.date(), schedule=schedule, kind=kind)
    typer.echo(
        f"pay run {done.number} is open: paid {done.pay_date}, period {done.tax_period} of {done.tax_year}\n"
        f"next: engineroom payroll calculate {client} {done.number}"
    )


@app.command(rich_help_panel=RUN)
@on_the_ground
def calculate(
    client: Client,
    run: Run,
) -> None:
    """Take in what waits for a run, calculate it and publish; blockers are named."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payday import steps
    from engineroom.payroll import selectors, services
    from engineroom.payroll.blockers import blockers_of

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
        found = selectors.named_run(run)
    done = steps.calculate_run(user, row.id, found.id)
    with acting(user, write=row.id):
        blockers = blockers_of(services.find_run(found.id))
    typer.echo(f"pay run {run} is calculated: {done.payslips} payslips, {len(blockers)} blockers")
    for blocker in blockers:
        typer.echo(f"  {blocker.payroll_number}: {blocker.problem}. {blocker.remedy}")
    ready = f"look at it with `engineroom payroll variance {client} {run}`; another person approves it"
    typer.echo(f"next: {'solve what keeps it, then calculate it again' if blockers else ready}")
    seal_everything()
