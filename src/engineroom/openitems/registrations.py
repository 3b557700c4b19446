"""Open items on the thread."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engineroom.foundation import prepared, thread
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.ledger.services import on_reversal
from engineroom.openitems import kinds, search  # noqa: F401  registers what is found
from engineroom.openitems.services import reverse_items

ITEMS = """
SELECT i.id, i.kind, k.name, i.reference, i.amount, i.currency, i.due
FROM openitems_openitem i
LEFT JOIN openitems_counterparty k ON k.client_id = i.client_id AND k.id = i.counterparty_id
WHERE i.client_id = ANY(%s) AND i.id = ANY(%s)
"""


def _items(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "item", row[0], _label(*row[1:4]), row[4], row[5], row[6], page=("openitems:item", (row[0],))
        )
        for row in prepared.rows(ITEMS, [list(current_scope().read), list(ids)])
    ]


def _label(kind: str, name: str | None, reference: str) -> str:
    known = kinds.KINDS[kind].label if kind in kinds.KINDS else kind.replace("_", " ")
    whose = f" of {name}" if name else ""
    return f"open item: {known}{whose} {reference}".rstrip()


kinds.register("reversal", "reversal")
on_reversal(reverse_items)
thread.register_kind("item", _items, lane="Owed")
thread.register_link(thread.Link("entry", "item", "openitems_openitem", "entry_id", "id"))
