"""The audit trail of a client: who did or read what, when; and that nobody changed it since."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from engineroom.foundation import thread
from engineroom.foundation.audit import selectors
from engineroom.foundation.audit.services import verify
from engineroom.foundation.commands import REGISTRY
from engineroom.kernel.errors import NotFound
from engineroom.ui import listing
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField
from engineroom.ui.pages import NavigationEntry, PageRequest, page, page_of

NAVIGATION = [NavigationEntry("Audit trail", "audit", "foundation.read", key="a", order=800)]

ORDER = listing.Order([("id", "uuid")], latest_first=True)
"""Ids carry the time at which they were made."""


class TrailFilter(forms.Form):
    who = forms.CharField(required=False, max_length=100)
    verb = forms.ChoiceField(required=False)
    subject_kind = forms.CharField(label="Subject", required=False, max_length=50)
    subject_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    since = DayField(label="From", required=False)
    until = DayField(label="Until", required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        verb = self.fields["verb"]
        assert isinstance(verb, forms.ChoiceField)
        verb.choices = [("", "any"), ("read", "read"), *((name, name) for name in sorted(REGISTRY))]

    def asked(self) -> dict[str, Any]:
        """The filters that are set; what cannot be read is no filter, and the field says why."""
        self.is_valid()
        found = {name: value for name, value in self.cleaned_data.items() if value}
        if "subject_kind" in found:
            found["subject_kind"] = found["subject_kind"].strip().lower().replace(" ", "_")
        return found


def _words(asked: dict[str, Any]) -> str:
    shown = {
        "who": "by {}",
        "verb": "{}",
        "subject_kind": "of {}",
        "subject_id": "one subject",
        "since": "from {}",
        "until": "until {}",
    }
    return ", ".join(
        words.format(format_day(asked[name]) if name in ("since", "until") else asked[name])
        for name, words in shown.items()
        if name in asked
    )


@page("foundation.read")
def trail(request: PageRequest, client: str) -> HttpResponse:
    """What was done and what private data was read, latest first."""
    form = TrailFilter(request.GET)
    asked = form.asked()
    found = listing.read_slice(
        selectors.EVENTS,
        selectors.asked(**asked),
        ORDER,
        request.GET.get("at", ""),
        selectors.make_event,
    )
    context = {
        "rows": [(row, _subject(row)) for row in found.rows],
        "pager": listing.onward(request, found),
        "form": form,
        "filtered": _words(asked),
        "sealed": selectors.sealed(),
    }
    return render(request, "web/audit.html", context)


def _subject(row: selectors.EventView) -> str:
    return row.subject_kind.rpartition(".")[2].replace("_", " ")


@page("foundation.read")
def event(request: PageRequest, client: str, event_id: UUID) -> HttpResponse:
    """One event: who, what, of what, with all that it says."""
    found = selectors.event(event_id)
    if found is None:
        raise NotFound("there is no such event")
    words, url = _subject_page(client, found)
    context = {
        "event": found,
        "subject": words,
        "subject_url": url,
        "summary": REGISTRY[found.verb].summary if found.verb in REGISTRY else "",
        "detail": [
            (name.replace("_", " "), _text(value), isinstance(value, dict | list))
            for name, value in found.detail.items()
        ],
    }
    return render(request, "web/audit_event.html", context)


def _text(value: Any) -> str:
    """As JSON where it has parts, as itself where it has none."""
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return "none" if value is None else str(value)


def _subject_page(client: str, found: selectors.EventView) -> tuple[str, str]:
    """What the event is about, in words, and its page, as far as the thread knows it."""
    if found.subject_id and (node := thread.of_subject(found.subject_kind, found.subject_id)):
        return node.label, page_of(client, node)
    return _subject(found), ""


@page("foundation.read")
def proof(request: PageRequest, client: str) -> HttpResponse:
    """The chain computed again from the events: whole, or where it first breaks."""
    context = {"verdict": verify(), "at": timezone.now(), "sealed": selectors.sealed()}
    return render(request, "web/audit_proof.html", context)


urlpatterns = [
    path("c/<str:client>/audit", trail, name="audit"),
    path("c/<str:client>/audit/proof", proof, name="audit_proof"),
    path("c/<str:client>/audit/<uuid:event_id>", event, name="audit_event"),
]
