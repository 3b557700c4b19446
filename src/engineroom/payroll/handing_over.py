"""An approval handed over: an approver of the client's lets a named colleague approve in their place.

For one run, or for whatever comes up on some days. While it stands, the colleague is asked and reminded, and
the one who handed it over does not approve beside them; either of the two ends it. It gives nobody a role:
the colleague may approve anyway, and PostgreSQL refuses one who made part of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.utils import DatabaseError

from engineroom.foundation import duties, kept
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, NotPermitted, reason_given
from engineroom.payroll.models import HandedOver, PayRun

LONGEST = timedelta(days=92)
FOR_A_RUN = timedelta(days=366)
"""A run that is handed over is released long before."""


@dataclass(frozen=True)
class Approver:
    """Somebody of the client's who may approve its runs."""

    id: UUID
    name: str
    email: str


@dataclass(frozen=True)
class ApprovalHanded:
    handover_id: UUID
    run_id: UUID | None
    to_user_id: UUID
    ends: date

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}" if self.run_id else f"approval_handover:{self.handover_id}"


@command("payroll.approve")
def hand_over(
    to_user_id: UUID, *, run_id: UUID | None = None, until: date | None = None, reason: str
) -> ApprovalHanded:
    """Let a colleague approve in my place: one run, or from today until a day.

    Raises Conflict, NotFound, NotPermitted.
    """
    scope, today = current_scope(), duties.today()
    reason = reason_given(reason)
    if scope.face != "client":
        raise NotPermitted("only the client's own approvers hand an approval over, to one another")
    if to_user_id not in {one.id for one in approvers_of_client()}:
        raise NotFound("there is no such colleague who may approve this company's runs")
    if (run_id is None) == (until is None):
        raise EngineroomError("hand over one run, or say until which day: one of the two")
    if until is not None and not today <= until <= today + LONGEST:
        raise EngineroomError(f"give a day from {today} to {today + LONGEST}")
    run = _unreleased(run_id) if run_id else None
    if standing_of(scope.user.id, run, today):
        raise Conflict("you have handed this over already; take it back first")
    try:
        with transaction.atomic():
            row = HandedOver.objects.create(
                client_id=scope.client_id,
                run=run,
                starts=today,
                ends=until or today + FOR_A_RUN,
                from_user_id=scope.user.id,
                to_user_id=to_user_id,
                reason=reason,
            )
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) == "ER403":
            raise NotPermitted(str(error.__cause__).splitlines()[0]) from error
        raise
    return ApprovalHanded(row.id, run_id, to_user_id, row.ends)


@dataclass(frozen=True)
class HandoverEnded:
    handover_id: UUID
    run_id: UUID | None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}" if self.run_id else f"approval_handover:{self.handover_id}"


@command("payroll.approve")
def take_back_handover(handover_id: UUID, *, reason: str) -> HandoverEnded:
    """By whoever handed it over, or whoever has it: from now on the first one approves again."""
    scope = current_scope()
    reason = reason_given(reason)
    row = HandedOver.objects.select_for_update().filter(client_id=scope.client_id, id=handover_id).first()
    if row is None:
        raise NotFound(f"there is no such handing over {handover_id}")
    if row.taken_back:
        raise Conflict(f"this was taken back already: {row.taken_back}")
    if scope.user.id not in (row.from_user_id, row.to_user_id):
        raise NotPermitted("it is taken back by whoever handed it over, or given back by whoever has it")
    HandedOver.objects.filter(client_id=row.client_id, id=row.id).update(taken_back=reason)
    return HandoverEnded(row.id, row.run_id)


def _unreleased(run_id: UUID) -> PayRun:
    run = PayRun.objects.filter(client_id=current_client_id(), id=run_id).first()
    if run is None:
        raise NotFound(f"there is no pay run {run_id}")
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released: nothing of it waits for an approval")
    return run


# --- questions --------------------------------------------------------------------------------------------


def approvers_of_client() -> list[Approver]:
    """Whoever of the client's may approve its runs, by name: also to a colleague, who sees no users."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name, email FROM client_approvers(%s) ORDER BY name, id", [current_client_id()]
        )
        return [Approver(*row) for row in cursor.fetchall()]


def standing_of(user_id: UUID, run: PayRun | None, day: date) -> HandedOver | None:
    """By what a user has handed their approval of a run (None: of any) over, on a day."""
    rows = _standing(day).filter(from_user_id=user_id)
    which = Q(run=None) | Q(run=run) if run else Q(run=None)
    return rows.filter(which).order_by("-at").first()


def _standing(day: date) -> QuerySet[HandedOver]:
    return HandedOver.objects.filter(
        client_id=current_client_id(), taken_back="", starts__lte=day, ends__gte=day
    )


@dataclass(frozen=True)
class Handing:
    """One handing over, with names. by_me, to_me: of the one who looks."""

    id: UUID
    run: int | None
    giver: str
    taker: str
    starts: date
    ends: date
    reason: str
    taken_back: str
    at: datetime
    by_me: bool
    to_me: bool


def handings(run: PayRun | None = None) -> list[Handing]:
    """Those of a run, and those of days that have not passed; without a run, the latest hundred of all."""
    today = duties.today()
    found = kept.of_client(("handings", run.id if run else None, today), lambda: _handings(run, today))
    if not found:
        return []
    names = {one.id: one.name for one in approvers_of_client()}
    me = current_scope().user.id
    return [
        Handing(
            row.id,
            row.run.number if row.run else None,
            names.get(row.from_user_id, "a colleague who left"),
            names.get(row.to_user_id, "a colleague who left"),
            row.starts,
            row.ends,
            row.reason,
            row.taken_back,
            row.at,
            row.from_user_id == me,
            row.to_user_id == me,
        )
        for row in found
    ]


def _handings(run: PayRun | None, today: date) -> list[HandedOver]:
    rows = HandedOver.objects.filter(client_id=current_client_id())
    if run is not None:
        rows = rows.filter(Q(run=run) | Q(run=None, taken_back="", ends__gte=today))
    return list(rows.select_related("run").order_by("-at", "-id")[:100])


def asked_instead(run: PayRun, people: Sequence[UUID]) -> set[UUID]:
    """Of the client's approvers of a run: without those who handed it over. Their colleagues are approvers
    themselves, so they are asked anyway."""
    rows = _standing(duties.today()).filter(Q(run=None) | Q(run=run), from_user_id__in=people)
    gone = {row.from_user_id for row in rows if row.to_user_id in people}
    return set(people) - gone


def refuse_if_handed(run: PayRun) -> None:
    """Whoever handed the run to a colleague takes it back before they approve it. Raises Conflict."""
    if standing_of(current_scope().user.id, run, duties.today()):
        raise Conflict(f"you handed {run} to a colleague; take it back before you approve it yourself")
