"""What leave does to a salary, and what of it is paid for when somebody leaves (decision 009, HR-02).

A day under a kind of leave that no pay element pays is not paid; nor is one that a statutory payment pays,
which is an element of its own. A kind with an element of ordinary pay (annual leave) leaves the salary as it
is. A part is of the person's working days in the stretch, or of their contracted minutes where the schedule
counts hours: so who is away all of it is paid nothing, and who is away half of it half, to the penny.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from uuid import UUID

from engineroom.kernel.rounding import half_up
from engineroom.leave.engine import FULL, minutes_of_weekday
from engineroom.leave.selectors import in_lieu, taken_between
from engineroom.payroll.jurisdictions import Jurisdiction
from engineroom.people.selectors import terms_between

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
    """Of whose employment ends in a period: what the leave that is left pays, by person and element.

    Leave that was taken beyond the entitlement is taken back from nobody here: that needs their word.
    """
    rows = [
        row for row in in_lieu(first_person, last_person, starts, ends) if row.minutes > 0 and row.element
    ]
    if not rows:
        return []
    terms = {
        t.person_id: t
        for t in terms_between(min(r.person_id for r in rows), max(r.person_id for r in rows), starts, ends)
    }
    found = []
    for row in rows:
        t = terms.get(row.person_id)
        amount = t and law.leave_in_lieu(t.basis, t.amount, t.minutes_per_week, row.minutes)
        if amount:
            found.append((row.person_id, row.element, amount))
    return found


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
