"""`engineroom workforce`: who works where, who is away, and how somebody leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from django.utils import timezone

from engineroom.cli import show
from engineroom.cli.arguments import Client, Day, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import NotFound, NotPermitted

if TYPE_CHECKING:
    from engineroom.foundation.tenancy.scope import Identity

app = typer.Typer(no_args_is_help=True, help="Staff: who works where, who is away, who leaves.")


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
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.workforce import services

    user = identity()
    with acting(user, write=client_named(user, client).id if user_email else _anywhere(user)):
        other = _user_id(stand_in) if stand_in else None
        if user_email:
            services.record_absence(_user_id(user_email), starts.date(), ends.date(), stand_in_id=other)
        else:
            services.record_own_absence(starts.date(), ends.date(), stand_in_id=other)
    typer.echo(f"{user_email or user.email} is away from {starts.date()} to {ends.date()}")
    seal_everything()


def _anywhere(user: Identity) -> UUID:
    """A client on which somebody may say of themselves what concerns no single client."""
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.tenancy.scope import acting

    with acting(user):
        mine = my_clients()
    if not mine:
        raise NotPermitted("you work on no client: a lead or an admin says when you are away")
    return mine[0].id


@app.command("call-off")
@on_the_ground
def call_off(
    starts: Day,
    user_email: Annotated[
        str | None, typer.Option("--user", metavar="EMAIL", help="somebody else, as a lead or an admin")
    ] = None,
    client: Annotated[str, typer.Option(help="the client whose lead or admin you are")] = "HOUSE",
) -> None:
    """Call an absence off, by its first day: your own, or somebody's. It stays as it was recorded."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.workforce import selectors, services

    user = identity()
    with acting(user, write=client_named(user, client).id if user_email else _anywhere(user)):
        whose = _user_id(user_email) if user_email else user.id
        found = [
            a for a in selectors.absences_of(whose) if a.starts == starts.date() and a.called_off_at is None
        ]
        if not found:
            raise NotFound(f"{user_email or user.email} has no absence that begins on {starts.date()}")
        (services.call_off_absence if user_email else services.call_off_own_absence)(found[0].id)
    typer.echo(f"{user_email or user.email} is there: the absence from {starts.date()} is called off")
    seal_everything()


@app.command()
@on_the_ground
def teams() -> None:
    """Teams, who is in them, and whom they serve."""
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.workforce import selectors

    user = identity()
    with acting(user):
        sight = [client.id for client in my_clients()]
    with acting(user, read=sight) as scope:
        if not any(scope.may("workforce.read", c) for c in scope.read):
            raise NotPermitted(f"{user.email} may not read teams: it needs the permission workforce.read")
        rows = [
            (
                view.team.name,
                view.team.lead.name if view.team.lead else "",
                ", ".join(m.user.name for m in view.members),
                ", ".join(s.of_client.code for s in view.servings),
            )
            for view in selectors.teams(timezone.now().date())
        ]
    show.table("Teams", ("team", "lead", "who", "serves"), rows)


Team = Annotated[str, typer.Argument(help="the team's name")]
From = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day; without, today")
]
Until = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="the last day; without, today")
]


@app.command("team-make")
@on_the_ground
def team_make(
    name: Team, lead: Annotated[str | None, typer.Option(metavar="EMAIL", help="who leads it")] = None
) -> None:
    """Make a team. Who is in it, and whom it serves, follows."""

    def make() -> None:
        from engineroom.workforce import services

        services.make_team(name, lead_id=_user_id(lead) if lead else None)

    _at_home(make)
    typer.echo(f"the team {name} is made")


@app.command("team-join")
@on_the_ground
def team_join(name: Team, email: Annotated[str, typer.Argument(metavar="USER")], starts: From = None) -> None:
    """Put somebody into a team from a day on. It gives no rights: grants do."""
    from engineroom.workforce import services

    _at_home(lambda: services.join_team(_team_id(name), _user_id(email), starts=_day(starts)))
    typer.echo(f"{email} is in {name} from {_day(starts)}")


@app.command("team-leave")
@on_the_ground
def team_leave(name: Team, email: Annotated[str, typer.Argument(metavar="USER")], ends: Until = None) -> None:
    """Somebody's last day in a team."""
    from engineroom.workforce import services

    _at_home(lambda: services.leave_team(_team_id(name), _user_id(email), ends=_day(ends)))
    typer.echo(f"{email} is in {name} until {_day(ends)}")


@app.command("team-serve")
@on_the_ground
def team_serve(name: Team, client: Client, starts: From = None) -> None:
    """A team serves a client from a day on."""
    from engineroom.workforce import services

    served = _client_id(client)
    _at_home(lambda: services.serve(_team_id(name), served, starts=_day(starts)))
    typer.echo(f"{name} serves {client} from {_day(starts)}")


@app.command("team-stop")
@on_the_ground
def team_stop(name: Team, client: Client, ends: Until = None) -> None:
    """The last day on which a team serves a client."""
    from engineroom.workforce import services

    served = _client_id(client)
    _at_home(lambda: services.stop_serving(_team_id(name), served, ends=_day(ends)))
    typer.echo(f"{name} serves {client} until {_day(ends)}")


def _at_home(change: Callable[[], object]) -> None:
    """Teams are made and changed at home."""
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        change()
    seal_everything()


def _day(given: datetime | None) -> date:
    return given.date() if given else timezone.now().date()


def _team_id(name: str) -> UUID:
    from engineroom.workforce import selectors

    for view in selectors.teams(timezone.now().date()):
        if view.team.name.casefold() == name.strip().casefold():
            return view.team.id
    raise NotFound(f"there is no team {name}; see: engineroom workforce teams")


def _client_id(code: str) -> UUID:
    """Any client of the firm: an admin, who makes teams, has no grant on most of them."""
    from engineroom.foundation.tenancy.models import Client
    from engineroom.foundation.tenancy.scope import acting

    with acting(identity()):
        found = Client.objects.filter(code__iexact=code).values_list("id", flat=True).first()
    if found is None:
        raise NotFound(f"there is no client {code}")
    return found


@app.command()
@on_the_ground
def offboard(
    email: Annotated[str, typer.Argument(metavar="USER", help="the address of whoever leaves")],
    reason: Reason,
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
