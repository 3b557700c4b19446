"""What each changed input did: the parts add up to the change, whatever changed, element by element."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine import variance
from engineroom.payroll.engine.gb import gross_to_net as gb
from engineroom.payroll.engine.steps import Calculation
from engineroom.payroll.engine.variance import LAW, UNEXPLAINED, Side

DAYS = (date(2026, 3, 27), date(2026, 11, 20), date(2026, 11, 27))
GROUPS = {
    "basic_pay": ("basic_pay",),
    "overtime_pay": ("overtime_pay",),
    "minutes_worked": ("minutes_worked",),
    "pension": ("pension_member", "pension_relief", "pension_employee_ppm", "pension_employer_ppm"),
    "tax_code": ("tax_code", "week1_month1"),
    "ni_category": ("ni_category",),
    "loan": ("student_loan_plan",),
    "so_far": ("tax_period", "taxable_pay_to_date_before", "tax_to_date_before"),
    "rest": ("frequency", "holiday_accrues"),
}
people = st.fixed_dictionaries(
    {
        "basic_pay": st.integers(0, 200_000),
        "overtime_pay": st.integers(0, 50_000),
        "minutes_worked": st.integers(0, 4_000),
        "tax_code": st.sampled_from(["1257L", "BR", "0T", "K200", "S1257L"]),
        "week1_month1": st.sampled_from([0, 1]),
        "ni_category": st.sampled_from(["A", "C", "M"]),
        "student_loan_plan": st.sampled_from(["", "1", "2"]),
        "pension": st.sampled_from(
            [(0, "", 0, 0), (1, "net_pay", 50_000, 30_000), (1, "salary_sacrifice", 80_000, 0)]
        ),
        "tax_period": st.integers(1, 52),
        "taxable_pay_to_date_before": st.integers(0, 3_000_000),
        "tax_to_date_before": st.integers(0, 500_000),
    }
)


def side(rows: list[dict[str, Any]], day: date) -> tuple[Side, Any]:
    names = [name for name in rows[0] if name != "pension"]
    inputs: dict[str, Any] = {"frequency": "weekly", "holiday_accrues": 1}
    for name in names:
        values = [row[name] for row in rows]
        inputs[name] = values if isinstance(values[0], str) else np.array(values, dtype=np.int64)
    for i, name in enumerate(GROUPS["pension"]):
        values = [row["pension"][i] for row in rows]
        inputs[name] = values if name == "pension_relief" else np.array(values, dtype=np.int64)
    tables = gb.resolve_tables(day)
    done = gb.calculate(inputs, tables)
    assert len(done.rows) == len(rows)
    figures = {e.code: done.columns[e.code] for e in gb.ELEMENTS}
    return Side(inputs, lambda columns: gb.calculate(columns, tables), figures), done


@pytest.mark.behaviour("PAY-10", part="variance in words, from the inputs")
@settings(max_examples=40)
@given(
    st.lists(st.tuples(people, people), min_size=1, max_size=3), st.sampled_from(DAYS), st.sampled_from(DAYS)
)
def test_the_parts_add_up_to_the_change_exactly(
    pairs: list[tuple[dict[str, Any], dict[str, Any]]], was: date, is_: date
) -> None:
    before, _ = side([a for a, _ in pairs], was)
    now, _ = side([b for _, b in pairs], is_)
    parts = variance.explain(before, now, GROUPS, len(pairs))
    for code in (e.code for e in gb.ELEMENTS):
        sums = np.zeros(len(pairs), dtype=np.int64)
        for part in parts:
            sums[list(part.rows)] += part.moved[code]
        assert (sums == now.figures[code] - before.figures[code]).all(), code
    assert all(UNEXPLAINED not in part.keys for part in parts), "the engine explains what it calculated"


@given(people)
def test_only_what_changed_is_a_part(one: dict[str, Any]) -> None:
    before, _ = side([one], DAYS[1])
    now, _ = side([one | {"overtime_pay": one["overtime_pay"] + 5_000}], DAYS[1])
    (part,) = variance.explain(before, now, GROUPS, 1)
    assert part.keys == ("overtime_pay",) and part.moved["overtime_pay"].tolist() == [5_000]


def test_what_no_input_explains_is_said_with_its_amount() -> None:
    """A payslip that another engine calculated: its difference is a part, and nobody guesses at it."""
    inputs = {"pay": np.array([100, 200], dtype=np.int64)}

    def double(columns: Any) -> Calculation:
        return Calculation({"net": columns["pay"] * 2}, np.arange(2, dtype=np.int64), [])

    before = Side(inputs, double, {"net": np.array([200, 399], dtype=np.int64)})
    now = Side(
        {"pay": np.array([150, 200], dtype=np.int64)}, double, {"net": np.array([300, 400], dtype=np.int64)}
    )
    parts = variance.explain(before, now, {"pay": ("pay",)}, 2)
    told = [(part.keys, part.rows, part.moved["net"].tolist()) for part in parts]
    assert told == [((UNEXPLAINED,), (1,), [1]), (("pay",), (0,), [100])]


def test_what_can_only_be_calculated_together_is_one_part() -> None:
    """Half-way between two payslips a row may be impossible: its steps are told together, not dropped."""

    def calculate(columns: Any) -> Calculation:
        there = np.flatnonzero(columns["scheme"] >= columns["rate"])
        return Calculation({"net": (columns["scheme"] + columns["rate"])[there]}, there, [])

    one, two = np.array([1], dtype=np.int64), np.array([2], dtype=np.int64)
    before = Side({"rate": one, "scheme": one}, calculate, {"net": np.array([2], dtype=np.int64)})
    now = Side({"rate": two, "scheme": two}, calculate, {"net": np.array([4], dtype=np.int64)})
    (part,) = variance.explain(before, now, {"rate": ("rate",), "scheme": ("scheme",)}, 1)
    assert part.keys == ("rate", "scheme") and part.moved["net"].tolist() == [2]
    assert LAW not in part.keys
