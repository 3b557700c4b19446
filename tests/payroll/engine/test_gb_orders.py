"""Attachment orders: one by one against the oracle, several of one person in turn, what may never happen."""

from datetime import date
from decimal import Decimal

import numpy as np
import oracle_gb_orders as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.gb import orders as gb_orders
from engineroom.payroll.engine.gb import single_orders
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, BadChunk

TABLES = resolve_tables(date(2026, 6, 26), gb_orders.TABLES)
DAYS = {"2025-26": date(2025, 6, 1), "2026-27": date(2026, 6, 1)}
PERSON = {"tax_code": "NT", "frequency": "monthly", "tax_period": 1, "ni_category": "X"}
KINDS = [*oracle.BEFORE_LOANS, "direct_earnings", "non_priority"]
FREQUENCIES = ["weekly", "biweekly", "four_weekly", "monthly", "quarterly"]


def pounds(pence):
    return Decimal(int(pence)) / 100


def order(kind, made_on=0, **stated):
    """One order as the engine takes it; for one person."""
    nothing = {
        "normal_deduction": 0, "protected_earnings": 0, "deduction_arrears": 0, "protected_arrears": 0,
        "balance": MAX_PAY_PENCE, "days": 30, "takes_fee": 0, "payslip": 0,
        "rate_table": "standard" if kind == "direct_earnings" else "",
        "nation": "england" if kind == "council_tax" else "",
    }  # fmt: skip
    return {**nothing, "kind": kind, "made_on": made_on, **stated}


def pay(*given_orders, net=200_000, **person):
    """Figures of one payslip whose net earnings are `net`, and what each order took."""
    done = calculate(PERSON | {"basic_pay": net} | person, TABLES, columns_of(given_orders))
    assert done.problems == []
    return {name: int(column[0]) for name, column in done.columns.items()}, {
        name: column.tolist() for name, column in done.orders.items()
    }


def columns_of(rows):
    names = rows[0] if rows else order("priority")
    return {name: [row[name] for row in rows] for name in names}


def refusals(*given_orders, **person):
    return calculate(PERSON | {"basic_pay": 200_000} | person, TABLES, columns_of(given_orders))


# one order on earnings that are known


NET = st.one_of(
    st.integers(0, 600_000),
    st.builds(
        lambda limit, span, by: max(limit * 100 * span + by, 0),
        st.sampled_from([11, 72, 75, 100, 160, 300, 430, 505, 520, 750, 900, 1500, 2020, 2240, 2500, 3750]),
        st.sampled_from([1, 2, 3, 4]),
        st.integers(-3, 3),
    ),
    st.integers(0, MAX_PAY_PENCE),
)


@pytest.mark.parametrize(
    ("worksheet", "more", "expected"),
    [
        (
            single_orders.DIRECT_EARNINGS,
            {"rate_table": "standard"},
            lambda n, f: oracle.dea(n, f, "standard"),
        ),
        (single_orders.DIRECT_EARNINGS, {"rate_table": "higher"}, lambda n, f: oracle.dea(n, f, "higher")),
        (single_orders.COUNCIL_TAX, {"nation": "england"}, oracle.ctaeo),
        (single_orders.EARNINGS_ARRESTMENT, {}, oracle.arrestment),
    ],
)
def test_the_tables_agree_with_the_oracle(worksheet, more, expected):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(NET, st.sampled_from(FREQUENCIES)), min_size=1, max_size=20))
    def agree(rows):
        nets, frequencies = (list(x) for x in zip(*rows, strict=True))
        done = worksheet.calculate(
            {"net_earnings": nets, "frequency": frequencies, **more}, worksheet.tables_at(DAYS["2026-27"])
        )
        assert done.problems == []
        for i, (net, frequency) in enumerate(rows):
            assert pounds(done.columns["deduction"][i]) == expected(pounds(net), frequency), (net, frequency)

    agree()


def test_a_council_tax_order_on_daily_earnings_is_the_daily_table_times_the_days():
    def daily(net, days):
        chunk = {"net_earnings": net, "frequency": "daily", "nation": "england", "days": days}
        sheet = single_orders.COUNCIL_TAX
        return int(sheet.calculate(chunk, sheet.tables_at(DAYS["2025-26"])).columns["deduction"][0])

    assert daily(50_00, 1) == 6_00  # 12% of 50
    assert daily(500_00, 10) == 60_00  # 10 days at 50.00
    assert daily(100_00, 1) == 26_24  # 17% of 72 and half of 28


# several orders of one person


@st.composite
def some_orders(draw):
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    kept, seen = [], {"council_tax": 0, "earnings_arrestment": 0}
    for kind in kinds:
        if kind in seen:
            seen[kind] += 1
            if seen[kind] > (2 if kind == "council_tax" else 1):
                continue
        kept.append(kind)
    money = st.integers(0, 150_000)
    return [
        order(
            kind,
            made_on=draw(st.integers(0, 5)),
            normal_deduction=draw(st.integers(0, 2_000) if kind == "current_maintenance" else money),
            protected_earnings=draw(st.one_of(st.just(0), money)),
            deduction_arrears=draw(st.one_of(st.just(0), money)),
            protected_arrears=draw(st.one_of(st.just(0), st.integers(0, 50_000))),
            balance=draw(st.one_of(st.just(MAX_PAY_PENCE), st.just(0), money)),
            rate_table=draw(st.sampled_from(["standard", "higher"])) if kind == "direct_earnings" else "",
            takes_fee=draw(st.integers(0, 1)),
        )
        for kind in kept
    ]


PEOPLE = st.lists(
    st.tuples(
        some_orders(), st.integers(0, 400_000), st.sampled_from(FREQUENCIES), st.sampled_from(["", "2"])
    ),
    min_size=1,
    max_size=8,
)


def in_pounds(given_order):
    money = (
        "normal_deduction", "protected_earnings", "deduction_arrears", "protected_arrears", "balance",
    )  # fmt: skip
    return {**given_order, **{name: pounds(given_order[name]) for name in money}}


@pytest.mark.behaviour("PAY-06", part="engine")
@settings(max_examples=50, deadline=None)
@given(PEOPLE)
def test_several_orders_agree_with_the_oracle_and_net_pay_is_never_below_zero(people):
    rows = [o | {"payslip": i} for i, (orders, *_) in enumerate(people) for o in orders]
    chunk = {
        **PERSON,
        "frequency": [frequency for _, _, frequency, _ in people],
        "basic_pay": [net for _, net, _, _ in people],
        "tax_period": [12 if f == "quarterly" else 4 for _, _, f, _ in people],
        "student_loan_plan": [plan for *_, plan in people],
        "has_postgraduate_loan": [int(bool(plan)) for *_, plan in people],
    }
    done = calculate(chunk, TABLES, columns_of(rows))
    assert done.problems == []
    c, result = done.columns, done.orders
    assert (c["net_pay"] >= 0).all()
    assert (c["net_pay"] + c["priority_orders"] + c["other_orders"] + c["order_fees"] + c["student_loan"]
            + c["postgraduate_loan"] == c["gross"]).all()  # fmt: skip
    for i, (orders, net, frequency, _) in enumerate(people):
        due = [pounds(c["student_loan_of_pay"][i]), pounds(c["postgraduate_loan_of_pay"][i])]
        expected = oracle.deal_with([in_pounds(o) for o in orders], pounds(net), due, frequency)
        mine = np.flatnonzero(result["payslip"] == i)
        assert [pounds(result["deduction"][k]) for k in mine] == expected["taken"], (orders, net, frequency)
        assert [pounds(c["student_loan"][i]), pounds(c["postgraduate_loan"][i])] == expected["loans"]
        fees = [o for o, k in zip(orders, mine, strict=True) if o["takes_fee"] and result["deduction"][k]]
        assert pounds(c["order_fees"][i]) == min(Decimal(len(fees)), expected["left"])


@settings(max_examples=30, deadline=None)
@given(some_orders(), st.integers(0, 400_000), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(orders, net, random):
    orders = [o | {"made_on": i} for i, o in enumerate(orders)]  # no two of one day
    _, straight = pay(*orders, net=net)
    order_of = random.sample(range(len(orders)), len(orders))
    _, shuffled = pay(*[orders[i] for i in order_of], net=net)
    assert [shuffled["deduction"][order_of.index(i)] for i in range(len(orders))] == straight["deduction"]


@pytest.mark.behaviour("PAY-06", part="engine")
def test_an_earlier_order_comes_first_and_the_later_one_meets_what_is_left():
    early = order("priority", 10, normal_deduction=80_000, protected_earnings=100_000)
    late = order("priority", 20, normal_deduction=80_000, protected_earnings=100_000)
    _, result = pay(late, early)
    assert result["deduction"] == [20_000, 80_000]
    assert result["earnings_met"] == [120_000, 200_000]


@pytest.mark.behaviour("PAY-06", part="engine")
def test_a_maintenance_order_carries_what_it_missed_and_a_civil_debt_does_not():
    stated = {"normal_deduction": 30_000, "protected_earnings": 190_000}
    _, result = pay(order("priority", **stated), order("non_priority", **stated))
    assert result["deduction"] == [10_000, 0]
    assert result["deduction_arrears"] == [20_000, 0]
    again = order("priority", **stated, deduction_arrears=result["deduction_arrears"][0])
    _, later = pay(again, net=300_000)
    assert later["deduction"] == [50_000]
    assert later["deduction_arrears"] == [0]


def test_earnings_that_fell_short_of_the_protected_ones_are_made_good_first():
    """Attachment of Earnings Act 1971 sch. 3 para. 6(2)(b)."""
    stated = {"normal_deduction": 30_000, "protected_earnings": 100_000}
    _, poor = pay(order("priority", **stated), net=80_000)
    assert (poor["deduction"], poor["protected_arrears"]) == ([0], [20_000])
    _, next_month = pay(
        order("priority", **stated, protected_arrears=20_000, deduction_arrears=30_000), net=125_000
    )
    assert next_month["deduction"] == [5_000]
    assert next_month["deduction_arrears"] == [55_000]
    assert next_month["protected_arrears"] == [0]


def test_a_dea_takes_its_share_of_all_net_earnings_but_leaves_60_per_cent_after_what_came_before():
    """The councils' worked example: of 1,620 a month 324 went before; 30% would be 486, 324 are left."""
    before = order("priority", normal_deduction=32_400)
    figures, result = pay(before, order("direct_earnings", rate_table="higher"), net=162_000)
    assert result["deduction"] == [32_400, 32_400]
    assert figures["net_pay"] == 97_200
    _, alone = pay(order("direct_earnings"), net=25_000, frequency="weekly")
    _, second = pay(
        order("child_maintenance", normal_deduction=6_000),
        order("direct_earnings"),
        net=25_000,
        frequency="weekly",
    )
    assert alone["deduction"] == [1_750]
    assert second["deduction"] == [6_000, 1_750]


def test_the_second_council_tax_order_is_worked_out_on_what_the_first_leaves():
    _, result = pay(order("council_tax", 1), order("council_tax", 2), net=200_000)
    assert result["deduction"] == [34_000, 28_220]  # 17% of 2,000; 17% of 1,660
    done = refusals(order("council_tax", 1), order("council_tax", 2), order("council_tax", 3))
    assert [(p.row, p.field) for p in done.problems] == [(0, "order 2, kind")]


def test_council_tax_and_scottish_orders_stop_student_loans_and_others_restrict_them():
    """HMRC CSLM18015 and CSLM18020."""
    loan = {"student_loan_plan": "2", "net": 300_000}
    assert pay(order("priority"), **loan)[0]["student_loan"] == 49_00
    for kind in ("council_tax", "earnings_arrestment", "current_maintenance"):
        assert pay(order(kind), **loan)[0]["student_loan"] == 0
        assert pay(order(kind, balance=0), **loan)[0]["student_loan"] == 49_00
    low = order("priority", normal_deduction=20_000, protected_earnings=276_050)
    assert pay(low, **loan)[0]["student_loan"] == 39_00  # 3,000.00 - 200.00 - 2,760.50, in whole pounds


def test_hmrcs_example_of_a_restricted_loan():
    """CSLM18025: 2,075 of pay, threshold 17,495, 903 attachable, 850 protected: 53, not 55."""
    sheet = single_orders.PROTECTED_LOAN
    chunk = {
        "frequency": "monthly", "niable_pay": 207_500, "annual_threshold": 17_495_00, "rate_ppm": 90_000,
        "net_earnings": 90_300, "protected_earnings": 85_000,
    }  # fmt: skip
    done = sheet.calculate(chunk, sheet.tables_at(DAYS["2026-27"]))
    assert [int(done.columns[name][0]) for name in ("loan_of_pay", "deduction")] == [55_00, 53_00]


def test_loans_never_take_more_than_tax_and_national_insurance_leave():
    """SI 2000/944 reg. 36(1): the repayment is what is left."""
    done = calculate(
        {
            "tax_code": "D1", "frequency": "monthly", "tax_period": 1, "ni_category": "A",
            "basic_pay": 300_000, "pension_member": 1, "pension_relief": "net_pay",
            "pension_employee_ppm": 1_000_000, "has_postgraduate_loan": 1, "student_loan_plan": "5",
            "payrolled_benefits": 900_000,
        },
        TABLES,
    )  # fmt: skip
    assert done.problems == []
    left = int(done.columns["pay_left"][0])
    assert int(done.columns["student_loan"][0]) == 82_00
    assert int(done.columns["postgraduate_loan"][0]) == (left - 82_00) // 100 * 100
    assert 0 <= int(done.columns["net_pay"][0]) < 100


def test_statutory_parental_pay_and_expenses_are_not_attached_but_loans_see_the_pay():
    figures, _ = pay(order("council_tax"), net=0, statutory_parental_pay=84_000, expenses_paid=50_000)
    assert (figures["net_earnings"], figures["priority_orders"], figures["net_pay"]) == (0, 0, 134_000)
    sick, _ = pay(order("council_tax"), net=0, statutory_sick_pay=84_000)
    assert sick["priority_orders"] == 5_880
    plan = calculate(PERSON | {"statutory_parental_pay": 300_000, "student_loan_plan": "2"}, TABLES)
    assert plan.columns["student_loan"].tolist() == [49_00]


def test_the_employers_pound_is_taken_for_each_deduction_while_anything_is_left():
    figures, result = pay(
        order("priority", 1, normal_deduction=99_850, takes_fee=1),
        order("priority", 2, normal_deduction=0, takes_fee=1),
        order("non_priority", 3, normal_deduction=50, takes_fee=1),
        net=100_000,
    )
    assert result["fee"] == [100, 0, 0]
    assert figures["net_pay"] == 0


@pytest.mark.behaviour("PAY-06", part="engine")
@settings(max_examples=25, deadline=None)
@given(some_orders(), st.integers(0, 300_000), st.integers(0, 50_000))
def test_more_gross_never_gives_less_net_but_at_the_published_cliffs(orders, net, more):
    """Tables that charge all earnings at the band's rate have cliffs; orders that state figures have none."""
    smooth = [o for o in orders if o["kind"] not in ("council_tax", "direct_earnings", "earnings_arrestment")]
    if smooth:
        assert pay(*smooth, net=net)[0]["net_pay"] <= pay(*smooth, net=net + more)[0]["net_pay"]


@pytest.mark.parametrize(
    ("bad", "field", "says"),
    [
        ({"kind": "parking"}, "kind", "is not a kind of attachment order"),
        ({"kind": "council_tax", "nation": "wales"}, "nation", "(Wales) Regulations 2022"),
        ({"kind": "council_tax", "nation": ""}, "nation", "depends on the council's nation"),
        ({"kind": "council_tax", "nation": "france"}, "nation", "is not a nation"),
        ({"kind": "direct_earnings", "rate_table": ""}, "rate_table", "standard or the higher"),
        ({"kind": "current_maintenance", "days": 0}, "days", "an amount a day"),
        ({"normal_deduction": -1}, "normal_deduction", "below zero"),
        ({"protected_earnings": 10**15}, "protected_earnings", "more than"),
        ({"takes_fee": 2}, "takes_fee", "neither 0 nor 1"),
        ({"made_on": -5}, "made_on", "is not a number of days"),
    ],
)
def test_a_person_with_an_order_that_cannot_be_read_is_not_paid_as_if_there_were_none(bad, field, says):
    good = order("priority", normal_deduction=1_000)
    wrong = {**order(bad.get("kind", "priority")), **bad, "payslip": 1}
    done = calculate({**PERSON, "basic_pay": [200_000] * 3}, TABLES, columns_of([good, wrong]))
    assert done.rows.tolist() == [0, 2]
    assert [(p.row, p.field) for p in done.problems] == [(1, f"order 1, {field}")]
    assert says in done.problems[0].problem
    assert done.orders["order"].tolist() == [0]


def test_a_second_earnings_arrestment_is_refused_by_name():
    done = refusals(order("earnings_arrestment", 1), order("earnings_arrestment", 2))
    assert "conjoined" in done.problems[0].remedy


def test_orders_need_their_tables_and_payslips_that_are_there():
    with pytest.raises(BadChunk, match="orders need the tables"):
        calculate(PERSON, resolve_tables(date(2026, 6, 26)), columns_of([order("priority")]))
    for nobody in (1, -1):
        with pytest.raises(BadChunk, match=f"payslip {nobody} of 1"):
            calculate(PERSON, TABLES, columns_of([order("priority", payslip=nobody)]))
    with pytest.raises(BadChunk, match="no input called colour"):
        calculate(PERSON, TABLES, {"colour": [1]})


def test_no_orders_at_all_is_a_payslip_like_any_other():
    done = calculate(PERSON | {"basic_pay": 200_000}, TABLES, columns_of([]))
    assert done.columns["net_pay"].tolist() == [200_000]
    assert {len(column) for column in done.orders.values()} == {0}
