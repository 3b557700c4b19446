"""Who calls, and on which clients they may act."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from engineroom.foundation.access.roles import masked
from engineroom.foundation.access.selectors import my_clients
from engineroom.foundation.api import Code, answers, caller_of, client_of
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import NotPermitted

router = Router(tags=["clients"])


class CallerOut(Schema):
    """Who the token is, and what it is narrowed to; null is everything that the grants allow."""

    id: UUID
    email: str
    name: str
    kind: str
    token_verbs: list[str] | None
    token_clients: list[UUID] | None


class ClientOut(Schema):
    """A company the firm serves."""

    id: UUID
    code: str
    name: str
    is_house: bool
    jurisdiction: str
    currency: str


class ClientDetailOut(ClientOut):
    """A client with the caller's roles on it, and the classes of data that these mask."""

    roles: list[str]
    masked: list[str]


class ClientsOut(Schema):
    """Every client the caller may act on: one page, because a person's grants are few."""

    items: list[ClientOut]


def _client(row: Client) -> ClientOut:
    return ClientOut(
        id=row.id,
        code=row.code,
        name=row.name,
        is_house=row.is_house,
        jurisdiction=row.jurisdiction,
        currency=row.currency,
    )


@router.get(
    "/me", response=answers(CallerOut, (401, 429, 500)), summary="Who calls", operation_id="clients.me"
)
def me(request: HttpRequest) -> CallerOut:
    """The user of the token, and the token's limits."""
    caller = caller_of(request)
    return CallerOut(
        id=caller.id,
        email=caller.email,
        name=caller.name,
        kind=caller.kind,
        token_verbs=None if caller.verbs is None else sorted(caller.verbs),
        token_clients=None if caller.clients is None else sorted(caller.clients),
    )


@router.get(
    "/clients",
    response=answers(ClientsOut, (401, 403, 429, 500)),
    summary="My clients",
    operation_id="clients.clients",
)
def clients(request: HttpRequest) -> ClientsOut:
    """The clients on which the caller holds a live grant, the house first."""
    caller = caller_of(request)
    if caller.verbs is not None and "read" not in caller.verbs:
        raise NotPermitted("this token does not read")
    with acting(caller):
        return ClientsOut(items=[_client(row) for row in my_clients()])


@router.get(
    "/clients/{code}",
    response=answers(ClientDetailOut, (401, 403, 404, 422, 429, 500)),
    summary="One client",
    operation_id="clients.client",
)
def client(request: HttpRequest, code: Code) -> ClientDetailOut:
    """A client, the caller's roles on it, and what these do not see."""
    caller = caller_of(request)
    row = client_of(caller, code)
    with acting(caller, read=[row.id]) as scope:
        held = scope.roles.get(row.id, frozenset())
        return ClientDetailOut(**_client(row).dict(), roles=sorted(held), masked=sorted(masked(held)))
