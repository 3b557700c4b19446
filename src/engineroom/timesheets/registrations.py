"""What timesheets offers to the rest: its files, and hours and charges on the thread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation import prepared, thread
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.money import format_minor
from engineroom.timesheets import imports, rate_imports, search  # noqa: F401  registers files and what is found
from engineroom.ui.display import format_count, format_duration, printable

HOURS = """
SELECT e.id, p.payroll_number, p.name, k.name, e.day, e.minutes, t.status, u.name, t.id, e.file_row
FROM timesheets_timeentry e
JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
JOIN foundation_importcommit i ON i.client_id = t.client_id AND i.id = t.taken_in_id
JOIN foundation_importpreview v ON v.client_id = i.client_id AND v.id = i.preview_id
LEFT JOIN foundation_user u ON u.id = v.by_user_id
WHERE e.client_id = ANY(%s) AND e.id = ANY(%s)
"""


def _hours(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "hour",
            row[0],
            f"{row[1]} {row[2]} at {row[3]}, {format_duration(row[5])}",
            day=row[4],
            who=row[7] or "",
            rule=f"row {row[9]} of its file" if row[9] else "",
            state=row[6],
            minutes=row[5],
            page=("timesheets:timesheet", (row[8],)),
        )
        for row in _rows(HOURS, ids)
    ]


FILES = """
SELECT i.id, f.name, i.kind, i.at, u.name, v.id, v.rows
FROM foundation_importcommit i
JOIN foundation_importpreview v ON v.client_id = i.client_id AND v.id = i.preview_id
JOIN foundation_vaultfile f ON f.client_id = v.client_id AND f.id = v.file_id
LEFT JOIN foundation_user u ON u.id = v.by_user_id
WHERE i.client_id = ANY(%s) AND i.id = ANY(%s)
"""


def _files(ids: Sequence[UUID]) -> list[thread.Node]:
    """Files that were taken in, as what came in with them names them."""
    return [
        thread.Node(
            "import",
            row[0],
            f"file {printable(row[1])}, {format_count(row[6], 'row')} of {row[2]}",
            day=row[3].date(),
            who=f"taken in by {row[4]}" if row[4] else "",
            page=("import_seen", (row[5],)),
        )
        for row in _rows(FILES, ids)
    ]


CHARGES = """
SELECT c.id, c.kind, c.minutes, c.pay_rate, c.pay_amount, c.bill_rate, c.bill_amount, e.day, h.reason,
  x.outcome
FROM timesheets_charge c
JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
WHERE c.client_id = ANY(%s) AND c.id = ANY(%s)
"""


def _payable(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "payable",
            row[0],
            f"payable: {format_duration(row[2])} {row[1]}",
            row[4],
            day=row[7],
            rule=f"{row[1]} at {format_minor(row[3])} an hour",
        )
        for row in _rows(CHARGES, ids)
    ]


def _billable(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node(
            "billable",
            row[0],
            f"billable: {format_duration(row[2])} {row[1]}",
            row[6],
            day=row[7],
            rule=f"{row[1]} at {format_minor(row[5])} an hour",
            state=_held(row[8], row[9]),
        )
        for row in _rows(CHARGES, ids)
    ]


def _held(reason: str | None, outcome: str | None) -> str:
    if reason is None:
        return ""
    return (
        f"held: {reason.replace('_', ' ')}"
        if outcome is None
        else f"was held ({reason.replace('_', ' ')}), {outcome.replace('_', ' ')}"
    )


def _rows(sql: str, ids: Sequence[UUID]) -> list[tuple[Any, ...]]:
    return prepared.rows(sql, [list(current_scope().read), list(ids)])


def _find_hour(text: str) -> list[UUID]:
    """`PAYROLLNUMBER@YYYY-MM-DD`, or an id."""
    number, _, day = text.partition("@")
    try:
        worked = date.fromisoformat(day)
    except ValueError:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id FROM timesheets_timeentry e "
            "JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id "
            "JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id "
            "JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id "
            "WHERE e.client_id = ANY(%s) AND p.payroll_number = %s AND e.day = %s ORDER BY e.id",
            [list(current_scope().read), number, worked],
        )
        return [row[0] for row in cursor.fetchall()]


TAKEN_IN = """(
  SELECT e.client_id, t.taken_in_id AS import_id, e.id AS entry_id
  FROM timesheets_timesheet t
  JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
) taken"""

thread.register_kind("import", _files, lane="Brought in", shared=True)
thread.register_kind("hour", _hours, _find_hour, lane="Worked")
thread.register_kind("payable", _payable, lane="Became")
thread.register_kind("billable", _billable, lane="Became")
thread.register_link(
    thread.Link("import", "hour", TAKEN_IN, "import_id", "entry_id"),
    thread.Link("hour", "payable", "timesheets_charge", "time_entry_id", "id"),
    thread.Link("hour", "billable", "timesheets_charge", "time_entry_id", "id"),
)
