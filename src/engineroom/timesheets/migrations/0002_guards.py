"""Timesheets' promises: every minute of an hour is charged exactly once; dated rates do not overlap."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    NoOverlap,
    after_insert,
)

# One hour is never counted twice and never lost: the charges of an entry add to its minutes, and each has minutes of
# the entry's sign, so no further charge ever fits. Both tables are checked at the end of the statement that adds to
# them; entries and charges are therefore written in one statement. A charge without an entry, and an entry without
# a timesheet, add to nothing: these two keys have no constraint beside the guards (decision 006).
CHECK_CHARGES = """
DECLARE
  wrong text;
BEGIN
  SELECT format('entry %s has %s minutes, its charges %s', e.id, e.minutes, sum(c.minutes)) INTO wrong
    FROM (SELECT DISTINCT client_id, time_entry_id FROM added) a
    JOIN timesheets_charge c ON c.client_id = a.client_id AND c.time_entry_id = a.time_entry_id
    LEFT JOIN timesheets_timeentry e ON e.client_id = a.client_id AND e.id = a.time_entry_id
    GROUP BY a.time_entry_id, e.id, e.minutes
    HAVING sum(c.minutes) IS DISTINCT FROM e.minutes OR bool_or(sign(c.minutes) <> sign(e.minutes)) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the charges of a time entry add to its minutes: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

CHECK_ENTRIES = """
DECLARE
  wrong text;
BEGIN
  SELECT a.id::text INTO wrong FROM added a WHERE NOT EXISTS (
    SELECT FROM timesheets_charge c WHERE c.client_id = a.client_id AND c.time_entry_id = a.id) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a time entry is written with its charges: %', wrong USING ERRCODE = 'ER422';
  END IF;
  SELECT format('timesheet %s of %s', a.timesheet_id, t.entry_count) INTO wrong
    FROM (SELECT DISTINCT client_id, timesheet_id FROM added) a
    LEFT JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.id = a.timesheet_id
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM timesheets_timeentry e
      WHERE e.client_id = a.client_id AND e.timesheet_id = a.timesheet_id) found
    WHERE found.n IS DISTINCT FROM t.entry_count LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a timesheet is written whole, and takes no further hour: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# Whether its hours are all there is asked where the hours are added; here, that a timesheet brought some.
CHECK_TIMESHEETS = """
DECLARE
  wrong text;
BEGIN
  SELECT a.id::text INTO wrong FROM added a WHERE NOT EXISTS (
    SELECT FROM timesheets_timeentry e WHERE e.client_id = a.client_id AND e.timesheet_id = a.id) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a timesheet is written whole, with its hours: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# Who ended a hold is the scope's word, not the row's.
STAMP_HOLD_END = """
BEGIN
  NEW.by_user_id := app_user();
  RETURN NEW;
END
"""

# Minutes at a rate are the amount, to less than a penny: amounts are rounded on the running total of a week.
AMOUNTS = """
ALTER TABLE timesheets_charge ADD CONSTRAINT charge_amounts CHECK (
  abs(pay_amount * 60 - minutes * pay_rate) < 60 AND abs(bill_amount * 60 - minutes * bill_rate) < 60)
"""

GUARD_READS = (
    "GRANT SELECT ON timesheets_timesheet, timesheets_timeentry, timesheets_charge TO engineroom_guard;"
)
GUARD_READS_BACK = (
    "REVOKE ALL ON timesheets_timesheet, timesheets_timeentry, timesheets_charge FROM engineroom_guard;"
)


class Migration(migrations.Migration):
    dependencies = [("timesheets", "0001_initial"), ("people", "0002_guards")]

    operations = [
        ClientTable("PurchaseOrder"),
        ClientTable("Assignment"),
        ClientTable("AssignmentRate", changes=["ends"]),
        NoOverlap("AssignmentRate", key=["assignment_id"]),
        ClientTable("Timesheet", history=True),
        ClientTable("TimeEntry", history=True),
        ClientTable("Charge", history=True),
        ClientTable("Hold", history=True),
        ClientTable("HoldEnd", history=True),
        migrations.RunSQL(AMOUNTS, "ALTER TABLE timesheets_charge DROP CONSTRAINT charge_amounts"),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_charges()", "trigger", CHECK_CHARGES),
        GuardFunction("check_time_entries()", "trigger", CHECK_ENTRIES),
        GuardFunction("check_timesheets()", "trigger", CHECK_TIMESHEETS),
        GuardFunction("stamp_hold_end()", "trigger", STAMP_HOLD_END),
        migrations.RunSQL(
            "CREATE TRIGGER hold_end_stamped BEFORE INSERT ON timesheets_holdend "
            "FOR EACH ROW EXECUTE FUNCTION stamp_hold_end()",
            "DROP TRIGGER hold_end_stamped ON timesheets_holdend",
        ),
        after_insert("timesheets_timesheet", "check_timesheets"),
        after_insert("timesheets_charge", "check_charges"),
        after_insert("timesheets_timeentry", "check_time_entries"),
        Contributes("Timesheet", subject="import", column="taken_in_id"),
        Contributes("HoldEnd", subject="hold"),
        Contributes("PurchaseOrder", subject="order"),
        Contributes("Assignment", subject="assignment"),
        Contributes("AssignmentRate", subject="assignment", column="assignment_id"),
    ]
