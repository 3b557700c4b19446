"""What is mine alone: password, second factor, devices, tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Token, User
from engineroom.foundation.access.roles import VERBS
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import NotFound, NotPermitted
from engineroom.ui.display import printable
from engineroom.ui.fields import LineField, LongSelect
from engineroom.ui.pages import PageRequest, action, filled_in, form_of, page

FEW_CLIENTS = 12
"""So many are ticked off in a list; more are chosen in one that scrolls."""

EVERYBODY = ("firm", "client", "work", "self")

WRITES_NOWHERE = (
    "issuing and revoking a token is written into a client's audit trail, and you may write in none; "
    "an admin does it for you"
)
"""An auditor reads, and somebody without a grant does nothing: what they do leaves no event of theirs."""


class NewToken(forms.Form):
    label = LineField(max_length=100, label="What it is for")
    days = forms.IntegerField(
        min_value=1, max_value=access.LONGEST_TOKEN_DAYS, initial=90, label="Days it lives"
    )
    clients = forms.MultipleChoiceField()
    verbs = forms.MultipleChoiceField(
        required=False,
        label="Only to do this",
        choices=[(verb, verb) for verb in VERBS],
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: whatever your roles allow. It never does more than you may.",
    )

    def __init__(self, mine: Sequence[tuple[Client, frozenset[str]]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.codes = {client.code: client.id for client, _ in mine}
        widget = forms.CheckboxSelectMultiple if len(mine) <= FEW_CLIENTS else LongSelect
        self.fields["clients"] = forms.MultipleChoiceField(
            required=False,
            label="Only for these clients",
            choices=[(client.code, f"{client.name} ({client.code})") for client, _ in mine],
            widget=widget,
            help_text="None chosen: all of yours, as they come.",
        )

    def limits(self) -> dict[str, list[Any] | None]:
        """What the token is narrowed to; None is everything that the grants allow."""
        asked = self.cleaned_data
        return {
            "clients": [self.codes[code] for code in asked["clients"]] or None,
            "verbs": asked["verbs"] or None,
        }


@page(None, scope="me", faces=EVERYBODY)
def settings_page(request: PageRequest) -> HttpResponse:
    """Password, second factor, devices and tokens."""
    user_id = request.identity.id
    factors = Authenticator.objects.filter(user_id=user_id)
    here = request.session.session_key
    context = {
        "has_password": cast("User", request.user).has_usable_password(),
        "second_factor": factors.filter(type=Authenticator.Type.TOTP).exists(),
        "recovery_codes": factors.filter(type=Authenticator.Type.RECOVERY_CODES).exists(),
        "devices": [(d, browser_words(d.user_agent), d.session_key == here) for d in _devices(user_id)],
        "tokens": [(token, _narrowed_to(request, token)) for token in _tokens(user_id)],
        "new_token": form_of(request, NewToken(request.clients)) if request.desk else None,
        "no_token": WRITES_NOWHERE,
    }
    return render(request, "web/settings.html", context)


def _devices(user_id: UUID) -> list[UserSession]:
    """Where somebody is signed in, the newest first. One question for all: some sign in on many."""
    devices = list(UserSession.objects.filter(user_id=user_id).order_by("-created_at"))
    sessions = Session.objects.filter(
        session_key__in=[d.session_key for d in devices], expire_date__gt=timezone.now()
    )
    live = set(sessions.values_list("session_key", flat=True))
    return [d for d in devices if d.session_key in live]


BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"))
SYSTEMS = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"),
    ("Macintosh", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
"""What a browser calls itself, the particular before the general: every one says that it is also others."""


def browser_words(user_agent: str) -> str:
    """Firefox 144 on Linux; what it said itself, where that is neither."""
    found = next((m for sign, _ in BROWSERS if (m := re.search(rf"{sign}\w*/(\d+)", user_agent))), None)
    if found:
        name = next(name for sign, name in BROWSERS if found[0].startswith(sign))
    elif found := re.search(r"Version/(\d+)\S* .*Safari/", user_agent):
        name = "Safari"
    else:
        return printable(user_agent)[:60] or "not said"
    system = next((word for sign, word in SYSTEMS if sign in user_agent), "")
    return f"{name} {found[1]}" + (f" on {system}" if system else "")


def _tokens(user_id: UUID) -> QuerySet[Token]:
    live = Token.objects.filter(user_id=user_id, revoked_at=None).exclude(expires_at__lt=timezone.now())
    return live.order_by("-issued_at")


def _narrowed_to(request: PageRequest, token: Token) -> str:
    """In words. A client of which the grant has ended since is not named: the token does nothing there."""
    codes = {client.id: client.code for client, _ in request.clients}
    where = "all my clients"
    if token.clients is not None:
        where = ", ".join(sorted(codes.get(c, "a client no longer mine") for c in token.clients))
    return f"{', '.join(token.verbs) if token.verbs is not None else 'whatever I may'}, on {where}"


@action(None, scope="me", faces=EVERYBODY)
def end_device(request: PageRequest, device_id: int) -> str:
    """Sign a device out, at once."""
    device = UserSession.objects.filter(user_id=request.identity.id, id=device_id).first()
    if device is None:
        raise NotFound("this device is signed out already")
    device.end()
    return "That device is signed out."


@action(None, scope="me", faces=EVERYBODY)
def issue_token(request: PageRequest) -> HttpResponse | str:
    """A token for programs and the command line, shown on the page that answers and never again."""
    if request.desk is None:
        raise NotPermitted(WRITES_NOWHERE)
    form = NewToken(request.clients, request.POST)
    asked = filled_in(form)
    issued = access.issue_token(
        request.identity.id, days=asked["days"], label=asked["label"], **form.limits()
    )
    return render(request, "web/token.html", {"token": issued.token, "label": asked["label"]})


@action(None, scope="me", faces=EVERYBODY)
def revoke_token(request: PageRequest, token_id: UUID) -> str:
    if request.desk is None:
        raise NotPermitted(WRITES_NOWHERE)
    access.revoke_token(token_id)
    return "The token is revoked."
