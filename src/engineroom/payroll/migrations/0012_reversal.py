"""A payslip is taken back by its negative copy, once; back pay names the run of the period that it is for."""

from importlib import import_module
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import engineroom.foundation.tenancy.models
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    CompositeKey,
    Contributes,
    GuardFunction,
    OwnRows,
)

frozen = import_module("engineroom.payroll.migrations.0002_guards").frozen

# What was issued is taken back, by a reversal of that run. What is taken back is not given back to be paid again.
CHECK_REVERSED = """
BEGIN
  IF NOT EXISTS (
      SELECT FROM payroll_payslip s
      JOIN payroll_payrun o ON o.client_id = s.client_id AND o.id = s.run_id AND o.published_id = s.attempt_id
      JOIN foundation_release x ON x.client_id = o.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = o.id
      JOIN payroll_payrun r ON r.client_id = o.client_id AND r.corrects_id = o.id AND r.kind = 'reversal'
      WHERE s.client_id = NEW.client_id AND s.id = NEW.id AND o.id = NEW.original_id AND r.id = NEW.run_id
        AND o.kind <> 'reversal') THEN
    RAISE EXCEPTION 'a reversal takes back released payslips of the run that it names' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

# Once a statement. A reversal's payslip is the payslip that it takes back, every element with the other sign.
CHECK_COPIES = """
DECLARE
  wrong text;
BEGIN
  IF NOT EXISTS (SELECT FROM (SELECT DISTINCT client_id, run_id FROM touched) t
      JOIN payroll_payrun r ON r.client_id = t.client_id AND r.id = t.run_id WHERE r.kind = 'reversal') THEN
    RETURN NULL;
  END IF;
  SELECT p.payroll_number INTO wrong
  FROM touched n
  JOIN payroll_payrun r ON r.client_id = n.client_id AND r.id = n.run_id AND r.kind = 'reversal'
  JOIN payroll_attempt k ON k.client_id = n.client_id AND k.id = n.attempt_id
  JOIN people_person p ON p.client_id = n.client_id AND p.id = n.person_id
  WHERE NOT EXISTS (
    SELECT FROM payroll_reversedpayslip v
    JOIN payroll_payslip o ON o.client_id = v.client_id AND o.id = v.id AND o.person_id = n.person_id
    JOIN payroll_attempt j ON j.client_id = o.client_id AND j.id = o.attempt_id
    WHERE v.client_id = n.client_id AND v.run_id = n.run_id
      AND (SELECT jsonb_object_agg(e.code, e.amount) FROM unnest(k.elements, n.amounts) AS e (code, amount)
           WHERE e.amount <> 0)
        IS NOT DISTINCT FROM
          (SELECT jsonb_object_agg(e.code, -e.amount) FROM unnest(j.elements, o.amounts) AS e (code, amount)
           WHERE e.amount <> 0)) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the payslip of % in a reversal is not the negative of one that it takes back', wrong
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

TRIGGERS = """
GRANT SELECT ON payroll_payrun, payroll_payslip, payroll_attempt, payroll_reversedpayslip, people_person
  TO engineroom_guard;
CREATE TRIGGER reversed_checked BEFORE INSERT OR UPDATE ON payroll_reversedpayslip
  FOR EACH ROW EXECUTE FUNCTION check_reversed();
CREATE TRIGGER payroll_payslip_copies AFTER INSERT ON payroll_payslip REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION check_negative_copies();
"""
TRIGGERS_BACK = """
DROP TRIGGER payroll_payslip_copies ON payroll_payslip;
DROP TRIGGER reversed_checked ON payroll_reversedpayslip;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ClientKey = engineroom.foundation.tenancy.models.ClientKey


class Migration(migrations.Migration):
    dependencies = [("payroll", "0011_account_map"), ("people", "0004_terms")]

    operations = [
        migrations.AddField("payrun", "corrects", ClientKey(null=True, to="payroll.payrun", **KEY)),
        migrations.AddField("payitem", "original", ClientKey(null=True, to="payroll.payrun", **KEY)),
        migrations.CreateModel(
            name="ReversedPayslip",
            fields=[
                (
                    "payslip",
                    ClientKey(db_column="id", primary_key=True, serialize=False, to="payroll.payslip", **KEY),
                ),
                ("reason", models.CharField(max_length=300)),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("original", ClientKey(to="payroll.payrun", **KEY)),
                ("run", ClientKey(to="payroll.payrun", **KEY)),
            ],
            options={"abstract": False},
        ),
        CompositeKey("PayRun", "corrects"),
        CompositeKey("PayItem", "original"),
        ClientTable("ReversedPayslip"),
        GuardFunction("check_reversed()", "trigger", CHECK_REVERSED),
        GuardFunction("check_negative_copies()", "trigger", CHECK_COPIES),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        *frozen("payroll_reversedpayslip", "run_id", "INSERT UPDATE DELETE"),
        Contributes("ReversedPayslip", subject="pay_run", column="run_id"),
        OwnRows("payroll_reversedpayslip"),
    ]
