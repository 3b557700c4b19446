"""Background jobs as whoever asked for them finds them again: rooms register theirs, the page of jobs shows
them all.

Nothing is stored for this: the audit trail knows who asked, the rows that a job makes how far it is, and
procrastinate's queue whether anything still works on it. procrastinate keeps no error of a failed job: why it
stopped is read from what stands, and the worker's log has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import connection
from django.utils import timezone

from engineroom.foundation.access.roles import may
from engineroom.foundation.jobs.tasks import MOST_REQUEUES, STALLED_AFTER_SECONDS
from engineroom.foundation.tenancy.scope import current_scope

LOOK_BACK_DAYS = 14
MOST = 50

State = Literal["queued", "running", "done", "failed", "left"]

NO_WORKER = "No worker is running: start `engineroom serve` or `engineroom worker`."


@dataclass(frozen=True)
class Shown:
    """A job. id: what it is found by among those of its kind. done, total: in `unit`, such as payslips.

    why: of a failed one, what stopped it and what to do; may_retry: whether another try can help.
    page: where its result is looked at, and what stands in its address after the client.
    """

    client_id: UUID
    kind: str
    id: UUID
    what: str
    at: datetime
    done: int
    total: int
    unit: str
    state: State
    page: tuple[str, tuple[object, ...]]
    why: str = ""
    may_retry: bool = False

    @property
    def moves(self) -> bool:
        return self.state in ("queued", "running")


Question = Callable[[Sequence[UUID], UUID | None], Sequence[Shown]]
"""My jobs of a kind on these clients, the latest first; with an id, that one alone."""


@dataclass(frozen=True)
class Kind:
    """reads: who may know of such a job; prepares: who may try it again. again: queues what is left of one,
    inside `acting`, writing its client, and says so."""

    reads: str
    prepares: str
    mine: Question
    again: Callable[[Shown], str]


KINDS: dict[str, Kind] = {}


def register(name: str, kind: Kind) -> None:
    KINDS[name] = kind


def mine(clients: Mapping[UUID, frozenset[str]]) -> list[Shown]:
    """What works for me on these clients, with my roles on them, or did so lately; the latest first."""
    found: list[Shown] = []
    for kind in KINDS.values():
        if readable := [client for client, roles in clients.items() if may(roles, kind.reads)]:
            found += kind.mine(readable, None)
    return sorted(found, key=lambda job: job.at, reverse=True)[:MOST]


@dataclass(frozen=True)
class Queued:
    """What the queue holds of one job's parts. failed: the latest part that stopped with an error.

    again_at: when the next part begins that was put off.
    """

    todo: int = 0
    doing: int = 0
    failed: int | None = None
    attempts: int = 0
    again_at: datetime | None = None


QUEUE = """
SELECT j.args->>%(argument)s,
  count(*) FILTER (WHERE j.status = 'todo'), count(*) FILTER (WHERE j.status = 'doing'),
  max(j.id) FILTER (WHERE j.status = 'failed'), coalesce(max(j.attempts), 0),
  min(j.scheduled_at) FILTER (WHERE j.status = 'todo' AND j.scheduled_at > now())
FROM procrastinate_jobs j
WHERE j.task_name = %(task)s AND j.args->>%(argument)s = ANY(%(ids)s)
GROUP BY 1
"""


def queue_of(task: str, argument: str, ids: Sequence[UUID]) -> dict[UUID, Queued]:
    """What is queued of a task, by the id that it is given under this name."""
    values: dict[str, Any] = {"task": task, "argument": argument, "ids": [str(i) for i in ids]}
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, values)
        return {UUID(row[0]): Queued(*row[1:]) for row in cursor.fetchall()}


def is_queued(task: str, argument: str, subject: UUID) -> bool:
    """Whether something works on it, or will."""
    found = queue_of(task, argument, [subject]).get(subject)
    return found is not None and bool(found.todo or found.doing)


def has_worker() -> bool:
    beating = timezone.now() - timedelta(seconds=STALLED_AFTER_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM procrastinate_workers WHERE last_heartbeat > %s)", [beating]
        )
        return bool(cursor.fetchone()[0])


@dataclass(frozen=True)
class Printing:
    """A room's printing of one subject's papers, each kept in the vault: what asks for it and who may, the
    task that does it, and how far it is.

    sql: rows (id, number, papers wanted, papers kept), of the clients `%(clients)s` and the subjects
    `%(subjects)s`; a paper is kept as `%(paper)s`. what: with `{number}` in it. page: of a subject.
    """

    kind: str
    verb: str
    prepares: str
    task: str
    argument: str
    sql: str
    paper: str
    unit: str
    what: str
    page: str

    def mine(self, clients: Sequence[UUID], subject: UUID | None = None) -> list[Shown]:
        """The subjects whose papers I had printed."""
        asked = asked_by_me(self.verb, clients, subject)
        if not asked:
            return []
        values: dict[str, Any] = {"paper": self.paper, "clients": list(clients), "subjects": list(asked)}
        with connection.cursor() as cursor:
            cursor.execute(self.sql, values)
            found = cursor.fetchall()
        queue = queue_of(self.task, self.argument, list(asked))
        return [self._shown(row, *asked[row[0]], queue.get(row[0], Queued())) for row in found]

    def _shown(self, row: tuple[UUID, int, int, int], client_id: UUID, at: datetime, queued: Queued) -> Shown:
        subject, number, total, done = row
        left = f"{total - done} of {total} {self.unit}s are not printed; try again, what is printed stays."
        state, why, may_retry = state_of(client_id, queued, done, total, self.prepares, left)
        what = self.what.format(number=number)
        page = (self.page, (number,))
        return Shown(
            client_id, self.kind, subject, what, at, done, total, self.unit, state, page, why, may_retry
        )


def state_of(
    client_id: UUID, queued: Queued, done: int, total: int, prepares: str, left: str
) -> tuple[State, str, bool]:
    """The state of a job that makes `total` things one after another, why it is so where that needs saying,
    and whether another try can help. left: what is not made, as a sentence that says what another try does.
    """
    if done >= total:
        return "done", "", False
    if queued.doing:
        return "running", "", False
    if queued.todo:
        return ("running" if done else "queued"), "" if has_worker() else NO_WORKER, False
    if not may(current_scope().roles.get(client_id, frozenset()), prepares):
        return "failed", f"Your role no longer includes {prepares}: ask somebody whose role does.", False
    if queued.attempts >= MOST_REQUEUES:
        why = f"It took {queued.attempts} workers down, most likely for want of memory."
    elif queued.failed:
        why = f"Job {queued.failed} stopped with an error, which the worker's log has."
    else:
        why = "Nothing works on it any more."
    return "failed", f"{why} {left}", True


ASKED = """
SELECT e.client_id, e.subject_id, max(e.at) FROM foundation_auditevent e
WHERE e.client_id = ANY(%(clients)s) AND e.at >= %(since)s AND e.user_id = %(me)s AND e.verb = %(verb)s
  AND (%(subject)s::uuid IS NULL OR e.subject_id = %(subject)s::uuid)
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT %(most)s
"""


def asked_by_me(
    verb: str, clients: Sequence[UUID], subject: UUID | None
) -> dict[UUID, tuple[UUID, datetime]]:
    """The subjects of which I carried this command out lately, with its client and when; latest first."""
    values: dict[str, Any] = {
        "clients": list(clients),
        "since": timezone.now() - timedelta(days=LOOK_BACK_DAYS),
        "me": current_scope().user.id,
        "verb": verb,
        "subject": subject,
        "most": MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(ASKED, values)
        return {row[1]: (row[0], row[2]) for row in cursor.fetchall()}
