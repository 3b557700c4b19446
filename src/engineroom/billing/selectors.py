"""Questions of billing: what may be billed, and the proof that nothing was lost between paid and billed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from engineroom.billing.engine import Billable, Draft, draft_invoices
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.tables import load_table

BILLABLE = """
SELECT {columns}
FROM timesheets_charge c
JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
LEFT JOIN timesheets_purchaseorder o ON o.client_id = a.client_id AND o.id = a.order_id
LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
WHERE c.client_id = %(client)s AND t.week_ending <= %(through)s AND (h.id IS NULL OR x.outcome = 'billable')
  AND NOT EXISTS (SELECT FROM billing_billed b WHERE b.client_id = c.client_id AND b.id = c.id)
"""


LINES = """c.id, k.code, coalesce(o.number, ''), a.code, a.id, p.name, a.role, t.week_ending, c.kind,
  c.minutes, c.bill_rate, c.bill_amount"""


def drafts(through: date, issue_date: date) -> list[Draft]:
    """What would be invoiced now for the weeks through a day: computed, not stored, without numbers."""
    rates = load_table("engineroom.billing", "vat").at(issue_date)
    with connection.cursor() as cursor:
        cursor.execute(
            BILLABLE.format(columns=LINES), {"client": current_scope().client_id, "through": through}
        )
        rows = [Billable._make(row) for row in cursor.fetchall()]
    return draft_invoices(rows, rates[rates["staff_supply"]])


def imports_to_bill(through: date) -> list[UUID]:
    """The files whose hours would be invoiced now."""
    return _distinct("t.taken_in_id", through)


def holds_to_bill(through: date) -> list[UUID]:
    """The ended holds of charges that would be invoiced now: a hold has its charge's id."""
    return [hold for hold in _distinct("h.id", through) if hold]


def _distinct(column: str, through: date) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            BILLABLE.format(columns=f"DISTINCT {column}"),
            {"client": current_scope().client_id, "through": through},
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True)
class Held:
    """One charge that is paid and may not be billed yet, and why. amount: billable minor units."""

    customer_id: UUID
    customer: str
    order_number: str
    person: str
    day: date
    minutes: int
    amount: int
    reason: str
    note: str


HELD = """
SELECT k.id, k.name, coalesce(o.number, ''), p.payroll_number || ' ' || p.name, e.day, c.minutes,
  c.bill_amount,
  h.reason, coalesce(nullif(h.note, ''), t.note)
FROM timesheets_hold h
JOIN timesheets_charge c ON c.client_id = h.client_id AND c.id = h.id
JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
LEFT JOIN timesheets_purchaseorder o ON o.client_id = a.client_id AND o.id = a.order_id
LEFT JOIN payroll_paidtimesheet pt ON pt.client_id = t.client_id AND pt.id = t.id
WHERE h.client_id = %(client)s AND (%(run)s::uuid IS NULL OR pt.run_id = %(run)s)
  AND NOT EXISTS (SELECT FROM timesheets_holdend x WHERE x.client_id = h.client_id AND x.id = h.id)
ORDER BY k.name, k.id, e.day, p.payroll_number, c.kind
"""


def held(run_id: UUID | None = None) -> list[Held]:
    """What is held: all of the client's, or of the hours that one pay run paid; by customer and day."""
    with connection.cursor() as cursor:
        cursor.execute(HELD, {"client": _client(), "run": run_id})
        return [Held(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Reconciliation:
    """Minutes and billable minor units: everything paid is billed, waiting to be, held, or written off; to
    zero."""

    paid_minutes: int
    paid_amount: int
    billed_minutes: int
    billed_amount: int
    unbilled_minutes: int
    unbilled_amount: int
    held_minutes: int
    held_amount: int
    written_off_minutes: int
    written_off_amount: int

    @property
    def difference(self) -> tuple[int, int]:
        """(minutes, billable minor units) that are charged but nowhere; always (0, 0)."""
        minutes = self.billed_minutes + self.unbilled_minutes + self.held_minutes + self.written_off_minutes
        amount = self.billed_amount + self.unbilled_amount + self.held_amount + self.written_off_amount
        return self.paid_minutes - minutes, self.paid_amount - amount

    @property
    def ok(self) -> bool:
        return self.difference == (0, 0)


def reconcile(import_ids: list[UUID] | None = None) -> Reconciliation:
    """Every charged hour by what became of its billable side. Billed amounts are the invoice lines' own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH state AS (
              SELECT c.minutes, c.bill_amount, CASE
                WHEN b.id IS NOT NULL THEN 'billed'
                WHEN x.outcome = 'written_off' THEN 'written_off'
                WHEN h.id IS NOT NULL AND x.id IS NULL THEN 'held'
                ELSE 'unbilled' END AS state
              FROM timesheets_charge c
              LEFT JOIN billing_billed b ON b.client_id = c.client_id AND b.id = c.id
              LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
              LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
              JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
              JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
              WHERE c.client_id = %(client)s AND (%(imports)s::uuid[] IS NULL OR t.taken_in_id =
                ANY(%(imports)s)))
            SELECT (SELECT coalesce(sum(e.minutes), 0)::bigint FROM timesheets_timeentry e
                    JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
                    WHERE e.client_id = %(client)s AND (%(imports)s::uuid[] IS NULL OR t.taken_in_id =
                      ANY(%(imports)s))),
                   coalesce(sum(bill_amount), 0)::bigint,
                   coalesce(sum(minutes) FILTER (WHERE state = 'billed'), 0)::bigint,
                   (SELECT coalesce(sum(net), 0)::bigint FROM billing_invoiceline l WHERE l.client_id =
                     %(client)s
                    AND (%(imports)s::uuid[] IS NULL OR l.id IN (
                      SELECT b.invoice_line_id FROM billing_billed b
                      JOIN timesheets_charge c ON c.client_id = b.client_id AND c.id = b.id
                      JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
                      JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
                      WHERE b.client_id = %(client)s AND t.taken_in_id = ANY(%(imports)s)))),
                   coalesce(sum(minutes) FILTER (WHERE state = 'unbilled'), 0)::bigint,
                   coalesce(sum(bill_amount) FILTER (WHERE state = 'unbilled'), 0)::bigint,
                   coalesce(sum(minutes) FILTER (WHERE state = 'held'), 0)::bigint,
                   coalesce(sum(bill_amount) FILTER (WHERE state = 'held'), 0)::bigint,
                   coalesce(sum(minutes) FILTER (WHERE state = 'written_off'), 0)::bigint,
                   coalesce(sum(bill_amount) FILTER (WHERE state = 'written_off'), 0)::bigint
            FROM state
            """,
            {"client": _client(), "imports": import_ids},
        )
        return Reconciliation(*cursor.fetchone())


def _client() -> UUID:
    scope = current_scope()
    return scope.write or scope.read[0]
