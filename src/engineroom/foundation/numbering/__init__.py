"""Taking numbers. The row lock lasts until commit, so a number is used or given back: no gaps, no doubles.

Take numbers last, at issue: everybody else who issues in that series waits from here to the commit.
"""

from __future__ import annotations

from django.db import connection

from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.ids import uuid7


def take(series: str, count: int = 1) -> int:
    """The first of `count` consecutive numbers of the series, starting at 1."""
    if count < 1:
        raise ValueError(f"{count} numbers cannot be taken of {series}")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_numberseries (id, client_id, series, next_number) "
            "VALUES (%s, %s, %s, 1 + %s) "
            "ON CONFLICT (client_id, series) DO UPDATE "
            "SET next_number = foundation_numberseries.next_number + excluded.next_number - 1 "
            "RETURNING next_number",
            [uuid7(), current_scope().client_id, series, count],
        )
        return int(cursor.fetchone()[0]) - count
