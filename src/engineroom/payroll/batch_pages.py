"""One action over hundreds of clients, and what became of each, while it works."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.foundation.access.models import User
from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import EngineroomError, NotFound
from engineroom.kernel.ids import uuid7
from engineroom.kernel.periods import week_ending
from engineroom.payroll import batch, selectors
from engineroom.ui import listing
from engineroom.ui.fields import DayField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, address, filled_in, form_of, page

NAVIGATION = [NavigationEntry("Pay batch", "payroll:batch", order=26, of="firm")]

FRIDAY = 4

OUTCOMES = {
    "done": ("done", "Done"),
    "nothing": ("void", "Nothing to do"),
    "failed": ("risk", "Failed"),
    "working": ("run", "At work"),
    "queued": ("wait", "Queued"),
}


class NothingChosen(EngineroomError):
    """A batch needs clients."""

    status = 422


class Which(forms.Form):
    """The pay date whose runs a batch is about."""

    pay_date = DayField(label="Pay date")


@dataclass(frozen=True)
class ClientRow:
    """A client as it may be chosen: the state of its run of the pay date, and which actions are for it.

    waiting: timesheets that a run of the pay date would take in.
    """

    client: Client
    run: selectors.RunRow | None
    actions: tuple[str, ...]
    url: str
    waiting: int

    @property
    def is_due(self) -> bool:
        """Whether there is something to do for it, and not only something that might be tried."""
        return bool(self.actions) and (self.run is not None or self.waiting > 0)


def _pay_date(request: PageRequest) -> date:
    try:
        return date.fromisoformat(request.GET.get("pay_date", ""))
    except ValueError:
        today = duties.today()
        return today + timedelta(days=(FRIDAY - today.weekday()) % 7)


@page(None, scope="mine")
def batch_of(request: PageRequest) -> HttpResponse:
    """Which clients have a run of a pay date, how far each is, and what can be done with all of them."""
    day = _pay_date(request)
    mine = {c.id: (c, roles) for c, roles in request.clients if may(roles, "payroll.read")}
    runs = {row.client_id: row for row in selectors.paid_between(list(mine), day, day)} if mine else {}
    through = week_ending(day) - timedelta(days=7)
    waiting = selectors.timesheets_waiting_of(list(mine), through) if mine else {}
    rows = [
        _client(client, roles, runs.get(client.id), waiting.get(client.id, 0))
        for client, roles in mine.values()
    ]
    context = {
        "day": day,
        "form": form_of(request, Which(initial={"pay_date": day})),
        "rows": sorted(rows, key=lambda row: (not row.is_due, not row.actions, row.client.name)),
        "kinds": [
            (
                name,
                kind.label,
                sum(name in row.actions and row.is_due for row in rows),
                any(name in row.actions for row in rows),
            )
            for name, kind in batch.KINDS.items()
        ],
    }
    return render(request, "payroll/batch.html", context)


def _client(client: Client, roles: frozenset[str], run: selectors.RunRow | None, waiting: int) -> ClientRow:
    code = run.state.code if run else "open"
    able = tuple(
        name
        for name, kind in batch.KINDS.items()
        if may(roles, kind.permission) and code in kind.states and (run or name == "calculate")
    )
    url = address("payroll:run", client.code, run.number) if run else address("payroll:runs", client.code)
    return ClientRow(client, run, able, url, waiting)


@action(None, scope="mine")
def start(request: PageRequest) -> Done:
    """Queue a job for each chosen client on which my role allows it."""
    kind = batch.KINDS.get(request.POST.get("action", ""))
    if kind is None:
        raise NothingChosen("choose what is to be done: calculate, ask or release; nothing was begun")
    day = filled_in(Which(request.POST))["pay_date"]
    asked = set(request.POST.getlist("client"))
    chosen = [c.id for c, roles in request.clients if c.code in asked and may(roles, kind.permission)]
    if not chosen:
        raise NothingChosen("choose clients on which your role allows this; nothing was begun")
    batch_id = uuid7()
    batch.start(batch_id, chosen, request.POST["action"], day, request.identity)
    return Done(
        f"{kind.label}: {len(chosen)} clients, a job for each.",
        to=reverse("payroll:batch_results", args=[batch_id]),
    )


@page(None, scope="mine")
def results(request: PageRequest, batch_id: UUID) -> HttpResponse:
    """What became of each client; those that failed first."""
    return render(request, "payroll/batch_results.html", _found(request, batch_id))


@page(None, scope="mine")
def progress(request: PageRequest, batch_id: UUID) -> HttpResponse:
    """The same as a part of that page, asked for while it works."""
    return render(request, "payroll/batch_progress.html", _found(request, batch_id))


@page(None, scope="mine")
def earlier(request: PageRequest) -> HttpResponse:
    """Batches so far over my clients, the latest first."""
    clients = [client.id for client, roles in request.clients if may(roles, "payroll.read")]
    found = batch.batches(clients, request.GET.get("at", ""))
    users = User.objects.filter(id__in={row.by_user_id for row in found.rows})
    names = dict(users.values_list("id", "name"))
    context = {
        "rows": [
            (row, batch.KINDS[row.action].label, names.get(row.by_user_id, ""), _outcome(row))
            for row in found.rows
        ],
        "pager": listing.onward(request, found),
    }
    return render(request, "payroll/batches.html", context)


def _outcome(row: batch.Batch) -> tuple[str, str]:
    if row.left:
        return "run", f"{row.left} to go"
    return ("risk", f"{row.failed} failed") if row.failed else ("done", "Done")


def _found(request: PageRequest, batch_id: UUID) -> dict[str, Any]:
    clients = {client.id: client for client, roles in request.clients if may(roles, "payroll.read")}
    found = batch.parts(batch_id, list(clients))
    if not found:
        raise NotFound("there is no such batch among your clients")
    order = list(OUTCOMES)
    order.insert(0, order.pop(order.index("failed")))
    found.sort(key=lambda one: (order.index(one.outcome), clients[one.client_id].name))
    counts = Counter(one.outcome for one in found)
    left = counts["queued"] + counts["working"]
    return {
        "batch_id": batch_id,
        "label": batch.KINDS[found[0].action].label,
        "rows": [
            (clients[one.client_id], OUTCOMES[one.outcome], one.words,
             address("payroll:runs", clients[one.client_id].code))
            for one in found
        ],
        "done": len(found) - left,
        "total": len(found),
        "counts": [(OUTCOMES[name][1], counts[name]) for name in OUTCOMES if counts[name]],
        "poll_url": reverse("payroll:batch_progress", args=[batch_id]) if left else "",
    }  # fmt: skip


urlpatterns = [
    path("pay-batch", batch_of, name="batch"),
    path("pay-batch/start", start, name="batch_start"),
    path("pay-batch/earlier", earlier, name="batches"),
    path("pay-batch/<uuid:batch_id>", results, name="batch_results"),
    path("pay-batch/<uuid:batch_id>/progress", progress, name="batch_progress"),
]
