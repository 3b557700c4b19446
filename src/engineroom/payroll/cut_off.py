"""When a period's inputs close: banking days before pay day, or the day until which a lead let late ones in.

What is added later waits for the next period: the run of the period takes no item, and pays no recurring pay,
that was said after its close. A schedule without days before pay day has no cut-off, and no more has a run of
another kind than regular: what is for it is for it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from django.db import connection

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, reason_given
from engineroom.payroll.engine.schedules import Period
from engineroom.payroll.jurisdictions import jurisdiction, today_of
from engineroom.payroll.models import CutOffMoved, PayRun, PaySchedule
from engineroom.payroll.schedules import find_schedule, paid_on, period_of_day, released_run_of

State = Literal["open", "let in", "closed", "released"]


@dataclass(frozen=True)
class CutOff:
    """Of one period. day: as the schedule says, None where it says nothing. moved: late inputs were let in,
    until which day and why. run: the released regular run of the period. today: where its people are."""

    day: date | None
    moved: CutOffMoved | None
    run: PayRun | None
    today: date

    @property
    def closes(self) -> date | None:
        """The last day on which an input is in time."""
        if self.day is None or self.moved is None:
            return self.day
        return max(self.day, self.moved.until)

    @property
    def state(self) -> State:
        if self.run is not None:
            return "released"
        if self.day is None or self.today <= self.day:
            return "open"
        return "let in" if self.closes is not None and self.today <= self.closes else "closed"


@dataclass(frozen=True)
class CutOffLifted:
    """until: the last day on which inputs of the period are in time now."""

    schedule_id: UUID
    period_starts: date
    until: date

    @property
    def subject(self) -> str:
        return f"pay_schedule:{self.schedule_id}"


@command("foundation.prepare")
def let_late_inputs_in(schedule: str, pay_date: date, *, until: date, reason: str) -> CutOffLifted:
    """Let inputs of the period that is paid on a day in until another, though its cut-off is over: what a
    client agreed on gives way, so it is a lead's to say, and the reason stays. Raises Conflict."""
    reason = reason_given(reason)
    row = find_schedule(schedule)
    period = paid_on(row, pay_date)
    cut_off = cut_off_of(row, period)
    if cut_off.run is not None:
        raise Conflict(f"{cut_off.run} of that period is released: late inputs go into the next period")
    if cut_off.day is None:
        raise Conflict(f"{row} has no cut-off: its inputs are open until the run is released")
    if until <= cut_off.day:
        raise EngineroomError(f"inputs close on {cut_off.day}; give a later day")
    if until > period.paid:
        raise EngineroomError(f"the period is paid on {period.paid}; give that day or an earlier one")
    CutOffMoved.objects.create(
        client_id=row.client_id,
        schedule=row,
        period_starts=period.starts,
        until=until,
        reason=reason,
        by_user_id=current_scope().user.id,
    )
    return CutOffLifted(row.id, period.starts, until)


def cut_off_of(schedule: PaySchedule, period: Period) -> CutOff:
    """The cut-off of a period of a schedule, as it stands."""
    moved = CutOffMoved.objects.filter(
        client_id=schedule.client_id, schedule=schedule, period_starts=period.starts
    )
    return CutOff(
        period.cut_off if schedule.cut_off_days else None,
        moved.order_by("-at", "-id").first(),
        released_run_of(schedule, period.starts),
        today_of(jurisdiction(schedule.jurisdiction)),
    )


def closes(run: PayRun) -> date | None:
    """The last day on which an input is in time for the run; None where all are."""
    if run.kind != "regular" or run.schedule is None or not run.schedule.cut_off_days:
        return None
    period = period_of_day(run.schedule, run.period_starts)
    moved = CutOffMoved.objects.filter(
        client_id=run.client_id, schedule_id=run.schedule_id, period_starts=period.starts
    )
    last = moved.order_by("-at", "-id").first()
    return max(period.cut_off, last.until) if last else period.cut_off


TOO_LATE = """
SELECT count(*) FROM payroll_payitem i
WHERE i.client_id = %(client)s AND i.withdrawn = '' AND i.run_id IS NULL
  AND i.period BETWEEN %(starts)s AND %(ends)s
  AND (i.added_at AT TIME ZONE %(zone)s)::date > %(closes)s
  AND NOT EXISTS (SELECT FROM payroll_paiditem p WHERE p.client_id = i.client_id AND p.id = i.id)
  AND EXISTS (
    SELECT FROM payroll_onschedule o WHERE o.client_id = i.client_id AND o.person_id = i.person_id
      AND o.schedule_id = %(schedule)s AND o.starts <= %(ends)s
      AND (o.ends IS NULL OR o.ends >= %(starts)s))
"""


def items_too_late(schedule: PaySchedule, period: Period, closes: date | None) -> int:
    """How many items for the period came after its inputs had closed, and wait for the next."""
    if closes is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            TOO_LATE,
            {
                "client": schedule.client_id, "schedule": schedule.id, "starts": period.starts,
                "ends": period.ends, "closes": closes, "zone": jurisdiction(schedule.jurisdiction).zone,
            },
        )  # fmt: skip
        return int(cursor.fetchone()[0])


@dataclass(frozen=True)
class InputsOfRun:
    """Until when inputs of a run's period are in time. late: items that came after that."""

    cut_off: CutOff
    schedule: str
    pay_date: str
    late: int


def inputs_of_run(run: PayRun) -> InputsOfRun | None:
    """Of a regular run of a schedule that has a cut-off; of others there is nothing to say."""
    if run.kind != "regular" or run.schedule is None or not run.schedule.cut_off_days:
        return None
    period = period_of_day(run.schedule, run.period_starts)
    found = cut_off_of(run.schedule, period)
    late = items_too_late(run.schedule, period, found.closes)
    return InputsOfRun(found, run.schedule.code, period.paid.isoformat(), late)
