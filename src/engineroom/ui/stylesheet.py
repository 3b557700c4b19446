"""`ui/ui.css`: tokens, elements and every component in one file, so that a page asks for one.

The parts are what people edit; the whole is made of them whenever it is asked for, by a finder of static
files (settings.STATICFILES_FINDERS), and stands nowhere in the tree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

_STATIC = Path(__file__).resolve().parent / "static" / "ui"

NAME = "ui/ui.css"

_SPACES = re.compile(r"\s*([{};,])\s*|(?<=[a-z-])(:)\s+")
"""About what separates rules, declarations and values. A colon with a space before it begins a selector."""


def parts() -> list[Path]:
    """Tokens, then bare elements, then components by name."""
    components = sorted((_STATIC / "components").glob("*.css"))
    return [_STATIC / "tokens.css", _STATIC / "elements.css", *components]


def stylesheet() -> str:
    """The parts joined, without comments and without spaces that say nothing."""
    sections = []
    for part in parts():
        text = re.sub(r"/\*.*?\*/", "", part.read_text(encoding="utf-8"), flags=re.DOTALL)
        lines = [_SPACES.sub(r"\1\2", line.strip()) for line in text.splitlines() if line.strip()]
        sections.append(f"/* {part.stem} */\n" + "\n".join(lines) + "\n")
    return "".join(sections)


class StylesheetFinder(BaseFinder):
    """Finds the one sheet, made anew of its parts below the installation's home."""

    def find(self, path: str, find_all: bool = False, **more: Any) -> Any:
        found = [str(_made())] if path == NAME else []
        return found if find_all or not found else found[0]

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[Any]:
        yield NAME, FileSystemStorage(location=str(_made().parents[1]))


def _made() -> Path:
    made = Path(settings.HOME) / "made" / NAME
    made.parent.mkdir(parents=True, exist_ok=True)
    text = stylesheet()
    if not made.exists() or made.read_text(encoding="utf-8") != text:
        fresh = made.with_suffix(f".{os.getpid()}.new")  # the servers of a machine start at the same moment
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(made)
    return made
