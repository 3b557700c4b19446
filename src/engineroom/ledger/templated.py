"""Accounts of the main book, as a template may name them. An account is added, and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from engineroom.foundation.templated import Field, ItemChange, Part, by_client, nothing_more, register, yes
from engineroom.ledger.models import ACCOUNT_TYPES, Account
from engineroom.ledger.services import add_account

BOOK = "main"


def _read(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    rows = Account.objects.filter(client_id__in=clients, book__code=BOOK)
    return by_client(
        clients,
        (
            (client, code, {"name": name, "type": kind, "is_control": yes(control)})
            for client, code, name, kind, control in rows.values_list(
                "client_id", "code", "name", "type", "is_control"
            )
        ),
    )


def _cannot(change: ItemChange) -> str:
    if change.before is None:
        return ""
    return (
        f"account {change.key} is there already, and an account is never changed: it may have been posted to"
    )


def _apply(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    for change in changes:
        said = change.after
        add_account(
            change.key, said["name"], said["type"], is_control=said.get("is_control") == "yes", book=BOOK
        )


register(
    Part(
        "accounts",
        "Accounts",
        "account",
        order=10,
        permission="ledger.prepare",
        fields=(
            Field("name", "What it is called", needed=True),
            Field("type", "Which kind of account", choices=ACCOUNT_TYPES, needed=True),
            Field("is_control", "Whether it is posted to with open items only", "yes"),
        ),
        read=_read,
        check=nothing_more,
        cannot=_cannot,
        apply=_apply,
    )
)
