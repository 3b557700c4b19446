"""What is owed and held: by kind and age, item by item, and control accounts beside their items."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.foundation import thread
from engineroom.foundation.audit import services as audit
from engineroom.kernel.errors import NotFound
from engineroom.openitems import kinds, selectors
from engineroom.openitems.kinds import PAY_KINDS
from engineroom.ui import listing
from engineroom.ui.charts import Aged, Chart, ageing_chart
from engineroom.ui.pages import NavigationEntry, PageRequest, address, page, page_of

app_name = "openitems"

NAVIGATION = [NavigationEntry("Open items", "openitems:items", "openitems.read", key="o", order=490)]

MOST_BARS = 12


def kind_words(kind: str) -> str:
    return kinds.KINDS[kind].label if kind in kinds.KINDS else kind.replace("_", " ")


class ItemFilter(forms.Form):
    kind = forms.ChoiceField(required=False)
    account = forms.CharField(required=False, max_length=20)
    settled = forms.BooleanField(label="Settled ones too", required=False)

    def __init__(self, data: Any, there_are: list[str]) -> None:
        super().__init__(data)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [("", "any"), *((k, kind_words(k)) for k in there_are)]

    def asked(self) -> dict[str, Any]:
        self.is_valid()
        found = self.cleaned_data
        return {
            "kind": found.get("kind", ""),
            "account": found.get("account", "").replace("\x00", ""),
            "include_closed": found.get("settled", False),
        }


@page("openitems.read")
def items(request: PageRequest, client: str) -> HttpResponse:
    """Open items, the oldest due first, under their ages."""
    form = ItemFilter(request.GET, selectors.kinds_there_are())
    asked = form.asked()
    found = selectors.listed(**asked, cursor=request.GET.get("at", ""))
    _log_pay(request, [row for row in found.rows if row.kind in PAY_KINDS])
    aged = selectors.ageing(kind=asked["kind"], account=asked["account"])
    words = [
        kind_words(asked["kind"]) if asked["kind"] else "",
        f"account {asked['account']}" if asked["account"] else "",
        "settled ones too" if asked["include_closed"] else "",
    ]
    context = {
        "form": form,
        "rows": [(row, kind_words(row.kind)) for row in found.rows],
        "pager": listing.onward(request, found),
        "filtered": ", ".join(filter(None, words)),
        "charts": _charts(aged, by_kind=not asked["kind"]),
        "controls": selectors.controls(),
        "hides_pay": "pay" in request.masked,
        "pay_kinds": PAY_KINDS,
    }
    return render(request, "openitems/items.html", context)


def _charts(aged: list[selectors.AgedItems], *, by_kind: bool) -> list[Chart]:
    """One chart a currency and side: what is owed to the client, and what it owes."""
    found = []
    for (currency, owed), group in groupby(aged, key=lambda a: (a.currency, a.owed)):
        rows = list(group)
        bars = [Aged(kind_words(a.of) if by_kind else a.of, a.amounts) for a in rows[:MOST_BARS]]
        if rest := rows[MOST_BARS:]:
            sums = [sum(a.amounts[i] for a in rest) for i in range(len(selectors.AGES))]
            bars.append(Aged(f"{len(rest)} others", sums))
        title = f"Owed {'to' if owed else 'by'} the client, {currency}, by days late"
        found.append(ageing_chart(selectors.AGES, bars, currency, title=title))
    return found


def _log_pay(request: PageRequest, rows: list[selectors.Open]) -> None:
    """Whoever reads net pay leaves a trace; invoices and files are no private data."""
    if rows and request.client is not None:
        one = rows[0].id if len(rows) == 1 else None
        detail = {"column": "net pay", "rows": len(rows), "page": request.path}
        audit.record_read(request.client.id, subject_kind="open_item", subject_id=one, detail=detail)


@page("openitems.read")
def item(request: PageRequest, client: str, item_id: UUID) -> HttpResponse:
    """One item: what made it, what was set against it, what is left."""
    found = selectors.item(item_id)
    if found is None:
        raise NotFound("there is no such open item")
    _log_pay(request, [found.item] if found.item.kind in PAY_KINDS else [])
    words, url = _subject(client, found.item.subject_kind, found.item.subject_id)
    context = {
        "view": found,
        "item": found.item,
        "kind": kind_words(found.item.kind),
        "subject": words,
        "subject_url": url,
        "allocations": [
            (a, kind_words(a.other_kind), *_subject(client, a.subject_kind, a.subject_id))
            for a in found.allocations
        ],
        "more": len(found.allocations) == selectors.MOST_ALLOCATIONS,
        "thread_url": address("thread", client, "item", item_id),
        "hides_pay": "pay" in request.masked and found.item.kind in PAY_KINDS,
    }
    return render(request, "openitems/item.html", context)


def _subject(client: str, kind: str, subject_id: UUID) -> tuple[str, str]:
    """What caused something, in words, and its page, as far as the thread knows it."""
    node = thread.of_subject(kind, subject_id)
    return (node.label, page_of(client, node)) if node else (kind.replace("_", " "), "")


urlpatterns = [
    path("c/<str:client>/open", items, name="items"),
    path("c/<str:client>/open/<uuid:item_id>", item, name="item"),
]
