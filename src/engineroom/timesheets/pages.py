"""Weeks of hours: which wait, which are paid, which are held, and what every hour became."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.safestring import SafeString

from engineroom.kernel.errors import NotFound
from engineroom.people.models import Person
from engineroom.people.panels import register_panel
from engineroom.timesheets import answer_pages, entered_pages, order_pages, rate_pages, selectors, services
from engineroom.ui import listing
from engineroom.ui.charts import Item, bars_chart
from engineroom.ui.display import format_count, format_day, format_money
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, page

app_name = "timesheets"

STATE_WORDS = {
    "waiting": "waiting for a run",
    "in_run": "in a run",
    "disputed": "disputed by the customer",
    "held": "held, not billable yet",
}

NAVIGATION = [
    NavigationEntry("Time", "timesheets:list", "timesheets.read", key="h", order=220),
    *rate_pages.NAVIGATION,
    *entered_pages.NAVIGATION,
    *order_pages.NAVIGATION,
    *answer_pages.NAVIGATION,
]


@page("timesheets.read")
def weeks(request: PageRequest, client: str) -> HttpResponse:
    """Timesheets of the client, newest week first."""
    asked = _asked(request)
    found = selectors.timesheets(
        week=asked.week,
        customer=asked.customer,
        person=asked.person,
        state=asked.state,
        cursor=request.GET.get("at", ""),
    )
    recent = selectors.recent_weeks()
    shown = asked.week or (recent[0] if recent else None)
    context = {
        "rows": found.rows,
        "pager": listing.onward(request, found),
        "filtered": asked.words,
        "asked": asked,
        "weeks": recent,
        "customers": selectors.customers(),
        "states": STATE_WORDS.items(),
        "week": selectors.week(shown) if shown else None,
        "week_words": f"week ending {format_day(shown)}" if shown else "",
        "run_page": selectors.run_page(),
        "may_prepare": request.may("timesheets.prepare"),
    }
    return render(request, "timesheets/weeks.html", context)


@dataclass(frozen=True)
class Asked:
    """The filters of the list. customer, person: by code and payroll number."""

    week: date | None
    customer: str
    person: str
    state: str

    @property
    def words(self) -> str:
        """What the filters leave, in words; empty where there is none."""
        parts = [
            f"week ending {format_day(self.week)}" if self.week else "",
            f"customer {self.customer}" if self.customer else "",
            f"person {self.person}" if self.person else "",
            STATE_WORDS.get(self.state, ""),
        ]
        return ", ".join(filter(None, parts))


def _asked(request: PageRequest) -> Asked:
    """The filters of the address. Raises NotFound for a week that is no day."""
    week = request.GET.get("week", "")
    try:
        day = date.fromisoformat(week) if week else None
    except ValueError:
        raise NotFound(f"{week!r} is not a day; write it as 2026-11-22") from None
    customer, person, state = (request.GET.get(name, "") for name in ("customer", "person", "state"))
    return Asked(day, customer, person, state if state in selectors.STATES else "")


@page("timesheets.read", reads="timesheet")
def timesheet(request: PageRequest, client: str, timesheet_id: UUID) -> HttpResponse:
    """One week of one assignment: days, what each became, what is held and why."""
    request.reading(timesheet_id)
    view = selectors.timesheet(timesheet_id)
    if view is None:
        raise NotFound("there is no such timesheet")
    assert request.client is not None
    chart = bars_chart(
        [Item(format_day(day.day), sum(c.bill_minor for c in day.charges)) for day in view.days],
        request.client.currency,
        title="Billable by day",
    )
    context = {
        "sheet": view,
        "chart": chart,
        "hides_pay": "pay" in request.masked,
        "run_page": selectors.run_page(),
        "may_end": request.may("timesheets.prepare"),
    }
    return render(request, "timesheets/timesheet.html", context)


@action("timesheets.prepare")
def end_holds(request: PageRequest, client: str, timesheet_id: UUID) -> Done:
    """The customer agreed, or the hours are written off to margin; the reason is kept."""
    done = services.end_holds(
        timesheet_id,
        outcome=request.POST.get("outcome", ""),
        reason=request.POST.get("reason", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    assert request.client is not None
    amount = format_money(done.amount, request.client.currency)
    became = "may be billed" if done.outcome == "billable" else "is written off to margin"
    return Done(
        f"The hold has ended: {format_count(done.charges, 'charge')}, {amount}, {became}.",
        to=reverse("timesheets:timesheet", args=[client, timesheet_id]),
    )


def _placements(request: PageRequest, person: Person) -> SafeString | None:
    """A person's assignments with their rates, and their latest weeks."""
    if not request.may("timesheets.read"):
        return None
    placements = selectors.placements(person.counterparty_id)
    sheets = selectors.timesheets(person=person.payroll_number)
    if not placements and not sheets.rows:
        return None
    context = {
        "placements": placements,
        "sheets": sheets.rows[:12],
        "more": len(sheets.rows) > 12,
        "person": person,
        "client": request.client,
        "hides_pay": "pay" in request.masked,
        "run_page": selectors.run_page(),
    }
    return render_to_string("timesheets/of_person.html", context)


register_panel(_placements, order=20)

urlpatterns = [
    path("c/<str:client>/time", weeks, name="list"),
    path("c/<str:client>/time/<uuid:timesheet_id>", timesheet, name="timesheet"),
    path("c/<str:client>/time/<uuid:timesheet_id>/end-holds", end_holds, name="end_holds"),
    *rate_pages.urlpatterns,
    *entered_pages.urlpatterns,
    *order_pages.urlpatterns,
    *answer_pages.urlpatterns,
]
