"""What is taken off pay from a day until a day, an order or a debt: varied by a row that goes on from the
one before, and ended."""

from __future__ import annotations

from datetime import date, timedelta

from engineroom.kernel.errors import Conflict, EngineroomError
from engineroom.payroll.models import Debt, PayOrder

TakenOff = Debt | PayOrder


def refuse_varying(row: TakenOff, starts: date, what: str) -> None:
    """Where it cannot be another from that day on. what: it is, for whoever is told to enter another."""
    if starts <= row.starts:
        raise EngineroomError(f"it begins on {row.starts}; give a later day")
    if row.ends is not None and row.ends < starts:
        raise Conflict(f"it ended on {row.ends}; enter another {what}")


def end_on(row: TakenOff, ends: date) -> None:
    """The last day on which pay that is paid is taken from. Raises Conflict, EngineroomError."""
    if row.ends is not None and row.ends <= ends:
        raise Conflict(f"it ends on {row.ends} already")
    if ends < row.starts:
        raise EngineroomError(f"it begins on {row.starts}; give that day or a later one")
    _ends(row, ends)


def ends_before(row: TakenOff, starts: date) -> None:
    """From that day on another row stands in its place."""
    _ends(row, starts - timedelta(days=1))


def _ends(row: TakenOff, day: date) -> None:
    type(row)._default_manager.filter(client_id=row.client_id, id=row.id).update(ends=day)
