"""`engineroom sla`: what was promised, how it stands, and why."""

from __future__ import annotations

from typing import Annotated

import typer
from django.utils import timezone

from engineroom.cli import show
from engineroom.cli.arguments import Client, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, writing
from engineroom.kernel.errors import EngineroomError, NotFound

app = typer.Typer(no_args_is_help=True, help="Promises to clients and their clocks.")


@app.command("board")
@on_the_ground
def board(client: Client) -> None:
    """The clocks of a client's running cases."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.quality import clocks
    from engineroom.sop.sla import STATE_WORDS, duration

    user = identity()
    there = client_named(user, client)
    with acting(user, read=[there.id]) as scope:
        if not scope.may("quality.read"):
            raise EngineroomError("your role does not see promises here")
        rows = []
        for one in clocks.running(there.id):
            read = one.reading
            due = one.clock.hours.local(read.due).strftime("%Y-%m-%d %H:%M %Z") if read.due else ""
            rows.append((one.row.number, one.row.title, STATE_WORDS[read.state], duration(read.left_s), due))
    show.table("Promises", ("case", "", "stands", "left", "due"), rows, right=(0,))


@app.command("explain")
@on_the_ground
def explain(client: Client, number: Annotated[int, typer.Argument(help="the case's number")]) -> None:
    """Why a case's clock stands where it does, and that the log counted anew says the same."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.quality import clocks
    from engineroom.sop.models import Case
    from engineroom.sop.sla import recount

    user = identity()
    there = client_named(user, client)
    now = int(timezone.now().timestamp())
    with acting(user, read=[there.id]):
        row = Case.objects.filter(client_id=there.id, number=number).first()
        if row is None:
            raise NotFound(f"there is no case {number} of {client}")
        one = clocks.clock_of(row, now)
    if one is None:
        raise NotFound(f"nothing is promised for case {number}; see: engineroom sla promise --help")
    for line in one.explained(now):
        typer.echo(line)
    same = recount(one.log, now, one.prediction) == one.reading
    typer.echo("Counted anew from the log: the same to the second" if same else "Counted anew: it DIFFERS")
    if not same:
        raise typer.Exit(1)


@app.command("promise")
@on_the_ground
def promise(
    client: Client,
    name: Annotated[str, typer.Argument(help="what the client knows it by")],
    hours: Annotated[int, typer.Option(help="of working time")] = 0,
    minutes: Annotated[int, typer.Option()] = 0,
    procedure: Annotated[str, typer.Option(help="whose cases; without, all that have none")] = "",
) -> None:
    """Promise a client that cases are done within so much working time."""
    from engineroom.quality import services

    with writing(client):
        services.promise(name, hours * 3600 + minutes * 60, procedure_key=procedure)
    typer.echo(f"promised to {client}: {name}")


@app.command("end-promise")
@on_the_ground
def end_promise(
    client: Client,
    reason: Reason,
    procedure: Annotated[str, typer.Option(help="whose promise; without, the one for all others")] = "",
) -> None:
    """Promise no more. What was counted stays."""
    from engineroom.quality import services

    with writing(client):
        services.end_promise(procedure_key=procedure, reason=reason)
    typer.echo(f"{client}: nothing is promised for {procedure or 'all procedures'} any more")
