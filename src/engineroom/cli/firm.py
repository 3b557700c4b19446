"""`engineroom init`, `db`, `token`, `users`, `clients`, `keys`: running the installation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from django.utils import timezone

from engineroom.cli import show
from engineroom.cli.arguments import Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, seal_everything, write_token_file
from engineroom.kernel.errors import InputRefused, NotFound, Problem

db = typer.Typer(no_args_is_help=True, help="The database server.")
token = typer.Typer(no_args_is_help=True, help="Personal tokens.")
users = typer.Typer(no_args_is_help=True, help="Users and their grants.")
clients = typer.Typer(no_args_is_help=True, help="Clients.")
keys = typer.Typer(no_args_is_help=True, help="Encryption keys.")


def migrate() -> None:
    """Bring the database to this version's tables, as its owner."""
    from django.core.management import call_command

    call_command("migrate", database="owner", verbosity=0)


def init(firm: str, owner_email: str, owner_name: str) -> None:
    from engineroom.foundation.access.bootstrap import install

    migrate()
    done = install(firm, owner_email, owner_name)
    path = write_token_file(owner_email, done.token)
    typer.echo(f"{firm} is installed; {owner_email}'s token is in {path}, where --as {owner_email} finds it")


@db.command("start")
def start() -> None:
    """Start the embedded server and keep it running between commands."""
    from engineroom.foundation import postgres

    server = postgres.start(progress=typer.echo)
    server.home.keep.touch()
    typer.echo("the database runs; stop it with: engineroom db stop")


@db.command("stop")
def stop() -> None:
    """Stop the embedded server."""
    from engineroom.foundation import postgres

    postgres.data_home().keep.unlink(missing_ok=True)
    typer.echo("stopped" if postgres.stop() else "it was not running")


@db.command("status")
def status() -> None:
    """Whether the embedded server runs, and where its data is."""
    from engineroom.foundation import postgres

    server = postgres.status()
    typer.echo(f"{'running' if server else 'not running'}; data in {postgres.data_home().path}")


@db.command("migrate")
@on_the_ground
def migrate_command() -> None:
    """Bring the database to this version's tables. Needs DATABASE_OWNER_URL when DATABASE_URL is set."""
    migrate()
    typer.echo("the tables are up to date")


@token.command("issue")
@on_the_ground
def issue(
    email: Annotated[str, typer.Argument()],
    days: Annotated[int, typer.Option()] = 365,
    client: Annotated[
        list[str] | None, typer.Option(help="only for this client's code; may be given again")
    ] = None,
    verb: Annotated[
        list[str] | None, typer.Option(help="only to read, prepare, approve or release; may be given again")
    ] = None,
    label: Annotated[str, typer.Option(help="what the token is for")] = "",
) -> None:
    """Issue a token: to yourself, or, as an admin, to anybody. It is shown once.

    Narrowed to clients or verbs, it does less than its user may, never more.
    """
    from engineroom.foundation.access import services
    from engineroom.foundation.access.selectors import user_by_email

    user = identity()
    house = client_named(user, "HOUSE")
    from engineroom.foundation.tenancy.scope import acting

    with acting(user, write=house.id):
        found = user_by_email(email)
        if found is None:
            raise NotFound(f"there is no user {email}")
        text = services.issue_token(
            found.id,
            days=days,
            label=label,
            clients=[_client_id(code) for code in client] if client else None,
            verbs=verb or None,
        ).token
    typer.echo(text)
    seal_everything()


def _client_id(code: str) -> UUID:
    from engineroom.foundation.tenancy.models import Client

    row = Client.objects.filter(code__iexact=code).first()
    if row is None:
        raise NotFound(f"there is no client {code}")
    return row.id


@users.command("add")
@on_the_ground
def add(
    email: str,
    name: str,
    kind: Annotated[str, typer.Option(help="staff, worker, client or employee")] = "staff",
) -> None:
    """Add a user; they can do nothing until somebody grants them a role."""
    from engineroom.foundation.access import services
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        services.create_user(email, name, kind=kind)
    typer.echo(f"added {email}")
    seal_everything()


@users.command("grant")
@on_the_ground
def grant(
    email: str,
    client: str,
    role: str,
    reason: Reason,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
) -> None:
    """Grant a role on a client: as its lead, or as an admin."""
    from engineroom.foundation.access import services
    from engineroom.foundation.access.selectors import user_by_email
    from engineroom.foundation.tenancy.models import Client
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user):
        found = user_by_email(email)
        target = Client.objects.filter(code__iexact=client).first()
        if found is None or target is None:
            raise NotFound(f"there is no user {email} or no client {client}")
    where = client_named(user, "HOUSE") if _is_admin(user.id) else client_named(user, client)
    with acting(user, write=where.id):
        services.grant(
            found.id,
            role,
            starts=timezone.now().date(),
            ends=until.date() if until else None,
            reason=reason,
            on_client_id=target.id,
        )
    typer.echo(f"{email} is {role} on {target.code}")
    seal_everything()


def _is_admin(user_id: UUID) -> bool:
    from engineroom.foundation.access.models import Grant
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user):
        return Grant.objects.filter(user_id=user_id, role="admin", of_client__is_house=True).exists()


@users.command("off")
@on_the_ground
def off(email: str, reason: Reason) -> None:
    """Switch a user off: every token and sign-in ends at once."""
    from engineroom.foundation.access import services
    from engineroom.foundation.access.selectors import user_by_email
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        found = user_by_email(email)
        if found is None:
            raise NotFound(f"there is no user {email}")
        services.switch_off_user(found.id, reason=reason)
    typer.echo(f"{email} is off")
    seal_everything()


@users.command("list")
@on_the_ground
def list_users() -> None:
    """Users and their live grants."""
    from engineroom.foundation.access.models import Grant
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user):
        rows = [
            (g.user.email, g.of_client.code, g.role, g.starts, g.ends or "", g.reason)
            for g in Grant.objects.select_related("user", "of_client").order_by(
                "user__email", "of_client__code"
            )
        ]
    show.table("Grants", ("user", "client", "role", "from", "until", "reason"), rows)


@clients.command("list")
@on_the_ground
def list_clients() -> None:
    """The clients you hold a grant on."""
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user):
        rows = [(c.code, c.name, c.currency, "house" if c.is_house else "") for c in my_clients()]
    show.table("Clients", ("code", "name", "", ""), rows)


@clients.command("add")
@on_the_ground
def add_client(code: str, name: str) -> None:
    """Add a client. Grants on it follow separately."""
    from engineroom.foundation.access import services
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        services.open_client(code, name, details={})
    typer.echo(f"added {code}")
    seal_everything()


@clients.command("describe")
@on_the_ground
def describe_client(
    code: str,
    said: Annotated[
        list[str],
        typer.Argument(metavar="NAME=TEXT..", help="such as country=GB vat_number='GB 123 4567 89'"),
    ],
) -> None:
    """Say what invoices and payslips print of a client, and its e-invoices say. NAME= lets it go."""
    from engineroom.foundation.access import services
    from engineroom.foundation.tenancy.scope import acting

    wrong = [each for each in said if "=" not in each]
    if wrong:
        raise InputRefused([Problem(f"{each!r} says nothing", "Write NAME=TEXT") for each in wrong])
    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        done = services.describe_client(code, dict(each.split("=", 1) for each in said))
    for name, text in done.details.items():
        typer.echo(f"{name:16} {text}")
    seal_everything()


@keys.command("rotate")
@on_the_ground
def rotate() -> None:
    """Add a master key and seal every named column anew with it. Vault files keep the key they were sealed
    with."""
    from engineroom.foundation.access.services import all_client_ids
    from engineroom.foundation.crypto.rotation import add_key, reseal
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    with acting(user, write=client_named(user, "HOUSE").id):
        name = add_key()
    typer.echo(f"new key {name}; {reseal(all_client_ids())} values sealed anew")
    seal_everything()
