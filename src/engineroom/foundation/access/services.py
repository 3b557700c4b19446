"""Users, tokens and grants: who somebody is, and giving and taking rights."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from engineroom.foundation.access.models import KINDS, Grant, Token, User
from engineroom.foundation.access.roles import ROLES, VERBS
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, acting, current_scope
from engineroom.kernel.errors import (
    Conflict,
    EngineroomError,
    InputRefused,
    NotFound,
    NotPermitted,
    Problem,
    reason_given,
    too_long,
)

LONGEST_TOKEN_DAYS = 366


class NotAuthenticated(EngineroomError):
    """The token is unknown, expired or revoked, or its user was switched off."""

    status = 401


def _limits(of: list[Any] | None) -> frozenset[Any] | None:
    return None if of is None else frozenset(of)


def authenticate(token: str, email: str | None = None) -> Identity:
    """Who holds this token. Raises NotAuthenticated; never says which of the reasons it was."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, email, name, kind, clients, verbs FROM app_authenticate(%s)",
            [hashlib.sha256(token.encode()).digest()],
        )
        row = cursor.fetchone()
    if row is None or (email is not None and row[1].lower() != email.lower()):
        raise NotAuthenticated(
            "the token is not valid for that user; issue a new one with: engineroom token issue EMAIL"
        )
    user_id, held_by, name, kind, clients, verbs = row
    return Identity(user_id, held_by, name, kind, _limits(clients), _limits(verbs))


@lru_cache(maxsize=1)
def system_user() -> Identity:
    """The system itself: it acts for whoever set a job off, and seals."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, email, name, kind FROM app_system_user()")
        row = cursor.fetchone()
    if row is None:
        raise NotFound("this database has no system user; run: engineroom init")
    return Identity(*row)


def identity(user_id: UUID, limits: Mapping[str, list[str] | None] | None = None) -> Identity:
    """An active user by id, for jobs that act on somebody's behalf. Raises NotFound.

    limits: as `Identity.limits` gave them, of whoever came with a narrowed token.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, email, name, kind FROM app_identity(%s)", [user_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no active user {user_id}")
    clients, verbs = (limits["clients"], limits["verbs"]) if limits else (None, None)
    return replace(
        Identity(*row),
        clients=None if clients is None else frozenset(map(UUID, clients)),
        verbs=_limits(verbs),
    )


def clients_with_unsealed_events() -> list[UUID]:
    """Which clients have audit events waiting for the sealer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_unsealed_clients()")
        return [row[0] for row in cursor.fetchall()]


def all_client_ids() -> list[UUID]:
    """Every client of the installation, for the system's own work."""
    with acting(system_user()):
        return list(Client.objects.order_by("id").values_list("id", flat=True))


def _holds(permission: str) -> bool:
    return current_scope().may(permission, current_scope().client_id)


def _at_home() -> bool:
    """Whether the client being written is the house: what concerns the whole firm is decided there alone.

    An admin of one client is not an admin of the firm.
    """
    return Client.objects.filter(id=current_scope().client_id, is_house=True).exists()


def only_at_home(what: str) -> None:
    if not _at_home():
        raise NotPermitted(f"{what} from the house client only")


@dataclass(frozen=True)
class TokenIssued:
    """The token's text is in no table: only this receipt has it, and the receipt is not kept."""

    token_id: UUID
    token: str


def issue_token(
    user_id: UUID,
    *,
    days: int = 365,
    label: str = "",
    clients: Sequence[UUID] | None = None,
    verbs: Sequence[str] | None = None,
) -> TokenIssued:
    """Issue a token to oneself, or, with foundation.admin on the house client, to anybody but the system.

    clients, verbs: what the token is narrowed to, never beyond the user's grants; None is all of them.

    Not a command: a command keeps its receipt, and a token must not be kept. It writes its own audit event.
    """
    scope = current_scope()
    if user_id != scope.user.id and not (_holds("foundation.admin") and _at_home()):
        raise NotPermitted(
            "a token for somebody else needs the permission foundation.admin on the house client"
        )
    _whole_tokens_only()
    _check_limits(clients, verbs)
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        raise Conflict(f"a token lives 1 to {LONGEST_TOKEN_DAYS} days, not {days}")
    if not User.objects.filter(id=user_id, is_active=True).exclude(kind="system").exists():
        raise NotFound(f"there is no active user {user_id}")
    text = "er_" + secrets.token_urlsafe(32)
    row = Token.objects.create(
        user_id=user_id,
        sha256=hashlib.sha256(text.encode()).digest(),
        label=label,
        expires_at=timezone.now() + timedelta(days=days),
        clients=None if clients is None else sorted(set(clients)),
        verbs=None if verbs is None else sorted(set(verbs)),
    )
    audit.record(
        "foundation.issue_token",
        subject_kind="token",
        subject_id=row.id,
        detail={
            "user": str(user_id),
            "days": days,
            "clients": None if clients is None else sorted(map(str, clients)),
            "verbs": None if verbs is None else sorted(verbs),
        },
    )
    return TokenIssued(row.id, text)


def _whole_tokens_only() -> None:
    if current_scope().user.is_narrowed:
        raise NotPermitted("a narrowed token neither issues nor revokes tokens")


def _check_limits(clients: Sequence[UUID] | None, verbs: Sequence[str] | None) -> None:
    problems = []
    if verbs is not None and (not verbs or not set(verbs) <= set(VERBS)):
        known = ", ".join(VERBS)
        problems.append(Problem("a token is narrowed to known verbs", f"Use some of: {known}", field="verbs"))
    if clients is not None:
        found = Client.objects.filter(id__in=clients).count()
        if not clients or found != len(set(clients)):
            problems.append(
                Problem("a token is narrowed to clients that exist", "Check the codes", field="clients")
            )
    if problems:
        raise InputRefused(problems)


def revoke_token(token_id: UUID) -> None:
    """End a token at once: one's own, or, with foundation.admin on the house client, anybody's."""
    _whole_tokens_only()
    row = Token.objects.filter(id=token_id).first()
    own = row is not None and row.user_id == current_scope().user.id
    if row is None or not (own or (_holds("foundation.admin") and _at_home())):
        raise NotFound(f"there is no token {token_id} that you may revoke")
    Token.objects.filter(id=token_id, revoked_at=None).update(revoked_at=timezone.now())
    audit.record(
        "foundation.revoke_token", subject_kind="token", subject_id=row.id, detail={"user": str(row.user_id)}
    )


@dataclass(frozen=True)
class Granted:
    grant_id: UUID
    user_id: UUID
    role: str

    @property
    def subject(self) -> str:
        return f"grant:{self.grant_id}"


LONGEST_REASON = 500


@command("foundation.grant", name="foundation.grant")
def grant(
    user_id: UUID,
    role: str,
    *,
    starts: date,
    reason: str,
    ends: date | None = None,
    on_client_id: UUID | None = None,
) -> Granted:
    """Give a user a role on the client being written; an admin of the house, on any client.

    A lead grants the work of their client, not its rule: owner and admin are given by an admin of the house.
    Nobody grants to themselves: PostgreSQL refuses it, and a role of another face too.
    """
    here = current_scope().client_id
    target = on_client_id or here
    rules_the_house = _holds("foundation.admin") and _at_home()
    if target != here and not rules_the_house:
        raise NotPermitted("grants on another client are given from the house client, by an admin")
    if role in ("owner", "admin") and not rules_the_house:
        raise NotPermitted(f"the role {role} is given from the house client, by an admin")
    _check_grant(user_id, target, role, starts, ends, reason)
    row = Grant(user_id=user_id, of_client_id=target, role=role, starts=starts, ends=ends, reason=reason)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) == "ER403":
            raise NotPermitted(str(error.__cause__).splitlines()[0]) from error
        raise
    return Granted(row.id, user_id, role)


def _check_grant(
    user_id: UUID, client_id: UUID, role: str, starts: date, ends: date | None, reason: str
) -> None:
    """What PostgreSQL would refuse too, said so that a person can act on it."""
    if not Client.objects.filter(id=client_id).exists():
        raise NotFound(f"there is no client {client_id}")
    problems = switched_off(user_id)
    if role not in ROLES:
        problems.append(
            Problem(f"there is no role {role!r}", f"Use one of: {', '.join(ROLES)}", field="role")
        )
    if not reason.strip():
        problems.append(Problem("a grant needs a reason", "Say why", field="reason"))
    problems += too_long("reason", reason, LONGEST_REASON)
    if role == "auditor" and ends is None:
        problems.append(Problem("an auditor's grant ends", "Give its last day", field="ends"))
    if ends is not None and ends < starts:
        problems.append(Problem("the grant ends before it starts", "Correct one of the days", field="ends"))
    if problems:
        raise InputRefused(problems)


def switched_off(user_id: UUID) -> list[Problem]:
    """The problem, where somebody would be let in who left. Raises NotFound for nobody at all."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    if user.is_active:
        return []
    return [
        Problem(f"{user.name} is switched off", "An admin adds who comes back as a new user", field="email")
    ]


@command("foundation.grant", name="foundation.end_grant")
def end_grant(grant_id: UUID, *, ends: date, reason: str) -> Granted:
    """End a grant of this client on a day; an admin of the house, of any client. It is kept, with its end."""
    found = Grant.objects.filter(id=grant_id)
    if not (_holds("foundation.admin") and _at_home()):
        found = found.filter(of_client_id=current_scope().client_id)
    row = found.first()
    if row is None:
        raise NotFound(f"there is no grant {grant_id} on this client")
    if row.ends is not None and ends > row.ends:
        raise Conflict(f"this grant ends on {row.ends} already; more time is a new grant with its own reason")
    row.ends = ends
    row.reason = f"{row.reason}; ended: {reason_given(reason, LONGEST_REASON)}"
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
    """Make a user who can do nothing until somebody grants them a role. There is never a second system."""
    only_at_home("users are made")
    if kind not in KINDS or kind == "system":
        kinds = ", ".join(k for k in KINDS if k != "system")
        raise InputRefused(
            [Problem(f"there is no user of kind {kind!r}", f"Use one of: {kinds}", field="kind")]
        )
    user = User(email=email.lower(), name=name, kind=kind)
    _refuse_invalid(user, exclude=[])
    user.save(force_insert=True)
    return UserMade(user.id, user.email)


@command("foundation.admin", name="foundation.switch_off_user")
def switch_off_user(user_id: UUID, *, reason: str) -> UserMade:
    """Revoke every token and stop every sign-in, at once. Grants stay as history. The system stays on.

    Nobody switches themselves off, nor anybody the last admin: PostgreSQL refuses it too.
    """
    only_at_home("users are switched off")
    if user_id == current_scope().user.id:
        raise NotPermitted("nobody switches themselves off: another admin does")
    user = User.objects.filter(id=user_id).exclude(kind="system").first()
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
    only_at_home("clients are opened")
    row = Client(code=code, name=name, details=details, currency=currency)
    _refuse_invalid(row, exclude=["details"])
    row.save(force_insert=True)
    return ClientOpened(row.id, row.code)


PRINTED_OF_A_CLIENT = (
    "address",
    "city",
    "post_code",
    "country",
    "company_number",
    "vat_number",
    "paye_reference",
    "endpoint",
    "email",
    "sort_code",
    "account_number",
    "iban",
)
"""What is printed of a client, or said of it in e-invoices. endpoint: its electronic address, scheme:number.
"""


@dataclass(frozen=True)
class ClientDescribed:
    client_id: UUID
    details: dict[str, str]

    @property
    def subject(self) -> str:
        return f"client:{self.client_id}"


@command("foundation.admin", name="foundation.describe_client")
def describe_client(code: str, details: dict[str, str]) -> ClientDescribed:
    """Say what is printed of a client: what is named is changed, or let go where it is "". What was issued
    stays as it was; whoever says it is a maker of the next bill runs. Run with the house client as write.
    """
    only_at_home("clients are described")
    row = Client.objects.select_for_update().filter(code=code).first()
    if row is None:
        raise NotFound(f"there is no client {code}")
    known = ", ".join(PRINTED_OF_A_CLIENT)
    problems = [
        Problem(f"nothing called {name!r} is printed of a client", f"Say one of {known}", field=name)
        for name in details
        if name not in PRINTED_OF_A_CLIENT
    ]
    problems += [found for name, text in details.items() for found in too_long(name, text, 500)]
    if problems:
        raise InputRefused(problems)
    said = {**row.details, **{name: text.strip() for name, text in details.items()}}
    row.details = {name: text for name, text in said.items() if text}
    row.save(update_fields=["details"])
    return ClientDescribed(row.id, row.details)


def _refuse_invalid(row: User | Client, exclude: list[str]) -> None:
    try:
        row.full_clean(exclude=exclude)
    except ValidationError as error:
        raise InputRefused(
            [
                Problem(text.rstrip("."), "Correct it", field=field)
                for field, texts in error.message_dict.items()
                for text in texts
            ]
        ) from None
