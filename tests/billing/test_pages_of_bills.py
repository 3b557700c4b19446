"""The pages of bills: they show what the selectors say, and their buttons do what they say, once."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser

from engineroom.billing import selectors, services
from engineroom.billing.models import BillRun, Invoice
from engineroom.foundation.approvals.models import Approval
from engineroom.foundation.jobs.worker import run_worker
from engineroom.ui.display import format_money
from tests.firm import PAY_DATE, WEEK_ENDS, Firm, Temp, TestClient, hours_file, run_payday, set_up
from tests.web.conftest import signed_in

TEMPS = [
    Temp("T1"),
    Temp("T2", "Al Smith", customer="BETA"),
    Temp("T3", "Zoë O'Neil", customer="BETA", status="disputed"),
]


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def browser_of(client: TestClient, role: str) -> Browser:
    return signed_in(client.staff[role])


@pytest.fixture
def billed(client: TestClient) -> TestClient:
    """A client after one payday: two invoices, one dispute."""
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    return client


@pytest.fixture
def prepared(client: TestClient) -> TestClient:
    """Hours taken in and a bill run prepared by the specialist, not approved."""
    set_up(client, TEMPS)
    client.take("timesheets", hours_file(client, TEMPS))
    with client.acting("specialist"):
        services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    return client


def test_the_list_shows_every_invoice_with_what_is_left_of_it(billed: TestClient) -> None:
    page = text(browser_of(billed, "lead").get(f"/c/{billed.code}/bills"))
    with billed.acting("lead"):
        rows = selectors.invoices().rows
        owed = selectors.receivables()[0]
    assert len(rows) == 2
    for row in rows:
        assert row.number in page and format_money(row.open, row.currency) in page
        assert row.state == "issued"
    assert format_money(owed.open) in page and owed.open == sum(r.open for r in rows)


def test_a_filtered_list_says_so_and_offers_everything(billed: TestClient) -> None:
    browser = browser_of(billed, "lead")
    page = text(browser.get(f"/c/{billed.code}/bills?customer=ACME"))
    assert "Filtered: customer ACME" in page and "Show all" in page
    assert "INV-000001" in page and "INV-000002" not in page
    assert "No invoice is like that" in text(browser.get(f"/c/{billed.code}/bills?state=paid"))
    assert "INV-000002" in text(browser.get(f"/c/{billed.code}/bills?week=2026-11-22&state=issued"))


def test_an_invoice_stands_as_issued_and_its_lines_open_to_their_hours(billed: TestClient) -> None:
    browser = browser_of(billed, "lead")
    page = text(browser.get(f"/c/{billed.code}/invoices/INV-000001"))
    with billed.acting("lead"):
        row = Invoice.objects.get(client_id=billed.id, number="INV-000001")
    for part in (row.parties["supplier"]["name"], row.parties["customer"]["name"], "VAT 20%"):
        assert part in page
    for amount in (row.net, row.vat, row.gross):
        assert format_money(amount) in page
    opened = text(browser.get(f"/c/{billed.code}/invoices/INV-000001/lines/1"))
    assert opened.count("8.00") >= 5, "five days of eight hours"
    assert browser.get(f"/c/{billed.code}/invoices/INV-000001/lines/99").status_code == 404


def test_the_pdf_is_the_one_of_the_vault(billed: TestClient) -> None:
    browser = browser_of(billed, "specialist")
    assert browser.get(f"/c/{billed.code}/invoices/INV-000001/pdf").status_code == 404
    for _ in range(2):
        browser.post(f"/c/{billed.code}/bills/runs/1/print", {"form_key": str(uuid4())})
    page = text(browser.get(f"/c/{billed.code}/bills/runs/1"))
    assert "Printing invoices" in page and "Print the invoices" not in page
    assert "Invoices of bill run 1" in text(browser.get("/jobs"))
    run_worker(wait=False)
    over = browser.get(f"/c/{billed.code}/bills/runs/1/printing")
    assert over.headers["HX-Refresh"] == "true"
    assert "printed already" in text(
        browser.post(f"/c/{billed.code}/bills/runs/1/print", {"form_key": str(uuid4())}, follow=True)
    )
    with zipfile.ZipFile(
        io.BytesIO(browser.get(f"/c/{billed.code}/bills/runs/1/invoices-1.zip").content)
    ) as packed:
        assert "INV-000001.pdf" in packed.namelist()
    answer = browser.get(f"/c/{billed.code}/invoices/INV-000001/pdf")
    assert answer.content[:5] == b"%PDF-"
    assert "INV-000001.pdf" in answer.headers["Content-Disposition"]


def test_a_maker_sees_why_they_cannot_approve_and_the_database_refuses_them_too(
    firm: Firm, prepared: TestClient
) -> None:
    maker = prepared.staff["specialist"]
    firm.grant(maker, prepared.id, "lead")
    browser = signed_in(maker)
    page = text(browser.get(f"/c/{prepared.code}/bills/runs/1"))
    assert "Why you cannot approve it" in page and "a maker is not a checker" in page
    with prepared.acting("lead"):
        digest = selectors.bill_run(1).content_hash  # type: ignore[union-attr]
    answer = browser.post(
        f"/c/{prepared.code}/bills/runs/1/approve",
        {"form_key": str(uuid4()), "content_hash": digest},
        headers={"referer": f"http://127.0.0.1/c/{prepared.code}/bills/runs/1"},
        follow=True,
    )
    assert "maker is not checker" in text(answer)
    with prepared.acting("lead"):
        assert selectors.bill_run(1).state == "draft"  # type: ignore[union-attr]


def test_a_run_is_approved_as_seen_then_issued_each_once(prepared: TestClient) -> None:
    checker, issuer = browser_of(prepared, "lead"), browser_of(prepared, "checker")
    page = text(checker.get(f"/c/{prepared.code}/bills/runs/1"))
    digest = re.search(r'name="content_hash" value="([0-9a-f]{64})"', page)
    assert digest, "the form binds what is seen"
    key = {"form_key": str(uuid4()), "content_hash": digest[1]}
    for _ in range(2):
        answer = checker.post(f"/c/{prepared.code}/bills/runs/1/approve", key, follow=True)
        assert "is approved as it stands" in text(answer)
    again = {"form_key": str(uuid4())}
    here = {"referer": f"http://127.0.0.1/c/{prepared.code}/bills/runs/1"}
    for _ in range(2):
        answer = issuer.post(f"/c/{prepared.code}/bills/runs/1/issue", again, headers=here, follow=True)
        assert "2 invoices issued" in text(answer)
    with prepared.acting("lead"):
        assert Approval.objects.filter(client_id=prepared.id, subject_kind="bill_run").count() == 1
        assert Invoice.objects.filter(client_id=prepared.id).count() == 2
        assert selectors.bill_run(1).state == "issued"  # type: ignore[union-attr]


def test_an_approval_of_something_else_is_refused_in_words(prepared: TestClient) -> None:
    answer = browser_of(prepared, "checker").post(
        f"/c/{prepared.code}/bills/runs/1/approve",
        {"form_key": str(uuid4()), "content_hash": "0" * 64},
        headers={"referer": f"http://127.0.0.1/c/{prepared.code}/bills/runs/1"},
        follow=True,
    )
    assert "was prepared again since you looked" in text(answer)


def test_what_changed_since_it_was_prepared_is_said_and_prepared_again(prepared: TestClient) -> None:
    earlier = WEEK_ENDS - timedelta(days=13)
    prepared.take("timesheets", hours_file(prepared, TEMPS[:1], earlier, "late.csv"))
    page = text(browser_of(prepared, "checker").get(f"/c/{prepared.code}/bills/runs/1"))
    assert "has changed since this run was prepared" in page
    assert 'id="approve"' not in page
    answer = browser_of(prepared, "specialist").post(
        f"/c/{prepared.code}/bills/runs/1/prepare", {"form_key": str(uuid4())}, follow=True
    )
    assert "has changed since" not in text(answer)


def test_a_bill_run_is_prepared_from_its_form_and_wrong_days_are_named(prepared: TestClient) -> None:
    browser = browser_of(prepared, "specialist")
    wrong = browser.post(
        f"/c/{prepared.code}/bills/runs/prepare", {"issue_date": "soon", "through": "2026-11-22"}
    )
    assert wrong.status_code == 422 and "Issue date" in text(wrong)
    days = {"issue_date": "2026-11-28", "through": "2026-11-22", "form_key": str(uuid4())}
    for _ in range(2):
        assert "Bill run 2 is prepared" in text(
            browser.post(f"/c/{prepared.code}/bills/runs/prepare", days, follow=True)
        )
    with prepared.acting("lead"):
        assert BillRun.objects.filter(client_id=prepared.id).count() == 2


def test_held_and_reconciled_as_the_selectors_say(billed: TestClient) -> None:
    browser = browser_of(billed, "lead")
    held = text(browser.get(f"/c/{billed.code}/bills/held"))
    with billed.acting("lead"):
        rows = selectors.held()
        proof = selectors.reconcile()
    assert "Disputed by the customer" in held
    assert format_money(sum(r.amount for r in rows)) in held
    page = text(browser.get(f"/c/{billed.code}/bills/reconciliation"))
    for amount in (proof.paid_amount, proof.billed_amount, proof.held_amount):
        assert format_money(amount) in page
    assert proof.ok and "Difference: none" in page
    assert "0 of 5" in text(browser.get(f"/c/{billed.code}/bills/held?customer=Nobody"))


def test_empty_pages_say_what_will_be_there(client: TestClient) -> None:
    browser = browser_of(client, "lead")
    for address, words in (
        ("bills", "No invoices yet"),
        ("bills/runs", "No bill runs yet"),
        ("bills/held", "Nothing is held"),
        ("bills/reconciliation", "No hours yet"),
    ):
        assert words in text(browser.get(f"/c/{client.code}/{address}"))


def test_who_may_see_and_do_what(firm: Firm, billed: TestClient, other_client: TestClient) -> None:
    assert browser_of(other_client, "lead").get(f"/c/{billed.code}/bills").status_code == 404
    admin = firm.new_user()
    firm.grant(admin, billed.id, "admin")
    assert signed_in(admin).get(f"/c/{billed.code}/invoices/INV-000001").status_code == 403
    refused = browser_of(billed, "bookkeeper").post(f"/c/{billed.code}/bills/runs/1/prepare", {})
    assert refused.status_code == 403 and "billing.prepare" in text(refused)
    lead = browser_of(billed, "lead")
    for address in ("bills/runs/9", "invoices/INV-999999", "invoices/%27%3B--"):
        assert lead.get(f"/c/{billed.code}/{address}").status_code == 404
    assert lead.get(f"/c/{billed.code}/bills?at=nonsense").status_code == 404


def test_payments_received_stand_on_the_invoice(billed: TestClient) -> None:
    from engineroom.settlement.clearing import clear_lines
    from tests.settlement.bank import Booked, statement, write

    with billed.acting("lead"):
        row = selectors.invoice("INV-000001")
    assert row is not None
    path = write(billed.folder, statement([Booked(row.gross - 100, "pays INV-000001", "ACME Ltd", "B7")]))
    billed.take("statement", path, role="bookkeeper")
    with billed.acting("bookkeeper"):
        clear_lines()
    page = text(browser_of(billed, "lead").get(f"/c/{billed.code}/invoices/INV-000001"))
    assert "Part paid" in page and "bank line B7" in page and format_money(100) in page
    assert "Part paid" in text(browser_of(billed, "lead").get(f"/c/{billed.code}/bills?state=part+paid"))
