"""Customers' orders: hard limits in money and hours, the order that goes on where one is used up, and how far
each is burnt down.

An hour that an order does not hold whole is split at the limit: what fits is billed under it, the rest under
the order that continues it, or held. Nothing is lost either way, and pay goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.money import format_minor
from engineroom.kernel.rounding import ceil_div
from engineroom.timesheets import engine, selectors
from engineroom.timesheets.models import HoldEnd, PurchaseOrder

MINUTES_AN_HOUR = 60


@dataclass
class Open:
    """An order with what it has borne so far. Minor units and minutes; None: no limit of that kind."""

    row: PurchaseOrder
    minor: int
    minutes: int
    closed: bool = False

    def covers(self, day: date) -> bool:
        return self.row.starts <= day and (self.row.ends is None or day <= self.row.ends)

    def fits(self, minutes: int, rate: int, amount: int) -> int:
        """How many of so many minutes at a rate it still holds. What takes time back always fits."""
        if minutes <= 0:
            return minutes
        left = minutes
        if self.row.limit_minutes is not None:
            left = min(left, max(0, self.row.limit_minutes - self.minutes))
        if self.row.limit_minor is not None and amount > self.row.limit_minor - self.minor:
            money = max(0, self.row.limit_minor - self.minor)
            left = min(left, money * MINUTES_AN_HOUR // rate if rate else left)
        return left

    def take(self, minutes: int, amount: int) -> None:
        self.minutes += minutes
        self.minor += amount


@dataclass
class Covered:
    """Charges as orders bear them: split at limits. source: index into the charges before; order: under which
    a charge is billed; note: why none bears it, empty where one does."""

    charges: engine.ChargeColumns
    source: npt.NDArray[np.int64]
    order: list[UUID | None]
    note: list[str]


@dataclass
class _Parts:
    """Charges being laid out again: (source, minutes, pay, bill, order, note)."""

    rows: list[tuple[int, int, int, int, UUID | None, str]] = field(default_factory=list)


def cover(
    charges: engine.ChargeColumns,
    day: npt.NDArray[np.datetime64],
    first_order: Sequence[UUID | None],
    free: npt.NDArray[np.bool_],
) -> Covered:
    """Bear charges by the orders of their assignments, day by day, whoever worked.

    day: of each entry; first_order: of each entry's assignment; free: which charges no dispute holds.
    """
    entry = charges.entry.tolist()
    asked: dict[UUID, list[int]] = {}
    for at, of in enumerate(entry):
        order = first_order[of]
        if order is not None and free[at]:
            asked.setdefault(order, []).append(at)
    if not asked:
        n = len(entry)
        return Covered(charges, np.arange(n), [None] * n, [""] * n)
    whole = np.ones(len(entry), dtype=bool)
    parts = _Parts()
    standing: dict[UUID, Open] = {}
    # Of several assignments whose orders meet, the one that works first is borne first.
    line = sorted((str(day[entry[at]]), at, root) for root, ats in asked.items() for at in ats)
    chains = {root: _chain(root, standing) for root in sorted(asked)}
    for worked, at, root in line:
        whole[at] = False
        _bear(charges, at, date.fromisoformat(worked), chains[root], parts)
    kept = [(at, *_of(charges, at), None, "") for at in np.flatnonzero(whole).tolist()]
    rows = sorted([*kept, *parts.rows], key=lambda row: row[0])
    return _laid_out(charges, rows)


def _of(charges: engine.ChargeColumns, at: int) -> tuple[int, int, int]:
    return int(charges.minutes[at]), int(charges.pay_amount[at]), int(charges.bill_amount[at])


def _bear(charges: engine.ChargeColumns, at: int, day: date, chain: list[Open], parts: _Parts) -> None:
    minutes, pay, bill = _of(charges, at)
    pay_rate, bill_rate = int(charges.pay_rate[at]), int(charges.bill_rate[at])
    for order in chain:
        if order.closed or not order.covers(day):
            continue
        taken = order.fits(minutes, bill_rate, bill)
        if taken == minutes:
            order.take(minutes, bill)
            parts.rows.append((at, minutes, pay, bill, order.row.id, ""))
            return
        order.closed = True
        if taken:
            p, b = _share(taken, minutes, pay_rate, pay), _share(taken, minutes, bill_rate, bill)
            order.take(taken, b)
            parts.rows.append((at, taken, p, b, order.row.id, ""))
            minutes, pay, bill = minutes - taken, pay - p, bill - b
    parts.rows.append((at, minutes, pay, bill, None, _why(day, chain)))


def _share(taken: int, minutes: int, rate: int, amount: int) -> int:
    """The amount of the first of these minutes, such that both parts are their minutes at the rate to less
    than a penny: rounded to the side on which the whole is."""
    up = amount * MINUTES_AN_HOUR >= minutes * rate
    return ceil_div(taken * rate, MINUTES_AN_HOUR) if up else taken * rate // MINUTES_AN_HOUR


def _why(day: date, chain: Sequence[Open]) -> str:
    used = [order.row.number for order in chain if order.covers(day)]
    if used:
        return f"beyond the limit of order {' and '.join(used)}"[:500]
    return f"outside the dates of order {' and '.join(o.row.number for o in chain)}"[:500]


def _chain(root: UUID, standing: dict[UUID, Open]) -> list[Open]:
    """An order and those that continue it, in their order, locked: two files at once share one limit."""
    found: list[Open] = []
    next_id: UUID | None = root
    while next_id is not None and next_id not in {o.row.id for o in found}:
        if next_id not in standing:
            rows = PurchaseOrder.objects.select_for_update(of=("self",))
            row = rows.get(client_id=current_client_id(), id=next_id)
            standing[next_id] = Open(row, *order_use(next_id))
        found.append(standing[next_id])
        after = PurchaseOrder.objects.filter(client_id=current_client_id(), continues_id=next_id)
        next_id = after.values_list("id", flat=True).first()
    return found


def _laid_out(
    charges: engine.ChargeColumns, rows: Sequence[tuple[int, int, int, int, UUID | None, str]]
) -> Covered:
    source = np.array([row[0] for row in rows], dtype=np.int64)

    def column(place: int) -> npt.NDArray[np.int64]:
        return np.array([row[place] for row in rows], dtype=np.int64)

    return Covered(
        engine.ChargeColumns(
            charges.entry[source],
            charges.kind[source],
            column(1),
            charges.pay_rate[source],
            column(2),
            charges.bill_rate[source],
            column(3),
        ),
        source,
        [row[4] for row in rows],
        [row[5] for row in rows],
    )


USE = """
SELECT coalesce(sum(c.bill_amount), 0)::bigint, coalesce(sum(c.minutes), 0)::bigint
FROM ({borne}) c
"""

# What an order bears: charges under it that are not held, and those that a hold's end put under it. Charges
# of before hours were split say no order: theirs is their assignment's.
BORNE = """
  SELECT c.id, c.client_id, c.minutes, c.bill_amount, t.week_ending
  FROM timesheets_charge c
  JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
  JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
  LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
  LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
  WHERE c.client_id = %(client)s AND (h.id IS NULL OR x.outcome = 'billable')
    AND coalesce(x.order_id, c.order_id) = %(order)s
  UNION ALL
  SELECT c.id, c.client_id, c.minutes, c.bill_amount, t.week_ending
  FROM timesheets_assignment a
  JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
  JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
  JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
  LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
  LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
  WHERE a.client_id = %(client)s AND a.order_id = %(order)s AND (h.id IS NULL OR x.outcome = 'billable')
    AND x.order_id IS NULL AND c.order_id IS NULL
"""


def order_use(order_id: UUID) -> tuple[int, int]:
    """(minor units, minutes) that an order has borne."""
    with connection.cursor() as cursor:
        cursor.execute(USE.format(borne=BORNE), {"client": current_client_id(), "order": order_id})
        minor, minutes = cursor.fetchone()
    return int(minor), int(minutes)


def refuse_beyond(charge_ids: Sequence[UUID]) -> None:
    """After charges were valued anew: a limit in money is as hard as before. Raises Conflict."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT coalesce(x.order_id, c.order_id, a.order_id) FROM timesheets_charge c
            JOIN timesheets_timeentry e ON e.client_id = c.client_id AND e.id = c.time_entry_id
            JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
            JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
            LEFT JOIN timesheets_holdend x ON x.client_id = c.client_id AND x.id = c.id
            WHERE c.client_id = %s AND c.id = ANY(%s)
            """,
            [current_client_id(), list(charge_ids)],
        )
        touched = [row[0] for row in cursor.fetchall() if row[0]]
    rows = PurchaseOrder.objects.select_for_update(of=("self",)).filter(
        client_id=current_client_id(), id__in=touched, limit_minor__isnull=False
    )
    for order in rows.order_by("number"):
        minor, _ = order_use(order.id)
        if order.limit_minor is not None and minor > order.limit_minor:
            raise Conflict(
                f"order {order.number} would bear {format_minor(minor)}, and its limit is "
                f"{format_minor(order.limit_minor)}: have the customer raise it first"
            )


# --- an order that came later ---------------------------------------------------------------------------

HELD_FOR = """
SELECT c.id, e.day, c.minutes, c.bill_rate, c.bill_amount
FROM timesheets_assignment a
JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id AND h.reason = 'over_order'
WHERE a.client_id = %(client)s AND a.order_id = ANY(%(orders)s)
  AND NOT EXISTS (SELECT FROM timesheets_holdend x WHERE x.client_id = h.client_id AND x.id = h.id)
ORDER BY e.day, c.id
"""


@dataclass(frozen=True)
class HeldCovered:
    """charges: that are no longer held; amount: theirs; left: charges that do not fit either."""

    order_id: UUID
    charges: int
    amount: int
    left: int

    @property
    def subject(self) -> str:
        return f"order:{self.order_id}"


@command("timesheets.prepare")
def cover_held(order_id: UUID) -> HeldCovered:
    """Bill under an order what was held because the orders that it continues did not reach, by day, as far as
    it goes whole."""
    standing: dict[UUID, Open] = {}
    order = _order(order_id)
    before: list[UUID] = [order.id]
    while (row := _order(before[-1])).continues_id is not None and row.continues_id not in before:
        before.append(row.continues_id)
    [target] = [o for o in _chain(order.id, standing) if o.row.id == order.id]
    with connection.cursor() as cursor:
        cursor.execute(HELD_FOR, {"client": current_client_id(), "orders": before})
        held = cursor.fetchall()
    fitting: list[tuple[UUID, int]] = []
    for charge, day, minutes, rate, amount in held:
        if target.covers(day) and target.fits(minutes, rate, amount) == minutes:
            target.take(minutes, amount)
            fitting.append((charge, amount))
    if not fitting:
        raise Conflict(f"order {order.number} covers nothing that is held")
    HoldEnd.objects.bulk_create(
        HoldEnd(
            client_id=current_client_id(),
            hold_id=charge,
            outcome="billable",
            reason=f"covered by order {order.number}",
            order_id=order.id,
            by_user_id=current_scope().user.id,
        )
        for charge, _ in fitting
    )
    return HeldCovered(order.id, len(fitting), sum(a for _, a in fitting), len(held) - len(fitting))


def _order(order_id: UUID) -> PurchaseOrder:
    rows = PurchaseOrder.objects.select_related("customer", "continues")
    row = rows.filter(client_id=current_client_id(), id=order_id).first()
    if row is None:
        raise NotFound(f"there is no order {order_id}")
    return row


# --- burn-down ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Burn:
    """An order with what became of it. Minor units and minutes. billed: on invoices; committed: accepted and
    not billed yet; weeks: (week ending, minutes, minor) borne, oldest first; held: what it did not reach."""

    row: PurchaseOrder
    billed_minor: int
    billed_minutes: int
    committed_minor: int
    committed_minutes: int
    held_minor: int
    held_charges: int
    weeks: tuple[tuple[date, int, int], ...]
    continued_by: str

    @property
    def used_minor(self) -> int:
        return self.billed_minor + self.committed_minor

    @property
    def used_minutes(self) -> int:
        return self.billed_minutes + self.committed_minutes

    @property
    def left_minor(self) -> int | None:
        return None if self.row.limit_minor is None else self.row.limit_minor - self.used_minor

    @property
    def left_minutes(self) -> int | None:
        return None if self.row.limit_minutes is None else self.row.limit_minutes - self.used_minutes

    @property
    def forecast(self) -> date | None:
        """The week in which it is used up if it goes on as in its last four; its own end where that comes
        first. None: neither limit nor end, or nothing used yet."""
        ends = [self.row.ends] if self.row.ends else []
        recent = self.weeks[-RECENT:]
        for left, used in (
            (self.left_minutes, sum(minutes for _, minutes, _ in recent)),
            (self.left_minor, sum(minor for _, _, minor in recent)),
        ):
            if left is not None and used > 0:
                weeks = ceil_div(max(0, left) * len(recent), used)
                ends.append(recent[-1][0] + timedelta(weeks=min(weeks, 5_000)))
        return min(ends, default=None)

    @property
    def state(self) -> tuple[str, str]:
        """A status kind and its word."""
        if self.held_charges:
            return "risk", "Hours are held"
        if any(left is not None and left <= 0 for left in (self.left_minor, self.left_minutes)):
            return "wait", "Used up"
        return "run", "Open"


RECENT = 4


def burn(order_id: UUID) -> Burn:
    """How far an order is. Raises NotFound."""
    row = _order(order_id)
    values: dict[str, Any] = {"client": current_client_id(), "order": row.id, "orders": [row.id]}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT coalesce(sum(c.bill_amount) FILTER (WHERE b.charge_id IS NOT NULL), 0)::bigint,
              coalesce(sum(c.minutes) FILTER (WHERE b.charge_id IS NOT NULL), 0)::bigint,
              coalesce(sum(c.bill_amount) FILTER (WHERE b.charge_id IS NULL), 0)::bigint,
              coalesce(sum(c.minutes) FILTER (WHERE b.charge_id IS NULL), 0)::bigint
            FROM ({BORNE}) c
            LEFT JOIN {selectors.biller_table()} b ON b.client_id = c.client_id AND b.charge_id = c.id
            """,  # noqa: S608 ours
            values,
        )
        billed_minor, billed_minutes, minor, minutes = cursor.fetchone()
        cursor.execute(HELD_FOR, values)
        held = cursor.fetchall()
        cursor.execute(
            "SELECT c.week_ending, sum(c.minutes)::bigint, sum(c.bill_amount)::bigint "  # noqa: S608 ours
            f"FROM ({BORNE}) c GROUP BY c.week_ending ORDER BY c.week_ending",
            values,
        )
        weeks = tuple(cursor.fetchall())
    after = PurchaseOrder.objects.filter(client_id=row.client_id, continues_id=row.id).first()
    return Burn(
        row=row,
        billed_minor=billed_minor,
        billed_minutes=billed_minutes,
        committed_minor=minor,
        committed_minutes=minutes,
        held_minor=sum(h[4] for h in held),
        held_charges=len(held),
        weeks=weeks,
        continued_by=after.number if after is not None else "",
    )


def orders() -> list[Burn]:
    """Every order by customer and start, the latest first."""
    rows = PurchaseOrder.objects.filter(client_id=current_client_id())
    ids = rows.order_by("customer__name", "-starts", "number").values_list("id", flat=True)
    return [burn(order_id) for order_id in ids]
