"""One action over many clients: a job and a result for each; what one client cannot do stops nobody else,
and what one run of a client cannot do stops none of its others.

A batch is an id that its jobs and results share; between clients nothing crosses. A client's job works in
scopes of that client alone and leaves one result, in the transaction of what it did; cut off and run again,
it goes on where it was. A client of few people, as most are, is one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from django.db import connection, transaction

from engineroom.foundation.access import services as access
from engineroom.foundation.commands import REGISTRY, command, keyed
from engineroom.foundation.prepared import of_few
from engineroom.foundation.tenancy.scope import Identity, acting, current_scope
from engineroom.kernel.calendar import CalendarNotKnown
from engineroom.kernel.errors import Conflict, EngineroomError
from engineroom.kernel.ids import uuid7
from engineroom.kernel.periods import week_ending
from engineroom.payroll import attempts, schedules, selectors, services
from engineroom.payroll.blockers import blockers_of_unreleased
from engineroom.payroll.models import AttemptChunk, BatchResult, PaySchedule
from engineroom.ui.display import format_count
from engineroom.ui.listing import Order, Slice, read_slice

log = logging.getLogger(__name__)

Action = Literal["calculate", "ask", "release"]
Outcome = Literal["done", "nothing", "failed"]


@dataclass(frozen=True)
class Kind:
    """An action: who may, what a button calls it, and the states of the runs that it is for."""

    permission: str
    label: str
    states: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "calculate": Kind("payroll.prepare", "Calculate", ("open", "calculated", "blocked")),
    "ask": Kind(
        "payroll.prepare", "Ask the clients to approve", ("calculated", "checked", "waits-for-client")
    ),
    "release": Kind("payroll.release", "Release what is approved", ("checked", "client-approved")),
}

DEFECT = "a defect stopped it; the worker's log says more. What was done before stays; try it on its own page"


@dataclass(frozen=True)
class ResultKept:
    batch_id: UUID
    outcome: str


KEEP = """
INSERT INTO payroll_batchresult (id, client_id, batch_id, action, pay_date, outcome, words, by_user_id)
VALUES (%(id)s, %(client)s, %(batch)s, %(action)s, %(pay_date)s, %(outcome)s, %(words)s, %(user)s)
ON CONFLICT (client_id, batch_id) DO NOTHING
"""
KEPT = "SELECT outcome FROM payroll_batchresult WHERE client_id = %(client)s AND batch_id = %(batch)s"


@command("payroll.read")
def keep_batch_result(batch_id: UUID, *, action: str, pay_date: date, outcome: str, words: str) -> ResultKept:
    """What became of one client in a batch: kept once, whoever says it again."""
    scope = current_scope()
    who = scope.on_behalf or scope.user
    kept: dict[str, Any] = {
        "id": uuid7(),
        "client": scope.client_id,
        "batch": batch_id,
        "action": action,
        "pay_date": pay_date,
        "outcome": outcome,
        "words": words[:2000],
        "user": who.id,
    }
    with connection.cursor() as cursor:
        cursor.execute(KEEP, kept)
        if not cursor.rowcount:
            cursor.execute(KEPT, kept)
            outcome = cursor.fetchone()[0]
    return ResultKept(batch_id, outcome)


def run_part(batch_id: UUID, client_id: UUID, action: str, pay_date: date, user: Identity) -> None:
    """A client's part of a batch. Whatever happens leaves a result, unless it has one.

    user: with what their token is narrowed to.
    """
    part = _Part(user, client_id, action, pay_date, batch_id)
    with acting(user, read=[client_id]):
        if BatchResult.objects.filter(client_id=client_id, batch_id=batch_id).exists():
            return
        has_few = selectors.has_few_people(client_id)
    with of_few() if has_few else nullcontext():
        try:
            ACTIONS[action](part)
            return
        except EngineroomError as error:
            words = str(error)
        except Exception:
            log.exception("batch %s, client %s: %s", batch_id, client_id, action)
            words = DEFECT
        with part.for_user():
            part.keep("failed", words)


NOTHING = {
    "calculate": "no run of that pay date is left to calculate",
    "ask": "no run of that pay date waits for the client",
    "release": "no run of that pay date is approved",
}


class _Said:
    """What became of each run of a client, in words."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refused: list[str] = []

    @contextmanager
    def apart(self, what: str) -> Iterator[None]:
        """A run in a savepoint of its own: what refuses it undoes nothing of the others."""
        try:
            with transaction.atomic():
                yield
        except EngineroomError as error:
            self.refuse(what, error)

    def refuse(self, what: str, error: EngineroomError) -> None:
        self.refused.append(f"{what}: {str(error).rstrip('.')}.")


@dataclass(frozen=True)
class _Part:
    user: Identity
    client_id: UUID
    action: str
    pay_date: date
    batch_id: UUID

    def for_user(self) -> Any:
        """As the system, for whoever asked: with what they may do still."""
        return acting(access.system_user(), write=self.client_id, on_behalf=self.user)

    def paid(self) -> list[selectors.RunRow]:
        """Every run of the pay date."""
        return selectors.paid_between([self.client_id], self.pay_date, self.pay_date)

    def of(self, rows: Sequence[selectors.RunRow]) -> list[selectors.RunRow]:
        """Those that the action is for."""
        return [row for row in rows if row.state.code in KINDS[self.action].states]

    def key(self, row_id: UUID) -> str:
        return f"batch-{self.batch_id.hex}-{row_id.hex}"

    def opened(self, run: services.RunOpened, before: Sequence[selectors.RunRow]) -> list[selectors.RunRow]:
        """The run, if it was opened just now and is of the pay date."""
        known = {row.id for row in before}
        return [row for row in self.of(self.paid()) if row.id == run.run_id and row.id not in known]

    def did(self, said: _Said) -> None:
        """Keep what was done, in the transaction that does it. A run that was refused, and whom one that was
        given up leaves unpaid, is the client's failure, whatever else was done; the words name each."""
        unpaid = _given_up(self.paid()) if self.action == "calculate" else []
        refused = [*said.refused, *unpaid]
        outcome: Outcome = "failed" if refused else "done" if said.done else "nothing"
        self.keep(outcome, " ".join([*refused, *said.done]) or NOTHING[self.action])

    def keep(self, outcome: Outcome, words: str) -> None:
        keep_batch_result(
            self.batch_id, action=self.action, pay_date=self.pay_date, outcome=outcome, words=words
        )


def _calculate(part: _Part) -> None:
    """In one transaction, but for runs of several chunks: they are calculated a chunk a transaction."""
    said = _Said()
    with part.for_user():
        larger = _begun(part, said)
        if not larger:
            part.did(said)
            return
    for row, plan in larger:
        try:
            _calculate_chunks(part, plan)
            with part.for_user():
                attempts.publish_attempt(plan.attempt_id)
                said.done.append(_followed(row))
        except EngineroomError as error:
            said.refuse(f"Run {row.number}", error)
    with part.for_user():
        part.did(said)


Larger = tuple[selectors.RunRow, attempts.AttemptPlanned]


def _begun(part: _Part, said: _Said) -> list[Larger]:
    """Every run of the pay date, opened first where it is not: calculated, or planned where it is larger. One
    that finds nothing to pay is not opened: it would stand in the way of every later one."""
    larger: list[Larger] = []

    def calculated(row: selectors.RunRow) -> None:
        one = attempts.calculate_pay_run(row.id)
        if one.published:
            said.done.append(_followed(row))
        else:
            larger.append((row, one.plan))

    there = part.paid()
    for row in part.of(there):
        with said.apart(f"Run {row.number}"):
            calculated(row)
    for schedule in schedules.pay_schedules():
        with said.apart(f"The run of {schedule}"):
            if opened := _open_scheduled(schedule, part.pay_date):
                for row in part.opened(opened, there):
                    calculated(row)
    with said.apart("The run of timesheets"):
        if opened := _open_weekly(part, is_other=bool(said.refused or part.paid())):
            for row in part.opened(opened, there):
                calculated(row)
    return larger


def _open_weekly(part: _Part, *, is_other: bool) -> services.RunOpened | None:
    """The run of timesheets, where hours wait for it. Where no other is paid that day either, it is opened
    all the same, and says itself what is missing."""
    if is_other and not selectors.timesheets_waiting(week_ending(part.pay_date) - timedelta(days=7)):
        return None
    try:
        return services.open_pay_run(part.pay_date)
    except Conflict:
        if not is_other:
            raise
        return None


def _open_scheduled(schedule: PaySchedule, pay_date: date) -> services.RunOpened | None:
    """The regular run of a schedule, if it pays somebody on the day."""
    with suppress(schedules.NoSuchPayday, CalendarNotKnown, Conflict):
        period = schedules.paid_on(schedule, pay_date)
        if schedules.is_anybody_on(schedule, period):
            return services.open_pay_run(pay_date, schedule=schedule.code)
    return None


def _given_up(rows: Sequence[selectors.RunRow]) -> list[str]:
    """Of every regular run that was given up and whose people are thus paid by none: what to do."""
    return [
        f"Run {row.number} was given up, so it pays nobody, and no other run of "
        f"{row.schedule or 'weekly timesheets'} is for that period. Calculate it anew on its own page."
        for row in rows
        if row.kind == "regular" and row.state.code == "given-up" and _leaves_unpaid(row)
    ]


def _leaves_unpaid(row: selectors.RunRow) -> bool:
    if row.is_of_timesheets:
        return selectors.timesheets_waiting(row.period_ends) > 0
    schedule = services.find_run(row.id).schedule
    assert schedule is not None, "it is of no timesheets"
    return schedules.is_anybody_within(schedule, row.period_starts, row.period_ends)


def _calculate_chunks(part: _Part, plan: attempts.AttemptPlanned) -> None:
    with part.for_user():
        left = AttemptChunk.objects.filter(client_id=part.client_id, attempt_id=plan.attempt_id, done_at=None)
        chunks = list(left.order_by("chunk").values_list("chunk", flat=True))
    for chunk in chunks:
        with part.for_user():
            attempts.calculate_chunk(plan.attempt_id, chunk)


def _followed(row: selectors.RunRow) -> str:
    """What was calculated, in words; the bill run of the same weeks follows, in the same transaction."""
    run = services.find_run(row.id)
    kept = len(blockers_of_unreleased(run))
    if row.is_of_timesheets:
        _draft_invoices(row.pay_date, row.period_ends)
    blocked = f", {format_count(kept, 'blocker')} to solve" if kept else ""
    return f"Run {row.number}: {format_count(run.payslips, 'payslip')}{blocked}."


def _draft_invoices(pay_date: date, period_ends: date) -> None:
    """The bill run of the same weeks follows, as on the run's page; an issued one stays."""
    found = REGISTRY.get("billing.prepare_bill_run")
    if found and current_scope().may(found.permission):
        with suppress(Conflict):
            found.run(pay_date, period_ends)


def _ask(part: _Part) -> None:
    said = _Said()
    with part.for_user():
        for row in part.of(part.paid()):
            with said.apart(f"Run {row.number}"):
                with keyed(part.key(row.id)):
                    done = REGISTRY["web.ask_approver"].run(row.id)
                asked = format_count(done.asked, "approver is", "approvers are")
                said.done.append(f"Run {row.number}: {asked} asked.")
        part.did(said)


def _release(part: _Part) -> None:
    """By the one who asked for it: PostgreSQL lets no program release."""
    said = _Said()
    with acting(part.user, write=part.client_id):
        for row in part.of(part.paid()):
            with said.apart(f"Run {row.number}"):
                said.done.append(_released(row))
        part.did(said)


def _released(row: selectors.RunRow) -> str:
    """The run with its payment file: both or neither."""
    done = services.release_pay_run(row.id)
    file = None
    if done.net and (pay := REGISTRY.get("settlement.release_payments")):
        file = pay.run("pay_run", row.id, kind="net_pay", pay_date=row.pay_date)
    written = f", payment file {file.file_name} to submit by {file.submit_by}" if file else ""
    return f"Run {row.number}: {format_count(done.payslips, 'payslip')} released{written}."


ACTIONS: dict[str, Callable[[_Part], None]] = {"calculate": _calculate, "ask": _ask, "release": _release}


# --- what became of it ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A client of a batch. outcome: queued and working before there is a result."""

    client_id: UUID
    action: str
    pay_date: date | None
    outcome: str
    words: str
    at: datetime | None


PARTS = """
SELECT b.client_id, b.action, b.pay_date, b.outcome, b.words, b.at FROM payroll_batchresult b
WHERE b.client_id = ANY(%(clients)s) AND b.batch_id = %(batch)s
UNION ALL
SELECT (j.args->>'client_id')::uuid, j.args->>'action', (j.args->>'pay_date')::date,
  CASE j.status WHEN 'doing' THEN 'working' WHEN 'failed' THEN 'failed' ELSE 'queued' END,
  CASE j.status WHEN 'failed' THEN 'its job took several workers down; it is not tried again' ELSE '' END,
  NULL
FROM procrastinate_jobs j
WHERE j.task_name = 'payroll.batch_part' AND j.args->>'batch_id' = %(batch)s::text
  AND j.status IN ('todo', 'doing', 'failed') AND (j.args->>'client_id')::uuid = ANY(%(clients)s)
  AND NOT EXISTS (SELECT FROM payroll_batchresult b WHERE b.batch_id = %(batch)s
    AND b.client_id = (j.args->>'client_id')::uuid)
"""


def parts(batch_id: UUID, clients: Sequence[UUID] | None = None) -> list[Part]:
    """What became of each of these clients in a batch; without them, of all that the scope reads."""
    of = current_scope().read if clients is None else clients
    with connection.cursor() as cursor:
        cursor.execute(PARTS, {"clients": list(of), "batch": batch_id})
        return [Part(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Batch:
    """An action over many clients, as far as the asker sees them. left: clients whose turn is still to come.
    at: of the first result; None while there is none."""

    began: int
    id: UUID
    action: str
    clients: int
    done: int
    nothing: int
    failed: int
    left: int
    by_user_id: UUID
    at: datetime | None


BATCHES = """
SELECT coalesce((extract(epoch FROM min(p.at)) * 1000)::bigint, 9007199254740991) AS began, p.batch_id,
  min(p.action), count(*), count(*) FILTER (WHERE p.outcome = 'done'),
  count(*) FILTER (WHERE p.outcome = 'nothing'), count(*) FILTER (WHERE p.outcome = 'failed'),
  count(*) FILTER (WHERE p.outcome = 'queued'), min(p.by_user::text)::uuid, min(p.at)
FROM (
  SELECT b.batch_id, b.client_id, b.action, b.outcome, b.by_user_id AS by_user, b.at
  FROM payroll_batchresult b WHERE b.client_id = ANY(%(clients)s)
  UNION ALL
  SELECT (j.args->>'batch_id')::uuid, (j.args->>'client_id')::uuid, j.args->>'action',
    CASE j.status WHEN 'failed' THEN 'failed' ELSE 'queued' END, (j.args->>'user_id')::uuid, NULL
  FROM procrastinate_jobs j
  WHERE j.task_name = 'payroll.batch_part' AND j.status IN ('todo', 'doing', 'failed')
    AND (j.args->>'client_id')::uuid = ANY(%(clients)s)
    AND NOT EXISTS (SELECT FROM payroll_batchresult b WHERE b.batch_id = (j.args->>'batch_id')::uuid
      AND b.client_id = (j.args->>'client_id')::uuid)) p
GROUP BY p.batch_id
"""

LATEST_FIRST = Order((("began", "bigint"), ("batch_id", "uuid")), latest_first=True)


def batches(clients: Sequence[UUID], cursor: str = "") -> Slice[Batch]:
    """Batches that any of these clients was in, the latest first; those without a result yet before all."""
    return read_slice(BATCHES, {"clients": list(clients)}, LATEST_FIRST, cursor, Batch)


def begin(key: str, clients: Sequence[UUID], action: str, pay_date: date, user: Identity) -> UUID:
    """A batch that a program asks for: begun once for its key, found again afterwards. Raises Conflict where
    the key began another: other clients, another action or another pay date."""
    batch_id = uuid5(user.id, key)
    found = parts(batch_id)
    if not found:
        start(batch_id, clients, action, pay_date, user)
    elif {(part.client_id, part.action, part.pay_date) for part in found} != {
        (client, action, pay_date) for client in clients
    }:
        raise Conflict("this Idempotency-Key began another batch; send a key of its own for each")
    return batch_id


def start(batch_id: UUID, clients: Sequence[UUID], action: str, pay_date: date, user: Identity) -> int:
    """Queue a job for each client. Says how many."""
    from engineroom.payroll.tasks import batch_part_job

    alike: dict[str, Any] = {
        "batch_id": str(batch_id),
        "action": action,
        "pay_date": pay_date.isoformat(),
        "user_id": str(user.id),
        "limits": user.limits,
    }
    batch_part_job.batch_defer(*({**alike, "client_id": str(client_id)} for client_id in clients))
    return len(clients)
