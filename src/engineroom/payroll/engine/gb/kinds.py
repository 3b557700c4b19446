"""The kinds of published case that the GB engine answers, by their names in KINDS.md.

Each runs the whole payslip, as a pay run does, and picks out the figures the case asks for.
"""

from __future__ import annotations

from engineroom.kernel.periods import GbTaxYear
from engineroom.payroll.engine.cases import BadCase, Case, KindFunction, Results, pounds
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables
from engineroom.payroll.engine.gb.inputs import Values
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, UNITS, whole_periods
from engineroom.payroll.engine.gb.pension import RELIEFS
from engineroom.payroll.engine.gb.student_loan import POSTGRADUATE

BASES = ("cumulative", "week1_month1")
LOANS = ("1", "2", "4", "5", POSTGRADUATE)

SOURCES: dict[str, tuple[str, ...]] = {
    "basic_pay": ("pay", "niable_pay", "gross", "basic_pay", "pay_for_work"),
    "ni_category": ("category", "ni_category"),
    "student_loan_plan": ("plan", "student_loan_plan"),
    "taxable_pay_to_date_before": ("taxable_pay_to_date",),
    "tax_to_date_before": ("tax_paid_before",),
    "pension_employee_ppm": ("employee_pct", "pension_employee_pct"),
    "pension_employer_ppm": ("employer_pct", "pension_employer_pct"),
    "tax_period": ("tax_week",),
}
"""Which input a column was made from, so that a refusal names what the row says."""


def paye(case: Case) -> Results:
    """Tax of one period. Its `taxable_pay_to_date` includes the period's pay."""
    pay, to_date = case.money("pay"), case.money("taxable_pay_to_date")
    alone = BASES.index(case.choice("basis", BASES))
    before = max(to_date - pay, 0) if alone else to_date - pay  # alone, figures to date play no part
    figures = _payslip(
        case,
        tax_code=case.text("tax_code"),
        tax_period=_tax_period(case),
        week1_month1=alone,
        basic_pay=pay,
        taxable_pay_to_date_before=before,
        tax_to_date_before=case.money("tax_paid_before"),
    )
    return {"tax_this_period": pounds(figures["paye"]), "tax_to_date": pounds(figures["tax_to_date"])}


def ni_class1(case: Case) -> Results:
    """Contributions and the FPS earnings bands."""
    figures = _payslip(case, ni_category=case.text("category"), basic_pay=case.money("niable_pay"))
    names = ("employee_nic", "employer_nic", "earnings_at_lel", "earnings_lel_to_pt", "earnings_pt_to_uel")
    return {name: pounds(figures[name]) for name in names}


def student_loan(case: Case) -> Results:
    """The deduction of a plan or of the postgraduate loan."""
    plan = case.choice("plan", LOANS)
    if plan == POSTGRADUATE:
        figures = _payslip(case, has_postgraduate_loan=1, basic_pay=case.money("niable_pay"))
        return {"deduction": pounds(figures["postgraduate_loan"])}
    figures = _payslip(case, student_loan_plan=plan, basic_pay=case.money("niable_pay"))
    return {"deduction": pounds(figures["student_loan"])}


def pension_qualifying_earnings(case: Case) -> Results:
    """Contributions by their percentages. A sacrifice counts as deducted: the person goes without it."""
    figures = _payslip(
        case,
        basic_pay=case.money("gross"),
        pension_member=1,
        pension_employee_ppm=case.percent_ppm("employee_pct"),
        pension_employer_ppm=case.percent_ppm("employer_pct"),
        pension_relief=case.choice("pension_relief", RELIEFS[1:]),
    )
    return {
        "qualifying_earnings": pounds(figures["qualifying_earnings"]),
        "employee_gross": pounds(figures["pension_contribution"]),
        "employee_deducted": pounds(figures["employee_pension"] + figures["salary_sacrifice"]),
        "employer": pounds(figures["employer_pension"]),
    }


def payslip(case: Case) -> Results:
    """A whole payslip, the first of the tax year."""
    plan = case.choice("student_loan_plan", ("", *LOANS), "")
    figures = _payslip(
        case,
        tax_code=case.text("tax_code"),
        tax_period=_tax_period(case),
        week1_month1=BASES.index(case.choice("basis", BASES)),
        ni_category=case.text("ni_category"),
        basic_pay=case.money("basic_pay"),
        payrolled_benefits=case.money("payrolled_benefits", "0.00"),
        student_loan_plan="" if plan == POSTGRADUATE else plan,
        has_postgraduate_loan=int(plan == POSTGRADUATE),
        pension_member=int(case.has("pension_relief")),
        pension_employee_ppm=case.percent_ppm("pension_employee_pct", "0"),
        pension_employer_ppm=case.percent_ppm("pension_employer_pct", "0"),
        pension_relief=case.choice("pension_relief", RELIEFS, ""),
    )
    same = ("gross", "taxable_pay", "employee_nic", "employer_nic", "employer_pension", "net_pay")
    return {
        **{name: pounds(figures[name]) for name in same},
        "tax": pounds(figures["paye"]),
        "employee_pension": pounds(figures["employee_pension"] + figures["salary_sacrifice"]),
        "student_loan": pounds(figures["student_loan"] + figures["postgraduate_loan"]),
    }


def holiday_rolled_up(case: Case) -> Results:
    """12.07% of pay for work, paid with it."""
    pay = case.money("pay_for_work")
    figures = _payslip(case, basic_pay=pay, holiday_accrues=1)
    return {
        "holiday_pay": pounds(figures["holiday_accrued_pay"]),
        "total": pounds(pay + figures["holiday_accrued_pay"]),
    }


def _payslip(case: Case, **inputs: Values) -> dict[str, int]:
    """Every figure of one payslip; what the case does not speak of is left out of it. Raises BadCase."""
    silent: dict[str, Values] = {"tax_code": "NT", "tax_period": 1, "ni_category": "X"}
    done = calculate({**silent, "frequency": case.frequency, **inputs}, resolve_tables(_year(case).first_day))
    if done.problems:
        problem = done.problems[0]
        raise BadCase(_source(case, problem.field), f"{problem.problem}. {problem.remedy}")
    return {name: int(column[0]) for name, column in done.columns.items()}


def _source(case: Case, column: str) -> str:
    named = [name for name in SOURCES.get(column, (column,)) if case.has(name)]
    if named:
        return f"inputs.{named[0]}"
    return "period_no" if column == "tax_period" else column


def _year(case: Case) -> GbTaxYear:
    try:
        return GbTaxYear.parse(case.year)
    except ValueError as error:
        raise BadCase("year", str(error)) from error


def _tax_period(case: Case) -> int:
    """The tax week or month of the table: `tax_week` where it is given, else `period_no`.

    The latter is taken to the end of the pay period: a fortnight paid in week 1 uses week 2.
    """
    if case.has("tax_week"):
        return case.integer("tax_week")
    if not (case.period_no.isascii() and case.period_no.isdigit() and len(case.period_no) <= 4):
        raise BadCase("period_no", f"{case.period_no!r} is not a tax week or month")
    if case.frequency not in FREQUENCIES:
        raise BadCase("frequency", f"{case.frequency!r} is not one of {', '.join(FREQUENCIES)}")
    return whole_periods(int(case.period_no), int(UNITS[FREQUENCIES.index(case.frequency)]))


KINDS: dict[str, KindFunction] = {
    "paye": paye,
    "ni_class1": ni_class1,
    "student_loan": student_loan,
    "pension_qualifying_earnings": pension_qualifying_earnings,
    "payslip": payslip,
    "holiday_rolled_up": holiday_rolled_up,
}
