"""What is planned once on a connection, and what is planned for its own values each time (decision 007).

Scopes that read prepare what they ask often; scopes that write do not, because clients differ in size by a
thousand: the plan that served a connection for sixty small ones took 97 s for a run of 10,000 people, its own
0.05 (measured).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from psycopg import Connection, Cursor

OFTEN = 5
"""Times that a statement is asked on a connection before it is prepared."""


def rows(question: str, asked: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The answer to a fixed text with its parameters, inside `acting`: planned once, at its first time.

    For questions of many tables about a few rows: seven tables, each with its policy, take 30 to 80 ms to
    plan and one to read by key (measured). The plan must be good for everybody: keys in, rows out.
    """
    # Sent in one go: a thread asks twenty of these. What the transaction asks afterwards is planned as ever.
    with _preparing(OFTEN) as raw, Cursor(raw) as setting, Cursor(raw) as cursor, raw.pipeline():
        setting.execute("SET LOCAL plan_cache_mode = force_generic_plan", prepare=False)
        cursor.execute(question, asked, prepare=True)
        setting.execute("SET LOCAL plan_cache_mode = auto", prepare=False)
        return cursor.fetchall()


def rows_planned_anew(question: str, asked: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The same for a question whose plan is only good if it is made for these very values."""
    with _preparing(None) as raw, Cursor(raw) as cursor:
        return cursor.execute(question, asked).fetchall()


@contextmanager
def planned_anew() -> Iterator[None]:
    """What is asked inside is planned for its own values: questions about everybody in a run."""
    with _preparing(None):
        yield


@contextmanager
def planned_once() -> Iterator[None]:
    """What is asked inside is about a few rows, by key, whoever's they are: in a scope that writes, too."""
    with _preparing(OFTEN):
        yield


@contextmanager
def sent_together() -> Iterator[Connection[Any]]:
    """The driver's connection, which sends what is asked inside without waiting for answers in between. The
    first that fails is raised at the end, and nothing after it was done."""
    connection.ensure_connection()
    raw: Connection[Any] = connection.connection
    with connection.wrap_database_errors, raw.pipeline():
        yield raw


@contextmanager
def _preparing(after: int | None) -> Iterator[Connection[Any]]:
    """The driver's connection, which meanwhile prepares statements after so many times, or none."""
    connection.ensure_connection()
    raw: Connection[Any] = connection.connection
    before = raw.prepare_threshold
    raw.prepare_threshold = after
    try:
        yield raw
    finally:
        raw.prepare_threshold = before
