"""The first rows of an installation: the system user, the firm's own client, its first owner.

Runs once, as the database's owner, because nobody can grant the first grant.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from engineroom.foundation.access.secret_key import ensure_secret_key
from engineroom.kernel.errors import Conflict
from engineroom.kernel.ids import uuid7


@dataclass(frozen=True)
class Installed:
    """The house client, the first owner, and the owner's token: shown once, never stored."""

    house_client_id: UUID
    owner_id: UUID
    token: str


def install(firm_name: str, owner_email: str, owner_name: str, *, is_demo: bool = False) -> Installed:
    """Make the installation. Raises Conflict when there is one already."""
    if not os.environ.get("ENGINEROOM_SECRET_KEY"):
        settings.SECRET_KEY = ensure_secret_key(settings.HOME)
    house, system, owner = uuid7(), uuid7(), uuid7()
    owner_email = owner_email.lower()
    token = "er_" + secrets.token_urlsafe(32)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT set_config('app.face', 'firm', true)")
        cursor.execute("SELECT count(*) FROM foundation_installation")
        if cursor.fetchone()[0]:
            raise Conflict("this database is installed already")
        cursor.execute(
            "INSERT INTO foundation_installation (id, firm_name, is_demo) VALUES (%s, %s, %s)",
            [uuid7(), firm_name, is_demo],
        )
        cursor.execute(
            "INSERT INTO foundation_client (id, code, name, is_house, jurisdiction, currency, details) "
            "VALUES (%s, 'HOUSE', %s, true, 'gb', 'GBP', '{}')",
            [house, firm_name],
        )
        cursor.executemany(
            "INSERT INTO foundation_user (id, email, name, kind, is_active) VALUES (%s, %s, %s, %s, true)",
            [
                (system, "system@engineroom.invalid", "The system", "system"),
                (owner, owner_email, owner_name, "staff"),
            ],
        )
        cursor.executemany(
            "INSERT INTO foundation_grant (id, user_id, of_client_id, role, starts, reason) "
            "VALUES (%s, %s, %s, %s, %s, 'first owner of the installation')",
            [(uuid7(), owner, house, role, timezone.now().date()) for role in ("owner", "admin")],
        )
        cursor.execute(
            "INSERT INTO foundation_token (id, user_id, sha256, label) VALUES (%s, %s, %s, 'first')",
            [uuid7(), owner, hashlib.sha256(token.encode()).digest()],
        )
    return Installed(house, owner, token)
