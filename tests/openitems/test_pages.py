"""The pages of open items: what is left of each, by age, with control accounts beside them."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser

from engineroom.foundation.audit.models import AuditEvent
from engineroom.openitems import selectors
from engineroom.ui.display import format_money
from tests.firm import Firm, Temp, TestClient, run_payday, set_up
from tests.web.conftest import signed_in

TEMPS = [Temp("T1"), Temp("T2", "Al Smith", customer="BETA")]


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def browser_of(client: TestClient, role: str = "bookkeeper") -> Browser:
    return signed_in(client.staff[role])


@pytest.fixture
def paid(client: TestClient) -> TestClient:
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    return client


def test_what_is_open_is_what_the_selector_says(paid: TestClient) -> None:
    page = text(browser_of(paid).get(f"/c/{paid.code}/open"))
    with paid.acting("bookkeeper"):
        whole = selectors.open_items()
        listed = selectors.listed().rows
        controls = selectors.controls()
    assert list(listed) == sorted(whole, key=lambda i: (i.due, i.id))
    for item in whole:
        assert format_money(item.open, item.currency) in page
    assert len(controls) == page.count("Agrees") and "Differs" not in page
    assert "Owed to the client, GBP" in page and "Owed by the client, GBP" in page


def test_ages_add_up_to_what_is_open(paid: TestClient) -> None:
    with paid.acting("bookkeeper"):
        whole = selectors.open_items()
        by_kind = selectors.ageing()
        of_invoices = selectors.ageing(kind="invoice")
    assert sum(sum(a.amounts) for a in by_kind) == sum(abs(i.open) for i in whole)
    assert {a.of for a in of_invoices} == {"ACME Ltd", "BETA Ltd"}
    assert all(len(a.amounts) == len(selectors.AGES) for a in by_kind)


def test_filters_are_said(paid: TestClient) -> None:
    browser = browser_of(paid)
    page = text(browser.get(f"/c/{paid.code}/open?kind=invoice"))
    assert (
        "Filtered: invoice" in page and "INV-000001" in page and "Net wages" not in page.split("Control")[0]
    )
    assert "Filtered: net pay, settled ones too" in text(
        browser.get(f"/c/{paid.code}/open?kind=net_pay&settled=on")
    )
    assert "Nothing is open like that" in text(browser.get(f"/c/{paid.code}/open?account=9999"))


def test_one_item_shows_what_was_set_against_it_and_net_pay_leaves_a_trace(paid: TestClient) -> None:
    with paid.acting("bookkeeper"):
        item = next(i for i in selectors.open_items(kind="net_pay", include_closed=True))
        view = selectors.item(item.id)
    assert view is not None and view.item == item
    assert [a.amount for a in view.allocations] == [-item.amount]
    page = text(browser_of(paid).get(f"/c/{paid.code}/open/{item.id}"))
    assert "Settled" in page and format_money(-item.amount) in page and "payment file" in page
    with paid.acting("bookkeeper"):
        reads = AuditEvent.objects.filter(client_id=paid.id, verb="read", subject_id=item.id)
        assert reads.count() == 1


def test_nothing_open_says_what_comes(client: TestClient) -> None:
    assert "Nothing is open" in text(browser_of(client).get(f"/c/{client.code}/open"))


def test_who_may_see_it(firm: Firm, paid: TestClient, other_client: TestClient) -> None:
    with paid.acting("bookkeeper"):
        item = selectors.open_items()[0]
    theirs = browser_of(other_client)
    assert theirs.get(f"/c/{paid.code}/open").status_code == 404
    assert theirs.get(f"/c/{other_client.code}/open/{item.id}").status_code == 404
    admin = firm.new_user()
    firm.grant(admin, paid.id, "admin")
    assert signed_in(admin).get(f"/c/{paid.code}/open").status_code == 403
    assert browser_of(paid).get(f"/c/{paid.code}/open/{uuid4()}").status_code == 404
