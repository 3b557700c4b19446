"""What an off-boarding sets off: the open tasks of whoever left go on, one client at a time."""

from __future__ import annotations

from uuid import UUID

from procrastinate.contrib.django import app

from engineroom.foundation.access import services as access
from engineroom.foundation.tenancy.scope import acting
from engineroom.sop import services as sop
from engineroom.workforce.models import OffBoarding


@app.task(name="workforce.hand_over")
def hand_over_job(client_id: str, offboarding_id: str) -> None:
    """Run again, it finds nothing left to hand over."""
    with acting(access.system_user(), write=UUID(client_id)):
        row = OffBoarding.objects.get(id=UUID(offboarding_id))
        sop.hand_over(row.user_id, row.successor_id, f"off-boarded: {row.reason}")
