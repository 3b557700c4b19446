"""What a run is for never changes after it is opened: who approved or released it has read exactly that."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import GuardFunction

HEAD = (
    "id", "client_id", "kind", "jurisdiction", "schedule_id", "frequency", "pay_date", "due", "period_starts",
    "period_ends", "tax_year", "tax_period", "number", "corrects_id", "opened_at",
)  # fmt: skip

REFUSE = """
BEGIN
  RAISE EXCEPTION 'what pay run % is for does not change; give it up and open another', OLD.number
    USING ERRCODE = 'ER409';
END
"""

TRIGGER = """
CREATE TRIGGER payroll_payrun_head BEFORE UPDATE ON payroll_payrun FOR EACH ROW
  WHEN (ROW({old}) IS DISTINCT FROM ROW({new})) EXECUTE FUNCTION refuse_other_head();
""".format(old=", ".join(f"OLD.{name}" for name in HEAD), new=", ".join(f"NEW.{name}" for name in HEAD))


class Migration(migrations.Migration):
    dependencies = [("payroll", "0021_recurring_totals")]

    operations = [
        GuardFunction("refuse_other_head()", "trigger", REFUSE),
        migrations.RunSQL(TRIGGER, "DROP TRIGGER payroll_payrun_head ON payroll_payrun"),
    ]
