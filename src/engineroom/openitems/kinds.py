"""Kinds of open item: rooms register what they make, so that settlement pays it without knowing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

ExpectedPayees = Callable[[UUID], dict[UUID, bytes | None]]


@dataclass(frozen=True)
class ItemKind:
    """label: as people read it. expected_payees: for a subject, the fingerprint of the account on which each
    counterparty was approved to be paid. A payment to another account is held; a kind without it is not paid.
    """

    kind: str
    label: str
    expected_payees: ExpectedPayees | None = None


KINDS: dict[str, ItemKind] = {}

PAY_KINDS = ("net_pay", "net_pay_back")
"""Kinds whose amounts are what people earn: their reads are logged."""


def register(kind: str, label: str, *, expected_payees: ExpectedPayees | None = None) -> None:
    KINDS[kind] = ItemKind(kind, label, expected_payees)
