"""Great Britain as a jurisdiction: its engine, the tax year from 6 April, and tax details as rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from engineroom.kernel.calendar import Calendar, calendar
from engineroom.kernel.periods import GbTaxYear
from engineroom.kernel.rounding import half_up
from engineroom.payroll import jurisdictions
from engineroom.payroll.engine.elements import PayElement, PayElements
from engineroom.payroll.engine.gb import gross_to_net
from engineroom.payroll.engine.gb.explain import explain, explanation
from engineroom.payroll.engine.gb.inputs import PAY
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, tax_period
from engineroom.payroll.engine.lines import Line
from engineroom.payroll.engine.steps import Calculation, Element
from engineroom.payroll.great_britain_claims import GB_CLAIMS, GbClaims
from engineroom.payroll.great_britain_details import GB_TAX_RECORD, GbTaxRecord
from engineroom.payroll.great_britain_leave import GB_LEAVE_PAY, GbLeavePay
from engineroom.payroll.great_britain_orders import GB_ORDERS, GbOrders
from engineroom.payroll.great_britain_papers import EXPLAINED, ITEMISED
from engineroom.payroll.great_britain_postings import POSTINGS
from engineroom.payroll.itemised import Explained, Itemised
from engineroom.payroll.jurisdictions import Asked, BackPay, Details, PayYear
from engineroom.payroll.postings import Postings

WEEKS_OF_A_SALARY = 52

BACS_DAYS = 2
"""A Bacs file is submitted two banking days before it arrives (three-day cycle, settlement.engine.bacs)."""

DETAILS = """
SELECT d.person_id, d.tax_code, d.is_cumulative, d.ni_category, d.student_loan_plan, d.postgraduate_loan,
  d.pension_relief, d.pension_employee_ppm, d.pension_employer_ppm, d.director_method, d.director_weeks
FROM payroll_taxdetails d
WHERE d.client_id = %(client)s AND d.person_id BETWEEN %(first)s AND %(last)s
  AND d.starts <= %(day)s AND (d.ends IS NULL OR d.ends >= %(day)s)
"""

# Figures of earlier employment in the tax year: the latest that were given. A P45 that comes after the first
# payslip counts from then on, and figures in a later coding notice stand in place of the P45's (HMRC, CWG2:
# form P6).
PREVIOUS_EMPLOYMENT = """
SELECT DISTINCT ON (d.person_id) d.person_id, d.previous_pay, d.previous_tax FROM payroll_taxdetails d
WHERE d.client_id = %(client)s AND d.person_id BETWEEN %(first)s AND %(last)s
  AND d.starts BETWEEN %(year_starts)s AND %(day)s AND (d.previous_pay <> 0 OR d.previous_tax <> 0)
ORDER BY d.person_id, d.starts DESC
"""


@dataclass(frozen=True)
class GreatBritain:
    """PAYE. The pay date decides year and period; back pay is taxed when it is paid (HMRC, CWG2: arrears of
    pay; SSCBA 1992 s.6, earnings are charged in the period in which they are paid)."""

    code: str = "gb"
    elements: tuple[Element, ...] = gross_to_net.ELEMENTS
    frequencies: tuple[str, ...] = FREQUENCIES
    paid_as: frozenset[str] = frozenset((*PAY, "minutes_worked"))
    stands: frozenset[str] = frozenset(("taxable_pay_to_date", "tax_to_date"))
    zone: str = "Europe/London"
    file_days: int = BACS_DAYS
    tax_record: GbTaxRecord = GB_TAX_RECORD
    back_pay: BackPay = "period of payment"
    orders: GbOrders = GB_ORDERS
    claims: GbClaims = GB_CLAIMS
    leave_pay: GbLeavePay = GB_LEAVE_PAY
    postings: Postings = POSTINGS
    itemised: Itemised = ITEMISED
    explained: Explained = EXPLAINED

    @property
    def banks(self) -> Calendar:
        """Bacs keeps the bank holidays of England."""
        return calendar("ENG")

    @property
    def engine_version(self) -> int:
        return gross_to_net.ENGINE_VERSION

    @property
    def to_date(self) -> Mapping[str, str]:
        return {
            "taxable_pay_to_date_before": "taxable_pay",
            "tax_to_date_before": "paye",
            # Of directors, whose earnings period is the year; nobody else's figures are asked for these.
            "niable_pay_to_date_before": "niable_pay",
            "employee_nic_to_date_before": "employee_nic",
            "employer_nic_to_date_before": "employer_nic",
        }

    def leave_in_lieu(self, rate: int, minutes_per_week: int, minutes: int) -> int | None:
        """Leave that is left is paid as if it were taken, at a week's pay for the hours of a week.

        Working Time Regulations 1998 reg. 14 and 16; ERA 1996 s.221. To the nearest penny: no text says how.
        """
        over = WEEKS_OF_A_SALARY * minutes_per_week
        return half_up(rate * minutes, over) if over else None

    def resolve_tables(self, pay_date: date, further: Collection[str] = ()) -> gross_to_net.GbTables:
        return gross_to_net.resolve_tables(
            pay_date, tuple(name for name in gross_to_net.FURTHER if name in further)
        )

    def calculate(
        self,
        chunk: Mapping[str, Any],
        tables: gross_to_net.GbTables,
        orders: Mapping[str, Any] | None = None,
    ) -> Calculation:
        return gross_to_net.calculate(chunk, tables, orders)

    def year_of(self, pay_date: date) -> PayYear:
        year = GbTaxYear.of(pay_date)
        return PayYear(str(year), year.first_day, year.last_day)

    def period_of(self, frequency: str, pay_date: date) -> int:
        return tax_period(frequency, pay_date)

    def pay_elements(self, day: date) -> tuple[PayElement, ...]:
        return PayElements.of(self.resolve_tables(day).versions["pay_elements"]).elements

    def read_details(self, asked: Asked) -> Details:
        bounds: dict[str, Any] = {
            "client": asked.client_id,
            "first": asked.first,
            "last": asked.last,
            "day": asked.pay_date,
            "year_starts": asked.year.starts,
        }
        with connection.cursor() as cursor:
            cursor.execute(DETAILS, bounds)
            of = {row[0]: row[1:] for row in cursor.fetchall()}
            cursor.execute(PREVIOUS_EMPLOYMENT, bounds)
            before: dict[UUID, Mapping[str, int]] = {
                person: {"taxable_pay": pay, "paye": tax} for person, pay, tax in cursor.fetchall()
            }
        # Holiday accrues by the hour to whoever is paid by the hour (WTR 1998 reg. 15B); others book theirs.
        return Details(of, lambda rows: _columns(rows) | {"holiday_accrues": int(asked.pays_hours)}, before)

    def explain(self, row: int, columns: Mapping[str, Any], tables: gross_to_net.GbTables) -> list[Line]:
        return explain(row, columns, tables)

    def explanation(self, row: int, columns: Mapping[str, Any], tables: gross_to_net.GbTables) -> list[str]:
        return explanation(row, columns, tables)


def _columns(details: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return {
        "tax_code": [d[0] for d in details],
        "week1_month1": _flags([not d[1] for d in details]),
        "ni_category": [d[2] for d in details],
        "student_loan_plan": [d[3] for d in details],
        "has_postgraduate_loan": _flags([d[4] for d in details]),
        "pension_member": _flags([bool(d[5]) for d in details]),
        "pension_relief": [d[5] for d in details],
        "pension_employee_ppm": np.array([d[6] for d in details], dtype=np.int64),
        "pension_employer_ppm": np.array([d[7] for d in details], dtype=np.int64),
        "director_method": [d[8] for d in details],
        "director_weeks": np.array([d[9] for d in details], dtype=np.int64),
    }


def _flags(values: list[bool]) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


GB = GreatBritain()
jurisdictions.register(GB)
