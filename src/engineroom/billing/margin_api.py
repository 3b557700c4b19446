"""Quotes, floors, and rates allowed below them, for programs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from ninja import Field, Query, Schema

from engineroom.billing import margin, margins
from engineroom.billing.solving import Unsolvable, solve
from engineroom.foundation.api import Asked, Day, Name, Page, Reason, Room, Text, log_read, refuse_masked
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.timesheets.rates import MAX_RATE, MINUTES_A_WEEK

router = Room("billing")
HourRate = Annotated[int, Field(ge=1, le=MAX_RATE)]


class QuoteAsked(Asked):
    """Two of pay, bill and markup (parts per million of pay); the third follows."""

    pay_rate_minor: HourRate | None = None
    bill_rate_minor: HourRate | None = None
    markup_ppm: Annotated[int, Field(gt=-1_000_000, le=100_000_000)] | None = None
    day: Day
    week_minutes: Annotated[int, Field(ge=1, le=MINUTES_A_WEEK)] | None = None
    with_levy: bool | None = None


class QuoteOut(Schema):
    """An hour's rates, and a week of them: minor units. after_ppm: what is left of the bill."""

    pay_rate_minor: int
    bill_rate_minor: int
    markup_ppm: int
    week_minutes: int
    pay_minor: int
    holiday_minor: int
    nic_minor: int
    pension_minor: int
    levy_minor: int
    bill_minor: int
    before_minor: int
    after_minor: int
    after_ppm: int
    floor_ppm: int | None
    least_bill_rate_minor: int | None
    below_floor: bool
    sources: list[str]
    currency: str


class FloorAsked(Asked):
    """The least share of the bill that a rate leaves after the on-costs of a week."""

    starts: Day
    floor_ppm: Annotated[int, Field(ge=0, lt=1_000_000)]
    week_minutes: Annotated[int, Field(ge=1, le=MINUTES_A_WEEK)] = 40 * 60
    with_levy: bool = False
    reason: Reason


class FloorSetOut(Schema):
    floor_id: UUID
    starts: date


class BelowFloorAsked(Asked):
    """The very rate of a customer's role that somebody else may enter."""

    customer: Name
    role: Annotated[Text, Field(min_length=1, max_length=100)]
    pay_rate_minor: HourRate
    bill_rate_minor: HourRate
    reason: Reason


class BelowFloorOut(Schema):
    below_floor_id: UUID


@router.read("/quote", QuoteOut, "Pay, bill or markup from the other two, and what is left")
def quote(client: Client, asked: Query[QuoteAsked]) -> QuoteOut:
    """By the on-costs of the law of a day; nothing is kept."""
    try:
        solved = solve(pay=asked.pay_rate_minor, bill=asked.bill_rate_minor, markup_ppm=asked.markup_ppm)
    except Unsolvable as error:
        raise InputRefused([Problem(str(error), "Send two of them")]) from None
    found = margin.quote(
        solved.pay, solved.bill, asked.day, week_minutes=asked.week_minutes, with_levy=asked.with_levy
    )
    week = found.week
    return QuoteOut(
        pay_rate_minor=solved.pay,
        bill_rate_minor=solved.bill,
        markup_ppm=solved.markup_ppm,
        week_minutes=week.minutes,
        pay_minor=week.pay,
        holiday_minor=week.holiday,
        nic_minor=week.nic,
        pension_minor=week.pension,
        levy_minor=week.levy,
        bill_minor=week.bill,
        before_minor=week.before,
        after_minor=week.after,
        after_ppm=week.after_ppm,
        floor_ppm=found.floor_ppm,
        least_bill_rate_minor=found.least_bill,
        below_floor=found.below,
        sources=[f"{v.table} from {v.starts}: {v.source}" for v in found.versions],
        currency=client.currency,
    )


class MarginOut(Schema):
    """Of a customer, an assignment or a month. Minor units; minutes as paid."""

    month: date | None
    customer: str
    assignment: str
    minutes: int
    income_minor: int
    pay_minor: int
    before_minor: int
    on_costs_minor: int
    after_minor: int
    currency: str


@router.read("/margin", Page[MarginOut], "What is left, from the ledger")
def margin_of(client: Client, since: Day, until: Day, by: margins.By = "customer") -> Page[MarginOut]:
    """Income, pay and on-costs of a period, by customer, assignment or month. The read is logged."""
    refuse_masked("pay", "the margin")
    if not timedelta() <= until - since <= timedelta(days=3 * 366):
        raise InputRefused([Problem("ask for a period of up to three years", "Correct a day", field="until")])
    rows = margins.margins(since, until, by=by, currency=client.currency)
    log_read("margin", None, "pay by assignment", len(rows))
    return Page(
        items=[
            MarginOut(
                month=row.month if by == "month" else None,
                customer=row.customer_code,
                assignment=row.assignment,
                minutes=row.minutes,
                income_minor=row.income,
                pay_minor=row.wages,
                before_minor=row.before,
                on_costs_minor=row.on_costs,
                after_minor=row.after,
                currency=client.currency,
            )
            for row in rows
        ]
    )


@router.command("/margin-floors", FloorSetOut, "Set the floor under rates", permission="billing.approve")
def set_margin_floor(client: Client, asked: FloorAsked) -> margin.FloorSet:
    """The floor before ends the day before."""
    return margin.set_margin_floor(
        asked.starts,
        asked.floor_ppm,
        week_minutes=asked.week_minutes,
        with_levy=asked.with_levy,
        reason=asked.reason,
    )


@router.command("/below-floor", BelowFloorOut, "Allow a rate below the floor", permission="billing.approve")
def allow_below_floor(client: Client, asked: BelowFloorAsked) -> margin.Allowed:
    """Whoever allows it does not enter it."""
    return margin.allow_below_floor(
        asked.customer, asked.role, asked.pay_rate_minor, asked.bill_rate_minor, reason=asked.reason
    )
