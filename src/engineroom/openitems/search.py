"""Open items, found by their exact amount: what is this 1,234.50 on the statement?"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engineroom.foundation import search
from engineroom.foundation.search import Hit
from engineroom.kernel.money import EXPONENTS, SYMBOLS, NotMoney, parse_minor
from engineroom.openitems import kinds
from engineroom.openitems.models import OpenItem
from engineroom.ui.display import format_day


def _items(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    amounts = _amounts(text)
    if not amounts:
        return []
    rows = OpenItem.objects.filter(client_id__in=clients, amount__in=amounts)
    found = [i for i in rows.select_related("counterparty").order_by()[: limit * 2] if _means(i, text)]
    return [
        Hit(
            i.client_id,
            f"{_kind(i)} {i.reference}".rstrip(),
            f"{i.counterparty.name + ', ' if i.counterparty else ''}due {format_day(i.due)}",
            ("openitems:item", (i.id,)),
            i.amount,
            i.currency,
            subject_kind="open_item",
            subject_id=i.id,
            private=i.kind in kinds.PAY_KINDS,
        )
        for i in sorted(found, key=lambda i: (i.due, i.reference), reverse=True)[:limit]
    ]


def _kind(item: OpenItem) -> str:
    label = kinds.KINDS[item.kind].label if item.kind in kinds.KINDS else item.kind.replace("_", " ")
    return label[:1].upper() + label[1:]


def _amounts(text: str) -> list[int]:
    """The minor units that a written amount may be, in the currencies there are, owed or owing."""
    minors = {abs(m) for currency in EXPONENTS if (m := _read(text, currency)) is not None}
    return sorted({sign * minor for minor in minors - {0} for sign in (1, -1)})


def _means(item: OpenItem, text: str) -> bool:
    minor = _read(text, item.currency)
    return minor is not None and abs(minor) == abs(item.amount)


def _read(text: str, currency: str) -> int | None:
    try:
        return parse_minor(text.strip().removeprefix(SYMBOLS.get(currency, currency)), currency)
    except NotMoney:
        return None


search.register("Amounts", _items, permission="openitems.read")
