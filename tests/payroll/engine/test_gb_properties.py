"""What must hold for every payslip, whatever the law's numbers are."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_people_gb import people

from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

TABLES = {"2025-26": resolve_tables(date(2025, 6, 1)), "2026-27": resolve_tables(date(2026, 6, 1))}
YEARS = st.sampled_from(sorted(TABLES))
SEEDS = st.integers(0, 2**32 - 1)

ROUNDING_PENCE = 20_00
"""Raises are at least this. Tax is cut to whole pounds of pay and each loan to a whole pound, so a raise of a
penny may cost up to 2.48; nothing else in the tables steps downwards."""


@settings(max_examples=15, deadline=None)
@given(year=YEARS, seed=SEEDS, raise_pence=st.integers(ROUNDING_PENCE, 500_000))
def test_more_gross_never_gives_less_net_beyond_what_whole_pounds_explain(year, seed, raise_pence):
    chunk = people(seed, year, 400)
    less, more = (
        calculate(chunk | {"basic_pay": chunk["basic_pay"] + extra}, TABLES[year])
        for extra in (0, raise_pence)
    )
    both = np.intersect1d(less.rows, more.rows)
    assert len(both) > 380
    net = [done.columns["net_pay"][np.searchsorted(done.rows, both)] for done in (less, more)]
    assert (net[1] >= net[0]).all()


@settings(max_examples=15, deadline=None)
@given(year=YEARS, seed=SEEDS)
def test_every_penny_deducted_too_much_before_is_given_back_on_a_cumulative_code(year, seed):
    """Pay to date and its tax are the same; only what was deducted before differs."""
    chunk = people(seed, year, 400) | {"week1_month1": 0}
    chunk["tax_period"] = np.minimum(chunk["tax_period"], 12)
    too_much = np.random.default_rng(seed).integers(0, 500_000, 400)
    before = chunk["tax_to_date_before"] + 10_000_000  # so much that no limit on deductions comes near
    base = calculate(chunk | {"tax_to_date_before": before}, TABLES[year])
    over = calculate(chunk | {"tax_to_date_before": before + too_much}, TABLES[year])
    assert base.problems == over.problems == []
    assert (base.columns["paye"] - over.columns["paye"] == too_much).all()
    assert (over.columns["tax_to_date"] == base.columns["tax_to_date"]).all()


@settings(max_examples=10, deadline=None)
@given(year=YEARS, seed=SEEDS)
def test_the_order_of_rows_is_irrelevant(year, seed):
    chunk = people(seed, year, 300)
    order = np.random.default_rng(seed).permutation(300)
    straight = calculate(chunk, TABLES[year])
    mixed = {name: np.asarray(values)[order].tolist() for name, values in chunk.items()}
    shuffled = calculate(mixed, TABLES[year])
    back = np.argsort(order[shuffled.rows])
    assert order[shuffled.rows][back].tolist() == straight.rows.tolist()
    for name, column in straight.columns.items():
        assert (shuffled.columns[name][back] == column).all(), name


@settings(max_examples=15, deadline=None)
@given(
    year=YEARS,
    code=st.sampled_from(["1257L", "S1257L", "C999T", "K100", "SK100", "BR", "SD1", "0T"]),
    weeks=st.lists(st.integers(10_000, 300_000), min_size=52, max_size=52),
)
def test_a_year_of_weeks_is_taxed_as_the_year_whatever_the_split(year, code, weeks):
    """Pay of each week is large enough that the half-of-pay limit plays no part at the end."""
    to_date = paid = 0
    last = {}
    for week, pay in enumerate(weeks, 1):
        done = calculate(
            {
                "tax_code": code, "frequency": "weekly", "tax_period": week, "ni_category": "X",
                "basic_pay": pay, "taxable_pay_to_date_before": to_date, "tax_to_date_before": paid,
            },
            TABLES[year],
        )  # fmt: skip
        last = {name: int(column[0]) for name, column in done.columns.items()}
        to_date, paid = last["taxable_pay_to_date"], last["tax_to_date"]
    at_once = calculate(
        {
            "tax_code": code,
            "frequency": "weekly",
            "tax_period": 52,
            "ni_category": "X",
            "basic_pay": sum(weeks),
        },
        TABLES[year],
    )
    if last["paye"] < last["regulatory_limit"]:
        assert paid == at_once.columns["tax_liability"][0]


@pytest.mark.parametrize("year", sorted(TABLES))
def test_the_raise_that_costs_most_is_two_whole_pounds_of_loans_and_one_of_taxed_pay(year):
    """Why the raises above start where they do: a penny that completes three pounds."""
    pay = np.arange(250_000, 400_000, dtype=np.int64)
    chunk = {
        "tax_code": "1257L", "frequency": "monthly", "tax_period": 1, "ni_category": "A", "basic_pay": pay,
        "student_loan_plan": "1", "has_postgraduate_loan": 1,
    }  # fmt: skip
    net = calculate(chunk, TABLES[year]).columns["net_pay"]
    assert -248 <= (net[1:] - net[:-1]).min() < 0
