"""What an employer owes on its pay bill, or is let off: apprenticeship levy and Employment Allowance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.kernel.money import format_minor
from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import ROUNDINGS, Minor
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.worksheets import Worksheet
from engineroom.payroll.engine.inputs import NumberInput
from engineroom.payroll.engine.steps import Column, RowProblem, Step

MAX_PAY_BILL_PENCE = 10**12
"""Ten thousand million pounds a year; the largest product is this times 5,000 ppm x 2."""

WHOLE = MAX_PAY_BILL_PENCE + 1
"""Of an allowance that is not given: all of it. No amount there can be."""


@dataclass(frozen=True)
class Employer:
    """The table `employer`, pence."""

    levy_ppm: int
    levy_allowance: int
    levy_rounding: str
    employment_allowance: int

    @classmethod
    def of(cls, version: Version) -> Employer:
        return cls(
            ppm(version["levy_rate"]),
            100 * version["levy_allowance"],
            version["levy_rounding"],
            100 * version["employment_allowance"],
        )


def levy(
    pay_bill_to_date: Minor, share_of_allowance: Minor, tax_month: Column, levy_before: Minor, t: Employer
) -> tuple[Minor, Minor, Minor, Minor]:
    """Levy on the pay bill to date, the allowance to date, levy due to date, and of it this month's.

    HMRC ALM09200: the allowance grows by a twelfth a month; what was paid comes off. Below zero the month's
    levy is credit: a pay bill that falls gives back what earlier months paid too much, but never more.
    """
    rounded = ROUNDINGS[t.levy_rounding]
    allowance = np.where(share_of_allowance == WHOLE, t.levy_allowance, share_of_allowance)
    on_pay_bill: Minor = rounded(pay_bill_to_date * t.levy_ppm, PPM)
    allowance_to_date: Minor = rounded(allowance * tax_month, 12)
    due = np.maximum(on_pay_bill - allowance_to_date, 0)
    return on_pay_bill, allowance_to_date, due, due - levy_before


def employment_allowance(employer_nic: Minor, claimed_before: Minor, t: Employer) -> tuple[Minor, Minor]:
    """Secondary Class 1 let off this month, and what of it is left to pay (National Insurance Contributions
    Act 2014 s.1 and s.4)."""
    relief = np.minimum(employer_nic, t.employment_allowance - claimed_before)
    return relief, employer_nic - relief


def _within(column: str, parameter: str, what: str) -> Any:
    def check(columns: Mapping[str, Column], parameters: Mapping[str, Any]) -> Iterator[RowProblem]:
        most = getattr(parameters["employer"], parameter)
        for row in np.flatnonzero((columns[column] > most) & (columns[column] != WHOLE)).tolist():
            amount = format_minor(int(columns[column][row]), symbol=True)
            limit = format_minor(most, symbol=True)
            yield RowProblem(row, column, f"{amount} is more than {what}, {limit}", "Check the amount")

    return check


LEVY = Worksheet(
    name="Apprenticeship levy",
    numbers={
        "pay_bill_to_date": NumberInput("pence", MAX_PAY_BILL_PENCE, 0, None),
        "share_of_allowance": NumberInput("pence", WHOLE, 0, WHOLE),
        "tax_month": NumberInput("month", 12, 1, None),
        "levy_before": NumberInput("pence", MAX_PAY_BILL_PENCE),
    },
    tables={"employer": Employer.of},
    steps=(
        Step(
            "Apprenticeship levy",
            levy,
            ("pay_bill_to_date", "share_of_allowance", "tax_month", "levy_before"),
            ("levy_on_pay_bill", "levy_allowance_to_date", "levy_due_to_date", "levy"),
            "HMRC manual ALM09200; Finance Act 2016 s.99 and s.100",
            "employer",
        ),
    ),
    check=_within("share_of_allowance", "levy_allowance", "the whole allowance of a year"),
)

EMPLOYMENT_ALLOWANCE = Worksheet(
    name="Employment Allowance",
    numbers={
        "employer_nic": NumberInput("pence", MAX_PAY_BILL_PENCE, 0, None),
        "claimed_before": NumberInput("pence", MAX_PAY_BILL_PENCE),
    },
    tables={"employer": Employer.of},
    steps=(
        Step(
            "Employment Allowance",
            employment_allowance,
            ("employer_nic", "claimed_before"),
            ("relief", "employer_nic_payable"),
            "National Insurance Contributions Act 2014 s.1 and s.4",
            "employer",
        ),
    ),
    check=_within("claimed_before", "employment_allowance", "the allowance of a year"),
)
