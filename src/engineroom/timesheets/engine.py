"""What hours become: basic, overtime over a weekly threshold, weekend; and the pay and the bill of each part.

Pure columns in, columns out. Every minute of an entry lands in exactly one part: one hour is never counted
twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engineroom.kernel.rates import PPM
from engineroom.kernel.rounding import Minor, half_up

BASIC, OVERTIME, WEEKEND = 0, 1, 2
KINDS = ("basic", "overtime", "weekend")
MINUTES_AN_HOUR = 60

Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class HourColumns:
    """n time entries, sorted by timesheet and then day; all shape (n,).

    timesheet: index of the week the entry belongs to; minutes: not negative; rates: minor units per hour;
    threshold:
    weekday minutes a week before overtime; multipliers in parts per million.
    """

    timesheet: npt.NDArray[np.int64]
    day: Days
    minutes: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.int64]
    pay_rate: Minor
    bill_rate: Minor
    overtime_ppm: npt.NDArray[np.int64]
    weekend_ppm: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ChargeColumns:
    """m charges in the order of their entries; entry: index into the hours; kind: index into KINDS."""

    entry: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    minutes: npt.NDArray[np.int64]
    pay_rate: Minor
    pay_amount: Minor
    bill_rate: Minor
    bill_amount: Minor


def is_weekend(day: Days) -> npt.NDArray[np.bool_]:
    """Saturday or Sunday. 1 January 1970 was a Thursday."""
    weekday = (day.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return weekday >= 5


def split_minutes(hours: HourColumns) -> npt.NDArray[np.int64]:
    """Minutes per kind, shape (n, 3). Weekday minutes are basic up to the week's threshold, then overtime, in
    the order in which they were worked; weekend minutes are weekend, and do not count towards the
    threshold."""
    weekend = is_weekend(hours.day)
    weekday = np.where(weekend, 0, hours.minutes)
    before = running_total(weekday, hours.timesheet) - weekday
    basic = np.clip(hours.threshold - before, 0, weekday)
    return np.stack([basic, weekday - basic, np.where(weekend, hours.minutes, 0)], axis=1)


def running_total(values: npt.NDArray[np.int64], group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Cumulative sum that starts again with each group; groups are contiguous."""
    total = np.cumsum(values)
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1 if len(group) else 0))
    before = np.repeat((total - values)[starts], np.diff(np.append(starts, len(group))))
    return total - before


def interpret(hours: HourColumns) -> ChargeColumns:
    """The charges of a set of weeks. Overflow: minutes x rate stays below 9.2e18 for any rate below 10^15."""
    minutes = split_minutes(hours)
    entry, kind = np.nonzero(minutes)
    part = minutes[entry, kind]
    multiplier = np.select(
        [kind == OVERTIME, kind == WEEKEND],
        [hours.overtime_ppm[entry], hours.weekend_ppm[entry]],
        default=PPM,
    )
    pay_rate = half_up(hours.pay_rate[entry] * multiplier, PPM)
    bill_rate = half_up(hours.bill_rate[entry] * multiplier, PPM)
    week = hours.timesheet[entry]
    return ChargeColumns(
        entry,
        kind,
        part,
        pay_rate,
        amounts(part, pay_rate, week, kind),
        bill_rate,
        amounts(part, bill_rate, week, kind),
    )


def amounts(
    minutes: npt.NDArray[np.int64], rate: Minor, week: npt.NDArray[np.int64], kind: npt.NDArray[np.int64]
) -> Minor:
    """Minor units for minutes at an hourly rate, rounded half up on the running total of the week, kind and
    rate.

    So the parts always add to what the week's hours times the rate would be: an invoice line of 37.5 hours at
    15.33 shows 574.88 and its charges add to exactly that.
    """
    order = np.lexsort((np.arange(len(minutes)), rate, kind, week))
    changed = np.zeros(len(order), dtype=np.int64)
    for column in (week, kind, rate):
        sorted_column = column[order]
        changed[1:] |= sorted_column[1:] != sorted_column[:-1]
    group = np.cumsum(changed)
    worked = minutes[order]
    through = running_total(worked, group) if len(order) else worked
    rates = rate[order]
    amount = half_up(through * rates, MINUTES_AN_HOUR) - half_up((through - worked) * rates, MINUTES_AN_HOUR)
    out = np.empty_like(amount)
    out[order] = amount
    return out
