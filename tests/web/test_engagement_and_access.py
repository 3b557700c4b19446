"""What the firm does for a client and who may do what there: pages of a lead, without an admin."""

from __future__ import annotations

import re
from datetime import date

import pytest

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant, Token
from engineroom.foundation.access.services import NotAuthenticated, authenticate
from engineroom.foundation.engagement import selectors as engagement
from engineroom.foundation.tenancy.scope import acting
from engineroom.people.models import PersonLogin
from tests.firm import Firm, Temp, TestClient, set_up
from tests.web.conftest import signed_in


def text(answer) -> str:
    return answer.content.decode()


TERMS = {
    "starts": "2026-02-01",
    "agreed_on": "2026-01-20",
    "agreed_with": "Ms Client",
    "payroll_basis": "payslip",
    "payroll_price": "4.50",
    "payroll_level": "paid by noon",
    "bookkeeping_basis": "included",
    "data_processing": "Payslips of its people, six years.",
}


def test_terms_are_agreed_on_a_page_seen_by_the_client_and_ended(firm: Firm, client: TestClient):
    browser, page = signed_in(client.staff["lead"]), f"/c/{client.code}/engagement"
    assert "Nothing is agreed yet" in text(browser.get(page))
    assert browser.post(f"{page}/agree", TERMS).status_code == 303
    shown = text(browser.get(page))
    assert "£4.50" in shown and "paid by noon" in shown and "Bookkeeping" in shown and "In force" in shown
    assert 'name="payroll_price" value="4.50"' in shown, "the next terms begin as a copy"
    contact = firm.new_user("client")
    firm.grant(contact, client.id, "client_finance")
    theirs = text(signed_in(contact).get(f"/portal/{client.code}/engagement"))
    assert "£4.50" in theirs and "six years" in theirs and "Agree on other terms" not in theirs
    end = {"starts": "2026-03-01", "agreed_on": "2026-02-20", "agreed_with": "Ms Client", "reason": "sold"}
    ended = browser.post(f"{page}/end", {f"end-{name}": value for name, value in end.items()})
    assert ended.status_code == 303
    with client.acting("lead"):
        now = engagement.in_force(date(2026, 3, 1))
    assert now and not now.lines
    assert "The engagement has ended" in text(browser.get(page))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"payroll_price": "4,5"}, "payroll_price"),
        ({"payroll_price": ""}, "payroll_price"),
        ({"bookkeeping_price": "3"}, "bookkeeping_price"),
        ({"payroll_basis": ""}, "payroll_basis"),
        ({"agreed_with": ""}, "agreed_with"),
    ],
)
def test_what_is_wrong_with_terms_stands_beside_its_field(client: TestClient, wrong, field):
    browser, page = signed_in(client.staff["lead"]), f"/c/{client.code}/engagement"
    answer = browser.post(f"{page}/agree", TERMS | wrong, headers={"referer": f"http://127.0.0.1{page}"})
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in text(answer) and 'value="paid by noon"' in text(answer)


# --- access -------------------------------------------------------------------------------------------


def test_a_lead_grants_and_ends_within_their_own_client(firm: Firm, client: TestClient):
    newcomer, browser = firm.new_user(), signed_in(client.staff["lead"])
    page = f"/c/{client.code}/access"
    form = {"email": newcomer.email.upper(), "role": "specialist", "starts": "2026-01-01", "reason": "joins"}
    assert browser.post(f"{page}/give", form).status_code == 303
    assert newcomer.email in text(browser.get(page))
    assert signed_in(newcomer).get(f"/c/{client.code}").status_code == 200
    with acting(firm.admin):
        grant = Grant.objects.get(user_id=newcomer.id)
    shown = text(browser.get(page))
    assert f"{page}/{grant.id}/end" in shown
    assert browser.post(f"{page}/{grant.id}/end", {"reason": "\x00"}).status_code == 303
    with acting(firm.admin):
        ended = Grant.objects.get(id=grant.id)
    assert ended.ends is not None and client.staff["lead"].name in ended.reason


def test_a_lead_grants_no_rule_of_the_client_and_nothing_to_themselves(firm: Firm, client: TestClient):
    newcomer, browser = firm.new_user(), signed_in(client.staff["lead"])
    page = f"/c/{client.code}/access"
    form = {"email": newcomer.email, "role": "specialist", "starts": "2026-01-01", "reason": "joins"}
    here = {"referer": f"http://127.0.0.1{page}"}
    for wrong, words in (
        ({"role": "owner"}, "not one of the available choices"),
        ({"email": client.staff["lead"].email}, "nobody grants to themselves"),
        ({"email": "nobody@firm.example"}, "Nobody has this address"),
        ({"role": "auditor"}, "auditor"),
    ):
        answer = browser.post(f"{page}/give", form | wrong, headers=here)
        assert answer.status_code in (403, 422) and words in text(answer), wrong
        assert 'value="joins"' in text(answer)
    with acting(firm.admin):
        assert not Grant.objects.filter(user_id=newcomer.id).exists()


def test_nothing_is_granted_to_somebody_switched_off(firm: Firm, client: TestClient):
    gone, browser = firm.new_user(), signed_in(client.staff["lead"])
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(gone.id, reason="left")
    page = f"/c/{client.code}/access"
    form = {"email": gone.email, "role": "specialist", "starts": "2026-01-01", "reason": "joins"}
    answer = browser.post(f"{page}/give", form, headers={"referer": f"http://127.0.0.1{page}"})
    assert answer.status_code == 422 and "is switched off" in text(answer)
    with acting(firm.admin):
        assert not Grant.objects.filter(user_id=gone.id).exists()


def test_a_lead_is_shown_no_way_to_end_the_rule_of_the_client(firm: Firm, client: TestClient):
    ruler = firm.new_user()
    firm.grant(ruler, client.id, "admin")
    with acting(firm.admin):
        grant = Grant.objects.get(user_id=ruler.id)
    shown = text(signed_in(client.staff["lead"]).get(f"/c/{client.code}/access"))
    assert ruler.email in shown and str(grant.id) not in shown


def test_who_grants_and_may_see_no_people_learns_no_name(firm: Firm, client: TestClient):
    set_up(client, [Temp("T1", "Jo Bloggs")])
    user, admin = firm.new_user("employee"), firm.new_user()
    firm.grant(user, client.id, "employee")
    firm.grant(admin, client.id, "admin")
    given = {"login-payroll_number": "T1", "login-email": user.email, "login-starts": "2026-01-01"}
    answer = signed_in(admin).post(f"/c/{client.code}/access/logins/give", given, follow=True)
    assert "is the person numbered T1" in text(answer) and "Jo Bloggs" not in text(answer)


def test_another_clients_grant_is_not_ended_here(firm: Firm, client: TestClient, other_client: TestClient):
    with acting(firm.admin):
        theirs = Grant.objects.get(user_id=other_client.staff["lead"].id)
    browser = signed_in(client.staff["lead"])
    assert browser.post(f"/c/{client.code}/access/{theirs.id}/end").status_code == 303
    with acting(firm.admin):
        assert Grant.objects.get(id=theirs.id).ends is None


def test_a_login_is_given_to_a_person_and_ended(firm: Firm, client: TestClient):
    set_up(client, [Temp("T1", "Jo Bloggs")])
    user, browser = firm.new_user("employee"), signed_in(client.staff["lead"])
    firm.grant(user, client.id, "employee")
    page = f"/c/{client.code}/access"
    given = {"login-payroll_number": "T1", "login-email": user.email, "login-starts": "2026-01-01"}
    here = {"referer": f"http://127.0.0.1{page}"}
    wrong = browser.post(f"{page}/logins/give", given | {"login-payroll_number": "T9"}, headers=here)
    assert 'id="id_login-payroll_number_error"' in text(wrong) and user.email in text(wrong)
    assert browser.post(f"{page}/logins/give", given).status_code == 303
    assert "Jo Bloggs" in text(browser.get(page))
    with client.acting("lead"):
        login = PersonLogin.objects.get(user_id=user.id)
    assert browser.post(f"{page}/logins/{login.id}/end").status_code == 303
    with client.acting("lead"):
        assert PersonLogin.objects.get(id=login.id).ends is not None


# --- narrowed tokens ----------------------------------------------------------------------------------


def test_a_token_is_narrowed_to_clients_and_verbs_on_its_page(
    firm: Firm, client: TestClient, other_client: TestClient
):
    user = client.staff["lead"]
    firm.grant(user, other_client.id, "lead")
    browser = signed_in(user)
    form = {"label": "hours feed", "days": "30", "clients": [other_client.code], "verbs": ["read", "prepare"]}
    shown = text(browser.post("/settings/tokens", form))
    token = re.search(r"<code>(er_[\w-]+)</code>", shown)
    assert token
    holder = authenticate(token[1])
    assert holder.clients == {other_client.id} and holder.verbs == {"read", "prepare"}
    assert f"prepare, read, on {other_client.code}" in text(browser.get("/settings"))
    whole = text(browser.post("/settings/tokens", {"label": "whole", "days": "30"}))
    found = re.search(r"<code>(er_[\w-]+)</code>", whole)
    assert found and authenticate(found[1]).clients is None
    with pytest.raises(NotAuthenticated):
        authenticate(found[1] + "x")


def test_no_token_is_narrowed_to_anothers(firm: Firm, client: TestClient, other_client: TestClient):
    browser = signed_in(client.staff["lead"])
    here = {"referer": "http://127.0.0.1/settings"}
    for wrong in ({"clients": [other_client.code]}, {"verbs": ["admin"]}):
        answer = browser.post("/settings/tokens", {"label": "x", "days": "30"} | wrong, headers=here)
        assert answer.status_code == 422 and "not one of the available choices" in text(answer)
    with acting(client.staff["lead"]):
        assert not Token.objects.filter(user_id=client.staff["lead"].id).exists()
