"""A workbook for a period's inputs, what it brought, and late inputs that were let in."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import APP, ClientTable, CompositeKey, GuardFunction, OwnRows

SAID_BY = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# What a released run has paid stays: it is ended, never withdrawn.
CHECK_RECURRING = """
BEGIN
  IF NEW.withdrawn = OLD.withdrawn THEN
    RETURN NEW;
  END IF;
  IF OLD.withdrawn <> '' OR EXISTS (
    SELECT FROM payroll_payrun r
    JOIN payroll_payslip s ON s.client_id = r.client_id AND s.attempt_id = r.published_id
    JOIN foundation_release x ON x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id
    WHERE r.client_id = NEW.client_id AND s.person_id = NEW.person_id AND r.kind = 'regular'
      AND r.schedule_id IS NOT NULL AND r.period_ends >= NEW.starts
      AND (NEW.ends IS NULL OR r.period_starts <= NEW.ends))
  THEN
    RAISE EXCEPTION 'a released run has paid this, or it was withdrawn before' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = f"""
GRANT SELECT ON payroll_recurringpay, payroll_payslip TO engineroom_guard;
GRANT UPDATE (withdrawn) ON payroll_recurringpay TO {APP};
CREATE TRIGGER recurring_pay_checked BEFORE UPDATE ON payroll_recurringpay
  FOR EACH ROW EXECUTE FUNCTION check_recurring_pay();
CREATE TRIGGER workbook_said BEFORE INSERT ON payroll_payworkbook
  FOR EACH ROW EXECUTE FUNCTION payroll_said_by();
CREATE TRIGGER cut_off_said BEFORE INSERT ON payroll_cutoffmoved
  FOR EACH ROW EXECUTE FUNCTION payroll_said_by();
CREATE INDEX payroll_payitem_workbook ON payroll_payitem (client_id, workbook_id) WHERE workbook_id IS NOT NULL;
"""
TRIGGERS_BACK = f"""
DROP INDEX payroll_payitem_workbook;
DROP TRIGGER cut_off_said ON payroll_cutoffmoved;
DROP TRIGGER workbook_said ON payroll_payworkbook;
DROP TRIGGER recurring_pay_checked ON payroll_recurringpay;
REVOKE UPDATE (withdrawn) ON payroll_recurringpay FROM {APP};
REVOKE SELECT ON payroll_recurringpay FROM engineroom_guard;
"""  # noqa: S608 ours

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
CLIENT = models.ForeignKey(to="foundation.client", **KEY)
AT = models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)
ClientKey = engineroom.foundation.tenancy.models.ClientKey


class Migration(migrations.Migration):
    dependencies = [("payroll", "0012_reversal"), ("foundation", "0006_reasons")]

    operations = [
        migrations.CreateModel(
            name="PayWorkbook",
            fields=[
                ("id", ID),
                ("period_starts", models.DateField()),
                ("by_user_id", models.UUIDField()),
                ("at", AT),
                ("client", CLIENT),
                ("commit", ClientKey(indexed=False, to="foundation.importcommit", **KEY)),
                ("schedule", ClientKey(to="payroll.payschedule", **KEY)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="CutOffMoved",
            fields=[
                ("id", ID.clone()),
                ("period_starts", models.DateField()),
                ("until", models.DateField()),
                ("reason", models.CharField(max_length=300)),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
                ("schedule", ClientKey(to="payroll.payschedule", **KEY)),
            ],
            options={"abstract": False},
        ),
        ClientTable("PayWorkbook", history=True),
        ClientTable("CutOffMoved", history=True),
        OwnRows("payroll_payworkbook"),
        OwnRows("payroll_cutoffmoved"),
        migrations.AddField("payitem", "minutes", models.BigIntegerField(db_default=0)),
        migrations.AddField(
            "payitem", "workbook", ClientKey(indexed=False, null=True, to="payroll.payworkbook", **KEY)
        ),
        migrations.AddField("recurringpay", "withdrawn", models.CharField(db_default="", max_length=300)),
        migrations.AddField(
            "recurringpay", "workbook", ClientKey(indexed=False, null=True, to="payroll.payworkbook", **KEY)
        ),
        migrations.AddField("recurringpay", "added_at", AT.clone()),
        CompositeKey("PayItem", "workbook"),
        CompositeKey("RecurringPay", "workbook"),
        GuardFunction("payroll_said_by()", "trigger", SAID_BY),
        GuardFunction("check_recurring_pay()", "trigger", CHECK_RECURRING),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
