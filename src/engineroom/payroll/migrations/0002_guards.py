"""Payroll's promises: a released run is frozen; whoever calculates is a maker; tax details do not overlap."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import (
    ClientTable,
    CompositeKey,
    Contributes,
    GuardFunction,
    NoOverlap,
)

# Looked at once a statement, over the rows it wrote or took away; `column` is where the table names its run.
FROZEN = """
DECLARE
  frozen boolean;
BEGIN
  EXECUTE format($look$
    SELECT EXISTS (SELECT FROM (SELECT DISTINCT client_id, %I AS run FROM touched) t
      JOIN foundation_release r ON r.client_id = t.client_id AND r.subject_kind = 'pay_run' AND r.subject_id = t.run)
    $look$, TG_ARGV[0]) INTO frozen;
  IF frozen THEN
    RAISE EXCEPTION 'this pay run is released: what was issued is frozen; correct it in another run'
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""


# The sums of what is published are taken here and nowhere else: nobody writes other ones.
SUM_UP = """
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.published_id IS NOT DISTINCT FROM OLD.published_id THEN
    NEW.payslips := OLD.payslips;
    NEW.totals := OLD.totals;
    RETURN NEW;
  END IF;
  SELECT count(*) INTO NEW.payslips FROM payroll_payslip s
    WHERE s.client_id = NEW.client_id AND s.attempt_id = NEW.published_id;
  SELECT array_agg(u.total ORDER BY u.place) INTO NEW.totals FROM (
    SELECT a.place, sum(a.amount)::bigint AS total
    FROM payroll_payslip s CROSS JOIN LATERAL unnest(s.amounts) WITH ORDINALITY AS a (amount, place)
    WHERE s.client_id = NEW.client_id AND s.attempt_id = NEW.published_id GROUP BY a.place) u;
  RETURN NEW;
END
"""


def frozen(table: str, column: str, events: str) -> list[migrations.RunSQL]:
    """One trigger an event and picture: a transition table belongs to one. An update is looked at as it was and
    as it is: nothing moves out of a released run, and nothing into one."""
    pictures = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}
    return [
        migrations.RunSQL(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {rows} TABLE AS touched "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_released('{column}')",
            f"DROP TRIGGER {name} ON {table}",
        )
        for event in events.split()
        for rows in pictures[event]
        for name in [f"{table}_frozen_{event.lower()}_{rows.lower()}"]
    ]


class Migration(migrations.Migration):
    dependencies = [("payroll", "0001_initial"), ("timesheets", "0002_guards")]

    operations = [
        ClientTable("TaxDetails", changes=["ends"]),
        NoOverlap("TaxDetails", key=["person_id"]),
        ClientTable("PayRun", later=["published"]),
        ClientTable("Attempt", history=True),
        CompositeKey("PayRun", "published"),
        ClientTable("AttemptChunk"),
        ClientTable("Payslip", history=True),
        ClientTable("PaidTimesheet"),
        migrations.RunSQL(
            "GRANT SELECT ON payroll_payslip TO engineroom_guard;",
            "REVOKE SELECT ON payroll_payslip FROM engineroom_guard;",
        ),
        GuardFunction("refuse_released()", "trigger", FROZEN),
        GuardFunction("sum_up_run()", "trigger", SUM_UP),
        migrations.RunSQL(
            "CREATE TRIGGER payroll_payrun_summed BEFORE INSERT OR UPDATE ON payroll_payrun "
            "FOR EACH ROW EXECUTE FUNCTION sum_up_run()",
            "DROP TRIGGER payroll_payrun_summed ON payroll_payrun",
        ),
        *frozen("payroll_payrun", "id", "UPDATE"),
        *frozen("payroll_attempt", "run_id", "INSERT"),
        *frozen("payroll_attemptchunk", "run_id", "INSERT UPDATE DELETE"),
        *frozen("payroll_payslip", "run_id", "INSERT"),
        *frozen("payroll_paidtimesheet", "run_id", "INSERT UPDATE DELETE"),
        Contributes("TaxDetails", subject="person", column="person_id"),
        Contributes("PayRun", subject="pay_run"),
        Contributes("Attempt", subject="pay_run", column="run_id"),
        Contributes("AttemptChunk", subject="pay_run", column="run_id"),
        Contributes("Payslip", subject="pay_run", column="run_id"),
        Contributes("PaidTimesheet", subject="pay_run", column="run_id"),
    ]
