"""Whether anything that a calculation reads has moved since, asked of PostgreSQL instead of reading it again.

Every table that calculations read bears a trigger, which notes in the writing transaction that the client's
inputs moved (`InputMoved`, `after_each_write`). A calculation keeps the snapshot that stood before it read.
What that snapshot could not see has moved since, in whatever order transactions begin and end. Where nothing
moved there is nothing to read again. Where something did, the result may still be the same: then the inputs
are read, and their hash says.
"""

from __future__ import annotations

from django.db import connection

from engineroom.payroll.models import Attempt, PayRun

# Transaction ids count from anew in a database that was restored from a dump: a snapshot says which it is of.
NOW = "SELECT (SELECT system_identifier FROM pg_control_system()) || ' ' || pg_current_snapshot()"

# The run's own row moves when it is published, which is no input. A transaction of the future is one of
# another life of the database, before it was restored.
MOVED = """
SELECT EXISTS (
  SELECT FROM payroll_attemptchunk k
  CROSS JOIN LATERAL (SELECT split_part(k.seen, ' ', 1) AS life,
    nullif(split_part(k.seen, ' ', 2), '')::pg_snapshot AS at) seen
  WHERE k.client_id = %(client)s AND k.attempt_id = %(attempt)s AND k.done_at IS NOT NULL AND (
    seen.at IS NULL OR seen.life <> (SELECT system_identifier FROM pg_control_system())::text
    OR pg_snapshot_xmax(seen.at) > pg_snapshot_xmax(pg_current_snapshot())
    OR EXISTS (
      SELECT FROM payroll_inputmoved m
      WHERE m.client_id = k.client_id AND m.xact >= pg_snapshot_xmin(seen.at)::text::bigint
        AND NOT pg_visible_in_snapshot(m.xact::text::xid8, seen.at)
        AND m.run_id IS DISTINCT FROM %(run)s)))
"""


def seen_now() -> str:
    """What a calculation that reads from now on could see: the database and its snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(NOW)
        return str(cursor.fetchone()[0])


def moved_since(run: PayRun, attempt: Attempt) -> bool:
    """Whether an input of the client was written after an attempt at a run had begun to read."""
    with connection.cursor() as cursor:
        cursor.execute(MOVED, {"client": run.client_id, "attempt": attempt.id, "run": run.id})
        return bool(cursor.fetchone()[0])
