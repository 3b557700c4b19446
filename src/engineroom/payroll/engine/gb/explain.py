"""A payslip in words: each figure and how it came about. Its numbers are read from the columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engineroom.kernel.money import format_minor
from engineroom.kernel.rates import format_ppm
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb import pension
from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS, GbTables
from engineroom.payroll.engine.gb.nic import CATEGORIES, NicClass1
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, WEEKS, WEEKS_IN_TAX_YEAR
from engineroom.payroll.engine.gb.student_loan import PLANS, StudentLoan
from engineroom.payroll.engine.gb.tax_codes import FLAT, NO_TAX, K, tax_code_at
from engineroom.payroll.engine.steps import Column, four_decimals


class _Row:
    """One row of the columns: row["gross"] is its number, row.money("gross") that written in pounds."""

    def __init__(self, row: int, columns: Mapping[str, Column]) -> None:
        self.row, self.columns = row, columns

    def __getitem__(self, name: str) -> int:
        return int(self.columns[name][self.row])

    def money(self, name: str) -> str:
        return format_minor(self[name])

    @property
    def period(self) -> str:
        unit = "week" if FREQUENCIES[self["frequency"]] in WEEKS else "month"
        return f"{unit} {self['tax_period']}"


def explain(row: int, columns: Mapping[str, Column], tables: GbTables) -> list[str]:
    """The payslip of one row, a sentence for each figure that is not nought.

    row: the place in the columns, 0 <= row < m (not in the chunk: see Calculation.rows). columns: of
    `calculate`, or read back from where a run keeps them. tables: those it was calculated with.
    """
    person = _Row(row, columns)
    return [
        *_pay(person),
        *_pension(person),
        *_tax(person),
        *_national_insurance(person, tables.parameters["ni_class1"]),
        *_loans(person, tables.parameters["student_loan"]),
        *_holiday(person, tables),
        *_net(person),
        *map(_law, tables.versions.values()),
    ]


def _law(version: Version) -> str:
    memory = f"; unverified: {', '.join(version.unverified())}" if version.unverified() else ""
    return f"Under {version.table} from {version.starts}: {version.source} ({version.confidence}{memory})"


def _pay(p: _Row) -> Iterator[str]:
    earnings = [e for e in ELEMENTS if e.kind == "earning" and p[e.code]]
    parts = " + ".join(f"{e.label} {p.money(e.code)}" for e in earnings) or "nothing earned"
    if p["salary_sacrifice"]:
        parts += f" - salary sacrifice {p.money('salary_sacrifice')}"
    yield f"Gross pay: {parts} = {p.money('gross')}"


def _pension(p: _Row) -> Iterator[str]:
    if not p["pension_member"]:
        return
    yield f"Qualifying earnings, of {p.money('pay_elements')}: {p.money('qualifying_earnings')}"
    share = f"{format_ppm(p['pension_employee_ppm'])} of {p.money('qualifying_earnings')}"
    whole = f"Pension: {share} = {p.money('pension_contribution')}"
    match p["pension_relief"]:
        case pension.RELIEF_AT_SOURCE:
            deducted, reclaimed = p.money("employee_pension"), p.money("pension_tax_relief")
            yield f"{whole}, of which {deducted} is deducted and the provider reclaims {reclaimed} in tax"
        case pension.NET_PAY:
            yield f"{whole}, deducted before tax"
        case _:
            yield f"{whole}, given up from pay and paid in by the employer"
    yield f"Employer's pension: {format_ppm(p['pension_employer_ppm'])} = {p.money('employer_pension')}"


def _tax(p: _Row) -> Iterator[str]:
    code = tax_code_at(p.columns, p.row)
    kind, alone = p["tax_code_kind"], p["paye_week1_month1"]
    if p["taxable_pay"] != p["gross"]:
        yield f"Taxable pay: {p.money('taxable_pay')} (gross {p.money('gross')}{_tax_base_changes(p)})"
    if alone:
        yield f"{code}, {p.period}: worked on this period alone{_why_alone(p)}"
    if kind == NO_TAX:
        yield f"{code} {p.period}: no tax"
    elif kind == FLAT:
        rate = format_ppm(p["tax_rate_ppm"])
        yield f"{code} {p.period}: {rate} of {p.money('paye_whole_pounds')} = {p.money('tax_liability')}"
    else:
        yield f"{code} {p.period}: {_free_pay(p)}"
        yield _banded(p)
    yield from _deducted(p)


def _tax_base_changes(p: _Row) -> str:
    benefits, untaxed = p["payrolled_benefits"], p["pay_elements"] - p["taxable_elements"]
    parts = [
        (", less pension", p["gross"] - untaxed - p["taxable_pay"]),
        (", less what is not taxed", untaxed + benefits),
        (", plus benefits", benefits),
    ]
    return "".join(f"{words} {format_minor(amount)}" for words, amount in parts if amount)


def _why_alone(p: _Row) -> str:
    if p["paye_units_in_year"] == WEEKS_IN_TAX_YEAR and p["tax_period"] > WEEKS_IN_TAX_YEAR:
        return f", as every week beyond {WEEKS_IN_TAX_YEAR} is"
    return " (week 1/month 1)"


def _free_pay(p: _Row) -> str:
    name = "additional pay" if p["tax_code_kind"] == K else "free pay"
    one, whole = format_minor(abs(p["free_pay_of_one"])), format_minor(abs(p["free_pay"]))
    return f"{name} {whole}" if p["paye_units"] == 1 else f"{name} {p['paye_units']} x {one} = {whole}"


def _banded(p: _Row) -> str:
    sign = "+" if p["tax_code_kind"] == K else "-"
    pay = "Pay of the period" if p["paye_week1_month1"] else "Pay to date"
    free, rest = format_minor(abs(p["free_pay"])), p.money("paye_pay_less_free_pay")
    left = f"{p.money('paye_pay')} {sign} {free} = {rest}"
    if p["paye_pay_less_free_pay"] <= 0:
        return f"{pay} {left}: nothing is taxable"
    pounds, due, rate = p.money("paye_whole_pounds"), p.money("tax_liability"), format_ppm(p["tax_rate_ppm"])
    if p["tax_band"] == 1:
        return f"{pay} {left}, in whole pounds {pounds}: {rate} of it = {due}"
    above = f"{rate} of ({pounds} - {four_decimals(p['tax_band_start'])})"
    below = four_decimals(p["tax_below_band"])
    return f"{pay} {left}, in whole pounds {pounds}: {below} for the bands below + {above} = {due}"


def _deducted(p: _Row) -> Iterator[str]:
    if not p["paye_week1_month1"]:
        paid, before = p.money("tax_to_date_before"), p.money("tax_before_limit")
        yield f"Tax due to date {p.money('tax_liability')} - already paid {paid} = {before}"
    if p["paye"] != p["tax_before_limit"]:
        limit, wanted = p.money("regulatory_limit"), p.money("tax_before_limit")
        yield f"Limited to half of the pay: {limit} instead of {wanted}"
    refund = "Tax refunded" if p["paye"] < 0 else "Tax deducted"
    yield f"{refund}: {format_minor(abs(p['paye']))}"


def _national_insurance(p: _Row, t: NicClass1) -> Iterator[str]:
    letter = p["ni_category"]
    if not t.liable[letter]:
        yield f"National Insurance category {CATEGORIES[letter]}: none"
        return
    parts = [f"{format_ppm(int(t.employee_ppm[letter]))} of {p.money('earnings_pt_to_uel')}"]
    if p["earnings_above_uel"]:
        above = format_ppm(int(t.employee_above_uel_ppm[letter]))
        parts.append(f"{above} of {p.money('earnings_above_uel')}")
    on = f"on {p.money('niable_pay')}"
    name = f"National Insurance category {CATEGORIES[letter]}"
    yield f"{name} {on}: {' + '.join(parts)} = {p.money('employee_nic')}"
    charged = format_minor(p["employer_nic_earnings_to_uel"] + p["earnings_above_uel"])
    yield (
        f"Employer's National Insurance: {format_ppm(int(t.employer_ppm[letter]))} of {charged} "
        f"= {p.money('employer_nic')}"
    )


def _loans(p: _Row, t: StudentLoan) -> Iterator[str]:
    if plan := p["student_loan_plan"]:
        rate, above = format_ppm(int(t.rate_ppm[plan])), p.money("student_loan_pay_above")
        yield f"Student loan plan {PLANS[plan]}: {rate} of {above}, whole pounds = {p.money('student_loan')}"
    if p["has_postgraduate_loan"]:
        rate, above = format_ppm(t.postgraduate_rate_ppm), p.money("postgraduate_loan_pay_above")
        yield f"Postgraduate loan: {rate} of {above}, whole pounds = {p.money('postgraduate_loan')}"


def _holiday(p: _Row, tables: GbTables) -> Iterator[str]:
    if p["holiday_accrues"]:
        rate = format_ppm(tables.parameters["holiday"].accrual_ppm)
        minutes, pay = _hours(p["holiday_accrued_minutes"]), p.money("holiday_accrued_pay")
        worked = _hours(p["minutes_worked"])
        yield f"Holiday earned: {rate} of {worked} = {minutes}, and of pay {p.money('pay_for_work')} = {pay}"


def _hours(minutes: int) -> str:
    return f"{minutes // 60}h {minutes % 60:02d}m"


def _net(p: _Row) -> Iterator[str]:
    taken = [e for e in ELEMENTS if e.kind == "deduction" and p[e.code]]
    parts = "".join(
        f" {'-' if p[e.code] > 0 else '+'} {e.label} {format_minor(abs(p[e.code]))}" for e in taken
    )
    yield f"Net pay: {p.money('gross')}{parts} = {p.money('net_pay')}"
