"""What a run is calculated from: hours as charged, salaries of the period, items and recurring pay, tax
details on the pay date, figures to date, the account to be paid.

Read set by set for a range of people, in id order, as columns for the engine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.foundation.prepared import planned_anew
from engineroom.payroll.absences import hourly_leave, left_to_leavers, paid_of, unpaid_days
from engineroom.payroll.cut_off import closes
from engineroom.payroll.engine.salaries import Stretches, salaries
from engineroom.payroll.engine.schedules import PERIODS_IN_YEAR
from engineroom.payroll.jurisdictions import Asked, Details, Jurisdiction, jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.payroll.recurring import Instalment, as_paid, read_instalments
from engineroom.payroll.repaid import DebtsOfChunk, read_debts
from engineroom.payroll.sickness import ClaimsOfChunk, pays_the_period, read_claims
from engineroom.payroll.taxed_again import taxed_again
from engineroom.payroll.withheld import OrdersOfChunk, read_orders
from engineroom.people.selectors import terms_between

# Who is in the run: by hours that it took in, by items, by a payslip that it takes back, by a claim that it
# pays anew, or by being on its schedule in its period; of a final run by having left in it by the payday.
PEOPLE = """
SELECT p.id, p.payroll_number FROM people_person p
WHERE p.client_id = %(client)s AND p.id BETWEEN %(first)s AND %(last)s AND p.id IN (
  SELECT a.person_id FROM payroll_paidtimesheet pt
  JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
  JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
  WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s
  UNION
  SELECT i.person_id FROM payroll_paiditem pi
  JOIN payroll_payitem i ON i.client_id = pi.client_id AND i.id = pi.id
  WHERE pi.client_id = %(client)s AND pi.run_id = %(run)s
  UNION
  SELECT s.person_id FROM payroll_reversedpayslip v
  JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
  WHERE v.client_id = %(client)s AND v.run_id = %(run)s
  UNION
  SELECT t.person_id FROM payroll_reversedpayslip v
  JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
  JOIN payroll_claimpaid t ON t.client_id = s.client_id AND t.attempt_id = s.attempt_id
    AND t.person_id = s.person_id
  WHERE v.client_id = %(client)s AND v.run_id = %(reversal)s
  UNION
  SELECT t.person_id FROM payroll_reversedpayslip v
  JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
  JOIN payroll_recurringpaid t ON t.client_id = s.client_id AND t.attempt_id = s.attempt_id
    AND t.person_id = s.person_id
  WHERE v.client_id = %(client)s AND v.run_id = %(reversal)s
  UNION
  SELECT o.person_id FROM payroll_onschedule o
  JOIN people_employment m ON m.client_id = o.client_id AND m.person_id = o.person_id
    AND m.starts <= %(ends)s AND (m.ends IS NULL OR m.ends >= %(starts)s)
  WHERE o.client_id = %(client)s AND o.schedule_id = %(schedule)s AND o.starts <= %(ends)s
    AND (o.ends IS NULL OR o.ends >= %(starts)s)
    AND (%(regular)s OR (%(final)s AND m.ends BETWEEN %(starts)s AND LEAST(%(ends)s, %(day)s))))
ORDER BY p.id
"""

WORKED = """
SELECT a.person_id, c.kind, sum(c.minutes)::bigint, sum(c.pay_amount)::bigint
FROM payroll_paidtimesheet pt
JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s AND a.person_id BETWEEN %(first)s AND %(last)s
GROUP BY a.person_id, c.kind ORDER BY a.person_id
"""
HOURS = {"basic": "basic_pay", "overtime": "overtime_pay", "weekend": "weekend_pay"}
"""The element of each kind of hour."""
SALARY = "basic_pay"

ITEMS = """
SELECT i.person_id, i.element, sum(i.amount)::bigint
FROM payroll_paiditem pi JOIN payroll_payitem i ON i.client_id = pi.client_id AND i.id = pi.id
WHERE pi.client_id = %(client)s AND pi.run_id = %(run)s AND i.person_id BETWEEN %(first)s AND %(last)s
  AND (%(taxed_now)s OR i.original_id IS NULL)
GROUP BY i.person_id, i.element ORDER BY i.person_id, i.element
"""

# What a reversal takes back, and how its people were taxed.
TAKEN_BACK = """
SELECT s.person_id, s.tax_code, s.ni_category, a.elements, s.amounts FROM payroll_reversedpayslip v
JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
WHERE v.client_id = %(client)s AND v.run_id = %(run)s AND s.person_id BETWEEN %(first)s AND %(last)s
"""

ITEM_MINUTES = """
SELECT i.person_id, 'minutes_worked', sum(i.minutes)::bigint
FROM payroll_paiditem pi JOIN payroll_payitem i ON i.client_id = pi.client_id AND i.id = pi.id
WHERE pi.client_id = %(client)s AND pi.run_id = %(run)s AND i.person_id BETWEEN %(first)s AND %(last)s
  AND i.minutes <> 0
GROUP BY i.person_id ORDER BY i.person_id
"""

RECURRING = """
SELECT c.person_id, c.element, sum(c.amount)::bigint FROM payroll_recurringpay c
WHERE c.total IS NULL AND c.client_id = %(client)s AND c.person_id BETWEEN %(first)s AND %(last)s
  AND c.starts <= %(ends)s AND (c.ends IS NULL OR c.ends >= %(starts)s) AND c.withdrawn = ''
  AND (%(closes)s::date IS NULL OR (c.added_at AT TIME ZONE %(zone)s)::date <= %(closes)s)
GROUP BY c.person_id, c.element ORDER BY c.person_id, c.element
"""

ON_SCHEDULE = """
SELECT o.person_id, o.starts, o.ends FROM payroll_onschedule o
WHERE o.client_id = %(client)s AND o.schedule_id = %(schedule)s AND o.person_id BETWEEN %(first)s AND %(last)s
  AND o.starts <= %(ends)s AND (o.ends IS NULL OR o.ends >= %(starts)s)
ORDER BY o.person_id, o.starts
"""

# What this employer paid and deducted in the year before the run's period, summed by element; what was only
# stated (balances carried in, adjustments) counts whenever it was. A replacement stands where the payslip did
# that it replaces: what was paid for later periods comes after it.
PAID_BEFORE = """
SELECT s.person_id, {sums}
FROM payroll_payslip s
JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
WHERE s.client_id = %(client)s AND s.person_id BETWEEN %(first)s AND %(last)s
  AND r.tax_year = %(year)s AND CASE WHEN %(replaces)s
    THEN coalesce(r.due, r.pay_date) < %(law)s AND r.number < %(number)s
    ELSE (r.pay_date, r.number) < (%(day)s, %(number)s) END
  AND (r.kind = ANY (%(stated)s) OR (r.frequency, r.tax_period) <> (%(frequency)s, %(period)s))
GROUP BY s.person_id
"""

# Payslips of the same period that earlier runs gave.
PAID_IN_PERIOD = """
SELECT s.person_id, a.elements, s.amounts
FROM payroll_payrun r
JOIN payroll_attempt a ON a.client_id = r.client_id AND a.id = r.published_id
JOIN payroll_payslip s ON s.client_id = a.client_id AND s.attempt_id = a.id
WHERE r.client_id = %(client)s AND s.person_id BETWEEN %(first)s AND %(last)s
  AND r.tax_year = %(year)s AND (r.frequency, r.tax_period) = (%(frequency)s, %(period)s)
  AND (r.pay_date, r.number) < (%(day)s, %(number)s) AND NOT r.kind = ANY (%(stated)s)
"""

CARRIED_IN = """
SELECT c.person_id, c.element, sum(c.amount)::bigint FROM payroll_carriedin c
WHERE c.client_id = %(client)s AND c.person_id BETWEEN %(first)s AND %(last)s AND c.tax_year = %(year)s
GROUP BY c.person_id, c.element
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


NO_DETAILS = (
    "tax details",
    "there are no tax details on the pay date",
    "Import the person's tax details",
)
NO_ACCOUNT = (
    "bank account",
    "there is no bank account on the pay date",
    "Import sort code and account number",
)
NOTHING_TO_PAY = (
    "terms",
    "there is nothing to pay: no salary, recurring pay or item in the period",
    "Say the person's terms, add what is to be paid, or end their place on the schedule",
)

NO_PERIOD = (
    "back pay",
    "it is for a period of which there is no payslip to be taxed again",
    "Withdraw it, and pay it as an item of this period",
)

STATED = ("opening_balance", "adjustment")
"""Kinds of run whose items are figures to date: nothing is calculated, and nobody is paid."""

REVERSAL, REPLACEMENT = "reversal", "replacement"
"""Kinds of run that take payslips back, and that pay anew in their place (decision 010)."""

NOT_CALCULATED = (*STATED, REVERSAL)
"""Kinds of run whose figures come from somewhere else than the law's calculation."""


@dataclass
class ChunkInputs:
    """n people with everything the engine needs, and those who lack something. columns: the engine's
    inputs."""

    person_id: list[UUID]
    payroll_number: list[str]
    fingerprint: list[bytes | None]
    columns: dict[str, Any]
    missing: list[Missing]
    earlier: npt.NDArray[np.int64] | None = None
    """What earlier runs paid in the same period: it is among the columns, and comes off the results. Less
    `back`, which is added to them."""
    back: npt.NDArray[np.int64] | None = None
    """What back pay comes to where each period is taxed again, by the law's elements."""
    orders: OrdersOfChunk | None = None
    """Attachment orders against these people, rows of their own."""
    claims: ClaimsOfChunk | None = None
    """Statutory payments of these people, which are among the columns."""
    debts: DebtsOfChunk | None = None
    """What these people owe, which is among the columns."""
    instalments: list[Instalment] = field(default_factory=list)
    """Recurring pay up to a total, which is among the columns."""

    def texts(self, name: str) -> list[str]:
        """A column of texts, empty where the jurisdiction has no such input."""
        texts: list[str] = self.columns.get(name) or [""] * len(self.person_id)
        return texts

    def hash(self) -> bytes:
        """SHA-256 over the inputs, a column at a time, people by payroll number: the same on every
        machine."""
        order = sorted(range(len(self.payroll_number)), key=self.payroll_number.__getitem__)
        columns = self.columns | {"payroll_number": self.payroll_number, "payee": self.fingerprint}
        if self.earlier is not None:
            columns = columns | {f"earlier {i}": column for i, column in enumerate(self.earlier.T)}
        sha = hashlib.sha256()
        for name in sorted(columns):
            sha.update(f"{name}={_in_order(columns[name], order)}\n".encode())
        for missing in sorted(self.missing, key=lambda m: (m.payroll_number, m.field)):
            line = canonical.line("missing", missing.payroll_number, [("field", missing.field)])
            sha.update(line.encode())
        for of in (self.orders, self.debts):
            for line in of.lines() if of else ():
                sha.update(line.encode())
        return sha.digest()


def _in_order(values: Any, order: list[int]) -> str:
    """A column as text: numbers and texts one after the other, or the one value that all share."""
    if isinstance(values, np.ndarray):
        return ",".join(map(str, values[order].tolist()))
    if isinstance(values, list):
        return ",".join(canonical.values([values[i] for i in order]))
    return canonical.value(values)


Person = tuple[UUID, str]
"""Somebody in a run: id and payroll number."""


@planned_anew()
def read_inputs(
    run: PayRun, first: UUID, last: UUID, everybody: Sequence[Person] | None = None
) -> ChunkInputs:
    """Everything for the people of the run from `first` to `last` in id order. everybody: who they are, where
    they were read in this transaction."""
    law = jurisdiction(run.jurisdiction)
    bounds = _bounds(run, first, last)
    if run.kind in STATED:
        return _read_stated(bounds)
    if run.kind == REVERSAL:
        return _read_taken_back(bounds)
    year = law.year_of(run.law_date)
    details = law.read_details(
        Asked(run.client_id, first, last, run.law_date, year, pays_hours=run.schedule_id is None)
    )
    if everybody is None:
        everybody = [(row[0], row[1]) for row in _rows(PEOPLE, bounds)]
    missing = [Missing(number, *NO_DETAILS) for person, number in everybody if person not in details.of]
    rows = [row for row in everybody if row[0] in details.of]
    pay = _pay_of(run, [row[0] for row in rows], bounds)
    again = taxed_again(run, law, [row[0] for row in rows])
    pay.given.update(again.of)
    for person in again.lacking:
        pay.given.add(person)
        pay.refused.setdefault(person, []).append(NO_PERIOD)
    if run.kind != REPLACEMENT:  # which pays whoever there is something to pay anew
        missing += [Missing(number, *NOTHING_TO_PAY) for person, number in rows if pay.lacks(person)]
    missing += [Missing(number, *said) for person, number in rows for said in pay.refused.get(person, ())]
    left_out = {person for person, _ in rows if not pay.is_of(person) or person in pay.refused}
    if left_out:
        rows = [row for row in rows if row[0] not in left_out]
        pay = pay.only([row[0] for row in rows])
    accounts = {person: bytes(print_of) for person, print_of in _rows(ACCOUNTS, bounds)}
    missing += [Missing(number, *NO_ACCOUNT) for person, number in rows if person not in accounts]
    people = [row[0] for row in rows]
    earlier = _paid_in_period(law, people, bounds)
    if earlier is not None:
        pay.go_on_from(law, earlier)
    to_date = _to_date(law, people, details, bounds)
    back = again.amounts(law, people)
    if back is not None:
        again.go_on_from(law, to_date, back)
        earlier = -back if earlier is None else earlier - back
    debts = read_debts(law, rows, bounds)
    columns = (
        {"frequency": run.frequency, "tax_period": run.tax_period}
        | pay.columns
        | pay.figures
        | to_date
        | details.columns([details.of[person] for person in people])
        | (debts.columns if debts else {})
    )
    return ChunkInputs(
        person_id=people,
        payroll_number=[row[1] for row in rows],
        fingerprint=[accounts.get(person) for person in people],
        columns=columns,
        missing=missing,
        earlier=earlier,
        orders=read_orders(law, run, rows, bounds),
        claims=pay.claims,
        debts=debts,
        instalments=pay.instalments,
        back=back,
    )


def _read_stated(bounds: dict[str, Any]) -> ChunkInputs:
    """Figures to date, as the run's items state them."""
    rows = _rows(PEOPLE, bounds)
    pay = Pay([row[0] for row in rows])
    _add_by_element(pay, _rows(ITEMS, bounds))
    return ChunkInputs(
        person_id=[row[0] for row in rows],
        payroll_number=[row[1] for row in rows],
        fingerprint=[None] * len(rows),
        columns=dict(pay.columns),
        missing=[],
    )


def _read_taken_back(bounds: dict[str, Any]) -> ChunkInputs:
    """Every figure of the payslips that are taken back, with the other sign."""
    people = _rows(PEOPLE, bounds)
    slips = {row[0]: row[1:] for row in _rows(TAKEN_BACK, bounds)}
    pay = Pay([row[0] for row in people])
    for person, (_, _, elements, amounts) in slips.items():
        for element, amount in zip(elements, amounts, strict=True):
            if amount:
                pay.add(element, [person], [-amount])
    texts = {
        "tax_code": [slips[person][0] for person, _ in people],
        "ni_category": [slips[person][1] for person, _ in people],
    }
    return ChunkInputs(
        person_id=[row[0] for row in people],
        payroll_number=[row[1] for row in people],
        fingerprint=[None] * len(people),
        columns=pay.columns | texts,
        missing=[],
    )


def _bounds(run: PayRun, first: UUID, last: UUID) -> dict[str, Any]:
    return {
        "client": run.client_id,
        "run": run.id,
        "schedule": run.schedule_id,
        "regular": run.kind == "regular",
        "final": run.kind == "final",
        "first": first,
        "last": last,
        "starts": run.period_starts,
        "ends": run.period_ends,
        "day": run.pay_date,
        "payday": run.stands_for.pay_date,
        "reversal": run.corrects_id if run.kind == REPLACEMENT else None,
        "year": run.tax_year,
        "frequency": run.frequency,
        "period": run.tax_period,
        "number": run.number,
        "closes": closes(run),
        "zone": jurisdiction(run.jurisdiction).zone,
        "stated": list(STATED),
        "replaces": run.kind == REPLACEMENT,
        "taxed_now": run.kind == REPLACEMENT
        or jurisdiction(run.jurisdiction).back_pay == "period of payment",
        "law": run.law_date,
    }


def _rows(sql: str, bounds: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, bounds)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


EVERYBODY = {"first": UUID(int=0), "last": UUID(int=2**128 - 1)}


def everybody_in(run: PayRun) -> list[Person]:
    """Everybody in the run, in id order."""
    rows = _rows(PEOPLE, _bounds(run, EVERYBODY["first"], EVERYBODY["last"]))
    return [(row[0], row[1]) for row in rows]


def people_in(run: PayRun) -> list[UUID]:
    """Their ids."""
    return [person for person, _ in everybody_in(run)]


class Pay:
    """Amounts by element, a column each, a row for each person. refused: whose terms cannot be paid. settled:
    who needs to get nothing, having been paid by another run of the period. figures: what pay was worked out
    from, by the law's names."""

    def __init__(self, people: list[UUID]) -> None:
        self.row = {person: i for i, person in enumerate(people)}
        self.columns: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        self.given: set[UUID] = set()
        self.refused: dict[UUID, list[tuple[str, str, str]]] = {}
        self.settled: set[UUID] = set()
        self.hourly: set[UUID] = set()
        self.claims: ClaimsOfChunk | None = None
        self.instalments: list[Instalment] = []

    def add(self, column: str, people: list[UUID], amounts: list[int]) -> None:
        """To whom of the people is here."""
        picked = [(self.row[person], i) for i, person in enumerate(people) if person in self.row]
        into = self.columns.setdefault(column, np.zeros(len(self.row), dtype=np.int64))
        if picked:
            at, of = np.array(picked, dtype=np.int64).T
            np.add.at(into, at, np.array(amounts, dtype=np.int64)[of])
        self.given.update(people)

    def is_of(self, person: UUID) -> bool:
        return person in self.given

    def who_gets(self) -> dict[str, set[UUID]]:
        """By element, who is paid any of it so far."""
        people = list(self.row)
        return {
            name: {people[row] for row in np.flatnonzero(column).tolist()}
            for name, column in self.columns.items()
        }

    def lacks(self, person: UUID) -> bool:
        """Whether there is nothing to pay to somebody who ought to be paid."""
        return person not in self.given and person not in self.settled

    def only(self, people: list[UUID]) -> Pay:
        """The same of some of the people."""
        kept = Pay(people)
        rows = np.array([self.row[person] for person in people], dtype=np.int64)
        kept.columns = {name: column[rows] for name, column in self.columns.items()}
        kept.figures = {name: column[rows] for name, column in self.figures.items()}
        kept.given, kept.refused, kept.claims = self.given, self.refused, self.claims
        kept.instalments = self.instalments
        return kept

    def go_on_from(self, law: Jurisdiction, earlier: npt.NDArray[np.int64]) -> None:
        """With what was paid earlier in the period: the law takes all that as one payment."""
        for i, element in enumerate(law.elements):
            if element.code in law.paid_as and earlier[:, i].any():
                column = self.columns.get(element.code)
                self.columns[element.code] = earlier[:, i] + (0 if column is None else column)


def _pay_of(run: PayRun, people: list[UUID], bounds: dict[str, Any]) -> Pay:
    """Everything that the run pays to these people, element by element, whatever it comes from."""
    pay = Pay(people)
    if run.schedule_id is None:
        _add_hours(pay, bounds)
    elif run.kind in FINAL:
        _add_agreed(pay, run, bounds)
    if run.schedule_id is not None and run.stands_for.kind == "regular":
        _add_instalments(pay, bounds)
    _add_by_element(pay, _rows(ITEMS, bounds))
    by_hand = pay.who_gets()
    _add_claims(pay, run, bounds, by_hand)
    if run.kind in FINAL and run.schedule_id is not None:
        _add_in_lieu(pay, run, bounds)
    _add_hourly_leave(pay, run, bounds, by_hand)
    _add_by_element(pay, _rows(ITEM_MINUTES, bounds))
    return pay


def _add_instalments(pay: Pay, bounds: dict[str, Any]) -> None:
    """Recurring pay up to a total: of a run that is looked at again, what it paid."""
    if bounds.get("known_now"):
        _add_by_element(pay, [row for row in as_paid(bounds) if row[0] in pay.row])
        return
    pay.instalments = [one for one in read_instalments(bounds) if one.person_id in pay.row]
    _add_by_element(pay, [(one.person_id, one.element, one.amount) for one in pay.instalments])


FINAL = ("regular", "final")
"""Kinds of run that may be somebody's last: the first of them in a period pays leave that is left."""

PAID_FINALLY = """
SELECT s.person_id FROM payroll_payrun r
JOIN payroll_payslip s ON s.client_id = r.client_id AND s.attempt_id = r.published_id
WHERE r.client_id = %(client)s AND r.schedule_id = %(schedule)s AND r.kind = ANY(%(final)s)
  AND r.period_starts = %(starts)s AND r.id <> %(run)s AND (r.pay_date, r.number) < (%(day)s, %(number)s)
  AND s.person_id = ANY(%(people)s)
"""


# Of the people, who leaves in the period and has no payslip of its regular run: a final run pays them what is
# agreed for it, up to their last day.
LEAVING = """
SELECT m.person_id FROM people_employment m
WHERE m.client_id = %(client)s AND m.person_id = ANY(%(people)s) AND m.ends BETWEEN %(starts)s AND %(ends)s
  AND NOT EXISTS (SELECT FROM people_employment l WHERE l.client_id = m.client_id
    AND l.person_id = m.person_id AND l.starts > m.ends AND l.starts <= %(ends)s)
  AND NOT EXISTS (SELECT FROM payroll_payrun r
    JOIN payroll_payslip s ON s.client_id = r.client_id AND s.attempt_id = r.published_id
    WHERE r.client_id = m.client_id AND r.schedule_id = %(schedule)s AND r.kind = 'regular'
      AND r.period_starts = %(starts)s AND (r.pay_date, r.number) < (%(day)s, %(number)s)
      AND s.person_id = m.person_id)
"""

# What earlier final runs paid of the period beside items: of leavers the regular run pays the rest of it.
PAID_BY_FINAL = """
SELECT s.person_id, e.element, sum(s.amounts[array_position(a.elements, e.element)] - coalesce((
    SELECT sum(i.amount) FROM payroll_paiditem pi
    JOIN payroll_payitem i ON i.client_id = pi.client_id AND i.id = pi.id
    WHERE pi.client_id = r.client_id AND pi.run_id = r.id AND i.person_id = s.person_id
      AND i.element = e.element), 0))::bigint
FROM payroll_payrun r
JOIN payroll_attempt a ON a.client_id = r.client_id AND a.id = r.published_id
JOIN payroll_payslip s ON s.client_id = a.client_id AND s.attempt_id = a.id
CROSS JOIN unnest(%(elements)s::text[]) AS e (element)
WHERE r.client_id = %(client)s AND r.schedule_id = %(schedule)s AND r.kind = 'final'
  AND r.period_starts = %(starts)s AND r.id <> %(run)s AND (r.pay_date, r.number) < (%(day)s, %(number)s)
  AND s.person_id = ANY(%(people)s) AND e.element = ANY(a.elements)
GROUP BY s.person_id, e.element
HAVING sum(s.amounts[array_position(a.elements, e.element)]) <> 0
"""


def _add_agreed(pay: Pay, run: PayRun, bounds: dict[str, Any]) -> None:
    """Salaries and recurring pay of the period, less what earlier final runs paid of them. Whom a regular run
    leaves nothing of it, or has paid before a final one, is settled: there is no payslip for that alone."""
    recurring = _rows(RECURRING, bounds)
    if run.kind == "final":
        leaving = {row[0] for row in _rows(LEAVING, {**bounds, "people": list(pay.row)})}
        agreed = Pay(sorted(leaving))
        agreed.refused = pay.refused
        _add_salaries(agreed, run, bounds)
        _add_by_element(agreed, [row for row in recurring if row[0] in leaving])
        for element, amounts in agreed.columns.items():
            people = [person for person in agreed.row if person in agreed.given]
            pay.add(element, people, [int(amounts[agreed.row[person]]) for person in people])
        pay.hourly |= agreed.hourly
        pay.settled.update(pay.row.keys() - leaving)
    else:
        _add_salaries(pay, run, bounds)
        _add_by_element(pay, recurring)
    asked = {**bounds, "people": list(pay.row), "elements": list(pay.columns)}
    for person, element, amount in _rows(PAID_BY_FINAL, asked) if pay.columns else ():
        pay.add(element, [person], [-amount])
        if not any(column[pay.row[person]] for column in pay.columns.values()):
            pay.settled.add(person)
            pay.given.discard(person)


def _add_in_lieu(pay: Pay, run: PayRun, bounds: dict[str, Any]) -> None:
    """Leave that whoever leaves in the period has left."""
    law = jurisdiction(run.jurisdiction)
    rows = left_to_leavers(law, bounds["first"], bounds["last"], run.period_starts, run.period_ends)
    rows = [row for row in rows if row[0] in pay.row]
    if rows:
        asked = {**bounds, "final": list(FINAL), "people": [row[0] for row in rows]}
        before = {row[0] for row in _rows(PAID_FINALLY, asked)}
        _add_by_element(pay, [row for row in rows if row[0] not in before])


def _add_hourly_leave(
    pay: Pay, run: PayRun, bounds: dict[str, Any], by_hand: Mapping[str, set[UUID]]
) -> None:
    """Leave of who is paid by the hour: taken in a regular run's period; left, once, by their last run."""
    law = jurisdiction(run.jurisdiction)
    is_last = run.kind in FINAL and run.schedule_id is not None
    if law.leave_pay is None or not (is_last or pays_the_period(run)):
        return
    if run.schedule_id is not None and not pay.hourly:
        return
    asked = {**bounds, "final": list(FINAL), "people": list(pay.row)}
    before = {row[0] for row in _rows(PAID_FINALLY, asked)} if is_last else set()
    found = hourly_leave(law, bounds, by_hand, taken=pays_the_period(run), left=is_last, leave_out=before)
    _add_by_element(pay, [row for row in found.amounts if row[0] in pay.row])
    for name, of in found.columns.items():
        pay.figures[name] = np.array([of.get(person, 0) for person in pay.row], dtype=np.int64)
    for person, said in found.refused.items():
        if person in pay.row:
            pay.given.add(person)
            pay.refused.setdefault(person, []).append(said)


def _add_claims(pay: Pay, run: PayRun, bounds: dict[str, Any], by_hand: Mapping[str, set[UUID]]) -> None:
    """Statutory payments for what was recorded; who waits for one is refused by name."""
    pay.claims = read_claims(run, bounds, by_hand)
    _add_by_element(pay, [row for row in pay.claims.amounts if row[0] in pay.row])
    for person, said in pay.claims.refused.items():
        pay.refused.setdefault(person, []).extend(said)


@planned_anew()
def pay_as_known_now(run: PayRun) -> tuple[list[tuple[UUID, str]], Pay]:
    """What a run would pay if it were put together today, with every item that it took in; and who is in it,
    by id and payroll number."""
    bounds = _bounds(run, EVERYBODY["first"], EVERYBODY["last"]) | {
        "taxed_now": True,
        "known_now": True,
    }
    rows = _rows(PEOPLE, bounds)
    return [(row[0], row[1]) for row in rows], _pay_of(run, [row[0] for row in rows], bounds)


def hours_as_charged(run: PayRun) -> dict[tuple[UUID, str], int]:
    """Pay of the hours that a run took in, by person and element."""
    rows = _rows(WORKED, _bounds(run, EVERYBODY["first"], EVERYBODY["last"]))
    return {(person, HOURS[kind]): amount for person, kind, _, amount in rows}


def _add_hours(pay: Pay, bounds: dict[str, Any]) -> None:
    """What the hours were charged at, by kind of hour."""
    by_kind: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in HOURS}
    for row in _rows(WORKED, bounds):
        by_kind[row[1]].append(row)
    for kind, rows in by_kind.items():
        people = [row[0] for row in rows]
        pay.add(HOURS[kind], people, [row[3] for row in rows])
        pay.add("minutes_worked", people, [row[2] for row in rows])


def _add_by_element(pay: Pay, rows: list[tuple[Any, ...]]) -> None:
    by_element: dict[str, tuple[list[UUID], list[int]]] = defaultdict(lambda: ([], []))
    for person, element, amount in rows:
        by_element[element][0].append(person)
        by_element[element][1].append(amount)
    for element, (people, amounts) in by_element.items():
        pay.add(element, people, amounts)


def _add_salaries(pay: Pay, run: PayRun, bounds: dict[str, Any]) -> None:
    """The part of each salary that its days in the period and on the schedule are."""
    days: dict[UUID, list[tuple[date, date]]] = defaultdict(list)
    for person, starts, ends in _rows(ON_SCHEDULE, bounds):
        days[person].append((max(starts, run.period_starts), min(ends or run.period_ends, run.period_ends)))
    people: list[UUID] = []
    rows: list[tuple[int, int, date, date, int, int]] = []
    for t in terms_between(bounds["first"], bounds["last"], run.period_starts, run.period_ends):
        if t.basis == "hourly" and t.person_id in pay.row:
            pay.hourly.add(t.person_id)
        if t.basis != "salary" or t.person_id not in pay.row:
            continue
        for first, last in days[t.person_id]:
            starts, ends = max(t.starts, first), min(t.ends or last, last)
            if starts <= ends:
                people.append(t.person_id)
                rows.append(
                    (pay.row[t.person_id], t.amount, starts, ends, t.working_days, t.minutes_per_week)
                )
    if not rows or run.schedule is None:
        return
    person, annual, firsts, lasts, weekdays, minutes = zip(*rows, strict=True)
    done = salaries(
        Stretches(
            np.array(person, dtype=np.int64),
            np.array(annual, dtype=np.int64),
            np.array(firsts, dtype="datetime64[D]"),
            np.array(lasts, dtype="datetime64[D]"),
            np.array(weekdays, dtype=np.int64),
            np.array(minutes, dtype=np.int64),
        ),
        run.period_starts,
        run.period_ends,
        run.schedule.proration,
        PERIODS_IN_YEAR[run.frequency],
    )
    for problem in done.problems:
        said = ("terms", problem.problem, problem.remedy)
        pay.refused.setdefault(people[problem.row], []).append(said)
    lost = unpaid_days(bounds["first"], bounds["last"], run.period_starts, run.period_ends)
    pay.add(
        SALARY,
        people,
        [
            paid_of(amount, (row[2], row[3]), row[4], row[5], lost[of], run.schedule.proration)
            if of in lost
            else amount
            for of, row, amount in zip(people, rows, done.pay.tolist(), strict=True)
        ],
    )


def _paid_in_period(
    law: Jurisdiction, people: list[UUID], bounds: dict[str, Any]
) -> npt.NDArray[np.int64] | None:
    """What earlier runs paid in the same period, by the law's elements, shape (people, elements); or None."""
    rows = _rows(PAID_IN_PERIOD, bounds)
    if not rows:
        return None
    place = {person: i for i, person in enumerate(people)}
    column = {element.code: i for i, element in enumerate(law.elements)}
    earlier = np.zeros((len(people), len(column)), dtype=np.int64)
    for person, elements, amounts in rows:
        if person in place:
            for code, amount in zip(elements, amounts, strict=True):
                if amount and code in column:
                    earlier[place[person], column[code]] += amount
    return earlier if earlier.any() else None


def _to_date(
    law: Jurisdiction, people: list[UUID], details: Details, bounds: dict[str, Any]
) -> dict[str, Any]:
    """What the law goes on from: the year before this run's period, of earlier employment, as carried in, and
    of our own payslips.
    """
    elements = list(law.to_date.values())
    names = {f"element_{i}": element for i, element in enumerate(elements)}
    sums = ", ".join(
        f"coalesce(sum(s.amounts[array_position(a.elements, %({name})s)]), 0)::bigint" for name in names
    )
    paid = {row[0]: row[1:] for row in _rows(PAID_BEFORE.format(sums=sums), bounds | names)}
    nothing = (0,) * len(elements)
    columns = np.array([paid.get(person, nothing) for person in people], dtype=np.int64)
    columns = columns.reshape(-1, len(elements))
    place = {person: i for i, person in enumerate(people)}
    carried = [(p, e, amount) for p, e, amount in _rows(CARRIED_IN, bounds) if p in place and e in elements]
    said = [(p, e, amount) for p, of in details.before.items() for e, amount in of.items() if p in place]
    for person, element, amount in (*carried, *said):
        columns[place[person], elements.index(element)] += amount
    return {name: columns[:, i] for i, name in enumerate(law.to_date)}
