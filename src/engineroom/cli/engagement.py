"""`engineroom engagement`: what the firm does for a client."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import show
from engineroom.cli.arguments import Client, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import NotMoney, parse_minor

if TYPE_CHECKING:
    from engineroom.foundation.engagement.selectors import ServiceLine

engagement = typer.Typer(no_args_is_help=True, help="What the firm does for a client.")

From = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day")]
AgreedOn = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the day it was agreed")]
AgreedWith = Annotated[str, typer.Option(help="who said yes for the client")]


@engagement.command("show")
@on_the_ground
def show_terms(client: Client) -> None:
    """Every agreement with the client, the latest first, line by line."""
    from engineroom.foundation.engagement import selectors

    with reading(client) as found:
        rows = [
            (
                terms.number,
                terms.starts,
                "corrected" if terms.superseded else "",
                line.name if line else "nothing more is done",
                show.money(line.price_minor, found.currency) if line and line.price_minor else "",
                line.per if line else "",
                line.level if line else terms.reason,
            )
            for terms in selectors.all_terms()
            for line in _or_none(terms.lines)
        ]
    show.table(
        f"Engagement with {found.name}",
        ("terms", "from", "", "service", "price", "for", "what is promised"),
        rows,
        right=[0, 4],
    )


@engagement.command("agree")
@on_the_ground
def agree(
    client: Client,
    starts: From,
    agreed_on: AgreedOn,
    agreed_with: AgreedWith,
    service: Annotated[
        list[str],
        typer.Option(
            metavar="SERVICE:BASIS[:PRICE[:PROMISE]]",
            help="such as payroll:payslip:4.50:'paid by noon'; may be given again",
        ),
    ],
    data_processing: Annotated[str, typer.Option(help="whose data, for what, how long, who else")] = "",
    reason: Annotated[str, typer.Option(help="why it changes")] = "",
) -> None:
    """Keep what was agreed from a day on. What stood before is not rewritten."""
    from engineroom.foundation.engagement import services
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    found = client_named(user, client)
    lines = [_line(text, found.currency) for text in service]
    with acting(user, write=found.id):
        done = services.agree_terms(
            starts.date(),
            agreed_on=agreed_on.date(),
            agreed_with=agreed_with,
            services=lines,
            data_processing=data_processing,
            reason=reason,
        )
    typer.echo(f"terms {done.number} with {found.code} hold from {done.starts}")
    seal_everything()


@engagement.command("end")
@on_the_ground
def end(
    client: Client,
    starts: From,
    agreed_on: AgreedOn,
    agreed_with: AgreedWith,
    reason: Reason,
) -> None:
    """From that day on nothing is done for the client."""
    from engineroom.foundation.engagement import services

    with writing(client) as found:
        services.end_engagement(
            starts.date(), agreed_on=agreed_on.date(), agreed_with=agreed_with, reason=reason
        )
    typer.echo(f"nothing is done for {found.code} from {starts.date()}")


def _or_none(lines: list[ServiceLine]) -> list[ServiceLine | None]:
    """Terms without a line have a row too: it says that nothing more is done."""
    return [*lines] if lines else [None]


def _line(text: str, currency: str) -> ServiceLine:
    """SERVICE:BASIS[:PRICE[:PROMISE]]. What is not known of either, the command says."""
    from engineroom.foundation.engagement.selectors import ServiceLine

    service, basis, price, level = (part.strip() for part in (text.split(":", 3) + [""] * 3)[:4])
    try:
        return ServiceLine(service, basis, parse_minor(price, currency) if price else 0, level)
    except NotMoney as error:
        remedy = "Write --service payroll:payslip:4.50"
        raise InputRefused([Problem(str(error), remedy, field="--service")]) from None
