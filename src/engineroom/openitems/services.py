"""Adding items, allocating them, undoing an allocation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.ids import uuid7_column
from engineroom.openitems.models import Allocation, Counterparty, OpenItem

Uuids = npt.NDArray[np.uint8]


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

    PostgreSQL refuses other accounts, other currencies, equal signs, and more than what is left of an item.
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
    insert_columns(Allocation, columns, n)


def undo_allocation(allocation_id: UUID, *, subject: tuple[str, UUID]) -> Allocation:
    """Add the exact negative of an allocation; both items are as open as before it. Once per allocation."""
    row = Allocation.objects.filter(client_id=current_scope().client_id, id=allocation_id).first()
    if row is None:
        raise NotFound(f"there is no allocation {allocation_id}")
    if row.undoes_id is not None:
        raise Conflict("this row undoes another one; allocate again instead")
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


def counterparty(kind: str, code: str, name: str, details: dict[str, Any] | None = None) -> Counterparty:
    """The counterparty of that kind and code; made when new."""
    row, _ = Counterparty.objects.get_or_create(
        client_id=current_scope().client_id, kind=kind, code=code, defaults={"name": name, "details": details or {}}
    )
    return row
