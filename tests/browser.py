"""The system's own Chromium, for the tests that need a real browser."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

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


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def served(application: Callable[..., Any]) -> Iterator[str]:
    """An application in a thread of this process, on loopback; gives its address."""
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def axe(page: Any, *, rules: list[str] | None = None, at_least: int = 1) -> list[str]:
    """What axe finds on a page as it stands, by all of RULES or by these rules alone: which, and where.

    at_least: how many rules must have found something to look at, so that an empty page is no clean one.
    """
    from axe_playwright_python.sync_playwright import Axe

    asked = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
    found = Axe().run(page, options={"runOnly": asked}).response
    assert len(found["passes"]) >= at_least, "axe found too little to look at"
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
