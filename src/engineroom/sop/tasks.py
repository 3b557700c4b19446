"""Background jobs of this room: timers fire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from procrastinate.contrib.django import app

from engineroom.sop import timers

T = TypeVar("T")


def _periodic(*, cron: str, periodic_id: str) -> Callable[[T], T]:
    """app.periodic, such that mypy 1.18 survives it (see foundation.jobs.tasks)."""
    decorator: Any = app.periodic(cron=cron, periodic_id=periodic_id)
    return cast("Callable[[T], T]", decorator)


@_periodic(cron="* * * * * */5", periodic_id="fire_timers")
@app.task(name="sop.fire_timers", queueing_lock="fire_timers")
def fire_timers(timestamp: int = 0) -> None:
    """Fire what is due. Run twice at once, or again after a kill, nothing fires twice."""
    timers.fire_due()
