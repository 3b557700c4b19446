"""How the inputs of a British payslip are told, where it is said why one differs from the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engineroom.kernel.rates import format_ppm
from engineroom.payroll.explained import Words, plain_words, register_words

Values = Mapping[str, Any]
Said = Callable[[Values, Values, str], str]

RELIEFS = {
    "": "none",
    "relief_at_source": "relief at source",
    "net_pay": "net pay",
    "salary_sacrifice": "sacrifice",
}


def _tax_code(was: Values, is_: Values, currency: str) -> str:
    return f"tax code {_code(is_)}, was {_code(was)}"


def _code(of: Values) -> str:
    return f"{of['tax_code']}{' week 1/month 1' if of['week1_month1'] else ''}"


def _loan(was: Values, is_: Values, currency: str) -> str:
    before, now = was["student_loan_plan"] or "", is_["student_loan_plan"] or ""
    if before == now:
        return "student loan changed"
    if not now:
        return f"student loan of plan {before} finished"
    return f"student loan of plan {now} began" if not before else f"student loan of plan {now}, was {before}"


def _postgraduate(was: Values, is_: Values, currency: str) -> str:
    return f"postgraduate loan {'began' if is_['has_postgraduate_loan'] else 'finished'}"


def _pension(was: Values, is_: Values, currency: str) -> str:
    if not is_["pension_member"]:
        return "left the pension scheme"
    if not was["pension_member"]:
        return f"joined the pension scheme at {_rates(is_)}"
    return f"pension {_rates(is_)}, was {_rates(was)}"


def _rates(of: Values) -> str:
    own, firm = (format_ppm(int(of[f"pension_{who}_ppm"] or 0)) for who in ("employee", "employer"))
    return f"{own} and {firm} of the employer, {RELIEFS.get(of['pension_relief'], of['pension_relief'])}"


def _so_far(was: Values, is_: Values, currency: str) -> str:
    return f"pay and tax to date before it, and tax period {is_['tax_period']} after {was['tax_period']}"


def _minutes(was: Values, is_: Values, currency: str) -> str:
    more = int(is_["minutes_worked"] or 0) - int(was["minutes_worked"] or 0)
    return f"{abs(more)} minutes {'more' if more > 0 else 'less'} worked"


def _leave(was: Values, is_: Values, currency: str) -> str:
    return f"{int(is_['leave_minutes'] or 0):,} minutes of leave, were {int(was['leave_minutes'] or 0):,}"


LEAVE = ("leave_minutes", "leave_week_minutes", "leave_week_pay", "leave_weeks_counted")
PENSION = ("pension_member", "pension_relief", "pension_employee_ppm", "pension_employer_ppm")
SO_FAR = ("tax_period", "taxable_pay_to_date_before", "tax_to_date_before")

register_words(
    "gb",
    {
        "minutes_worked": Words(("minutes_worked",), "Time worked", _minutes),
        "leave": Words(LEAVE, "Leave", _leave),
        "pension": Words(PENSION, "Pension", _pension),
        "tax_code": Words(("tax_code", "week1_month1"), "Tax code", _tax_code),
        "ni_category": plain_words("ni_category", "NI category"),
        "student_loan_plan": Words(("student_loan_plan",), "Student loan", _loan),
        "has_postgraduate_loan": Words(("has_postgraduate_loan",), "Postgraduate loan", _postgraduate),
        "so_far": Words(SO_FAR, "Year so far", _so_far),
    },
)
