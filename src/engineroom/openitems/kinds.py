"""Kinds of open item: rooms register what they make, so that settlement can pay any of it without knowing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

ExpectedPayees = Callable[[UUID], dict[UUID, bytes | None]]


@dataclass(frozen=True)
class ItemKind:
    """label: as people read it. expected_payees: for a subject, the fingerprint of the account each counterparty was
    approved to be paid on; a payment to any other account is held."""

    kind: str
    label: str
    expected_payees: ExpectedPayees | None = None


KINDS: dict[str, ItemKind] = {}


def register(kind: str, label: str, *, expected_payees: ExpectedPayees | None = None) -> None:
    KINDS[kind] = ItemKind(kind, label, expected_payees)
