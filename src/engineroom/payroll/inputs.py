"""What a run is calculated from: hours as charged, tax details on the pay date, figures to date, the account
to be paid.

Read set by set for a range of people, in id order, as columns for the engine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.foundation.prepared import planned_anew
from engineroom.payroll.jurisdictions import Asked, Details, Jurisdiction, jurisdiction
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

# What this employer paid and deducted in the year before the run, summed by element.
PAID_BEFORE = """
SELECT s.person_id, {sums}
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
    fingerprint: list[bytes | None]
    columns: dict[str, Any]
    missing: list[Missing]

    def texts(self, name: str) -> list[str]:
        """A column of texts, empty where the jurisdiction has no such input."""
        texts: list[str] = self.columns.get(name) or [""] * len(self.person_id)
        return texts

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
    law = jurisdiction(run.jurisdiction)
    bounds = {
        "client": run.client_id,
        "run": run.id,
        "first": first,
        "last": last,
        "day": run.pay_date,
        "year": run.tax_year,
        "number": run.number,
    }
    worked = _rows(WORKED, bounds)
    details = law.read_details(Asked(run.client_id, first, last, run.pay_date, law.year_of(run.pay_date)))
    missing = [
        Missing(
            row[1],
            "tax details",
            "there are no tax details on the pay date",
            "Import the person's tax details",
        )
        for row in worked
        if row[0] not in details.of
    ]
    rows = [row for row in worked if row[0] in details.of]
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
    people = [row[0] for row in rows]
    columns = (
        {"frequency": run.frequency, "tax_period": run.tax_period}
        | _pay(rows)
        | _to_date(law, people, details, bounds)
        | details.columns([details.of[person] for person in people])
    )
    return ChunkInputs(
        person_id=people,
        payroll_number=[row[1] for row in rows],
        fingerprint=[accounts.get(person) for person in people],
        columns=columns,
        missing=missing,
    )


def _rows(sql: str, bounds: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, bounds)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _pay(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """What the hours were charged at, by kind of hour."""
    figures = np.array([row[2:6] for row in rows], dtype=np.int64).reshape(-1, 4)
    return {
        "minutes_worked": figures[:, 0],
        "basic_pay": figures[:, 1],
        "overtime_pay": figures[:, 2],
        "weekend_pay": figures[:, 3],
    }


def _to_date(
    law: Jurisdiction, people: list[UUID], details: Details, bounds: dict[str, Any]
) -> dict[str, Any]:
    """What the law goes on from: the year before this run, of earlier employment and of our own payslips."""
    elements = list(law.to_date.values())
    names = {f"element_{i}": element for i, element in enumerate(elements)}
    sums = ", ".join(f"sum(s.amounts[array_position(a.elements, %({name})s)])::bigint" for name in names)
    paid = {row[0]: row[1:] for row in _rows(PAID_BEFORE.format(sums=sums), bounds | names)}
    nothing = (0,) * len(elements)
    columns = np.array([paid.get(person, nothing) for person in people], dtype=np.int64)
    columns = columns.reshape(-1, len(elements))
    for row, person in enumerate(people):
        for element, amount in details.before.get(person, {}).items():
            columns[row, elements.index(element)] += amount
    return {name: columns[:, i] for i, name in enumerate(law.to_date)}
