"""What somebody sees from their own face, or a worker from the work's: their own rows, and of all else nothing.

The application's selectors ask for no more than that. This is for the selector that forgot to: PostgreSQL leaves the
others' rows out, table by table. Read it as the list of what is theirs.
"""

from django.db import migrations

from engineroom.foundation.tenancy.operations import GuardFunction, OwnRows

# Ids of what is the acting user's, found by index and once a query. Not a subquery in each policy: that one would see
# through the policies of the table that it asks.
APP_OWN = """
DECLARE
  clients uuid[] := app_read()::uuid[];
  mine uuid[] := array(SELECT l.person_id FROM people_personlogin l
    WHERE l.user_id = app_user() AND l.client_id = ANY (clients)
      AND l.starts <= current_date AND (l.ends IS NULL OR l.ends >= current_date));
BEGIN
  RETURN CASE what
    WHEN 'person' THEN mine
    WHEN 'assignment' THEN array(SELECT a.id FROM timesheets_assignment a
      WHERE a.client_id = ANY (clients) AND a.person_id = ANY (mine))
    WHEN 'customer' THEN array(SELECT a.customer_id FROM timesheets_assignment a
      WHERE a.client_id = ANY (clients) AND a.person_id = ANY (mine))
    WHEN 'timesheet' THEN array(SELECT t.id FROM timesheets_assignment a
      JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
      WHERE a.client_id = ANY (clients) AND a.person_id = ANY (mine))
    WHEN 'time_entry' THEN array(SELECT e.id FROM timesheets_assignment a
      JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
      JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
      WHERE a.client_id = ANY (clients) AND a.person_id = ANY (mine))
    WHEN 'payslip' THEN array(SELECT s.id FROM payroll_payslip s
      WHERE s.client_id = ANY (clients) AND s.person_id = ANY (mine))
    WHEN 'pay_run' THEN array(SELECT s.run_id FROM payroll_payslip s
      WHERE s.client_id = ANY (clients) AND s.person_id = ANY (mine))
    WHEN 'attempt' THEN array(SELECT s.attempt_id FROM payroll_payslip s
      WHERE s.client_id = ANY (clients) AND s.person_id = ANY (mine))
    ELSE '{}' END;
END
"""


def own(column: str, what: str) -> str:
    return f"{column} = ANY ((SELECT app_own('{what}'))::uuid[])"


USER = "{} = (SELECT app_user())"

OWN = {
    "people_person": own("id", "person"),
    "people_employment": own("person_id", "person"),
    "people_bankaccount": own("person_id", "person"),
    "people_personlogin": USER.format("user_id"),
    "openitems_counterparty": f"{own('id', 'person')} OR {own('id', 'customer')}",
    "openitems_openitem": own("counterparty_id", "person"),
    "timesheets_assignment": own("person_id", "person"),
    "timesheets_timesheet": own("id", "timesheet"),
    "timesheets_timeentry": own("timesheet_id", "timesheet"),
    "timesheets_charge": own("time_entry_id", "time_entry"),
    "payroll_taxdetails": own("person_id", "person"),
    "payroll_payslip": own("person_id", "person"),
    "payroll_paidtimesheet": own("id", "timesheet"),
    "payroll_payrun": own("id", "pay_run"),
    "payroll_attempt": own("run_id", "pay_run"),
    "payroll_attemptchunk": own("run_id", "pay_run"),
    # A run is released as a whole: that it is says of a person only that they were paid.
    "foundation_release": own("subject_id", "pay_run"),
    # A payslip's PDF, and the file in which its run kept how it was calculated.
    "foundation_vaultfile": f"{own('subject_id', 'payslip')} OR {own('subject_id', 'attempt')}",
    # What they did themselves.
    "foundation_commandrun": USER.format("user_id"),
    "foundation_auditevent": USER.format("user_id"),
}

NOTHING = (
    "foundation_approval",
    "foundation_approvalvoid",
    "foundation_auditseal",
    "foundation_auditunsealed",
    "foundation_contribution",
    "foundation_contributionsource",
    "foundation_importcommit",
    "foundation_importpreview",
    "foundation_numberseries",
    "ledger_account",
    "ledger_batch",
    "ledger_batchseal",
    "ledger_book",
    "ledger_delta",
    "ledger_entry",
    "ledger_periodlock",
    "ledger_posting",
    "openitems_allocation",
    "timesheets_assignmentrate",
    "timesheets_hold",
    "timesheets_holdend",
    "timesheets_purchaseorder",
    "billing_billed",
    "billing_billrun",
    "billing_invoice",
    "billing_invoiceline",
    "settlement_bankline",
    "settlement_batchstage",
    "settlement_cleared",
    "settlement_lineexception",
    "settlement_ownaccount",
    "settlement_payment",
    "settlement_paymentbatch",
    "settlement_statement",
    "web_link",
    "web_linkuse",
)

GUARD_READS = """
GRANT SELECT ON people_personlogin, timesheets_assignment, timesheets_timesheet, timesheets_timeentry, payroll_payslip
  TO engineroom_guard;
"""
GUARD_READS_BACK = """
REVOKE SELECT ON people_personlogin, timesheets_assignment, timesheets_timesheet, payroll_payslip FROM engineroom_guard;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("web", "0001_links"),
        ("payroll", "0002_guards"),
        ("billing", "0002_guards"),
        ("settlement", "0002_guards"),
    ]

    operations = [
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("app_own(what text)", "uuid[]", APP_OWN, callable_by_app=True, reads_only=True),
        *(OwnRows(table, condition) for table, condition in OWN.items()),
        *(OwnRows(table) for table in NOTHING),
    ]
