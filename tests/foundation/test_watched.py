"""Whatever calculations of pay read is watched by PostgreSQL (`payroll/moved.py`), in every room.

That nothing else is read is asserted in every test of tests/payroll, too (its conftest).
"""

from __future__ import annotations

from tests.firm import TestClient
from tests.watching import COUNTS_WITH_ITS_RUN, client_tables, tables_read, watched

from engineroom.payroll.inputs import EVERYBODY, read_inputs
from engineroom.payroll.models import PayRun

NOT_READ = {
    # Why something is as it is: who said it, proposed it, decided it.
    "leave_decision", "leave_evidence", "people_accountdecision", "people_accountpolicy",
    "people_accountproposal", "people_employmentending", "people_termschange", "payroll_payworkbook",
    # What other rows are made from when it is said: the rates of charges.
    "timesheets_assignmentrate", "timesheets_purchaseorder",
    "timesheets_agreement", "timesheets_ratecard", "timesheets_rateterms", "timesheets_site",
    # What becomes hours, or became them before they were valued anew.
    "timesheets_chargebefore", "timesheets_enteredday", "timesheets_enteredweek",
    "timesheets_answerpolicy", "timesheets_answerrequest", "timesheets_requestedweek",
    "timesheets_requeststep",
    # What comes after a calculation.
    "payroll_accountchange", "payroll_batchresult", "payroll_commentanswer",
    "payroll_clientapprovalpolicy",
    "payroll_handedover", "payroll_inputmoved", "payroll_liability", "payroll_mappedaccount",
    "payroll_postedmap", "payroll_returnedcomment", "timesheets_hold", "timesheets_holdend",
    "people_personlogin",
}  # fmt: skip


def test_whatever_a_calculation_reads_is_watched(busy: TestClient) -> None:
    with busy.acting():
        runs = list(PayRun.objects.filter(client_id=busy.id))
        with tables_read() as tables:
            for run in runs:
                for kind in (run.kind, "regular", "final", "replacement"):
                    run.kind = kind
                    read_inputs(run, EVERYBODY["first"], EVERYBODY["last"])
    assert {"people_terms", "payroll_payitem", "timesheets_charge", "leave_booking"} <= tables
    assert tables - watched() <= COUNTS_WITH_ITS_RUN.keys()


def test_every_table_of_payroll_and_of_what_it_pays_by_is_watched_or_known_not_to_be_read() -> None:
    """A new table of these rooms is told here what it is to a calculation."""
    rooms = {t for t in client_tables() if t.split("_")[0] in ("payroll", "people", "timesheets", "leave")}
    assert rooms - watched() == (COUNTS_WITH_ITS_RUN.keys() & rooms) | NOT_READ
