"""Working hours: when a client's desk is open, as instants, through every change of the clocks.

    hours = WorkingHours("Europe/London", week=OFFICE, division="ENG")
    hours.between(start, end)    working seconds from one instant to another
    hours.after(start, seconds)  the first instant at which so many working seconds have passed

The desk is open at an instant when the clock on its wall shows an hour of that weekday's spans and the day is
no holiday. From this one sentence follows what happens when clocks change: an hour that the wall skips is not
worked, and one that it shows twice is worked twice.

Instants are whole seconds since 1970 in UTC; spans are minutes of a local day. Nothing here is a float.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engineroom.kernel.calendar import CalendarNotKnown, calendar
from engineroom.kernel.errors import EngineroomError

DAY_S = 86_400
MINUTES_A_DAY = 1_440
LONGEST_WAIT_DAYS = 3_660
"""A promise that is not due within ten years of open days is a mistake in its hours."""

Span = tuple[int, int]
"""From a minute of the local day up to, and without, another: (540, 1050) is 09:00 to 17:30."""

OFFICE: tuple[tuple[Span, ...], ...] = (*[((540, 1050),)] * 5, (), ())
"""Monday to Friday, 09:00 to 17:30."""

DIVISIONS = {"ENG": "England and Wales", "SCT": "Scotland", "NIR": "Northern Ireland"}
"""Whose bank holidays are known, in words."""

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class HoursRefused(EngineroomError):
    """Working hours that no desk can keep; says what is wrong with them."""

    status = 422


class NeverDue(EngineroomError):
    """The hours have too few open days to reach the instant asked for."""

    status = 422


@dataclass(frozen=True)
class WorkingHours:
    """When work counts. week: spans of Monday to Sunday; division: whose bank holidays are closed days.

    closed: further closed days, by name. special: days with spans of their own, which go before all else.
    """

    zone: str
    week: tuple[tuple[Span, ...], ...] = OFFICE
    division: str | None = None
    closed: tuple[tuple[date, str], ...] = ()
    special: tuple[tuple[date, tuple[Span, ...]], ...] = ()
    name: str = "office hours"
    _days: dict[date, tuple[Span, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise HoursRefused(
                f"there is no time zone {self.zone!r}; use a name such as Europe/London"
            ) from error
        if len(self.week) != 7:
            raise HoursRefused(f"a week has 7 days, Monday first; these hours have {len(self.week)}")
        for day, spans in [*zip(DAY_NAMES, self.week, strict=True), *((str(d), s) for d, s in self.special)]:
            _check_spans(day, spans)
        if not any(self.week):
            raise HoursRefused("no day of the week has working hours: nothing would ever be due")
        if self.division is not None:
            calendar(self.division)  # raises CalendarNotKnown

    def spans_of(self, day: date) -> tuple[Span, ...]:
        """The spans of one local day. Raises CalendarNotKnown beyond the years of the bank holidays."""
        if (known := self._days.get(day)) is None:
            known = self._days[day] = self._spans_of(day)
        return known

    def _spans_of(self, day: date) -> tuple[Span, ...]:
        for special, spans in self.special:
            if special == day:
                return spans
        if any(closed == day for closed, _ in self.closed):
            return ()
        spans = self.week[day.weekday()]
        if not spans or self.division is None:
            return spans
        days = calendar(self.division)
        if not days.first_year <= day.year <= days.last_year:
            raise CalendarNotKnown(
                f"{self.division} holidays are known {days.first_year} to {days.last_year}, not for {day}"
            )
        return () if day in days.holidays else spans

    def why_closed(self, day: date) -> str:
        """The name of the holiday that closes a day, or nothing."""
        if any(special == day for special, _ in self.special):
            return ""
        for closed, name in self.closed:
            if closed == day:
                return name
        return calendar(self.division).holidays.get(day, "") if self.division else ""

    def between(self, start: int, end: int) -> int:
        """Working seconds from `start` up to `end`; none when the end is not after the start."""
        if end <= start:
            return 0
        total = 0
        for day in range(start // DAY_S, (end - 1) // DAY_S + 1):
            for opens, closes in _pieces(self, day):
                total += max(0, min(closes, end) - max(opens, start))
        return total

    def after(self, start: int, seconds: int) -> int:
        """The first instant, not before `start`, at which so many working seconds have passed since."""
        if seconds <= 0:
            return start
        left = seconds
        first = start // DAY_S
        for day in range(first, first + LONGEST_WAIT_DAYS):
            for opens, closes in _pieces(self, day):
                opens = max(opens, start)
                if closes - opens >= left:
                    return opens + left
                left -= max(0, closes - opens)
        raise NeverDue(
            f"{self.name}: {seconds} working seconds do not come within {LONGEST_WAIT_DAYS} days; "
            "give the week more hours"
        )

    def open_at(self, instant: int) -> bool:
        return any(opens <= instant < closes for opens, closes in _pieces(self, instant // DAY_S))

    def local(self, instant: int) -> datetime:
        return datetime.fromtimestamp(instant, ZoneInfo(self.zone))

    def in_words(self) -> str:
        """Mon-Fri 09:00-17:30, Europe/London, closed on the bank holidays of England and Wales and 2
        named days.
        """
        whose = DIVISIONS.get(self.division or "", self.division)
        closed = [f"the bank holidays of {whose}"] if whose else []
        if self.closed:
            closed.append(f"{len(self.closed)} named day{'' if len(self.closed) == 1 else 's'}")
        ending = f", closed on {' and '.join(closed)}" if closed else ""
        return f"{self.week_in_words()}, {self.zone}{ending}"

    def week_in_words(self) -> str:
        """Mon-Fri 09:00-17:30; Sat 09:00-12:00: `week_from` reads it."""
        days = [", ".join(f"{_clock(a)}-{_clock(b)}" for a, b in spans) for spans in self.week]
        parts = []
        first = 0
        for last in range(7):
            if last < 6 and days[last + 1] == days[first]:
                continue
            if days[first]:
                name = DAY_NAMES[first] if first == last else f"{DAY_NAMES[first]}-{DAY_NAMES[last]}"
                parts.append(f"{name} {days[first]}")
            first = last + 1
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it; `hours_from` is the way back."""
        return {
            "name": self.name,
            "zone": self.zone,
            "week": [[list(span) for span in spans] for spans in self.week],
            "division": self.division,
            "closed": [[day.isoformat(), name] for day, name in self.closed],
            "special": [[day.isoformat(), [list(s) for s in spans]] for day, spans in self.special],
        }


def hours_from(kept: dict[str, Any]) -> WorkingHours:
    return WorkingHours(
        kept["zone"],
        tuple(_spans(spans) for spans in kept["week"]),
        kept.get("division"),
        tuple((date.fromisoformat(day), name) for day, name in kept.get("closed", ())),
        tuple((date.fromisoformat(day), _spans(spans)) for day, spans in kept.get("special", ())),
        kept.get("name", "office hours"),
    )


_DAYS = re.compile(r"(?P<first>\w{3})(?:-(?P<last>\w{3}))? +(?P<spans>[0-9:, -]+)")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


def week_from(text: str) -> tuple[tuple[Span, ...], ...]:
    """The spans of a week from words: Mon-Fri 09:00-12:30, 13:00-17:30; Sat 09:00-12:00.

    Raises HoursRefused.
    """
    week: list[tuple[Span, ...]] = [()] * 7
    for part in filter(None, (p.strip() for p in text.split(";"))):
        match = _DAYS.fullmatch(part)
        days = [name.title() for name in (match["first"], match["last"] or match["first"])] if match else []
        if match is None or any(day not in DAY_NAMES for day in days):
            raise HoursRefused(f"{part!r} cannot be read; write it like Mon-Fri 09:00-17:30; Sat 09:00-12:00")
        spans = []
        for piece in match["spans"].split(","):
            found = _SPAN.fullmatch(piece.strip())
            if found is None:
                raise HoursRefused(f"{piece.strip()!r} is no span of time; write it like 09:00-17:30")
            opens, closes, more, last = (int(n) for n in found.groups())
            spans.append((opens * 60 + closes, more * 60 + last))
        first, end = (DAY_NAMES.index(day) for day in days)
        for day in range(first, end + 1):
            week[day] = tuple(spans)
    return tuple(week)


def _spans(kept: list[list[int]]) -> tuple[Span, ...]:
    return tuple((int(a), int(b)) for a, b in kept)


def _check_spans(day: str, spans: tuple[Span, ...]) -> None:
    before = 0
    for opens, closes in spans:
        if not (before <= opens < closes <= MINUTES_A_DAY):
            raise HoursRefused(
                f"{day}: {_clock(opens)}-{_clock(closes)} is not a span of one day after the one before it; "
                "write a night as two spans, 22:00-24:00 and 00:00-06:00 of the next day"
            )
        before = closes


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@lru_cache(maxsize=65_536)
def _pieces(hours: WorkingHours, utc_day: int) -> tuple[tuple[int, int], ...]:
    """When the desk is open within one day of UTC: [from, to) in instants, in order, none touching twice."""
    pieces: list[tuple[int, int]] = []
    for start, end, offset in _offsets(hours.zone, utc_day * DAY_S):
        local_start, local_end = start + offset, end + offset
        for day in range(local_start // DAY_S, (local_end - 1) // DAY_S + 1):
            for opens, closes in hours.spans_of(_date(day)):
                a = max(local_start, day * DAY_S + opens * 60)
                b = min(local_end, day * DAY_S + closes * 60)
                if a < b:
                    pieces.append((a - offset, b - offset))
    return tuple(pieces)


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


@lru_cache(maxsize=16_384)
def _offsets(zone: str, start: int) -> tuple[tuple[int, int, int], ...]:
    """A day of UTC cut where the zone's clock changes: (from, to, seconds east of UTC)."""
    return tuple(_cut(ZoneInfo(zone), start, start + DAY_S))


def _cut(zone: ZoneInfo, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    offset = _offset(zone, start)
    if _offset(zone, end - 1) == offset:
        yield start, end, offset
        return
    low, high = start, end - 1  # the clock changes once in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
    yield start, high, offset
    yield from _cut(zone, high, end)


def _offset(zone: ZoneInfo, instant: int) -> int:
    shift = datetime.fromtimestamp(instant, UTC).astimezone(zone).utcoffset()
    return int(shift.total_seconds()) if shift is not None else 0
