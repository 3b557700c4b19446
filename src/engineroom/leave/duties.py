"""What leave asks of somebody: requests that wait for a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from engineroom.foundation import duties
from engineroom.foundation.duties import Duty
from engineroom.leave.models import Booking
from engineroom.ui.display import format_duration, format_period

MOST = 2_000


@duties.register
def requests(clients: Sequence[UUID], today: date) -> list[Duty]:
    """Leave that was asked for: to be decided before it begins, by another person than asked."""
    waiting = (
        Booking.objects.filter(client_id__in=clients, state="asked")
        .select_related("person", "kind")
        .order_by("starts", "id")[:MOST]
    )
    return [
        Duty(
            row.client_id,
            f"Decide of leave of {row.person.name}",
            f"{format_period(row.starts, row.ends)}, {format_duration(row.minutes)}",
            "leave.approve",
            ("leave:calendar", ()),
            due=row.starts,
            subject=("leave_booking", row.id),
        )
        for row in waiting
    ]
