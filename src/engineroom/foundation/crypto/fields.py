"""Named columns that hold private data, and the one accessor that opens them.

A row holds `Sealed` bytes that print as dots. `reveal` is the only way to the text: it asks the roles what is
masked, and writes one audit event that says who read which column of how many rows, and why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import models

from engineroom.foundation import crypto
from engineroom.foundation.access.roles import masked
from engineroom.foundation.audit import services as audit
from engineroom.foundation.tenancy.scope import current_scope

DOTS = "••••"


class Sealed(bytes):
    """A sealed value. Never prints what it holds."""

    def __repr__(self) -> str:
        return f"Sealed({DOTS})"

    __str__ = __repr__


class EncryptedField(models.BinaryField):  # type: ignore[type-arg]
    """A sealed text column. `data_class` is bank, identity, health or pay: what roles mask."""

    def __init__(self, *args: Any, data_class: str, **kwargs: Any) -> None:
        self.data_class = data_class
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs["data_class"] = self.data_class
        return name, path, args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Sealed | None:
        return None if value is None else Sealed(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, Sealed):
            raise TypeError(f"{self.place} takes what its own seal() made, never a plain value")
        return super().get_db_prep_value(value, connection, prepared)

    @property
    def place(self) -> str:
        """Where the value belongs, as bound into its encryption."""
        return f"{self.model._meta.db_table}.{self.column}"

    def seal(self, client_id: UUID, text: str | None) -> Sealed | None:
        """The sealed form of a text for this column; empty text is NULL."""
        return Sealed(crypto.seal(client_id, self.place, text.encode())) if text else None

    def fingerprint(self, client_id: UUID, text: str) -> bytes:
        return crypto.fingerprint(client_id, self.place, text.encode())


def encrypted_field(model: type[models.Model], name: str) -> EncryptedField:
    field = model._meta.get_field(name)
    assert isinstance(field, EncryptedField), f"{model.__name__}.{name} is not encrypted"
    return field


def reveal(rows: Sequence[Any], name: str, *, purpose: str) -> list[str | None]:
    """The texts of an encrypted column of rows of one model, in order, masked by the roles on each client.

    purpose: why, in words; it stands in each client's audit trail with the column and the number of rows.
    """
    if not rows:
        return []
    field = encrypted_field(type(rows[0]), name)
    by_client: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_client[row.client_id].append(row)
    hidden = {client_id: _hides(field, client_id) for client_id in by_client}
    for client_id, those in by_client.items():
        audit.record_read(
            client_id,
            subject_kind=field.model._meta.label_lower,
            subject_id=those[0].pk if len(those) == 1 else None,
            detail={
                "column": field.place,
                "rows": len(those),
                "purpose": purpose,
                "masked": hidden[client_id],
            },
        )
    return [_open(field, row, name, hidden[row.client_id]) for row in rows]


def _hides(field: EncryptedField, client_id: UUID) -> bool:
    """Whether the scope's roles on the client mask the column. The system's own work sees what it needs."""
    scope = current_scope()
    if scope.user.kind == "system" and scope.on_behalf is None:
        return False
    return field.data_class in masked(scope.roles.get(client_id, frozenset()))


def _open(field: EncryptedField, row: Any, name: str, hidden: bool) -> str | None:
    sealed = getattr(row, name)
    if sealed is None:
        return None
    return DOTS if hidden else crypto.unseal(row.client_id, field.place, bytes(sealed)).decode()
