"""Deadlines: on which day what must have happened, over all clients at once. Rooms register what theirs are.

A deadline follows from what stands, as a duty does (`duties`), and is never stored; unlike a duty it stays in
the calendar when it has been kept. A room's question is one query over every client that the scope reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.scope import current_scope

State = Literal["ahead", "kept", "missed", "passed"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """day: the last on which it is in time. is_kept: whether it has happened. source: the law or the promise
    that it follows from, where it is not plain. page: where it is looked at, after the client's code."""

    client_id: UUID
    day: date
    kind: str
    what: str
    page: tuple[str, tuple[object, ...]]
    is_kept: bool = False
    source: str = ""
    is_tracked: bool = True
    """Whether it can be known from what stands that it was kept."""

    def state_on(self, today: date) -> State:
        if self.is_kept:
            return "kept"
        if not self.is_tracked:
            return "passed" if self.day < today else "ahead"
        return "missed" if self.day < today else "ahead"


Question = Callable[[Sequence[UUID], date, date], list[Deadline]]

KNOWN = (date(2000, 1, 1), date(2200, 1, 1))
"""No room has deadlines before or after these days, and counts no days beyond them."""

_questions: list[tuple[str, Question]] = []


def register(permission: str) -> Callable[[Question], Question]:
    """A room's deadlines from one day to another, both inclusive, of these clients; for who may read them."""

    def keep(question: Question) -> Question:
        _questions.append((permission, question))
        return question

    return keep


def between(first: date, last: date) -> list[Deadline]:
    """Every deadline of the clients that the scope reads, by day; both days inclusive."""
    first, last = max(first, KNOWN[0]), min(last, KNOWN[1])
    if first > last:
        return []
    scope = current_scope()
    found: list[Deadline] = []
    for permission, question in _questions:
        clients = [client for client in scope.read if may(scope.roles.get(client, frozenset()), permission)]
        if clients:
            found += [one for one in question(clients, first, last) if first <= one.day <= last]
    return sorted(found, key=lambda one: (one.day, one.kind, one.what, one.client_id))
