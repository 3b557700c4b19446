"""Answers kept in the process: what the rows of a client say, for as long as no command has changed them.

Whatever changes a client is a command, and a command leaves an event in the same transaction, stamped with
that transaction's id. An answer is kept with the snapshot that PostgreSQL gave before it was found. It stands
while every event of the client that can be seen now could be seen then; so nothing committed is ever missing,
in whatever order transactions begin and end.

Never a way around a scope: it is asked inside `acting` for clients which that scope reads, it knows answers
by client alone, and what a person may see of one is for the caller to say. Answers of different faces are
kept apart, because row security shows them different rows. A scope that writes sees what it writes: for it
nothing is kept.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection

from engineroom.foundation.prepared import planned_anew
from engineroom.foundation.tenancy.scope import OutsideActing, Scope, current_client_id, current_scope

T = TypeVar("T")

KEPT_S = 300.0
"""What changes rows without a command (an administrator's SQL, a crash that gives transaction ids anew) is
seen within five minutes."""

MOST = 2_000
"""Questions, each of all clients that were asked about; those asked last stay."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What PostgreSQL could see: the transactions that were over, by their ids."""

    oldest: int
    following: int
    running: frozenset[int]

    def sees(self, transaction: int) -> bool:
        return transaction < self.oldest or (transaction < self.following and transaction not in self.running)


def _snapshot(text: str) -> Snapshot:
    oldest, following, running = text.split(":")
    return Snapshot(int(oldest), int(following), frozenset(map(int, filter(None, running.split(",")))))


@dataclass(slots=True)
class _Kept:
    """at: a snapshot taken before the answer was found, or a later one at which it still stood."""

    at: Snapshot
    found_s: float
    answer: Any


@dataclass(slots=True)
class _Asked:
    """A question, what is known of each client, and whose turn it is to find more."""

    known: dict[UUID, _Kept] = field(default_factory=dict)
    one_at_a_time: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a scope saw when it first asked: now, and its clients' events from the transaction `since` on."""

    scope: Scope
    at: Snapshot
    since: int
    events: tuple[tuple[UUID, int], ...]


_kept: OrderedDict[Hashable, _Asked] = OrderedDict()
_lock = threading.Lock()
_looked: ContextVar[_Look | None] = ContextVar("what_changed", default=None)


def by_client(
    question: Hashable, clients: Sequence[UUID], ask: Callable[[Sequence[UUID]], Mapping[UUID, T]]
) -> dict[UUID, T]:
    """The answer for each client: kept, or asked for now.

    ask: one question for all clients of which nothing stands, with an answer for each. It depends on the
    client's rows and on `question`, on nothing else; nobody changes it afterwards.
    """
    scope = current_scope()
    if not set(clients) <= set(scope.read):
        raise OutsideActing("answers are kept for clients that the scope reads, and for no others")
    if scope.write is not None:
        return dict(ask(clients))
    asked = _asked((question, scope.face))
    standing = _standing(scope, asked, clients)
    if len(standing) < len(clients):
        with asked.one_at_a_time:  # what takes long is found once, however many ask for it meanwhile
            missing = [client for client in clients if client not in standing]
            standing |= _standing(scope, asked, missing)
            missing = [client for client in missing if client not in standing]
            at = _look(scope, None).at
            fresh: Mapping[UUID, Any] = {}
            if missing:
                with planned_anew():
                    fresh = ask(missing)
            for client in missing:
                asked.known[client] = standing[client] = _Kept(at, time.monotonic(), fresh[client])
    return {client: standing[client].answer for client in clients}


def _standing(scope: Scope, asked: _Asked, clients: Sequence[UUID]) -> dict[UUID, _Kept]:
    """What is known of the clients and has not changed since."""
    oldest_s = time.monotonic() - KEPT_S
    found = {c: kept for c in clients if (kept := asked.known.get(c)) and kept.found_s > oldest_s}
    look = _look(scope, min((kept.at.oldest for kept in found.values()), default=None))
    for client, transaction in look.events:
        if client in found and not found[client].at.sees(transaction):
            del found[client]
    for kept in found.values():
        kept.at = look.at  # whoever of two writes it last: at both it stood
    return found


def _asked(question: Hashable) -> _Asked:
    with _lock:
        asked = _kept.setdefault(question, _Asked())
        _kept.move_to_end(question)
        if len(_kept) > MOST:
            _kept.popitem(last=False)
    return asked


def of_client(question: Hashable, ask: Callable[[], T]) -> T:
    """The answer about the client that the scope is about."""
    client = current_client_id()
    return by_client(question, [client], lambda _: {client: ask()})[client]


# Row security leaves the events of the scope's clients. A transaction of the future is one of another life of
# the database, before it was restored.
EVENTS = """
SELECT s.now::text, e.client_id, e.xact FROM (SELECT pg_current_snapshot() AS now) s
LEFT JOIN foundation_auditevent e ON e.verb <> 'read' AND e.xact >= %s
  AND e.xact < pg_snapshot_xmax(s.now)::text::bigint
"""


def _look(scope: Scope, since: int | None) -> _Look:
    """Once in a scope: what stood when it first asked is what it is told. Nothing is changed from within.

    In one statement, so that what holds at its snapshot may be kept with it.
    """
    before = _looked.get()
    if before is not None and before.scope is scope and (since is None or before.since <= since):
        return before
    none = (1 << 63) - 1
    with connection.cursor() as cursor:
        cursor.execute(EVENTS, [none if since is None else since])
        rows = cursor.fetchall()
    events = tuple({(client, transaction) for _, client, transaction in rows if client is not None})
    look = _Look(scope, _snapshot(rows[0][0]), none if since is None else since, events)
    _looked.set(look)
    return look


def forget() -> None:
    """Keep nothing."""
    with _lock:
        _kept.clear()
    _looked.set(None)
