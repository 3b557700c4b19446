"""What an action refuses stands beside the fields of its form, on its own page, with what was typed."""

from __future__ import annotations

import re

import pytest

from engineroom.foundation.access.models import User
from engineroom.foundation.tenancy.scope import acting
from tests.firm import Firm, TestClient
from tests.web.conftest import signed_in


def text(answer) -> str:
    return answer.content.decode()


def posted(browser, where: str, on: str, values: dict[str, str]):
    return browser.post(where, values, headers={"referer": f"http://127.0.0.1{on}"})


def test_a_field_that_is_wrong_says_so_beside_itself_and_the_others_keep_what_was_typed(firm: Firm):
    browser = signed_in(firm.admin)
    values = {"email": "not an address", "name": "Nora Newcomer", "kind": "client"}
    answer = posted(browser, "/settings/users/add", "/settings/users", values)
    page = text(answer)
    assert answer.status_code == 422
    assert "<h1>Users</h1>" in page and "Live grants" in page, "the page of the form, and not one of its own"
    assert 'id="id_email_error"' in page and 'aria-invalid="true"' in page
    assert 'value="Nora Newcomer"' in page and 'value="not an address"' in page
    assert '<option value="client" selected>' in page
    assert '<meta name="address" content="/settings/users">' in page
    with acting(firm.admin):
        assert not User.objects.filter(name="Nora Newcomer").exists()


def test_what_a_command_refuses_stands_beside_its_field_too(firm: Firm):
    """The form itself finds nothing wrong: that somebody has the address already, the command knows."""
    browser = signed_in(firm.admin)
    values = {"email": firm.owner.email, "name": "Twin", "kind": "staff"}
    page = text(posted(browser, "/settings/users/add", "/settings/users", values))
    error = re.search(r'id="id_email_error">([^<]+)<', page)
    assert error and "already exists" in error[1]
    assert 'value="Twin"' in page


def test_a_refusal_of_no_field_stands_above_the_form(firm: Firm, client: TestClient):
    worker = firm.new_user("worker")
    on = f"/settings/users/{worker.id}"
    values = {
        "client": str(client.id),
        "role": "lead",
        "starts": "2026-01-01",
        "ends": "",
        "reason": "asked to",
    }
    answer = posted(signed_in(firm.admin), f"{on}/grant", on, values)
    page = text(answer)
    assert answer.status_code == 403 and 'value="asked to"' in page
    assert re.search(r'class="form-errors".+not for a user of this kind', page, re.DOTALL)


def test_a_form_in_a_dialog_stands_open(client: TestClient):
    browser = signed_in(client.staff["bookkeeper"])
    on = f"/c/{client.code}/books/periods"
    assert '<dialog id="lock" aria-labelledby="lock-title">' in text(browser.get(on))
    answer = posted(browser, f"{on}/lock", on, {"through": "2026-10-31", "reason": ""})
    page = text(answer)
    assert answer.status_code == 422 and 'value="2026-10-31"' in page
    assert '<dialog id="lock" open' in page and 'id="id_reason_error"' in page


def test_the_page_keeps_its_own_question(firm: Firm, client: TestClient):
    """Its address with what is asked there: a list stays on the rows it showed."""
    browser = signed_in(client.staff["bookkeeper"])
    answer = posted(
        browser,
        f"/c/{client.code}/books/periods/lock",
        f"/c/{client.code}/books/periods?x=1",
        {"through": "x"},
    )
    assert f'content="/c/{client.code}/books/periods?x=1"' in text(answer)


@pytest.mark.parametrize("on", ["/settings", "/nowhere", "/settings/users/add", "/c/NOBODY/bank"])
def test_from_a_page_without_that_form_the_refusal_has_a_page_of_its_own(firm: Firm, on: str):
    answer = posted(
        signed_in(firm.admin), "/settings/users/add", on, {"email": "x", "name": "N", "kind": "staff"}
    )
    assert answer.status_code == 422
    assert "The input has problems" in text(answer) and "Address" in text(answer)


def test_what_is_typed_is_shown_as_text(firm: Firm):
    values = {"email": '"><script>alert(1)</script>', "name": "N", "kind": "staff"}
    page = text(posted(signed_in(firm.admin), "/settings/users/add", "/settings/users", values))
    assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_a_form_that_was_right_is_not_remembered(firm: Firm):
    browser = signed_in(firm.admin)
    posted(
        browser,
        "/settings/users/add",
        "/settings/users",
        {"email": "x", "name": "Left Over", "kind": "staff"},
    )
    assert "Left Over" not in text(browser.get("/settings/users"))
