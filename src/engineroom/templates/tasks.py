"""The background job of templates. Arguments are ids, and what a token is narrowed to."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from procrastinate.contrib.django import app

from engineroom.foundation.access import services as access
from engineroom.templates import batch


@app.task(name="templates.batch_part", queue="templates")
def batch_part_job(
    batch_id: str,
    client_id: str,
    action: str,
    version_id: str,
    starts: str,
    user_id: str,
    limits: dict[str, list[str] | None] | None = None,
) -> None:
    """One client of a batch; what it cannot do is its result, and no other client's."""
    user = access.identity(UUID(user_id), limits)
    asked = batch.Asked(action, UUID(version_id), date.fromisoformat(starts), user)
    batch.run_part(UUID(batch_id), UUID(client_id), asked)
