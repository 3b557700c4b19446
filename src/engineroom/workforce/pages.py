"""Staff: who works where, who is away and who stands in; teams; and how somebody leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.access.models import User
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import NotFound, NotPermitted
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page
from engineroom.ui.parts import Crumb
from engineroom.workforce import selectors, services
from engineroom.workforce.models import Team

app_name = "workforce"

NAVIGATION = [
    NavigationEntry("Staff", "workforce:staff", key="n", order=40, of="firm"),
    NavigationEntry("Teams", "workforce:teams", order=41, of="firm", under="workforce:staff"),
]


class Person(forms.ModelChoiceField):  # type: ignore[type-arg]  # no parameters at run time
    """A choice of active staff, by name."""

    def __init__(self, **options: Any) -> None:
        everybody = User.objects.filter(kind="staff", is_active=True).order_by("name")
        super().__init__(everybody, **options)

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.email})"


class Away(GroupedForm):
    starts = DayField(label="First day")
    ends = DayField(label="Last day", help_text="Inclusive.")
    stand_in = Person(required=False, empty_label="nobody", help_text="It gives no rights: a grant does.")

    def __init__(self, *args: Any, sight: Sequence[UUID] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["stand_in"]
        assert isinstance(field, Person)
        field.queryset = selectors.colleagues(timezone.now().date(), sight)


class Leaving(GroupedForm):
    successor = Person(required=False, empty_label="nobody", label="Takes over")
    reason = LineField(max_length=400)


class NewTeam(GroupedForm):
    name = LineField(max_length=100)
    lead = Person(required=False, empty_label="nobody yet")


class TeamChange(GroupedForm):
    team = forms.ModelChoiceField(Team.objects.filter(ended=None).order_by("name"), empty_label=None)
    starts = DayField(label="From")


class Joining(TeamChange):
    person = Person(empty_label=None)


class ServingForm(TeamChange):
    client = forms.ModelChoiceField(Client.objects.order_by("-is_house", "code"), empty_label=None)


def _rules_the_house(request: PageRequest) -> bool:
    return any(client.is_house and "admin" in roles for client, roles in request.clients)


def _in_sight(request: PageRequest) -> list[UUID] | None:
    """The clients whose staff the asker sees: their own; an admin of the house, all."""
    return None if _rules_the_house(request) else [client.id for client, _ in request.clients]


@page(None, scope="mine")
def staff(request: PageRequest) -> HttpResponse:
    """Who works with me, where, and who is away."""
    today = timezone.now().date()
    sight = _in_sight(request)
    context = {
        "rows": selectors.staff(today, sight),
        "gaps": selectors.gaps(today, sight),
        "mine": [a for a in selectors.absences_of(request.identity.id) if a.called_off_at is None],
        "days": selectors.LOOK_AHEAD_DAYS,
        "form": form_of(request, Away(sight=_in_sight(request))) if request.desk else None,
        "today": today,
    }
    return render(request, "workforce/staff.html", context)


@page(None, scope="mine")
def person(request: PageRequest, user_id: UUID) -> HttpResponse:
    """One of the staff: clients and roles, absences, and, for an admin, off-boarding."""
    today = timezone.now().date()
    rules = _rules_the_house(request)
    row = next((r for r in selectors.staff(today, _in_sight(request)) if r.user.id == user_id), None)
    gone = selectors.offboarding_of(user_id) if rules else None
    if row is None and gone is None:
        raise NotFound("there is nobody of that address on the staff of your clients")
    may_grant = [c.code for c, roles in request.clients if {"lead", "admin"} & roles]
    together = [code for code in may_grant if row is not None and (code in row.clients or rules)]
    context = {
        "crumbs": [Crumb("Staff", reverse("workforce:staff"))],
        "person": row.user if row else _user(user_id),
        "row": row,
        "absences": selectors.absences_of(user_id),
        "gone": gone,
        "from_client": together[0] if together else "",
        "is_me": user_id == request.identity.id,
        "rules": rules,
        "away": form_of(request, Away(sight=_in_sight(request))),
        "leaving": form_of(request, Leaving()),
        "today": today,
    }
    return render(request, "workforce/person.html", context)


@page(None, scope="mine")
def teams(request: PageRequest) -> HttpResponse:
    """Teams, who is in them and which clients they serve: of clients, those that the asker may see."""
    today = timezone.now().date()
    sight = _in_sight(request)
    found = selectors.teams(today)
    for view in found:
        view.servings[:] = [s for s in view.servings if sight is None or s.of_client_id in sight]
    context = {
        "teams": found,
        "rules": sight is None,
        "new": form_of(request, NewTeam(prefix="new")),
        "joining": form_of(request, Joining(prefix="join", initial={"starts": today})),
        "serving": form_of(request, ServingForm(prefix="serve", initial={"starts": today})),
        "today": today,
    }
    return render(request, "workforce/teams.html", context)


def _user(user_id: UUID) -> User:
    found = User.objects.filter(id=user_id).exclude(kind="system").first()
    if found is None:
        raise NotFound("there is no such user")
    return found


def _id(value: Any) -> UUID | None:
    return value.id if value is not None else None


# --- buttons ------------------------------------------------------------------------------------------


def _refuse_without_a_desk(request: PageRequest) -> None:
    """An absence is written from a client of one's own: who only reads, such as an auditor, has none."""
    if request.desk is None:
        raise NotPermitted("you work on no client, you only read: a lead or an admin records your absences")


@action(None, scope="me")
def away(request: PageRequest) -> str:
    _refuse_without_a_desk(request)
    values = filled_in(Away(request.POST, sight=_in_sight(request)))
    stand_in = _id(values["stand_in"])
    if current_scope().may("workforce.read"):
        services.record_own_absence(values["starts"], values["ends"], stand_in_id=stand_in, key=request.key)  # type: ignore[call-arg]
    else:
        services.record_absence(
            request.identity.id,
            values["starts"],
            values["ends"],
            stand_in_id=stand_in,
            key=request.key,  # type: ignore[call-arg]
        )
    return "Your absence is recorded."


@action(None, scope="me")
def back(request: PageRequest, absence_id: UUID) -> str:
    _refuse_without_a_desk(request)
    if current_scope().may("workforce.read"):
        services.call_off_own_absence(absence_id, key=request.key)  # type: ignore[call-arg]
    else:
        services.call_off_absence(absence_id, key=request.key)  # type: ignore[call-arg]
    return "Your absence is called off."


@action("foundation.grant")
def absent(request: PageRequest, client: str, user_id: UUID) -> str:
    values = filled_in(Away(request.POST, sight=_in_sight(request)))
    services.record_absence(
        user_id,
        values["starts"],
        values["ends"],
        stand_in_id=_id(values["stand_in"]),
        key=request.key,  # type: ignore[call-arg]
    )
    return "The absence is recorded."


@action("foundation.grant")
def there(request: PageRequest, client: str, absence_id: UUID) -> str:
    services.call_off_absence(absence_id, key=request.key)  # type: ignore[call-arg]
    return "The absence is called off."


@action("foundation.admin", scope="house")
def offboard(request: PageRequest, user_id: UUID) -> Done:
    values = filled_in(Leaving(request.POST))
    done = services.offboard(
        user_id,
        reason=values["reason"],
        successor_id=_id(values["successor"]),
        key=request.key,  # type: ignore[call-arg]
    )
    said = f"{done.in_words}."
    if done.left_without:
        said += f" Nobody else holds: {', '.join(done.left_without)}."
    return Done(said, to=reverse("workforce:person", args=[user_id]))


@action("foundation.admin", scope="house")
def make_team(request: PageRequest) -> str:
    values = filled_in(NewTeam(request.POST, prefix="new"))
    made = services.make_team(values["name"], lead_id=_id(values["lead"]), key=request.key)  # type: ignore[call-arg]
    return f"{made.name} is a team."


@action("foundation.admin", scope="house")
def join(request: PageRequest) -> str:
    values = filled_in(Joining(request.POST, prefix="join"))
    services.join_team(values["team"].id, values["person"].id, starts=values["starts"], key=request.key)  # type: ignore[call-arg]
    return f"{values['person'].name} is in {values['team']}."


@action("foundation.admin", scope="house")
def leave(request: PageRequest, team_id: UUID, user_id: UUID) -> str:
    done = services.leave_team(team_id, user_id, ends=timezone.now().date(), key=request.key)  # type: ignore[call-arg]
    return f"Out of {done.name} from tomorrow."


@action("foundation.admin", scope="house")
def serve(request: PageRequest) -> str:
    values = filled_in(ServingForm(request.POST, prefix="serve"))
    services.serve(values["team"].id, values["client"].id, starts=values["starts"], key=request.key)  # type: ignore[call-arg]
    return f"{values['team']} serves {values['client'].code}."


@action("foundation.admin", scope="house")
def stop(request: PageRequest, team_id: UUID, client_id: UUID) -> str:
    done = services.stop_serving(team_id, client_id, ends=timezone.now().date(), key=request.key)  # type: ignore[call-arg]
    return f"{done.name} serves it no more from tomorrow."


urlpatterns = [
    path("staff", staff, name="staff"),
    path("staff/away", away, name="away"),
    path("staff/away/<uuid:absence_id>/off", back, name="back"),
    path("staff/<uuid:user_id>", person, name="person"),
    path("staff/<uuid:user_id>/offboard", offboard, name="offboard"),
    path("c/<str:client>/staff/<uuid:user_id>/absent", absent, name="absent"),
    path("c/<str:client>/absences/<uuid:absence_id>/off", there, name="there"),
    path("teams", teams, name="teams"),
    path("teams/make", make_team, name="team_make"),
    path("teams/join", join, name="team_join"),
    path("teams/<uuid:team_id>/leave/<uuid:user_id>", leave, name="team_leave"),
    path("teams/serve", serve, name="team_serve"),
    path("teams/<uuid:team_id>/stop/<uuid:client_id>", stop, name="team_stop"),
]
