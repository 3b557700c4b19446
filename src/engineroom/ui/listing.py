"""One page of a long list: the rows after, or before, a place in an order that no new row moves.

A cursor holds the place: the order's own values of the row beside it. Page 400 costs what page 1 costs.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from django.db import connection
from django.http import HttpRequest

from engineroom.kernel.errors import NotFound

T = TypeVar("T")

ROWS = 50

KeyType = Literal["text", "date", "uuid", "bigint"]
_PYTHON: dict[str, Callable[[str], Any]] = {
    "text": str,
    "date": date.fromisoformat,
    "uuid": UUID,
    "bigint": int,
}
_INT64 = 1 << 63


@dataclass(frozen=True)
class Order:
    """The columns that order a list, each with its type; together they are unique and never null."""

    keys: Sequence[tuple[str, KeyType]]
    latest_first: bool = False


@dataclass(frozen=True)
class Slice(Generic[T]):
    """Some rows of a list, and the cursors of the rows after and before them; empty where there are none."""

    rows: Sequence[T] = field(default_factory=tuple)
    next: str = ""
    previous: str = ""


def read_slice(
    sql: str,
    values: Mapping[str, Any],
    order: Order,
    cursor: str,
    make: Callable[..., T],
    *,
    rows: int = ROWS,
) -> Slice[T]:
    """Rows of a SELECT whose first columns are the order's keys; `make` gets all its columns.

    Raises NotFound for a cursor that is not of this list.
    """
    back, place = _read(cursor, order) if cursor else (False, [])
    ascending = order.latest_first == back
    names = ", ".join(name for name, _ in order.keys)
    where = ""
    if place:
        marks = ", ".join(f"%(at_{i})s::{kind}" for i, (_, kind) in enumerate(order.keys))
        where = f"WHERE ({names}) {'>' if ascending else '<'} ({marks})"
    by = ", ".join(f"{name} {'ASC' if ascending else 'DESC'}" for name, _ in order.keys)
    with connection.cursor() as db:
        db.execute(
            f"SELECT * FROM ({sql}) listed {where} ORDER BY {by} LIMIT {rows + 1}",  # noqa: S608 names are ours
            {**values, **{f"at_{i}": value for i, value in enumerate(place)}},
        )
        found = db.fetchall()
    more, found = len(found) > rows, found[:rows]
    if back:
        found.reverse()
    if not found:
        return Slice()
    n = len(order.keys)
    return Slice(
        [make(*row) for row in found],
        _write("n", found[-1][:n]) if more or back else "",
        _write("p", found[0][:n]) if (more and back) or (place and not back) else "",
    )


def address(request: HttpRequest, **changes: str) -> str:
    """This page's address with other parameters; an empty one is left out. Another filter starts anew."""
    query = request.GET.copy()
    query.pop("at", None)
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return f"?{query.urlencode()}" if query else request.path


def onward(request: HttpRequest, part: Slice[T]) -> dict[str, str]:
    """The pager's links, for `{% table %}`."""
    return {
        "next": address(request, at=part.next) if part.next else "",
        "previous": address(request, at=part.previous) if part.previous else "",
    }


def _write(way: str, place: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps([way, *map(str, place)]).encode()).decode().rstrip("=")


def _read(cursor: str, order: Order) -> tuple[bool, list[Any]]:
    try:
        way, *place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if way not in ("n", "p") or len(place) != len(order.keys):
            raise ValueError(cursor)
        values = [_PYTHON[kind](text) for (_, kind), text in zip(order.keys, place, strict=True)]
        "".join(place).encode()  # half a pair of surrogates is a letter of JSON and of nothing else
        if any("\x00" in text for text in place) or any(
            isinstance(v, int) and abs(v) >= _INT64 for v in values
        ):
            raise ValueError(cursor)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise NotFound("this list has no such page; begin at its first") from None
    return way == "p", values
