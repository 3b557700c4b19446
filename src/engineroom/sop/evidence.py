"""Files shown as evidence: in the vault, told from every other paper of the client by their kind."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from engineroom.foundation import vault
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import EngineroomError

KIND = "sop.evidence"
LARGEST_FILE_BYTES = 20_000_000


class FileTooLarge(EngineroomError):
    """The file has more than 20 MB: split it, or show a link to it."""

    status = 413


def keep_file(task_id: UUID, content: bytes, name: str, media_type: str = "") -> UUID:
    """Keep a file for a task; its id is what the task's evidence names. The same file is kept once.

    Raises FileTooLarge.
    """
    if len(content) > LARGEST_FILE_BYTES:
        raise FileTooLarge(f"{name} has more than 20 MB; split it, or give a link")
    name = name[-255:] or "file"
    before = VaultFile.objects.filter(
        client_id=current_client_id(), kind=KIND, subject_id=task_id, name=name,
        sha256=hashlib.sha256(content).digest(),
    )  # fmt: skip
    if (kept := before.first()) is not None:
        return kept.id
    media = media_type or "application/octet-stream"
    return vault.store(content, name=name, kind=KIND, media_type=media, subject_id=task_id).id


def keep_upload(task_id: UUID, upload: UploadedFile) -> UUID:
    """The same of what a browser or a program sends. Raises FileTooLarge before it is read."""
    if (upload.size or 0) > LARGEST_FILE_BYTES:
        raise FileTooLarge(f"{upload.name} has more than 20 MB; split it, or give a link")
    return keep_file(task_id, upload.read(), upload.name or "file", upload.content_type or "")
