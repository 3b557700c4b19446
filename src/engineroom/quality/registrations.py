"""What promises offer to the rest: a case's clock, on the case's page, and the zone of the client's hours."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID
from zoneinfo import ZoneInfo

from engineroom.quality import templated  # noqa: F401  registers what templates may say
from engineroom.quality.models import Hours
from engineroom.sop import beside, zones
from engineroom.sop.models import Case


@beside.register
def clock_beside(case: Case) -> beside.Beside | None:
    from engineroom.quality import pages  # a page asks; the command line need not load what makes pages

    return pages.clock_beside(case)


@zones.register
def by_hours(client_ids: Collection[UUID]) -> dict[UUID, ZoneInfo]:
    """The zone that the latest of each client's hours count in."""
    latest = Hours.objects.filter(client_id__in=client_ids).order_by("client_id", "-at", "-id")
    rows = latest.distinct("client_id").values_list("client_id", "definition__zone")
    return {client_id: ZoneInfo(zone) for client_id, zone in rows}
