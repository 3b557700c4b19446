"""Books: what every account stands at, what moved it, each entry with its source, and the proof."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header

from engineroom.foundation import thread
from engineroom.kernel.errors import NotFound
from engineroom.kernel.money import format_minor
from engineroom.ledger import selectors, services
from engineroom.ui import listing
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, LineField
from engineroom.ui.pages import (
    Done,
    NavigationEntry,
    PageRequest,
    action,
    address,
    filled_in,
    form_of,
    page,
    page_of,
)
from engineroom.ui.parts import Tab

app_name = "ledger"

NAVIGATION = [NavigationEntry("Books", "ledger:books", "ledger.read", key="l", order=500)]


def _tabs(client: str, here: str) -> list[Tab]:
    named = (("Trial balance", "books"), ("Periods", "periods"), ("Proof", "proof"))
    return [Tab(label, reverse(f"ledger:{name}", args=[client]), name == here) for label, name in named]


# --- trial balance --------------------------------------------------------------------------------------


class AsAt(forms.Form):
    """Which balances: of a day, and as they were known at a sealed point."""

    as_at = DayField(label="As at", required=False)
    known_at = forms.IntegerField(label="As known at seal", required=False, min_value=0, max_value=2**63 - 1)
    book = forms.ChoiceField(required=False)

    def __init__(self, data: Any, books: Sequence[tuple[str, str]], last_seal: int) -> None:
        super().__init__(data)
        book = self.fields["book"]
        assert isinstance(book, forms.ChoiceField)
        book.choices = books
        if len(books) < 2:
            del self.fields["book"]
        self.last_seal = last_seal

    def clean_known_at(self) -> int | None:
        seal: int | None = self.cleaned_data["known_at"]
        if seal is not None and seal > self.last_seal:
            raise forms.ValidationError(f"The last sealed point is {self.last_seal}.")
        return seal


@dataclass
class CurrencyBalances:
    """The accounts of one currency, debit and credit balances beside each other, and their sums."""

    currency: str
    rows: list[selectors.Balance] = field(default_factory=list)

    @property
    def debit(self) -> int:
        return sum(b.balance for b in self.rows if b.balance > 0)

    @property
    def credit(self) -> int:
        return -sum(b.balance for b in self.rows if b.balance < 0)

    @property
    def difference(self) -> int:
        return self.debit - self.credit


def by_currency(balances: Sequence[selectors.Balance]) -> list[CurrencyBalances]:
    found: dict[str, CurrencyBalances] = {}
    for balance in balances:
        found.setdefault(balance.currency, CurrencyBalances(balance.currency)).rows.append(balance)
    return [found[currency] for currency in sorted(found)]


@page("ledger.read")
def books(request: PageRequest, client: str) -> HttpResponse:
    """The trial balance as at a day and as known at a seal; debits and credits add to zero."""
    last_seal = selectors.last_seal()
    names = selectors.books()
    form = AsAt(request.GET, names, last_seal)
    valid = form.is_valid()
    asked = form.cleaned_data if valid else {}
    as_at, known_at, book = asked.get("as_at"), asked.get("known_at"), asked.get("book") or "main"
    words = [
        f"as at {format_day(as_at)}" if as_at else "",
        f"as known at seal {known_at:,}" if known_at is not None else "",
    ]
    context = {
        "tabs": _tabs(client, "books"),
        "form": form,
        "currencies": by_currency(selectors.trial_balance(as_at=as_at, known_at=known_at, book=book)),
        "filtered": ", ".join(filter(None, words)),
        "has_books": bool(names),
        "last_seal": last_seal,
        "locked_through": selectors.locked_through(book),
        "book": "" if book == "main" else book,
        "journal_form": JournalForm(initial=_this_year()),
    }
    return render(request, "ledger/books.html", context)


class JournalForm(forms.Form):
    since = DayField(label="From")
    until = DayField(label="Until")


def _this_year() -> dict[str, date]:
    today = timezone.now().date()
    return {"since": today.replace(month=1, day=1), "until": today.replace(month=12, day=31)}


JOURNAL_HEADINGS = (
    "day", "entry", "kind", "narrative", "account", "account_name", "currency", "debit", "credit", "about",
)  # fmt: skip


@page("ledger.read")
def journal(request: PageRequest, client: str) -> HttpResponse:
    """The journal of a period as CSV: one row a posting, amounts in the currency's own decimals."""
    asked = filled_in(JournalForm(request.GET))
    book = request.GET.get("book") or "main"
    if book not in {code for code, _ in selectors.books()}:
        raise NotFound(f"this client has no book called {book!r}")
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(JOURNAL_HEADINGS)
    for line in selectors.journal(since=asked["since"], until=asked["until"], book=book):
        amount = format_minor(abs(line.amount), line.currency, grouped=False)
        debit, credit = (amount, "") if line.amount > 0 else ("", amount)
        texts = (line.batch_kind, _cell(line.narrative), line.account_code, _cell(line.account_name))
        rows.writerow((line.day, line.entry_id, *texts, line.currency, debit, credit, line.dimension or ""))
    answer = HttpResponse(out.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    assert request.client is not None
    name = f"journal-{request.client.code}-{asked['since']}-{asked['until']}.csv"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer


def _cell(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


# --- account and entry ----------------------------------------------------------------------------------


class PeriodForm(forms.Form):
    since = DayField(label="From", required=False)
    until = DayField(label="Until", required=False)


@page("ledger.read")
def account(request: PageRequest, client: str, code: str) -> HttpResponse:
    """One account: its postings, latest first, with the balance after each."""
    book = request.GET.get("book") or "main"
    found = selectors.account(code, book)
    if found is None:
        raise NotFound(f"there is no account {code} in the book {book}")
    form = PeriodForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    since, until = asked.get("since"), asked.get("until")
    lines = selectors.account_lines(found.id, since=since, until=until, cursor=request.GET.get("at", ""))
    words = [f"from {format_day(since)}" if since else "", f"until {format_day(until)}" if until else ""]
    context = {
        "account": found,
        "lines": lines.rows,
        "pager": listing.onward(request, lines),
        "form": form,
        "filtered": " ".join(filter(None, words)),
        "book": "" if book == "main" else book,
        "items_url": address("openitems:items", client) if found.is_control else "",
        "several": len(found.balances) > 1,
    }
    return render(request, "ledger/account.html", context)


@dataclass(frozen=True)
class Source:
    """What an entry came from, or what hangs on it, with its own page if it has one."""

    label: str
    kind: str
    url: str


def _sources(client: str, view: selectors.EntryView) -> list[Source]:
    """The document behind an entry and what hangs on it: one step along the thread, either way."""
    wanted: dict[str, dict[UUID, None]] = defaultdict(dict)
    if (cause := thread.of_subject(view.subject_kind, view.subject_id)) and cause.kind != "entry":
        wanted[cause.kind][cause.id] = None
    for link in thread.LINKS:
        if link.from_kind == "entry" and link.to_kind != "entry":
            for _, target in link.pairs(link.from_column, [view.id])[:MOST_SOURCES]:
                wanted[link.to_kind][target] = None
    return [
        Source(node.label, node.kind.replace("_", " "), page_of(client, node))
        for kind, ids in wanted.items()
        for node in thread.DESCRIBE[kind](list(ids))
    ]


MOST_SOURCES = 20


class ReverseForm(forms.Form):
    day = DayField(label="Day of the reversal")
    reason = LineField(max_length=280)


@page("ledger.read")
def entry(request: PageRequest, client: str, entry_id: UUID) -> HttpResponse:
    """One entry: its lines, what caused it, what reverses it."""
    found = selectors.entry(entry_id)
    if found is None:
        raise NotFound("there is no such entry")
    currencies = sorted({line.currency for line in found.lines})
    totals = [
        (currency, sum(line.amount for line in found.lines if line.currency == currency and line.amount > 0))
        for currency in currencies
    ]
    can_reverse = found.reverses is None and found.reversed_by is None
    context = {
        "entry": found,
        "totals": totals,
        "sources": _sources(client, found),
        "thread_url": address("thread", client, "entry", found.id),
        "form": form_of(request, ReverseForm(initial={"day": timezone.now().date()}))
        if can_reverse and request.may("ledger.prepare")
        else None,
    }
    return render(request, "ledger/entry.html", context)


@action("ledger.prepare")
def reverse_entry(request: PageRequest, client: str, entry_id: UUID) -> Done:
    """The entry's negative, linked both ways."""
    asked = filled_in(ReverseForm(request.POST))
    done = services.reverse_entry(
        entry_id,
        day=asked["day"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    return Done("The entry is reversed.", to=reverse("ledger:entry", args=[client, done.entry_id]))


# --- periods and proof ----------------------------------------------------------------------------------


class LockForm(forms.Form):
    through = DayField(
        label="Locked through", help_text="Nothing posts on or before it. An earlier day reopens."
    )
    reason = LineField(max_length=500)


@page("ledger.read")
def periods(request: PageRequest, client: str) -> HttpResponse:
    """Through which day nothing posts any more, and every time that moved."""
    found = selectors.locks()
    context = {
        "tabs": _tabs(client, "periods"),
        "locks": found,
        "locked_through": found[0].locked_through if found else None,
        "form": form_of(request, LockForm()) if request.may("ledger.prepare") else None,
    }
    return render(request, "ledger/periods.html", context)


@action("ledger.prepare")
def lock(request: PageRequest, client: str) -> Done:
    """Close the books through a day; an earlier day than the last one reopens them."""
    asked = filled_in(LockForm(request.POST))
    before = selectors.locked_through()
    done = services.lock_period(
        asked["through"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    reopened = before is not None and done.locked_through < before
    verb = "reopened: locked only" if reopened else "locked"
    return Done(
        f"The books are {verb} through {format_day(done.locked_through)}.",
        to=reverse("ledger:periods", args=[client]),
    )


@page("ledger.read")
def proof(request: PageRequest, client: str) -> HttpResponse:
    """The books proven from the postings themselves, now."""
    checks = selectors.verify()
    context = {
        "tabs": _tabs(client, "proof"),
        "checks": checks,
        "ok": all(check.ok for check in checks),
        "at": timezone.now(),
        "last_seal": selectors.last_seal(),
    }
    return render(request, "ledger/proof.html", context)


urlpatterns = [
    path("c/<str:client>/books", books, name="books"),
    path("c/<str:client>/books/journal.csv", journal, name="journal"),
    path("c/<str:client>/books/periods", periods, name="periods"),
    path("c/<str:client>/books/periods/lock", lock, name="lock"),
    path("c/<str:client>/books/proof", proof, name="proof"),
    path("c/<str:client>/books/accounts/<str:code>", account, name="account"),
    path("c/<str:client>/books/entries/<uuid:entry_id>", entry, name="entry"),
    path("c/<str:client>/books/entries/<uuid:entry_id>/reverse", reverse_entry, name="reverse"),
]
