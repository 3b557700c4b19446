"""What the bank returned is paid again: to that one payee, once, as a second person approved the account."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from engineroom.foundation import thread
from engineroom.foundation.approvals import services as approvals
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.openitems import selectors as openitems
from engineroom.people import accounts
from engineroom.settlement import again
from engineroom.settlement.clearing import clear_lines
from engineroom.settlement.models import Payment
from engineroom.settlement.services import BatchReleased
from tests.firm import PAY_DATE, Temp, TestClient, approve_accounts, connect, enter, run_payday, set_up
from tests.settlement.bank import Booked, statement, write

TEMPS = [Temp("T1"), Temp("T2", "Al Smith")]
AGAIN = PAY_DATE + timedelta(days=7)


@pytest.fixture
def returned(client: TestClient) -> again.Returned:
    """T1's payment came back."""
    set_up(client, TEMPS)
    batch = run_payday(client, TEMPS).batch
    assert batch is not None
    with client.acting("bookkeeper"):
        payment = Payment.objects.filter(client_id=client.id).earliest("reference")
    bank(
        client,
        Booked(-batch.total, f"BACS {batch.reference}", reference="B1"),
        Booked(payment.amount, "RETURNED", reference="R1", end_to_end=payment.reference, returned="AC04"),
    )
    return the_one(client)


def bank(client: TestClient, *lines: Booked, name: str = "one") -> None:
    path = write(client.folder, statement(lines, id_=name), name=f"{name}.xml")
    client.take("statement", path, role="bookkeeper")
    with client.acting("bookkeeper"):
        clear_lines()


def the_one(client: TestClient) -> again.Returned:
    with client.acting("lead"):
        [found] = again.returned_payments()
        return found


def correct_the_account(client: TestClient, found: again.Returned) -> None:
    with client.acting():
        payee = accounts.Payee.of("Jo Bloggs", "20-00-09", "99999999")
        accounts.propose_account(
            found.payee_id, payee, starts=PAY_DATE + timedelta(days=1), reason="on a new form"
        )


def approve(client: TestClient, role: str = "lead", **more: bool) -> again.PayingAgainApproved:
    found = the_one(client)
    with client.acting(role):
        return again.approve_paying_again(found.payment_id, content_hash=found.content_hash, **more)


def pay(client: TestClient, found: again.Returned, role: str = "owner") -> BatchReleased:
    with client.acting(role):
        return again.pay_again(found.payment_id, pay_date=AGAIN)


@pytest.mark.behaviour("PAY-12")
def test_it_is_paid_again_alone_into_the_account_that_a_second_person_approved(
    client: TestClient, returned: again.Returned
) -> None:
    assert (returned.account, returned.is_held, returned.why) == ("same", False, "AC04")
    correct_the_account(client, returned)
    assert (the_one(client).account, the_one(client).is_held) == ("same", True)
    approve_accounts(client)
    assert (the_one(client).account, the_one(client).is_held) == ("corrected", False)
    approve(client)
    assert the_one(client).is_approved
    file = pay(client, returned)
    assert (file.payments, file.total) == (1, returned.left)
    with client.acting("lead"):
        assert again.returned_payments() == []
        paid = Payment.objects.get(client_id=client.id, batch_id=file.batch_id)
        assert (paid.payee_id, paid.item_id) == (returned.payee_id, returned.item_id)
        assert openitems.open_items(kind="net_pay") == []
        assert all(check.ok for check in openitems.verify())
        kinds = [kind for kind, _ in thread.graph("payment", returned.payment_id).nodes]
    assert kinds.count("payment") == 2 and kinds.count("batch") == 2, "its thread goes on to the second file"


@pytest.mark.behaviour("PAY-12")
def test_what_comes_back_again_is_paid_again(client: TestClient, returned: again.Returned) -> None:
    approve(client, same_account=True)
    file = pay(client, returned)
    with client.acting("lead"):
        second = Payment.objects.get(client_id=client.id, batch_id=file.batch_id)
    bank(
        client,
        Booked(second.amount, "RETURNED", reference="R2", end_to_end=second.reference, returned="AC01"),
        name="two",
    )
    assert (the_one(client).payment_id, the_one(client).left) == (second.id, returned.left)
    with client.acting("owner"), pytest.raises(Conflict, match="nothing is left"):
        again.pay_again(returned.payment_id, pay_date=AGAIN)


@pytest.mark.behaviour("PAY-12")
def test_who_entered_the_account_who_approves_and_who_pays_are_three(
    client: TestClient, returned: again.Returned
) -> None:
    with pytest.raises(Conflict, match="the account still that it came back from"):
        approve(client)
    with pytest.raises(approvals.NotApproved):
        pay(client, returned)
    with client.acting("lead"):
        payee = accounts.Payee.of("Jo Bloggs", "20-00-09", "99999999")
        accounts.propose_account(
            returned.payee_id, payee, starts=PAY_DATE + timedelta(days=1), reason="on a new form"
        )
    approve_accounts(client)
    with pytest.raises(approvals.MakerIsNotChecker):
        approve(client, "lead")
    approve(client, "owner")
    with pytest.raises(approvals.MakerIsNotChecker):
        pay(client, returned, "owner")
    assert pay(client, returned, "checker").payments == 1


def test_another_account_after_the_approval_needs_another(
    client: TestClient, returned: again.Returned
) -> None:
    approve(client, same_account=True)
    correct_the_account(client, returned)
    approve_accounts(client)
    assert not the_one(client).is_approved
    with pytest.raises(approvals.ContentChanged):
        pay(client, returned)
    with client.acting("lead"), pytest.raises(approvals.ContentChanged):
        again.approve_paying_again(returned.payment_id, content_hash=returned.content_hash)


def test_only_what_came_back_is_paid_again(client: TestClient, returned: again.Returned) -> None:
    with client.acting("lead"):
        other = Payment.objects.filter(client_id=client.id).latest("reference")
        for unknown in (other.id, uuid4()):
            with pytest.raises(NotFound, match="returned no payment"):
                again.approve_paying_again(unknown, content_hash="0" * 64)


def test_postgresql_pays_in_its_file_nobody_else(client: TestClient, returned: again.Returned) -> None:
    approve(client, same_account=True)
    file = pay(client, returned)
    with client.acting("lead"):
        theirs = Payment.objects.filter(client_id=client.id).exclude(payee_id=returned.payee_id).get()
    put = (
        "INSERT INTO settlement_payment (id, client_id, batch_id, item_id, payee_id, amount, reference) "
        "VALUES (gen_random_uuid(), %s, %s, %s, %s, 1, 'X')"
    )
    with connect() as app:
        enter(app, client.staff["checker"], write=client.id)
        with pytest.raises(psycopg.Error, match=r"pays that alone|written whole"):
            app.execute(put, [client.id, file.batch_id, theirs.item_id, theirs.payee_id])
        app.rollback()
