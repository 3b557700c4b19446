"""Attachment orders in a run: read with the people they are against, and what each took written beside the
payslip (decision 009)."""

from __future__ import annotations

import json
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
from engineroom.foundation.columns import insert_columns
from engineroom.kernel.ids import uuid7_column
from engineroom.payroll.engine.steps import Calculation
from engineroom.payroll.jurisdictions import Jurisdiction, StandingOrder
from engineroom.payroll.models import AttemptChunk, OrderTaken, PayOrder, PayRun

CARRIED = ("deduction_arrears", "protected_arrears", "balance")

# In force on the day of payment, or taken from by an earlier run of the period, which this run goes on from.
STANDING = """
SELECT o.id, coalesce(o.first_id, o.id), o.person_id, o.kind, o.made_on, o.stated, o.starts, o.reference,
  k.code
FROM payroll_payorder o
JOIN openitems_counterparty k ON k.client_id = o.client_id AND k.id = o.creditor_id
WHERE o.client_id = %(client)s AND o.person_id BETWEEN %(first)s AND %(last)s AND o.starts <= %(payday)s
  AND (o.ends IS NULL OR o.ends >= %(payday)s OR (
    SELECT sum(CASE WHEN t.takes_back_id IS NULL THEN 1 ELSE -1 END) FROM payroll_ordertaken t
    JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
    WHERE t.client_id = o.client_id AND t.order_id = o.id AND r.id <> %(run)s AND r.tax_year = %(year)s
      AND (r.frequency, r.tax_period) = (%(frequency)s, %(period)s)
      AND (r.pay_date, r.number) < (%(day)s, %(number)s)) > 0)
ORDER BY o.person_id, o.made_on, o.reference, o.starts
"""

# Of each row of these orders what published payslips took and moved, before this run's period. A replacement
# goes on from the arrears as they stood at the payslip that it replaces, but takes no more than is owed now.
MOVED = """
SELECT coalesce(o.first_id, o.id), o.id, o.stated, coalesce(sum(t.deduction), 0)::bigint,
  coalesce(sum(t.deduction_arrears_moved) FILTER (WHERE t.before), 0)::bigint,
  coalesce(sum(t.protected_arrears_moved) FILTER (WHERE t.before), 0)::bigint,
  coalesce(sum(CASE WHEN t.takes_back_id IS NULL THEN 1 ELSE -1 END) FILTER (WHERE t.id IS NOT NULL), 0)
FROM payroll_payorder o
LEFT JOIN (
  SELECT t.*, NOT %(replaces)s OR coalesce(r.due, r.pay_date) < %(law)s AS before
  FROM payroll_ordertaken t
  JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
  WHERE t.client_id = %(client)s AND (r.pay_date, r.number) < (%(day)s, %(number)s)
    AND (r.tax_year, r.frequency, r.tax_period) <> (%(year)s, %(frequency)s, %(period)s)) t
  ON t.client_id = o.client_id AND t.order_id = o.id
WHERE o.client_id = %(client)s AND coalesce(o.first_id, o.id) = ANY(%(orders)s)
GROUP BY o.client_id, o.id ORDER BY o.starts
"""
EVERYTHING: Mapping[str, Any] = {
    "replaces": False, "law": date.max, "day": date.max, "number": 0, "year": "", "frequency": "", "period": 0
}  # fmt: skip
"""What is asked of every published run."""

TAKEN_IN_PERIOD = """
SELECT coalesce(o.first_id, o.id), sum(t.deduction)::bigint, sum(t.fee)::bigint,
  sum(t.deduction_arrears_moved)::bigint, sum(t.protected_arrears_moved)::bigint
FROM payroll_ordertaken t
JOIN payroll_payorder o ON o.client_id = t.client_id AND o.id = t.order_id
JOIN payroll_payrun r ON r.client_id = t.client_id AND r.published_id = t.attempt_id
WHERE t.client_id = %(client)s AND coalesce(o.first_id, o.id) = ANY(%(orders)s)
  AND (r.pay_date, r.number) < (%(day)s, %(number)s)
  AND (r.tax_year, r.frequency, r.tax_period) = (%(year)s, %(frequency)s, %(period)s)
GROUP BY coalesce(o.first_id, o.id)
"""

# A payslip that was taken back was no payday, unless it was replaced: all of them bear its day of the law.
LAST_PAYDAY = """
SELECT d.person_id, max(d.payday) FROM (
  SELECT s.person_id, max(r.pay_date) FILTER (WHERE r.corrects_id IS NULL) AS payday
  FROM payroll_payslip s
  JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
  WHERE s.client_id = %(client)s AND s.person_id = ANY(%(people)s)
    AND CASE WHEN %(replaces)s THEN coalesce(r.due, r.pay_date) < %(law)s AND r.number < %(number)s
      ELSE (r.pay_date, r.number) < (%(day)s, %(number)s) END
    AND (r.tax_year, r.frequency, r.tax_period) <> (%(year)s, %(frequency)s, %(period)s)
  GROUP BY s.person_id, coalesce(r.due, r.pay_date)
  HAVING sum(CASE WHEN r.kind = 'reversal' THEN -1 ELSE 1 END) > 0) d
GROUP BY d.person_id
"""


@dataclass
class OrdersOfChunk:
    """The orders against the people of a chunk, a row each. columns: the engine's.

    earlier: what runs before this one took in the same period, deduction and fee, and how they moved both
    arrears, shape (orders, 4). carried: both arrears as they were added up, shape (orders, 2). names: payroll
    number, reference, kind and creditor of each, which do not depend on the machine.
    """

    order_id: list[UUID]
    person_id: list[UUID]
    names: list[tuple[str, str, str, str]]
    names_a_sum: list[bool]
    columns: dict[str, Any]
    earlier: npt.NDArray[np.int64]
    carried: npt.NDArray[np.int64]
    first_id: list[UUID] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For the hash of the inputs: every order with what it came with, by natural key."""
        return sorted(
            canonical.line(
                "order",
                " ".join(self.names[i]),
                [
                    *((name, _plain(column[i])) for name, column in sorted(self.columns.items())
                      if name != "payslip"),
                    ("earlier", " ".join(map(str, self.earlier[i].tolist()))),
                    ("carried", " ".join(map(str, self.carried[i].tolist()))),
                ],
            )
            for i in range(len(self.order_id))
        )  # fmt: skip


def _plain(value: Any) -> str | int:
    return value if isinstance(value, str) else int(value)


def read_orders(
    law: Jurisdiction,
    run: PayRun,
    people: Sequence[tuple[UUID, str]],
    bounds: Mapping[str, Any],
) -> OrdersOfChunk | None:
    """The orders against these people (id and payroll number, in the order of their payslips), or None."""
    if law.orders is None:
        return None
    place = {person: i for i, (person, _) in enumerate(people)}
    rows = [row for row in _rows(STANDING, bounds) if row[2] in place]
    if not rows:
        return None
    asked = {**bounds, "orders": [row[1] for row in rows], "people": [row[2] for row in rows]}
    left = carried_by(asked)
    taken = {row[0]: row[1:] for row in _rows(TAKEN_IN_PERIOD, asked)}
    paydays: dict[UUID, date] = dict(_rows(LAST_PAYDAY, asked))
    standing = [
        StandingOrder(
            place[person], kind, made_on, json.loads(said), left[order_id].usable,
            max(paydays.get(person, starts), starts),
        )
        for order_id, _, person, kind, made_on, said, starts, _, _ in rows
    ]  # fmt: skip
    return OrdersOfChunk(
        order_id=[row[0] for row in rows],
        person_id=[row[2] for row in rows],
        names=[(people[place[row[2]]][1], row[7], row[3], row[8]) for row in rows],
        names_a_sum=[left[row[0]].balance is not None for row in rows],
        columns=law.orders.columns(standing, bounds["payday"]),
        earlier=np.array([taken.get(row[1], (0, 0, 0, 0)) for row in rows], dtype=np.int64),
        carried=np.array([left[row[0]].arrears for row in rows], dtype=np.int64),
        first_id=[row[1] for row in rows],
    )


@dataclass(frozen=True)
class Carried:
    """What an order carries into a payday. arrears: missed deductions and protected earnings, as added up;
    below nought where a later payslip took what one missed that was taken back since."""

    arrears: tuple[int, int]
    balance: int | None
    taken: int
    paydays: int

    @property
    def usable(self) -> dict[str, int | None]:
        """As the engine takes it. What was taken too much of arrears stays with the creditor."""
        balance = None if self.balance is None else max(self.balance, 0)
        return dict(zip(CARRIED, (*(max(missed, 0) for missed in self.arrears), balance), strict=True))


def carried_by(asked: Mapping[str, Any]) -> dict[UUID, Carried]:
    """By row, of orders by the row each began as (`orders`), what it states and payslips moved.

    What an order states anew when it is varied stands in the place of what was carried into it.
    """
    rows: dict[UUID, list[tuple[Any, ...]]] = defaultdict(list)
    for first, *row in _rows(MOVED, asked):
        rows[first].append(tuple(row))
    return {of[0]: _carried(chain, at) for chain in rows.values() for at, of in enumerate(chain)}


def _carried(chain: Sequence[tuple[Any, ...]], at: int) -> Carried:
    """Of one row of an order. chain: its rows in time: id, stated, taken, both arrears moved, paydays."""
    said = [json.loads(row[1]) for row in chain]

    def since(name: str) -> tuple[int | None, list[tuple[Any, ...]]]:
        starts = max((i for i in range(at + 1) if name in said[i]), default=0)
        ends = next((i for i in range(at + 1, len(chain)) if name in said[i]), len(chain))
        return said[starts].get(name), list(chain[starts:ends])

    arrears = []
    for column, name in ((3, "deduction_arrears"), (4, "protected_arrears")):
        stated, rows = since(name)
        arrears.append((stated or 0) + sum(row[column] for row in rows))
    owed, rows = since("balance")
    return Carried(
        arrears=(arrears[0], arrears[1]),
        balance=None if owed is None else owed - sum(row[2] for row in rows),
        taken=sum(row[2] for row in chain),
        paydays=int(sum(row[5] for row in chain)),
    )


def _rows(sql: str, bounds: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, bounds)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def has_orders(run: PayRun, people: Sequence[UUID]) -> bool:
    """Whether anybody among these people has, or on the pay date had, an order that this run may take."""
    rows = PayOrder.objects.filter(client_id=run.client_id, starts__lte=run.pay_date)
    of = set(rows.values_list("person_id", flat=True))
    return not of.isdisjoint(people)


def write_taken(row: AttemptChunk, orders: OrdersOfChunk, done: Calculation, picked: Sequence[int]) -> None:
    """What each order took on the payslips of these rows of the chunk, beyond earlier runs of the period."""
    result = done.orders
    kept = np.flatnonzero(np.isin(result["payslip"], np.array(picked, dtype=np.int64)))
    given, n = result["order"][kept], len(kept)
    if not n:
        return
    balance = result["balance"][kept].tolist()
    columns = {
        "id": uuid7_column(n),
        "client_id": row.client_id,
        "run_id": row.run_id,
        "attempt_id": row.attempt_id,
        "person_id": [orders.person_id[i] for i in given],
        "order_id": [orders.order_id[i] for i in given],
        "place": result["dealt_with"][kept].astype(np.int32),
        "earnings_met": result["earnings_met"][kept],
        "deduction": result["deduction"][kept] - orders.earlier[given, 0],
        "fee": result["fee"][kept] - orders.earlier[given, 1],
        **{name: result[name][kept] for name in CARRIED[:2]},
        **{
            f"{name}_moved": result[name][kept] - orders.carried[given, i] - orders.earlier[given, 2 + i]
            for i, name in enumerate(CARRIED[:2])
        },
        "balance": [left if orders.names_a_sum[i] else None for i, left in zip(given, balance, strict=True)],
    }
    insert_columns(OrderTaken, columns, n, casts={"balance": "bigint", "place": "smallint"})


NEGATIVE = (
    "earnings_met", "deduction", "fee", "deduction_arrears", "protected_arrears",
    "deduction_arrears_moved", "protected_arrears_moved",
)  # fmt: skip


def take_back(row: AttemptChunk, original: UUID, people: Sequence[UUID]) -> None:
    """The negative of what every order took on these people's payslips of an attempt."""
    taken = OrderTaken.objects.filter(client_id=row.client_id, attempt_id=original, person_id__in=people)
    OrderTaken.objects.bulk_create(
        OrderTaken(
            client_id=row.client_id,
            run_id=row.run_id,
            attempt_id=row.attempt_id,
            person_id=one.person_id,
            order_id=one.order_id,
            place=one.place,
            balance=None if one.balance is None else -one.balance,
            takes_back_id=one.id,
            **{name: -getattr(one, name) for name in NEGATIVE},
        )
        for one in taken.order_by("id")
    )


ORDERS = "orders"
"""An input of a payslip where orders are compared: of each row what stands against it, as a tuple."""


def by_payslip(ordered: Mapping[str, Any], n: int) -> npt.NDArray[np.object_]:
    """Orders as one column of n payslips: of each a tuple of its orders, by name and value."""
    column = np.empty(n, dtype=object)
    column[:] = [()] * n
    names = sorted(name for name in ordered if name != "payslip")
    for i, row in enumerate(np.asarray(ordered["payslip"]).tolist() if ordered else ()):
        column[row] = (*column[row], tuple((name, _plain(ordered[name][i])) for name in names))
    return column


def from_payslips(column: npt.NDArray[np.object_]) -> dict[str, Any] | None:
    """The orders of such a column as the engine's rows; None where there are none."""
    rows = [(row, dict(one)) for row, orders in enumerate(column) for one in orders]
    if not rows:
        return None
    names = rows[0][1]
    return {"payslip": [row for row, _ in rows], **{name: [of[name] for _, of in rows] for name in names}}


def kept_arrays(orders: OrdersOfChunk, done: Calculation | None) -> dict[str, Any]:
    """For the trace: the orders as given (`ordered.*`) and as they were dealt with (`order.*`)."""
    arrays = {f"ordered.{name}": np.asarray(values) for name, values in orders.columns.items()}
    if done is not None:
        arrays |= {f"order.{name}": values for name, values in done.orders.items()}
        # Whoever reads the explanation counts the orders of the person, not those of the chunk.
        arrays["order.order"] = done.orders["dealt_with"]
    return arrays


CONTENT = """
SELECT p.payroll_number, t.place, o.reference, o.kind, k.code, t.deduction, t.fee, t.deduction_arrears,
  t.protected_arrears, t.balance
FROM payroll_ordertaken t
JOIN payroll_payorder o ON o.client_id = t.client_id AND o.id = t.order_id
JOIN openitems_counterparty k ON k.client_id = o.client_id AND k.id = o.creditor_id
JOIN people_person p ON p.client_id = t.client_id AND p.id = t.person_id
WHERE t.client_id = %(client)s AND t.attempt_id = %(attempt)s
ORDER BY p.payroll_number COLLATE "C", t.place
"""
NAMES = (
    "reference", "kind", "creditor", "deduction", "fee", "deduction_arrears", "protected_arrears", "balance"
)  # fmt: skip


def content_lines(client_id: UUID, attempt_id: UUID) -> list[str]:
    """What an approval binds of the orders: one line each, none where nothing was taken."""
    rows = _rows(CONTENT, {"client": client_id, "attempt": attempt_id})
    return [
        canonical.line("order_taken", f"{number} {place}", list(zip(NAMES, values, strict=True)))
        for number, place, *values in rows
    ]


@dataclass(frozen=True)
class OwedToCreditor:
    """What a run took for one creditor by one order, for its open item. Minor units."""

    creditor_id: UUID
    reference: str
    deduction: int


OWED = """
SELECT o.creditor_id, o.reference, sum(t.deduction)::bigint
FROM payroll_ordertaken t
JOIN payroll_payorder o ON o.client_id = t.client_id AND o.id = t.order_id
WHERE t.client_id = %(client)s AND t.attempt_id = %(attempt)s
GROUP BY o.creditor_id, o.reference, coalesce(o.first_id, o.id) HAVING sum(t.deduction) <> 0
ORDER BY o.reference COLLATE "C", coalesce(o.first_id, o.id)
"""


def owed_to_creditors(run: PayRun) -> list[OwedToCreditor]:
    """Per order what the published payslips of a run took."""
    rows = _rows(OWED, {"client": run.client_id, "attempt": run.published_id})
    return [OwedToCreditor(*row) for row in rows]
