"""Which days a pay run is bound to: by when it is approved, its file submitted, its people paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from engineroom.foundation import deadlines
from engineroom.foundation.deadlines import Deadline
from engineroom.kernel.calendar import Calendar, calendar
from engineroom.payroll import selectors
from engineroom.payroll.jurisdictions import jurisdiction

SUBMIT_BEFORE = 2
"""Banking days: a Bacs file is submitted two before it arrives (three-day cycle, settlement.engine.bacs)."""

APPROVE_BEFORE = SUBMIT_BEFORE + 1
"""A banking day before the file: whoever releases it needs the yes."""

REACH = timedelta(days=14)
"""What falls into a month belongs to pay dates up to so long after it: three banking days, and a holiday."""


@deadlines.register("payroll.read")
def _of_runs(clients: Sequence[UUID], first: date, last: date) -> list[Deadline]:
    found: list[Deadline] = []
    for row in selectors.paid_between(clients, first, last + REACH):
        if row.state.code != "given-up":
            found += _of_run(row, calendar(jurisdiction(row.jurisdiction).calendar))
    return found


def approve_by(pay_date: date) -> date:
    """The last day on which a yes is in time for the payment file. Bacs keeps England's bank holidays."""
    banks = calendar("ENG")
    return banks.add(banks.on_or_before(pay_date), -APPROVE_BEFORE)


def _of_run(row: selectors.RunRow, banks: Calendar) -> list[Deadline]:
    page = ("payroll:run", (row.number,))
    arrives = banks.on_or_before(row.pay_date)
    approve, submit = banks.add(arrives, -APPROVE_BEFORE), banks.add(arrives, -SUBMIT_BEFORE)
    run, done = f"pay run {row.number}", row.is_released
    return [
        Deadline(row.client_id, approve, "approval", f"Approve {run}", page, done or row.is_approved),
        Deadline(row.client_id, submit, "payment file", f"Release {run} and submit its file", page, done),
        Deadline(
            row.client_id, row.pay_date, "pay date", f"Pay day of {run}", page, row.state.code in SETTLED
        ),
    ]


SETTLED = ("settled", "closed")
