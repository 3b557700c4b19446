"""Issued invoices as e-invoices: written once from what was issued, gated, kept for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from engineroom.billing import einvoices
from engineroom.billing.formats import arithmetic, reading, schemas, ubl
from engineroom.billing.formats import einvoice as model
from engineroom.billing.models import Invoice
from engineroom.foundation import vault
from engineroom.foundation.access import services as access
from engineroom.foundation.tenancy.scope import acting
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import InputRefused, NotPermitted
from engineroom.kernel.rounding import half_up
from tests.billing.einvoices import invoice
from tests.firm import Firm, Temp, TestClient, run_payday, set_up

DAY = date(2026, 11, 22)
TEMPS = [Temp("T1"), Temp("T2", "Al Smith", customer="BETA")]
SUPPLIER = {"country": "GB", "city": "Carlisle", "endpoint": "0192:01234567", "company_number": "01234567"}
HEADINGS = "code,name,address,payment_days,country,endpoint,buyer_reference\n"


@pytest.fixture(autouse=True)
def _no_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_settings, "EINVOICE_RULES_DIR", tmp_path / "rules")


def describe(firm: Firm, client: TestClient, **details: str) -> None:
    with acting(firm.owner, write=firm.house_id):
        access.describe_client(client.code, details)


@pytest.fixture
def billed(firm: Firm, client: TestClient) -> TestClient:
    """Two invoices: to ACME, which wants e-invoices, and to BETA, which was never asked where."""
    describe(firm, client, **SUPPLIER)
    set_up(client, TEMPS)
    file = client.folder / "acme.csv"
    file.write_text(f'{HEADINGS}ACME,ACME Ltd,"1 Road, Town",30,GB,0088:5060012345678,DEPT-7\n')
    client.take("customers", file)
    run_payday(client, TEMPS)
    return client


def invoice_to(client: TestClient, code: str) -> Invoice:
    return Invoice.objects.get(client_id=client.id, customer__code=code)


def test_an_issued_invoice_is_written_once_and_kept(billed: TestClient) -> None:
    with billed.acting("specialist"):
        row = invoice_to(billed, "ACME")
        first = einvoices.write_einvoice(row.id)
        again = einvoices.write_einvoice(row.id)
        assert first.new and not again.new
        assert (first.file_id, first.sha256) == (again.file_id, again.sha256)
        assert VaultFile.objects.filter(kind=einvoices.KIND, subject_id=row.id).count() == 1
        file = einvoices.file_of(row.id)
        assert file is not None
        one = reading.receive(vault.read(file), file_name=file.name)
    said = one.invoice
    assert (said.number, said.issue_date, said.due) == (row.number, row.issue_date, row.due)
    assert said.totals is not None and said.tax is not None and said.seller and said.buyer
    assert (said.totals.net, said.tax.tax, said.totals.gross) == (row.net, row.vat, row.gross)
    assert said.seller.vat_id == "GB000000000" and said.buyer.name == "ACME Ltd"
    assert said.buyer.endpoint is not None and said.buyer.endpoint.scheme == "0088"
    assert said.buyer_reference == "DEPT-7" or said.purchase_order
    assert arithmetic.check(said) == []
    assert schemas.check(one.root, one.syntax) == []


def test_what_the_parties_lack_is_named_with_where_to_say_it(billed: TestClient) -> None:
    with billed.acting("specialist"), pytest.raises(InputRefused) as refused:
        einvoices.write_einvoice(invoice_to(billed, "BETA").id)
    fields = {problem.field for problem in refused.value.problems}
    assert {"customer country", "customer endpoint"} <= fields
    assert not any(str(field).startswith("supplier") for field in fields)
    assert all("file of customers" in problem.remedy for problem in refused.value.problems)
    with billed.acting("specialist"):
        assert einvoices.file_of(invoice_to(billed, "BETA").id) is None


def test_what_is_kept_does_not_change_with_the_master_data(firm: Firm, billed: TestClient) -> None:
    with billed.acting("specialist"):
        row = invoice_to(billed, "ACME")
    describe(firm, billed, city="Leeds", vat_number="")
    with billed.acting("specialist"):
        file = einvoices.file_of(row.id) or VaultFile.objects.get(id=einvoices.write_einvoice(row.id).file_id)
        assert b"Carlisle" in vault.read(file) and b"Leeds" not in vault.read(file)


@pytest.mark.behaviour("INV-04", part="the XML of e-invoices")
@pytest.mark.parametrize(
    "verb", ["UPDATE foundation_vaultfile SET name = 'x'", "DELETE FROM foundation_vaultfile"]
)
def test_the_database_keeps_an_e_invoice_as_it_is(billed: TestClient, verb: str) -> None:
    with billed.acting("specialist"):
        made = einvoices.write_einvoice(invoice_to(billed, "ACME").id)
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"{verb} WHERE id = %s", [made.file_id])


def test_who_may_not_prepare_invoices_writes_none(billed: TestClient) -> None:
    with billed.acting("bookkeeper"):
        row = invoice_to(billed, "ACME")
        with pytest.raises(NotPermitted):
            einvoices.write_einvoice(row.id)


def test_official_rules_that_are_installed_keep_a_wrong_one_back(billed: TestClient) -> None:
    pytest.importorskip("saxonche", reason="the official rules need requirements/einvoice.txt")
    from engineroom.billing import checking, rulesets

    path = rulesets.of_the_wheel()
    checking.store().add(path.read_bytes(), file_name=path.name, day=date(2026, 11, 22))
    with billed.acting("specialist"):
        row = invoice_to(billed, "ACME")
        assert einvoices.findings(ubl.write_document(einvoices.document(row))) == []
        row.parties["customer"]["country"] = "XX"  # as issued by somebody who did not know
        (found,) = einvoices.findings(ubl.write_document(einvoices.document(row)))
        assert found.rule == "BR-CL-14"
        assert einvoices.write_einvoice(row.id).new, "what was issued is right"


def whole(line: model.Line, net: int, tax: int) -> model.Invoice:
    part = model.TaxBreakdown(taxable=net, tax=tax, category="S", rate=Decimal("20"))
    totals = model.Totals(lines=net, net=net, gross=net + tax, payable=net + tax)
    return replace(invoice(), lines=(line,), tax=model.TaxTotal(tax=tax, breakdown=(part,)), totals=totals)


@given(st.integers(1, 10_000), st.integers(1, 1_000_00), st.integers(-20, 20))
@settings(max_examples=150, deadline=None)
def test_any_line_hangs_together_however_its_days_were_rounded(minutes: int, rate: int, rounded: int) -> None:
    """Each day was rounded to the penny: the line's net is up to half a penny a day from its hours' price."""
    net = half_up(minutes * rate, 60) + rounded
    row: Any = SimpleNamespace(
        line_no=1,
        minutes=minutes,
        rate=rate,
        net=net,
        vat_ppm=200_000,
        week_ending=DAY,
        kind="regular",
        description="x",
    )
    line = einvoices._line(row, "GBP")
    tax = half_up(net, 5)
    assert not [
        f for f in arithmetic.check(whole(line, net, tax)) if f.severity == "fatal" or "R120" in f.rule
    ]
    assert etree.fromstring(ubl.write_document(whole(line, net, tax))) is not None


def test_a_client_is_described_by_name_alone(firm: Firm, client: TestClient) -> None:
    with acting(firm.owner, write=firm.house_id):
        with pytest.raises(InputRefused, match="favourite_colour"):
            access.describe_client(client.code, {"favourite_colour": "blue"})
        assert access.describe_client(client.code, {"country": "GB"}).details["country"] == "GB"
        assert "country" not in access.describe_client(client.code, {"country": ""}).details
    with client.acting("lead"), pytest.raises(NotPermitted):
        access.describe_client(client.code, {"country": "GB"})
