"""Today: what is due, what waits for me, for a colleague or for a client, over all my clients; and the home
of one client, the same board beside what it owns and owes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.foundation import duties, kept
from engineroom.foundation.duties import Task
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.ledger.selectors import Balance, last_seal, trial_balance
from engineroom.payroll import cut_off, schedules
from engineroom.payroll.costs import total_cost
from engineroom.payroll.jurisdictions import period_in_words
from engineroom.payroll.models import PayRun
from engineroom.payroll.selectors import RunFigures, run_figures
from engineroom.ui import charts
from engineroom.ui.pages import NavigationEntry, PageRequest, address, page

AT_FIRST = 20
"""Tasks of each list that a board begins with; the count beside it is the whole number."""

AT_MOST = 500
"""Of one list, where it is asked for."""

STRIP_DAYS = 14

LOOK_BACK = timedelta(days=35)
PERIODS_AHEAD = 8
"""A period may be paid weeks after its end: of eight periods from five weeks ago on, one is paid next."""

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
    return render(request, "web/today.html", {**_board(request), "clients_count": len(request.clients)})


@page("foundation.read")
def home(request: PageRequest, client: str) -> HttpResponse:
    """One client: the board, the latest run, what is open, whether the books balance."""
    assert request.client is not None
    context = _board(request)
    here = kept.of_client("home", _standing)
    run, balances = here.run, here.balances
    currencies = sorted({b.currency for b in balances})
    return render(
        request,
        "web/client_home.html",
        {
            **context,
            "run": run,
            "tax_words": period_in_words(run) if run else "",
            "run_url": address("payroll:run", client, run.number) if run else None,
            "figures": here.figures,
            "cost": here.cost,
            "paydays": kept.of_client(("paydays", context["day"]), lambda: _paydays(duties.today())),
            "inputs_url": address("inputs", client),
            "owed": [b for b in balances if b.is_control and b.balance],
            "open_url": address("openitems:items", client),
            "books": [(c, sum(b.balance for b in balances if b.currency == c)) for c in currencies],
            "books_url": address("ledger:books", client),
            "seal": last_seal(),
        },
    )


@dataclass(frozen=True)
class Standing:
    """How a client stands: its latest calculated run, and its books."""

    run: PayRun | None
    figures: RunFigures | None
    cost: int
    balances: list[Balance]


def _standing() -> Standing:
    latest = PayRun.objects.filter(client_id=current_client_id(), published__isnull=False)
    run = latest.select_related("published").order_by("-pay_date").first()
    figures = run_figures(run) if run else None
    cost = total_cost(run, figures.totals) if run and figures else 0
    return Standing(run, figures, cost, trial_balance())


@dataclass(frozen=True)
class Payday:
    """What a schedule pays next. closes: the last day for inputs; None where that is its release."""

    schedule: str
    closes: date | None
    paid: date


def _paydays(today: date) -> list[Payday]:
    """The next of each schedule, the soonest first."""
    found = []
    for row in schedules.pay_schedules():
        ahead = (p for p in schedules.periods_from(row, today - LOOK_BACK, PERIODS_AHEAD) if p.paid >= today)
        if row.ends is None and (period := next(ahead, None)):
            found.append(Payday(row.name, cut_off.cut_off_of(row, period).closes, period.paid))
    return sorted(found, key=lambda one: (one.paid, one.schedule))


def _board(request: PageRequest) -> dict[str, object]:
    """Rows are made of what is shown: of 200 clients there are many times as many."""
    tasks, day = duties.tasks(), duties.today()
    lists = {
        "mine": [task for task in tasks if task.state == "mine"],
        "others": [task for task in tasks if task.state != "mine"],
    }
    whole = request.GET.get("all")

    def rows(name: str) -> list[Row]:
        shown = lists[name][: AT_MOST if whole == name else AT_FIRST]
        return [_row(task, request.clients.of(task.duty.client_id)) for task in shown]

    late = next((task for task in tasks if task.late), None)
    return {
        "day": day,
        "mine": rows("mine"),
        "others": rows("others"),
        "more": {
            name: len(found) for name, found in lists.items() if len(found) > AT_FIRST and whole != name
        },
        "left_out": max(0, len(lists[whole]) - AT_MOST) if whole in lists else 0,
        "counts": {
            "due": sum(t.duty.due == day for t in tasks),
            "mine": len(lists["mine"]),
            "client": sum(t.state == "client" for t in tasks),
            "late": sum(t.late for t in tasks),
        },
        "first_late": _row(late, request.clients.of(late.duty.client_id)) if late else None,
        "strip": _strip([t.duty.due for t in tasks if t.duty.due], day),
    }


def _row(task: Task, client: Client) -> Row:
    duty, home_url = task.duty, address("home", client.code)
    kind, status = ("risk", "At risk") if task.late else STATES[task.state]
    if task.late and task.state != "mine":
        status = f"At risk: {STATES[task.state][1].lower()}"
    return Row(
        duty.what,
        duty.note,
        client.name,
        home_url,
        address(duty.page[0], client.code, *duty.page[1]) or home_url,
        kind,
        status,
        duty.due,
        task.late,
        duty.amount_minor,
        duty.currency,
    )


def _strip(days: Sequence[date], first: date) -> charts.Chart:
    """How many promises fall on each of the next days; what is overdue stands on the first."""
    counted = Counter(max(day, first) for day in days)
    span = [first + timedelta(days=n) for n in range(STRIP_DAYS)]
    items = [charts.Item(str(day.day), counted[day]) for day in span]
    return charts.strip_chart(items, title="Promises in the next two weeks")


NAVIGATION = [
    NavigationEntry("Today", "today", key="t", order=10, of="firm"),
    NavigationEntry("Overview", "home", "foundation.read", key="v", order=100),
]

urlpatterns = [
    path("today", today, name="today"),
    path("c/<str:client>", home, name="home"),
]
