"""Net to gross is exact to the penny by the real steps, or it is said that no gross is."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables
from engineroom.payroll.engine.gb.net_to_gross import net_to_gross
from engineroom.payroll.engine.gross_up import WINDOW_PENCE, gross_up
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, BadChunk

TABLES = {year: resolve_tables(date(year, 6, 26)) for year in (2025, 2026)}
USUAL = {"tax_code": "1257L", "frequency": "monthly", "tax_period": 1, "ni_category": "A"}


@st.composite
def persons(draw):
    pence = st.integers(0, 900_000)
    return {
        "tax_code": draw(st.sampled_from(["1257L", "S1257L", "K475", "BR", "D1", "0T", "NT", "1257L M1"])),
        "frequency": draw(st.sampled_from(["weekly", "monthly"])),
        "tax_period": draw(st.integers(1, 12)),
        "ni_category": draw(st.sampled_from("ABCHJMXZ")),
        "student_loan_plan": draw(st.sampled_from(["", "1", "2", "4"])),
        "has_postgraduate_loan": draw(st.integers(0, 1)),
        "pension_member": draw(st.integers(0, 1)),
        "pension_relief": draw(st.sampled_from(["relief_at_source", "net_pay", "salary_sacrifice"])),
        "pension_employee_ppm": draw(st.sampled_from([50_000, 33_333, 80_000])),
        "overtime_pay": draw(st.one_of(st.just(0), pence)),
        "taxable_pay_to_date_before": draw(st.one_of(st.just(0), pence)),
        "tax_to_date_before": draw(st.one_of(st.just(0), st.integers(0, 100_000))),
    }


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def net_of(person, gross, tables):
    """Net pay of many amounts of basic pay of one person."""
    done = calculate(person | {"basic_pay": gross}, tables)
    assert done.problems == []
    return done.columns["net_pay"]


@settings(max_examples=60, deadline=None)
@given(
    year=st.sampled_from([2025, 2026]),
    people=st.lists(st.tuples(persons(), st.integers(0, 1_500_000)), min_size=1, max_size=6),
)
def test_the_gross_that_is_found_leaves_exactly_the_wanted_net_and_is_the_least(year, people):
    tables = TABLES[year]
    wanted = [int(net_of(person, np.array([gross]), tables)[0]) for person, gross in people]
    found = net_to_gross(columns_of([person for person, _ in people]), wanted, tables)
    assert found.problems == [] and found.rows.tolist() == list(range(len(people)))
    for (person, gross), net, got in zip(people, wanted, found.gross.tolist(), strict=True):
        assert got <= gross
        below = np.arange(max(got - 500, 0), got + 1)
        nets = net_of(person, below, tables)
        assert nets[-1] == net
        assert (nets[:-1] != net).all(), "a smaller gross leaves the same"


@settings(max_examples=25, deadline=None)
@given(person=persons(), wanted=st.lists(st.integers(0, 700_000), min_size=40, max_size=40))
def test_every_net_pay_above_that_of_no_pay_has_a_gross(person, wanted):
    """Deductions never fall as pay rises, so net pay passes over no amount on its way up from nothing."""
    found = net_to_gross(columns_of([person] * len(wanted)), wanted, TABLES[2026])
    least = int(net_of(person, np.array([0]), TABLES[2026])[0])
    for problem in found.problems:
        assert wanted[problem.row] < least, problem
    assert {i for i, net in enumerate(wanted) if net >= least} <= set(found.rows.tolist())
    nets = net_of(person, found.gross, TABLES[2026]).tolist()
    assert nets == [wanted[row] for row in found.rows.tolist()]


def test_a_bonus_is_grossed_up_beside_the_pay_that_is_there():
    alone = calculate(USUAL | {"basic_pay": 300_000}, TABLES[2026]).columns["net_pay"][0]
    found = net_to_gross(
        USUAL | {"basic_pay": [300_000]}, [int(alone) + 50_000], TABLES[2026], element="bonus_pay"
    )
    both = calculate(USUAL | {"basic_pay": 300_000, "bonus_pay": found.gross}, TABLES[2026])
    assert both.columns["net_pay"][0] - alone == 50_000
    assert found.gross[0] == 69_456  # less 139.00 tax and 55.56 National Insurance


def test_nothing_less_than_a_refund_can_be_paid():
    found = net_to_gross(USUAL | {"tax_to_date_before": [90_000, 0]}, [89_000, 0], TABLES[2026])
    (problem,) = found.problems
    assert (problem.row, problem.field) == (0, "wanted_net")
    assert problem.problem == "even nothing of it leaves 900.00"
    assert (found.rows.tolist(), found.gross.tolist()) == ([1], [0])


def test_more_than_anyone_can_have_is_not_found():
    found = net_to_gross(USUAL | {"week1_month1": [0]}, [MAX_PAY_PENCE - 1], TABLES[2026])
    assert found.problems[0].problem.startswith("no amount leaves as much as 999,999,999.99")


@pytest.mark.parametrize(("wanted", "says"), [(-1, "below zero"), (10**15, "more than one person can have")])
def test_a_net_that_makes_no_sense_is_an_error_of_its_row(wanted, says):
    found = net_to_gross(USUAL | {"week1_month1": [0, 0]}, [100, wanted], TABLES[2026])
    assert [(p.row, p.field) for p in found.problems] == [(1, "wanted_net")]
    assert says in found.problems[0].problem
    assert found.rows.tolist() == [0]


def test_bad_input_beside_the_net_is_an_error_of_its_row():
    found = net_to_gross(USUAL | {"tax_code": ["1257L", "K0"]}, [100_000, 100_000], TABLES[2026])
    assert [(p.row, p.field) for p in found.problems] == [(1, "tax_code")]
    assert found.rows.tolist() == [0]


@pytest.mark.parametrize(
    ("chunk", "element"),
    [(USUAL, "salary"), (USUAL | {"basic_pay": [1]}, "basic_pay"), (USUAL, "payrolled_benefits")],
)
def test_what_is_to_be_found_is_a_pay_element_that_is_not_given(chunk, element):
    with pytest.raises(BadChunk, match="is to be found"):
        net_to_gross(chunk, [100], TABLES[2026], element=element)


# --- where net pay jumps: a made-up country -----------------------------------------------------------


def with_a_jump(gross, rows):
    """A tenth is deducted, and ten more below 1,000.00: at the threshold net pay jumps by 10.00."""
    return gross - gross // 10 - np.where(gross < 100_000, 1_000, 0)


def test_a_net_that_pay_jumps_over_is_said_to_have_no_gross_with_the_next_one_up():
    wanted = np.array([89_001, 89_500, 90_000, 50_000], dtype=np.int64)
    found = gross_up(with_a_jump, wanted, 10**9)
    assert found.exact.tolist() == [0, 0, 1, 1]
    assert (found.gross[:3].tolist(), found.net[:3].tolist()) == ([100_000] * 3, [90_000] * 3)
    assert with_a_jump(found.gross[3:], None).tolist() == [50_000]


@settings(max_examples=60, deadline=None)
@given(
    threshold=st.integers(0, 60_000),
    drop=st.integers(0, WINDOW_PENCE // 4),
    rate=st.integers(0, 90),
    wanted=st.integers(0, 60_000),
)
def test_with_any_one_jump_the_answer_is_that_of_trying_every_penny(threshold, drop, rate, wanted):
    def net(gross, rows=None):
        return gross - gross * rate // 100 - np.where(gross < threshold, drop, 0)

    nets = net(np.arange(700_000))
    exactly = np.flatnonzero(nets == wanted)
    found = gross_up(net, np.array([wanted], dtype=np.int64), 10**7)
    assert bool(found.exact[0]) == bool(len(exactly))
    if len(exactly):
        assert net(found.gross)[0] == wanted
    else:
        assert found.net[0] == min(nets[nets > wanted])
