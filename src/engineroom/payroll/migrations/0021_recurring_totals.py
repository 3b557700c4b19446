"""Recurring pay up to a total: what every payslip paid of it, and that no more is paid than it is."""

from importlib import import_module
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.models import ClientKey
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    OwnRows,
    after_insert,
)

frozen = import_module("engineroom.payroll.migrations.0002_guards").frozen

# Of the person whose pay it is, of pay that has a total, and exactly the negative in a reversal.
CHECK_PAID = """
BEGIN
  IF EXISTS (SELECT FROM added a JOIN payroll_recurringpay c ON c.client_id = a.client_id AND c.id = a.recurring_id
    WHERE c.person_id <> a.person_id OR c.total IS NULL) THEN
    RAISE EXCEPTION 'recurring pay up to a total is paid to the person whose it is' USING ERRCODE = 'ER409';
  END IF;
  IF EXISTS (
    SELECT FROM added a
    JOIN payroll_payrun r ON r.client_id = a.client_id AND r.id = a.run_id
    LEFT JOIN payroll_recurringpaid o ON o.client_id = a.client_id AND o.id = a.takes_back_id
    WHERE (r.kind = 'reversal' OR a.takes_back_id IS NOT NULL) AND (
      (o.recurring_id, o.person_id) IS DISTINCT FROM (a.recurring_id, a.person_id)
      OR -o.amount IS DISTINCT FROM a.amount OR r.kind <> 'reversal'
      OR NOT EXISTS (
        SELECT FROM payroll_payslip s
        JOIN payroll_reversedpayslip v ON v.client_id = s.client_id AND v.id = s.id AND v.run_id = a.run_id
        WHERE s.client_id = o.client_id AND s.attempt_id = o.attempt_id AND s.person_id = o.person_id))) THEN
    RAISE EXCEPTION 'what a reversal has of recurring pay is the negative of what a payslip that it takes back has'
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# On publishing: of nothing more is paid than its total, with what is released.
CHECK_TOTALS = """
DECLARE
  wrong text;
BEGIN
  SELECT p.payroll_number INTO wrong
  FROM payroll_recurringpaid n
  JOIN payroll_recurringpay c ON c.client_id = n.client_id AND c.id = n.recurring_id
  JOIN people_person p ON p.client_id = n.client_id AND p.id = n.person_id
  WHERE n.client_id = NEW.client_id AND n.attempt_id = NEW.published_id AND abs(c.total) < abs((
    SELECT sum(t.amount) FROM payroll_recurringpaid t
    JOIN payroll_payrun r ON r.client_id = t.client_id AND r.id = t.run_id
    WHERE t.client_id = n.client_id AND t.recurring_id = n.recurring_id
      AND CASE WHEN r.id = NEW.id THEN t.attempt_id = NEW.published_id ELSE t.attempt_id = r.published_id AND EXISTS (
        SELECT FROM foundation_release x WHERE x.client_id = r.client_id AND x.subject_kind = 'pay_run'
          AND x.subject_id = r.id) END)) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'more would be paid of recurring pay of % than its total', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
GRANT SELECT ON payroll_recurringpaid TO engineroom_guard;
CREATE TRIGGER payroll_payrun_with_totals BEFORE UPDATE OF published_id ON payroll_payrun FOR EACH ROW
  WHEN (NEW.published_id IS NOT NULL AND NEW.published_id IS DISTINCT FROM OLD.published_id)
  EXECUTE FUNCTION check_recurring_totals();
"""
TRIGGERS_BACK = """
DROP TRIGGER payroll_payrun_with_totals ON payroll_payrun;
REVOKE SELECT ON payroll_recurringpaid FROM engineroom_guard;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
OWN = "person_id = ANY ((SELECT app_own('person'))::uuid[])"


class Migration(migrations.Migration):
    dependencies = [("payroll", "0020_client_approval")]

    operations = [
        migrations.AddField("recurringpay", "total", models.BigIntegerField(null=True)),
        migrations.AddConstraint(
            "recurringpay",
            models.CheckConstraint(
                condition=models.Q(
                    ("total", None),
                    models.Q(("amount__gt", 0), ("total__gt", 0)),
                    models.Q(("amount__lt", 0), ("total__lt", 0)),
                    _connector="OR",
                ),
                name="recurring_total_of_its_sign",
            ),
        ),
        migrations.CreateModel(
            name="RecurringPaid",
            fields=[
                ("id", ID),
                ("run_id", models.UUIDField()),
                ("amount", models.BigIntegerField()),
                ("attempt", ClientKey(indexed=False, to="payroll.attempt", **KEY)),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("person", ClientKey(indexed=False, to="people.person", **KEY)),
                ("recurring", ClientKey(to="payroll.recurringpay", **KEY)),
                ("takes_back", ClientKey(null=True, to="payroll.recurringpaid", **KEY)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client", "attempt", "recurring"), name="recurring_paid_once"
                    )
                ],
            },
        ),
        ClientTable("RecurringPaid", history=True),
        GuardFunction("check_recurring_paid()", "trigger", CHECK_PAID),
        GuardFunction("check_recurring_totals()", "trigger", CHECK_TOTALS),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        after_insert("payroll_recurringpaid", "check_recurring_paid"),
        *frozen("payroll_recurringpaid", "run_id", "INSERT"),
        Contributes("RecurringPaid", subject="pay_run", column="run_id"),
        OwnRows("payroll_recurringpaid", OWN),
    ]
