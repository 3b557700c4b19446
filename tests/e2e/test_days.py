"""The days of those who work in it, as they go through the pages."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.slow

N = "/c/NORTHGATE"


def heading(visitor: Visitor) -> str:
    return str(visitor.page.locator("h1").inner_text())


def test_a_newcomer_follows_one_hour_to_its_bank_line_in_three_clicks(visit) -> None:
    """Time, the timesheet, the hour's thread: there the bank line stands, cleared."""
    priya = visit("priya")
    page = priya.go(f"{N}/people/N1036")
    page.locator("a[href*='/time/']").last.click()
    page.locator("a[href*='/thread/hour/']").first.click()
    assert "Aoife O'Neil" in heading(priya)
    for lane in ("Worked", "Became", "On a document", "Owed", "Paid", "At the bank"):
        assert page.get_by_role("heading", name=lane).is_visible(), lane
    assert page.get_by_text("Cleared", exact=False).count() >= 2
    assert page.get_by_text("Balanced").is_visible()
    priya.shot("first-five-minutes-thread")


def test_a_specialist_finds_why_a_payslip_says_what_it_says(visit) -> None:
    priya = visit("priya")
    page = priya.go(f"{N}/runs/1")
    page.get_by_role("link", name=re.compile("Aoife O'Neil")).first.click()
    assert "Aoife O'Neil" in heading(priya)
    page.get_by_role("link", name="£117.40").first.click()
    assert page.get_by_text("free pay", exact=False).first.is_visible()
    assert page.get_by_text("HMRC", exact=False).first.is_visible(), "the rule and its source"


def test_keys_lead_everywhere(visit) -> None:
    priya = visit("priya")
    page = priya.go(N)
    priya.press("g t")
    page.wait_for_url("**/today")
    priya.press("?")
    assert page.get_by_role("dialog", name="Keyboard map").is_visible()
    priya.press("Escape")
    priya.go(f"{N}/runs")
    priya.press("j Enter")
    page.wait_for_url(re.compile(r"/runs/\d+$"))


def test_a_run_is_approved_by_another_person_and_never_by_its_maker(visit) -> None:
    """Priya prepared it: she has no button. Lena checks and approves what she sees, Omar releases it."""
    priya = visit("priya")
    page = priya.go(f"{N}/runs/2")
    assert page.get_by_role("button", name="Approve", exact=True).count() == 0
    lena = visit("lena")
    page = lena.go("/today")
    page.get_by_role("link", name="Check pay run 2").click()
    assert page.get_by_text("because", exact=False).first.is_visible(), "the variance in words"
    page.locator("[data-key='a']").first.click()
    dialog = page.get_by_role("dialog")
    lena.shot("approve-asks")
    dialog.get_by_role("button", name=re.compile("Approve")).click()
    page.get_by_text(re.compile("approved", re.IGNORECASE)).locator("visible=true").first.wait_for()
    assert page.get_by_role("button", name="Release", exact=True).count() == 0, (
        "who approved it does not release it"
    )
    omar = visit("omar")
    page = omar.go("/today")
    page.get_by_role("link", name="Release pay run 2").click()
    page.locator("[data-key='a']").first.click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Release")).click()
    page.get_by_text(re.compile("released", re.IGNORECASE)).locator("visible=true").first.wait_for()
    omar.shot("released")


def test_the_books_balance(visit) -> None:
    bea = visit("bea")
    page = bea.go(f"{N}/books")
    assert page.get_by_text("Balanced").is_visible()
    page = bea.go(f"{N}/books/proof")
    assert page.get_by_text("WRONG").count() == 0


def test_the_clients_approver_sees_what_it_costs_and_what_changed(visit) -> None:
    ivor = visit("ivor")
    page = ivor.go("/portal/NORTHGATE/runs/2")
    assert page.get_by_text("What it costs you").first.is_visible()
    assert page.get_by_text("because", exact=False).first.is_visible()
    assert ivor.page.goto(f"{ivor.address}{N}/books").status == 404, "the firm's pages are not the client's"
    ivor.go("/portal")
    assert ivor.axe() == []


def test_an_employee_sees_their_own_pay_and_why_and_nothing_else(visit) -> None:
    aoife = visit("aoife")
    page = aoife.go("/me")
    page.get_by_role("link", name="£613.35").first.click()
    assert page.get_by_text("free pay", exact=False).first.is_visible(), "why the tax is what it is"
    aoife.shot("my-payslip")
    assert aoife.axe() == []
    for path in ("/today", N, f"{N}/runs/1/N1001", "/portal"):
        assert aoife.page.goto(f"{aoife.address}{path}").status == 404, path


def test_whatever_somebody_tries_postgresql_refuses_in_its_own_words(visit) -> None:
    lena = visit("lena")
    page = lena.go("/demo/break")
    tries = page.locator("main form button").count()
    assert tries >= 7
    for n in range(tries):
        page = lena.go("/demo/break")
        page.locator("main form button").nth(n).click()
        page.wait_for_load_state()
        assert page.get_by_text("Not refused", exact=False).count() == 0
    lena.shot("break-it-refused")
    assert lena.axe() == []
