"""What is true of leave: weeks share out exactly, entitlements are in proportion, spells link as payroll's
do."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.tables import load_table
from engineroom.leave import engine, law
from engineroom.leave.engine import Law, LeaveYear, NoPattern, Pattern, Rule, Stretch
from engineroom.payroll.engine import gb
from engineroom.payroll.engine.gb import holiday as gb_holiday
from engineroom.payroll.engine.gb import sick_pay

YEAR = LeaveYear(date(2026, 1, 1), date(2026, 12, 31))
MONDAY_TO_FRIDAY = 0b0011111
FULL_TIME = Pattern(date(2020, 1, 1), None, MONDAY_TO_FRIDAY, 37 * 60 + 30)
LEAST = Rule(ppm("5.6"), 28, "front", 0, ppm("1.6"))

weeks = st.integers(0, 7 * 24 * 60)
masks = st.integers(1, 127)
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@given(masks, weeks)
def test_a_weeks_minutes_are_shared_among_its_days_and_add_up(mask: int, minutes: int):
    shares = [engine.minutes_of_weekday(d, mask, minutes) for d in range(7)]
    assert sum(shares) == minutes
    worked = [share for d, share in enumerate(shares) if mask >> d & 1]
    assert max(worked) - min(worked) <= 1 and sum(shares) == sum(worked)


@given(days, st.integers(0, 60), masks, weeks, st.booleans(), st.booleans())
def test_halves_and_whole_days_of_a_stretch_are_never_more_than_the_stretch(
    first: date, length: int, mask: int, minutes: int, from_noon: bool, until_noon: bool
):
    pattern = [Pattern(date(2024, 1, 1), None, mask, minutes)]
    last = first + timedelta(days=length)
    whole = engine.days_taken(first, last, pattern, (), "pattern")
    some = engine.days_taken(first, last, pattern, (), "pattern", from_noon=from_noon, until_noon=until_noon)
    assert [d.day for d in whole] == [d.day for d in some]
    assert all(0 <= s.minutes <= w.minutes and s.part <= w.part for s, w in zip(some, whole, strict=True))
    halves = sum(w.part - s.part for s, w in zip(some, whole, strict=True)) // 50
    assert halves <= from_noon + until_noon


def test_public_holidays_are_no_leave_and_are_qualifying_days_of_sickness():
    first, last = date(2026, 12, 21), date(2027, 1, 1)  # Christmas, Boxing Day's substitute, New Year
    holidays = law.holidays_between("ENG", first, last)
    assert len(engine.days_taken(first, last, [FULL_TIME], holidays, "work")) == 7
    assert len(engine.days_taken(first, last, [FULL_TIME], holidays, "pattern")) == 10
    assert len(engine.days_taken(first, last, [FULL_TIME], holidays, "all")) == 12


def test_a_day_without_terms_is_said_by_its_day():
    left = Pattern(date(2020, 1, 1), date(2026, 6, 30), MONDAY_TO_FRIDAY, 2250)
    with pytest.raises(NoPattern) as refused:
        engine.days_taken(date(2026, 6, 29), date(2026, 7, 3), [left], (), "work")
    assert refused.value.day == date(2026, 7, 1)


@given(st.integers(1, 7), st.integers(1, 5 * 24 * 60))
def test_a_whole_year_gives_what_the_payroll_engine_says_of_it(number: int, minutes: int):
    pattern = Pattern(date(2020, 1, 1), None, (1 << number) - 1, minutes)
    table = gb_holiday.Holiday.of(load_table(gb.__name__, "holiday").at(YEAR.starts))
    expected, _ = gb_holiday.entitlement(np.array([minutes]), np.array([number * 100]), table)
    # The engine rounds its cap to a minute; ours keeps the fraction until the end.
    assert abs(engine.entitlement(LEAST, YEAR, [pattern]) - int(expected[0])) <= 1


@given(st.lists(days, min_size=1, max_size=4, unique=True), st.lists(weeks, min_size=5, max_size=5), masks)
def test_an_entitlement_over_changing_terms_is_the_sum_of_its_days(
    cuts: list[date], of_weeks: list[int], mask: int
):
    edges = [date(2023, 1, 1), *sorted(cuts), None]
    patterns = [
        Pattern(a, b - timedelta(days=1) if b else None, mask, minutes)
        for a, b, minutes in zip(edges, edges[1:], of_weeks, strict=False)
        if a is not None and (b is None or b > a)
    ]
    exact = Fraction(0)
    for n in range(YEAR.days):
        pattern = engine.pattern_on(YEAR.starts + timedelta(days=n), patterns)
        weeks_of = min(Fraction(LEAST.weeks_ppm, PPM), Fraction(LEAST.most_days, pattern.days_a_week))
        exact += pattern.minutes * weeks_of / YEAR.days
    given_by = engine.entitlement(LEAST, YEAR, patterns)
    assert exact - Fraction(len(patterns), 365) <= given_by < exact + 1


def test_starters_and_leavers_get_their_part_of_the_year_up_to_a_minute():
    half = Pattern(date(2026, 7, 1), None, MONDAY_TO_FRIDAY, 2250)
    assert engine.entitlement(LEAST, YEAR, [FULL_TIME]) == 12_600  # 28 days of 7.5 hours
    assert engine.entitlement(LEAST, YEAR, [half]) == -(-12_600 * 184 // 365)
    gone = Pattern(date(2020, 1, 1), date(2026, 3, 31), MONDAY_TO_FRIDAY, 2250)
    assert engine.entitlement(LEAST, YEAR, [gone]) == -(-12_600 * 90 // 365)


@given(days, days)
def test_by_the_month_nothing_is_given_twice_and_december_gives_the_whole_year(one: date, other: date):
    rule = Rule(ppm("5.6"), 28, "monthly", 0, 0)
    early, late = sorted((one, other))
    gives = [engine.entitlement(rule, YEAR, [FULL_TIME], day) for day in (early, late)]
    assert 0 <= gives[0] <= gives[1] <= 12_600
    assert engine.entitlement(rule, YEAR, [FULL_TIME], date(2026, 12, 1)) == 12_600
    assert engine.entitlement(rule, YEAR, [FULL_TIME], date(2026, 1, 1)) == 1_050


@given(days, st.integers(1, 12), st.integers(1, 28))
def test_a_leave_year_holds_its_day_and_ends_before_the_next_begins(day: date, month: int, of_month: int):
    year = engine.leave_year(day, month, of_month)
    assert year.starts <= day <= year.ends and year.days in (365, 366)
    assert engine.leave_year(year.ends + timedelta(days=1), month, of_month).starts == year.ends + timedelta(
        days=1
    )


@given(st.integers(-5_000, 20_000), weeks)
def test_what_is_left_is_carried_or_lost_and_nothing_else(left: int, minutes: int):
    found = engine.carry_over(LEAST, left, Pattern(date(2020, 1, 1), None, MONDAY_TO_FRIDAY, minutes))
    assert found.carried + found.forfeited == left and found.forfeited >= 0
    assert found.carried <= max(0, minutes * LEAST.carry_ppm // PPM)


def test_accrual_by_hours_is_the_payroll_engines_to_the_minute():
    table = gb_holiday.Holiday.of(load_table(gb.__name__, "holiday").at(YEAR.starts))
    rule = Rule(0, 0, "hours", table.accrual_ppm, 0)
    worked = np.arange(0, 10_000, 37)
    minutes, _ = gb_holiday.holiday_accrued(worked, worked * 0, np.ones_like(worked), table)
    assert [engine.accrued_by_hours(rule, int(w)) for w in worked] == minutes.tolist()


stretches = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 900), st.integers(1, 40)), min_size=1, max_size=12
)


@given(stretches)
def test_sickness_is_linked_as_the_payroll_engine_links_it(drawn: list[tuple[int, int, int]]):
    """In both years of the law; the qualifying days of the chain before are those of the engine."""
    rows, taken = [], set()
    for person, offset, length in sorted(drawn):
        first = date(2025, 4, 6) + timedelta(days=offset)
        last = first + timedelta(days=length - 1)
        own = {(person, first + timedelta(days=n)) for n in range(length)}
        crosses = first < date(2026, 4, 6) <= last
        if own & taken or crosses or last > date(2027, 4, 5):
            continue
        taken |= own
        rows.append((person, first, last))
    t = sick_pay.SickPay.of_versions(load_table(gb.__name__, "sick_pay").versions)
    person, first, last = (
        np.array([r[0] for r in rows], dtype=np.int64),
        np.array([sick_pay.day_number(r[1]) for r in rows], dtype=np.int64),
        np.array([sick_pay.day_number(r[2]) for r in rows], dtype=np.int64),
    )
    pattern = np.full(len(rows), MONDAY_TO_FRIDAY)
    sick, _ = sick_pay.qualifying_days(first, last, pattern)
    spell, _, counts, chain = sick_pay.linked_spells(person, first, last, t.law_of(first), t)
    before = sick_pay.before_in_chain(sick, chain, first)
    given_days = {i: Stretch(r[0], i, r[1], r[2], int(sick[i])) for i, r in enumerate(rows)}
    found = {s.stretch.key: s for s in engine.linked(given_days.values(), law.spell_laws("gb"))}
    for i in range(len(rows)):
        assert sick_pay.day_number(found[i].spell_first) == spell[i]
        assert found[i].counts == bool(counts[i])
        assert found[i].chain == chain[i]
        assert found[i].days_before == before[i]


def test_leaves_tables_say_what_payrolls_tables_say():
    """One law in two rooms, because leave stands on a lower floor: they may not drift apart."""
    ours, theirs = (
        law.least_entitlement("gb", YEAR.starts),
        load_table(gb.__name__, "holiday").at(YEAR.starts),
    )
    assert (ours.weeks_ppm, ours.most_days) == (ppm(theirs["weeks"]), theirs["most_days"])
    assert ours.accrual_ppm == ppm(theirs["accrual_rate"])
    theirs_by_day = {
        v.starts: Law(v["days_of_a_spell"], v["linking_days"])
        for v in load_table(gb.__name__, "sick_pay").versions
    }
    assert dict(law.spell_laws("gb")) == theirs_by_day


def test_every_ready_kind_is_paid_by_an_element_that_payroll_knows():
    elements = load_table(gb.__name__, "pay_elements").versions[-1].values
    kinds = law.ready_kinds("gb", YEAR.starts)
    assert {k.code for k in kinds} >= {"annual", "sickness", "maternity", "unpaid", "jury"}
    assert {k.element for k in kinds if k.element} <= set(elements)
