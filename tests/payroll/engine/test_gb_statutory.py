"""Statutory pay, what employers owe or get back, holiday and the minimum wage, against exact fractions."""

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import oracle_gb_statutory as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.kernel.tables import NoTableForDate, load_table
from engineroom.payroll.engine.gb import (
    average_earnings,
    employer,
    holiday,
    minimum_wage,
    parental_pay,
    sick_pay,
)
from engineroom.payroll.engine.gb.holiday import Holiday
from engineroom.payroll.engine.gb.sick_pay import day_number
from engineroom.payroll.engine.inputs import BadChunk

YEARS = {"2025-26": date(2025, 6, 1), "2026-27": date(2026, 6, 1)}
EARNINGS = st.one_of(
    st.integers(0, 100_000),
    st.sampled_from([12_499, 12_500, 12_899, 12_900, 15_405, 15_406, 20_797, 20_798, 21_591, 21_592]),
)


def run(worksheet, day=YEARS["2026-27"], /, **chunk):
    """The columns of a chunk none of whose rows is refused."""
    done = worksheet.calculate(chunk, worksheet.tables_at(day))
    assert done.problems == []
    return done.columns


def one(worksheet, day=YEARS["2026-27"], /, **row):
    """Every figure of one row."""
    return {name: int(column[0]) for name, column in run(worksheet, day, **row).items()}


def problems(worksheet, day=YEARS["2026-27"], /, **chunk):
    done = worksheet.calculate(chunk, worksheet.tables_at(day))
    kept = len(next(iter(done.columns.values())))
    assert kept == len(done.rows)
    return [(p.row, p.field, p.problem) for p in done.problems]


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


# Statutory Sick Pay of days

SICK_DAYS = st.fixed_dictionaries(
    {
        "on": st.dates(date(2025, 4, 6), date(2027, 4, 5)),
        "relevant_earnings": st.one_of(EARNINGS, EARNINGS.map(lambda x: x * 8 + 3)),
        "relevant_periods": st.sampled_from([1, 2, 8]),
        "paid_monthly": st.integers(0, 1),
        "qualifying_days_per_week": st.integers(1, 7),
        "days_sick": st.integers(0, 30),
        "waiting_days_remaining": st.integers(0, 3),
        "transition": st.sampled_from(["", "protected"]),
    }
)


def average(row):
    months = Fraction(12, 52) if row["paid_monthly"] else 1
    return Fraction(row["relevant_earnings"], row["relevant_periods"]) * months


@pytest.mark.behaviour("PAY-08", part="engine")
@settings(max_examples=40, deadline=None)
@given(st.lists(SICK_DAYS, min_size=1, max_size=20))
def test_sick_pay_of_days_agrees_with_the_oracle_in_both_years(rows):
    chunk = columns_of(rows) | {"on": [day_number(row["on"]) for row in rows]}
    found = run(sick_pay.DAYS, **chunk)["sick_pay"].tolist()
    for row, amount in zip(rows, found, strict=True):
        expected = oracle.ssp_of_days(
            row["on"],
            average(row),
            row["qualifying_days_per_week"],
            row["days_sick"],
            row["waiting_days_remaining"],
            row["transition"] == "protected",
        )
        assert amount == expected, row


def test_earnings_are_not_rounded_before_the_limit_or_the_payment():
    """Two months of 541.66 are 124.998... a week: below 125, though 125.00 when rounded."""
    below = {
        "on": day_number(date(2025, 6, 2)),
        "days_sick": 5,
        "qualifying_days_per_week": 5,
        "paid_monthly": 1,
    }
    assert one(sick_pay.DAYS, **below, relevant_earnings=108_332, relevant_periods=2)["sick_pay"] == 0
    assert one(sick_pay.DAYS, **below, relevant_earnings=108_334, relevant_periods=2)["sick_pay"] == 11_875


def test_a_number_of_days_is_paid_for_28_weeks_of_them_at_most():
    long = {"on": day_number(date(2026, 6, 1)), "qualifying_days_per_week": 3, "relevant_earnings": 50_000}
    assert one(sick_pay.DAYS, **long, days_sick=84)["sick_pay"] == 28 * 12_325
    assert one(sick_pay.DAYS, **long, days_sick=90)["sick_pay"] == 28 * 12_325


# Stretches of sickness

WEEKDAYS = {"pattern": 0b0011111, "relevant_earnings": 50_000}


def spells(*stretches, **inputs):
    """Figures of one person's stretches, given as first and last days."""
    first, last = zip(*stretches, strict=True)
    return run(
        sick_pay.SPELLS,
        **{"person": 1, **WEEKDAYS, **inputs},
        first_day=[day_number(d) for d in first],
        last_day=[day_number(d) for d in last],
    )


@st.composite
def sickness(draw):
    """One person's stretches over about two years, split where the law changes, and their pattern of work."""
    day = date(2025, 4, 6) + timedelta(days=draw(st.integers(0, 300)))
    stretches = []
    for _ in range(draw(st.integers(1, 5))):
        day += timedelta(days=draw(st.one_of(st.just(0), st.integers(1, 9), st.integers(50, 70))))
        last = min(
            day + timedelta(days=draw(st.one_of(st.integers(0, 9), st.integers(20, 230)))), date(2027, 4, 5)
        )
        if last < day:
            break
        if day < oracle.NEW_LAW <= last:
            stretches += [(day, oracle.NEW_LAW - oracle.ONE_DAY), (oracle.NEW_LAW, last)]
        else:
            stretches.append((day, last))
        day = last + oracle.ONE_DAY
    pattern = draw(st.integers(1, 127))
    return stretches, pattern, [draw(EARNINGS) for _ in stretches]


@pytest.mark.behaviour("PAY-08", part="engine")
@settings(max_examples=100, deadline=None)
@given(st.lists(sickness(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_linked_spells_of_many_people_in_any_order_agree_with_the_oracle(people, random):
    rows, expected = [], []
    for person, (stretches, pattern, earnings) in enumerate(people):
        works_on = {day for day in range(7) if pattern >> day & 1}
        expected += oracle.ssp_of_stretches(stretches, works_on, [Fraction(e) for e in earnings])
        rows += [
            {
                "person": person,
                "first_day": day_number(first),
                "last_day": day_number(last),
                "pattern": pattern,
                "relevant_earnings": earned,
            }
            for (first, last), earned in zip(stretches, earnings, strict=True)
        ]
    if not rows:
        return
    order = random.sample(range(len(rows)), len(rows))
    found = run(sick_pay.SPELLS, **columns_of([rows[i] for i in order]))["sick_pay"]
    assert [int(found[order.index(i)]) for i in range(len(rows))] == expected


@pytest.mark.behaviour("PAY-08", part="engine")
def test_until_april_2026_a_spell_lasts_four_days_and_its_first_three_qualifying_days_wait():
    monday = date(2025, 6, 2)
    three_days = spells((monday, monday + timedelta(days=2)))
    assert three_days["sick_pay"].tolist() == [0]
    week = spells((monday, monday + timedelta(days=4)))
    assert (week["waiting_days"].tolist(), week["sick_pay"].tolist()) == ([3], [4_750])
    since = spells((date(2026, 6, 1), date(2026, 6, 1)))
    assert (since["waiting_days"].tolist(), since["sick_pay"].tolist()) == ([0], [2_465])


@pytest.mark.behaviour("PAY-08", part="engine")
def test_spells_within_eight_weeks_share_their_waiting_days_and_a_day_more_does_not():
    first = (date(2025, 6, 2), date(2025, 6, 6))
    for between, waits in ((56, 0), (57, 3)):
        start = first[1] + timedelta(days=between + 1)
        linked = spells(first, (start, start + timedelta(days=6)))
        assert linked["waiting_days"].tolist() == [3, waits], between


def test_sick_over_5_april_2026_the_waiting_days_end_and_whoever_was_paid_keeps_the_flat_rate():
    """facts/gb.md section 1.7, transition."""
    before, after = (date(2026, 3, 30), date(2026, 4, 5)), (date(2026, 4, 6), date(2026, 4, 10))
    paid = spells(before, after, relevant_earnings=13_000)
    assert paid["sick_pay"].tolist() == [4_750, 12_325]
    waiting = spells((date(2026, 4, 2), date(2026, 4, 5)), after, relevant_earnings=13_000)
    assert waiting["sick_pay"].tolist() == [
        0,
        10_400,
    ]  # 2 April to 5 April: two waiting days; then 80% of 130.00
    below_the_limit = spells(before, after, relevant_earnings=10_000)
    assert below_the_limit["sick_pay"].tolist() == [0, 8_000]
    since_summer = spells((date(2025, 9, 21), date(2026, 4, 5)), after)
    assert since_summer["sick_pay"].tolist()[1] == 0


def test_sick_pay_ends_after_28_weeks_also_over_linked_spells_and_those_paid_elsewhere():
    long = spells((date(2025, 4, 7), date(2026, 3, 1)))
    assert long["days_paid"].tolist() == [140]
    assert spells((date(2025, 6, 2), date(2025, 6, 6)), days_paid_before=139, waiting_days_served=3)[
        "days_paid"
    ].tolist() == [1]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"first_day": day_number(date(2025, 4, 5))}, "first_day", "no version for 2025-04-05"),
        (
            {"first_day": day_number(date(2027, 4, 6)), "last_day": day_number(date(2027, 4, 9))},
            "first_day",
            "no version",
        ),
        ({"last_day": day_number(date(2025, 5, 1))}, "last_day", "before the first day"),
        ({"last_day": day_number(date(2026, 4, 9))}, "last_day", "the law changes after 2026-04-05"),
        ({"pattern": 0}, "pattern", "is not a set of weekdays"),
        ({"relevant_earnings": -1}, "relevant_earnings", "below zero"),
        ({"relevant_earnings": 10**15}, "relevant_earnings", "more than"),
        ({"relevant_periods": 0}, "relevant_periods", "is not a number of weeks or months"),
    ],
)
def test_a_stretch_that_cannot_be_paid_is_named_and_the_others_are_paid(change, field, says):
    good = {
        "person": 1,
        "first_day": day_number(date(2025, 6, 2)),
        "last_day": day_number(date(2025, 6, 8)),
        **WEEKDAYS,
        "relevant_periods": 1,
    }
    rows = columns_of([good, {**good, "person": 2, **change}])
    found = problems(sick_pay.SPELLS, **rows)
    assert [(row, name) for row, name, _ in found] == [(1, field)]
    assert says in found[0][2]


def test_a_day_of_sickness_given_twice_is_refused():
    day = day_number(date(2025, 6, 2))
    found = problems(
        sick_pay.SPELLS, person=[1, 1], first_day=[day, day + 3], last_day=[day + 3, day + 9], **WEEKDAYS
    )
    assert [(row, name) for row, name, _ in found] == [(1, "first_day")]


@settings(max_examples=60, deadline=None)
@given(sickness())
def test_a_stretch_over_the_change_of_law_is_paid_as_its_two_parts_are(person):
    stretches, pattern, earnings = person
    whole = [stretches[0]] if stretches else []
    for stretch in stretches[1:]:  # put together what the change of law took apart
        joins = stretch[0] == oracle.NEW_LAW and whole[-1][1] == oracle.NEW_LAW - oracle.ONE_DAY
        whole[-1:] = [(whole[-1][0], stretch[1])] if joins else [whole[-1], stretch]
    if not whole:
        return
    same = {"person": 7, "pattern": pattern, "relevant_earnings": earnings[0]}
    cut = sick_pay.SPELLS.calculate(same | days(stretches), SICK_PAY)
    done = sick_pay.pay_for_sickness(same | days(whole), SICK_PAY)
    assert done.problems == []
    assert done.columns["sick_pay"].tolist() == cut.columns["sick_pay"].tolist()
    assert sorted(set(done.rows.tolist())) == list(range(len(whole)))


def days(stretches):
    first, last = zip(*stretches, strict=True)
    return {"first_day": [day_number(d) for d in first], "last_day": [day_number(d) for d in last]}


SICK_PAY = sick_pay.SPELLS.tables_at(YEARS["2026-27"])


def test_sickness_over_5_april_2026_is_one_stretch_with_two_payments():
    over = days([(date(2026, 3, 30), date(2026, 4, 10))])
    done = sick_pay.pay_for_sickness(over | {"person": 1, **WEEKDAYS, "relevant_earnings": 13_000}, SICK_PAY)
    assert done.columns["sick_pay"].tolist() == [4_750, 12_325]
    assert done.rows.tolist() == [0, 0]


def test_whoever_has_a_stretch_that_cannot_be_read_gets_no_number_for_the_linked_ones_either():
    monday = date(2025, 6, 2)
    weeks = [(monday + timedelta(days=7 * n), monday + timedelta(days=7 * n + 4)) for n in (0, 2, 0)]
    chunk = days(weeks) | {"person": [1, 1, 2], "relevant_earnings": [-5, 50_000, 50_000]}
    done = sick_pay.pay_for_sickness(chunk, SICK_PAY)
    assert [(p.row, p.field) for p in done.problems] == [(0, "relevant_earnings"), (1, "person")]
    assert (done.rows.tolist(), done.columns["sick_pay"].tolist()) == ([2], [4_750])
    backwards = days([weeks[0], weeks[1][::-1]]) | {"person": 1, **WEEKDAYS}
    assert [p.field for p in sick_pay.pay_for_sickness(backwards, SICK_PAY).problems] == [
        "person",
        "last_day",
    ]
    beyond = days([weeks[0], (date(2027, 4, 1), date(2027, 4, 9))]) | {"person": [1, 2], **WEEKDAYS}
    done = sick_pay.pay_for_sickness(beyond, SICK_PAY)
    assert [(p.row, p.field) for p in done.problems] == [(1, "last_day")]
    assert done.rows.tolist() == [0]


# The relevant period of average earnings


@st.composite
def paid_person(draw):
    """Paydays of one person, weekly to four-weekly or by the month, and the day that the period ends by."""
    monthly, first = draw(st.booleans()), date(2025, 4, 1) + timedelta(days=draw(st.integers(0, 30)))
    n = draw(st.integers(0, 20))
    if monthly:
        payday = draw(st.integers(1, 28))
        days = [date(2025 + month // 12, month % 12 + 1, payday) for month in range(3, 3 + n)]
    else:
        span = draw(st.sampled_from([7, 14, 28]))
        days = [first + timedelta(days=span * i) for i in range(n)]
    paid = {day: draw(st.integers(0, 100_000)) for day in days}
    return first + timedelta(days=draw(st.integers(0, 400))), paid, monthly


@settings(max_examples=100, deadline=None)
@given(st.lists(paid_person(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_relevant_period_of_many_people_agrees_with_the_oracle(people, random):
    rows = [
        {"person": who, "payday": day_number(day), "pay": pay}
        for who, (_, paid, _) in enumerate(people)
        for day, pay in paid.items()
    ]
    random.shuffle(rows)
    chunk = {
        "until": [day_number(until) for until, _, _ in people],
        "paid_monthly": [int(monthly) for _, _, monthly in people],
    }
    paydays = {name: [row[name] for row in rows] for name in ("person", "payday", "pay")}
    done = average_earnings.relevant_period(chunk, paydays)
    expected = [oracle.relevant_period(*person) for person in people]
    assert done.rows.tolist() == [who for who, found in enumerate(expected) if found]
    assert {p.row for p in done.problems} == {who for who, found in enumerate(expected) if not found}
    for place, who in enumerate(done.rows.tolist()):
        row = {name: int(column[place]) for name, column in done.columns.items()}
        assert (row["relevant_earnings"], average(row)) == expected[who]


def test_maternity_pay_is_worked_out_from_the_paydays_before_the_qualifying_week():
    """A birth expected on 18 June 2025: the 15th week before is 2 to 8 March (gov.uk)."""
    saturday = average_earnings.saturday_of_qualifying_week(np.array([day_number(date(2025, 6, 18))]))
    assert saturday.tolist() == [day_number(date(2025, 3, 8))]
    fridays = [day_number(date(2026, 3, 6)) - 7 * n for n in range(12)]
    paydays = {"person": 0, "payday": fridays, "pay": [90_000] + [40_000] * 7 + [1] * 4}
    done = average_earnings.relevant_period({"until": [day_number(date(2026, 3, 12))]}, paydays)
    inputs = {name: done.columns[name] for name in sick_pay.EARNINGS_INPUTS}
    assert [int(column[0]) for column in inputs.values()] == [370_000, 8, 0]
    week = one(parental_pay.WEEK, payment="smp", week_no=1, **inputs)
    assert week["payment_of_week"] == 41_625  # 90% of 3,700.00 / 8


@pytest.mark.parametrize(
    ("paydays", "says"),
    [
        ([40], "no payday lies on or before it"),
        ([30, 23], "do not reach back eight weeks"),
        ([39, 0], "reach back"),
        ([30 + 70, 30], "on or before"),
    ],
)
def test_without_eight_weeks_of_paydays_there_is_no_average(paydays, says):
    given = {"person": 0, "payday": [20_000 + day for day in paydays], "pay": 100}
    until = 20_000 + (20 if "before it" in says else 10 if says == "on or before" else 39)
    done = average_earnings.relevant_period({"until": [until]}, given)
    assert len(done.rows) == 0
    assert [says in problem.problem for problem in done.problems] == [True]


def test_paydays_that_were_moved_or_cannot_be_read_are_said():
    moved = {"person": 0, "payday": [20_000, 20_057, 20_060], "pay": 100}
    done = average_earnings.relevant_period({"until": [20_058]}, moved)
    assert "no whole weeks" in done.problems[0].problem
    bad = {"person": [0, 0], "payday": [20_000, 20_056], "pay": [100, -1]}
    done = average_earnings.relevant_period({"until": [20_058]}, bad)
    assert [(p.row, p.field) for p in done.problems] == [(0, "payday 1, pay")]
    with pytest.raises(BadChunk, match="of 1"):
        average_earnings.relevant_period({"until": [20_058]}, bad | {"person": [0, 1]})


# Statutory pay of parents, recovery


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(YEARS)),
    st.lists(
        st.tuples(
            st.sampled_from(parental_pay.PAYMENTS), st.integers(1, 45), EARNINGS, st.sampled_from([1, 8])
        ),
        min_size=1,
        max_size=30,
    ),
)
def test_parental_pay_agrees_with_the_oracle(year, rows):
    payments, weeks, earnings, periods = (list(x) for x in zip(*rows, strict=True))
    found = run(
        parental_pay.WEEK,
        YEARS[year],
        payment=payments,
        week_no=weeks,
        relevant_earnings=earnings,
        relevant_periods=periods,
    )["payment_of_week"].tolist()
    for (payment, week, earned, over), amount in zip(rows, found, strict=True):
        assert amount == oracle.parental(year, payment, week, Fraction(earned, over)), (payment, week, earned)


def test_the_new_standard_rate_starts_on_the_sunday_before_the_tax_year():
    week_7 = {"payment": "smp", "week_no": 7, "relevant_earnings": 40_000}
    assert one(parental_pay.WEEK, date(2026, 4, 4), **week_7)["payment_of_week"] == 18_718
    assert one(parental_pay.WEEK, date(2026, 4, 5), **week_7)["payment_of_week"] == 19_432


def test_service_and_the_limit_of_an_earlier_tax_year_decide_who_is_entitled():
    week = {"payment": "smp", "week_no": 1, "relevant_earnings": 12_600}
    assert one(parental_pay.WEEK, **week)["payment_of_week"] == 0
    assert one(parental_pay.WEEK, **week, lower_earnings_limit=12_500)["payment_of_week"] == 11_340
    assert (
        one(parental_pay.WEEK, **week, lower_earnings_limit=12_500, weeks_of_service=25)["payment_of_week"]
        == 0
    )


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(YEARS)), st.integers(0, 10**9), st.booleans())
def test_recovery_agrees_with_the_oracle(year, paid, small):
    found = one(parental_pay.RECOVERY, YEARS[year], paid=paid, small_employer=int(small))
    assert (found["recovered"], found["nic_compensation"]) == oracle.recovery(year, paid, small)
    assert found["recovery"] == sum(oracle.recovery(year, paid, small))


def test_an_employer_is_small_by_the_class_1_of_the_last_year():
    for class1, small in ((45_000_00, True), (45_000_01, False)):
        found = one(parental_pay.RECOVERY, paid=10_000, class1_of_last_year=class1, small_employer=1)
        assert found["nic_compensation"] == (900 if small else 0)


# Employers


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**11),
    st.one_of(st.just(15_000_00), st.integers(0, 15_000_00)),
    st.integers(1, 12),
    st.integers(0, 10**8),
)
def test_the_levy_agrees_with_the_oracle(pay_bill, allowance, month, paid):
    found = one(
        employer.LEVY,
        pay_bill_to_date=pay_bill,
        share_of_allowance=allowance,
        tax_month=month,
        levy_before=paid,
    )
    assert found["levy"] == oracle.levy(pay_bill, allowance, month, paid)


def test_twelve_months_of_levy_are_the_years_levy_however_the_pay_bill_falls():
    bills = [400_000_00, 0, 900_000_00, 0, 0, 100_000_00, 0, 0, 0, 700_000_00, 0, 1_500_000_00]
    to_date = paid = 0
    for month, bill in enumerate(bills, 1):
        to_date += bill
        paid += one(employer.LEVY, pay_bill_to_date=to_date, tax_month=month, levy_before=paid)["levy"]
    assert paid == to_date * 5 // 1000 - 15_000_00


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10_500_00))
def test_the_employment_allowance_agrees_with_the_oracle(nic, claimed):
    found = one(employer.EMPLOYMENT_ALLOWANCE, employer_nic=nic, claimed_before=claimed)
    assert found["relief"] == oracle.relief(nic, claimed)
    assert found["relief"] + found["employer_nic_payable"] == nic


@pytest.mark.parametrize(
    ("worksheet", "row", "field"),
    [
        (employer.LEVY, {"pay_bill_to_date": 1, "tax_month": 13}, "tax_month"),
        (employer.LEVY, {"pay_bill_to_date": -1, "tax_month": 1}, "pay_bill_to_date"),
        (employer.LEVY, {"pay_bill_to_date": 10**15, "tax_month": 1}, "pay_bill_to_date"),
        (
            employer.LEVY,
            {"pay_bill_to_date": 1, "tax_month": 1, "share_of_allowance": 15_000_01},
            "share_of_allowance",
        ),
        (employer.EMPLOYMENT_ALLOWANCE, {"employer_nic": 1, "claimed_before": 10_500_01}, "claimed_before"),
        (parental_pay.WEEK, {"payment": "spq", "week_no": 1, "relevant_earnings": 1}, "payment"),
        (parental_pay.WEEK, {"payment": "smp", "week_no": 0, "relevant_earnings": 1}, "week_no"),
        (
            employer.LEVY,
            {"pay_bill_to_date": 1, "tax_month": 1, "share_of_allowance": -1},
            "share_of_allowance",
        ),
        (parental_pay.RECOVERY, {"paid": -1, "small_employer": 0}, "paid"),
        (parental_pay.RECOVERY, {"paid": 1, "class1_of_last_year": -1}, "class1_of_last_year"),
        (holiday.ROLLED_UP, {"pay_for_work": -1}, "pay_for_work"),
        (holiday.ENTITLEMENT, {"minutes_a_week": -60, "hundredths_of_days_a_week": 500}, "minutes_a_week"),
        (holiday.ENTITLEMENT, {"minutes_a_week": 1_500, "hundredths_of_days_a_week": 100}, "minutes_a_week"),
        (minimum_wage.CHECK, {"born_on": 0, "period_starts": 20_600, "pay": 0, "minutes": -1}, "minutes"),
        (minimum_wage.CHECK, {"born_on": 16_000, "period_starts": 20_600, "pay": 0, "minutes": 1}, "born_on"),
    ],
)
def test_what_cannot_be_is_an_error_of_its_row_and_never_a_number(worksheet, row, field):
    done = worksheet.calculate(row, worksheet.tables_at(YEARS["2026-27"]))
    assert [(p.row, p.field) for p in done.problems] == [(0, field)]
    assert len(done.rows) == 0
    assert done.problems[0].remedy


@pytest.mark.parametrize(
    "worksheet",
    [
        employer.LEVY,
        employer.EMPLOYMENT_ALLOWANCE,
        parental_pay.WEEK,
        parental_pay.RECOVERY,
        minimum_wage.CHECK,
        sick_pay.DAYS,
    ],
)
def test_no_law_is_borrowed_from_another_year(worksheet):
    for day in (date(2025, 3, 31), date(2027, 4, 6)):
        with pytest.raises(NoTableForDate):
            worksheet.tables_at(day)


def test_a_worksheet_says_what_was_done_under_which_law_and_what_is_from_memory():
    tables = employer.LEVY.tables_at(YEARS["2026-27"])
    done = employer.LEVY.calculate({"pay_bill_to_date": 30_000_000, "tax_month": 1}, tables)
    line = employer.LEVY.trace(0, done, tables)[0]
    assert "HMRC manual ALM09200" in line
    assert "table employer from 2026-04-06 until 2027-04-05" in line
    assert "unverified: levy_allowance, levy_rate, levy_rounding" in line
    assert line.endswith("levy 250.00")


def test_a_worksheet_refuses_a_chunk_that_is_none():
    tables = employer.LEVY.tables_at(YEARS["2026-27"])
    for chunk in (
        {"tax_month": 1},
        {"pay_bill_to_date": [1], "tax_month": [1, 2]},
        {"wages": 1, "tax_month": 1},
    ):
        with pytest.raises(BadChunk):
            employer.LEVY.calculate(chunk, tables)


# Holiday


def law(on=YEARS["2026-27"]):
    return Holiday.of(load_table("engineroom.payroll.engine.gb", "holiday").at(on))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_080), st.integers(1, 700))
def test_entitlement_agrees_with_the_oracle(minutes, hundredths):
    if minutes * 100 > hundredths * 1440:
        return
    found = one(holiday.ENTITLEMENT, minutes_a_week=minutes, hundredths_of_days_a_week=hundredths)
    assert found["holiday_minutes"] == oracle.holiday_minutes(minutes, Fraction(hundredths, 100))
    assert found["holiday_hundredths_of_days"] <= 2_800


def test_5_6_weeks_of_five_days_are_28_days_and_of_six_no_more():
    assert (
        one(holiday.ENTITLEMENT, minutes_a_week=2_250, hundredths_of_days_a_week=500)[
            "holiday_hundredths_of_days"
        ]
        == 2_800
    )
    assert (
        one(holiday.ENTITLEMENT, minutes_a_week=2_250, hundredths_of_days_a_week=600)["holiday_minutes"]
        == 28 * 375
    )
    assert (
        one(holiday.ENTITLEMENT, minutes_a_week=900, hundredths_of_days_a_week=200)[
            "holiday_hundredths_of_days"
        ]
        == 1_120
    )


@pytest.mark.behaviour("PAY-08", part="engine")
@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.just(0), st.integers(1, 200_000)), min_size=110, max_size=110),
        min_size=1,
        max_size=6,
    )
)
def test_a_week_of_holiday_is_paid_at_the_average_of_the_last_52_paid_weeks(people):
    averages, weeks = holiday.average_week(np.array(people, dtype=np.int64), law())
    assert list(zip(averages.tolist(), weeks.tolist(), strict=True)) == [
        oracle.average_week(p) for p in people
    ]


def test_weeks_without_pay_are_passed_over_but_not_beyond_104():
    weeks = np.zeros((3, 110), dtype=np.int64)
    weeks[0, 40:92] = 50_000  # forty unpaid weeks, then a year's work
    weeks[1, 100:110] = 70_000  # four weeks lie within 104
    averages, counted = holiday.average_week(weeks, law())
    assert (averages.tolist(), counted.tolist()) == ([50_000, 70_000, 0], [52, 4, 0])


def test_weeks_that_cannot_be_are_problems_and_who_was_never_paid_has_no_average():
    weeks = np.full((4, 60), 40_000, dtype=np.int64)
    weeks[1, 3], weeks[2, 0], weeks[3] = -1, 10**15, 0
    done = holiday.week_of_holiday(weeks, law())
    assert done.rows.tolist() == [0]
    assert done.columns["week_of_holiday"].tolist() == [40_000]
    assert [(p.row, p.field) for p in done.problems] == [(1, "week 4"), (2, "week 1"), (3, "weekly_pay")]
    with pytest.raises(BadChunk):
        holiday.week_of_holiday(weeks / 3, law())


def test_holiday_accrues_in_leave_on_the_average_with_weeks_without_work_included():
    minutes = np.array([[2_400] * 26 + [0] * 26, [2_400] * 10 + [0] * 42], dtype=np.int64)
    week = 7 * 24 * 60
    found = holiday.accrued_on_leave(minutes, np.array([60, 10]), np.array([4 * week, 4 * week]), law())
    assert found.tolist() == [579, 1_159]  # 12.07% of 4 x 20 hours; of 4 x 40 hours


# The minimum wage

DAYS = st.dates(date(2025, 4, 1), date(2027, 3, 31))


@settings(max_examples=80, deadline=None)
@given(
    born=st.dates(date(1960, 1, 1), date(2009, 3, 31)),
    starts=DAYS,
    pay=st.integers(0, 400_000),
    minutes=st.integers(0, 12_000),
    apprentice=st.booleans(),
    first_year=st.booleans(),
    room=st.one_of(st.just(0), st.integers(0, 60_000)),
    days=st.integers(0, 31),
)
def test_minimum_wage_arrears_agree_with_the_oracle(
    born, starts, pay, minutes, apprentice, first_year, room, days
):
    row = {
        "born_on": day_number(born), "period_starts": day_number(starts), "pay": pay, "minutes": minutes,
        "apprentice": int(apprentice), "apprentice_first_year": int(first_year), "accommodation": room,
        "accommodation_days": days,
    }  # fmt: skip
    done = minimum_wage.CHECK.calculate(row, minimum_wage.CHECK.tables_at(starts))
    age = int(minimum_wage.age_on(np.array([day_number(born)]), np.array([day_number(starts)]))[0])
    if age < 16:
        assert [p.field for p in done.problems] == ["born_on"]
        return
    expected = oracle.minimum_wage_arrears(born, starts, pay, minutes, apprentice, first_year, room, days)
    assert done.columns["arrears"].tolist() == [expected]


def test_a_birthday_or_a_new_rate_counts_from_the_next_pay_reference_period():
    born = date(2005, 6, 15)
    for starts, rate in ((date(2026, 6, 14), 1_085), (date(2026, 6, 15), 1_271), (date(2026, 3, 31), 1_000)):
        row = {"born_on": day_number(born), "period_starts": day_number(starts), "pay": 0, "minutes": 60}
        assert one(minimum_wage.CHECK, starts, **row)["hourly_rate"] == rate


def test_a_pay_reference_period_is_not_measured_by_the_rates_of_another_year():
    starts = [date(2026, 3, 31), date(2026, 4, 1), date(2027, 3, 31), date(2027, 4, 1)]
    rows = {"born_on": 0, "period_starts": list(map(day_number, starts)), "pay": 0, "minutes": 60}
    done = minimum_wage.CHECK.calculate(rows, minimum_wage.CHECK.tables_at(date(2026, 7, 1)))
    assert done.rows.tolist() == [1, 2]
    assert [(p.row, p.field) for p in done.problems] == [(0, "period_starts"), (3, "period_starts")]
    assert "begins on 2026-03-31, the rates are those from 2026-04-01" in done.problems[0].problem
