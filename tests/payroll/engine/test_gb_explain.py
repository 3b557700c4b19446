"""What `payroll explain` prints can be added up by whoever reads it: here from the printed text alone."""

import re
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.gb import orders as gb_orders
from engineroom.payroll.engine.gb.explain import explain, explanation
from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS, calculate, resolve_tables

YEARS = {"2025-26": date(2025, 6, 26), "2026-27": date(2026, 6, 26)}
TABLES = {year: resolve_tables(day) for year, day in YEARS.items()}

LINE = re.compile(
    r"(?P<about>.*?) (?P<figure>-?[\d,]+(?:\.\d\d| minutes)) = (?P<sum>.*?)"
    r"(?:, (?P<rounding>[a-z][^;(\[]*?))?(?:; (?P<note>.*?))?"
    r"(?: \((?P<rule>[^()]*)\))?(?: \[(?P<law>[^\]]*)\])?"
)
TOKEN = re.compile(r"(?P<rate>[\d.]+)% of|(?P<number>[\d,]*\d(?:\.\d+)?)|(?P<sign>[-+/()]|\bx\b)")


def exactly(text):
    """The value of a sum as printed; words between the figures say what they are and do not count."""
    parts = []
    for token in TOKEN.finditer(text):
        if token["rate"]:
            parts.append(f"Fraction('{token['rate']}') / 100 *")
        elif token["number"]:
            parts.append(f"Fraction('{token['number'].replace(',', '')}')")
        else:
            parts.append("*" if token["sign"] == "x" else token["sign"])
    return Fraction(eval(" ".join(parts), {"Fraction": Fraction}))


def quantized(value, unit, rounding):
    sign = -1 if value < 0 else 1
    if rounding == ROUND_HALF_UP:
        return sign * Decimal(int(abs(value) / Fraction(unit) + Fraction(1, 2))) * Decimal(unit)
    whole = value / Fraction(unit)
    below = whole.numerator // whole.denominator
    up = rounding == ROUND_CEILING and below != whole
    return Decimal(below + up) * Decimal(unit)


def ni_rounded(value):
    tenths = quantized(value, "0.001", ROUND_FLOOR)
    pennies = quantized(Fraction(tenths), "0.01", ROUND_FLOOR)
    return pennies + Decimal("0.01") if tenths - pennies >= Decimal("0.006") else pennies


ROUNDINGS = {
    None: lambda value: Decimal(value.numerator) / Decimal(value.denominator),
    "to the nearest penny": lambda value: quantized(value, "0.01", ROUND_HALF_UP),
    "cut to a penny": lambda value: quantized(value, "0.01", ROUND_FLOOR),
    "up to a penny": lambda value: quantized(value, "0.01", ROUND_CEILING),
    "down to a pound": lambda value: quantized(value, "1", ROUND_FLOOR),
    "to the nearest minute": lambda value: quantized(value, "1", ROUND_HALF_UP),
}
EACH = "each cut to tenths of a penny and from 6 up to a penny"


def worked_out(text, rounding):
    if rounding == EACH:
        return sum(ni_rounded(exactly(part)) for part in text.split(" + "))
    return ROUNDINGS[rounding](exactly(text))


def number(text):
    return Decimal(text.replace(",", "").removesuffix(" minutes"))


CODES = [
    "1257L",
    "S1257L",
    "C1100T",
    "45L",
    "K475",
    "SK1475",
    "BR",
    "D0",
    "SD2",
    "0T",
    "S0T",
    "NT",
    "1257L M1",
]


@st.composite
def persons(draw):
    frequency = draw(st.sampled_from(["weekly", "biweekly", "four_weekly", "monthly"]))
    last, span = {"weekly": (53, 1), "biweekly": (54, 2), "four_weekly": (56, 4), "monthly": (12, 1)}[
        frequency
    ]
    pence = st.one_of(st.integers(0, 900_000), st.integers(0, 10_000_000))
    return {
        "tax_code": draw(st.sampled_from(CODES)),
        "frequency": frequency,
        "tax_period": draw(st.integers(1, last // span)) * span,
        "week1_month1": draw(st.integers(0, 1)),
        "ni_category": draw(st.sampled_from("ABCDEFHIJKLMNSVXZ")),
        "student_loan_plan": draw(st.sampled_from(["", "1", "2", "4"])),
        "has_postgraduate_loan": draw(st.integers(0, 1)),
        "pension_member": draw(st.integers(0, 1)),
        "pension_relief": draw(st.sampled_from(["relief_at_source", "net_pay", "salary_sacrifice"])),
        "pension_employee_ppm": draw(st.integers(0, 100_000)),
        "pension_employer_ppm": draw(st.sampled_from([30_000, 61_234])),
        "basic_pay": draw(pence),
        "overtime_pay": draw(st.one_of(st.just(0), pence)),
        "holiday_pay": draw(st.one_of(st.just(0), st.integers(0, 50_000))),
        "tips_pay": draw(st.one_of(st.just(0), st.integers(0, 50_000))),
        "expenses_paid": draw(st.one_of(st.just(0), st.integers(0, 50_000))),
        "payrolled_benefits": draw(st.one_of(st.just(0), st.integers(0, 50_000))),
        "taxable_pay_to_date_before": draw(st.one_of(st.just(0), pence)),
        "tax_to_date_before": draw(st.integers(0, 2_000_000)),
        "minutes_worked": draw(st.integers(0, 10_000)),
        "holiday_accrues": draw(st.integers(0, 1)),
    }


def known_amounts(person, tables):
    """Amounts that came in or stand in a table, in pence."""
    parameters = tables.parameters
    known = {value for value in person.values() if isinstance(value, int)} | {0}
    tax, ni = parameters["income_tax"], parameters["ni_class1"]
    loan, pension = parameters["student_loan"], parameters["pension_auto_enrolment"]
    known |= set(tax.block.tolist())
    for array in (
        *(ni.primary_threshold, ni.upper_earnings_limit, ni.employer_from),
        *(loan.threshold, loan.postgraduate_threshold, pension.qualifying_lower, pension.qualifying_upper),
    ):
        known |= set(np.ravel(array).tolist())
    return known


@settings(max_examples=250, deadline=None)
@given(year=st.sampled_from(sorted(YEARS)), person=persons())
def test_the_numbers_of_every_line_add_up_to_its_figure_and_the_last_line_to_net_pay(year, person):
    done = calculate(person, TABLES[year])
    if done.problems:
        assert {problem.field for problem in done.problems} == {"net_pay"}
        return
    known = known_amounts(person, TABLES[year])
    figures = []
    for line in explain(0, done.columns, TABLES[year]):
        if line.figure is None:
            continue
        printed = LINE.fullmatch(str(line))
        assert printed, str(line)
        assert worked_out(printed["sum"], printed["rounding"]) == number(printed["figure"]), str(line)
        for amount in re.findall(r"[\d,]+\.\d\d(?!\d|%)", printed["sum"]):
            assert int(number(amount) * 100) in known, f"{amount} comes from nowhere: {line}"
        known.add(abs(line.figure))
        figures.append(line.figure)
    assert figures[-1] == done.columns["net_pay"][0]


@settings(max_examples=80, deadline=None)
@given(year=st.sampled_from(sorted(YEARS)), person=persons())
def test_every_figure_of_the_payslip_that_is_not_nought_is_the_figure_of_a_line(year, person):
    done = calculate(person, TABLES[year])
    if done.problems:
        return
    explained = {line.figure for line in explain(0, done.columns, TABLES[year]) if line.figure is not None}
    for element in ELEMENTS:
        if element.kind in ("reduction", "deduction", "employer", "accrual", "total"):
            amount = int(done.columns[element.code][0])
            assert amount in explained or amount == 0, element.code


def lines_of(year="2026-27", **inputs):
    usual = {"tax_code": "1257L", "frequency": "monthly", "tax_period": 1, "ni_category": "A"}
    done = calculate(usual | inputs, TABLES[year])
    assert done.problems == []
    return explanation(0, done.columns, TABLES[year])


def test_free_pay_is_explained_as_the_routines_make_it():
    lines = lines_of(basic_pay=300_000)
    law = "(PAYE routines, period 1) [income_tax from 2026-04-06]"
    rest = "1257L month 1: 257 of the code's 1257 is worth 214.92 = (10 x 257 + 9) / 12, up to a penny"
    assert f"{rest} {law}" in lines
    assert f"1257L month 1: free pay 1,048.26 = 2 x 416.67 + 214.92 {law}" in lines
    assert f"1257L month 1: tax due 390.20 = 20% of 1,951.00, cut to a penny {law}" in lines
    later = "\n".join(lines_of(basic_pay=300_000, tax_period=3, taxable_pay_to_date_before=600_000))
    assert "free pay to month 3 3,144.78 = 3 x 1,048.26 (PAYE routines, period 3)" in later


def test_a_whole_payslip_is_explained_from_gross_to_net():
    member = {"pension_member": 1, "pension_employee_ppm": 50_000, "pension_employer_ppm": 30_000}
    relief = {"pension_relief": "relief_at_source", "student_loan_plan": "2"}
    text = "\n".join(lines_of(basic_pay=300_000, **member, **relief))
    for words in (
        "Qualifying earnings 2,480.00 = 3,000.00 - 520.00 lower limit",
        "Pension contribution 124.00 = 5% of 2,480.00, to the nearest penny",
        "Pension deducted after relief at source 99.20 = 80% of 5% of 2,480.00, to the nearest penny",
        "Tax relief that the provider reclaims 24.80 = 124.00 - 99.20",
        "1257L month 1: in whole pounds 1,951.00 = 1,951.74, down to a pound",
        "National Insurance category A 156.16 = 8% of 1,952.00",
        "Student loan plan 2: pay above the threshold 551.25 = 3,000.00 - 2,448.75 threshold",
        "Net pay 2,305.44 = 3,000.00 gross pay - 390.20 Income tax - 156.16 National Insurance",
    ):
        assert words in text, words


def test_the_tables_that_were_used_stand_at_the_end_with_source_and_confidence():
    lines = lines_of(basic_pay=300_000)
    laws = [line for line in lines if line.startswith("Under ")]
    assert lines[-len(laws) :] == laws
    assert [law.split()[1] for law in laws] == ["pay_elements", "income_tax", "ni_class1"]
    assert "from 2026-04-06 until 2027-04-05: HMRC, Specification for PAYE tax table routines v24" in laws[1]


def test_a_value_known_only_from_memory_says_so_on_the_line_that_uses_it():
    member = {"pension_member": 1, "pension_employee_ppm": 50_000, "pension_employer_ppm": 30_000}
    at_source = lines_of(basic_pay=300_000, pension_relief="relief_at_source", **member)
    (deducted,) = [line for line in at_source if line.startswith("Pension deducted")]
    assert deducted.endswith("[pension_auto_enrolment from 2026-04-06, unverified: relief_at_source]")
    assert not any(
        "unverified" in line for line in lines_of(basic_pay=300_000) if not line.startswith("Under")
    )
    assert any("unverified: tips_pay" in line for line in lines_of(basic_pay=1, tips_pay=5))
    quarterly = lines_of(basic_pay=900_000, frequency="quarterly", tax_period=3)
    assert sum("unverified: other_frequencies" in line for line in quarterly) >= 6


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"tax_code": "NT"}, "NT month 1: tax due 0.00 = 0.00; NT is not taxed"),
        ({"tax_code": "BR"}, "BR month 1: tax due 600.00 = 20% of 3,000.00, cut to a penny"),
        ({"tax_code": "0T"}, "0T month 1: free pay 0.00 = 0.00; the code is 0T"),
        ({"tax_code": "K475"}, "K475 month 1: additional pay 396.59 = (10 x 475 + 9) / 12, up to a penny"),
        ({"tax_code": "1257L M1"}, "worked on this period alone; week 1/month 1 (PAYE70015)"),
        (
            {"frequency": "weekly", "tax_period": 53},
            "1257L week 53: worked on this period alone; every week beyond 52 is",
        ),
        (
            {"tax_to_date_before": 90_000},
            "Income tax deducted -509.80 = 390.20 due - 900.00 already deducted; a refund",
        ),
        (
            {"tax_code": "K2000", "basic_pay": 100_000, "payrolled_benefits": 50_000},
            "Income tax deducted 500.00 = 50% of (1,500.00 - 500.00 benefits in kind), cut to a penny; the",
        ),
        ({"ni_category": "X"}, "National Insurance category X 0.00 = 0.00; none is due"),
        (
            {"basic_pay": 500_000},
            "National Insurance category A 267.50 = 8% of 3,141.00 + 2% of 811.00, each cut to tenths",
        ),
        (
            {"student_loan_plan": "2"},
            "Student loan plan 2 49.00 = 9% of 551.25, down to a pound (CSLM17000)",
        ),
        ({"expenses_paid": 1_000}, "Taxable pay 3,000.00 = 3,010.00 gross pay - 10.00 pay that is not taxed"),
    ],
)
def test_lines_say_what_was_done(inputs, says):
    text = "\n".join(lines_of(**({"basic_pay": 300_000} | inputs)))
    assert says in text, text


def test_the_reader_of_the_test_notices_a_wrong_figure():
    assert worked_out("2 x 416.67 + 214.92", None) == Decimal("1048.26")
    assert worked_out("8% of 3,141.00 + 2% of 811.00", EACH) == Decimal("267.50")
    assert worked_out("80% of 5% of 2,480.01", "to the nearest penny") == Decimal("99.20")
    assert worked_out("3,000.00 gross pay - 390.21 income tax", None) != Decimal("2609.80")


@st.composite
def directors(draw):
    """A director at some time of the year, who may be charged less, more or differently than before."""
    pence = st.integers(0, 9_000_000)
    return draw(persons()) | {
        "director_method": draw(st.sampled_from(["annual", "alternative"])),
        "director_weeks": draw(st.integers(1, 52)),
        "director_final_payment": draw(st.integers(0, 1)),
        "niable_pay_to_date_before": draw(pence),
        "employee_nic_to_date_before": draw(st.integers(0, 500_000)),
        "employer_nic_to_date_before": draw(st.integers(0, 900_000)),
    }


ORDERS = {
    "payslip": 0, "kind": ["priority", "council_tax", "direct_earnings"], "made_on": [1, 2, 3],
    "normal_deduction": [30_000, 0, 0], "protected_earnings": [90_000, 0, 0], "takes_fee": 1,
    "rate_table": ["", "", "higher"], "nation": ["", "england", ""],
}  # fmt: skip
WITH_ORDERS = {year: resolve_tables(day, gb_orders.TABLES) for year, day in YEARS.items()}


def adds_up(person, tables, orders=None):
    """As above, for whoever has orders too: those are figures of their own, which the net line takes off."""
    done = calculate(person, tables, orders)
    if done.problems:
        assert {problem.field for problem in done.problems} == {"net_pay"}
        return
    known = known_amounts(person, tables) | {90_000}
    for line in explain(0, done.columns, tables):
        printed = LINE.fullmatch(str(line)) if line.expression else None
        if printed:
            assert worked_out(printed["sum"], printed["rounding"]) == number(printed["figure"]), str(line)
            for amount in re.findall(r"[\d,]+\.\d\d(?!\d|%)", printed["sum"]):
                assert int(number(amount) * 100) in known, f"{amount} comes from nowhere: {line}"
        known.add(abs(line.figure or 0))
    assert line.figure == done.columns["net_pay"][0]


@settings(max_examples=80, deadline=None)
@given(year=st.sampled_from(sorted(YEARS)), person=directors())
def test_a_directors_payslip_adds_up_too(year, person):
    adds_up(person, TABLES[year])


@settings(max_examples=50, deadline=None)
@given(year=st.sampled_from(sorted(YEARS)), person=persons(), orders=st.lists(st.integers(0, 2), unique=True))
def test_a_payslip_with_attachment_orders_adds_up_and_says_why_a_loan_is_less(year, person, orders):
    chosen = {
        name: [values[i] for i in orders] if isinstance(values, list) else values
        for name, values in ORDERS.items()
    }
    adds_up(person, WITH_ORDERS[year], chosen if orders else None)


def test_a_director_and_a_restricted_loan_say_what_was_done():
    text = "\n".join(
        lines_of(
            basic_pay=500_000,
            niable_pay_to_date_before=1_000_000,
            employer_nic_to_date_before=75_000,
            director_method="annual",
        )
    )
    assert "Director's pay of the year to date 15,000.00 = 10,000.00 before + 5,000.00 now" in text
    assert "National Insurance category A: of the year 194.40 = 8% of 2,430.00" in text
    assert "Employer's National Insurance 750.00 = 1,500.00 of the year - 750.00 charged before" in text
    person = {"tax_code": "NT", "frequency": "monthly", "tax_period": 1, "ni_category": "X"}
    order = {
        "payslip": 0,
        "kind": ["priority"],
        "made_on": 0,
        "normal_deduction": 20_000,
        "protected_earnings": 276_050,
    }
    pay = person | {"basic_pay": 300_000, "student_loan_plan": "2"}
    done = calculate(pay, WITH_ORDERS["2026-27"], order)
    said = "\n".join(explanation(0, done.columns, WITH_ORDERS["2026-27"]))
    assert "Left for loans 39.00 = 3,000.00 net earnings - 2,760.50 protected earnings - 200.00" in said
    assert "Student loan plan 2 39.00 = 39.00 left for loans; no more is left" in said
