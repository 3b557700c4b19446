"""Whether a client's first bank accounts wait for a second person, as a template may say it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from engineroom.foundation.templated import Field, ItemChange, Items, Part, by_client, never, register, yes
from engineroom.kernel.errors import Problem
from engineroom.people.accounts import set_account_policy
from engineroom.people.models import AccountPolicy

ITEM = "bank_accounts"


def _read(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    """Of a client that never said: first accounts do not wait."""
    latest = AccountPolicy.objects.filter(client_id__in=clients).order_by("client_id", "-at", "-id")
    held = dict(latest.distinct("client_id").values_list("client_id", "hold_first"))
    return by_client(
        clients, ((client, ITEM, {"hold_first": yes(held.get(client, False))}) for client in clients)
    )


def _check(country: str, items: Items) -> Iterable[Problem]:
    return [
        Problem(f"nothing called {item!r} is held", f"the one item here is {ITEM}", field=item)
        for item in items
        if item != ITEM
    ]


def _apply(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    for change in changes:
        set_account_policy(change.after["hold_first"] == "yes", reason=reason)


register(
    Part(
        "account_holds",
        "Account holds",
        "hold",
        order=60,
        permission="people.approve",
        fields=(Field("hold_first", "Whether first accounts wait for a second person", "yes", needed=True),),
        read=_read,
        check=_check,
        cannot=never,
        apply=_apply,
    )
)
