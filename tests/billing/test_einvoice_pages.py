"""E-invoices on pages: what is wrong with one stands there; an issued one is written once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile

from engineroom.billing import einvoices
from engineroom.billing.formats import reading, ubl
from engineroom.billing.models import Invoice
from engineroom.foundation.access import services as access
from engineroom.foundation.tenancy.scope import acting
from engineroom.foundation.vault.models import VaultFile
from tests.billing.einvoices import invoice
from tests.billing.test_pages_of_bills import browser_of, text
from tests.firm import Firm, Temp, TestClient, run_payday, set_up

TEMPS = [Temp("T1")]


@pytest.fixture(autouse=True)
def _no_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_settings, "EINVOICE_RULES_DIR", tmp_path / "rules")


def dropped(client: TestClient, content: bytes, role: str = "specialist"):  # type: ignore[no-untyped-def]
    asked = {"file": SimpleUploadedFile("in.xml", content), "form_key": str(uuid4())}
    return browser_of(client, role).post(f"/c/{client.code}/bills/e-invoices/read", asked)


def test_what_is_wrong_with_a_dropped_e_invoice_stands_on_its_page(client: TestClient) -> None:
    one = invoice()
    assert one.totals is not None
    lying = replace(one, totals=replace(one.totals, payable=1_00))
    answer = dropped(client, ubl.write_document(lying))
    assert answer.status_code == 303
    page = text(browser_of(client, "lead").get(answer.headers["Location"]))
    assert "BR-CO-16" in page and "says 1.00 and makes 206.40" in page
    assert "Harbour Staffing Ltd" in page and "Northgate Mills Ltd" in page
    assert "1 fatal finding" in page and "None is installed for it" in page
    assert "in.xml" in text(browser_of(client, "lead").get(f"/c/{client.code}/bills/e-invoices"))


def test_a_right_one_is_found_right(client: TestClient) -> None:
    answer = dropped(client, ubl.write_document(invoice()))
    assert "Nothing fatal" in text(browser_of(client, "specialist").get(answer.headers["Location"]))


def test_what_is_no_e_invoice_is_refused_on_its_form_and_not_kept(client: TestClient) -> None:
    evil = b"<!DOCTYPE Invoice [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><Invoice>&x;</Invoice>"
    answer = dropped(client, evil)
    assert answer.status_code == 422
    assert "DOCTYPE" in text(answer) and "root:" not in text(answer)
    with client.acting("specialist"):
        assert not VaultFile.objects.filter(kind=einvoices.CHECKED).exists()


def test_an_issued_invoice_is_written_and_downloaded(firm: Firm, client: TestClient) -> None:
    with acting(firm.owner, write=firm.house_id):
        access.describe_client(client.code, {"country": "GB", "endpoint": "0192:01234567"})
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    browser = browser_of(client, "specialist")
    at = f"/c/{client.code}/invoices/INV-000001"
    assert browser.get(f"{at}/ubl").status_code == 404
    assert "Write the e-invoice" in text(browser.get(at))
    refused = text(browser.post(f"{at}/ubl/write", {"form_key": str(uuid4())}, follow=True))
    assert "customer was issued without its country" in refused
    file = client.folder / "acme.csv"
    headings = "code,name,address,payment_days,country,endpoint,buyer_reference"
    file.write_text(f'{headings}\nACME,ACME Ltd,"1 Road, Town",30,GB,0088:5060012345678,DEPT-7\n')
    client.take("customers", file)
    with client.acting("specialist"):
        row = Invoice.objects.get(client_id=client.id, number="INV-000001")
        assert "country" not in row.parties["customer"], "what was issued stays as it was"


def test_an_e_invoice_is_downloaded_as_it_was_written(firm: Firm, client: TestClient) -> None:
    with acting(firm.owner, write=firm.house_id):
        access.describe_client(client.code, {"country": "GB", "endpoint": "0192:01234567"})
    set_up(client, TEMPS)
    file = client.folder / "acme.csv"
    headings = "code,name,address,payment_days,country,endpoint,buyer_reference"
    file.write_text(f'{headings}\nACME,ACME Ltd,"1 Road, Town",30,GB,0088:5060012345678,DEPT-7\n')
    client.take("customers", file)
    run_payday(client, TEMPS)
    browser = browser_of(client, "specialist")
    at = f"/c/{client.code}/invoices/INV-000001"
    assert browser.post(f"{at}/ubl/write", {"form_key": str(uuid4())}).status_code == 303
    assert "Download the e-invoice" in text(browser.get(at))
    answer = browser.get(f"{at}/ubl")
    assert answer.headers["Content-Type"] == "application/xml"
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert reading.receive(content, file_name="x").invoice.number == "INV-000001"
