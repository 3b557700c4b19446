"""Statutory Sick Pay: of a number of days, and of the stretches of sickness of many people (SSCBA 1992 part
XI).

A spell ("period of incapacity for work") pays for its *qualifying* days, those the person would have worked.
Up to 5 April 2026 it must last four days and its first three qualifying days are waiting days; since then
every spell counts from its first day. Spells with at most eight weeks between them are linked: they share the
waiting days, the 28 weeks, and the average weekly earnings of the first.

Average weekly earnings stay a fraction, pence over weeks, until the payment is rounded *up* to a penny:
rounding them first would lose pennies. Days are numbered from 1970-01-01. Largest product: 10**9 pence x 12 x
800,000 ppm x 366 days, 3.6e18.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import Minor, ceil_div
from engineroom.kernel.tables import Version, load_table
from engineroom.payroll.engine.gb.worksheets import GbTables, Worksheet
from engineroom.payroll.engine.groups import place_of, sum_before
from engineroom.payroll.engine.inputs import Choice, NumberInput, Values
from engineroom.payroll.engine.steps import Calculation, Column, RowProblem, Step, refuse, rows_without

MAX_EARNINGS_PENCE = 10**9
"""Ten million pounds in eight weeks."""

TRANSITIONS = ("", "protected", "nothing")
"""Of someone sick on 5 April 2026 and since: see the table."""

NO_TRANSITION, PROTECTED, NOTHING = range(len(TRANSITIONS))

EPOCH = date(1970, 1, 1)
LAST_DAY = (date(9999, 12, 31) - EPOCH).days


def day_number(day: date) -> int:
    """Days since 1970-01-01, as NumPy numbers a date."""
    return (day - EPOCH).days


@dataclass(frozen=True)
class SickPay:
    """The table `sick_pay`, its versions side by side: linked spells may cross from one to the next."""

    starts: Column  # (versions,) day numbers
    ends: Column
    weekly: Column  # pence
    share_ppm: Column  # PPM where the flat rate alone counts
    flat_only: Column
    least_earnings: Column  # pence a week
    waiting_days: Column
    days_of_a_spell: Column
    most_weeks: Column
    linking_days: Column
    protected_from: Column  # pence a week
    nothing_if_before: Column  # day numbers

    @classmethod
    def of_versions(cls, versions: tuple[Version, ...]) -> SickPay:
        """Raises nothing: a day that no version covers is the row's problem."""

        def column(of: Any) -> Column:
            return np.array([of(version) for version in versions], dtype=np.int64)

        def transition(version: Version, name: str, absent: Any) -> Any:
            return (version["transition"] or {}).get(name, absent)

        return cls(
            starts=column(lambda v: day_number(v.starts)),
            ends=column(lambda v: day_number(v.ends) if v.ends else LAST_DAY),
            weekly=column(lambda v: v["weekly_pence"]),
            share_ppm=column(lambda v: ppm(v["share_of_earnings"] or "1")),
            flat_only=column(lambda v: v["share_of_earnings"] is None),
            least_earnings=column(lambda v: 100 * (v["lower_earnings_limit"] or 0)),
            waiting_days=column(lambda v: v["waiting_days"]),
            days_of_a_spell=column(lambda v: v["days_of_a_spell"]),
            most_weeks=column(lambda v: v["most_weeks"]),
            linking_days=column(lambda v: v["linking_days"]),
            protected_from=column(lambda v: 100 * transition(v, "protected_from", 0)),
            nothing_if_before=column(
                lambda v: day_number(transition(v, "nothing_if_before", date(1970, 1, 1)))
            ),
        )

    @classmethod
    def of(cls, version: Version) -> SickPay:
        """All versions of the table the version is of: a spell may have begun under an earlier one."""
        return cls.of_versions(load_table(__package__ or "", version.table).versions)

    def law_of(self, day: Column) -> Column:
        """The version in force on each day; -1 where none is."""
        place = np.searchsorted(self.starts, day, side="right") - 1
        return np.where((place >= 0) & (day <= self.ends[place]), place, -1)


def average_weekly_earnings(earnings: Minor, periods: Column, monthly: Column) -> tuple[Minor, Column]:
    """Earnings of the relevant period over its weeks, as a fraction: pence, weeks.

    By weeks: earnings / weeks. By months: earnings / months x 12 / 52 (SMP (General) Regulations 1986 reg.
    21).
    """
    return earnings * np.where(monthly == 1, 12, 1), periods * np.where(monthly == 1, 52, 1)


def weekly_rate(
    earnings: Minor, weeks: Column, transition: Column, law: Column, t: SickPay
) -> tuple[Minor, Column]:
    """The weekly rate as a fraction: pence, over. Nought for whoever is not entitled.

    The flat rate, or since 6 April 2026 the given share of average weekly earnings if that is lower; whoever
    was paid before that day and is protected keeps the flat rate.
    """
    flat, share = t.weekly[law], t.share_ppm[law]
    protected = (transition == PROTECTED) & (earnings >= t.protected_from[law] * weeks)
    by_share = (t.flat_only[law] == 0) & ~protected & (earnings * share < flat * weeks * PPM)
    entitled = (earnings >= t.least_earnings[law] * weeks) & (transition != NOTHING)
    pence = np.where(by_share, earnings * share, flat)
    return entitled * pence, np.where(by_share, weeks * PPM, 1)


def pay_for_days(days: Column, qualifying_days_per_week: Column, rate: Minor, rate_over: Column) -> Minor:
    """The weekly rate / qualifying days in a week x days, the payment up to a penny."""
    return ceil_div(days * rate, rate_over * qualifying_days_per_week)


def payable_days(
    days_sick: Column, waiting_days_remaining: Column, per_week: Column, law: Column, t: SickPay
) -> Column:
    """Qualifying days of sickness less the waiting days still to serve, at most 28 weeks of them.

    The new law has no waiting days to serve.
    """
    waiting = np.minimum(waiting_days_remaining, t.waiting_days[law])
    return np.clip(days_sick - waiting, 0, t.most_weeks[law] * per_week)


def law_in_force(on: Column, t: SickPay) -> Column:
    """The table's version of each day."""
    return t.law_of(on)


def no_law(columns: Mapping[str, Column], parameters: Mapping[str, Any], day: str) -> Iterator[RowProblem]:
    """Days that no version of the table covers."""
    for row in np.flatnonzero(parameters["sick_pay"].law_of(columns[day]) < 0).tolist():
        on = np.datetime64(int(columns[day][row]), "D")
        yield RowProblem(row, day, f"the table sick_pay has no version for {on}", "Add it with its source")


EARNINGS_INPUTS = {
    "relevant_earnings": NumberInput("pence", MAX_EARNINGS_PENCE, 0, None),
    "relevant_periods": NumberInput("periods", 104, 1, 1),
    "paid_monthly": NumberInput("flag", 1),
}
"""Earnings of the relevant period and how many weeks or months they are for."""

AVERAGE = Step(
    "Average weekly earnings",
    average_weekly_earnings,
    ("relevant_earnings", "relevant_periods", "paid_monthly"),
    ("average_earnings", "average_weeks"),
    "SSCBA 1992 s.163 and s.171; not rounded",
)
LAW = "SSCBA 1992 s.151 to s.159; Statutory Sick Pay (General) Regulations 1982"

PAYMENT = Step(
    "Statutory Sick Pay",
    pay_for_days,
    ("days_paid", "qualifying_days_per_week", "rate", "rate_over"),
    ("sick_pay",),
    f"{LAW}; up to a penny",
)

DAYS = Worksheet(
    name="Statutory Sick Pay of days",
    numbers={
        **EARNINGS_INPUTS,
        "on": NumberInput("days", LAST_DAY, 0, None),
        "qualifying_days_per_week": NumberInput("days", 7, 1, 7),
        "days_sick": NumberInput("days", 366, 0, 0),
        "waiting_days_remaining": NumberInput("days", 3),
    },
    choices={"transition": Choice(TRANSITIONS, "a transition", "")},
    tables={"sick_pay": SickPay.of},
    check=lambda columns, parameters: no_law(columns, parameters, "on"),
    steps=(
        Step("Law in force", law_in_force, ("on",), ("law",), LAW, "sick_pay"),
        AVERAGE,
        Step(
            "Weekly rate",
            weekly_rate,
            ("average_earnings", "average_weeks", "transition", "law"),
            ("rate", "rate_over"),
            LAW,
            "sick_pay",
        ),
        Step(
            "Days paid",
            payable_days,
            ("days_sick", "waiting_days_remaining", "qualifying_days_per_week", "law"),
            ("days_paid",),
            LAW,
            "sick_pay",
        ),
        PAYMENT,
        Step(
            "A whole week",
            lambda rate, over: ceil_div(rate, over),
            ("rate", "rate_over"),
            ("weekly_payment",),
            f"{LAW}; up to a penny",
        ),
    ),
    units={"average_weeks": "weeks", "law": "code", "rate_over": "count", "days_paid": "days"},
)


# Stretches of sickness: rows of many people in any order, linked to one another.


def qualifying_days(first_day: Column, last_day: Column, pattern: Column) -> tuple[Column, Column]:
    """Qualifying days from the first to the last day, and in a week.

    pattern: bit 0 is Monday, bit 6 Sunday; the days on which the person works.
    """
    worked = (pattern[:, None] >> np.arange(7)) & 1
    per_week: Column = worked.sum(axis=1)
    weeks, rest = np.divmod(last_day - first_day + 1, 7)
    weekday = (first_day[:, None] + 3 + np.arange(6)) % 7  # 1970-01-01 was a Thursday
    in_rest = np.arange(6) < rest[:, None]
    return weeks * per_week + (np.take_along_axis(worked, weekday, axis=1) * in_rest).sum(axis=1), per_week


def linked_spells(
    person: Column, first_day: Column, last_day: Column, law: Column, t: SickPay
) -> tuple[Column, Column, Column, Column]:
    """Of each stretch: its spell's first day and days, whether that spell counts, and its chain's first row.

    Stretches without a day between them are one spell (SSCBA 1992 s.152). Spells that count are linked to the
    one before when at most eight weeks lie between them (s.152(3)); one too short to count is left alone.
    """
    order = np.lexsort((first_day, person))
    who, starts, ends = person[order], first_day[order], last_day[order]
    new_spell = _new(who, starts, ends, np.zeros_like(starts))
    first = np.flatnonzero(new_spell)
    spell = np.cumsum(new_spell) - 1
    days = np.add.reduceat(ends - starts + 1, first)[spell] if len(first) else starts
    counts = days >= t.days_of_a_spell[law[order]]
    some = np.flatnonzero(counts)
    new_chain = _new(who[some], starts[some], ends[some], t.linking_days[law[order]][some])
    chain = np.arange(len(who))
    chain[some] = some[np.maximum.accumulate(np.where(new_chain, np.arange(len(some)), 0))]
    back = np.argsort(order)
    spell_first_day = starts[first][spell] if len(first) else starts
    return spell_first_day[back], days[back], counts.astype(np.int64)[back], order[chain][back]


def _new(who: Column, starts: Column, ends: Column, most_between: Column) -> Column:
    """Whether each of the sorted stretches begins anew: another person's, or too long after the last."""
    anew = np.ones(len(who), dtype=bool)
    anew[1:] = (who[1:] != who[:-1]) | (starts[1:] - ends[:-1] - 1 > most_between[1:])
    return anew


def before_in_chain(values: Column, chain: Column, first_day: Column) -> Column:
    """The sum of the values of the earlier stretches of each one's chain."""
    order = np.lexsort((first_day, chain))
    before: Column = np.empty_like(values)
    before[order] = sum_before(values[order], chain[order])
    return before


def waiting_days(
    days_sick: Column,
    counts: Column,
    chain: Column,
    first_day: Column,
    served: Column,
    law: Column,
    t: SickPay,
) -> tuple[Column, Column]:
    """Waiting days of each stretch, and the days left to pay; a spell that does not count has none to pay.

    served: waiting days served in the chain before its first stretch, as a new employer or bureau is told.
    """
    before = before_in_chain(days_sick, chain, first_day) + served[chain]
    waiting = np.minimum(np.maximum(t.waiting_days[law] - before, 0), days_sick)
    return counts * waiting, counts * (days_sick - waiting)


def days_within_limit(
    days_to_pay: Column,
    per_week: Column,
    chain: Column,
    first_day: Column,
    paid_before: Column,
    law: Column,
    t: SickPay,
) -> tuple[Column, Column]:
    """Days paid in the chain before, and days paid now: 28 weeks of qualifying days in all (s.155)."""
    before = before_in_chain(days_to_pay, chain, first_day) + paid_before[chain]
    return before, np.clip(t.most_weeks[law] * per_week - before, 0, days_to_pay)


def transition_of(spell_first_day: Column, paid_before: Column, law: Column, t: SickPay) -> Column:
    """Of a stretch whose spell began under an earlier version: protected if it was paid, or nothing if too
    old.
    """
    began_before = spell_first_day < t.starts[law]
    changes = began_before & (t.protected_from[law] > 0)
    too_old = changes & (spell_first_day < t.nothing_if_before[law])
    return np.select([too_old, changes & (paid_before > 0)], [NOTHING, PROTECTED], NO_TRANSITION)


def earnings_of_chain(earnings: Minor, weeks: Column, chain: Column) -> tuple[Minor, Column]:
    """The average weekly earnings of the first of the linked spells serve them all."""
    return earnings[chain], weeks[chain]


def check_stretches(columns: Mapping[str, Column], parameters: Mapping[str, Any]) -> Iterator[RowProblem]:
    """Days without a law, stretches that end before they begin, cross a change of law, or overlap."""
    t: SickPay = parameters["sick_pay"]
    person, first, last = (columns[name] for name in ("person", "first_day", "last_day"))
    yield from no_law(columns, parameters, "first_day")
    yield from refuse(last < first, "last_day", "it is before the first day", "Correct the two days")
    law = t.law_of(first)
    for row in np.flatnonzero((law >= 0) & (last > t.ends[law])).tolist():
        ends = np.datetime64(int(t.ends[law[row]]), "D")
        yield RowProblem(
            row, "last_day", f"the law changes after {ends}", f"Give the days up to {ends} apart"
        )
    order = np.lexsort((first, person))
    overlap = (person[order][1:] == person[order][:-1]) & (first[order][1:] <= last[order][:-1])
    for row in order[1:][overlap].tolist():
        yield RowProblem(row, "first_day", "the person was already sick on it", "Give each day once")


SPELLS = Worksheet(
    name="Statutory Sick Pay of stretches of sickness",
    numbers={
        "person": NumberInput("row", 10**12, 0, None),
        "first_day": NumberInput("days", LAST_DAY, 0, None),
        "last_day": NumberInput("days", LAST_DAY, 0, None),
        "pattern": NumberInput("weekdays", 127, 1, 0b0011111),
        **EARNINGS_INPUTS,
        "waiting_days_served": NumberInput("days", 3),
        "days_paid_before": NumberInput("days", 366),
    },
    tables={"sick_pay": SickPay.of},
    check=check_stretches,
    steps=(
        Step("Law in force", law_in_force, ("first_day",), ("law",), LAW, "sick_pay"),
        Step(
            "Qualifying days",
            qualifying_days,
            ("first_day", "last_day", "pattern"),
            ("days_sick", "qualifying_days_per_week"),
            "SSCBA 1992 s.154",
        ),
        Step(
            "Linked spells",
            linked_spells,
            ("person", "first_day", "last_day", "law"),
            ("spell_first_day", "days_of_spell", "counts", "chain"),
            "SSCBA 1992 s.152",
            "sick_pay",
        ),
        Step(
            "Waiting days",
            waiting_days,
            ("days_sick", "counts", "chain", "first_day", "waiting_days_served", "law"),
            ("waiting_days", "days_to_pay"),
            "SSCBA 1992 s.155(1) until 5 April 2026",
            "sick_pay",
        ),
        Step(
            "Limit of 28 weeks",
            days_within_limit,
            ("days_to_pay", "qualifying_days_per_week", "chain", "first_day", "days_paid_before", "law"),
            ("days_paid_in_chain", "days_paid"),
            "SSCBA 1992 s.155",
            "sick_pay",
        ),
        Step(
            "Transition",
            transition_of,
            ("spell_first_day", "days_paid_in_chain", "law"),
            ("transition",),
            "payadvice.uk, 9 February 2026 (facts/gb.md section 1.7)",
            "sick_pay",
        ),
        AVERAGE,
        Step(
            "Earnings of the first linked spell",
            earnings_of_chain,
            ("average_earnings", "average_weeks", "chain"),
            ("chain_earnings", "chain_weeks"),
            "ICB 10607 (facts/gb.md section 1.7)",
        ),
        Step(
            "Weekly rate",
            weekly_rate,
            ("chain_earnings", "chain_weeks", "transition", "law"),
            ("rate", "rate_over"),
            LAW,
            "sick_pay",
        ),
        PAYMENT,
    ),
    units={
        **dict.fromkeys(("law", "transition", "counts"), "code"),
        **dict.fromkeys(("chain", "spell_first_day", "rate_over"), "count"),
        **dict.fromkeys(
            ("days_sick", "qualifying_days_per_week", "days_of_spell", "waiting_days", "days_to_pay"), "days"
        ),
        **dict.fromkeys(("days_paid_in_chain", "days_paid"), "days"),
        **dict.fromkeys(("average_weeks", "chain_weeks"), "weeks"),
    },
)


def cut_where_the_law_changes(
    first_day: Column, last_day: Column, t: SickPay
) -> tuple[Column, Column, Column]:
    """The parts of stretches, each under one version of the law: whose part, its first and its last day."""
    before, until = (np.searchsorted(t.starts, day, side="right") for day in (first_day, last_day))
    part_of = np.repeat(np.arange(len(first_day)), np.maximum(until - before, 0) + 1)
    place = place_of(part_of)
    law = before[part_of] + place - 1
    is_last = np.append(part_of[1:] != part_of[:-1], True)[: len(part_of)]
    changes = np.append(t.starts, LAST_DAY + 1)
    return (
        part_of,
        np.where(place == 0, first_day[part_of], changes[law]),
        np.where(is_last, last_day[part_of], changes[law + 1] - 1),
    )


def pay_for_sickness(chunk: Mapping[str, Values], tables: GbTables) -> Calculation:
    """`SPELLS` of stretches as they were, also over a change of the law: they are cut there.

    Result: a row for each part; `rows` says whose part it is, and has the row of a stretch that was cut more
    than once. A person of whom one stretch cannot be read has no numbers at all, since it may be what the
    others are linked to. Raises BadChunk.
    """
    columns, problems, n = SPELLS.inputs.read(chunk)
    rows = rows_without(problems, n)
    given = {name: column[rows] for name, column in columns.items()}
    first_day, last_day = given["first_day"], given["last_day"]
    part_of, first_day, last_day = cut_where_the_law_changes(
        first_day, last_day, tables.parameters["sick_pay"]
    )
    parts = {name: column[part_of] for name, column in given.items()}
    done = SPELLS.calculate(parts | {"first_day": first_day, "last_day": last_day}, tables)
    row_of = rows[part_of]
    problems = sorted({*problems, *(p._replace(row=int(row_of[p.row])) for p in done.problems)})
    in_doubt = np.isin(columns["person"], columns["person"][[p.row for p in problems]])
    in_doubt[[p.row for p in problems]] = False
    remedy = "Correct the other one"
    problems += refuse(in_doubt, "person", "another stretch of this person cannot be read", remedy)
    of_row = row_of[done.rows]
    kept = np.isin(of_row, rows_without(problems, n))
    return Calculation({name: c[kept] for name, c in done.columns.items()}, of_row[kept], sorted(problems))
