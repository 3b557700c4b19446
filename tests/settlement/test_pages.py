"""The pages of payments and the bank: how far each file is proven, what each line settled, once."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser

from engineroom.foundation import vault
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.crypto.fields import DOTS
from engineroom.settlement import by_hand, selectors
from engineroom.settlement.clearing import clear_lines
from engineroom.settlement.models import BatchStage, PaymentBatch
from engineroom.ui.display import format_money
from tests.firm import Firm, Temp, TestClient, run_payday, set_up
from tests.settlement.bank import Booked, statement, write
from tests.web.conftest import signed_in

TEMPS = [Temp("T1", account="12345678"), Temp("T2", "Al Smith", customer="BETA", account="87654321")]


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def browser_of(client: TestClient, role: str = "bookkeeper") -> Browser:
    return signed_in(client.staff[role])


@pytest.fixture
def paid(client: TestClient) -> TestClient:
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    return client


def batch_of(client: TestClient) -> selectors.BatchView:
    with client.acting("bookkeeper"):
        found = selectors.batch(1)
    assert found is not None
    return found


def take(client: TestClient, *lines: Booked) -> None:
    client.take("statement", write(client.folder, statement(lines)), role="bookkeeper")


def test_a_file_shows_its_days_its_payees_and_no_account(paid: TestClient) -> None:
    batch = batch_of(paid)
    browser = browser_of(paid)
    listed = text(browser.get(f"/c/{paid.code}/payments"))
    assert batch.reference in listed and format_money(batch.total) in listed
    page = text(browser.get(f"/c/{paid.code}/payments/1"))
    assert "Jo Bloggs" in page and "Al Smith" in page and page.count(DOTS) == 2
    assert "12345678" not in page and "87654321" not in page
    assert "To be submitted" in page and "Not verified" in page
    with paid.acting("bookkeeper"):
        amounts = [p.amount for p in selectors.payees(batch.id).rows]
    assert sum(amounts) == batch.total and all(format_money(a) in page for a in amounts)


def test_accounts_open_for_roles_that_may_and_leave_a_trace(firm: Firm, paid: TestClient) -> None:
    page = text(browser_of(paid).get(f"/c/{paid.code}/payments/1?accounts=open"))
    assert "20-00-00 12345678" in page and "20-00-00 87654321" in page
    auditor = firm.new_user()
    firm.grant(auditor, paid.id, "auditor", ends=date(2099, 1, 1))
    hidden = text(signed_in(auditor).get(f"/c/{paid.code}/payments/1?accounts=open"))
    assert "12345678" not in hidden and "accounts=open" not in hidden
    with paid.acting("bookkeeper"):
        reads = AuditEvent.objects.filter(
            client_id=paid.id, verb="read", detail__purpose__startswith="page of"
        )
        assert reads.count() == 2, "sort code and number, by one reader"


@pytest.mark.parametrize("role", ["checker", "bookkeeper"])
def test_the_file_is_given_to_who_releases_or_submits_it_as_written_and_logged(
    paid: TestClient, role: str
) -> None:
    assert "/payments/1/file" in text(browser_of(paid, role).get(f"/c/{paid.code}/payments/1"))
    answer = browser_of(paid, role).get(f"/c/{paid.code}/payments/1/file")
    with paid.acting(role):
        row = PaymentBatch.objects.select_related("file").get(client_id=paid.id)
        assert answer.content == vault.read(row.file)
        assert AuditEvent.objects.filter(subject_kind="payment_file", subject_id=row.id).count() >= 1
    assert "attachment" in answer.headers["Content-Disposition"]
    refused = browser_of(paid, "specialist").get(f"/c/{paid.code}/payments/1/file")
    assert refused.status_code == 403 and "settlement.prepare" in text(refused)
    assert "/payments/1/file" not in text(browser_of(paid, "specialist").get(f"/c/{paid.code}/payments/1"))


def test_a_stage_is_recorded_once_with_its_evidence(paid: TestClient) -> None:
    browser = browser_of(paid)
    here = {"referer": f"http://127.0.0.1/c/{paid.code}/payments/1"}
    early = {"stage": "settled", "on": "2026-11-26", "evidence": "R1", "form_key": str(uuid4())}
    refused = browser.post(f"/c/{paid.code}/payments/1/stage", early, headers=here, follow=True)
    assert "cannot settle before it is submitted" in text(refused)
    asked = {"stage": "submitted", "on": "2026-11-25", "evidence": "Report 4711", "form_key": str(uuid4())}
    for _ in range(2):
        answer = text(browser.post(f"/c/{paid.code}/payments/1/stage", asked, follow=True))
        assert "is submitted, on 25 Nov 2026" in answer and "evidence: Report 4711" in answer
    with paid.acting("bookkeeper"):
        assert BatchStage.objects.filter(client_id=paid.id).count() == 1
    assert batch_of(paid).state == "submitted"
    wrong = browser.post(f"/c/{paid.code}/payments/1/stage", {"stage": "settled", "on": "", "evidence": ""})
    assert wrong.status_code == 422


def test_the_bank_shows_what_each_line_settled_and_why_some_did_not(paid: TestClient) -> None:
    batch = batch_of(paid)
    take(
        paid,
        Booked(-batch.total, f"BACS {batch.reference}", reference="B1"),
        Booked(777, "who knows", "A STRANGER", reference="B2"),
    )
    browser = browser_of(paid)
    assert "not looked at" in text(browser.get(f"/c/{paid.code}/bank")).lower()
    key = {"form_key": str(uuid4()), "account": "main"}
    here = {"referer": f"http://127.0.0.1/c/{paid.code}/bank"}
    for _ in range(2):
        answer = browser.post(f"/c/{paid.code}/bank/clear", key, headers=here, follow=True)
        assert "1 line cleared; 1 exception left" in text(answer)
    with paid.acting("bookkeeper"):
        account = selectors.own_accounts()[0]
        lines = {line.bank_reference: line for line in selectors.bank_lines(account.id).rows}
        proof = selectors.reconcile()
    page = text(browser.get(f"/c/{paid.code}/bank"))
    assert "Batch by reference" in page and "Unknown receipt" in page and proof.ok and "Agree" in page
    only = text(browser.get(f"/c/{paid.code}/bank?state=exception"))
    assert "Filtered: exceptions" in only and "A STRANGER" in only and "BACS" not in only
    cleared = text(browser.get(f"/c/{paid.code}/bank/{lines['B1'].id}"))
    assert "Cleared: batch by reference" in cleared and batch.reference in cleared
    assert "The entry that posted it" in cleared
    stranger = text(browser.get(f"/c/{paid.code}/bank/{lines['B2'].id}"))
    assert "Ask the payer what it is for" in stranger and "Clear again" in stranger
    assert batch_of(paid).state == "cleared"
    assert "by the bank&#x27;s line" in text(browser.get(f"/c/{paid.code}/payments/1"))
    with paid.acting("bookkeeper"):
        by_hand.undo_clearing(lines["B1"].id, reason="another file")
    again = {"form_key": str(uuid4()), "account": "main"}
    answer = browser.post(f"/c/{paid.code}/bank/clear", again, headers=here, follow=True)
    assert "0 lines cleared; 2 exceptions left" in text(answer), "one that was taken back waits as well"


def test_every_reason_of_an_exception_has_its_remedy() -> None:
    from pathlib import Path

    from engineroom.settlement.engine import matching
    from engineroom.settlement.pages import REMEDIES

    source = Path(matching.__file__).read_text()
    reasons = set(re.findall(r'Unsettled\(\s*line,\s*"([a-z ]+)"', source))
    assert len(reasons) >= 6 and reasons <= set(REMEDIES)


def test_a_payment_that_came_back_is_marked_with_its_payee(paid: TestClient) -> None:
    batch = batch_of(paid)
    with paid.acting("bookkeeper"):
        first = selectors.payees(batch.id).rows[0]
    take(
        paid,
        Booked(-batch.total, f"BACS {batch.reference}", reference="B1"),
        Booked(first.amount, "RETURNED", reference="R1", end_to_end=first.reference, returned="AC04"),
    )
    with paid.acting("bookkeeper"):
        clear_lines()
    assert text(browser_of(paid).get(f"/c/{paid.code}/payments/1")).count("Came back") == 1


def test_empty_pages_say_what_comes(client: TestClient) -> None:
    browser = browser_of(client)
    assert "No payment files yet" in text(browser.get(f"/c/{client.code}/payments"))
    assert "No statement yet" in text(browser.get(f"/c/{client.code}/bank"))


def test_who_may_see_and_do_what(firm: Firm, paid: TestClient, other_client: TestClient) -> None:
    take(paid, Booked(1, "x", "Y", reference="B1"))
    with paid.acting("bookkeeper"):
        line = selectors.bank_lines(selectors.own_accounts()[0].id).rows[0]
    theirs = browser_of(other_client)
    assert theirs.get(f"/c/{paid.code}/payments/1").status_code == 404
    assert theirs.get(f"/c/{other_client.code}/bank/{line.id}").status_code == 404
    admin = firm.new_user()
    firm.grant(admin, paid.id, "admin")
    for address in ("payments", "payments/1", "bank", f"bank/{line.id}"):
        assert signed_in(admin).get(f"/c/{paid.code}/{address}").status_code == 403
    specialist = browser_of(paid, "specialist")
    for address in ("payments/1/stage", "bank/clear"):
        assert specialist.post(f"/c/{paid.code}/{address}", {}).status_code == 403
    for address in ("payments/99", f"bank/{uuid4()}", "bank?at=x"):
        assert browser_of(paid).get(f"/c/{paid.code}/{address}").status_code == 404


def test_accounts_are_added_and_give_their_code_away(client):
    browser, page = signed_in(client.staff["bookkeeper"]), f"/c/{client.code}/bank/accounts"
    here = {"referer": f"http://127.0.0.1{page}"}
    given = {"code": "main", "name": "New bank", "sort_code": "30-00-00", "account_number": "11111111"}
    taken = browser.post(f"{page}/add", given, headers=here)
    assert taken.status_code == 409 and 'value="New bank"' in taken.content.decode()
    with client.acting("bookkeeper"):
        account = selectors.own_accounts()[0]
    renamed = browser.post(f"{page}/{account.id}/rename", {f"{account.id}-to": "until November"})
    assert renamed.status_code == 303
    assert browser.post(f"{page}/add", given).status_code == 303
    shown = browser.get(page).content.decode()
    assert "until November" in shown and "30-00-00 11111111" in shown
    with client.acting("bookkeeper"):
        reads = AuditEvent.objects.filter(client_id=client.id, verb="read", subject_kind="own_account")
        both = {a.id for a in selectors.own_accounts()}
        assert len(both) == 2 and set(reads.values_list("subject_id", flat=True)) == both


@pytest.mark.parametrize(
    ("field", "value"),
    [("sort_code", "30-00-0"), ("account_number", "1234567"), ("iban", "GB24MIDL20000055667789")],
)
def test_what_is_no_account_is_said_beside_its_field(client, field, value):
    browser, page = signed_in(client.staff["bookkeeper"]), f"/c/{client.code}/bank/accounts"
    given = {
        "code": "two",
        "name": "New bank",
        "sort_code": "300000",
        "account_number": "11111111",
        field: value,
    }
    answer = browser.post(f"{page}/add", given, headers={"referer": f"http://127.0.0.1{page}"})
    assert answer.status_code == 422 and f'id="id_{field}_error"' in answer.content.decode()
