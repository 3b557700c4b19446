"""A template over many clients, for programs: begun, and what became of each client."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from engineroom.api.batches import clients_held
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
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import NotFound
from engineroom.templates import batch, drafts, selectors

router = Router(tags=["templates"])


class TemplateBatchAsked(Asked):
    """action: rehearse; apply the version that is followed; or follow this version and apply it. number: the
    latest without. clients: codes; left out, those that follow the template and on which the caller may."""

    template: Name
    action: Literal["rehearse", "apply", "follow"]
    starts: Day
    number: int | None = None
    clients: list[Name] | None = None


class TemplateBatchBegun(Schema):
    """clients: how many have a job each."""

    batch_id: UUID
    clients: int


class TemplateBatchPartOut(Schema):
    """What became of one client. outcome: queued and working before there is a result."""

    client: str
    outcome: str
    words: str
    changed: list[str]
    kept: list[str]
    cannot: list[str]
    at: datetime | None


class TemplateBatchOut(Schema):
    """Every client of it that the caller sees."""

    id: UUID
    action: str
    parts: list[TemplateBatchPartOut]


@router.post(
    "/template-batches",
    response=answers(TemplateBatchBegun, ERRORS_OF_COMMANDS),
    summary="Begin a template over many clients",
    operation_id="templates.begin_batch",
)
def begin_batch(request: HttpRequest, asked: TemplateBatchAsked, key: Key = None) -> TemplateBatchBegun:
    """Queue a job for each client: what one cannot do stops none of the others. The same key finds it again,
    and begins nothing."""
    caller = caller_of(request)
    held = clients_held(caller, "templates.prepare", "prepare")
    codes = {row.code: row.id for row in held.values()}
    if unknown := sorted(set(asked.clients or ()) - codes.keys()):
        raise NotFound(f"there is no client {unknown[0]!r} on which you may do this; nothing was begun")
    with acting(caller, read=list(held)):
        version = drafts.version_numbered(asked.template, asked.number)
        followed = selectors.following(list(held))
        chosen = (
            [codes[code] for code in dict.fromkeys(asked.clients)]
            if asked.clients
            else [c for c, f in followed.items() if f.version.template.key == asked.template]
        )
    if not chosen:
        raise NotFound("none of your clients follows that template; name some")
    doing = batch.Asked(asked.action, version.id, asked.starts, caller)
    with acting(caller, read=list(held), write=chosen[0]):
        batch_id = batch.begin(needed_key(key), chosen, doing)
    return TemplateBatchBegun(batch_id=batch_id, clients=len(chosen))


@router.get(
    "/template-batches/{template_batch_id}",
    response=answers(TemplateBatchOut),
    summary="One template over many clients",
    operation_id="templates.batch",
)
def batch_of(request: HttpRequest, template_batch_id: UUID) -> TemplateBatchOut:
    """What became of each client."""
    caller = caller_of(request)
    held = clients_held(caller, "templates.read", "read")
    with acting(caller, read=list(held)):
        found = batch.batch_parts(template_batch_id)
    if not found:
        raise NotFound("there is no such action among your clients")
    found.sort(key=lambda part: held[part.client_id].code)
    return TemplateBatchOut(
        id=template_batch_id,
        action=found[0].action,
        parts=[
            TemplateBatchPartOut(
                client=held[p.client_id].code, outcome=p.outcome, words=p.words, changed=p.changed,
                kept=p.kept, cannot=p.cannot, at=p.at,
            )
            for p in found
        ],
    )  # fmt: skip
