"""Rows that live from a day on until a day, both included; without an end, for good.

What is asked of them (grants, logins, accounts, memberships) is asked here, so that nobody is off by a day.
"""

from __future__ import annotations

from datetime import date
from typing import Protocol

from django.db.models import Q


class Dated(Protocol):
    """A row with its last day."""

    @property
    def ends(self) -> date | None: ...


def lives_on(day: date) -> Q:
    """Rows that have begun by the day and are not over on it."""
    return Q(starts__lte=day) & lasts_until(day)


def lasts_until(day: date) -> Q:
    """Rows that are not over on the day: they may begin later."""
    return Q(ends=None) | Q(ends__gte=day)


def is_over(row: Dated, day: date) -> bool:
    """The row's last day lies before the day."""
    return row.ends is not None and row.ends < day
