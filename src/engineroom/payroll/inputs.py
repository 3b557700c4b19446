"""What a run is calculated from: hours as charged, tax details on the pay date, figures to date, the account
to be paid.

Read set by set for a range of people, in id order, as columns for the engine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.foundation.prepared import planned_anew
from engineroom.payroll.models import PayRun

WORKED = """
SELECT p.id, p.payroll_number,
  sum(c.minutes)::bigint,
  coalesce(sum(c.pay_amount) FILTER (WHERE c.kind = 'basic'), 0)::bigint,
  coalesce(sum(c.pay_amount) FILTER (WHERE c.kind = 'overtime'), 0)::bigint,
  coalesce(sum(c.pay_amount) FILTER (WHERE c.kind = 'weekend'), 0)::bigint
FROM payroll_paidtimesheet pt
JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s AND p.id BETWEEN %(first)s AND %(last)s
GROUP BY p.id, p.payroll_number ORDER BY p.id
"""

DETAILS = """
SELECT d.person_id, d.tax_code, d.is_cumulative, d.ni_category, d.student_loan_plan, d.postgraduate_loan,
  d.pension_relief, d.pension_employee_ppm, d.pension_employer_ppm
FROM payroll_taxdetails d
WHERE d.client_id = %(client)s AND d.person_id BETWEEN %(first)s AND %(last)s
  AND d.starts <= %(day)s AND (d.ends IS NULL OR d.ends >= %(day)s)
"""

# Figures of earlier employment in the tax year: the latest that were given. A P45 that comes after the first
# payslip counts from then on, and figures in a later coding notice stand in place of the P45's (HMRC, CWG2:
# form P6).
PREVIOUS_EMPLOYMENT = """
SELECT DISTINCT ON (d.person_id) d.person_id, d.previous_pay, d.previous_tax FROM payroll_taxdetails d
WHERE d.client_id = %(client)s AND d.person_id BETWEEN %(first)s AND %(last)s
  AND d.starts BETWEEN %(year_starts)s AND %(day)s AND (d.previous_pay <> 0 OR d.previous_tax <> 0)
ORDER BY d.person_id, d.starts DESC
"""

# What this employer paid and deducted in the tax year before the run.
PAID_BEFORE = """
SELECT s.person_id, sum(s.amounts[array_position(a.elements, 'taxable_pay')])::bigint,
  sum(s.amounts[array_position(a.elements, 'paye')])::bigint
FROM payroll_payslip s
JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
WHERE s.client_id = %(client)s AND s.person_id BETWEEN %(first)s AND %(last)s
  AND r.tax_year = %(year)s AND (r.pay_date, r.number) < (%(day)s, %(number)s)
GROUP BY s.person_id
"""

ACCOUNTS = """
SELECT b.person_id, b.fingerprint FROM people_bankaccount b
WHERE b.client_id = %(client)s AND b.person_id BETWEEN %(first)s AND %(last)s
  AND b.starts <= %(day)s AND (b.ends IS NULL OR b.ends >= %(day)s)
"""


@dataclass(frozen=True)
class Missing:
    """Somebody in the run who cannot be calculated or paid, and what to do."""

    payroll_number: str
    field: str
    problem: str
    remedy: str


@dataclass
class ChunkInputs:
    """n people with everything the engine needs, and those who lack something. columns: the engine's
    inputs."""

    person_id: list[UUID]
    payroll_number: list[str]
    tax_code: list[str]
    ni_category: list[str]
    fingerprint: list[bytes | None]
    columns: dict[str, Any]
    missing: list[Missing]

    def hash(self) -> bytes:
        """SHA-256 over the inputs, a column at a time, people by payroll number: the same on every
        machine."""
        order = sorted(range(len(self.payroll_number)), key=self.payroll_number.__getitem__)
        columns = self.columns | {"payroll_number": self.payroll_number, "payee": self.fingerprint}
        sha = hashlib.sha256()
        for name in sorted(columns):
            sha.update(f"{name}={_in_order(columns[name], order)}\n".encode())
        for missing in sorted(self.missing, key=lambda m: (m.payroll_number, m.field)):
            line = canonical.line("missing", missing.payroll_number, [("field", missing.field)])
            sha.update(line.encode())
        return sha.digest()


def _in_order(values: Any, order: list[int]) -> str:
    """A column as text: numbers and texts one after the other, or the one value that all share."""
    if isinstance(values, np.ndarray):
        return ",".join(map(str, values[order].tolist()))
    if isinstance(values, list):
        return ",".join(canonical.values([values[i] for i in order]))
    return canonical.value(values)


@planned_anew()
def read_inputs(run: PayRun, first: UUID, last: UUID) -> ChunkInputs:
    """Everything for the people of the run from `first` to `last` in id order."""
    bounds = {
        "client": run.client_id,
        "run": run.id,
        "first": first,
        "last": last,
        "day": run.pay_date,
        "year": run.tax_year,
        "number": run.number,
        "year_starts": date(int(run.tax_year[:4]), 4, 6),
    }
    worked = _rows(WORKED, bounds)
    details = {row[0]: row[1:] for row in _rows(DETAILS, bounds)}
    missing = [
        Missing(
            row[1],
            "tax details",
            "there are no tax details on the pay date",
            "Import the person's tax details",
        )
        for row in worked
        if row[0] not in details
    ]
    rows = [row for row in worked if row[0] in details]
    accounts = {person: bytes(print_of) for person, print_of in _rows(ACCOUNTS, bounds)}
    missing += [
        Missing(
            row[1],
            "bank account",
            "there is no bank account on the pay date",
            "Import sort code and account number",
        )
        for row in rows
        if row[0] not in accounts
    ]
    return ChunkInputs(
        person_id=[row[0] for row in rows],
        payroll_number=[row[1] for row in rows],
        tax_code=[details[row[0]][0] for row in rows],
        ni_category=[details[row[0]][2] for row in rows],
        fingerprint=[accounts.get(row[0]) for row in rows],
        columns=_columns(run, rows, details, _to_date(bounds)),
        missing=missing,
    )


def _rows(sql: str, bounds: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, bounds)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _to_date(bounds: dict[str, Any]) -> dict[UUID, tuple[int, int]]:
    """Taxable pay and tax of the tax year before this run: of earlier employment and of our own payslips."""
    figures: dict[UUID, tuple[int, int]] = {}
    for person, pay, tax in [*_rows(PREVIOUS_EMPLOYMENT, bounds), *_rows(PAID_BEFORE, bounds)]:
        before = figures.get(person, (0, 0))
        figures[person] = (before[0] + pay, before[1] + tax)
    return figures


def _columns(
    run: PayRun,
    rows: list[tuple[Any, ...]],
    details: dict[UUID, tuple[Any, ...]],
    to_date: dict[UUID, tuple[int, int]],
) -> dict[str, Any]:
    figures = np.array([row[2:6] for row in rows], dtype=np.int64).reshape(-1, 4)
    before = np.array([to_date.get(row[0], (0, 0)) for row in rows], dtype=np.int64).reshape(-1, 2)
    terms = [details[row[0]] for row in rows]
    return {
        "frequency": run.frequency,
        "tax_period": run.tax_period,
        "minutes_worked": figures[:, 0],
        "basic_pay": figures[:, 1],
        "overtime_pay": figures[:, 2],
        "weekend_pay": figures[:, 3],
        "taxable_pay_to_date_before": before[:, 0],
        "tax_to_date_before": before[:, 1],
        "tax_code": [t[0] for t in terms],
        "week1_month1": _flags([not t[1] for t in terms]),
        "ni_category": [t[2] for t in terms],
        "student_loan_plan": [t[3] for t in terms],
        "has_postgraduate_loan": _flags([t[4] for t in terms]),
        "pension_member": _flags([bool(t[5]) for t in terms]),
        "pension_relief": [t[5] for t in terms],
        "pension_employee_ppm": np.array([t[6] for t in terms], dtype=np.int64),
        "pension_employer_ppm": np.array([t[7] for t in terms], dtype=np.int64),
        "holiday_accrues": 1,
    }


def _flags(values: list[bool]) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
