"""Questions about the audit trail: what was done or read, by whom, and how far it is sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id


@dataclass(frozen=True)
class EventView:
    """One thing done or read. seal_no: its place in the chain; None until it is sealed."""

    id: UUID
    at: datetime
    who: str
    email: str
    on_behalf: str
    verb: str
    subject_kind: str
    subject_id: UUID | None
    detail: dict[str, Any]
    seal_no: int | None
    sealed_at: datetime | None
    hash: str

    @property
    def is_read(self) -> bool:
        return self.verb == "read"


EVENTS = """
SELECT e.id, e.at, coalesce(u.name, '') AS who, coalesce(u.email, '') AS email,
  coalesce(b.name, '') AS on_behalf, e.verb, e.subject_kind, e.subject_id, e.detail::text AS detail,
  s.seal_no, s.sealed_at, coalesce(encode(s.hash, 'hex'), '') AS hash
FROM foundation_auditevent e
LEFT JOIN foundation_user u ON u.id = e.user_id
LEFT JOIN foundation_user b ON b.id = e.on_behalf_id
LEFT JOIN foundation_auditseal s ON s.client_id = e.client_id AND s.id = e.id
WHERE e.client_id = %(client)s
  AND (%(event)s::uuid IS NULL OR e.id = %(event)s)
  AND (%(verb)s::text = '' OR e.verb = %(verb)s)
  AND (%(subject_kind)s::text = '' OR e.subject_kind = %(subject_kind)s)
  AND (%(subject_id)s::uuid IS NULL OR e.subject_id = %(subject_id)s)
  AND (%(since)s::date IS NULL OR e.at >= %(since)s::date)
  AND (%(until)s::date IS NULL OR e.at < %(until)s::date + 1)
  AND (%(who)s::text = '' OR e.user_id = ANY(%(users)s) OR e.on_behalf_id = ANY(%(users)s))
"""
"""For `listing.read_slice`: the first column orders it. Days are UTC's, as the moments are."""


def make_event(*row: Any) -> EventView:
    made = EventView(*row)
    return replace(made, detail=json.loads(row[8]))


def asked(
    *,
    event: UUID | None = None,
    who: str = "",
    verb: str = "",
    subject_kind: str = "",
    subject_id: UUID | None = None,
    since: date | None = None,
    until: date | None = None,
) -> dict[str, Any]:
    """What EVENTS is asked with. who: a part of a name or an address."""
    return {
        "client": current_client_id(),
        "event": event,
        "who": who,
        "users": users_called(who) if who else [],
        "verb": verb,
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "since": since,
        "until": until,
    }


def users_called(text: str) -> list[UUID]:
    """Users with the text in their name or address, at most a hundred."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM foundation_user WHERE position(lower(%s) in lower(name || ' ' || email)) > 0 "
            "ORDER BY name LIMIT 100",
            [text],
        )
        return [row[0] for row in cursor.fetchall()]


def event(event_id: UUID) -> EventView | None:
    with connection.cursor() as cursor:
        cursor.execute(EVENTS, asked(event=event_id))
        row = cursor.fetchone()
    return make_event(*row) if row else None


@dataclass(frozen=True)
class Sealed:
    """How far the chain goes, and how many events wait for their seal."""

    seal_no: int
    sealed_at: datetime | None
    waiting: int


def sealed() -> Sealed:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seal_no, sealed_at FROM foundation_auditseal WHERE client_id = %s "
            "ORDER BY seal_no DESC LIMIT 1",
            [current_client_id()],
        )
        seal_no, at = cursor.fetchone() or (0, None)
        cursor.execute(
            "SELECT count(*) FROM foundation_auditunsealed WHERE client_id = %s", [current_client_id()]
        )
        (waiting,) = cursor.fetchone()
    return Sealed(seal_no, at, waiting)
