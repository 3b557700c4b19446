"""Keeping a paper that a command did not make itself: a report, an export."""

from __future__ import annotations

from uuid import UUID

from engineroom.foundation import vault
from engineroom.foundation.audit import services as audit
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotPermitted


def keep(
    content: bytes, *, permission: str, name: str, kind: str, media_type: str, subject: tuple[str, UUID]
) -> VaultFile:
    """Store a paper about a subject and say so in the audit trail. Raises NotPermitted.

    Not a command, because the content may be large and a command's request is kept whole; kept twice, the
    same content is one set of bytes.
    """
    scope = current_scope()
    if not scope.may(permission):
        raise NotPermitted(
            f"{scope.user.email} may not keep {name} here: it needs the permission {permission}"
        )
    file = vault.store(content, name=name, kind=kind, media_type=media_type, subject_id=subject[1])
    audit.record(
        "foundation.keep",
        subject_kind=subject[0],
        subject_id=subject[1],
        detail={"file": name, "sha256": bytes(file.sha256).hex(), "kind": kind},
    )
    return file
