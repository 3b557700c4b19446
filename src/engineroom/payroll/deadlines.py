"""Which days a pay run is bound to: by when it is approved, its file submitted, its people paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.db.models import DateField, Max, Min, Q, Value
from django.db.models.functions import Coalesce

from engineroom.foundation import deadlines, duties
from engineroom.foundation.deadlines import Deadline
from engineroom.kernel.calendar import CalendarNotKnown
from engineroom.payroll import selectors
from engineroom.payroll.client_approval import Wishes
from engineroom.payroll.engine.schedules import LONGEST_WAIT, Period
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction
from engineroom.payroll.models import CutOffMoved, OnSchedule, PayRun, PaySchedule
from engineroom.payroll.schedules import period_of_day
from engineroom.ui.display import format_period

APPROVE_BEFORE = 1
"""Banking days before the file is handed in: whoever releases it needs the yes."""

DAY = timedelta(days=1)

REACH = timedelta(days=14)
"""What falls into a month belongs to pay dates up to so long after it: three banking days, and a holiday."""


@deadlines.register("payroll.read")
def _of_runs(clients: Sequence[UUID], first: date, last: date) -> list[Deadline]:
    found: list[Deadline] = []
    for row in selectors.paid_between(clients, first, last + REACH):
        if row.state.code != "given-up":
            found += _of_run(row)
    return found


def submit_by(law: Jurisdiction, pay_date: date) -> date:
    """The last day on which the file that pays people is in time, as the banks of the country take it."""
    return law.banks.add(law.banks.on_or_before(pay_date), -law.file_days)


def approve_by(law: Jurisdiction, pay_date: date) -> date:
    """The last day on which a yes is in time for the payment file."""
    return law.banks.add(submit_by(law, pay_date), -APPROVE_BEFORE)


def _of_run(row: selectors.RunRow) -> list[Deadline]:
    page, law = ("payroll:run", (row.number,)), jurisdiction(row.jurisdiction)
    approve, submit = approve_by(law, row.pay_date), submit_by(law, row.pay_date)
    run, done = f"pay run {row.number}", row.is_released
    approved = row.is_client_approved or (row.is_checked and not row.client_must)
    return [
        Deadline(
            row.client_id, approve, "approval", _approving(run, row.client_wants), page, done or approved
        ),
        Deadline(row.client_id, submit, "payment file", f"Release {run} and submit its file", page, done),
        Deadline(
            row.client_id, row.pay_date, "pay date", f"Pay day of {run}", page, row.state.code in SETTLED
        ),
    ]


SETTLED = ("settled", "closed")


def _approving(run: str, client_wants: str) -> str:
    return f"Have the client approve {run}" if client_wants == "must" else f"Approve {run}"


# --- what schedules will bring ----------------------------------------------------------------------------


@deadlines.register("payroll.read")
def _of_schedules(clients: Sequence[UUID], first: date, last: date) -> list[Deadline]:
    """Until when inputs of each period are in time; and of periods that are paid from today on and have no
    run yet, what their run will be bound to. Of schedules that somebody is on."""
    rows = PaySchedule.objects.filter(Q(ends=None) | Q(ends__gte=first - LONGEST_WAIT), client_id__in=clients)
    schedules = {row.id: row for row in rows}
    people = _days_with_people(schedules)
    runs = PayRun.objects.filter(client_id__in=clients, schedule_id__in=schedules, kind="regular")
    opened = set(runs.values_list("schedule_id", "period_starts"))
    moved: dict[tuple[UUID, date], date] = {}
    for row in CutOffMoved.objects.filter(client_id__in=clients, schedule_id__in=schedules).order_by("at"):
        moved[row.schedule_id, row.period_starts] = row.until
    wishes = Wishes(clients)
    found: list[Deadline] = []
    for schedule in schedules.values():
        for period in _periods(schedule, first, last + REACH):
            days = people.get(schedule.id)
            if days is None or period.ends < days[0] or period.starts > days[1]:
                continue
            if schedule.cut_off_days:
                found.append(_closing(schedule, period, moved.get((schedule.id, period.starts))))
            if (schedule.id, period.starts) not in opened and period.paid >= duties.today():
                wanted = wishes.of(schedule.client_id, schedule.id, period.paid)
                found += _of_coming(schedule, period, wanted)
    return found


def _days_with_people(schedules: Mapping[UUID, PaySchedule]) -> dict[UUID, tuple[date, date]]:
    """From when to when anybody is on each."""
    on = OnSchedule.objects.filter(
        client_id__in={row.client_id for row in schedules.values()}, schedule_id__in=schedules
    )
    last = Max(Coalesce("ends", Value(date.max, output_field=DateField())))
    found = on.values("schedule_id").annotate(since=Min("starts"), until=last)
    return {row["schedule_id"]: (row["since"], row["until"]) for row in found}


def _periods(schedule: PaySchedule, first: date, last: date) -> Iterator[Period]:
    """Those that are paid from one day to another, as far as the banks' holidays are known."""
    try:
        period = period_of_day(schedule, first - LONGEST_WAIT)
        while period.starts <= last and (schedule.ends is None or period.starts <= schedule.ends):
            if first <= period.paid <= last:
                yield period
            period = period_of_day(schedule, period.ends + DAY)
    except CalendarNotKnown:
        return


def _closing(schedule: PaySchedule, period: Period, until: date | None) -> Deadline:
    page = ("inputs_period", (schedule.code, period.paid.isoformat()))
    what = f"Inputs of {schedule}, {format_period(period.starts, period.ends)}"
    day = max(period.cut_off, until) if until else period.cut_off
    source = f"let in late: by the schedule it was {period.cut_off}" if until else ""
    return Deadline(schedule.client_id, day, "inputs", what, page, source=source, is_tracked=False)


def _of_coming(schedule: PaySchedule, period: Period, client_wants: str) -> list[Deadline]:
    """Of a run that is not opened yet."""
    law = jurisdiction(schedule.jurisdiction)
    page: tuple[str, tuple[object, ...]] = ("payroll:schedules", ())
    run = f"the run of {schedule}, {format_period(period.starts, period.ends)}"
    client = schedule.client_id
    return [
        Deadline(client, approve_by(law, period.paid), "approval", _approving(run, client_wants), page),
        Deadline(
            client, submit_by(law, period.paid), "payment file", f"Release {run} and submit its file", page
        ),
        Deadline(client, period.paid, "pay date", f"Pay day of {run}", page),
    ]  # fmt: skip
