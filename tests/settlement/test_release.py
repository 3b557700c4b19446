"""Releasing payments: what was approved, to accounts that were approved, once; and what proves a stage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from engineroom.foundation import vault
from engineroom.foundation.approvals.services import NotApproved
from engineroom.foundation.numbering.models import NumberSeries
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors as ledger
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems import selectors as openitems
from engineroom.openitems.models import Counterparty
from engineroom.openitems.services import ItemColumns, add_items
from engineroom.payday import steps
from engineroom.payroll import services as payroll
from engineroom.payroll.models import Payslip
from engineroom.settlement import services as settlement
from engineroom.settlement.formats import bacs18
from engineroom.settlement.models import BatchStage, Payment, PaymentBatch
from engineroom.settlement.selectors import payment_files
from engineroom.settlement.services import BatchReleased, PayeeChanged
from tests.firm import PAY_DATE, Temp, TestClient, approve_accounts, approve_payday, hours_file, set_up
from tests.ledger.raw import another_person, raw_books, tamper, until_somebody_waits

TEMPS = (
    Temp("T10", "Ann Lee"),
    Temp("T2", "Zoë O'Neil-Łukasz"),
    Temp("T1", "  Jean-Luc de la Fontaine-Beauregard "),
)


def approve_run(client: TestClient, temps: Sequence[Temp] = TEMPS) -> UUID:
    """From hours to an approved run; not released."""
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps, PAY_DATE - timedelta(days=11)))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(client)
    with client.acting("checker"):
        run = steps.payday_of(PAY_DATE).run
    assert run is not None
    return run.id


def release_run(client: TestClient, temps: Sequence[Temp] = TEMPS) -> UUID:
    """An approved run, released, whose payments nobody has released yet."""
    run_id = approve_run(client, temps)
    with client.acting("checker"):
        payroll.release_pay_run(run_id)
    return run_id


def pay(client: TestClient, run_id: UUID, kind: str = "net_pay", role: str = "checker") -> BatchReleased:
    with client.acting(role):
        return settlement.release_payments("pay_run", run_id, kind=kind, pay_date=PAY_DATE)


def nothing_was_written(client: TestClient) -> bool:
    with client.acting("checker"):
        paid = PaymentBatch.objects.filter(client_id=client.id).exists()
        return not paid and all(i.open for i in openitems.open_items(kind="net_pay", include_closed=True))


def read_back(client: TestClient, released: BatchReleased) -> bacs18.BacsFile:
    with client.acting("checker"):
        return bacs18.read(vault.read(vault.find(released.file_id)), file_name=released.file_name)


# what is paid -----------------------------------------------------------------------------------------


def test_the_file_says_what_was_approved(client: TestClient) -> None:
    run_id = release_run(client)
    released = pay(client, run_id)
    file = read_back(client, released)
    with client.acting("checker"):
        net = {
            slip.person_id: slip.amounts[slip.attempt.elements.index("net_pay")]
            for slip in Payslip.objects.filter(client_id=client.id, run_id=run_id)
        }
        payments = list(Payment.objects.filter(client_id=client.id).order_by("reference"))
        assert {p.payee_id: p.amount for p in payments} == net
    assert [(c.reference, c.amount_minor) for c in file.credits] == [
        (p.reference, p.amount) for p in payments
    ]
    assert (released.payments, released.total, file.total_minor) == (3, sum(net.values()), sum(net.values()))
    assert file.originator.service_user_number == "123456"
    assert file.processing_day == released.processing_day


def test_payees_come_in_one_order_with_names_that_bacs_can_carry(client: TestClient) -> None:
    """By reference, as code points sort: the same run gives the same file on every machine."""
    file = read_back(client, pay(client, release_run(client)))
    assert [(c.name, c.account) for c in file.credits] == [
        ("JEAN-LUC DE LA FON", "00000003"),
        ("ANN LEE", "00000001"),
        ("ZOE ONEIL-LUKASZ", "00000002"),
    ]
    assert [c.reference for c in file.credits] == [f"ER000001 0000{n}" for n in (1, 2, 3)]


def test_a_name_that_bacs_cannot_carry_is_named_and_nothing_is_written(client: TestClient) -> None:
    run_id = release_run(client, [*TEMPS, Temp("T7", "株式会社")])
    with pytest.raises(InputRefused, match="1/T7 株式会社: nothing of '株式会社' can be written"):
        pay(client, run_id)
    assert nothing_was_written(client)


@pytest.mark.behaviour("LED-06")
def test_a_release_moves_what_was_owed_to_what_is_on_its_way(client: TestClient) -> None:
    total = pay(client, release_run(client)).total
    with client.acting("checker"):
        balances = {b.code: b.balance for b in ledger.trial_balance()}
        assert (balances["2210"], balances["2300"]) == (0, -total)
        assert openitems.open_items(kind="net_pay") == []
        assert [c for c in openitems.controls() if not c.ok] == []
        assert [f.state for f in payment_files()] == ["released"]


# what is not ------------------------------------------------------------------------------------------


def test_nothing_is_paid_before_it_is_released(client: TestClient) -> None:
    run_id = approve_run(client)
    with pytest.raises(NotApproved, match="not released"):
        pay(client, run_id)


def test_who_may_not_release_writes_no_file(client: TestClient) -> None:
    run_id = release_run(client)
    for role in ("specialist", "bookkeeper"):
        with pytest.raises(NotPermitted):
            pay(client, run_id, role=role)
    assert nothing_was_written(client)


def test_an_account_changed_since_the_approval_is_held_and_the_number_is_not_lost(client: TestClient) -> None:
    run_id = release_run(client)
    _change_account(client, "T2", account="11112222", from_day="2026-11-25")
    with pytest.raises(PayeeChanged, match="1 payees' accounts are not those that were approved: 1/T2"):
        pay(client, run_id)
    assert nothing_was_written(client)
    with client.acting("checker"):
        assert not NumberSeries.objects.filter(client_id=client.id, series="payment-batch").exists()


def _change_account(client: TestClient, number: str, *, account: str, from_day: str) -> None:
    headings = ("payroll_number", "name", "start_date", "sort_code", "account_number", "account_from")
    rows = [(number, "Zoë O'Neil-Łukasz", "2026-01-05", "20-00-00", account, from_day)]
    client.take("people", client.file("changed.csv", headings, rows))
    assert approve_accounts(client) == 1


def test_an_account_swapped_under_its_fingerprint_is_held(client: TestClient) -> None:
    """Somebody gives a payee another's encrypted account, and leaves what the approval binds as it was."""
    run_id = release_run(client)
    changed = tamper(
        "UPDATE people_bankaccount a SET account_number = b.account_number FROM people_bankaccount b "
        "JOIN people_person p ON p.id = b.person_id AND p.payroll_number = 'T10' "
        "WHERE b.client_id = %(c)s AND a.client_id = b.client_id AND a.id <> b.id",
        {"c": client.id},
    )
    assert changed == 2
    with pytest.raises(PayeeChanged, match="2 payees"):
        pay(client, run_id)
    assert nothing_was_written(client)


def test_a_payee_whom_nobody_approved_is_held(client: TestClient) -> None:
    """An item under the run's name, for somebody who has an account but no payslip in it."""
    run_id = release_run(client, TEMPS[:2])
    headings = ("payroll_number", "name", "start_date", "sort_code", "account_number")
    client.take(
        "people",
        client.file("late.csv", headings, [("T9", "Late Comer", "2026-01-05", "200000", "12121212")]),
    )
    with client.acting("bookkeeper"):
        person = Counterparty.objects.get(client_id=client.id, name="Late Comer")
        lines = (Line("2210", -500), Line("5000", 500))
        posted = post_journals("test", ("test", uuid7()), [Journal(PAY_DATE, "slipped in", lines)])
        columns = ItemColumns(person.id, np.array([-500]), PAY_DATE, posted.entry_ids[0], run_id, ["1/T9"])
        add_items("net_pay", account_ids()["2210"], "pay_run", columns)
    with pytest.raises(PayeeChanged, match="1/T9 Late Comer"):
        pay(client, run_id)
    assert nothing_was_written(client)


def test_a_kind_whose_accounts_nobody_approves_is_not_paid(client: TestClient) -> None:
    run_id = release_run(client)
    with pytest.raises(NotApproved, match="nobody approves the accounts"):
        pay(client, run_id, kind="hmrc")


def test_another_currency_is_not_paid_in_pounds(client: TestClient) -> None:
    run_id = release_run(client)
    with client.acting("bookkeeper"):
        person = Counterparty.objects.get(client_id=client.id, name="Ann Lee")
        lines = (Line("2210", -500, currency="EUR"), Line("5000", 500, currency="EUR"))
        posted = post_journals("test", ("test", uuid7()), [Journal(PAY_DATE, "euros", lines)])
        columns = ItemColumns(
            person.id, np.array([-500]), PAY_DATE, posted.entry_ids[0], run_id, ["1/T10"], currency="EUR"
        )
        add_items("net_pay", account_ids()["2210"], "pay_run", columns)
    with pytest.raises(Conflict, match="another currency"):
        pay(client, run_id)
    assert nothing_was_written(client)


# once -------------------------------------------------------------------------------------------------


def test_the_same_run_is_not_paid_twice(client: TestClient) -> None:
    run_id = release_run(client)
    pay(client, run_id)
    with pytest.raises(Conflict, match="payment file 1 pays this already"):
        pay(client, run_id)


def test_two_people_releasing_at_once_write_one_file(client: TestClient) -> None:
    run_id = release_run(client)
    with another_person() as somebody:
        with client.acting("checker"):
            first = settlement.release_payments("pay_run", run_id, kind="net_pay", pay_date=PAY_DATE)
            other = somebody(lambda: pay(client, run_id, role="owner"))
            until_somebody_waits()
        with pytest.raises(Conflict, match="payment file 1 pays this already"):
            other.result(10)
    with client.acting("checker"):
        assert [b.id for b in PaymentBatch.objects.filter(client_id=client.id)] == [first.batch_id]
        assert Payment.objects.filter(client_id=client.id).count() == 3
        assert [c for c in openitems.controls() if not c.ok] == []


# stages -----------------------------------------------------------------------------------------------


@pytest.fixture
def batch_id(client: TestClient) -> UUID:
    return pay(client, release_run(client, TEMPS[:1])).batch_id


def record(client: TestClient, batch_id: UUID, stage: str, evidence: str = "report 1") -> None:
    with client.acting("bookkeeper"):
        settlement.record_stage(batch_id, stage, on=PAY_DATE, evidence=evidence)


@pytest.mark.behaviour("SETL-03")
def test_a_stage_needs_the_one_before_and_its_proof(client: TestClient, batch_id: UUID) -> None:
    with pytest.raises(Conflict, match="cannot settle before it is submitted"):
        record(client, batch_id, "settled")
    with pytest.raises(EngineroomError, match="what proves it"):
        record(client, batch_id, "submitted", evidence=" ")
    with pytest.raises(EngineroomError, match="the bank statement's to say"):
        record(client, batch_id, "cleared")
    with pytest.raises(NotFound):
        record(client, uuid7(), "submitted")
    record(client, batch_id, "submitted")
    with pytest.raises(Conflict, match="submitted already"):
        record(client, batch_id, "submitted")


def test_two_people_record_one_stage_once(client: TestClient, batch_id: UUID) -> None:
    raw = raw_books(client)
    with raw.connection() as connection, another_person() as somebody:
        connection.execute(
            'INSERT INTO settlement_batchstage (id, client_id, batch_id, stage, "on", evidence, by_user_id) '
            "VALUES (%s, %s, %s, 'submitted', %s, 'report 1', %s)",
            [uuid7(), client.id, batch_id, PAY_DATE, raw.user.id],
        )
        other = somebody(lambda: record(client, batch_id, "submitted"))
        until_somebody_waits()
        connection.commit()
        assert isinstance(other.exception(10), Conflict)
    with client.acting("bookkeeper"):
        assert BatchStage.objects.filter(client_id=client.id).count() == 1
