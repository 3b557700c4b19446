"""Pages of templates: written and published, followed by clients, one action over many, a client's part."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import acting
from engineroom.people.accounts import set_account_policy
from engineroom.templates import selectors, services
from tests.firm import Firm, TestClient
from tests.templates.writing import USUAL, changed, published, text_of
from tests.web.conftest import signed_in

STARTS = "2026-12-01"


@pytest.fixture
def author(firm: Firm) -> Browser:
    """A lead of the house."""
    user = firm.new_user()
    firm.grant(user, firm.house_id, "lead")
    return signed_in(user)


def shown(browser: Browser, name: str, *args: Any, **query: str) -> str:
    response = browser.get(reverse(f"templates:{name}", args=args), query)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def done(browser: Browser, name: str, *args: Any, **posted: Any) -> str:
    """What is said once it is done, or not, on the page of the button."""
    stands_on = {"start": "clients", "save": "edit", "publish": "edit", "check": "edit"}.get(name, "client")
    page = "http://127.0.0.1" + reverse(f"templates:{stands_on}", args=args)
    where = reverse(f"templates:{name}", args=args)
    return browser.post(where, posted, follow=True, headers={"Referer": page}).content.decode()


def mark_of(browser: Browser, key: str) -> str:
    """Of the text that the editor begins with."""
    found = re.search(r'name="mark" value="([0-9a-f]*)"', shown(browser, "edit", key))
    assert found is not None
    return found[1]


def test_a_template_is_written_with_its_problems_beside_it_and_published(author: Browser):
    assert "new_template" in shown(author, "edit", "new")
    wrong = text_of("of_pages", {"Wages": {"a": {"b": "c"}}})
    assert "says nothing of &#x27;Wages&#x27;" in done(author, "check", "new", text=wrong)
    assert "1 error is left" in done(author, "save", "new", text=wrong, mark="")
    assert "Draft" in shown(author, "templates")
    mark = mark_of(author, "of_pages")
    said = done(author, "publish", "of_pages", text=wrong, mark=mark)
    assert "Not published" in said
    mark = mark_of(author, "of_pages")
    said = done(author, "publish", "of_pages", text=text_of("of_pages", USUAL), mark=mark, note="the first")
    assert "Version 1 is published" in said
    page = shown(author, "template", "of_pages")
    assert "the first" in page and "Banking days before pay day" in page and "Two days" in page
    moved = done(author, "save", "of_pages", text=text_of("of_pages", changed()) + "\n", mark="0" * 64)
    assert "somebody kept another text" in moved.lower()


def test_what_changed_between_versions_stands_value_by_value(firm: Firm, author: Browser):
    first = published(firm)
    published(firm, changed(Promises={"all_others": {"minutes": "480"}}), first.key)
    page = shown(author, "diff", first.key)
    assert "Promises: all_others, minutes" in page and "1 change" in page
    assert "No value changed" in shown(author, "diff", first.key, before="1", after="1")
    assert shown(author, "version", first.key, 1)
    assert author.get(reverse("templates:version", args=[first.key, 9])).status_code == 404


def test_a_client_follows_has_values_of_its_own_and_is_brought_into_line(firm: Firm, client: TestClient):
    version = published(firm)
    lead = signed_in(client.staff["lead"])
    assert "follows no template" in shown(lead, "client", client.code)
    said = done(lead, "client_follow", client.code, template=version.key, reason="as agreed")
    assert "follows version 1" in said and "Not there" in said
    what = "pay_schedules/MONTHLY/cut_off_days"
    given = {"what": what, "doing": "otherwise", "value": "three", "reason": "their clerk"}
    assert "is not a whole number" in done(lead, "client_otherwise", client.code, **given)
    said = done(lead, "client_otherwise", client.code, **given | {"value": "3"})
    assert "Said of MONTHLY" in said and "their clerk" in said
    items = ["pay_schedules/MONTHLY", "account_holds/bank_accounts"]
    said = done(lead, "client_align", client.code, starts=STARTS, item=items)
    assert "2 items are in line" in said
    with client.acting("lead"):
        states = {line.value.address[:2]: line.value.state for line in selectors.compared_here().lines}
    assert states[("account_holds", "bank_accounts")] == "same"
    assert states[("promises", "all_others")] == "missing"
    with client.acting("lead"):
        set_account_policy(False, reason="by hand")
    page = shown(lead, "client", client.code)
    assert "Changed by hand" in page
    hold = {"what": "account_holds/bank_accounts/hold_first", "doing": "accept", "reason": "as they like it"}
    assert "as they like it" in done(lead, "client_otherwise", client.code, **hold)
    assert "choose what is to be brought" in done(lead, "client_align", client.code, starts=STARTS)
    assert "no template any more" in done(lead, "client_stop", client.code, reason="they leave us")


def test_one_action_over_many_clients_with_a_result_for_each(firm: Firm):
    clients = [firm.new_client(with_books=n == 0) for n in range(2)]
    user = firm.new_user()
    for one in clients:
        firm.grant(user, one.id, "lead")
    browser, version = signed_in(user), published(firm)
    page = shown(browser, "clients", version.key)
    assert page.count('name="client"') == 2 and "Follows none" in page
    assert "choose clients" in done(browser, "start", version.key, action="follow", starts=STARTS)
    codes = [one.code for one in clients]
    said = done(browser, "start", version.key, action="rehearse", starts=STARTS, client=codes)
    assert "Rehearse this version: 2 clients" in said and "Queued" in said
    run_worker(wait=False)
    with acting(user, read=[one.id for one in clients]):
        assert not selectors.following()
    response = browser.post(
        reverse("templates:start", args=[version.key]),
        {"action": "follow", "starts": STARTS, "client": codes},
    )
    run_worker(wait=False)
    page = browser.get(response.headers["Location"]).content.decode()
    assert "Not all of it" in page and "Accounts 7100" in page and "Queued" not in page
    page = shown(browser, "clients", version.key)
    assert "In line" in page and "To be brought into line" in page
    published(firm, changed(Promises={"all_others": {"minutes": "480"}}), version.key)
    assert "Behind" in shown(browser, "clients", version.key)
    assert "Behind" in shown(browser, "templates")


def test_a_specialist_sees_and_changes_nothing(firm: Firm, client: TestClient):
    version = published(firm)
    with client.acting("lead"):
        services.follow(version.key, reason="as agreed")
        services.apply_template(date(2026, 12, 1))
    browser = signed_in(client.staff["specialist"])
    page = shown(browser, "client", client.code)
    assert "As the template" in page and "<textarea" not in page and 'name="doing"' not in page
    assert 'name="client"' not in shown(browser, "clients", version.key)
    assert browser.post(reverse("templates:client_stop", args=[client.code])).status_code == 403
