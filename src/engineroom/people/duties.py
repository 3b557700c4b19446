"""What people wait for: accounts that a second person has not looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import connection

from engineroom.foundation import duties
from engineroom.foundation.duties import Duty

HELD = """
SELECT h.client_id, h.id, p.payroll_number, h.starts FROM people_accountproposal h
JOIN people_person p ON p.client_id = h.client_id AND p.id = h.person_id
WHERE h.client_id = ANY (%s)
  AND NOT EXISTS (SELECT FROM people_accountdecision d WHERE d.client_id = h.client_id AND d.id = h.id)
ORDER BY h.client_id, h.starts, h.id
"""


@duties.register
def _duties(clients: Sequence[UUID], day: date) -> list[Duty]:
    with connection.cursor() as cursor:
        cursor.execute(HELD, [list(clients)])
        return [_held(*row) for row in cursor.fetchall()]


def _held(client_id: UUID, proposal_id: UUID, payroll_number: str, starts: date) -> Duty:
    """Due the day from which the person should be paid into it."""
    return Duty(
        client_id,
        f"Check the other account of {payroll_number}",
        f"held; to be paid from {starts:%a %d %b}",
        "people.approve",
        ("people:accounts", ()),
        starts,
        subject=("account_change", proposal_id),
    )
