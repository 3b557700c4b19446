"""`acting`: who is at work, on whose behalf, which clients may be read and which one written.

The scope lives in the outermost transaction, set by one SQL function before any savepoint and locally to that
transaction: a session-level setting leaks through a connection pool (6 of 20 checkouts, measured). The
function checks the grants again, in the database, so a scope nobody granted cannot be entered by a forgotten
`if`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction
from django.db.utils import DatabaseError

from engineroom.kernel.errors import EngineroomError, NotPermitted


class OutsideActing(EngineroomError):
    """Code that needs a scope ran outside `acting`. A programmer's error, not a user's."""

    status = 500


@dataclass(frozen=True, slots=True)
class Identity:
    """A known, authenticated somebody. kind: staff, worker, client, employee or system."""

    id: UUID
    email: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What `acting` opened: constant for the transaction.

    roles are the user's own by client, never those of the one on whose behalf; the system has none of its
    own, so a job that it runs on somebody's behalf has theirs.
    """

    user: Identity
    on_behalf: Identity | None
    face: str
    read: tuple[UUID, ...]
    write: UUID | None
    roles: Mapping[UUID, frozenset[str]] = field(default_factory=dict)

    @property
    def client_id(self) -> UUID:
        """The one client that may be written."""
        if self.write is None:
            raise OutsideActing("this scope may read but not write; open acting(..., write=client)")
        return self.write


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


def current_scope() -> Scope:
    scope = _scope.get()
    if scope is None:
        raise OutsideActing("no scope: this runs only inside `with acting(user, write=client)`")
    return scope


FACE_OF_KIND = {"staff": "firm", "worker": "work", "client": "client", "employee": "self", "system": "firm"}


@contextmanager
def acting(
    user: Identity,
    *,
    read: Iterable[UUID] = (),
    write: UUID | None = None,
    on_behalf: Identity | None = None,
) -> Iterator[Scope]:
    """Open the transaction in which `user` works. Commits at the end, rolls back on any error.

    Raises NotPermitted when the user (and the one on whose behalf) holds no live grant on one of the clients.
    """
    readable = tuple(dict.fromkeys([*read, *([write] if write else [])]))
    face = FACE_OF_KIND[user.kind]
    with transaction.atomic(durable=True):
        roles = _enter(user, on_behalf, face, readable, write)
        scope = Scope(user, on_behalf, face, readable, write, roles)
        token = _scope.set(scope)
        try:
            yield scope
        finally:
            _scope.reset(token)


def _enter(
    user: Identity, on_behalf: Identity | None, face: str, read: tuple[UUID, ...], write: UUID | None
) -> dict[UUID, frozenset[str]]:
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                "SELECT client_id, roles FROM app_enter(%s, %s, %s, %s, %s)",
                [user.id, on_behalf.id if on_behalf else None, face, list(read), write],
            )
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) == "ER403":
                raise NotPermitted(str(error.__cause__).splitlines()[0]) from error
            raise
        return {client: frozenset(roles) for client, roles in cursor.fetchall()}
