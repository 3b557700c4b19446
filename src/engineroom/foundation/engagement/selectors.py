"""Questions about what was agreed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from engineroom.foundation.access.models import User
from engineroom.foundation.engagement.models import BASES, SERVICES, Engagement
from engineroom.foundation.tenancy.scope import current_client_id


@dataclass(frozen=True)
class ServiceLine:
    """One service, what its price is for, the price in the client's currency, and what is promised of it."""

    service: str
    basis: str
    price_minor: int
    level: str = ""

    @property
    def name(self) -> str:
        return SERVICES.get(self.service, self.service)

    @property
    def per(self) -> str:
        return BASES.get(self.basis, self.basis)


@dataclass(frozen=True)
class Terms:
    """Terms as agreed. superseded: others of the same day, agreed later, took their place."""

    id: UUID
    number: int
    starts: date
    agreed_on: date
    agreed_with: str
    lines: list[ServiceLine]
    data_processing: str
    reason: str
    by: str
    at: datetime
    superseded: bool = False


def in_force(day: date) -> Terms | None:
    """What holds on a day; None before anything was agreed. Terms without lines: it has ended."""
    row = (
        Engagement.objects.filter(client_id=current_client_id(), starts__lte=day)
        .order_by("-starts", "-number")
        .first()
    )
    return _terms(row, "") if row else None


def all_terms() -> list[Terms]:
    """Every agreement that ever was or will be, the latest first."""
    rows = list(Engagement.objects.filter(client_id=current_client_id()).order_by("-starts", "-number"))
    names = dict(User.objects.filter(id__in={r.by_user_id for r in rows}).values_list("id", "name"))
    days: set[date] = set()
    found = []
    for row in rows:
        found.append(_terms(row, names.get(row.by_user_id, ""), row.starts in days))
        days.add(row.starts)
    return found


def _terms(row: Engagement, by: str, superseded: bool = False) -> Terms:
    lines = [
        ServiceLine(*line) for line in zip(row.services, row.bases, row.prices_minor, row.levels, strict=True)
    ]
    return Terms(
        row.id, row.number, row.starts, row.agreed_on, row.agreed_with, lines, row.data_processing,
        row.reason, by, row.at, superseded,
    )  # fmt: skip
