"""What people are employed on: said from a day on, back-dated with a reason, and never rewritten.

A change takes back the rows that it contradicts and says again what of them still holds, so that what was
known at any earlier change stays to be asked (selectors.terms_between).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection
from django.utils import timezone

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import (
    LONGEST_REASON,
    Conflict,
    InputRefused,
    NotFound,
    Problem,
    reason_given,
    too_long,
)
from engineroom.kernel.ids import uuid7s
from engineroom.kernel.money import MAX_MINOR
from engineroom.people.engine import BASES, Agreed, Stretch, agree, withdraw
from engineroom.people.models import Employment, Person, Terms, TermsChange
from engineroom.people.selectors import employment_on, standing_terms

LONGEST_TITLE = 100
LONGEST_COST_CENTRE = 40
WEEK_MINUTES = 7 * 24 * 60


@dataclass(frozen=True)
class TermsSaid:
    """change: its number. rows: how many it said, and `taken_back` how many it took back."""

    person_id: UUID
    change: int
    rows: int
    taken_back: int

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("people.prepare")
def set_terms(
    person_id: UUID, agreed: Agreed, *, starts: date, ends: date | None = None, reason: str = ""
) -> TermsSaid:
    """Terms from a day on: those before end the day before; those of a later day stand as they were.

    With a last day they take the place of what stands up to it. A day before today needs a reason. Raises
    InputRefused with everything wrong, Conflict where the same stands already.
    """
    one_at_a_time()
    employment, standing, after = _asked(person_id, agreed, starts, ends, reason)
    return _said(person_id, say([Changed(employment, standing, after)], reason))


@dataclass(frozen=True)
class TermsPreview:
    """What stands of the employment, and what would stand."""

    before: Sequence[Stretch]
    after: Sequence[Stretch]
    employed_until: date | None


def preview_terms(
    person_id: UUID, agreed: Agreed, *, starts: date, ends: date | None = None, reason: str = ""
) -> TermsPreview:
    """What `set_terms` would change; it refuses the same. Writes nothing."""
    employment, before, after = _asked(person_id, agreed, starts, ends, reason)
    return TermsPreview(before, after, employment.ends)


def _asked(
    person_id: UUID, agreed: Agreed, starts: date, ends: date | None, reason: str
) -> tuple[Employment, Sequence[Stretch], Sequence[Stretch]]:
    """The employment, and what stands before and after; or the refusal."""
    _refuse([*wrong_with(agreed), *_wrong_reason(starts, reason), *_wrong_days(starts, ends)])
    employment = employment_of(person_id, starts, ends)
    standing = standing_terms([employment.id]).get(employment.id, ())
    after = agree(standing, starts, ends, agreed)
    if same_days(standing, after):
        raise Conflict(f"these terms stand already from {starts}; nothing was changed")
    return employment, standing, after


@command("people.prepare")
def withdraw_terms(terms_id: UUID, *, reason: str) -> TermsSaid:
    """Take terms back that should not have been said: those before them hold in their place."""
    client_id = current_scope().client_id
    reason = reason_given(reason, LONGEST_REASON)
    one_at_a_time()
    row = Terms.objects.filter(client_id=client_id, id=terms_id).select_related("employment").first()
    if row is None:
        raise NotFound(f"there are no terms {terms_id}")
    if row.unsaid is not None:
        raise Conflict("these terms were taken back already")
    standing = standing_terms([row.employment_id])[row.employment_id]
    changed = Changed(row.employment, standing, withdraw(standing, terms_id))
    return _said(row.person_id, say([changed], reason))


def _said(person_id: UUID, written: Written) -> TermsSaid:
    return TermsSaid(person_id, written.change, written.said, written.taken_back)


def employment_of(person_id: UUID, starts: date, ends: date | None) -> Employment:
    """The employment whose terms are spoken of. Raises NotFound, or InputRefused where there is none then."""
    if not Person.objects.filter(client_id=current_scope().client_id, counterparty_id=person_id).exists():
        raise NotFound(f"there is no person {person_id}")
    found = employment_on(person_id, starts)
    if found is None:
        remedy = "Begin on a day of an employment; a new employment comes first"
        raise InputRefused([Problem(f"nobody is employed here on {starts}", remedy, field="starts")])
    if ends and found.ends and ends > found.ends:
        remedy = "Leave the last day out: terms end with the employment"
        raise InputRefused([Problem(f"the employment ends on {found.ends}", remedy, field="ends")])
    return found


def wrong_with(agreed: Agreed) -> list[Problem]:
    """What cannot be agreed."""
    found = []
    if agreed.basis not in BASES:
        found.append(
            Problem(f"there is no basis {agreed.basis!r}", f"Use {' or '.join(BASES)}", field="basis")
        )
    if not 0 <= agreed.amount <= MAX_MINOR:
        found.append(Problem("the amount is not one", "Give nothing or more", field="amount"))
    if not 0 <= agreed.minutes_per_week <= WEEK_MINUTES:
        found.append(Problem("a week has 168 hours", "Give up to 168:00", field="hours_per_week"))
    if not 0 <= agreed.working_days < 128:
        found.append(Problem("these are no days of a week", "Name Monday to Sunday", field="working_days"))
    found += too_long("title", agreed.title, LONGEST_TITLE)
    found += too_long("cost centre", agreed.cost_centre, LONGEST_COST_CENTRE)
    return found


def _wrong_reason(starts: date, reason: str) -> list[Problem]:
    if starts < timezone.now().date() and not reason.strip():
        problem = f"{starts} is past, and no reason is given"
        return [Problem(problem, "Say why it is said only now", field="reason")]
    return too_long("reason", reason, LONGEST_REASON)


def _wrong_days(starts: date, ends: date | None) -> list[Problem]:
    if ends and ends < starts:
        return [Problem(f"ends on {ends}, before {starts}", "Correct one of the days", field="ends")]
    return []


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InputRefused(problems)


def one_at_a_time() -> None:
    """Before what stands is read: the next change of this client's terms waits for our commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('terms:' || %s::uuid, 0))",
            [current_scope().client_id],
        )


@dataclass(frozen=True)
class Changed:
    """What stood of an employment, and what stands after the change."""

    employment: Employment
    before: Sequence[Stretch]
    after: Sequence[Stretch]


@dataclass(frozen=True)
class Written:
    """A change as it was kept: its number, how many rows it said and how many it took back."""

    change: int
    said: int
    taken_back: int


def same_days(before: Sequence[Stretch], after: Sequence[Stretch]) -> bool:
    """Whether every day has the same terms: what is cut differently is no change."""

    def joined(stretches: Sequence[Stretch]) -> list[tuple[date, date | None, Agreed]]:
        found: list[tuple[date, date | None, Agreed]] = []
        for s in stretches:
            if found and found[-1][2] == s.agreed and _next_to(found[-1][1], s.starts):
                found[-1] = (found[-1][0], s.ends, s.agreed)
            else:
                found.append((s.starts, s.ends, s.agreed))
        return found

    return joined(before) == joined(after)


def _next_to(ends: date | None, starts: date) -> bool:
    return ends is not None and (starts - ends).days == 1


def say(changed: Sequence[Changed], reason: str) -> Written:
    """Keep what stands after one change, about any number of employments."""
    client_id = current_scope().client_id
    kept = {s.row_id for c in changed for s in c.after}
    taken = [s.row_id for c in changed for s in c.before if s.row_id not in kept]
    said = [(c.employment, s) for c in changed for s in c.after if s.row_id is None]
    change = TermsChange(client_id=client_id, reason=reason.strip())
    change.number, change.by_user_id = 0, current_scope().user.id  # the database counts, and knows who
    change.save(force_insert=True)
    change.refresh_from_db(fields=["number"])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE people_terms SET unsaid = %s WHERE client_id = %s AND id = ANY (%s)",
            [change.number, client_id, taken],
        )
    _insert(change, said)
    return Written(change.number, len(said), len(taken))


def _insert(change: TermsChange, said: Sequence[tuple[Employment, Stretch]]) -> None:
    n = len(said)
    insert_columns(
        Terms,
        {
            "id": uuid7s(n),
            "client_id": change.client_id,
            "person_id": [e.person_id for e, _ in said],
            "employment_id": [e.id for e, _ in said],
            "starts": [s.starts for _, s in said],
            "ends": [s.ends for _, s in said],
            "basis": [s.agreed.basis for _, s in said],
            "amount": [s.agreed.amount for _, s in said],
            "minutes_per_week": [s.agreed.minutes_per_week for _, s in said],
            "working_days": [s.agreed.working_days for _, s in said],
            "title": [s.agreed.title.strip() for _, s in said],
            "cost_centre": [s.agreed.cost_centre.strip() for _, s in said],
            "said": change.number,
            "continues": [s.continues for _, s in said],
        },
        n,
        casts={"ends": "date", "working_days": "smallint", "minutes_per_week": "integer"},
    )
