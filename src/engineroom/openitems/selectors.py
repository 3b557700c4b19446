"""What is open, and the proof that control accounts are the sums of their items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_scope
from engineroom.ledger.selectors import Check


@dataclass(frozen=True)
class Open:
    """An item with what is left of it. open: minor units, signed as the item."""

    id: UUID
    kind: str
    counterparty_id: UUID | None
    counterparty: str
    account_code: str
    currency: str
    amount: int
    open: int
    due: date
    reference: str
    subject_kind: str
    subject_id: UUID


def open_items(*, kind: str | None = None, account: str | None = None, include_closed: bool = False) -> list[Open]:
    """Items with something left, by due date; with include_closed, all of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.id, o.kind, o.counterparty_id, coalesce(c.name, ''), a.code, o.currency, o.amount,
                   (o.amount - sign(o.amount) * (coalesce(x.used, 0) + coalesce(y.used, 0)))::bigint AS open,
                   o.due, o.reference, o.subject_kind, o.subject_id
            FROM openitems_openitem o
            JOIN ledger_account a ON a.client_id = o.client_id AND a.id = o.account_id
            LEFT JOIN openitems_counterparty c ON c.client_id = o.client_id AND c.id = o.counterparty_id
            LEFT JOIN (SELECT client_id, item_a_id, sum(amount) used FROM openitems_allocation GROUP BY 1, 2) x
              ON x.client_id = o.client_id AND x.item_a_id = o.id
            LEFT JOIN (SELECT client_id, item_b_id, sum(amount) used FROM openitems_allocation GROUP BY 1, 2) y
              ON y.client_id = o.client_id AND y.item_b_id = o.id
            WHERE o.client_id = %(client)s AND (%(kind)s::text IS NULL OR o.kind = %(kind)s)
              AND (%(account)s::text IS NULL OR a.code = %(account)s)
              AND (%(closed)s OR o.amount <> sign(o.amount) * (coalesce(x.used, 0) + coalesce(y.used, 0)))
            ORDER BY o.due, o.kind, o.reference, o.id
            """,
            {"client": _client(), "kind": kind, "account": account, "closed": include_closed},
        )
        return [Open(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Control:
    """A control account beside its items, per currency; the two are equal, always."""

    account_code: str
    account_name: str
    currency: str
    ledger: int
    items: int
    left_open: int

    @property
    def ok(self) -> bool:
        return self.ledger == self.items == self.left_open


def controls() -> list[Control]:
    """Every control account with its ledger balance, the sum of its items, and the sum of what is left of them.

    Allocations move nothing off an account, so all three agree.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.code, a.name, k.currency,
              coalesce((SELECT sum(p.amount) FROM ledger_posting p
                WHERE p.client_id = a.client_id AND p.account_id = a.id AND p.currency = k.currency), 0)::bigint,
              coalesce((SELECT sum(o.amount) FROM openitems_openitem o
                WHERE o.client_id = a.client_id AND o.account_id = a.id AND o.currency = k.currency), 0)::bigint,
              coalesce((SELECT sum(o.amount) FROM openitems_openitem o
                WHERE o.client_id = a.client_id AND o.account_id = a.id AND o.currency = k.currency), 0)::bigint
              - coalesce((SELECT sum(sign(o.amount) * l.amount) FROM openitems_allocation l
                JOIN openitems_openitem o ON o.client_id = l.client_id AND o.id IN (l.item_a_id, l.item_b_id)
                WHERE l.client_id = a.client_id AND o.account_id = a.id AND o.currency = k.currency), 0)::bigint
            FROM ledger_account a
            CROSS JOIN LATERAL (
              SELECT currency FROM ledger_posting p WHERE p.client_id = a.client_id AND p.account_id = a.id
              UNION SELECT currency FROM openitems_openitem o WHERE o.client_id = a.client_id AND o.account_id = a.id) k
            WHERE a.client_id = %s AND a.is_control ORDER BY a.code, k.currency
            """,
            [_client()],
        )
        return [Control(*row) for row in cursor.fetchall()]


def verify() -> list[Check]:
    """Control account = sub-ledger, per account and currency."""
    return [
        Check(f"control account {c.account_code} {c.account_name} ({c.currency}) against its items", abs(c.ledger - c.items))
        for c in controls()
    ] or [Check("control accounts against their items", 0)]


def _client() -> UUID:
    scope = current_scope()
    return scope.write or scope.read[0]
