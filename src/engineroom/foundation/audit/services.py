"""Writing the audit trail, sealing it, and proving it whole.

Commands insert plain rows; a job seals committed rows a few seconds later, chained by hash per client. A
chain inside the command would make every command of a client wait for the one before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.columns import insert_columns
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.ids import uuid7

GENESIS = bytes(32)


def record(
    verb: str, *, subject_kind: str = "", subject_id: UUID | None = None, detail: dict[str, Any] | None = None
) -> None:
    """Insert one event for the acting user on the client being written."""
    scope = current_scope()
    AuditEvent.objects.create(
        client_id=scope.client_id,
        user_id=scope.user.id,
        on_behalf_id=scope.on_behalf.id if scope.on_behalf else None,
        verb=verb,
        subject_kind=subject_kind,
        subject_id=subject_id,
        detail=detail or {},
        xact=0,  # the trigger writes the real one
    )


def record_read(
    client_id: UUID, *, subject_kind: str, subject_id: UUID | None, detail: dict[str, Any]
) -> None:
    """Log that private data of a client was read. Needs only that the scope reads the client.

    The row goes through a function of PostgreSQL's that inserts nothing but reads, stamped with the scope's
    user, so that an auditor's scope, which writes nowhere, leaves its traces too.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT app_record_read(%s, %s, %s, %s, %s)",
            [uuid7(), client_id, subject_kind, subject_id, json.dumps(detail)],
        )


EVENT_COLUMNS = "e.id, e.at, e.user_id, e.on_behalf_id, e.verb, e.subject_kind, e.subject_id, e.detail"


def link(previous: bytes, row: tuple[Any, ...]) -> bytes:
    """SHA-256 of the link before and of the event's canonical JSON."""
    canonical = json.dumps(
        [_plain(v) for v in row], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(previous + canonical.encode()).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return json.loads(value) if isinstance(value, str) and value[:1] == "{" else value


def seal() -> int:
    """Chain the client's committed, unsealed events. Runs inside `acting`, writing the client.

    Takes events whose transaction is older than every running one, so no event can later appear before a
    sealed one; and events of another cluster's life (a restored backup), whose transaction ids lie in this
    one's future. Returns how many.
    """
    client = current_scope().client_id
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('audit-seal:' || %s, 0))", [str(client)]
        )
        cursor.execute(
            f"SELECT {EVENT_COLUMNS} FROM foundation_auditunsealed u "  # noqa: S608 constant columns
            "JOIN foundation_auditevent e ON e.client_id = u.client_id AND e.id = u.id "
            "WHERE u.client_id = %s AND (e.xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint "
            "  OR e.xact >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint) "
            "ORDER BY e.xact, e.id",
            [client],
        )
        events = cursor.fetchall()
        if not events:
            return 0
        cursor.execute(
            "SELECT seal_no, hash FROM foundation_auditseal WHERE client_id = %s "
            "ORDER BY seal_no DESC LIMIT 1",
            [client],
        )
        last_no, last_hash = cursor.fetchone() or (0, GENESIS)
        _insert_seals(client, events, last_no, bytes(last_hash))
        cursor.execute(
            "DELETE FROM foundation_auditunsealed WHERE client_id = %s AND id = ANY(%s)",
            [client, [row[0] for row in events]],
        )
    return len(events)


def _insert_seals(client: UUID, events: list[tuple[Any, ...]], seal_no: int, previous: bytes) -> None:
    from engineroom.foundation.audit.models import AuditSeal

    hashes = []
    for row in events:
        previous = link(previous, row)
        hashes.append(previous)
    insert_columns(
        AuditSeal,
        {
            "id": [row[0] for row in events],
            "client_id": client,
            "seal_no": [seal_no + i for i in range(1, len(events) + 1)],
            "hash": hashes,
        },
        len(events),
    )


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: links checked, the first broken one in words, events not sealed yet."""

    sealed: int
    unsealed: int
    broken: str | None

    @property
    def ok(self) -> bool:
        return self.broken is None


def verify() -> Verdict:
    """Recompute the client's chain from the events; names the first broken link and the unsealed tail."""
    client = current_scope().read[0] if current_scope().write is None else current_scope().client_id
    previous, expected, broken = GENESIS, 1, None
    # A cursor of its own: leaving the loop early closes it.
    with connection.cursor() as chain:
        chain.execute(
            f"SELECT s.seal_no, s.hash, s.id, {EVENT_COLUMNS} "  # noqa: S608 constant columns
            "FROM foundation_auditseal s "
            "LEFT JOIN foundation_auditevent e ON e.client_id = s.client_id AND e.id = s.id "
            "WHERE s.client_id = %s ORDER BY s.seal_no",
            [client],
        )
        for seal_no, digest, event_id, *row in chain:
            broken = _break(seal_no, expected, digest, event_id, tuple(row), previous)
            if broken:
                break
            previous, expected = bytes(digest), expected + 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM foundation_auditevent e WHERE client_id = %s AND NOT EXISTS "
            "(SELECT FROM foundation_auditseal s WHERE s.client_id = e.client_id AND s.id = e.id)",
            [client],
        )
        (unsealed,) = cursor.fetchone()
    return Verdict(sealed=expected - 1, unsealed=unsealed, broken=broken or _lost(client))


def _lost(client: UUID) -> str | None:
    """The first event that has no seal and does not wait for one: its seal was taken away."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id, e.verb, e.at FROM foundation_auditevent e WHERE e.client_id = %s "
            "AND NOT EXISTS (SELECT FROM foundation_auditseal s "
            "  WHERE s.client_id = e.client_id AND s.id = e.id) "
            "AND NOT EXISTS (SELECT FROM foundation_auditunsealed u "
            "  WHERE u.client_id = e.client_id AND u.id = e.id) "
            "ORDER BY e.xact, e.id LIMIT 1",
            [client],
        )
        row = cursor.fetchone()
    return row and f"event {row[0]} ({row[1]} at {row[2].isoformat()}) is not sealed and waits for no seal"


def _break(
    seal_no: int, expected: int, digest: bytes, event_id: UUID, row: tuple[Any, ...], previous: bytes
) -> str | None:
    if seal_no != expected:
        return f"seal {expected} is missing: the next one found is {seal_no}"
    if row[0] is None:
        return f"seal {seal_no} seals event {event_id}, which is gone"
    if link(previous, row) != bytes(digest):
        return (
            f"seal {seal_no} does not fit event {event_id} ({row[4]} at {row[1]}): one of the two was changed"
        )
    return None
