"""Postings on the thread, and their batches among what a worker seals."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from engineroom.foundation import prepared, thread
from engineroom.foundation.jobs.tasks import SEALERS
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.ledger import templated  # noqa: F401  registers what templates may say
from engineroom.ledger.services import seal_batches

ENTRIES = """
SELECT e.id, e.narrative, e.day, u.name,
  (SELECT sum(p.amount) FILTER (WHERE p.amount > 0) FROM ledger_posting p
   WHERE p.client_id = e.client_id AND p.entry_id = e.id)::bigint
FROM ledger_entry e JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id
LEFT JOIN foundation_user u ON u.id = b.by_user_id
WHERE e.client_id = ANY(%s) AND e.id = ANY(%s)
"""


def _entries(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "entry",
            row[0],
            f"entry {str(row[0])[-8:]}: {row[1]}",
            row[4],
            day=row[2],
            who=row[3] or "",
            page=("ledger:entry", (row[0],)),
        )
        for row in prepared.rows(ENTRIES, [list(current_scope().read), list(ids)])
    ]


SHORT = 8


def _find_entry(text: str) -> list[UUID]:
    """By id, or by its first or last letters, eight at least."""
    asked = text.strip().lower()
    if len(asked) < SHORT or set(asked) - set("0123456789abcdef-"):
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM ledger_entry WHERE client_id = ANY(%(clients)s) "
            "AND (starts_with(id::text, %(asked)s) OR right(id::text, length(%(asked)s)) = %(asked)s) "
            "ORDER BY id LIMIT 20",
            {"clients": list(current_scope().read), "asked": asked},
        )
        return [row[0] for row in cursor]


thread.register_kind("entry", _entries, _find_entry, shared=True)
thread.register_link(thread.Link("entry", "entry", "ledger_entry", "reverses_id", "id"))
SEALERS.append(seal_batches)
