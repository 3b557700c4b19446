"""Leave for programs: kinds, balances, what is booked; recorded, decided of and taken back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ninja import Field, Query, Schema

from engineroom.foundation.api import Asked, Day, Name, Page, PageAsked, ReasonAsked, Room, cut, hides, one
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.rates import ppm
from engineroom.leave import entitling, selectors, services
from engineroom.leave.models import Booking, LeaveKind
from engineroom.people.models import Person

router = Room("leave")


class LeaveKindOut(Schema):
    """A kind of leave. element: the pay element that pays it; empty: unpaid."""

    id: UUID
    code: str
    label: str
    unit: str
    element: str
    entitles: bool
    needs_approval: bool
    ends: date | None


class LeaveBookingOut(Schema):
    """Leave asked for or recorded. kind: `away` where the caller's role sees no health data."""

    id: UUID
    person_id: UUID
    kind: str
    starts: date
    ends: date
    from_noon: bool
    until_noon: bool
    minutes: int
    state: str


class LeaveBalanceOut(Schema):
    """In minutes, as at a day. available: what may still be asked for in the leave year."""

    kind: str
    year_starts: date
    year_ends: date
    given: int
    taken: int
    left: int
    booked: int
    asked: int
    available: int


class LeaveAsked(Asked):
    """A stretch of leave. minutes: of one day alone. waits: another person decides of it."""

    person_id: UUID
    kind: str
    starts: Day
    ends: Day
    from_noon: bool = False
    until_noon: bool = False
    minutes: int | None = None
    waits: bool = False


class LeaveBooked(Schema):
    """A booking as it stands now."""

    booking_id: UUID
    person_id: UUID
    state: str
    minutes: int


def _booking(row: Booking, hidden: bool) -> LeaveBookingOut:
    kind = "away" if hidden and row.kind.private else row.kind.code
    return LeaveBookingOut(
        id=row.id, person_id=row.person_id, kind=kind, starts=row.starts, ends=row.ends,
        from_noon=row.from_noon, until_noon=row.until_noon, minutes=row.minutes, state=row.state,
    )  # fmt: skip


@router.read("/leave/kinds", Page[LeaveKindOut], "Kinds of leave")
def kinds(client: Client, page: Query[PageAsked]) -> Page[LeaveKindOut]:
    """Every kind that is or was offered."""
    rows, onward = cut(LeaveKind.objects.filter(client_id=client.id), page, by="code")
    return Page(items=[LeaveKindOut.from_orm(row) for row in rows], next=onward)


@router.read("/leave/bookings", Page[LeaveBookingOut], "Leave by its first day")
def bookings(client: Client, page: Query[PageAsked]) -> Page[LeaveBookingOut]:
    """Everything that was asked for or recorded, in whatever state."""
    found = Booking.objects.filter(client_id=client.id).select_related("kind")
    rows, onward = cut(found, page, by="starts")
    hidden = hides("health")
    return Page(items=[_booking(row, hidden) for row in rows], next=onward)


@router.read("/leave/people/{person_id}/balances", list[LeaveBalanceOut], "What somebody has left")
def balances(client: Client, person_id: UUID, as_at: Day) -> list[LeaveBalanceOut]:
    """Of every kind that entitles to something, as at a day."""
    row = one(Person.objects.all(), "person", person_id)
    return [
        LeaveBalanceOut(
            kind=b.kind.code, year_starts=b.year.starts, year_ends=b.year.ends, given=b.given, taken=b.taken,
            left=b.left, booked=b.booked, asked=b.asked, available=b.available,
        )
        for b in selectors.balances_of(row.counterparty_id, as_at)
    ]  # fmt: skip


def _booked(done: services.Booked) -> LeaveBooked:
    return LeaveBooked(
        booking_id=done.booking_id, person_id=done.person_id, state=done.state, minutes=done.minutes
    )


@router.command("/leave/bookings", LeaveBooked, "Record leave", permission="leave.prepare")
def record(client: Client, asked: LeaveAsked) -> LeaveBooked:
    """As it was agreed, which stands at once; or as a request, of which another person decides."""
    stretch = services.Stretch(asked.starts, asked.ends, asked.from_noon, asked.until_noon, asked.minutes)
    verb = services.ask_for if asked.waits else services.record
    return _booked(verb(asked.person_id, services.kind_coded(asked.kind).id, stretch))


@router.command(
    "/leave/bookings/{booking_id}/approve", LeaveBooked, "Approve leave", permission="leave.approve"
)
def approve(client: Client, booking_id: UUID) -> LeaveBooked:
    """Not for whoever asked for it."""
    return _booked(services.approve(booking_id))


@router.command(
    "/leave/bookings/{booking_id}/refuse", LeaveBooked, "Refuse leave", permission="leave.approve"
)
def refuse(client: Client, booking_id: UUID, asked: ReasonAsked) -> LeaveBooked:
    """With the reason, which whoever asked reads."""
    return _booked(services.refuse(booking_id, reason=asked.reason))


@router.command(
    "/leave/bookings/{booking_id}/cancel", LeaveBooked, "Take leave back", permission="leave.prepare"
)
def cancel(client: Client, booking_id: UUID, asked: ReasonAsked) -> LeaveBooked:
    """Its days are undone in the ledger, with the reason."""
    return _booked(services.cancel(booking_id, reason=asked.reason))


# --- entitlements -----------------------------------------------------------------------------------------


class EntitlementOut(Schema):
    """What a kind entitles to from a day on. person_id: of whom alone; null: of everybody else. weeks: a
    year, as a decimal number; carry_months 0: what goes on does not lapse."""

    kind: str
    person_id: UUID | None
    starts: date
    ends: date | None
    weeks: str
    most_days: int
    year_month: int
    year_day: int
    accrual: str
    carry_weeks: str
    carry_months: int


class EntitlementAsked(Asked):
    """From a day on; the one before ends the day before. Bring the leave year up to date afterwards."""

    kind: Name
    starts: Day
    weeks: Decimal = Field(ge=0, le=53, max_digits=8, decimal_places=6)
    most_days: int = Field(0, ge=0, le=366)
    year_month: int = Field(1, ge=1, le=12)
    year_day: int = Field(1, ge=1, le=28)
    accrual: Literal["front", "monthly", "hours"] = "front"
    carry_weeks: Decimal = Field(Decimal(0), ge=0, le=106, max_digits=9, decimal_places=6)
    carry_months: int = Field(0, ge=0, le=24)
    person_id: UUID | None = None


@router.read("/leave/entitlements", list[EntitlementOut], "What kinds of leave entitle to")
def entitlements(client: Client) -> list[EntitlementOut]:
    """All that was ever said, by kind and first day."""
    return [
        EntitlementOut(
            kind=row.kind.code, person_id=row.person_id, starts=row.starts, ends=row.ends, weeks=row.weeks,
            most_days=row.most_days, year_month=row.year_month, year_day=row.year_day, accrual=row.accrual,
            carry_weeks=row.carry_weeks, carry_months=row.carry_months,
        )
        for row in selectors.policies()
    ]  # fmt: skip


@router.command(
    "/leave/entitlements", entitling.PolicySet, "Say what a kind entitles to", permission="leave.prepare"
)
def set_entitlement(client: Client, asked: EntitlementAsked) -> entitling.PolicySet:
    """Everybody, or one person otherwise."""
    return entitling.set_policy(
        services.kind_coded(asked.kind).id,
        asked.starts,
        weeks_ppm=ppm(asked.weeks),
        most_days=asked.most_days,
        year_month=asked.year_month,
        year_day=asked.year_day,
        accrual=asked.accrual,
        accrual_ppm=entitling.accrual_of_law(asked.starts) if asked.accrual == "hours" else 0,
        carry_ppm=ppm(asked.carry_weeks),
        carry_months=asked.carry_months,
        person_id=asked.person_id,
    )
