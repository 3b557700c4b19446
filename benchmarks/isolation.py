"""isolation: what row security costs. A point read among 1M rows, with it and without, in the scope of one
client (as a page has it) and of 200; and a board: the 20 next tasks of one person over 200 readable clients,
on its own (assignee, due) index. Claims: a point read under 1.3 times; the board under 10 ms.

Point reads are taken twice: prepared, which is what executing under the policy costs, and as the application
sends them, parsed and planned each time with the policy in it.

The table is the benchmark's own, with the very policies that `ClientTable` gives every client table: no table
of the product has a million rows and an assignee yet.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from benchmarks.ground import a_firm, bench

CLIENTS, ROWS, READS, BOARDS = 200, 1_000_000, 1_000, 200
CLAIM_MS = 10
TURNS = 9


def main() -> None:
    with a_firm() as firm:
        from django.db import connection

        from engineroom.foundation.access import services as access
        from engineroom.foundation.tenancy.scope import acting

        user, clients = firm.new_user(), []
        with acting(firm.owner, write=firm.house_id):
            for n in range(CLIENTS):
                clients.append(access.open_client(f"B{n:04d}", f"Bench {n}", details={}).client_id)
        for client_id in clients:
            firm.grant(user, client_id, "bookkeeper")
        assignee = _fill(clients)
        wanted = _sample()
        of_one = [w for w in wanted if w[0] == wanted[0][0]] * 200
        scopes = (("point_read", [wanted[0][0]], of_one), ("point_read_200_clients", clients, wanted))
        for name, readable, mine in scopes:
            with acting(user, read=readable):
                _in_turns(f"{name}_us", mine, prepared=True)
                _in_turns(f"{name}_planned_us", mine, prepared=False)
        with acting(user, read=clients):
            board = _timed(lambda: _board(connection, assignee), BOARDS)
            bench("board_ms", board * 1e3, "ms", ratio=board * 1e3 / CLAIM_MS, vs=f"{CLAIM_MS} ms")


def _fill(clients: list[UUID]) -> UUID:
    """A million tasks in two tables: one guarded like every client table, one bare. Returns somebody with
    tasks.
    """
    from django.db import connections

    from engineroom.foundation.tenancy.operations import _policies

    with connections["owner"].cursor() as cursor:
        for table in ("guarded_task", "bare_task"):
            cursor.execute(
                f"CREATE TABLE {table} (id uuid PRIMARY KEY, client_id uuid NOT NULL, "
                "assignee_id uuid NOT NULL, due date NOT NULL, title text NOT NULL, UNIQUE (client_id, id))"
            )
        cursor.execute("CREATE TABLE people AS SELECT gen_random_uuid() AS id FROM generate_series(1, 2000)")
        cursor.execute(
            "INSERT INTO bare_task SELECT gen_random_uuid(), c.id, p.id, "
            "date '2026-01-01' + (random() * 365)::int, 'task ' || n "
            "FROM generate_series(1, %s) n "
            "JOIN (SELECT id, row_number() OVER () - 1 AS k FROM unnest(%s::uuid[]) id) c ON c.k = n %% %s "
            "JOIN (SELECT id, row_number() OVER () - 1 AS k FROM people) p ON p.k = n %% 1999",
            [ROWS, clients, CLIENTS],
        )
        cursor.execute("INSERT INTO guarded_task SELECT * FROM bare_task")
        for table in ("guarded_task", "bare_task"):
            cursor.execute(f"CREATE INDEX ON {table} (assignee_id, due)")
        for statement in _policies(
            "guarded_task",
            read="client_id = ANY ((SELECT app_read())::uuid[])",
            write="client_id = (SELECT app_write())",
        ):
            cursor.execute(statement)
        cursor.execute("GRANT SELECT ON guarded_task, bare_task TO engineroom_app")
        cursor.execute("ANALYZE guarded_task")
        cursor.execute("ANALYZE bare_task")
        cursor.execute("SELECT assignee_id FROM bare_task GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
        assignee: UUID = cursor.fetchone()[0]
    return assignee


def _sample() -> list[tuple[UUID, UUID]]:
    from django.db import connection

    with connection.cursor() as cursor:  # the bare table has no policy: any scope may read it
        cursor.execute("SELECT client_id, id FROM bare_task TABLESAMPLE SYSTEM (1) LIMIT %s", [READS])
        found: list[tuple[UUID, UUID]] = cursor.fetchall()
    random.Random(1).shuffle(found)
    return found


def _in_turns(name: str, wanted: list[tuple[UUID, UUID]], prepared: bool) -> None:
    """One table after the other, and the ratio of each turn: the machine drifts from second to second."""
    turns = [
        (_point_reads("bare_task", wanted, prepared), _point_reads("guarded_task", wanted, prepared))
        for _ in range(TURNS)
    ]
    ratio = statistics.median(guarded / bare for bare, guarded in turns)
    guarded_us = statistics.median(guarded for _, guarded in turns) * 1e6
    bench(name, guarded_us, "us", ratio=ratio, vs="the same rows without row security")


def _point_reads(table: str, wanted: list[tuple[UUID, UUID]], prepared: bool) -> float:
    """Median seconds of a point read, in one transaction."""
    import psycopg
    from django.db import connection

    connection.ensure_connection()
    raw = connection.connection
    times = []
    # Django puts values into the text and prepares nothing that it sends.
    raw.prepare_threshold = 1 if prepared else None
    with psycopg.Cursor(raw) if prepared else raw.cursor() as cursor:
        # Planned once, or planning is what is measured: PostgreSQL would weigh a new plan at every read.
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for client_id, row_id in wanted:
            start = time.perf_counter()
            cursor.execute(
                f"SELECT title FROM {table} WHERE client_id = %s AND id = %s",
                [client_id, row_id],
                prepare=prepared,
            )
            row = cursor.fetchone()
            times.append(time.perf_counter() - start)
            assert row is not None
        if prepared:
            named = raw.execute("SELECT FROM pg_prepared_statements WHERE strpos(statement, %s) > 0", [table])
            assert named.fetchone() is not None, "it was not prepared"
    return statistics.median(times)


def _board(connection: Any, assignee: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, client_id, due, title FROM guarded_task WHERE assignee_id = %s ORDER BY due LIMIT 20",
            [assignee],
        )
        assert len(cursor.fetchall()) == 20


def _timed(work: Callable[[], None], times: int) -> float:
    """Median seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
