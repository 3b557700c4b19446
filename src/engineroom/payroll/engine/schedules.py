"""The pay periods of a schedule: from when to when each runs, when it is paid, and when its inputs close.

A schedule counts from an anchor, the first day of any one of its periods. Those of weeks follow one another
every 7, 14 or 28 days; those of months begin on the anchor's day of the month, which is 28 at most, so every
month has it; those of half months begin on that day and fifteen days later or earlier, so that each month has
two. Periods therefore follow one another without a gap or an overlap, for as long as anybody asks.

*Due* is the day that the rule names; *paid* is that day, or the banking day before it where banks are closed.
Which tax period a payday is in follows from the due day: a usual payday that banks move is still that payday
(HMRC, CWG2, payments on non-banking days; from memory, unverified).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from engineroom.kernel.calendar import Calendar

DAY = timedelta(days=1)
WEEKS = {"weekly": 1, "biweekly": 2, "four_weekly": 4}
MONTHS = {"monthly": 1, "quarterly": 3, "semi_annual": 6, "annual": 12}
TWICE_A_MONTH = "semi_monthly"
HALF = 15
"""Days from the beginning of a month's first half to that of its second."""
PERIODS_IN_YEAR = {
    "weekly": 52, "biweekly": 26, "four_weekly": 13, TWICE_A_MONTH: 24, "monthly": 12, "quarterly": 4,
    "semi_annual": 2, "annual": 1,
}  # fmt: skip

DAY_OF_MONTH, DAY_OF_NEXT_MONTH = "day_of_month", "day_of_next_month"
LAST_BANKING_DAY, DAYS_AFTER = "last_banking_day", "days_after"
PAY_RULES = (DAY_OF_MONTH, DAY_OF_NEXT_MONTH, LAST_BANKING_DAY, DAYS_AFTER)
"""When a period is paid: on a day of the month in which it ends, of the month after that, on the last banking
day of the month in which it ends, or so many days after its end. Of half months a day of the month means that
day and fifteen days later, 15 the 15th and the last: each period is paid on the one that follows its end."""

FIRST_YEAR, LAST_YEAR = 1990, 2100
LAST_ANCHOR_DAY = 28
MOST_DAYS_AFTER = 60
MOST_CUT_OFF_DAYS = 30
LONGEST_WAIT = timedelta(days=MOST_DAYS_AFTER + 31)
"""From the end of a period to its payday."""
LONGEST_MOVE = timedelta(days=10)
"""From a payday back over days on which banks are closed."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often, from which day, and when it is paid.

    pay_day: the day of the month (31: the last of a shorter one), or the days after; nothing to the last
    banking day. cut_off_days: banking days before pay day on which inputs close.
    """

    frequency: str
    anchor: date
    pay_rule: str
    pay_day: int = 0
    cut_off_days: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days inclusive. due: the payday as the rule names it; paid: when banks are open."""

    starts: date
    ends: date
    due: date
    paid: date
    cut_off: date


def wrong_with(rhythm: Rhythm) -> list[tuple[str, str, str]]:
    """Field, what is wrong, what to do."""
    found = []
    if rhythm.frequency not in PERIODS_IN_YEAR:
        found.append(
            (
                "frequency",
                f"{rhythm.frequency!r} is not a pay frequency",
                f"Use one of {', '.join(PERIODS_IN_YEAR)}",
            )
        )
    if rhythm.frequency in MONTHS and rhythm.anchor.day > LAST_ANCHOR_DAY:
        problem = f"not every month has a day {rhythm.anchor.day}"
        found.append(("anchor", problem, f"Begin on day 1 to {LAST_ANCHOR_DAY} of a month"))
    if rhythm.frequency == TWICE_A_MONTH and rhythm.anchor.day in (14, 15, 29, 30, 31):
        problem = f"not every month has two halves of which one begins on day {rhythm.anchor.day}"
        found.append(("anchor", problem, "Begin on day 1 to 13, or 16 to 28, of a month"))
    if rhythm.pay_rule not in PAY_RULES:
        found.append(("pay_rule", f"{rhythm.pay_rule!r} is not a rule", f"Use one of {', '.join(PAY_RULES)}"))
    if rhythm.pay_rule in (DAY_OF_NEXT_MONTH, LAST_BANKING_DAY) and rhythm.frequency == TWICE_A_MONTH:
        problem = "both periods of a month would be paid on one day"
        found.append(("pay_rule", problem, f"Use {DAY_OF_MONTH}, the earlier of two, or {DAYS_AFTER}"))
    if (rhythm.pay_rule, rhythm.frequency) == (DAY_OF_MONTH, TWICE_A_MONTH) and HALF < rhythm.pay_day <= 31:
        problem = f"{rhythm.pay_day} is not the earlier of two paydays of a month"
        found.append(("pay_day", problem, "Give 1 to 15; the other is fifteen days later, after 15 the last"))
    if rhythm.pay_rule in (DAY_OF_MONTH, DAY_OF_NEXT_MONTH, LAST_BANKING_DAY) and rhythm.frequency in WEEKS:
        problem = "several periods that end in one month would be paid on one day"
        found.append(("pay_rule", problem, f"Use {DAYS_AFTER} for pay of weeks"))
    if rhythm.pay_rule in (DAY_OF_MONTH, DAY_OF_NEXT_MONTH) and not 1 <= rhythm.pay_day <= 31:
        found.append(("pay_day", f"{rhythm.pay_day} is not a day of a month", "Give 1 to 31"))
    if rhythm.pay_rule == DAYS_AFTER and not 0 <= rhythm.pay_day <= MOST_DAYS_AFTER:
        found.append(("pay_day", f"{rhythm.pay_day} days after are too many", f"Give 0 to {MOST_DAYS_AFTER}"))
    if rhythm.pay_rule == LAST_BANKING_DAY and rhythm.pay_day:
        problem = "the last banking day needs no day"
        found.append(("pay_day", problem, "Leave it out, or use another rule"))
    if not FIRST_YEAR <= rhythm.anchor.year <= LAST_YEAR:
        problem = f"{rhythm.anchor} is no day of a pay period"
        found.append(("anchor", problem, "Give the first day of a period of these years"))
    if not 0 <= rhythm.cut_off_days <= MOST_CUT_OFF_DAYS:
        problem = f"{rhythm.cut_off_days} banking days before pay day"
        found.append(("cut_off_days", problem, f"Give 0 to {MOST_CUT_OFF_DAYS}"))
    return found


def period_at(rhythm: Rhythm, day: date, banks: Calendar) -> Period:
    """The period that the day lies in. Raises CalendarNotKnown where the day's holidays are not known."""
    banks.is_banking_day(day)
    return _period(rhythm, _number_at(rhythm, day), banks)


def periods(rhythm: Rhythm, first: date, last: date, banks: Calendar) -> Iterator[Period]:
    """The periods that touch the days from first to last, in order."""
    number = _number_at(rhythm, first)
    while _starts(rhythm, number) <= last:
        yield _period(rhythm, number, banks)
        number += 1


def period_paid_on(rhythm: Rhythm, pay_date: date, banks: Calendar) -> Period | None:
    """The period that is paid, or due, on a day: what a person who knows the pay date means."""
    banks.is_banking_day(pay_date)
    number = _number_at(rhythm, pay_date)
    while _starts(rhythm, number) <= pay_date + LONGEST_MOVE:
        number += 1
    while _starts(rhythm, number) >= pay_date - LONGEST_WAIT:
        number -= 1
        found = _period(rhythm, number, banks)
        if pay_date in (found.paid, found.due):
            return found
    return None


def _number_at(rhythm: Rhythm, day: date) -> int:
    """The number of the day's period; the anchor begins number 0."""
    if weeks := WEEKS.get(rhythm.frequency):
        return (day - rhythm.anchor).days // (7 * weeks)
    if rhythm.frequency == TWICE_A_MONTH:
        return _half_of(rhythm, day) - _half_of(rhythm, rhythm.anchor)
    months = (day.year - rhythm.anchor.year) * 12 + day.month - rhythm.anchor.month
    whole = months if day.day >= rhythm.anchor.day else months - 1
    return whole // MONTHS[rhythm.frequency]


def _starts(rhythm: Rhythm, number: int) -> date:
    if weeks := WEEKS.get(rhythm.frequency):
        return rhythm.anchor + timedelta(weeks=weeks * number)
    if rhythm.frequency == TWICE_A_MONTH:
        month, second = divmod(_half_of(rhythm, rhythm.anchor) + number, 2)
        return date(month // 12, month % 12 + 1, _first_half(rhythm) + HALF * second)
    months = rhythm.anchor.year * 12 + rhythm.anchor.month - 1 + MONTHS[rhythm.frequency] * number
    return date(months // 12, months % 12 + 1, rhythm.anchor.day)


def _first_half(rhythm: Rhythm) -> int:
    """The day of the month on which its first half begins."""
    return rhythm.anchor.day - HALF if rhythm.anchor.day > HALF else rhythm.anchor.day


def _half_of(rhythm: Rhythm, day: date) -> int:
    """The half month that a day lies in, two to each month since the beginning of years."""
    begins = _first_half(rhythm)
    return (day.year * 12 + day.month - 1) * 2 + (day.day >= begins) + (day.day >= begins + HALF) - 1


def _period(rhythm: Rhythm, number: int, banks: Calendar) -> Period:
    starts, ends = _starts(rhythm, number), _starts(rhythm, number + 1) - DAY
    due = _due(rhythm, starts, ends, banks)
    paid = banks.on_or_before(due)
    cut_off = banks.add(paid, -rhythm.cut_off_days) if rhythm.cut_off_days else paid
    return Period(starts, ends, due, paid, cut_off)


def _due_of_half(rhythm: Rhythm, starts: date) -> date:
    """The payday that follows the end of a half month; which of them it is does not depend on the length of a
    month. Paydays are numbered as half months are."""
    begins, earlier = _first_half(rhythm), rhythm.pay_day
    waits = 0 if (begins, earlier) == (1, HALF) else 1 if earlier >= begins - 1 else 2
    month, is_later = divmod(_half_of(rhythm, starts) + waits, 2)
    first = date(month // 12, month % 12 + 1, 1)
    last = _month_after(first) - DAY
    if not is_later:
        return first.replace(day=earlier)
    return last if earlier == HALF else min(last, first + timedelta(days=earlier + HALF - 1))


def _due(rhythm: Rhythm, starts: date, ends: date, banks: Calendar) -> date:
    if rhythm.frequency == TWICE_A_MONTH and rhythm.pay_rule == DAY_OF_MONTH:
        return _due_of_half(rhythm, starts)
    if rhythm.pay_rule == DAYS_AFTER:
        return ends + timedelta(days=rhythm.pay_day)
    month = _month_after(ends) if rhythm.pay_rule == DAY_OF_NEXT_MONTH else ends.replace(day=1)
    last = _month_after(month) - DAY
    if rhythm.pay_rule == LAST_BANKING_DAY:
        return banks.on_or_before(last)
    return last if rhythm.pay_day > last.day else month.replace(day=rhythm.pay_day)


def _month_after(day: date) -> date:
    """The first of the month after the day's."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
