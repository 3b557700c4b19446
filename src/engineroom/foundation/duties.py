"""Duties: what has to be done next, over all clients at once. Rooms register what theirs are.

A duty is computed from what stands, never stored: it is gone when it is done. A room's question is one query
over every client that the scope reads (`client_id = ANY`), however many they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.scope import current_scope

LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True)
class Duty:
    """One thing to be done for a client.

    permission: who may do it. subject: of an approval, whose makers may not give it. waits_for: the firm, or
    the client and its customers. due: the last day on which it is in time; None when nothing depends on it.
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
    subject: tuple[str, UUID] | None = None


Question = Callable[[Sequence[UUID], date], list[Duty]]

QUESTIONS: list[Question] = []


def register(question: Question) -> Question:
    """A room's duties: asked with the readable clients and today."""
    QUESTIONS.append(question)
    return question


@dataclass(frozen=True)
class Task:
    """A duty as it stands to the one who looks: theirs, a colleague's, or the client's."""

    duty: Duty
    state: Literal["mine", "colleague", "client"]
    late: bool
    """Overdue, or due today: a promise about to break."""


def today() -> date:
    """The firm's working day."""
    return datetime.now(LONDON).date()


def tasks(day: date | None = None) -> list[Task]:
    """Everything to be done on the clients that the scope reads, what breaks first at the top."""
    day = day or today()
    scope = current_scope()
    readable = [c for c in scope.read if may(scope.roles.get(c, frozenset()), "foundation.read")]
    found = [duty for question in QUESTIONS for duty in question(readable, day)] if readable else []
    made = _made_by_me(scope.user.id, [d.subject for d in found if d.subject])
    listed = [Task(d, _state(d, made), d.due is not None and d.due <= day) for d in found]
    return sorted(
        listed, key=lambda t: (t.duty.due or date.max, -(abs(t.duty.amount_minor or 0)), t.duty.what)
    )


def _state(duty: Duty, made: set[tuple[str, UUID]]) -> Literal["mine", "colleague", "client"]:
    if duty.waits_for == "client":
        return "client"
    mine = may(current_scope().roles.get(duty.client_id, frozenset()), duty.permission)
    return "mine" if mine and duty.subject not in made else "colleague"


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


def _made_by_me(me: UUID, subjects: list[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
    if not subjects:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            MADE, {"clients": list(current_scope().read), "subjects": [s[1] for s in subjects], "me": me}
        )
        return {(kind, subject) for kind, subject in cursor.fetchall()}
