"""The vault: files content-addressed within a client, encrypted with that client's key, never overwritten.

Bytes are written before the row: a rolled-back transaction leaves an unreferenced file, never a row without
its bytes. Files are sealed in frames of 1 MiB, each bound to the client, the content's hash and its place in
the file, so a 512 MB statement is read in bounded memory and a cut or reordered file does not open.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from engineroom.foundation import crypto
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound

FRAME_BYTES = 1 << 20
OVERHEAD_BYTES = 512
"""More than a sealed frame's version, key name, nonce and tag together: a longer frame is not one of ours."""


class VaultDamaged(EngineroomError):
    """A file's bytes are missing or not what was stored."""

    status = 500


def store(
    content: bytes | Path,
    *,
    name: str,
    kind: str,
    media_type: str = "application/octet-stream",
    subject_id: UUID | None = None,
) -> VaultFile:
    """Keep a file for the client being written. content: the bytes, or a path to stream from."""
    client_id = current_scope().client_id
    digest, size = _digest(content)
    target = _path(client_id, digest)
    if not target.exists():
        with content.open("rb") if isinstance(content, Path) else BytesIO(content) as stream:
            _write(target, client_id, digest, stream, name)
    return VaultFile.objects.create(
        client_id=client_id,
        sha256=digest,
        size=size,
        name=name[-255:],
        kind=kind,
        media_type=media_type,
        subject_id=subject_id,
    )


def read(file: VaultFile) -> bytes:
    """All the bytes. Raises VaultDamaged when they are missing or changed."""
    content = b"".join(frames(file))
    if hashlib.sha256(content).digest() != bytes(file.sha256):
        raise VaultDamaged(f"{file.name}: what lies in the vault is not what was stored")
    return content


def frames(file: VaultFile) -> Iterator[bytes]:
    """The bytes in frames of at most 1 MiB, each proven before it is given out. Raises VaultDamaged."""
    digest = bytes(file.sha256)
    path = _path(file.client_id, digest)
    repair = f"restore {path.name} from a backup"
    try:
        handle = path.open("rb")
    except FileNotFoundError:
        raise VaultDamaged(f"{file.name}: its bytes are missing from the vault; {repair}") from None
    with handle:
        number = 0
        while len(head := handle.read(4)) == 4:
            last = head[0] >> 7
            length = int.from_bytes(head, "big") & 0x7FFFFFFF
            if length > FRAME_BYTES + OVERHEAD_BYTES:
                raise VaultDamaged(f"{file.name}: the file in the vault was changed; {repair}")
            try:
                frame = crypto.unseal(file.client_id, _place(digest, number, bool(last)), handle.read(length))
            except crypto.CannotOpen as error:
                if isinstance(error, crypto.KeyMissing):
                    raise
                raise VaultDamaged(f"{file.name}: the file in the vault was changed; {repair}") from error
            yield frame
            number += 1
            if last:
                return
        raise VaultDamaged(f"{file.name}: the file in the vault ends too early; {repair}")


def find(file_id: UUID) -> VaultFile:
    """The row, if the scope may see it. Raises NotFound."""
    try:
        return VaultFile.objects.get(id=file_id)
    except VaultFile.DoesNotExist:
        raise NotFound(f"there is no file {file_id}") from None


def _digest(content: bytes | Path) -> tuple[bytes, int]:
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest(), len(content)
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest(), stream.tell()


def _path(client_id: UUID, digest: bytes) -> Path:
    name = digest.hex()
    return Path(settings.VAULT_DIR) / str(client_id) / name[:2] / name


def _place(digest: bytes, number: int, last: bool) -> str:
    return f"vault|{digest.hex()}|{number}|{'last' if last else 'more'}"


def _write(target: Path, client_id: UUID, digest: bytes, stream: BinaryIO, name: str) -> None:
    """Whole or not at all: written beside, made durable, then renamed; and the rename made durable too."""
    folders = (target.parent.parent.parent, target.parent.parent, target.parent)
    for folder in folders:  # one by one: parents=True would leave the upper ones open to others
        folder.mkdir(exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            if _seal_frames(stream, out, client_id, digest) != digest:
                raise Conflict(f"{name} changed while it was read; nothing was kept of it, try again")
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(target)
        for folder in folders:
            _make_durable(folder)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _seal_frames(stream: BinaryIO, out: BinaryIO, client_id: UUID, digest: bytes) -> bytes:
    """Write the frames; returns the hash of what was really read."""
    seen = hashlib.sha256()
    number, frame = 0, stream.read(FRAME_BYTES)
    while True:
        seen.update(frame)
        following = stream.read(FRAME_BYTES)
        sealed = crypto.seal(client_id, _place(digest, number, not following), frame)
        out.write((len(sealed) | (0 if following else 1 << 31)).to_bytes(4, "big") + sealed)
        if not following:
            return seen.digest()
        number, frame = number + 1, following


def _make_durable(folder: Path) -> None:
    """A renamed file survives a power cut only once its folder is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
