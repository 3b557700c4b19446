"""Taking hours in: each becomes a time entry and its charges, in one statement, with holds where billing must
wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.foundation.columns import insert_columns, insert_together
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, reason_given
from engineroom.kernel.ids import uuid7_column, uuids_to_column
from engineroom.kernel.periods import week_ending
from engineroom.timesheets import engine, orders
from engineroom.timesheets.dated_rates import RATES_NOW
from engineroom.timesheets.models import (
    Charge,
    Hold,
    HoldEnd,
    TimeEntry,
    Timesheet,
)


class NoRate(EngineroomError):
    """An assignment has no rate on a day that was worked."""

    status = 422


@dataclass
class Hours:
    """n days worked, by column, as accepted from a file. order_id: the purchase order the hour is billed
    under. disputed: one such day disputes its week; day_disputed: itself alone, its comment says why.
    file_row: where it stands in the file."""

    assignment_id: list[UUID]
    code: list[str]
    order_id: list[UUID | None]
    day: npt.NDArray[np.datetime64]
    minutes: npt.NDArray[np.int64]
    disputed: list[bool]
    day_disputed: list[bool]
    comment: list[str]
    file_row: npt.NDArray[np.int32]


def record_hours(hours: Hours, commit_id: UUID) -> dict[str, int]:
    """Write timesheets, entries, charges and holds. Returns counts. Raises NoRate."""
    if not len(hours.minutes):
        return {"timesheets": 0, "entries": 0, "charges": 0, "held": 0}
    hours = _sorted(hours)
    week = _weeks(hours)
    sheet_of, sheets = _timesheets(hours, week, commit_id)
    entry_ids = uuid7_column(len(hours.minutes))
    charges = engine.interpret(_hour_columns(hours, sheet_of))
    holds = _holds(hours, charges, sheet_of)
    # Before the charges are written: what an order has borne so far must not count the hours it is asked
    # about.
    covered = orders.cover(charges, hours.day, hours.order_id, holds.reason == "")
    charges, holds = covered.charges, holds.beyond(covered)
    charge_ids = uuid7_column(len(charges.entry))
    _insert(sheets, hours, sheets["id"][sheet_of], entry_ids, charges, charge_ids, covered.order)
    held = _insert_holds(charge_ids, holds)
    return {
        "timesheets": len(sheets["id"]),
        "entries": len(entry_ids),
        "charges": len(charge_ids),
        "held": held,
    }


def _sorted(hours: Hours) -> Hours:
    """By assignment code and day, so that the result does not depend on the order of the file."""
    order = np.lexsort((hours.day, np.array(hours.code)))
    picked = order.tolist()
    return Hours(
        [hours.assignment_id[i] for i in picked],
        [hours.code[i] for i in picked],
        [hours.order_id[i] for i in picked],
        hours.day[order],
        hours.minutes[order],
        [hours.disputed[i] for i in picked],
        [hours.day_disputed[i] for i in picked],
        [hours.comment[i] for i in picked],
        hours.file_row[order],
    )


def _weeks(hours: Hours) -> npt.NDArray[np.datetime64]:
    """The Sunday that ends each day's week."""
    days = hours.day.astype("datetime64[D]")
    distinct, where = np.unique(days, return_inverse=True)
    ends = np.array([week_ending(d) for d in distinct.tolist()], dtype="datetime64[D]")
    return ends[where]


def _timesheets(
    hours: Hours, week: npt.NDArray[np.datetime64], commit_id: UUID
) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """Which timesheet each day belongs to, and the timesheets as columns. A week with a disputed day is a
    disputed one."""
    codes = np.array(hours.code)
    new = np.ones(len(codes), dtype=bool)
    new[1:] = (codes[1:] != codes[:-1]) | (week[1:] != week[:-1])
    sheet_of = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    disputed = np.zeros(len(first), dtype=bool)
    np.logical_or.at(disputed, sheet_of, np.array(hours.disputed, dtype=bool) | hours.day_disputed)
    notes = [""] * len(first)
    for i, comment in enumerate(hours.comment):
        if comment:
            at = int(sheet_of[i])
            notes[at] = f"{notes[at]}; {comment}".lstrip("; ")[:500]
    return sheet_of, {
        "id": uuid7_column(len(first)),
        "client_id": current_scope().client_id,
        "assignment_id": uuids_to_column([hours.assignment_id[i] for i in first.tolist()]),
        "week_ending": week[first],
        "revision": np.ones(len(first), dtype=np.int32),
        "status": ["disputed" if d else "approved" for d in disputed.tolist()],
        "note": notes,
        "taken_in_id": commit_id,
        "entry_count": np.bincount(sheet_of).astype(np.int32),
    }


def _hour_columns(hours: Hours, sheet_of: npt.NDArray[np.int64]) -> engine.HourColumns:
    rates = _rates_by_assignment(set(hours.code))
    codes, first, count = np.unique(np.array(hours.code), return_index=True, return_counts=True)
    columns = np.empty((len(hours.code), 5), dtype=np.int64)  # sorted by code: each assignment is one stretch
    for code, at, n in zip(codes.tolist(), first.tolist(), count.tolist(), strict=True):
        columns[at : at + n] = _rates_on(rates.get(code, []), hours.day[at : at + n].tolist(), code)
    return engine.HourColumns(
        timesheet=sheet_of,
        day=hours.day,
        minutes=hours.minutes,
        pay_rate=columns[:, 0],
        bill_rate=columns[:, 1],
        overtime_ppm=columns[:, 2],
        weekend_ppm=columns[:, 3],
        threshold=columns[:, 4],
    )


Rate = tuple[date, date | None, tuple[int, ...]]


def _rates_by_assignment(codes: set[str]) -> dict[str, list[Rate]]:
    """Dated rates by assignment code, in one read."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT a.code, r.starts, r.ends, r.pay_rate, r.bill_rate, r.overtime_ppm, r.weekend_ppm,
              r.weekly_threshold_minutes
            FROM {RATES_NOW} r
            JOIN timesheets_assignment a ON a.client_id = r.client_id AND a.id = r.assignment_id
            WHERE r.client_id = %s AND a.code = ANY(%s)
            """,  # noqa: S608 ours
            [current_scope().client_id, list(codes)],
        )
        rates: dict[str, list[Rate]] = {}
        for code, starts, ends, *values in cursor.fetchall():
            rates.setdefault(code, []).append((starts, ends, tuple(values)))
        return rates


def _rates_on(rates: list[Rate], days: list[date], code: str) -> list[tuple[int, ...]]:
    """The rate of each day, days ascending. Mostly one rate holds for all of them."""
    for starts, ends, values in rates:
        if starts <= days[0] and (ends is None or days[-1] <= ends):
            return [values]
    return [_rate_on(rates, day, code) for day in days]


def _rate_on(rates: list[Rate], day: date, code: str) -> tuple[int, ...]:
    for starts, ends, values in rates:
        if starts <= day and (ends is None or day <= ends):
            return values
    raise NoRate(f"assignment {code} has no rate on {day}; add one to the assignment")


def _insert(
    sheets: dict[str, Any],
    hours: Hours,
    timesheet_ids: npt.NDArray[np.uint8],
    entry_ids: npt.NDArray[np.uint8],
    charges: engine.ChargeColumns,
    charge_ids: npt.NDArray[np.uint8],
    order_ids: list[UUID | None],
) -> None:
    """Timesheets whole, with their hours and charges: one statement, which the guards look at as one."""
    client_id = current_scope().client_id
    entries = {
        "id": entry_ids,
        "client_id": client_id,
        "timesheet_id": timesheet_ids,
        "day": hours.day,
        "minutes": hours.minutes.astype(np.int32),
        "file_row": hours.file_row,
    }
    kinds = np.array(engine.KINDS)[charges.kind].tolist()
    charged = {
        "id": charge_ids,
        "client_id": client_id,
        "time_entry_id": entry_ids[charges.entry],
        "kind": kinds,
        "minutes": charges.minutes.astype(np.int32),
        "pay_rate": charges.pay_rate,
        "pay_amount": charges.pay_amount,
        "bill_rate": charges.bill_rate,
        "bill_amount": charges.bill_amount,
    }
    if any(order_ids):
        charged["order_id"] = order_ids
    insert_together(
        (Timesheet, sheets, len(sheets["id"])),
        (TimeEntry, entries, len(entry_ids)),
        (Charge, charged, len(charge_ids)),
    )


@dataclass
class Holds:
    """Why the billable side of each charge must wait; empty where it need not. Shape (m,), texts."""

    reason: npt.NDArray[np.object_]
    note: npt.NDArray[np.object_]

    def put(self, at: npt.NDArray[np.int64], reason: str, note: str = "") -> None:
        self.reason[at] = reason
        self.note[at] = note

    def beyond(self, covered: orders.Covered) -> Holds:
        """Of the charges as orders bear them: held as before, and where no order bears them."""
        found = Holds(self.reason[covered.source], self.note[covered.source])
        for at, why in enumerate(covered.note):
            if why:
                found.put(np.array([at]), "over_order", why)
        return found


def _holds(hours: Hours, charges: engine.ChargeColumns, sheet_of: npt.NDArray[np.int64]) -> Holds:
    """Hold the billable side of disputed weeks and days. Pay goes on."""
    m = len(charges.entry)
    holds = Holds(np.full(m, "", dtype=object), np.full(m, "", dtype=object))
    disputed = np.zeros(int(sheet_of[-1]) + 1, dtype=bool)
    np.logical_or.at(disputed, sheet_of, np.array(hours.disputed, dtype=bool))
    holds.put(np.flatnonzero(disputed[sheet_of[charges.entry]]), "disputed")
    day_disputed = np.array(hours.day_disputed, dtype=bool)
    for at in np.flatnonzero(day_disputed[charges.entry]).tolist():
        holds.put(np.array([at]), "disputed", hours.comment[charges.entry[at]])
    return holds


def _insert_holds(charge_ids: npt.NDArray[np.uint8], holds: Holds) -> int:
    held = np.flatnonzero(holds.reason != "")
    insert_columns(
        Hold,
        {
            "id": charge_ids[held],
            "client_id": current_scope().client_id,
            "reason": holds.reason[held].tolist(),
            "note": holds.note[held].tolist(),
        },
        len(held),
    )
    return len(held)


@dataclass(frozen=True)
class HoldsEnded:
    """How many held charges became billable or were written off, and their billable amount in minor units."""

    charges: int
    amount: int
    outcome: str


@command("timesheets.prepare")
def end_holds(timesheet_id: UUID, *, outcome: str, reason: str) -> HoldsEnded:
    """End the holds on a timesheet: `billable` (the customer agreed) or `written_off` (to margin), with the
    reason."""
    if outcome not in ("billable", "written_off"):
        raise EngineroomError("a hold ends as `billable` or as `written_off`")
    reason = reason_given(reason, 500)
    scope = current_scope()
    held = Hold.objects.filter(
        client_id=scope.client_id, charge__time_entry__timesheet_id=timesheet_id
    ).exclude(charge_id__in=HoldEnd.objects.filter(client_id=scope.client_id).values("hold_id"))
    rows = list(held.select_related("charge"))
    if not rows:
        if not Timesheet.objects.filter(client_id=scope.client_id, id=timesheet_id).exists():
            raise NotFound(f"there is no timesheet {timesheet_id}")
        raise Conflict("nothing of this timesheet is held")
    HoldEnd.objects.bulk_create(
        HoldEnd(client_id=scope.client_id, hold=row, outcome=outcome, reason=reason, by_user_id=scope.user.id)
        for row in rows
    )
    return HoldsEnded(len(rows), sum(row.charge.bill_amount for row in rows), outcome)
