"""Questions of somebody about their own hours and payslips, as their face and their programs show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.db import connection

from engineroom.payroll import papers
from engineroom.people.models import Person


@dataclass(frozen=True)
class Worked:
    """Hours of one kind, at one customer, in one week, and what they pay. Minor units."""

    week_ending: date
    customer: str
    role: str
    kind: str
    minutes: int
    rate: int
    amount: int
    run: int | None
    paid_on: date | None


@dataclass
class Week:
    """A week of mine, with what each part of it became."""

    week_ending: date
    lines: list[Worked] = field(default_factory=list)

    @property
    def minutes(self) -> int:
        return sum(line.minutes for line in self.lines)

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def paid_on(self) -> date | None:
        days = [line.paid_on for line in self.lines]
        return max((d for d in days if d), default=None) if all(days) else None


# A run that is not released says nothing to its people yet.
MY_HOURS = """
SELECT t.week_ending, k.name, a.role, c.kind, sum(c.minutes)::bigint, c.pay_rate, sum(c.pay_amount)::bigint,
  max(r.number) FILTER (WHERE x.id IS NOT NULL), max(r.pay_date) FILTER (WHERE x.id IS NOT NULL)
FROM timesheets_assignment a
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
LEFT JOIN payroll_paidtimesheet p ON p.client_id = t.client_id AND p.id = t.id
LEFT JOIN payroll_payrun r ON r.client_id = p.client_id AND r.id = p.run_id
LEFT JOIN foundation_release x
  ON x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id
WHERE a.client_id = %s AND a.person_id = %s
GROUP BY t.week_ending, k.name, a.role, c.kind, c.pay_rate
ORDER BY t.week_ending DESC, k.name, a.role,
  array_position(ARRAY['basic', 'overtime', 'weekend'], c.kind::text), c.pay_rate
"""


def my_weeks(person: Person) -> list[Week]:
    """Every week with hours, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(MY_HOURS, [person.client_id, person.counterparty_id])
        lines = [Worked(*row) for row in cursor.fetchall()]
    return [Week(ending, list(part)) for ending, part in groupby(lines, key=attrgetter("week_ending"))]


@dataclass(frozen=True)
class MySlip:
    """One payslip of a released run. figures: minor units or minutes, by element."""

    id: UUID
    run: int
    pay_date: date
    period_starts: date
    period_ends: date
    tax_code: str
    ni_category: str
    jurisdiction: str
    figures: dict[str, int]
    has_pdf: bool

    @property
    def deductions(self) -> int:
        return self.figures["gross"] - self.figures["net_pay"]


# Before its run is released a payslip is a calculation and nobody's pay.
MY_SLIPS = """
SELECT s.id, r.number, r.pay_date, r.period_starts, r.period_ends, s.tax_code, s.ni_category, r.jurisdiction,
  k.elements, s.amounts, EXISTS (SELECT FROM foundation_vaultfile f
    WHERE f.client_id = s.client_id AND f.subject_id = s.id AND f.kind = %(pdf)s)
FROM payroll_payslip s
JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
JOIN foundation_release x ON x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id
WHERE s.client_id = %(client)s AND s.person_id = %(person)s AND (%(slip)s::uuid IS NULL OR s.id = %(slip)s)
ORDER BY r.pay_date DESC, r.number DESC
"""


def my_slips(person: Person, slip_id: UUID | None = None) -> list[MySlip]:
    """Payslips of released runs, newest first; or the one with that id, if it is the person's."""
    with connection.cursor() as cursor:
        cursor.execute(
            MY_SLIPS,
            {
                "client": person.client_id,
                "person": person.counterparty_id,
                "slip": slip_id,
                "pdf": papers.KIND,
            },
        )
        return [
            MySlip(*row[:8], figures=dict(zip(row[8], row[9], strict=True)), has_pdf=row[10])  # type: ignore[misc]
            for row in cursor.fetchall()
        ]
