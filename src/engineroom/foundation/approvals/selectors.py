"""Questions about makers and checkers. PostgreSQL decides who may approve; a page says so beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation import prepared
from engineroom.foundation.access.roles import RELEASING
from engineroom.foundation.tenancy.scope import current_client_id


@dataclass(frozen=True)
class Maker:
    """Somebody who made part of a subject, and of which kind of part."""

    user_id: UUID
    name: str
    parts: tuple[str, ...]


MAKERS = """
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
"""


def makers(subject_kind: str, subject_id: UUID) -> list[Maker]:
    """Whoever wrote the subject or a part of it, themselves or on whose behalf; by name.

    The same walk as the guard's, which refuses each of them as a checker.
    """
    return _makers(prepared.rows(MAKERS, _subject(subject_kind, subject_id)))


def _makers(answer: prepared.Answer) -> list[Maker]:
    return [Maker(user, name, tuple(parts)) for user, name, parts in answer]


def _subject(kind: str, subject_id: UUID) -> dict[str, Any]:
    return {"client": current_client_id(), "kind": kind, "id": subject_id}


@dataclass(frozen=True)
class Approved:
    """One yes, and why it no longer counts, if it does not."""

    by: str
    at: datetime
    content_hash: str
    void: str | None


APPROVALS = """
SELECT coalesce(u.name, ''), a.at, encode(a.content_hash, 'hex'), v.reason
FROM foundation_approval a
LEFT JOIN foundation_user u ON u.id = a.user_id
LEFT JOIN foundation_approvalvoid v ON v.client_id = a.client_id AND v.id = a.id
WHERE a.client_id = %(client)s AND a.subject_kind = %(kind)s AND a.subject_id = %(id)s ORDER BY a.at, a.id
"""


def approvals(subject_kind: str, subject_id: UUID) -> list[Approved]:
    """Every approval that a subject ever had, oldest first."""
    return [Approved(*row) for row in prepared.rows(APPROVALS, _subject(subject_kind, subject_id))]


APPROVED_BY = """
SELECT a.subject_kind, a.subject_id FROM foundation_approval a
WHERE a.client_id = ANY(%(clients)s) AND a.subject_id = ANY(%(subjects)s)
  AND (a.user_id = %(user)s OR a.on_behalf_id = %(user)s)
  AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)
  AND NOT (
    EXISTS (SELECT FROM foundation_grant g WHERE g.user_id = %(user)s AND g.of_client_id = a.client_id
      AND g.role = 'checker' AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date))
    AND 2 > (SELECT count(DISTINCT g.user_id) FROM foundation_grant g
      JOIN foundation_user u ON u.id = g.user_id AND u.is_active
      WHERE g.of_client_id = a.client_id AND g.role = ANY(%(releasing)s) AND g.user_id <> %(user)s
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)))
"""
"""What the user approved and so cannot release: what check_release() says, asked before anybody tries."""


def kept_from_releasing(
    user_id: UUID, clients: Sequence[UUID], subjects: Sequence[UUID]
) -> set[tuple[str, UUID]]:
    """Which of the subjects wait for another person's release, because this user approved them."""
    asked: dict[str, Any] = {"user": user_id, "clients": list(clients), "subjects": list(subjects)}
    with connection.cursor() as cursor:
        cursor.execute(APPROVED_BY, asked | {"releasing": list(RELEASING)})
        return set(cursor.fetchall())


@dataclass(frozen=True)
class Released:
    """When it was let out, and by whom."""

    by: str
    at: datetime


RELEASED = """
SELECT coalesce(u.name, ''), r.at FROM foundation_release r LEFT JOIN foundation_user u ON u.id = r.user_id
WHERE r.client_id = %(client)s AND r.subject_kind = %(kind)s AND r.subject_id = %(id)s
"""


@dataclass(frozen=True)
class Signatures:
    """Who made a subject, who said yes to it, who let it out."""

    makers: list[Maker]
    approvals: list[Approved]
    released: Released | None


def signatures(subject_kind: str, subject_id: UUID) -> Signatures:
    """All that a page of one subject says about people, in one go."""
    asked = _subject(subject_kind, subject_id)
    made, said, out = prepared.answers(
        [prepared.Question(text, asked) for text in (MAKERS, APPROVALS, RELEASED)]
    )
    return Signatures(_makers(made), [Approved(*row) for row in said], Released(*out[0]) if out else None)
