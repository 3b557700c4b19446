"""What PostgreSQL itself refuses of payments and bank lines: raw SQL as `app`, around every service."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest

from engineroom.foundation.approvals import services as approvals
from engineroom.kernel.errors import Conflict
from engineroom.kernel.ids import uuid7
from engineroom.settlement import by_hand, services
from engineroom.settlement.models import BankLine, OwnAccount, PaymentBatch
from tests.firm import Temp, TestClient, run_payday, set_up
from tests.ledger.raw import Raw, raw_books, sqlstate_of
from tests.settlement.bank import Booked, statement, write

NOT_RELEASED, NOT_WHOLE, WRONG, NO_PRIVILEGE = "ER403", "ER409", "ER422", "42501"


@pytest.fixture(scope="module")
def raw(firm) -> Raw:  # type: ignore[no-untyped-def]
    """A client after one payday, with three bank lines that nobody cleared. Every refusal is rolled back."""
    client: TestClient = firm.new_client()
    temps = [Temp("T1"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    run_payday(client, temps)
    path = write(client.folder, statement([Booked(100, "a"), Booked(-40, "b"), Booked(0, "c")]))
    client.take("statement", path, role="bookkeeper")
    return raw_books(client)


Connection = psycopg.Connection[tuple[object, ...]]


def refused(raw: Raw, *work: Callable[[Connection], object], commit: bool = True) -> str | None:
    def do() -> None:
        with raw.connection() as connection:
            for step in work:
                step(connection)
            if commit:
                connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    return sqlstate_of(do)


def sql(text: str, *values: object) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text, values)


# lines --------------------------------------------------------------------------------------------------


def line_of(raw: Raw, amount: int) -> UUID:
    with raw.client.acting("bookkeeper"):
        return BankLine.objects.get(client_id=raw.client.id, amount=amount).id


def clear(
    raw: Raw, line: UUID, item: UUID | None = None, said: UUID | None = None
) -> Callable[[Connection], object]:
    values = (line, raw.client.id, item, said)
    return sql(
        "INSERT INTO settlement_cleared (id, client_id, rule, why, item_id, explanation_id) "
        "VALUES (%s, %s, 'x', 'x', %s, %s)",
        *values,
    )


def approved(raw: Raw, line: UUID) -> UUID:
    """What one person says of a line and another approves: it may go to an account without open items."""
    with raw.client.acting("bookkeeper"):
        said = by_hand.explain_line(line, parts=[], account="4000", reason="test")
    with raw.client.acting("checker"):
        approvals.approve(by_hand.SUBJECT, said.explanation_id, bytes.fromhex(said.content_hash))
    return said.explanation_id


def post(
    raw: Raw, line: UUID, amount: int, bank: str = "1200", **change: object
) -> Callable[[Connection], object]:
    batch, entry, _ = raw.simple()
    of_line = {"kind": "bank_line", "subject_kind": "bank_line", "subject_id": line} | change
    lines = raw.lines(entry, (bank, amount), ("4000", -amount))
    return lambda connection: raw.write(connection, [batch | of_line], [entry], lines)


@pytest.mark.behaviour("CLR-09")
def test_a_line_is_cleared_by_its_own_posting_and_by_nothing_else(raw: Raw) -> None:
    line, other = line_of(raw, 100), line_of(raw, -40)
    said = approved(raw, line)
    assert refused(raw, post(raw, line, 100), clear(raw, line)) == "ER403", "not as it was approved"
    assert refused(raw, post(raw, line, 100), clear(raw, line, said=said)) is None
    assert refused(raw, post(raw, other, -40), clear(raw, other, said=said)) == "ER403", "of another line"
    assert refused(raw, clear(raw, line)) == WRONG
    assert refused(raw, post(raw, line, 99), clear(raw, line)) == WRONG
    assert refused(raw, post(raw, line, 100, bank="5000"), clear(raw, line)) == WRONG
    assert refused(raw, post(raw, other, 100), clear(raw, line)) == WRONG
    assert refused(raw, post(raw, line, 100, kind="by hand"), clear(raw, line)) == WRONG
    assert refused(raw, clear(raw, line_of(raw, 0))) == WRONG


@pytest.mark.behaviour("SETL-03")
def test_a_line_is_not_cleared_against_a_file_that_its_posting_did_not_settle(raw: Raw) -> None:
    """Else a payment file would count as cleared that no line of the bank names."""
    line = line_of(raw, -40)
    with raw.client.acting("bookkeeper"):
        item = PaymentBatch.objects.get(client_id=raw.client.id).transit_item_id
    assert refused(raw, post(raw, line, -40), clear(raw, line, item)) == WRONG


BANK_LINE = """
INSERT INTO settlement_bankline (id, client_id, statement_id, own_account_id, ordinal, identity, booked,
  currency, amount, bank_reference, end_to_end, counterparty_name, remittance, return_reason)
SELECT gen_random_uuid(), client_id, statement_id, own_account_id, 99, '\\x01', booked, %s, 5,
  '', '', '', '', ''
FROM settlement_bankline WHERE client_id = %s LIMIT 1
"""


def test_a_line_has_the_currency_of_its_account(raw: Raw) -> None:
    assert refused(raw, sql(BANK_LINE, "GBP", raw.client.id)) is None
    assert refused(raw, sql(BANK_LINE, "USD", raw.client.id)) == WRONG


# payment files ------------------------------------------------------------------------------------------

PAYMENT = """
INSERT INTO settlement_payment (id, client_id, batch_id, item_id, payee_id, amount, reference)
SELECT gen_random_uuid(), client_id, batch_id, item_id, payee_id, %s, %s
FROM settlement_payment WHERE client_id = %s LIMIT 1
"""


@pytest.mark.parametrize("amount", [1, 12345678, -5])
def test_no_payment_is_added_to_a_file_that_left(raw: Raw, amount: int) -> None:
    assert refused(raw, sql(PAYMENT, amount, "ER000001 99999", raw.client.id)) == NOT_WHOLE


BATCH = """
INSERT INTO settlement_paymentbatch (id, client_id, number, scheme, own_account_id, own_account_hash,
  subject_kind, subject_id, pay_date, submit_by, processing_day, entry_day, count, total,
  file_id, transit_item_id, reference)
SELECT gen_random_uuid(), client_id, 77, scheme, own_account_id, {hash}, {kind}, {subject}, pay_date,
  submit_by,
  processing_day, entry_day, 1, 5, file_id, transit_item_id, 'ER000077'
FROM settlement_paymentbatch WHERE client_id = %s LIMIT 1
"""
AS_IT_IS = {"hash": "own_account_hash", "kind": "'bill_run'", "subject": "RELEASED"}


def batch(raw: Raw, **change: str) -> Callable[[Connection], object]:
    """A file for the bill run, which is released and has none; a test changes what is to be refused."""
    mine = "client_id = app_write() AND subject_kind = 'bill_run'"
    released = f"(SELECT subject_id FROM foundation_release WHERE {mine})"
    said = {name: value.replace("RELEASED", released) for name, value in (AS_IT_IS | change).items()}
    return sql(BATCH.format(**said), raw.client.id)


def test_a_file_leaves_only_for_what_is_released(raw: Raw) -> None:
    assert refused(raw, batch(raw), commit=False) is None
    assert refused(raw, batch(raw, subject="gen_random_uuid()"), commit=False) == NOT_RELEASED
    assert refused(raw, batch(raw, kind="'x'"), commit=False) == NOT_RELEASED


def test_a_file_says_which_account_it_was_written_for(raw: Raw) -> None:
    assert refused(raw, batch(raw, hash="'\\x00'"), commit=False) == NOT_WHOLE


def test_a_file_without_its_payments_is_never_committed(raw: Raw) -> None:
    assert refused(raw, batch(raw)) == WRONG


def test_a_payment_without_its_allocation_is_never_committed(raw: Raw) -> None:
    one = """
    INSERT INTO settlement_payment (id, client_id, batch_id, item_id, payee_id, amount, reference)
    SELECT gen_random_uuid(), b.client_id, b.id, p.item_id, p.payee_id, 5, 'ER000077 00001'
    FROM settlement_paymentbatch b, settlement_payment p
    WHERE b.client_id = %s AND b.number = 77 AND p.client_id = b.client_id LIMIT 1
    """
    assert refused(raw, batch(raw), sql(one, raw.client.id), commit=False) is None
    assert refused(raw, batch(raw), sql(one, raw.client.id)) == WRONG


def test_who_recorded_a_stage_is_who_acted(client: TestClient, raw: Raw) -> None:
    with raw.connection() as connection:
        connection.execute(
            'INSERT INTO settlement_batchstage (id, client_id, batch_id, stage, "on", evidence, by_user_id) '
            "SELECT gen_random_uuid(), client_id, id, 'settled', pay_date, 'x', %s "
            "FROM settlement_paymentbatch WHERE client_id = %s",
            [uuid7(), raw.client.id],
        )
        [(user,)] = connection.execute(
            "SELECT by_user_id FROM settlement_batchstage WHERE client_id = %s", [raw.client.id]
        ).fetchall()
    assert user == raw.user.id


# own accounts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["sort_code = '000000'", "account_number = '1'", "account_id = id", "currency = 'EUR'", "iban = 'X'"],
)
def test_what_is_paid_from_never_changes(raw: Raw, change: str) -> None:
    assert (
        refused(raw, sql(f"UPDATE settlement_ownaccount SET {change} WHERE client_id = app_write()"))
        == NO_PRIVILEGE
    )
    assert (
        refused(raw, sql("DELETE FROM settlement_ownaccount WHERE client_id = app_write()")) == NO_PRIVILEGE
    )


def test_another_account_takes_over_the_code_of_the_old_one(client: TestClient) -> None:
    new = {"sort_code": "300000", "account_number": "11112222", "service_user_number": "123456"}
    with client.acting("bookkeeper"):
        services.rename_own_account("main", to="until November")
        services.add_own_account("main", "New bank", **new)
    with client.acting("bookkeeper"):
        codes = dict(OwnAccount.objects.filter(client_id=client.id).values_list("code", "sort_code"))
        assert codes == {"until November": "200000", "main": "300000"}
    with client.acting("bookkeeper"), pytest.raises(Conflict, match="called 'main' already"):
        services.rename_own_account("until November", to="main")
