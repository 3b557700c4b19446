"""How a person is taxed from a day on, said of one person: a coding notice, another category, a pension.

A file says it of many (`imports.py`); what is wrong with a row is found here for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.kernel.money import MAX_MINOR
from engineroom.kernel.rates import PPM
from engineroom.kernel.tables import load_table
from engineroom.payroll.engine.gb.nic import DIRECTOR_METHODS, WEEKS_OF_A_DIRECTOR
from engineroom.payroll.engine.gb.pension import RELIEFS
from engineroom.payroll.engine.gb.tax_codes import TaxCodeRefused, parse_tax_code
from engineroom.payroll.models import TaxDetails
from engineroom.people.models import Person

LOAN_PLANS = ("1", "2", "4", "5")
CATEGORIES = tuple(sorted(load_table("engineroom.payroll.engine.gb", "ni_class1").versions[-1]["categories"]))


@dataclass(frozen=True)
class TaxSaid:
    """As a row of a file has it. pension_employee, pension_employer: parts per million, None where nothing is
    said. previous_pay, previous_tax: of an earlier employment in the same tax year, minor units."""

    tax_code: str
    is_cumulative: bool = True
    ni_category: str = "A"
    student_loan_plan: str = ""
    postgraduate_loan: bool = False
    pension_relief: str = ""
    pension_employee: int | None = None
    pension_employer: int | None = None
    director_method: str = ""
    director_weeks: int | None = None
    previous_pay: int = 0
    previous_tax: int = 0


@dataclass(frozen=True)
class TaxDetailsSet:
    person_id: UUID
    tax_code: str
    starts: date

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


def as_kept(code: str) -> str:
    """A tax code as it is kept: "1257 l" is 1257L."""
    return code.upper().replace(" ", "")


def wrong(said: TaxSaid, starts: date, before: date | None) -> list[Problem]:
    """What is to be mended, by the columns of the file. before: from when the latest details hold."""
    found = []
    if before is not None and starts <= before:
        remedy = "Give a later day: what was used is not changed"
        found.append(Problem(f"details from {before} stand already", remedy, field="from_date"))
    try:
        parse_tax_code(said.tax_code)
    except TaxCodeRefused as refused:
        found.append(Problem(refused.problem, refused.remedy, field="tax_code"))
    weeks = said.director_weeks
    if weeks is not None and not 1 <= weeks <= WEEKS_OF_A_DIRECTOR:
        remedy = "Give the tax weeks left when they were appointed, that one included: 1 to 52"
        found.append(Problem(f"{weeks} is not a number of weeks of a year", remedy, field="director_weeks"))
    if said.pension_relief and said.pension_employee is None:
        problem = "the pension has no employee percentage"
        found.append(Problem(problem, "Write it, as 5%", field="pension_employee"))
    return found


def _not_offered(said: TaxSaid) -> list[Problem]:
    """What a file's columns refuse by themselves."""
    choices = (
        ("ni_category", said.ni_category, CATEGORIES),
        ("student_loan_plan", said.student_loan_plan, ("", *LOAN_PLANS)),
        ("pension_relief", said.pension_relief, RELIEFS),
        ("director", said.director_method, DIRECTOR_METHODS),
    )
    found = [
        Problem(f"{value!r} is none there is", f"Use {', '.join(filter(None, known))}", field=field)
        for field, value, known in choices
        if value not in known
    ]
    amounts = (("previous_pay", said.previous_pay), ("previous_tax", said.previous_tax))
    found += [
        Problem("this is no amount of a P45", "Write it as it stands", field=field)
        for field, amount in amounts
        if not 0 <= amount <= MAX_MINOR
    ]
    shares = (("pension_employee", said.pension_employee), ("pension_employer", said.pension_employer))
    found += [
        Problem("this is no share of pay", "Write a percentage from 0% to 100%", field=field)
        for field, share in shares
        if share is not None and not 0 <= share <= PPM
    ]
    return found


@command("payroll.prepare")
def set_tax_details(person_id: UUID, said: TaxSaid, *, starts: date) -> TaxDetailsSet:
    """What is said holds from the day on; what stood before ends the day before. Raises InputRefused."""
    client_id = current_client_id()
    if not Person.objects.filter(client_id=client_id, counterparty_id=person_id).exists():
        raise NotFound(f"there is nobody {person_id} here")
    mine = TaxDetails.objects.filter(client_id=client_id, person_id=person_id)
    before = mine.order_by("-starts").first()
    if problems := [*_not_offered(said), *wrong(said, starts, before.starts if before else None)]:
        raise InputRefused(problems)
    mine.filter(ends=None).update(ends=starts - timedelta(days=1))
    row = TaxDetails.objects.create(
        client_id=client_id,
        person_id=person_id,
        starts=starts,
        tax_code=as_kept(said.tax_code),
        is_cumulative=said.is_cumulative,
        ni_category=said.ni_category,
        student_loan_plan=said.student_loan_plan,
        postgraduate_loan=said.postgraduate_loan,
        pension_relief=said.pension_relief,
        pension_employee_ppm=said.pension_employee or 0,
        pension_employer_ppm=said.pension_employer or 0,
        director_method=said.director_method,
        director_weeks=said.director_weeks or WEEKS_OF_A_DIRECTOR,
        previous_pay=said.previous_pay,
        previous_tax=said.previous_tax,
    )
    return TaxDetailsSet(person_id, row.tax_code, starts)


def standing(person_id: UUID, on: date) -> TaxSaid | None:
    """The latest details as they would be said again from a day on; figures of an earlier employment count in
    their own tax year alone, and no director's weeks outlive theirs."""
    mine = TaxDetails.objects.filter(client_id=current_client_id(), person_id=person_id)
    row = mine.order_by("-starts").first()
    if row is None:
        return None
    same_year = tax_year(row.starts) == tax_year(on)
    return TaxSaid(
        row.tax_code,
        row.is_cumulative,
        row.ni_category,
        row.student_loan_plan,
        row.postgraduate_loan,
        row.pension_relief,
        row.pension_employee_ppm if row.pension_relief else None,
        row.pension_employer_ppm if row.pension_relief else None,
        row.director_method,
        row.director_weeks if same_year and row.director_weeks != WEEKS_OF_A_DIRECTOR else None,
        row.previous_pay if same_year else 0,
        row.previous_tax if same_year else 0,
    )


def tax_year(day: date) -> int:
    """The year in which the tax year of a day began: on 6 April (ITA 2007, s. 4)."""
    return day.year if (day.month, day.day) >= (4, 6) else day.year - 1
