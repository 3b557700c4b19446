"""A client beside its template: what it has otherwise and why, what differs, what was changed by hand."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.foundation.templated import PARTS
from engineroom.kernel.errors import Conflict, EngineroomError
from engineroom.kernel.ids import uuid7
from engineroom.templates import batch, engine, selectors, services
from engineroom.templates.engine import WHOLE
from engineroom.templates.many_pages import From
from engineroom.ui.display import format_count
from engineroom.ui.fields import LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [NavigationEntry("Template", "templates:client", "templates.read", order=782)]

STATES = {
    "same": ("done", "As the template"),
    "own": ("held", "Its own"),
    "differs": ("run", "Differs"),
    "missing": ("open", "Not there"),
    "without": ("void", "Without it"),
}
BY_HAND = ("risk", "Changed by hand")

DOINGS = (
    ("otherwise", "have this value instead"),
    ("accept", "accept what stands there as its own"),
    ("without", "be without the whole item"),
    ("template", "have it as the template says again"),
)


class Follow(forms.Form):
    """Which template, and why."""

    template = forms.ChoiceField(label="Template")
    reason = LineField(label="Reason", max_length=300)

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["template"].choices = [  # type: ignore[attr-defined]
            (row.key, f"{row.title}, version {row.number}") for row in selectors.templates() if row.number
        ]


class Otherwise(forms.Form):
    """What the client has otherwise than its template."""

    what = forms.ChoiceField(label="What")
    doing = forms.ChoiceField(label="The client is to", choices=DOINGS)
    value = LineField(label="Value", max_length=300, required=False, help_text="For a value instead.")
    reason = LineField(label="Reason", max_length=300, help_text="It stands there for whoever asks later.")

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        found = selectors.followed()
        lines = selectors.compared_here().lines if found else ()
        self.fields["what"].choices = [_choice(line.value) for line in lines]  # type: ignore[attr-defined]


def _choice(value: engine.Value) -> tuple[str, str]:
    named = f"{PARTS[value.part].title}: {value.item}"
    return "/".join(value.address), f"{named}, {value.field}" if value.field else named


@page("templates.read")
def client(request: PageRequest, client: str) -> HttpResponse:
    """What the client follows, and value by value what that says, what it has otherwise and what stands."""
    found = selectors.followed()
    may = request.may("templates.prepare")
    context: dict[str, Any] = {"followed": found, "may": may, "history": _history()}
    if may:
        context["follow"] = form_of(request, Follow())
    if found is not None:
        compared = selectors.compared_here()
        context |= {
            "by": selectors.names_of([found.by_user_id]).get(found.by_user_id, ""),
            "rows": _rows(compared),
            "open": len(compared.open),
            "by_hand": len(compared.by_hand),
            "own": len(compared.own),
            "changes": [
                (f"{c.part}/{c.item}", selectors.in_words(c), PARTS[c.part].cannot(selectors.asked(c)))
                for c in compared.changes
            ],
            "applied_at": compared.applied_at,
        }
        if may:
            context |= {
                "otherwise": form_of(request, Otherwise()),
                "starts": form_of(request, From(initial={"starts": duties.today()})),
            }
    return render(request, "templates/client.html", context)


def _rows(compared: selectors.Compared) -> list[dict[str, Any]]:
    """A row a value; of an item only its first one names it."""
    names = selectors.names_of(line.own.by_user_id for line in compared.own if line.own)
    found: list[dict[str, Any]] = []
    last = ("", "")
    for line in compared.lines:
        value, part = line.value, PARTS[line.value.part]
        field = part.by_name.get(value.field)
        found.append(
            {
                "part": part.title,
                "item": value.item if (value.part, value.item) != last else "",
                "label": field.label if field else "The whole item",
                "value": value,
                "own": line.own,
                "by": names.get(line.own.by_user_id, "") if line.own else "",
                "state": BY_HAND if line.by_hand else STATES[value.state],
                "why_not": line.why_not,
            }
        )
        last = (value.part, value.item)
    return found


def _history() -> list[tuple[Any, str, str]]:
    return [
        (row, f"{PARTS[row.part].title if row.part in PARTS else row.part}: {row.item}", by)
        for row, by in selectors.history_of()
    ]


@action("templates.prepare")
def follow(request: PageRequest, client: str) -> str:
    """Let the client follow the latest version of a template; nothing else is changed."""
    asked = filled_in(Follow(request.POST))
    done = services.follow(asked["template"], reason=asked["reason"], key=request.key)  # type: ignore[call-arg]
    return f"The client follows version {done.number} of {done.template}: look what differs."


@action("templates.prepare")
def stop(request: PageRequest, client: str) -> str:
    """Let the client follow no template any more."""
    services.stop_following(reason=request.POST.get("reason", ""), key=request.key)  # type: ignore[call-arg]
    return "The client follows no template any more. What stands there stays."


@action("templates.prepare")
def otherwise(request: PageRequest, client: str) -> str:
    """Say, or end, what the client has otherwise."""
    asked = filled_in(Otherwise(request.POST))
    part, item, field = asked["what"].split("/")
    reason = asked["reason"]
    match asked["doing"]:
        case "otherwise" if field == WHOLE:
            raise Conflict("choose one value: a whole item has none")
        case "otherwise":
            services.have_otherwise(part, item, field, asked["value"], reason=reason)
        case "accept":
            services.accept_as_own(part, item, field, reason=reason)
        case "without":
            services.be_without(part, item, reason=reason)
        case _:
            services.have_as_template(part, item, field, reason=reason)
    return f"Said of {item}. What stands there is changed once the client is brought into line."


class NothingChosen(EngineroomError):
    """Nothing is chosen to be brought into line."""

    status = 422


@action("templates.prepare")
def align(request: PageRequest, client: str) -> Done | str:
    """Bring the chosen items into line, or rehearse all of it."""
    starts = filled_in(From(request.POST))["starts"]
    found = selectors.followed()
    if found is None:
        raise Conflict("this client follows no template")
    if request.POST.get("action") == "rehearse":
        batch_id = uuid7()
        asked = batch.Asked("rehearse", found.version.id, starts, request.identity)
        batch.start(batch_id, [found.client_id], asked)
        return Done("The rehearsal begins.", to=reverse("templates:results", args=[batch_id]))
    only = request.POST.getlist("item")
    if not only:
        raise NothingChosen("choose what is to be brought into line; nothing was changed")
    done = services.apply_template(starts, only=only, key=request.key)  # type: ignore[call-arg]
    cannot = f" Not changed: {'; '.join(done.cannot)}." if done.cannot else ""
    return f"{format_count(len(done.changed), 'item is', 'items are')} in line.{cannot}"


urlpatterns = [
    path("c/<str:client>/template", client, name="client"),
    path("c/<str:client>/template/follow", follow, name="client_follow"),
    path("c/<str:client>/template/stop", stop, name="client_stop"),
    path("c/<str:client>/template/otherwise", otherwise, name="client_otherwise"),
    path("c/<str:client>/template/align", align, name="client_align"),
]
