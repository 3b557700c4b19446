"""Open items on the thread."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engineroom.foundation import thread
from engineroom.ledger.services import on_reversal
from engineroom.openitems import kinds, search  # noqa: F401  registers what is found
from engineroom.openitems.models import OpenItem
from engineroom.openitems.services import reverse_items


def _items(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node("item", i.id, _label(i), i.amount, i.currency, i.due, page=("openitems:item", (i.id,)))
        for i in OpenItem.objects.filter(id__in=ids).select_related("counterparty")
    ]


def _label(item: OpenItem) -> str:
    kind = kinds.KINDS[item.kind].label if item.kind in kinds.KINDS else item.kind.replace("_", " ")
    whose = f" of {item.counterparty.name}" if item.counterparty else ""
    return f"open item: {kind}{whose} {item.reference}".rstrip()


kinds.register("reversal", "reversal")
on_reversal(reverse_items)
thread.register_kind("item", _items, lane="Owed")
thread.register_link(thread.Link("entry", "item", "openitems_openitem", "entry_id", "id"))
