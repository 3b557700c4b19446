"""When money must be sent so that it arrives: the day arithmetic of payment schemes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from engineroom.kernel.calendar import Calendar


@dataclass(frozen=True, slots=True)
class BacsCycle:
    """The three banking days of a Bacs submission: sent, processed, on the payee's account."""

    submit_by: date
    processing_day: date
    entry_day: date


def bacs_cycle(pay_date: date, calendar: Calendar) -> BacsCycle:
    """The days that put money on accounts by the pay date.

    Bacs takes three banking days: submit on day 1, processing on day 2, entry on day 3 (facts/gb.md
    section 2.2). Nothing enters on a day banks are closed, and pay may be early but not late, so the entry
    day of such a pay date is the banking day before it. Bacs keeps the bank holidays of England and Wales:
    calendar("ENG"). Raises CalendarNotKnown when a day lies outside the calendar's years.
    """
    entry_day = calendar.on_or_before(pay_date)
    processing_day = calendar.add(entry_day, -1)
    return BacsCycle(calendar.add(processing_day, -1), processing_day, entry_day)
