"""The rail: every entry leads somewhere, and no two of one face answer to one key."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from django.urls import NoReverseMatch, reverse

from engineroom.web import registry
from tests.firm import Firm, TestClient
from tests.web.conftest import set_password, signed_in


@pytest.mark.parametrize("face", ["firm", "client", "work", "self"])
def test_no_two_entries_of_a_face_answer_to_one_key(face: str) -> None:
    keys = Counter(e.key for e in registry.navigation() if face in e.faces and e.key)
    assert [key for key, times in keys.items() if times > 1] == []


def test_every_entry_leads_somewhere() -> None:
    for entry in registry.navigation():
        try:
            reverse(entry.url_name)
        except NoReverseMatch:
            reverse(entry.url_name, args=["CODE"])


def test_what_stands_beneath_an_entry_stands_beneath_one_that_is_there() -> None:
    names = {entry.url_name for entry in registry.navigation() if not entry.under}
    assert {entry.under for entry in registry.navigation() if entry.under} <= names


def rail(page: str) -> list[str]:
    """The words of the client's entries, in their order."""
    nav = page[page.index('<nav class="rail"') : page.index("</nav>")]
    return re.findall(r"<li[^>]*><a [^>]*>([^<]+)", nav)


def test_what_stands_beneath_an_entry_is_shown_while_one_is_there(firm: Firm, client: TestClient) -> None:
    set_password(client.staff["lead"].id)
    browser = signed_in(client.staff["lead"])
    shown = {
        name: rail(browser.get(reverse(name, args=[client.code])).content.decode())
        for name in ("people:list", "payroll:runs", "payroll:items", "home")
    }
    assert "Held accounts" in shown["people:list"] and "Items of pay" not in shown["people:list"]
    assert "Items of pay" in shown["payroll:runs"] and shown["payroll:runs"] == shown["payroll:items"]
    assert not {"Held accounts", "Items of pay"} & set(shown["home"])


def test_whoever_may_not_open_an_entry_still_finds_what_stands_beneath_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [
        replace(e, permission="nobody.has") if e.url_name == "people:list" else e
        for e in registry.navigation()
    ]
    monkeypatch.setattr(registry, "navigation", lambda: entries)
    set_password(client.staff["lead"].id)
    page = signed_in(client.staff["lead"]).get(reverse("home", args=[client.code])).content.decode()
    assert "Held accounts" in rail(page) and "People" not in rail(page)
