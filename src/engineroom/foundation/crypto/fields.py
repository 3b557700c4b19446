"""Named columns that hold private data, and the one accessor that opens them.

A row holds `Sealed` bytes that print as dots. `reveal` is the only way to the text: it asks the roles what is masked,
and writes one audit event that says who read which column of how many rows, and why.
"""

from __future__ import annotations

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
    """The texts of an encrypted column of rows of one model and client, in order; masked as the roles say.

    purpose: why, in words; it stands in the audit trail with the column and the number of rows.
    """
    if not rows:
        return []
    field = encrypted_field(type(rows[0]), name)
    scope = current_scope()
    client_id = rows[0].client_id
    audit.record(
        "read",
        subject_kind=type(rows[0])._meta.label_lower,
        subject_id=rows[0].pk if len(rows) == 1 else None,
        detail={"column": field.place, "rows": len(rows), "purpose": purpose},
    )
    if scope.user.kind != "system" and field.data_class in masked(scope.roles.get(client_id, frozenset())):
        return [None if getattr(row, name) is None else DOTS for row in rows]
    return [_open(field, row, name) for row in rows]


def _open(field: EncryptedField, row: Any, name: str) -> str | None:
    sealed = getattr(row, name)
    return None if sealed is None else crypto.unseal(row.client_id, field.place, bytes(sealed)).decode()
