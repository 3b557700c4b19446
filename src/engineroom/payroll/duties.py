"""What payroll has to do next: weeks to pay, runs to calculate, approve and release, tax to pay over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation import duties
from engineroom.foundation.duties import Duty
from engineroom.kernel.calendar import calendar
from engineroom.payroll import accounts

RUNS = """
SELECT r.client_id, r.id, r.number, r.pay_date, r.published_id IS NOT NULL,
  r.payslips,
  (SELECT r.totals[array_position(a.elements, 'net_pay')] FROM payroll_attempt a
   WHERE a.client_id = r.client_id AND a.id = r.published_id),
  (SELECT v.content_hash = r.content_hash FROM foundation_approval v
   WHERE v.client_id = r.client_id AND v.subject_kind = 'pay_run' AND v.subject_id = r.id
     AND NOT EXISTS (SELECT FROM foundation_approvalvoid o WHERE o.client_id = v.client_id AND o.id = v.id)
   ORDER BY v.at DESC LIMIT 1),
  (SELECT coalesce(sum(jsonb_array_length(c.problems)), 0)::bigint FROM payroll_attemptchunk c
   WHERE c.client_id = r.client_id AND c.attempt_id = r.published_id),
  EXISTS (SELECT FROM payroll_paidtimesheet p WHERE p.client_id = r.client_id AND p.run_id = r.id)
FROM payroll_payrun r
WHERE r.client_id = ANY(%(clients)s) AND r.pay_date >= %(since)s
  AND NOT EXISTS (SELECT FROM foundation_release x
                  WHERE x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id)
ORDER BY r.pay_date, r.number
"""

WEEKS = """
SELECT t.client_id, count(*), min(t.week_ending), max(t.week_ending)
FROM timesheets_timesheet t
WHERE t.client_id = ANY(%(clients)s) AND t.week_ending >= %(since)s
  AND NOT EXISTS (SELECT FROM payroll_paidtimesheet p WHERE p.client_id = t.client_id AND p.id = t.id)
GROUP BY t.client_id
"""

OWED = """
SELECT o.client_id, o.kind, o.due, min(o.currency),
  sum(o.amount - CASE WHEN o.amount < 0 THEN -1 ELSE 1 END * coalesce(u.used, 0))::bigint
FROM ledger_account a
JOIN openitems_openitem o ON o.client_id = a.client_id AND o.account_id = a.id
LEFT JOIN LATERAL (
  SELECT sum(l.amount) AS used FROM openitems_allocation l
  WHERE l.client_id = o.client_id AND (l.item_a_id = o.id OR l.item_b_id = o.id)) u ON true
WHERE a.client_id = ANY(%(clients)s) AND a.code = ANY(%(codes)s)
  AND o.due BETWEEN %(since)s AND %(until)s AND o.kind = ANY(%(kinds)s)
GROUP BY o.client_id, o.kind, o.due
HAVING sum(o.amount - CASE WHEN o.amount < 0 THEN -1 ELSE 1 END * coalesce(u.used, 0)) < 0
"""

LOOK_BACK_DAYS = 120
"""Older unfinished runs are history that nobody takes up; the list of runs still shows them."""

LOOK_AHEAD_DAYS = 31

KINDS = {"hmrc": "PAYE, NIC and loans to HMRC", "pension": "Pension contributions"}


@duties.register
def _duties(clients: Sequence[UUID], day: date) -> list[Duty]:
    asked: dict[str, Any] = {
        "clients": list(clients),
        "since": day - timedelta(days=LOOK_BACK_DAYS),
        "until": day + timedelta(days=LOOK_AHEAD_DAYS),
        "codes": [accounts.HMRC, accounts.PENSION_PROVIDER],
        "kinds": list(KINDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(RUNS, asked)
        found = [_run(*row[:-1]) for row in cursor.fetchall() if row[-1]]  # an abandoned run has no hours
        cursor.execute(WEEKS, asked)
        found += [_weeks(*row) for row in cursor.fetchall()]
        cursor.execute(OWED, asked)
        found += [_owed(*row) for row in cursor.fetchall()]
    return found


def _run(
    client_id: UUID,
    run_id: UUID,
    number: int,
    pay_date: date,
    calculated: bool,
    people: int,
    net: int | None,
    approved: bool | None,
    blockers: int,
) -> Duty:
    """The next step of a run that is not released. Money leaves two banking days before it arrives."""
    submit_by = calendar("ENG").add(calendar("ENG").on_or_before(pay_date), -2)
    page = ("payroll:run", (number,))
    subject = ("pay_run", run_id)
    who = f"{people} people, paid {pay_date:%a %d %b}"
    if not calculated:
        note = "its calculation is under way, or was cut off"
        return Duty(client_id, f"Calculate pay run {number}", note, "payroll.prepare", page, submit_by)
    if blockers:
        what = f"Solve {blockers} blockers of pay run {number}"
        return Duty(client_id, what, who, "payroll.prepare", page, submit_by, net)
    if approved:
        return Duty(client_id, f"Release pay run {number}", who, "payroll.release", page, submit_by, net)
    return Duty(
        client_id, f"Check pay run {number}", who, "payroll.approve", page, submit_by, net, subject=subject
    )


def _weeks(client_id: UUID, sheets: int, first: date, last: date) -> Duty:
    """Hours that no run has taken in. Temps are paid on the Friday after the week's end."""
    weeks = f"week ending {last:%d %b}" if first == last else f"weeks ending {first:%d %b} to {last:%d %b}"
    pay_date = first + timedelta(days=5)
    submit_by = calendar("ENG").add(calendar("ENG").on_or_before(pay_date), -2)
    return Duty(
        client_id, f"Pay {sheets} timesheets", weeks, "payroll.prepare", ("payroll:runs", ()), submit_by
    )


def _owed(client_id: UUID, kind: str, due: date, currency: str, amount: int) -> Duty:
    return Duty(
        client_id,
        KINDS[kind],
        "to be paid over",
        "settlement.prepare",
        ("openitems:items", ()),
        due,
        -amount,
        currency,
    )
