"""Today and a client's home: what has to be done, for whom, by when; gone when it is done."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from engineroom.foundation import duties, kept
from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant
from engineroom.foundation.duties import Task
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.payday import steps
from engineroom.web import today_pages
from tests.firm import PAY_DATE, Firm, Temp, TestClient, approve_payday, hours_file, set_up
from tests.web.conftest import signed_in

TUESDAY = date(2026, 11, 24)
SUBMIT_BY = date(2026, 11, 25)


def board(user: Identity, client: TestClient, day: date = TUESDAY) -> dict[str, Task]:
    """What is kept from before, with what was done since, is what one would find who asks for all anew."""
    with acting(user, read=[client.id]):
        seen = duties.tasks(day)
    kept.forget()
    with acting(user, read=[client.id]):
        assert duties.tasks(day) == seen
    return {task.duty.what: task for task in seen}


@pytest.fixture
def hours(client: TestClient) -> TestClient:
    temps = [Temp("T1", "Asha Rao"), Temp("T2", "Ben Okri", status="disputed")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    return client


def test_a_payday_is_one_duty_after_another_and_each_is_gone_when_it_is_done(hours: TestClient):
    staff = hours.staff
    seen = board(staff["specialist"], hours)
    assert seen["Pay 2 timesheets"].state == "mine"
    assert seen["Pay 2 timesheets"].duty.due == SUBMIT_BY, "two banking days before the pay date"
    assert board(staff["checker"], hours)["Pay 2 timesheets"].state == "colleague"
    assert next(t for what, t in seen.items() if "held" in what).state == "client"

    steps.calculate(staff["specialist"], hours.id, PAY_DATE)
    seen = board(staff["lead"], hours)
    assert "Pay 2 timesheets" not in seen
    assert seen["Check pay run 1"].state == "mine" and seen["Check bill run 1"].state == "mine"
    assert board(staff["specialist"], hours)["Check pay run 1"].state == "colleague"

    approve_payday(hours)
    seen = board(staff["checker"], hours)
    assert "Check pay run 1" not in seen
    assert seen["Release pay run 1"].state == "mine" and seen["Release pay run 1"].duty.due == SUBMIT_BY
    assert seen["Issue bill run 1"].state == "mine"
    assert board(staff["specialist"], hours)["Issue bill run 1"].state == "colleague", "who prepares"
    seen = board(staff["lead"], hours)
    assert seen["Release pay run 1"].state == "colleague", "who approved it"
    assert seen["Issue bill run 1"].state == "colleague", "who approved it"
    page = signed_in(staff["lead"]).get(f"/c/{hours.code}/bills/runs/1").content.decode()
    assert "somebody else issues it" in page and 'id="issue"' not in page
    page = signed_in(staff["checker"]).get(f"/c/{hours.code}/bills/runs/1").content.decode()
    assert "somebody else issues it" not in page and 'id="issue"' in page

    steps.release(staff["checker"], hours.id, PAY_DATE)
    steps.issue(staff["checker"], hours.id, PAY_DATE)
    seen = board(staff["bookkeeper"], hours)
    assert not {"Release pay run 1", "Issue bill run 1"} & set(seen)
    assert seen["Submit payment file ER000001"].state == "mine"
    assert seen["PAYE, NIC and loans to HMRC"].duty.due == date(2026, 12, 22)


def test_who_prepared_a_run_is_not_asked_to_check_it(hours: TestClient):
    """A lead may prepare and approve, but never the same thing: it waits for a colleague."""
    steps.calculate(hours.staff["lead"], hours.id, PAY_DATE)
    assert board(hours.staff["lead"], hours)["Check pay run 1"].state == "colleague"
    assert board(hours.staff["owner"], hours)["Check pay run 1"].state == "mine"


def test_a_promise_is_late_on_its_day_and_stands_first(hours: TestClient):
    seen = list(board(hours.staff["specialist"], hours, SUBMIT_BY).values())
    assert seen[0].late and seen[0].duty.what == "Pay 2 timesheets"
    assert not board(hours.staff["specialist"], hours, SUBMIT_BY - timedelta(days=1))["Pay 2 timesheets"].late


def test_today_is_of_my_clients_and_of_what_i_may_read(
    firm: Firm, hours: TestClient, other_client: TestClient
):
    text = signed_in(hours.staff["specialist"]).get("/today").content.decode()
    assert "Pay 2 timesheets" in text and hours.code in text
    text = signed_in(other_client.staff["specialist"]).get("/today").content.decode()
    assert "Pay 2 timesheets" not in text and "Nothing waits for you" in text
    admin = firm.new_user()
    firm.grant(admin, hours.id, "admin")
    assert "timesheets" not in signed_in(admin).get("/today").content.decode(), "no client data"


def test_a_clients_home_shows_its_board_its_run_and_its_books(hours: TestClient):
    steps.calculate(hours.staff["specialist"], hours.id, PAY_DATE)
    approve_payday(hours)
    steps.release(hours.staff["checker"], hours.id, PAY_DATE)
    text = signed_in(hours.staff["lead"]).get(f"/c/{hours.code}").content.decode()
    for words in ("Latest pay run", "Owed and owing", "Balanced", "Submit payment file ER000001"):
        assert words in text, words


def test_a_board_begins_with_what_breaks_first_and_shows_all_where_it_is_asked_to(
    hours: TestClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(today_pages, "AT_FIRST", 1)
    steps.calculate(hours.staff["specialist"], hours.id, PAY_DATE)
    browser = signed_in(hours.staff["lead"])
    text = browser.get(f"/c/{hours.code}").content.decode()
    assert text.count('class="row"') == 2 and "All 2 that wait for me" in text
    whole = browser.get(f"/c/{hours.code}?all=mine").content.decode()
    assert whole.count('class="row"') == 3 and "that wait for me" not in whole
    assert "Check pay run 1" in whole and "Check bill run 1" in whole
    assert browser.get("/today?all=nothing").status_code == 200


def test_what_is_kept_is_shown_to_nobody_whose_grant_has_ended(
    firm: Firm, hours: TestClient, other_client: TestClient
):
    """Everybody's questions are answered from what one has asked; each sees their own clients of it."""
    steps.calculate(hours.staff["specialist"], hours.id, PAY_DATE)
    lead, visitor = hours.staff["lead"], firm.new_user()
    firm.grant(visitor, other_client.id, "lead")
    firm.grant(visitor, hours.id, "lead")
    for browser in (signed_in(lead), signed_in(visitor)):
        assert "Check pay run 1" in browser.get("/today").content.decode()
        assert browser.get(f"/c/{hours.code}/runs/1").status_code == 200
    with acting(firm.admin, write=firm.house_id):
        grant = Grant.objects.get(user_id=visitor.id, of_client_id=hours.id)
        yesterday = timezone.now().date() - timedelta(days=1)
        access.end_grant(grant.id, ends=yesterday, reason="moved to another team")
    browser = signed_in(visitor)
    assert "Check pay run 1" not in browser.get("/today").content.decode()
    for address in (f"/c/{hours.code}", f"/c/{hours.code}/runs/1"):
        assert browser.get(address).status_code == 404
    assert "Check pay run 1" in signed_in(lead).get("/today").content.decode()
