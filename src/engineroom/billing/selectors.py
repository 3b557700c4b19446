"""Questions of billing: what may be billed, and the proof that nothing was lost between paid and billed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from engineroom.billing.engine import Billable, Draft, draft_invoices
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.tables import load_table
from engineroom.openitems.models import Counterparty
from engineroom.ui import listing

BILLABLE = """
SELECT {columns}
FROM timesheets_charge c
JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
LEFT JOIN timesheets_purchaseorder o
  ON o.client_id = a.client_id AND o.id = coalesce(x.order_id, c.order_id, a.order_id)
WHERE c.client_id = %(client)s AND t.week_ending <= %(through)s AND (h.id IS NULL OR x.outcome = 'billable')
  AND NOT EXISTS (SELECT FROM billing_billed b WHERE b.client_id = c.client_id AND b.id = c.id)
"""


LINES = """c.id, k.code, coalesce(o.number, ''), a.code, a.id, p.name, a.role, t.week_ending, c.kind,
  c.minutes, c.bill_rate, c.bill_amount"""


def drafts(through: date, issue_date: date) -> list[Draft]:
    """What would be invoiced now for the weeks through a day: computed, not stored, without numbers."""
    rates = load_table("engineroom.billing", "vat").at(issue_date)
    with connection.cursor() as cursor:
        cursor.execute(BILLABLE.format(columns=LINES), {"client": current_client_id(), "through": through})
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
            {"client": current_client_id(), "through": through},
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
LEFT JOIN timesheets_purchaseorder o
  ON o.client_id = a.client_id AND o.id = coalesce(c.order_id, a.order_id)
LEFT JOIN payroll_paidtimesheet pt ON pt.client_id = t.client_id AND pt.id = t.id
WHERE h.client_id = %(client)s AND (%(run)s::uuid IS NULL OR pt.run_id = %(run)s)
  AND NOT EXISTS (SELECT FROM timesheets_holdend x WHERE x.client_id = h.client_id AND x.id = h.id)
ORDER BY k.name, k.id, e.day, p.payroll_number, c.kind
"""


def held(run_id: UUID | None = None) -> list[Held]:
    """What is held: all of the client's, or of the hours that one pay run paid; by customer and day."""
    with connection.cursor() as cursor:
        cursor.execute(HELD, {"client": current_client_id(), "run": run_id})
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
    payslip_minutes: int | None = None
    """What the payslips of released runs say was worked; None where only some files are looked at."""
    unpaid_minutes: int = 0
    """Hours that no released run has paid yet."""

    @property
    def difference(self) -> tuple[int, int]:
        """(minutes, billable minor units) that are charged but nowhere; always (0, 0)."""
        minutes = self.billed_minutes + self.unbilled_minutes + self.held_minutes + self.written_off_minutes
        amount = self.billed_amount + self.unbilled_amount + self.held_amount + self.written_off_amount
        return self.paid_minutes - minutes, self.paid_amount - amount

    @property
    def payslip_difference(self) -> int:
        """Minutes of released runs that no payslip pays, or payslips pay beyond them; always 0."""
        if self.payslip_minutes is None:
            return 0
        return self.paid_minutes - self.unpaid_minutes - self.payslip_minutes

    @property
    def ok(self) -> bool:
        return self.difference == (0, 0) and self.payslip_difference == 0


def reconcile(import_ids: list[UUID] | None = None) -> Reconciliation:
    """Every charged hour by what became of its billable side, and against the hours that payslips pay.

    Billed amounts are the invoice lines' own, paid minutes the payslips' own.
    """
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
            {"client": current_client_id(), "imports": import_ids},
        )
        sides = cursor.fetchone()
        if import_ids is not None:
            return Reconciliation(*sides)
        cursor.execute(PAID_ON_PAYSLIPS, {"client": current_client_id()})
        return Reconciliation(*sides, *cursor.fetchone())


PAID_ON_PAYSLIPS = """
WITH released AS (
  SELECT r.id, r.client_id, r.published_id FROM payroll_payrun r
  JOIN foundation_release f ON f.client_id = r.client_id AND f.subject_kind = 'pay_run'
    AND f.subject_id = r.id
  WHERE r.client_id = %(client)s)
SELECT (
    SELECT coalesce(sum(s.amounts[array_position(a.elements, 'minutes_worked')]), 0)::bigint
    FROM released r
    JOIN payroll_attempt a ON a.client_id = r.client_id AND a.id = r.published_id
    JOIN payroll_payslip s ON s.client_id = a.client_id AND s.attempt_id = a.id),
  (SELECT coalesce(sum(e.minutes), 0)::bigint
    FROM timesheets_timeentry e
    LEFT JOIN payroll_paidtimesheet p ON p.client_id = e.client_id AND p.id = e.timesheet_id
      AND p.run_id IN (SELECT id FROM released)
    WHERE e.client_id = %(client)s AND p.id IS NULL)
"""


# --- pages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BillRunView:
    """A bill run and how far it is: draft, approved or issued. gross: of what was issued, minor units."""

    number: int
    id: UUID
    through: date
    issue_date: date
    content_hash: str
    approved_by: str
    invoices: int
    gross: int
    waiting: bool

    @property
    def state(self) -> str:
        if self.invoices:
            return "issued"
        return "approved" if self.approved_by else "draft"


RUNS = """
SELECT r.number, r.id, r.through, r.issue_date, encode(r.content_hash, 'hex'), coalesce((
    SELECT u.name FROM foundation_approval a JOIN foundation_user u ON u.id = a.user_id
    WHERE a.client_id = r.client_id AND a.subject_kind = 'bill_run' AND a.subject_id = r.id
      AND a.content_hash = r.content_hash AND NOT EXISTS (
        SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)
    ORDER BY a.at DESC, a.id DESC LIMIT 1), '') AS approved_by,
  i.invoices, i.gross, i.invoices = 0 AS waiting
FROM billing_billrun r
CROSS JOIN LATERAL (
  SELECT count(*) AS invoices, coalesce(sum(gross), 0)::bigint AS gross FROM billing_invoice
  WHERE client_id = r.client_id AND bill_run_id = r.id) i
WHERE r.client_id = %(client)s AND (%(number)s::int IS NULL OR r.number = %(number)s)
"""


def bill_runs(cursor: str = "") -> listing.Slice[BillRunView]:
    """Bill runs, latest first."""
    order = listing.Order([("number", "bigint")], latest_first=True)
    return listing.read_slice(
        RUNS, {"client": current_client_id(), "number": None}, order, cursor, BillRunView
    )


def bill_run(number: int) -> BillRunView | None:
    with connection.cursor() as cursor:
        cursor.execute(RUNS, {"client": current_client_id(), "number": number})
        row = cursor.fetchone()
    return BillRunView(*row) if row else None


INVOICE_STATES = ("issued", "part paid", "paid", "overdue", "reversed")


@dataclass(frozen=True)
class InvoiceView:
    """An issued invoice with what is left of it. Minor units of its currency."""

    id: UUID
    number: str
    customer: str
    customer_code: str
    order_number: str
    issue_date: date
    week: date
    due: date
    currency: str
    gross: int
    open: int
    item_id: UUID | None
    reversed: bool
    overdue: bool

    @property
    def state(self) -> str:
        if self.reversed:
            return "reversed"
        if self.open == 0:
            return "paid"
        if self.overdue:
            return "overdue"
        return "issued" if self.open == self.gross else "part paid"


INVOICES = """
SELECT i.id, i.number, k.name AS customer, k.code AS customer_code, i.order_number, i.issue_date,
  r.through, i.due, i.currency, i.gross,
  coalesce(i.gross - u.used, i.gross)::bigint AS open, o.id AS item_id, u.reversed,
  coalesce(i.gross - u.used, i.gross) <> 0 AND i.due < current_date AS overdue
FROM billing_invoice i
JOIN openitems_counterparty k ON k.client_id = i.client_id AND k.id = i.customer_id
JOIN billing_billrun r ON r.client_id = i.client_id AND r.id = i.bill_run_id
LEFT JOIN openitems_openitem o
  ON o.client_id = i.client_id AND o.subject_kind = 'invoice' AND o.subject_id = i.id
CROSS JOIN LATERAL (
  SELECT coalesce(sum(amount), 0) AS used, coalesce(bool_or(subject_kind = 'entry'), false) AS reversed
  FROM (SELECT amount, subject_kind FROM openitems_allocation
        WHERE client_id = o.client_id AND item_a_id = o.id
        UNION ALL SELECT amount, subject_kind FROM openitems_allocation
        WHERE client_id = o.client_id AND item_b_id = o.id) l) u
WHERE i.client_id = %(client)s
  AND (%(customer)s::text = '' OR k.code = %(customer)s)
  AND (%(week)s::date IS NULL OR r.through = %(week)s)
  AND (%(run)s::uuid IS NULL OR i.bill_run_id = %(run)s)
  AND (%(number)s::text IS NULL OR i.number = %(number)s)
  AND (%(state)s::text = ''
    OR %(state)s = 'reversed' AND u.reversed
    OR %(state)s = 'paid' AND NOT u.reversed AND i.gross = u.used
    OR %(state)s = 'overdue' AND i.gross <> u.used AND i.due < current_date
    OR %(state)s = 'part paid' AND u.used NOT IN (0, i.gross) AND i.due >= current_date
    OR %(state)s = 'issued' AND u.used = 0 AND i.due >= current_date)
"""
NO_FILTER = {"customer": "", "week": None, "run": None, "number": None, "state": ""}


def invoices(
    *,
    customer: str = "",
    week: date | None = None,
    state: str = "",
    run: UUID | None = None,
    cursor: str = "",
) -> listing.Slice[InvoiceView]:
    """Issued invoices, latest first. Ids follow the numbers: both are taken in one statement."""
    asked = {
        **NO_FILTER,
        "client": current_client_id(),
        "customer": customer,
        "week": week,
        "state": state,
        "run": run,
    }
    order = listing.Order([("id", "uuid")], latest_first=True)
    return listing.read_slice(INVOICES, asked, order, cursor, InvoiceView)


def invoice(number: str) -> InvoiceView | None:
    with connection.cursor() as cursor:
        cursor.execute(INVOICES, {**NO_FILTER, "client": current_client_id(), "number": number})
        row = cursor.fetchone()
    return InvoiceView(*row) if row else None


@dataclass(frozen=True)
class Received:
    """What was set against an invoice: a bank line, a reversal; an undo is negative. Minor units."""

    day: date
    amount: int
    kind: str
    reference: str
    subject_kind: str
    subject_id: UUID
    item_id: UUID
    undone: bool


def received(item_id: UUID) -> list[Received]:
    """What was allocated to an item, oldest first, with the day of the item it was set against."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.due, l.amount, o.kind, o.reference, l.subject_kind, l.subject_id, o.id,
              l.undoes_id IS NOT NULL
            FROM (
              SELECT id, amount, subject_kind, subject_id, undoes_id, item_b_id AS other
              FROM openitems_allocation WHERE client_id = %(client)s AND item_a_id = %(item)s
              UNION ALL
              SELECT id, amount, subject_kind, subject_id, undoes_id, item_a_id
              FROM openitems_allocation WHERE client_id = %(client)s AND item_b_id = %(item)s) l
            JOIN openitems_openitem o ON o.client_id = %(client)s AND o.id = l.other
            ORDER BY l.id
            """,
            {"client": current_client_id(), "item": item_id},
        )
        return [Received(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class BilledCharge:
    """One charge that stands on an invoice line. rate and amount: minor units, billable."""

    charge_id: UUID
    entry_id: UUID
    timesheet_id: UUID
    day: date
    kind: str
    minutes: int
    rate: int
    amount: int
    note: str


def charges_of_line(line_id: UUID) -> list[BilledCharge]:
    """The hours under a line of an invoice, by day."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id, e.id, e.timesheet_id, e.day, c.kind, c.minutes, c.bill_rate, c.bill_amount,
              coalesce(h.reason, '')
            FROM billing_billed b
            JOIN timesheets_charge c ON c.client_id = b.client_id AND c.id = b.id
            JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
            LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
            WHERE b.client_id = %s AND b.invoice_line_id = %s ORDER BY e.day, c.id
            """,
            [current_client_id(), line_id],
        )
        return [BilledCharge(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class HeldSum:
    """What is held from one customer for one reason."""

    customer: str
    reason: str
    charges: int
    minutes: int
    amount: int


def held_by_reason(rows: list[Held]) -> list[HeldSum]:
    """By customer and reason, the most money first."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        total = sums.setdefault((row.customer, row.reason), [0, 0, 0])
        for i, part in enumerate((1, row.minutes, row.amount)):
            total[i] += part
    found = [HeldSum(customer, reason, *total) for (customer, reason), total in sums.items()]
    return sorted(found, key=lambda s: (-s.amount, s.customer, s.reason))


@dataclass(frozen=True)
class Receivable:
    """What customers owe on invoices, and how much of it is late. Minor units of a currency."""

    currency: str
    open: int
    overdue: int
    invoices: int


def receivables() -> list[Receivable]:
    """Open invoices per currency."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.currency, sum(o.amount - coalesce(u.used, 0))::bigint,
              coalesce(sum(o.amount - coalesce(u.used, 0)) FILTER (WHERE o.due < current_date), 0)::bigint,
              count(*)
            FROM openitems_openitem o
            LEFT JOIN (
              SELECT item_id, sum(amount) AS used FROM (
                SELECT item_a_id AS item_id, amount FROM openitems_allocation WHERE client_id = %(client)s
                UNION ALL
                SELECT item_b_id, amount FROM openitems_allocation WHERE client_id = %(client)s) l
              GROUP BY item_id) u ON u.item_id = o.id
            WHERE o.client_id = %(client)s AND o.kind = 'invoice' AND o.amount <> coalesce(u.used, 0)
            GROUP BY o.currency ORDER BY o.currency
            """,
            {"client": current_client_id()},
        )
        return [Receivable(*row) for row in cursor.fetchall()]


def customers() -> list[tuple[str, str]]:
    """(code, name) of those who were ever invoiced or could be."""
    rows = Counterparty.objects.filter(client_id=current_client_id(), kind="customer").order_by(
        "name", "code"
    )
    return list(rows.values_list("code", "name"))
