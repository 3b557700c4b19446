"""Background jobs of this room: timers fire."""

from __future__ import annotations

from procrastinate.contrib.django import app

from engineroom.foundation.jobs.tasks import periodic
from engineroom.sop import timers


@periodic(app, cron="* * * * * */5", periodic_id="fire_timers")
@app.task(name="sop.fire_timers", queueing_lock="fire_timers")
def fire_timers(timestamp: int = 0) -> None:
    """Fire what is due. Run twice at once, or again after a kill, nothing fires twice."""
    timers.fire_due()
