"""Recorded sickness and parents' leave in a run: the claims of its people, what they go by, and what its
period pays of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.approvals import canonical
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Problem
from engineroom.leave.selectors import linked_sickness, pattern_now, patterns_of, taken_between
from engineroom.payroll.jurisdictions import Away, AwayByWeek, Claims, StatutoryPaid, jurisdiction
from engineroom.payroll.models import AttemptChunk, Claim, ClaimPaid, PayRun

FOUND = "found from what was paid"


# --- stretches and what they go by ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stretch:
    """A stretch of sickness, with the first day of the first that it is linked to."""

    person_id: UUID
    first: date
    last: date
    chain_first: date
    counts: bool


def _stretches(first: UUID, last: UUID, starts: date, ends: date) -> dict[UUID, list[_Stretch]]:
    """Of whoever is sick in a period, every stretch that has begun by its end."""
    linked = linked_sickness(first, last, ends)
    begins: dict[object, date] = {}
    for one in linked:
        begins[one.chain] = min(begins.get(one.chain, one.stretch.first), one.stretch.first)
    found: dict[UUID, list[_Stretch]] = defaultdict(list)
    for one in linked:
        person: UUID = one.stretch.person  # type: ignore[assignment]  # as the question gives it
        found[person].append(
            _Stretch(person, one.stretch.first, one.stretch.last, begins[one.chain], one.counts)
        )
    return {
        person: rows
        for person, rows in found.items()
        if any(row.first <= ends and row.last >= starts for row in rows)
    }


def _claims_of(people: Sequence[UUID]) -> dict[tuple[UUID, str, date], Claim]:
    """The claim that counts, by person, payment and first day: what was stated last."""
    rows = Claim.objects.filter(client_id=current_client_id(), person_id__in=people).order_by(
        "added_at", "id"
    )
    return {(row.person_id, row.payment, row.first_day): row for row in rows}


PAID = """
SELECT s.person_id, coalesce(r.due, r.pay_date), r.kind = 'regular',
  CASE WHEN r.kind = 'reversal' THEN -1 ELSE 1 END, s.amounts[array_position(a.elements, %(earned)s)]
FROM payroll_payslip s
JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
WHERE s.client_id = %(client)s AND s.person_id = ANY(%(people)s) AND NOT r.kind = ANY(%(stated)s)
  AND (r.pay_date, r.number) < (%(day)s, %(number)s)
ORDER BY s.person_id, 2
"""


def _normal_paydays(run: PayRun, people: Sequence[UUID], earned: str) -> dict[UUID, list[tuple[date, int]]]:
    """Of each person the normal paydays before a run."""
    return paydays_before(run.pay_date, run.number, people, earned)


def paydays_before(
    day: date, number: int, people: Sequence[UUID], earned: str
) -> dict[UUID, list[tuple[date, int]]]:
    """Of each person the normal paydays before a run's, with what was earned by each: pay of another day (a
    bonus) counts with the payday that follows it, or the last one."""
    from engineroom.payroll.inputs import STATED

    asked: dict[str, Any] = {
        "client": current_client_id(), "people": list(people), "earned": earned, "day": day,
        "number": number, "stated": list(STATED),
    }  # fmt: skip
    rows: dict[UUID, list[tuple[date, bool, int, int]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(PAID, asked)
        for person, day, is_normal, stands, earnings in cursor.fetchall():
            rows[person].append((day, is_normal, stands, earnings or 0))
    return {person: _onto_normal_days(of) for person, of in rows.items()}


def _onto_normal_days(paid: Sequence[tuple[date, bool, int, int]]) -> list[tuple[date, int]]:
    """A payslip that was taken back was no payday, unless it was replaced: all of them bear its day."""
    standing: dict[date, int] = defaultdict(int)
    for day, _, stands, _ in paid:
        standing[day] += stands
    normal = sorted({day for day, is_normal, _, _ in paid if is_normal and standing[day] > 0})
    sums = dict.fromkeys(normal, 0)
    for day, _, _, earnings in paid:
        if normal:
            sums[next((n for n in normal if n >= day), normal[-1])] += earnings
    return sorted(sums.items())


def pays_the_period(run: PayRun) -> bool:
    """Whether a run pays what happened in its period: a regular one, or what is paid anew in its place."""
    return run.kind != "reversal" and run.stands_for.kind == "regular"


def find_claims(run: PayRun) -> bool:
    """Find what new claims go by, for whoever is sick in the period that a run pays. Whether anybody is, or
    is on leave that is paid by the week.

    Called by whoever plans a calculation, in its command.
    """
    rules = jurisdiction(run.jurisdiction).claims
    if rules is None or not pays_the_period(run):
        return False
    sick = _stretches(FIRST, LAST, run.period_starts, run.period_ends)
    if not sick:
        away = taken_between(FIRST, LAST, run.period_starts, run.period_ends)
        return any(taken.payment in rules.by_week for taken in away)
    known = _claims_of(list(sick))
    payment = next(iter(rules.elements))
    wanted = {
        (person, one.chain_first)
        for person, rows in sick.items()
        for one in rows
        if one.counts and one.first <= run.period_ends and one.last >= run.period_starts
        and (person, payment, one.chain_first) not in known
    }  # fmt: skip
    if not wanted:
        return True
    paid = _normal_paydays(run, sorted({person for person, _ in wanted}), rules.earned)
    for person, first_day in sorted(wanted):
        found = rules.find(first_day, run.frequency, paid.get(person, []))
        if isinstance(found, Problem):
            continue
        Claim.objects.create(
            client_id=run.client_id,
            person_id=person,
            payment=payment,
            first_day=first_day,
            figures=dict(found.figures),
            period_from=found.period_from,
            period_until=found.period_until,
            reason=FOUND,
        )
    return True


FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)


# --- in a run ---------------------------------------------------------------------------------------------

Said = tuple[str, str, str]
"""Field, problem and remedy, of a person who waits."""


@dataclass
class ClaimsOfChunk:
    """What a chunk's people are paid of their claims. refused: who waits, and why."""

    paid: dict[UUID, dict[UUID, StatutoryPaid]] = field(default_factory=lambda: defaultdict(dict))
    """By person, by claim."""
    amounts: list[tuple[UUID, str, int]] = field(default_factory=list)
    """Person, element, minor units."""
    refused: dict[UUID, list[Said]] = field(default_factory=lambda: defaultdict(list))


def read_claims(run: PayRun, bounds: Mapping[str, Any], by_hand: Mapping[str, set[UUID]]) -> ClaimsOfChunk:
    """What the run of a period pays of recorded sickness, to the people from one id to another.

    by_hand: by element, who has items of it: their statutory pay is worked out outside.
    """
    found = ClaimsOfChunk()
    law = jurisdiction(run.jurisdiction)
    if not pays_the_period(run):
        return found
    first, last = bounds["first"], bounds["last"]
    rules = law.claims
    if rules is not None:
        _read_sickness(run, rules, (first, last), found)
        _read_weeks(run, rules, (first, last), by_hand, found)
    known = rules.elements if rules else {}
    for taken in taken_between(first, last, run.period_starts, run.period_ends):
        if (
            taken.payment
            and taken.payment not in known
            and taken.person_id not in by_hand.get(taken.element, set())
        ):
            found.refused[taken.person_id].append(
                (
                    "statutory pay",
                    f"{taken.kind.replace('_', ' ')} is on record, and a run does not work out its pay yet",
                    f"Work it out, and add an item of {taken.element} for the period",
                )
            )
    return found


def _read_sickness(run: PayRun, rules: Claims, people: tuple[UUID, UUID], found: ClaimsOfChunk) -> None:
    sick = _stretches(*people, run.period_starts, run.period_ends)
    if not sick:
        return
    payment, element = next(iter(rules.elements.items()))
    claims = _claims_of(list(sick))
    patterns = patterns_of(list(sick), min(r.first for rows in sick.values() for r in rows), run.period_ends)
    of: list[tuple[_Stretch, Claim | None]] = []
    stretches: list[Away] = []
    for number, (person, rows) in enumerate(sorted(sick.items())):
        if any(_lacks(person, one, payment, claims, run) for one in rows):
            found.refused[person].append(NOT_FOUND)
            continue
        for one in rows:
            claim = claims.get((person, payment, one.chain_first))
            works = pattern_now(patterns.get(person, []), one.first)
            figures = claim.figures if claim else {"relevant_earnings": 0}
            stretches.append(Away(number, one.first, one.last, works.days if works else 31, figures))
            of.append((one, claim))
    law = jurisdiction(run.jurisdiction)
    done, wrong = rules.pay(
        stretches,
        run.period_starts,
        run.period_ends,
        law.resolve_tables(run.law_date, rules.tables),
    )
    for place, problem in wrong:
        said = (problem.field or "statutory pay", problem.problem, problem.remedy)
        found.refused[of[place][0].person_id].append(said)
    for place, paid in done.items():
        stretch, claim = of[place]
        if claim is None or stretch.person_id in found.refused:
            continue
        before = found.paid[stretch.person_id].get(claim.id)
        found.paid[stretch.person_id][claim.id] = _together(before, paid)
        found.amounts.append((stretch.person_id, element, paid.amount))


def _read_weeks(
    run: PayRun, rules: Claims, people: tuple[UUID, UUID], by_hand: Mapping[str, set[UUID]],
    found: ClaimsOfChunk,
) -> None:  # fmt: skip
    """Of whoever is on leave that is paid by the week, the weeks that end in the period."""
    of_period = {
        (taken.person_id, taken.payment)
        for taken in taken_between(*people, run.period_starts, run.period_ends)
        if taken.payment in rules.by_week and taken.person_id not in by_hand.get(taken.element, set())
    }
    if not of_period:
        return
    known = _claims_of([person for person, _ in of_period])
    begins = [day for person, payment, day in known if (person, payment) in of_period]
    days = _days_away(rules, people, min([*begins, run.period_starts - LONGEST]), run.period_ends)
    for person, payment in sorted(of_period):
        label = rules.labels[payment]
        for claim, stretches in _by_claim(person, payment, days[person, payment], known):
            if claim is None:
                if any(last >= run.period_starts for _, last in stretches):
                    found.refused[person].append(_not_stated(label, stretches[0][0]))
                continue
            away = AwayByWeek(payment, tuple(stretches), claim.figures)
            done = rules.pay_weeks(away, run.period_starts, run.period_ends)
            if isinstance(done, Problem):
                found.refused[person].append((done.field or "statutory pay", done.problem, done.remedy))
            elif done is not None:
                found.paid[person][claim.id] = done
                found.amounts.append((person, rules.elements[payment], done.amount))


LONGEST = timedelta(days=53 * 7)
"""A claim covers leave that begins so long after its first day: the year of a child, and a week."""

Stretches = list[tuple[date, date]]


def _days_away(
    rules: Claims, people: tuple[UUID, UUID], starts: date, ends: date
) -> dict[tuple[UUID, str], Stretches]:
    """By person and payment, first and last day of each stretch of leave: days without one between them."""
    taken: dict[tuple[UUID, str], set[date]] = defaultdict(set)
    for one in taken_between(*people, starts, ends):
        if one.payment in rules.by_week:
            taken[one.person_id, one.payment].update(day for day, _, _ in one.dates)
    found: dict[tuple[UUID, str], Stretches] = {}
    for key, days in taken.items():
        stretches: Stretches = []
        for day in sorted(days):
            if stretches and day - stretches[-1][1] == timedelta(days=1):
                stretches[-1] = (stretches[-1][0], day)
            else:
                stretches.append((day, day))
        found[key] = stretches
    return found


def _by_claim(
    person: UUID, payment: str, stretches: Stretches, claims: Mapping[tuple[UUID, str, date], Claim]
) -> list[tuple[Claim | None, Stretches]]:
    """Each claim with the stretches from its first day on, up to the next claim's; first those of none."""
    mine = sorted(day for who, what, day in claims if (who, what) == (person, payment))
    found: dict[date | None, Stretches] = defaultdict(list)
    for first, last in stretches:
        found[max((day for day in mine if day <= first < day + LONGEST), default=None)].append((first, last))
    return [(claims[person, payment, day] if day else None, of) for day, of in found.items()]


def _not_stated(label: str, first: date) -> Said:
    return (
        "statutory pay",
        f"nobody said what {label} for the leave from {first} goes by",
        f"State the claim from {first} on the page of statutory pay, or have its earnings found there",
    )


NOT_FOUND = (
    "sick pay",
    "its average earnings are not known: what was paid here does not reach back eight weeks before it",
    "State them on the page of statutory pay",
)


def _lacks(
    person: UUID, one: _Stretch, payment: str, claims: Mapping[tuple[UUID, str, date], Claim], run: PayRun
) -> bool:
    """Whether a stretch of the period counts, and nothing is known of what it goes by."""
    inside = one.first <= run.period_ends and one.last >= run.period_starts
    return one.counts and inside and (person, payment, one.chain_first) not in claims


SUMS = ("days_sick", "waiting_days", "days_paid")


def _together(before: StatutoryPaid | None, more: StatutoryPaid) -> StatutoryPaid:
    """Two stretches of one claim in one period."""
    if before is None:
        return more
    sums = {name: before.figures[name] + more.figures[name] for name in SUMS if name in more.figures}
    return StatutoryPaid(before.amount + more.amount, {**more.figures, **sums})


def write_claims(row: AttemptChunk, claims: ClaimsOfChunk, people: Sequence[UUID]) -> None:
    """What these people's payslips pay of their claims."""
    ClaimPaid.objects.bulk_create(
        ClaimPaid(
            client_id=row.client_id,
            run_id=row.run_id,
            attempt_id=row.attempt_id,
            person_id=person,
            claim_id=claim_id,
            amount=paid.amount,
            figures=dict(paid.figures),
        )
        for person in people
        for claim_id, paid in sorted(claims.paid.get(person, {}).items())
    )


def take_back(row: AttemptChunk, original: UUID, people: Sequence[UUID]) -> None:
    """The negative of what these people's payslips of an attempt paid of their claims."""
    paid = ClaimPaid.objects.filter(client_id=row.client_id, attempt_id=original, person_id__in=people)
    ClaimPaid.objects.bulk_create(
        ClaimPaid(
            client_id=row.client_id,
            run_id=row.run_id,
            attempt_id=row.attempt_id,
            person_id=one.person_id,
            claim_id=one.claim_id,
            amount=-one.amount,
            figures={name: -value for name, value in one.figures.items()},
            takes_back_id=one.id,
        )
        for one in paid.order_by("id")
    )


CONTENT = """
SELECT p.payroll_number, c.payment, c.first_day, t.amount FROM payroll_claimpaid t
JOIN payroll_claim c ON c.client_id = t.client_id AND c.id = t.claim_id
JOIN people_person p ON p.client_id = t.client_id AND p.id = t.person_id
WHERE t.client_id = %s AND t.attempt_id = %s
ORDER BY p.payroll_number COLLATE "C", c.payment, c.first_day
"""


def claim_lines(client_id: UUID, attempt_id: UUID) -> list[str]:
    """What an approval binds of the claims: one line each, none where nothing is paid of any."""
    with connection.cursor() as cursor:
        cursor.execute(CONTENT, [client_id, attempt_id])
        return [
            canonical.line("claim_paid", f"{number} {payment} {first_day}", [("amount", amount)])
            for number, payment, first_day, amount in cursor.fetchall()
        ]
