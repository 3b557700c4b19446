"""What a client is asked: the clock stands, both sides read so, the answer comes by portal, link or mail."""

from __future__ import annotations

from email.message import EmailMessage
from uuid import UUID

import pytest
from django.urls import reverse

from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.sop import drafts, services
from engineroom.sop.models import CaseEvent, Task, TaskEvidence
from engineroom.web import mail_answers, request_pages
from tests.firm import Firm, TestClient
from tests.web.conftest import letters, link_in, new_browser, reply, signed_in

pytestmark = pytest.mark.usefixtures("outbox")

TEXT = """---
procedure: asks
title: Asks
---
## Ask for it
```yaml
ask:
  - text: What it is
    key: what
  - number: How much
    key: how_much
  - file: The paper
    key: paper
    optional: yes
sla: 2 working days
```
Please tell us what it is.
"""


@pytest.fixture(scope="module")
def asks(firm: Firm) -> str:
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(TEXT).key


@pytest.fixture
def contact(firm: Firm, client: TestClient) -> Identity:
    user = firm.new_user("client")
    firm.grant(user, client.id, "client_finance")
    return user


def asked(client: TestClient) -> UUID:
    with client.acting("specialist"):
        case_id = services.start_case("asks").case_id
        return Task.objects.get(client_id=client.id, case_id=case_id).id


def clock(client: TestClient) -> list[str]:
    with client.acting("lead"):
        events = CaseEvent.objects.filter(
            client_id=client.id, kind__in=["paused", "resumed", "asked", "done"]
        )
        return list(events.order_by("seq").values_list("kind", flat=True))


@pytest.mark.behaviour("FIRM-02")
def test_a_request_stops_the_clock_and_says_so_to_both_sides(
    client: TestClient, contact: Identity, asks: str
) -> None:
    task = asked(client)
    assert clock(client) == ["paused"]
    firm_page = (
        signed_in(client.staff["lead"]).get(reverse("sop:case", args=[client.code, 1])).content.decode()
    )
    assert "the clock stands still" in firm_page
    browser = signed_in(contact)
    home = browser.get(reverse("portal_client", args=[client.code])).content.decode()
    assert "Ask for it" in home and "our clock stands still until you answer" in home
    page = browser.get(reverse("portal_request", args=[client.code, task])).content.decode()
    assert "Our clock stands still until you answer" in page and "Please tell us what it is." in page
    where = reverse("portal_request_answer", args=[client.code, task])
    half = browser.post(where, {"f-what": "a lease"}, follow=True).content.decode()
    assert "evidence is missing: How much" in half
    assert clock(client) == ["paused"]
    done = browser.post(where, {"f-what": "a lease", "f-how_much": "1,250.00"}, follow=True).content.decode()
    assert "our clock runs again" in done
    assert clock(client) == ["paused", "resumed", "done"]
    with client.acting("lead"):
        assert Task.objects.get(client_id=client.id, id=task).ended_by_id == contact.id
    assert (
        "The clock goes on"
        in signed_in(client.staff["lead"]).get(reverse("sop:case", args=[client.code, 1])).content.decode()
    )


def test_a_client_works_no_task_of_the_firms_and_answers_no_other_companys(
    client: TestClient, other_client: TestClient, contact: Identity, asks: str
) -> None:
    task = asked(other_client)
    browser = signed_in(contact)
    assert browser.get(reverse("portal_request", args=[client.code, task])).status_code == 404
    assert browser.get(reverse("portal_request", args=[other_client.code, task])).status_code == 404


def test_the_link_of_a_mail_takes_one_answer_and_looking_does_not_use_it_up(
    client: TestClient, contact: Identity, asks: str
) -> None:
    task = asked(client)
    with client.acting("specialist"):
        assert request_pages.ask_client(task).asked == 1
    [letter] = letters(contact.email)
    assert "our clock stands still" in letter
    url, browser = link_in(letter), new_browser()
    for _ in range(2):
        assert "Please tell us what it is." in browser.get(url).content.decode()
    wrong = browser.post(url, {"f-what": "a lease", "f-how_much": "lots"})
    assert wrong.status_code == 422 and "is no number" in wrong.content.decode()
    assert (
        "The link is used up" in browser.post(url, {"f-what": "a lease", "f-how_much": "5"}).content.decode()
    )
    assert browser.get(url).status_code == 410
    assert browser.post(url, {"f-what": "again", "f-how_much": "6"}).status_code == 410
    assert clock(client) == ["paused", "asked", "resumed", "done"]


def test_a_reply_by_mail_is_the_answer_once_and_from_whom_was_asked(
    client: TestClient, contact: Identity, asks: str
) -> None:
    task = asked(client)
    with client.acting("specialist"):
        request_pages.ask_client(task)
    [letter] = letters(contact.email)
    stranger = reply(letter, "mallory@elsewhere.example", "A lease.\nHow much: 5")
    said = mail_answers.import_mail(bytes(stranger), "1.eml", [client.id])
    assert said.case_number is None and "not from whom was asked" in said.why
    half = mail_answers.import_mail(bytes(reply(letter, contact.email, "A lease.")), "2.eml", [client.id])
    assert half.case_number is None and "evidence is missing: How much" in half.why
    long = reply(letter, contact.email, f"How much: 5\n{'x' * 4_001}")
    whole = mail_answers.import_mail(bytes(long), "2b.eml", [client.id])
    assert whole.case_number is None and "the what has 4,001 letters" in whole.why
    mail = reply(letter, f"Them <{contact.email}>", "A lease.\nHow much: 1,250")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="lease.pdf")
    assert mail_answers.import_mail(bytes(mail), "3.eml", []).case_number is None, (
        "not of a client I work for"
    )
    assert mail_answers.import_mail(bytes(mail), "3.eml", [client.id]).case_number == 1
    again = mail_answers.import_mail(bytes(mail), "3.eml", [client.id])
    assert again.case_number is None and "was used" in again.why
    with client.acting("lead"):
        row = Task.objects.get(client_id=client.id, id=task)
        assert (row.state, row.ended_by_id) == ("done", contact.id)
        paper = TaskEvidence.objects.get(client_id=client.id, task_id=task, key="paper").file_id
        assert row.case.values == {"what": "A lease.", "how_much": "1,250", "paper": str(paper)}
    nothing = EmailMessage()
    nothing["From"] = contact.email
    nothing.set_content("hello")
    assert "no reference" in mail_answers.import_mail(bytes(nothing), "4.eml", [client.id]).why
    odd = bytes(nothing).replace(b'charset="utf-8"', b'charset="x-klingon"')
    assert b"x-klingon" in odd
    assert "no reference" in mail_answers.import_mail(odd, "5.eml", [client.id]).why
