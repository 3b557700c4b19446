"""`engineroom workforce`: who works where, who is away, and how somebody leaves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from django.utils import timezone

from engineroom.cli import show
from engineroom.cli.ground import client_named, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import NotFound, NotPermitted

app = typer.Typer(no_args_is_help=True, help="Staff: who works where, who is away, who leaves.")
Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"])]


@app.command("list")
@on_the_ground
def list_staff() -> None:
    """Staff of the clients that you may see, who is away, and where nobody is left."""
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.workforce import selectors

    user = identity()
    with acting(user):
        sight = [client.id for client in my_clients()]
    today = timezone.now().date()
    with acting(user, read=sight):
        rows = [
            (
                row.user.name, row.user.email, row.in_words, row.open_tasks, row.late_tasks or "",
                ", ".join(row.teams), f"{row.absence.starts} to {row.absence.ends}" if row.absence else "",
                row.absence.stand_in.name if row.absence and row.absence.stand_in else "",
            )
            for row in selectors.staff(today, sight)
        ]  # fmt: skip
        missing = [
            (g.client_code, g.role, g.first, g.last, ", ".join(g.away), ", ".join(g.stand_ins) or "nobody")
            for g in selectors.gaps(today, sight)
        ]
    show.table(
        "Staff",
        ("name", "address", "roles", "tasks", "late", "teams", "away", "stands in"),
        rows,
        right=[3, 4],
    )
    if missing:
        show.table("Nobody is left", ("client", "role", "from", "until", "away", "stands in"), missing)


@app.command()
@on_the_ground
def away(
    starts: Day,
    ends: Day,
    stand_in: Annotated[str | None, typer.Option(metavar="EMAIL")] = None,
    user_email: Annotated[
        str | None, typer.Option("--user", metavar="EMAIL", help="somebody else, as a lead or an admin")
    ] = None,
    client: Annotated[str, typer.Option(help="the client whose lead or admin you are")] = "HOUSE",
) -> None:
    """Record an absence, first and last day included: your own, or somebody's."""
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.workforce import services

    user = identity()
    if user_email:
        where = client_named(user, client).id
    else:
        with acting(user):
            mine = my_clients()
        if not mine:
            raise NotPermitted("you work on no client: a lead or an admin records your absence")
        where = mine[0].id
    with acting(user, write=where):
        other = _user_id(stand_in) if stand_in else None
        if user_email:
            services.record_absence(_user_id(user_email), starts.date(), ends.date(), stand_in_id=other)
        else:
            services.record_own_absence(starts.date(), ends.date(), stand_in_id=other)
    typer.echo(f"{user_email or user.email} is away from {starts.date()} to {ends.date()}")
    seal_everything()


@app.command()
@on_the_ground
def offboard(
    email: Annotated[str, typer.Argument(metavar="USER", help="the address of whoever leaves")],
    reason: Annotated[str, typer.Option()],
    successor: Annotated[str | None, typer.Option(metavar="EMAIL", help="who takes over")] = None,
) -> None:
    """End everything somebody had, in one step: sign-in, tokens, devices, second factors, grants, teams."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.workforce import services

    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        other = _user_id(successor) if successor else None
        done = services.offboard(_user_id(email), reason=reason, successor_id=other)
    typer.echo(done.in_words)
    for what in done.left_without:
        typer.echo(f"  nobody else holds {what}")
    seal_everything()


def _user_id(email: str) -> UUID:
    from engineroom.foundation.access.selectors import user_by_email

    found = user_by_email(email)
    if found is None:
        raise NotFound(f"there is no user {email}")
    return found.id
