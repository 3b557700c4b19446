"""Search: over all my clients and no other's, by words, numbers and exact amounts; shown pay is logged."""

from __future__ import annotations

import re

import pytest

from engineroom.foundation import search
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.search.models import SearchWord
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.openitems.models import Counterparty, OpenItem
from engineroom.payday import steps
from engineroom.settlement.models import Payment
from tests.firm import PAY_DATE, Firm, Temp, TestClient, run_payday, set_up, superuser
from tests.web.conftest import signed_in

TEMPS = [Temp("T1", "Zoë O'Brien-Łuczak"), Temp("T2", "Ben Okri", customer="BETA")]


@pytest.fixture(scope="module")
def worked(firm: Firm) -> TestClient:
    client = firm.new_client()
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    return client


def found(user: Identity, clients: list[TestClient], text: str) -> dict[str, list[str]]:
    with acting(user, read=[c.id for c in clients]):
        return {each.label: [hit.label for hit in each.hits] for each in search.search(text, 20)}


@pytest.mark.parametrize(
    "text",
    ["zoe", "ZOË", "brien", "o'brien-ł", "ŁUCZ", "łucz zo", "T1", "t1", "obrien", "OBrien zoe", "O’Brien"],
)
def test_a_person_is_found_by_how_the_words_of_their_name_begin(worked: TestClient, text: str):
    assert found(worked.staff["lead"], [worked], text)["People"] == ["Zoë O'Brien-Łuczak"]


@pytest.mark.parametrize("text", ["", "z", " '", "oë", "zoe okri", "%", "T_", "x" * 300, "\x00\x00\x00"])
def test_nobody_is_found_by_less(worked: TestClient, text: str):
    assert "People" not in found(worked.staff["lead"], [worked], text)


@pytest.mark.parametrize("text", ["run 1", "Run 1", "pay run 1", "run #1", "run1", PAY_DATE.isoformat()])
def test_a_pay_run_is_found_by_its_number_and_its_day(worked: TestClient, text: str):
    assert found(worked.staff["lead"], [worked], text)["Pay runs"] == ["Pay run 1"]
    assert "Pay runs" not in found(worked.staff["lead"], [worked], "run 9")


@pytest.mark.parametrize("text", ["INV-1", "inv-1", "inv 1", "INV1", "INV-0001", "INV-000001"])
def test_an_invoice_is_found_without_its_zeros(worked: TestClient, text: str):
    assert "Invoice INV-000001" in found(worked.staff["lead"], [worked], text)["Invoices"]


def test_numbers_references_and_amounts_lead_to_their_pages(worked: TestClient):
    lead = worked.staff["lead"]
    with acting(lead, read=[worked.id]):
        payment = Payment.objects.filter(client_id=worked.id).order_by("reference").first()
        item = OpenItem.objects.filter(client_id=worked.id, kind="invoice").first()
    assert payment is not None and item is not None
    batch = payment.reference.split()[0]
    assert found(lead, [worked], batch.lower())["Payments"] == [f"Payment file {batch}"]
    assert found(lead, [worked], payment.reference)["Payments"] == [f"Payment {payment.reference}"]
    assert found(lead, [worked], "T2-BETA")["Assignments"] == ["Assignment T2-BETA"]
    [invoice] = found(lead, [worked], "beta")["Invoices"]
    assert found(lead, [worked], invoice.removeprefix("Invoice ").lower())["Invoices"] == [invoice]
    written = f"{item.amount / 100:,.2f}"
    for text in (written, f"£{written}", f"-{written}", written.replace(",", "")):
        assert f"Invoice {item.reference}" in found(lead, [worked], text)["Amounts"]

    browser = signed_in(lead)
    text = browser.get("/search", {"q": "okri"}).content.decode()
    [url] = re.findall(r'<a class="row" href="([^"]+)"', text)
    assert url == f"/c/{worked.code}/people/T2" and browser.get(url).status_code == 200


def test_nothing_of_a_client_without_a_grant_is_found_nor_by_a_role_that_reads_nothing(
    firm: Firm, worked: TestClient, other_client: TestClient
):
    assert "Ben Okri" not in signed_in(other_client.staff["lead"]).get("/search?q=okri").content.decode()
    page = signed_in(other_client.staff["lead"]).get(f"/search?q={worked.code}").content.decode()
    assert "Nothing is called so" in page
    admin = firm.new_user()
    firm.grant(admin, worked.id, "admin")
    page = signed_in(admin).get("/search?q=okri")
    assert page.status_code == 200 and "Ben Okri" not in page.content.decode()
    assert "foundation.read" in page.content.decode(), "it says what is missing"
    outsider = firm.new_user("client")
    firm.grant(outsider, worked.id, "client_finance")
    assert signed_in(outsider).get("/search?q=okri").status_code == 404, "the field is the firm's"


def test_two_clients_answer_together(firm: Firm, worked: TestClient, other_client: TestClient):
    set_up(other_client, [Temp("T9", "Okri Twin")])
    both = firm.new_user()
    for client in (worked, other_client):
        firm.grant(both, client.id, "specialist")
    assert found(both, [worked, other_client], "okri")["People"] == ["Ben Okri", "Okri Twin"]


def test_a_page_says_what_it_left_out_and_shows_one_kind_further(client: TestClient):
    set_up(client, [Temp(f"T{n:02d}", f"Many Ann{n:02d}") for n in range(25)])
    browser = signed_in(client.staff["lead"])
    text = browser.get("/search?q=many").content.decode()
    assert text.count('class="row"') == 20 and "The first 20 are shown" in text
    assert "kind=People" in text
    text = browser.get("/search?q=many&kind=People").content.decode()
    assert text.count('class="row"') == 25 and "Search everything" in text


def test_short_empty_and_unknown_are_said(worked: TestClient):
    browser = signed_in(worked.staff["lead"])
    assert "What can be found" in browser.get("/search").content.decode()
    assert "Too short" in browser.get("/search?q=z").content.decode()
    assert "Nothing is called so" in browser.get("/search?q=zzzzzz").content.decode()
    assert "Nothing of this kind" in browser.get("/search?q=okri&kind=nonsense").content.decode()
    text = browser.get("/search", {"q": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert" not in text


def test_pay_that_a_search_shows_is_in_the_trail(worked: TestClient):
    lead = worked.staff["lead"]
    with acting(lead, read=[worked.id]):
        item = OpenItem.objects.filter(client_id=worked.id, kind="net_pay").first()
    assert item is not None
    before = reads(worked)
    assert "Net pay" in signed_in(lead).get("/search", {"q": f"{-item.amount / 100:.2f}"}).content.decode()
    assert reads(worked) == before + 1
    signed_in(lead).get("/search?q=okri")
    assert reads(worked) == before + 1, "a name is not pay"


def reads(client: TestClient) -> int:
    with client.acting("lead"):
        return AuditEvent.objects.filter(client_id=client.id, verb="read", subject_kind="open_item").count()


def test_a_changed_name_is_found_by_its_new_words_alone(client: TestClient):
    set_up(client, [Temp("T1", "Old Name")])
    with client.acting("lead"):
        person = Counterparty.objects.get(client_id=client.id, kind="person")
        person.name = "New Name"
        person.save()
        words = SearchWord.objects.filter(client_id=client.id, subject_id=person.id)
        assert sorted(words.values_list("word", flat=True)) == ["name", "new", "t1"]


def test_bank_lines_are_found_by_what_the_bank_says(worked: TestClient):
    from engineroom.demo import bank

    with acting(worked.staff["lead"], read=[worked.id]):
        batch = steps.payday_of(PAY_DATE).batch
    assert batch is not None
    path = bank.write_statement(
        worked.folder / "statement.xml",
        account=bank.OwnAccountFacts("GB24MIDL20000055667788", "200000", "55667788", worked.code),
        batch=bank.BatchFacts(batch.reference, batch.total, batch.entry_day),
        returned=[],
        receipts=[bank.ReceiptFacts(PAY_DATE, 120_00, "J WHITTAKER", "deposit refund")],
        opening_minor=0,
    )
    with superuser() as bank_clerk:  # what an account is never changes for the application
        bank_clerk.execute(
            "UPDATE settlement_ownaccount SET iban = 'GB24MIDL20000055667788' WHERE client_id = %s",
            [worked.id],
        )
    worked.take("statement", path, role="bookkeeper")
    [line] = found(worked.staff["lead"], [worked], "whittaker depos")["Bank lines"]
    assert line.startswith("Bank line")
