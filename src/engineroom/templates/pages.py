"""Templates: the list, one of them with what it says, the editor with its problems beside the text, what
changed between versions. Who follows what: many_pages and client_pages."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation.access.roles import may
from engineroom.foundation.approvals.services import ContentChanged
from engineroom.foundation.templated import PARTS, parts
from engineroom.kernel.errors import InputRefused
from engineroom.sop.drafts import DraftMoved
from engineroom.templates import client_pages, document, drafts, engine, many_pages, selectors
from engineroom.ui.display import format_count
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, page
from engineroom.ui.parts import Change

app_name = "templates"

NAVIGATION = [
    NavigationEntry("Templates", "templates:templates", "templates.read", order=42, of="firm"),
    *client_pages.NAVIGATION,
]

NEW_TEXT = """---
template: new_template
title: New template
country: gb
---
Which clients have this alike, and why.

## Pay schedules
```yaml
MONTHLY:
  name: Monthly
  frequency: monthly
  anchor: 2026-04-01
  pay_rule: last_banking_day
  cut_off_days: 5
```
"""

LONGEST_TYPED = 1_000_000


def _home_roles(request: PageRequest) -> frozenset[str]:
    """What the reader may do in the house, where templates are written."""
    return next((roles for client, roles in request.clients if client.is_house), frozenset())


@page("templates.read", scope="mine")
def templates(request: PageRequest) -> HttpResponse:
    """Every template of the firm, and how many of my clients follow it."""
    context = {"rows": selectors.templates(), "may_write": may(_home_roles(request), "templates.prepare")}
    return render(request, "templates/list.html", context)


@page("templates.read", scope="mine")
def template(request: PageRequest, template: str) -> HttpResponse:
    """One template as it is published last, or as it would be."""
    listed = selectors.versions(template)
    if listed:
        return _shown(request, template, listed, listed[0])
    return _one(request, template, document.check(selectors.text_of(template)), listed, None)


@page("templates.read", scope="mine")
def version(request: PageRequest, template: str, number: int) -> HttpResponse:
    """One version, as frozen."""
    drafts.version_numbered(template, number)
    listed = selectors.versions(template)
    return _shown(request, template, listed, next(v for v in listed if v.number == number))


def _shown(
    request: PageRequest,
    key: str,
    listed: list[selectors.VersionListed],
    shown: selectors.VersionListed,
) -> HttpResponse:
    checked = document.Checked(drafts.template_of(shown.id), ())
    return _one(request, key, checked, listed, shown)


def _one(
    request: PageRequest,
    key: str,
    checked: document.Checked,
    listed: list[selectors.VersionListed],
    shown: selectors.VersionListed | None,
) -> HttpResponse:
    roles = _home_roles(request)
    context = {
        "key": key,
        "title": checked.template.title if checked.template else key,
        "said": checked.template,
        "parts": said(checked.template),
        "seen": checked.sha256,
        "problems": checked.problems,
        "versions": listed,
        "shown": shown,
        "is_latest": not listed or shown == listed[0],
        "may_write": may(roles, "templates.prepare"),
        "may_publish": may(roles, "templates.approve"),
    }
    return render(request, "templates/template.html", context)


def said(of: document.Template | None) -> list[tuple[str, list[tuple[str, list[tuple[str, str]]]], str]]:
    """What a template says, for people: parts with their items, their fields, and the words below them."""
    if of is None:
        return []
    return [
        (
            part.title,
            [
                (item, [(part.by_name[name].label, text) for name, text in fields.items()])
                for item, fields in of.parts[part.key].items()
            ],
            of.notes.get(part.key, ""),
        )
        for part in parts()
        if part.key in of.parts
    ]


# --- writing --------------------------------------------------------------------------------------------


@page("templates.prepare", scope="house")
def edit(request: PageRequest, template: str) -> HttpResponse:
    """The text, and beside it what it says and what is wrong."""
    is_new = template == "new"
    text = NEW_TEXT if is_new else selectors.text_of(template)
    return _editor(request, template, text, "" if is_new else selectors.mark_of(template))


def _editor(request: PageRequest, key: str, text: str, mark: str, moved: str = "") -> HttpResponse:
    """moved: said where another text was kept meanwhile; what was typed stands in the editor."""
    seen = document.check(text)
    context = {
        "key": key,
        "title": seen.template.title if seen.template and key != "new" else key,
        "text": text,
        "mark": mark,
        "moved": moved,
        "may_publish": request.may("templates.approve"),
        **_seen(seen),
    }
    return render(request, "templates/edit.html", context, status=409 if moved else 200)


def _seen(checked: document.Checked) -> dict[str, object]:
    return {"parts": said(checked.template), "problems": checked.problems}


def _typed(request: PageRequest) -> str:
    return request.POST.get("text", "").replace("\x00", "")[:LONGEST_TYPED]


@action("templates.prepare", scope="house")
def check(request: PageRequest, template: str) -> HttpResponse:
    """What a text that is being written says, and its problems. Keeps nothing."""
    return render(request, "templates/seen.html", _seen(document.check(_typed(request))))


@action("templates.prepare", scope="house")
def save(request: PageRequest, template: str) -> Done | HttpResponse:
    """Keep the text as the template's draft."""
    text = _typed(request)
    try:
        done = drafts.save_draft(
            text, of="" if template == "new" else template, begun_from=request.POST.get("mark")
        )
    except DraftMoved as error:
        return _moved(request, template, text, error)
    wrong = f" {format_count(done.errors, 'error is', 'errors are')} left in it." if done.errors else ""
    return Done(f"The draft is kept.{wrong}", to=reverse("templates:edit", args=[done.key]))


def _moved(request: PageRequest, key: str, text: str, error: DraftMoved) -> HttpResponse:
    """The editor again, with what was typed; kept from here, it takes the other text's place knowingly."""
    found = document.check(text).template
    return _editor(request, key, text, selectors.mark_of(found.key if found else key), str(error))


@action("templates.approve", scope="house")
def publish(request: PageRequest, template: str) -> Done | HttpResponse:
    """Freeze the text as the next version; with errors in it, keep it as a draft and say so."""
    text = _typed(request)
    may_write = request.may("templates.prepare")
    if not text.strip() or not may_write:
        text = _kept(request, template)
    mark = request.POST.get("mark")
    note = request.POST.get("note", "").replace("\x00", "").strip()
    try:
        done = drafts.publish(text, note=note, begun_from=mark)
    except DraftMoved as error:
        return _moved(request, template, text, error)
    except InputRefused as refused:
        if template == "new" or not may_write:
            raise
        drafts.save_draft(text, of=template, begun_from=mark)
        left = format_count(len(refused.problems), "problem")
        return Done(
            f"Not published: {left} left, see below. The draft is kept.",
            to=reverse("templates:edit", args=[template]),
        )
    return Done(
        f"Version {done.number} is published. Clients follow it once they are moved to it.",
        to=reverse("templates:clients", args=[done.key]),
    )


def _kept(request: PageRequest, key: str) -> str:
    """The kept text, for whoever publishes what they looked at and typed nothing. Raises ContentChanged."""
    text = selectors.text_of(key)
    if request.POST.get("seen", "") != document.check(text).sha256:
        raise ContentChanged("this is not what is kept as the template's text now; look again")
    return text


@page("templates.read", scope="mine")
def diff(request: PageRequest, template: str) -> HttpResponse:
    """What changed between two versions, value by value."""
    latest = drafts.version_numbered(template)
    after = _numbered(request.GET.get("after", ""), latest.number)
    before = _numbered(request.GET.get("before", ""), max(after - 1, 1))
    one, other = (drafts.template_of(drafts.version_numbered(template, n).id) for n in (before, after))
    changes = [
        Change(f"{PARTS[b.part].title}: {b.item}, {b.field}", b.before, b.after)
        for b in engine.between(one.parts, other.parts)
    ]
    context = {
        "key": template,
        "title": other.title,
        "before": before,
        "after": after,
        "versions": selectors.versions(template),
        "changes": changes,
    }
    return render(request, "templates/diff.html", context)


def _numbered(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise


urlpatterns = [
    *many_pages.urlpatterns,
    *client_pages.urlpatterns,
    path("templates", templates, name="templates"),
    path("templates/<str:template>", template, name="template"),
    path("templates/<str:template>/edit", edit, name="edit"),
    path("templates/<str:template>/check", check, name="check"),
    path("templates/<str:template>/save", save, name="save"),
    path("templates/<str:template>/publish", publish, name="publish"),
    path("templates/<str:template>/diff", diff, name="diff"),
    path("templates/<str:template>/versions/<int:number>", version, name="version"),
]
