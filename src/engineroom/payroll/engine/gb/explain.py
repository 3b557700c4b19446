"""A payslip in words: each figure, the sum it comes from, the rule and the table, from the columns.

Whoever works out the sum of a line and rounds as it says gets the line's figure. An amount in a sum came in,
is the figure of a line before, or is a value of the table that the line names
(tests/payroll/engine/test_gb_explain.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engineroom.payroll.engine.elements import PayElements
from engineroom.payroll.engine.gb import pension
from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS, GbTables
from engineroom.payroll.engine.gb.nic import CATEGORIES, YEAR_OF_WEEKS, NicClass1
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, WEEKS, WEEKS_IN_TAX_YEAR
from engineroom.payroll.engine.gb.student_loan import PLANS, StudentLoan
from engineroom.payroll.engine.gb.tax_codes import FLAT, NO_TAX, K, tax_code_at
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE
from engineroom.payroll.engine.lines import (
    CUT_TO_PENNY,
    DOWN_TO_POUND,
    EXACT,
    NEAREST_MINUTE,
    NEAREST_PENNY,
    UP_TO_PENNY,
    Line,
    fine,
    law_in_words,
    money,
    share,
    total,
)
from engineroom.payroll.engine.steps import Column

ORDER_ELEMENTS = ("priority_orders", "other_orders", "order_fees")
NIC_ROUNDING = "each cut to tenths of a penny and from 6 up to a penny"
ROUTINES = "PAYE routines"
METHOD = "exact percentage method"


class _Row:
    """One row of the columns, and the law: row["gross"] is its number, row.money("gross") that in pounds."""

    def __init__(self, row: int, columns: Mapping[str, Column], tables: GbTables) -> None:
        self.row, self.columns, self.tables = row, columns, tables
        self.frequency = FREQUENCIES[self["frequency"]]
        self.unit = "week" if self.frequency in WEEKS else "month"

    def __getitem__(self, name: str) -> int:
        return int(self.columns[name][self.row])

    def money(self, name: str, words: str = "") -> str:
        return money(self[name], words)

    def line(self, group: str, about: str, figure: str, expression: str, **more: Any) -> Line:
        """A line for a column. table: of `more`, the name of its table, which it is marked with."""
        law = self.tables.versions[more.pop("table")] if "table" in more else None
        return Line(group, about, self[figure], expression, law=law, **more)

    def if_other_frequency(self, table: str) -> tuple[str, ...]:
        """The name to mark a line with where the table knows this pay frequency only from memory."""
        other = self.tables.versions[table]["other_frequencies"]
        return ("other_frequencies",) if self.frequency in other else ()


def explain(row: int, columns: Mapping[str, Column], tables: GbTables) -> list[Line]:
    """The payslip of one row, line by line.

    row: the place in the columns, 0 <= row < m (not in the chunk: see Calculation.rows). columns: of
    `calculate`, or read back from where a run keeps them. tables: those it was calculated with.
    """
    person = _Row(row, columns, tables)
    # What is sacrificed comes off gross pay, and so is explained before it.
    beginning = (_pension, _pay) if person["salary_sacrifice"] else (_pay, _pension)
    return [
        *(line for part in beginning for line in part(person)),
        *_tax(person),
        *_national_insurance(person, tables.parameters["ni_class1"]),
        *_employer_national_insurance(person, tables.parameters["ni_class1"]),
        *_loans(person, tables.parameters["student_loan"]),
        *_leave(person),
        *_holiday(person),
        *_orders(person),
        *_debts(person),
        *_net(person),
    ]


def explanation(row: int, columns: Mapping[str, Column], tables: GbTables) -> list[str]:
    """The lines as text, and at the end each table they name with its source."""
    lines = explain(row, columns, tables)
    used = {line.law.table for line in lines if line.law}
    laws = [law_in_words(version) for name, version in tables.versions.items() if name in used]
    return [*map(str, lines), *laws]


def _pay(p: _Row) -> Iterator[Line]:
    version = p.tables.versions["pay_elements"]
    earnings = [e for e in ELEMENTS if e.kind == "earning"]
    parts = [(p[e.code], e.label.lower()) for e in earnings]
    parts.append((-p["salary_sacrifice"], "salary sacrifice"))
    memory = [e.code for e in earnings if p[e.code] and e.code in version.unverified()]
    yield p.line(
        "gross",
        "Gross pay",
        "gross",
        total(parts),
        table="pay_elements",
        unverified=tuple(memory),
        rule="Employment Rights Act 1996 s.27",
    )


def _counted(p: _Row, group: str, about: str, figure: str, purpose: str, rule: str) -> Iterator[Line]:
    """What of the pay counts for the purpose, where that is not simply gross pay."""
    gross_is_said = not (
        p["salary_sacrifice"] and purpose == "pensionable"
    )  # else it comes after the pension
    if p[figure] == p["gross"] and gross_is_said:
        return
    t: PayElements = p.tables.parameters["pay_elements"]
    counting = t.counting(purpose)
    parts = [(p[e.code], e.label.lower()) for e in t.elements if e.code in counting]
    if purpose == "niable":
        parts.append((-p["salary_sacrifice"], "salary sacrifice"))
    yield p.line(group, about, figure, total(parts), rule=rule, table="pay_elements")


def _pension(p: _Row) -> Iterator[Line]:
    if not p["pension_member"]:
        return
    yield from _counted(
        p, "pension", "Pensionable pay", "pensionable_pay", "pensionable", "Pensions Act 2008 s.13"
    )
    t: pension.AutoEnrolment = p.tables.parameters["pension_auto_enrolment"]
    lower, upper = (int(limit[p["frequency"]]) for limit in (t.qualifying_lower, t.qualifying_upper))
    expression, note = _between(p["pensionable_pay"], lower, upper, "lower limit")
    table = {"table": "pension_auto_enrolment"}
    about, rule = "Qualifying earnings", "Pensions Act 2008 s.13"
    yield p.line("pension", about, "qualifying_earnings", expression, note=note, rule=rule, **table)
    table |= {"rule": "Pensions Act 2008 s.20", "rounding": NEAREST_PENNY}
    qualifying, employee = p.money("qualifying_earnings"), p["pension_employee_ppm"]
    whole = share(qualifying, employee)
    yield p.line("pension", "Pension contribution", "pension_contribution", whole, **table)
    yield from _how_relieved(p, t)
    employer = share(qualifying, p["pension_employer_ppm"])
    about = "Employer's pension contribution"
    yield p.line("employer-pension", about, "employer_pension", employer, **table)


def _how_relieved(p: _Row, t: pension.AutoEnrolment) -> Iterator[Line]:
    whole = p.money("pension_contribution")
    match p["pension_relief"]:
        case pension.RELIEF_AT_SOURCE:
            net = share(p.money("qualifying_earnings"), t.taken_at_source_ppm, p["pension_employee_ppm"])
            yield p.line(
                "pension",
                "Pension deducted after relief at source",
                "employee_pension",
                net,
                rounding=NEAREST_PENNY,
                rule="Finance Act 2004 s.192",
                table="pension_auto_enrolment",
                unverified=("relief_at_source",),
            )
            reclaimed = f"{whole} - {p.money('employee_pension')}"
            about = "Tax relief that the provider reclaims"
            yield p.line("pension", about, "pension_tax_relief", reclaimed, rule="Finance Act 2004 s.192")
        case pension.NET_PAY:
            rule, note = "Finance Act 2004 s.193", "before tax"
            yield p.line("pension", "Pension deducted", "employee_pension", whole, note=note, rule=rule)
        case _:
            rule, note = "ITEPA 2003 s.62", "given up from pay, paid in by the employer"
            yield p.line("pension", "Salary sacrifice", "salary_sacrifice", whole, note=note, rule=rule)


def _between(pay: int, lower: int, upper: int, lower_name: str) -> tuple[str, str]:
    """The part of pay between two limits as a sum, and a note where a limit decides."""
    if pay <= lower:
        return "0.00", f"pay of {money(pay)} does not pass the {lower_name} of {money(lower)}"
    note = f"pay of {money(pay)} counts up to {money(upper)}" if pay > upper else ""
    return f"{money(min(pay, upper))} - {money(lower, lower_name)}", note


def _tax(p: _Row) -> Iterator[Line]:
    code, kind = tax_code_at(p.columns, p.row), p["tax_code_kind"]
    about = f"{code} {p.unit} {p['tax_period']}"
    yield from _taxable_pay(p)
    if p["paye_week1_month1"]:
        yield Line("tax", f"{about}: worked on this period alone", note=_why_alone(p), rule="PAYE70015")
    if kind == NO_TAX:
        yield p.line(
            "tax", f"{about}: tax due", "tax_liability", "0.00", note="NT is not taxed", rule=ROUTINES
        )
    elif kind == FLAT:
        yield from _flat_rate(p, about)
    else:
        yield from _free_pay(p, about)
        yield from _banded(p, about)
    yield from _deducted(p)


def _taxable_pay(p: _Row) -> Iterator[Line]:
    untaxed = p["pay_elements"] - p["taxable_elements"]
    before_tax = p["employee_pension"] if p["pension_relief"] == pension.NET_PAY else 0
    benefits = p["payrolled_benefits"]
    parts = [
        (p["gross"], "gross pay"),
        (-before_tax, "pension"),
        (-(untaxed + benefits), "pay that is not taxed"),
        (benefits, "benefits in kind"),
    ]
    if p["taxable_pay"] != p["gross"]:
        yield p.line(
            "tax", "Taxable pay", "taxable_pay", total(parts), rule="ITEPA 2003 s.62", table="pay_elements"
        )
    if not p["paye_week1_month1"] and p["taxable_pay_to_date_before"]:
        to_date = f"{p.money('taxable_pay_to_date_before', 'before')} + {p.money('taxable_pay')}"
        yield p.line("tax", "Taxable pay to date", "taxable_pay_to_date", to_date, rule=ROUTINES)


def _why_alone(p: _Row) -> str:
    if p["paye_units_in_year"] == WEEKS_IN_TAX_YEAR and p["tax_period"] > WEEKS_IN_TAX_YEAR:
        return f"every {p.unit} beyond {WEEKS_IN_TAX_YEAR} is"
    return "week 1/month 1"


def _paye_line(p: _Row, about: str, figure: int, expression: str, period: int, **more: Any) -> Line:
    return Line(
        "tax",
        about,
        figure,
        expression,
        rule=f"{ROUTINES}, period {period}",
        law=p.tables.versions["income_tax"],
        unverified=p.if_other_frequency("income_tax"),
        **more,
    )


def _flat_rate(p: _Row, about: str) -> Iterator[Line]:
    pay, pounds = p.money("paye_pay"), p["paye_whole_pounds"]
    yield _paye_line(p, f"{about}: pay in whole pounds", pounds, pay, p["paye_units"], rounding=DOWN_TO_POUND)
    due = share(money(pounds), p["tax_rate_ppm"])
    yield _paye_line(p, f"{about}: tax due", p["tax_liability"], due, p["paye_units"], rounding=CUT_TO_PENNY)


def _free_pay(p: _Row, about: str) -> Iterator[Line]:
    """Of week or month 1: whole blocks of 500 of the code, and what its rest is worth; then to date."""
    name = "additional pay" if p["tax_code_kind"] == K else "free pay"
    number, one, units = p["tax_code_number"], abs(p["free_pay_of_one"]), p["paye_units"]
    if not number:
        yield _paye_line(p, f"{about}: {name}", 0, "0.00", 1, note="the code is 0T")
        return
    t = p.tables.parameters["income_tax"]
    blocks, rest = (number - 1) // t.block_size, (number - 1) % t.block_size + 1
    block = int(t.block[p["frequency"]])
    worth, year = one - blocks * block, p["paye_units_in_year"]
    of_rest = f"(10 x {rest} + 9) / {year}"
    if blocks:
        of_number = f"{about}: {rest} of the code's {number} is worth"
        yield _paye_line(p, of_number, worth, of_rest, 1, rounding=UP_TO_PENNY)
        yield _paye_line(p, f"{about}: {name}", one, f"{blocks} x {money(block)} + {money(worth)}", 1)
    else:
        yield _paye_line(p, f"{about}: {name}", one, of_rest, 1, rounding=UP_TO_PENNY)
    if units > 1:
        to_date = f"{units} x {money(one)}"
        yield _paye_line(p, f"{about}: {name} to {p.unit} {units}", abs(p["free_pay"]), to_date, units)


def _banded(p: _Row, about: str) -> Iterator[Line]:
    sign = "+" if p["tax_code_kind"] == K else "-"
    pay = "pay" if p["paye_week1_month1"] else "pay to date"
    free, rest, units = money(abs(p["free_pay"])), p["paye_pay_less_free_pay"], p["paye_units"]
    left = f"{p.money('paye_pay')} {sign} {free}"
    name = "and additional pay" if sign == "+" else "less free pay"
    yield _paye_line(p, f"{about}: {pay} {name}", rest, left, units)
    if rest <= 0:
        yield _paye_line(p, f"{about}: tax due", 0, "0.00", units, note="nothing is left to tax")
        return
    pounds = p["paye_whole_pounds"]
    whole = f"{about}: in whole pounds"
    yield _paye_line(p, whole, pounds, money(rest), units, rounding=DOWN_TO_POUND)
    due, rate = f"{about}: tax due", p["tax_rate_ppm"]
    expression, note = share(money(pounds), rate), ""
    if p["tax_band"] > 1:
        above = share(f"({money(pounds)} - {fine(p['tax_band_start'])})", rate)
        expression = f"{fine(p['tax_below_band'])} + {above}"
        note = f"band {p['tax_band']}; the first figure is the tax of the bands below"
    yield _paye_line(p, due, p["tax_liability"], expression, units, rounding=CUT_TO_PENNY, note=note)


def _deducted(p: _Row) -> Iterator[Line]:
    parts = [(p["tax_liability"], "due")]
    if not p["paye_week1_month1"]:
        parts.append((-p["tax_to_date_before"], "already deducted"))
    limited = p["paye"] != p["tax_before_limit"]
    name = "Income tax before the limit" if limited else "Income tax deducted"
    note = "a refund" if p["paye"] < 0 else ""
    yield p.line("tax", name, "tax_before_limit", total(parts), note=note, rule=ROUTINES, table="income_tax")
    if limited:
        paid = p.money("taxable_pay")
        if p["payrolled_benefits"]:
            paid = f"({paid} - {p.money('payrolled_benefits', 'benefits in kind')})"
        yield p.line(
            "tax",
            "Income tax deducted",
            "paye",
            share(paid, p.tables.parameters["income_tax"].regulatory_limit_ppm),
            rounding=CUT_TO_PENNY,
            note=f"the regulatory limit, instead of {p.money('tax_before_limit')}",
            rule="PAYE Regulations 2003",
            table="income_tax",
        )


def _nic_line(p: _Row, group: str, about: str, figure: int, expression: str, **more: Any) -> Line:
    law, memory = p.tables.versions["ni_class1"], p.if_other_frequency("ni_class1")
    return Line(group, about, figure, expression, rule=METHOD, law=law, unverified=memory, **more)


def _slices(*slices: tuple[int, int]) -> str:
    """Earnings in pence and their rate in ppm, added up; those without earnings are left out."""
    return " + ".join(share(money(earnings), int(rate)) for earnings, rate in slices if earnings) or "0.00"


def _national_insurance(p: _Row, t: NicClass1) -> Iterator[Line]:
    letter, period = p["ni_category"], p["nic_period"]
    name = f"National Insurance category {CATEGORIES[letter]}"
    rule = "SSCBA 1992 s.6"
    yield from _counted(p, "ni", "Pay for National Insurance", "niable_pay", "niable", rule)
    if period >= YEAR_OF_WEEKS:
        yield _directors_year(p)
    pt, uel = int(t.primary_threshold[period]), int(t.upper_earnings_limit[period])
    main, above = p["earnings_pt_to_uel"], p["earnings_above_uel"]
    if t.liable[letter]:
        expression, note = _between(p["nic_earnings"], pt, uel, "primary threshold")
        yield _nic_line(p, "ni", f"{name}: earnings above the threshold", main, expression, note=note)
    if above:
        over = f"{p.money('nic_earnings')} - {money(uel, 'upper earnings limit')}"
        yield _nic_line(p, "ni", f"{name}: earnings above the limit", above, over)
    due = _slices((main, t.employee_ppm[letter]), (above, t.employee_above_uel_ppm[letter]))
    note = "" if t.liable[letter] else "none is due"
    yield from _charged(p, "ni", name, "employee_nic", due, note)


def _directors_year(p: _Row) -> Line:
    """What a director is charged on: pay of the year, whose thresholds are those of the weeks it has."""
    weeks = p["nic_period"] - YEAR_OF_WEEKS
    return p.line(
        "ni",
        "Director's pay of the year to date",
        "nic_earnings",
        total([(p["niable_pay_to_date_before"], "before"), (p["niable_pay"], "now")]),
        note="thresholds of the year" if weeks == WEEKS_IN_TAX_YEAR else f"thresholds of {weeks} weeks",
        rule="Social Security (Contributions) Regulations 2001 reg. 8",
    )


def _charged(p: _Row, group: str, name: str, column: str, due: str, note: str) -> Iterator[Line]:
    """Contributions of the pay period; of a director's year, less what was charged before."""
    rounding = NIC_ROUNDING if due != money(0) else EXACT
    if p["nic_period"] < YEAR_OF_WEEKS:
        yield _nic_line(p, group, name, p[column], due, rounding=rounding, note=note)
        return
    before = p[f"{column}_to_date_before"]
    yield _nic_line(p, group, f"{name}: of the year", p[column] + before, due, rounding=rounding, note=note)
    expression = total([(p[column] + before, "of the year"), (-before, "charged before")])
    yield _nic_line(p, group, name, p[column], expression, note="given back" if p[column] < 0 else "")


def _employer_national_insurance(p: _Row, t: NicClass1) -> Iterator[Line]:
    letter, period = p["ni_category"], p["nic_period"]
    if not t.liable[letter] and not p["employer_nic"]:
        return
    name = "Employer's National Insurance"
    starts, uel = int(t.employer_from[letter, period]), int(t.upper_earnings_limit[period])
    charged, above = p["employer_nic_earnings_to_uel"], p["earnings_above_uel"]
    if t.liable[letter]:
        expression, note = _between(p["nic_earnings"], starts, uel, "threshold")
        yield _nic_line(p, "employer-ni", f"{name}: earnings", charged, expression, note=note)
    due = _slices((charged, t.employer_ppm[letter]), (above, t.employer_ppm[letter]))
    yield from _charged(p, "employer-ni", name, "employer_nic", due, "")


def _loans(p: _Row, t: StudentLoan) -> Iterator[Line]:
    if plan := p["student_loan_plan"]:
        threshold = int(t.threshold[plan, p["frequency"]])
        yield from _loan(
            p, f"Student loan plan {PLANS[plan]}", "student_loan", threshold, int(t.rate_ppm[plan])
        )
    if p["has_postgraduate_loan"]:
        threshold = int(t.postgraduate_threshold[p["frequency"]])
        yield from _loan(p, "Postgraduate loan", "postgraduate_loan", threshold, t.postgraduate_rate_ppm)


def _loan(p: _Row, name: str, column: str, threshold: int, rate_ppm: int) -> Iterator[Line]:
    memory = p.if_other_frequency("student_loan")
    more = {"table": "student_loan", "unverified": memory, "rule": "CSLM17000"}
    expression, note = _between(p["niable_pay"], threshold, MAX_PAY_PENCE, "threshold")
    above, of_pay = f"{column}_pay_above", f"{column}_of_pay"
    yield p.line("loans", f"{name}: pay above the threshold", above, expression, note=note, **more)
    restricted = p[column] != p[of_pay]
    about = f"{name}: of the pay" if restricted else name
    yield p.line("loans", about, of_pay, share(p.money(above), rate_ppm), rounding=DOWN_TO_POUND, **more)
    if restricted:
        yield from _restricted(p, name, column)


def _restricted(p: _Row, name: str, column: str) -> Iterator[Line]:
    """A loan that does not fit into what is left, or that an order stops."""
    rule = "CSLM18015 to CSLM18025"
    if p["loans_stopped"]:
        yield p.line("loans", name, column, money(0), note="an attachment order stops loans", rule=rule)
        return
    first = p["student_loan"] if column == "postgraduate_loan" else 0
    if not first or p["student_loan"] == p["student_loan_of_pay"]:
        yield from _room_for_loans(p, rule)
    expression = total([(p["room_for_loans"], "left for loans"), (-first, "student loan")])
    yield p.line("loans", name, column, expression, note="no more is left", rule=rule)


def _room_for_loans(p: _Row, rule: str) -> Iterator[Line]:
    taken = [(-p["paye"], "income tax"), (-p["employee_nic"], "National Insurance")]
    pay_left = total([(p["gross"], "gross pay"), *taken, (-p["employee_pension"], "pension")])
    yield p.line("loans", "Left of pay", "pay_left", pay_left, rule="Employment Rights Act 1996 s.8")
    above_protected = p["net_earnings"] - p["protected_from_loans"]
    orders = (-p["priority_orders"], "attachment orders")
    if p["protected_from_loans"] and above_protected < p["pay_left"]:
        yield from _net_earnings(p, "loans")
        protected = (-p["protected_from_loans"], "protected earnings")
        parts = [(p["net_earnings"], "net earnings"), protected, orders]
    else:
        parts = [(p["pay_left"], "left of pay"), orders]
    room = total(parts) if sum(amount for amount, _ in parts) > 0 else money(0)
    yield p.line("loans", "Left for loans", "room_for_loans", room, rounding=DOWN_TO_POUND, rule=rule)


def _net_earnings(p: _Row, group: str) -> Iterator[Line]:
    """What attachment orders take from."""
    rule = "Attachment of Earnings Act 1971"
    yield from _counted(p, group, "Pay that orders take from", "attachable_elements", "attachable", rule)
    parts = [
        (p["attachable_elements"], "pay"),
        (-p["salary_sacrifice"], "salary sacrifice"),
        (-p["paye"], "income tax"),
        (-p["employee_nic"], "National Insurance"),
        (-p["employee_pension"], "pension"),
    ]
    expression = total(parts) if sum(amount for amount, _ in parts) > 0 else money(0)
    yield p.line(group, "Net earnings", "net_earnings", expression, rule=rule)


def _orders(p: _Row) -> Iterator[Line]:
    """What orders took in all; what each took, and what it carries forward, stands with the orders."""
    taken = [e for e in ELEMENTS if e.code in ORDER_ELEMENTS and p[e.code]]
    if taken:
        yield from _net_earnings(p, "net")
    for element in taken:
        yield Line("net", element.label, p[element.code], note="order by order: see the orders")


def _debts(p: _Row) -> Iterator[Line]:
    """What is paid back; what of which debt, stands with the debts."""
    if not p["debts_due"]:
        return
    left = f"{money(p['protected_net'])} of net pay is left" if p["protected_net"] else "as net pay allows"
    note = f"{money(p['debts_due'])} is due, {left}"
    rule = "Employment Rights Act 1996 s.13 and s.14"
    yield Line("net", "Paid back to the employer", p["debts_repaid"], note=note, rule=rule)


def _leave(p: _Row) -> Iterator[Line]:
    """What leave pays whoever has no normal pay; older traces have no such columns."""
    if "leave_minutes" not in p.columns or not p["leave_minutes"]:
        return
    rule = "ERA 1996 s.221 to s.224; Working Time Regulations 1998 reg. 16"
    weeks, counted = p["leave_week_minutes"], p["leave_weeks_counted"]
    note = f"the average of {counted} paid weeks before the pay period" if counted > 1 else "one paid week"
    more: dict[str, Any] = {"table": "holiday", "rule": rule, "unverified": ("look_back_weeks",)}
    yield p.line("holiday", "A week's pay", "leave_week_pay", "", rounding=NEAREST_PENNY, note=note, **more)
    of = f"of {weeks:,} minutes a week are paid as holiday"
    yield p.line("holiday", "Leave", "leave_minutes", "", unit="minutes", note=of, **more)


def _holiday(p: _Row) -> Iterator[Line]:
    if not p["holiday_accrues"]:
        return
    rate = p.tables.parameters["holiday"].accrual_ppm
    more = {"table": "holiday", "rule": "Working Time Regulations 1998 reg. 15B", "unverified": ("rounding",)}
    rule = "Working Time Regulations 1998 reg. 16A"
    yield from _counted(p, "holiday", "Pay for work", "pay_for_work", "work", rule)
    worked = share(f"{p['minutes_worked']:,} minutes", rate)
    about = "Holiday earned"
    yield p.line(
        "holiday", about, "holiday_accrued_minutes", worked, rounding=NEAREST_MINUTE, unit="minutes", **more
    )
    pay = share(p.money("pay_for_work"), rate)
    yield p.line("holiday", "Holiday pay earned", "holiday_accrued_pay", pay, rounding=NEAREST_PENNY, **more)


def _net(p: _Row) -> Iterator[Line]:
    taken = [(-p[e.code], e.label.partition(" (")[0]) for e in ELEMENTS if e.kind == "deduction"]
    expression = total([(p["gross"], "gross pay"), *taken])
    yield p.line("net", "Net pay", "net_pay", expression, rule="Employment Rights Act 1996 s.8")
