"""`engineroom hours`: a worker enters and sends a week; the firm takes the customer's answer in."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from engineroom.cli import show
from engineroom.cli.arguments import Client, Day, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, writing
from engineroom.kernel.errors import InputRefused, NotFound, Problem

if TYPE_CHECKING:
    from engineroom.timesheets.entered import WeekView
    from engineroom.timesheets.entering import DaySaid

OWN = ("self", "work")
app = typer.Typer(no_args_is_help=True, help="Hours: entered by workers, answered for by customers.")
AssignmentCode = Annotated[str, typer.Argument(help="the assignment's code")]
Worked = Annotated[
    list[str] | None,
    typer.Option("--day", metavar="DAY=HOURS", help="2026-11-16=7:30, or 2026-11-16=08:00-16:30-30 (break)"),
]
Disputes = Annotated[
    list[str] | None, typer.Option("--dispute", metavar="DAY=WHY", help="a day that the customer disputes")
]


@app.command()
@on_the_ground
def mine(client: Client) -> None:
    """The weeks that you may enter, and how each stands."""
    from engineroom.foundation import duties
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.people import own
    from engineroom.timesheets import entered
    from engineroom.ui.display import format_hours

    user = identity()
    with acting(user, read=[client_named(user, client, OWN).id]):
        me = own.myself()
        if me is None:
            raise NotFound("there is nobody here who you are")
        rows = [
            (w.week_ending, w.code, w.customer, format_hours(w.minutes) if w.minutes else "", w.state or "-")
            for w in entered.my_weeks(me.counterparty_id, duties.today())
        ]
    headings = ("week ending", "assignment", "customer", "hours", "stands")
    show.table("My weeks", headings, rows, right=[3])


@app.command()
@on_the_ground
def enter(client: Client, assignment: AssignmentCode, week_ending: Day, day: Worked = None) -> None:
    """Keep what you worked in a week as a draft, and see what the rules make of it."""
    from engineroom.timesheets import entered, entering

    said = [_said(one) for one in day or []]
    with writing(client, OWN) as row:
        done = entering.save_week(_assignment(assignment), week_ending.date(), said)
        view = entered.week(done.week_id)
        assert view is not None
        _show_made(view, row.currency)
    typer.echo(f"kept as a draft; engineroom hours send {client} {assignment} {week_ending.date()}")


@app.command()
@on_the_ground
def send(client: Client, assignment: AssignmentCode, week_ending: Day) -> None:
    """Send a week as you kept it."""
    from engineroom.timesheets import entering
    from engineroom.ui.display import format_hours

    with writing(client, OWN):
        view = _week(assignment, week_ending.date())
        done = entering.send_week(view.id, content=view.content)
    typer.echo(f"sent: {format_hours(done.minutes)} hours")


@app.command("take-back")
@on_the_ground
def take_back(client: Client, assignment: AssignmentCode, week_ending: Day) -> None:
    """Make a sent week a draft again, as long as the customer does not have it."""
    from engineroom.timesheets import entering

    with writing(client, OWN):
        entering.take_back_week(_week(assignment, week_ending.date()).id)
    typer.echo("it is a draft again")


@app.command()
@on_the_ground
def sent(client: Client) -> None:
    """What workers sent and no customer has answered for yet."""
    from engineroom.timesheets import entered
    from engineroom.ui.display import format_hours

    with reading(client):
        rows = [
            (w.week_ending, w.payroll_number, w.name, w.customer, format_hours(w.minutes), w.state, w.id)
            for w in entered.waiting()
        ]
    headings = ("week ending", "number", "name", "customer", "hours", "stands", "id")
    show.table("Sent by workers", headings, rows, right=[4])


@app.command()
@on_the_ground
def answer(
    client: Client,
    week: Annotated[UUID, typer.Argument(help="the week's id; see `hours sent`")],
    said_by: Annotated[str, typer.Option(help="who answered for the customer, and how")],
    dispute: Disputes = None,
) -> None:
    """Take in what a customer answered outside: every day approved, but those disputed."""
    from engineroom.timesheets import entered, entering

    disputed = [entering.Disputed(_day(*_parts(one)), _parts(one)[1]) for one in dispute or []]
    with writing(client):
        view = entered.week(week)
        if view is None:
            raise NotFound(f"there is no entered week {week}")
        done = entering.record_answer(week, content=view.content, said_by=said_by, disputed=disputed)
    typer.echo(f"taken in: {done.entries} days, {done.held} charges held")


def _show_made(view: WeekView, currency: str) -> None:
    from engineroom.timesheets import entered
    from engineroom.ui.display import format_hours, format_money

    rows = [
        (
            m.day,
            m.kind,
            format_hours(m.minutes),
            format_money(m.rate, currency),
            format_money(m.amount, currency),
        )
        for m in entered.made_of(view.assignment_id, view.days)
    ]
    show.table("What the rules make of it", ("day", "kind", "hours", "an hour", "pay"), rows, right=[2, 3, 4])


def _parts(text: str) -> tuple[str, str]:
    day, _, rest = text.partition("=")
    return day.strip(), rest.strip()


def _day(text: str, _rest: str = "") -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        problem = Problem(f"{text!r} is not a day", "Write it as 2026-11-16=7:30", field="--day")
        raise InputRefused([problem]) from None


def _said(text: str) -> DaySaid:
    """2026-11-16=7:30, =7.5, =08:00-16:30 or =08:00-16:30-30."""
    from engineroom.timesheets.entering import DaySaid
    from engineroom.ui.fields import minutes_of

    day, worked = _day(*_parts(text)), _parts(text)[1]
    if (minutes := minutes_of(worked)) is not None:
        return DaySaid(day, minutes)
    starts, _, rest = worked.partition("-")
    ends, _, pause = rest.partition("-")
    try:
        return DaySaid(day, None, time.fromisoformat(starts), time.fromisoformat(ends), int(pause or 0))
    except ValueError:
        remedy = "Write hours as 7:30, or start, end and break as 08:00-16:30-30"
        raise InputRefused([Problem(f"{worked!r} is not hours", remedy, field=f"--day {day}")]) from None


def _assignment(code: str) -> UUID:
    from engineroom.foundation.tenancy.scope import current_client_id
    from engineroom.timesheets.models import Assignment

    found = Assignment.objects.filter(client_id=current_client_id(), code=code).first()
    if found is None:
        raise NotFound(f"there is no assignment {code!r} of yours")
    return found.id


def _week(code: str, ending: date) -> WeekView:
    from engineroom.timesheets import entered

    found = entered.week_of(_assignment(code), ending)
    if found is None:
        raise NotFound(f"nothing is entered for {code} in the week ending {ending}; enter it first")
    return found


@app.command()
@on_the_ground
def answerer(
    client: Client,
    customer: Annotated[str, typer.Argument(help="the customer's code")],
    starts: Day,
    name: Annotated[str, typer.Option(help="who answers")],
    email: Annotated[str, typer.Option(help="where their mail goes")],
    backup_name: Annotated[str, typer.Option(help="who stands in")] = "",
    backup_email: Annotated[str, typer.Option(help="where the stand-in's mail goes")] = "",
    remind: Annotated[int, typer.Option(help="hours until a reminder; 0: never")] = 24,
    backup: Annotated[int, typer.Option(help="hours until the stand-in is asked; 0: never")] = 0,
    escalate: Annotated[int, typer.Option(help="hours until the bureau is told; 0: never")] = 72,
) -> None:
    """Say who answers for a customer's hours from a day on."""
    from engineroom.timesheets import asking

    said = asking.Answers(name, email, backup_name, backup_email, remind, backup, escalate)
    with writing(client):
        done = asking.set_answer_policy(customer, said, starts=starts.date())
    typer.echo(f"kept from {done.starts}")


@app.command()
@on_the_ground
def ask(
    client: Client, customer: Annotated[str, typer.Argument(help="the customer's code")], week_ending: Day
) -> None:
    """Ask a customer by mail about what its workers sent for a week."""
    from engineroom.web import hours_pages

    with writing(client):
        done = hours_pages.ask_customer(customer, week_ending.date())
    typer.echo(f"{done.asked} is asked about {done.weeks} sheets")


@app.command()
@on_the_ground
def requests(client: Client) -> None:
    """What customers were asked and have not answered yet."""
    from engineroom.timesheets import asking

    with reading(client):
        rows = [
            (view.customer, view.week_ending, len(view.weeks), ", ".join(s.what for s in view.steps), view.id)
            for view in asking.open_requests()
        ]
    show.table("Requests", ("customer", "week ending", "sheets", "done", "id"), rows, right=[2])


@app.command()
@on_the_ground
def withdraw(
    client: Client, request: Annotated[UUID, typer.Argument(help="see `hours requests`")], reason: Reason
) -> None:
    """Take a request back: its links open nothing any more."""
    from engineroom.timesheets import asking

    with writing(client):
        done = asking.withdraw_request(request, reason=reason)
    typer.echo(f"taken back: {done.weeks} sheets")
