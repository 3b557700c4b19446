"""The key that signs sessions, forms and links: made once, in a file that only its owner reads.

Knows nothing of Django, because Django's settings ask it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from engineroom.kernel.errors import EngineroomError


class SecretKeyExposed(EngineroomError):
    """The file may be read by others; whoever reads it can sign themselves in as anybody."""

    status = 500


def _path(home: Path) -> Path:
    return home / "keys" / "secret-key"


def secret_key(home: Path) -> str | None:
    """The installation's key; None before there is one."""
    path = _path(home)
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if mode & 0o077:
        raise SecretKeyExposed(f"{path} may be read by others; run: chmod 600 {path}")
    return path.read_text().strip() or None


def ensure_secret_key(home: Path) -> str:
    """The installation's key, made now if there is none. Of two who make it at once, one wins for both."""
    if found := secret_key(home):
        return found
    path = _path(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(secrets.token_urlsafe(50) + "\n")
    try:
        os.link(fresh, path)  # fails when there is one by now: nothing is overwritten
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    made = secret_key(home)
    assert made is not None
    return made
