"""The kinds of published case whose rules stand beside the payslip, by their names in KINDS.md."""

from __future__ import annotations

from collections.abc import Mapping

from engineroom.kernel.periods import GbTaxYear
from engineroom.payroll.engine.cases import BadCase, Case, KindFunction, Results, pounds
from engineroom.payroll.engine.gb import employer, holiday, parental_pay, sick_pay, single_orders
from engineroom.payroll.engine.gb.attachments import RATE_TABLES
from engineroom.payroll.engine.gb.worksheets import Worksheet
from engineroom.payroll.engine.inputs import Values

SOURCES: dict[str, tuple[str, ...]] = {
    "share_of_allowance": ("annual_allowance",),
    "pay_bill_to_date": ("pay_bill_ytd",),
    "levy_before": ("levy_paid_ytd_before",),
    "employer_nic": ("employer_nic_this_month",),
    "claimed_before": ("claimed_ytd_before",),
    "relevant_earnings": ("average_weekly_earnings",),
    "days_sick": ("qualifying_days_sick",),
    "paid": ("smp_paid",),
    "rate_ppm": ("rate",),
    "net_earnings": ("net_earnings", "attachable_after_priority_orders"),
    "tax_month": ("period_no",),
}
"""Which input a column was made from, where the names differ."""


def year_of(case: Case) -> GbTaxYear:
    """The tax year the row names. Raises BadCase."""
    try:
        return GbTaxYear.parse(case.year)
    except ValueError as error:
        raise BadCase("year", str(error)) from error


def apprenticeship_levy(case: Case) -> Results:
    """Levy of one tax month; `period_no` is the month."""
    figures = _figures(
        case,
        employer.LEVY,
        pay_bill_to_date=case.money("pay_bill_ytd"),
        share_of_allowance=case.money("annual_allowance"),
        levy_before=case.money("levy_paid_ytd_before"),
        tax_month=case.period,
    )
    return {"levy_this_month": pounds(figures["levy"])}


def employment_allowance(case: Case) -> Results:
    """What is let off, and what is left to pay."""
    figures = _figures(
        case,
        employer.EMPLOYMENT_ALLOWANCE,
        employer_nic=case.money("employer_nic_this_month"),
        claimed_before=case.money("claimed_ytd_before"),
    )
    return _pounds(figures, "relief", "employer_nic_payable")


def student_loan_protected_earnings(case: Case) -> Results:
    """A loan within what priority orders and protected earnings leave; the row states its own threshold."""
    figures = _figures(
        case,
        single_orders.PROTECTED_LOAN,
        frequency=case.frequency,
        niable_pay=case.money("niable_pay"),
        annual_threshold=case.money("annual_threshold"),
        rate_ppm=case.rate_ppm("rate"),
        net_earnings=case.money("attachable_after_priority_orders"),
        protected_earnings=case.money("protected_earnings"),
    )
    return _pounds(figures, "deduction")


def ssp_weekly_rate(case: Case) -> Results:
    """The payment of a whole week."""
    figures = _figures(
        case,
        sick_pay.DAYS,
        on=sick_pay.day_number(year_of(case).first_day),
        relevant_earnings=case.money("average_weekly_earnings"),
    )
    return {"weekly_rate": pounds(figures["weekly_payment"])}


def ssp(case: Case) -> Results:
    """The payment of some days of sickness."""
    protected = case.flag("transitional_protected", False)
    figures = _figures(
        case,
        sick_pay.DAYS,
        on=sick_pay.day_number(year_of(case).first_day),
        relevant_earnings=case.money("average_weekly_earnings"),
        qualifying_days_per_week=case.integer("qualifying_days_per_week"),
        days_sick=case.integer("qualifying_days_sick"),
        waiting_days_remaining=case.integer("waiting_days_remaining", 0),
        transition=sick_pay.TRANSITIONS[sick_pay.PROTECTED] if protected else "",
    )
    return {"ssp": pounds(figures["sick_pay"])}


def smp(case: Case) -> Results:
    """Statutory Maternity Pay of one week."""
    figures = _figures(
        case,
        parental_pay.WEEK,
        payment="smp",
        relevant_earnings=case.money("average_weekly_earnings"),
        week_no=case.integer("week_no"),
    )
    return {"smp": pounds(figures["payment_of_week"])}


def statutory_recovery(case: Case) -> Results:
    """What the employer gets back."""
    figures = _figures(
        case,
        parental_pay.RECOVERY,
        paid=case.money("smp_paid"),
        small_employer=int(case.flag("small_employer")),
    )
    return {**_pounds(figures, "recovered", "nic_compensation"), "total": pounds(figures["recovery"])}


def holiday_rolled_up(case: Case) -> Results:
    """12.07% of pay for work, paid with it."""
    figures = _figures(case, holiday.ROLLED_UP, pay_for_work=case.money("pay_for_work"))
    return _pounds(figures, "holiday_pay", "total")


def attachment_dea(case: Case) -> Results:
    """A Direct Earnings Attachment, before what is protected."""
    rate_table = case.choice("rate_table", RATE_TABLES[1:])
    return _order(case, single_orders.DIRECT_EARNINGS, rate_table=rate_table)


def attachment_ctaeo(case: Case) -> Results:
    """A council tax order of England."""
    return _order(case, single_orders.COUNCIL_TAX, nation="england")


def attachment_earnings_arrestment(case: Case) -> Results:
    """A Scottish earnings arrestment."""
    return _order(case, single_orders.EARNINGS_ARRESTMENT)


def _order(case: Case, worksheet: Worksheet, **inputs: Values) -> Results:
    net = case.money("net_earnings")
    return _pounds(
        _figures(case, worksheet, frequency=case.frequency, net_earnings=net, **inputs), "deduction"
    )


def _figures(case: Case, worksheet: Worksheet, **inputs: Values) -> dict[str, int]:
    """Every figure of one row of a worksheet. Raises BadCase."""
    done = worksheet.calculate(inputs, worksheet.tables_at(year_of(case).first_day))
    if done.problems:
        raise case.refusal(done.problems[0], SOURCES)
    return {name: int(column[0]) for name, column in done.columns.items()}


def _pounds(figures: Mapping[str, int], *names: str) -> Results:
    return {name: pounds(figures[name]) for name in names}


KINDS_BESIDE: dict[str, KindFunction] = {
    "apprenticeship_levy": apprenticeship_levy,
    "employment_allowance": employment_allowance,
    "student_loan_protected_earnings": student_loan_protected_earnings,
    "ssp_weekly_rate": ssp_weekly_rate,
    "ssp": ssp,
    "smp": smp,
    "statutory_recovery": statutory_recovery,
    "holiday_rolled_up": holiday_rolled_up,
    "attachment_dea": attachment_dea,
    "attachment_ctaeo": attachment_ctaeo,
    "attachment_earnings_arrestment": attachment_earnings_arrestment,
}
