"""A hundred thousand random people of each year, every figure of gross to net against the slow oracle.

The engine works on them as columns in one go; the oracle one at a time, which is where the time goes. Every
run draws other people; a failure says the seed that draws them again.
"""

import secrets
from datetime import date
from decimal import Decimal

import numpy as np
import oracle_gb
import pytest
from random_people_gb import people

from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

PEOPLE = 100_000
PAY_DATES = {"2025-26": date(2025, 6, 1), "2026-27": date(2026, 6, 1)}


def expected(year, p):
    """Everything the oracle says of one person, pence. p: the person's inputs, amounts in pence."""
    pay, frequency = Decimal(p["basic_pay"]) / 100, p["frequency"]
    pension = {"pension_contribution": 0, "employee_pension": 0, "salary_sacrifice": 0, "employer_pension": 0}
    if p["pension_member"]:
        shares = (Decimal(p[f"pension_{who}_ppm"]) / 1_000_000 for who in ("employee", "employer"))
        pension = oracle_gb.pension(frequency, p["pension_relief"], *shares, pay)
    gross = pay - pension["salary_sacrifice"]
    taxable = gross - (pension["employee_pension"] if p["pension_relief"] == "net_pay" else 0)
    tax = oracle_gb.paye(
        year, p["tax_code"], frequency, p["tax_period"], bool(p["week1_month1"]), taxable,
        taxable + Decimal(p["taxable_pay_to_date_before"]) / 100, Decimal(p["tax_to_date_before"]) / 100,
    )  # fmt: skip
    ni = oracle_gb.class_1(year, p["ni_category"], frequency, gross)
    left = gross - tax - ni["employee_nic"] - pension["employee_pension"]
    plan = p["student_loan_plan"]
    student = oracle_gb.loan(year, plan, frequency, gross) if plan else Decimal(0)
    postgraduate = oracle_gb.loan(year, "PG", frequency, gross) if p["has_postgraduate_loan"] else Decimal(0)
    room = max(oracle_gb.down(left, oracle_gb.POUND), Decimal(0))  # loans take what is left at most
    return {
        "gross": gross, "paye": tax, "employee_nic": ni["employee_nic"], "employer_nic": ni["employer_nic"],
        "employee_pension": pension["employee_pension"], "employer_pension": pension["employer_pension"],
        "student_loan": min(student, room), "postgraduate_loan": min(postgraduate, room - min(student, room)),
        "net_pay": left - min(student + postgraduate, room),
    }  # fmt: skip


@pytest.mark.slow  # ten microseconds a figure in Decimal, two million figures; the only test of this size
@pytest.mark.parametrize("year", sorted(PAY_DATES))
def test_a_hundred_thousand_people_agree_with_the_oracle_to_the_penny(year):
    seed = secrets.randbits(32)
    chunk = people(seed, year, PEOPLE)
    done = calculate(chunk, resolve_tables(PAY_DATES[year]))
    given = {name: values if isinstance(values, list) else values.tolist() for name, values in chunk.items()}
    wanted = [expected(year, dict(zip(given, row, strict=True))) for row in zip(*given.values(), strict=True)]
    below_zero = [i for i, figures in enumerate(wanted) if figures["net_pay"] < 0]
    assert [p.row for p in done.problems] == below_zero
    for name in wanted[0]:
        pence = np.array([int(figures[name] * 100) for figures in wanted], dtype=np.int64)[done.rows]
        wrong = np.flatnonzero(done.columns[name] != pence)
        first = {key: given[key][done.rows[wrong[0]]] for key in given} if len(wrong) else None
        assert first is None, (year, seed, name, first)
