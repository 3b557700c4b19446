"""The engine's columns against the slow Decimal oracle, over both tax years and around every threshold."""

from datetime import date
from decimal import Decimal

import oracle_gb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

PAY_DATES = {"2025-26": date(2025, 6, 1), "2026-27": date(2026, 6, 1)}
YEARS = st.sampled_from(sorted(PAY_DATES))
FREQUENCIES = st.sampled_from(sorted(oracle_gb.SPAN))

NUMBERS = st.one_of(
    st.integers(1, 3000), st.sampled_from([1, 499, 500, 501, 999, 1000, 1001, 1257, 2500, 99999])
)
ALLOWANCES = st.builds("{}{}".format, NUMBERS, st.sampled_from("LMNT"))
K_CODES = NUMBERS.map("K{}".format)
PREFIXED = st.builds(
    "{}{}".format,
    st.sampled_from(["", "S", "C"]),
    st.one_of(ALLOWANCES, K_CODES, st.sampled_from(["BR", "D0", "D1", "0T"])),
)
CODES = st.one_of(PREFIXED, st.sampled_from(["NT", "SD2", "SD3", "1257L", "S1257L"]))

EDGES = [24192, 104826, 56700, 314166, 1042833, 12514000, 3770000, 282700, 1492100, 3109200, 6243000]
NEAR_AN_EDGE = st.builds(lambda edge, by: max(edge + by, 0), st.sampled_from(EDGES), st.integers(-150, 150))
PENCE = st.one_of(st.integers(0, 1_500_000), NEAR_AN_EDGE, st.integers(0, 10**10))

THRESHOLDS = [
    9600,
    12500,
    12900,
    24200,
    48100,
    96700,
    41700,
    54200,
    55900,
    104800,
    208300,
    418900,
    50125,
    224166,
]
NEAR_A_THRESHOLD = st.builds(
    lambda edge, times, by: max(edge * times + by, 0),
    st.sampled_from(THRESHOLDS),
    st.sampled_from([1, 2, 4]),
    st.integers(-1200, 1200),
)
PAY = st.one_of(NEAR_A_THRESHOLD, st.integers(0, 1_000_000), st.integers(0, 10**10))


def pounds(pence: int) -> Decimal:
    return Decimal(int(pence)) / 100


@st.composite
def paye_rows(draw):
    frequency = draw(FREQUENCIES)
    span = oracle_gb.SPAN[frequency]
    last = {"weekly": 53, "biweekly": 54, "four_weekly": 56, "monthly": 12}[frequency]
    period = draw(st.integers(1, last // span)) * span
    return {
        "tax_code": draw(CODES),
        "frequency": frequency,
        "tax_period": period,
        "week1_month1": draw(st.integers(0, 1)),
        "basic_pay": draw(PENCE),
        "taxable_pay_to_date_before": draw(st.one_of(st.just(0), PENCE)),
        "tax_to_date_before": draw(st.one_of(st.just(0), st.integers(0, 2_000_000))),
    }


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


@settings(max_examples=120, deadline=None)
@given(year=YEARS, rows=st.lists(paye_rows(), min_size=1, max_size=25))
def test_paye_agrees_with_the_oracle(year, rows):
    done = calculate({"ni_category": "X", **columns_of(rows)}, resolve_tables(PAY_DATES[year]))
    assert done.problems == []
    for i, row in enumerate(rows):
        expected = oracle_gb.paye(
            year,
            row["tax_code"],
            row["frequency"],
            row["tax_period"],
            bool(row["week1_month1"]),
            pounds(row["basic_pay"]),
            pounds(row["basic_pay"] + row["taxable_pay_to_date_before"]),
            pounds(row["tax_to_date_before"]),
        )
        assert pounds(done.columns["paye"][i]) == expected, (year, row)


@pytest.mark.parametrize("year", sorted(PAY_DATES))
def test_paye_agrees_with_the_oracle_by_pennies_around_the_end_of_every_band(year):
    """The end of a band is seldom a whole pound; pay between it and the next pound is in the lower band."""
    rows = [
        (
            prefix + "0T",
            frequency,
            period,
            upper * 100 * period // oracle_gb.PERIODS[frequency] // 100 * 100 + by,
        )
        for prefix, bands in (("", oracle_gb.RUK), ("C", oracle_gb.RUK), ("S", oracle_gb.SCOTLAND[year]))
        for upper, _ in bands[:-1]
        for frequency, period in [
            ("weekly", 1),
            ("weekly", 31),
            ("weekly", 52),
            ("monthly", 1),
            ("monthly", 7),
        ]
        for by in (-100, -1, 0, 1, 50, 99, 100, 101, 199, 200)
    ]
    codes, frequencies, periods, pays = (list(x) for x in zip(*rows, strict=True))
    chunk = {"tax_code": codes, "frequency": frequencies, "tax_period": periods, "basic_pay": pays}
    done = calculate({"ni_category": "X", **chunk}, resolve_tables(PAY_DATES[year]))
    assert done.problems == []
    for i, (code, frequency, period, pay) in enumerate(rows):
        args = (year, code, frequency, period, False, pounds(pay), pounds(pay), Decimal(0))
        assert pounds(done.columns["paye"][i]) == oracle_gb.paye(*args), args


def test_paye_agrees_with_the_oracle_at_the_largest_pay_that_is_taken():
    pay = 10**11
    for year, day in PAY_DATES.items():
        for code in ("S1257L", "SK999999", "1257L", "SD3", "K999999"):
            chunk = {
                "tax_code": code,
                "frequency": "weekly",
                "tax_period": 52,
                "ni_category": "A",
                "basic_pay": pay,
            }
            done = calculate(chunk, resolve_tables(day))
            expected = oracle_gb.paye(year, code, "weekly", 52, False, pounds(pay), pounds(pay), Decimal(0))
            assert pounds(done.columns["paye"][0]) == expected
            assert (
                pounds(done.columns["employer_nic"][0])
                == (oracle_gb.class_1(year, "A", "weekly", pounds(pay))["employer_nic"])
            )


@settings(max_examples=120, deadline=None)
@given(
    year=YEARS,
    rows=st.lists(st.tuples(st.sampled_from("ABCDEFHIJKLMNSVXZ"), FREQUENCIES, PAY), min_size=1, max_size=25),
)
def test_class_1_agrees_with_the_oracle(year, rows):
    letters, frequencies, pays = (list(x) for x in zip(*rows, strict=True))
    chunk = {
        "tax_code": "NT",
        "tax_period": 1,
        "ni_category": letters,
        "frequency": frequencies,
        "basic_pay": pays,
    }
    done = calculate(chunk, resolve_tables(PAY_DATES[year]))
    for i, (letter, frequency, pay) in enumerate(rows):
        for name, expected in oracle_gb.class_1(year, letter, frequency, pounds(pay)).items():
            assert pounds(done.columns[name][i]) == expected, (year, letter, frequency, pay, name)


@settings(max_examples=80, deadline=None)
@given(
    year=YEARS,
    rows=st.lists(
        st.tuples(st.sampled_from(["", "1", "2", "4", "5"]), st.booleans(), FREQUENCIES, PAY),
        min_size=1,
        max_size=25,
    ),
)
def test_loans_agree_with_the_oracle_one_plan_and_postgraduate_at_once(year, rows):
    rows = [(plan if plan in oracle_gb.LOANS[year] else "", *rest) for plan, *rest in rows]
    plans, postgraduate, frequencies, pays = (list(x) for x in zip(*rows, strict=True))
    chunk = {
        "tax_code": "NT", "tax_period": 1, "ni_category": "X", "frequency": frequencies, "basic_pay": pays,
        "student_loan_plan": plans, "has_postgraduate_loan": postgraduate,
    }  # fmt: skip
    done = calculate(chunk, resolve_tables(PAY_DATES[year]))
    for i, (plan, has_postgraduate, frequency, pay) in enumerate(rows):
        expected = oracle_gb.loan(year, plan, frequency, pounds(pay)) if plan else 0
        assert pounds(done.columns["student_loan"][i]) == expected
        expected = oracle_gb.loan(year, "PG", frequency, pounds(pay)) if has_postgraduate else 0
        assert pounds(done.columns["postgraduate_loan"][i]) == expected


@settings(max_examples=80, deadline=None)
@given(
    year=YEARS,
    rows=st.lists(
        st.tuples(
            st.sampled_from(["relief_at_source", "net_pay", "salary_sacrifice"]),
            st.integers(0, 4000).map(lambda x: x * 100),
            st.integers(0, 4000).map(lambda x: x * 100),
            FREQUENCIES,
            PAY,
        ),
        min_size=1,
        max_size=25,
    ),
)
def test_pension_agrees_with_the_oracle(year, rows):
    reliefs, employees, employers, frequencies, pays = (list(x) for x in zip(*rows, strict=True))
    chunk = {
        "tax_code": "NT", "tax_period": 1, "ni_category": "X", "frequency": frequencies, "basic_pay": pays,
        "pension_member": 1, "pension_relief": reliefs,
        "pension_employee_ppm": employees, "pension_employer_ppm": employers,
    }  # fmt: skip
    done = calculate(chunk, resolve_tables(PAY_DATES[year]))
    for i, (relief, employee, employer, frequency, pay) in enumerate(rows):
        fractions = Decimal(employee) / 1_000_000, Decimal(employer) / 1_000_000
        for name, expected in oracle_gb.pension(frequency, relief, *fractions, pounds(pay)).items():
            assert pounds(done.columns[name][i]) == expected, (relief, employee, frequency, pay, name)


@pytest.mark.parametrize("year", sorted(PAY_DATES))
def test_the_oracle_itself_gives_the_textbook_figures(year):
    assert oracle_gb.free_pay_of_period_1(1257, 52) == Decimal("241.92")
    assert oracle_gb.free_pay_of_period_1(1257, 12) == Decimal("1048.26")
    assert oracle_gb.threshold(oracle_gb.UEL, "four_weekly") == 3867
    assert oracle_gb.threshold(oracle_gb.ST, "biweekly") == 193
    assert oracle_gb.ni_rounding(Decimal("13.40584")) == Decimal("13.40")
    assert oracle_gb.class_1(year, "A", "monthly", Decimal(3000))["employee_nic"] == Decimal("156.16")
