"""Throwing a database away and making it afresh: for demonstrations and tests."""

from __future__ import annotations

import psycopg
from psycopg import sql

from engineroom.foundation.postgres.launcher import start
from engineroom.foundation.postgres.paths import Home
from engineroom.foundation.postgres.roles import DATABASE, ensure_roles_and_database


def recreate_database(home: Home | None = None, dbname: str = DATABASE) -> None:
    """Drop the embedded database with everything in it, and make an empty one. Whoever decides has asked
    already.
    """
    server = start(home)
    with psycopg.connect(server.conninfo(), autocommit=True) as cluster:
        cluster.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(dbname)))
    ensure_roles_and_database(server.conninfo(), dbname)
