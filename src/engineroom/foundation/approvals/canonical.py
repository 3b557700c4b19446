"""The canonical text that an approval binds.

Lines of `table|natural key|column=value|...`, tables and columns in declared order, rows by natural key; no
uuids, no timestamps; integers in decimal, ISO dates, text in NFC with backslash, bar and newline escaped,
null as \\N.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import cast

_ESCAPED = re.compile(r"[\\|\r\n]")


def value(item: object) -> str:
    """One value as canonical text. Refuses floats and anything whose text is not fixed."""
    if type(item) is int:  # by far the most there are; a bool is not one here
        return str(item)
    if item is None:
        return "\\N"
    if isinstance(item, str):
        return _text(item)
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, date) and not isinstance(item, datetime):
        return item.isoformat()
    if isinstance(item, bytes):
        return item.hex()
    raise TypeError(f"{type(item).__name__} has no canonical text")


def _text(item: str) -> str:
    text = item if item.isascii() else unicodedata.normalize("NFC", item)
    if not _ESCAPED.search(text):
        return text
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "\\r").replace("\n", "\\n")


def line(table: str, natural_key: str, columns: Sequence[tuple[str, object]]) -> str:
    """One row: its table, its natural key, its columns in declared order."""
    return "|".join([table, value(natural_key), *(f"{name}={value(item)}" for name, item in columns)])


def values(items: Sequence[object]) -> list[str]:
    """`value` of each: the same texts, several times faster for a column of one plain type."""
    kinds = set(map(type, items))
    if kinds == {int}:
        return list(map(str, items))
    if kinds == {str}:
        texts = cast("Sequence[str]", items)
        together = "".join(texts)
        if together.isascii() and not _ESCAPED.search(together):
            return list(texts)
    if kinds == {date}:
        texts_of = {day: value(day) for day in set(items)}
        return [texts_of[day] for day in items]
    return [value(item) for item in items]


def lines(table: str, natural_keys: Sequence[str], columns: Mapping[str, Sequence[object]]) -> list[str]:
    """`line` for many rows given by column: the same texts, made by column. Rows keep their order."""
    form = "|".join([table, "%s", *(f"{name.replace('%', '%%')}=%s" for name in columns)])
    parts = [values(natural_keys), *(values(items) for items in columns.values())]
    return [form % row for row in zip(*parts, strict=True)]


def digest(lines: Iterable[str]) -> bytes:
    """SHA-256 over the lines, each ended by a newline."""
    sha = hashlib.sha256()
    for text in lines:
        sha.update(text.encode() + b"\n")
    return sha.digest()
