"""Questions of many tables about a few rows: planned at the first time on a connection, not at each of ten.

Every statement is prepared in time (decision 007), but seven tables, each with its policy, take 30 to 80 ms
to plan and one to read by key (measured). Only for questions whose plan is the same for everybody: keys in,
rows out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from psycopg import ClientCursor, Cursor


def rows(question: str, asked: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The answer to a fixed text with its parameters. Inside `acting`."""
    connection.ensure_connection()
    raw = connection.connection
    # Sent in one go: a thread asks twenty of these. What the transaction asks afterwards is planned as ever.
    with Cursor(raw) as setting, Cursor(raw) as cursor, raw.pipeline():
        setting.execute("SET LOCAL plan_cache_mode = force_generic_plan", prepare=False)
        cursor.execute(question, asked, prepare=True)
        setting.execute("SET LOCAL plan_cache_mode = auto", prepare=False)
        return cursor.fetchall()


def rows_planned_anew(question: str, asked: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The same for a question whose plan is only good if it is made for these very values."""
    connection.ensure_connection()
    with ClientCursor(connection.connection) as cursor:
        return cursor.execute(question, asked).fetchall()
