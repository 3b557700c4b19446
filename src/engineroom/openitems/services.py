"""Adding items, allocating them, undoing an allocation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import DatabaseError, IntegrityError
from django.db.models import Q

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.ids import uuid7_column, uuids_to_column
from engineroom.openitems.models import Allocation, Counterparty, OpenItem

Uuids = npt.NDArray[np.uint8]


class NothingLeft(Conflict):
    """Less is left of an item than was to be allocated: somebody allocated it before."""


@dataclass
class ItemColumns:
    """n items of one kind by column. amount: minor units, signed as posted; due: datetime64[D].

    counterparty, entry, subject_id: (n, 16) ids, or one id for all. reference: n texts.
    """

    counterparty: Uuids | Sequence[UUID | None] | UUID
    amount: npt.NDArray[np.int64]
    due: npt.NDArray[np.datetime64] | date
    entry: Uuids | UUID
    subject_id: Uuids | UUID
    reference: Sequence[str] | str = ""
    currency: str = "GBP"


def add_items(kind: str, account_id: UUID, subject_kind: str, items: ItemColumns) -> Uuids:
    """Add items of one kind on one control account, in one statement. Returns their ids, shape (n, 16).

    PostgreSQL refuses items that do not add to what their entry posted on that account.
    """
    n = len(items.amount)
    ids = uuid7_column(n)
    insert_columns(
        OpenItem,
        {
            "id": ids,
            "client_id": current_scope().client_id,
            "kind": kind,
            "counterparty_id": items.counterparty,
            "account_id": account_id,
            "currency": items.currency,
            "amount": items.amount,
            "due": items.due,
            "entry_id": items.entry,
            "subject_kind": subject_kind,
            "subject_id": items.subject_id,
            "reference": items.reference,
        },
        n,
        casts={"counterparty_id": "uuid"},  # nobody at all is a column of nulls, which has no type of its own
    )
    return ids


def add_item(
    kind: str,
    *,
    counterparty_id: UUID | None,
    account_id: UUID,
    amount: int,
    due: date,
    entry_id: UUID,
    subject: tuple[str, UUID],
    reference: str = "",
    currency: str = "GBP",
) -> OpenItem:
    """Add a single item."""
    return OpenItem.objects.create(
        client_id=current_scope().client_id,
        kind=kind,
        counterparty_id=counterparty_id,
        account_id=account_id,
        currency=currency,
        amount=amount,
        due=due,
        entry_id=entry_id,
        subject_kind=subject[0],
        subject_id=subject[1],
        reference=reference,
    )


def allocate(
    item_a: Uuids | UUID,
    item_b: Uuids | UUID,
    amount: npt.NDArray[np.int64],
    *,
    subject: tuple[str, UUID],
    entry_id: UUID | None = None,
    ids: Uuids | None = None,
) -> None:
    """Set amounts (positive minor units) of items against items of the opposite sign, in one statement.

    PostgreSQL refuses other accounts, other currencies and equal signs. Raises NothingLeft for more than what
    is left of an item.
    """
    n = len(amount)
    columns: dict[str, Any] = {
        "id": uuid7_column(n) if ids is None else ids,
        "client_id": current_scope().client_id,
        "item_a_id": item_a,
        "item_b_id": item_b,
        "amount": amount,
        "subject_kind": subject[0],
        "subject_id": subject[1],
    }
    if entry_id is not None:
        columns["entry_id"] = entry_id
    try:
        insert_columns(Allocation, columns, n)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) == "ER409":
            raise NothingLeft(str(error.__cause__).splitlines()[0]) from error
        raise


def undo_allocation(allocation_id: UUID, *, subject: tuple[str, UUID]) -> Allocation:
    """Add the exact negative of an allocation; both items are as open as before it. Once per allocation."""
    row = Allocation.objects.filter(client_id=current_scope().client_id, id=allocation_id).first()
    if row is None:
        raise NotFound(f"there is no allocation {allocation_id}")
    if row.undoes_id is not None:
        raise Conflict("this row undoes another one; allocate again instead")
    if Allocation.objects.filter(client_id=row.client_id, undoes=row).exists():
        raise Conflict("this allocation is undone already")
    try:
        return Allocation.objects.create(
            client_id=row.client_id,
            item_a_id=row.item_a_id,
            item_b_id=row.item_b_id,
            amount=-row.amount,
            entry_id=row.entry_id,
            undoes=row,
            subject_kind=subject[0],
            subject_id=subject[1],
        )
    except IntegrityError as error:
        raise Conflict("somebody undid this allocation at this moment; look again") from error


def reverse_items(entry_id: UUID, reversal_id: UUID) -> None:
    """Close the items of a reversed entry by items of its reversal: they are taken back together.

    Raises Conflict while one of them is allocated.
    """
    client_id = current_scope().client_id
    items = list(OpenItem.objects.filter(client_id=client_id, entry_id=entry_id).order_by("id"))
    _refuse_allocated(items)
    groups: dict[tuple[UUID, str], list[OpenItem]] = defaultdict(list)
    for item in items:
        groups[item.account_id, item.currency].append(item)
    for (account_id, currency), group in groups.items():
        amounts = np.array([-i.amount for i in group], dtype=np.int64)
        mirrors = add_items(
            "reversal",
            account_id,
            "entry",
            ItemColumns(
                counterparty=[i.counterparty_id for i in group],
                amount=amounts,
                due=np.array([i.due for i in group], dtype="datetime64[D]"),
                entry=reversal_id,
                subject_id=entry_id,
                reference=[f"{i.reference} reversed"[:100] for i in group],
                currency=currency,
            ),
        )
        originals = uuids_to_column([i.id for i in group])
        allocate(originals, mirrors, np.abs(amounts), subject=("entry", reversal_id), entry_id=reversal_id)


def _refuse_allocated(items: Sequence[OpenItem]) -> None:
    named = {i.id: f"{i.kind.replace('_', ' ')} {i.reference}" for i in items}
    rows = Allocation.objects.filter(
        Q(item_a_id__in=named) | Q(item_b_id__in=named), client_id=current_scope().client_id
    )
    used: Counter[UUID] = Counter()
    for item_a, item_b, amount in rows.values_list("item_a_id", "item_b_id", "amount"):
        used.update({item_a: amount, item_b: amount})
    if still := [name for item, name in named.items() if used[item]]:
        raise Conflict(f"{', '.join(still[:10])} of this entry is allocated; undo its allocations first")


def counterparty(kind: str, code: str, name: str, details: dict[str, Any] | None = None) -> Counterparty:
    """The counterparty of that kind and code; made when new."""
    row, _ = Counterparty.objects.get_or_create(
        client_id=current_scope().client_id,
        kind=kind,
        code=code,
        defaults={"name": name, "details": details or {}},
    )
    return row
