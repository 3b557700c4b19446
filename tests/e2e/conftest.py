"""The product as a newcomer has it: the demonstration, served, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe, chromium, screens

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

START_S = 60


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the demonstration is served: a database, a vault and processes of its own.

    ENGINEROOM_AT=http://127.0.0.1:8000 takes one that runs already, while pages are being made.
    """
    chromium()
    if given := os.environ.get("ENGINEROOM_AT"):
        yield given
        return
    home = Path(tempfile.mkdtemp(prefix="er2", dir="/tmp")).resolve()
    home.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ENGINEROOM_", "DATABASE_"))}
    environment["ENGINEROOM_HOME"] = str(home)
    program = [str(Path(sys.executable).parent / "engineroom")]
    made = subprocess.run(
        [*program, "demo", "--no-serve", "--out", str(home / "out")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    port = _free_port()
    serving = subprocess.Popen([*program, "serve", "--port", str(port)], env=environment)
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", serving)
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, serving: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert serving.poll() is None, "serve ended by itself"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at {url}")


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """Closed after each module: while it is open an event loop runs, beside which Django refuses to work."""
    path = chromium()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody of the demonstration in a browser of their own. complaints: what the browser said, and what
    was asked of strangers.
    """

    page: Any
    address: str
    name: str
    theme: str
    width: int
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Any:
        answer = self.page.goto(f"{self.address}{path}")
        assert answer.status < 400, f"{path} answered {answer.status}"
        return self.page

    def shot(self, name: str) -> None:
        """Kept for somebody to look at."""
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        self.page.screenshot(path=str(screens() / f"{plain}-{self.theme}-{self.width}.png"), full_page=True)

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def axe(self) -> list[str]:
        """What axe finds on the page as it stands: rule, and where."""
        return axe(self.page)

    def scrolls_sideways(self) -> bool:
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )


@pytest.fixture
def visit(address: str, chrome: Any) -> Iterator[Callable[..., Visitor]]:
    """visit("priya", theme="dark", width=360): signed in as that person. Afterwards nothing may have been
    complained about.
    """
    contexts: list[Any] = []
    visitors: list[Visitor] = []

    def enter(name: str, *, theme: str = "light", width: int = 1440) -> Visitor:
        context = chrome.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        visitor = Visitor(page, address, name, theme, width)
        visitors.append(visitor)
        page.on("console", lambda m: _note(visitor, m))
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.startswith(address) else visitor.complaints.append(f"asked {r.url}"),
        )
        page.goto(f"{address}/demo/become")
        page.get_by_role("button", name=re.compile(f"Become {name}", re.IGNORECASE)).click()
        page.wait_for_load_state()
        return visitor

    yield enter
    said = [complaint for visitor in visitors for complaint in visitor.complaints]
    for context in contexts:
        context.close()
    assert not said, said


def _note(visitor: Visitor, message: Any) -> None:
    if message.type in ("error", "warning") and "status of 4" not in message.text:
        visitor.complaints.append(message.text)
