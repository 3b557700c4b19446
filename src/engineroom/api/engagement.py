"""What the firm does for the client: every agreement, and new ones."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from ninja import Field, Schema
from pydantic import StringConstraints

from engineroom.foundation.api import NO_NUL, Asked, Day, Room, Text
from engineroom.foundation.engagement import selectors, services
from engineroom.foundation.engagement.selectors import ServiceLine, Terms
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.money import MAX_MINOR

router = Room("foundation")

Line = Annotated[str, StringConstraints(max_length=services.LONGEST_LEVEL, pattern=NO_NUL)]
Who = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]
Why = Annotated[str, StringConstraints(max_length=300, pattern=NO_NUL)]
Long = Annotated[str, StringConstraints(max_length=services.LONGEST_TERMS, pattern=NO_NUL)]


class ServiceIn(Asked):
    """A service line: payroll, pay_and_bill, credit_control, payments, bookkeeping or advice; its price for a
    month, payslip, invoice or hour, or included; and what is promised."""

    service: Text
    basis: Text
    price_minor: int = Field(0, ge=0, le=MAX_MINOR)
    level: Line = ""


class TermsIn(Asked):
    """What was agreed from a day on. Without services the engagement ends that day, and `reason` says why."""

    starts: Day
    agreed_on: Day
    agreed_with: Who
    services: Annotated[list[ServiceIn], Field(max_length=50)]
    data_processing: Long = ""
    reason: Why = ""


class ServiceOut(Schema):
    """A service line, its price in the client's currency before tax."""

    service: str
    basis: str
    price_minor: int
    level: str


class TermsOut(Schema):
    """An agreement. superseded: another one of the same day took its place."""

    id: UUID
    number: int
    starts: date
    agreed_on: date
    agreed_with: str
    services: list[ServiceOut]
    data_processing: str
    reason: str
    at: datetime
    superseded: bool


class EveryTermsOut(Schema):
    """Every agreement, the latest first: one page, because there are few."""

    items: list[TermsOut]


@router.read("/engagement-terms", EveryTermsOut, "What was agreed with the client")
def terms(client: Client) -> EveryTermsOut:
    """What holds on a day is the first that starts by then and is not superseded."""
    return EveryTermsOut(items=[_terms(row) for row in selectors.all_terms()])


@router.command(
    "/engagement-terms", services.TermsAgreed, "Keep what was agreed", permission="foundation.prepare"
)
def agree_terms(client: Client, asked: TermsIn) -> services.TermsAgreed:
    """From a day on. Nothing that stood before is rewritten; terms of the same day take its place."""
    if not asked.services:
        return services.end_engagement(
            asked.starts, agreed_on=asked.agreed_on, agreed_with=asked.agreed_with, reason=asked.reason
        )
    return services.agree_terms(
        asked.starts,
        agreed_on=asked.agreed_on,
        agreed_with=asked.agreed_with,
        services=[ServiceLine(s.service, s.basis, s.price_minor, s.level) for s in asked.services],
        data_processing=asked.data_processing,
        reason=asked.reason,
    )


def _terms(row: Terms) -> TermsOut:
    return TermsOut(
        id=row.id,
        number=row.number,
        starts=row.starts,
        agreed_on=row.agreed_on,
        agreed_with=row.agreed_with,
        services=[
            ServiceOut(service=s.service, basis=s.basis, price_minor=s.price_minor, level=s.level)
            for s in row.lines
        ],
        data_processing=row.data_processing,
        reason=row.reason,
        at=row.at,
        superseded=row.superseded,
    )
