"""Whatever calculations of pay read is watched by PostgreSQL (`payroll/moved.py`), in every room."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from tests.firm import TestClient, superuser
from tests.foundation.conftest import CLIENT_TABLES

from engineroom.payroll.inputs import EVERYBODY, read_inputs
from engineroom.payroll.models import PayRun

COUNTS_WITH_ITS_RUN = {
    "payroll_attempt": "never changes",
    "payroll_payslip": "counts once its run is published",
    "payroll_ordertaken": "counts once its run is published",
    "payroll_claimpaid": "counts once its run is published",
    "payroll_debttaken": "counts once its run is published",
}
"""What calculations read of other runs: it counts by their rows in payroll_payrun, which are watched."""

NOT_READ = {
    # Why something is as it is: who said it, proposed it, decided it.
    "leave_decision", "leave_evidence", "people_accountdecision", "people_accountpolicy",
    "people_accountproposal", "people_employmentending", "people_termschange", "payroll_payworkbook",
    # What other rows are made from when it is said: entitlement, the rates of charges.
    "leave_policy", "timesheets_assignmentrate", "timesheets_purchaseorder",
    # What comes after a calculation.
    "payroll_accountchange", "payroll_attemptchunk", "payroll_batchresult", "payroll_commentanswer",
    "payroll_handedover", "payroll_inputmoved", "payroll_liability", "payroll_mappedaccount",
    "payroll_postedmap", "payroll_returnedcomment", "timesheets_hold", "timesheets_holdend",
    "people_personlogin",
}  # fmt: skip

TABLE = re.compile(r'\b(?:FROM|JOIN)\s+(?:ONLY\s+)?"?([a-z]+_[a-z]+)"?', re.IGNORECASE)


def watched() -> set[str]:
    """Tables whose every write is noted."""
    with superuser() as look:
        rows = look.execute(
            "SELECT c.relname, t.tgtype FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_proc f ON f.oid = t.tgfoid WHERE f.proname IN ('note_input_moved', 'note_run_moved') "
            "AND t.tgenabled = 'O'"
        ).fetchall()
    of: dict[str, int] = {}
    for table, kind in rows:
        of[table] = of.get(table, 0) | kind
    insert_delete_update = 4 | 8 | 16
    return {table for table, kind in of.items() if kind & insert_delete_update == insert_delete_update}


@pytest.fixture
def tables_read() -> Iterator[set[str]]:
    found: set[str] = set()

    def listen(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        found.update(TABLE.findall(str(sql)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        yield found


def test_whatever_a_calculation_reads_is_watched(busy: TestClient, tables_read: set[str]) -> None:
    with busy.acting():
        runs = list(PayRun.objects.filter(client_id=busy.id))
        tables_read.clear()
        for run in runs:
            for kind in (run.kind, "regular", "final", "replacement"):
                run.kind = kind
                read_inputs(run, EVERYBODY["first"], EVERYBODY["last"])
    client_tables = tables_read & set(CLIENT_TABLES)
    assert {"people_terms", "payroll_payitem", "timesheets_charge", "leave_booking"} <= client_tables
    assert client_tables - watched() == COUNTS_WITH_ITS_RUN.keys() & client_tables


def test_every_table_of_payroll_and_of_what_it_pays_by_is_watched_or_known_not_to_be_read() -> None:
    """A new table of these rooms is told here what it is to a calculation."""
    rooms = {t for t in CLIENT_TABLES if t.split("_")[0] in ("payroll", "people", "timesheets", "leave")}
    assert rooms - watched() == COUNTS_WITH_ITS_RUN.keys() | NOT_READ
