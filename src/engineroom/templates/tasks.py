"""The background job of templates. Arguments are ids only."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from procrastinate.contrib.django import app

from engineroom.templates import batch


@app.task(name="templates.batch_part", queue="templates")
def batch_part_job(
    batch_id: str, client_id: str, action: str, version_id: str, starts: str, user_id: str
) -> None:
    """One client of a batch; what it cannot do is its result, and no other client's."""
    asked = batch.Asked(action, UUID(version_id), date.fromisoformat(starts), UUID(user_id))
    batch.run_part(UUID(batch_id), UUID(client_id), asked)
