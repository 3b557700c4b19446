"""A form that is refused, as somebody meets it in a browser."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.slow

PERIODS = "/c/NORTHGATE/books/periods"


def test_a_refused_dialog_is_open_over_its_page_at_its_address_and_read_first(visit) -> None:
    bea = visit("bea")
    page = bea.go(f"{PERIODS}?from=here")
    page.locator("[data-key='a']").first.click()
    dialog = page.get_by_role("dialog", name="Lock the books?")
    dialog.get_by_label("Through").fill("2026-01-31")
    page.evaluate("document.querySelector('#lock form').noValidate = true")
    dialog.get_by_role("button", name="Lock a period").click()
    page.locator(".form-errors").wait_for()
    assert page.url.endswith(f"{PERIODS}?from=here"), "a reload asks for the page, and sends nothing again"
    assert dialog.is_visible() and page.evaluate("document.querySelector('#lock').matches(':modal')")
    assert page.evaluate("document.activeElement.className") == "form-errors"
    assert dialog.get_by_label("Through").input_value() == "2026-01-31"
    assert bea.axe() == []
    bea.shot("refused-dialog")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_a_refused_form_of_a_page_begins_at_its_errors(visit) -> None:
    ada = visit("ada", width=360)
    page = ada.go("/settings/users")
    page.get_by_label("Address").fill("tom@harbour.example")
    page.get_by_label("Name").fill("Tom Again")
    page.get_by_role("button", name="Add the user").click()
    page.get_by_text(re.compile("already exists")).first.wait_for()
    assert page.get_by_label("Name").input_value() == "Tom Again"
    assert page.locator(".form-errors").bounding_box()["y"] < 900
    assert page.url.endswith("/settings/users")
    assert not ada.scrolls_sideways()
    ada.shot("refused-form")
