"""Questions of many tables about a few rows: planned once per connection, not each time.

Seven tables, each with its policy, take 30 to 80 ms to plan and one to read by key (measured). Only for
questions whose plan is the same for everybody: keys in, rows out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from django.db import connection
from psycopg import Cursor

from engineroom.foundation.tenancy.scope import Scope, current_scope

_set_in: ContextVar[Scope | None] = ContextVar("generic_plans_in", default=None)
"""The scope in whose transaction the setting was made: a thread asks twenty of these."""


def rows(question: str, asked: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The answer to a fixed text with its parameters. Inside `acting`: the setting ends with it."""
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = raw.prepare_threshold or 1  # None would prepare nothing, whoever asks for it
    # Django's own cursor writes the parameters into the text, and each such text is another statement.
    scope = current_scope()
    with Cursor(raw) as cursor:
        if _set_in.get() is not scope:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan", prepare=False)
            _set_in.set(scope)
        cursor.execute(question, asked, prepare=True)
        return cursor.fetchall()
