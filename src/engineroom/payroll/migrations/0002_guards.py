"""Payroll's promises: a released run is frozen; whoever calculates is a maker; tax details do not overlap."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, CompositeKey, Contributes, GuardFunction, NoOverlap

FROZEN = """
DECLARE
  the_run uuid := CASE TG_TABLE_NAME WHEN 'payroll_payrun' THEN NEW.id ELSE (to_jsonb(NEW) ->> 'run_id')::uuid END;
BEGIN
  IF EXISTS (SELECT FROM foundation_release r
      WHERE r.client_id = NEW.client_id AND r.subject_kind = 'pay_run' AND r.subject_id = the_run) THEN
    RAISE EXCEPTION 'this pay run is released: what was issued is frozen; correct it in another run'
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""


def frozen(table: str, events: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_frozen BEFORE {events} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_released()",
        f"DROP TRIGGER {table}_frozen ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("payroll", "0001_initial"), ("timesheets", "0002_guards")]

    operations = [
        ClientTable("TaxDetails"),
        NoOverlap("TaxDetails", key=["person_id"]),
        ClientTable("PayRun", later=["published"]),
        ClientTable("Attempt", history=True),
        CompositeKey("PayRun", "published"),
        ClientTable("AttemptChunk"),
        ClientTable("Payslip", history=True),
        ClientTable("PaidTimesheet", history=True),
        migrations.RunSQL(
            "GRANT SELECT ON foundation_release TO engineroom_guard;",
            "REVOKE SELECT ON foundation_release FROM engineroom_guard;",
        ),
        GuardFunction("refuse_released()", "trigger", FROZEN),
        frozen("payroll_payrun", "UPDATE"),
        frozen("payroll_attempt", "INSERT"),
        frozen("payroll_attemptchunk", "INSERT OR UPDATE"),
        frozen("payroll_paidtimesheet", "INSERT"),
        Contributes("TaxDetails", subject="person", column="person_id"),
        Contributes("PayRun", subject="pay_run"),
        Contributes("Attempt", subject="pay_run", column="run_id"),
        Contributes("AttemptChunk", subject="pay_run", column="run_id"),
        Contributes("Payslip", subject="pay_run", column="run_id"),
        Contributes("PaidTimesheet", subject="pay_run", column="run_id"),
    ]
