"""People: found by name or number; one person with everything that is dated about them."""

from __future__ import annotations

from datetime import date

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from engineroom.people import accounts_pages, leaving_pages, selectors, terms_pages
from engineroom.people.panels import panels_of
from engineroom.ui import listing
from engineroom.ui.pages import NavigationEntry, PageRequest, page
from engineroom.ui.parts import Event

app_name = "people"

NAVIGATION = [
    NavigationEntry("People", "people:list", "people.read", key="p", order=210),
    *accounts_pages.NAVIGATION,
]


@page("people.read")
def people(request: PageRequest, client: str) -> HttpResponse:
    """Everybody known to the client, without private data."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    found = selectors.people(text=text, cursor=request.GET.get("at", ""))
    today = timezone.now().date()
    context = {
        "rows": [(row, *row.state_on(today)) for row in found.rows],
        "pager": listing.onward(request, found),
        "text": text,
        "may_prepare": request.may("people.prepare") and request.may("payroll.prepare"),
    }
    return render(request, "people/people.html", context)


@page("people.read", reads="person")
def person(request: PageRequest, client: str, number: str) -> HttpResponse:
    """One person. `?show=bank` opens the accounts to a role that may see them."""
    found = selectors.named_person(number)
    may_see = "bank" not in request.masked
    show_bank = may_see and request.GET.get("show") == "bank"
    view = selectors.person_view(found, show_bank=show_bank, purpose="page of a person")
    request.reading(found.counterparty_id, bank=show_bank)
    context = {
        "person": found,
        "view": view,
        "hides_identity": "identity" in request.masked,
        "may_see_bank": may_see,
        "shows_bank": show_bank,
        "events": _timeline(view, timezone.now().date()),
        "panels": panels_of(request, found),
        "held": selectors.held_accounts(person_id=found.counterparty_id),
        "may_prepare": request.may("people.prepare"),
        "terms": [t for t in selectors.terms_of(found.counterparty_id) if t.stands],
        "currency": request.client.currency if request.client else "GBP",
        "hides_pay": "pay" in request.masked,
    }
    return render(request, "people/person.html", context)


def _timeline(view: selectors.PersonView, today: date) -> list[Event]:
    """What is dated about the person, newest first: each row stands as it was written."""
    events = [Event(view.added_at.date(), "Added to this client's people")]
    for employment in view.employments:
        events.append(Event(employment.starts, "Employment begins", kind=_kind(employment.starts, today)))
        if employment.ends:
            events.append(Event(employment.ends, "Last day of employment", kind="void"))
    for i, account in enumerate(reversed(view.accounts)):
        what = "Paid into another account" if i else "Paid into the first account on file"
        events.append(
            Event(account.starts, what, note=account.account_name, kind=_kind(account.starts, today))
        )
    return sorted(events, key=lambda event: event.at or date.min, reverse=True)


def _kind(day: date, today: date) -> str:
    return "open" if day > today else "done"


urlpatterns = [
    *terms_pages.urlpatterns,
    *accounts_pages.urlpatterns,
    *leaving_pages.urlpatterns,
    path("c/<str:client>/people", people, name="list"),
    path("c/<str:client>/people/<path:number>", person, name="person"),
]
