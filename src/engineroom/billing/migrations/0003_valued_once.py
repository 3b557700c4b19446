"""What is paid or billed keeps its value, whatever becomes of its rate card."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import GuardFunction

# Each side waits for whoever pays or bills it at this moment: a run's timesheets are locked by the key that
# takes them in, and whoever issues holds the client's lock.
KEEP_VALUE = """
DECLARE
  sheet uuid;
BEGIN
  IF (NEW.bill_rate, NEW.bill_amount) IS DISTINCT FROM (OLD.bill_rate, OLD.bill_amount) THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('issue:' || OLD.client_id, 0));
    IF EXISTS (SELECT FROM billing_billed b WHERE b.client_id = OLD.client_id AND b.id = OLD.id) THEN
      RAISE EXCEPTION 'this charge is on an invoice: credit it and bill it again' USING ERRCODE = 'ER409';
    END IF;
  END IF;
  IF (NEW.pay_rate, NEW.pay_amount) IS DISTINCT FROM (OLD.pay_rate, OLD.pay_amount) THEN
    SELECT t.id INTO sheet FROM timesheets_timeentry e
      JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
      WHERE e.client_id = OLD.client_id AND e.id = OLD.time_entry_id FOR UPDATE OF t;
    IF EXISTS (SELECT FROM payroll_paidtimesheet p WHERE p.client_id = OLD.client_id AND p.id = sheet) THEN
      RAISE EXCEPTION 'this charge is in a pay run: back pay pays the difference' USING ERRCODE = 'ER409';
    END IF;
  END IF;
  RETURN NEW;
END
"""

RIGHTS = """
GRANT SELECT ON billing_billed, payroll_paidtimesheet TO engineroom_guard;
GRANT UPDATE (note) ON timesheets_timesheet TO engineroom_guard;
CREATE TRIGGER charge_settled BEFORE UPDATE ON timesheets_charge
  FOR EACH ROW EXECUTE FUNCTION keep_settled_value();
"""
RIGHTS_BACK = """
DROP TRIGGER charge_settled ON timesheets_charge;
REVOKE UPDATE (note) ON timesheets_timesheet FROM engineroom_guard;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_guards"),
        ("payroll", "0017_debts"),
        ("timesheets", "0004_rate_cards"),
    ]

    operations = [
        GuardFunction("keep_settled_value()", "trigger", KEEP_VALUE),
        migrations.RunSQL(RIGHTS, RIGHTS_BACK),
    ]
