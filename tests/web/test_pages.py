"""What a page and an action promise, whichever room they are in."""

from __future__ import annotations

import pytest

from engineroom.foundation.access.models import Grant
from engineroom.foundation.audit.models import AuditEvent
from tests.firm import Firm, Temp, TestClient, set_up, superuser
from tests.web import pages_of_tests
from tests.web.conftest import signed_in


@pytest.fixture(autouse=True)
def urls(settings_of_the_test):
    """The imaginary room's pages."""


@pytest.fixture
def settings_of_the_test():
    from django.test import override_settings

    with override_settings(ROOT_URLCONF="tests.web.pages_of_tests"):
        yield


def text(answer) -> str:
    return answer.content.decode()


@pytest.mark.behaviour("FIRM-01")
def test_one_user_switches_among_clients_without_signing_in_again_and_nothing_leaks(firm: Firm):
    user = firm.new_user()
    clients = [firm.new_client() for _ in range(3)]
    for n, client in enumerate(clients):
        set_up(client, [Temp("T1", f"Person Of {n}")])
        if n < 2:
            firm.grant(user, client.id, "specialist" if n else "lead")
    browser = signed_in(user)
    session = browser.session.session_key
    for _ in range(3):  # to and fro, in one session, over the same pooled connections
        for n, client in enumerate(clients[:2]):
            assert text(browser.get(f"/c/{client.code}/people")) == f"Person Of {n}"
    assert browser.get(f"/c/{clients[2].code}/people").status_code == 404
    assert "['lead']" in text(browser.get(f"/c/{clients[0].code}/where"))
    assert "['specialist']" in text(browser.get(f"/c/{clients[1].code}/where"))
    switcher = text(browser.get(f"/c/{clients[0].code}/shell"))
    assert f'href="/c/{clients[1].code}/shell"' in switcher, "the same kind of page of the other client"
    assert clients[2].code not in switcher
    listed = text(browser.get("/clients"))
    assert clients[0].code in listed and clients[1].code in listed and clients[2].code not in listed
    assert browser.session.session_key == session


def test_a_page_reads_its_client_and_writes_nothing(client: TestClient):
    answer = signed_in(client.staff["lead"]).get(f"/c/{client.code.lower()}/where")
    assert text(answer) == f"{client.code} ['lead'] ['health']"


def test_unknown_and_ungranted_clients_are_answered_alike(client: TestClient, other_client: TestClient):
    browser = signed_in(client.staff["lead"])
    unknown, ungranted = (browser.get(f"/c/{code}/where") for code in ("NOSUCH", other_client.code))
    assert unknown.status_code == ungranted.status_code == 404
    assert text(unknown) == text(ungranted)


def test_a_grant_that_ended_opens_nothing(firm: Firm, client: TestClient):
    user = firm.new_user()
    firm.grant(user, client.id, "lead")
    browser = signed_in(user)
    assert browser.get(f"/c/{client.code}/where").status_code == 200
    with superuser() as clock:  # past every guard: a day goes by
        clock.execute("SET session_replication_role = replica")
        clock.execute("UPDATE foundation_grant SET ends = current_date - 1 WHERE user_id = %s", [user.id])
    assert browser.get(f"/c/{client.code}/where").status_code == 404


def test_without_the_permission_the_page_says_which_and_who_can_help(firm: Firm, client: TestClient):
    user = firm.new_user()
    firm.grant(user, client.id, "admin")
    answer = signed_in(user).get(f"/c/{client.code}/where")
    assert answer.status_code == 403
    assert "payroll.read" in text(answer) and "can help" in text(answer)


def test_all_my_clients_at_once(firm: Firm, client: TestClient, other_client: TestClient):
    user = firm.new_user()
    firm.grant(user, client.id, "lead")
    firm.grant(user, other_client.id, "auditor", ends=pages_of_tests._day().replace(year=2099))
    assert text(signed_in(user).get("/mine")) == ", ".join(sorted([client.code, other_client.code]))


def test_each_face_has_its_own_pages(firm: Firm, client: TestClient):
    contact, worker = firm.new_user("client"), firm.new_user("worker")
    firm.grant(contact, client.id, "client_finance")
    theirs = signed_in(contact)
    assert text(theirs.get(f"/c/{client.code}/portal")) == f"portal of {client.code}"
    for page in ("where", "people", "run/1"):
        assert theirs.get(f"/c/{client.code}/{page}").status_code == 404
    assert signed_in(client.staff["lead"]).get(f"/c/{client.code}/portal").status_code == 404
    assert signed_in(worker).get("/mine").status_code == 404
    assert signed_in(worker).get("/").headers["Location"] == "/me"


def test_what_shows_private_data_is_logged_also_for_who_may_write_nothing(firm: Firm, client: TestClient):
    user = firm.new_user()
    firm.grant(user, client.id, "auditor", ends=pages_of_tests._day().replace(year=2099))
    browser = signed_in(user)
    browser.get(f"/c/{client.code}/run/7")
    browser.get(f"/c/{client.code}/people")
    browser.get(f"/c/{client.code}/where")
    with client.acting("lead"):
        events = list(AuditEvent.objects.filter(verb="read", user_id=user.id).order_by("at"))
    assert [(e.subject_kind, e.subject_id) for e in events] == [
        ("pay_run", pages_of_tests.SUBJECT),
        ("person", None),
    ]
    assert events[0].detail == {"page": f"/c/{client.code}/run/7", "number": "7", "figures": 3}


def test_a_page_is_got_and_an_action_is_posted(client: TestClient):
    browser = signed_in(client.staff["lead"])
    assert browser.post(f"/c/{client.code}/where").status_code == 405
    assert browser.get(f"/c/{client.code}/rename").status_code == 405


# --- actions ------------------------------------------------------------------------------------------


def post(browser, client: TestClient, user, what: str = "do", **more):
    headers = {"referer": f"http://127.0.0.1/c/{client.code}/shell?a=1"} | more.pop("headers", {})
    return browser.post(f"/c/{client.code}/rename", {"what": what, "user": user.id, **more}, headers=headers)


def grants(client: TestClient, user) -> int:
    with client.acting("lead"):
        return Grant.objects.filter(user_id=user.id).count()


def test_an_action_says_it_is_done_where_it_came_from_and_once_for_a_key(firm: Firm, client: TestClient):
    user, browser = firm.new_user(), signed_in(client.staff["lead"])
    for _ in range(2):  # a double click
        answer = post(browser, client, user, form_key="k1")
        assert answer.status_code == 303 and answer["Location"] == f"/c/{client.code}/shell?a=1"
    assert "Granted." in text(browser.get(answer["Location"]))
    assert grants(client, user) == 1
    other = post(browser, client, firm.new_user(), form_key="k1")
    assert "was used before with a different request" in text(browser.get(other["Location"]))
    assert post(browser, client, user, "lead on")["Location"] == f"/c/{client.code}/where"


@pytest.mark.parametrize(
    ("what", "words"), [("refuse", "the run has moved on"), ("guard", "nobody grants to themselves")]
)
def test_what_is_refused_is_said_on_the_page_it_came_from(firm: Firm, client: TestClient, what, words):
    user, browser = firm.new_user(), signed_in(client.staff["lead"])
    answer = post(browser, client, user, what)
    assert answer.status_code == 303
    assert words in text(browser.get(answer["Location"]))
    assert grants(client, user) == 0


def test_what_is_wrong_with_an_input_is_listed(firm: Firm, client: TestClient):
    answer = post(signed_in(client.staff["lead"]), client, firm.new_user(), "list")
    assert answer.status_code == 422
    assert "row 3, name" in text(answer) and "Fill it in" in text(answer)


def test_htmx_is_told_where_to_go(firm: Firm, client: TestClient):
    browser = signed_in(client.staff["lead"])
    here = f"http://127.0.0.1/c/{client.code}/shell"
    answer = post(browser, client, firm.new_user(), headers={"hx-request": "true", "hx-current-url": here})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, f"/c/{client.code}/shell")
    browser.logout()
    out = post(browser, client, firm.new_user(), headers={"hx-request": "true", "hx-current-url": here})
    assert out["HX-Redirect"] == f"/sign-in?next=/c/{client.code}/shell"


def test_an_action_leads_to_no_foreign_page(firm: Firm, client: TestClient):
    browser = signed_in(client.staff["lead"])
    answer = post(browser, client, firm.new_user(), headers={"referer": "https://evil.example/c/x"})
    assert answer["Location"] == "/"


def test_a_role_that_may_not_write_cannot_act(firm: Firm, client: TestClient):
    target = firm.new_user()
    for role in ("checker", "specialist"):
        answer = post(signed_in(client.staff[role]), client, target)
        assert answer.status_code == 403 and "foundation.grant" in text(answer)
    assert grants(client, target) == 0


def test_an_action_without_its_csrf_token_does_nothing(firm: Firm, client: TestClient):
    target = firm.new_user()
    answer = post(signed_in(client.staff["lead"], strict=True), client, target)
    assert answer.status_code == 403
    assert grants(client, target) == 0


# --- errors -------------------------------------------------------------------------------------------


def test_a_refused_page_has_its_own_status_and_sentence(client: TestClient):
    answer = signed_in(client.staff["lead"]).get(f"/c/{client.code}/refusing")
    assert answer.status_code == 409 and "the run has moved on" in text(answer)


def test_a_defect_is_a_page_that_tells_nothing_of_the_inside(client: TestClient):
    browser = signed_in(client.staff["lead"])
    browser.raise_request_exception = False
    answer = browser.get(f"/c/{client.code}/breaking")
    assert answer.status_code == 500
    assert "secret" not in text(answer) and "Traceback" not in text(answer) and "Engineroom" in text(answer)


def test_no_such_page(browser):
    answer = browser.get("/no/such/page")
    assert answer.status_code == 404 and "There is no such page" in text(answer)
