"""Billing's promises: what is issued stands; a held hour is not billed."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    after_insert,
)

# Rows are looked up one by one by their keys (LATERAL, OFFSET 0): left free, PostgreSQL planned the joins of 60,000
# charges by what it knew of another client's 60, and they took minutes instead of half a second (measured).
CHECK_BILLED = """
DECLARE
  wrong text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('issue:' || b.client_id, 0))
    FROM (SELECT DISTINCT client_id FROM added) b;
  SELECT format('charge %s (%s)', h.id, h.reason) INTO wrong
    FROM added a
    CROSS JOIN LATERAL (SELECT * FROM timesheets_hold h WHERE h.client_id = a.client_id AND h.id = a.id OFFSET 0) h
    LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
    WHERE x.outcome IS DISTINCT FROM 'billable' LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a held hour is in no invoice: %', wrong USING ERRCODE = 'ER409';
  END IF;
  -- What stands on a line is what the line says: its hours at its rate, of its assignment, kind and week. A charge or
  -- a line that is not there adds to nothing: these two keys have no constraint beside this (decision 006).
  SELECT format('invoice line %s', g.invoice_line_id) INTO wrong
    FROM (
      SELECT a.client_id, a.invoice_line_id, l.minutes, l.net, count(*) AS n, sum(c.minutes) AS worked, sum(c.bill_amount) AS amount,
        bool_or((t.assignment_id, t.week_ending, c.kind, c.bill_rate)
          IS DISTINCT FROM (l.assignment_id, l.week_ending, l.kind, l.rate)) AS another,
        bool_and(l.id IS NOT NULL AND c.id IS NOT NULL) AS there
      FROM added a
      LEFT JOIN LATERAL (SELECT * FROM billing_invoiceline l
        WHERE l.client_id = a.client_id AND l.id = a.invoice_line_id OFFSET 0) l ON true
      LEFT JOIN LATERAL (SELECT * FROM timesheets_charge c
        WHERE c.client_id = a.client_id AND c.id = a.id OFFSET 0) c ON true
      LEFT JOIN LATERAL (SELECT e.timesheet_id FROM timesheets_timeentry e
        WHERE e.client_id = a.client_id AND e.id = c.time_entry_id OFFSET 0) e ON true
      LEFT JOIN LATERAL (SELECT t.assignment_id, t.week_ending FROM timesheets_timesheet t
        WHERE t.client_id = a.client_id AND t.id = e.timesheet_id OFFSET 0) t ON true
      GROUP BY a.client_id, a.invoice_line_id, l.minutes, l.net) g
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM billing_billed b
      WHERE b.client_id = g.client_id AND b.invoice_line_id = g.invoice_line_id OFFSET 0) stands
    WHERE NOT g.there OR g.another OR g.worked <> g.minutes OR g.amount <> g.net OR stands.n <> g.n LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the charges on an invoice line add to it, with its assignment, week, kind and rate: %', wrong
      USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# Issuing and holding wait for each other, so that no charge is held at the moment in which it is billed.
CHECK_HOLDS = """
DECLARE
  wrong text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('issue:' || h.client_id, 0))
    FROM (SELECT DISTINCT client_id FROM added) h;
  SELECT a.id::text INTO wrong FROM added a
    JOIN billing_billed b ON b.client_id = a.client_id AND b.id = a.id LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a charge that is billed is not held any more: %', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# A bill run goes out once, in one statement, when it is released; every line of it is its customer's and stands on
# charges.
CHECK_ISSUE = """
DECLARE
  wrong text;
BEGIN
  SELECT a.number INTO wrong FROM added a WHERE NOT EXISTS (
    SELECT FROM foundation_release r
    WHERE r.client_id = a.client_id AND r.subject_kind = 'bill_run' AND r.subject_id = a.bill_run_id) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an invoice is of a bill run that is approved and released: %', wrong USING ERRCODE = 'ER403';
  END IF;
  SELECT r.bill_run_id::text INTO wrong
    FROM (SELECT client_id, bill_run_id, count(*) AS n FROM added GROUP BY client_id, bill_run_id) r
    WHERE r.n <> (SELECT count(*) FROM billing_invoice i
      WHERE i.client_id = r.client_id AND i.bill_run_id = r.bill_run_id) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a bill run is issued once, whole: %', wrong USING ERRCODE = 'ER409';
  END IF;
  SELECT format('%s, line %s', i.number, l.line_no) INTO wrong
    FROM added i
    JOIN billing_invoiceline l ON l.client_id = i.client_id AND l.invoice_id = i.id
    LEFT JOIN timesheets_assignment s ON s.client_id = l.client_id AND s.id = l.assignment_id
    WHERE s.customer_id IS DISTINCT FROM i.customer_id OR l.line_no NOT BETWEEN 1 AND i.line_count
      OR NOT EXISTS (SELECT FROM billing_billed b WHERE b.client_id = l.client_id AND b.invoice_line_id = l.id)
    LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an invoice line is numbered in turn, of its customer''s assignment, and stands on charges: %', wrong
      USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# At commit, because the item is added when the number is known: what an invoice asks for is owed on the books.
CHECK_OWED = """
DECLARE
  owed bigint;
BEGIN
  SELECT coalesce(sum(o.amount), 0) INTO owed FROM openitems_openitem o
    WHERE o.client_id = NEW.client_id AND o.subject_kind = 'invoice' AND o.subject_id = NEW.id
      AND o.kind = 'invoice' AND o.counterparty_id = NEW.customer_id AND o.currency = NEW.currency;
  IF owed <> NEW.gross THEN
    RAISE EXCEPTION 'invoice % of % is on the books with %', NEW.number, NEW.gross, owed USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# Once it is out, a bill run says for good what was let out.
CHECK_RUN = """
BEGIN
  IF EXISTS (SELECT FROM foundation_release r WHERE r.client_id = OLD.client_id AND r.subject_kind = 'bill_run'
      AND r.subject_id = OLD.id) THEN
    RAISE EXCEPTION 'bill run % is issued: what was let out is frozen', OLD.number USING ERRCODE = 'ER409';
  END IF;
  RETURN coalesce(NEW, OLD);
END
"""

# From both tables, at the end of the one statement that issues: whole invoices, and no line afterwards.
CHECK_LINES = """
DECLARE
  wrong text;
BEGIN
  SELECT format('invoice %s: net %s, its lines %s', i.number, i.net, coalesce(sum(l.net), 0)) INTO wrong
    FROM (SELECT DISTINCT client_id, %INVOICE% AS id FROM added) a
    JOIN billing_invoice i ON i.client_id = a.client_id AND i.id = a.id
    LEFT JOIN billing_invoiceline l ON l.client_id = i.client_id AND l.invoice_id = i.id
    GROUP BY i.number, i.net, i.line_count
    HAVING coalesce(sum(l.net), 0) <> i.net OR count(l.id) <> i.line_count OR i.line_count < 1 LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the lines of an invoice add to its net amount: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

GUARD_READS = "GRANT SELECT ON billing_billed, billing_invoice, billing_invoiceline, timesheets_assignment, timesheets_hold, timesheets_holdend TO engineroom_guard;"
GUARD_READS_BACK = "REVOKE ALL ON billing_billed, billing_invoice, billing_invoiceline, timesheets_assignment, timesheets_hold, timesheets_holdend FROM engineroom_guard;"


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("timesheets", "0002_guards")]

    operations = [
        ClientTable("BillRun"),
        ClientTable("Invoice", history=True),
        ClientTable("InvoiceLine", history=True),
        ClientTable("Billed", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_billed()", "trigger", CHECK_BILLED),
        GuardFunction("check_invoice_lines()", "trigger", CHECK_LINES.replace("%INVOICE%", "invoice_id")),
        GuardFunction("check_invoices()", "trigger", CHECK_LINES.replace("%INVOICE%", "id")),
        GuardFunction("check_issue()", "trigger", CHECK_ISSUE),
        GuardFunction("check_holds()", "trigger", CHECK_HOLDS),
        GuardFunction("check_invoice_owed()", "trigger SET plan_cache_mode = force_generic_plan", CHECK_OWED),
        GuardFunction("check_bill_run()", "trigger", CHECK_RUN),
        after_insert("timesheets_hold", "check_holds"),
        migrations.RunSQL(
            "CREATE TRIGGER billing_invoice_issued AFTER INSERT ON billing_invoice REFERENCING NEW TABLE AS added "
            "FOR EACH STATEMENT EXECUTE FUNCTION check_issue()",
            "DROP TRIGGER billing_invoice_issued ON billing_invoice",
        ),
        migrations.RunSQL(
            "CREATE CONSTRAINT TRIGGER billing_invoice_owed AFTER INSERT ON billing_invoice "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_invoice_owed()",
            "DROP TRIGGER billing_invoice_owed ON billing_invoice",
        ),
        migrations.RunSQL(
            "CREATE TRIGGER billing_billrun_frozen BEFORE UPDATE OR DELETE ON billing_billrun "
            "FOR EACH ROW EXECUTE FUNCTION check_bill_run()",
            "DROP TRIGGER billing_billrun_frozen ON billing_billrun",
        ),
        after_insert("billing_billed", "check_billed"),
        after_insert("billing_invoiceline", "check_invoice_lines"),
        after_insert("billing_invoice", "check_invoices"),
        Contributes("BillRun", subject="bill_run"),
    ]
