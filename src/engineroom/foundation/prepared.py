"""Questions of many tables about a few rows: planned at the first time on a connection, not at each of ten.

Every statement is prepared in time (decision 007), but seven tables, each with its policy, take 30 to 80 ms
to plan and one to read by key (measured). Only for questions whose plan is the same for everybody: keys in,
rows out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
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


_planned_anew: ContextVar[bool] = ContextVar("planned_anew", default=False)


@contextmanager
def planned_anew() -> Iterator[None]:
    """What is asked inside is planned for its own values, for questions about everybody in a run: the plan
    that served a connection for sixty small clients took 97 s for one of 10,000 people, its own 0.05
    (measured). Inside `acting`; what the transaction asks afterwards is planned as ever.
    """
    if _planned_anew.get():
        yield
        return
    token = _planned_anew.set(True)
    try:
        _set_mode("force_custom_plan")
        yield
        _set_mode("auto")  # an error ends the transaction, and the setting with it
    finally:
        _planned_anew.reset(token)


def _set_mode(mode: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL plan_cache_mode = {mode}")


def rows_planned_anew(question: str, asked: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The same for a question whose plan is only good if it is made for these very values."""
    connection.ensure_connection()
    with ClientCursor(connection.connection) as cursor:
        return cursor.execute(question, asked).fetchall()
