"""What people offers to the rest: its files and its nodes on the thread."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engineroom.foundation import thread
from engineroom.people import (  # noqa: F401  registers what is taken, found and templated
    duties,
    imports,
    search,
    templated,
    terms_imports,
)
from engineroom.people.models import Person


def _people(ids: Sequence[UUID]) -> list[thread.Node]:
    return [
        thread.Node("person", p.counterparty_id, str(p))
        for p in Person.objects.filter(counterparty_id__in=ids)
    ]


thread.register_kind("person", _people)
