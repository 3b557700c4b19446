"""What a week of leave is paid to whoever has no normal pay: the average of the last 52 paid weeks.

ERA 1996 s.221 to s.224, WTR 1998 reg. 16. Pay of a period is spread evenly over its days, and weeks are
counted back from the pay period that the leave is in: exact for whoever is paid by the week, and for others
the nearest that payslips say. Holiday pay counts with the week that it was for (from memory, unverified).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from engineroom.kernel.errors import Problem
from engineroom.payroll.engine.elements import PayElements
from engineroom.payroll.engine.gb import holiday
from engineroom.payroll.engine.gb.gross_to_net import GbTables
from engineroom.payroll.jurisdictions import PaidDays

LOOKED_AT = 104
"""Weeks for which there is a place; how many count is in the table."""


@dataclass(frozen=True)
class GbLeavePay:
    reach: timedelta = timedelta(weeks=LOOKED_AT)

    def counts(self, tables: GbTables) -> tuple[str, ...]:
        return (*PayElements.of(tables.versions["pay_elements"]).counting("average"), "holiday_pay")

    def a_week(self, paid: Sequence[PaidDays], before: date, tables: GbTables) -> tuple[int, int] | Problem:
        weeks = np.zeros((1, LOOKED_AT), dtype=np.int64)
        for one in paid:
            _spread(one, before, weeks[0])
        if paid:  # a week of which the payslips know only the end is none
            weeks[:, (before - min(one.starts for one in paid)).days // 7 :] = 0
        done = holiday.week_of_holiday(weeks, holiday.Holiday.of(tables.versions["holiday"]))
        if done.problems:
            return Problem(done.problems[0].problem, done.problems[0].remedy, field="leave")
        return int(done.columns["week_of_holiday"][0]), int(done.columns["weeks_counted"][0])


def _spread(one: PaidDays, before: date, weeks: npt.NDArray[np.int64]) -> None:
    """Every day its part of the amount, which together are all of it, in the week that it lies in."""
    days = (one.ends - one.starts).days + 1
    for n in range(days):
        week = ((before - one.starts).days - n - 1) // 7
        if 0 <= week < len(weeks):
            weeks[week] += one.amount * (n + 1) // days - one.amount * n // days


GB_LEAVE_PAY = GbLeavePay()
