"""What every answer carries, and what no request gets past."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.conf import settings
from django.test import override_settings

from tests.web.conftest import new_browser, signed_in

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize(
    "path", ["/sign-in", "/settings", "/clients", "/healthz", "/no-such-page", "/demo/become"]
)
@pytest.mark.parametrize("who", ["nobody", "somebody"])
def test_every_answer_carries_its_headers(firm, browser, path, who):
    answer = (browser if who == "nobody" else signed_in(firm.owner)).get(path)
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["form-action"] == "'self'" and policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "camera=()" in answer.headers["Permissions-Policy"]


@pytest.mark.parametrize("path", ["/sign-in", "/settings", "/clients", "/demo/become", "/settings/users"])
def test_pages_need_nothing_that_the_policy_forbids(firm, path):
    page = signed_in(firm.admin).get(path, follow=True).content.decode()
    for forbidden in ("<style", " style=", "onclick=", "javascript:", "<script>", "http://", "https://"):
        assert forbidden not in page, forbidden


def test_cookies_are_kept_from_scripts_and_other_sites(browser, member):
    user = member()
    browser.get("/sign-in")
    browser.post("/sign-in", {"login": user.email, "password": "three brass valves turning"})
    for name, same_site in ((settings.SESSION_COOKIE_NAME, "Lax"), ("csrftoken", "Strict")):
        cookie = browser.cookies[name]
        assert cookie["httponly"] and cookie["samesite"] == same_site


def test_unknown_hosts_are_refused(browser):
    answer = browser.get("/sign-in", headers={"host": "evil.example"})
    assert answer.status_code == 400 and "evil" not in answer.content.decode()


@pytest.mark.parametrize("length", ["100000000", "-1", "many"])
def test_a_request_that_is_too_large_is_refused_before_it_is_read(browser, length):
    answer = browser.generic("POST", "/sign-in", b"x=1", CONTENT_LENGTH=length)
    assert answer.status_code == 413


def test_health_is_told_to_anybody_and_says_no_more(browser):
    answer = browser.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


TLS = """
import django
django.setup()
from django.conf import settings as s
print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT)
print(s.SECURE_HSTS_SECONDS, s.ALLOWED_HOSTS[-1])
"""


def test_behind_tls_cookies_travel_by_tls_and_browsers_remember(firm):
    done = subprocess.run(
        [sys.executable, "-c", TLS],
        capture_output=True,
        text=True,
        check=True,
        env={"DJANGO_SETTINGS_MODULE": "engineroom.settings", "ENGINEROOM_HOME": str(settings.HOME),
             "ENGINEROOM_TLS": "1", "ENGINEROOM_HOSTS": "pay.example.com", "PATH": ""},
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True", "True", str(365 * 24 * 3600), "pay.example.com"]
    with override_settings(SECURE_HSTS_SECONDS=60, SECURE_HSTS_INCLUDE_SUBDOMAINS=True):
        answer = new_browser().get("/sign-in", secure=True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=60; includeSubDomains"
