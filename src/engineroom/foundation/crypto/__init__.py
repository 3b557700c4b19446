"""Encryption at rest, per client: AES-GCM with the client and the place as associated data.

Keys live in one file, 0600, outside the database: {"current": "k1-5f0c2a", "keys": {name: base64 of 32 bytes,
..}}. A client's key is derived from a master key with HKDF, so a value copied into another client, or another
column, does not open. Rotating adds a key; values say which one they were sealed with, and `engineroom keys
rotate` seals named columns anew.

Layout of a sealed value: 1 byte version, 1 byte length of the key's name, the name, 12 bytes nonce,
ciphertext with tag.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from engineroom.kernel.errors import EngineroomError

VERSION = 1


class CannotOpen(EngineroomError):
    """The value was not sealed for this client and place, was changed, or its key is missing."""

    status = 500


class KeyMissing(CannotOpen):
    """The value is whole, but the key it was sealed with is not in the key file."""


class KeyFile:
    """The master keys. Made on first use; refused when others may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[str, dict[str, bytes]]:
        """(name of the current key, all keys)."""
        if not self.path.exists():
            with self._alone():
                if not self.path.exists():
                    self._add()
        if self.path.stat().st_mode & 0o077:
            raise CannotOpen(f"{self.path} may be read by others; run: chmod 600 {self.path}")
        raw = json.loads(self.path.read_text())
        return raw["current"], {name: base64.b64decode(key) for name, key in raw["keys"].items()}

    def add(self) -> str:
        """Add a master key and make it the current one; the old ones stay to open what they sealed."""
        with self._alone():
            return self._add()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time: of two at once, one's key would be overwritten and its values lost."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _add(self) -> str:
        raw = json.loads(self.path.read_text()) if self.path.exists() else {"keys": {}}
        # With chance in its name: a key file begun anew after a loss never passes for the lost one.
        name = f"k{len(raw['keys']) + 1}-{secrets.token_hex(3)}"
        raw["keys"][name] = base64.b64encode(secrets.token_bytes(32)).decode()
        raw["current"] = name
        temporary = self.path.with_suffix(f".{os.getpid()}.new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as out:
            json.dump(raw, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self.path)
        _client_key.cache_clear()
        _keys.cache_clear()
        return name


@lru_cache(maxsize=1)
def _keys(path: Path) -> tuple[str, dict[str, bytes]]:
    return KeyFile(path).load()


@lru_cache(maxsize=4096)
def _client_key(path: Path, key_name: str, client_id: UUID, purpose: str) -> bytes:
    if key_name not in _keys(path)[1]:
        _keys.cache_clear()  # another process may have added a key since
    _, keys = _keys(path)
    if key_name not in keys:
        raise KeyMissing(
            f"the key {key_name!r} is not in {path.name}; restore the key file it was sealed with"
        )
    info = f"engineroom|{purpose}|{client_id}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(keys[key_name])


def seal(client_id: UUID, place: str, plain: bytes) -> bytes:
    """Encrypt for one client and one place (a `table.column`, or the vault)."""
    key_name, _ = _keys(settings.KEY_FILE)
    nonce = secrets.token_bytes(12)
    head = bytes([VERSION, len(key_name)]) + key_name.encode()
    cipher = AESGCM(_client_key(settings.KEY_FILE, key_name, client_id, "seal"))
    return head + nonce + cipher.encrypt(nonce, plain, _associated(client_id, place))


def unseal(client_id: UUID, place: str, sealed: bytes) -> bytes:
    """Decrypt. Raises CannotOpen when the client, the place, the bytes or the key do not fit."""
    if len(sealed) < 2 or sealed[0] != VERSION:
        raise CannotOpen(f"{place}: not a sealed value")
    end = 2 + sealed[1]
    # A name of other bytes than we write is no key's: it is missing, like any other that we do not know.
    key_name = sealed[2:end].decode(errors="replace")
    nonce, body = sealed[end : end + 12], sealed[end + 12 :]
    cipher = AESGCM(_client_key(settings.KEY_FILE, key_name, client_id, "seal"))
    try:
        return cipher.decrypt(nonce, body, _associated(client_id, place))
    except InvalidTag:
        raise CannotOpen(f"{place}: the value was changed, or belongs to another client or column") from None


def _associated(client_id: UUID, place: str) -> bytes:
    return client_id.bytes + place.encode()


def fingerprint(client_id: UUID, place: str, plain: bytes) -> bytes:
    """A keyed hash (HMAC-SHA-256), equal for the same value of the same client and place, without opening it.

    Keyed with the *first* master key, so it survives rotation.
    """
    first = next(iter(_keys(settings.KEY_FILE)[1]))
    key = _client_key(settings.KEY_FILE, first, client_id, "fingerprint")
    return hmac.new(key, place.encode() + b"|" + plain, hashlib.sha256).digest()


def is_current(sealed: bytes) -> bool:
    """Whether the value is sealed with the current master key."""
    return sealed[2 : 2 + sealed[1]].decode() == _keys(settings.KEY_FILE)[0]
