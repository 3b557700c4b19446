"""The audit trail and the thread."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from ninja import Query, Schema

from engineroom.foundation import thread
from engineroom.foundation.api import Name, Page, PageAsked, Reason, Room, cut, hides, log_read
from engineroom.foundation.audit.models import AuditEvent, AuditSeal
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import NotFound

PAY_KINDS = ("payable", "payslip", "payment")

router = Room("foundation")


class AuditEventOut(Schema):
    """One thing done or one private thing read. seal_no: its place in the chain; null until it is sealed."""

    id: UUID
    at: datetime
    user_id: UUID
    on_behalf_id: UUID | None
    verb: str
    subject_kind: str
    subject_id: UUID | None
    detail: dict[str, Any]
    seal_no: int | None


class NodeOut(Schema):
    """One thing on the thread, and what lies beyond it in one direction.

    more: branches beyond the limit. again: it stands elsewhere on this tree, with its branches.
    """

    kind: str
    id: UUID
    label: str
    amount_minor: int | None
    currency: str
    day: date | None
    who: str
    rule: str
    state: str
    more: int
    again: bool
    branches: list[NodeOut]


class ThreadOut(Schema):
    """One thing with all it came from and all that became of it."""

    kind: str
    id: UUID
    came_from: NodeOut
    became: NodeOut


class ThreadsOut(Schema):
    """Everything that the reference names: one name may be several things."""

    reference: str
    items: list[ThreadOut]


@router.read("/audit-events", Page[AuditEventOut], "The audit trail, latest first")
def audit_events(
    client: Client, page: Query[PageAsked], subject_id: UUID | None = None, verb: Name | None = None
) -> Page[AuditEventOut]:
    """What was done and what private data was read, by whom."""
    rows = AuditEvent.objects.filter(client_id=client.id)
    if subject_id:
        rows = rows.filter(subject_id=subject_id)
    if verb:
        rows = rows.filter(verb=verb)
    found, onward = cut(rows, page, by="id", latest_first=True)
    sealed = AuditSeal.objects.filter(client_id=client.id, id__in=[row.id for row in found])
    seals = dict(sealed.values_list("id", "seal_no"))
    return Page(
        items=[
            AuditEventOut(
                id=row.id,
                at=row.at,
                user_id=row.user_id,
                on_behalf_id=row.on_behalf_id,
                verb=row.verb,
                subject_kind=row.subject_kind,
                subject_id=row.subject_id,
                detail=row.detail,
                seal_no=seals.get(row.id),
            )
            for row in found
        ],
        next=onward,
    )


@router.read("/thread", ThreadsOut, "Follow a figure both ways, by what people call it")
def thread_of(client: Client, reference: Reason) -> ThreadsOut:
    """reference: PAYROLLNUMBER@DATE, RUN/PAYROLLNUMBER, an invoice's number, a bank line's or a payment
    file's reference."""
    kind, _ = thread.find(reference)
    found = thread.FIND[kind](reference.removeprefix(f"{kind}:"))
    return ThreadsOut(reference=reference, items=[_both_ways(kind, node_id) for node_id in found[:10]])


@router.read("/thread/{kind}/{node_id}", ThreadOut, "Follow a figure both ways, by its id")
def thread_from(client: Client, kind: Name, node_id: UUID) -> ThreadOut:
    """From any hour, charge, payslip, invoice, entry, open item, payment or bank line."""
    if kind not in thread.DESCRIBE:
        raise NotFound(f"there is no {kind!r}; there are: {', '.join(sorted(thread.DESCRIBE))}")
    return _both_ways(kind, node_id)


def _both_ways(kind: str, node_id: UUID) -> ThreadOut:
    back, forward = (thread.walk(kind, node_id, forward=way) for way in (False, True))
    if pay := sum(_pay_in(tree) for tree in (back, forward)):
        log_read(kind, node_id, "pay on the thread", pay)
    return ThreadOut(kind=kind, id=node_id, came_from=_node(back), became=_node(forward))


def _pay_in(tree: thread.Tree) -> int:
    return (tree.node.kind in PAY_KINDS) + sum(_pay_in(branch) for branch in tree.branches)


def _node(tree: thread.Tree) -> NodeOut:
    node = tree.node
    hidden = node.kind in PAY_KINDS and hides("pay")
    return NodeOut(
        kind=node.kind,
        id=node.id,
        label=node.label,
        amount_minor=None if hidden else node.amount_minor,
        currency=node.currency,
        day=node.day,
        who=node.who,
        rule=node.rule,
        state=node.state,
        more=tree.more,
        again=tree.again,
        branches=[_node(branch) for branch in tree.branches],
    )
