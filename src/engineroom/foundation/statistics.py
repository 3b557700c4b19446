"""Fresh statistics after a bulk write, as a DBA would have them.

PostgreSQL's own autovacuum looks once a minute. Until it has, a table that was empty a second ago is planned
as if it still were: the inputs of a run of 10,000 people took 216 s instead of under one (measured). So the
writer of many rows asks for ANALYZE after its commit, by autovacuum's own rule: more than a tenth of the
table is new.
"""

from __future__ import annotations

from django.db import connection, transaction

WORTH_A_LOOK = 100
"""Rows written at once from which we ask at all: planning 300 rows as none once took seconds (measured)."""


def many_rows_written(table: str, rows: int) -> None:
    """Ask for statistics after the commit, if so many rows change the picture. Outside the writer's
    transaction, because ANALYZE holds a lock to its end that would make importers wait for each other."""
    if rows >= WORTH_A_LOOK:
        transaction.on_commit(lambda: _analyze(table, rows))


def _analyze(table: str, rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_analyze(%s, %s)", [table, rows])
