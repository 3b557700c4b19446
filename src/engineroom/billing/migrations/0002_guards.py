"""Billing's promises: what is issued stands; a held hour is not billed."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, Contributes, GuardFunction

CHECK_BILLED = """
DECLARE
  wrong text;
BEGIN
  SELECT format('charge %s (%s)', h.id, h.reason) INTO wrong
    FROM added a JOIN timesheets_hold h ON h.client_id = a.client_id AND h.id = a.id
    LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
    WHERE x.outcome IS DISTINCT FROM 'billable' LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a held hour is in no invoice: %', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
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

GUARD_READS = "GRANT SELECT ON timesheets_hold, timesheets_holdend, billing_invoice, billing_invoiceline TO engineroom_guard;"
GUARD_READS_BACK = "REVOKE ALL ON timesheets_hold, timesheets_holdend, billing_invoice, billing_invoiceline FROM engineroom_guard;"


def after_insert(table: str, function: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_checked AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER {table}_checked ON {table}",
    )


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
        after_insert("billing_billed", "check_billed"),
        after_insert("billing_invoiceline", "check_invoice_lines"),
        after_insert("billing_invoice", "check_invoices"),
        Contributes("BillRun", subject="bill_run"),
    ]
