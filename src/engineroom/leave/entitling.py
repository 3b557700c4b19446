"""Which kinds of leave a client knows, what they entitle to, and what a leave year gives, carries and
loses.

Each of the verbs over everybody writes only what is missing: run again it writes nothing, and after terms
have changed it writes the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.calendar import CalendarNotKnown, calendar
from engineroom.kernel.errors import (
    Conflict,
    InputRefused,
    NotFound,
    Problem,
    reason_given,
    too_long,
)
from engineroom.kernel.ids import uuid7s
from engineroom.leave import engine, law, selectors
from engineroom.leave.engine import A_DAY, LeaveYear, Pattern
from engineroom.leave.models import ACCRUALS, COUNTS, UNITS, LeaveEntry, LeaveKind, Policy
from engineroom.leave.services import explained
from engineroom.people.models import Person

LONGEST_LABEL = 60
LAPSED = "carried leave that was not used by its last day"


@dataclass(frozen=True)
class KindsOffered:
    """The codes that are new, and those that were there already."""

    added: list[str]
    known: list[str]


@command("leave.prepare")
def offer_ready_kinds(*, division: str = "ENG", only: list[str] | None = None) -> KindsOffered:
    """Offer every kind of leave that the client's country has, in one act; what is offered already stays.

    The kinds with an entitlement get the law's least one, from the first day of this calendar year, for
    everybody. division: whose public holidays are not counted as leave. only: the codes of these alone.
    """
    client = Client.objects.get(id=current_scope().client_id)
    today = timezone.now().date()
    _known_division(division)
    ready = law.ready_kinds(client.jurisdiction, today)
    standing = {kind.code for kind in selectors.kinds(today)}
    added = []
    for kind in ready:
        if kind.code in standing or (only is not None and kind.code not in only):
            continue
        row = LeaveKind.objects.create(
            client_id=client.id, code=kind.code, label=kind.label, unit=kind.unit, element=kind.element,
            payment=kind.payment, counts=kind.counts, entitles=kind.entitles,
            needs_approval=kind.needs_approval, own=kind.own, spells=kind.spells, private=kind.private,
            division=division,
        )  # fmt: skip
        if kind.entitles:
            _least(client, row, date(today.year, 1, 1))
        added.append(kind.code)
    return KindsOffered(added, sorted(standing))


def _least(client: Client, kind: LeaveKind, starts: date) -> None:
    least = law.least_entitlement(client.jurisdiction, starts)
    Policy.objects.create(
        client_id=client.id, kind=kind, starts=starts, weeks_ppm=least.weeks_ppm, most_days=least.most_days,
        year_month=1, year_day=1, accrual="front", accrual_ppm=least.accrual_ppm, carry_ppm=least.carry_ppm,
        carry_months=0,
    )  # fmt: skip


@dataclass(frozen=True)
class KindChanged:
    kind_id: UUID
    code: str

    @property
    def subject(self) -> str:
        return f"leave_kind:{self.kind_id}"


@command("leave.prepare")
def add_kind(
    code: str,
    label: str,
    *,
    unit: str = "days",
    element: str = "",
    counts: str = "work",
    entitles: bool = False,
    needs_approval: bool = True,
    own: bool = True,
    private: bool = False,
    division: str = "",
) -> KindChanged:
    """Add a kind of leave of the client's own. element: the code of the pay element that pays it; empty:
    unpaid."""
    problems = [*too_long("name", label, LONGEST_LABEL)]
    if not label.strip():
        problems.append(Problem("a kind of leave has a name", "Name it as people know it", field="name"))
    if not (code.isidentifier() and code.islower() and code.isascii() and len(code) <= 30):
        remedy = "Use small letters, digits and _, beginning with a letter"
        problems.append(Problem(f"{code!r} is no code", remedy, field="code"))
    if len(element) > 40 or (element and not (element.isidentifier() and element.isascii())):
        remedy = "Use a code of the table of pay elements, or leave it out"
        problems.append(Problem(f"{element!r} is no pay element", remedy, field="element"))
    if unit not in UNITS:
        problems.append(Problem(f"{unit!r} is no unit", f"Use {' or '.join(UNITS)}", field="unit"))
    if counts not in COUNTS:
        problems.append(Problem(f"{counts!r} counts nothing", f"Use {', '.join(COUNTS)}", field="counts"))
    if problems:
        raise InputRefused(problems)
    _known_division(division)
    if selectors.kind_coded(code):
        raise Conflict(f"there is a kind of leave {code} already")
    row = LeaveKind.objects.create(
        client_id=current_scope().client_id, code=code, label=label.strip(), unit=unit, element=element,
        counts=counts, entitles=entitles, needs_approval=needs_approval, own=own, private=private,
        division=division,
    )  # fmt: skip
    return KindChanged(row.id, code)


@command("leave.prepare")
def end_kind(kind_id: UUID, *, ends: date) -> KindChanged:
    """The last day on which this kind may be taken. What was taken stays."""
    row = _kind(kind_id)
    if row.ends is not None:
        raise Conflict(f"{row.label} ends on {row.ends} already")
    row.ends = ends
    row.save(update_fields=["ends"])
    return KindChanged(row.id, row.code)


def _known_division(division: str) -> None:
    try:
        if division:
            calendar(division)
    except CalendarNotKnown as error:
        remedy = "Use ENG (with Wales), SCT or NIR, or none"
        raise InputRefused([Problem(str(error), remedy, field="holidays of")]) from error


# --- entitlements ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PolicySet:
    policy_id: UUID
    kind_id: UUID

    @property
    def subject(self) -> str:
        return f"leave_policy:{self.policy_id}"


@command("leave.prepare")
def set_policy(
    kind_id: UUID,
    starts: date,
    *,
    weeks_ppm: int,
    most_days: int = 0,
    year_month: int = 1,
    year_day: int = 1,
    accrual: str = "front",
    accrual_ppm: int = 0,
    carry_ppm: int = 0,
    carry_months: int = 0,
    person_id: UUID | None = None,
) -> PolicySet:
    """What a kind entitles to from a day on: everybody, or one person otherwise. The one before ends the
    day before.

    weeks_ppm, carry_ppm: weeks in parts per million. Bring the leave year up to date afterwards
    (grant_year).
    """
    kind = _kind(kind_id)
    problems = [
        Problem(what, remedy, field=field)
        for wrong, what, remedy, field in (
            (not 0 <= weeks_ppm <= 53_000_000, "a year has 53 weeks at most", "Correct it", "weeks"),
            (not 0 <= most_days <= 366, "a year has 366 days at most", "Correct it", "most days"),
            (
                not 0 <= carry_ppm <= 106_000_000,
                "two years' weeks go on at most",
                "Correct it",
                "carry weeks",
            ),
            (
                not 0 <= carry_months <= 24,
                "carried leave lasts two years at most",
                "Correct it",
                "carry months",
            ),
            (not 1 <= year_month <= 12, "there is no such month", "Give 1 to 12", "leave year month"),
            (not 1 <= year_day <= 28, "not every month has that day", "Give 1 to 28", "leave year day"),
            (accrual not in ACCRUALS, f"{accrual!r} is no accrual", f"Use {', '.join(ACCRUALS)}", "accrual"),
            (not 0 <= accrual_ppm <= 1_000_000, "it is a part of the hours", "Correct it", "accrual rate"),
            (not kind.entitles, f"{kind.label} has no balance", "Choose a kind that has one", "kind"),
        )
        if wrong
    ]
    if problems:
        raise InputRefused(problems)
    if (
        person_id is not None
        and not Person.objects.filter(client_id=kind.client_id, counterparty_id=person_id).exists()
    ):
        raise NotFound(f"there is no person {person_id}")
    before = Policy.objects.filter(client_id=kind.client_id, kind_id=kind.id, person_id=person_id, ends=None)
    standing = before.first()
    if standing is not None and standing.starts >= starts:
        raise Conflict(f"what is entitled to stands from {standing.starts}; give a later day")
    if standing is not None:
        standing.ends = starts - A_DAY
        standing.save(update_fields=["ends"])
    row = Policy(
        client_id=kind.client_id, kind=kind, person_id=person_id, starts=starts, weeks_ppm=weeks_ppm,
        most_days=most_days, year_month=year_month, year_day=year_day, accrual=accrual,
        accrual_ppm=accrual_ppm, carry_ppm=carry_ppm, carry_months=carry_months,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except DatabaseError as error:
        raise explained(error) from error
    return PolicySet(row.id, kind.id)


# --- the leave year -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class YearBrought:
    """people: how many got lines. minutes: what the lines come to."""

    kind_id: UUID
    people: int
    minutes: int

    @property
    def subject(self) -> str:
        return f"leave_kind:{self.kind_id}"


@dataclass(frozen=True)
class Line:
    """A line to write."""

    person_id: UUID
    what: str
    day: date
    year_starts: date
    minutes: int
    reason: str = ""


@command("leave.prepare")
def grant_year(kind_id: UUID, day: date) -> YearBrought:
    """Give everybody what the leave year of a day gives by that day: by the month so many twelfths.

    Starters, leavers and changed terms are in proportion; what was given too much is taken back.
    """
    kind = _kind(kind_id)
    rules = selectors.Policies([kind.id])
    patterns = selectors.everybodys_patterns(day - timedelta(days=366), day + timedelta(days=366))
    given = _given(kind)
    lines = []
    for person_id, of_person in patterns.items():
        policy = rules.of(kind.id, person_id, day)
        if policy is None or policy.accrual == "hours":
            continue
        year = rules.year_of(kind.id, person_id, day)
        due = engine.entitlement(policy.rule, year, of_person, day)
        before = given.get((person_id, year.starts))
        if due == (before or 0):
            continue
        what = "accrual" if policy.accrual == "monthly" else "grant"
        on = _first_day(of_person, year, day) if before is None and what == "grant" else day
        reason = "" if before is None or what == "accrual" else "the terms of the year changed"
        lines.append(Line(person_id, what, on, year.starts, due - (before or 0), reason))
    return _written(kind, lines)


def _first_day(patterns: Sequence[Pattern], year: LeaveYear, day: date) -> date:
    """The first day of the year on which the person is employed."""
    first = min(
        (max(p.starts, year.starts) for p in patterns if p.ends is None or p.ends >= year.starts), default=day
    )
    return min(first, year.ends)


GIVEN = """
SELECT person_id, year_starts, sum(minutes)::bigint FROM leave_leaveentry
WHERE client_id = %s AND kind_id = %s AND what IN ('grant', 'accrual') GROUP BY person_id, year_starts
"""


def _given(kind: LeaveKind) -> dict[tuple[UUID, date], int]:
    with connection.cursor() as cursor:
        cursor.execute(GIVEN, [kind.client_id, kind.id])
        return {(person, year): minutes for person, year, minutes in cursor.fetchall()}


YEARS_ENDS = """
SELECT person_id, year_starts, sum(minutes)::bigint,
  -coalesce(sum(minutes) FILTER (WHERE what = 'carried' AND minutes < 0), 0)::bigint
FROM leave_leaveentry WHERE client_id = %s AND kind_id = %s GROUP BY person_id, year_starts
"""


@command("leave.prepare")
def close_year(kind_id: UUID, day: date) -> YearBrought:
    """Close the leave year of a day that is over: what is left goes on up to the limit, and the rest is lost.

    What was taken too much goes on as it is. Closed again after a late change it moves the difference.
    """
    kind = _kind(kind_id)
    rules = selectors.Policies([kind.id])
    patterns = selectors.everybodys_patterns(day - timedelta(days=366), day + timedelta(days=366))
    today, lines = timezone.now().date(), []
    with connection.cursor() as cursor:
        cursor.execute(YEARS_ENDS, [kind.client_id, kind.id])
        rows = cursor.fetchall()
    for person_id, year_starts, left, carried in rows:
        policy = rules.of(kind.id, person_id, day)
        year = rules.year_of(kind.id, person_id, day)
        if policy is None or year.starts != year_starts or not left:
            continue
        if year.ends >= today:
            raise Conflict(f"the leave year ends on {year.ends}; close it after that day")
        pattern = selectors.pattern_now(patterns.get(person_id, []), year.ends)
        onward = engine.carry_over(policy.rule, left + carried, pattern).carried - carried
        following = year.ends + A_DAY
        if onward:
            lines += [
                Line(
                    person_id, "carried", year.ends, year.starts, -onward, f"into the year from {following}"
                ),
                Line(person_id, "carried", following, following, onward, f"from the year of {year.starts}"),
            ]
        if left - onward:
            over = "over what may be carried"
            lines.append(Line(person_id, "forfeited", year.ends, year.starts, onward - left, over))
    return _written(kind, lines)


CARRIED_IN = """
SELECT person_id, year_starts,
  coalesce(sum(minutes) FILTER (WHERE what = 'carried' AND minutes > 0), 0)::bigint,
  coalesce(array_agg(day) FILTER (WHERE booking_id IS NOT NULL), '{}'),
  coalesce(array_agg(minutes) FILTER (WHERE booking_id IS NOT NULL), '{}'),
  -coalesce(sum(minutes) FILTER (WHERE what = 'forfeited' AND reason = %s), 0)::bigint
FROM leave_leaveentry WHERE client_id = %s AND kind_id = %s GROUP BY person_id, year_starts
"""


@command("leave.prepare")
def lapse_carried(kind_id: UUID, day: date) -> YearBrought:
    """Take off what was carried into the leave year of a day and not used by its last day, once that has
    passed."""
    kind = _kind(kind_id)
    rules = selectors.Policies([kind.id])
    today, lines = timezone.now().date(), []
    with connection.cursor() as cursor:
        cursor.execute(CARRIED_IN, [LAPSED, kind.client_id, kind.id])
        rows = cursor.fetchall()
    for person_id, year_starts, carried, days, minutes, lost in rows:
        policy = rules.of(kind.id, person_id, day)
        year = rules.year_of(kind.id, person_id, day)
        if policy is None or not policy.carry_months or year.starts != year_starts or not carried:
            continue
        last = _months_on(year.starts, policy.carry_months) - A_DAY
        if last >= today:
            continue
        used = -sum(m for d, m in zip(days, minutes, strict=True) if d <= last)
        if more := engine.lapsed(carried, used) - lost:
            lines.append(Line(person_id, "forfeited", last + A_DAY, year.starts, -more, LAPSED))
    return _written(kind, lines)


def _months_on(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return day.replace(year=day.year + years, month=month + 1)


@dataclass(frozen=True)
class Adjusted:
    person_id: UUID
    minutes: int

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("leave.prepare")
def adjust(person_id: UUID, kind_id: UUID, day: date, minutes: int, *, reason: str) -> Adjusted:
    """Give or take leave by hand, with the reason; as agreed with the person, or to correct the ledger."""
    return _by_hand("adjusted", person_id, kind_id, day, minutes, reason_given(reason))


@command("leave.prepare")
def pay_in_lieu(person_id: UUID, kind_id: UUID, day: date, minutes: int, *, reason: str) -> Adjusted:
    """Leave of a leaver that was paid for (positive), or taken off their pay (negative): it is theirs no
    more."""
    return _by_hand("paid", person_id, kind_id, day, -minutes, reason_given(reason))


def _by_hand(what: str, person_id: UUID, kind_id: UUID, day: date, minutes: int, reason: str) -> Adjusted:
    kind = _kind(kind_id)
    if not kind.entitles:
        raise Conflict(f"{kind.label} has no balance that could be changed")
    if not minutes or abs(minutes) > 366 * 24 * 60:
        remedy = "Give a number of hours, with a minus to take them"
        raise InputRefused([Problem("nothing is given or taken", remedy, field="hours")])
    if not Person.objects.filter(client_id=kind.client_id, counterparty_id=person_id).exists():
        raise NotFound(f"there is no person {person_id}")
    year = selectors.Policies([kind.id]).year_of(kind.id, person_id, day)
    write_lines(kind, [Line(person_id, what, day, year.starts, minutes, reason)])
    return Adjusted(person_id, minutes)


def _written(kind: LeaveKind, lines: Sequence[Line]) -> YearBrought:
    write_lines(kind, lines)
    return YearBrought(kind.id, len({line.person_id for line in lines}), sum(line.minutes for line in lines))


def write_lines(kind: LeaveKind, lines: Sequence[Line]) -> None:
    """Lines of the ledger that no booking is behind."""
    if not lines:
        return
    insert_columns(
        LeaveEntry,
        {
            "id": uuid7s(len(lines)),
            "client_id": kind.client_id,
            "person_id": [line.person_id for line in lines],
            "kind_id": kind.id,
            "what": [line.what for line in lines],
            "day": [line.day for line in lines],
            "year_starts": [line.year_starts for line in lines],
            "minutes": [line.minutes for line in lines],
            "part": [0] * len(lines),
            "reason": [line.reason for line in lines],
        },
        len(lines),
        casts={"part": "smallint"},
    )


def _kind(kind_id: UUID) -> LeaveKind:
    found = LeaveKind.objects.filter(client_id=current_scope().client_id, id=kind_id).first()
    if found is None:
        raise NotFound(f"there is no kind of leave {kind_id}")
    return found


def accrual_of_law(day: date) -> int:
    """What the law of the client's country gives of the hours worked, in parts per million."""
    client = Client.objects.get(id=current_scope().client_id)
    return law.least_entitlement(client.jurisdiction, day).accrual_ppm
