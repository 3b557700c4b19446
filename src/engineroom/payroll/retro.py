"""Back pay: what released periods would pay as everything is known now, beside the latest view.

Terms, recurring pay, leave, hours and their rates may be said later than the period that they are for. A
period is put together again as its run was, from what stands now; the latest view is its payslip, unless
that was taken back, with whatever back pay was accepted for it since. The difference, of each person,
period and element, is shown before anybody accepts it; accepted it is an item of the next run, which names
the period that it is for. So a second change to the same past is compared with the first, and nothing is
paid twice (PAY-01, PAY-02).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.approvals.services import ContentChanged
from engineroom.foundation.commands import command
from engineroom.foundation.prepared import planned_anew
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.money import format_minor
from engineroom.payroll.inputs import HOURS, Missing, hours_as_charged, pay_as_known_now
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayItem, PayRun, PaySchedule
from engineroom.payroll.schedules import find_schedule
from engineroom.people.models import Person
from engineroom.timesheets import engine as hours_engine
from engineroom.timesheets.dated_rates import RATES_NOW
from engineroom.ui.display import format_period

SOURCE = "back pay"
LOOK_BACK = timedelta(days=366)
"""How far back periods are compared unless another day is asked for: a year and a day."""

Amounts = dict[tuple[UUID, str], int]
"""Minor units by person and element."""


@dataclass(frozen=True)
class Difference:
    """An element of a person in a past period: as it was paid by the latest view, and as it is due now."""

    person_id: UUID
    payroll_number: str
    name: str
    run_id: UUID
    run: int
    starts: date
    ends: date
    element: str
    label: str
    paid: int
    due: int

    @property
    def amount(self) -> int:
        """What is to be paid; below zero what was paid too much."""
        return self.due - self.paid


@dataclass(frozen=True)
class BackPay:
    """What is found: differences by period and payroll number, and what of a period cannot be said.

    content_hash: of the differences, which an acceptance names.
    """

    since: date
    differences: tuple[Difference, ...] = ()
    problems: tuple[tuple[PayRun, Missing], ...] = field(default_factory=tuple)

    @property
    def total(self) -> int:
        return sum(d.amount for d in self.differences)

    @property
    def content_hash(self) -> str:
        lines = [
            canonical.line(
                "back_pay", f"{d.payroll_number} {d.run} {d.element}", [("paid", d.paid), ("due", d.due)]
            )
            for d in self.differences
        ]
        return canonical.digest(lines).hex()


# Of a released run, the payslips that nothing took back since; copies of what is taken back are none of them.
PAID = """
SELECT s.person_id, a.elements, s.amounts FROM payroll_payslip s
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s AND NOT EXISTS (
  SELECT FROM payroll_reversedpayslip v
  JOIN foundation_release x
    ON x.client_id = v.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = v.run_id
  WHERE v.client_id = s.client_id AND v.id = s.id)
"""

# Back pay that was accepted for the period since, and pay in the place of payslips that were taken back. What
# a payslip paid that was itself taken back does not count.
SINCE_THEN = """
SELECT i.person_id, i.element, sum(i.amount)::bigint
FROM payroll_payitem i
LEFT JOIN payroll_paiditem t ON t.client_id = i.client_id AND t.id = i.id
WHERE i.client_id = %(client)s AND i.original_id = %(run)s AND i.withdrawn = ''
  AND (i.run_id IS NULL OR EXISTS (
    SELECT FROM payroll_payrun r
    JOIN foundation_release x
      ON x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.corrects_id
    WHERE r.client_id = i.client_id AND r.id = i.run_id))
  AND NOT EXISTS (
    SELECT FROM payroll_reversedpayslip v
    JOIN foundation_release x
      ON x.client_id = v.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = v.run_id
    JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
    WHERE v.client_id = i.client_id AND v.original_id = t.run_id AND s.person_id = i.person_id)
GROUP BY i.person_id, i.element
"""

# What a run paid by items, which nobody compares: they are said once, and stay as they were said.
ITEMS_PAID = """
SELECT i.person_id, i.element, sum(i.amount)::bigint, EXISTS (
  SELECT FROM payroll_payslip s
  JOIN payroll_reversedpayslip v ON v.client_id = s.client_id AND v.id = s.id
  JOIN foundation_release x
    ON x.client_id = v.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = v.run_id
  WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s AND s.person_id = i.person_id)
FROM payroll_paiditem t JOIN payroll_payitem i ON i.client_id = t.client_id AND i.id = t.id
WHERE t.client_id = %(client)s AND t.run_id = %(run)s GROUP BY i.person_id, i.element
"""

# The hours that a run took in, with the rates of their days as they are known now.
HOURS_NOW = f"""
SELECT a.person_id, t.id, e.day, e.minutes, r.weekly_threshold_minutes, r.pay_rate, r.bill_rate,
  r.overtime_ppm, r.weekend_ppm
FROM payroll_paidtimesheet pt
JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
JOIN {RATES_NOW} r ON r.client_id = a.client_id AND r.assignment_id = a.id
  AND r.starts <= e.day AND (r.ends IS NULL OR r.ends >= e.day)
WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s ORDER BY t.id, e.day
"""  # noqa: S608 ours


@planned_anew()
def back_pay(
    schedule: str = "", *, since: date | None = None, payroll_numbers: Sequence[str] = ()
) -> BackPay:
    """Every difference of the released periods of a schedule (of none: of the weekly runs of timesheets).

    since: periods that end on that day or later. payroll_numbers: of these people alone.
    """
    runs = _released_runs(find_schedule(schedule) if schedule else None, since)
    names = {p.counterparty_id: p for p in Person.objects.filter(client_id=current_client_id())}
    wanted = set(payroll_numbers)
    if unknown := sorted(wanted - {p.payroll_number for p in names.values()}):
        raise NotFound(f"there is nobody with the payroll number {', '.join(unknown)}")
    found: list[Difference] = []
    problems: list[tuple[PayRun, Missing]] = []
    for run in runs:
        due, missing = _due(run)
        problems += [(run, one) for one in missing if not wanted or one.payroll_number in wanted]
        left_out = {one.payroll_number for one in missing}
        found += [
            one
            for one in _differences(run, due, _paid(run), names)
            if one.payroll_number not in left_out and (not wanted or one.payroll_number in wanted)
        ]
    return BackPay(since or _default_since(runs), tuple(found), tuple(problems))


def _default_since(runs: Sequence[PayRun]) -> date:
    return runs[0].period_starts if runs else date.min


def _released_runs(schedule: PaySchedule | None, since: date | None) -> list[PayRun]:
    """Regular runs that were released, by period."""
    client_id = current_client_id()
    released = Release.objects.filter(client_id=client_id, subject_kind="pay_run").values("subject_id")
    runs = PayRun.objects.select_related("published", "schedule")
    runs = runs.filter(client_id=client_id, kind="regular", schedule=schedule, id__in=released)
    found = list(runs.order_by("period_ends"))
    if not found:
        return []
    first = since or found[-1].period_ends - LOOK_BACK
    return [run for run in found if run.period_ends >= first]


def _due(run: PayRun) -> tuple[Amounts, list[Missing]]:
    """What the run would pay as everything is known now, without the items that it took in."""
    people, pay = pay_as_known_now(run)
    numbers = dict(people)
    due: Amounts = defaultdict(int)
    for element, column in pay.columns.items():
        for person, place in pay.row.items():
            if amount := int(column[place]):
                due[person, element] += amount
    for person, element, amount, _ in _rows(ITEMS_PAID, run):
        due[person, element] -= amount
    if run.schedule_id is None:
        for key, amount in _rated_anew(run).items():
            due[key] += amount
        for key, amount in hours_as_charged(run).items():
            due[key] -= amount
    missing = [Missing(numbers[person], *said) for person, of in pay.refused.items() for said in of]
    return due, missing


def _rated_anew(run: PayRun) -> Amounts:
    """Pay of the hours that a run took in, at the rates of their days as they are known now."""
    rows = _rows(HOURS_NOW, run)
    if not rows:
        return {}
    people, sheets, days, *columns = zip(*rows, strict=True)
    _, sheet = np.unique(np.array([s.hex for s in sheets]), return_inverse=True)
    minutes, threshold, pay, bill, overtime, weekend = (np.array(c, dtype=np.int64) for c in columns)
    charged = hours_engine.interpret(
        hours_engine.HourColumns(
            sheet.astype(np.int64),
            np.array(days, dtype="datetime64[D]"),
            minutes,
            threshold,
            pay,
            bill,
            overtime,
            weekend,
        )
    )
    found: Amounts = defaultdict(int)
    for entry, kind, amount in zip(
        charged.entry.tolist(), charged.kind.tolist(), charged.pay_amount.tolist(), strict=True
    ):
        found[people[entry], HOURS[hours_engine.KINDS[kind]]] += amount
    return found


def _paid(run: PayRun) -> Amounts:
    """The latest view of what was paid for the run's period, by pay element, without the items of the run."""
    paid_as = jurisdiction(run.jurisdiction).paid_as
    paid: Amounts = defaultdict(int)
    for person, elements, amounts in _rows(PAID, run):
        for element, amount in zip(elements, amounts, strict=True):
            if element in paid_as and amount:
                paid[person, element] += amount
    for person, element, amount, is_taken_back in _rows(ITEMS_PAID, run):
        if not is_taken_back:
            paid[person, element] -= amount
    for person, element, amount in _rows(SINCE_THEN, run):
        paid[person, element] += amount
    return paid


def _rows(sql: str, run: PayRun) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"client": run.client_id, "run": run.id, "attempt": run.published_id})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _differences(
    run: PayRun, due: Mapping[tuple[UUID, str], int], paid: Amounts, people: Mapping[UUID, Person]
) -> list[Difference]:
    """In the order of the payslip, by payroll number. What is counted in time is not pay, and statutory
    payments go by what was paid before them, so they are not put together again."""
    law = jurisdiction(run.jurisdiction)
    worked_out = set(law.claims.elements.values()) if law.claims else set()
    pay = {
        e.code: e.label
        for e in law.elements
        if e.code in law.paid_as and e.unit == "pence" and e.code not in worked_out
    }
    place = {code: n for n, code in enumerate(pay)}
    found = [
        Difference(
            person,
            people[person].payroll_number,
            people[person].name,
            run.id,
            run.number,
            run.period_starts,
            run.period_ends,
            element,
            pay[element],
            paid.get((person, element), 0),
            due.get((person, element), 0),
        )
        for person, element in {*due, *paid}
        if element in pay and due.get((person, element), 0) != paid.get((person, element), 0)
    ]
    return sorted(found, key=lambda d: (d.payroll_number, place[d.element]))


@dataclass(frozen=True)
class BackPayAccepted:
    """items: how many wait for the next run; amount: what they come to, minor units."""

    items: int
    people: int
    amount: int

    @property
    def subject(self) -> str:
        return f"client:{current_client_id()}"


@command("payroll.prepare")
def accept_back_pay(
    schedule: str = "",
    *,
    content_hash: str,
    since: date | None = None,
    payroll_numbers: Sequence[str] = (),
) -> BackPayAccepted:
    """Have these differences paid by the next regular run: an item for each person, period and element.

    content_hash: of what was looked at, asked for with the same days and people.
    """
    runs = _released_runs(find_schedule(schedule) if schedule else None, since)
    # Of two who accept at once the second waits here, and then finds what the first has left.
    list(PayRun.objects.select_for_update().filter(id__in=[run.id for run in runs]).order_by("id"))
    found = back_pay(schedule, since=since, payroll_numbers=payroll_numbers)
    if found.content_hash != content_hash:
        raise ContentChanged("what is due or was paid changed since you looked; look again")
    if not found.differences:
        raise Conflict("there is no back pay to accept")
    PayItem.objects.bulk_create(
        PayItem(
            client_id=current_client_id(),
            person_id=d.person_id,
            element=d.element,
            amount=d.amount,
            period=d.ends,
            original_id=d.run_id,
            reason=_reason(d),
            source=SOURCE,
        )
        for d in found.differences
    )
    people = {d.person_id for d in found.differences}
    return BackPayAccepted(len(found.differences), len(people), found.total)


def _reason(d: Difference) -> str:
    was, now = format_minor(d.paid), format_minor(d.due)
    return f"back pay for {format_period(d.starts, d.ends)}: {was} was paid, {now} is due"
