"""What payroll offers to the rest: its files, its jobs, its open items, and payslips on the thread."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from engineroom.foundation import prepared, thread
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.openitems import kinds
from engineroom.payroll import (  # noqa: F401  registers what each offers
    batch,
    calculations,
    deadlines,
    debt_imports,
    duties,
    great_britain,
    great_britain_deadlines,
    great_britain_leavers,
    great_britain_words,
    imports,
    item_imports,
    order_imports,
    search,
    tasks,
    templated,
    workbook_imports,
)
from engineroom.payroll.jurisdictions import KNOWN
from engineroom.payroll.services import expected_payees
from engineroom.timesheets import selectors as timesheets

kinds.register("net_pay", "net pay", expected_payees=expected_payees)
kinds.register("net_pay_back", "pay to come back")
for law in KNOWN.values():
    for agency in law.postings.agencies:
        kinds.register(agency.items, agency.item_label)
kinds.register("attachment_order", "attachment order")
kinds.register("debt", "pay to come back that is taken off pay")

PAYSLIPS = """
SELECT s.id, r.number, p.payroll_number, p.name, s.amounts[array_position(a.elements, 'net_pay')], r.pay_date,
  a.engine_version, a.rules_hash, u.name
FROM payroll_payslip s
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
JOIN payroll_payrun r ON r.client_id = s.client_id AND r.id = s.run_id
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
LEFT JOIN foundation_approval v ON v.client_id = r.client_id AND v.subject_kind = 'pay_run' AND v.subject_id =
  r.id
  AND NOT EXISTS (SELECT FROM foundation_approvalvoid o WHERE o.client_id = v.client_id AND o.id = v.id)
LEFT JOIN foundation_user u ON u.id = v.user_id
WHERE s.client_id = ANY(%s) AND s.id = ANY(%s)
"""


def _payslips(ids: Sequence[UUID]) -> list[thread.Node]:
    nodes = {}
    for row in prepared.rows(PAYSLIPS, [list(current_scope().read), list(ids)]):
        nodes[row[0]] = thread.Node(
            "payslip",
            row[0],
            f"payslip {row[1]}/{row[2]} {row[3]}, net",
            row[4],
            day=row[5],
            who=f"approved by {row[8]}" if row[8] else "",
            rule=f"engine {row[6]}, rules {row[7][:12]}",
            page=("payroll:payslip", (row[1], row[2])),
        )
    return list(nodes.values())


def _find_payslip(text: str) -> list[UUID]:
    """`RUN/PAYROLLNUMBER`."""
    number, _, payroll_number = text.partition("/")
    if not number.isdigit() or not payroll_number:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id FROM payroll_payrun r "
            "JOIN payroll_payslip s ON s.client_id = r.client_id AND s.attempt_id = r.published_id "
            "JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id "
            "WHERE r.client_id = ANY(%s) AND r.number = %s AND p.payroll_number = %s",
            [list(current_scope().read), int(number), payroll_number],
        )
        return [row[0] for row in cursor.fetchall()]


thread.register_kind("payslip", _payslips, _find_payslip, lane="On a document")
# OFFSET 0 keeps an order, and the client is compared after it: counted a second time, beside the policy's,
# it would make every index that begins with the client look as good as the person's, and PostgreSQL would
# read all of a client of 10,000 people.
PAID_CHARGES = """(
  SELECT c.client_id, c.id AS charge_id, slip.id AS payslip_id
  FROM timesheets_charge c
  JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
  JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
  JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
  JOIN payroll_paidtimesheet pt ON pt.client_id = t.client_id AND pt.id = t.id
  JOIN payroll_payrun r ON r.client_id = pt.client_id AND r.id = pt.run_id
  CROSS JOIN LATERAL (
    SELECT s.client_id, s.id FROM payroll_payslip s
    WHERE s.attempt_id = r.published_id AND s.person_id = a.person_id OFFSET 0) slip
  WHERE slip.client_id = c.client_id
) paid"""
# From the payslip: the person's own timesheets, which of them the run paid, and the charges of those. Each
# step stands on the one before, so none can be planned to begin with all that a client has: a plan that met
# the charges of a run before the timesheets of a person took half a minute at a client of 2,000 people.
PAID_CHARGES_BACK = """(
  SELECT s.client_id, s.id AS payslip_id, done.id AS charge_id
  FROM payroll_payslip s
  JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
  CROSS JOIN LATERAL (
    SELECT t.client_id, t.id FROM timesheets_assignment a
    JOIN timesheets_timesheet t ON t.assignment_id = a.id
    WHERE a.person_id = s.person_id OFFSET 0) own
  CROSS JOIN LATERAL (
    SELECT p.client_id, p.id FROM payroll_paidtimesheet p
    WHERE p.id = own.id AND p.run_id = r.id OFFSET 0) pt
  CROSS JOIN LATERAL (
    SELECT e.client_id, e.id FROM timesheets_timeentry e WHERE e.timesheet_id = pt.id OFFSET 0) e
  CROSS JOIN LATERAL (
    SELECT c.client_id, c.id FROM timesheets_charge c WHERE c.time_entry_id = e.id OFFSET 0) done
  WHERE own.client_id = s.client_id AND pt.client_id = s.client_id
    AND e.client_id = s.client_id AND done.client_id = s.client_id
) paid"""
PAYSLIP_ITEMS = """(
  SELECT s.client_id, s.id AS payslip_id, own.id AS item_id
  FROM payroll_payslip s
  JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
  CROSS JOIN LATERAL (
    SELECT o.client_id, o.id, o.subject_id FROM openitems_openitem o
    WHERE o.counterparty_id = s.person_id AND o.subject_kind = 'pay_run'
      AND o.kind IN ('net_pay', 'net_pay_back') OFFSET 0) own
  WHERE own.client_id = s.client_id AND own.subject_id = s.run_id
) owed"""
# From the item: the person's own payslips, then the run's.
PAYSLIP_ITEMS_BACK = """(
  SELECT o.client_id, own.id AS payslip_id, o.id AS item_id
  FROM openitems_openitem o
  CROSS JOIN LATERAL (
    SELECT s.client_id, s.id, s.run_id, s.attempt_id FROM payroll_payslip s
    WHERE s.person_id = o.counterparty_id OFFSET 0) own
  JOIN payroll_payrun r ON r.client_id = o.client_id AND r.id = own.run_id AND r.published_id = own.attempt_id
  WHERE o.subject_kind = 'pay_run' AND o.kind IN ('net_pay', 'net_pay_back')
    AND own.client_id = o.client_id AND own.run_id = o.subject_id
) owed"""
RUN_ENTRIES = """(
  SELECT s.client_id, s.id AS payslip_id, e.id AS entry_id
  FROM payroll_payslip s
  JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
  JOIN ledger_batch b ON b.client_id = r.client_id AND b.subject_kind = 'pay_run' AND b.subject_id = r.id
  JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
) posted"""
thread.register_link(
    thread.Link("payslip", "entry", RUN_ENTRIES, "payslip_id", "entry_id"),
    thread.Link("payable", "payslip", PAID_CHARGES, "charge_id", "payslip_id", back=PAID_CHARGES_BACK),
    thread.Link("payslip", "item", PAYSLIP_ITEMS, "payslip_id", "item_id", back=PAYSLIP_ITEMS_BACK),
)
TAKEN_BACK = """(
  SELECT v.client_id, v.id AS payslip_id, n.id AS copy_id
  FROM payroll_reversedpayslip v
  JOIN payroll_payslip o ON o.client_id = v.client_id AND o.id = v.id
  JOIN payroll_payrun r ON r.client_id = v.client_id AND r.id = v.run_id
  JOIN payroll_payslip n ON n.client_id = r.client_id AND n.attempt_id = r.published_id
    AND n.person_id = o.person_id
) reversed"""
# From the copy: the run's own.
TAKEN_BACK_OF = """(
  SELECT n.client_id, o.id AS payslip_id, n.id AS copy_id
  FROM payroll_payslip n
  JOIN payroll_payrun r ON r.client_id = n.client_id AND r.published_id = n.attempt_id AND r.kind = 'reversal'
  JOIN payroll_reversedpayslip v ON v.client_id = r.client_id AND v.run_id = r.id
  JOIN payroll_payslip o ON o.client_id = v.client_id AND o.id = v.id AND o.person_id = n.person_id
) reversed"""
thread.register_link(
    thread.Link("payslip", "payslip", TAKEN_BACK, "payslip_id", "copy_id", back=TAKEN_BACK_OF)
)
PAID_BY = """(
  SELECT pt.client_id, pt.id AS timesheet_id, r.number
  FROM payroll_paidtimesheet pt JOIN payroll_payrun r ON r.client_id = pt.client_id AND r.id = pt.run_id
)"""
timesheets.register_payer(PAID_BY, "payroll:run")
