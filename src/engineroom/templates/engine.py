"""What a template, a client's own exceptions and what stands there come to, value by value. Pure.

Wanted is what the template says, but for what the client has otherwise, and but for the items that the client
is without. A field that neither says is the client's own business: it is never compared and never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Items = Mapping[str, Mapping[str, str]]
Parts = Mapping[str, Items]

WHOLE = ""
"""The field of an exception that is about an item as a whole: the client is without it."""

State = Literal["same", "own", "differs", "missing", "without"]
"""same: it stands as the template says. own: as the client has it otherwise. differs: it stands otherwise
than wanted. missing: the item is wanted and not there. without: the client is without the item."""

Address = tuple[str, str, str]
"""Part, item and field."""


@dataclass(frozen=True)
class Value:
    """One value, as it is said and as it stands. own, stands: None where nothing is."""

    part: str
    item: str
    field: str
    template: str
    own: str | None
    stands: str | None
    state: State

    @property
    def wanted(self) -> str:
        return self.template if self.own is None else self.own

    @property
    def address(self) -> Address:
        return self.part, self.item, self.field

    @property
    def is_open(self) -> bool:
        """Whether it stands otherwise than it should."""
        return self.state in ("differs", "missing")


@dataclass(frozen=True)
class Change:
    """What an item should become. before: None where it is not there; after: the fields that nobody says stay
    as they are."""

    part: str
    item: str
    before: Mapping[str, str] | None
    after: Mapping[str, str]
    changed: tuple[str, ...]


def compare(said: Parts, own: Mapping[Address, str], stands: Parts) -> list[Value]:
    """Every value that the template says, in its order; an item that the client is without is one value."""
    return [value for part, items in said.items() for value in _part(part, items, own, stands.get(part, {}))]


def _part(part: str, items: Items, own: Mapping[Address, str], stands: Items) -> Iterable[Value]:
    for item, fields in items.items():
        there = stands.get(item)
        if (part, item, WHOLE) in own:
            yield Value(part, item, WHOLE, "", "", None if there is None else "there", "without")
            continue
        for field, template in fields.items():
            otherwise = own.get((part, item, field))
            is_there = None if there is None else there.get(field)
            yield Value(
                part, item, field, template, otherwise, is_there,
                _state(template, otherwise, is_there, is_missing=there is None),
            )  # fmt: skip


def _state(template: str, own: str | None, stands: str | None, *, is_missing: bool) -> State:
    if is_missing:
        return "missing"
    if own is None:
        return "same" if stands == template else "differs"
    return "own" if stands == own else "differs"


def changes(values: Iterable[Value], stands: Parts) -> list[Change]:
    """What has to be done for everything to stand as wanted, an item each, in the values' order."""
    by_item: dict[tuple[str, str], list[Value]] = {}
    for value in values:
        if value.field != WHOLE:
            by_item.setdefault((value.part, value.item), []).append(value)
    found = []
    for (part, item), fields in by_item.items():
        changed = tuple(value.field for value in fields if value.is_open)
        if changed:
            before = stands.get(part, {}).get(item)
            after = {**(before or {}), **{value.field: value.wanted for value in fields}}
            found.append(Change(part, item, before, after, changed))
    return found


def done(stands: Parts, made: Iterable[Change]) -> dict[str, dict[str, dict[str, str]]]:
    """What stands once changes are made."""
    found = {part: {item: dict(fields) for item, fields in items.items()} for part, items in stands.items()}
    for change in made:
        found.setdefault(change.part, {})[change.item] = dict(change.after)
    return found


def addresses(said: Parts) -> set[Address]:
    """Everything that a template says."""
    return {
        (part, item, field)
        for part, items in said.items()
        for item, fields in items.items()
        for field in fields
    }


@dataclass(frozen=True)
class Between:
    """A value of two versions. Empty: not said."""

    part: str
    item: str
    field: str
    before: str
    after: str


def between(before: Parts, after: Parts) -> list[Between]:
    """What differs between two versions, in the order of the later one, then what it no longer says."""

    def flat(said: Parts) -> dict[Address, str]:
        return {
            (part, item, field): text
            for part, items in said.items()
            for item, fields in items.items()
            for field, text in fields.items()
        }

    old, new = flat(before), flat(after)
    order = [*new, *(address for address in old if address not in new)]
    return [
        Between(*address, old.get(address, ""), new.get(address, ""))
        for address in order
        if old.get(address) != new.get(address)
    ]
