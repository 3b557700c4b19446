"""People, found by their names and payroll numbers."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engineroom.foundation import search
from engineroom.foundation.search import Hit
from engineroom.people.models import Person


def _people(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    ids = search.named("person", text, clients, limit)
    rows = Person.objects.filter(client_id__in=clients, counterparty_id__in=ids)
    return [
        Hit(p.client_id, p.name, p.payroll_number, ("people:person", (p.payroll_number,)))
        for p in rows.order_by("name", "payroll_number")
    ]


search.register("People", _people, permission="people.read")
