"""Cases as nobody published them: rows of every kind, their figures from the oracles, put through verify.

Published cases show a few codes, frequencies and categories; a row that comes later may have any of them, and
leave out what KINDS.md lets it leave out.
"""

import csv
import json
import random
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import oracle_gb
import oracle_gb_orders
import oracle_gb_statutory
import pytest
import random_people_gb

from engineroom.payroll.engine.cases import COLUMNS
from engineroom.payroll.engine.gb.kinds import KINDS
from engineroom.payroll.engine.verify import verify_file

YEARS = ("2025-26", "2026-27")
ROWS_OF_A_KIND = 200
FREQUENCIES = tuple(oracle_gb.SPAN)
LETTERS = "ABCDEFHIJKLMNSVZX"
EDGES = (0, 12_500, 24_200, 54_200, 96_700, 104_800, 418_900, 217_208, 224_166, 43_000, 224_000, 30_000)


def pounds(pence):
    return f"{Decimal(pence) / 100:.2f}"


def amount(r, most=900_000):
    """Pence, often beside a threshold."""
    near = r.choice(EDGES) + r.randrange(-150, 151)
    return max(near, 0) if r.random() < 0.4 else r.randrange(most)


def in_pounds(figures):
    return {name: f"{value:.2f}" for name, value in figures.items()}


def tax_period(r, frequency, last):
    span = oracle_gb.SPAN[frequency]
    return r.randrange(span, last + 1, span)


def paye(r, year):
    frequency = r.choice(FREQUENCIES)
    code = random_people_gb.codes(np.random.default_rng(r.randrange(2**32)), 1)[0]
    period = tax_period(r, frequency, random_people_gb.LAST[frequency])
    alone, pay = r.random() < 0.3, amount(r)
    to_date, paid = pay + r.randrange(3_000_000), r.choice([0, r.randrange(600_000)])
    tax = oracle_gb.paye(
        year, code, frequency, period, alone, *(Decimal(x) / 100 for x in (pay, to_date, paid))
    )
    inputs = {
        "basis": "week1_month1" if alone else "cumulative", "pay": pounds(pay), "tax_code": code,
        "tax_paid_before": pounds(paid), "taxable_pay_to_date": pounds(to_date),
    }  # fmt: skip
    if frequency in ("biweekly", "four_weekly") and r.random() < 0.5:
        inputs["tax_week"] = period
        period //= oracle_gb.SPAN[frequency]  # then it is the number of the run
    figures = {"tax_this_period": tax, "tax_to_date": Decimal(paid) / 100 + tax}
    return (
        frequency,
        "" if alone and period <= 52 and r.random() < 0.3 else period,
        inputs,
        in_pounds(figures),
    )


def ni_class1(r, year):
    frequency, letter, pay = r.choice(FREQUENCIES), r.choice(LETTERS), amount(r)
    figures = oracle_gb.class_1(year, letter, frequency, Decimal(pay) / 100)
    return frequency, "", {"category": letter, "niable_pay": pounds(pay)}, in_pounds(figures)


def ni_director(r, year):
    """By the alternative method, evenly paid and not the last payment: what anybody is charged."""
    frequency, letter, pay = r.choice(("weekly", "monthly")), r.choice("AMCJ"), amount(r) + 1
    number = r.randrange(1, 12)
    one = oracle_gb.class_1(year, letter, frequency, Decimal(pay) / 100)
    before = {f"{who}_nic_ytd_before": (number - 1) * one[f"{who}_nic"] for who in ("employee", "employer")}
    inputs = {
        "category": letter, "method": "alternative", "pay": pounds(pay), "is_final_period": False,
        "pay_ytd_including": pounds(number * pay), "weeks_in_prorata_period": 52, **in_pounds(before),
    }  # fmt: skip
    figures = {name: value for name, value in one.items() if "nic" in name}
    figures |= {f"{name}_ytd": number * value for name, value in one.items()}
    return frequency, number, inputs, in_pounds(figures)


def student_loan(r, year):
    frequency, plan, pay = r.choice(FREQUENCIES), r.choice(sorted(oracle_gb.LOANS[year])), amount(r)
    deduction = oracle_gb.loan(year, plan, frequency, Decimal(pay) / 100)
    return frequency, 1, {"plan": plan, "niable_pay": pounds(pay)}, in_pounds({"deduction": deduction})


def student_loan_protected_earnings(r, year):
    frequency, pay, left, protected = (
        r.choice(("weekly", "monthly")),
        amount(r),
        amount(r),
        amount(r, 200_000),
    )
    plan = r.choice(("1", "2"))
    loan = oracle_gb.loan(year, plan, frequency, Decimal(pay) / 100)
    room = Decimal(max(left - protected, 0) // 100)
    inputs = {
        "annual_threshold": f"{oracle_gb.LOANS[year][plan]}.00", "rate": "0.09", "niable_pay": pounds(pay),
        "attachable_after_priority_orders": pounds(left), "protected_earnings": pounds(protected),
    }  # fmt: skip
    return frequency, "", inputs, in_pounds({"deduction": min(loan, room)})


def pension_of(r, frequency, pay):
    relief, employee, employer = (
        r.choice(random_people_gb.RELIEFS[1:].tolist()),
        r.randrange(12),
        r.randrange(9),
    )
    found = oracle_gb.pension(
        frequency, relief, Decimal(employee) / 100, Decimal(employer) / 100, Decimal(pay) / 100
    )
    return relief, str(employee), str(employer), found


def pension_qualifying_earnings(r, year):
    frequency, pay = r.choice(FREQUENCIES), amount(r)
    relief, employee, employer, found = pension_of(r, frequency, pay)
    inputs = {
        "employee_pct": employee, "employer_pct": employer, "gross": pounds(pay), "pension_relief": relief
    }  # fmt: skip
    figures = {
        "qualifying_earnings": found["qualifying_earnings"],
        "employee_gross": found["pension_contribution"],
        "employee_deducted": found["employee_pension"] + found["salary_sacrifice"],
        "employer": found["employer_pension"],
    }
    return frequency, "", inputs, in_pounds(figures)


def payslip(r, year):
    frequency, pay = r.choice(FREQUENCIES), 100_000 + amount(r)
    code, letter = r.choice(["1257L", "S1257L", "C1257L", "0T", "BR", "SD1", "NT", "45L"]), r.choice(LETTERS)
    inputs = {"basic_pay": pounds(pay), "basis": "cumulative", "ni_category": letter, "tax_code": code}
    pension = dict.fromkeys(
        ("pension_contribution", "employee_pension", "salary_sacrifice", "employer_pension"), Decimal(0)
    )
    before_tax = Decimal(0)
    if r.random() < 0.6:
        relief, employee, employer, pension = pension_of(r, frequency, pay)
        inputs |= {
            "pension_relief": relief, "pension_employee_pct": employee, "pension_employer_pct": employer
        }  # fmt: skip
        before_tax = pension["employee_pension"] if relief == "net_pay" else before_tax
    gross = niable = Decimal(pay) / 100 - pension["salary_sacrifice"]
    taxable, loan = gross - before_tax, Decimal(0)
    if r.random() < 0.4:
        inputs["student_loan_plan"] = plan = r.choice(sorted(oracle_gb.LOANS[year]))
        loan = oracle_gb.loan(year, plan, frequency, niable)
    tax = oracle_gb.paye(
        year, code, frequency, oracle_gb.SPAN[frequency], False, taxable, taxable, Decimal(0)
    )
    nic = oracle_gb.class_1(year, letter, frequency, niable)
    figures = {
        "gross": gross, "taxable_pay": taxable, "tax": tax, "student_loan": loan,
        "employee_nic": nic["employee_nic"], "employer_nic": nic["employer_nic"],
        "employee_pension": pension["employee_pension"] + pension["salary_sacrifice"],
        "employer_pension": pension["employer_pension"],
        "net_pay": gross - tax - nic["employee_nic"] - pension["employee_pension"] - loan,
    }  # fmt: skip
    return frequency, r.choice(["", 1]), inputs, in_pounds(figures)


def apprenticeship_levy(r, year):
    bill, share, month = (
        r.randrange(10**9),
        r.choice([15_000_00, 0, r.randrange(15_000_00)]),
        r.randrange(1, 13),
    )
    paid = r.randrange(10**6)
    inputs = {
        "annual_allowance": pounds(share), "levy_paid_ytd_before": pounds(paid), "pay_bill_ytd": pounds(bill)
    }  # fmt: skip
    due = oracle_gb_statutory.levy(bill, share, month, paid)
    return "monthly", month, inputs, {"levy_this_month": pounds(due)}


def employment_allowance(r, year):
    nic, claimed = r.randrange(2_000_000), r.choice([0, 10_500_00, r.randrange(10_500_00)])
    relief = oracle_gb_statutory.relief(nic, claimed)
    inputs = {"claimed_ytd_before": pounds(claimed), "employer_nic_this_month": pounds(nic)}
    return "monthly", "", inputs, {"relief": pounds(relief), "employer_nic_payable": pounds(nic - relief)}


def day_of(year):
    return date(int(year[:4]), 4, 6)


def ssp_weekly_rate(r, year):
    earnings = r.choice([15_405, 15_406, r.randrange(40_000)])
    rate = oracle_gb_statutory.up(oracle_gb_statutory.weekly_ssp(day_of(year), Fraction(earnings)))
    return "weekly", "", {"average_weekly_earnings": pounds(earnings)}, {"weekly_rate": pounds(rate)}


def ssp(r, year):
    earnings, per_week = r.choice([12_499, 12_500, r.randrange(40_000)]), r.randrange(1, 8)
    sick, waiting, protected = r.randrange(30), r.randrange(4), r.random() < 0.5
    inputs = {
        "average_weekly_earnings": pounds(earnings), "qualifying_days_per_week": per_week,
        "qualifying_days_sick": sick,
    }  # fmt: skip
    if waiting:
        inputs["waiting_days_remaining"] = waiting
    if protected and year == "2026-27":
        inputs["transitional_protected"] = True
    due = oracle_gb_statutory.ssp_of_days(
        day_of(year), Fraction(earnings), per_week, sick, waiting, protected and year == "2026-27"
    )
    return "weekly", "", inputs, {"ssp": pounds(due)}


def smp(r, year):
    earnings, week = (
        r.choice([12_499, 12_500, 12_899, 12_900, 20_798, r.randrange(60_000)]),
        r.randrange(1, 42),
    )
    due = oracle_gb_statutory.parental(year, "smp", week, Fraction(earnings))
    return "weekly", "", {"average_weekly_earnings": pounds(earnings), "week_no": week}, {"smp": pounds(due)}


def statutory_recovery(r, year):
    paid, small = r.randrange(10**6), r.random() < 0.5
    recovered, compensation = oracle_gb_statutory.recovery(year, paid, small)
    figures = {"recovered": recovered, "nic_compensation": compensation, "total": recovered + compensation}
    inputs = {"small_employer": small, "smp_paid": pounds(paid)}
    return "annual", "", inputs, {name: pounds(value) for name, value in figures.items()}


def holiday_rolled_up(r, year):
    pay = amount(r)
    holiday = oracle_gb_statutory.nearest(Fraction(pay * 1207, 10_000))
    figures = {"holiday_pay": pounds(holiday), "total": pounds(pay + holiday)}
    return r.choice(["", "weekly", "monthly"]), "", {"pay_for_work": pounds(pay)}, figures


def attachment_dea(r, year):
    frequency, net, table = r.choice(FREQUENCIES), amount(r, 300_000), r.choice(("standard", "higher"))
    figures = {"deduction": oracle_gb_orders.dea(Decimal(net) / 100, frequency, table)}
    return frequency, "", {"net_earnings": pounds(net), "rate_table": table}, in_pounds(figures)


def attachment_ctaeo(r, year):
    frequency, net = r.choice((*FREQUENCIES, "daily")), amount(r, 300_000)
    figures = {"deduction": oracle_gb_orders.ctaeo(Decimal(net) / 100, frequency)}
    return frequency, "", {"net_earnings": pounds(net)}, in_pounds(figures)


def attachment_earnings_arrestment(r, year):
    frequency, net = r.choice(FREQUENCIES), amount(r, 500_000)
    figures = {"deduction": oracle_gb_orders.arrestment(Decimal(net) / 100, frequency)}
    return frequency, "", {"net_earnings": pounds(net)}, in_pounds(figures)


MADE_UP = {
    made.__name__: made
    for made in (
        paye, ni_class1, ni_director, student_loan, student_loan_protected_earnings, payslip,
        pension_qualifying_earnings, apprenticeship_levy, employment_allowance, ssp_weekly_rate, ssp, smp,
        statutory_recovery, holiday_rolled_up, attachment_dea, attachment_ctaeo,
        attachment_earnings_arrestment,
    )
}  # fmt: skip


def test_every_kind_is_made_up():
    assert MADE_UP.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", MADE_UP)
@pytest.mark.parametrize("year", YEARS)
def test_rows_that_nobody_published_agree_with_the_oracles(tmp_path, kind, year):
    r, path = random.Random(f"{kind} {year}"), tmp_path / "made_up.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for n in range(ROWS_OF_A_KIND):
            frequency, period, inputs, expected = MADE_UP[kind](r, year)
            texts = {"inputs": json.dumps(inputs), "expected": json.dumps(expected)}
            row = {"id": n, "jurisdiction": "gb", "year": year, "frequency": frequency, "period_no": period}
            writer.writerow(row | texts | {"kind": kind, "tolerance": "0.00"})
    report = verify_file(path)
    assert (report.failures, report.passed) == ([], ROWS_OF_A_KIND)
