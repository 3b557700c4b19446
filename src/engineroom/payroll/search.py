"""Pay runs, found by their number: "run 2", "pay run 2"; or by their pay date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from engineroom.foundation import search
from engineroom.foundation.search import Hit
from engineroom.payroll.models import PayRun
from engineroom.ui.display import format_day

_RUN = re.compile(r"(?:pay\s+)?run\s*#?\s*(\d{1,6})", re.IGNORECASE)


def _runs(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    rows = PayRun.objects.filter(client_id__in=clients)
    if found := _RUN.fullmatch(text):
        rows = rows.filter(number=int(found[1]))
    elif (day := _day(text)) is not None:
        rows = rows.filter(pay_date=day)
    else:
        return []
    return [
        Hit(
            run.client_id,
            f"Pay run {run.number}",
            f"paid on {format_day(run.pay_date)}",
            ("payroll:run", (run.number,)),
        )
        for run in rows.order_by("-pay_date", "-number")[:limit]
    ]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


search.register("Pay runs", _runs, permission="payroll.read")
