"""Duties: what has to be done next, over all clients at once. Rooms register what theirs are.

A duty is computed from what stands, never stored: it is gone when it is done. A room's question is one query
over every client that the scope reads (`client_id = ANY`), however many they are; what it found about a
client is kept in the process until a command changes that client (foundation/kept.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from operator import itemgetter
from typing import Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from engineroom.foundation import kept
from engineroom.foundation.access.roles import may
from engineroom.foundation.approvals.selectors import kept_from_releasing
from engineroom.foundation.tenancy.scope import Scope, current_scope

LONDON = ZoneInfo("Europe/London")

Subject = tuple[str, UUID]
"""What an approval is of: its kind and id."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing to be done for a client.

    permission: who may do it. subject: of an approval, which its makers may not give; of a release
    (lets_out), which its approvers may not do. waits_for: the firm, or the client and its customers.
    due: the last day on which it is in time; None when nothing depends on it.
    page: the name of the page where it is done, and what stands in its address after the client.
    """

    client_id: UUID
    what: str
    note: str
    permission: str
    page: tuple[str, tuple[object, ...]]
    due: date | None = None
    amount_minor: int | None = None
    currency: str = "GBP"
    waits_for: Literal["firm", "client"] = "firm"
    subject: Subject | None = None
    lets_out: bool = False


Question = Callable[[Sequence[UUID], date], list[Duty]]

QUESTIONS: list[Question] = []

MY_QUESTIONS: list[Question] = []

MOST_BOARDS = 500
"""Users whose boards are kept in order; of 200 clients a board is half a megabyte."""


def register(question: Question) -> Question:
    """A room's duties: asked with readable clients and today. They follow from the clients' rows alone,
    whoever looks."""
    QUESTIONS.append(question)
    return question


def register_mine(question: Question) -> Question:
    """Duties that depend on who looks: asked each time."""
    MY_QUESTIONS.append(question)
    return question


class Task(NamedTuple):
    """A duty as it stands to the one who looks: theirs, a colleague's, or the client's.

    late: overdue, or due today: a promise about to break.
    """

    duty: Duty
    state: Literal["mine", "colleague", "client"]
    late: bool


def today() -> date:
    """The firm's working day."""
    return datetime.now(LONDON).date()


def tasks(day: date | None = None) -> list[Task]:
    """Everything to be done on the clients that the scope reads, what breaks first at the top."""
    day = day or today()
    scope = current_scope()
    readable = [c for c in scope.read if may(scope.roles.get(c, frozenset()), "foundation.read")]
    if not readable:
        return []
    found = _ranked(scope, day, _standing(readable, day, scope.user.id))
    if mine := [duty for question in MY_QUESTIONS for duty in question(readable, day)]:
        added = [_task(d, scope.roles.get(d.client_id, frozenset()), False, day) for d in mine]
        return sorted([*found, *added], key=lambda task: _rank(task.duty))
    return list(found)


_listed: dict[UUID, tuple[object, tuple[Task, ...]]] = {}
"""By user, the tasks of a board and what they followed from: mostly nothing has changed since."""


def _ranked(scope: Scope, day: date, standing: dict[UUID, tuple[_Known, ...]]) -> tuple[Task, ...]:
    """Kept answers in their order. That they are the same ones as before is seen at a glance, by identity."""
    followed_from = (day, standing, scope.roles)
    before = _listed.get(scope.user.id)
    if before is not None and before[0] == followed_from:
        return before[1]
    found = [
        (known.rank, _task(known.duty, scope.roles[client], known.not_mine, day))
        for client, listed in standing.items()
        for known in listed
    ]
    ranked = tuple(task for _, task in sorted(found, key=itemgetter(0)))
    if len(standing) == 1:
        return ranked  # soon done again, and not worth the place of the board of all clients
    _listed[scope.user.id] = (followed_from, ranked)
    if len(_listed) > MOST_BOARDS:
        del _listed[next(iter(_listed))]
    return ranked


def _task(duty: Duty, roles: frozenset[str], not_mine: bool, day: date) -> Task:
    late = duty.due is not None and duty.due <= day
    if duty.waits_for == "client":
        return Task(duty, "client", late)
    return Task(duty, "mine" if not not_mine and may(roles, duty.permission) else "colleague", late)


Rank = tuple[date, int, str]


def _rank(duty: Duty) -> Rank:
    return (duty.due or date.max, -abs(duty.amount_minor or 0), duty.what)


class _Known(NamedTuple):
    """A duty, its place among others, and whether the one who looks is kept from it by what they did before:
    a maker from checking, whoever checked from releasing.
    """

    rank: Rank
    duty: Duty
    not_mine: bool


def _standing(clients: Sequence[UUID], day: date, me: UUID) -> dict[UUID, tuple[_Known, ...]]:
    def ask_for_me(asked: Sequence[UUID]) -> dict[UUID, tuple[_Known, ...]]:
        listed = kept.by_client(("duties", day), asked, partial(_asked, day))
        of = [d for standing in listed.values() for d in standing if d.subject]
        checks = [d.subject[1] for d in of if d.subject and not d.lets_out]
        releases = [d.subject[1] for d in of if d.subject and d.lets_out]
        made = _made_by_me(me, asked, checks) if checks else set()
        approved = kept_from_releasing(me, asked, releases) if releases else set()
        return {
            client: tuple(
                _Known(_rank(duty), duty, duty.subject in (approved if duty.lets_out else made))
                for duty in standing
            )
            for client, standing in listed.items()
        }

    return kept.by_client(("duties", day, me), clients, ask_for_me)


def _asked(day: date, clients: Sequence[UUID]) -> dict[UUID, tuple[Duty, ...]]:
    found: dict[UUID, list[Duty]] = {client: [] for client in clients}
    for question in QUESTIONS:
        for duty in question(clients, day):
            found[duty.client_id].append(duty)
    return {client: tuple(listed) for client, listed in found.items()}


MADE = """
SELECT c.subject_kind, c.subject_id FROM foundation_contribution c
WHERE c.client_id = ANY(%(clients)s) AND c.subject_id = ANY(%(subjects)s)
  AND (c.user_id = %(me)s OR c.on_behalf_id = %(me)s)
UNION
SELECT s.subject_kind, s.subject_id FROM foundation_contributionsource s
JOIN foundation_contribution c
  ON c.client_id = s.client_id AND c.subject_kind = s.part_kind AND c.subject_id = s.part_id
WHERE s.client_id = ANY(%(clients)s) AND s.subject_id = ANY(%(subjects)s)
  AND (c.user_id = %(me)s OR c.on_behalf_id = %(me)s)
"""


def _made_by_me(me: UUID, clients: Sequence[UUID], subjects: Sequence[UUID]) -> set[Subject | None]:
    """Which of the subjects I am a maker of."""
    with connection.cursor() as cursor:
        cursor.execute(MADE, {"clients": list(clients), "subjects": list(subjects), "me": me})
        return {(kind, subject) for kind, subject in cursor.fetchall()}
