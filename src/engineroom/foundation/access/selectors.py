"""Questions about users and grants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.utils import timezone

from engineroom.foundation import prepared
from engineroom.foundation.access.models import Grant, User
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.access.sign_in import clients_of
from engineroom.foundation.dated import is_over, lives_on
from engineroom.foundation.tenancy.models import Client, Installation
from engineroom.foundation.tenancy.scope import FACE_OF_KIND, Identity, acting, current_scope


def my_clients() -> Sequence[Client]:
    """The clients on which the acting user holds a live grant, house first, then by code."""
    user = current_scope().user
    if FACE_OF_KIND[user.kind] != "firm":
        # They see no grants, and are told their own clients by a function of PostgreSQL's.
        mine = (client for client, _ in clients_of(user))
        return [client for client in mine if user.clients is None or client.id in user.clients]
    today = timezone.now().date()  # PostgreSQL's current_date: both keep UTC
    live = Grant.objects.filter(lives_on(today), user_id=user.id)
    granted = Client.objects.filter(id__in=live.values("of_client_id"))
    if user.clients is not None:
        granted = granted.filter(id__in=user.clients)
    return list(granted.order_by("-is_house", "code"))


def client_named(user: Identity, code: str, *, faces: Collection[str] = ("firm",)) -> Client:
    """The client with that code, if the user may see it. Opens its own scope. Raises NotFound.

    faces: whose it is to ask. What the firm's people look at is not shown to a client's own people by
    default, even where row security would let them read it: their pages show them less.
    """
    from engineroom.kernel.errors import NotFound

    if FACE_OF_KIND[user.kind] in faces:
        with acting(user):
            for client in my_clients():
                if client.code.lower() == code.lower():
                    return client
    raise NotFound(f"there is no client {code!r} that {user.email} may see")


def installation() -> Installation | None:
    return Installation.objects.first()


def user_by_email(email: str) -> User | None:
    return User.objects.filter(email__iexact=email).first()


HOLDERS = """
SELECT u.id, u.email, u.name, u.kind, u.is_active FROM foundation_user u
WHERE u.is_active AND u.id IN (
  SELECT g.user_id FROM foundation_grant g WHERE g.of_client_id = %(client)s AND g.role = ANY(%(roles)s)
    AND g.starts <= %(today)s AND (g.ends IS NULL OR g.ends >= %(today)s))
ORDER BY u.name
"""


def holders_of(permission: str, client_id: UUID) -> Sequence[User]:
    """Active users with a live grant on the client whose role includes the permission, by name."""
    roles = [name for name, role in ROLES.items() if role.may(permission)]
    asked = {"client": client_id, "roles": roles, "today": timezone.now().date()}
    return [
        User(id=key, email=email, name=name, kind=kind, is_active=active)
        for key, email, name, kind, active in prepared.rows(HOLDERS, asked)
    ]


def grants_on(client_id: UUID) -> Sequence[Grant]:
    """Every grant that there was on a client, with its user and who gave it; the live ones first, by name."""
    today = timezone.now().date()
    found = Grant.objects.filter(of_client_id=client_id).select_related("user", "granted_by")
    return sorted(found, key=lambda g: (is_over(g, today), g.user.name, g.role, g.starts))
