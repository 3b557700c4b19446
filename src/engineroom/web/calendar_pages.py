"""The calendar: every client's deadlines of a month, over all clients that I may read."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.foundation import deadlines, duties
from engineroom.kernel.errors import NotFound
from engineroom.ui.pages import NavigationEntry, PageRequest, address, page

NAVIGATION = [NavigationEntry("Calendar", "calendar", order=22, of="firm")]

STATES = {
    "ahead": ("open", "Ahead"),
    "kept": ("done", "Kept"),
    "missed": ("risk", "Missed"),
    "passed": ("void", "Passed"),
}

MOST = 1_000
"""Rows of one page; a filter by kind or client shows the rest."""


@dataclass(frozen=True)
class Row:
    """A deadline as the table shows it."""

    day: date
    is_first: bool
    client: str
    client_url: str
    kind: str
    what: str
    url: str
    shape: str
    status: str
    source: str


def _month(text: str) -> date:
    """The first day of a month that is written 2026-11; empty, of this one."""
    if not text:
        return duties.today().replace(day=1)
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        month = date.min
    if not deadlines.KNOWN[0] <= month <= deadlines.KNOWN[1]:
        raise NotFound("write the month as 2026-11")
    return month


@page(None, scope="mine")
def calendar(request: PageRequest) -> HttpResponse:
    """A month of deadlines, by day."""
    first = _month(request.GET.get("month", "")[:7])
    last = first.replace(day=monthrange(first.year, first.month)[1])
    found = deadlines.between(first, last)
    kinds = sorted({one.kind for one in found})
    kind, code = request.GET.get("kind", ""), request.GET.get("client", "")[:20]
    clients = {client.id: client for client, _ in request.clients}
    shown = [
        one
        for one in found
        if (not kind or one.kind == kind)
        and (not code or (one.client_id in clients and clients[one.client_id].code == code))
    ]
    context = {
        "rows": _rows(shown[:MOST], clients),
        "left_out": max(0, len(shown) - MOST),
        "kinds": kinds,
        "kind": kind if kind in kinds else "",
        "code": code,
        "firms_clients": list(clients.values()),
        "first": first,
        "before": f"{first - timedelta(days=1):%Y-%m}",
        "after": f"{last + timedelta(days=1):%Y-%m}",
        "missed": sum(one.state_on(duties.today()) == "missed" for one in shown),
        "ahead": sum(one.state_on(duties.today()) == "ahead" for one in shown),
        "count": len(shown),
    }
    return render(request, "web/calendar.html", context)


def _rows(found: Sequence[deadlines.Deadline], clients: dict) -> list[Row]:  # type: ignore[type-arg]
    today = duties.today()
    rows: list[Row] = []
    for place, one in enumerate(found):
        client = clients[one.client_id]
        shape, status = STATES[one.state_on(today)]
        is_first = place == 0 or found[place - 1].day != one.day
        url = address(one.page[0], client.code, *one.page[1])
        rows.append(
            Row(one.day, is_first, client.name, address("home", client.code), one.kind, one.what, url, shape,
                status, one.source)
        )  # fmt: skip
    return rows


urlpatterns = [path("calendar", calendar, name="calendar")]
