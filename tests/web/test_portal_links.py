"""A link in a mail opens one thing, once, for the one it was made for, until it is too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import psycopg
import pytest
from django.conf import settings

from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import Identity
from engineroom.kernel.errors import Conflict, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.payday import steps
from engineroom.payroll import selectors as payroll
from engineroom.people import services as people
from engineroom.people.models import Person
from engineroom.web import letters as letters_of
from engineroom.web import links
from engineroom.web.models import Link
from tests.firm import (
    PAY_DATE,
    Firm,
    Temp,
    TestClient,
    connect,
    enter,
    hours_file,
    run_payday,
    set_up,
    superuser,
)
from tests.web.conftest import letters, link_in, new_browser, signed_in

pytestmark = pytest.mark.usefixtures("outbox")


@dataclass
class Told:
    """Jo has a login, Al only an address, Bo neither; everybody was told once."""

    client: TestClient
    jo: Identity
    approver: Identity
    run_id: object
    notice: links.PayslipsNoticed


@pytest.fixture(scope="module")
def told(firm: Firm, outbox) -> Told:
    client = firm.new_client()
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith"), Temp("T3", "Bo Jones")]
    set_up(client, temps)
    run_payday(client, temps, with_papers=True)
    jo, approver = firm.new_user("employee"), firm.new_user("client")
    firm.grant(jo, client.id, "employee")
    firm.grant(approver, client.id, "client_approver")
    with client.acting("lead"):
        person = Person.objects.get(client_id=client.id, payroll_number="T1")
        people.give_login(person.counterparty_id, jo.id, starts=date(2026, 1, 5))
    with client.acting("specialist"):
        Person.objects.filter(client_id=client.id, payroll_number="T2").update(
            email=f"al@{client.code}.example"
        )
        run = payroll.run_of(PAY_DATE)
        notice = links.notify_payslips(run.id)
    return Told(client, jo, approver, run.id, notice)


def fresh(told: Told, *, kind: str = "payslip", number: str = "T1", user: Identity | None = None) -> str:
    """The address of a new link."""
    with told.client.acting("specialist"):
        slips = {s.payroll_number: s for s in payroll.payslips(payroll.run_of(PAY_DATE))}
        subject = slips[number].id if kind == "payslip" else told.run_id
        who = user or told.jo
        link = letters_of.new_link(kind, subject, who.email, user_id=who.id)
        link.save(force_insert=True)
    return letters_of.url_of(link.id).removeprefix(settings.BASE_URL)


def test_everybody_with_a_login_or_an_address_is_mailed_once(told):
    assert (told.notice.written, told.notice.written_before, told.notice.without_address) == (2, 0, 1)
    assert len(letters(told.jo.email)) == 1 and len(letters(f"al@{told.client.code}.example")) == 1
    with told.client.acting("specialist"):
        again = links.notify_payslips(told.run_id)
    assert (again.written, again.written_before, again.without_address) == (0, 2, 1)


def test_no_amount_stands_in_a_letter_and_no_token_in_the_database(told):
    letter = letters(told.jo.email)[0]
    assert "£" not in letter and "payslip of" in letter
    token = link_in(letter).rpartition("/")[2]
    with superuser() as look:
        dump = look.execute("SELECT string_agg(l::text, '') FROM web_link l").fetchone()[0]
        dump += look.execute("SELECT string_agg(l::text, '') FROM web_letter l").fetchone()[0]
        assert told.jo.email in dump
        trail = look.execute("SELECT string_agg(detail::text, '') FROM foundation_auditevent").fetchone()[0]
    assert token not in dump and token not in trail


def test_looking_uses_nothing_up_and_opening_does(told):
    url = fresh(told)
    browser = new_browser()
    for _ in range(3):
        assert "Open my payslip" in browser.get(url).content.decode()
    assert browser.head(url).status_code == 200
    opened = browser.post(url)
    assert opened.status_code == 200 and opened.content.startswith(b"%PDF")
    for again in (browser.post(url), browser.get(url), new_browser().post(url)):
        assert again.status_code == 410 and "opens once" in again.content.decode()


def test_a_person_without_a_login_opens_theirs_and_it_is_logged(told):
    url = link_in(letters(f"al@{told.client.code}.example")[0])
    assert new_browser().post(url).content.startswith(b"%PDF")
    with told.client.acting("lead"):
        [event] = AuditEvent.objects.filter(
            verb="read", subject_kind="payslip", detail__link=url.split("/")[2]
        )
        assert event.subject_id is not None


def test_a_link_does_not_open_somebody_elses_payslip_even_if_it_was_made_for_it(told):
    """Made wrongly, for Al's payslip and Jo's eyes: PostgreSQL shows Jo no such file."""
    url = fresh(told, number="T2")
    refused = new_browser().post(url)
    assert refused.status_code == 410 and b"%PDF" not in refused.content


def test_a_link_signs_nobody_in(told):
    browser = new_browser()
    browser.post(fresh(told))
    assert browser.get(f"/me/{told.client.code}").status_code == 303, "to the door"


def test_another_id_or_another_token_opens_nothing(told):
    mine, theirs = fresh(told), fresh(told, number="T2")
    _, _, my_id, my_token = mine.split("/")
    _, _, their_id, their_token = theirs.split("/")
    for wrong in (
        f"/open/{their_id}/{my_token}",
        f"/open/{my_id}/{their_token}",
        f"/open/{uuid7()}/{my_token}",
        f"/open/{my_id}/{my_token[:-1]}",
    ):
        for answer in (new_browser().get(wrong), new_browser().post(wrong)):
            assert answer.status_code == 404 and "opens nothing" in answer.content.decode()
    assert new_browser().post(mine).status_code == 200, "and it was not used up"


def test_a_link_expires(told):
    url = fresh(told)
    link_id = url.split("/")[2]
    with superuser() as anybody:
        anybody.execute("ALTER TABLE web_link DISABLE TRIGGER USER")
        anybody.execute("UPDATE web_link SET expires_at = now() WHERE id = %s", [link_id])
        anybody.execute("ALTER TABLE web_link ENABLE TRIGGER USER")
    for answer in (new_browser().get(url), new_browser().post(url)):
        assert answer.status_code == 410 and "Ask whoever sent it" in answer.content.decode()


def test_a_link_ends_with_what_its_reader_may_see(firm, told):
    user = firm.new_user("client")
    url = fresh(told, kind="pay_run", user=user)
    assert new_browser().post(url).status_code == 410, "no grant on the client"


def test_the_clients_approver_is_asked_and_the_link_shows_the_run_and_approves_nothing(told):
    client = told.client
    hours = hours_file(client, [Temp("T1")], PAY_DATE.replace(day=23), "hours-asked.csv")
    client.take("timesheets", hours)
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE.replace(month=12, day=4))
    with client.acting("specialist"):
        run = payroll.run_of(PAY_DATE.replace(month=12, day=4))
    asked = signed_in(client.staff["specialist"]).post(
        f"/c/{client.code}/runs/{run.number}/ask", {"form_key": "k"}, follow=True
    )
    assert "1 approver is asked by mail" in asked.content.decode()
    before = len(letters(told.approver.email))
    page = signed_in(client.staff["specialist"]).get(f"/c/{client.code}/runs/{run.number}").content.decode()
    assert "asked at" in page and "Ask the client" not in page
    again = signed_in(client.staff["specialist"]).post(
        f"/c/{client.code}/runs/{run.number}/ask",
        {"form_key": "another press"},
        headers={"referer": f"http://127.0.0.1/c/{client.code}/runs/{run.number}"},
        follow=True,
    )
    assert "to approve exactly this" in again.content.decode()
    assert len(letters(told.approver.email)) == before, "one letter for one content"
    url = link_in(letters(told.approver.email)[-1])
    page = new_browser().post(url)
    text = page.content.decode()
    assert page.status_code == 200 and "Sign in to approve it" in text and "Jo Bloggs" not in text
    assert new_browser().post(f"/portal/{client.code}/runs/{run.number}/approve").status_code in (302, 303)


def test_nobody_is_told_of_a_run_that_is_not_released_or_asked_without_a_permission(told, firm):
    with told.client.acting("checker"), pytest.raises(NotPermitted):
        links.notify_payslips(told.run_id)
    with told.client.acting("specialist"), pytest.raises(Conflict, match="is released"):
        links.ask_approver(told.run_id)


def test_raw_sql_as_the_app_sees_no_links_of_another_client_and_uses_none_up(told, other_client):
    url = fresh(told)
    link_id = url.split("/")[2]
    with connect() as app:
        assert app.execute("SELECT count(*) FROM web_link").fetchone() == (0,), "outside acting"
        app.rollback()
        enter(app, other_client.staff["lead"], write=other_client.id)
        assert app.execute("SELECT count(*) FROM web_link WHERE id = %s", [link_id]).fetchone() == (0,)
        assert app.execute("SELECT app_use_link(%s, '\\x00')", [link_id]).fetchone() == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("INSERT INTO web_linkuse (id, client_id) VALUES (%s, %s)", [link_id, told.client.id])
    with told.client.acting("specialist"):
        assert Link.objects.filter(id=link_id).exists()
