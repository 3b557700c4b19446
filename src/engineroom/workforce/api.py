"""Staff for programs: who works on a client, absences, off-boarding. For the firm's own people alone."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.utils import timezone
from ninja import Query, Schema

from engineroom.foundation.api import Asked, Day, Page, PageAsked, Reason, Room, cut_list, firm_only
from engineroom.foundation.tenancy.models import Client
from engineroom.workforce import selectors, services

router = Room("workforce")


class StaffOut(Schema):
    """Somebody who works on the client, and how many of its tasks they have.

    away_from, away_until: the absence that lasts or comes next.
    """

    user_id: UUID
    name: str
    email: str
    roles: list[str]
    teams: list[str]
    open_tasks: int
    late_tasks: int
    away_from: date | None
    away_until: date | None
    stand_in: str | None


class AbsenceIn(Asked):
    """First and last day included. stand_in_id: a user of the staff."""

    user_id: UUID
    starts: Day
    ends: Day
    stand_in_id: UUID | None = None


class AbsenceOut(Schema):
    absence_id: UUID
    user_id: UUID


class OffBoardingIn(Asked):
    user_id: UUID
    reason: Reason
    successor_id: UUID | None = None


class OffBoardingOut(Schema):
    """What ended. left_without: clients and roles that nobody else holds."""

    offboarding_id: UUID
    user_id: UUID
    email: str
    grants: int
    tokens: int
    devices: int
    teams: int
    left_without: list[str]


@router.read("/staff", Page[StaffOut], "Who works on the client")
def staff(client: Client, page: Query[PageAsked]) -> Page[StaffOut]:
    """The firm's people with a role here, and who of them is away."""
    firm_only("the firm's staff")
    rows = selectors.staff(timezone.now().date(), [client.id])
    found, onward = cut_list(rows, page, by=lambda row: (row.user.name, row.user.id))
    return Page(items=[_staff(row) for row in found], next=onward)


def _staff(row: selectors.PersonRow) -> StaffOut:
    away = row.absence
    return StaffOut(
        user_id=row.user.id,
        name=row.user.name,
        email=row.user.email,
        roles=[role for _, role in row.roles],
        teams=row.teams,
        open_tasks=row.open_tasks,
        late_tasks=row.late_tasks,
        away_from=away.starts if away else None,
        away_until=away.ends if away else None,
        stand_in=away.stand_in.name if away and away.stand_in else None,
    )


@router.command("/absences", AbsenceOut, "Record an absence", permission="foundation.grant")
def record_absence(client: Client, body: AbsenceIn) -> services.AbsenceRecorded:
    """Somebody who works on the client is away: said by its lead, or at home by an admin."""
    return services.record_absence(body.user_id, body.starts, body.ends, stand_in_id=body.stand_in_id)


@router.command(
    "/absences/{absence_id}/off", AbsenceOut, "Call an absence off", permission="foundation.grant"
)
def call_off_absence(client: Client, absence_id: UUID) -> services.AbsenceRecorded:
    """Somebody is there after all. The absence stays as it was recorded."""
    return services.call_off_absence(absence_id)


@router.command("/offboardings", OffBoardingOut, "Off-board somebody", permission="foundation.admin")
def offboard(client: Client, body: OffBoardingIn) -> services.OffBoarded:
    """End everything somebody had, in one step. On the house client, by an admin; it cannot be taken back."""
    return services.offboard(body.user_id, reason=body.reason, successor_id=body.successor_id)
