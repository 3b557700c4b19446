"""A template over many clients: who follows it and how they differ, one action over them, its results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import EngineroomError, NotFound
from engineroom.kernel.ids import uuid7
from engineroom.templates import batch, drafts, selectors
from engineroom.ui.fields import DayField
from engineroom.ui.pages import Done, PageRequest, action, address, filled_in, form_of, page

OUTCOMES = {
    "failed": ("risk", "Failed"),
    "partly": ("held", "Not all of it"),
    "done": ("done", "Done"),
    "nothing": ("void", "Nothing to do"),
    "working": ("run", "At work"),
    "queued": ("wait", "Queued"),
}
"""What failed first."""


class NothingChosen(EngineroomError):
    """A batch needs clients, and something to do."""

    status = 422


class From(forms.Form):
    """From which day what has days holds."""

    starts = DayField(
        label="From", help_text="Entitlements and the account map hold from this day; what has none, at once."
    )


@dataclass(frozen=True)
class Row:
    """A client as it may be chosen. beside: what it comes to beside the version that it follows; None where
    it does not follow this template."""

    client: Client
    may_choose: bool
    followed: selectors.Followed | None
    beside: selectors.Compared | None
    url: str

    @property
    def state(self) -> tuple[str, str]:
        if self.followed is None:
            return "open", "Follows none"
        if self.beside is None:
            return "void", f"Follows {self.followed.version.template.key}"
        if self.beside.by_hand:
            return "risk", "Changed by hand"
        if self.followed.is_behind:
            return "held", "Behind"
        return ("run", "To be brought into line") if self.beside.open else ("done", "In line")


@page("templates.read", scope="mine")
def clients(request: PageRequest, template: str) -> HttpResponse:
    """My clients: which version each follows, and how it differs from it."""
    version = drafts.version_numbered(template)
    rows = _rows(request, template)
    of = [row for row in rows if row.beside is not None]
    context = {
        "key": template,
        "title": version.template.title,
        "version": version,
        "rows": [row for row in rows if row.beside is not None or row.may_choose],
        "follow": len(of),
        "behind": sum(row.followed.is_behind for row in of if row.followed),
        "by_hand": sum(bool(row.beside.by_hand) for row in of if row.beside),
        "open": sum(bool(row.beside.open) for row in of if row.beside),
        "form": form_of(request, From(initial={"starts": duties.today()})),
        "actions": batch.ACTIONS,
        "may_begin": any(row.may_choose for row in rows),
    }
    return render(request, "templates/clients.html", context)


def _rows(request: PageRequest, template: str) -> list[Row]:
    mine = {c.id: (c, roles) for c, roles in request.clients if may(roles, "templates.read")}
    followed = selectors.following(list(mine))
    these = {c: f.version.id for c, f in followed.items() if f.version.template.key == template}
    beside = selectors.compared(these)
    country = drafts.template_of(drafts.version_numbered(template).id).country
    rows = [
        Row(
            client,
            may(roles, "templates.prepare") and client.jurisdiction == country,
            followed.get(client.id),
            beside.get(client.id),
            address("templates:client", client.code),
        )
        for client, roles in mine.values()
    ]
    return sorted(rows, key=lambda row: (row.beside is None, row.client.name))


@action(None, scope="mine")
def start(request: PageRequest, template: str) -> Done:
    """Queue a job for each chosen client on which my role allows it."""
    doing = request.POST.get("action", "")
    if doing not in batch.ACTIONS:
        raise NothingChosen("choose what is to be done; nothing was begun")
    starts = filled_in(From(request.POST))["starts"]
    asked = set(request.POST.getlist("client"))
    chosen = [c.id for c, roles in request.clients if c.code in asked and may(roles, "templates.prepare")]
    if not chosen:
        raise NothingChosen("choose clients on which your role allows this; nothing was begun")
    version = drafts.version_numbered(template)
    batch_id = uuid7()
    batch.start(batch_id, chosen, batch.Asked(doing, version.id, starts, request.identity))
    return Done(
        f"{batch.ACTIONS[doing]}: {len(chosen)} clients, a job for each.",
        to=reverse("templates:results", args=[batch_id]),
    )


@page(None, scope="mine")
def results(request: PageRequest, template_batch: UUID) -> HttpResponse:
    """What became of each client; those that failed first."""
    return render(request, "templates/results.html", _found(request, template_batch))


@page(None, scope="mine")
def progress(request: PageRequest, template_batch: UUID) -> HttpResponse:
    """The same as a part of that page, asked for while it works."""
    return render(request, "templates/progress.html", _found(request, template_batch))


def _found(request: PageRequest, batch_id: UUID) -> dict[str, Any]:
    mine = {client.id: client for client, roles in request.clients if may(roles, "templates.read")}
    found = batch.batch_parts(batch_id, list(mine)) if mine else []
    if not found:
        raise NotFound("there is no such action among your clients")
    order = list(OUTCOMES)
    found.sort(key=lambda one: (order.index(one.outcome), mine[one.client_id].name))
    counts = Counter(one.outcome for one in found)
    left = counts["queued"] + counts["working"]
    said = drafts.template_of(found[0].version_id)
    return {
        "label": batch.ACTIONS[found[0].action],
        "rehearsed": found[0].action == "rehearse",
        "key": said.key,
        "title": said.title,
        "rows": [
            (client, OUTCOMES[one.outcome], one, address("templates:client", client.code))
            for one in found
            for client in [mine[one.client_id]]
        ],
        "done": len(found) - left,
        "total": len(found),
        "counts": [(OUTCOMES[name][1], counts[name]) for name in OUTCOMES if counts[name]],
        "poll_url": reverse("templates:progress", args=[batch_id]) if left else "",
    }  # fmt: skip


urlpatterns = [
    path("templates/<str:template>/clients", clients, name="clients"),
    path("templates/<str:template>/start", start, name="start"),
    path("template-results/<uuid:template_batch>", results, name="results"),
    path("template-results/<uuid:template_batch>/progress", progress, name="progress"),
]
