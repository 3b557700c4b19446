"""The door: what is seen before sign-in, how one comes in, and how one is out."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.access import sign_in
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import InputRefused, NotPermitted
from tests.firm import Firm, connect, enter, superuser
from tests.web.conftest import PASSWORD, new_browser, set_password, signed_in


def come_in(browser: Browser, user, password: str = PASSWORD, **more):
    return browser.post("/sign-in", {"login": user.email, "password": password}, **more)


# --- what raw SQL sees --------------------------------------------------------------------------------


def test_before_sign_in_no_user_hash_or_token_can_be_read(firm, member):
    member()
    with connect() as app:
        for table in ("foundation_user", "foundation_token", "foundation_grant", "foundation_client"):
            assert app.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_nobody_reads_password_hashes_not_even_inside_a_scope(firm, client, member):
    member()
    for table_of in ("nobody", "staff", "owner"):
        with connect() as app:
            if table_of != "nobody":
                enter(app, firm.owner if table_of == "owner" else client.staff["lead"])
            for verb in ("SELECT * FROM", "UPDATE", "INSERT INTO", "DELETE FROM"):
                rest = {"UPDATE": " SET password = 'x'", "INSERT INTO": " (id, user_id) VALUES (NULL, NULL)"}
                with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                    app.execute(f"{verb} foundation_credential{rest.get(verb, '')}")


def test_the_door_hands_out_one_person_by_exact_address_only(firm, member):
    user = member()
    with connect() as app:
        ask = "SELECT email FROM app_door(%s)"
        assert app.execute(ask, [user.email]).fetchall() == [(user.email,)]
        for wrong in ("%", user.email[:-1], "", "system@engineroom.invalid", f"{user.email}' OR true --"):
            assert app.execute(ask, [wrong]).fetchall() == []


def test_a_password_is_written_by_its_own_user_who_knows_the_one_that_stands(firm, member):
    user, other = member(), member()
    with connect() as app:
        (hashed,) = app.execute("SELECT password FROM app_door_of(%s)", [user.id]).fetchone()
        with pytest.raises(psycopg.Error, match="by its own user only"), app.transaction():
            app.execute("SELECT app_change_password(%s, 'x')", [hashed])
        enter(app, other)
        for shown in (hashed, "", "wrong"):
            with pytest.raises(psycopg.Error, match="was changed meanwhile"), app.transaction():
                app.execute("SELECT app_change_password(%s, 'x')", [shown])
    with connect() as app:
        assert app.execute("SELECT password FROM app_door_of(%s)", [user.id]).fetchone() == (hashed,)
        with pytest.raises(psycopg.Error, match="by its own user only"):
            app.execute("SELECT app_signed_in()")


def test_the_service_too_changes_only_ones_own_password(firm, member):
    user, other = member(), member()
    row = sign_in.user_at_the_door(user_id=user.id)
    with acting(other), pytest.raises(NotPermitted):
        sign_in.change_password(row, "another four words here")
    with acting(user), pytest.raises(InputRefused):
        sign_in.change_password(row, "short")


# --- coming in ----------------------------------------------------------------------------------------


def test_a_password_signs_in_and_the_session_is_a_new_one(browser, member):
    user = member()
    browser.get("/sign-in")
    session = browser.session
    session["before"] = 1
    session.save()
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    answer = come_in(browser, user)
    assert answer.status_code == 302 and answer["Location"] == "/"
    assert browser.session.session_key != session.session_key, "a session planted before sign-in is worthless"
    assert browser.get("/settings").status_code == 200
    with superuser() as look:
        ((seen,),) = look.execute(
            "SELECT last_login FROM foundation_credential WHERE user_id = %s", [user.id]
        ).fetchall()
    assert seen is not None


@pytest.mark.parametrize("what", ["wrong password", "unknown address", "no password yet", "switched off"])
def test_who_may_not_come_in_is_told_the_same_whatever_the_reason(firm, browser, member, what):
    user = firm.new_user() if what == "no password yet" else member()
    if what == "switched off":
        with acting(firm.admin, write=firm.house_id):
            access.switch_off_user(user.id, reason="left")
    email = "nobody@firm.example" if what == "unknown address" else user.email
    password = "not this one at all" if what == "wrong password" else PASSWORD
    answer = browser.post("/sign-in", {"login": email, "password": password})
    assert answer.status_code == 200
    assert "The email address and/or password you specified are not correct." in answer.content.decode()
    assert browser.get("/settings").status_code == 303


def test_tries_are_limited(browser, member):
    user = member()
    answers = [come_in(browser, user, "wrong number " + str(n)) for n in range(12)]
    assert "too many" in answers[-1].content.decode().lower()
    assert "too many" in come_in(browser, user).content.decode().lower(), "the right one does not help now"


def test_strangers_cannot_sign_up(browser):
    for address in ("/signup", "/accounts/signup/", "/sign-up", "/account/signup/"):
        assert browser.get(address).status_code == 404


def test_a_form_without_its_token_is_refused(firm, member):
    user = member()
    browser = new_browser(strict=True)
    answer = come_in(browser, user)
    assert answer.status_code == 403 and "reload" in answer.content.decode()
    page = browser.get("/sign-in").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    assert come_in(browser, user).status_code == 403
    assert (
        browser.post(
            "/sign-in", {"login": user.email, "password": PASSWORD, "csrfmiddlewaretoken": token}
        ).status_code
        == 302
    )


def test_next_leads_to_a_page_of_ours_only(browser, member):
    user = member()
    where = browser.get("/clients")
    assert where.status_code == 303 and where["Location"] == "/sign-in?next=/clients"
    elsewhere = browser.post(
        "/sign-in", {"login": user.email, "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert elsewhere["Location"] == "/"


# --- being out ----------------------------------------------------------------------------------------


def test_a_switched_off_user_is_out_with_the_next_request(firm, member):
    user = member()
    browser = signed_in(user)
    assert browser.get("/settings").status_code == 200
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(user.id, reason="left")
    answer = browser.get("/settings")
    assert answer.status_code == 303 and answer["Location"].startswith("/sign-in")


def test_a_changed_password_ends_every_other_session(member):
    user = member()
    here, there = signed_in(user), signed_in(user)
    fresh = "four new brass valves"
    answer = here.post(
        "/settings/password", {"oldpassword": PASSWORD, "password1": fresh, "password2": fresh}
    )
    assert answer.status_code == 302, answer.content.decode()
    assert here.get("/settings").status_code == 200
    assert there.get("/settings").status_code == 303
    assert sign_in.user_at_the_door(user_id=user.id).check_password(fresh)


@pytest.mark.parametrize("end", ["over", "gone", "tampered"])
def test_a_session_that_is_over_gone_or_tampered_with_is_nobodys(member, end):
    there = signed_in(member())
    assert there.get("/settings").status_code == 200
    sessions = Session.objects.filter(session_key=there.session.session_key)
    if end == "over":
        sessions.update(expire_date=timezone.now() - timedelta(seconds=1))
    elif end == "gone":
        sessions.delete()
    else:
        sessions.update(session_data=sessions.get().session_data[::-1])
    assert there.get("/settings").status_code in (302, 303)


def test_devices_are_listed_and_one_is_signed_out(member):
    user, other = member(), member()
    here, there, strange = new_browser(), new_browser(), signed_in(other)
    assert [come_in(b, user).status_code for b in (here, there)] == [302, 302]
    assert here.get("/settings").content.decode().count("<td>127.0.0.1</td>") == 2
    device = UserSession.objects.get(session_key=there.session.session_key)
    assert strange.post(f"/settings/devices/{device.id}/end").status_code == 303
    assert there.get("/settings").status_code == 200, "another user's device stays"
    here.post(f"/settings/devices/{device.id}/end")
    assert there.get("/settings").status_code == 303
    assert here.get("/settings").content.decode().count("<td>127.0.0.1</td>") == 1, "and is not listed"


def test_signing_out_needs_a_post(member):
    browser = signed_in(member())
    assert browser.get("/sign-out").status_code == 200
    assert browser.get("/settings").status_code == 200
    browser.post("/sign-out")
    assert browser.get("/settings").status_code == 303


# --- the second factor --------------------------------------------------------------------------------


def code_for(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def with_second_factor(browser: Browser, user) -> str:
    come_in(browser, user)
    asked = browser.get("/settings/second-factor/app")
    assert asked.status_code == 302 and asked["Location"].startswith("/sign-in/again")
    assert browser.post(asked["Location"], {"password": PASSWORD}).status_code == 302
    page = browser.get("/settings/second-factor/app")
    secret = re.search(r"<code>(\w+)</code>", page.content.decode())[1]
    done = browser.post("/settings/second-factor/app", {"code": code_for(secret)})
    assert done.status_code == 302, done.content.decode()
    return secret


def test_with_a_second_factor_a_password_alone_is_not_enough(browser, member):
    user = member()
    secret = with_second_factor(browser, user)
    other = new_browser()
    answer = come_in(other, user)
    assert answer["Location"].startswith("/sign-in/code")
    assert other.get("/settings").status_code == 303, "half signed in is not signed in"
    assert other.get("/sign-in/code").status_code == 200
    assert other.post("/sign-in/code", {"code": "000000"}).status_code == 200
    assert other.get("/settings").status_code == 303
    from django.core.cache import cache

    cache.clear()  # a code counts once; the one of the set-up was used just now
    assert other.post("/sign-in/code", {"code": code_for(secret)}).status_code == 302
    assert other.get("/settings").status_code == 200


def test_a_recovery_code_works_once(browser, member):
    user = member()
    with_second_factor(browser, user)
    codes = re.findall(
        r"<code>([\w-]+)</code>", browser.get("/settings/second-factor/codes").content.decode()
    )
    assert len(codes) == 10
    for expected in (302, 200):
        other = new_browser()
        come_in(other, user)
        assert other.post("/sign-in/code", {"code": codes[0]}).status_code == expected


def test_secrets_of_second_factors_lie_sealed(browser, member):
    user = member()
    secret = with_second_factor(browser, user)
    with superuser() as look:
        rows = look.execute(
            "SELECT data::text FROM mfa_authenticator WHERE user_id = %s", [user.id]
        ).fetchall()
    assert len(rows) == 2 and all(secret not in data for (data,) in rows)
    assert Authenticator.objects.filter(user_id=user.id).count() == 2


# --- invitations --------------------------------------------------------------------------------------


def invited(firm: Firm):
    from engineroom.web import invitations

    user = firm.new_user()
    with acting(firm.admin, write=firm.house_id):
        link, _ = invitations.invite(user.id)
    return user, link.removeprefix(settings.BASE_URL)


def test_an_invitation_sets_a_password_once(firm, browser):
    user, path = invited(firm)
    assert browser.get(path).status_code == 200
    answer = browser.post(path, {"password": PASSWORD, "again": PASSWORD})
    assert answer.status_code == 302
    assert browser.get("/settings").status_code == 200
    assert new_browser().get(path).status_code == 404
    assert (
        new_browser()
        .post(path, {"password": "some other long words", "again": "some other long words"})
        .status_code
        == 404
    )
    assert sign_in.user_at_the_door(user_id=user.id).check_password(PASSWORD)


def test_an_invitation_is_a_letter_in_the_outbox_and_in_no_table(firm):
    user, path = invited(firm)
    letters = [p.read_text() for p in Path(settings.OUTBOX_DIR).glob("*.eml")]
    mine = [text for text in letters if f"To: {user.email}" in text]
    assert len(mine) == 1
    token = path.rsplit("/", 1)[1]
    assert token in mine[0].replace("=\n", "").replace("=\r\n", "")
    with superuser() as look:
        for table in ("foundation_auditevent", "foundation_commandrun"):
            assert look.execute(
                f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{token}%"]
            ).fetchone() == (0,)


@pytest.mark.parametrize("what", ["another's", "switched off", "signed in meanwhile"])
def test_a_link_opens_exactly_one_thing(firm, browser, what):
    user, path = invited(firm)
    if what == "another's":
        path = path.replace(str(user.id), str(firm.admin.id))
    elif what == "switched off":
        with acting(firm.admin, write=firm.house_id):
            access.switch_off_user(user.id, reason="a mistake")
    else:
        set_password(user.id)
    assert browser.get(path).status_code == 404


def test_only_an_admin_of_the_house_invites(firm, client):
    with client.acting("lead"), pytest.raises(NotPermitted):
        sign_in.invite(firm.admin.id)
