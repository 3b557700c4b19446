"""Typesetting: data in, PDF bytes out, through a Typst template that ships with the package.

The trick is that data never becomes Typst source. It travels as one JSON text in `sys.inputs`, and a string
that the template places is set as text, so a person called `#read("/etc/passwd")` is only an odd name.

The same data gives the same bytes: fonts come only from the wheel, the PDF's dates come from the document,
and nothing reads the clock. Files are PDF/A-2a and PDF/UA-1: they are kept for years and read by screen
readers (which costs under 2 ms a file; measured).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import typst

from engineroom.ui.display import printable

_PACKAGE = Path(__file__).resolve().parent.parent
_STANDARDS: list[typst.PDFStandard] = ["a-2a", "ua-1"]
_PLAIN_LETTERS = frozenset(map(chr, range(0x20, 0x7F)))
"""Drawn by the bundled fonts for certain; any other letter is asked for once."""
_PROBE = b'#set text(font: "Libertinus Serif")\n#sys.inputs.letter'


class Typesetter:
    """One Typst compiler, reused for every document of a batch. Not for sharing between threads.

    template: path inside the package, such as "payroll/documents/payslip.typ".
    """

    def __init__(self, template: str) -> None:
        self._compiler = _compiler(_PACKAGE / template)

    def pdf(self, data: Mapping[str, Any], *, dated: date) -> bytes:
        """The PDF of the data. `dated` becomes its creation date, at midnight UTC."""
        text = json.dumps(_settable(data), ensure_ascii=False, sort_keys=True)
        created = datetime.combine(dated, time(), tzinfo=UTC)
        pdf = self._compiler.compile(
            format="pdf", sys_inputs={"data": text}, timestamp=created, pdf_standards=_STANDARDS
        )
        assert isinstance(pdf, bytes), "one document is one file"
        return pdf


def _compiler(source: Path | bytes) -> typst.Compiler:
    # Two calls, because the stub's type variable takes one of the two types at a time.
    if isinstance(source, bytes):
        return typst.Compiler(source, root=_PACKAGE, font_paths=_fonts(), ignore_system_fonts=True)
    return typst.Compiler(source, root=_PACKAGE, font_paths=_fonts(), ignore_system_fonts=True)


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def _settable(value: Any) -> Any:
    """The data with every string made printable and every letter drawable."""
    if isinstance(value, str):
        return _drawable(printable(value))
    if isinstance(value, Mapping):
        return {key: _settable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_settable(item) for item in value]
    return value


def _drawable(text: str) -> str:
    """A letter no bundled font draws becomes its code point: visible and exact, where a box is neither."""
    if _PLAIN_LETTERS.issuperset(text):
        return text
    return "".join(c if c in _PLAIN_LETTERS or _has_glyph(c) else f"[U+{ord(c):04X}]" for c in text)


@cache
def _has_glyph(letter: str) -> bool:
    """Whether the bundled fonts draw the letter. PDF/A refuses a letter without a glyph: so ask for one."""
    try:
        _probe().compile(_PROBE, format="pdf", sys_inputs={"letter": letter}, pdf_standards=["a-2u"])
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise
        return False
    return True


@cache
def _probe() -> typst.Compiler:
    return _compiler(_PROBE)
