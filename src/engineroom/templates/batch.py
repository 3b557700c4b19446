"""A template over many clients: a job and a result for each; what one client cannot do stops nobody else.

A batch is an id that its jobs and results share; between clients nothing crosses. A client's job works in one
scope of that client alone and leaves one result, in the transaction that changed it: run again it changes
nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID, uuid5

from django.db import connection
from django.db.utils import DatabaseError

from engineroom.foundation.access import services as access
from engineroom.foundation.refusals import refusal
from engineroom.foundation.tenancy.scope import Identity, acting, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError
from engineroom.templates import drafts, selectors, services
from engineroom.templates.models import Outcome, Version

log = logging.getLogger(__name__)

Action = Literal["apply", "follow", "rehearse"]

ACTIONS: Mapping[str, str] = {
    "rehearse": "Rehearse this version",
    "follow": "Follow this version and bring into line",
    "apply": "Bring into line with what each follows",
}
"""What a button calls each."""

DEFECT = "a defect stopped it; the worker's log says more. Nothing was changed; try it on its own page"


@dataclass(frozen=True)
class Asked:
    """What a batch does at each client. version_id: the one that is rehearsed, or to be followed; what the
    client follows anyway is applied where the action is to apply. user: as narrowed
    as the token they came with."""

    action: str
    version_id: UUID
    starts: date
    user: Identity


def run_part(batch_id: UUID, client_id: UUID, asked: Asked) -> None:
    """A client's part of a batch. Whatever happens leaves a result, unless it has one.

    By whoever asked, not by the system: promises and policies are said by a person, as PostgreSQL has it.
    """
    user = asked.user
    with acting(user, read=[client_id]):
        if Outcome.objects.filter(client_id=client_id, batch_id=batch_id).exists():
            return
    try:
        with acting(user, write=client_id):
            _carry_out(batch_id, asked)
            return
    except (EngineroomError, DatabaseError) as error:
        refused = refusal(error)
        if refused is None or refused.status >= 500:
            log.exception("templates batch %s, client %s: %s", batch_id, client_id, asked.action)
        words = str(refused) if refused is not None and refused.status < 500 else DEFECT
    except Exception:
        log.exception("templates batch %s, client %s: %s", batch_id, client_id, asked.action)
        words = DEFECT
    with acting(access.system_user(), write=client_id, on_behalf=user):
        services.keep_outcome(
            batch_id, asked.version_id, asked.starts, action=asked.action, outcome="failed", words=words
        )


def _carry_out(batch_id: UUID, asked: Asked) -> None:
    version = Version.objects.select_related("template").get(id=asked.version_id)
    key = version.template.key
    if asked.action == "rehearse":
        done = services.rehearse(key, version.number, asked.starts)
        services.keep_outcome(
            batch_id, version.id, asked.starts, action="rehearse", outcome=done.outcome,
            changed=done.changed, kept=done.kept, cannot=done.cannot,
        )  # fmt: skip
        return
    now = selectors.followed()
    if asked.action == "follow" and (now is None or now.version.id != version.id):
        services.follow(key, number=version.number, reason=f"moved to version {version.number} with others")
    services.apply_template(asked.starts, batch_id=batch_id, action=asked.action)


# --- what became of it ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A client of a batch. outcome: queued and working before there is a result. starts: from which day."""

    client_id: UUID
    action: str
    version_id: UUID
    starts: date | None
    outcome: str
    words: str
    changed: list[str]
    kept: list[str]
    cannot: list[str]
    at: datetime | None


PARTS = """
SELECT o.client_id, o.action, o.version_id, o.starts, o.outcome, o.words, o.changed, o.kept, o.cannot, o.at
FROM templates_outcome o WHERE o.client_id = ANY(%(clients)s) AND o.batch_id = %(batch)s
UNION ALL
SELECT (j.args->>'client_id')::uuid, j.args->>'action', (j.args->>'version_id')::uuid,
  (j.args->>'starts')::date,
  CASE j.status WHEN 'doing' THEN 'working' WHEN 'failed' THEN 'failed' ELSE 'queued' END,
  CASE j.status WHEN 'failed' THEN 'its job took several workers down; it is not tried again' ELSE '' END,
  '{}', '{}', '{}', NULL
FROM procrastinate_jobs j
WHERE j.task_name = 'templates.batch_part' AND j.args->>'batch_id' = %(batch)s::text
  AND j.status IN ('todo', 'doing', 'failed') AND (j.args->>'client_id')::uuid = ANY(%(clients)s)
  AND NOT EXISTS (SELECT FROM templates_outcome o WHERE o.batch_id = %(batch)s
    AND o.client_id = (j.args->>'client_id')::uuid)
"""


def batch_parts(batch_id: UUID, clients: Sequence[UUID] | None = None) -> list[Part]:
    """What became of each of these clients in a batch; without them, of all that the scope reads."""
    of = current_scope().read if clients is None else clients
    with connection.cursor() as cursor:
        cursor.execute(PARTS, {"clients": list(of), "batch": batch_id})
        return [Part(*row) for row in cursor.fetchall()]


def begin(key: str, clients: Sequence[UUID], asked: Asked) -> UUID:
    """A batch that a program asks for: begun once for its key, found again afterwards. Raises Conflict where
    the key began another."""
    batch_id = uuid5(asked.user.id, f"templates:{key}")
    found = batch_parts(batch_id)
    if not found:
        start(batch_id, clients, asked)
    elif {(part.client_id, part.action, part.version_id, part.starts) for part in found} != {
        (client, asked.action, asked.version_id, asked.starts) for client in clients
    }:
        raise Conflict("this Idempotency-Key began another batch; send a key of its own for each")
    return batch_id


def start(batch_id: UUID, clients: Sequence[UUID], asked: Asked) -> int:
    """Queue a job for each client. Says how many."""
    from engineroom.templates.tasks import batch_part_job

    drafts.template_of(asked.version_id)
    for client_id in clients:
        batch_part_job.defer(
            batch_id=str(batch_id),
            client_id=str(client_id),
            action=asked.action,
            version_id=str(asked.version_id),
            starts=asked.starts.isoformat(),
            user_id=str(asked.user.id),
            limits=asked.user.limits,
        )
    return len(clients)
