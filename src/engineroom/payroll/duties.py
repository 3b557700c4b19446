"""What payroll has to do next: weeks to pay, runs to calculate, approve and release, tax to pay over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation import duties
from engineroom.foundation.duties import Duty
from engineroom.foundation.tenancy.models import Client
from engineroom.payroll import selectors
from engineroom.payroll.deadlines import submit_by
from engineroom.payroll.jurisdictions import KNOWN, jurisdiction
from engineroom.ui.display import format_period, format_weekday

WEEKS = """
SELECT t.client_id, min(c.jurisdiction), count(*), min(t.week_ending), max(t.week_ending)
FROM timesheets_timesheet t JOIN foundation_client c ON c.id = t.client_id
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
WHERE a.client_id = ANY(%(clients)s) AND a.is_control
  AND o.due BETWEEN %(since)s AND %(until)s AND o.kind = ANY(%(kinds)s)
GROUP BY o.client_id, o.kind, o.due
HAVING sum(o.amount - CASE WHEN o.amount < 0 THEN -1 ELSE 1 END * coalesce(u.used, 0)) < 0
"""

LOOK_BACK_DAYS = 120
"""Older unfinished runs are history that nobody takes up; the list of runs still shows them."""

LOOK_AHEAD_DAYS = 31

WORDS: dict[str, str] = {
    "open": "Calculate pay run {number}",
    "blocked": "Solve {blockers} blockers of pay run {number}",
    "calculated": "Check pay run {number}",
    "checked": "Release pay run {number}",
    "waits-for-client": "Have the client approve pay run {number}",
    "client-approved": "Release pay run {number}",
}
"""What is to be done with a run, by its state; of one that was given up, nothing."""

LETS_OUT = ("checked", "client-approved")
APPROVED_NEXT = ("calculated", "waits-for-client")


def _words_of_agencies() -> dict[str, str]:
    """What is owed to the agencies of every country that is known, by kind of item."""
    return {agency.items: agency.words for law in KNOWN.values() for agency in law.postings.agencies}


@duties.register
def _duties(clients: Sequence[UUID], day: date) -> list[Duty]:
    asked: dict[str, Any] = {
        "clients": list(clients),
        "since": day - timedelta(days=LOOK_BACK_DAYS),
        "until": day + timedelta(days=LOOK_AHEAD_DAYS),
        "kinds": list(_words_of_agencies()),
    }
    runs = selectors.unreleased(clients, asked["since"])
    paid_in = dict(Client.objects.filter(id__in={r.client_id for r in runs}).values_list("id", "currency"))
    found = [duty for row in runs if (duty := _run(row, paid_in[row.client_id])) is not None]
    with connection.cursor() as cursor:
        cursor.execute(WEEKS, asked)
        found += [_weeks(*row) for row in cursor.fetchall()]
        cursor.execute(OWED, asked)
        found += [_owed(*row) for row in cursor.fetchall()]
    return found


def _run(row: selectors.RunRow, currency: str) -> Duty | None:
    """The next step of a run that is not released, by the day on which its file must leave."""
    state = row.state
    what = WORDS.get(state.code)
    if what is None:
        return None
    if state.code == "open":
        note = "its calculation is under way, or was cut off"
    else:
        note = f"{row.people} people, paid {format_weekday(row.pay_date)}"
    return Duty(
        row.client_id,
        what.format(number=row.number, blockers=row.blockers),
        note,
        state.permission or "payroll.prepare",
        ("payroll:run", (row.number,)),
        submit_by(jurisdiction(row.jurisdiction), row.pay_date),
        row.net if row.is_calculated else None,
        currency,
        waits_for="client" if state.code == "waits-for-client" else "firm",
        subject=("pay_run", row.id) if state.code in (*APPROVED_NEXT, *LETS_OUT) else None,
        lets_out=state.code in LETS_OUT,
    )


def _weeks(client_id: UUID, country: str, sheets: int, first: date, last: date) -> Duty:
    """Hours that no run has taken in. Temps are paid on the Friday after the week's end."""
    weeks = f"{'week' if first == last else 'weeks'} ending {format_period(first, last)}"
    by = submit_by(jurisdiction(country), first + timedelta(days=5))
    return Duty(client_id, f"Pay {sheets} timesheets", weeks, "payroll.prepare", ("payroll:runs", ()), by)


def _owed(client_id: UUID, kind: str, due: date, currency: str, amount: int) -> Duty:
    return Duty(
        client_id,
        _words_of_agencies()[kind],
        "to be paid over",
        "settlement.prepare",
        ("openitems:items", ()),
        due,
        -amount,
        currency,
    )
