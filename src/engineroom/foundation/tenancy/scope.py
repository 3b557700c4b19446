"""`acting`: who is at work, on whose behalf, which clients may be read and which one written.

The scope lives in the outermost transaction, set by one SQL function before any savepoint and locally to that
transaction: a session-level setting leaks through a connection pool (6 of 20 checkouts, measured). The
function checks the grants again, in the database, so a scope nobody granted cannot be entered by a forgotten
`if`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.utils import DatabaseError

from engineroom.foundation.access import roles as rules
from engineroom.foundation.prepared import PLANNED_OF_FEW, is_of_few, planned_anew, sent_together
from engineroom.kernel.errors import EngineroomError, NotPermitted


class OutsideActing(EngineroomError):
    """Code that needs a scope ran outside `acting`. A programmer's error, not a user's."""

    status = 500


@dataclass(frozen=True, slots=True)
class Identity:
    """A known, authenticated somebody. kind: staff, worker, client, employee or system.

    clients, verbs: what the token they came with is narrowed to; None is all that their grants allow.
    """

    id: UUID
    email: str
    name: str
    kind: str
    clients: frozenset[UUID] | None = None
    verbs: frozenset[str] | None = None

    @property
    def is_narrowed(self) -> bool:
        return self.clients is not None or self.verbs is not None

    @property
    def limits(self) -> dict[str, list[str] | None] | None:
        """What the token is narrowed to, as an argument of a job: by a job nobody does more than by hand."""
        if not self.is_narrowed:
            return None
        return {
            "clients": None if self.clients is None else sorted(map(str, self.clients)),
            "verbs": None if self.verbs is None else sorted(self.verbs),
        }

    def reaches(self, client_id: UUID) -> bool:
        """Whether the token may be used for the client; the grants say whether the user may."""
        return self.clients is None or client_id in self.clients


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

    def may(self, permission: str, client_id: UUID | None = None) -> bool:
        """Whether the roles here hold the permission and the token reaches so far. Admin is for whole
        tokens: a narrowed one could otherwise issue itself a wider one.

        client_id: of several that are read; else the one that is written, or the first that is read.
        """
        room, _, verb = permission.rpartition(".")
        for who in (self.user, self.on_behalf):
            if who is None:
                continue
            if who.is_narrowed and room == "foundation" and verb not in rules.VERBS:
                return False
            if who.verbs is not None and verb not in who.verbs:
                return False
        client = client_id or self.write or next(iter(self.read), None)
        return client is not None and rules.may(self.roles.get(client, frozenset()), permission)


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


def current_scope() -> Scope:
    scope = _scope.get()
    if scope is None:
        raise OutsideActing("no scope: this runs only inside `with acting(user, write=client)`")
    return scope


def in_scope() -> bool:
    return _scope.get() is not None


FACE_OF_KIND = {"staff": "firm", "worker": "work", "client": "client", "employee": "self", "system": "firm"}


def current_client_id() -> UUID:
    """The client that the scope is about: the one it writes, else the first that it reads."""
    scope = current_scope()
    return scope.write or scope.read[0]


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
    _refuse_beyond_token(user, on_behalf, readable, write)
    with transaction.atomic(durable=True):
        roles = _enter(user, on_behalf, face, readable, write)
        scope = Scope(user, on_behalf, face, readable, write, roles)
        token = _scope.set(scope)
        try:
            with planned_anew() if write is not None else nullcontext():
                yield scope
        finally:
            _scope.reset(token)


def _refuse_beyond_token(
    user: Identity, on_behalf: Identity | None, readable: tuple[UUID, ...], write: UUID | None
) -> None:
    reaching = (user,) if on_behalf is None else (user, on_behalf)
    if any(not who.reaches(client) for who in reaching for client in readable):
        raise NotPermitted("this token is not for that client")
    if user.verbs is None:
        return
    if write is not None and user.verbs == {"read"}:
        raise NotPermitted("this token only reads")
    if write is None and readable and "read" not in user.verbs:
        raise NotPermitted("this token does not read")


def _enter(
    user: Identity, on_behalf: Identity | None, face: str, read: tuple[UUID, ...], write: UUID | None
) -> dict[UUID, frozenset[str]]:
    try:
        # In one go with the BEGIN that the driver sends ahead of it.
        with sent_together() as raw:
            entered = raw.execute(
                "SELECT client_id, roles FROM app_enter(%s, %s, %s, %s, %s)",
                [user.id, on_behalf.id if on_behalf else None, face, list(read), write],
            )
            if is_of_few():
                raw.execute(PLANNED_OF_FEW)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) == "ER403":
            raise NotPermitted(str(error.__cause__).splitlines()[0]) from error
        raise
    return {client: frozenset(roles) for client, roles in entered.fetchall()}
