"""My settings, the admin's users, and becoming somebody in a demonstration."""

from __future__ import annotations

import re
from datetime import date
from uuid import UUID

import pytest
from django import forms
from django.db.utils import DatabaseError
from django.test.html import parse_html

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant, Token, User
from engineroom.foundation.tenancy.scope import acting
from engineroom.ui.fields import LongSelect
from engineroom.web import settings_pages
from tests.firm import Firm, superuser
from tests.web.conftest import PASSWORD, new_browser, signed_in


def text(answer) -> str:
    return answer.content.decode()


# --- tokens -------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_works_and_is_revoked(client):
    user = client.staff["lead"]
    browser = signed_in(user)
    shown = text(browser.post("/settings/tokens", {"label": "nightly", "days": "30"}))
    token = re.search(r"<code>(er_[\w-]+)</code>", shown)[1]
    assert access.authenticate(token).id == user.id
    assert token not in text(browser.get("/settings")) and "nightly" in text(browser.get("/settings"))
    with acting(user):
        row = Token.objects.get(user_id=user.id, label="nightly")
    assert browser.post(f"/settings/tokens/{row.id}/revoke").status_code == 303
    with pytest.raises(access.NotAuthenticated):
        access.authenticate(token)


def test_nobody_revokes_anothers_token(firm: Firm, client):
    with acting(firm.admin, write=firm.house_id):
        issued = access.issue_token(client.staff["lead"].id)
    signed_in(client.staff["checker"]).post(f"/settings/tokens/{issued.token_id}/revoke")
    assert access.authenticate(issued.token).id == client.staff["lead"].id


def test_who_may_write_nowhere_is_offered_no_token(firm: Firm):
    browser = signed_in(firm.new_user())
    assert "Issue a token" not in text(browser.get("/settings"))
    assert browser.post("/settings/tokens", {"label": "x", "days": "30"}).status_code == 303
    assert text(browser.get("/settings")).count("you may write in none") > 1, "said, and said again on trying"
    assert Token.objects.count() == 0


FACES = {
    "client_finance": "client",
    "client_approver": "client",
    "worker": "worker",
    "employee": "employee",
}


@pytest.mark.parametrize("role", sorted(FACES))
def test_every_face_issues_and_revokes_its_own_token(firm: Firm, client, role):
    user = firm.new_user(FACES[role])
    firm.grant(user, client.id, role)
    browser = signed_in(user)
    answer = browser.post("/settings/tokens", {"label": "mine", "days": "30"})
    assert answer.status_code == 200, text(answer)
    token = re.search(r"<code>(er_[\w-]+)</code>", text(answer))[1]
    assert access.authenticate(token).id == user.id
    with acting(user):
        row = Token.objects.get(user_id=user.id)
    assert browser.post(f"/settings/tokens/{row.id}/revoke").status_code == 303
    with pytest.raises(access.NotAuthenticated):
        access.authenticate(token)


def test_nobody_outside_the_firm_writes_anothers_token(firm: Firm, client):
    """Around the application: PostgreSQL lets a face other than the firm's write its own rows alone."""
    user = firm.new_user("employee")
    firm.grant(user, client.id, "employee")
    other = client.staff["lead"]
    with acting(firm.admin, write=firm.house_id):
        issued = access.issue_token(other.id)
    with acting(user, write=client.id):
        assert Token.objects.filter(id=issued.token_id).update(label="stolen") == 0
    with pytest.raises(DatabaseError, match="row-level security"), acting(user, write=client.id):
        Token.objects.create(user_id=other.id, sha256=bytes(32), label="forged")


def test_an_auditor_is_told_why_there_is_no_token(firm: Firm, client):
    user = firm.new_user()
    firm.grant(user, client.id, "auditor", ends=date(2199, 1, 1))
    with acting(firm.admin, write=firm.house_id):
        issued = access.issue_token(user.id)
    browser = signed_in(user)
    for path in ("/settings/tokens", f"/settings/tokens/{issued.token_id}/revoke"):
        assert browser.post(path, {"label": "x", "days": "30"}).status_code == 303
        assert text(browser.get("/settings")).count("an admin does it for you") > 1
    assert access.authenticate(issued.token).id == user.id


NEW = {"email": "New.One@firm.example", "name": "New One", "kind": "staff"}


def test_without_a_password_one_is_offered_to_set(firm: Firm):
    page = text(signed_in(firm.new_user()).get("/settings"))
    assert "Set a password" in page and "Change the password" not in page


# --- users --------------------------------------------------------------------------------------------


def test_an_admin_adds_invites_grants_ends_and_switches_off(firm: Firm, client):
    browser = signed_in(firm.admin)
    made = browser.post(
        "/settings/users/add", {"email": "New.One@firm.example", "name": "New One", "kind": "staff"}
    )
    assert made.status_code == 303, text(made)
    page = made["Location"]
    user_id = page.rsplit("/", 1)[1]
    assert "new.one@firm.example" in text(browser.get(page))
    link = re.search(r"<code>http://[^/]+(/invitation/[^<]+)</code>", text(browser.post(f"{page}/invite")))[1]
    newcomer = new_browser()
    assert newcomer.post(link, {"password": PASSWORD, "again": PASSWORD}).status_code == 302
    form = {"client": str(client.id), "role": "lead", "starts": "2026-01-01", "ends": "", "reason": "joins"}
    assert browser.post(f"{page}/grant", form).status_code == 303
    assert client.code in text(newcomer.get("/clients"))
    with acting(firm.admin):
        grant = Grant.objects.get(user_id=user_id)
    assert browser.post(f"/settings/grants/{grant.id}/end", {"reason": "moves on"}).status_code == 303
    assert "works until midnight UTC" in text(browser.get(page))
    with acting(firm.admin):
        assert Grant.objects.get(id=grant.id).ends is not None
    assert browser.post(f"{page}/off", {"reason": "left"}).status_code == 303
    assert newcomer.get("/settings").status_code == 303
    with acting(firm.admin):
        assert not User.objects.get(id=user_id).is_active


def test_nobody_switches_themselves_off(firm: Firm):
    browser = signed_in(firm.admin)
    off = f"/settings/users/{firm.admin.id}/off"
    assert browser.post(off, {"reason": "tired"}).status_code == 303
    assert "nobody switches themselves off" in text(browser.get("/settings/users"))
    with acting(firm.admin):
        assert User.objects.get(id=firm.admin.id).is_active
    with pytest.raises(DatabaseError, match="nobody switches themselves off"), acting(firm.admin):
        User.objects.filter(id=firm.admin.id).update(is_active=False)


def test_the_last_admin_stays(firm: Firm):
    """Around the application, by somebody of the firm's who is no admin."""
    second = firm.new_user()
    firm.grant(second, firm.house_id, "admin")
    admins = _admins(firm)
    assert len(admins) > 1
    with pytest.raises(DatabaseError, match="this is the last admin"), acting(firm.new_user()):
        User.objects.filter(id__in=admins).update(is_active=False)
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(second.id, reason="another is left")


def _admins(firm: Firm) -> list[UUID]:
    with acting(firm.admin, read=[firm.house_id]):
        return list(
            Grant.objects.filter(of_client_id=firm.house_id, role="admin").values_list("user_id", flat=True)
        )


@pytest.mark.parametrize("what", ["bad email", "no reason", "to self", "wrong face"])
def test_what_cannot_be_is_said(firm: Firm, client, what):
    browser = signed_in(firm.admin)
    user = firm.new_user("worker")
    grant = {"client": str(client.id), "role": "lead", "starts": "2026-01-01", "ends": "", "reason": "why"}
    if what == "bad email":
        answer, words = (
            browser.post("/settings/users/add", {"email": "x", "name": "X", "kind": "staff"}),
            "Address",
        )
    elif what == "no reason":
        answer, words = browser.post(f"/settings/users/{user.id}/grant", grant | {"reason": ""}), "Reason"
    else:
        who = firm.admin.id if what == "to self" else user.id
        back = f"http://127.0.0.1/settings/users/{who}"
        answer = browser.post(
            f"/settings/users/{who}/grant", grant, headers={"referer": back}, follow=what == "to self"
        )
        assert answer.status_code == (200 if what == "to self" else 403), "there is no form on one's own page"
        words = "nobody grants to themselves" if what == "to self" else "not for a user of this kind"
    assert words in text(answer)


@pytest.mark.parametrize("role", ["owner", "lead", "specialist", "bookkeeper", "checker"])
def test_users_are_for_admins_of_the_house_alone(firm: Firm, client, role):
    browser = signed_in(client.staff[role])
    user = firm.new_user()
    assert browser.get("/settings/users").status_code == 404, "no grant on the house: it is not told"
    for path in ("add", f"{user.id}/invite", f"{user.id}/grant", f"{user.id}/off"):
        assert browser.post(f"/settings/users/{path}").status_code == 404
    firm.grant(client.staff[role], firm.house_id, "specialist")
    assert browser.get("/settings/users").status_code == 403
    assert browser.post(f"/settings/users/{user.id}/off").status_code == 403
    with acting(firm.admin):
        assert User.objects.get(id=user.id).is_active


# --- the demonstration --------------------------------------------------------------------------------


def test_in_a_demonstration_one_click_makes_one_anybody(firm: Firm, client, browser):
    assert browser.get("/")["Location"] == "/demo/become"
    page = text(browser.get("/demo/become"))
    lead, checker = client.staff["lead"], client.staff["checker"]
    assert lead.email in page and "system@" not in page
    for who in (lead, checker):
        before = browser.cookies.get("engineroom_session")
        key = before.value if before else ""
        assert browser.post("/demo/become", {"user": str(who.id)}).status_code == 302
        assert who.email in text(browser.get("/settings"))
        assert browser.session.session_key != key
    assert browser.post("/demo/become", {"user": str(access.system_user().id)}).status_code == 404
    assert new_browser(strict=True).post("/demo/become", {"user": str(lead.id)}).status_code == 403


def test_elsewhere_nobody_becomes_anybody(firm: Firm, client, browser):
    with superuser() as look:
        look.execute("UPDATE foundation_installation SET is_demo = false")
    try:
        assert browser.get("/demo/become").status_code == 404
        assert browser.post("/demo/become", {"user": str(client.staff["lead"].id)}).status_code == 404
        assert browser.get("/")["Location"] == "/sign-in"
        assert browser.get("/settings").status_code == 303
    finally:
        with superuser() as look:
            look.execute("UPDATE foundation_installation SET is_demo = true")


def test_the_front_door_leads_to_ones_work(firm: Firm):
    assert signed_in(firm.owner).get("/")["Location"] in ("/today", "/clients")


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Safari/537.36 Edg/142.0.0.0"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (FIREFOX, "Firefox 144 on Linux"),
        (EDGE, "Edge 142 on Windows"),
        (SAFARI, "Safari 18 on iPhone"),
        (CHROME, "Chrome 142 on Android"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("a\nb" + "x" * 100, "a b" + "x" * 57),
        ("", "not said"),
    ],
)
def test_a_device_is_named_as_people_know_it(said: str, words: str):
    assert settings_pages.browser_words(said) == words


def test_a_long_list_is_drawn_as_django_draws_it():
    choices = [("A", "Ash & Sons"), ("B", '<b>"Beech"</b>'), ("C", "Cedar")]
    for value in (None, [], ["B", "C"]):
        ours, theirs = LongSelect(choices=choices), forms.SelectMultiple(choices=choices)
        drawn = [w.render("clients", value, {"id": "x", "aria-describedby": "y"}) for w in (ours, theirs)]
        assert parse_html(drawn[0]) == parse_html(drawn[1])
