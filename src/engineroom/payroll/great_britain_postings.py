"""What a British run posts and owes: tax, National Insurance and loans to HMRC, pensions to a provider."""

from __future__ import annotations

from datetime import date, timedelta

from engineroom.kernel.calendar import calendar
from engineroom.kernel.periods import GbTaxYear, gb_tax_month, gb_tax_month_end
from engineroom.payroll import accounts
from engineroom.payroll.engine.gb.employer import EMPLOYMENT_ALLOWANCE, LEVY
from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS
from engineroom.payroll.engine.gb.parental_pay import RECOVERY
from engineroom.payroll.postings import (
    Adjustment,
    Agency,
    OwedPeriod,
    Part,
    Posted,
    Postings,
    SuggestAsked,
    cost,
    put_aside,
)

PAYMENT_DAY = 22
"""Of the month after: to HMRC electronically (facts/gb.md section 2.1), and to a pension scheme (SI 2000/692
reg. 5 as amended by SI 2010/772 reg. 49: 22 days from the end of the month of the deduction)."""

GROSS, NIC = "Gross pay", "Employer's National Insurance"
PENSION, HOLIDAY, CHARGES = "Employer's pension", "Holiday earned", "Charges for attachment orders"


def tax_month(day: date) -> OwedPeriod:
    """The tax month of a payday, from the 6th to the 5th; the money is there by the banking day on or before
    the 22nd."""
    ends = gb_tax_month_end(day)
    starts = (ends.replace(day=1) - timedelta(days=1)).replace(day=6)
    year, number = str(GbTaxYear.of(day)), gb_tax_month(day)
    due = calendar("ENG").on_or_before(ends.replace(day=PAYMENT_DAY))
    return OwedPeriod(f"tax month {number} of {year}", year, number, starts, ends, due)


def month_of_deduction(day: date) -> OwedPeriod:
    """The calendar month of a payday, under the number of the tax year's months that it begins in."""
    starts = day.replace(day=1)
    after = (starts + timedelta(days=31)).replace(day=1)
    due = calendar("ENG").on_or_before(after.replace(day=PAYMENT_DAY))
    first = starts.replace(day=6)
    year, number = str(GbTaxYear.of(first)), gb_tax_month(first)
    return OwedPeriod(f"{starts:%B %Y}", year, number, starts, after - timedelta(days=1), due)


def _employment_allowance(asked: SuggestAsked) -> int:
    """As much of the year's allowance as the month's employer's National Insurance takes, if claimed."""
    given = {"employer_nic": max(asked.sums.get("employer_nic", 0), 0), "claimed_before": asked.before}
    done = EMPLOYMENT_ALLOWANCE.calculate(given, EMPLOYMENT_ALLOWANCE.tables_at(asked.period.ends))
    return int(done.columns["relief"][0]) if len(done.rows) else 0


def _levy(asked: SuggestAsked) -> int:
    """The month's levy of an employer that has the whole allowance to itself; below zero it is credit."""
    given = {
        "pay_bill_to_date": max(asked.to_date.get("niable_pay", 0), 0),
        "tax_month": asked.period.number,
        "levy_before": asked.before,
    }
    done = LEVY.calculate(given, LEVY.tables_at(asked.period.ends))
    return int(done.columns["levy"][0]) if len(done.rows) else 0


def _recovered(asked: SuggestAsked) -> int:
    """Of the month's statutory pay of parents what any employer gets back; a small one says all of it, with
    compensation."""
    given = {"paid": max(asked.sums.get("statutory_parental_pay", 0), 0), "small_employer": 0}
    done = RECOVERY.calculate(given, RECOVERY.tables_at(asked.period.ends))
    return int(done.columns["recovery"][0]) if len(done.rows) else 0


HMRC = Agency(
    "HMRC",
    "HM Revenue & Customs",
    "agency",
    "hmrc",
    "due to HMRC",
    "PAYE, NIC and loans to HMRC",
    (
        Part("paye", "Income tax (PAYE)", ("paye",), accounts.HMRC),
        Part("nic", "National Insurance", ("employee_nic", "employer_nic"), accounts.HMRC),
        Part("levy", "Apprenticeship levy", (), accounts.HMRC),
        Part(
            "student_loan",
            "Student and postgraduate loans",
            ("student_loan", "postgraduate_loan"),
            accounts.HMRC,
        ),
    ),
    tax_month,
    "HMRC: cleared electronic payment by the 22nd after the tax month, or the banking day before it",
    adjustments=(
        Adjustment(
            "employment_allowance",
            "Employment Allowance",
            "nic",
            "cost.employer_nic",
            True,
            "National Insurance Contributions Act 2014 s.1 and s.4",
            _employment_allowance,
        ),
        Adjustment(
            "apprenticeship_levy",
            "Apprenticeship levy",
            "levy",
            "cost.apprenticeship_levy",
            False,
            "Finance Act 2016 s.99 and s.100; HMRC manual ALM09200",
            _levy,
        ),
        Adjustment(
            "statutory_pay",
            "Statutory payments recovered, with compensation",
            "nic",
            "cost.basic_pay",
            True,
            "Statutory Maternity Pay (Compensation of Employers) Regulations 1994",
            _recovered,
        ),
    ),
)
PROVIDER = Agency(
    "PENSION",
    "Workplace pension provider",
    "supplier",
    "pension",
    "pension contributions",
    "Pension contributions",
    (
        Part(
            "pension",
            "Pension contributions",
            ("employee_pension", "employer_pension", "salary_sacrifice"),
            accounts.PENSION_PROVIDER,
        ),
    ),
    month_of_deduction,
    "SI 2000/692 reg. 5 (22 days from the end of the month in which it was deducted, paid electronically)",
    one_item="Pension",
)

POSTINGS = Postings(
    costs=(
        *(cost(e.code, e.label, accounts.WAGES, GROSS) for e in ELEMENTS if e.kind == "earning"),
        cost("salary_sacrifice", "Pay given up for the pension", accounts.WAGES, GROSS, times=-1),
        cost("order_fees", "Charges kept for attachment orders", accounts.ORDER_CHARGES, CHARGES, times=-1),
        cost("employer_nic", "Employer's National Insurance", accounts.EMPLOYER_NIC, NIC),
        cost("employer_pension", "Employer's pension contribution", accounts.EMPLOYER_PENSION, PENSION),
        # A sacrificed contribution is the employer's to pay.
        cost(
            "salary_sacrifice",
            "Sacrificed pay, paid to the pension",
            accounts.EMPLOYER_PENSION,
            PENSION,
            name="sacrificed_pension",
        ),
        Posted("cost", "apprenticeship_levy", "Apprenticeship levy", (), accounts.EMPLOYER_NIC, NIC),
        cost("holiday_accrued_pay", "Holiday pay earned", accounts.HOLIDAY_COST, HOLIDAY),
    ),
    agencies=(HMRC, PROVIDER),
    net_account=accounts.NET_WAGES,
    aside=(
        put_aside("holiday_accrued_pay", "Holiday pay provision", accounts.HOLIDAY_PROVISION),
        put_aside("debts_repaid", "Advances, loans and pay to come back, paid back", accounts.STAFF_DEBTS),
    ),
    creditors=Posted(
        "owed",
        "orders",
        "Attachment orders",
        (("priority_orders", 1), ("other_orders", 1)),
        accounts.ORDERS,
    ),
    headings=(
        (GROSS, "what people earned"),
        (NIC, "paid to HMRC on top"),
        (PENSION, "paid into their pensions, sacrificed pay with it"),
        (HOLIDAY, "put aside until they take it"),
        (CHARGES, "kept by the employer"),
    ),
)
