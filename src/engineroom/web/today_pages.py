"""Today: what is due, what waits for me, for a colleague or for a client, over all my clients; and the home
of one client, the same board beside what it owns and owes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.foundation.duties import Task
from engineroom.foundation.tenancy.models import Client
from engineroom.ledger.selectors import last_seal, trial_balance
from engineroom.payroll.models import PayRun
from engineroom.payroll.selectors import run_figures
from engineroom.ui import charts
from engineroom.ui.pages import NavigationEntry, PageRequest, address, page

MOST_TASKS = 50
"""What somebody can look at; the count beside it is the whole number."""

STRIP_DAYS = 14

STATES = {
    "mine": ("open", "Waits for me"),
    "colleague": ("wait", "A colleague"),
    "client": ("held", "The client"),
}


@dataclass(frozen=True)
class Row:
    """A task as the table shows it."""

    what: str
    note: str
    client: str
    client_url: str
    url: str
    kind: str
    status: str
    due: date | None
    late: bool
    amount_minor: int | None
    currency: str


@page(None, scope="mine")
def today(request: PageRequest) -> HttpResponse:
    """The board of all my clients."""
    tasks = duties.tasks()
    names = {client.id: client for client, _ in request.clients}
    return render(request, "web/today.html", {**_board(tasks, names), "clients_count": len(names)})


@page("foundation.read")
def home(request: PageRequest, client: str) -> HttpResponse:
    """One client: the board, the latest run, what is open, whether the books balance."""
    assert request.client is not None
    context = _board(duties.tasks(), {request.client.id: request.client})
    run = (
        PayRun.objects.filter(client_id=request.client.id, published__isnull=False)
        .order_by("-pay_date")
        .first()
    )
    figures = run_figures(run) if run else None
    balances = trial_balance()
    currencies = sorted({b.currency for b in balances})
    return render(
        request,
        "web/client_home.html",
        {
            **context,
            "run": run,
            "run_url": address("payroll:run", client, run.number) if run else None,
            "figures": figures,
            "owed": [b for b in balances if b.is_control and b.balance],
            "open_url": address("openitems:items", client),
            "books": [(c, sum(b.balance for b in balances if b.currency == c)) for c in currencies],
            "books_url": address("ledger:books", client),
            "seal": last_seal(),
        },
    )


def _board(tasks: Sequence[Task], clients: dict[UUID, Client]) -> dict[str, object]:
    """Rows are made of what is shown: of 200 clients there are many times as many."""
    day = duties.today()
    mine = [task for task in tasks if task.state == "mine"]
    others = [task for task in tasks if task.state != "mine"]
    late = next((task for task in tasks if task.late), None)
    return {
        "day": day,
        "mine": [_row(task, clients[task.duty.client_id]) for task in mine[:MOST_TASKS]],
        "others": [_row(task, clients[task.duty.client_id]) for task in others[:MOST_TASKS]],
        "left_out": max(0, len(mine) - MOST_TASKS) + max(0, len(others) - MOST_TASKS),
        "counts": {
            "due": sum(t.duty.due == day for t in tasks),
            "mine": len(mine),
            "client": sum(t.state == "client" for t in tasks),
            "late": sum(t.late for t in tasks),
        },
        "first_late": _row(late, clients[late.duty.client_id]) if late else None,
        "strip": _strip([t.duty.due for t in tasks if t.duty.due], day),
    }


def _row(task: Task, client: Client) -> Row:
    duty = task.duty
    kind, status = ("risk", "At risk") if task.late else STATES[task.state]
    if task.late and task.state != "mine":
        status = f"At risk: {STATES[task.state][1].lower()}"
    return Row(
        duty.what,
        duty.note,
        client.name,
        reverse("home", args=[client.code]),
        address(duty.page[0], client.code, *duty.page[1]) or reverse("home", args=[client.code]),
        kind,
        status,
        duty.due,
        task.late,
        duty.amount_minor,
        duty.currency,
    )


def _strip(days: Sequence[date], first: date) -> charts.Chart:
    """How many promises fall on each of the next days; what is overdue stands on the first."""
    counted = [max(day, first) for day in days]
    span = [first + timedelta(days=n) for n in range(STRIP_DAYS)]
    items = [charts.Item(str(day.day), counted.count(day)) for day in span]
    return charts.strip_chart(items, title="Promises in the next two weeks")


NAVIGATION = [
    NavigationEntry("Today", "today", key="t", order=10, of="firm"),
    NavigationEntry("Overview", "home", "foundation.read", key="v", order=100),
]

urlpatterns = [
    path("today", today, name="today"),
    path("c/<str:client>", home, name="home"),
]
