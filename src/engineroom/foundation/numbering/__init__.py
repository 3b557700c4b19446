"""Taking numbers: the next ones, which PostgreSQL alone gives. The row lock lasts until commit, so a number
is used or given back: no gaps, no doubles.

Take numbers last, at issue: everybody else who issues in that series waits from here to the commit.
"""

from __future__ import annotations

from django.db import connection

from engineroom.foundation.tenancy.scope import current_scope


def take(series: str, count: int = 1) -> int:
    """The first of `count` consecutive numbers of the series, starting at 1."""
    current_scope().client_id  # noqa: B018 refuses where nothing may be written, in words
    if count < 1:
        raise ValueError(f"{count} numbers cannot be taken of {series}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_take_numbers(%s, %s)", [series, count])
        return int(cursor.fetchone()[0])
