"""What a checker looks at before approving a run: how it differs from the last, and who is odd in it.

The change of gross pay is told apart into who came, who is not in it, more or fewer hours, what an hour pays,
salaries, and the other elements by their names; the parts add up to the change, always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun, Payslip
from engineroom.payroll.selectors import RunFigures, RunRow, run_figures
from engineroom.people.selectors import PersonWarning, person_warnings
from engineroom.ui.display import format_count, format_hours, format_money


def as_it_stands(row: RunRow) -> RunRow:
    """The row with everything that keeps its run counted: what is noted, and what has changed since."""
    if row.is_released or not row.is_calculated:
        return row
    run = PayRun.objects.select_related("published").get(client_id=row.client_id, id=row.id)
    return replace(row, blockers=len(blockers_of(run)))


def run_before(run: PayRun) -> PayRun | None:
    """The calculated run of the same kind, schedule (or none) and frequency that was paid last before this.
    What takes payslips back, or pays anew in their place, is compared with none."""
    if run.corrects_id is not None:
        return None
    return (
        PayRun.objects.select_related("published")
        .filter(
            client_id=run.client_id,
            kind=run.kind,
            schedule_id=run.schedule_id,
            frequency=run.frequency,
            pay_date__lt=run.pay_date,
            published__isnull=False,
        )
        .order_by("-pay_date", "-number")
        .first()
    )


@dataclass(frozen=True)
class Variance:
    """A run beside the last. Amounts in minor units, signed as they change gross pay.

    joined, left: people in only one of the two. Of those in both: hours_minor is more or fewer hours of
    timesheets, at what an hour paid them on average before; rate_minor what remains of the pay of hours;
    salary_minor the basic pay of who has no hours; elements every other part of gross pay by its label; and
    other_minor what none of these tells.
    """

    before: PayRun
    now_figures: RunFigures
    before_figures: RunFigures
    joined: int
    joined_minor: int
    left: int
    left_minor: int
    minutes: int
    hours_minor: int
    rate_minor: int
    salary_minor: int
    elements: tuple[tuple[str, int], ...]
    other_minor: int

    def parts(self) -> list[tuple[str, int]]:
        """The change of gross pay in named parts, for pictures; those of nought are left out."""
        parts = [
            ("Joined", self.joined_minor),
            ("Not in this run", self.left_minor),
            ("Hours", self.hours_minor),
            ("Rates and kinds of hour", self.rate_minor),
            ("Salaries", self.salary_minor),
            *self.elements,
            ("Other", self.other_minor),
        ]
        return [(label, amount) for label, amount in parts if amount]

    @property
    def gross(self) -> int:
        return self.now_figures.totals["gross"]

    @property
    def gross_before(self) -> int:
        return self.before_figures.totals["gross"]

    @property
    def change(self) -> int:
        return self.gross - self.gross_before

    def of(self, element: str) -> int:
        """How much the sum of an element changed."""
        return self.now_figures.totals.get(element, 0) - self.before_figures.totals.get(element, 0)


WORK = ("basic_pay", "overtime_pay", "weekend_pay")
"""What pays the hours of timesheets."""

# timed: paid by the hours of timesheets. Runs of schedules take none in: their elements say what they pay.
VARIANCE = """
WITH slips AS (
  SELECT s.attempt_id = %(now)s AS is_now, s.person_id,
    coalesce(s.amounts[array_position(a.elements, 'gross')], 0) AS gross,
    coalesce(s.amounts[array_position(a.elements, 'minutes_worked')], 0) AS minutes,
    coalesce(s.amounts[array_position(a.elements, 'basic_pay')], 0) AS basic,
    coalesce(s.amounts[array_position(a.elements, 'overtime_pay')], 0) AS overtime,
    coalesce(s.amounts[array_position(a.elements, 'weekend_pay')], 0) AS weekend
  FROM payroll_payslip s JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
  WHERE s.client_id = %(client)s AND s.attempt_id IN (%(now)s, %(before)s)),
people AS (
  SELECT b.person_id IS NULL AS has_joined, n.person_id IS NULL AS has_left,
    coalesce(n.gross, 0) AS gross, coalesce(b.gross, 0) AS gross_before,
    n.minutes - b.minutes AS more_minutes, b.minutes AS minutes_before,
    b.basic + b.overtime + b.weekend AS work_before,
    n.basic - b.basic AS basic, n.overtime - b.overtime AS overtime, n.weekend - b.weekend AS weekend,
    n.minutes <> 0 OR b.minutes <> 0 AS has_hours
  FROM (SELECT * FROM slips WHERE is_now) n
  FULL JOIN (SELECT * FROM slips WHERE NOT is_now) b ON b.person_id = n.person_id),
told AS (
  SELECT *, has_hours AND %(timesheets)s AS timed,
    CASE WHEN NOT (has_hours AND %(timesheets)s) THEN 0
      WHEN minutes_before > 0 THEN round(work_before::numeric * more_minutes / minutes_before)
      ELSE basic + overtime + weekend END AS by_hours
  FROM people)
SELECT count(*) FILTER (WHERE has_joined), coalesce(sum(gross) FILTER (WHERE has_joined), 0)::bigint,
  count(*) FILTER (WHERE has_left), -coalesce(sum(gross_before) FILTER (WHERE has_left), 0)::bigint,
  coalesce(sum(more_minutes) FILTER (WHERE timed), 0)::bigint,
  coalesce(sum(by_hours) FILTER (WHERE timed), 0)::bigint,
  coalesce(sum(basic) FILTER (WHERE NOT has_hours), 0)::bigint,
  coalesce(sum(basic) FILTER (WHERE timed), 0)::bigint,
  coalesce(sum(overtime) FILTER (WHERE timed), 0)::bigint,
  coalesce(sum(weekend) FILTER (WHERE timed), 0)::bigint
FROM told
"""

# Of people who are in only one of the two runs: every element, signed as it changes the sums of the runs.
ALONE = """
SELECT a.elements[u.place],
  sum(CASE WHEN s.attempt_id = %(now)s THEN u.amount ELSE -u.amount END)::bigint
FROM payroll_payslip s
JOIN payroll_attempt a ON a.client_id = s.client_id AND a.id = s.attempt_id
CROSS JOIN LATERAL unnest(s.amounts) WITH ORDINALITY AS u (amount, place)
WHERE s.client_id = %(client)s AND s.attempt_id IN (%(now)s, %(before)s) AND s.person_id IN (
  SELECT o.person_id FROM payroll_payslip o
  WHERE o.client_id = %(client)s AND o.attempt_id IN (%(now)s, %(before)s)
  GROUP BY o.person_id HAVING count(*) = 1)
GROUP BY 1
"""


def variance(run: PayRun, before: PayRun | None) -> Variance | None:
    """Against the last run (`run_before`); None for a client's first, and before it is calculated."""
    if run.published_id is None or before is None:
        return None
    figures, figures_before = run_figures(run), run_figures(before)
    if not figures.payslips or not figures_before.payslips:
        return None
    values = {
        "client": run.client_id,
        "now": run.published_id,
        "before": before.published_id,
        "timesheets": run.schedule_id is None,
    }
    with connection.cursor() as cursor:
        cursor.execute(VARIANCE, values)
        joined, joined_minor, left, left_minor, minutes, by_hours, salaries, *timed = cursor.fetchone()
        alone: dict[str, int] = {}
        if joined or left:
            cursor.execute(ALONE, values)
            alone = dict(cursor.fetchall())
    told = dict(zip(WORK, timed, strict=True))
    told["basic_pay"] += salaries
    elements = []
    for element in jurisdiction(run.jurisdiction).elements:
        if element.kind in ("earning", "reduction"):
            now, was = figures.totals.get(element.code, 0), figures_before.totals.get(element.code, 0)
            more = now - was - alone.get(element.code, 0) - told.get(element.code, 0)
            if more:
                elements.append((element.label, more if element.kind == "earning" else -more))
    rates = sum(timed) - by_hours
    known = joined_minor + left_minor + by_hours + rates + salaries + sum(by for _, by in elements)
    return Variance(
        before=before,
        now_figures=figures,
        before_figures=figures_before,
        joined=joined,
        joined_minor=joined_minor,
        left=left,
        left_minor=left_minor,
        minutes=minutes,
        hours_minor=by_hours,
        rate_minor=rates,
        salary_minor=salaries,
        elements=tuple(elements),
        other_minor=figures.totals["gross"] - figures_before.totals["gross"] - known,
    )


def in_words(v: Variance, currency: str) -> str:
    """The change in one sentence, for whoever would rather read: up or down, by how much, and because."""
    since = f"on run {v.before.number}"
    if v.change == 0 and not (v.joined or v.left or v.minutes or v.parts()):
        return f"Gross pay is what it was {since}."
    way = "up" if v.change > 0 else "down" if v.change < 0 else "unchanged"
    share = f" {percent(v.change, v.gross_before)}" if v.change and v.gross_before else ""
    head = f"Gross {way}{share} {since}" + (f" ({_signed(v.change, currency)})" if v.change else "")
    because = [
        _part(v.joined, format_count(v.joined, "person", "people") + " more", v.joined_minor, currency),
        _part(v.left, format_count(v.left, "person", "people") + " fewer", v.left_minor, currency),
        _part(
            v.minutes,
            f"{format_hours(abs(v.minutes))} {'more' if v.minutes > 0 else 'fewer'} hours of the others",
            v.hours_minor,
            currency,
        ),
        _part(v.rate_minor, "other rates and kinds of hour", v.rate_minor, currency),
        _part(v.salary_minor, "salaries", v.salary_minor, currency),
        *(
            f"{label} {format_money(abs(by), currency)} {'more' if by > 0 else 'less'}"
            for label, by in v.elements
        ),
        _part(v.other_minor, "other", v.other_minor, currency),
    ]
    reasons = ", ".join(filter(None, because))
    return f"{head}, because {reasons}." if reasons else f"{head}."


def percent(change: int, of: int) -> str:
    """A change as a percentage with one decimal, half up, without its sign: 1.9 %."""
    tenths = (abs(change) * 2000 + abs(of)) // (2 * abs(of))
    return f"{tenths // 10:,}.{tenths % 10} %"


def _part(there: int, words: str, amount: int, currency: str) -> str:
    return f"{words} ({_signed(amount, currency)})" if there else ""


def _signed(amount: int, currency: str) -> str:
    text = format_money(amount, currency)
    return f"+{text}" if amount > 0 else text


# --- who is odd -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Oddity:
    """Something that may be right and must be looked at. people: (payroll number, name)."""

    kind: str
    what: str
    look: str
    people: tuple[tuple[str, str], ...]


SHARED_ACCOUNTS = """
WITH paid AS (
  SELECT DISTINCT payee_fingerprint AS account FROM payroll_payslip
  WHERE client_id = %(client)s AND attempt_id = %(attempt)s AND payee_fingerprint IS NOT NULL)
SELECT encode(b.fingerprint, 'hex'), p.payroll_number, p.name
FROM paid
JOIN people_bankaccount b ON b.client_id = %(client)s AND b.fingerprint = paid.account
  AND b.starts <= %(day)s AND (b.ends IS NULL OR b.ends >= %(day)s)
JOIN people_person p ON p.client_id = b.client_id AND p.id = b.person_id
ORDER BY 1, p.payroll_number COLLATE "C"
"""

# Sets of their own, met in Python: joined in one statement, PostgreSQL without fresh statistics goes over all
# days anew for each payslip (60 people: 4.8 s, now 0.01 s).
PAID = """
SELECT s.person_id, p.payroll_number, p.name
FROM payroll_payslip s
JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s
  AND s.amounts[array_position(k.elements, 'gross')] > 0
ORDER BY p.payroll_number COLLATE "C"
"""

DAYS = """
SELECT a.person_id, array_agg(DISTINCT e.day)
FROM payroll_paidtimesheet pt
JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
CROSS JOIN LATERAL (
  SELECT day FROM timesheets_timeentry e WHERE e.client_id = t.client_id AND e.timesheet_id = t.id
  OFFSET 0) e
WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s
GROUP BY a.person_id
"""

EMPLOYED = """
SELECT m.person_id, m.starts, coalesce(m.ends, '9999-12-31'::date) FROM people_employment m
WHERE m.client_id = %(client)s
"""


# Whose items in the run are all back pay: it is paid to leavers as well.
BACK_PAID = """
SELECT i.person_id FROM payroll_paiditem pi
JOIN payroll_payitem i ON i.client_id = pi.client_id AND i.id = pi.id
WHERE pi.client_id = %(client)s AND pi.run_id = %(run)s
GROUP BY i.person_id HAVING bool_and(i.original_id IS NOT NULL)
"""

People = list[tuple[str, str]]


def _unexpected(run: PayRun, values: Mapping[str, Any]) -> tuple[People, People]:
    """Whoever is paid by timesheets with no day worked in the period, and whoever is paid for a day outside
    employment."""
    starts, ends = run.period_starts, run.period_ends
    with connection.cursor() as cursor:
        cursor.execute(PAID, values)
        paid = cursor.fetchall()
        cursor.execute(EMPLOYED, values)
        employed: dict[UUID, list[tuple[date, date]]] = defaultdict(list)
        for person, first, last in cursor.fetchall():
            employed[person].append((first, last))
        if run.schedule_id is not None:
            cursor.execute(BACK_PAID, values)
            return [], _not_employed(run, paid, employed, {row[0] for row in cursor.fetchall()})
        cursor.execute(DAYS, values)
        days: dict[UUID, list[date]] = dict(cursor.fetchall())
    idle = [
        (number, name)
        for person, number, name in paid
        if not any(starts <= day <= ends for day in days.get(person, ()))
    ]
    gone = [
        (number, name)
        for person, number, name in paid
        if not all(
            any(first <= day <= last for first, last in employed[person]) for day in days.get(person, ())
        )
    ]
    return idle, gone


def _not_employed(
    run: PayRun,
    paid: Sequence[tuple[UUID, str, str]],
    employed: Mapping[UUID, Sequence[tuple[date, date]]],
    back_paid: Collection[UUID],
) -> People:
    """Of a run of a schedule, which takes in no timesheets. A regular run pays who is employed on a day of
    its period; a bonus, or what is paid off cycle, who is on the day itself. Of the other kinds (final pay,
    corrections) it is no surprise that somebody has left."""
    if run.kind == "regular":
        starts, ends = run.period_starts, run.period_ends
    elif run.kind in ("bonus", "off_cycle"):
        starts = ends = run.law_date
    else:
        return []
    return [
        (number, name)
        for person, number, name in paid
        if person not in back_paid
        and not any(first <= ends and last >= starts for first, last in employed.get(person, ()))
    ]


def oddities(run: PayRun) -> list[Oddity]:
    """Accounts that several people share, timesheets paid without hours in the weeks, pay for days not
    employed."""
    if run.published_id is None:
        return []
    values: dict[str, Any] = {
        "client": run.client_id,
        "run": run.id,
        "attempt": run.published_id,
        "day": run.pay_date,
    }
    sharing: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(SHARED_ACCOUNTS, values)
        for account, number, name in cursor.fetchall():
            sharing[account].append((number, name))
    idle, gone = _unexpected(run, values)
    found = [
        Oddity(
            "account",
            f"{len(people)} people are paid into one account",
            "Ask each of them how that comes; a family may, a fraud does",
            tuple(people),
        )
        for people in sharing.values()
        if len(people) > 1
    ]
    if idle:
        what = f"{format_count(len(idle), 'person is', 'people are')} paid without hours in the period"
        found.append(Oddity("no_hours", what, "Look at the weeks they are paid for", tuple(idle)))
    if gone:
        paid_for = "hours" if run.schedule_id is None else "pay"
        what = f"{format_count(len(gone), 'person is', 'people are')} paid for days outside employment"
        found.append(
            Oddity(
                "left", what, f"Look at their last day, and at who answered for the {paid_for}", tuple(gone)
            )
        )
    return found + _odd_people(run, run.published_id)


def _odd_people(run: PayRun, attempt_id: UUID) -> list[Oddity]:
    """What people itself finds odd about those who are paid: held accounts, numbers that two have."""
    paid = Payslip.objects.filter(client_id=run.client_id, attempt_id=attempt_id)
    ids = set(paid.values_list("person_id", flat=True))
    if not ids:
        return []
    by_kind: dict[str, list[PersonWarning]] = defaultdict(list)
    for warning in person_warnings(min(ids), max(ids), run.pay_date):
        if warning.person_id in ids and warning.kind != "shared account":  # those paid say it above
            by_kind[warning.kind].append(warning)
    said = {
        "held account": ("has another account that waits", "have other accounts that wait"),
        "leaver's account": ("left before the account was given", "left before their accounts were given"),
        "number twice": ("has a number that somebody else has", "have numbers that others have"),
    }
    return [
        Oddity(
            kind.replace(" ", "_").replace("'", ""),
            format_count(len(those), f"person {said[kind][0]}", f"people {said[kind][1]}"),
            those[0].remedy,
            tuple((w.payroll_number, w.name) for w in those),
        )
        for kind, those in sorted(by_kind.items())
    ]
