"""What was calculated of a run before it was given up counts no more, whoever would publish it."""

from django.db import migrations, models

from engineroom.foundation.tenancy.operations import GuardFunction

CHECK = """
BEGIN
  IF OLD.given_up_through IS NOT NULL
    AND (NEW.given_up_through IS NULL OR NEW.given_up_through < OLD.given_up_through) THEN
    RAISE EXCEPTION 'pay run % stays given up', OLD.number USING ERRCODE = 'ER409';
  END IF;
  IF NEW.given_up_through IS NOT NULL AND NEW.published_id IS NOT NULL AND (
    NEW.kind = 'reversal' OR EXISTS (
      SELECT FROM payroll_attempt a WHERE a.client_id = NEW.client_id AND a.id = NEW.published_id
        AND a.number <= NEW.given_up_through)) THEN
    RAISE EXCEPTION 'pay run % was given up: what was calculated before counts no more', NEW.number
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

TRIGGER = """
CREATE TRIGGER payroll_payrun_given_up BEFORE UPDATE OF published_id, given_up_through ON payroll_payrun
  FOR EACH ROW WHEN (OLD.given_up_through IS NOT NULL OR NEW.given_up_through IS NOT NULL)
  EXECUTE FUNCTION check_given_up();
"""


class Migration(migrations.Migration):
    dependencies = [("payroll", "0022_run_heads")]

    operations = [
        migrations.AddField("payrun", "given_up_through", models.IntegerField(null=True)),
        GuardFunction("check_given_up()", "trigger", CHECK),
        migrations.RunSQL(TRIGGER, "DROP TRIGGER payroll_payrun_given_up ON payroll_payrun"),
    ]
