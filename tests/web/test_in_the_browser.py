"""Every address of the project that shows a page, in a real browser: nothing that axe finds, in both
themes; all of it reached by keyboard alone; no sideways scrolling on a telephone; nothing asked of strangers.

The pages are those of `test_every_page.TABLE`, so that a new address cannot be left out. Who sees a page:
one of the firm, one of the client and one of its people, where each may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from django.urls import reverse

from tests.browser import axe, chromium, screens, served
from tests.web.conftest import signed_in
from tests.web.test_every_page import ADDRESSES, NO_PAGES, TABLE, World, world

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

pytestmark = pytest.mark.slow
__all__ = ["world"]

FACES = (
    ("lead", "specialist", "admin", "owner"),
    ("client_approver", "client_finance"),
    ("employee", "worker"),
)
"""Of each face the first who may."""

SEEN = sorted(
    (name, who)
    for name, row in TABLE.items()
    if row.method == "GET" and name not in NO_PAGES and name != "account_logout"
    for face in FACES
    if (who := next((role for role in face if role in row.may), None))
)

FOCUS = """
const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex], iframe";
const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: false });
const group = (e) => e.type === "radio" && e.name ? `radio ${e.form?.action} ${e.name}` : e;
window.wanted = new Map();
for (const e of document.querySelectorAll(FOCUSABLE))
  if (e.tabIndex >= 0 && !e.disabled && shown(e)) window.wanted.set(group(e), e);
window.reached = new Set();
window.unmarked = [];
const ring = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
const tells = (e) => {
  for (let at = e, up = 0; at && up < 4; at = at.parentElement, up += 1)
    if (ring(getComputedStyle(at)) || ring(getComputedStyle(at, "::after"))) return true;
  return false;
};
const said = (e) => e.outerHTML.slice(0, 140);
document.addEventListener("focusin", ({ target }) => {
  window.reached.add(group(target));
  if (!tells(target)) window.unmarked.push(said(target));
});
window.missed = () => [...window.wanted].filter(([key]) => !window.reached.has(key)).map(([, e]) => said(e));
window.mouseOnly = () =>
  [...document.querySelectorAll("main *")]
    .filter((e) => shown(e) && getComputedStyle(e).cursor === "pointer")
    .filter((e) => !e.closest(`${FOCUSABLE}, label`) && !e.querySelector(FOCUSABLE))
    .map(said);
"""


STEP = 20
STOPS_OF_A_DAY = 4
"""A field for a date has a stop for its day, month, year and calendar."""


@pytest.fixture(scope="module")
def cookies(world: World) -> dict[str, str]:
    """The session of each role: before the browser, beside whose event loop Django asks no database."""
    found = {}
    for role in sorted({who for _, who in SEEN}):
        found[role] = signed_in(world.users[role]).cookies[settings.SESSION_COOKIE_NAME].value
    return found


@pytest.fixture(scope="module")
def address(cookies: dict[str, str]) -> Iterator[str]:
    with override_settings(ALLOWED_HOSTS=["127.0.0.1"], DEBUG_PROPAGATE_EXCEPTIONS=False):
        application = StaticFilesHandler(get_wsgi_application())
        with served(application) as where:
            yield where


@pytest.fixture(scope="module")
def browsers(address: str, cookies: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A page of each role, signed in."""
    path = chromium()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pages = {}
        for role, value in cookies.items():
            context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": address}])
            pages[role] = context.new_page()
        yield pages
        browser.close()


def by_keyboard(page: Any) -> dict[str, list[str]]:
    """What Tab does not reach, what does not show that it is reached, and what only a mouse can press."""
    page.evaluate(FOCUS)
    wanted = page.evaluate("window.wanted.size")
    assert wanted, "a page from which nothing leads on"
    for _ in range(-(-wanted // STEP) * STOPS_OF_A_DAY):
        for _ in range(STEP):
            page.keyboard.press("Tab")
        if page.evaluate("window.missed().length") == 0:
            break
    found = {
        "not reached": page.evaluate("window.missed()"),
        "does not show its focus": page.evaluate("window.unmarked"),
        "for a mouse alone": page.evaluate("window.mouseOnly()"),
    }
    return {what: where for what, where in found.items() if where}


@pytest.mark.parametrize(("name", "who"), SEEN, ids=[f"{name}-{who}" for name, who in SEEN])
def test_a_page_in_the_browser(
    world: World, browsers: dict[str, Any], address: str, name: str, who: str
) -> None:
    page = browsers[who]
    url = address + reverse(name, kwargs=world.kwargs(name, ADDRESSES[name]))
    complaints: list[str] = []
    hear = lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None  # noqa: E731
    ask = lambda r: None if r.url.startswith(address) else complaints.append(f"asked {r.url}")  # noqa: E731
    page.on("console", hear)
    page.on("request", ask)
    try:
        answer = page.request.get(url)
        if "<html" not in answer.body()[:200].decode(errors="replace"):
            pytest.fail("no page: name it in NO_PAGES of test_every_page.py, with its type")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(url)
        page.screenshot(path=str(screens() / f"every-{name.replace(':', '-')}-{who}.png"), full_page=True)
        assert axe(page) == []
        assert by_keyboard(page) == {}
        page.emulate_media(color_scheme="dark")
        assert axe(page, rules=["color-contrast"]) == []
        page.set_viewport_size({"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    finally:
        page.remove_listener("console", hear)
        page.remove_listener("request", ask)
    said = [c for c in complaints if "status of 4" not in c]
    assert said == []
