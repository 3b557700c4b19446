"""Assignments, hours and charges for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Literal
from uuid import UUID

from ninja import Query, Schema

from engineroom.foundation.api import Asked, Day, Page, PageAsked, Reason, Room, cut, hides, log_read, one
from engineroom.foundation.tenancy.models import Client
from engineroom.timesheets import selectors, services
from engineroom.timesheets.models import (
    Assignment,
    Charge,
    Hold,
    HoldEnd,
    TimeEntry,
    Timesheet,
)

router = Room("timesheets")


class AssignmentOut(Schema):
    """A person placed with a customer."""

    id: UUID
    code: str
    person_id: UUID
    customer_id: UUID
    order_number: str | None
    role: str
    starts: date
    ends: date | None


class RateOut(Schema):
    """What an hour pays and bills from a day on, in minor units; multipliers in parts per million."""

    starts: date
    ends: date | None
    pay_rate_minor: int | None
    bill_rate_minor: int
    overtime_ppm: int
    weekend_ppm: int
    weekly_threshold_minutes: int
    currency: str


class AssignmentDetailOut(AssignmentOut):
    """An assignment with its rates by day."""

    rates: list[RateOut]


class TimesheetOut(Schema):
    """One assignment's week as the customer answered for it. A correction is a later revision."""

    id: UUID
    assignment_id: UUID
    week_ending: date
    revision: int
    status: str
    note: str
    import_id: UUID


class HoldOut(Schema):
    """Why a charge may not be billed; outcome: how the hold ended, null while it holds."""

    reason: str
    note: str
    outcome: str | None


class ChargeOut(Schema):
    """What part of an entry became: its payable and its billable side. Rates are by hour."""

    id: UUID
    kind: str
    minutes: int
    pay_rate_minor: int | None
    pay_amount_minor: int | None
    bill_rate_minor: int
    bill_amount_minor: int
    currency: str
    hold: HoldOut | None


class TimeEntryOut(Schema):
    """Minutes worked on a day, and the charges they became."""

    id: UUID
    timesheet_id: UUID
    day: date
    minutes: int
    charges: list[ChargeOut]


class HeldChargeOut(ChargeOut):
    """A charge that is paid and may not be billed yet."""

    time_entry_id: UUID


class HoldsEndAsked(Asked):
    """billable: the customer agreed. written_off: to margin."""

    outcome: Literal["billable", "written_off"]
    reason: Reason


class HoldsEndedOut(Schema):
    """How many charges are free, and their billable amount."""

    charges: int
    amount_minor: int
    currency: str
    outcome: str


def _assignment(row: Assignment) -> AssignmentOut:
    return AssignmentOut(
        id=row.id,
        code=row.code,
        person_id=row.person_id,
        customer_id=row.customer_id,
        order_number=row.order.number if row.order else None,
        role=row.role,
        starts=row.starts,
        ends=row.ends,
    )


@router.read("/assignments", Page[AssignmentOut], "Assignments by code")
def assignments(client: Client, page: Query[PageAsked]) -> Page[AssignmentOut]:
    """Who is placed with whom."""
    rows = Assignment.objects.filter(client_id=client.id).select_related("order")
    found, onward = cut(rows, page, by="code")
    return Page(items=[_assignment(row) for row in found], next=onward)


@router.read("/assignments/{assignment_id}", AssignmentDetailOut, "One assignment with its rates")
def assignment(client: Client, assignment_id: UUID) -> AssignmentDetailOut:
    """What the placement pays and bills, from which day. The read is logged."""
    row = one(Assignment.objects.select_related("order"), "assignment", assignment_id)
    log_read("assignment", row.id, "pay rates")
    hidden = hides("pay")
    return AssignmentDetailOut(
        **_assignment(row).dict(),
        rates=[
            RateOut(
                starts=r.starts,
                ends=r.ends,
                pay_rate_minor=None if hidden else r.pay_rate,
                bill_rate_minor=r.bill_rate,
                overtime_ppm=r.overtime_ppm,
                weekend_ppm=r.weekend_ppm,
                weekly_threshold_minutes=r.weekly_threshold_minutes,
                currency=client.currency,
            )
            for r in selectors.rates_of(row.id)
        ],
    )


@router.read("/timesheets", Page[TimesheetOut], "Timesheets, latest week first")
def timesheets(client: Client, page: Query[PageAsked], week_ending: Day | None = None) -> Page[TimesheetOut]:
    """Weeks as customers answered for them."""
    rows = Timesheet.objects.filter(client_id=client.id)
    if week_ending:
        rows = rows.filter(week_ending=week_ending)
    found, onward = cut(rows, page, by="week_ending", latest_first=True)
    return Page(items=[_timesheet(row) for row in found], next=onward)


def _timesheet(row: Timesheet) -> TimesheetOut:
    return TimesheetOut(
        id=row.id,
        assignment_id=row.assignment_id,
        week_ending=row.week_ending,
        revision=row.revision,
        status=row.status,
        note=row.note,
        import_id=row.taken_in_id,
    )


@router.read("/timesheets/{timesheet_id}", TimesheetOut, "One timesheet")
def timesheet(client: Client, timesheet_id: UUID) -> TimesheetOut:
    """A week of one assignment; its hours are among the time entries."""
    return _timesheet(one(Timesheet.objects.all(), "timesheet", timesheet_id))


@router.read("/time-entries", Page[TimeEntryOut], "Hours with what they became")
def time_entries(
    client: Client, page: Query[PageAsked], timesheet_id: UUID | None = None, day: Day | None = None
) -> Page[TimeEntryOut]:
    """Time entries by day, each with its charges and their holds. The read is logged."""
    rows = TimeEntry.objects.filter(client_id=client.id)
    if timesheet_id:
        rows = rows.filter(timesheet_id=timesheet_id)
    if day:
        rows = rows.filter(day=day)
    found, onward = cut(rows, page, by="day")
    return Page(items=_entries(client, found), next=onward)


@router.read("/time-entries/{entry_id}", TimeEntryOut, "One time entry with its charges")
def time_entry(client: Client, entry_id: UUID) -> TimeEntryOut:
    """An hour as recorded, and what it became. The read is logged."""
    return _entries(client, [one(TimeEntry.objects.all(), "time entry", entry_id)])[0]


def _entries(client: Client, rows: list[TimeEntry]) -> list[TimeEntryOut]:
    charges: dict[UUID, list[ChargeOut]] = defaultdict(list)
    of_these = Charge.objects.filter(client_id=client.id, time_entry_id__in=[row.id for row in rows])
    made = list(of_these.order_by("id"))
    for charge, out in zip(made, _charges(client, made), strict=True):
        charges[charge.time_entry_id].append(out)
    if rows:
        log_read("time_entry", rows[0].id if len(rows) == 1 else None, "pay of hours", len(rows))
    return [
        TimeEntryOut(
            id=row.id,
            timesheet_id=row.timesheet_id,
            day=row.day,
            minutes=row.minutes,
            charges=charges[row.id],
        )
        for row in rows
    ]


def _charges(client: Client, rows: Iterable[Charge]) -> list[ChargeOut]:
    rows = list(rows)
    ids = [row.id for row in rows]
    holds = {h.charge_id: h for h in Hold.objects.filter(client_id=client.id, charge_id__in=ids)}
    ends = {e.hold_id: e.outcome for e in HoldEnd.objects.filter(client_id=client.id, hold_id__in=ids)}
    hidden = hides("pay")
    return [
        ChargeOut(
            id=row.id,
            kind=row.kind,
            minutes=row.minutes,
            pay_rate_minor=None if hidden else row.pay_rate,
            pay_amount_minor=None if hidden else row.pay_amount,
            bill_rate_minor=row.bill_rate,
            bill_amount_minor=row.bill_amount,
            currency=client.currency,
            hold=HoldOut(reason=hold.reason, note=hold.note, outcome=ends.get(row.id))
            if (hold := holds.get(row.id))
            else None,
        )
        for row in rows
    ]


@router.read("/held-charges", Page[HeldChargeOut], "What is paid and may not be billed yet")
def held_charges(client: Client, page: Query[PageAsked]) -> Page[HeldChargeOut]:
    """Charges whose hold has not ended, each with its reason. The read is logged."""
    ended = HoldEnd.objects.filter(client_id=client.id).values("hold_id")
    held = Hold.objects.filter(client_id=client.id).exclude(charge_id__in=ended).values("charge_id")
    rows = Charge.objects.filter(client_id=client.id, id__in=held)
    found, onward = cut(rows, page, by="id")
    if found:
        log_read("charge", None, "pay of held hours", len(found))
    made = _charges(client, found)
    return Page(
        items=[
            HeldChargeOut(**out.dict(), time_entry_id=row.time_entry_id)
            for row, out in zip(found, made, strict=True)
        ],
        next=onward,
    )


@router.command(
    "/timesheets/{timesheet_id}/end-holds",
    HoldsEndedOut,
    "End the holds on a timesheet",
    permission="timesheets.prepare",
)
def end_holds(client: Client, timesheet_id: UUID, asked: HoldsEndAsked) -> HoldsEndedOut:
    """The customer agreed, or the hours are written off to margin; the reason is kept."""
    done = services.end_holds(timesheet_id, outcome=asked.outcome, reason=asked.reason)
    return HoldsEndedOut(
        charges=done.charges, amount_minor=done.amount, currency=client.currency, outcome=done.outcome
    )
