"""The British payslip: what the Employment Rights Act 1996 s.8 has it state, and what answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.dated import lives_on
from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS
from engineroom.payroll.engine.gb.pay_periods import WEEKS
from engineroom.payroll.itemised import Earned, Explained, Facts, Itemised, PapersAsked
from engineroom.payroll.models import TaxDetails
from engineroom.people.models import Person


def period_in_words(frequency: str, number: int) -> str:
    """The tax week or month: HMRC counts weeks for everything that is paid by weeks."""
    return f"Tax {'week' if frequency in WEEKS else 'month'} {number}"


def read_facts(asked: PapersAsked) -> Mapping[UUID, Facts]:
    """Who it is to HMRC, and how they are taxed."""
    ids = [slip.person_id for slip in asked.slips]
    numbers = _ni_numbers(list(Person.objects.filter(client_id=asked.client_id, counterparty_id__in=ids)))
    details = TaxDetails.objects.filter(lives_on(asked.pay_date), client_id=asked.client_id)
    this_period_alone = set(
        details.filter(person_id__in=ids, is_cumulative=False).values_list("person_id", flat=True)
    )
    employer = asked.employer.get("paye_reference", "")
    return {
        slip.person_id: [
            ("National Insurance number", numbers.get(slip.person_id, "")),
            ("NI category", slip.ni_category),
            ("Tax code", _tax_code(slip.tax_code, slip.person_id in this_period_alone)),
            ("Employer PAYE reference", employer),
        ]
        for slip in asked.slips
    }


def _tax_code(code: str, this_period_alone: bool) -> str:
    return f"{code} {'week 1' if this_period_alone else 'cumulative'}" if code else ""


def _ni_numbers(people: list[Person]) -> dict[UUID, str]:
    known = [person for person in people if person.ni_number]
    texts = reveal(known, "ni_number", purpose="payslips") if known else []
    return {p.counterparty_id: text or "" for p, text in zip(known, texts, strict=True)}


ITEMISED = Itemised(
    law="Employment Rights Act 1996 s.8: gross pay, each deduction with its purpose, net pay, how it is paid "
    "and the hours paid where pay varies with time",
    period=period_in_words,
    paid_by="Bacs",
    to_date=(("Taxable pay", "taxable_pay_to_date"), ("Tax", "tax_to_date")),
    earned=Earned("Holiday", "Earned on this payslip", "holiday_accrued_minutes"),
    read_facts=read_facts,
)

TAX = ("paye", "taxable_pay", "taxable_pay_to_date", "tax_to_date", "payrolled_benefits")
NI = ("employee_nic", "niable_pay", "earnings_at_lel", "earnings_lel_to_pt", "earnings_pt_to_uel")
PENSION = ("employee_pension", "qualifying_earnings", "pension_tax_relief", "salary_sacrifice")

EXPLAINED = Explained(
    groups={
        "gross": ("Gross pay", None),
        "pension": ("Pension", "pension_auto_enrolment"),
        "employer-pension": ("Employer's pension", "pension_auto_enrolment"),
        "tax": ("Income tax", "income_tax"),
        "ni": ("National Insurance", "ni_class1"),
        "employer-ni": ("Employer's National Insurance", "ni_class1"),
        "loans": ("Student loans", "student_loan"),
        "holiday": ("Holiday", "holiday"),
        "orders": ("Attachment orders", None),
        "claims": ("Statutory pay", None),
        "net": ("Net pay", None),
    },
    of_element={
        **dict.fromkeys((e.code for e in ELEMENTS if e.kind == "earning"), "gross"),
        **dict.fromkeys(("gross", "minutes_worked"), "gross"),
        **dict.fromkeys(TAX, "tax"),
        **dict.fromkeys(NI, "ni"),
        **dict.fromkeys(("student_loan", "postgraduate_loan"), "loans"),
        **dict.fromkeys(PENSION, "pension"),
        **dict.fromkeys(("holiday_accrued_minutes", "holiday_accrued_pay"), "holiday"),
        **dict.fromkeys(("priority_orders", "other_orders", "order_fees"), "orders"),
        "statutory_sick_pay": "claims",
        "employer_nic": "employer-ni",
        "employer_pension": "employer-pension",
        **dict.fromkeys(("debts_repaid", "net_pay"), "net"),
    },
    taken={"pension": ("employee_pension", "salary_sacrifice")},
)
