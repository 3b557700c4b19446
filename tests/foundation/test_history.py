"""History is added to and never changed: the app may not, and the owner is stopped by a trigger."""

from __future__ import annotations

import psycopg
import pytest
from tests.firm import connect, superuser
from tests.foundation.conftest import CLIENT_TABLES, HISTORY_TABLES

CHANGES = (
    "UPDATE {table} SET id = id WHERE client_id = '{client}'",
    "DELETE FROM {table} WHERE client_id = '{client}'",
)


def rows(table: str, client_id: object) -> list[tuple[object, ...]]:
    with superuser() as look:
        return look.execute(f"SELECT * FROM {table} WHERE client_id = %s ORDER BY id", [client_id]).fetchall()


def test_what_must_be_history_is():
    """What the design names: ledger, payslips, files, audit, approvals; and receipts."""
    assert {
        "foundation_approval", "foundation_approvalvoid", "foundation_auditevent", "foundation_auditseal",
        "foundation_commandrun", "foundation_contribution", "foundation_contributionsource",
        "foundation_importcommit", "foundation_importpreview", "foundation_release",
        "foundation_vaultfile", "ledger_batch", "ledger_delta", "ledger_entry", "ledger_posting",
        "openitems_allocation", "openitems_openitem", "payroll_attempt", "payroll_payslip",
        "settlement_payment", "settlement_paymentbatch", "billing_invoice", "billing_invoiceline",
    } <= set(HISTORY_TABLES)  # fmt: skip
    assert set(HISTORY_TABLES) < set(CLIENT_TABLES)


@pytest.mark.parametrize("table", HISTORY_TABLES)
def test_the_app_changes_no_history_of_a_client_that_it_writes(busy, table):
    with connect() as app:
        app.execute("SELECT app_enter(%s, NULL, 'firm', '{}', %s)", [busy.staff["lead"].id, busy.id])
        for change in (*CHANGES, "TRUNCATE {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(change.format(table=table, client=busy.id))


@pytest.mark.parametrize("table", HISTORY_TABLES)
def test_the_owner_changes_no_history_either(busy, table):
    """The owner, let past row security: the triggers themselves refuse."""
    before = rows(table, busy.id)
    assert before, "without a row a trigger for each row proves nothing"
    with connect("owner") as owner:
        owner.execute(
            "SELECT set_config('app.read', %s, true), set_config('app.write', %s, true)",
            [f"{{{busy.id}}}", str(busy.id)],
        )
        for change in (*CHANGES, "TRUNCATE {table} CASCADE"):
            with pytest.raises(psycopg.DatabaseError) as refused, owner.transaction():
                owner.execute(change.format(table=table, client=busy.id))
            assert refused.value.sqlstate == "ER409", (change, refused.value)
            assert "is history" in str(refused.value)
        owner.commit()
    assert rows(table, busy.id) == before
