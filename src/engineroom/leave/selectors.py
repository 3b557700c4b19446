"""Questions of leave: kinds, what somebody is entitled to and has left, who is away, what was taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.dated import lasts_until
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.leave import engine, law
from engineroom.leave.engine import LeaveYear, Pattern
from engineroom.leave.models import Booking, Decision, Evidence, LeaveKind, Policy
from engineroom.people.models import Person
from engineroom.people.selectors import terms_between

STANDING = ("asked", "approved")
FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
GIVES = ("grant", "accrual")
"""Lines that an entitlement wrote: what it gives anew is the difference to them."""


def kinds(day: date | None = None) -> list[LeaveKind]:
    """By label; those that stand on a day, or all that ever were."""
    rows = LeaveKind.objects.filter(client_id=current_client_id())
    if day is not None:
        rows = rows.filter(lasts_until(day))
    return list(rows.order_by("label", "added_at"))


def kind_coded(code: str) -> LeaveKind | None:
    """The kind that has that code now."""
    return LeaveKind.objects.filter(client_id=current_client_id(), code=code, ends=None).first()


def policies(day: date | None = None) -> list[Policy]:
    """What is entitled to, the client's own first: as it stands on a day, or all that was ever said."""
    rows = Policy.objects.filter(client_id=current_client_id()).select_related("kind", "person")
    if day is not None:
        rows = rows.filter(lasts_until(day))
    return sorted(rows, key=lambda p: (p.kind.label, p.person is not None, p.starts))


class Policies:
    """What a kind entitles people to: one question for everybody. A person's own goes before the client's."""

    def __init__(self, kind_ids: Iterable[UUID]) -> None:
        self._rows: dict[tuple[UUID, UUID | None], list[Policy]] = defaultdict(list)
        for row in Policy.objects.filter(client_id=current_client_id(), kind_id__in=list(kind_ids)):
            self._rows[row.kind_id, row.person_id].append(row)

    def of(self, kind_id: UUID, person_id: UUID, day: date) -> Policy | None:
        for who in (person_id, None):
            for row in self._rows.get((kind_id, who), ()):
                if row.starts <= day and (row.ends is None or day <= row.ends):
                    return row
        return None

    def year_of(self, kind_id: UUID, person_id: UUID, day: date) -> LeaveYear:
        """The leave year of a day; the calendar's, where nothing is entitled to."""
        policy = self.of(kind_id, person_id, day)
        return engine.leave_year(day, *((policy.year_month, policy.year_day) if policy else (1, 1)))


def patterns_of(person_ids: Sequence[UUID], starts: date, ends: date) -> dict[UUID, list[Pattern]]:
    """What people are contracted to work, by the days of their terms. Nothing for whoever has none."""
    found: dict[UUID, list[Pattern]] = defaultdict(list)
    if not person_ids:
        return found
    wanted = set(person_ids)
    for row in terms_between(min(wanted), max(wanted), starts, ends):
        if row.person_id in wanted:
            found[row.person_id].append(Pattern(row.starts, row.ends, row.working_days, row.minutes_per_week))
    return found


def everybodys_patterns(starts: date, ends: date) -> dict[UUID, list[Pattern]]:
    found: dict[UUID, list[Pattern]] = defaultdict(list)
    for row in terms_between(FIRST_ID, LAST_ID, starts, ends):
        found[row.person_id].append(Pattern(row.starts, row.ends, row.working_days, row.minutes_per_week))
    return found


def pattern_now(patterns: Sequence[Pattern], day: date) -> Pattern | None:
    """The pattern of a day, or the nearest one: a leaver's days stay days."""
    for pattern in patterns:
        if pattern.covers(day):
            return pattern
    before = [p for p in patterns if p.starts <= day]
    return before[-1] if before else (patterns[0] if patterns else None)


# --- balances -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Balance:
    """Of one kind in one leave year, in minutes, as at a day.

    given: all that gives by the day. taken: by the day. booked: approved for later days. asked: waits for a
    decision. to_come: what the rest of the year still gives. available: what may still be asked for.
    """

    kind: LeaveKind
    year: LeaveYear
    as_at: date
    given: int
    taken: int
    booked: int
    asked: int
    to_come: int
    pattern: Pattern | None

    @property
    def left(self) -> int:
        return self.given - self.taken

    @property
    def available(self) -> int:
        return self.left + self.to_come - self.booked - self.asked

    def days(self, minutes: int) -> int | None:
        """The other view: hundredths of days of the person's own week."""
        return engine.hundredths_of_days(minutes, self.pattern) if self.pattern else None


SUMS = """
SELECT coalesce(sum(minutes) FILTER (WHERE booking_id IS NULL AND day <= %(day)s), 0)::bigint,
  coalesce(sum(minutes) FILTER (WHERE booking_id IS NULL AND day > %(day)s), 0)::bigint,
  -coalesce(sum(minutes) FILTER (WHERE booking_id IS NOT NULL AND day <= %(day)s), 0)::bigint,
  -coalesce(sum(minutes) FILTER (WHERE booking_id IS NOT NULL AND day > %(day)s), 0)::bigint,
  coalesce(sum(minutes) FILTER (WHERE what IN ('grant', 'accrual')), 0)::bigint
FROM leave_leaveentry
WHERE client_id = %(client)s AND person_id = %(person)s AND kind_id = %(kind)s AND year_starts = %(year)s
"""


def balance(person_id: UUID, kind: LeaveKind, day: date) -> Balance:
    """What somebody has of a kind, as at a day, in that day's leave year."""
    rules = Policies([kind.id])
    year = rules.year_of(kind.id, person_id, day)
    patterns = patterns_of([person_id], year.starts, year.ends).get(person_id, [])
    with connection.cursor() as cursor:
        cursor.execute(
            SUMS,
            {
                "client": current_client_id(), "person": person_id, "kind": kind.id, "year": year.starts,
                "day": day,
            },
        )  # fmt: skip
        given, later, taken, booked, entitled = cursor.fetchone()
    policy = rules.of(kind.id, person_id, day)
    if policy is not None and policy.accrual == "monthly":
        later += max(0, engine.entitlement(policy.rule, year, patterns) - entitled)
    asked = Booking.objects.filter(
        client_id=current_client_id(), person_id=person_id, kind_id=kind.id, state="asked",
        starts__gte=year.starts, starts__lte=year.ends,
    )  # fmt: skip
    waits = sum(asked.values_list("minutes", flat=True))
    return Balance(kind, year, day, given, taken, booked, waits, later, pattern_now(patterns, day))


def balances_of(person_id: UUID, day: date) -> list[Balance]:
    """Of every kind that entitles to something."""
    return [balance(person_id, kind, day) for kind in kinds(day) if kind.entitles]


@dataclass(frozen=True)
class InLieu:
    """What somebody who leaves is owed for leave not taken, or owes for too much (negative). days:
    hundredths."""

    person_id: UUID
    kind_id: UUID
    kind: str
    element: str
    last_day: date
    minutes: int
    days: int | None


STANDS = """
SELECT person_id, kind_id, year_starts, sum(minutes)::bigint,
  coalesce(sum(minutes) FILTER (WHERE what IN ('grant', 'accrual')), 0)::bigint
FROM leave_leaveentry
WHERE client_id = %(client)s AND person_id BETWEEN %(first)s AND %(last)s AND kind_id = ANY(%(kinds)s)
  AND (booking_id IS NULL OR day <= %(through)s)
GROUP BY person_id, kind_id, year_starts
"""


def in_lieu(first_person: UUID, last_person: UUID, starts: date, ends: date) -> list[InLieu]:
    """Of the people from one id to another whose employment ends in the days: leave left on their last day.

    By what the year gives up to that day, whether the ledger has been brought to it or not (WTR reg. 14).
    Asked once for a set of people; people with nothing left are left out.
    """
    leaving = {
        row.person_id: row.employed_until
        for row in terms_between(first_person, last_person, starts, ends)
        if row.employed_until is not None and starts <= row.employed_until <= ends
    }
    of_kinds = {kind.id: kind for kind in kinds() if kind.entitles} if leaving else {}
    if not of_kinds:
        return []
    rules = Policies(of_kinds)
    found = _sums_of(first_person, last_person, list(of_kinds), ends)
    patterns = patterns_of(list(leaving), starts - timedelta(days=366), ends)
    rows = []
    for person_id, last in sorted(leaving.items()):
        for kind_id, kind in of_kinds.items():
            year = rules.year_of(kind_id, person_id, last)
            policy = rules.of(kind_id, person_id, last)
            stands, entitled = found.get((person_id, kind_id, year.starts), (0, 0))
            of_person = patterns.get(person_id, [])
            due = engine.entitlement(policy.rule, year, of_person) if policy else entitled
            minutes = stands + (due - entitled if policy and policy.accrual != "hours" else 0)
            if minutes:
                now = pattern_now(of_person, last)
                days = engine.hundredths_of_days(minutes, now) if now else None
                rows.append(InLieu(person_id, kind_id, kind.code, kind.element, last, minutes, days))
    return rows


def _sums_of(
    first: UUID, last: UUID, kind_ids: list[UUID], through: date
) -> dict[tuple[UUID, UUID, date], tuple[int, int]]:
    """What stands of a year, and what its entitlement gave: by person, kind and the year's first day."""
    with connection.cursor() as cursor:
        cursor.execute(
            STANDS,
            {
                "client": current_client_id(),
                "first": first,
                "last": last,
                "kinds": kind_ids,
                "through": through,
            },
        )
        return {(p, k, y): (stands, entitled) for p, k, y, stands, entitled in cursor.fetchall()}


# --- what was taken -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """Leave of one booking inside a period: what payroll pays, or does not.

    days: hundredths; dates: each with its minutes and hundredths. spell_id: of sickness, the first booking
    of the linked chain; linked_days_before: hundredths of qualifying days of the chain before this booking;
    spell_counts: whether the spell is long enough to count.
    """

    person_id: UUID
    kind: str
    element: str
    payment: str
    booking_id: UUID
    minutes: int
    days: int
    dates: tuple[tuple[date, int, int], ...]
    spell_id: UUID | None = None
    spell_starts: date | None = None
    spell_counts: bool = False
    linked_days_before: int = 0


# A day that was taken and undone sums to nothing and is left out.
TAKEN = """
SELECT person_id, booking_id, kind_id, array_agg(day ORDER BY day), array_agg(minutes ORDER BY day),
  array_agg(part ORDER BY day)
FROM (
  SELECT person_id, booking_id, kind_id, day, -sum(minutes)::bigint AS minutes, sum(part)::bigint AS part
  FROM leave_leaveentry
  WHERE client_id = %(client)s AND person_id BETWEEN %(first)s AND %(last)s AND what IN ('taken', 'undone')
    AND booking_id IS NOT NULL AND day BETWEEN %(starts)s AND %(ends)s
  GROUP BY person_id, booking_id, kind_id, day HAVING sum(part) <> 0) d
GROUP BY person_id, booking_id, kind_id ORDER BY person_id, min(day)
"""

STRETCHES = """
SELECT b.person_id, b.id, b.starts, b.ends, coalesce(sum(e.part), 0)::bigint
FROM leave_booking b
JOIN leave_leavekind k ON k.client_id = b.client_id AND k.id = b.kind_id AND k.spells
LEFT JOIN leave_leaveentry e ON e.client_id = b.client_id AND e.booking_id = b.id
WHERE b.client_id = %(client)s AND b.person_id BETWEEN %(first)s AND %(last)s AND b.state = 'approved'
  AND b.starts <= %(through)s
GROUP BY b.person_id, b.id, b.starts, b.ends
"""


def taken_between(first_person: UUID, last_person: UUID, starts: date, ends: date) -> list[Taken]:
    """What the people from one id to another took on the days of a period, by person and day.

    Two questions for the whole set. A booking that reaches over the period's edge gives the days inside it.
    """
    asked: dict[str, Any] = {
        "client": current_client_id(), "first": first_person, "last": last_person,
        "starts": starts, "ends": ends,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, asked)
        rows = cursor.fetchall()
    if not rows:
        return []
    of_kinds = {kind.id: kind for kind in kinds()}
    spells = {s.stretch.key: s for s in linked_sickness(first_person, last_person, ends)}
    found = []
    for person_id, booking_id, kind_id, days, minutes, parts in rows:
        kind = of_kinds[kind_id]
        spell = spells.get(booking_id)
        found.append(
            Taken(
                person_id, kind.code, kind.element, kind.payment, booking_id, sum(minutes), sum(parts),
                tuple(zip(days, minutes, parts, strict=True)),
                spell_id=spell.chain if spell else None,  # type: ignore[arg-type]  # the key of a stretch
                spell_starts=spell.spell_first if spell else None,
                spell_counts=bool(spell and spell.counts),
                linked_days_before=spell.days_before if spell else 0,
            )
        )  # fmt: skip
    return found


def linked_sickness(first_person: UUID, last_person: UUID, through: date) -> list[engine.Linked]:
    """Every stretch of sickness that has begun by a day, with its spell and the chain it is linked into."""
    client_id = current_client_id()
    with connection.cursor() as cursor:
        cursor.execute(
            STRETCHES,
            {"client": client_id, "first": first_person, "last": last_person, "through": through},
        )
        stretches = [engine.Stretch(*row) for row in cursor.fetchall()]
    if not stretches:
        return []
    client = Client.objects.get(id=client_id)
    return list(engine.linked(stretches, law.spell_laws(client.jurisdiction)))


# --- bookings -------------------------------------------------------------------------------------------


def booking(booking_id: UUID) -> Booking | None:
    rows = Booking.objects.filter(client_id=current_client_id(), id=booking_id)
    return rows.select_related("kind", "person").first()


def bookings_of(person_id: UUID, limit: int = 60) -> list[Booking]:
    """Somebody's leave, the latest days first."""
    rows = Booking.objects.filter(client_id=current_client_id(), person_id=person_id)
    return list(rows.select_related("kind").order_by("-starts", "-at")[:limit])


def requests() -> list[Booking]:
    """What waits for a decision, what begins first at the top."""
    rows = Booking.objects.filter(client_id=current_client_id(), state="asked")
    return list(rows.select_related("kind", "person").order_by("starts", "at"))


def decisions_of(booking_ids: Sequence[UUID]) -> dict[UUID, list[Decision]]:
    found: dict[UUID, list[Decision]] = defaultdict(list)
    rows = Decision.objects.filter(client_id=current_client_id(), booking_id__in=list(booking_ids))
    for row in rows.order_by("at", "id"):
        found[row.booking_id].append(row)
    return found


def evidence_of(booking_ids: Sequence[UUID]) -> dict[UUID, list[Evidence]]:
    found: dict[UUID, list[Evidence]] = defaultdict(list)
    rows = Evidence.objects.filter(client_id=current_client_id(), booking_id__in=list(booking_ids))
    for row in rows.order_by("covers_from", "at"):
        found[row.booking_id].append(row)
    return found


@dataclass(frozen=True)
class Away:
    """Somebody's days in a month: by day, the booking and the hundredths of the day."""

    person: Person
    days: dict[date, tuple[Booking, int]]


def who_is_away(starts: date, ends: date, *, people: int = 200) -> list[Away]:
    """Everybody who is away on some day, or asks to be, by name. Of a day not worked nothing is said."""
    touching = (
        Booking.objects.filter(
            client_id=current_client_id(), state__in=STANDING, starts__lte=ends, ends__gte=starts
        )
        .select_related("kind", "person")
        .order_by("person__name", "starts")
    )
    rows: dict[UUID, Away] = {}
    found = list(touching)
    patterns = patterns_of(list({b.person_id for b in found}), starts, ends)
    for row in found:
        away = rows.setdefault(row.person_id, Away(row.person, {}))
        for taken in days_of(row, patterns.get(row.person_id, [])):
            if starts <= taken.day <= ends:
                away.days[taken.day] = (row, taken.part)
    return [away for away in rows.values() if away.days][:people]


def days_of(row: Booking, patterns: Sequence[Pattern]) -> list[engine.DayTaken]:
    """The days that a booking takes on these patterns; none for a day that no terms cover."""
    try:
        return count_days(
            row.kind, patterns, row.starts, row.ends, row.from_noon, row.until_noon, row.minutes_given
        )
    except engine.NoPattern:
        return []


def count_days(
    kind: LeaveKind,
    patterns: Sequence[Pattern],
    starts: date,
    ends: date,
    from_noon: bool = False,
    until_noon: bool = False,
    minutes: int | None = None,
) -> list[engine.DayTaken]:
    """What a stretch of this kind takes. Raises NoPattern, CalendarNotKnown."""
    if minutes is not None:
        return [engine.hours_taken(starts, minutes, patterns)]
    holidays = law.holidays_between(kind.division, starts, ends) if kind.counts == "work" else frozenset()
    counts: engine.Counts = kind.counts  # type: ignore[assignment]  # one of three, by constraint
    return engine.days_taken(
        starts, ends, patterns, holidays, counts, from_noon=from_noon, until_noon=until_noon
    )


def overlapping(person_id: UUID, starts: date, ends: date) -> list[Booking]:
    """What stands already on some of the days."""
    rows = Booking.objects.filter(
        client_id=current_client_id(),
        person_id=person_id,
        state__in=STANDING,
        starts__lte=ends,
        ends__gte=starts,
    )
    return list(rows.select_related("kind").order_by("starts"))
