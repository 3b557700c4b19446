"""Questions about makers and checkers. PostgreSQL decides who may approve; a page says so beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id


@dataclass(frozen=True)
class Maker:
    """Somebody who made part of a subject, and of which kind of part."""

    user_id: UUID
    name: str
    parts: tuple[str, ...]


def makers(subject_kind: str, subject_id: UUID) -> list[Maker]:
    """Whoever wrote the subject or a part of it, themselves or on whose behalf; by name.

    The same walk as the guard's, which refuses each of them as a checker.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE part (kind, id) AS (
              VALUES (%(kind)s::text, %(id)s::uuid)
              UNION
              SELECT s.part_kind::text, s.part_id FROM foundation_contributionsource s JOIN part p
                ON s.client_id = %(client)s AND s.subject_kind = p.kind AND s.subject_id = p.id)
            SELECT u.id, u.name, array_agg(DISTINCT p.kind ORDER BY p.kind)
            FROM part p
            JOIN foundation_contribution c
              ON c.client_id = %(client)s AND c.subject_kind = p.kind AND c.subject_id = p.id
            JOIN foundation_user u ON u.id IN (c.user_id, c.on_behalf_id)
            GROUP BY u.id, u.name ORDER BY u.name, u.id
            """,
            {"client": current_client_id(), "kind": subject_kind, "id": subject_id},
        )
        return [Maker(user, name, tuple(parts)) for user, name, parts in cursor.fetchall()]


@dataclass(frozen=True)
class Approved:
    """One yes, and why it no longer counts, if it does not."""

    by: str
    at: datetime
    content_hash: str
    void: str | None


def approvals(subject_kind: str, subject_id: UUID) -> list[Approved]:
    """Every approval that a subject ever had, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(u.name, ''), a.at, encode(a.content_hash, 'hex'), v.reason
            FROM foundation_approval a
            LEFT JOIN foundation_user u ON u.id = a.user_id
            LEFT JOIN foundation_approvalvoid v ON v.client_id = a.client_id AND v.id = a.id
            WHERE a.client_id = %s AND a.subject_kind = %s AND a.subject_id = %s ORDER BY a.at, a.id
            """,
            [current_client_id(), subject_kind, subject_id],
        )
        return [Approved(*row) for row in cursor.fetchall()]
