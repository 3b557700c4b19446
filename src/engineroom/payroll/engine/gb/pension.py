"""Workplace pension contributions on qualifying earnings (Pensions Act 2008 s.13 and s.20; DWP thresholds).

Three ways of tax relief. Relief at source: the contribution less basic-rate tax is taken from net pay and the
provider reclaims the tax. Net pay: all of it is taken, before tax. Salary sacrifice: the person gives up that
much pay and the employer pays it in; tax, National Insurance and loans see the lower pay.

Qualifying earnings are taken from pay before any sacrifice, as schemes do, so a sacrifice does not lower the
pension. Each contribution rounds half up to a penny. Largest product: 5,000,000 pence x 10**6 ppm x 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import Minor, half_up
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES
from engineroom.payroll.engine.steps import Column, look_up

RELIEFS = ("", "relief_at_source", "net_pay", "salary_sacrifice")
"""A way's number in columns is its place here; the first is nobody's who is a member."""

NO_RELIEF, RELIEF_AT_SOURCE, NET_PAY, SALARY_SACRIFICE = range(len(RELIEFS))


@dataclass(frozen=True)
class AutoEnrolment:
    """The table `pension_auto_enrolment` as arrays in pence by frequency."""

    qualifying_lower: Column
    qualifying_upper: Column
    taken: Column  # by way of relief: what is taken from pay, of `taken_of` parts of a contribution
    taken_of: int

    @property
    def taken_at_source_ppm(self) -> int:
        return PPM * int(self.taken[RELIEF_AT_SOURCE]) // self.taken_of

    @classmethod
    def of(cls, version: Version) -> AutoEnrolment:
        def pence(name: str) -> Column:
            return np.array([100 * version[name].get(f, 0) for f in FREQUENCIES], dtype=np.int64)

        at_source = Fraction(PPM - ppm(version["relief_at_source"]), PPM)
        taken = {RELIEF_AT_SOURCE: at_source.numerator, NET_PAY: at_source.denominator}
        return cls(
            pence("qualifying_lower"),
            pence("qualifying_upper"),
            np.array([taken.get(way, 0) for way in range(len(RELIEFS))], dtype=np.int64),
            at_source.denominator,
        )


def qualifying_earnings(pay: Minor, frequency: Column, member: Column, t: AutoEnrolment) -> Minor:
    """Pay between the lower and the upper limit of the pay period; nothing for those who are not members."""
    capped = np.minimum(pay, look_up(t.qualifying_upper, frequency))
    return member * np.maximum(capped - look_up(t.qualifying_lower, frequency), 0)


def employee_contribution(
    earnings: Minor, employee_ppm: Column, relief: Column, t: AutoEnrolment
) -> tuple[Minor, Minor, Minor, Minor]:
    """The whole contribution; then what is deducted, reclaimed by the provider, and sacrificed of it.

    At source the deduction is the net percentage of qualifying earnings (4% for 5%), rounded once, so it
    agrees with the scheme's own reckoning; what is reclaimed is the rest.
    """
    exact = earnings * employee_ppm
    whole = half_up(exact, PPM)
    deducted = half_up(exact * look_up(t.taken, relief), PPM * t.taken_of)
    sacrificed = (relief == SALARY_SACRIFICE) * whole
    return whole, deducted, whole - deducted - sacrificed, sacrificed


def employer_contribution(earnings: Minor, employer_ppm: Column) -> Minor:
    """The employer's own contribution; a sacrifice is paid in on top of it."""
    return half_up(earnings * employer_ppm, PPM)
