"""The calendar for programs: the deadlines of every room."""

from __future__ import annotations

from datetime import date

from ninja import Query, Schema

from engineroom.foundation import deadlines
from engineroom.foundation.api import (
    Day,
    Room,
)
from engineroom.foundation.tenancy.models import Client

router = Room("payroll")


class DeadlinesAsked(Schema):
    """From one day to another, both inclusive."""

    first: Day
    last: Day


class DeadlineOut(Schema):
    """The last day on which something is in time. is_kept: null where what stands does not say."""

    day: date
    kind: str
    what: str
    is_kept: bool | None
    source: str


@router.read("/deadlines", list[DeadlineOut], "Deadlines from one day to another")
def deadlines_of(client: Client, asked: Query[DeadlinesAsked]) -> list[DeadlineOut]:
    """Approvals, payment files, pay dates, what the tax authority expects; of every room, by day."""
    return [
        DeadlineOut(
            day=d.day,
            kind=d.kind,
            what=d.what,
            is_kept=d.is_kept if d.is_tracked else None,
            source=d.source,
        )
        for d in deadlines.between(asked.first, asked.last)
    ]
