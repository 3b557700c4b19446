"""Procedures: the list, one of them with its steps, the editor with diagram and problems beside the text,
what changed between versions."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe

from engineroom.foundation.access.roles import may
from engineroom.foundation.approvals.services import ContentChanged
from engineroom.kernel.errors import InputRefused, NotFound
from engineroom.sop import case_pages, diagram, drafts, model_pages, selectors, words
from engineroom.sop.drafts import Checked
from engineroom.sop.graph import Graph
from engineroom.ui.display import format_count
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, page

app_name = "sop"

NAVIGATION = [
    *case_pages.NAVIGATION,
    NavigationEntry("Procedures", "sop:procedures", "sop.read", key="s", order=40, of="firm"),
]

NEW_TEXT = """---
procedure: new_procedure
title: New procedure
---
What this procedure is for.

## First step
```yaml
who: specialist
sla: 1 working day
```
What is to be done.
"""


def _home_roles(request: PageRequest) -> frozenset[str]:
    """What the reader may do in the house, where procedures are written."""
    return next((roles for client, roles in request.clients if client.is_house), frozenset())


@page("sop.read", scope="mine")
def procedures(request: PageRequest) -> HttpResponse:
    """Every procedure of the firm, and the ready ones."""
    rows = selectors.procedures()
    return render(
        request,
        "sop/procedures.html",
        {
            "rows": [r for r in rows if r.number or not r.from_library or r.has_draft],
            "ready": [r for r in rows if not r.number and r.from_library and not r.has_draft],
            "may_write": may(_home_roles(request), "sop.prepare"),
        },
    )


@page("sop.read", scope="mine")
def procedure(request: PageRequest, key: str) -> HttpResponse:
    """One procedure as it is published, or as it would be."""
    found = selectors.versions(key)
    if found:
        return _shown(request, key, found[0].number)
    text, format = selectors.text_of(key)
    return _one(request, key, drafts.check(text, format=format), None)


@page("sop.read", scope="mine")
def version(request: PageRequest, key: str, number: int) -> HttpResponse:
    """One version, as frozen."""
    return _shown(request, key, number)


def _shown(request: PageRequest, key: str, number: int) -> HttpResponse:
    row = drafts.version_numbered(key, number)
    return _one(request, key, Checked(drafts.graph_of(row.id), ()), number)


def _one(request: PageRequest, key: str, checked: Checked, number: int | None) -> HttpResponse:
    graph = checked.graph
    roles = _home_roles(request)
    listed = selectors.versions(key)
    context = {
        "key": key,
        "graph": graph,
        "seen": checked.sha256,
        "title": graph.title if graph else key,
        "svg": drawing(graph),
        "steps": [(s, words.rules(s), words.ways(graph, s.key)) for s in graph.steps] if graph else [],
        "problems": checked.problems,
        "versions": listed,
        "shown": next((v for v in listed if v.number == number), None),
        "is_latest": not listed or number in (None, listed[0].number),
        "may_write": may(roles, "sop.prepare"),
        "may_publish": may(roles, "sop.approve"),
    }
    return render(request, "sop/procedure.html", context)


def drawing(graph: Graph | None) -> SafeString:
    """The picture of a graph; nothing while there is none."""
    return mark_safe(diagram.svg(graph)) if graph else mark_safe("")


@page("sop.prepare", scope="house")
def edit(request: PageRequest, key: str) -> HttpResponse:
    """The text, and beside it the diagram and what is wrong."""
    mark = "" if key == "new" else selectors.mark_of(key)
    return _editor(request, key, *((NEW_TEXT, "md") if key == "new" else selectors.text_of(key)), mark)


def _editor(
    request: PageRequest, key: str, text: str, format: str, mark: str, moved: str = ""
) -> HttpResponse:
    """moved: said where another text was kept meanwhile; what was typed stands in the editor."""
    context = {
        "key": key,
        "text": text,
        "format": format,
        "mark": mark,
        "moved": moved,
        "may_publish": request.may("sop.approve"),
        **_seen(drafts.check(text, format=format)),
    }
    return render(request, "sop/edit.html", context, status=409 if moved else 200)


def _moved(request: PageRequest, key: str, error: drafts.DraftMoved) -> HttpResponse:
    """The editor again, with what was typed; kept from here, it takes the other text's place knowingly."""
    text, format = _typed(request)
    graph = drafts.check(text, format=format).graph
    return _editor(request, key, text, format, selectors.mark_of(graph.key if graph else key), str(error))


def _seen(checked: Checked) -> dict[str, object]:
    return {
        "graph": checked.graph,
        "svg": drawing(checked.graph),
        "problems": checked.problems,
        "errors": len(checked.errors),
    }


@action("sop.prepare", scope="house")
def check(request: PageRequest, key: str) -> HttpResponse:
    """The diagram and the problems of a text that is being written. Keeps nothing."""
    text, format = _typed(request)
    return render(request, "sop/seen.html", _seen(drafts.check(text, format=format)))


def _typed(request: PageRequest) -> tuple[str, str]:
    text = request.POST.get("text", "").replace("\x00", "")[:1_000_000]
    return text, request.POST.get("format", "md")


@action("sop.prepare", scope="house")
def save(request: PageRequest, key: str) -> Done | HttpResponse:
    """Keep the text as the procedure's draft."""
    text, format = _typed(request)
    try:
        saved = drafts.save_draft(
            text, format=format, of="" if key == "new" else key, begun_from=request.POST.get("mark")
        )
    except drafts.DraftMoved as error:
        return _moved(request, key, error)
    wrong = f" {format_count(saved.errors, 'error is', 'errors are')} left in it." if saved.errors else ""
    return Done(f"The draft is kept.{wrong}", to=reverse("sop:edit", args=[saved.key]))


@action("sop.approve", scope="house")
def publish(request: PageRequest, key: str) -> Done | HttpResponse:
    """Freeze the text as the next version; with errors in it, keep it as a draft and say so."""
    try:
        return _published(request, key)
    except drafts.DraftMoved as error:
        return _moved(request, key, error)


def _published(request: PageRequest, key: str) -> Done:
    text, format = _typed(request)
    if not text.strip() or not request.may("sop.prepare"):
        text, format = _kept(request, key)
    mark, note = request.POST.get("mark"), request.POST.get("note", "").replace("\x00", "").strip()
    try:
        done = drafts.publish(text, format=format, note=note, begun_from=mark)
    except InputRefused as refused:
        if key == "new" or not request.may("sop.prepare"):
            raise
        drafts.save_draft(text, format=format, of=key, begun_from=mark)
        left = format_count(len(refused.problems), "problem")
        return Done(
            f"Not published: {left} left, see below. The draft is kept.", to=reverse("sop:edit", args=[key])
        )
    return Done(f"Version {done.number} is published.", to=reverse("sop:procedure", args=[done.key]))


def _kept(request: PageRequest, key: str) -> tuple[str, str]:
    """The kept text, for whoever publishes what they looked at and typed nothing. Raises ContentChanged."""
    text, format = selectors.text_of(key)
    if request.POST.get("seen", "") != drafts.check(text, format=format).sha256:
        raise ContentChanged("this is not what is kept as the procedure's text now; look again")
    return text, format


@page("sop.read", scope="mine")
def diff(request: PageRequest, key: str) -> HttpResponse:
    """What changed between two versions, step by step."""
    listed = selectors.versions(key)
    if len(listed) < 1:
        raise NotFound("nothing is published yet, so nothing has changed")
    after = _numbered(request.GET.get("after", ""), listed[0].number)
    before = _numbered(request.GET.get("before", ""), max(after - 1, 1))
    graphs = [drafts.graph_of(drafts.version_numbered(key, n).id) for n in (before, after)]
    found = words.changes(*graphs)
    context = {
        "key": key,
        "title": graphs[1].title,
        "before": before,
        "after": after,
        "versions": listed,
        "changes": found,
        "changed": sum(c.changed for c in found),
    }
    return render(request, "sop/diff.html", context)


def _numbered(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise


urlpatterns = [
    *case_pages.urlpatterns,
    *model_pages.urlpatterns,
    path("procedures", procedures, name="procedures"),
    path("procedures/<str:key>", procedure, name="procedure"),
    path("procedures/<str:key>/edit", edit, name="edit"),
    path("procedures/<str:key>/check", check, name="check"),
    path("procedures/<str:key>/save", save, name="save"),
    path("procedures/<str:key>/publish", publish, name="publish"),
    path("procedures/<str:key>/diff", diff, name="diff"),
    path("procedures/<str:key>/versions/<int:number>", version, name="version"),
]
