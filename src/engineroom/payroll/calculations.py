"""Payroll's background jobs as whoever asked for them finds them again: calculations, and papers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from engineroom.foundation.access.roles import may
from engineroom.foundation.jobs import shown
from engineroom.foundation.jobs.shown import LOOK_BACK_DAYS, MOST, NO_WORKER, Printing, Shown, State
from engineroom.foundation.jobs.tasks import MOST_REQUEUES, STALLED_AFTER_SECONDS
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.payroll import attempts, papers

KIND = "calculation"

MINE = """
WITH asked AS MATERIALIZED (
  SELECT e.client_id, (e.detail->'result'->>'attempt_id')::uuid AS attempt_id, max(e.at) AS at
  FROM foundation_auditevent e
  WHERE e.client_id = ANY(%(clients)s) AND e.at >= %(since)s AND e.user_id = %(me)s
    AND e.verb = 'payroll.plan_calculation' AND e.detail->'request'->>'in_background' = 'true'
    AND (%(attempt)s::uuid IS NULL OR e.detail->'result'->>'attempt_id' = %(attempt)s::text)
  GROUP BY 1, 2 ORDER BY 3 DESC LIMIT %(most)s
), queued AS MATERIALIZED (
  SELECT j.args->>'attempt_id' AS attempt_id,
    count(*) FILTER (WHERE j.status = 'todo') AS todo, count(*) FILTER (WHERE j.status = 'doing') AS doing,
    max(j.id) FILTER (WHERE j.status = 'failed') AS failed, max(j.attempts) AS attempts
  FROM procrastinate_jobs j
  WHERE j.task_name = 'payroll.calculate_chunk'
    AND j.args->>'attempt_id' IN (SELECT attempt_id::text FROM asked)
  GROUP BY 1
)
SELECT asked.client_id, r.id, r.number, a.id, asked.at, c.chunks_done, c.chunks, c.done, c.people,
  r.published_id = a.id,
  EXISTS (SELECT FROM payroll_attempt l
          WHERE l.client_id = a.client_id AND l.run_id = a.run_id AND l.number > a.number),
  EXISTS (SELECT FROM foundation_release x
          WHERE x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id),
  coalesce(q.todo, 0), coalesce(q.doing, 0), q.failed, coalesce(q.attempts, 0),
  EXISTS (SELECT FROM procrastinate_workers w WHERE w.last_heartbeat > %(beating)s)
FROM asked
JOIN payroll_attempt a ON a.client_id = asked.client_id AND a.id = asked.attempt_id
JOIN payroll_payrun r ON r.client_id = a.client_id AND r.id = a.run_id
CROSS JOIN LATERAL (
  SELECT count(*) AS chunks, count(k.done_at) AS chunks_done, coalesce(sum(k.people), 0)::bigint AS people,
    coalesce(sum(k.people) FILTER (WHERE k.done_at IS NOT NULL), 0)::bigint AS done
  FROM payroll_attemptchunk k WHERE k.client_id = a.client_id AND k.attempt_id = a.id) c
LEFT JOIN queued q ON q.attempt_id = a.id::text
ORDER BY asked.at DESC
"""


def mine(clients: Sequence[UUID], attempt_id: UUID | None = None) -> list[Shown]:
    """What I had calculated in the background on these clients, the latest first."""
    now = timezone.now()
    values: dict[str, Any] = {
        "clients": list(clients),
        "since": now - timedelta(days=LOOK_BACK_DAYS),
        "me": current_scope().user.id,
        "attempt": attempt_id,
        "most": MOST,
        "beating": now - timedelta(seconds=STALLED_AFTER_SECONDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(MINE, values)
        return [_calculation(row) for row in cursor.fetchall()]


def _calculation(row: tuple[Any, ...]) -> Shown:
    state, why, may_retry = _state(row[0], *row[5:7], *row[9:])
    client_id, _, run, attempt_id, at, _, _, done, people = row[:9]
    return Shown(
        client_id,
        KIND,
        attempt_id,
        f"Pay run {run}",
        at,
        done,
        people,
        "person,people",
        state,
        ("payroll:run", (run,)),
        why,
        may_retry,
    )


def _state(
    client_id: UUID,
    chunks_done: int,
    chunks: int,
    published: bool | None,
    superseded: bool,
    released: bool,
    todo: int,
    doing: int,
    failed: int | None,
    attempts: int,
    has_worker: bool,
) -> tuple[State, str, bool]:
    """The state, why it is so where that needs saying, and whether another try can help."""
    if published:
        return "done", "", False
    if superseded:
        return "left", "The run was calculated again since; the later calculation counts.", False
    if doing:
        return "running", "", False
    if todo:
        return ("running" if chunks_done else "queued"), "" if has_worker else NO_WORKER, False
    if released:
        return "failed", "The run is released: what was issued is frozen. Correct it in another run.", False
    if not may(current_scope().roles.get(client_id, frozenset()), "payroll.prepare"):
        return "failed", "Your role no longer includes payroll.prepare: ask somebody whose role does.", False
    left = f"{chunks - chunks_done} of {chunks} parts are not calculated; try again, what is done stays."
    if attempts >= MOST_REQUEUES:
        return "failed", f"It took {attempts} workers down, most likely for want of memory. {left}", True
    if chunks_done == chunks:
        return "failed", "Every part is calculated, but the result was not published; try again.", True
    if failed:
        return "failed", f"Job {failed} stopped with an error, which the worker's log has. {left}", True
    return "failed", f"Nothing works on it any more. {left}", True


FIND_RUN = "SELECT run_id FROM payroll_attempt WHERE client_id = %s AND id = %s"


def _again(job: Shown) -> str:
    """What is left of it is calculated; where only the publishing is, that is done now."""
    with connection.cursor() as cursor:
        cursor.execute(FIND_RUN, [job.client_id, job.id])
        run_id = cursor.fetchone()[0]
    if job.done == job.total:
        attempts.publish_attempt(job.id)
        return f"{job.what} is calculated."
    attempts.plan_calculation(run_id, in_background=True)
    return f"{job.what} is in the queue again."


PRINTING = Printing(
    kind="payslips",
    verb="payroll.plan_printing",
    prepares="payroll.prepare",
    task=papers.JOB,
    argument="run_id",
    sql="""
SELECT r.id, r.number, count(s.id), count(f.id)
FROM payroll_payrun r
JOIN payroll_payslip s ON s.client_id = r.client_id AND s.attempt_id = r.published_id
LEFT JOIN foundation_vaultfile f
  ON f.client_id = s.client_id AND f.kind = %(paper)s AND f.subject_id = s.id
WHERE r.client_id = ANY(%(clients)s) AND r.id = ANY(%(subjects)s)
GROUP BY r.id, r.number
""",
    paper=papers.KIND,
    unit="payslip",
    what="Payslips of pay run {number}",
    page="payroll:run",
)


def _print_again(job: Shown) -> str:
    papers.plan_printing(job.id)
    return f"{job.what} are in the queue again."


shown.register(KIND, shown.Kind("payroll.read", "payroll.prepare", mine, _again))
shown.register(PRINTING.kind, shown.Kind("payroll.read", "payroll.prepare", PRINTING.mine, _print_again))
