"""Rotating the master key: a new key seals from now on, and every named column is sealed anew with it."""

from __future__ import annotations

from uuid import UUID

from django.apps import apps
from django.conf import settings

from engineroom.foundation import crypto
from engineroom.foundation.access import services as access
from engineroom.foundation.commands import command
from engineroom.foundation.crypto.fields import EncryptedField, Sealed
from engineroom.foundation.tenancy.scope import acting, current_scope


@command("foundation.admin", name="foundation.add_key")
def add_key() -> str:
    """Add a master key and make it the current one. The old ones stay to open what they sealed."""
    access.only_at_home("keys are added")
    return crypto.KeyFile(settings.KEY_FILE).add()


def encrypted_columns() -> list[tuple[type, EncryptedField]]:
    """Every sealed column of every room."""
    return [(m, f) for m in apps.get_models() for f in m._meta.get_fields() if isinstance(f, EncryptedField)]


def reseal(client_ids: list[UUID]) -> int:
    """Seal the named columns of the clients with the current key, as the system. Returns how many."""
    changed = 0
    for client_id in client_ids:
        with acting(access.system_user(), write=client_id):
            for model, field in encrypted_columns():
                changed += _reseal_column(model, field)
    return changed


def _reseal_column(model: type, field: EncryptedField) -> int:
    client_id = current_scope().client_id
    old = [
        row
        for row in model.objects.filter(client_id=client_id, **{f"{field.name}__isnull": False})  # type: ignore[attr-defined]
        if not crypto.is_current(bytes(getattr(row, field.name)))
    ]
    for row in old:
        plain = crypto.unseal(client_id, field.place, bytes(getattr(row, field.name)))
        setattr(row, field.name, Sealed(crypto.seal(client_id, field.place, plain)))
        row.save(update_fields=[field.name])
    return len(old)
