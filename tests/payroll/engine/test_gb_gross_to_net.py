"""One payslip and many: properties of the calculation, rows refused, the trace and the words."""

import random
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.gb import tax_codes
from engineroom.payroll.engine.gb.gross_to_net import (
    ELEMENTS,
    STEPS,
    UNITS,
    calculate,
    resolve_tables,
)
from engineroom.payroll.engine.gb.inputs import NUMBERS
from engineroom.payroll.engine.gb.pay_periods import tax_period
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, BadChunk
from engineroom.payroll.engine.steps import trace

TABLES = resolve_tables(date(2026, 6, 26))
CODES = ["1257L", "S1257L", "C1257L", "K475", "SK475", "BR", "SD2", "CD0", "0T", "NT", "1257L M1", "SBR X"]


def payslip(**inputs):
    """Every figure of one payslip, in pence."""
    usual = {"tax_code": "1257L", "frequency": "monthly", "tax_period": 1, "ni_category": "A"}
    done = calculate(usual | inputs, TABLES)
    assert done.problems == []
    return {name: int(column[0]) for name, column in done.columns.items()}


def refusals(**inputs):
    usual = {"tax_code": "1257L", "frequency": "monthly", "tax_period": 1, "ni_category": "A"}
    return calculate(usual | inputs, TABLES)


def people(n, seed=1):
    """A chunk with everything mixed."""
    r = random.Random(seed)
    frequencies = r.choices(["weekly", "biweekly", "four_weekly", "monthly"], k=n)
    return {
        "tax_code": r.choices(CODES, k=n),
        "frequency": frequencies,
        "tax_period": [4 * r.randint(1, 3) for _ in range(n)],
        "week1_month1": r.choices([0, 1], k=n),
        "ni_category": r.choices("ABCDEFHIJKLMNSVXZ", k=n),
        "student_loan_plan": r.choices(["", "1", "2", "4", "5"], k=n),
        "has_postgraduate_loan": r.choices([0, 1], k=n),
        "pension_member": r.choices([0, 1], k=n),
        "pension_relief": r.choices(["relief_at_source", "net_pay", "salary_sacrifice"], k=n),
        "pension_employee_ppm": r.choices([0, 40_000, 50_000, 61_100], k=n),
        "pension_employer_ppm": r.choices([30_000, 50_000], k=n),
        "basic_pay": [r.randint(0, 900_000) for _ in range(n)],
        "overtime_pay": [r.randint(0, 50_000) for _ in range(n)],
        "holiday_pay": [r.randint(0, 50_000) for _ in range(n)],
        "payrolled_benefits": [r.choice([0, 10_000]) for _ in range(n)],
        "taxable_pay_to_date_before": [r.randint(0, 5_000_000) for _ in range(n)],
        "tax_to_date_before": [r.randint(0, 900_000) for _ in range(n)],
        "minutes_worked": [r.randint(0, 9_000) for _ in range(n)],
        "holiday_accrues": r.choices([0, 1], k=n),
    }


def test_gross_less_deductions_is_net_and_reductions_come_off_gross():
    done = calculate(people(500), TABLES)
    c = done.columns
    earned = sum(c[e.code] for e in ELEMENTS if e.kind == "earning")
    reduced = sum(c[e.code] for e in ELEMENTS if e.kind == "reduction")
    deducted = sum(c[e.code] for e in ELEMENTS if e.kind == "deduction")
    assert (c["gross"] == earned - reduced).all()
    assert (c["net_pay"] == c["gross"] - deducted).all()
    whole = c["employee_pension"] + c["pension_tax_relief"] + c["salary_sacrifice"]
    assert (whole == c["pension_contribution"]).all()


def test_a_column_of_people_gives_what_each_gets_alone():
    chunk = people(60)
    together = calculate(chunk, TABLES)
    for i in range(60):
        alone = calculate({name: [values[i]] for name, values in chunk.items()}, TABLES)
        where = np.flatnonzero(together.rows == i)
        assert len(where) == len(alone.rows)
        for name, column in alone.columns.items():
            assert column.tolist() == together.columns[name][where].tolist(), name


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(40)))
def test_the_order_of_people_does_not_matter(order):
    chunk = people(40, seed=7)
    straight = calculate(chunk, TABLES)
    shuffled = calculate({name: [values[i] for i in order] for name, values in chunk.items()}, TABLES)
    place = {row: k for k, row in enumerate(straight.rows.tolist())}
    for k, row in enumerate(shuffled.rows.tolist()):
        for name in straight.columns:
            assert shuffled.columns[name][k] == straight.columns[name][place[order[row]]]


@settings(max_examples=40, deadline=None)
@given(
    code=st.sampled_from(["1257L", "S1257L", "C999T", "45L", "0T", "S0T"]),
    months=st.lists(st.one_of(st.just(0), st.integers(2400, 2_000_000)), min_size=12, max_size=12),
    last=st.integers(2400, 2_000_000),
)
def test_however_a_years_pay_is_split_the_years_tax_is_the_same(code, months, last):
    """Cumulative tax depends on pay to date alone. Pay from 24.00 up keeps the half-of-pay limit out."""
    months[-1] = last
    pay_to_date = tax_to_date = 0
    for month, pay in enumerate(months, 1):
        figures = payslip(
            tax_code=code,
            tax_period=month,
            basic_pay=pay,
            taxable_pay_to_date_before=pay_to_date,
            tax_to_date_before=tax_to_date,
        )
        pay_to_date, tax_to_date = figures["taxable_pay_to_date"], figures["tax_to_date"]
    at_once = payslip(tax_code=code, tax_period=12, basic_pay=pay_to_date)
    assert tax_to_date == at_once["tax_liability"]


def test_nt_gives_back_all_tax_of_the_year_but_nothing_when_worked_alone():
    inputs = {"tax_code": "NT", "tax_period": 10, "basic_pay": 1_124_505, "tax_to_date_before": 3_843_460}
    assert payslip(**inputs)["paye"] == -3_843_460
    assert payslip(**inputs)["tax_to_date"] == 0
    assert payslip(**inputs, week1_month1=1)["paye"] == 0


def test_week_1_month_1_ignores_figures_to_date_and_never_refunds():
    figures = payslip(
        tax_period=6,
        week1_month1=1,
        basic_pay=300_000,
        taxable_pay_to_date_before=4_700_000,
        tax_to_date_before=900_000,
    )
    assert figures["paye"] == 39_020
    assert payslip(tax_code="1257L M1", basic_pay=0, tax_to_date_before=900_000)["paye"] == 0


@pytest.mark.parametrize(
    ("frequency", "period", "pay", "tax"),
    [("weekly", 53, 50_000, 5_160), ("biweekly", 54, 100_000, 10_320), ("four_weekly", 56, 200_000, 20_640)],
)
def test_the_extra_payday_of_a_year_is_taxed_on_its_own_period_alone(frequency, period, pay, tax):
    figures = payslip(
        frequency=frequency,
        tax_period=period,
        basic_pay=pay,
        taxable_pay_to_date_before=2_600_000,
        tax_to_date_before=278_400,
    )
    assert figures["paye"] == tax


def test_tax_never_takes_more_than_half_of_the_pay_whatever_the_code():
    assert payslip(tax_code="K1000", basic_pay=50_000)["paye"] == 25_000
    assert payslip(tax_code="K2000", basic_pay=100_001)["paye"] == 50_000
    late = payslip(
        tax_code="1257L", basic_pay=20_000, taxable_pay_to_date_before=5_000_000, tax_to_date_before=0
    )
    assert late["paye"] == 10_000
    with_car = payslip(tax_code="K2000", basic_pay=100_000, payrolled_benefits=50_000)
    assert with_car["regulatory_limit"] == 50_000


def test_what_the_limit_held_back_is_collected_in_the_next_period():
    first = payslip(tax_code="K1000", basic_pay=50_000)
    second = payslip(
        tax_code="K1000",
        tax_period=2,
        basic_pay=200_000,
        taxable_pay_to_date_before=first["taxable_pay_to_date"],
        tax_to_date_before=first["tax_to_date"],
    )
    assert second["tax_to_date"] == second["tax_liability"]


def test_the_three_ways_of_pension_relief_touch_different_pays():
    inputs = {
        "basic_pay": 300_000,
        "pension_member": 1,
        "pension_employee_ppm": 50_000,
        "pension_employer_ppm": 30_000,
    }
    at_source = payslip(**inputs, pension_relief="relief_at_source")
    net_pay = payslip(**inputs, pension_relief="net_pay")
    sacrifice = payslip(**inputs, pension_relief="salary_sacrifice")
    names = (
        "gross",
        "taxable_pay",
        "niable_pay",
        "employee_pension",
        "pension_tax_relief",
        "salary_sacrifice",
    )
    assert [at_source[n] for n in names] == [300_000, 300_000, 300_000, 9_920, 2_480, 0]
    assert [net_pay[n] for n in names] == [300_000, 287_600, 300_000, 12_400, 0, 0]
    assert [sacrifice[n] for n in names] == [287_600, 287_600, 287_600, 0, 0, 12_400]
    assert (
        at_source["employer_pension"] == net_pay["employer_pension"] == sacrifice["employer_pension"] == 7_440
    )
    assert sacrifice["net_pay"] > net_pay["net_pay"]


def test_holiday_accrues_on_time_and_pay_for_work_but_not_on_holiday_pay():
    inputs = {"basic_pay": 24_000, "overtime_pay": 1_000, "holiday_pay": 99_999, "minutes_worked": 40 * 60}
    figures = payslip(**inputs, holiday_accrues=1)
    assert figures["holiday_accrued_minutes"] == 290
    assert figures["holiday_accrued_pay"] == 3_018
    assert payslip(**inputs)["holiday_accrued_minutes"] == 0


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("basic_pay", -1, "-£0.01 is below zero"),
        ("basic_pay", 10**15, "more than"),
        ("basic_pay", 2**63 - 1, "more than"),
        ("basic_pay", 2**80, "more than"),
        ("overtime_pay", -(2**80), "below zero"),
        ("taxable_pay_to_date_before", MAX_PAY_PENCE + 1, "more than"),
        ("tax_code", "K0", "is not a tax code"),
        ("tax_code", "", "nothing is written"),
        ("ni_category", "Q", "is not a National Insurance category"),
        ("ni_category", "", "is not a National Insurance category"),
        ("ni_category", "AB", "is not a National Insurance category"),
        ("student_loan_plan", "3", "is not a loan plan"),
        ("student_loan_plan", "PG", "is not a loan plan"),
        ("frequency", "daily", "is not a pay frequency"),
        ("tax_period", 0, "is not a tax week or month"),
        ("tax_period", 13, "is not a tax period of someone paid monthly"),
        ("pension_relief", "magic", "is not a way of pension tax relief"),
        ("pension_employee_ppm", 1_000_001, "more than"),
        ("week1_month1", 2, "neither 0 nor 1"),
        ("minutes_worked", -1, "below zero"),
    ],
)
def test_a_row_that_cannot_be_calculated_is_named_and_has_no_number(field, value, says):
    good = {
        "tax_code": "1257L",
        "frequency": "monthly",
        "tax_period": 1,
        "ni_category": "A",
        "basic_pay": 100_000,
    }
    default = good.get(field, NUMBERS[field].default if field in NUMBERS else "")
    done = calculate(good | {field: [default, value, default]}, TABLES)
    assert done.rows.tolist() == [0, 2]
    assert {len(column) for column in done.columns.values()} == {2}
    assert {(p.row, p.field) for p in done.problems} == {(1, field)}
    assert says in done.problems[0].problem
    assert done.problems[0].remedy


def test_a_pension_member_without_a_way_of_relief_is_named_by_the_field_to_fill():
    done = refusals(pension_member=[0, 1])
    assert [(p.row, p.field) for p in done.problems] == [(1, "pension_relief")]


def test_every_problem_of_a_row_is_told_at_once():
    done = refusals(tax_code=["K0"], ni_category="Q", basic_pay=-1)
    assert [p.field for p in done.problems] == ["basic_pay", "ni_category", "tax_code"]
    assert len(done.rows) == 0


def test_pay_to_date_beyond_the_bound_is_refused_even_when_each_amount_is_inside_it():
    done = refusals(basic_pay=[MAX_PAY_PENCE], taxable_pay_to_date_before=1)
    assert [p.field for p in done.problems] == ["taxable_pay_to_date_before"]


def test_deductions_beyond_the_pay_are_a_problem_and_not_a_negative_payslip():
    done = refusals(
        tax_code=["D1", "1257L"],
        basic_pay=300_000,
        pension_member=1,
        pension_relief="relief_at_source",
        pension_employee_ppm=1_000_000,
        payrolled_benefits=[900_000, 0],
    )
    assert [(p.row, p.field) for p in done.problems] == [(0, "net_pay")]
    assert done.rows.tolist() == [1]


def test_a_plan_that_did_not_exist_yet_is_refused_in_that_year():
    chunk = {
        "tax_code": "1257L",
        "frequency": "weekly",
        "tax_period": 1,
        "ni_category": "A",
        "student_loan_plan": "5",
    }
    assert calculate(chunk, TABLES).problems == []
    assert [p.field for p in calculate(chunk, resolve_tables(date(2025, 6, 1))).problems] == [
        "student_loan_plan"
    ]


@pytest.mark.parametrize(
    ("chunk", "says"),
    [
        ({"tax_code": ["1257L"]}, "no column tax_period"),
        ({"tax_code": ["1257L"], "tax_period": [1]}, "no column frequency"),
        ({"tax_code": ["1257L", "BR"], "tax_period": [1]}, "different lengths"),
        ({"tax_code": ["1257L"], "salary": [1]}, "no input called salary"),
        ({"tax_code": ["1257L"], "tax_period": [1.5]}, "not whole numbers"),
        ({"tax_code": ["1257L"], "tax_period": np.array([1.0])}, "not whole numbers"),
        ({"tax_code": ["1257L"], "tax_period": ["1"]}, "not whole numbers"),
        ({"tax_code": [1257], "tax_period": [1], "frequency": "weekly", "ni_category": "A"}, "not text"),
    ],
)
def test_a_chunk_that_is_no_chunk_is_the_callers_mistake(chunk, says):
    with pytest.raises(BadChunk, match=says):
        calculate(chunk, TABLES)


def test_an_empty_chunk_has_no_payslips_and_no_problems():
    done = calculate({"tax_code": [], "frequency": [], "tax_period": [], "ni_category": []}, TABLES)
    assert done.problems == []
    assert {len(column) for column in done.columns.values()} == {0}


def test_every_column_is_int64_and_every_step_reads_what_stands_before_it():
    done = calculate(people(20), TABLES)
    assert {column.dtype for column in done.columns.values()} == {np.dtype(np.int64)}
    known = {*NUMBERS, *TABLES.inputs.choices, *tax_codes.COLUMNS}
    for step in STEPS:
        assert set(step.reads) <= known, step.name
        assert not set(step.writes) & known, step.name
        assert step.source
        known |= set(step.writes)
    assert known == set(done.columns)
    assert {e.code for e in ELEMENTS} <= known
    assert len({e.code for e in ELEMENTS}) == len(ELEMENTS)
    assert all(UNITS.get(e.code, "pence") == e.unit for e in ELEMENTS)


def test_the_inputs_are_left_as_they_were():
    pay = np.array([100_000, -5], dtype=np.int64)
    calculate(
        {
            "tax_code": ["1257L"] * 2,
            "frequency": "monthly",
            "tax_period": 1,
            "ni_category": "A",
            "basic_pay": pay,
        },
        TABLES,
    )
    assert pay.tolist() == [100_000, -5]


def test_the_trace_says_what_each_step_read_under_which_law_and_what_it_wrote():
    done = calculate(
        {
            "tax_code": "1257L",
            "frequency": "weekly",
            "tax_period": 2,
            "ni_category": "A",
            "basic_pay": 60_000,
        },
        TABLES,
    )
    lines = trace(0, done.columns, STEPS, TABLES.versions, UNITS)
    assert len(lines) == len(STEPS)
    free_pay = next(line for line in lines if line.startswith("Free pay"))
    assert "tax_code_number 1257" in free_pay
    assert "table income_tax from 2026-04-06 until 2027-04-05 (verified" in free_pay
    assert free_pay.endswith("wrote free_pay_of_one 241.92, free_pay 483.84")


@pytest.mark.parametrize(
    ("frequency", "day", "period"),
    [
        ("weekly", date(2026, 4, 6), 1),
        ("weekly", date(2027, 4, 5), 53),
        ("biweekly", date(2026, 4, 10), 2),
        ("biweekly", date(2026, 4, 20), 4),
        ("biweekly", date(2027, 4, 5), 54),
        ("four_weekly", date(2026, 5, 3), 4),
        ("four_weekly", date(2027, 4, 5), 56),
        ("monthly", date(2026, 5, 5), 1),
        ("monthly", date(2026, 5, 6), 2),
        ("quarterly", date(2026, 5, 6), 3),
        ("annual", date(2026, 5, 6), 12),
    ],
)
def test_a_payday_uses_the_tables_of_the_end_of_its_pay_period(frequency, day, period):
    assert tax_period(frequency, day) == period


def test_the_engine_loads_without_django():
    program = (
        "import sys; import engineroom.payroll.engine.gb.gross_to_net, engineroom.payroll.engine.verify; "
        "print('django' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]
