"""What calculations read says when it moves, so that what has not moved is not read again (`payroll/moved.py`)."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import (
    APP,
    ClientTable,
    GuardFunction,
    OwnRows,
    after_each_write,
)

# Once a transaction and table, however many statements and rows: the index holds one note of each.
NOTE = """
BEGIN
  INSERT INTO payroll_inputmoved (id, client_id, what, xact)
  SELECT gen_random_uuid(), m.client_id, TG_TABLE_NAME, pg_current_xact_id()::text::bigint
  FROM moved m GROUP BY m.client_id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
"""
NOTE_RUN = """
BEGIN
  INSERT INTO payroll_inputmoved (id, client_id, what, run_id, xact)
  SELECT gen_random_uuid(), m.client_id, TG_TABLE_NAME, m.id, pg_current_xact_id()::text::bigint FROM moved m
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
"""

RIGHTS = f"""
CREATE UNIQUE INDEX input_moved_once
  ON payroll_inputmoved (client_id, xact, what, coalesce(run_id, '00000000-0000-0000-0000-000000000000'));
GRANT INSERT ON payroll_inputmoved TO engineroom_guard;
REVOKE INSERT ON payroll_inputmoved FROM {APP};
"""
RIGHTS_BACK = f"""
GRANT INSERT ON payroll_inputmoved TO {APP};
REVOKE INSERT ON payroll_inputmoved FROM engineroom_guard;
DROP INDEX input_moved_once;
"""

WATCHED = (
    "leave_booking",
    "leave_leaveentry",
    "leave_leavekind",
    "leave_policy",
    "openitems_counterparty",
    "payroll_carriedin",
    "payroll_claim",
    "payroll_cutoffmoved",
    "payroll_onschedule",
    "payroll_paiditem",
    "payroll_paidtimesheet",
    "payroll_payitem",
    "payroll_payorder",
    "payroll_payschedule",
    "payroll_recurringpay",
    "payroll_reversedpayslip",
    "payroll_taxdetails",
    "people_bankaccount",
    "people_employment",
    "people_person",
    "people_terms",
    "timesheets_assignment",
    "timesheets_charge",
    "timesheets_timeentry",
    "timesheets_timesheet",
)

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}


class Migration(migrations.Migration):
    dependencies = [
        ("payroll", "0014_handed_over"),
        ("leave", "0002_guards"),
        ("openitems", "0003_search"),
        ("people", "0006_leaving"),
        ("timesheets", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="InputMoved",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("what", models.CharField(max_length=63)),
                ("run_id", models.UUIDField(null=True)),
                ("xact", models.BigIntegerField()),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
            ],
            options={"abstract": False},
        ),
        ClientTable("InputMoved", history=True),
        OwnRows("payroll_inputmoved"),
        migrations.RunSQL(RIGHTS, RIGHTS_BACK),
        migrations.AddField("attemptchunk", "seen", models.TextField(db_default="")),
        GuardFunction("note_input_moved()", "trigger", NOTE),
        GuardFunction("note_run_moved()", "trigger", NOTE_RUN),
        *(after_each_write(table, "note_input_moved") for table in WATCHED),
        after_each_write("payroll_payrun", "note_run_moved"),
    ]
