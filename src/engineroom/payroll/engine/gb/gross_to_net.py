"""One GB payslip, from gross pay to net: the steps in the order the law needs them, over a chunk of people.

    tables = resolve_tables(date(2026, 6, 26))
    done = calculate({"tax_code": ["1257L"], "frequency": "monthly", "tax_period": 3, "ni_category": ["A"],
                      "basic_pay": [300000], "taxable_pay_to_date_before": [600000],
                      "tax_to_date_before": [78040]}, tables)
    done.columns["net_pay"][0]

Money is pence. A chunk mixes tax codes, regions, categories, plans and frequencies freely. Rows that cannot
be calculated are in `problems` and have no numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from engineroom.kernel.rounding import Minor
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.elements import PayElements
from engineroom.payroll.engine.gb import (
    attachments,
    holiday,
    nic,
    paye,
    pension,
    sick_pay,
    student_loan,
)
from engineroom.payroll.engine.gb.inputs import NUMBERS, PAY, PAY_ELEMENTS, read_chunk
from engineroom.payroll.engine.gb.orders import Orders, read_orders
from engineroom.payroll.engine.gb.worksheets import GbTables as GbTables
from engineroom.payroll.engine.gb.worksheets import resolve
from engineroom.payroll.engine.inputs import Values
from engineroom.payroll.engine.net import Debt, recover
from engineroom.payroll.engine.steps import (
    Calculation,
    Column,
    Element,
    RowProblem,
    Step,
    Unit,
    is_nought,
    keep_memory,
    rows_without,
    same_for_all,
)

ENGINE_VERSION = 1
"""Raised by hand when the same inputs under the same tables may give other numbers."""

keep_memory()

TABLES: dict[str, Callable[[Version], Any]] = {
    "pay_elements": PayElements.of,
    "income_tax": paye.IncomeTax.of,
    "ni_class1": nic.NicClass1.of,
    "student_loan": student_loan.StudentLoan.of,
    "pension_auto_enrolment": pension.AutoEnrolment.of,
    "holiday": holiday.Holiday.of,
}
"""The dated tables every payslip uses, and how each becomes parameters of its steps."""

FURTHER: dict[str, Callable[[Version], Any]] = {**attachments.TABLES, "sick_pay": sick_pay.SickPay.of}
"""Those that only some calculations need."""


@lru_cache(maxsize=512)
def resolve_tables(pay_date: date, further: tuple[str, ...] = ()) -> GbTables:
    """The law of a payday. Raises NoTableForDate when a table has no version for it.

    further: tables that only some calculations need, such as `orders.TABLES`.
    """
    return resolve(pay_date, TABLES | {name: FURTHER[name] for name in further})


COUNTED = ("paid", "taxable", "niable", "pensionable", "work", "attachable")
"""What pay is added up for, one total each."""


def pay_by_what_it_counts_for(*pay_and_table: Any) -> tuple[Minor, ...]:
    """A total of the pay elements for each of COUNTED. pay_and_table: a column for each of PAY, the table."""
    *pay, t = pay_and_table
    given = {name: column for name, column in zip(PAY, pay, strict=True) if not is_nought(column)}
    totals: tuple[Minor, ...] = t.totals(COUNTED, given or {PAY[0]: pay[0]})
    return totals


def gross_after_sacrifice(pay_elements: Minor, sacrificed: Minor) -> Minor:
    """Gross pay: what the contract pays once the sacrificed pay has been given up (ITEPA 2003 s.62)."""
    return pay_elements - sacrificed


def pay_for_tax_and_ni(
    taxable_elements: Minor,
    niable_elements: Minor,
    sacrificed: Minor,
    employee_pension: Minor,
    relief: Column,
) -> tuple[Minor, Minor]:
    """Taxable pay and pay liable to National Insurance.

    Both without what was given up. Only a net pay arrangement takes pension contributions off taxable pay
    (Finance Act 2004 s.193); National Insurance and loans see them. Payrolled benefits in kind are taxed, and
    neither paid nor charged to Class 1: the table of pay elements says so.
    """
    before_tax = (relief == pension.NET_PAY) * employee_pension
    return taxable_elements - sacrificed - before_tax, niable_elements - sacrificed


def pay_left_of(gross: Minor, tax: Minor, ni: Minor, employee_pension: Minor) -> Minor:
    """What tax, National Insurance and the pension leave of gross pay."""
    return gross - tax - ni - employee_pension


def no_priority_orders(net_earnings: Minor, frequency: Column) -> tuple[Minor, Column, Minor]:
    """Of people without orders: nothing taken, loans not stopped, no earnings protected from them."""
    nothing = same_for_all(0, len(net_earnings))
    return nothing, nothing, nothing


def no_other_orders(
    net_earnings: Minor, frequency: Column, priority_orders: Minor, student: Minor, postgraduate: Minor
) -> tuple[Minor, Minor]:
    """Of people without orders: nothing taken and no fees."""
    nothing = same_for_all(0, len(net_earnings))
    return nothing, nothing


def net_of(
    pay_left: Minor,
    student: Minor,
    postgraduate: Minor,
    priority_orders: Minor,
    other_orders: Minor,
    order_fees: Minor,
    debts_repaid: Minor,
) -> Minor:
    """Net pay: gross less what is deducted from it. Benefits in kind were had already and are not paid."""
    return pay_left - student - postgraduate - priority_orders - other_orders - order_fees - debts_repaid


def debts_paid_back(
    pay_left: Minor,
    student: Minor,
    postgraduate: Minor,
    priority_orders: Minor,
    other_orders: Minor,
    order_fees: Minor,
    due: Minor,
    protected_net: Minor,
) -> Minor:
    """What is taken for debts to the employer: what is due, as far as the protected net pay is left."""
    if is_nought(due):
        return same_for_all(0, len(pay_left))
    net = pay_left - student - postgraduate - priority_orders - other_orders - order_fees
    return recover(np.maximum(net, 0), [Debt("debts", due, due)], protected_net).taken["debts"]


ROUTINES = "HMRC, Specification for PAYE tax table routines"
NI_GUIDE = "HMRC, National Insurance guidance for software developers"
LOANS = "HMRC, Collection of Student Loans Manual (CSLM17000 onwards)"
PENSIONS = "Pensions Act 2008 s.13 and s.20"
ORDERS = (
    "Attachment of Earnings Act 1971 sch. 3; SI 1992/613 reg. 42; SI 2013/384; Debtors (Scotland) Act 1987"
)

PRIORITY_ORDERS, OTHER_ORDERS = "Orders before loans", "Orders after loans"
"""The two steps at which the rows of `orders` come in; without any they take nothing."""

STEPS: tuple[Step, ...] = (
    Step(
        "Pay elements",
        pay_by_what_it_counts_for,
        PAY,
        (
            "pay_elements",
            "taxable_elements",
            "niable_elements",
            "pensionable_pay",
            "pay_for_work",
            "attachable_elements",
        ),
        "Employment Rights Act 1996 s.27",
        "pay_elements",
    ),
    Step(
        "Qualifying earnings",
        pension.qualifying_earnings,
        ("pensionable_pay", "frequency", "pension_member"),
        ("qualifying_earnings",),
        PENSIONS,
        "pension_auto_enrolment",
    ),
    Step(
        "Employee's pension contribution",
        pension.employee_contribution,
        ("qualifying_earnings", "pension_employee_ppm", "pension_relief"),
        ("pension_contribution", "employee_pension", "pension_tax_relief", "salary_sacrifice"),
        f"{PENSIONS}; Finance Act 2004 s.192 and s.193",
        "pension_auto_enrolment",
    ),
    Step(
        "Employer's pension contribution",
        pension.employer_contribution,
        ("qualifying_earnings", "pension_employer_ppm"),
        ("employer_pension",),
        PENSIONS,
    ),
    Step(
        "Gross pay",
        gross_after_sacrifice,
        ("pay_elements", "salary_sacrifice"),
        ("gross",),
        "ITEPA 2003 s.62",
    ),
    Step(
        "Taxable and NI-able pay",
        pay_for_tax_and_ni,
        ("taxable_elements", "niable_elements", "salary_sacrifice", "employee_pension", "pension_relief"),
        ("taxable_pay", "niable_pay"),
        "ITEPA 2003 s.62; Finance Act 2004 s.193; SSCBA 1992 s.6",
    ),
    Step(
        "PAYE table and basis",
        paye.table_position,
        ("frequency", "tax_period", "week1_month1", "tax_code_week1_month1"),
        ("paye_week1_month1", "paye_units_in_year", "paye_units", "paye_table"),
        f"{ROUTINES}; PAYE manual PAYE70015",
    ),
    Step(
        "Free pay",
        paye.free_pay,
        ("tax_code_kind", "tax_code_number", "frequency", "paye_units"),
        ("free_pay_of_one", "free_pay"),
        f"{ROUTINES}, free pay",
        "income_tax",
    ),
    Step(
        "Taxable pay of the table",
        paye.taxable_pay_of_table,
        ("taxable_pay", "taxable_pay_to_date_before", "paye_week1_month1", "free_pay"),
        ("taxable_pay_to_date", "paye_pay", "paye_pay_less_free_pay", "paye_whole_pounds"),
        f"{ROUTINES}, taxable pay",
    ),
    Step(
        "Tax due",
        paye.tax_liability,
        (
            "tax_code_rates",
            "tax_code_kind",
            "paye_table",
            "paye_pay_less_free_pay",
            "paye_whole_pounds",
        ),
        ("tax_band", "tax_rate_ppm", "tax_band_start", "tax_below_band", "tax_liability"),
        f"{ROUTINES}, tax due",
        "income_tax",
    ),
    Step(
        "Tax deducted",
        paye.tax_deducted,
        ("tax_liability", "paye_week1_month1", "tax_to_date_before", "taxable_pay", "payrolled_benefits"),
        ("tax_before_limit", "regulatory_limit", "paye", "tax_to_date"),
        f"{ROUTINES}, regulatory limit (PAYE Regulations 2003)",
        "income_tax",
    ),
    Step(
        "Earnings period",
        nic.earnings_period,
        (
            "niable_pay",
            "frequency",
            "niable_pay_to_date_before",
            "director_method",
            "director_weeks",
            "director_final_payment",
        ),
        ("nic_period", "nic_earnings"),
        f"{NI_GUIDE}; Social Security (Contributions) Regulations 2001 reg. 8",
    ),
    Step(
        "Earnings bands",
        nic.earnings_bands,
        ("nic_earnings", "nic_period", "ni_category"),
        ("earnings_at_lel", "earnings_lel_to_pt", "earnings_pt_to_uel", "earnings_above_uel"),
        NI_GUIDE,
        "ni_class1",
    ),
    Step(
        "Employee's Class 1 NIC",
        nic.class1_primary,
        (
            "earnings_pt_to_uel",
            "earnings_above_uel",
            "nic_period",
            "ni_category",
            "employee_nic_to_date_before",
        ),
        ("employee_nic",),
        f"{NI_GUIDE}, exact percentage method",
        "ni_class1",
    ),
    Step(
        "Employer's Class 1 NIC",
        nic.class1_secondary,
        ("nic_earnings", "earnings_above_uel", "nic_period", "ni_category", "employer_nic_to_date_before"),
        ("employer_nic_earnings_to_uel", "employer_nic"),
        f"{NI_GUIDE}, exact percentage method",
        "ni_class1",
    ),
    Step(
        "Pay left",
        pay_left_of,
        ("gross", "paye", "employee_nic", "employee_pension"),
        ("pay_left",),
        "Employment Rights Act 1996 s.8",
    ),
    Step(
        "Net earnings",
        attachments.net_earnings,
        ("attachable_elements", "salary_sacrifice", "paye", "employee_nic", "employee_pension"),
        ("net_earnings",),
        "Attachment of Earnings Act 1971 sch. 3 para. 3; SI 1992/613 reg. 32; Debtors (Scotland) Act 1987",
    ),
    Step(
        PRIORITY_ORDERS,
        no_priority_orders,
        ("net_earnings", "frequency"),
        ("priority_orders", "loans_stopped", "protected_from_loans"),
        ORDERS,
    ),
    Step(
        "Student loan",
        student_loan.student_loan,
        ("niable_pay", "frequency", "student_loan_plan"),
        ("student_loan_pay_above", "student_loan_of_pay"),
        LOANS,
        "student_loan",
    ),
    Step(
        "Postgraduate loan",
        student_loan.postgraduate_loan,
        ("niable_pay", "frequency", "has_postgraduate_loan"),
        ("postgraduate_loan_pay_above", "postgraduate_loan_of_pay"),
        LOANS,
        "student_loan",
    ),
    Step(
        "What is left for loans",
        student_loan.room_for_loans,
        ("pay_left", "net_earnings", "priority_orders", "loans_stopped", "protected_from_loans"),
        ("room_for_loans",),
        "HMRC CSLM18015 to CSLM18025",
    ),
    Step(
        "Loans deducted",
        student_loan.restricted,
        ("student_loan_of_pay", "postgraduate_loan_of_pay", "room_for_loans"),
        ("student_loan", "postgraduate_loan"),
        "HMRC CSLM18015 to CSLM18025",
    ),
    Step(
        OTHER_ORDERS,
        no_other_orders,
        ("net_earnings", "frequency", "priority_orders", "student_loan", "postgraduate_loan"),
        ("other_orders", "order_fees"),
        ORDERS,
    ),
    Step(
        "Holiday accrued",
        holiday.holiday_accrued,
        ("minutes_worked", "pay_for_work", "holiday_accrues"),
        ("holiday_accrued_minutes", "holiday_accrued_pay"),
        "Working Time Regulations 1998 reg. 15B and 16A",
        "holiday",
    ),
    Step(
        "Debts paid back",
        debts_paid_back,
        (
            "pay_left",
            "student_loan",
            "postgraduate_loan",
            "priority_orders",
            "other_orders",
            "order_fees",
            "debts_due",
            "protected_net",
        ),
        ("debts_repaid",),
        "Employment Rights Act 1996 s.13 and s.14",
    ),
    Step(
        "Net pay",
        net_of,
        (
            "pay_left",
            "student_loan",
            "postgraduate_loan",
            "priority_orders",
            "other_orders",
            "order_fees",
            "debts_repaid",
        ),
        ("net_pay",),
        "Employment Rights Act 1996 s.8",
    ),
)
"""The law in order. A step reads only what stands before it."""

ELEMENTS: tuple[Element, ...] = (
    *(element for element in PAY_ELEMENTS if element.kind == "earning"),
    Element("salary_sacrifice", "Salary sacrifice, paid to the pension", "reduction"),
    Element("gross", "Gross pay", "total"),
    Element("paye", "Income tax (PAYE)", "deduction"),
    Element("employee_nic", "National Insurance", "deduction"),
    Element("student_loan", "Student loan", "deduction"),
    Element("postgraduate_loan", "Postgraduate loan", "deduction"),
    Element("employee_pension", "Pension", "deduction"),
    Element("priority_orders", "Attachment orders", "deduction"),
    Element("other_orders", "Attachment orders after loans", "deduction"),
    Element("order_fees", "Employer's charge for attachment orders", "deduction"),
    Element("debts_repaid", "Paid back to the employer", "deduction"),
    Element("net_pay", "Net pay", "total"),
    Element("employer_nic", "Employer's National Insurance", "employer"),
    Element("employer_pension", "Employer's pension contribution", "employer"),
    Element("holiday_accrued_minutes", "Holiday earned", "accrual", "minutes"),
    Element("holiday_accrued_pay", "Holiday pay earned", "accrual"),
    Element("minutes_worked", "Time worked", "figure", "minutes"),
    *(element for element in PAY_ELEMENTS if element.kind == "figure"),
    Element("taxable_pay", "Taxable pay", "figure"),
    Element("niable_pay", "Pay for National Insurance", "figure"),
    Element("earnings_at_lel", "Earnings at the lower earnings limit", "figure"),
    Element("earnings_lel_to_pt", "Earnings from there to the primary threshold", "figure"),
    Element("earnings_pt_to_uel", "Earnings from there to the upper earnings limit", "figure"),
    Element("qualifying_earnings", "Qualifying earnings for the pension", "figure"),
    Element("pension_tax_relief", "Tax relief reclaimed by the pension provider", "figure"),
    Element("taxable_pay_to_date", "Taxable pay to date", "figure"),
    Element("tax_to_date", "Tax to date", "figure"),
)
"""What a payslip shows or stores, in order.

Earnings less reductions are gross pay; gross less deductions is net pay.
"""

UNITS: dict[str, Unit] = {
    **{name: spec.unit for name, spec in NUMBERS.items()},
    "frequency": "code",
    "ni_category": "code",
    "student_loan_plan": "code",
    "pension_relief": "code",
    "director_method": "code",
    "nic_period": "code",
    "tax_code_region": "code",
    "tax_code_kind": "code",
    "tax_code_number": "count",
    "tax_code_suffix": "code",
    "tax_code_week1_month1": "flag",
    "tax_code_rates": "code",
    "loans_stopped": "flag",
    "paye_week1_month1": "flag",
    "paye_units_in_year": "count",
    "paye_units": "count",
    "paye_table": "code",
    "tax_band": "count",
    "tax_rate_ppm": "ppm",
    "tax_band_start": "ten_thousandths",
    "tax_below_band": "ten_thousandths",
    "holiday_accrued_minutes": "minutes",
}
"""Units of the columns that are not pence."""


def calculate(
    chunk: Mapping[str, Values], tables: GbTables, orders: Mapping[str, Values] | None = None
) -> Calculation:
    """Every payslip of a chunk. A bad row is a problem, no exception; a chunk that is none raises BadChunk.

    chunk: inputs.inputs_of says which columns there are, their units, bounds and defaults. One value alone
    stands for every row. Result: see Calculation; `rows` says where in the chunk each result row comes from.

    orders: attachment orders, a row each, any number for a payslip (orders.INPUTS); tables resolved with
    `orders.TABLES` as well. A payslip with an order that cannot be read is a problem: nobody is
    paid as if there were none. What each order took stands in `Calculation.orders`.
    """
    columns, problems = read_chunk(chunk, tables.inputs, tables.versions["pay_elements"])
    n = len(columns["tax_period"])
    if orders is not None:
        given, more = read_orders(orders, n, tables.parameters)
        problems = sorted({*problems, *more})
    rows = rows_without(problems, n)
    if problems:
        columns = {name: column[rows] for name, column in columns.items()}
    dealt_with = Orders(given, rows, tables.parameters) if orders is not None else None
    run_steps(columns, tables, dealt_with)
    done = _without_negative_net(Calculation(columns, rows, problems))
    return done._replace(orders=dealt_with.result(done.rows)) if dealt_with else done


def run_steps(columns: dict[str, Column], tables: GbTables, orders: Orders | None = None) -> None:
    """Add what the law makes of a chunk's columns, as `read_chunk` leaves them; net pay may be below zero.

    orders: those against these payslips, which come in at their two steps.
    """
    for step in STEPS:
        if orders and step.name == PRIORITY_ORDERS:
            step = replace(step, function=orders.before_loans)
        elif orders and step.name == OTHER_ORDERS:
            step = replace(step, function=orders.after_loans)
        step.run(columns, tables.parameters)


def _without_negative_net(done: Calculation) -> Calculation:
    below = done.columns["net_pay"] < 0
    if not below.any():
        return done
    problem = "the deductions are more than the pay"
    remedy = "Lower the pension percentage, or correct the benefits or the pay"
    more = [RowProblem(row, "net_pay", problem, remedy) for row in done.rows[below].tolist()]
    kept = {name: column[~below] for name, column in done.columns.items()}
    return Calculation(kept, done.rows[~below], sorted([*done.problems, *more]))
