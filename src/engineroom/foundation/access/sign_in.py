"""The door: how somebody who is nobody yet becomes a user, and changes their own password.

Before sign-in the program sees no user. Two functions of PostgreSQL's hand out exactly one active user, by
exact address or by id, with the password's hash to check against. A password is written by a third one, for
the acting user alone, who must show the hash that stands: it is compared and swapped.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any, overload
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpRequest

from engineroom.foundation.access.models import User
from engineroom.foundation.access.roles import may
from engineroom.foundation.access.services import only_at_home
from engineroom.foundation.audit import services as audit
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, current_scope
from engineroom.kernel.errors import InputRefused, NotFound, NotPermitted, Problem

_USER_COLUMNS = ["id", "email", "name", "kind", "is_active"]


def user_at_the_door(*, email: str | None = None, user_id: UUID | str | None = None) -> User | None:
    """One active person with their password's hash; None for anybody else, the system included."""
    with connection.cursor() as cursor:
        if email is not None:
            cursor.execute("SELECT * FROM app_door(%s)", [email.strip().lower()])
        else:
            cursor.execute("SELECT * FROM app_door_of(%s)", [user_id])
        row = cursor.fetchone()
    if row is None:
        return None
    user: User = User.from_db("default", _USER_COLUMNS, [*row[:4], True])
    user.password, user.last_login = row[4], row[5]
    return user


def identity_of(user: User) -> Identity:
    return Identity(user.id, user.email, user.name, user.kind)


class Door(BaseBackend):
    """Django's and allauth's way to users. A switched-off user is out with their next request."""

    def authenticate(
        self,
        request: HttpRequest | None,
        email: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        if not email or not password:
            return None
        user = user_at_the_door(email=email)
        if user is None or not user.has_usable_password():
            make_password(password)  # as long as a check takes: the time does not tell who is known
            return None
        return user if user.check_password(password) else None

    def get_user(self, user_id: Any) -> User | None:
        return user_at_the_door(user_id=user_id)


def change_password(user: User, raw_password: str) -> None:
    """Set the acting user's own password. Inside `acting`; `user` comes from the door.

    Every session of the user ends, except one that the caller keeps: a session carries the hash's digest.
    """
    if user.id != current_scope().user.id:
        raise NotPermitted("a password is changed by its own user only")
    try:
        validate_password(raw_password, user)
    except ValidationError as error:
        raise InputRefused(
            [Problem(text, "Choose another", field="password") for text in error.messages]
        ) from None
    hashed = make_password(raw_password)
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_change_password(%s, %s)", [user.password, hashed])
    user.password = hashed


def record_sign_in() -> None:
    """Note when the acting user signed in."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_signed_in()")


class _Invitations(PasswordResetTokenGenerator):
    """Single use: the token holds the password's hash and the last sign-in, and dies when either changes."""

    key_salt = "engineroom.invitation"


_invitations = _Invitations()


def invite(user_id: UUID) -> str:
    """A single-use token with which the user sets a password. Needs foundation.admin on the house client.

    Not a command: a command keeps its receipt, and the token must not be kept.
    """
    scope = current_scope()
    if not may(scope.roles.get(scope.client_id, frozenset()), "foundation.admin"):
        raise NotPermitted("an invitation needs the permission foundation.admin on the house client")
    only_at_home("users are invited")
    user = user_at_the_door(user_id=user_id)
    if user is None:
        raise NotFound(f"there is no active user {user_id}")
    audit.record("foundation.invite", subject_kind="user", subject_id=user.id, detail={"user": user.email})
    return _invitations.make_token(user)


def invited(user_id: UUID, token: str) -> User | None:
    """The user whom this token invites, if it is not used, too old or another's."""
    user = user_at_the_door(user_id=user_id)
    return user if user is not None and _invitations.check_token(user, token) else None


MY_COLUMNS = ["id", "code", "name", "is_house", "jurisdiction", "currency"]
"""What every page knows of every client; the others of the one it is about are read when they are needed."""

MY_CLIENTS = f"SELECT {', '.join(MY_COLUMNS)}, roles FROM app_clients_of(%s)"  # noqa: S608 the names are ours


class MyClients(Sequence[tuple[Client, frozenset[str]]]):
    """The clients on which a user holds live grants, with the roles; the house first, then by code.

    Every page is given all of them and shows a few: a client of 200 becomes an object when it is looked at.
    """

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._made: dict[int, tuple[Client, frozenset[str]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> tuple[Client, frozenset[str]]: ...
    @overload
    def __getitem__(self, place: slice) -> list[tuple[Client, frozenset[str]]]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self[n] for n in range(*place.indices(len(self._rows)))]
        if (made := self._made.get(place)) is None:
            row = self._rows[place]
            made = self._made[place] = (Client.from_db("default", MY_COLUMNS, row[:-1]), frozenset(row[-1]))
        return made

    @property
    def ids(self) -> list[UUID]:
        return [row[0] for row in self._rows]

    @cached_property
    def roles(self) -> frozenset[str]:
        """All that the user is anywhere."""
        return frozenset().union(*(row[-1] for row in self._rows))

    @cached_property
    def _places(self) -> dict[UUID, int]:
        return {row[0]: n for n, row in enumerate(self._rows)}

    def of(self, client_id: UUID) -> Client:
        """The client of this id. Raises KeyError for one on which the user holds nothing."""
        return self[self._places[client_id]][0]

    def called(self, code: str) -> tuple[Client, frozenset[str]] | None:
        """The client of this code, however it is spelled."""
        lower = code.lower()
        return next((self[n] for n, row in enumerate(self._rows) if row[1].lower() == lower), None)

    @property
    def house(self) -> tuple[Client, frozenset[str]] | None:
        return self[0] if self._rows and self._rows[0][3] else None

    def first_with(self, roles: Collection[str]) -> UUID | None:
        """The first client on which the user holds one of these roles."""
        return next((row[0] for row in self._rows if not set(roles).isdisjoint(row[-1])), None)


def clients_of(user: Identity) -> MyClients:
    """The clients on which this user holds live grants, asked now."""
    with connection.cursor() as cursor:
        cursor.execute(MY_CLIENTS, [user.id])
        return MyClients(cursor.fetchall())
