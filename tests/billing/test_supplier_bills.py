"""Bills of suppliers: entered or read, approved by another person, posted whole, and frozen."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given, settings

from engineroom.billing import einvoices, received, supplier_bills
from engineroom.billing.formats import einvoice as model
from engineroom.billing.formats import ubl
from engineroom.billing.models import SupplierBill
from engineroom.billing.supplier_bills import BillKept, BillLine, BillSaid
from engineroom.foundation import duties, thread
from engineroom.foundation.approvals.services import ContentChanged, MakerIsNotChecker
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.ledger import services as ledger
from engineroom.ledger.models import Posting
from engineroom.ledger.selectors import verify
from engineroom.openitems.selectors import open_items
from tests.billing.einvoices import BUYER, invoice, invoices, totalled
from tests.billing.test_pages_of_bills import browser_of, text
from tests.firm import TestClient, connect, enter

DAY = date(2026, 11, 20)
OURS = replace(BUYER, vat_id="GB000000000")
"""The buyer as a client of tests is called."""


@pytest.fixture(autouse=True)
def _no_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_settings, "EINVOICE_RULES_DIR", tmp_path / "rules")


def paper(reference: str = "P-1", **more: object) -> BillSaid:
    lines = (BillLine("Paper", 100_00), BillLine("Returned", -20_00))
    said = BillSaid("PAPER", reference, DAY, lines, 16_00, supplier_name="Paper Ltd")
    return replace(said, **more)  # type: ignore[arg-type]


def entered(client: TestClient, said: BillSaid, role: str = "bookkeeper") -> BillKept:
    with client.acting(role):
        return supplier_bills.enter_bill(said)


def taken(client: TestClient, one: model.Invoice, **more: str) -> BillKept:
    content = io.BytesIO(ubl.write_document(one))
    with client.acting("bookkeeper"):
        file = einvoices.keep_checked(content, name="in.xml", permission="accounting.prepare")
        return received.bill_from_einvoice(file.id, **more)


def approve(client: TestClient, kept: BillKept, role: str = "checker") -> BillKept:
    with client.acting(role):
        return supplier_bills.approve_bill(kept.bill_id, content_hash=kept.content_hash)


def posted(client: TestClient, bill_id: UUID) -> dict[str, int]:
    """What the bill's entry has on each account."""
    rows = Posting.objects.filter(client_id=client.id, entry__batch__subject_id=bill_id)
    return dict(rows.values_list("account__code", "amount"))


def test_a_draft_owes_nothing_and_is_posted_by_another_person(client: TestClient) -> None:
    kept = entered(client, paper(), role="lead")
    with client.acting("lead"):
        assert not open_items(kind="bill") and not posted(client, kept.bill_id)
    with pytest.raises(MakerIsNotChecker):
        approve(client, kept, role="lead")
    approve(client, kept)
    with client.acting("lead"):
        assert posted(client, kept.bill_id) == {"6000": 80_00, "2260": 16_00, "2100": -96_00}
        [item] = open_items(kind="bill")
        assert (item.open, item.due, item.reference) == (-96_00, date(2026, 12, 20), "P-1")
        assert all(check.ok for check in verify())
        graph = thread.graph("supplier_bill", kept.bill_id)
        assert {"supplier_bill", "entry", "item"} <= {kind for kind, _ in graph.nodes}


def test_what_was_looked_at_is_what_is_approved(client: TestClient) -> None:
    kept = entered(client, paper())
    with client.acting("bookkeeper"):
        now = supplier_bills.set_bill_account(kept.bill_id, "5000", line_no=2)
    with pytest.raises(ContentChanged):
        approve(client, kept)
    approve(client, now)
    with client.acting("lead"):
        assert posted(client, kept.bill_id) == {"6000": 100_00, "5000": -20_00, "2260": 16_00, "2100": -96_00}


def test_the_same_bill_is_entered_once_until_it_is_withdrawn_or_reversed(client: TestClient) -> None:
    first = entered(client, paper())
    with pytest.raises(Conflict, match=f"here already, as bill {first.number}"):
        entered(client, paper(" p-1 "))
    with client.acting("bookkeeper"):
        supplier_bills.withdraw_bill(first.bill_id, reason="the wrong year")
    second = entered(client, paper())
    approve(client, second)
    with client.acting("bookkeeper"):
        entry = SupplierBill.objects.get(id=second.bill_id).entry_id
        ledger.reverse_entry(entry, day=DAY, reason="it was another's")
        assert supplier_bills.bill(second.number).shown_state == "reversed"
        assert not [item for item in open_items(kind="bill") if item.open]
    third = entered(client, paper())
    assert [first.number, second.number, third.number] == [1, 2, 3]


def test_everything_wrong_is_said_at_once(client: TestClient) -> None:
    lines = (BillLine("", 0, "2100"),)
    with pytest.raises(InputRefused) as refused:
        entered(client, BillSaid("NEW", "", DAY, lines, 0, due=date(2026, 1, 1)))
    fields = {problem.field for problem in refused.value.problems}
    assert fields >= {"supplier_name", "reference", "due", "description_1", "net_1", "account_1", "vat"}


def test_an_e_invoice_becomes_a_bill_of_a_supplier_found_again_by_its_vat_number(client: TestClient) -> None:
    kept = taken(client, invoice(buyer=OURS), account="5000")
    again = taken(client, invoice(buyer=OURS, number="INV-2"))
    with client.acting("lead"):
        row = supplier_bills.find(kept.number)
        assert (row.reference, row.net, row.vat, row.due) == ("INV-000001", 172_00, 34_40, date(2026, 12, 22))
        assert [line.description for line in supplier_bills.lines_of(row)] == ["Fork-lift driver"]
        assert row.supplier.name == "Harbour Staffing Ltd" and row.file is not None
        assert row.supplier_id == supplier_bills.find(again.number).supplier_id
        asked = [duty for ask in duties.QUESTIONS for duty in ask([client.id], DAY)]
        assert "Approve supplier bill 1" in [duty.what for duty in asked]
    approve(client, kept)
    with client.acting("lead"):
        assert posted(client, kept.bill_id) == {"5000": 172_00, "2260": 34_40, "2100": -206_40}
    with pytest.raises(Conflict, match="here already"):
        taken(client, invoice(buyer=OURS))


def test_a_credit_note_is_a_bill_the_other_way(client: TestClient) -> None:
    kept = taken(client, invoice(buyer=OURS, type_code="381"))
    approve(client, kept)
    with client.acting("lead"):
        assert posted(client, kept.bill_id) == {"6000": -172_00, "2260": -34_40, "2100": 206_40}
        assert supplier_bills.bill(kept.number).open == -206_40


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (replace(invoice(buyer=OURS), totals=replace(invoice().totals, payable=1_00)), "BR-CO-16"),  # type: ignore[type-var]
        (invoice(buyer=OURS, currency="EUR"), "it is in EUR"),
        (invoice(), "addressed to Northgate Mills Ltd"),
        (
            totalled(
                replace(
                    invoice(buyer=OURS),
                    lines=(replace(invoice().lines[0], category="AE", rate=Decimal(0)),),
                )
            ),
            "reverse charge",
        ),
    ],
)
def test_what_cannot_be_a_bill_is_said_in_its_own_words(
    client: TestClient, one: model.Invoice, says: str
) -> None:
    with pytest.raises(InputRefused, match=says):
        taken(client, one)
    with client.acting("lead"):
        assert not SupplierBill.objects.filter(client_id=client.id).exists()


@settings(max_examples=60)
@given(one=invoices())
def test_a_bill_comes_to_what_its_e_invoice_comes_to(one: model.Invoice) -> None:
    said = received.said_of(one, "S", "Supplier", "6000")
    assert one.totals is not None and one.totals.gross is not None
    sign = -1 if one.is_credit_note else 1
    assert said.net + said.vat == sign * one.totals.gross
    assert said.net == sign * (one.totals.net or 0)


def test_no_bill_is_posted_or_changed_around_the_application(client: TestClient) -> None:
    kept = entered(client, paper())
    frozen = entered(client, paper("P-2"))
    approve(client, frozen)
    bill = "UPDATE billing_supplierbill SET "
    tries = [
        (
            "another person approved",
            f"{bill} state = 'posted', entry_id = (SELECT id FROM ledger_entry LIMIT 1)",
            kept,
        ),
        ("changes as a draft alone", f"{bill} content_hash = '\\x00'", frozen),
        ("does not become", f"{bill} state = 'reversed'", frozen),
        ("permission denied", f"{bill} gross = 1", kept),
        ("frozen", "UPDATE billing_supplierbillline SET account_id = account_id", frozen),
        ("permission denied", "DELETE FROM billing_supplierbill", kept),
    ]
    for says, statement, of in tries:
        column = "bill_id" if "billline" in statement else "id"
        with connect() as app:
            enter(app, client.staff["lead"], read=[client.id], write=client.id)
            with pytest.raises(psycopg.Error, match=says):
                app.execute(f"{statement} WHERE {column} = %s", [of.bill_id])
    copy = (
        "INSERT INTO billing_supplierbillline "
        "(id, client_id, bill_id, line_no, description, net, account_id) "
        "SELECT gen_random_uuid(), client_id, bill_id, 3, 'one more', 1, account_id "
        "FROM billing_supplierbillline WHERE bill_id = %s LIMIT 1"
    )
    with connect() as app:
        enter(app, client.staff["lead"], read=[client.id], write=client.id)
        with pytest.raises(psycopg.Error, match="has 2 lines and no further one"):
            app.execute(copy, [kept.bill_id])


def test_a_bill_on_paper_is_entered_and_approved_on_pages(client: TestClient) -> None:
    clerk, checker = browser_of(client, "bookkeeper"), browser_of(client, "checker")
    at = f"/c/{client.code}/bills/suppliers"
    asked = {
        "supplier": "PAPER", "supplier_name": "Paper Ltd", "reference": "P-9", "issue_date": "2026-11-20",
        "description_1": "Paper", "net_1": "1,000.00", "account_1": "6000",
        **{f"account_{n}": "6000" for n in range(2, 6)}, "vat": "200.00", "form_key": str(uuid4()),
    }  # fmt: skip
    refused = clerk.post(f"{at}/enter", {**asked, "net_1": ""})
    assert refused.status_code == 422 and "required" in text(refused)
    assert clerk.post(f"{at}/enter", asked).headers["Location"] == f"{at}/1"
    page = text(clerk.get(f"{at}/1"))
    assert "£1,200.00" in page and "Withdraw" in page
    with client.acting("lead"):
        content = supplier_bills.content_of(supplier_bills.find(1)).hex()
    said = {"content_hash": content, "form_key": str(uuid4())}
    assert "approve" in text(checker.get(f"{at}/1"))
    assert "is approved and posted" in text(checker.post(f"{at}/1/approve", said, follow=True))
    assert "To pay" in text(clerk.get(at)) and "Paper Ltd" in text(clerk.get(at))


def test_a_dropped_e_invoice_is_a_draft_or_is_kept_with_what_is_wrong(client: TestClient) -> None:
    clerk = browser_of(client, "bookkeeper")
    at = f"/c/{client.code}/bills/suppliers/take"

    def drop(one: model.Invoice) -> str:
        file = SimpleUploadedFile("in.xml", ubl.write_document(one))
        return text(clerk.post(at, {"file": file, "account": "6000", "form_key": str(uuid4())}, follow=True))

    assert "in.xml is bill 1" in drop(invoice(buyer=OURS))
    page = drop(invoice())
    assert "is kept and became no bill" in page and "addressed to Northgate Mills Ltd" in page
    with client.acting("lead"):
        assert VaultFile.objects.filter(client_id=client.id, kind=einvoices.CHECKED).count() == 2
