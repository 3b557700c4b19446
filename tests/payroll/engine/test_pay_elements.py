"""Pay elements are data: what counts for what is the table's to say, and the engine adds up as it says."""

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.kernel.tables import BadTable, load_table, parse_table
from engineroom.payroll.engine.elements import PayElements, all_elements
from engineroom.payroll.engine.gb import inputs
from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS, GbTables, calculate, resolve_tables

TABLES = resolve_tables(date(2026, 6, 26))
GB = load_table("engineroom.payroll.engine.gb", "pay_elements")
PERSON = {"tax_code": "1257L", "frequency": "monthly", "tax_period": 1, "ni_category": "A"}

FICTION = """
table: pay_elements
jurisdiction: zz
versions:
  - from: 2026-01-01
    until: 2026-12-31
    source: a fiction
    confidence: verified
    values:
      wage: {label: Wage, counts_for: [paid, taxable]}
      meals: {label: Meals, counts_for: [taxable]}
      counts_for: {value: {paid: in gross pay, taxable: in taxable pay}}
  - from: 2027-01-01
    source: a fiction
    confidence: verified
    values:
      salary: {label: Salary, counts_for: [paid, taxable]}
      wage: {label: Wages, counts_for: [paid]}
      counts_for: {value: {paid: in gross pay, taxable: in taxable pay}}
"""


def figures(**pay):
    done = calculate(PERSON | pay, TABLES)
    assert done.problems == []
    return {name: int(column[0]) for name, column in done.columns.items()}


def test_an_element_counts_for_what_the_table_says_and_for_nothing_else():
    expected = {  # paid, taxed, charged to National Insurance, pensionable, work
        "basic_pay": (1, 1, 1, 1, 1),
        "overtime_pay": (1, 1, 1, 1, 1),
        "commission_pay": (1, 1, 1, 1, 1),
        "holiday_pay": (1, 1, 1, 1, 0),
        "tips_pay": (1, 1, 0, 0, 0),
        "expenses_paid": (1, 0, 0, 0, 0),
        "payrolled_benefits": (0, 1, 0, 0, 0),
    }
    for code, counts in expected.items():
        found = figures(**{code: 10_000})
        names = ("pay_elements", "taxable_elements", "niable_elements", "pensionable_pay", "pay_for_work")
        assert [found[name] for name in names] == [10_000 * count for count in counts], code


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(inputs.PAY), st.integers(0, 400_000), min_size=1))
def test_totals_are_the_sums_of_the_elements_that_count(pay):
    found = figures(**pay)
    elements = PayElements.of(TABLES.versions["pay_elements"]).elements
    sums = {
        purpose: sum(pay.get(e.code, 0) for e in elements if purpose in e.counts_for)
        for purpose in ("paid", "taxable", "niable")
    }
    assert (found["gross"], found["taxable_pay"], found["niable_pay"]) == tuple(sums.values())
    assert found["net_pay"] == found["gross"] - found["paye"] - found["employee_nic"]


def test_expenses_reach_net_pay_whole_and_tips_are_taxed_but_bear_no_national_insurance():
    without, with_both = figures(basic_pay=300_000), figures(basic_pay=300_000, expenses_paid=4_567)
    assert with_both["net_pay"] - without["net_pay"] == 4_567
    tips = figures(basic_pay=300_000, tips_pay=10_000)
    assert tips["employee_nic"] == without["employee_nic"]
    assert tips["paye"] - without["paye"] == 2_000


def test_whoever_sacrifices_pay_sacrifices_what_is_taxed_and_charged():
    """A sacrifice is a share of pensionable pay, so that must be paid, taxed and charged in every version."""
    for version in GB.versions:
        elements = PayElements.of(version)
        pensionable = set(elements.counting("pensionable"))
        for purpose in ("paid", "taxable", "niable"):
            assert pensionable <= set(elements.counting(purpose))


def test_the_payslip_shows_elements_in_the_order_of_the_table():
    earnings = [e.code for e in ELEMENTS if e.kind == "earning"]
    table = PayElements.of(GB.versions[-1])
    assert earnings == [code for code in table.codes if code in table.counting("paid")]
    assert [e.code for e in ELEMENTS if e.code == "payrolled_benefits" and e.kind == "figure"]


def test_every_purpose_is_explained_and_totals_are_columns():
    elements = PayElements.of(GB.versions[-1])
    pay = {code: np.array([1, 2]) for code in elements.codes}
    for purpose, meaning in elements.meanings.items():
        assert len(meaning) > 10
        assert elements.total(purpose, pay).tolist() == [n * len(elements.counting(purpose)) for n in (1, 2)]
    assert elements.total("minimum_wage", {"overtime_pay": np.array([5])}).tolist() == [0]
    with pytest.raises(KeyError, match="no pay counts for 'magic'"):
        elements.total("magic", pay)


def test_premiums_count_neither_for_the_minimum_wage_nor_for_the_rate_of_overtime():
    elements = PayElements.of(GB.versions[-1])
    for code, purpose in product(("overtime_pay", "weekend_pay"), ("minimum_wage", "overtime")):
        assert code not in elements.counting(purpose)
    assert "overtime_pay" in elements.counting("average")


def test_elements_of_all_years_are_known_the_newest_labels_first():
    table = parse_table(FICTION)
    assert [(e.code, e.label, e.kind) for e in all_elements(table)] == [
        ("salary", "Salary", "earning"),
        ("wage", "Wages", "earning"),
        ("meals", "Meals", "figure"),
    ]
    assert PayElements.of(table.at(date(2026, 5, 1))).counting("taxable") == ("wage", "meals")
    assert PayElements.of(table.at(date(2027, 5, 1))).counting("taxable") == ("salary",)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("wage: {label: Wage, counts_for: [paid, lottery]}", "wage counts for lottery"),
        ("wage: {label: Wage}", "wage needs a label and counts_for"),
        ("wage: 12", "wage needs a label and counts_for"),
    ],
)
def test_a_table_with_an_element_that_makes_no_sense_is_refused(entry, says):
    bad = FICTION.replace("wage: {label: Wage, counts_for: [paid, taxable]}", entry)
    with pytest.raises(BadTable, match=says):
        PayElements.of(parse_table(bad).versions[0])


def test_an_element_that_the_year_does_not_know_is_an_error_of_its_row():
    version = TABLES.versions["pay_elements"]
    values = {name: value for name, value in version.values.items() if name != "tips_pay"}
    versions = {**TABLES.versions, "pay_elements": replace(version, values=values)}
    tables = GbTables(TABLES.pay_date, versions, TABLES.parameters)
    done = calculate(PERSON | {"basic_pay": [1, 2, 3], "tips_pay": [0, 5, 0]}, tables)
    assert [(p.row, p.field) for p in done.problems] == [(1, "tips_pay")]
    assert done.rows.tolist() == [0, 2]


def test_what_counts_for_what_is_part_of_the_hash_of_the_rules():
    version = TABLES.versions["pay_elements"]
    entry = {"label": "Holiday pay", "counts_for": ["paid"]}
    changed = replace(version, values={**version.values, "holiday_pay": entry})
    assert changed.hash != version.hash
    versions = {**TABLES.versions, "pay_elements": changed}
    assert GbTables(TABLES.pay_date, versions, TABLES.parameters).hash != TABLES.hash
