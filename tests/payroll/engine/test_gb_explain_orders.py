"""Orders are explained by sums that add up, and what is known only from memory says so."""

import re
from datetime import date
from decimal import ROUND_HALF_DOWN, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from test_gb_explain import LINE, exactly, number, worked_out
from test_gb_orders import FREQUENCIES, MAX_PAY_PENCE, PERSON, columns_of, order, some_orders

from engineroom.payroll.engine.gb import orders as gb_orders
from engineroom.payroll.engine.gb.explain_orders import HALF_DOWN, explain_orders
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

TABLES = resolve_tables(date(2026, 6, 26), gb_orders.TABLES)


def worth(text, rounding):
    """As in test_gb_explain, and this rounding of their own."""
    if rounding != HALF_DOWN:
        return worked_out(text, rounding)
    value = exactly(text)
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.01"), ROUND_HALF_DOWN)


def explained(given_orders, net, frequency="monthly", **person):
    period = {"monthly": 1, "quarterly": 3}.get(frequency, 4)
    chunk = PERSON | {"basic_pay": net, "frequency": frequency, "tax_period": period} | person
    done = calculate(chunk, TABLES, columns_of(given_orders))
    assert done.problems == []
    return done, explain_orders(0, done, TABLES)


@settings(max_examples=80, deadline=None)
@given(some_orders(), st.integers(0, 400_000), st.sampled_from(FREQUENCIES), st.sampled_from(["", "2"]))
def test_every_line_of_every_order_adds_up_and_each_deduction_is_said(orders, net, frequency, plan):
    done, lines = explained(orders, net, frequency, student_loan_plan=plan)
    for line in lines:
        if line.expression:
            printed = LINE.fullmatch(str(line))
            assert printed, str(line)
            assert worth(printed["sum"], printed["rounding"]) == number(printed["figure"]), str(line)
    said = [line.figure for line in lines if line.about.endswith(": deducted")]
    assert sorted(said) == sorted(done.orders["deduction"].tolist())
    carried = [line.figure for line in lines if line.about.endswith("next payday")]
    assert sorted(carried) == sorted(a for a in done.orders["deduction_arrears"].tolist() if a)


def test_a_restricted_dea_says_what_kept_it_back():
    _, lines = explained(
        [order("priority", 1, normal_deduction=32_400), order("direct_earnings", 2, rate_table="higher")],
        162_000,
    )
    text = "\n".join(map(str, lines))
    assert "Order 2, Direct Earnings Attachment: asked for 486.00 = 30% of 1,620.00" in text
    assert "Order 2, Direct Earnings Attachment: protected 972.00 = 60% of 1,620.00, up to a penny" in text
    assert "deducted 324.00 = 324.00; above what is protected (SI 2013/384 reg. 20)" in text
    assert "[direct_earnings_attachment from 2025-04-06, unverified: rounding]" in text
    assert "[direct_earnings_attachment from 2025-04-06, unverified: protected]" in text


def test_what_is_from_memory_is_marked_where_it_was_used_and_nowhere_else():
    _, lines = explained(
        [
            order("child_maintenance", 1, normal_deduction=1_000, takes_fee=1),
            order("non_priority", 2, normal_deduction=1_000, balance=MAX_PAY_PENCE),
        ],
        100_000,
    )
    marked = {line.about: line.unverified for line in lines if line.unverified}
    assert marked == {
        "Order 1, Child maintenance: protected": ("child_maintenance_protected",),
        "Order 1, Child maintenance: the employer's charge": ("fee_pence",),
    }
    assert not any(re.search("unverified", str(line)) for line in lines if "Order 2" in line.about)
