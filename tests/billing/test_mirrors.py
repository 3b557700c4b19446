"""What the house bills a client stands among that client's bills, once; the thread hops between both."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest

from engineroom.billing import mirrors, services, supplier_bills
from engineroom.billing.models import Invoice, InvoiceMirror, SupplierBill
from engineroom.foundation import duties, thread
from engineroom.foundation.approvals.services import MakerIsNotChecker
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.ledger import services as ledger
from engineroom.ledger.charts import STAFFING
from tests.billing.test_pages_of_bills import browser_of, text
from tests.cli import conftest as terminal
from tests.cli.conftest import Cli
from tests.firm import (
    PAY_DATE,
    WEEK_ENDS,
    Firm,
    Temp,
    TestClient,
    connect,
    enter,
    give_token,
    hours_file,
    set_up,
)

cli = terminal.cli


@dataclass
class Billed:
    """The house after a bill run: one client of the firm with books, and one without."""

    house: TestClient
    client: TestClient
    bookless: TestClient
    other: str
    """The number of the invoice to a customer that is no client."""

    def invoice(self, client: TestClient) -> Invoice:
        with self.house.acting("lead"):
            return Invoice.objects.get(client_id=self.house.id, parties__customer__client=client.code)


@pytest.fixture(scope="module")
def billed(firm: Firm) -> Billed:
    client, bookless = firm.new_client(), firm.new_client(with_books=False)
    staff = {role: firm.new_user() for role in ("lead", "specialist", "checker", "bookkeeper")}
    for role, user in staff.items():
        firm.grant(user, firm.house_id, role)
    firm.grant(staff["checker"], client.id, "checker")  # who issues at the house works on the client too
    with acting(firm.owner, read=[firm.house_id]):
        code = Client.objects.get(id=firm.house_id).code
    folder = firm.folder / "house"
    folder.mkdir()
    house = TestClient(firm.house_id, code, staff, folder)
    with house.acting("bookkeeper"):
        ledger.open_book(STAFFING)
    temps = [
        Temp("T1", customer="ONE"),
        Temp("T2", customer="TWO", name="Al Green"),
        Temp("T3", customer="OUT", name="Bo Park"),
    ]
    set_up(house, temps)
    rows = [("ONE", "One Ltd", "1 Road", client.code), ("TWO", "Two Ltd", "2 Road", bookless.code)]
    house.take("customers", house.file("c.csv", ("code", "name", "address", "client"), rows))
    house.take("timesheets", hours_file(house, temps))
    with house.acting("specialist"):
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with house.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with house.acting("checker"):
        services.issue_bill_run(run.bill_run_id)
    with house.acting("lead"):
        outside = Invoice.objects.get(client_id=house.id, customer__code="OUT")
    return Billed(house, client, bookless, outside.number)


def drawn(at: TestClient, role: str, kind: str, node_id: UUID) -> str:
    return text(browser_of(at, role).get(f"/c/{at.code}/thread/{kind}/{node_id}"))


def test_the_other_side_is_pending_then_a_draft_of_the_client_and_the_thread_hops(billed: Billed) -> None:
    house, client = billed.house, billed.client
    invoice, stuck = billed.invoice(client), billed.invoice(billed.bookless)
    with house.acting("lead"):
        assert InvoiceMirror.objects.filter(client_id=house.id).count() == 2, "nobody else's has another side"
        assert {hop.there for hop in thread.hops([("invoice", invoice.id)])} == {None}
    assert "Mirror pending" in drawn(house, "checker", "invoice", invoice.id)
    assert "Mirror pending" not in drawn(house, "lead", "invoice", invoice.id), "no grant on the client"

    run_worker(wait=False)
    with client.acting("lead"):
        [bill] = SupplierBill.objects.filter(client_id=client.id).select_related("supplier")
        assert (bill.state, bill.source, bill.reference) == ("draft", "mirror", invoice.number)
        assert (bill.net, bill.vat, bill.due) == (invoice.net, invoice.vat, invoice.due)
        assert bill.supplier.code == house.code and bill.exchange_id == invoice.id
    assert mirrors.write(house.id, invoice.id, house.staff["checker"].id) is None, "written once"
    there = f"/c/{client.code}/thread/supplier_bill/{bill.id}"
    assert there in drawn(house, "checker", "invoice", invoice.id)
    page = drawn(house, "lead", "invoice", invoice.id)
    assert there not in page and client.code not in page
    back = f"/c/{house.code}/thread/invoice/{invoice.id}"
    assert back not in drawn(client, "lead", "supplier_bill", bill.id)
    both = browser_of(house, "checker").get(there)
    assert back in text(both)

    kept = bytes(bill.content_hash).hex()
    with pytest.raises(MakerIsNotChecker), acting(house.staff["checker"], write=client.id):
        supplier_bills.approve_bill(bill.id, content_hash=kept)
    with client.acting("checker"):
        supplier_bills.approve_bill(bill.id, content_hash=kept)
        assert supplier_bills.bill(bill.number).open == invoice.gross

    # The other client has no books: its bill waits, in sight, and is written once it has.
    with house.acting("specialist"):
        row = mirrors.mirror_of(stuck.id)
        assert row is not None and "no account 2100" in row.problem and row.document_id is None
        asked = [duty for ask in duties.QUESTIONS for duty in ask([house.id], PAY_DATE)]
        assert f"Have {stuck.number} written at the client that it bills" in [duty.what for duty in asked]
    browser = browser_of(house, "specialist")
    at = f"/c/{house.code}/invoices/{stuck.number}"
    assert "no account 2100" in text(browser.get(at))
    with billed.bookless.acting("bookkeeper"):
        ledger.open_book(STAFFING)
    assert browser.post(f"{at}/mirror", {"form_key": str(uuid4())}).status_code == 303
    run_worker(wait=False)
    assert "Written" in text(browser.get(at))
    with billed.bookless.acting("lead"):
        assert SupplierBill.objects.get(client_id=billed.bookless.id).gross == stuck.gross
    with house.acting("specialist"), pytest.raises(Conflict, match="written already"):
        mirrors.mirror_again(stuck.id)
    with connect() as app:
        enter(app, house.staff["lead"], read=[house.id], write=house.id)
        with pytest.raises(psycopg.Error, match="is written: it is not another one"):
            app.execute("UPDATE billing_invoicemirror SET document_id = id WHERE id = %s", [stuck.id])


def test_it_is_asked_for_as_typed(billed: Billed, firm: Firm, cli: Cli) -> None:
    run_worker(wait=False)
    clerk = billed.house.staff["specialist"]
    give_token(firm, clerk)
    number = billed.invoice(billed.client).number
    said = cli("invoices", "mirror", billed.house.code, number, who=clerk.email)
    assert said.code == 0 and f"stands among the bills of {billed.client.code}" in said.out, said.err
    none = cli("invoices", "mirror", billed.house.code, billed.other, who=clerk.email)
    assert none.code == 1 and "has no other side" in none.err


def test_a_job_cut_off_between_both_sides_finds_the_bill_and_says_so(billed: Billed) -> None:
    """The bill is written and the house does not know yet: the job again makes no second one."""
    house, client = billed.house, billed.client
    invoice = billed.invoice(client)
    run_worker(wait=False)
    with client.acting("lead"):
        before = SupplierBill.objects.get(client_id=client.id, exchange_id=invoice.id)
    with connect("owner") as owner:
        owner.execute("ALTER TABLE billing_invoicemirror DISABLE TRIGGER USER")
        owner.execute("ALTER TABLE billing_invoicemirror NO FORCE ROW LEVEL SECURITY")
        owner.execute("UPDATE billing_invoicemirror SET document_id = NULL WHERE id = %s", [invoice.id])
        owner.execute("ALTER TABLE billing_invoicemirror FORCE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE billing_invoicemirror ENABLE TRIGGER USER")
        owner.commit()
    assert mirrors.write(house.id, invoice.id, house.staff["checker"].id) == before.id
    with client.acting("lead"):
        assert SupplierBill.objects.filter(client_id=client.id).count() == 1


def test_only_the_house_says_that_a_customer_is_a_client(client: TestClient, billed: Billed) -> None:
    headings = ("code", "name", "client")
    with pytest.raises(InputRefused, match="is no client of yours"):
        client.take("customers", client.file("c.csv", headings, [("X", "X Ltd", billed.client.code)]))
    with pytest.raises(InputRefused, match="the firm has no client 'NOBODY'"):
        house = billed.house
        house.take("customers", house.file("d.csv", headings, [("X", "X Ltd", "NOBODY")]))
