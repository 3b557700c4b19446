"""Somebody new: employed, and taxed by what they declare or by their P45."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import MAX_MINOR
from engineroom.kernel.tables import load_table
from engineroom.payroll.engine.gb.tax_codes import TaxCodeRefused, parse_tax_code
from engineroom.payroll.models import TaxDetails
from engineroom.payroll.tax_details import CATEGORIES, LOAN_PLANS, as_kept, tax_year
from engineroom.people.employment import Starter, begin_person

RULES = "engineroom.payroll.engine.gb"
P45 = "P45"
STATEMENTS = {
    "A": "A: their first job since 6 April",
    "B": "B: their only job now, and had another since 6 April",
    "C": "C: has another job or a pension",
    P45: "a P45 of the employer before",
}


@dataclass(frozen=True)
class Declared:
    """What somebody new says of their tax. statement: A, B, C or P45; of a P45 also what it says.

    previous_pay, previous_tax: minor units, of this tax year; left: the day on which they left the other job.
    """

    statement: str
    tax_code: str = ""
    week1: bool = False
    previous_pay: int = 0
    previous_tax: int = 0
    left: date | None = None
    ni_category: str = "A"
    student_loan_plan: str = ""
    postgraduate_loan: bool = False


@dataclass(frozen=True)
class Started:
    person_id: UUID
    tax_code: str
    is_cumulative: bool

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def start_employee(starter: Starter, declared: Declared, *, starts: date) -> Started:
    """A new person with an employment, and the tax details that follow from what they declare."""
    if problems := _wrong(declared, starts):
        raise InputRefused(problems)
    code, is_cumulative = code_of(declared, starts)
    begun = begin_person(starter, starts=starts)
    same_year = declared.left is not None and tax_year(declared.left) == tax_year(starts)
    counts = declared.statement == P45 and same_year and is_cumulative
    TaxDetails.objects.create(
        client_id=current_scope().client_id,
        person_id=begun.person_id,
        starts=starts,
        tax_code=code,
        is_cumulative=is_cumulative,
        ni_category=declared.ni_category,
        student_loan_plan=declared.student_loan_plan,
        postgraduate_loan=declared.postgraduate_loan,
        previous_pay=declared.previous_pay if counts else 0,
        previous_tax=declared.previous_tax if counts else 0,
    )
    return Started(begun.person_id, code, is_cumulative)


def code_of(declared: Declared, starts: date) -> tuple[str, bool]:
    """The code, and whether it is cumulative: of the P45, or of the statement's row in the dated table."""
    if declared.statement == P45:
        return as_kept(declared.tax_code), not declared.week1
    row = load_table(RULES, "starter_declaration").at(starts)[declared.statement]
    standard = load_table(RULES, "income_tax").at(starts)["standard_code"]
    return (standard if row["code"] == "standard" else row["code"]), row["basis"] == "cumulative"


def _wrong(declared: Declared, starts: date) -> list[Problem]:
    found = []
    if declared.statement not in STATEMENTS:
        found.append(
            Problem("no statement is given", f"Use one of: {', '.join(STATEMENTS)}", field="statement")
        )
    if declared.ni_category not in CATEGORIES:
        found.append(Problem("there is no such NI category", "Use its letter", field="ni_category"))
    if declared.student_loan_plan not in ("", *LOAN_PLANS):
        found.append(
            Problem("there is no such plan", f"Use {', '.join(LOAN_PLANS)}", field="student_loan_plan")
        )
    if declared.statement == P45:
        found += _wrong_p45(declared, starts)
    elif declared.tax_code or declared.previous_pay or declared.previous_tax:
        remedy = "Choose the P45, or clear its fields"
        found.append(Problem("figures of a P45 are given without one", remedy, field="statement"))
    return found


def _wrong_p45(declared: Declared, starts: date) -> list[Problem]:
    found = []
    try:
        parse_tax_code(declared.tax_code)
    except TaxCodeRefused as refused:
        found.append(Problem(refused.problem, refused.remedy, field="tax_code"))
    if declared.left is None:
        found.append(Problem("the P45 has a leaving date", "Write it", field="left"))
    elif declared.left > starts:
        found.append(Problem("they left after they begin here", "Look at both days", field="left"))
    for field, amount in (
        ("previous_pay", declared.previous_pay),
        ("previous_tax", declared.previous_tax),
    ):
        if not 0 <= amount <= MAX_MINOR:
            found.append(Problem("this is no amount of a P45", "Write it as it stands", field=field))
    return found
