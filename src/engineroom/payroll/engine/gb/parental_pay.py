"""Statutory pay of parents for one week, and what the employer gets back of it.

Maternity and adoption (SMP, SAP): six weeks at 90% of average weekly earnings, then the lower of that and the
standard rate. Paternity, shared parental, bereavement and neonatal care (SPP, ShPP, SPBP, SNCP): the lower of
the two throughout. A fraction of a penny is paid as a whole one (SI 1986/1960 reg. 28; SI 2002/2818 reg. 4).
Average weekly earnings are not rounded first. Largest product: 10**9 pence x 12 x 900,000 ppm, 1.1e16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import ROUNDINGS, Minor, ceil_div
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.sick_pay import AVERAGE, EARNINGS_INPUTS
from engineroom.payroll.engine.gb.worksheets import Worksheet
from engineroom.payroll.engine.inputs import MAX_PAY_PENCE, Choice, NumberInput
from engineroom.payroll.engine.steps import Column, Step

NOT_SAID = MAX_PAY_PENCE + 1
"""Of Class 1 that is not given. No amount there can be."""

PAYMENTS = ("smp", "sap", "spp", "shpp", "spbp", "sncp")
"""A payment's number in columns is its place here."""


@dataclass(frozen=True)
class ParentalPay:
    """The table `parental_pay`, pence a week; arrays by payment."""

    standard: int
    share_ppm: int
    least_earnings: int
    weeks_of_service: int
    weeks: Column
    at_earnings: Column

    @classmethod
    def of(cls, version: Version) -> ParentalPay:
        rows: Mapping[str, Any] = {"smp": version["smp"], "sap": version["sap"], **version["others"]}
        return cls(
            version["standard_pence"],
            ppm(version["share"]),
            100 * version["lower_earnings_limit"],
            version["weeks_of_service"],
            np.array([rows[name]["weeks"] for name in PAYMENTS], dtype=np.int64),
            np.array([rows[name]["at_earnings"] for name in PAYMENTS], dtype=np.int64),
        )


@dataclass(frozen=True)
class Recovery:
    """The table `statutory_recovery`."""

    recovered_ppm: int
    small_recovered_ppm: int
    small_compensation_ppm: int
    small_most_class1: int  # pence
    rounding: str

    @classmethod
    def of(cls, version: Version) -> Recovery:
        return cls(
            ppm(version["recovered"]),
            ppm(version["small_recovered"]),
            ppm(version["small_compensation"]),
            100 * version["small_most_class1"],
            version["rounding"],
        )


def entitled(earnings: Minor, weeks: Column, limit: Minor, service: Column, t: ParentalPay) -> Column:
    """Average earnings at the lower earnings limit at least, unrounded, and service long enough.

    limit: the one in force at the end of the relevant period where that was in an earlier tax year; 0: the
    table's.
    """
    least = np.where(limit > 0, limit, t.least_earnings)
    return ((earnings >= least * weeks) & (service >= t.weeks_of_service)).astype(np.int64)


def weekly_payment(
    payment: Column, week_no: Column, earnings: Minor, weeks: Column, is_entitled: Column, t: ParentalPay
) -> Minor:
    """One week's payment; nothing beyond the weeks it lasts."""
    by_earnings = ceil_div(earnings * t.share_ppm, weeks * PPM)
    rate = np.where(week_no <= t.at_earnings[payment], by_earnings, np.minimum(by_earnings, t.standard))
    return is_entitled * (week_no <= t.weeks[payment]) * rate


def is_small(said: Column, class1_of_last_year: Minor, t: Recovery) -> Column:
    """A small employer: as it says, or by Class 1 of the last whole tax year before the qualifying week."""
    known = class1_of_last_year != NOT_SAID
    by_class1 = known & (class1_of_last_year <= t.small_most_class1)
    small: Column = np.where(known, by_class1, said == 1).astype(np.int64)
    return small


def recovery(paid: Minor, small_employer: Column, t: Recovery) -> tuple[Minor, Minor, Minor]:
    """What is recovered, the compensation for NIC, and both."""
    rounded = ROUNDINGS[t.rounding]
    small = small_employer == 1
    recovered: Minor = rounded(paid * np.where(small, t.small_recovered_ppm, t.recovered_ppm), PPM)
    compensation: Minor = rounded(paid * np.where(small, t.small_compensation_ppm, 0), PPM)
    return recovered, compensation, recovered + compensation


WEEK = Worksheet(
    name="Statutory pay of parents, one week",
    numbers={
        **EARNINGS_INPUTS,
        "week_no": NumberInput("weeks", 53, 1, None),
        "weeks_of_service": NumberInput("weeks", 5000, 0, 26),
        "lower_earnings_limit": NumberInput("pence", 10**6),
    },
    choices={"payment": Choice(PAYMENTS, "a statutory payment")},
    tables={"parental_pay": ParentalPay.of},
    steps=(
        AVERAGE,
        Step(
            "Entitled",
            entitled,
            ("average_earnings", "average_weeks", "lower_earnings_limit", "weeks_of_service"),
            ("entitled",),
            "SSCBA 1992 s.164 and what corresponds to it for the others",
            "parental_pay",
        ),
        Step(
            "Payment of the week",
            weekly_payment,
            ("payment", "week_no", "average_earnings", "average_weeks", "entitled"),
            ("payment_of_week",),
            "SSCBA 1992 s.166 and what corresponds to it; SI 1986/1960 reg. 28; SI 2002/2818 reg. 4",
            "parental_pay",
        ),
    ),
    units={"average_weeks": "weeks", "entitled": "flag"},
)

RECOVERY = Worksheet(
    name="Recovery of statutory pay of parents",
    numbers={
        "paid": NumberInput("pence", MAX_PAY_PENCE, 0, None),
        "small_employer": NumberInput("flag", 1),
        "class1_of_last_year": NumberInput("pence", NOT_SAID, 0, NOT_SAID),
    },
    tables={"statutory_recovery": Recovery.of},
    steps=(
        Step(
            "Small employer",
            is_small,
            ("small_employer", "class1_of_last_year"),
            ("small",),
            "Social Security Contributions and Benefits Act 1992 s.167",
            "statutory_recovery",
        ),
        Step(
            "Recovery",
            recovery,
            ("paid", "small"),
            ("recovered", "nic_compensation", "recovery"),
            "SMP (Compensation of Employers) and Miscellaneous Amendment Regulations 1994 (SI 1994/1882)",
            "statutory_recovery",
        ),
    ),
    units={"small": "flag"},
)
