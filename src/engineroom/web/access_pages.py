"""Who may do what on a client: its grants, and which user is which person. A lead gives and ends both here.

Users are added by an admin of the house (`users_pages`); owner and admin are given there too.
"""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant, User
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.access.selectors import grants_on, user_by_email
from engineroom.foundation.dated import is_over
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.people import selectors as people
from engineroom.people import services as logins
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, GroupedForm
from engineroom.ui.pages import (
    Done,
    NavigationEntry,
    PageRequest,
    action,
    filled_in,
    form_of,
    page,
    reason_given,
    require_any,
)

NAVIGATION = [NavigationEntry("Access", "access", "foundation.read", key="x", order=790)]

GIVEN_BY_A_LEAD = [(role, role.replace("_", " ")) for role in ROLES if role not in ("owner", "admin")]


class GrantForm(GroupedForm):
    email = forms.EmailField(
        label="Address",
        help_text="Of a user; an admin adds new ones.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(choices=GIVEN_BY_A_LEAD, initial="specialist")
    starts = DayField(label="From")
    ends = DayField(label="Until", required=False, help_text="Inclusive. An auditor's grant has one.")
    reason = forms.CharField(max_length=500)


class LoginForm(GroupedForm):
    payroll_number = forms.CharField(max_length=20, label="Payroll number")
    email = forms.EmailField(
        label="Address they sign in with", widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    starts = DayField(label="From")


@page(None)
def grants(request: PageRequest, client: str) -> HttpResponse:
    """Everybody with a right on the client, since when and why; and their own faces' persons."""
    require_any(request, "foundation.read", "foundation.grant")
    assert request.client is not None
    today = timezone.now().date()
    may_grant = request.may("foundation.grant")
    context = {
        "grants": [
            (g, not is_over(g, today), may_grant and _may_end(request, g))
            for g in grants_on(request.client.id)
        ],
        "may_grant": may_grant,
        "logins": _logins() if request.may("people.read") else [],
        "today": today,
    }
    if may_grant:
        context["form"] = form_of(request, GrantForm(initial={"starts": today}))
        context["login_form"] = form_of(request, LoginForm(initial={"starts": today}, prefix="login"))
    return render(request, "web/access.html", context)


def _may_end(request: PageRequest, grant: Grant) -> bool:
    """What PostgreSQL lets them end: not their own; owner and admin by an admin of the house alone."""
    today = timezone.now().date()
    if grant.user_id == request.identity.id or (grant.ends is not None and grant.ends <= today):
        return False
    at_home = request.client is not None and request.client.is_house and request.may("foundation.admin")
    return at_home or grant.role not in ("owner", "admin")


def _logins() -> list[tuple[people.LoginRow, str]]:
    found = people.logins()
    emails = dict(User.objects.filter(id__in={row.user_id for row in found}).values_list("id", "email"))
    return [(row, emails.get(row.user_id, "")) for row in found]


def _user_of(email: str) -> User:
    found = user_by_email(email)
    if found is None or found.kind == "system":
        raise InputRefused(
            [Problem("nobody has this address", "An admin adds users under Users", field="email")]
        )
    return found


@action("foundation.grant")
def give(request: PageRequest, client: str) -> Done:
    """A role on this client; PostgreSQL refuses oneself, and a role of another face."""
    asked = filled_in(GrantForm(request.POST))
    user = _user_of(asked["email"])
    access.grant(
        user.id,
        asked["role"],
        starts=asked["starts"],
        ends=asked["ends"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    role = asked["role"].replace("_", " ")
    return Done(f"{user.name} is {role} here from {format_day(asked['starts'])}.", to=_here(client))


@action("foundation.grant")
def end(request: PageRequest, client: str, grant_id: UUID) -> Done:
    today = timezone.now().date()
    access.end_grant(
        grant_id,
        ends=today,
        reason=reason_given(request, f"ended by {request.identity.name}"),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done("The grant ends today: it works until midnight UTC.", to=_here(client))


@action("foundation.grant")
def give_login(request: PageRequest, client: str) -> Done:
    """Let a user be a person of this client: they see their own pay and hours, and nobody else's."""
    asked = filled_in(LoginForm(request.POST, prefix="login"))
    person = people.person_numbered(asked["payroll_number"].replace("\x00", ""))
    if person is None:
        number = asked["payroll_number"]
        raise InputRefused(
            [Problem(f"nobody has the payroll number {number}", "Look under People", field="payroll_number")]
        )
    user = _user_of(asked["email"])
    logins.give_login(person.counterparty_id, user.id, starts=asked["starts"], key=request.key)  # type: ignore[call-arg]
    who = person.name if request.may("people.read") else f"the person numbered {person.payroll_number}"
    return Done(f"{user.email} is {who} from {format_day(asked['starts'])}.", to=_here(client))


@action("foundation.grant")
def end_login(request: PageRequest, client: str, login_id: UUID) -> Done:
    logins.end_login(login_id, ends=timezone.now().date(), key=request.key)  # type: ignore[call-arg]
    said = "The login ends today, or on its first day if it has not begun: it works until midnight UTC."
    return Done(said, to=_here(client))


def _here(client: str) -> str:
    return reverse("access", args=[client])


urlpatterns = [
    path("c/<str:client>/access", grants, name="access"),
    path("c/<str:client>/access/give", give, name="access_give"),
    path("c/<str:client>/access/<uuid:grant_id>/end", end, name="access_end"),
    path("c/<str:client>/access/logins/give", give_login, name="login_give"),
    path("c/<str:client>/access/logins/<uuid:login_id>/end", end_login, name="login_end"),
]
