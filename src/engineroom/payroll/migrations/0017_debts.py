"""Debts of people to their employer, and what every payslip took of them."""

from importlib import import_module
from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.models import ClientKey
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    NoOverlap,
    OwnRows,
    after_each_write,
    after_insert,
)

frozen = import_module("engineroom.payroll.migrations.0002_guards").frozen

# A debt that goes on under another instalment stays one debt of one person, of the same sum.
CHECK_DEBTS = """
BEGIN
  IF EXISTS (SELECT FROM added a JOIN payroll_debt f ON f.client_id = a.client_id AND f.id = a.first_id
    WHERE (f.person_id, f.kind, f.amount) <> (a.person_id, a.kind, a.amount) OR f.first_id IS NOT NULL) THEN
    RAISE EXCEPTION 'a debt that is changed is of the same person and sum, and names the row it began as'
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# Of the person who owes it, and exactly the negative in a reversal.
CHECK_TAKEN = """
BEGIN
  IF EXISTS (SELECT FROM added a JOIN payroll_debt d ON d.client_id = a.client_id AND d.id = a.debt_id
    WHERE d.person_id <> a.person_id) THEN
    RAISE EXCEPTION 'a debt is taken from the pay of the person who owes it' USING ERRCODE = 'ER409';
  END IF;
  IF EXISTS (
    SELECT FROM added a
    JOIN payroll_payrun r ON r.client_id = a.client_id AND r.id = a.run_id
    LEFT JOIN payroll_debttaken o ON o.client_id = a.client_id AND o.id = a.takes_back_id
    WHERE (r.kind = 'reversal' OR a.takes_back_id IS NOT NULL) AND (
      (o.debt_id, o.person_id, o.place) IS DISTINCT FROM (a.debt_id, a.person_id, a.place)
      OR -o.amount IS DISTINCT FROM a.amount OR r.kind <> 'reversal'
      OR NOT EXISTS (
        SELECT FROM payroll_payslip s
        JOIN payroll_reversedpayslip v ON v.client_id = s.client_id AND v.id = s.id AND v.run_id = a.run_id
        WHERE s.client_id = o.client_id AND s.attempt_id = o.attempt_id AND s.person_id = o.person_id))) THEN
    RAISE EXCEPTION 'what a debt was paid back in a reversal is the negative of what a payslip that it takes back has'
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# On publishing, once the run's totals stand: what comes off pay for debts is what is taken of debts, payslip by
# payslip; and of no debt more is taken than it is, with what is released.
WHOLE = """
DECLARE
  wrong text;
  place int := (SELECT array_position(k.elements, 'debts_repaid') FROM payroll_attempt k
    WHERE k.client_id = NEW.client_id AND k.id = NEW.published_id);
BEGIN
  SELECT p.payroll_number INTO wrong
  FROM (SELECT t.client_id, t.person_id, sum(t.amount) AS amount FROM payroll_debttaken t
    WHERE t.client_id = NEW.client_id AND t.attempt_id = NEW.published_id GROUP BY 1, 2) t
  JOIN people_person p ON p.client_id = t.client_id AND p.id = t.person_id
  LEFT JOIN payroll_payslip s ON s.client_id = t.client_id AND s.attempt_id = NEW.published_id
    AND s.person_id = t.person_id
  WHERE t.amount IS DISTINCT FROM s.amounts[place] LIMIT 1;
  IF wrong IS NOT NULL OR coalesce(NEW.totals[place], 0) <> (
    SELECT coalesce(sum(t.amount), 0) FROM payroll_debttaken t
    WHERE t.client_id = NEW.client_id AND t.attempt_id = NEW.published_id) THEN
    RAISE EXCEPTION 'what payslips pay back is not what is taken of debts: %', coalesce(wrong, 'in all')
      USING ERRCODE = 'ER409';
  END IF;
  SELECT p.payroll_number INTO wrong
  FROM (SELECT DISTINCT coalesce(d.first_id, d.id) AS began, d.person_id, d.amount FROM payroll_debttaken t
    JOIN payroll_debt d ON d.client_id = t.client_id AND d.id = t.debt_id
    WHERE t.client_id = NEW.client_id AND t.attempt_id = NEW.published_id) d
  JOIN people_person p ON p.client_id = NEW.client_id AND p.id = d.person_id
  WHERE (SELECT sum(t.amount) FROM payroll_debt c
    JOIN payroll_debttaken t ON t.client_id = c.client_id AND t.debt_id = c.id
    JOIN payroll_payrun r ON r.client_id = t.client_id AND r.id = t.run_id
    WHERE c.client_id = NEW.client_id AND coalesce(c.first_id, c.id) = d.began
      AND CASE WHEN r.id = NEW.id THEN t.attempt_id = NEW.published_id ELSE t.attempt_id = r.published_id AND EXISTS (
        SELECT FROM foundation_release x WHERE x.client_id = r.client_id AND x.subject_kind = 'pay_run'
          AND x.subject_id = r.id) END) > d.amount LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'more would be taken of a debt of % than it is', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""
TRIGGERS = """
GRANT SELECT ON payroll_debt, payroll_debttaken TO engineroom_guard;
CREATE TRIGGER payroll_payrun_with_debts BEFORE UPDATE OF published_id ON payroll_payrun FOR EACH ROW
  WHEN (NEW.published_id IS NOT NULL AND NEW.published_id IS DISTINCT FROM OLD.published_id)
  EXECUTE FUNCTION check_debts_whole();
"""
TRIGGERS_BACK = """
DROP TRIGGER payroll_payrun_with_debts ON payroll_payrun;
REVOKE SELECT ON payroll_debt, payroll_debttaken FROM engineroom_guard;
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
    dependencies = [("payroll", "0016_taken_back")]

    operations = [
        migrations.CreateModel(
            name="Debt",
            fields=[
                ("id", ID),
                ("kind", models.CharField(max_length=20)),
                ("reference", models.CharField(max_length=40)),
                ("amount", models.BigIntegerField()),
                ("instalment", models.BigIntegerField()),
                ("leaves", models.BigIntegerField(default=0)),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                ("reason", models.CharField(max_length=300)),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("first", ClientKey(null=True, to="payroll.debt", **KEY)),
                ("person", ClientKey(to="people.person", **KEY)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(amount__gt=0, instalment__gt=0, leaves__gte=0),
                        name="debt_of_something",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DebtTaken",
            fields=[
                ("id", ID),
                ("run_id", models.UUIDField()),
                ("place", models.SmallIntegerField()),
                ("amount", models.BigIntegerField()),
                ("attempt", ClientKey(indexed=False, to="payroll.attempt", **KEY)),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("debt", ClientKey(to="payroll.debt", **KEY)),
                ("person", ClientKey(indexed=False, to="people.person", **KEY)),
                ("takes_back", ClientKey(null=True, to="payroll.debttaken", **KEY)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "attempt", "debt"), name="debt_taken_once")
                ],
            },
        ),
        ClientTable("Debt", changes=["ends"]),
        ClientTable("DebtTaken", history=True),
        NoOverlap("Debt", key=["coalesce(first_id, id)"]),
        GuardFunction("check_debts()", "trigger", CHECK_DEBTS),
        GuardFunction("check_debts_taken()", "trigger", CHECK_TAKEN),
        GuardFunction("check_debts_whole()", "trigger", WHOLE),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        after_insert("payroll_debt", "check_debts"),
        after_insert("payroll_debttaken", "check_debts_taken"),
        after_each_write("payroll_debt", "note_input_moved"),
        *frozen("payroll_debttaken", "run_id", "INSERT"),
        Contributes("Debt", subject="person", column="person_id"),
        Contributes("DebtTaken", subject="pay_run", column="run_id"),
        OwnRows("payroll_debt", OWN),
        OwnRows("payroll_debttaken", OWN),
    ]
