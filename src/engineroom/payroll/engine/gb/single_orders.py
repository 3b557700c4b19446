"""One attachment order on net earnings that are already known, and one loan beside orders: worksheets.

For several orders of one person, and for a whole payslip, see orders.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.gb import attachments, student_loan
from engineroom.payroll.engine.gb.attachments import NATIONS, RATE_TABLES, SPAN_OF, UNIT_OF
from engineroom.payroll.engine.gb.orders import BY_HAND, WALES
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, UNITS, UNITS_IN_YEAR
from engineroom.payroll.engine.gb.worksheets import Worksheet
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, PPM_OF_ALL, Choice, NumberInput
from engineroom.payroll.engine.steps import Column, RowProblem, Step, refuse

PAID_BY_THE_DAY = (*FREQUENCIES, "daily")
"""Frequencies of earnings that a table of days serves as well."""

_UNIT = np.append(UNIT_OF, attachments.DAILY)
_SPAN = np.append(SPAN_OF, 1)

NET = {"net_earnings": NumberInput("pence", MAX_PAY_PENCE, 0, None)}
ARRESTMENTS = "Debtors (Scotland) Act 1987 s.49 and sch. 2"
DAYS = {"days": NumberInput("days", 366, 1, 1)}
FREQUENCY = Choice(FREQUENCIES, "a frequency that the order has a table for")


def table_row(frequency: Column, days: Column) -> tuple[Column, Column]:
    """Which row of a table serves the pay period, and how many weeks, months or days it is."""
    unit = _UNIT[frequency]
    return unit, np.where(unit == attachments.DAILY, days, _SPAN[frequency])


def _one_day(frequency: Column) -> tuple[Column, Column]:
    return table_row(frequency, np.ones_like(frequency))


def _wales(columns: Mapping[str, Column], parameters: Mapping[str, Any]) -> Iterator[RowProblem]:
    given = [NATIONS.index(name) for name in parameters["council_tax_attachment"].given]
    yield from refuse(~np.isin(columns["nation"], given), "nation", WALES, BY_HAND)


def _rate_table(columns: Mapping[str, Column], parameters: Mapping[str, Any]) -> Iterator[RowProblem]:
    none = columns["rate_table"] == 0
    yield from refuse(none, "rate_table", "the notice names a rate table", "Give standard or higher")


DIRECT_EARNINGS = Worksheet(
    name="Direct Earnings Attachment, before what is protected",
    numbers=NET,
    choices={"frequency": FREQUENCY, "rate_table": Choice(RATE_TABLES, "a rate table")},
    tables={"direct_earnings_attachment": attachments.DirectEarnings.of},
    check=_rate_table,
    steps=(
        Step("Row of the table", _one_day, ("frequency",), ("unit", "span"), "SI 2013/384 sch. 2"),
        Step(
            "Deduction",
            attachments.direct_earnings,
            ("net_earnings", "unit", "span", "rate_table"),
            ("deduction",),
            "Social Security (Overpayments and Recovery) Regulations 2013 reg. 20 and sch. 2",
            "direct_earnings_attachment",
        ),
    ),
    units={"unit": "code", "span": "count"},
)

COUNCIL_TAX = Worksheet(
    name="Council tax attachment of earnings",
    numbers={**NET, **DAYS},
    choices={
        "frequency": Choice(PAID_BY_THE_DAY, "a frequency that the order has a table for"),
        "nation": Choice(NATIONS, "a nation whose councils attach earnings"),
    },
    tables={"council_tax_attachment": attachments.CouncilTax.of},
    check=_wales,
    steps=(
        Step("Row of the table", table_row, ("frequency", "days"), ("unit", "span"), "SI 1992/613 reg. 38"),
        Step(
            "Deduction",
            attachments.council_tax,
            ("net_earnings", "unit", "span", "nation"),
            ("deduction",),
            "Council Tax (Administration and Enforcement) Regulations 1992 reg. 38 and sch. 4",
            "council_tax_attachment",
        ),
    ),
    units={"unit": "code", "span": "count"},
)

EARNINGS_ARRESTMENT = Worksheet(
    name="Earnings arrestment",
    numbers=NET,
    choices={"frequency": FREQUENCY},
    tables={"earnings_arrestment": attachments.Arrestment.of},
    steps=(
        Step("Row of the table", _one_day, ("frequency",), ("unit", "span"), ARRESTMENTS),
        Step(
            "Deduction",
            attachments.earnings_arrestment,
            ("net_earnings", "unit", "span"),
            ("deduction",),
            ARRESTMENTS,
            "earnings_arrestment",
        ),
    ),
    units={"unit": "code", "span": "count"},
)


def loan_of_pay(niable_pay: Minor, annual_threshold: Minor, rate_ppm: Column, frequency: Column) -> Minor:
    """The rate of pay above the period's share of the annual threshold, cut to a penny; in whole pounds."""
    threshold = annual_threshold * UNITS[frequency] // UNITS_IN_YEAR[frequency]
    return student_loan.in_whole_pounds(np.maximum(niable_pay - threshold, 0) * rate_ppm)


def loan_after_orders(loan: Minor, net_earnings: Minor, protected: Minor) -> Minor:
    """The loan within what priority orders have left above protected earnings, in whole pounds."""
    nothing = np.zeros_like(loan)
    room = student_loan.room_for_loans(net_earnings, net_earnings, nothing, nothing, protected)
    return np.minimum(loan, room)


PROTECTED_LOAN = Worksheet(
    name="Student loan beside priority orders",
    numbers={
        **NET,
        "niable_pay": NumberInput("pence", MAX_PAY_PENCE, 0, None),
        "annual_threshold": NumberInput("pence", MAX_PAY_PENCE, 0, None),
        "rate_ppm": NumberInput("ppm", PPM_OF_ALL, 0, None),
        "protected_earnings": NumberInput("pence", MAX_PAY_PENCE),
    },
    choices={"frequency": FREQUENCY},
    steps=(
        Step(
            "Loan of the pay",
            loan_of_pay,
            ("niable_pay", "annual_threshold", "rate_ppm", "frequency"),
            ("loan_of_pay",),
            "HMRC CSLM17000 onwards",
        ),
        Step(
            "Loan after orders",
            loan_after_orders,
            ("loan_of_pay", "net_earnings", "protected_earnings"),
            ("deduction",),
            "HMRC CSLM18015 to CSLM18025",
        ),
    ),
)
