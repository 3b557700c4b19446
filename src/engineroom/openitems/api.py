"""What is owed and held, for programs."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.db.models import Q
from ninja import Query, Schema

from engineroom.foundation.api import Name, Page, PageAsked, Room, cut, cut_list, log_read, one
from engineroom.foundation.tenancy.models import Client
from engineroom.openitems import selectors
from engineroom.openitems.kinds import PAY_KINDS
from engineroom.openitems.models import Allocation, Counterparty, OpenItem

router = Room("openitems")


class CounterpartyOut(Schema):
    """Whom the client deals with."""

    id: UUID
    kind: str
    code: str
    name: str


class OpenItemOut(Schema):
    """Something owed or held, in minor units, signed as posted: a payable is negative."""

    id: UUID
    kind: str
    counterparty_id: UUID | None
    counterparty: str
    account_code: str
    currency: str
    amount_minor: int
    open_minor: int
    due: date
    reference: str
    subject_kind: str
    subject_id: UUID


class AllocationOut(Schema):
    """An amount of one item set against another; an undo is negative and names what it undoes."""

    id: UUID
    item_a: UUID
    item_b: UUID
    amount_minor: int
    undoes: UUID | None
    subject_kind: str
    subject_id: UUID


class OpenItemDetailOut(OpenItemOut):
    """An item with everything set against it."""

    entry_id: UUID
    allocations: list[AllocationOut]


def _item(i: selectors.Open) -> OpenItemOut:
    return OpenItemOut(
        id=i.id,
        kind=i.kind,
        counterparty_id=i.counterparty_id,
        counterparty=i.counterparty,
        account_code=i.account_code,
        currency=i.currency,
        amount_minor=i.amount,
        open_minor=i.open,
        due=i.due,
        reference=i.reference,
        subject_kind=i.subject_kind,
        subject_id=i.subject_id,
    )


@router.read("/counterparties", Page[CounterpartyOut], "Customers, suppliers and others, by code")
def counterparties(client: Client, page: Query[PageAsked], kind: Name | None = None) -> Page[CounterpartyOut]:
    """kind: only customers, suppliers, persons, agencies, banks or factors."""
    rows = Counterparty.objects.filter(client_id=client.id)
    if kind:
        rows = rows.filter(kind=kind)
    found, onward = cut(rows, page, by="code")
    return Page(
        items=[CounterpartyOut(id=c.id, kind=c.kind, code=c.code, name=c.name) for c in found], next=onward
    )


@router.read("/open-items", Page[OpenItemOut], "Open items by due date")
def open_items(
    client: Client,
    page: Query[PageAsked],
    kind: Name | None = None,
    account: Name | None = None,
    include_closed: bool = False,
) -> Page[OpenItemOut]:
    """What has something left, or, with include_closed, everything. Net pay is logged as read."""
    rows = selectors.open_items(kind=kind, account=account, include_closed=include_closed)
    found, onward = cut_list(rows, page, by=lambda i: (i.due.isoformat(), i.id))
    if pay := sum(i.kind in PAY_KINDS for i in found):
        log_read("open_item", None, "net pay", pay)
    return Page(items=[_item(i) for i in found], next=onward)


@router.read("/open-items/{item_id}", OpenItemDetailOut, "One open item with its allocations")
def open_item(client: Client, item_id: UUID) -> OpenItemDetailOut:
    """An item, what is left of it, and what was set against it."""
    row = one(OpenItem.objects.all(), "open item", item_id)
    subject = (row.subject_kind, row.subject_id)
    those = selectors.open_items(kind=row.kind, subject=subject, include_closed=True)
    view = next(i for i in those if i.id == row.id)
    if row.kind in PAY_KINDS:
        log_read("open_item", row.id, "net pay")
    against = Allocation.objects.filter(Q(item_a_id=row.id) | Q(item_b_id=row.id), client_id=client.id)
    return OpenItemDetailOut(
        **_item(view).dict(),
        entry_id=row.entry_id,
        allocations=[
            AllocationOut(
                id=a.id,
                item_a=a.item_a_id,
                item_b=a.item_b_id,
                amount_minor=a.amount,
                undoes=a.undoes_id,
                subject_kind=a.subject_kind,
                subject_id=a.subject_id,
            )
            for a in against.order_by("id")
        ],
    )
