"""The guide in a real browser, under the policy that every page lives under: no inline script or style.

Screenshots go to the folder .screens at the top of the project, which tells git to ignore it: open them
after a change.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from tests.browser import axe, chromium, screens, served

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

pytestmark = pytest.mark.slow

POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; object-src 'none'"


def with_policy(application):
    def answer(environ, start_response):
        def start(status, headers, *rest):
            return start_response(status, [*headers, ("Content-Security-Policy", POLICY)], *rest)

        return application(environ, start)

    return answer


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    plain = {
        "ROOT_URLCONF": "tests.ui.bare_page",
        "MIDDLEWARE": [],
        "DEBUG": True,
        "STATIC_URL": "/static/",
        "STORAGES": {
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
        "ALLOWED_HOSTS": ["127.0.0.1"],
    }
    with override_settings(**plain):
        application = with_policy(StaticFilesHandler(WSGIHandler()))
        with served(application) as where:
            yield f"{where}/style"


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_guide(browser, address):
    """Opens the guide; afterwards nothing may have been complained about, and nothing asked of strangers."""
    complaints: list[str] = []
    pages = []

    def open_it(width: int = 1440, scheme: str = "light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        origin = address.rsplit("/", 1)[0]
        page.on(
            "request", lambda r: None if r.url.startswith(origin) else complaints.append(f"asked {r.url}")
        )
        page.goto(address)
        pages.append(context)
        return page

    yield open_it
    for context in pages:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_guide_is_accessible_and_never_scrolls_sideways(open_guide, width, scheme):
    page = open_guide(width, scheme)
    page.screenshot(path=str(screens() / f"style-{width}-{scheme}.png"), full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe(page, at_least=31) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_open_dialogs_and_menus_are_accessible_too(open_guide, scheme):
    page = open_guide(768, scheme)
    for opener in ("?", "a"):
        page.keyboard.press(opener)
        assert axe(page) == []
        page.keyboard.press("Escape")
    page.click(".topbar-end .menu:last-child summary")
    assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_bare_page_is_accessible_too(open_guide, scheme):
    page = open_guide(360, scheme)
    page.goto(page.url.replace("/style", "/bare"))
    page.screenshot(path=str(screens() / f"bare-360-{scheme}.png"))
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_can_be_pressed_is_large_enough(open_guide):
    page = open_guide(360)
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, summary, input, select, .tabs a, .rail a")]
            .filter((e) => e.checkVisibility() && e.type !== "hidden" && !e.closest("dialog"))
            .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
            .filter(([, box]) => box.height < 24 || box.width < 24)
            .filter(([html]) => !/type="(checkbox|radio)"/.test(html))
            .map(([html, box]) => `${html} ${box.width}x${box.height}`)"""
    )
    assert small == []


def test_the_question_mark_lists_the_keys_and_letters_typed_are_letters(open_guide):
    page = open_guide()
    page.keyboard.press("?")
    dialog = page.locator("#keys")
    assert dialog.is_visible()
    assert {"Today", "Search", "Approve run", "Next row"} <= set(dialog.locator("dd").all_inner_texts())
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("j?a g t")
    assert page.input_value(".search input") == "j?a g t"
    assert not dialog.is_visible()


def test_j_and_k_walk_the_rows_and_enter_opens_one(open_guide):
    page = open_guide()
    focused = "document.activeElement.textContent"
    page.keyboard.press("j")
    first = page.evaluate(focused)
    page.keyboard.press("j")
    assert page.evaluate(focused) != first == "Asha Rao"
    page.keyboard.press("k")
    assert page.evaluate(focused) == first
    page.keyboard.press("Enter")
    assert page.url.endswith("#tables")


def test_two_letters_go_to_a_place_and_a_asks_before_it_approves(open_guide):
    page = open_guide()
    page.keyboard.type("gc")
    page.wait_for_url("**#elements")
    page.keyboard.press("a")
    assert page.locator("#approve-run").is_visible()
    page.click("#approve-run button:has-text('Cancel')")
    assert not page.locator("#approve-run").is_visible()


def test_the_keys_can_be_switched_off_and_stay_off(open_guide):
    page = open_guide()
    page.keyboard.press("?")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("?")
    assert not page.locator("#keys").is_visible()


def test_the_theme_is_remembered_and_written_into_the_page_by_the_server(open_guide):
    page = open_guide(scheme="light")
    page.click(".topbar-end .menu:last-child summary")
    page.locator("label:has-text('Dark')").click()
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(paper) == dark
    assert 'data-theme="dark"' in page.request.get(page.url).text()


def test_a_form_that_asks_first_is_sent_only_after_yes(open_guide):
    page = open_guide()
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.method) if r.method == "POST" else None)
    ask = "document.querySelector('form[data-confirm]').noValidate = true"
    page.evaluate(ask)
    page.locator("form[data-confirm] button.go").click()
    page.locator("#ask button[value=no]").click()
    assert sent == []
    page.locator("form[data-confirm] button.go").click()
    with page.expect_navigation():
        page.locator("#ask button[value=yes]").click()
    assert sent == ["POST"]


def test_an_answer_can_send_a_toast_along_and_it_can_be_dismissed(open_guide):
    page = open_guide()
    page.evaluate(
        "document.body.dispatchEvent(new CustomEvent('toast', {detail: {text: 'Saved <b>', kind: 'wait'}}))"
    )
    toast = page.locator("#toasts .toast")
    assert toast.locator(".status").inner_text() == "Saved <b>"
    toast.locator("[data-dismiss]").click()
    assert toast.count() == 0


def test_the_guide_is_whole_without_script(open_guide):
    page = open_guide(360, java_script_enabled=False)
    assert page.locator("h1").inner_text() == "Style guide"
    page.click(".menu-button")
    assert page.locator("#rail").is_visible()


def test_on_a_narrow_screen_the_rail_opens_and_a_wide_table_scrolls_in_its_box(open_guide):
    page = open_guide(360)
    assert not page.locator("#rail").is_visible()
    page.click(".menu-button")
    assert page.locator("#rail").is_visible()
    page.keyboard.press("Escape")
    box = page.locator("#tables .table-box")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")


def test_nothing_moves_while_the_page_loads(open_guide):
    page = open_guide()
    shift = page.evaluate(
        """() => new Promise((done) => {
            let sum = 0;
            new PerformanceObserver((list) => { for (const e of list.getEntries()) sum += e.value; })
                .observe({ type: "layout-shift", buffered: true });
            setTimeout(() => done(sum), 500);
        })"""
    )
    assert shift < 0.01
