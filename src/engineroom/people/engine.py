"""Stretches of dated terms: what stands after a change, and of what it is the rest. Pure.

A stretch runs from a day to a day, both included, an open end is for good. Stretches of one employment never
overlap; days that none covers have no terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

DAY = timedelta(days=1)
BASES = ("salary", "hourly")
MONDAY_TO_FRIDAY = 0b0011111


DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def days_of(text: str) -> int | None:
    """Bits of the days in a text such as "Mon-Fri" or "mon, wed, fri"; None if it names none."""
    bits = 0
    for part in text.replace(";", ",").split(","):
        ends = [_day(word) for word in part.replace("\N{EN DASH}", "-").split("-")]
        if len(ends) > 2 or None in ends:
            return None
        first, last = ends[0] or 0, ends[-1] or 0
        bits |= sum(1 << ((first + n) % 7) for n in range((last - first) % 7 + 1))
    return bits


def _day(word: str) -> int | None:
    """Monday is 0; any spelling of at least three letters."""
    plain = word.strip().lower()
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return next((n for n, name in enumerate(full) if len(plain) >= 3 and name.startswith(plain)), None)


def days_said(bits: int) -> str:
    """ "Mon-Fri", "Mon, Wed": what `days_of` reads."""
    days = [n for n in range(7) if bits >> n & 1]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAY_NAMES[days[0]]}-{DAY_NAMES[days[-1]]}"
    return ", ".join(DAY_NAMES[n] for n in days)


@dataclass(frozen=True)
class Agreed:
    """What is agreed. amount: minor units of the client's currency, a year (salary) or an hour (hourly).

    working_days: bits, Monday 1 to Sunday 64.
    """

    basis: str
    amount: int
    minutes_per_week: int
    working_days: int = MONDAY_TO_FRIDAY
    title: str = ""
    cost_centre: str = ""

    @property
    def days(self) -> str:
        return days_said(self.working_days)

    @property
    def per(self) -> str:
        return "a year" if self.basis == "salary" else "an hour"


@dataclass(frozen=True)
class Stretch:
    """Days with the same terms. row_id: the row that says exactly this already; None where it is to be said.

    continues: what is left of an earlier stretch, or its prolongation.
    """

    starts: date
    ends: date | None
    agreed: Agreed
    row_id: UUID | None = None
    continues: bool = False

    def overlaps(self, starts: date, ends: date | None) -> bool:
        return (self.ends is None or self.ends >= starts) and (ends is None or ends >= self.starts)


def agree(
    standing: Sequence[Stretch], starts: date, ends: date | None, agreed: Agreed
) -> tuple[Stretch, ...]:
    """Terms from a day on. Without a last day they hold until the next terms that stand already.

    With one they take the place of whatever stands up to it, which goes on afterwards.
    """
    if ends is None:
        after = min((s.starts for s in standing if s.starts > starts), default=None)
        ends = after - DAY if after else None
    after_it: list[Stretch] = []
    for stretch in standing:
        after_it += _rest(stretch, starts, ends)
    after_it.append(Stretch(starts, ends, agreed))
    return tuple(sorted(after_it, key=lambda s: s.starts))


def _rest(stretch: Stretch, starts: date, ends: date | None) -> list[Stretch]:
    """What of a stretch lies outside the days."""
    if not stretch.overlaps(starts, ends):
        return [stretch]
    rest = []
    if stretch.starts < starts:
        rest.append(replace(stretch, ends=starts - DAY, row_id=None, continues=True))
    if ends is not None and (stretch.ends is None or stretch.ends > ends):
        rest.append(replace(stretch, starts=ends + DAY, row_id=None, continues=True))
    return rest


def withdraw(standing: Sequence[Stretch], row_id: UUID) -> tuple[Stretch, ...]:
    """Without that stretch: the terms before it, where there are any to the day before, hold in its place."""
    gone = next(s for s in standing if s.row_id == row_id)
    others = [s for s in standing if s is not gone]
    return tuple(
        replace(s, ends=gone.ends, row_id=None, continues=True) if s.ends == gone.starts - DAY else s
        for s in others
    )


def on(standing: Sequence[Stretch], day: date) -> Stretch | None:
    """What holds on a day."""
    return next((s for s in standing if s.overlaps(day, day)), None)
