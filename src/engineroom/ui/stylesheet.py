"""`static/ui/ui.css`: tokens, elements and every component in one file, so that a page asks for one.

The parts are what people edit; a test fails when the whole is older than its parts. To make it anew:

    python -m engineroom.ui.stylesheet
"""

from __future__ import annotations

import re
from pathlib import Path

_STATIC = Path(__file__).resolve().parent / "static" / "ui"

WHOLE = _STATIC / "ui.css"


def parts() -> list[Path]:
    """Tokens, then bare elements, then components by name."""
    components = sorted((_STATIC / "components").glob("*.css"))
    return [_STATIC / "tokens.css", _STATIC / "elements.css", *components]


def stylesheet() -> str:
    """The parts joined, without comments and indentation."""
    sections = []
    for part in parts():
        text = re.sub(r"/\*.*?\*/", "", part.read_text(encoding="utf-8"), flags=re.DOTALL)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        sections.append(f"/* {part.stem} */\n" + "\n".join(lines) + "\n")
    return "/* Made by engineroom.ui.stylesheet from the files beside it. */\n" + "".join(sections)


if __name__ == "__main__":
    WHOLE.write_text(stylesheet(), encoding="utf-8")
