"""Back pay under a law that taxes each original period again (`Jurisdiction.back_pay`).

Every period is calculated twice: with the back pay that was paid before this run, and with this run's
besides. What the second comes to beyond the first, deductions and all, is what this run pays of it. Periods
go on from each other within a year, so back pay for March may change April's tax.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.payroll.jurisdictions import Jurisdiction
from engineroom.payroll.models import AttemptChunk, PayRun
from engineroom.payroll.traces import as_given, read_trace, under

Amounts = npt.NDArray[np.int64]

# Back pay that this run has taken in, and what earlier runs had paid of the same people.
ITEMS = """
SELECT i.person_id, i.original_id, i.element, i.amount, t.run_id = %(run)s
FROM payroll_paiditem t
JOIN payroll_payitem i ON i.client_id = t.client_id AND i.id = t.id AND i.original_id IS NOT NULL
JOIN payroll_payrun r ON r.client_id = t.client_id AND r.id = t.run_id AND r.kind <> 'replacement'
WHERE t.client_id = %(client)s AND i.person_id = ANY(%(people)s)
  AND (t.run_id = %(run)s OR r.published_id IS NOT NULL AND (r.pay_date, r.number) < (%(day)s, %(number)s))
"""

# The payslips of regular runs before this one, in the order in which they were paid.
PERIODS = """
SELECT s.person_id, r.id, r.published_id, s.chunk, p.payroll_number, r.tax_year, coalesce(r.due, r.pay_date),
  a.elements, s.amounts
FROM payroll_payrun r
JOIN payroll_attempt a ON a.client_id = r.client_id AND a.id = r.published_id
JOIN payroll_payslip s ON s.client_id = a.client_id AND s.attempt_id = a.id
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
WHERE r.client_id = %(client)s AND r.kind = 'regular' AND r.jurisdiction = %(law)s
  AND s.person_id = ANY(%(people)s) AND (r.pay_date, r.number) < (%(day)s, %(number)s)
ORDER BY r.pay_date, r.number
"""


@dataclass(frozen=True)
class Again:
    """What a run pays of back pay, by person and by element of the law; of nobody where it is taxed now.

    lacking: whose back pay is for a period that they have no payslip of.
    """

    of: Mapping[UUID, Amounts] = field(default_factory=dict)
    lacking: frozenset[UUID] = frozenset()

    def amounts(self, law: Jurisdiction, people: Sequence[UUID]) -> Amounts | None:
        """Shape (people, elements); None where nobody has any."""
        if not any(person in self.of for person in people):
            return None
        nothing = np.zeros(len(law.elements), dtype=np.int64)
        return np.stack([self.of.get(person, nothing) for person in people])

    def go_on_from(self, law: Jurisdiction, to_date: dict[str, Any], back: Amounts) -> None:
        """The run's own pay goes on from the periods as they are taxed now."""
        place = {element.code: i for i, element in enumerate(law.elements)}
        for name, element in law.to_date.items():
            to_date[name] = to_date[name] + back[:, place[element]]


@dataclass(frozen=True)
class _Period:
    """A payslip of a period: its inputs as they were kept, and what it came to by the law's elements."""

    run_id: UUID
    year: str
    law_date: date
    inputs: Mapping[str, Any]
    earlier: Amounts
    back: Amounts
    slip: Amounts


def taxed_again(run: PayRun, law: Jurisdiction, people: Sequence[UUID]) -> Again:
    """What the back pay that a run has taken in comes to, period by period, under their own law."""
    if law.back_pay != "original period" or run.kind == "replacement" or not people:
        return Again()
    before, now = _items(run, people)
    if not now:
        return Again()
    periods = _periods(run, law, sorted(now))
    there = {person: {period.run_id for period in of} for person, of in periods.items()}
    lacking = {
        person
        for person, new in now.items()
        if any(original not in there.get(person, ()) for original, _, _ in new)
    }
    return Again(
        {
            person: _chained(law, periods[person], before[person] + new)
            - _chained(law, periods[person], before[person])
            for person, new in now.items()
            if person not in lacking
        },
        frozenset(lacking),
    )


Items = list[tuple[UUID, str, int]]
"""Original run, element, amount."""


def _items(run: PayRun, people: Sequence[UUID]) -> tuple[dict[UUID, Items], dict[UUID, Items]]:
    """What was paid before, and what this run pays."""
    before: dict[UUID, Items] = defaultdict(list)
    now: dict[UUID, Items] = defaultdict(list)
    for person, original, element, amount, is_new in _rows(ITEMS, run, people):
        (now if is_new else before)[person].append((original, element, amount))
    return before, now


def _rows(sql: str, run: PayRun, people: Sequence[UUID]) -> list[tuple[Any, ...]]:
    values: dict[str, Any] = {
        "client": run.client_id, "run": run.id, "people": list(people), "day": run.pay_date,
        "number": run.number, "law": run.jurisdiction,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _periods(run: PayRun, law: Jurisdiction, people: Sequence[UUID]) -> dict[UUID, list[_Period]]:
    traces: dict[tuple[UUID, int], dict[str, Any]] = {}
    found: dict[UUID, list[_Period]] = defaultdict(list)
    for person, run_id, attempt, chunk, number, year, day, elements, amounts in _rows(PERIODS, run, people):
        if (attempt, chunk) not in traces:
            kept = AttemptChunk.objects.get(client_id=run.client_id, attempt_id=attempt, chunk=chunk)
            traces[attempt, chunk] = read_trace(kept)
        trace = traces[attempt, chunk]
        row = trace["payroll_number"].tolist().index(number)
        nothing = np.zeros((row + 1, len(law.elements)), dtype=np.int64)
        paid = dict(zip(elements, amounts, strict=True))
        back = trace.get("back", nothing)[row]
        found[person].append(
            _Period(
                run_id,
                year,
                day,
                {name: as_given(values, slice(row, row + 1)) for name, values in under("in.", trace).items()},
                trace.get("earlier", nothing)[row] + back,
                back,
                np.array([paid.get(element.code, 0) for element in law.elements], dtype=np.int64),
            )
        )
    return found


def _chained(law: Jurisdiction, periods: Sequence[_Period], items: Items) -> Amounts:
    """All periods with this back pay, each going on from those before it in its year: the sum by element."""
    place = {element.code: i for i, element in enumerate(law.elements)}
    stands = [place[code] for code in law.stands]
    total = np.zeros(len(law.elements), dtype=np.int64)
    moved, year = total.copy(), ""
    for period in periods:
        if period.year != year:
            moved, year = np.zeros_like(total), period.year
        inputs = dict(period.inputs)
        for name, element in law.to_date.items():
            inputs[name] = inputs[name] + (moved - period.back)[place[element]]
        for original, element, amount in items:
            if original == period.run_id:
                inputs[element] = inputs.get(element, np.zeros(1, dtype=np.int64)) + amount
        done = law.calculate(inputs, law.resolve_tables(period.law_date))
        came_to = period.slip - period.back
        if len(done.rows):
            came_to = np.array([done.columns[code][0] for code in place], dtype=np.int64) - period.earlier
            came_to[stands] = 0
        total += came_to
        moved = moved + came_to - period.slip
    return total
