"""Commands: the only way the world changes. Permission, scope, change, audit row, the jobs it sets off.

    @command("payroll.approve")
    def approve_pay_run(run_id: UUID, *, content_hash: str) -> Approved: ...

A command runs inside `acting(user, write=client)`. It takes plain values (ids, dates, texts, integers), never
rows, and returns a frozen dataclass, its receipt: both are JSON, so the same key gives the same answer, and
the same key with another request is a conflict. A command called by a command runs under the outer one's name
and key.

Arguments and receipts stand in the audit trail, for ever and in the clear: nothing private belongs in either.
Private values come in files, as ids of rows, or through a service that is no command (see `issue_token`).
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast, get_type_hints
from uuid import UUID

from django.db import connection, transaction
from pydantic import TypeAdapter

from engineroom.foundation.prepared import planned_anew, planned_once
from engineroom.foundation.tenancy.scope import Scope, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, NotPermitted
from engineroom.kernel.ids import uuid7

LONGEST_KEY = 100
"""A nested command's key holds its parents' names and keys; three deep fit the column."""

P = ParamSpec("P")
R = TypeVar("R")


class KeyReused(Conflict):
    """The idempotency key was used before with another request."""

    def __init__(self, name: str, key: str) -> None:
        super().__init__(f"{name}: the key {key!r} was used before with a different request; use a new key")


class KeyTooLong(EngineroomError):
    """The idempotency key has more characters than are kept."""

    status = 422


@dataclass(frozen=True)
class Command:
    """A registered command, found by name by faces, procedures and jobs."""

    name: str
    permission: str
    summary: str
    run: Callable[..., Any]


REGISTRY: dict[str, Command] = {}


@dataclass(frozen=True)
class _Running:
    name: str
    key: str


_running: ContextVar[_Running | None] = ContextVar("running_command", default=None)

_given_key: ContextVar[str | None] = ContextVar("given_key", default=None)

_json: TypeAdapter[Any] = TypeAdapter(Any)


@contextmanager
def keyed(key: str | None) -> Iterator[None]:
    """Commands of the block that are given no key of their own run under this one, each by its own name.

    For a face whose one request is one command, or several of different names; None changes nothing.
    """
    token = _given_key.set(key)
    try:
        yield
    finally:
        _given_key.reset(token)


def command(
    permission: str, *, name: str | None = None, brief: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a service as a command: `<room>.<function>` unless named otherwise.

    brief: it asks about a few rows by their keys, however large the client is, and is called so often that
    its statements are worth keeping prepared (foundation/prepared.py). What it calls is not brief by that.

    The caller may pass `key=` for idempotency. Raises NotPermitted, KeyReused, KeyTooLong, or what the
    service raises; then nothing of it remains, even if the caller goes on: it runs in a savepoint.
    """

    def register(service: Callable[P, R]) -> Callable[P, R]:
        registered = name or f"{service.__module__.split('.')[1]}.{service.__name__}"
        signature = inspect.signature(service)
        if "key" in signature.parameters:
            raise RuntimeError(f"{registered}: an argument called key would be taken for the idempotency key")

        @functools.wraps(service)
        def run(*args: Any, key: str | None = None, **kwargs: Any) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            with planned_once() if brief else planned_anew():
                return _carry_out(registered, permission, service, dict(bound.arguments), key)

        if registered in REGISTRY:
            raise RuntimeError(f"two commands are called {registered}")
        REGISTRY[registered] = Command(registered, permission, (service.__doc__ or "").split("\n")[0], run)
        return cast("Callable[P, R]", run)

    return register


def _carry_out(
    name: str, permission: str, service: Callable[..., R], arguments: dict[str, Any], key: str | None
) -> R:
    scope = current_scope()
    _check(scope, name, permission)
    request = _json.dump_python(arguments, mode="json")
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()
    key = _key(name, digest, key)
    result_type: TypeAdapter[R] = _result_type(service)
    if key is None:
        key = str(uuid7())  # nobody can have used it before
    elif before := _carried_out(scope.client_id, name, key):
        if bytes(before[0]) != digest:
            raise KeyReused(name, key)
        return (
            result_type.validate_json(before[1])
            if isinstance(before[1], str)
            else result_type.validate_python(before[1])
        )
    token = _running.set(_Running(name, key))
    try:
        with transaction.atomic():
            result = service(**arguments)
            receipt = result_type.dump_python(result, mode="json")
            _remember(scope, name, key, digest, request, receipt, getattr(result, "subject", None))
    finally:
        _running.reset(token)
    return result


def _carried_out(client_id: UUID, name: str, key: str) -> Any:
    """What was asked and answered under the key before, once whoever uses it just now is done."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"command:{client_id}:{name}:{key}"]
        )
        cursor.execute(
            "SELECT request_hash, result FROM foundation_commandrun "
            "WHERE client_id = %s AND name = %s AND key = %s",
            [client_id, name, key],
        )
        return cursor.fetchone()


def _check(scope: Scope, name: str, permission: str) -> None:
    """The system acts for whoever set the job off, with what that one may still do (see Scope.roles)."""
    if not scope.may(permission, scope.client_id):
        who = scope.on_behalf if scope.user.kind == "system" and scope.on_behalf else scope.user
        raise NotPermitted(f"{who.email} may not {name} here: it needs the permission {permission}")


def _key(name: str, digest: bytes, key: str | None) -> str | None:
    """The key as it is kept; None where none was given."""
    given = key or _given_key.get()
    if given is not None and len(given) > LONGEST_KEY:
        raise KeyTooLong(
            f"an idempotency key has at most {LONGEST_KEY} characters; this one has {len(given)}"
        )
    outer = _running.get()
    if outer is None:
        return given or None
    # With the outer name: two commands called with one key must not find each other's nested work done.
    return f"{outer.key}/{outer.name}/{key or digest.hex()[:16]}"


@functools.cache
def _result_type(service: Callable[..., R]) -> TypeAdapter[R]:
    return TypeAdapter(get_type_hints(service).get("return", Any))


# Two tables and one way to PostgreSQL: neither row asks for the other.
REMEMBER = """
WITH carried_out AS (
  INSERT INTO foundation_commandrun (id, client_id, name, key, request_hash, result, user_id)
  VALUES (%(run)s, %(client)s, %(name)s, %(key)s, %(hash)s, %(result)s::jsonb, %(user)s)
)
INSERT INTO foundation_auditevent
  (id, client_id, user_id, on_behalf_id, verb, subject_kind, subject_id, detail, xact)
VALUES (%(event)s, %(client)s, %(user)s, %(behalf)s, %(name)s, %(kind)s, %(subject)s, %(detail)s::jsonb, 0)
"""


def _remember(
    scope: Scope, name: str, key: str, digest: bytes, request: Any, result: Any, subject: str | None
) -> None:
    """That the command was carried out, and its row in the audit trail, whose trigger stamps who and when."""
    kind, _, subject_id = (subject or "").partition(":")
    with connection.cursor() as cursor:
        cursor.execute(
            REMEMBER,
            {
                "run": uuid7(),
                "event": uuid7(),
                "client": scope.client_id,
                "name": name,
                "key": key,
                "hash": digest,
                "result": None if result is None else json.dumps(result),
                "user": scope.user.id,
                "behalf": scope.on_behalf.id if scope.on_behalf else None,
                "kind": kind,
                "subject": UUID(subject_id) if subject_id else None,
                "detail": json.dumps({"request": request, "result": result, "key": key}),
            },
        )
