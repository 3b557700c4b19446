"""The kinds of published case that the GB engine answers, by their names in KINDS.md.

Each runs the whole payslip, as a pay run does, and picks out the figures the case asks for; the kinds of
rules that stand beside the payslip are in kinds_beside.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from engineroom.payroll.engine.cases import BadCase, Case, KindFunction, Results, pounds
from engineroom.payroll.engine.gb import nic
from engineroom.payroll.engine.gb.gross_to_net import resolve_tables, run_steps
from engineroom.payroll.engine.gb.inputs import read_chunk
from engineroom.payroll.engine.gb.kinds_beside import KINDS_BESIDE, year_of
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, UNITS, whole_periods
from engineroom.payroll.engine.gb.pension import RELIEFS
from engineroom.payroll.engine.gb.student_loan import POSTGRADUATE
from engineroom.payroll.engine.inputs import Values

BASES = ("cumulative", "week1_month1")
LOANS = ("1", "2", "4", "5", POSTGRADUATE)
BANDS = ("earnings_at_lel", "earnings_lel_to_pt", "earnings_pt_to_uel")

SOURCES: dict[str, tuple[str, ...]] = {
    "basic_pay": ("pay", "niable_pay", "gross", "basic_pay"),
    "ni_category": ("category", "ni_category"),
    "student_loan_plan": ("plan", "student_loan_plan"),
    "taxable_pay_to_date_before": ("taxable_pay_to_date",),
    "tax_to_date_before": ("tax_paid_before",),
    "pension_employee_ppm": ("employee_pct", "pension_employee_pct"),
    "pension_employer_ppm": ("employer_pct", "pension_employer_pct"),
    "tax_period": ("tax_week", "period_no"),
    "niable_pay_to_date_before": ("pay_ytd_including",),
    "employee_nic_to_date_before": ("employee_nic_ytd_before",),
    "employer_nic_to_date_before": ("employer_nic_ytd_before",),
    "director_weeks": ("weeks_in_prorata_period",),
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
        tax_period=_first_period(case) if alone else _tax_period(case),
        week1_month1=alone,
        basic_pay=pay,
        taxable_pay_to_date_before=before,
        tax_to_date_before=case.money("tax_paid_before"),
    )
    return {"tax_this_period": pounds(figures["paye"]), "tax_to_date": pounds(figures["tax_to_date"])}


def ni_class1(case: Case) -> Results:
    """Contributions and the FPS earnings bands."""
    figures = _payslip(case, ni_category=case.text("category"), basic_pay=case.money("niable_pay"))
    names = ("employee_nic", "employer_nic", *BANDS)
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
    plan = case.choice("student_loan_plan", LOANS) if case.has("student_loan_plan") else ""
    for share in ("pension_employee_pct", "pension_employer_pct"):
        if case.has(share) and not case.has("pension_relief"):
            raise BadCase(f"inputs.{share}", "a contribution without pension_relief: say how it is taken")
    figures = _payslip(
        case,
        tax_code=case.text("tax_code"),
        tax_period=_first_period(case),
        week1_month1=BASES.index(case.choice("basis", BASES)),
        ni_category=case.text("ni_category"),
        basic_pay=case.money("basic_pay"),
        payrolled_benefits=case.money("payrolled_benefits", "0.00"),
        student_loan_plan="" if plan == POSTGRADUATE else plan,
        has_postgraduate_loan=int(plan == POSTGRADUATE),
        pension_member=int(case.has("pension_relief")),
        pension_employee_ppm=case.percent_ppm("pension_employee_pct", "0"),
        pension_employer_ppm=case.percent_ppm("pension_employer_pct", "0"),
        pension_relief=case.choice("pension_relief", RELIEFS[1:]) if case.has("pension_relief") else "",
    )
    if figures["net_pay"] < 0:
        raise BadCase("inputs.basic_pay", "the deductions are more than the pay")
    same = ("gross", "taxable_pay", "employee_nic", "employer_nic", "employer_pension", "net_pay")
    return {
        **{name: pounds(figures[name]) for name in same},
        "tax": pounds(figures["paye"]),
        "employee_pension": pounds(figures["employee_pension"] + figures["salary_sacrifice"]),
        "student_loan": pounds(figures["student_loan"] + figures["postgraduate_loan"]),
    }


def ni_director(case: Case) -> Results:
    """A director's contributions by either method, and the bands of the year to date.

    What a row does not say: how pay before this payment was spread. It is taken as even, which is exact as
    long as the payments lie in the same bands. Bands to date are the sum of the payments' own, the final
    one's under the alternative method too, as HMRC's test data for directors 2025-26 have them.
    """
    pay, to_date = case.money("pay"), case.money("pay_ytd_including")
    before = {who: case.money(f"{who}_nic_ytd_before") for who in ("employee", "employer")}
    inputs: dict[str, Values] = {
        "ni_category": case.text("category"),
        "basic_pay": pay,
        "niable_pay_to_date_before": to_date - pay,
        "employee_nic_to_date_before": before["employee"],
        "employer_nic_to_date_before": before["employer"],
        "director_method": case.choice("method", nic.DIRECTOR_METHODS[1:]),
        "director_weeks": case.integer("weeks_in_prorata_period"),
        "director_final_payment": int(case.flag("is_final_period")),
    }
    figures = _payslip(case, **inputs)
    bands = {name: figures[name] for name in BANDS}
    if case.text("method") == nic.DIRECTOR_METHODS[nic.ALTERNATIVE]:
        alone = inputs | {"director_final_payment": 0}
        own = _payslip(case, **alone)
        bands = _bands_to_date(case, alone, {name: own[name] for name in BANDS}, to_date - pay)
    return {
        **{f"{name}_ytd": pounds(amount) for name, amount in bands.items()},
        **{f"{who}_nic": pounds(figures[f"{who}_nic"]) for who in before},
        **{f"{who}_nic_ytd": pounds(figures[f"{who}_nic"] + was) for who, was in before.items()},
    }


def _bands_to_date(
    case: Case, inputs: Mapping[str, Values], now: dict[str, int], paid: int
) -> dict[str, int]:
    """The bands of this payment and of those before it, paid evenly: as many as make up what was paid, where
    all are like this one, else one a period since the appointment.
    """
    unit, pay = int(UNITS[FREQUENCIES.index(case.frequency)]), case.money("pay")
    weeks_before = max(WEEKS - case.integer("weeks_in_prorata_period"), 0)
    since = weeks_before * MONTHS // WEEKS if case.frequency == "monthly" else weeks_before // unit
    payments = (_tax_period(case) - 1) // unit
    if pay and paid % pay == 0 and paid // pay <= payments:
        payments = paid // pay
    else:
        payments = max(payments - since, int(paid > 0))
    if not payments or not paid:
        return now
    share, rest = divmod(paid, payments)
    even = {pay: _payslip(case, **{**inputs, "basic_pay": pay}) for pay in {share, share + 1}}
    return {
        name: amount + (payments - rest) * even[share][name] + rest * even[share + 1][name]
        for name, amount in now.items()
    }


def _payslip(case: Case, **inputs: Values) -> dict[str, int]:
    """Every figure of one payslip; what the case does not speak of is left out of it. Raises BadCase.

    Net pay may be below zero: a case of contributions alone does not say all that was paid.
    """
    silent: dict[str, Values] = {"tax_code": "NT", "tax_period": 1, "ni_category": "X"}
    tables = resolve_tables(year_of(case).first_day)
    chunk = {**silent, "frequency": case.frequency, **inputs}
    columns, problems = read_chunk(chunk, tables.inputs, tables.versions["pay_elements"])
    if problems:
        raise case.refusal(problems[0], SOURCES)
    run_steps(columns, tables)
    return {name: int(column[0]) for name, column in columns.items()}


def _first_period(case: Case) -> int:
    """The tax week or month where the row may leave it out: then it is the first of the year."""
    if case.period_no or case.has("tax_week") or case.frequency not in FREQUENCIES:
        return _tax_period(case)
    return int(UNITS[FREQUENCIES.index(case.frequency)])


def _tax_period(case: Case) -> int:
    """The tax week or month of the table: `tax_week` where it is given, else `period_no`.

    The latter is taken to the end of the pay period: a fortnight paid in week 1 uses week 2.
    """
    if case.has("tax_week"):
        return case.integer("tax_week")
    if case.frequency not in FREQUENCIES:
        raise BadCase("frequency", f"{case.frequency!r} is not one of {', '.join(FREQUENCIES)}")
    return whole_periods(case.period, int(UNITS[FREQUENCIES.index(case.frequency)]))


WEEKS, MONTHS = 52, 12

KINDS: dict[str, KindFunction] = {
    "paye": paye,
    "ni_class1": ni_class1,
    "student_loan": student_loan,
    "pension_qualifying_earnings": pension_qualifying_earnings,
    "payslip": payslip,
    "ni_director": ni_director,
    **KINDS_BESIDE,
}
