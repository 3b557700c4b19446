"""The portal at a glance: what needs the client, what the last run cost, what customers owe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from engineroom.billing import selectors as billing
from engineroom.foundation import duties
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.payroll import selectors as payroll
from engineroom.payroll.costs import cost_of
from engineroom.ui.pages import NavigationEntry, PageRequest, page

FACES = ("client",)

NAVIGATION = [
    NavigationEntry("Overview", "portal", key="h", order=10, of="firm", faces=FACES),
    NavigationEntry("At a glance", "portal_client", "foundation.read", key="t", order=100, faces=FACES),
    NavigationEntry("Pay runs", "portal_runs", "payroll.read", key="p", order=110, faces=FACES),
    NavigationEntry("Files in", "portal_imports", "timesheets.prepare", key="f", order=130, faces=FACES),
    NavigationEntry("Invoices", "portal_invoices", "billing.read", key="i", order=120, faces=FACES),
]


@dataclass(frozen=True)
class Need:
    """Something that waits for the client. mine: for the one who looks, and not for a colleague."""

    what: str
    note: str
    url: str
    due: date | None
    late: bool
    mine: bool
    amount_minor: int | None
    currency: str
    client: str


def _needs(clients: Sequence[Client]) -> list[Need]:
    """Approvals that a role of the client's may give, what breaks first at the top."""
    codes = {c.id: c for c in clients}
    found = []
    for task in duties.tasks():
        duty = task.duty
        client = codes[duty.client_id]
        if duty.subject and duty.subject[0] == "client_request":
            found.append(_asked(task, client))
            continue
        page_of = {"pay_run": "portal_run", "bill_run": "portal_bill_run"}.get(
            duty.subject[0] if duty.subject else ""
        )
        if page_of is None or not duty.permission.endswith(".approve"):
            continue
        url = reverse(page_of, args=[client.code, *duty.page[1]])
        found.append(
            Need(
                duty.what,
                duty.note,
                url,
                duty.due,
                task.late,
                task.state == "mine"
                or (task.state == "client" and current_scope().may(duty.permission, client.id)),
                duty.amount_minor,
                duty.currency,
                client.name,
            )
        )
    return found


def _asked(task: duties.Task, client: Client) -> Need:
    """A request of the firm's: the clock of its case stands still until somebody answers."""
    duty = task.duty
    assert duty.subject is not None
    url = reverse("portal_request", args=[client.code, duty.subject[1]])
    note = f"{duty.note}; our clock stands still until you answer"
    return Need(
        what=duty.what,
        note=note,
        url=url,
        due=duty.due,
        late=task.late,
        mine=True,
        amount_minor=None,
        currency=duty.currency,
        client=client.name,
    )


@page("foundation.read", scope="mine", faces=FACES)
def portal(request: PageRequest) -> HttpResponse:
    """All companies of a contact; of one company alone, its own page."""
    clients = [client for client, _ in request.clients]
    if len(clients) == 1:
        return redirect("portal_client", clients[0].code)
    return render(request, "web/portal.html", {"needs": _needs(clients), "companies": clients})


@page("foundation.read", faces=FACES)
def home(request: PageRequest, client: str) -> HttpResponse:
    """What we need from you, what the last run cost, what customers owe."""
    assert request.client is not None
    runs = payroll.runs().rows if request.may("payroll.read") else ()
    paid = next((run for run in runs if run.is_released), None)
    cost = cost_of(payroll.named_run(paid.number)) if paid else None
    return render(
        request,
        "web/portal_client.html",
        {
            "needs": _needs([request.client]),
            "paid": paid,
            "cost": cost,
            "runs": runs[:5],
            "receivables": billing.receivables(),
            "owed": _owed(request.client.currency),
        },
    )


@dataclass(frozen=True)
class Owing:
    customer: str
    code: str
    open: int
    overdue: int
    invoices: int


def _owed(currency: str) -> list[Owing]:
    """Customers with open invoices in the client's currency, most first."""
    found: dict[str, Owing] = {}
    for state in ("overdue", "part paid", "issued"):
        for row in billing.invoices(state=state).rows:
            if row.currency != currency:
                continue
            before = found.get(row.customer_code) or Owing(row.customer, row.customer_code, 0, 0, 0)
            late = row.open if row.overdue else 0
            found[row.customer_code] = Owing(
                row.customer, row.customer_code, before.open + row.open, before.overdue + late,
                before.invoices + 1,
            )  # fmt: skip
    return sorted(found.values(), key=lambda o: -o.open)


urlpatterns = [
    path("portal", portal, name="portal"),
    path("portal/<str:client>", home, name="portal_client"),
]
