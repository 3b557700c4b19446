"""What a calculation of pay reads, against what PostgreSQL watches (`payroll/moved.py`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import get_ident
from typing import Any
from unittest.mock import patch

import psycopg
from django.apps import apps

from engineroom.foundation.tenancy.models import ClientModel
from tests.firm import superuser

COUNTS_WITH_ITS_RUN = {
    "payroll_attempt": "never changes",
    "payroll_payslip": "counts once its run is published",
    "payroll_ordertaken": "counts once its run is published",
    "payroll_claimpaid": "counts once its run is published",
    "payroll_debttaken": "counts once its run is published",
    "payroll_recurringpaid": "counts once its run is published",
    "payroll_attemptchunk": "what it was calculated from is kept once it is done",
    "foundation_vaultfile": "never changes",
}
"""What calculations read of other runs: it counts by their rows in payroll_payrun, which are watched."""

INSERT, DELETE, UPDATE = 4, 8, 16
TABLE = re.compile(r'\b(?:FROM|JOIN)\s+(?:ONLY\s+)?"?([a-z]+_[a-z]+)"?', re.IGNORECASE)


@cache
def client_tables() -> frozenset[str]:
    return frozenset(m._meta.db_table for m in apps.get_models() if issubclass(m, ClientModel))


@cache
def watched() -> frozenset[str]:
    """Tables whose every write is noted."""
    with superuser() as look:
        rows = look.execute(
            "SELECT c.relname, t.tgtype FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_proc f ON f.oid = t.tgfoid WHERE f.proname IN ('note_input_moved', 'note_run_moved') "
            "AND t.tgenabled = 'O'"
        ).fetchall()
    verbs: dict[str, int] = {}
    for table, kind in rows:
        verbs[table] = verbs.get(table, 0) | kind
    every = INSERT | DELETE | UPDATE
    return frozenset(table for table, kinds in verbs.items() if kinds & every == every)


@contextmanager
def tables_read() -> Iterator[set[str]]:
    """The clients' tables that this thread's statements ask meanwhile, however they are sent."""
    found: set[str] = set()
    execute, here = psycopg.Cursor.execute, get_ident()

    def listen(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
        if get_ident() == here:
            found.update(client_tables().intersection(TABLE.findall(str(query))))
        return execute(cursor, query, *args, **more)

    with patch.object(psycopg.Cursor, "execute", listen):
        yield found
