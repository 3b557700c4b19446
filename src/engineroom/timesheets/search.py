"""Assignments, found by their code: the person who is placed, with the customer."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from engineroom.foundation import search
from engineroom.foundation.search import Hit
from engineroom.timesheets.models import Assignment


def _assignments(text: str, clients: Sequence[UUID], limit: int) -> list[Hit]:
    coded = Q(pk__in=[])
    for spelling in search.spelled(text):
        coded |= Q(code__gte=spelling, code__lt=spelling + "\U0010ffff")
    rows = Assignment.objects.filter(coded, client_id__in=clients).select_related("person", "customer")
    found = sorted(rows.order_by()[:limit], key=lambda a: a.code)
    return [
        Hit(
            a.client_id,
            f"Assignment {a.code}",
            f"{a.person.name} as {a.role} with {a.customer.name}",
            ("people:person", (a.person.payroll_number,)),
        )
        for a in found
    ]


search.register("Assignments", _assignments, permission="timesheets.read")
