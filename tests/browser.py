"""The system's own Chromium, for the tests that need a real browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
SCREENS = Path(__file__).resolve().parents[1] / ".screens"
"""Screenshots: open them after a change. The folder tells git to ignore it."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium() -> str:
    """The path of the browser; the test is skipped where there is none."""
    named = os.environ.get("ENGINEROOM_CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and MACS.exists():
        found = str(MACS)
    if found is None:
        pytest.skip(
            "no Chromium: install it (Debian, Ubuntu: apt-get install chromium), or set ENGINEROOM_CHROMIUM"
        )
    return found


def screens() -> Path:
    SCREENS.mkdir(exist_ok=True)
    ignore = SCREENS / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return SCREENS
