"""One action over many clients, for programs: begun, listed, and what became of each client."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema

from engineroom.foundation.access.roles import may
from engineroom.foundation.access.selectors import my_clients
from engineroom.foundation.api import (
    ERRORS_OF_COMMANDS,
    Asked,
    Day,
    Key,
    Name,
    answers,
    caller_of,
    needed_key,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import FACE_OF_KIND, Identity, acting
from engineroom.kernel.errors import NotFound, NotPermitted
from engineroom.payroll import batch

router = Router(tags=["payroll"])


class BatchAsked(Asked):
    """clients: codes; left out, all on which the caller may do it."""

    action: Literal["calculate", "ask", "release"]
    pay_date: Day
    clients: list[Name] | None = None


class BatchBegun(Schema):
    """clients: how many have a job each."""

    batch_id: UUID
    clients: int


class BatchOut(Schema):
    """A batch as far as the caller sees its clients. at: of its first result."""

    id: UUID
    action: str
    clients: int
    done: int
    nothing: int
    failed: int
    left: int
    at: datetime | None


class BatchesOut(Schema):
    """Batches, latest first. next: the cursor of those before."""

    items: list[BatchOut]
    next: str | None


class BatchPartOut(Schema):
    """What became of one client. outcome: queued and working before there is a result."""

    client: str
    outcome: str
    words: str
    at: datetime | None


class BatchDetailOut(Schema):
    """Every client of a batch that the caller sees."""

    id: UUID
    action: str
    parts: list[BatchPartOut]


def clients_held(caller: Identity, permission: str, verb: str) -> dict[UUID, Client]:
    """The caller's clients on which they may do it. Raises NotPermitted where there is none."""
    if FACE_OF_KIND[caller.kind] != "firm" or (caller.verbs is not None and verb not in caller.verbs):
        raise NotPermitted("batches are the firm's own, for a token that may do this")
    with acting(caller):
        rows = {row.id: row for row in my_clients()}
    with acting(caller, read=list(rows)) as scope:
        held = {c: r for c, r in rows.items() if may(scope.roles.get(c, frozenset()), permission)}
    if not held:
        raise NotPermitted(f"you hold {permission} on no client")
    return held


@router.post(
    "/pay-batches",
    response=answers(BatchBegun, ERRORS_OF_COMMANDS),
    summary="Begin one action over many clients",
    operation_id="payroll.begin_batch",
)
def begin_batch(request: HttpRequest, asked: BatchAsked, key: Key = None) -> BatchBegun:
    """Queue a job for each client: what one cannot do stops none of the others. The same key finds it again,
    and begins nothing."""
    caller, kind = caller_of(request), batch.KINDS[asked.action]
    held = clients_held(caller, kind.permission, kind.permission.rpartition(".")[2])
    codes = {row.code: row.id for row in held.values()}
    if unknown := sorted(set(asked.clients or ()) - codes.keys()):
        raise NotFound(f"there is no client {unknown[0]!r} on which you may do this; nothing was begun")
    chosen = [codes[code] for code in dict.fromkeys(asked.clients or codes)]
    with acting(caller, read=list(held), write=chosen[0]):
        batch_id = batch.begin(needed_key(key), chosen, asked.action, asked.pay_date, caller)
    return BatchBegun(batch_id=batch_id, clients=len(chosen))


@router.get("/pay-batches", response=answers(BatchesOut), summary="Batches", operation_id="payroll.batches")
def batches(request: HttpRequest, cursor: Annotated[str, Query(max_length=400)] = "") -> BatchesOut:
    """Those that any client of the caller's was in, the latest first."""
    caller = caller_of(request)
    held = clients_held(caller, "payroll.read", "read")
    with acting(caller, read=list(held)):
        found = batch.batches(list(held), cursor)
    items = [
        BatchOut(
            id=row.id, action=row.action, clients=row.clients, done=row.done, nothing=row.nothing,
            failed=row.failed, left=row.left, at=row.at,
        )
        for row in found.rows
    ]  # fmt: skip
    return BatchesOut(items=items, next=found.next or None)


@router.get(
    "/pay-batches/{pay_batch_id}",
    response=answers(BatchDetailOut),
    summary="One batch",
    operation_id="payroll.batch",
)
def batch_of(request: HttpRequest, pay_batch_id: UUID) -> BatchDetailOut:
    """What became of each client."""
    caller = caller_of(request)
    held = clients_held(caller, "payroll.read", "read")
    with acting(caller, read=list(held)):
        found = batch.parts(pay_batch_id)
    if not found:
        raise NotFound("there is no such batch among your clients")
    found.sort(key=lambda part: held[part.client_id].code)
    return BatchDetailOut(
        id=pay_batch_id,
        action=found[0].action,
        parts=[
            BatchPartOut(client=held[p.client_id].code, outcome=p.outcome, words=p.words, at=p.at)
            for p in found
        ],
    )
