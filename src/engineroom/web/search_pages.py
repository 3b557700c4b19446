"""Search: one field over all my clients; what each room finds, kind by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.http import urlencode

from engineroom.foundation import search
from engineroom.foundation.access.roles import may
from engineroom.foundation.audit import services as audit
from engineroom.foundation.search import Found, Hit
from engineroom.foundation.tenancy.models import Client
from engineroom.ui.pages import PageRequest, address, page

PER_KIND = 20
MOST_OF_ONE = 200
"""Of one kind alone. Who sees so many has not said what they look for."""

CLIENTS = "Clients"


@dataclass(frozen=True)
class Row:
    """A hit as the table shows it."""

    hit: Hit
    client: str
    url: str


@dataclass(frozen=True)
class Shown:
    """What of one kind was found; more: where the others are."""

    label: str
    rows: Sequence[Row]
    more: str


@page(None, scope="mine")
def find(request: PageRequest) -> HttpResponse:
    """Whatever is called so, on any client whose data I may read."""
    text = request.GET.get("q", "").strip()[: search.LONGEST]
    only = request.GET.get("kind", "")
    limit = MOST_OF_ONE if only else PER_KIND
    short = search.too_short(text)
    found = [] if short else [*_clients(request, text, limit, only), *search.search(text, limit, only)]
    _log(text, [hit for each in found for hit in each.hits if hit.private])
    named = {client.id: client for client, _ in request.clients}
    context = {
        "search_text": text,
        "text": text,
        "short": short and text != "",
        "only": only,
        "limit": limit,
        "everywhere": reverse("search") + "?" + urlencode({"q": text}),
        "kinds": [CLIENTS, *(kind.label for kind in search.KINDS)],
        "found": [
            Shown(each.label, [_row(hit, named) for hit in each.hits], _more(each, text)) for each in found
        ],
        "count": sum(len(each.hits) for each in found),
        "reads_nothing": not any(may(roles, "foundation.read") for _, roles in request.clients),
    }
    return render(request, "web/search.html", context)


def _clients(request: PageRequest, text: str, limit: int, only: str) -> list[Found]:
    """Clients by a word of their name, or by how their code begins."""
    if only not in ("", CLIENTS):
        return []
    wanted = text.casefold()
    hits = [
        Hit(client.id, client.name, client.code, ("home", ()))
        for client, roles in request.clients
        if may(roles, "foundation.read")
        and (
            client.code.casefold().startswith(wanted) or f" {client.name.casefold()}".find(f" {wanted}") != -1
        )
    ]
    return [Found(CLIENTS, hits[:limit], len(hits) > limit)] if hits else []


def _row(hit: Hit, named: dict[UUID, Client]) -> Row:
    client = named[hit.client_id]
    name, rest = hit.page
    return Row(hit, client.code, address(name, client.code, *rest) or address("home", client.code))


def _more(found: Found, text: str) -> str:
    return reverse("search") + "?" + urlencode({"q": text, "kind": found.label}) if found.more else ""


def _log(text: str, hits: Sequence[Hit]) -> None:
    """That pay was shown: what was asked, once for each client and kind of thing."""
    seen: dict[tuple[UUID, str], list[Hit]] = {}
    for hit in hits:
        seen.setdefault((hit.client_id, hit.subject_kind), []).append(hit)
    for (client_id, kind), shown in seen.items():
        ids = [str(hit.subject_id) for hit in shown]
        audit.record_read(
            client_id,
            subject_kind=kind,
            subject_id=shown[0].subject_id if len(shown) == 1 else None,
            detail={"page": reverse("search"), "text": text, "found": ids},
        )


urlpatterns = [path("search", find, name="search")]
