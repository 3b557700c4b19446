"""`engineroom payroll`: verifying the engine, explaining a payslip, checking an old run."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from engineroom.cli.ground import client_named, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import EngineroomError, NotFound

app = typer.Typer(no_args_is_help=True, help="The engine, and what it did.")


@app.command()
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


@app.command()
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
    else:
        raise NotFound(f"there is no payslip {reference!r} that you may see; write RUN/PAYROLLNUMBER")
    seal_everything()


@app.command()
@on_the_ground
def recheck(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
) -> None:
    """Calculate an old run again from its kept inputs: the same pennies, or which version differs."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import selectors

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
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


@app.command()
@on_the_ground
def runs(client: Annotated[str, typer.Argument(help="the client's code")]) -> None:
    """Pay runs, latest first: how far each is, what is to be done next, and by whom."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import review, selectors
    from engineroom.ui.display import format_day

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
        rows = [review.as_it_stands(row) for row in selectors.runs().rows]
    if not rows:
        typer.echo("no pay run yet: bring a week's timesheets in, then calculate the run of its pay date")
        return
    show.table(
        "Pay runs",
        ("run", "paid", "people", "state", "next", "by"),
        [
            (
                str(row.number),
                format_day(row.pay_date),
                str(row.people),
                row.state.word,
                row.state.next,
                row.state.by,
            )
            for row in rows
        ],
    )


@app.command()
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
        batches.run_part(batch_id, client_id, action, pay_date.date(), user.id)
    with acting(user, read=chosen):
        found = batches.parts(batch_id)
    told = [(rows[one.client_id].code, one.outcome, one.words) for one in found]
    show.table(f"{kind.label}, {len(found)} clients", ("client", "result", "what happened"), sorted(told))
    seal_everything()
    if any(one.outcome == "failed" for one in found):
        raise typer.Exit(1)


@app.command()
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


@app.command()
@on_the_ground
def reopen(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
    reason: Annotated[str, typer.Option()],
    mine: Annotated[bool, typer.Option("--mine", help="take back your own approval only")] = False,
) -> None:
    """Take the approval of an unreleased run back, to change what it pays; the reason stays in the trail."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import reopening, selectors

    user = identity()
    with acting(user, write=client_named(user, client).id):
        pay_run = selectors.named_run(run)
        take = reopening.take_back_approval if mine else reopening.reopen_pay_run
        done = take(pay_run.id, reason=reason)
    typer.echo(f"pay run {run} is reopened; {done.approvals} approvals no longer hold")
    seal_everything()


@app.command()
@on_the_ground
def variance(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
    person: Annotated[str | None, typer.Option(help="payroll number: every element of one person")] = None,
) -> None:
    """Why payslips differ from the last, by the inputs that changed; the largest change of net pay first."""
    from engineroom.cli import show
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import explained, selectors

    user = identity()
    row = client_named(user, client)
    with acting(user, write=row.id):
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
    seal_everything()


@app.command()
@on_the_ground
def returned(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
    answer: Annotated[
        int | None, typer.Option(help="which comment you answer, by its place in the list")
    ] = None,
    words: Annotated[str, typer.Option(help="what there is to say to it")] = "",
) -> None:
    """The comments with which a run was returned, and their answers; or answer one."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import reopening, selectors
    from engineroom.payroll import returned as comments

    user = identity()
    row = client_named(user, client)
    with acting(user, write=row.id):
        pay_run = selectors.named_run(run)
        found = comments.comments(pay_run)
        if answer is not None:
            if not 1 <= answer <= len(found):
                raise NotFound(f"run {run} has no comment {answer}; it has {len(found)}")
            reopening.answer_comment(found[answer - 1].id, words=words)
            found = comments.comments(pay_run)
    rows = [(n, c.about, c.text, c.state, c.answer or "") for n, c in enumerate(found, 1)]
    show.table(f"Comments on pay run {run}", ("", "about", "comment", "state", "answer"), rows)
    seal_everything()


@app.command()
@on_the_ground
def abandon(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
    reason: Annotated[str, typer.Option()],
) -> None:
    """Give the hours of an unreleased run back, to be paid on another pay date."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import selectors, services

    user = identity()
    with acting(user, write=client_named(user, client).id):
        pay_run = selectors.named_run(run)
        done = services.abandon_pay_run(pay_run.id, reason=reason)
    typer.echo(f"pay run {run} is abandoned; {done.timesheets} timesheets wait for another run")
    seal_everything()


@app.command()
@on_the_ground
def reverse(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the released run's number")],
    reason: Annotated[str, typer.Option(help="why; it stands beside every payslip")],
    person: Annotated[
        list[str] | None, typer.Option(help="payroll number; else everybody in the run")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="open a run as well that pays anew")] = False,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day of both")] = None,
) -> None:
    """Open a run that takes payslips back; `payroll calculate` both, then others approve and release them."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import reversal, selectors

    user = identity()
    with acting(user, write=client_named(user, client).id):
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
    seal_everything()


@app.command("back-pay")
@on_the_ground
def back_pay(
    client: Annotated[str, typer.Argument(help="the client's code")],
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


@app.command()
@on_the_ground
def schedules(client: Annotated[str, typer.Argument(help="the client's code")]) -> None:
    """Pay schedules, with the period of today and those that follow."""
    from django.utils import timezone

    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import schedules as found

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
        for row in found.pay_schedules():
            typer.echo(f"{row.code}: {row.name}, {row.frequency}{f', closed {row.ends}' if row.ends else ''}")
            for p in found.periods_from(row, timezone.now().date(), 3):
                typer.echo(f"  {p.starts} to {p.ends}, inputs by {p.cut_off}, paid {p.paid}")


@app.command("schedule-add")
@on_the_ground
def schedule_add(
    client: Annotated[str, typer.Argument(help="the client's code")],
    code: Annotated[str, typer.Argument(help="what it is called here, such as MONTHLY")],
    frequency: Annotated[str, typer.Argument(help="weekly, biweekly, four_weekly, monthly, quarterly, ...")],
    anchor: Annotated[datetime, typer.Argument(help="the first day of any one of its periods")],
    pay_rule: Annotated[
        str, typer.Option(help="day_of_month, day_of_next_month, last_banking_day or days_after")
    ],
    name: Annotated[str, typer.Option()],
    pay_day: Annotated[int, typer.Option(help="of the month, or days after the period's end")] = 0,
    cut_off_days: Annotated[int, typer.Option(help="banking days before pay day")] = 0,
    proration: Annotated[str, typer.Option(help="what a part of a period is counted in")] = "calendar_days",
) -> None:
    """Add a pay schedule of any frequency that the client's law knows."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import schedules as found

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = found.add_pay_schedule(
            code,
            name,
            frequency=frequency,
            anchor=anchor.date(),
            pay_rule=pay_rule,
            pay_day=pay_day,
            cut_off_days=cut_off_days,
            proration=proration,
        )
    typer.echo(f"schedule {done.code} is added; the period of today is paid {done.next_pay_date}")
    seal_everything()


@app.command("item-add")
@on_the_ground
def item_add(
    client: Annotated[str, typer.Argument(help="the client's code")],
    payroll_number: Annotated[str, typer.Argument()],
    element: Annotated[str, typer.Argument(help="a pay element, such as bonus_pay")],
    amount: Annotated[str, typer.Argument(help="as 250.00; after -- also below zero")],
    period: Annotated[datetime, typer.Option(help="a day of the pay period that it is for")],
    reason: Annotated[str, typer.Option()],
    run: Annotated[
        int | None, typer.Option(help="the run of another kind than regular that it is for")
    ] = None,
) -> None:
    """Pay a person an amount of an element once."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import items, selectors
    from engineroom.people.selectors import named_person

    user = identity()
    row = client_named(user, client)
    with acting(user, write=row.id):
        person = named_person(payroll_number)
        found = selectors.named_run(run) if run is not None else None
        items.add_pay_item(
            person.counterparty_id,
            element,
            parse_minor(amount, row.currency),
            period=period.date(),
            reason=reason,
            run_id=found.id if found else None,
            source="cli",
        )
    typer.echo(f"{payroll_number}: {element} {amount} waits for its run")
    seal_everything()


@app.command("orders")
@on_the_ground
def orders_list(client: Annotated[str, typer.Argument(help="the client's code")]) -> None:
    """Attachment orders that are not over, with what each took so far."""
    from django.utils import timezone

    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.money import format_minor
    from engineroom.payroll import orders

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id], write=row.id):
        for view in orders.pay_orders(timezone.now().date()):
            owed = "no sum" if view.balance is None else format_minor(view.balance, row.currency)
            typer.echo(
                f"{view.row.id}  {view.row.person.payroll_number}  {view.kind} {view.row.reference}, "
                f"from {view.row.starts}: {format_minor(view.taken, row.currency)} taken, {owed} left"
            )


@app.command("order-add")
@on_the_ground
def order_add(
    client: Annotated[str, typer.Argument(help="the client's code")],
    payroll_number: Annotated[str, typer.Argument()],
    kind: Annotated[str, typer.Argument(help="such as council_tax; a wrong one lists those there are")],
    reference: Annotated[str, typer.Argument(help="the order's own number")],
    creditor: Annotated[str, typer.Option(help="the code of whom it pays")],
    made_on: Annotated[datetime, typer.Option()],
    starts: Annotated[datetime, typer.Option(help="the first day on which pay that is paid is taken from")],
    reason: Annotated[str, typer.Option()],
    creditor_name: Annotated[str, typer.Option(help="of a new creditor")] = "",
    states: Annotated[
        list[str] | None, typer.Option(help="what it states: normal_deduction=50.00; several times")
    ] = None,
) -> None:
    """Enter an attachment order."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import orders
    from engineroom.people.selectors import named_person

    user = identity()
    row = client_named(user, client)
    with acting(user, write=row.id):
        said = orders.OrderSaid(
            kind,
            reference,
            creditor,
            made_on.date(),
            starts.date(),
            orders.stated_as_text(states or [], row.currency),
            creditor_name=creditor_name,
        )
        orders.add_pay_order(named_person(payroll_number).counterparty_id, said, reason=reason)
    typer.echo(f"{payroll_number}: order {reference} is taken from pay from {starts.date()}")
    seal_everything()


@app.command("order-vary")
@on_the_ground
def order_vary(
    client: Annotated[str, typer.Argument(help="the client's code")],
    order: Annotated[UUID, typer.Argument(help="its id, as `payroll orders` prints it")],
    starts: Annotated[datetime, typer.Option()],
    reason: Annotated[str, typer.Option()],
    states: Annotated[
        list[str] | None, typer.Option(help="what it states: normal_deduction=50.00; several times")
    ] = None,
) -> None:
    """From a day on the order states other figures; what it missed and its balance go on."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import orders

    user = identity()
    row = client_named(user, client)
    with acting(user, write=row.id):
        stated = orders.stated_as_text(states or [], row.currency)
        orders.vary_pay_order(order, starts=starts.date(), stated=stated, reason=reason)
    typer.echo(f"the order is varied from {starts.date()}")
    seal_everything()


@app.command("order-end")
@on_the_ground
def order_end(
    client: Annotated[str, typer.Argument(help="the client's code")],
    order: Annotated[UUID, typer.Argument(help="its id, as `payroll orders` prints it")],
    ends: Annotated[datetime, typer.Option(help="the last day on which it takes")],
    reason: Annotated[str, typer.Option()],
) -> None:
    """End an attachment order: it was discharged, or called off."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import orders

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = orders.end_pay_order(order, ends=ends.date(), reason=reason)
    typer.echo(f"the order ends on {done.ends}")
    seal_everything()


@app.command("claim-state")
@on_the_ground
def claim_state(
    client: Annotated[str, typer.Argument(help="the client's code")],
    payroll_number: Annotated[str, typer.Argument()],
    first_day: Annotated[datetime, typer.Argument(help="of the first of linked stretches")],
    earnings: Annotated[str, typer.Argument(help="of the relevant period, as 4,615.38")],
    periods: Annotated[int, typer.Argument(help="weeks in it, or months with --monthly")],
    reason: Annotated[str, typer.Option()],
    monthly: Annotated[bool, typer.Option("--monthly")] = False,
    waiting_days_served: Annotated[int, typer.Option(help="in the linked sickness, elsewhere")] = 0,
    days_paid_before: Annotated[int, typer.Option(help="in the linked sickness, elsewhere")] = 0,
) -> None:
    """State what sick pay goes by, where it cannot be found in what was paid here."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import claims
    from engineroom.people.selectors import named_person

    user = identity()
    row = client_named(user, client)
    figures = {
        "relevant_earnings": parse_minor(earnings, row.currency),
        "relevant_periods": periods,
        "paid_monthly": int(monthly),
        "waiting_days_served": waiting_days_served,
        "days_paid_before": days_paid_before,
    }
    with acting(user, write=row.id):
        person = named_person(payroll_number).counterparty_id
        claims.state_claim(person, "ssp", first_day.date(), figures, reason=reason)
    typer.echo(f"{payroll_number}: sick pay from {first_day.date()} goes by {earnings} in {periods}")
    seal_everything()


@app.command("open")
@on_the_ground
def open_run(
    client: Annotated[str, typer.Argument(help="the client's code")],
    schedule: Annotated[str, typer.Argument(help="the pay schedule's code")],
    pay_date: Annotated[datetime, typer.Argument()],
    kind: Annotated[str, typer.Option(help="regular, off_cycle, bonus, final, correction, ...")] = "regular",
) -> None:
    """Open the run of a schedule's payday; `engineroom payroll calculate` pays it."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import services

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = services.open_pay_run(pay_date.date(), schedule=schedule, kind=kind)
    typer.echo(
        f"pay run {done.number} is open: paid {done.pay_date}, period {done.tax_period} of {done.tax_year}"
    )
    seal_everything()


@app.command()
@on_the_ground
def calculate(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
) -> None:
    """Take in what waits for a run, calculate it and publish; blockers are named."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payday import steps
    from engineroom.payroll import selectors, services

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
        found = selectors.named_run(run)
    done = steps.calculate_run(user, row.id, found.id)
    typer.echo(f"pay run {run} is calculated: {done.payslips} payslips, {done.blockers} blockers")
    with acting(user, write=row.id):
        for blocker in services.blockers_of(services.find_run(found.id)):
            typer.echo(f"  {blocker.payroll_number}: {blocker.problem}. {blocker.remedy}")
    seal_everything()


@app.command("account-map")
@on_the_ground
def account_map(
    client: Annotated[str, typer.Argument(help="the client's code")],
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="a payday; else today")] = None,
) -> None:
    """Where runs of a payday are posted, line by line."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import account_map as accounts

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
        known, lines = accounts.lines_on(day.date() if day else datetime.now(UTC).date())
    show.table(
        f"Account map, version {known.version}",
        ("line", "", "cost centre", "account", "", "said by"),
        [
            (
                r.code,
                r.label,
                r.cost_centre,
                r.account,
                r.account_name,
                r.wrong or ("the law" if r.is_default else "client"),
            )
            for r in lines
        ],
    )
    seal_everything()


@app.command("map-account")
@on_the_ground
def map_account(
    client: Annotated[str, typer.Argument(help="the client's code")],
    line: Annotated[str, typer.Argument(help="as account-map prints it: cost.basic_pay")],
    account: Annotated[str, typer.Argument(help="an account of the book; empty for the law's own")],
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="paydays from this day")],
    reason: Annotated[str, typer.Option(help="why, kept with the map")],
    cost_centre: Annotated[str, typer.Option(help="only of people whose terms have it")] = "",
) -> None:
    """Post a line of runs to another account. Many at once: a file of the kind account-map."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import account_map as accounts

    user = identity()
    with acting(user, write=client_named(user, client).id):
        row = accounts.Mapped(line, account, starts.date(), cost_centre)
        done = accounts.map_accounts([row], reason=reason, source="cli")
    typer.echo(f"version {done.version} of the account map holds for paydays from {starts.date()}")
    seal_everything()


@app.command("journal")
@on_the_ground
def run_journal(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
    out: Annotated[Path | None, typer.Option(help="write it as CSV here")] = None,
) -> None:
    """The journal of a run in the client's accounts; before its release, what it would post now."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import journal, selectors

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
        found = selectors.named_run(run)
        known, lines = journal.journal_of(found)
        written = journal.as_csv(found, lines, row.currency)
    if out:
        out.write_bytes(written)
        typer.echo(f"{len(lines)} lines are in {out}")
        return
    show.table(
        f"Journal of pay run {run}, version {known.version} of the account map",
        ("account", "", "", "cost centre", "customer", "debit", "credit"),
        [
            (
                r.account,
                r.account_name,
                r.label,
                r.cost_centre,
                r.customer,
                show.money(r.debit or None, row.currency),
                show.money(r.credit or None, row.currency),
            )
            for r in lines
        ],
        right=[5, 6],
    )


@app.command("liabilities")
@on_the_ground
def owed(
    client: Annotated[str, typer.Argument(help="the client's code")],
    agency: Annotated[str | None, typer.Option(help="only this agency, such as HMRC")] = None,
    out: Annotated[Path | None, typer.Option(help="write the agency's latest year as a workbook")] = None,
) -> None:
    """What is owed to each agency by period: due, paid, left; and whether it ties to the books."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import liabilities
    from engineroom.payroll.account_map import country
    from engineroom.payroll.liability_pages import as_workbook
    from engineroom.ui.display import format_day

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
        agencies = [liabilities.agency_called(agency)] if agency else list(country().postings.agencies)
        found = [
            (a, periods, liabilities.tie_of(a, periods))
            for a in agencies
            if (periods := liabilities.owed_to(a))
        ]
    if out:
        if len(found) != 1:
            raise EngineroomError("a workbook is of one agency: name it with --agency")
        year = found[0][1][0].period.year
        out.write_bytes(
            as_workbook([o for o in reversed(found[0][1]) if o.period.year == year], row.currency)
        )
        typer.echo(f"{found[0][0].name}, {year}, is in {out}")
        return
    for a, periods, tie in found:
        show.table(
            f"{a.name}: {'ties to the books' if tie.ok else 'DIFFERS FROM THE BOOKS'}",
            ("period", "due on", "due", "paid", "left"),
            [
                (
                    o.period.name,
                    format_day(o.period.due),
                    *(show.money(amount, row.currency) for amount in (o.due, o.paid, o.left)),
                )
                for o in periods
            ],
            right=[2, 3, 4],
        )
    if not all(tie.ok for _, _, tie in found):
        raise EngineroomError("what is owed differs from the books; see above")


@app.command("say-liability")
@on_the_ground
def say_liability(
    client: Annotated[str, typer.Argument(help="the client's code")],
    agency: Annotated[str, typer.Argument(help="such as HMRC")],
    name: Annotated[str, typer.Argument(help="employment_allowance, apprenticeship_levy, ...")],
    amount: Annotated[str, typer.Argument(help="in pounds; below zero takes back")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="a day of the period it counts in")],
    reason: Annotated[str, typer.Option(help="why, kept with it")],
) -> None:
    """Post what changes an agency's due and stands on no payslip."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import liabilities

    user = identity()
    row = client_named(user, client)
    with acting(user, write=row.id):
        done = liabilities.say_liability(
            agency, name, parse_minor(amount, row.currency), day=day.date(), reason=reason
        )
        period = liabilities.agency_called(agency).period_of(day.date())
    typer.echo(f"{name} of {amount} is posted and counts in {period.name}")
    assert done.entry_id
    seal_everything()


PayDate = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="the pay date of the period")]


@app.command()
@on_the_ground
def workbook(
    client: Annotated[str, typer.Argument(help="the client's code")],
    schedule: Annotated[str, typer.Argument(help="the pay schedule's code")],
    pay_date: PayDate,
    out: Annotated[Path, typer.Option(help="the folder it is written to")] = Path(),
) -> None:
    """Write the workbook of a period's inputs; filled in, it comes back by `import CLIENT workbook FILE`."""
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import schedules as found
    from engineroom.payroll import workbook_imports

    user = identity()
    with acting(user, read=[client_named(user, client).id]) as scope:
        name, content, people = workbook_imports.workbook_of(schedule, pay_date.date())
        row = found.find_schedule(schedule)
        audit.record_read(
            scope.read[0], subject_kind="pay_schedule", subject_id=row.id, detail={"rows": people}
        )
    there = out / name
    there.write_bytes(content)
    typer.echo(f"{there}: {people} people")
    seal_everything()


@app.command("let-in")
@on_the_ground
def let_in(
    client: Annotated[str, typer.Argument(help="the client's code")],
    schedule: Annotated[str, typer.Argument(help="the pay schedule's code")],
    pay_date: PayDate,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the last day that is in time")],
    reason: Annotated[str, typer.Option()],
) -> None:
    """Let late inputs of a period in; a lead says so, and the reason stays."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import cut_off

    user = identity()
    with acting(user, write=client_named(user, client).id):
        done = cut_off.let_late_inputs_in(schedule, pay_date.date(), until=until.date(), reason=reason)
    typer.echo(f"inputs of {schedule} from {done.period_starts} are in time until {done.until}")
    seal_everything()


@app.command("hand-over")
@on_the_ground
def hand_over(
    client: Annotated[str, typer.Argument(help="the client's code")],
    to: Annotated[str, typer.Option(help="the colleague's address")],
    reason: Annotated[str, typer.Option()],
    run: Annotated[int | None, typer.Option(help="this run only")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="every run until this day")
    ] = None,
) -> None:
    """Let a colleague of the client approve in your place: a run, or every run until a day."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import handing_over, selectors

    user = identity()
    with acting(user, write=client_named(user, client).id):
        found = {one.email.lower(): one for one in handing_over.approvers_of_client()}
        if to.lower() not in found:
            raise NotFound(f"{to} is no approver of {client}; they are {', '.join(sorted(found)) or 'none'}")
        run_id = selectors.named_run(run).id if run is not None else None
        last = until.date() if until else None
        done = handing_over.hand_over(found[to.lower()].id, run_id=run_id, until=last, reason=reason)
    what = f"pay run {run}" if run is not None else f"every run until {done.ends}"
    typer.echo(f"{found[to.lower()].name} approves {what}")
    seal_everything()


@app.command("handed-over")
@on_the_ground
def handed_over(
    client: Annotated[str, typer.Argument(help="the client's code")],
    take_back: Annotated[int | None, typer.Option(help="end one, by its place in the list")] = None,
    reason: Annotated[str, typer.Option()] = "",
) -> None:
    """Approvals that were handed to colleagues, latest first; or end one of them."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import handing_over

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
        found = handing_over.handings()
    if take_back is not None:
        if not 1 <= take_back <= len(found):
            raise NotFound(f"there is no {take_back} in the list; it has {len(found)}")
        with acting(user, write=row.id):
            handing_over.take_back_handover(found[take_back - 1].id, reason=reason)
        typer.echo("taken back")
        seal_everything()
        return
    rows = [
        (
            n,
            one.giver,
            one.taker,
            f"run {one.run}" if one.run else f"{one.starts} to {one.ends}",
            one.taken_back or "stands",
        )
        for n, one in enumerate(found, 1)
    ]
    show.table(f"Approvals of {row.code} handed over", ("", "from", "to", "what", "state"), rows)
