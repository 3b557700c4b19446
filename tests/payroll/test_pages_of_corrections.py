"""Taking pay back, paying again what came back, and back pay, on their pages."""

from __future__ import annotations

import re
from datetime import date

from tests.firm import Temp, TestClient, run_payday, set_up
from tests.payroll import months
from tests.payroll.months import Employee
from tests.settlement.bank import Booked, statement, write
from tests.web.conftest import signed_in

from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.selectors import named_person
from engineroom.settlement.clearing import clear_lines
from engineroom.settlement.models import Payment


def posted(browser, url: str, form: dict[str, object]) -> str:  # type: ignore[no-untyped-def]
    """The page that follows."""
    headers = {"referer": f"http://127.0.0.1{url}"}
    return browser.post(url, form, headers=headers, follow=True).content.decode()


def test_a_specialist_takes_a_payslip_back_and_both_say_so(client: TestClient) -> None:
    months.monthly(client, months.people(client, Employee("E1"), Employee("E2")))
    months.paid(client, date(2026, 11, 25))
    desk, runs = signed_in(client.staff["specialist"]), f"/c/{client.code}/runs"
    assert "Take payslips back?" in desk.get(f"{runs}/1").content.decode()
    form = {"reason": "the wrong code", "people": "E1", "replace": "on"}
    page = posted(desk, f"{runs}/1/do/reverse", form)
    assert "Run 2 takes 1 payslip back." in page and "Run 3 pays anew" in page
    assert "takes payslips of" in page and "3,000.00" in page
    first = desk.get(f"{runs}/1").content.decode()
    assert "Corrections" in first and "the wrong code" in first and "Not released yet" in first
    assert "About to be taken back" in desk.get(f"{runs}/1/E1").content.decode()
    copy = desk.get(f"{runs}/2/E1").content.decode()
    assert "This payslip takes" in copy and "with the other sign" in copy
    assert "in place of payslip 1/E1" in desk.get(f"/c/{client.code}/pay-items").content.decode()
    assert "Take payslips back?" not in signed_in(client.staff["checker"]).get(f"{runs}/1").content.decode()
    assert "every payslip" not in posted(desk, f"{runs}/1/do/reverse", {"reason": "", "people": "E2"})


def test_back_pay_is_looked_at_and_accepted(client: TestClient) -> None:
    months.monthly(client, months.people(client, Employee("E1")))
    months.paid(client, date(2026, 9, 25))
    with client.acting():
        person = named_person("E1").counterparty_id
        raised = Agreed("salary", 38_400_00, 2250)
        terms.set_terms(person, raised, starts=date(2026, 9, 1), reason="agreed late")
    desk, url = signed_in(client.staff["specialist"]), f"/c/{client.code}/back-pay"
    page = desk.get(url).content.decode()
    assert "3,000.00" in page and "3,200.00" in page and "Accept this back pay?" in page
    assert "Nothing is due" in desk.get(f"{url}?schedule=MONTHLY&since=2026-10-01").content.decode()
    assert "there is nobody" in desk.get(f"{url}?schedule=MONTHLY&person=E9").content.decode()
    looked_at = re.search(r'name="content_hash" value="([0-9a-f]{64})"', page)
    assert looked_at is not None
    items = posted(desk, f"{url}/do/accept", {"schedule": "MONTHLY", "content_hash": looked_at[1]})
    assert "back pay for 1 Sep to 30 Sep 2026" in items and "200.00" in items
    assert "Nothing is due" in desk.get(url).content.decode()


def test_what_came_back_is_approved_and_paid_again_on_its_page(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    batch = run_payday(client, [Temp("T1")]).batch
    assert batch is not None
    lead, checker = signed_in(client.staff["lead"]), signed_in(client.staff["checker"])
    url = f"/c/{client.code}/payments/returned"
    assert "Nothing came back" in lead.get(url).content.decode()
    with client.acting("bookkeeper"):
        payment = Payment.objects.get(client_id=client.id)
    lines = [
        Booked(-batch.total, f"BACS {batch.reference}", reference="B1"),
        Booked(payment.amount, "BACK", reference="R1", end_to_end=payment.reference, returned="AC04"),
    ]
    client.take("statement", write(client.folder, statement(lines)), role="bookkeeper")
    with client.acting("bookkeeper"):
        clear_lines()
    assert "1 payment came back" in lead.get(f"/c/{client.code}/payments").content.decode()
    page = lead.get(url).content.decode()
    assert "AC04" in page and "The same still" in page
    looked_at = re.search(r'name="content_hash" value="([0-9a-f]{64})"', page)
    assert looked_at is not None
    form = {"content_hash": looked_at[1], "same_account": "on"}
    page = posted(lead, f"{url}/{payment.id}/approve", form)
    assert "may be paid again" in page and "Approved" in page
    page = posted(checker, f"{url}/{payment.id}/pay", {"pay_date": "2026-12-11"})
    assert "is written: submit it by" in page and "again, which came back" in page
    assert "Nothing came back" in checker.get(url).content.decode()
