"""What a reversal gives back against what is still owed, and a replacement against what was given back.

So no liability is collected twice: what was not paid yet is closed by its negative, and of what was paid the
replacement pays the rest alone (PAY-05).
"""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

import numpy as np

from engineroom.kernel.ids import uuids_to_column
from engineroom.openitems.selectors import Open, open_items
from engineroom.openitems.services import allocate
from engineroom.payroll.inputs import REVERSAL
from engineroom.payroll.models import PayRun
from engineroom.payroll.posting import NET_PAY, NET_PAY_BACK, is_of_a_payslip, what_for

Key = tuple[str, str, UUID | None, str]


def set_against(run: PayRun) -> int:
    """Set the open items of a released reversal or replacement against those of the run that it corrects.

    Returns what is left of it to be paid to people, minor units.
    """
    assert run.corrects is not None, "a run that corrects none has nothing to be set against"
    theirs: dict[Key, list[_Left]] = defaultdict(list)
    for item in _items_of(run.corrects):
        theirs[_key(item, run.corrects)].append(_Left(item))
    pairs: list[tuple[UUID, UUID, int]] = []
    to_pay = 0
    for item in _items_of(run):
        mine = _Left(item)
        for other in theirs[_key(item, run)]:
            if amount := mine.meet(other):
                pairs.append((mine.item.id, other.item.id, amount))
        to_pay -= mine.left if item.kind == NET_PAY else 0
    if pairs:
        allocate(
            uuids_to_column([ours for ours, _, _ in pairs]),
            uuids_to_column([others for _, others, _ in pairs]),
            np.array([amount for _, _, amount in pairs], dtype=np.int64),
            subject=("pay_run", run.id),
        )
    return max(to_pay, 0)


class _Left:
    """What is left of an open item, signed as the item."""

    def __init__(self, item: Open) -> None:
        self.item = item
        self.left = item.open

    def meet(self, other: _Left) -> int:
        """How much of the two goes off against each other; nought where both have the same sign."""
        if (self.left < 0) == (other.left < 0) or self.item.id == other.item.id:
            return 0
        amount = min(abs(self.left), abs(other.left))
        self.left -= amount if self.left > 0 else -amount
        other.left -= amount if other.left > 0 else -amount
        return amount


def _items_of(run: PayRun) -> list[Open]:
    """What is open of a run; of a run that is taken back also what its bank returned of it."""
    items = open_items(subject=("pay_run", run.id))
    if run.kind != REVERSAL:
        returned = (item for item in open_items(kind=NET_PAY) if item.subject_kind == "payment")
        items += [item for item in returned if is_of_a_payslip(item.reference, run)]
    return sorted(items, key=lambda i: (i.due, i.id))


def _key(item: Open, run: PayRun) -> Key:
    """What two items of the same debt have in common: account, currency, with whom, and for what."""
    if item.kind in (NET_PAY, NET_PAY_BACK):
        return item.account_code, item.currency, item.counterparty_id, NET_PAY
    return (
        item.account_code,
        item.currency,
        item.counterparty_id,
        f"{item.kind} {what_for(item.reference, run)}",
    )
