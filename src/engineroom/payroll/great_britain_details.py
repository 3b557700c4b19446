"""How a person is taxed in Great Britain: code, category, loans, pension, directors; and how somebody new is
taxed by what they declare, or by their P45."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from engineroom.kernel.errors import Problem
from engineroom.kernel.tables import load_table
from engineroom.payroll.engine.gb.nic import DIRECTOR_METHODS, WEEKS_OF_A_DIRECTOR
from engineroom.payroll.engine.gb.pension import RELIEFS
from engineroom.payroll.engine.gb.tax_codes import TaxCodeRefused, parse_tax_code
from engineroom.payroll.tax_record import Said, Shown, TaxField, Value

RULES = "engineroom.payroll.engine.gb"
LOAN_PLANS = ("1", "2", "4", "5")
CATEGORIES = tuple(sorted(load_table(RULES, "ni_class1").versions[-1]["categories"]))
P45 = "P45"
STATEMENTS = {
    "A": "A: their first job since 6 April",
    "B": "B: their only job now, and had another since 6 April",
    "C": "C: has another job or a pension",
    P45: "a P45 of the employer before",
}

TAX, LOANS, PENSION = "Tax and National Insurance", "Loans", "Pension"
EARLIER = "Director, and earlier employment in this tax year"
PLANS = {"": "none", **{plan: f"plan {plan}" for plan in LOAN_PLANS}}

CATEGORY = TaxField("ni_category", "NI category", "choice", TAX, needed=True, choices=CATEGORIES)
LOAN = TaxField("student_loan_plan", "Student loan", "choice", LOANS, choices=LOAN_PLANS, words=PLANS)
POSTGRADUATE = TaxField("postgraduate_loan", "Postgraduate loan", "flag", LOANS)
FIELDS = (
    TaxField("tax_code", "Tax code", group=TAX, needed=True, max_length=12, hint="As HMRC's notice has it."),
    TaxField("basis", "Basis", "choice", TAX, choices=("cumulative", "week1"), default="cumulative",
             words={"week1": "week 1 or month 1"}),
    CATEGORY,
    LOAN,
    POSTGRADUATE,
    TaxField("pension_relief", "Pension", "choice", PENSION, choices=RELIEFS[1:],
             words={"": "not in the scheme"}),
    TaxField("pension_employee", "Employee's share", "percent", PENSION, hint="Such as 5%."),
    TaxField("pension_employer", "Employer's share", "percent", PENSION, hint="Such as 3%."),
    TaxField("director", "Director's NI", "choice", EARLIER, choices=DIRECTOR_METHODS[1:],
             words={"": "no director"}),
    TaxField("director_weeks", "Tax weeks left", "count", EARLIER,
             hint="In the year of appointment; else empty."),
    TaxField("previous_pay", "Earlier pay", "money", EARLIER),
    TaxField("previous_tax", "Earlier tax", "money", EARLIER),
)  # fmt: skip

DECLARED, BROUGHT = "What they declare", "Of their P45, if they brought one"
STARTING = (
    TaxField("statement", "They declare", "choice", DECLARED, needed=True, choices=tuple(STATEMENTS),
             words=STATEMENTS, hint="Which code a statement gives is from memory: docs/limits.md."),
    TaxField("ni_category", "NI category", "choice", DECLARED, needed=True, choices=CATEGORIES),
    TaxField("student_loan_plan", "Student loan", "choice", DECLARED, choices=LOAN_PLANS, words=PLANS),
    TaxField("postgraduate_loan", "Postgraduate loan", "flag", DECLARED),
    TaxField("tax_code", "Tax code of the P45", group=BROUGHT, max_length=12),
    TaxField("week1", "The P45's code is week 1 or month 1", "flag", BROUGHT),
    TaxField("left", "Leaving date on the P45", "day", BROUGHT),
    TaxField("previous_pay", "Total pay to date on the P45", "money", BROUGHT),
    TaxField("previous_tax", "Total tax to date on the P45", "money", BROUGHT),
)  # fmt: skip


@dataclass(frozen=True)
class GbTaxRecord:
    """Columns of `TaxDetails`."""

    fields: tuple[TaxField, ...] = FIELDS
    starting: tuple[TaxField, ...] = STARTING
    identifier: str = "National Insurance number"
    shown: tuple[Shown, ...] = (
        Shown("Tax code", ("tax_code", "basis")),
        Shown("NI category", ("ni_category",)),
        Shown("Student loan", ("student_loan_plan", "postgraduate_loan")),
        Shown("Pension", ("pension_relief", "pension_employee", "pension_employer")),
        Shown("Earlier pay", ("previous_pay",)),
        Shown("Earlier tax", ("previous_tax",)),
    )

    def wrong(self, said: Said) -> list[Problem]:
        found = []
        if wrong := _wrong_code(said):
            found.append(wrong)
        weeks = said.get("director_weeks")
        if isinstance(weeks, int) and not 1 <= weeks <= WEEKS_OF_A_DIRECTOR:
            remedy = "Give the tax weeks left when they were appointed, that one included: 1 to 52"
            found.append(
                Problem(f"{weeks} is not a number of weeks of a year", remedy, field="director_weeks")
            )
        if said.get("pension_relief") and said.get("pension_employee") is None:
            problem = "the pension has no employee percentage"
            found.append(Problem(problem, "Write it, as 5%", field="pension_employee"))
        return found

    def kept(self, said: Said) -> dict[str, Any]:
        return {
            "tax_code": as_kept(str(said["tax_code"])),
            "is_cumulative": said.get("basis") != "week1",
            "ni_category": said.get("ni_category") or "A",
            "student_loan_plan": said.get("student_loan_plan") or "",
            "postgraduate_loan": bool(said.get("postgraduate_loan")),
            "pension_relief": said.get("pension_relief") or "",
            "pension_employee_ppm": said.get("pension_employee") or 0,
            "pension_employer_ppm": said.get("pension_employer") or 0,
            "director_method": said.get("director") or "",
            "director_weeks": said.get("director_weeks") or WEEKS_OF_A_DIRECTOR,
            "previous_pay": said.get("previous_pay") or 0,
            "previous_tax": said.get("previous_tax") or 0,
        }

    def said(self, row: Any) -> dict[str, Value]:
        in_scheme, weeks = bool(row.pension_relief), row.director_weeks
        said: dict[str, Value | None] = {
            "tax_code": row.tax_code,
            "basis": "cumulative" if row.is_cumulative else "week1",
            "ni_category": row.ni_category,
            "student_loan_plan": row.student_loan_plan or None,
            "postgraduate_loan": row.postgraduate_loan or None,
            "pension_relief": row.pension_relief or None,
            "pension_employee": row.pension_employee_ppm if in_scheme else None,
            "pension_employer": row.pension_employer_ppm if in_scheme else None,
            "director": row.director_method or None,
            "director_weeks": weeks if weeks != WEEKS_OF_A_DIRECTOR else None,
            "previous_pay": row.previous_pay or None,
            "previous_tax": row.previous_tax or None,
        }
        return {name: value for name, value in said.items() if value is not None}

    def again(self, row: Any, on: date) -> dict[str, Value]:
        """Figures of an earlier employment count in their own tax year alone, and no director's weeks outlive
        theirs."""
        said = self.said(row)
        if tax_year(row.starts) != tax_year(on):
            for name in ("director_weeks", "previous_pay", "previous_tax"):
                said.pop(name, None)
        return said

    def in_words(self, said: Said) -> str:
        return as_kept(str(said.get("tax_code", "")))

    def wrong_start(self, said: Said, starts: date) -> list[Problem]:
        if said.get("statement") == P45:
            return _wrong_p45(said, starts)
        if said.get("tax_code") or said.get("previous_pay") or said.get("previous_tax"):
            remedy = "Choose the P45, or clear its fields"
            return [Problem("figures of a P45 are given without one", remedy, field="statement")]
        return []

    def begins(self, said: Said, starts: date) -> Said:
        code, is_cumulative = code_of(said, starts)
        left = said.get("left")
        same_year = isinstance(left, date) and tax_year(left) == tax_year(starts)
        counts = said.get("statement") == P45 and same_year and is_cumulative
        return {
            "tax_code": code,
            "basis": "cumulative" if is_cumulative else "week1",
            **{name: said.get(name) for name in ("ni_category", "student_loan_plan", "postgraduate_loan")},
            **({n: said.get(n) for n in ("previous_pay", "previous_tax")} if counts else {}),
        }


def as_kept(code: str) -> str:
    """A tax code as it is kept: "1257 l" is 1257L."""
    return code.upper().replace(" ", "")


def tax_year(day: date) -> int:
    """The year in which the tax year of a day began: on 6 April (ITA 2007, s. 4)."""
    return day.year if (day.month, day.day) >= (4, 6) else day.year - 1


def code_of(said: Said, starts: date) -> tuple[str, bool]:
    """The code, and whether it is cumulative: of the P45, or of the statement's row in the dated table."""
    if said.get("statement") == P45:
        return as_kept(str(said["tax_code"])), not said.get("week1")
    row = load_table(RULES, "starter_declaration").at(starts)[str(said["statement"])]
    standard = load_table(RULES, "income_tax").at(starts)["standard_code"]
    return (standard if row["code"] == "standard" else row["code"]), row["basis"] == "cumulative"


def _wrong_code(said: Said) -> Problem | None:
    try:
        parse_tax_code(str(said.get("tax_code") or ""))
    except TaxCodeRefused as refused:
        return Problem(refused.problem, refused.remedy, field="tax_code")
    return None


def _wrong_p45(said: Said, starts: date) -> list[Problem]:
    wrong, left = _wrong_code(said), said.get("left")
    found = [wrong] if wrong else []
    if not isinstance(left, date):
        found.append(Problem("the P45 has a leaving date", "Write it", field="left"))
    elif left > starts:
        found.append(Problem("they left after they begin here", "Look at both days", field="left"))
    return found


GB_TAX_RECORD = GbTaxRecord()
