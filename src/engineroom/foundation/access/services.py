"""Users, tokens and grants: who somebody is, and giving and taking rights."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

from django.db import connection
from django.utils import timezone

from engineroom.foundation.access.models import Grant, Token, User
from engineroom.foundation.access.roles import may
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, acting, current_scope
from engineroom.kernel.errors import EngineroomError, NotFound, NotPermitted


class NotAuthenticated(EngineroomError):
    """The token is unknown, expired or revoked, or its user was switched off."""

    status = 401


def authenticate(token: str, email: str | None = None) -> Identity:
    """Who holds this token. Raises NotAuthenticated; never says which of the reasons it was."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, email, name, kind FROM app_authenticate(%s)", [hashlib.sha256(token.encode()).digest()]
        )
        row = cursor.fetchone()
    if row is None or (email is not None and row[1].lower() != email.lower()):
        raise NotAuthenticated("the token is not valid for that user; issue a new one with: engineroom token issue EMAIL")
    return Identity(*row)


@lru_cache(maxsize=1)
def system_user() -> Identity:
    """The system itself: it acts for whoever set a job off, and seals."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, email, name, kind FROM app_system_user()")
        row = cursor.fetchone()
    if row is None:
        raise NotFound("this database has no system user; run: engineroom init")
    return Identity(*row)


def identity(user_id: UUID) -> Identity:
    """An active user by id, for jobs that act on somebody's behalf. Raises NotFound."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, email, name, kind FROM app_identity(%s)", [user_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no active user {user_id}")
    return Identity(*row)


def clients_with_unsealed_events() -> list[UUID]:
    """Which clients have audit events waiting for the sealer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_unsealed_clients()")
        return [row[0] for row in cursor.fetchall()]


def all_client_ids() -> list[UUID]:
    """Every client of the installation, for the system's own work."""
    with acting(system_user()):
        return list(Client.objects.order_by("id").values_list("id", flat=True))


@dataclass(frozen=True)
class TokenIssued:
    """The token's text is in no table: only this receipt has it, and the receipt is not kept."""

    token_id: UUID
    token: str


def issue_token(user_id: UUID, *, days: int = 365, label: str = "") -> TokenIssued:
    """Issue a token to oneself, or, with foundation.admin, to anybody.

    Not a command: a command keeps its receipt, and a token must not be kept. It writes its own audit event.
    """
    scope = current_scope()
    if user_id != scope.user.id and not may(scope.roles.get(scope.client_id, frozenset()), "foundation.admin"):
        raise NotPermitted("a token for somebody else needs the permission foundation.admin")
    text = "er_" + secrets.token_urlsafe(32)
    row = Token.objects.create(
        user_id=user_id,
        sha256=hashlib.sha256(text.encode()).digest(),
        label=label,
        expires_at=timezone.now() + timedelta(days=days),
    )
    audit.record("foundation.issue_token", subject_kind="token", subject_id=row.id, detail={"user": str(user_id), "days": days})
    return TokenIssued(row.id, text)


@dataclass(frozen=True)
class Granted:
    grant_id: UUID
    user_id: UUID
    role: str

    @property
    def subject(self) -> str:
        return f"grant:{self.grant_id}"


@command("foundation.grant", name="foundation.grant")
def grant(
    user_id: UUID, role: str, *, starts: date, reason: str, ends: date | None = None, on_client_id: UUID | None = None
) -> Granted:
    """Give a user a role on the client being written; from the house client, on any client.

    Nobody grants to themselves: PostgreSQL refuses it.
    """
    here = current_scope().client_id
    target = on_client_id or here
    if target != here and not Client.objects.filter(id=here, is_house=True).exists():
        raise NotPermitted("grants on another client are given from the house client")
    row = Grant.objects.create(
        user_id=user_id,
        of_client_id=target,
        role=role,
        starts=starts,
        ends=ends,
        reason=reason,
        granted_by_id=current_scope().user.id,
    )
    return Granted(row.id, user_id, role)


@command("foundation.grant", name="foundation.end_grant")
def end_grant(grant_id: UUID, *, ends: date, reason: str) -> Granted:
    """End a grant on a day; it is kept, with its end."""
    row = Grant.objects.filter(id=grant_id, of_client_id=current_scope().client_id).first()
    if row is None:
        raise NotFound(f"there is no grant {grant_id} on this client")
    row.ends = ends
    row.reason = f"{row.reason}; ended: {reason}"[:500]
    row.save(update_fields=["ends", "reason"])
    return Granted(row.id, row.user_id, row.role)


@dataclass(frozen=True)
class UserMade:
    user_id: UUID
    email: str

    @property
    def subject(self) -> str:
        return f"user:{self.user_id}"


@command("foundation.admin", name="foundation.create_user")
def create_user(email: str, name: str, *, kind: str = "staff") -> UserMade:
    """Make a user who can do nothing until somebody grants them a role."""
    user = User(email=email.lower(), name=name, kind=kind)
    user.set_unusable_password()
    user.full_clean(exclude=["password"])
    user.save()
    return UserMade(user.id, user.email)


@command("foundation.admin", name="foundation.switch_off_user")
def switch_off_user(user_id: UUID, *, reason: str) -> UserMade:
    """Revoke every token and stop every sign-in, at once. Grants stay as history."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    user.is_active = False
    user.save(update_fields=["is_active"])
    Token.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=timezone.now())
    return UserMade(user.id, user.email)


@dataclass(frozen=True)
class ClientOpened:
    client_id: UUID
    code: str

    @property
    def subject(self) -> str:
        return f"client:{self.client_id}"


@command("foundation.admin", name="foundation.open_client")
def open_client(code: str, name: str, *, details: dict[str, str], currency: str = "GBP") -> ClientOpened:
    """Add a client. Run with the house client as write; grants on the new client follow separately."""
    row = Client.objects.create(code=code, name=name, details=details, currency=currency)
    return ClientOpened(row.id, row.code)
