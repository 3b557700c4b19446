"""`engineroom leave`: kinds, balances, requests; recorded, decided of and taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from django.utils import timezone

from engineroom.cli import show
from engineroom.cli.arguments import Client, Day, PayrollNumber, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, writing
from engineroom.kernel.errors import EngineroomError, NotFound

app = typer.Typer(no_args_is_help=True, help="Leave: who is away, what is left, what waits for a decision.")
AsAt = Annotated[datetime | None, typer.Option("--as-at", formats=["%Y-%m-%d"])]


@app.command()
@on_the_ground
def offer(client: Client) -> None:
    """Offer every kind of leave that the law of the client's country knows."""
    from engineroom.leave import entitling

    with writing(client):
        done = entitling.offer_ready_kinds()
    typer.echo(f"offered: {', '.join(done.added) or 'nothing new'}")


@app.command()
@on_the_ground
def balances(client: Client, number: PayrollNumber, as_at: AsAt = None) -> None:
    """What somebody has left of every kind, in hours and in days of their own week."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.leave import selectors
    from engineroom.leave.pages import amount_of

    user = identity()
    day = as_at.date() if as_at else timezone.now().date()
    with acting(user, read=[client_named(user, client).id]):
        rows = [
            (b.kind.code, b.year.starts, *(amount_of(b, m, "days") for m in (b.given, b.taken, b.available)),
             amount_of(b, b.available, "hours"))
            for b in selectors.balances_of(_person(number), day)
        ]  # fmt: skip
    headings = ("kind", "year from", "given", "taken", "available", "in hours")
    show.table(f"Leave of {number} as at {day}", headings, rows, right=[2, 3, 4, 5])


@app.command()
@on_the_ground
def requests(client: Client) -> None:
    """What waits for a decision, by its first day."""
    from engineroom.foundation.api import hides
    from engineroom.leave import selectors
    from engineroom.ui.display import format_duration

    with reading(client):
        rows = [
            (b.person.payroll_number, b.person.name,
             "away" if b.kind.private and hides("health") else b.kind.code,
             b.starts, b.ends, format_duration(b.minutes), b.id)
            for b in selectors.requests()
        ]  # fmt: skip
    show.table("Requests", ("number", "name", "kind", "from", "until", "takes", "id"), rows, right=[5])


@app.command()
@on_the_ground
def record(
    client: Client,
    number: PayrollNumber,
    kind: Annotated[str, typer.Argument(help="the kind's code")],
    starts: Day,
    ends: Day,
    waits: Annotated[bool, typer.Option("--waits", help="as a request: another person decides")] = False,
) -> None:
    """Record leave as it was agreed, first and last day included."""
    from engineroom.leave import services
    from engineroom.ui.display import format_duration

    with writing(client):
        verb = services.ask_for if waits else services.record
        stretch = services.Stretch(starts.date(), ends.date())
        done = verb(_person(number), services.kind_coded(kind).id, stretch)
    typer.echo(f"{done.state}: {format_duration(done.minutes)} of {kind}, {done.booking_id}")


@app.command()
@on_the_ground
def approve(client: Client, booking: Annotated[UUID, typer.Argument()]) -> None:
    """Approve leave that somebody else asked for."""
    from engineroom.leave import services

    with writing(client):
        services.approve(booking)
    typer.echo("approved")


@app.command()
@on_the_ground
def refuse(client: Client, booking: Annotated[UUID, typer.Argument()], reason: Reason) -> None:
    """Refuse leave that somebody else asked for, and say why."""
    from engineroom.leave import services

    with writing(client):
        services.refuse(booking, reason=reason)
    typer.echo("refused")


@app.command()
@on_the_ground
def cancel(client: Client, booking: Annotated[UUID, typer.Argument()], reason: Reason) -> None:
    """Take leave back: its days are undone in the ledger, with the reason."""
    from engineroom.leave import services

    with writing(client):
        services.cancel(booking, reason=reason)
    typer.echo("cancelled")


@app.command()
@on_the_ground
def entitlements(client: Client) -> None:
    """What every kind entitles to, and whom otherwise."""
    from engineroom.leave import selectors

    with reading(client):
        rows = [
            (p.kind.code, p.person.payroll_number if p.person else "everybody", p.starts, p.ends or "",
             p.weeks, p.accrual, f"{p.year_day}/{p.year_month}", p.carry_weeks)
            for p in selectors.policies()
        ]  # fmt: skip
    headings = ("kind", "of", "from", "until", "weeks", "given", "leave year from", "weeks that go on")
    show.table("Entitlements", headings, rows, right=[4, 7])


@app.command()
@on_the_ground
def entitle(
    client: Client,
    kind: Annotated[str, typer.Argument(help="the kind's code")],
    starts: Day,
    weeks: Annotated[str, typer.Option(help="a year, as 5.6")],
    number: Annotated[str, typer.Option(help="of this person alone: the payroll number")] = "",
    most_days: Annotated[int, typer.Option(help="a year, at most; 0: no such limit")] = 0,
    year_month: Annotated[int, typer.Option(help="in which the leave year begins")] = 1,
    year_day: Annotated[int, typer.Option(help="of that month")] = 1,
    accrual: Annotated[str, typer.Option(help="front, monthly or hours")] = "front",
    carry_weeks: Annotated[str, typer.Option(help="that go on into the next year, at most")] = "0",
    carry_months: Annotated[int, typer.Option(help="after which they lapse; 0: they do not")] = 0,
) -> None:
    """Say what a kind entitles to from a day on: everybody, or one person otherwise."""
    from engineroom.kernel.rates import ppm
    from engineroom.leave import entitling, services

    try:
        parts = [ppm(text) for text in (weeks, carry_weeks)]
    except ValueError as error:
        raise EngineroomError(f"weeks are written as 5.6: {error}") from error
    with writing(client):
        entitling.set_policy(
            services.kind_coded(kind).id,
            starts.date(),
            weeks_ppm=parts[0],
            most_days=most_days,
            year_month=year_month,
            year_day=year_day,
            accrual=accrual,
            accrual_ppm=entitling.accrual_of_law(starts.date()) if accrual == "hours" else 0,
            carry_ppm=parts[1],
            carry_months=carry_months,
            person_id=_person(number) if number else None,
        )
    typer.echo(f"{kind}: {weeks} weeks a year from {starts.date()}; now `engineroom leave year` gives them")


@app.command()
@on_the_ground
def year(
    client: Client,
    what: Annotated[str, typer.Argument(help="grant, close or lapse")],
    kind: Annotated[str, typer.Argument(help="the kind's code")],
    day: Day,
) -> None:
    """Bring the leave year of a day up to date: give what it gives, close it, or let carried leave lapse."""
    from engineroom.leave import entitling, services

    verbs = {"grant": entitling.grant_year, "close": entitling.close_year, "lapse": entitling.lapse_carried}
    if what not in verbs:
        raise NotFound(f"there is no {what!r}: type grant, close or lapse")
    with writing(client):
        done = verbs[what](services.kind_coded(kind).id, day.date())
    typer.echo(f"{done.people} people have new lines")


def _person(number: str) -> UUID:
    from engineroom.people.selectors import named_person

    return named_person(number).counterparty_id
