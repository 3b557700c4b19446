"""Requests that no browser of ours makes: NULs, numbers beyond every column, other people's addresses."""

from __future__ import annotations

import base64
import json

import pytest
from django.test import RequestFactory
from django.urls import reverse

from engineroom.ui.pages import came_from
from tests.firm import Firm
from tests.web.conftest import signed_in
from tests.web.test_every_page import ADDRESSES, TABLE

ANY_ID = "01a2009f-996d-7ed8-867c-8432779f7b98"
FORM = "application/x-www-form-urlencoded"
NUMBERS = {"number", "line_no", "device_id"}
FOLLOWED = [name for name in ADDRESSES if name not in ("account_logout", "ledger:journal")]


def address(name: str, code: str, fill: str | int) -> str | None:
    """The address with `fill` wherever it fits, a plausible word elsewhere; None where it fits nowhere."""
    words = {
        word: code if word == "client" else ANY_ID if word.endswith("_id") and word != "device_id" else fill
        for word in ADDRESSES[name]
    }
    try:
        return reverse(name, kwargs=words)
    except Exception:
        return None


def test_a_nul_is_refused_calmly_wherever_it_stands(firm: Firm, client):
    browser = signed_in(client.staff["lead"])
    wrong = {}
    for name in FOLLOWED:
        where = address(name, client.code, "1") or address(name, client.code, 1)
        if where is None:
            continue
        tries = [browser.get(f"{where}?at=%00&q=%00&week=a%00b"), browser.get(f"{where}?%00=1")]
        if TABLE[name].method == "POST" or name.startswith(("account_", "mfa_", "invitation", "link")):
            tries.append(browser.post(where, "kind=%00&reason=%00&label=%00", content_type=FORM))
            beside_files = browser.post(where, {"kind": "\0", "reason": "\0", "on": "\0", "login": "\0"})
            assert beside_files.status_code < 500, name
        found = {answer.status_code for answer in tries} - {400}
        if found:
            wrong[name] = found
    assert not wrong
    page = browser.get("/today?q=%00")
    assert page.status_code == 400 and "The request cannot be read" in page.content.decode()
    assert browser.get(f"/c/{client.code}/people/a%00b").status_code == 400
    assert browser.get("/c/%00/people").status_code == 400


def test_a_nul_beside_a_file_is_refused_too(firm: Firm, client):
    browser = signed_in(client.staff["lead"])
    file = client.file("week.csv", ("a", "b"), [("1", "2")])
    for kind in ("time\0sheets", "timesheets"):
        with file.open("rb") as opened:
            answer = browser.post(
                f"/c/{client.code}/imports/new", {"kind": kind, "form_key": "\0", "file": opened}
            )
        assert answer.status_code < 500


def test_a_nul_in_a_cookie_is_refused(firm: Firm, browser):
    browser.cookies["engineroom_session"] = "a\0b"
    assert browser.get("/today").status_code == 400


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30])
def test_a_number_of_nothing_is_a_page_that_is_not_there(firm: Firm, client, number: int):
    browser = signed_in(client.staff["lead"])
    wrong = {}
    for name in FOLLOWED:
        where = address(name, client.code, number)
        if where is None or not NUMBERS & set(ADDRESSES[name]):
            continue
        answer = browser.post(where) if TABLE[name].method == "POST" else browser.get(where)
        if answer.status_code not in (303, 404):
            wrong[name] = answer.status_code
    assert not wrong


PLACES = [["n", "\ud800", "\ud800"], ["n", str(2**70)], ["n", "x"], ["n"], "[" * 20_000, {"n": 1}]


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_a_place_in_a_list_that_is_none_is_not_there(firm: Firm, client, place):
    text = place if isinstance(place, str) else json.dumps(place)
    at = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    browser = signed_in(client.staff["lead"])
    for path in ("people", "runs", "payments", "bills", "audit", "timesheets"):
        assert browser.get(f"/c/{client.code}/{path}", {"at": at}).status_code in (200, 404), path


@pytest.mark.parametrize(
    "back",
    ["http://us//evil.example/x", "http://us///evil.example/x", "http://us/\\evil.example", "http://us//"],
)
def test_nobody_is_led_elsewhere_by_where_they_came_from(back: str):
    request = RequestFactory().post("/x", headers={"referer": back, "host": "us"})
    request.META["HTTP_HOST"] = request.META["SERVER_NAME"] = "localhost"
    request.META["HTTP_REFERER"] = back.replace("//us", "//localhost", 1)
    where = came_from(request)
    assert where.startswith("/") and where[1:2] not in ("/", "\\")


def test_static_files_are_not_guessed_at(firm: Firm, browser):
    answer = browser.get("/static/ui/ui.css")
    assert answer.status_code == 200 and answer.headers["X-Content-Type-Options"] == "nosniff"
