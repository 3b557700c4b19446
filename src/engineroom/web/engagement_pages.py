"""What the firm does for a client: the terms in force, those that come, those that were; and new ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.engagement import selectors, services
from engineroom.foundation.engagement.models import BASES, SERVICES
from engineroom.foundation.engagement.selectors import ServiceLine, Terms
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, LineField, MoneyField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [
    NavigationEntry("Engagement", "engagement", "foundation.read", key="e", order=780),
    NavigationEntry(
        "Engagement", "portal_engagement", "foundation.read", key="e", order=140, faces=("client",)
    ),
]

NOT_TAKEN = ("", "not part of it")


class TermsForm(forms.Form):
    """Every service that there is, each with its price and its promise; and whose data is held how."""

    starts = DayField(label="In force from")
    agreed_on = DayField(label="Agreed on")
    agreed_with = forms.CharField(
        max_length=200, label="Agreed with", help_text="Who said yes for the client."
    )
    data_processing = forms.CharField(
        required=False,
        max_length=services.LONGEST_TERMS,
        label="Data processing",
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="Whose data, for what, how long it is kept, and who else sees it.",
    )
    reason = forms.CharField(max_length=300, required=False, label="Why it changes")

    def __init__(self, currency: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SERVICES:
            self.fields[f"{name}_basis"] = forms.ChoiceField(
                choices=[NOT_TAKEN, *BASES.items()], required=False, label="Charged"
            )
            self.fields[f"{name}_price"] = MoneyField(currency, required=False, label=f"Price, {currency}")
            self.fields[f"{name}_level"] = LineField(
                required=False,
                max_length=services.LONGEST_LEVEL,
                label="What is promised",
            )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in SERVICES:
            rest = any(given.get(f"{name}_{part}") for part in ("price", "level"))
            if rest and not given.get(f"{name}_basis"):
                self.add_error(f"{name}_basis", "Say what the price is for, or clear the rest.")
        return given

    def services(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        for name, said in SERVICES.items():
            yield said, [self[f"{name}_{part}"] for part in ("basis", "price", "level")]

    def lines(self) -> list[ServiceLine]:
        given = self.cleaned_data
        return [
            ServiceLine(name, basis, given[f"{name}_price"] or 0, given[f"{name}_level"])
            for name in SERVICES
            if (basis := given[f"{name}_basis"])
        ]


class EndForm(forms.Form):
    starts = DayField(label="Nothing is done from")
    agreed_on = DayField(label="Agreed on")
    agreed_with = forms.CharField(max_length=200, label="Agreed with")
    reason = forms.CharField(max_length=300, label="Why it ends")


@page("foundation.read")
def engagement(request: PageRequest, client: str) -> HttpResponse:
    """What is agreed with the client, and, for whoever leads it, the next terms."""
    context = _terms()
    if request.may("foundation.prepare"):
        assert request.client is not None
        today = timezone.now().date()
        terms = TermsForm(request.client.currency, initial=_as_they_are(context["now"], today))
        context["form"] = form_of(request, terms)
        if context["now"] and context["now"].lines:
            context["end_form"] = form_of(request, EndForm(initial={"agreed_on": today}, prefix="end"))
    return render(request, "web/engagement.html", context)


@page("foundation.read", faces=("client",))
def as_the_client(request: PageRequest, client: str) -> HttpResponse:
    """What the client has agreed to, as the firm keeps it."""
    return render(request, "web/engagement.html", _terms())


def _terms() -> dict[str, Any]:
    today = timezone.now().date()
    every = selectors.all_terms()
    now = next((t for t in every if t.starts <= today), None)
    return {
        "now": now,
        "others": [(t, *_state(t, now, today)) for t in every],
        "to_come": [t for t in every if t.starts > today and not t.superseded],
    }


def _state(terms: Terms, now: Terms | None, today: date) -> tuple[str, str]:
    if terms.superseded:
        return "void", "Corrected"
    if terms.starts > today:
        return "wait", "To come"
    if now and terms.id == now.id:
        return ("done", "In force") if terms.lines else ("held", "Ended")
    return "open", "Earlier"


def _as_they_are(now: Terms | None, today: date) -> dict[str, Any]:
    """New terms begin as a copy of those in force: mostly one price changes."""
    found: dict[str, Any] = {"agreed_on": today, "starts": today}
    if now is None:
        return found
    found |= {"agreed_with": now.agreed_with, "data_processing": now.data_processing}
    for line in now.lines:
        found[f"{line.service}_basis"] = line.basis
        found[f"{line.service}_price"] = line.price_minor or None
        found[f"{line.service}_level"] = line.level
    return found


@action("foundation.prepare")
def agree(request: PageRequest, client: str) -> Done:
    assert request.client is not None
    form = TermsForm(request.client.currency, request.POST)
    asked = filled_in(form)
    done = services.agree_terms(
        asked["starts"],
        agreed_on=asked["agreed_on"],
        agreed_with=asked["agreed_with"],
        services=form.lines(),
        data_processing=asked["data_processing"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Terms {done.number} hold from {format_day(done.starts)}.", to=reverse("engagement", args=[client])
    )


@action("foundation.prepare")
def end(request: PageRequest, client: str) -> Done:
    asked = filled_in(EndForm(request.POST, prefix="end"))
    services.end_engagement(
        asked["starts"],
        agreed_on=asked["agreed_on"],
        agreed_with=asked["agreed_with"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"The engagement ends before {format_day(asked['starts'])}.", to=reverse("engagement", args=[client])
    )


urlpatterns = [
    path("c/<str:client>/engagement", engagement, name="engagement"),
    path("c/<str:client>/engagement/agree", agree, name="engagement_agree"),
    path("c/<str:client>/engagement/end", end, name="engagement_end"),
    path("portal/<str:client>/engagement", as_the_client, name="portal_engagement"),
]
