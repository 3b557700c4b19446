"""What leave does to a salary, and what of it is paid for when somebody leaves (decision 009, HR-02).

A day under a kind of leave that no pay element pays is not paid; nor is one that a statutory payment pays,
which is an element of its own. A kind with an element of ordinary pay (annual leave) leaves the salary as it
is. A part is of the person's working days in the stretch, or of their contracted minutes where the schedule
counts hours: so who is away all of it is paid nothing, and who is away half of it half, to the penny.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.kernel.errors import Problem
from engineroom.kernel.rounding import half_up
from engineroom.leave.engine import FULL, minutes_of_weekday
from engineroom.leave.selectors import in_lieu, taken_between
from engineroom.payroll.jurisdictions import Jurisdiction, LeavePay, PaidDays
from engineroom.people.selectors import TermsRow, terms_between

Lost = Mapping[date, tuple[int, int]]
"""Minutes and hundredths of each day that salary does not pay."""


def unpaid_days(first_person: UUID, last_person: UUID, starts: date, ends: date) -> dict[UUID, Lost]:
    """Of the people from one id to another the days of a period that salary does not pay."""
    found: dict[UUID, dict[date, tuple[int, int]]] = defaultdict(dict)
    for taken in taken_between(first_person, last_person, starts, ends):
        if taken.element and not taken.payment:
            continue
        for day, minutes, part in taken.dates:
            before = found[taken.person_id].get(day, (0, 0))
            found[taken.person_id][day] = (before[0] + minutes, before[1] + part)
    return dict(found)


def left_to_leavers(
    law: Jurisdiction, first_person: UUID, last_person: UUID, starts: date, ends: date
) -> list[tuple[UUID, str, int]]:
    """Of whose employment ends in a period: what the leave that is left pays to those on a salary, by person
    and element. `hourly_leave` says what it pays to others.

    Leave that was taken beyond the entitlement is taken back from nobody here: that needs their word.
    """
    rows = [
        row for row in in_lieu(first_person, last_person, starts, ends) if row.minutes > 0 and row.element
    ]
    if not rows:
        return []
    terms = _last_terms([row.person_id for row in rows], starts, ends)
    found = []
    for row in rows:
        t = terms.get(row.person_id)
        if t is None or t.basis != "salary":
            continue
        if amount := law.leave_in_lieu(t.amount, t.minutes_per_week, row.minutes):
            found.append((row.person_id, row.element, amount))
    return found


def _last_terms(people: Collection[UUID], starts: date, ends: date) -> dict[UUID, TermsRow]:
    return {t.person_id: t for t in terms_between(min(people), max(people), starts, ends)}


# --- leave of people paid by the hour ---------------------------------------------------------------------


@dataclass
class HourlyLeave:
    """What leave pays to people paid by the hour. columns: of each what the law's explanation speaks of."""

    amounts: list[tuple[UUID, str, int]] = field(default_factory=list)
    columns: dict[str, dict[UUID, int]] = field(default_factory=lambda: defaultdict(dict))
    refused: dict[UUID, tuple[str, str, str]] = field(default_factory=dict)


PAID = """
SELECT s.person_id, r.period_starts, r.period_ends, sum((
    SELECT sum(s.amounts[array_position(a.elements, e)]) FROM unnest(%(elements)s::text[]) AS e))::bigint
FROM payroll_payslip s
JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
WHERE s.client_id = %(client)s AND s.person_id = ANY(%(people)s) AND NOT r.kind = ANY(%(stated)s)
  AND r.period_ends < %(starts)s AND r.period_ends >= %(since)s
  AND (r.pay_date, r.number) < (%(day)s, %(number)s)
GROUP BY s.person_id, r.period_starts, r.period_ends
"""


def hourly_leave(
    law: Jurisdiction, bounds: Mapping[str, Any], by_hand: Mapping[str, Container[UUID]],
    *, taken: bool, left: bool, leave_out: Container[UUID],
) -> HourlyLeave:  # fmt: skip
    """Leave of a period, of the people from one id to another who are paid by the hour.

    taken: what was taken in the period is paid; left: and what whoever leaves has left, but to those to be
    left out. by_hand: by element, who has items of it: theirs is worked out outside.
    """
    found = HourlyLeave()
    rules, starts, ends = law.leave_pay, bounds["starts"], bounds["ends"]
    if rules is None:
        return found
    minutes: dict[tuple[UUID, str], int] = defaultdict(int)
    for row in taken_between(bounds["first"], bounds["last"], starts, ends) if taken else ():
        if row.element and not row.payment:
            minutes[row.person_id, row.element] += row.minutes
    for one in in_lieu(bounds["first"], bounds["last"], starts, ends) if left else ():
        if one.element and one.minutes > 0 and one.person_id not in leave_out:
            minutes[one.person_id, one.element] += one.minutes
    minutes = {key: m for key, m in minutes.items() if m > 0 and key[0] not in by_hand.get(key[1], ())}
    if not minutes:
        return found
    terms = _last_terms({person for person, _ in minutes}, starts, ends)
    people = {p: t for p, t in terms.items() if t.basis == "hourly" and any(p == of for of, _ in minutes)}
    if people:
        _pay_weeks(law, rules, bounds, people, minutes, found)
    return found


def _pay_weeks(
    law: Jurisdiction, rules: LeavePay, bounds: Mapping[str, Any], people: Mapping[UUID, TermsRow],
    minutes: Mapping[tuple[UUID, str], int], found: HourlyLeave,
) -> None:  # fmt: skip
    starts = bounds["starts"]
    tables = law.resolve_tables(bounds["law"])
    paid: dict[UUID, list[PaidDays]] = defaultdict(list)
    asked = {
        **bounds, "people": list(people), "since": starts - rules.reach,
        "elements": list(rules.counts(tables)),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(PAID, asked)
        for person, first, last, amount in cursor.fetchall():
            paid[person].append(PaidDays(first, last, amount or 0))
    for person, terms in people.items():
        week = rules.a_week(paid[person], starts, tables)
        if not terms.minutes_per_week:
            found.refused[person] = NO_WEEK
            continue
        if isinstance(week, Problem):
            found.refused[person] = ("leave", f"{week.problem}, and there is leave to pay", ADD_ITEM)
            continue
        pay, counted = week
        for (of, element), m in minutes.items():
            if of == person:
                found.amounts.append((person, element, half_up(pay * m, terms.minutes_per_week)))
                found.columns["leave_minutes"][person] = found.columns["leave_minutes"].get(person, 0) + m
        found.columns["leave_week_minutes"][person] = terms.minutes_per_week
        found.columns["leave_week_pay"][person] = pay
        found.columns["leave_weeks_counted"][person] = counted


ADD_ITEM = "Work it out, and add an item of its element for the period"
NO_WEEK = ("leave", "there is leave to pay, and no hours of a week in their terms", "Say them in their terms")


def paid_of(pay: int, stretch: tuple[date, date], weekdays: int, minutes: int, lost: Lost, basis: str) -> int:
    """What is left of the pay of a stretch, minor units. weekdays, minutes: the working pattern of a week."""
    by_minutes = basis == "hours" and minutes > 0
    whole = away = 0
    for offset in range((stretch[1] - stretch[0]).days + 1):
        day = stretch[0] + timedelta(days=offset)
        if not weekdays >> day.weekday() & 1:
            continue
        of_day = minutes_of_weekday(day.weekday(), weekdays, minutes) if by_minutes else FULL
        whole += of_day
        if day in lost:
            away += min(lost[day][0] if by_minutes else lost[day][1], of_day)
    return pay - half_up(pay * away, whole) if whole else pay
