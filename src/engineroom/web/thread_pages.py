"""The thread: any hour, charge, payslip, invoice line, open item or bank line, followed both ways in one
picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import path
from django.utils.safestring import SafeString

from engineroom.foundation import kept, thread
from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import NotFound
from engineroom.ledger.selectors import Booked, booked, sealed_point
from engineroom.ui import display, parts
from engineroom.ui.pages import PageRequest, address, own_page, page

STATES = {
    "approved": "done",
    "cleared": "done",
    "settled": "done",
    "submitted": "run",
    "released": "wait",
    "exception": "risk",
    "disputed": "held",
}
"""What states on the thread are, as a shape. A state of several words goes by its first."""


@page("foundation.read", reads="thread", faces=("firm", "client"))
def follow(request: PageRequest, client: str, kind: str, node_id: UUID) -> HttpResponse:
    """The whole thread of one thing."""
    if kind not in thread.DESCRIBE:
        raise Http404
    came_from = _came_from(request.GET.get("from", ""))
    try:
        whole = kept.of_client(
            ("thread", kind, node_id, came_from), lambda: _whole(client, (kind, node_id), came_from)
        )
    except NotFound as nothing:
        raise Http404 from nothing
    request.reading(node_id, kind=kind)
    seal = sealed_point(whole.books.entry_ids) if whole.books.entries else None
    if beside := _reachable(request, whole.hops):
        drawn = render_to_string("web/thread_drawn.html", {"thread": picture(client, whole.found, beside)})
        whole = replace(whole, drawn=drawn)
    return render(request, "web/thread.html", {"whole": whole, "seal": seal})


def _reachable(request: PageRequest, hops: Sequence[thread.Hop]) -> list[tuple[thread.Hop, Client]]:
    """The other sides that lie at clients on which the reader may follow a thread too, and no others."""
    if not hops:
        return []
    mine = {client.id: client for client, roles in request.clients if may(roles, "foundation.read")}
    return [(hop, mine[hop.client_id]) for hop in hops if hop.client_id in mine]


@dataclass(frozen=True)
class Whole:
    """A thread, drawn, and what is said about it. own_page: of what it begins with; empty if it has none."""

    here: thread.Node
    drawn: SafeString
    books: Booked
    entries: list[tuple[str, str]]
    sums: dict[str, int]
    own_page: str
    found: thread.Graph
    hops: list[thread.Hop]
    """Other sides at other clients, whoever may see them: `drawn` has none of them."""


def _whole(client: str, start: thread.Key, came_from: thread.Key | None) -> Whole:
    """Raises NotFound."""
    found = thread.graph(*start, came_from=came_from)
    here = found.nodes[found.start]
    books = booked(thread.joined("entry", found), [node.id for node in found.nodes.values()])
    return Whole(
        here,
        render_to_string("web/thread_drawn.html", {"thread": picture(client, found)}),
        books,
        _entries(client, found, books.entry_ids),
        _sums(found),
        own_page(client, here),
        found,
        thread.hops(found.nodes),
    )


def _came_from(text: str) -> thread.Key | None:
    """The thing on whose thread this one was chosen, as its address says: what anybody may have written."""
    kind, _, node_id = text.partition(":")
    try:
        return (kind, UUID(node_id)) if kind in thread.DESCRIBE else None
    except ValueError:
        return None


@page("foundation.read", faces=("firm", "client"))
def find(request: PageRequest, client: str) -> HttpResponse:
    """Whatever a person calls it: straight to its thread."""
    reference = request.GET.get("reference", "").strip()
    if not reference:
        return render(request, "web/thread_find.html", {"kinds": sorted(thread.FIND)})
    try:
        kind, node_id = thread.find(reference)
    except NotFound as nothing:
        words = {"kinds": sorted(thread.FIND), "reference": reference, "nothing": str(nothing)}
        return render(request, "web/thread_find.html", words, status=404)
    return redirect("thread", client, kind, node_id)


def picture(
    client: str, found: thread.Graph, beside: Sequence[tuple[thread.Hop, Client]] = ()
) -> parts.Thread:
    """The graph as the component draws it: what nothing stands for has no lane. Entries stand beneath it.

    beside: other sides at other clients, each with whose it is.
    """
    found = _without_entries(found)
    kinds = {*(kind for kind, _ in found.nodes), *(hop.kind for hop, _ in beside)}
    lanes = [lane for lane in thread.LANES if any(thread.LANE[kind] == lane for kind in kinds)]
    left_out = ", ".join(f"{n:,} more of {kind.replace('_', ' ')}" for kind, n in found.more.items())
    return parts.Thread(
        lanes,
        [
            *(_node(client, key, node, found.start) for key, node in found.nodes.items()),
            *(_other_side(hop, there, found.nodes[hop.here]) for hop, there in beside),
        ],
        [
            *(parts.Edge(_name(source), _name(target)) for source, target in found.edges),
            *(_hop_edge(hop) for hop, _ in beside),
        ],
        left_out,
    )


def _other_side(hop: thread.Hop, there: Client, here: thread.Node) -> parts.Node:
    """What stands at the other client, which its own thread goes on from: it comes to what this one does."""
    return parts.Node(
        id=_hop_name(hop),
        lane=thread.LANE[hop.kind],
        what=hop.kind.replace("_", " ").capitalize(),
        figure=_figure(here),
        when=display.format_day(here.day) if here.day else "",
        status_kind="" if hop.there else "wait",
        status="" if hop.there else "Mirror pending",
        url=address("thread", there.code, hop.kind, hop.there) if hop.there else "",
        client=there.name,
    )


def _hop_edge(hop: thread.Hop) -> parts.Edge:
    ends = (_name(hop.here), _hop_name(hop))
    return parts.Edge(*(ends if hop.forward else ends[::-1]), pending=hop.there is None)


def _hop_name(hop: thread.Hop) -> str:
    return f"beside-{_name(hop.here)}"


def _without_entries(found: thread.Graph) -> thread.Graph:
    nodes = {key: node for key, node in found.nodes.items() if key[0] != "entry" or key == found.start}
    edges = tuple(e for e in found.edges if e[0] in nodes and e[1] in nodes)
    return replace(found, nodes=nodes, edges=edges)


def _node(client: str, key: thread.Key, node: thread.Node, start: thread.Key) -> parts.Node:
    state, here = node.state, key == start
    onward = f"{address('thread', client, *key)}?{urlencode({'from': f'{start[0]}:{start[1]}'})}"
    return parts.Node(
        id=_name(key),
        lane=thread.LANE[node.kind],
        what=node.label[:1].upper() + node.label[1:],
        figure=_figure(node),
        who=node.who,
        when=display.format_day(node.day) if node.day else "",
        rule=node.rule,
        status_kind=STATES.get(state.partition(":")[0], "held" if state.startswith("held") else "open")
        if state
        else "",
        status=state[:1].upper() + state[1:],
        url=(own_page(client, node)) if here else onward,
        here=here,
    )


def _figure(node: thread.Node) -> str:
    if node.minutes is not None:
        hours = display.format_hours(node.minutes)
        return hours if "h" in hours else f"{hours} h"
    return "" if node.amount_minor is None else display.format_money(node.amount_minor, node.currency)


def _name(key: thread.Key) -> str:
    return f"{key[0]}-{key[1]}"


MOST_ENTRIES = 12


def _entries(client: str, found: thread.Graph, ids: Sequence[UUID]) -> list[tuple[str, str]]:
    """(narrative, address) of the entries behind the thread; of many, the first ones."""
    known = {key[1]: node for key, node in found.nodes.items() if key[0] == "entry"}
    if unknown := [entry for entry in ids[:MOST_ENTRIES] if entry not in known]:
        known |= {node.id: node for node in thread.DESCRIBE["entry"](unknown)}
    nodes = [known[entry] for entry in ids[:MOST_ENTRIES] if entry in known]
    return [(node.label, url) for node in nodes if (url := own_page(client, node))]


def _sums(found: thread.Graph) -> dict[str, int]:
    """What was paid and billed on this thread, minor units, when both are drawn whole."""
    if found.more:
        return {}
    totals = {
        kind: sum(n.amount_minor or 0 for n in found.nodes.values() if n.kind == kind)
        for kind in ("payable", "billable")
        if any(n.kind == kind for n in found.nodes.values())
    }
    if len(totals) == 2:
        totals["left"] = totals["billable"] - totals["payable"]
    return totals


urlpatterns = [
    path("c/<str:client>/thread", find, name="thread_find"),
    path("c/<str:client>/thread/<str:kind>/<uuid:node_id>", follow, name="thread"),
]
