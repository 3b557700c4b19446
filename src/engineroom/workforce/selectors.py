"""Questions about staff: who works where, who is away, where nobody is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from engineroom.foundation.access.models import Grant, User
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.dated import lasts_until, lives_on
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.sop.models import OPEN_STATES, Task
from engineroom.workforce.models import Absence, Membership, OffBoarding, Serving, Team

LOOK_AHEAD_DAYS = 28
MOST_ABSENCES = 50
WORKING_ROLES = tuple(n for n, role in ROLES.items() if role.face == "firm" and n not in ("auditor", "admin"))
"""Roles whose work stops when nobody is there."""


@dataclass
class PersonRow:
    """One of the staff: roles as (client, role), teams, the absence that lasts or comes next, and how many
    tasks they have on the clients that the scope reads."""

    user: User
    roles: list[tuple[str, str]] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    absence: Absence | None = None
    open_tasks: int = 0
    late_tasks: int = 0
    """Of the open ones, those whose due time has passed."""

    @property
    def clients(self) -> list[str]:
        return list(dict.fromkeys(code for code, _ in self.roles))

    @property
    def in_words(self) -> str:
        """Each role with its clients: lead on HOUSE, NORTHGATE; owner on SOUTHQUAY."""
        found: dict[str, list[str]] = defaultdict(list)
        for code, role in self.roles:
            found[role].append(code)
        return "; ".join(f"{role} on {', '.join(codes)}" for role, codes in sorted(found.items()))


@dataclass(frozen=True)
class Gap:
    """Days on which everybody who holds a role on a client is away. stand_ins: those with a grant there."""

    client_code: str
    role: str
    first: date
    last: date
    away: tuple[str, ...]
    stand_ins: tuple[str, ...]


def staff(today: date, client_ids: Sequence[UUID] | None) -> list[PersonRow]:
    """Active staff with a live grant on one of the clients, by name. None: all staff, on all clients."""
    rows: dict[UUID, PersonRow] = {}
    grants = _live_grants(today, client_ids)
    for grant in grants.order_by("user__name", "of_client__code", "role"):
        row = rows.setdefault(grant.user_id, PersonRow(grant.user))
        row.roles.append((grant.of_client.code, grant.role))
    if client_ids is None:
        for user in User.objects.filter(kind="staff", is_active=True).order_by("name"):
            rows.setdefault(user.id, PersonRow(user))
    for member in Membership.objects.filter(lives_on(today), user_id__in=rows).select_related("team"):
        rows[member.user_id].teams.append(member.team.name)
    coming = Absence.objects.filter(user_id__in=rows, called_off_at=None, ends__gte=today)
    for absence in coming.select_related("stand_in").order_by("-starts"):
        rows[absence.user_id].absence = absence
    for user_id, open_tasks, late in _workload(list(rows)):
        rows[user_id].open_tasks, rows[user_id].late_tasks = open_tasks, late
    return sorted(rows.values(), key=lambda row: row.user.name.casefold())


def _workload(user_ids: Sequence[UUID]) -> list[tuple[UUID, int, int]]:
    """Open tasks that somebody has, and of them the late ones. Whoever has none is left out."""
    had = Task.objects.filter(
        client_id__in=current_scope().read, assignee_id__in=user_ids, state__in=OPEN_STATES
    )
    late = Count("id", filter=Q(due_at__lt=timezone.now()))
    counted = had.values("assignee_id").annotate(n=Count("id"), late=late).order_by()
    return [(row["assignee_id"], row["n"], row["late"]) for row in counted]


def colleagues(today: date, client_ids: Sequence[UUID] | None) -> QuerySet[User]:
    """Active staff with a live grant on one of the clients, by name. None: all staff."""
    everybody = User.objects.filter(kind="staff", is_active=True).order_by("name")
    if client_ids is None:
        return everybody
    return everybody.filter(id__in=_live_grants(today, client_ids).values("user_id"))


def _live_grants(day: date, client_ids: Sequence[UUID] | None) -> QuerySet[Grant]:
    live = Grant.objects.filter(lives_on(day), user__is_active=True, user__kind="staff")
    live = live.select_related("user", "of_client")
    return live if client_ids is None else live.filter(of_client_id__in=client_ids)


def gaps(today: date, client_ids: Sequence[UUID] | None, days: int = LOOK_AHEAD_DAYS) -> list[Gap]:
    """Where, in the coming days, nobody is left who may do the work of a role."""
    last = today + timedelta(days=days - 1)
    holders: dict[tuple[str, str], dict[UUID, str]] = defaultdict(dict)
    held: dict[UUID, set[str]] = defaultdict(set)
    for grant in _live_grants(today, client_ids):
        held[grant.user_id].add(grant.of_client.code)
        if grant.role in WORKING_ROLES:
            holders[(grant.of_client.code, grant.role)][grant.user_id] = grant.user.name
    absences = list(
        Absence.objects.filter(called_off_at=None, ends__gte=today, starts__lte=last)
        .select_related("stand_in", "user")
        .order_by("starts")
    )
    found = []
    for (code, role), people in sorted(holders.items()):
        mine = [a for a in absences if a.user_id in people]
        names = tuple(sorted(people.values()))
        found += [
            Gap(code, role, first, end, names, _stand_ins(mine, first, end, code, held))
            for first, end in _all_away(set(people), mine, today, last)
        ]
    return found


def _all_away(
    people: set[UUID], absences: Sequence[Absence], first: date, last: date
) -> list[tuple[date, date]]:
    """Stretches of days on which each of the people is away."""
    stretches: list[tuple[date, date]] = []
    day = first
    while day <= last:
        away = {a.user_id for a in absences if a.starts <= day <= a.ends}
        if away >= people:
            if stretches and stretches[-1][1] == day - timedelta(days=1):
                stretches[-1] = (stretches[-1][0], day)
            else:
                stretches.append((day, day))
        day += timedelta(days=1)
    return stretches


def _stand_ins(
    absences: Sequence[Absence], first: date, last: date, code: str, held: dict[UUID, set[str]]
) -> tuple[str, ...]:
    names = {
        a.stand_in.name
        for a in absences
        if a.stand_in is not None and a.starts <= last and a.ends >= first and code in held[a.stand_in.id]
    }
    return tuple(sorted(names))


@dataclass(frozen=True)
class TeamView:
    team: Team
    members: list[Membership]
    servings: list[Serving]


def teams(today: date) -> list[TeamView]:
    """Teams that last, with who is in them and whom they serve today or later."""
    members: dict[UUID, list[Membership]] = defaultdict(list)
    lasting = lasts_until(today)
    for member in Membership.objects.filter(lasting).select_related("user").order_by("user__name"):
        members[member.team_id].append(member)
    servings: dict[UUID, list[Serving]] = defaultdict(list)
    for serving in Serving.objects.filter(lasting).select_related("of_client").order_by("of_client__code"):
        servings[serving.team_id].append(serving)
    found = Team.objects.filter(ended=None).select_related("lead").order_by("name")
    return [TeamView(team, members[team.id], servings[team.id]) for team in found]


def absences_of(user_id: UUID) -> list[Absence]:
    """Newest first, the ones called off among them."""
    return list(
        Absence.objects.filter(user_id=user_id)
        .select_related("stand_in", "recorded_by")
        .order_by("-starts")[:MOST_ABSENCES]
    )


def offboarding_of(user_id: UUID) -> OffBoarding | None:
    return OffBoarding.objects.filter(user_id=user_id).select_related("successor", "by").first()
