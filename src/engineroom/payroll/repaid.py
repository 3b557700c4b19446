"""Debts in a run: what is due of each, how much of it net pay allows, and what was taken, beside the payslip
(decision 009)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.payroll.engine.steps import Calculation
from engineroom.payroll.jurisdictions import Jurisdiction
from engineroom.payroll.models import AttemptChunk, DebtTaken

DUE, LEAVES, REPAID = "debts_due", "protected_net", "debts_repaid"
"""Inputs of a law that knows debts, and the element that they become."""

# Of each debt the row in force on the day of payment, or that an earlier run of the period took from, which
# this run goes on from. Left is what no payslip of another period took, whenever it was paid: a replacement
# takes no more than that.
STANDING = """
WITH moved AS (
  SELECT coalesce(c.first_id, c.id) AS began, t.debt_id, t.amount,
    (r.tax_year, r.frequency, r.tax_period) = (%(year)s, %(frequency)s, %(period)s) AS of_period
  FROM payroll_debttaken t
  JOIN payroll_debt c ON c.client_id = t.client_id AND c.id = t.debt_id
  JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
  WHERE t.client_id = %(client)s AND t.person_id BETWEEN %(first)s AND %(last)s
    AND (r.pay_date, r.number) < (%(day)s, %(number)s)),
standing AS (
  SELECT DISTINCT ON (coalesce(d.first_id, d.id)) d.*, coalesce(d.first_id, d.id) AS began
  FROM payroll_debt d
  WHERE d.client_id = %(client)s AND d.person_id BETWEEN %(first)s AND %(last)s AND d.starts <= %(payday)s
    AND (d.ends IS NULL OR d.ends >= %(payday)s
      OR (SELECT sum(m.amount) FROM moved m WHERE m.debt_id = d.id AND m.of_period) <> 0)
  ORDER BY coalesce(d.first_id, d.id), d.starts DESC)
SELECT s.id, s.person_id, s.reference, s.kind, s.instalment, s.leaves,
  (s.amount - coalesce(sum(m.amount) FILTER (WHERE NOT m.of_period), 0))::bigint,
  coalesce(sum(m.amount) FILTER (WHERE m.of_period), 0)::bigint
FROM standing s LEFT JOIN moved m ON m.began = s.began
GROUP BY s.id, s.person_id, s.reference, s.kind, s.instalment, s.leaves, s.amount, s.starts
ORDER BY s.person_id, s.starts, s.reference, s.id
"""


@dataclass(frozen=True)
class _Owed:
    """A debt against somebody in a chunk. row: theirs; left: before this period; earlier: taken in it by runs
    before this one."""

    debt_id: UUID
    person_id: UUID
    row: int
    payroll_number: str
    reference: str
    kind: str
    instalment: int
    leaves: int
    left: int
    earlier: int

    @property
    def due(self) -> int:
        """Of the whole period. An instalment that was not taken is not added to the next: that was agreed."""
        return max(min(self.left, self.instalment), 0)


@dataclass(frozen=True)
class DebtsOfChunk:
    """What the people of a chunk owe, in the order in which it is taken. n: how many people."""

    rows: tuple[_Owed, ...]
    n: int

    @property
    def columns(self) -> dict[str, npt.NDArray[np.int64]]:
        """The law's inputs: what is due in all, and the most that any of somebody's debts leaves them."""
        due, leaves = (np.zeros(self.n, dtype=np.int64) for _ in range(2))
        for one in self.rows:
            due[one.row] += one.due
            leaves[one.row] = max(leaves[one.row], one.leaves)
        return {DUE: due, LEAVES: leaves}

    def lines(self) -> list[str]:
        """For the hash of the inputs: every debt, by natural key."""
        return sorted(
            canonical.line(
                "debt",
                f"{one.payroll_number} {one.kind} {one.reference}",
                [("due", one.due), ("leaves", one.leaves), ("left", one.left), ("earlier", one.earlier)],
            )
            for one in self.rows
        )

    def taken(self, repaid: Mapping[int, int]) -> list[tuple[_Owed, int]]:
        """What each took of the whole period's repayment, by row, beyond the runs before: in their order."""
        room = dict(repaid)
        found = []
        for one in self.rows:
            if one.row in room:
                take = min(one.due, room[one.row])
                room[one.row] -= take
                if take - one.earlier:
                    found.append((one, take - one.earlier))
        return found


def read_debts(
    law: Jurisdiction, people: Sequence[tuple[UUID, str]], bounds: Mapping[str, Any]
) -> DebtsOfChunk | None:
    """What these people (id and payroll number, in the order of their payslips) owe; None: nothing."""
    if not any(element.code == REPAID for element in law.elements):
        return None
    place = {person: i for i, (person, _) in enumerate(people)}
    rows = tuple(
        _Owed(debt_id, person, place[person], people[place[person]][1], *more)
        for debt_id, person, *more in _rows(STANDING, bounds)
        if person in place
    )
    rows = tuple(one for one in rows if one.due or one.earlier)
    return DebtsOfChunk(rows, len(people)) if rows else None


def write_taken(row: AttemptChunk, debts: DebtsOfChunk, done: Calculation, picked: Sequence[int]) -> None:
    """What was taken of each debt on the payslips of these rows of the chunk."""
    got = set(picked)
    repaid = {
        of: int(amount)
        for of, amount in zip(done.rows.tolist(), done.columns[REPAID].tolist(), strict=True)
        if of in got
    }
    places: dict[UUID, int] = {}
    rows = []
    for one, amount in debts.taken(repaid):
        place = places[one.person_id] = places.get(one.person_id, -1) + 1
        rows.append(
            DebtTaken(
                client_id=row.client_id,
                run_id=row.run_id,
                attempt_id=row.attempt_id,
                person_id=one.person_id,
                debt_id=one.debt_id,
                place=place,
                amount=amount,
            )
        )
    DebtTaken.objects.bulk_create(rows)


def take_back(row: AttemptChunk, original: UUID, people: Sequence[UUID]) -> None:
    """The negative of what was taken of debts on these people's payslips of an attempt."""
    taken = DebtTaken.objects.filter(client_id=row.client_id, attempt_id=original, person_id__in=people)
    DebtTaken.objects.bulk_create(
        DebtTaken(
            client_id=row.client_id,
            run_id=row.run_id,
            attempt_id=row.attempt_id,
            person_id=one.person_id,
            debt_id=one.debt_id,
            place=one.place,
            amount=-one.amount,
            takes_back_id=one.id,
        )
        for one in taken.order_by("id")
    )


CONTENT = """
SELECT p.payroll_number, t.place, d.reference, d.kind, t.amount
FROM payroll_debttaken t
JOIN payroll_debt d ON d.client_id = t.client_id AND d.id = t.debt_id
JOIN people_person p ON p.client_id = t.client_id AND p.id = t.person_id
WHERE t.client_id = %(client)s AND t.attempt_id = %(attempt)s
ORDER BY p.payroll_number COLLATE "C", t.place
"""


def content_lines(client_id: UUID, attempt_id: UUID) -> list[str]:
    """What an approval binds of the debts: one line each, none where nothing was taken."""
    return [
        canonical.line(
            "debt_taken", f"{number} {place}", list(zip(("reference", "kind", "amount"), of, strict=True))
        )
        for number, place, *of in _rows(CONTENT, {"client": client_id, "attempt": attempt_id})
    ]


def _rows(sql: str, bounds: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, bounds)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
