"""What a command stands on: a running database, Django, and somebody who is who they say."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from uuid import UUID

import typer

from engineroom.kernel.errors import EngineroomError

if TYPE_CHECKING:
    from engineroom.foundation.tenancy.models import Client
    from engineroom.foundation.tenancy.scope import Identity

P = ParamSpec("P")
R = TypeVar("R")

TOKEN_VARIABLE = "ENGINEROOM_TOKEN"


class NoToken(EngineroomError):
    """The command line acts for whoever holds a token, never by name alone."""

    status = 401


@dataclass
class Options:
    """What was said before the command: who acts, and for whom."""

    email: str | None = None


options = Options()


@contextmanager
def ground() -> Iterator[None]:
    """A database server for as long as the block runs, and Django set up on it. Nested blocks are one."""
    from engineroom.foundation import postgres

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engineroom.settings")
    with postgres.session(progress=_say):
        import django

        django.setup()
        from django.db import connections

        try:
            yield
        finally:
            connections.close_all()


def _say(message: str) -> None:
    typer.echo(f"  {message}", err=True)


def on_the_ground(function: Callable[P, R]) -> Callable[P, R]:
    """A command that needs the database."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with ground():
            return function(*args, **kwargs)

    return run


def identity(email: str | None = None) -> Identity:
    """Who acts: `--as`, proven by a token in the environment or in the user's 0600 token file. Raises
    NoToken."""
    from engineroom.foundation.access.services import NotAuthenticated, authenticate

    email = email or options.email
    token = os.environ.get(TOKEN_VARIABLE) if email in (None, options.email) else None
    where = f"the token in {TOKEN_VARIABLE}"
    if token is None and email:
        token, where = _token_file(email), f"the token in {token_path(email)}"
    if token is None:
        raise NoToken(_how_to_get_a_token(email))
    try:
        return authenticate(token, email)
    except NotAuthenticated:
        raise NotAuthenticated(
            f"{where} is unknown, ended, or not {email or 'anybody'}'s. {_how_to_get_a_token(email)}"
        ) from None


def _how_to_get_a_token(email: str | None) -> str:
    """What to type, in the order in which to type it."""
    from django.conf import settings

    folder = Path(settings.TOKEN_DIR)
    known = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    if not known:
        return (
            "Nobody has a token on this computer yet. Set up a firm with "
            "`engineroom init --firm NAME --owner-email "
            "EMAIL --owner-name NAME`, or look at the sample one with `engineroom demo`."
        )
    here = f"Tokens on this computer: {', '.join(known)}."
    if email is None:
        return f"Say who you are: engineroom --as EMAIL COMMAND. {here}"
    path = token_path(email)
    return (
        f"There is no valid token for {email} here. An admin types `engineroom "
        f"--as ADMIN token issue {email}`; put what "
        f"it prints into {path} (chmod 600), or into the variable {TOKEN_VARIABLE}. {here}"
    )


def token_path(email: str) -> Path:
    from django.conf import settings

    return Path(settings.TOKEN_DIR) / email.lower().replace("/", "_")


def _token_file(email: str) -> str | None:
    path = token_path(email)
    if not path.exists():
        return None
    if path.stat().st_mode & 0o077:
        raise NoToken(f"{path} may be read by others; run: chmod 600 {path}")
    return path.read_text().strip()


def write_token_file(email: str, token: str) -> Path:
    """Keep a token where `--as` finds it: a file only its owner reads."""
    path = token_path(email)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(token + "\n")
    return path


FIRM = ("firm",)
FIRM_AND_CLIENT = ("firm", "client")
"""Whose a command is: most are the firm's alone; a few are for a client's own people too, as their portal."""


def client_named(user: Identity, code: str, faces: Collection[str] = FIRM) -> Client:
    from engineroom.foundation.access.selectors import client_named as find

    return find(user, code, faces=faces)


def house_of(user: Identity) -> UUID:
    """The house, where what is the firm's own is written. Raises NotPermitted."""
    from engineroom.foundation.access.sign_in import clients_of
    from engineroom.kernel.errors import NotPermitted

    found = next((client.id for client, _ in clients_of(user) if client.is_house), None)
    if found is None:
        raise NotPermitted(f"{user.email} has no role in the house, where this is written")
    return found


@contextmanager
def writing(code: str, faces: Collection[str] = FIRM) -> Iterator[Client]:
    """Inside, whoever types writes this client; afterwards what was written is chained."""
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    client = client_named(user, code, faces)
    with acting(user, write=client.id):
        yield client
    seal_everything()


@contextmanager
def reading(code: str, *, recorded: bool = False) -> Iterator[Client]:
    """Inside, whoever types reads this client. recorded: the reading itself is, and is chained."""
    from engineroom.foundation.tenancy.scope import acting

    user = identity()
    client = client_named(user, code)
    with acting(user, read=[client.id]):
        yield client
    if recorded:
        seal_everything()


def seal_everything() -> None:
    """Chain what the command wrote. A worker does this every few seconds; without one, each command does it
    itself."""
    from engineroom.foundation.access import services as access
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.ledger.services import seal_batches

    for client_id in access.clients_with_unsealed_events():
        with acting(access.system_user(), write=client_id):
            audit.seal()
            seal_batches()
