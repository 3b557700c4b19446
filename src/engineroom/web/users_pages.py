"""Users and their grants: the admin's pages, on the house client. Every button is a command of `access`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import KINDS, Grant, User
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.dated import is_over, lives_on
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import NotFound
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page, reason_given
from engineroom.ui.parts import Crumb
from engineroom.web import invitations

KINDS_OF_PEOPLE = [(k, k) for k in KINDS if k != "system"]


class NewUser(GroupedForm):
    email = forms.EmailField(label="Address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = LineField(max_length=200)
    kind = forms.ChoiceField(choices=KINDS_OF_PEOPLE, help_text="Staff work in the firm's pages.")


class NewGrant(GroupedForm):
    client = forms.ModelChoiceField(Client.objects.order_by("-is_house", "code"), empty_label=None)
    role = forms.ChoiceField(choices=[(r, r.replace("_", " ")) for r in ROLES])
    starts = DayField(label="From")
    ends = DayField(label="Until", required=False, help_text="Inclusive.")
    reason = forms.CharField(max_length=500)


@page("foundation.admin", scope="house")
def users(request: PageRequest) -> HttpResponse:
    """Everybody, with what they may do where."""
    today = timezone.now().date()
    live = Grant.objects.filter(lives_on(today))
    roles: dict[UUID, list[str]] = {}
    for grant in live.select_related("of_client").order_by("-of_client__is_house", "of_client__code", "role"):
        roles.setdefault(grant.user_id, []).append(
            f"{grant.role.replace('_', ' ')} on {grant.of_client.code}"
        )
    people = [(user, roles.get(user.id, [])) for user in _people().order_by("-is_active", "name")]
    return render(request, "web/users.html", {"people": people, "form": form_of(request, NewUser())})


@page("foundation.admin", scope="house")
def user(request: PageRequest, user_id: UUID) -> HttpResponse:
    """One user: grants, dated and reasoned, and what can be done about them."""
    found = _user(user_id)
    grants = (
        Grant.objects.filter(user_id=user_id).select_related("of_client", "granted_by").order_by("-starts")
    )
    today = timezone.now().date()
    context = {
        "crumbs": [Crumb("Users", reverse("users")), Crumb(found.name)],
        "person": found,
        "grants": [(g, not is_over(g, today)) for g in grants],
        "form": form_of(request, NewGrant(initial={"starts": today})),
        "today": today,
        "is_me": user_id == request.identity.id,
    }
    return render(request, "web/user.html", context)


@action("foundation.admin", scope="house")
def add_user(request: PageRequest) -> Done:
    values = filled_in(NewUser(request.POST))
    made = access.create_user(values["email"], values["name"], kind=values["kind"], key=request.key)  # type: ignore[call-arg]
    return Done(f"{made.email} is added, and can do nothing yet.", to=reverse("user", args=[made.user_id]))


@action("foundation.admin", scope="house")
def invite_user(request: PageRequest, user_id: UUID) -> HttpResponse:
    """The link is mailed, and shown once to the admin: mail does not always arrive."""
    found = _user(user_id)
    link, why = invitations.invite(user_id)
    return render(request, "web/invited.html", {"person": found, "link": link, "not_mailed": why})


@action("foundation.grant", scope="house")
def grant_role(request: PageRequest, user_id: UUID) -> Done:
    values = filled_in(NewGrant(request.POST))
    access.grant(
        user_id,
        values["role"],
        starts=values["starts"],
        ends=values["ends"],
        reason=values["reason"],
        on_client_id=values["client"].id,
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Granted: {values['role'].replace('_', ' ')} on {values['client'].code}.",
        to=reverse("user", args=[user_id]),
    )


@action("foundation.grant", scope="house")
def end_grant(request: PageRequest, grant_id: UUID) -> Done:
    today = timezone.now().date()
    ended = access.end_grant(
        grant_id,
        ends=today,
        reason=reason_given(request, "ended by an admin"),
        key=request.key,  # type: ignore[call-arg]
    )
    said = f"The grant ends today, {today}: it works until midnight UTC. Switching off works at once."
    return Done(said, to=reverse("user", args=[ended.user_id]))


@action("foundation.admin", scope="house")
def switch_off(request: PageRequest, user_id: UUID) -> Done:
    off = access.switch_off_user(
        user_id,
        reason=reason_given(request, "switched off by an admin"),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(f"{off.email} is off: every token and every sign-in has ended.", to=reverse("users"))


def _people() -> Any:
    return User.objects.exclude(kind="system")


def _user(user_id: UUID) -> User:
    found: User | None = _people().filter(id=user_id).first()
    if found is None:
        raise NotFound("there is no such user")
    return found
