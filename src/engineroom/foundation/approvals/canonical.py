"""The canonical text that an approval binds.

Lines of `table|natural key|column=value|...`, tables and columns in declared order, rows by natural key; no uuids, no
timestamps; integers in decimal, ISO dates, text in NFC with backslash, bar and newline escaped, null as \\N.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date


def value(item: object) -> str:
    """One value as canonical text. Refuses floats and anything whose text is not fixed."""
    if item is None:
        return "\\N"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, date):
        return item.isoformat()
    if isinstance(item, bytes):
        return item.hex()
    if isinstance(item, str):
        text = unicodedata.normalize("NFC", item)
        return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "\\r").replace("\n", "\\n")
    raise TypeError(f"{type(item).__name__} has no canonical text")


def line(table: str, natural_key: str, columns: Sequence[tuple[str, object]]) -> str:
    return "|".join([table, value(natural_key), *(f"{name}={value(item)}" for name, item in columns)])


def digest(lines: Iterable[str]) -> bytes:
    """SHA-256 over the lines, each ended by a newline."""
    sha = hashlib.sha256()
    for text in lines:
        sha.update(text.encode() + b"\n")
    return sha.digest()
