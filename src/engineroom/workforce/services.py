"""Making teams, being away, leaving. What concerns the whole firm is written from the house client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import IntegrityError, transaction
from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant, Token, User
from engineroom.foundation.commands import command
from engineroom.foundation.dated import lasts_until, lives_on
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, too_long
from engineroom.ui.display import format_count
from engineroom.workforce.models import Absence, Membership, OffBoarding, OfTeam, Serving, Team

LONGEST_ABSENCE_DAYS = 366
LONGEST_NAME = 100
LONGEST_REASON = 400
A_DAY = timedelta(days=1)

R = TypeVar("R")


@dataclass(frozen=True)
class TeamChanged:
    team_id: UUID
    name: str

    @property
    def subject(self) -> str:
        return f"team:{self.team_id}"


@command("foundation.admin")
def make_team(name: str, *, lead_id: UUID | None = None) -> TeamChanged:
    """Make a team. Who is in it, and whom it serves, follows."""
    access.only_at_home("teams are made")
    if not name.strip():
        raise InputRefused([Problem("a team has a name", "Give it one", field="name")])
    if problems := too_long("name", name, LONGEST_NAME):
        raise InputRefused(problems)
    if lead_id is not None:
        _staff(lead_id)
    if Team.objects.filter(name__iexact=name.strip()).exists():
        raise Conflict(f"there is a team called {name.strip()} already")
    row = Team.objects.create(name=name.strip(), lead_id=lead_id)
    return TeamChanged(row.id, row.name)


@command("foundation.admin")
def join_team(team_id: UUID, user_id: UUID, *, starts: date) -> TeamChanged:
    """Put somebody into a team from a day on. It gives no rights: grants do."""
    access.only_at_home("teams are changed")
    team, user = _team(team_id), _staff(user_id)
    _once(
        lambda: Membership.objects.create(team=team, user=user, starts=starts),
        f"{user.name} is in {team} already; end that first",
    )
    return TeamChanged(team.id, team.name)


@command("foundation.admin")
def leave_team(team_id: UUID, user_id: UUID, *, ends: date) -> TeamChanged:
    """The last day of somebody in a team."""
    access.only_at_home("teams are changed")
    team = _team(team_id)
    row = Membership.objects.filter(team=team, user_id=user_id, ends=None).first()
    if row is None:
        raise NotFound(f"this user is not in {team}")
    _last_day(row, ends)
    return TeamChanged(team.id, team.name)


@command("foundation.admin")
def serve(team_id: UUID, of_client_id: UUID, *, starts: date) -> TeamChanged:
    """A team serves a client from a day on."""
    access.only_at_home("teams are changed")
    team = _team(team_id)
    client = Client.objects.filter(id=of_client_id).first()
    if client is None:
        raise NotFound(f"there is no client {of_client_id}")
    _once(
        lambda: Serving.objects.create(team=team, of_client=client, starts=starts),
        f"{team} serves {client.code} already",
    )
    return TeamChanged(team.id, team.name)


@command("foundation.admin")
def stop_serving(team_id: UUID, of_client_id: UUID, *, ends: date) -> TeamChanged:
    """The last day on which a team serves a client."""
    access.only_at_home("teams are changed")
    team = _team(team_id)
    row = Serving.objects.filter(team=team, of_client_id=of_client_id, ends=None).first()
    if row is None:
        raise NotFound(f"{team} does not serve this client")
    _last_day(row, ends)
    return TeamChanged(team.id, team.name)


@dataclass(frozen=True)
class AbsenceRecorded:
    absence_id: UUID
    user_id: UUID

    @property
    def subject(self) -> str:
        return f"absence:{self.absence_id}"


@command("workforce.read")
def record_own_absence(starts: date, ends: date, *, stand_in_id: UUID | None = None) -> AbsenceRecorded:
    """Be away, first and last day included."""
    return _absent(current_scope().user.id, starts, ends, stand_in_id)


@command("foundation.grant")
def record_absence(
    user_id: UUID, starts: date, ends: date, *, stand_in_id: UUID | None = None
) -> AbsenceRecorded:
    """Somebody is away: said by whoever grants work, a lead or an admin."""
    _at_home_or_with(user_id)
    return _absent(user_id, starts, ends, stand_in_id)


@command("workforce.read")
def call_off_own_absence(absence_id: UUID) -> AbsenceRecorded:
    """Be there after all."""
    return _called_off(absence_id, only_of=current_scope().user.id)


@command("foundation.grant")
def call_off_absence(absence_id: UUID) -> AbsenceRecorded:
    """Somebody is there after all: said by whoever grants work."""
    row = Absence.objects.filter(id=absence_id).first()
    if row is not None:
        _at_home_or_with(row.user_id)
    return _called_off(absence_id)


def _absent(user_id: UUID, starts: date, ends: date, stand_in_id: UUID | None) -> AbsenceRecorded:
    user = _staff(user_id)
    problems = []
    if ends < starts:
        problems.append(Problem("the last day is before the first", "Correct one of them", field="ends"))
    elif (ends - starts).days > LONGEST_ABSENCE_DAYS:
        problems.append(
            Problem("an absence is at most a year", "Off-board somebody who does not come back", field="ends")
        )
    if stand_in_id == user_id:
        problems.append(Problem("nobody stands in for themselves", "Choose another", field="stand_in"))
    elif stand_in_id is not None:
        _staff(stand_in_id)
        if _away(stand_in_id, starts, ends):
            problems.append(
                Problem("whoever stands in is away themselves", "Choose another", field="stand_in")
            )
    if problems:
        raise InputRefused(problems)
    row = _once(
        lambda: Absence.objects.create(user=user, starts=starts, ends=ends, stand_in_id=stand_in_id),
        f"{user.name} is away on some of these days already; call that off first",
    )
    return AbsenceRecorded(row.id, user.id)


def _away(user_id: UUID, starts: date, ends: date) -> bool:
    return Absence.objects.filter(
        user_id=user_id, called_off_at=None, starts__lte=ends, ends__gte=starts
    ).exists()


def _called_off(absence_id: UUID, only_of: UUID | None = None) -> AbsenceRecorded:
    row = Absence.objects.filter(id=absence_id, called_off_at=None).first()
    if row is None or (only_of is not None and row.user_id != only_of):
        raise NotFound("there is no such absence")
    row.called_off_at = timezone.now()
    row.save(update_fields=["called_off_at"])
    return AbsenceRecorded(row.id, row.user_id)


def _at_home_or_with(user_id: UUID) -> None:
    """A lead speaks for whoever works on the lead's client; an admin at home for everybody."""
    here = current_scope().client_id
    if Client.objects.filter(id=here, is_house=True).exists():
        return
    today = timezone.now().date()
    if not Grant.objects.filter(lives_on(today), user_id=user_id, of_client_id=here).exists():
        raise NotFound("nobody of that address works on this client; whoever leads theirs says it")


# --- leaving ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OffBoarded:
    """What ended, and what the firm is left without: a client and a role that nobody else holds."""

    offboarding_id: UUID
    user_id: UUID
    email: str
    grants: int
    tokens: int
    devices: int
    teams: int
    left_without: list[str]

    @property
    def subject(self) -> str:
        return f"user:{self.user_id}"

    @property
    def in_words(self) -> str:
        ended = ((self.grants, "grant"), (self.tokens, "token"), (self.devices, "device"))
        counts = ", ".join(format_count(number, what) for number, what in ended)
        return f"{self.email} is off-boarded: {counts} and {format_count(self.teams, 'team')} have ended"


@command("foundation.admin")
def offboard(user_id: UUID, *, reason: str, successor_id: UUID | None = None) -> OffBoarded:
    """End everything somebody had, at once: sign-in, tokens, devices, second factors, grants, teams.

    Nothing is deleted of what they did; their open tasks are handed over by a job for each client.
    PostgreSQL refuses to commit if a way in is left. Nobody off-boards themselves, nor the last admin.
    """
    from engineroom.workforce.tasks import hand_over_job

    access.only_at_home("people are off-boarded")
    user = User.objects.filter(id=user_id).exclude(kind="system").first()
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    if not reason.strip():
        raise InputRefused([Problem("off-boarding needs a reason", "Say why", field="reason")])
    if problems := too_long("reason", reason, LONGEST_REASON):
        raise InputRefused(problems)
    if OffBoarding.objects.filter(user=user).exists():
        raise Conflict(f"{user.email} was off-boarded before")
    if successor_id == user_id:
        raise InputRefused(
            [Problem("nobody takes over from themselves", "Choose another", field="successor")]
        )
    if successor_id is not None:
        _staff(successor_id)
    today = timezone.now().date()
    without = _left_without(user_id, today)
    worked_on = sorted(set(Grant.objects.filter(user_id=user_id).values_list("of_client_id", flat=True)))
    tokens = Token.objects.filter(user_id=user_id, revoked_at=None).count()
    if user.is_active:
        access.switch_off_user(user_id, reason=reason)
    Token.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=timezone.now())
    grants = _end_grants(user_id, today, reason)
    teams = _out_of_teams(user_id, today, successor_id)
    devices = _sign_out(user_id)
    Absence.objects.filter(user_id=user_id, called_off_at=None, ends__gte=today).update(
        called_off_at=timezone.now()
    )
    row = OffBoarding.objects.create(user=user, successor_id=successor_id, reason=reason.strip())
    for client_id in worked_on:
        hand_over_job.defer(client_id=str(client_id), offboarding_id=str(row.id))
    return OffBoarded(row.id, user_id, user.email, grants, tokens, devices, teams, without)


def _end_grants(user_id: UUID, today: date, reason: str) -> int:
    ended = 0
    for grant in Grant.objects.filter(lasts_until(today + A_DAY), user_id=user_id):
        access.end_grant(grant.id, ends=max(today, grant.starts), reason=reason)
        ended += 1
    return ended


def _out_of_teams(user_id: UUID, today: date, successor_id: UUID | None) -> int:
    """Out of every team; whoever takes over leads the teams that were led."""
    left = 0
    for row in Membership.objects.filter(lasts_until(today + A_DAY), user_id=user_id):
        _last_day(row, today)
        left += 1
    Team.objects.filter(lead_id=user_id).update(lead_id=successor_id)
    return left


def _sign_out(user_id: UUID) -> int:
    """Every device at once, and the second factors with them."""
    devices = 0
    for device in UserSession.objects.filter(user_id=user_id):
        device.end()
        devices += 1
    Authenticator.objects.filter(user_id=user_id).delete()
    return devices


def _left_without(user_id: UUID, today: date) -> list[str]:
    """Clients and roles for which nobody else holds a grant."""
    live = Grant.objects.filter(lives_on(today))
    others = set(
        live.exclude(user_id=user_id).filter(user__is_active=True).values_list("of_client__code", "role")
    )
    mine = set(live.filter(user_id=user_id).values_list("of_client__code", "role"))
    return [f"{code}: {role.replace('_', ' ')}" for code, role in sorted(mine - others)]


# --- what the verbs share ---------------------------------------------------------------------------


def _staff(user_id: UUID) -> User:
    found = User.objects.filter(id=user_id, is_active=True, kind="staff").first()
    if found is None:
        raise NotFound(f"there is nobody {user_id} on the staff")
    return found


def _team(team_id: UUID) -> Team:
    found = Team.objects.filter(id=team_id, ended=None).first()
    if found is None:
        raise NotFound(f"there is no team {team_id}")
    return found


def _last_day(row: OfTeam, ends: date) -> None:
    """What would begin later ends on its first day."""
    row.ends = max(ends, row.starts)
    row.save(update_fields=["ends"])


def _once(make: Callable[[], R], refusal: str) -> R:
    """Rows of one key that overlap in time are refused by PostgreSQL; here in words."""
    try:
        with transaction.atomic():
            return make()
    except IntegrityError as error:
        raise Conflict(refusal) from error
