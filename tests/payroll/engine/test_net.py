"""From net pay to what is handed over: never below zero, with its protected part left, pennies carried."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.net import (
    ALL_OF_IT,
    MAX_PENCE,
    Debt,
    Deduction,
    guard_net,
    recover,
    whole_coins,
)

PENCE = st.one_of(st.integers(0, 500_000), st.just(0), st.integers(0, 10**10))


def column(*values):
    return np.array(values, dtype=np.int64)


def guarded_by_hand(pay, deductions):
    """The slow second opinion: pounds, one person, one deduction after the other."""
    left, taken = Decimal(pay) / 100, []
    for due, may_wait in deductions:
        amount = Decimal(due) / 100
        if may_wait and amount > max(left, 0):
            amount = max(left, Decimal(0))
        left -= amount
        taken.append(amount)
        if left < 0 and not may_wait:
            return None
    return left, taken


DEDUCTIONS = st.lists(
    st.tuples(st.one_of(PENCE, st.integers(-50_000, 0)), st.booleans()), min_size=1, max_size=5
)


@pytest.mark.behaviour("PAY-06", part="engine")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(PENCE, DEDUCTIONS), min_size=1, max_size=6))
def test_net_is_never_below_zero_and_what_could_not_be_taken_is_carried(people):
    for pay, deductions in people:
        names = [f"d{i}" for i in range(len(deductions))]
        given_ = [
            Deduction(name, column(due), wait) for name, (due, wait) in zip(names, deductions, strict=True)
        ]
        done, expected = guard_net(column(pay), given_), guarded_by_hand(pay, deductions)
        assert done.net[0] >= 0
        if expected is None:
            assert [p.row for p in done.problems] == [0] and done.net[0] == 0
            continue
        assert done.problems == []
        assert Decimal(int(done.net[0])) / 100 == expected[0]
        assert [Decimal(int(done.taken[n][0])) / 100 for n in names] == expected[1]
        for name, (due, may_wait) in zip(names, deductions, strict=True):
            assert done.taken[name][0] + done.waiting[name][0] == due
            assert may_wait or done.waiting[name][0] == 0
        assert pay == done.net[0] + sum(int(done.taken[n][0]) for n in names)


def test_a_deduction_that_may_not_wait_and_is_more_than_the_pay_is_an_error_of_its_row_alone():
    tax = Deduction("paye", column(20_000, 1_000, 5_000))
    union = Deduction("union_dues", column(500, 500, 500), may_wait=True)
    done = guard_net(column(10_000, 1_200, 9_000), [tax, union])
    (problem,) = done.problems
    assert (problem.row, problem.field) == (0, "paye")
    assert "200.00 is to be taken, 100.00 is left" in problem.problem
    assert done.net.tolist() == [0, 0, 3_500]
    assert done.taken["union_dues"].tolist() == [0, 200, 500]
    assert done.waiting["union_dues"].tolist() == [0, 300, 0]


def recovered_by_hand(net, debts, protected):
    net, taken = Decimal(net), []
    for owed, instalment in debts:
        take = max(min(Decimal(owed), Decimal(instalment), net - protected), Decimal(0))
        net -= take
        taken.append(take)
    return net, taken


@pytest.mark.behaviour("PAY-06", part="engine")
@settings(max_examples=200, deadline=None)
@given(
    net=PENCE,
    debts=st.lists(st.tuples(PENCE, st.one_of(PENCE, st.just(ALL_OF_IT))), min_size=1, max_size=4),
    protected=PENCE,
)
def test_debts_are_paid_back_in_order_and_leave_the_protected_net(net, debts, protected):
    names = [f"d{i}" for i in range(len(debts))]
    rows = [Debt(n, column(owed), column(most)) for n, (owed, most) in zip(names, debts, strict=True)]
    done = recover(column(net), rows, column(protected))
    expected, taken = recovered_by_hand(net, debts, protected)
    assert done.net[0] == expected and [done.taken[n][0] for n in names] == taken
    assert done.net[0] >= min(net, protected)
    for name, (owed, _) in zip(names, debts, strict=True):
        assert done.taken[name][0] + done.owed[name][0] == owed


def test_an_advance_is_paid_back_payday_by_payday_until_nothing_is_owed():
    """600.00 in advance, 250.00 a month at most, and never less than 900.00 left in hand."""
    owed, paid_back = column(60_000), []
    for net in (150_000, 100_000, 80_000, 150_000):
        done = recover(column(net), [Debt("advance", owed, column(25_000))], column(90_000))
        owed = done.owed["advance"]
        paid_back.append(int(done.taken["advance"][0]))
    assert paid_back == [25_000, 10_000, 0, 25_000]
    assert owed.tolist() == [0]


@settings(max_examples=200, deadline=None)
@given(
    nets=st.lists(PENCE, min_size=1, max_size=13),
    unit=st.sampled_from([1, 5, 10, 100, 500, 1_000]),
    leaves=st.booleans(),
)
def test_whatever_is_carried_is_paid_in_the_end_to_the_penny(nets, unit, leaves):
    carry, paid = column(0), 0
    for number, net in enumerate(nets, 1):
        last = leaves and number == len(nets)
        done = whole_coins(column(net), carry, column(unit), column(last))
        assert last or done.paid[0] % unit == 0
        assert 0 <= done.carry[0] < unit
        carry, paid = done.carry, paid + int(done.paid[0])
    assert paid + carry[0] == sum(nets)
    assert not leaves or carry[0] == 0


def test_net_pay_in_whole_pounds_carries_the_pence():
    first = whole_coins(column(123_456), column(0), column(100), column(0))
    second = whole_coins(column(100_050), first.carry, column(100), column(0))
    assert (first.paid[0], first.carry[0]) == (123_400, 56)
    assert (second.paid[0], second.carry[0]) == (100_100, 6)


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"net": -1}, "net"),
        ({"net": MAX_PENCE + 1}, "net"),
        ({"carry": -5}, "carry_before"),
        ({"unit": 0}, "unit"),
        ({"unit": 10_001}, "unit"),
        ({"last": 2}, "last_payday"),
    ],
)
def test_coins_refuse_what_makes_no_sense_row_by_row(inputs, field):
    bad = {"net": 100, "carry": 0, "unit": 1, "last": 0} | inputs
    two = [column(usual, bad[name]) for name, usual in (("net", 777), ("carry", 0), ("unit", 1), ("last", 0))]
    done = whole_coins(*two)
    assert [(p.row, p.field) for p in done.problems] == [(1, field)]
    assert done.problems[0].remedy
    assert (done.paid.tolist(), done.carry.tolist()) == ([777, 0], [0, 0])


@pytest.mark.parametrize(
    ("net", "owed", "instalment", "protected", "field"),
    [
        (-1, 5, 5, 0, "net"),
        (9, -5, 5, 0, "advance"),
        (9, 5, -5, 0, "advance"),
        (9, 5, 5, -1, "protected_net"),
    ],
)
def test_recovery_refuses_what_is_below_zero_row_by_row(net, owed, instalment, protected, field):
    debts = [Debt("advance", column(50, owed), column(20, instalment))]
    done = recover(column(100, net), debts, column(0, protected))
    assert [(p.row, p.field) for p in done.problems] == [(1, field)]
    assert (done.net.tolist(), done.taken["advance"].tolist()) == ([80, 0], [20, 0])


def test_a_deduction_beyond_what_one_person_can_have_is_refused():
    done = guard_net(column(9, 9), [Deduction("union_dues", column(1, 10**15), may_wait=True)])
    assert [(p.row, p.field) for p in done.problems] == [(1, "union_dues")]
    assert (done.net.tolist(), done.waiting["union_dues"].tolist()) == ([8, 0], [0, 0])


def test_pay_below_zero_is_refused():
    done = guard_net(column(-1, 5), [Deduction("union_dues", column(1, 1), may_wait=True)])
    assert [(p.row, p.field) for p in done.problems] == [(0, "pay")]
    assert done.net.tolist() == [0, 4]
