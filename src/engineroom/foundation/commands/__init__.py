"""Commands: the only way the world changes. Permission, scope, the change, the audit row, the jobs it sets off.

    @command("payroll.approve")
    def approve_pay_run(run_id: UUID, *, content_hash: str) -> Approved: ...

A command runs inside `acting(user, write=client)`. It takes plain values (ids, dates, texts, integers), never rows, and
returns a frozen dataclass, its receipt: both are JSON, so the same key gives the same answer, and the same key with
another request is a conflict. A command called by a command runs under the outer one's key.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, get_type_hints
from uuid import UUID

from django.db import connection
from pydantic import TypeAdapter

from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.scope import Scope, current_scope
from engineroom.kernel.errors import Conflict, NotPermitted
from engineroom.kernel.ids import uuid7

P = ParamSpec("P")
R = TypeVar("R")


class KeyReused(Conflict):
    """The idempotency key was used before with another request."""

    def __init__(self, name: str, key: str) -> None:
        super().__init__(f"{name}: the key {key!r} was used before with a different request; use a new key")


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

_json = TypeAdapter(Any)


def command(permission: str, *, name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a service as a command: `<room>.<function>` unless named otherwise.

    The caller may pass `key=` for idempotency. Raises NotPermitted, KeyReused, or what the service raises; then nothing
    of it remains, because the whole of `acting` rolls back.
    """

    def register(service: Callable[P, R]) -> Callable[P, R]:
        registered = name or f"{service.__module__.split('.')[1]}.{service.__name__}"
        signature = inspect.signature(service)

        @functools.wraps(service)
        def run(*args: Any, key: str | None = None, **kwargs: Any) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return _carry_out(registered, permission, service, dict(bound.arguments), key)

        if registered in REGISTRY:
            raise RuntimeError(f"two commands are called {registered}")
        REGISTRY[registered] = Command(registered, permission, (service.__doc__ or "").split("\n")[0], run)
        return run

    return register


def _carry_out(name: str, permission: str, service: Callable[..., R], arguments: dict[str, Any], key: str | None) -> R:
    scope = current_scope()
    _check(scope, name, permission)
    request = _json.dump_python(arguments, mode="json")
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()
    key = _key(name, digest, key)
    result_type: TypeAdapter[R] = _result_type(service)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"command:{scope.client_id}:{name}:{key}"]
        )
        cursor.execute(
            "SELECT request_hash, result FROM foundation_commandrun WHERE client_id = %s AND name = %s AND key = %s",
            [scope.client_id, name, key],
        )
        before = cursor.fetchone()
    if before:
        if bytes(before[0]) != digest:
            raise KeyReused(name, key)
        return result_type.validate_json(before[1]) if isinstance(before[1], str) else result_type.validate_python(before[1])
    token = _running.set(_Running(name, key))
    try:
        result = service(**arguments)
    finally:
        _running.reset(token)
    _remember(scope, name, key, digest, request, result_type.dump_python(result, mode="json"))
    return result


def _check(scope: Scope, name: str, permission: str) -> None:
    """The system acts for whoever set the job off; that one was checked then."""
    if scope.user.kind == "system" and scope.on_behalf is not None:
        return
    if scope.user.kind == "system" and permission.endswith(".system"):
        return
    if not may(scope.roles.get(scope.client_id, frozenset()), permission):
        raise NotPermitted(f"{scope.user.email} may not {name} here: it needs the permission {permission}")


def _key(name: str, digest: bytes, key: str | None) -> str:
    outer = _running.get()
    if outer is None:
        return key or str(uuid7())
    return f"{outer.key}/{key or digest.hex()[:16]}"


@functools.cache
def _result_type(service: Callable[..., R]) -> TypeAdapter[R]:
    return TypeAdapter(get_type_hints(service).get("return", Any))


def _remember(scope: Scope, name: str, key: str, digest: bytes, request: Any, result: Any) -> None:
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.commands.models import CommandRun

    CommandRun.objects.create(
        client_id=scope.client_id, name=name, key=key, request_hash=digest, result=result, user_id=scope.user.id
    )
    subject = result.get("subject") if isinstance(result, dict) else None
    kind, _, subject_id = (subject or "").partition(":")
    audit.record(
        name,
        subject_kind=kind,
        subject_id=UUID(subject_id) if subject_id else None,
        detail={"request": request, "result": result, "key": key},
    )
