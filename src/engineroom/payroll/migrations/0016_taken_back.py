"""What orders took and claims paid is taken back with the payslip: rows of their own, each the negative of one.

An order's arrears are what every payslip added to them, so that one which is taken back takes its part away.
"""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import engineroom.foundation.tenancy.models
from engineroom.foundation.tenancy.operations import CompositeKey, GuardFunction

# Rows that are there already: what each moved is what it left, less what the row before it left (or what the
# order states). Row security binds the owner too, and history is never changed: both are lifted for this alone.
MOVED = """
ALTER TABLE payroll_ordertaken NO FORCE ROW LEVEL SECURITY;
ALTER TABLE payroll_payorder NO FORCE ROW LEVEL SECURITY;
ALTER TABLE payroll_payrun NO FORCE ROW LEVEL SECURITY;
ALTER TABLE payroll_ordertaken DISABLE TRIGGER USER;
UPDATE payroll_ordertaken t SET deduction_arrears_moved = m.deductions, protected_arrears_moved = m.protected
FROM (
  SELECT x.client_id, x.id,
    x.deduction_arrears - coalesce(CASE WHEN lag(x.order_id) OVER w = x.order_id OR NOT o.stated ? 'deduction_arrears'
      THEN lag(x.deduction_arrears) OVER w END, (o.stated->>'deduction_arrears')::bigint, 0) AS deductions,
    x.protected_arrears - coalesce(CASE WHEN lag(x.order_id) OVER w = x.order_id OR NOT o.stated ? 'protected_arrears'
      THEN lag(x.protected_arrears) OVER w END, (o.stated->>'protected_arrears')::bigint, 0) AS protected
  FROM payroll_ordertaken x
  JOIN payroll_payorder o ON o.client_id = x.client_id AND o.id = x.order_id
  JOIN payroll_payrun r ON r.client_id = x.client_id AND r.published_id = x.attempt_id
  WINDOW w AS (PARTITION BY x.client_id, coalesce(o.first_id, o.id) ORDER BY r.pay_date, r.number)) m
WHERE m.client_id = t.client_id AND m.id = t.id;
ALTER TABLE payroll_ordertaken ENABLE TRIGGER USER;
ALTER TABLE payroll_payrun FORCE ROW LEVEL SECURITY;
ALTER TABLE payroll_payorder FORCE ROW LEVEL SECURITY;
ALTER TABLE payroll_ordertaken FORCE ROW LEVEL SECURITY;
"""

# Once a statement. `same`: whose row it is; `figures`: what has the other sign, as one value that can be compared.
COPIES = """
BEGIN
  IF NOT EXISTS (SELECT FROM added a WHERE a.takes_back_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM (SELECT DISTINCT client_id, run_id FROM added) t
      JOIN payroll_payrun r ON r.client_id = t.client_id AND r.id = t.run_id WHERE r.kind = 'reversal') THEN
    RETURN NULL;
  END IF;
  IF EXISTS (
    SELECT FROM added a
    LEFT JOIN {table} o ON o.client_id = a.client_id AND o.id = a.takes_back_id
    WHERE o.{same} IS DISTINCT FROM a.{same} OR o.person_id IS DISTINCT FROM a.person_id
      OR {figures}
      OR NOT EXISTS (
        SELECT FROM payroll_payslip s
        JOIN payroll_reversedpayslip v ON v.client_id = s.client_id AND v.id = s.id AND v.run_id = a.run_id
        WHERE s.client_id = o.client_id AND s.attempt_id = o.attempt_id AND s.person_id = o.person_id)) THEN
    RAISE EXCEPTION '{what} in a reversal is the negative of what a payslip that it takes back has'
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""
TAKEN = (
    "place", "earnings_met", "deduction", "fee", "deduction_arrears", "protected_arrears",
    "deduction_arrears_moved", "protected_arrears_moved", "balance",
)  # fmt: skip
ORDERS = COPIES.format(
    table="payroll_ordertaken",
    same="order_id",
    figures="ROW({}) IS DISTINCT FROM ROW({})".format(
        ", ".join(f"a.{name}" for name in TAKEN),
        ", ".join(f"o.{name}" if name == "place" else f"-o.{name}" for name in TAKEN),
    ),
    what="what an order took",
)
CLAIMS = COPIES.format(
    table="payroll_claimpaid",
    same="claim_id",
    figures="""a.amount IS DISTINCT FROM -o.amount OR a.figures IS DISTINCT FROM (
        SELECT coalesce(jsonb_object_agg(f.key, -f.value::numeric), '{}') FROM jsonb_each_text(o.figures) f)
    """,
    what="what a claim paid",
)

# A reversal that counts takes back everything that stands beside the payslips, not some of it.
WHOLE = """
DECLARE
  wrong text;
BEGIN
  SELECT p.payroll_number INTO wrong
  FROM payroll_reversedpayslip v
  JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
  JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
  WHERE v.client_id = NEW.client_id AND v.run_id = NEW.id AND (
    EXISTS (SELECT FROM payroll_ordertaken t WHERE t.client_id = s.client_id AND t.attempt_id = s.attempt_id
      AND t.person_id = s.person_id AND NOT EXISTS (
        SELECT FROM payroll_ordertaken c WHERE c.client_id = t.client_id AND c.attempt_id = NEW.published_id
          AND c.takes_back_id = t.id))
    OR EXISTS (SELECT FROM payroll_claimpaid t WHERE t.client_id = s.client_id AND t.attempt_id = s.attempt_id
      AND t.person_id = s.person_id AND NOT EXISTS (
        SELECT FROM payroll_claimpaid c WHERE c.client_id = t.client_id AND c.attempt_id = NEW.published_id
          AND c.takes_back_id = t.id))) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a reversal of the payslip of % takes back what its orders took and its claims paid too', wrong
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""
TRIGGERS = """
GRANT SELECT ON payroll_ordertaken, payroll_claimpaid TO engineroom_guard;
CREATE TRIGGER payroll_ordertaken_taken_back AFTER INSERT ON payroll_ordertaken REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION check_orders_taken_back();
CREATE TRIGGER payroll_claimpaid_taken_back AFTER INSERT ON payroll_claimpaid REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION check_claims_taken_back();
CREATE TRIGGER payroll_payrun_taken_back BEFORE UPDATE OF published_id ON payroll_payrun FOR EACH ROW
  WHEN (NEW.kind = 'reversal' AND NEW.published_id IS NOT NULL)
  EXECUTE FUNCTION check_whole_reversal();
"""
TRIGGERS_BACK = """
DROP TRIGGER payroll_payrun_taken_back ON payroll_payrun;
DROP TRIGGER payroll_claimpaid_taken_back ON payroll_claimpaid;
DROP TRIGGER payroll_ordertaken_taken_back ON payroll_ordertaken;
REVOKE SELECT ON payroll_ordertaken, payroll_claimpaid FROM engineroom_guard;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "null": True,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ClientKey = engineroom.foundation.tenancy.models.ClientKey


class Migration(migrations.Migration):
    dependencies = [("payroll", "0015_inputs_moved")]

    operations = [
        migrations.AddField("ordertaken", "deduction_arrears_moved", models.BigIntegerField(db_default=0)),
        migrations.AddField("ordertaken", "protected_arrears_moved", models.BigIntegerField(db_default=0)),
        migrations.AddField("ordertaken", "takes_back", ClientKey(to="payroll.ordertaken", **KEY)),
        migrations.AddField("claimpaid", "takes_back", ClientKey(to="payroll.claimpaid", **KEY)),
        CompositeKey("OrderTaken", "takes_back"),
        CompositeKey("ClaimPaid", "takes_back"),
        migrations.RunSQL(MOVED, migrations.RunSQL.noop),
        GuardFunction("check_orders_taken_back()", "trigger", ORDERS),
        GuardFunction("check_claims_taken_back()", "trigger", CLAIMS),
        GuardFunction("check_whole_reversal()", "trigger", WHOLE),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
