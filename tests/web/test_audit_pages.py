"""The audit trail's pages: every event once, filtered as asked, and the chain proven or its break named."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import uuid4

from django.test import Client as Browser

from engineroom.foundation.audit import selectors, services
from engineroom.foundation.audit.models import AuditEvent
from engineroom.ledger import services as ledger
from tests.firm import Firm, TestClient, superuser
from tests.web.conftest import signed_in


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def browser_of(client: TestClient, role: str = "lead") -> Browser:
    return signed_in(client.staff[role])


def lock(client: TestClient, times: int = 1) -> None:
    """Something for the trail: the bookkeeper locks the books."""
    for day in range(times):
        with client.acting("bookkeeper"):
            ledger.lock_period(date(2026, 1, 1 + day % 28), reason=f"month {day}")


def seal(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        services.seal()


def test_every_event_stands_there_with_who_did_it_and_its_seal(client: TestClient) -> None:
    lock(client)
    page = text(browser_of(client).get(f"/c/{client.code}/audit"))
    assert "ledger.lock_period" in page and "Not sealed" in page
    assert client.staff["bookkeeper"].name in page
    seal(client)
    sealed = text(browser_of(client).get(f"/c/{client.code}/audit"))
    with client.acting("lead"):
        assert selectors.sealed().waiting == 0
        assert f"Sealed through {selectors.sealed().seal_no}" in sealed


def test_filters_by_who_verb_subject_and_day(client: TestClient) -> None:
    lock(client)
    browser = browser_of(client)
    who = client.staff["bookkeeper"]
    for query, words in (
        (f"who={who.email}", f"by {who.email}"),
        ("verb=ledger.lock_period", "ledger.lock_period"),
        ("since=2020-01-01&until=2099-01-01", "from 1 Jan 2020, until 1 Jan 2099"),
    ):
        page = text(browser.get(f"/c/{client.code}/audit?{query}"))
        assert f"Filtered: {words}" in page and ">ledger.lock_period</span>" in page
    for query in (
        "who=nobody-at-all",
        "subject_kind=moon",
        "until=2020-01-01",
        "verb=billing.issue_bill_run",
    ):
        assert "No event is like that" in text(browser.get(f"/c/{client.code}/audit?{query}"))
    of_book = text(browser.get(f"/c/{client.code}/audit?subject_kind=Book"))
    assert "ledger.open_book" in of_book and ">ledger.lock_period</span>" not in of_book


def test_pages_by_cursor_hold_every_event_once(client: TestClient) -> None:
    lock(client, times=60)
    browser, address, seen = browser_of(client), f"/c/{client.code}/audit", []
    while address:
        body = browser.get(address).content.decode()
        seen += re.findall(r'class="row" href="/c/[^/]+/audit/([0-9a-f-]{36})"', body)
        onward = re.search(r'rel="next" href="([^"]+)"', body)
        address = f"/c/{client.code}/audit" + onward[1].replace("&amp;", "&") if onward else ""
    with client.acting("lead"):
        assert len(seen) == len(set(seen)) == AuditEvent.objects.filter(client_id=client.id).count() > 60
    assert browser.get(f"/c/{client.code}/audit?at=zzz").status_code == 404


def test_one_event_says_all_of_it(client: TestClient) -> None:
    lock(client)
    with client.acting("lead"):
        event = AuditEvent.objects.get(client_id=client.id, verb="ledger.lock_period")
    page = text(browser_of(client).get(f"/c/{client.code}/audit/{event.id}"))
    assert "month 0" in page and client.staff["bookkeeper"].email in page and "Not sealed yet" in page
    seal(client)
    with client.acting("lead"):
        found = selectors.event(event.id)
    assert found is not None and found.seal_no
    assert found.hash in text(browser_of(client).get(f"/c/{client.code}/audit/{event.id}"))


def test_the_chain_is_proven_and_the_first_broken_row_is_named(client: TestClient) -> None:
    lock(client, times=3)
    seal(client)
    page = text(browser_of(client).get(f"/c/{client.code}/audit/proof"))
    assert "Whole" in page and "Broken" not in page
    with superuser() as tamperer:
        tamperer.execute("SET session_replication_role = replica")
        tamperer.execute(
            "UPDATE foundation_auditevent SET verb = 'nothing.much' WHERE client_id = %s AND id = "
            "(SELECT id FROM foundation_auditseal WHERE client_id = %s AND seal_no = 2)",
            [client.id, client.id],
        )
    page = text(browser_of(client).get(f"/c/{client.code}/audit/proof"))
    assert "The chain is broken" in page and "seal 2 does not fit" in page


def test_who_may_see_the_trail(firm: Firm, client: TestClient, other_client: TestClient) -> None:
    lock(client)
    with client.acting("lead"):
        event = AuditEvent.objects.filter(client_id=client.id).first()
    assert event is not None
    auditor, admin, contact = firm.new_user(), firm.new_user(), firm.new_user("client")
    firm.grant(auditor, client.id, "auditor", ends=date(2099, 1, 1))
    firm.grant(admin, client.id, "admin")
    firm.grant(contact, client.id, "client_finance")
    for address in ("audit", "audit/proof", f"audit/{event.id}"):
        assert signed_in(auditor).get(f"/c/{client.code}/{address}").status_code == 200
        assert signed_in(admin).get(f"/c/{client.code}/{address}").status_code == 403
        assert signed_in(contact).get(f"/c/{client.code}/{address}").status_code == 404
        assert browser_of(other_client).get(f"/c/{client.code}/{address}").status_code == 404
    assert browser_of(other_client).get(f"/c/{other_client.code}/audit/{event.id}").status_code == 404
    assert browser_of(client).get(f"/c/{client.code}/audit/{uuid4()}").status_code == 404
