"""Pay schedules: added, closed, people put on them, and which period a pay date is of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.utils import timezone

from engineroom.foundation.approvals.models import Release
from engineroom.foundation.commands import command
from engineroom.foundation.dated import lasts_until
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, Problem
from engineroom.payroll.engine import schedules as engine
from engineroom.payroll.engine.proration import BASES
from engineroom.payroll.engine.schedules import Period, Rhythm
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import OnSchedule, PayRun, PaySchedule
from engineroom.people.models import Person

SHOWN_PERIODS = 6


class NoSuchPayday(EngineroomError):
    """No period of the schedule is paid on that day."""

    status = 422


@dataclass(frozen=True)
class ScheduleAdded:
    schedule_id: UUID
    code: str
    next_pay_date: date
    """Of the period of today."""

    @property
    def subject(self) -> str:
        return f"pay_schedule:{self.schedule_id}"


@command("payroll.prepare")
def add_pay_schedule(
    code: str,
    name: str,
    *,
    frequency: str,
    anchor: date,
    pay_rule: str,
    pay_day: int = 0,
    cut_off_days: int = 0,
    proration: str = "calendar_days",
) -> ScheduleAdded:
    """Add a schedule. anchor: the first day of any one of its periods. Raises InputRefused with everything
    wrong.
    """
    client_id = current_scope().client_id
    country = Client.objects.values_list("jurisdiction", flat=True).get(id=client_id)
    rhythm = Rhythm(frequency, anchor, pay_rule, pay_day, cut_off_days)
    problems = [Problem(p, remedy, field=field) for field, p, remedy in engine.wrong_with(rhythm)]
    if frequency in engine.PERIODS_IN_YEAR and frequency not in jurisdiction(country).frequencies:
        problem = f"the law of {country!r} has no tables for {frequency} pay"
        problems.append(Problem(problem, "Use a frequency that it knows", field="frequency"))
    if proration not in BASES:
        remedy = f"Use one of {', '.join(BASES)}"
        problems.append(Problem(f"{proration!r} is not a way to pay a part", remedy, field="proration"))
    if wrong := wrong_code(code):
        problems.append(wrong)
    if not name.strip() or len(name) > 100:
        problems.append(Problem("a name has 1 to 100 characters", "Name it", field="name"))
    if problems:
        raise InputRefused(problems)
    if PaySchedule.objects.filter(client_id=client_id, code=code.strip()).exists():
        raise Conflict(f"there is a schedule {code} already; give this one another code")
    row = PaySchedule.objects.create(
        client_id=client_id,
        code=code.strip(),
        name=name.strip(),
        jurisdiction=country,
        frequency=frequency,
        anchor=anchor,
        pay_rule=pay_rule,
        pay_day=pay_day,
        cut_off_days=cut_off_days,
        proration=proration,
    )
    return ScheduleAdded(row.id, row.code, period_of_day(row, timezone.now().date()).paid)


def wrong_code(code: str) -> Problem | None:
    """Why a schedule cannot be called so."""
    if code.strip() and len(code) <= 20 and code.isascii() and "/" not in code:
        return None
    return Problem(f"{code!r} is not a code", "Give up to 20 letters and digits", field="code")


@dataclass(frozen=True)
class ScheduleClosed:
    schedule_id: UUID
    ends: date

    @property
    def subject(self) -> str:
        return f"pay_schedule:{self.schedule_id}"


@command("payroll.prepare")
def close_pay_schedule(code: str, *, ends: date) -> ScheduleClosed:
    """No period begins after the day. Whoever is on it longer is named first."""
    row = find_schedule(code)
    if row.ends is not None:
        raise Conflict(f"{row} is closed already, on {row.ends}")
    if period_of_day(row, ends).ends != ends:
        raise EngineroomError(
            f"no period of {row} ends on {ends}; the one then ends {period_of_day(row, ends).ends}"
        )
    left = OnSchedule.objects.filter(
        lasts_until(ends + timedelta(days=1)), client_id=row.client_id, schedule=row
    )
    if numbers := sorted(left.values_list("person__payroll_number", flat=True)):
        named = ", ".join(numbers[:20])
        raise Conflict(f"{len(numbers)} people are on {row} after {ends}: {named}; put them on another first")
    PaySchedule.objects.filter(client_id=row.client_id, id=row.id).update(ends=ends)
    return ScheduleClosed(row.id, ends)


@dataclass(frozen=True)
class PutOnSchedule:
    person_id: UUID
    schedule_id: UUID
    starts: date

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def put_on_schedule(person_id: UUID, schedule: str, *, starts: date) -> PutOnSchedule:
    """Pay a person on a schedule from a day on; where they were on another it ends the day before."""
    row = find_schedule(schedule)
    if not Person.objects.filter(client_id=row.client_id, counterparty_id=person_id).exists():
        raise NotFound(f"there is no person {person_id}")
    if row.ends is not None and starts > row.ends:
        raise Conflict(f"{row} is closed since {row.ends}")
    standing = OnSchedule.objects.select_for_update().filter(client_id=row.client_id, person_id=person_id)
    last = standing.order_by("-starts").first()
    if last and last.starts >= starts:
        raise Conflict(f"this person is on a schedule from {last.starts} already; give a later day")
    if last and (last.ends is None or last.ends >= starts):
        OnSchedule.objects.filter(client_id=row.client_id, id=last.id).update(ends=starts - timedelta(days=1))
    OnSchedule.objects.create(client_id=row.client_id, person_id=person_id, schedule=row, starts=starts)
    return PutOnSchedule(person_id, row.id, starts)


@dataclass(frozen=True)
class TakenOffSchedule:
    person_id: UUID
    ends: date

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def take_off_schedule(person_id: UUID, *, ends: date) -> TakenOffSchedule:
    """The last day on which a person is paid on the schedule that they are on."""
    client_id = current_scope().client_id
    changed = OnSchedule.objects.filter(
        client_id=client_id, person_id=person_id, ends=None, starts__lte=ends
    ).update(ends=ends)
    if not changed:
        raise NotFound(f"this person is on no schedule on {ends} that has no end")
    return TakenOffSchedule(person_id, ends)


# --- questions --------------------------------------------------------------------------------------------


def find_schedule(code: str) -> PaySchedule:
    """Raises NotFound."""
    row = PaySchedule.objects.filter(client_id=current_client_id(), code=code).first()
    if row is None:
        known = ", ".join(one.code for one in pay_schedules())
        raise NotFound(
            f"there is no pay schedule {code!r}; {f'there are {known}' if known else 'add one first'}"
        )
    return row


def pay_schedules() -> list[PaySchedule]:
    """Those of the client, by code."""
    return list(PaySchedule.objects.filter(client_id=current_client_id()).order_by("code"))


def period_of_day(schedule: PaySchedule, day: date) -> Period:
    """The period that the day lies in."""
    return engine.period_at(schedule.rhythm, day, jurisdiction(schedule.jurisdiction).banks)


def periods_from(schedule: PaySchedule, day: date, count: int = SHOWN_PERIODS) -> list[Period]:
    """The period of a day and those after it, as many as asked, or up to where the schedule is closed."""
    found = [period_of_day(schedule, day)]
    while len(found) < count:
        found.append(period_of_day(schedule, found[-1].ends + timedelta(days=1)))
    return [p for p in found if schedule.ends is None or p.starts <= schedule.ends]


def paid_on(schedule: PaySchedule, pay_date: date) -> Period:
    """The period paid on a day. Raises NoSuchPayday with the paydays beside it."""
    banks = jurisdiction(schedule.jurisdiction).banks
    found = engine.period_paid_on(schedule.rhythm, pay_date, banks)
    if found is None:
        near = [p.paid for p in periods_from(schedule, pay_date - timedelta(days=31), 4)]
        days = ", ".join(day.isoformat() for day in near)
        raise NoSuchPayday(f"nothing of {schedule} is paid on {pay_date}; its paydays are {days}")
    if schedule.ends is not None and found.starts > schedule.ends:
        raise Conflict(f"{schedule} is closed since {schedule.ends}")
    return found


def is_anybody_on(schedule: PaySchedule, period: Period) -> bool:
    """Whether anybody is on the schedule on a day of the period."""
    return is_anybody_within(schedule, period.starts, period.ends)


def is_anybody_within(schedule: PaySchedule, starts: date, ends: date) -> bool:
    on = OnSchedule.objects.filter(lasts_until(starts), client_id=schedule.client_id, schedule=schedule)
    return on.filter(starts__lte=ends).exists()


def regular_run_of(schedule: PaySchedule, period_starts: date) -> PayRun | None:
    """The regular run of a period, if it was opened."""
    runs = PayRun.objects.filter(client_id=schedule.client_id, kind="regular", schedule=schedule)
    return runs.filter(period_starts=period_starts).first()


def released_run_of(schedule: PaySchedule, period_starts: date) -> PayRun | None:
    """The regular run of a period, or of a later one, that is released: nothing is added to the period any
    more."""
    released = Release.objects.filter(client_id=schedule.client_id, subject_kind="pay_run")
    runs = PayRun.objects.filter(client_id=schedule.client_id, kind="regular", schedule=schedule)
    later = runs.filter(period_starts__gte=period_starts, id__in=released.values("subject_id"))
    return later.order_by("period_starts").first()
