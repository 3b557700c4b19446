"""What of a client's own rows may be said once for many clients. Rooms register their parts by name.

A part is a table of items by key (a pay schedule by its code), each with a few fields. Every value is a text
in one canonical form, so that a template, what a client has otherwise and what stands there can be compared
by `==` whatever room they are of. The room reads what stands, says what cannot be changed, and writes through
its own commands, so nothing of a template goes around a permission, a check or the audit trail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal
from uuid import UUID

from engineroom.kernel.errors import EngineroomError, Problem

Items = Mapping[str, Mapping[str, str]]
"""Fields by item, each in its canonical form. A field that is not said is not there."""

LONGEST_VALUE = 300
MOST_WHOLE = 10**9
MOST_PLACES = 6
"""Decimal places: rates are kept in parts per million."""


class NotAValue(EngineroomError):
    """A text is none of the values that a field takes; says which it takes."""

    status = 422


@dataclass(frozen=True)
class Field:
    """A value of an item. needed: an item that is new somewhere cannot do without it.

    number: decimal, with a point. yes: yes or no. day: as 2026-04-06.
    """

    name: str
    label: str
    kind: Literal["text", "whole", "number", "yes", "day"] = "text"
    choices: tuple[str, ...] = ()
    needed: bool = False

    def canonical(self, text: str) -> str:
        """The one form of a value. Raises NotAValue."""
        text = text.strip()
        found = _CANONICAL[self.kind](text)
        if found is None:
            raise NotAValue(f"{text!r} is not {_WORDS[self.kind]}")
        if self.choices and found not in self.choices:
            raise NotAValue(f"{text!r} is none of {', '.join(self.choices)}")
        return found


def _text(text: str) -> str | None:
    return text if len(text) <= LONGEST_VALUE and text.isprintable() else None


def _whole(text: str) -> str | None:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        return None
    return str(int(text)) if abs(int(text)) <= MOST_WHOLE else None


def _number(text: str) -> str | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or abs(value) > MOST_WHOLE:
        return None
    value = value.normalize()
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MOST_PLACES:
        return None
    return f"{value + 0:f}"


def _yes(text: str) -> str | None:
    return {"yes": "yes", "true": "yes", "no": "no", "false": "no"}.get(text.lower())


def _day(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


_CANONICAL: dict[str, Callable[[str], str | None]] = {
    "text": _text, "whole": _whole, "number": _number, "yes": _yes, "day": _day,
}  # fmt: skip

_WORDS = {
    "text": f"a text of one line, of up to {LONGEST_VALUE} letters",
    "whole": "a whole number",
    "number": f"a number with up to {MOST_PLACES} decimal places",
    "yes": "yes or no",
    "day": "a day, as 2026-04-06",
}


def yes(is_so: bool) -> str:
    """A truth value in its canonical form."""
    return "yes" if is_so else "no"


@dataclass(frozen=True)
class ItemChange:
    """What is to become of one item of a client. before: as it stands, None where it is not there. after:
    with what is wanted, fields that nobody says left as they stand. changed: the fields that differ."""

    key: str
    before: Mapping[str, str] | None
    after: Mapping[str, str]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What a room lets templates say.

    key: what a heading of a template is called by. item: what one of its items is.
    permission: what whoever applies it needs, as the room's own commands ask.
    read: what stands at clients that the scope reads, in as few questions as for one client; what begins on a
    later day already counts as standing, or it would be said again until then.
    check: what is wrong with items for a country, beyond what a field says by itself; `field` of a problem is
    `item` or `item.field`.
    cannot: why a change cannot be made at all, empty where it may be tried.
    apply: makes changes at the client that the scope writes, through the room's commands, from a day on where
    it has days; raises what they raise. together: all changes of a client are one call.
    """

    key: str
    title: str
    item: str
    order: int
    permission: str
    fields: tuple[Field, ...]
    read: Callable[[Sequence[UUID]], dict[UUID, dict[str, dict[str, str]]]]
    check: Callable[[str, Items], Iterable[Problem]]
    cannot: Callable[[ItemChange], str]
    apply: Callable[[Sequence[ItemChange], date, str], None]
    together: bool = False

    @property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}


PARTS: dict[str, Part] = {}


def register(part: Part) -> Part:
    """Let templates say this. Raises RuntimeError where the key is taken."""
    if part.key in PARTS:
        raise RuntimeError(f"two parts of templates are called {part.key}")
    PARTS[part.key] = part
    return part


def parts() -> list[Part]:
    """In the order in which they are applied: accounts before what is posted to them."""
    return sorted(PARTS.values(), key=lambda part: (part.order, part.key))


def never(_: ItemChange) -> str:
    """Of parts of which everything can be changed."""
    return ""


def nothing_more(_: str, items: Items) -> Iterable[Problem]:
    """Of parts whose fields say all there is to check."""
    return ()


def by_client(
    clients: Iterable[UUID], rows: Iterable[tuple[UUID, str, dict[str, str]]]
) -> dict[UUID, dict[str, dict[str, str]]]:
    """What a room read, as `Part.read` gives it; clients without any have an empty table."""
    found: dict[UUID, dict[str, dict[str, str]]] = {client: {} for client in clients}
    for client, item, fields in rows:
        found[client][item] = fields
    return found
