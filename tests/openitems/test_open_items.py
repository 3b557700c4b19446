"""Open items: on the books for what they say, never used twice, and control account = sub-ledger, always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import psycopg
import pytest
from django.db import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.ids import uuid7, uuids_to_column
from engineroom.ledger import selectors as ledger_selectors
from engineroom.ledger import services as ledger
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems import selectors
from engineroom.openitems.models import Allocation, OpenItem
from engineroom.openitems.services import (
    ItemColumns,
    NothingLeft,
    add_item,
    add_items,
    allocate,
    counterparty,
    undo_allocation,
)
from tests.firm import TestClient
from tests.ledger.raw import DAY, Raw, another_person, raw_books, sqlstate_of, tamper, until_somebody_waits

RECEIVABLES, WAGES = "1100", "2210"
SUBJECT = ("test", uuid7())
REFUSED, USED_UP = "ER422", "ER409"


@dataclass
class Items:
    """Short ways to owe and be owed, inside `acting`."""

    made: list[UUID] = field(default_factory=list)

    def add(
        self, *amounts: int, account: str = RECEIVABLES, currency: str = "GBP", kind: str = "invoice"
    ) -> list[UUID]:
        """One entry that posts the sum of the amounts against income, and an item for each of them."""
        total = sum(amounts)
        lines = (Line(account, total, currency=currency), Line("4000", -total, currency=currency))
        posted = post_journals("test", ("test", uuid7()), [Journal(DAY, "items", lines)])
        return _ids(
            add_items(
                kind,
                account_ids()[account],
                "test",
                ItemColumns(
                    counterparty=[None] * len(amounts),
                    amount=np.array(amounts, dtype=np.int64),
                    due=DAY,
                    entry=posted.entry_ids[0],
                    subject_id=SUBJECT[1],
                    reference=[f"R{n}" for n in range(len(amounts))],
                    currency=currency,
                ),
            )
        )


def _ids(column: np.ndarray) -> list[UUID]:  # type: ignore[type-arg]
    return [UUID(bytes=row.tobytes()) for row in column]


def set_against(item_a: UUID, item_b: UUID, amount: int) -> UUID:
    allocation_id = uuid7()
    allocate(
        uuids_to_column([item_a]),
        item_b,
        np.array([amount]),
        subject=SUBJECT,
        ids=uuids_to_column([allocation_id]),
    )
    return allocation_id


def left(**asked: object) -> dict[UUID, int]:
    return {i.id: i.open for i in selectors.open_items(**asked)}  # type: ignore[arg-type]


def control_holds() -> bool:
    return all(c.ok for c in selectors.controls()) and all(c.ok for c in selectors.verify())


@pytest.fixture
def raw(client: TestClient) -> Raw:
    return raw_books(client)


# the control account ----------------------------------------------------------------------------------


@pytest.mark.behaviour("LED-06")
def test_nothing_is_posted_to_a_control_account_without_its_open_items(client: TestClient) -> None:
    with (
        pytest.raises(DatabaseError, match="what is posted to a control account has its open items"),
        client.acting("bookkeeper"),
    ):
        lines = (Line(RECEIVABLES, 100), Line("4000", -100))
        post_journals("test", ("test", uuid7()), [Journal(DAY, "no item", lines)])
    with client.acting("bookkeeper"):
        assert ledger_selectors.trial_balance() == []


@pytest.mark.behaviour("LED-06")
def test_not_even_raw_sql_commits_a_control_account_without_items(raw: Raw) -> None:
    batch, entry, _ = raw.simple()
    lines = raw.lines(entry, (RECEIVABLES, 100), ("4000", -100))
    with raw.connection() as connection:
        raw.write(connection, [batch], [entry], lines)
        connection.execute("SELECT set_config('app.read', '{}', true), set_config('app.write', '', true)")
        assert sqlstate_of(connection.commit) == REFUSED


@pytest.mark.behaviour("LED-06")
@pytest.mark.parametrize("amounts", [(60, 39), (60, 41), (101,), (-100,)])
def test_items_add_to_what_their_entry_posted(client: TestClient, amounts: tuple[int, ...]) -> None:
    with pytest.raises(DatabaseError, match="add to what it posted"), client.acting("bookkeeper"):
        lines = (Line(RECEIVABLES, 100), Line("4000", -100))
        posted = post_journals("test", ("test", uuid7()), [Journal(DAY, "items", lines)])
        columns = ItemColumns([None] * len(amounts), np.array(amounts), DAY, posted.entry_ids[0], SUBJECT[1])
        add_items("invoice", account_ids()[RECEIVABLES], "test", columns)
    with client.acting("bookkeeper"):
        assert ledger_selectors.trial_balance() == []


@pytest.mark.behaviour("LED-06")
def test_items_are_not_added_to_an_entry_that_has_them(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        Items().add(100)
        entry_id = OpenItem.objects.get(client_id=client.id).entry_id
    with client.acting("bookkeeper"), pytest.raises(DatabaseError, match="add to what it posted"):
        _one_item(account_ids()[RECEIVABLES], 100, entry_id)


def test_an_item_stands_on_a_control_account_alone(client: TestClient) -> None:
    with client.acting("bookkeeper"), pytest.raises(DatabaseError, match="on the control account"):
        lines = (Line("1200", 100), Line("4000", -100))
        posted = post_journals("test", ("test", uuid7()), [Journal(DAY, "no control account", lines)])
        _one_item(account_ids()["1200"], 100, posted.entry_ids[0])


def _one_item(account_id: UUID, amount: int, entry_id: UUID) -> None:
    add_item(
        "invoice",
        counterparty_id=None,
        account_id=account_id,
        amount=amount,
        due=DAY,
        entry_id=entry_id,
        subject=SUBJECT,
    )


def test_a_control_account_balances_in_every_currency(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        items = Items()
        items.add(100, 50)
        items.add(70, currency="EUR")
        items.add(-30, account=WAGES)
    with client.acting("bookkeeper"):
        found = {(c.account_code, c.currency): (c.ledger, c.items, c.left_open) for c in selectors.controls()}
        assert found == {
            (RECEIVABLES, "GBP"): (150, 150, 150),
            (RECEIVABLES, "EUR"): (70, 70, 70),
            (WAGES, "GBP"): (-30, -30, -30),
        }


moves = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(-500, 500).filter(bool), st.integers(0, 1)),
        st.tuples(st.just("allocate"), st.integers(0, 99), st.integers(1, 600)),
        st.tuples(st.just("undo"), st.integers(0, 99), st.just(0)),
        st.tuples(st.just("reverse"), st.integers(0, 99), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.behaviour("LED-06")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves)
def test_control_account_is_sub_ledger_whatever_is_done(
    client: TestClient, moves: list[tuple[str, int, int]]
) -> None:
    """Items, allocations, undos and reversals in any order, refused ones too: the two never part, and what is
    left of each item is what a simple model says."""
    model: dict[UUID, tuple[int, str]] = {}
    allocations: list[tuple[UUID, UUID, UUID, int]] = []
    for move, first, second in moves:
        try:
            with client.acting("bookkeeper"):
                _one_move(move, first, second, model, allocations)
        except (NothingLeft, Conflict):
            pass  # refused: then nothing of it may stay
        with client.acting("bookkeeper"):
            assert control_holds()
            assert {i: left(include_closed=True)[i] for i in model} == {i: o for i, (o, _) in model.items()}


def _one_move(
    move: str,
    first: int,
    second: int,
    model: dict[UUID, tuple[int, str]],
    allocations: list[tuple[UUID, UUID, UUID, int]],
) -> None:
    """Do it in the books, then in the model; a refusal leaves before the model changes."""
    items = list(model)
    if move == "add":
        account = (RECEIVABLES, WAGES)[second]
        [made] = Items().add(first, account=account)
        model[made] = (first, account)
    elif move == "allocate" and items:
        item_a = items[first % len(items)]
        others = [i for i in items if _opposite(model, item_a, i)]
        if others:
            item_b = others[second % len(others)]
            done = set_against(item_a, item_b, second)
            allocations.append((done, item_a, item_b, second))
            _use(model, item_a, item_b, second)
    elif move == "undo" and allocations:
        done, item_a, item_b, amount = allocations[first % len(allocations)]
        undo_allocation(done, subject=SUBJECT)
        _use(model, item_a, item_b, -amount)
    elif move == "reverse" and items:
        item = items[first % len(items)]
        ledger.reverse_entry(OpenItem.objects.get(id=item).entry_id, day=DAY, reason="a test")
        model[item] = (0, model[item][1])


def _opposite(model: dict[UUID, tuple[int, str]], a: UUID, b: UUID) -> bool:
    amounts = dict(OpenItem.objects.filter(id__in=[a, b]).values_list("id", "amount"))
    return a != b and model[a][1] == model[b][1] and (amounts[a] > 0) != (amounts[b] > 0)


def _use(model: dict[UUID, tuple[int, str]], a: UUID, b: UUID, amount: int) -> None:
    signs = dict(OpenItem.objects.filter(id__in=[a, b]).values_list("id", "amount"))
    for item in (a, b):
        open_, account = model[item]
        model[item] = (open_ - amount if signs[item] > 0 else open_ + amount, account)


# allocating -------------------------------------------------------------------------------------------


def test_an_allocation_takes_from_both_items_and_moves_no_account(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        items = Items()
        [invoice], [receipt] = items.add(100), items.add(-60)
        before = ledger_selectors.trial_balance()
        set_against(invoice, receipt, 60)
        assert left() == {invoice: 40}
        assert left(include_closed=True) == {invoice: 40, receipt: 0}
        assert ledger_selectors.trial_balance() == before


@pytest.mark.parametrize(("invoice", "receipt", "amount"), [(100, -60, 61), (100, -200, 101)])
def test_no_item_is_allocated_beyond_its_amount(
    client: TestClient, invoice: int, receipt: int, amount: int
) -> None:
    with client.acting("bookkeeper"):
        [a], [b] = Items().add(invoice), Items().add(receipt)
    with client.acting("bookkeeper"), pytest.raises(NothingLeft):
        set_against(a, b, amount)
    with client.acting("bookkeeper"):
        assert left() == {a: invoice, b: receipt}


def test_an_item_is_used_up_over_several_allocations_and_no_further(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        [invoice], [one], [two] = Items().add(100), Items().add(-70), Items().add(-70)
        set_against(invoice, one, 70)
    with client.acting("bookkeeper"), pytest.raises(NothingLeft):
        set_against(two, invoice, 31)
    with client.acting("bookkeeper"):
        set_against(two, invoice, 30)
        assert left() == {two: -40}


@pytest.mark.parametrize("what", ["another account", "another currency", "the same sign", "itself"])
def test_only_opposite_items_of_one_account_and_currency_meet(client: TestClient, what: str) -> None:
    with client.acting("bookkeeper"):
        [item] = Items().add(100)
        other = {
            "another account": lambda: Items().add(-100, account=WAGES)[0],
            "another currency": lambda: Items().add(-100, currency="EUR")[0],
            "the same sign": lambda: Items().add(100)[0],
            "itself": lambda: item,
        }[what]()
    with client.acting("bookkeeper"), pytest.raises(DatabaseError, match="share account and currency"):
        set_against(item, other, 10)


def test_an_item_of_another_client_is_out_of_reach(client: TestClient, other_client: TestClient) -> None:
    with other_client.acting("bookkeeper"):
        [theirs] = Items().add(-100)
    with client.acting("bookkeeper"):
        [ours] = Items().add(100)
    with client.acting("bookkeeper"), pytest.raises(DatabaseError, match="foreign key"):
        set_against(ours, theirs, 10)


@pytest.mark.parametrize("amount", [0, -5])
def test_an_allocation_is_of_more_than_nothing(client: TestClient, amount: int) -> None:
    with client.acting("bookkeeper"):
        [invoice], [receipt] = Items().add(100), Items().add(-100)
    with client.acting("bookkeeper"), pytest.raises(DatabaseError, match="allocation_sign"):
        set_against(invoice, receipt, amount)


def test_two_people_never_use_the_last_of_an_item_twice(raw: Raw) -> None:
    with raw.client.acting("bookkeeper"):
        [invoice], [one], [two] = Items().add(100), Items().add(-100), Items().add(-100)

    def allocate_too() -> None:
        with raw.client.acting("bookkeeper"):
            set_against(invoice, two, 100)

    with raw.connection() as connection, another_person() as somebody:
        _allocate_by_hand(raw, connection, one, invoice, 100)  # the other way round: order must not matter
        other = somebody(allocate_too)
        until_somebody_waits()
        connection.commit()
        assert isinstance(other.exception(10), NothingLeft)
    with raw.client.acting("bookkeeper"):
        assert left() == {two: -100}
        assert control_holds()


def test_a_guard_that_would_look_at_an_old_picture_refuses_to_look(raw: Raw) -> None:
    with raw.client.acting("bookkeeper"):
        [invoice], [receipt] = Items().add(100), Items().add(-100)
    with raw.connection() as connection:
        connection.rollback()
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.execute(
            "SELECT app_enter(%s, NULL, 'firm', %s, %s)", [raw.user.id, [raw.client.id], raw.client.id]
        )
        by_hand = (raw, connection, invoice, receipt, 100)
        assert sqlstate_of(lambda: _allocate_by_hand(*by_hand)) == REFUSED


def _allocate_by_hand(
    raw: Raw,
    connection: psycopg.Connection[object],
    item_a: UUID,
    item_b: UUID,
    amount: int,
    undoes: UUID | None = None,
) -> None:
    connection.execute(
        "INSERT INTO openitems_allocation "
        "(id, client_id, item_a_id, item_b_id, amount, undoes_id, subject_kind, subject_id) "
        "VALUES (%s, %s, %s, %s, %s, %s, 'test', %s)",
        [uuid7(), raw.client.id, item_a, item_b, amount, undoes, SUBJECT[1]],
    )


# undoing ----------------------------------------------------------------------------------------------


def test_an_undo_restores_exactly_and_once(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        [invoice], [receipt] = Items().add(100), Items().add(-60)
        before = left()
        done = set_against(invoice, receipt, 60)
    with client.acting("bookkeeper"):
        undone = undo_allocation(done, subject=SUBJECT)
        assert left() == before
    with client.acting("bookkeeper"), pytest.raises(Conflict, match="undone already"):
        undo_allocation(done, subject=SUBJECT)
    with client.acting("bookkeeper"), pytest.raises(Conflict, match="undoes another"):
        undo_allocation(undone.id, subject=SUBJECT)
    with client.acting("bookkeeper"), pytest.raises(NotFound):
        undo_allocation(uuid7(), subject=SUBJECT)
    with client.acting("bookkeeper"):
        set_against(invoice, receipt, 60)
        assert left() == {invoice: 40}


def test_two_people_undo_one_allocation_once(raw: Raw) -> None:
    with raw.client.acting("bookkeeper"):
        [invoice], [receipt] = Items().add(100), Items().add(-60)
        done = set_against(invoice, receipt, 60)

    def undo_too() -> None:
        with raw.client.acting("bookkeeper"):
            undo_allocation(done, subject=SUBJECT)

    with raw.connection() as connection, another_person() as somebody:
        _allocate_by_hand(raw, connection, invoice, receipt, -60, undoes=done)
        other = somebody(undo_too)
        until_somebody_waits()
        connection.commit()
        assert isinstance(other.exception(10), Conflict)
    with raw.client.acting("bookkeeper"):
        assert left() == {invoice: 100, receipt: -60}


@pytest.mark.parametrize("amount", [-59, -61])
def test_an_undo_is_of_the_whole_allocation(raw: Raw, amount: int) -> None:
    with raw.client.acting("bookkeeper"):
        [invoice], [receipt] = Items().add(100), Items().add(-100)
        done = set_against(invoice, receipt, 60)
    with raw.connection() as connection:
        undo = (raw, connection, invoice, receipt, amount, done)
        assert sqlstate_of(lambda: _allocate_by_hand(*undo)) in (REFUSED, USED_UP)


@pytest.mark.parametrize("table", ["openitems_openitem", "openitems_allocation"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET amount = amount", "DELETE FROM {}"])
def test_items_and_allocations_are_never_edited(raw: Raw, table: str, verb: str) -> None:
    with raw.connection() as connection:
        assert sqlstate_of(lambda: connection.execute(verb.format(table))) == "42501"


# reversing an entry with items ------------------------------------------------------------------------


@pytest.mark.behaviour("LED-06")
def test_reversing_an_entry_takes_its_open_items_back(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        first, _ = Items().add(100, 50)
        [kept] = Items().add(7)
        entry_id = OpenItem.objects.get(id=first).entry_id
    with client.acting("bookkeeper"):
        ledger.reverse_entry(entry_id, day=DAY + timedelta(days=1), reason="wrong customer")
    with client.acting("bookkeeper"):
        assert left() == {kept: 7}
        assert control_holds()


@pytest.mark.behaviour("LED-06")
def test_an_entry_is_not_reversed_under_an_allocation(client: TestClient) -> None:
    """What was paid is not unmade by unmaking the invoice: first the allocation is undone."""
    with client.acting("bookkeeper"):
        [invoice], [receipt] = Items().add(100), Items().add(-60)
        done = set_against(invoice, receipt, 60)
        entry_id = OpenItem.objects.get(id=invoice).entry_id
    with client.acting("bookkeeper"), pytest.raises(Conflict, match="undo its allocations first"):
        ledger.reverse_entry(entry_id, day=DAY, reason="paid already")
    with client.acting("bookkeeper"):
        undo_allocation(done, subject=SUBJECT)
        ledger.reverse_entry(entry_id, day=DAY, reason="undone before")
        assert left() == {receipt: -60}
        assert control_holds()


# what is open -----------------------------------------------------------------------------------------


def test_open_items_are_found_by_kind_account_and_subject(
    client: TestClient, other_client: TestClient
) -> None:
    with other_client.acting("bookkeeper"):
        Items().add(100)
    with client.acting("bookkeeper"):
        [invoice] = Items().add(100)
        [advance] = Items().add(20, kind="advance")
        [wage] = Items().add(-30, account=WAGES, kind="net_pay")
        assert left() == {invoice: 100, advance: 20, wage: -30}
        assert left(kind="advance") == {advance: 20}
        assert left(account=WAGES) == {wage: -30}
        assert left(subject=("test", uuid7())) == {}
        assert left(subject=SUBJECT, kind="net_pay") == {wage: -30}


def test_open_items_name_whose_they_are_and_come_by_due_date(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        customer = counterparty("customer", "ACME", "Acme Ltd")
        lines = (Line(RECEIVABLES, 300), Line("4000", -300))
        posted = post_journals("test", ("test", uuid7()), [Journal(DAY, "two", lines)])
        dues = np.array([date(2026, 12, 31), date(2026, 12, 1)], dtype="datetime64[D]")
        columns = ItemColumns(
            customer.id, np.array([100, 200]), dues, posted.entry_ids[0], SUBJECT[1], ["A", "B"]
        )
        add_items("invoice", account_ids()[RECEIVABLES], "test", columns)
        found = [(i.counterparty, i.reference, i.due, i.open) for i in selectors.open_items()]
        assert found == [
            ("Acme Ltd", "B", date(2026, 12, 1), 200),
            ("Acme Ltd", "A", date(2026, 12, 31), 100),
        ]


# verify -----------------------------------------------------------------------------------------------

INVOICE = "id = (SELECT id FROM openitems_openitem WHERE client_id = %(c)s AND amount = 100)"
DAMAGE = [
    ("control account 1100", f"UPDATE openitems_openitem SET amount = 99 WHERE {INVOICE}"),
    (
        "control account 1100",  # what is left no longer adds to the account, though the items still do
        "UPDATE openitems_allocation SET item_b_id = item_a_id WHERE client_id = %(c)s AND amount = 60",
    ),
    ("entries whose postings", f"DELETE FROM openitems_openitem WHERE {INVOICE}"),
    (
        "entries whose postings",  # the account's sum stays right: two entries are wrong by the same amount
        "UPDATE openitems_openitem SET amount = amount + sign(amount) "
        "WHERE client_id = %(c)s AND amount IN (100, -60)",
    ),
    (
        "items allocated beyond their amount",
        "UPDATE openitems_allocation SET amount = 61 WHERE client_id = %(c)s AND amount = 60",
    ),
    (
        "allocations across accounts or currencies",
        "UPDATE openitems_openitem SET currency = 'EUR' WHERE client_id = %(c)s AND amount = -60",
    ),
    (
        "undos that are not the negative",
        "UPDATE openitems_allocation SET amount = -10 WHERE client_id = %(c)s AND undoes_id IS NOT NULL",
    ),
]


@pytest.fixture
def open_books(client: TestClient) -> TestClient:
    with client.acting("bookkeeper"):
        [invoice], [receipt], [other] = Items().add(100), Items().add(-60), Items().add(-40)
        set_against(invoice, receipt, 60)
        undo_allocation(set_against(invoice, other, 20), subject=SUBJECT)
    return client


@pytest.mark.behaviour("LED-06")
@pytest.mark.parametrize(("finding", "sql"), DAMAGE, ids=range(len(DAMAGE)))
def test_verify_finds_planted_damage(open_books: TestClient, finding: str, sql: str) -> None:
    assert damaged(open_books) == []
    assert tamper(sql, {"c": open_books.id}) > 0
    assert any(finding in what for what in damaged(open_books))


def test_every_check_has_its_planted_damage() -> None:
    for check in selectors.CHECKS:
        assert any(finding in check for finding, _ in DAMAGE), check


def damaged(client: TestClient) -> Sequence[str]:
    with client.acting("bookkeeper"):
        return [check.what for check in selectors.verify() if not check.ok]


def test_an_undone_allocation_leaves_two_rows_and_no_trace_in_the_sums(open_books: TestClient) -> None:
    with open_books.acting("bookkeeper"):
        assert sorted(Allocation.objects.values_list("amount", flat=True)) == [-20, 20, 60]
        assert sorted(left().values()) == [-40, 40]


# items come whole --------------------------------------------------------------------------------------

PAIR_ON_AN_OLD_ENTRY = """
INSERT INTO openitems_openitem
  (id, client_id, kind, counterparty_id, account_id, currency, amount, due, entry_id,
   subject_kind, subject_id, reference)
SELECT gen_random_uuid(), client_id, kind, counterparty_id, account_id, currency, s * 1000, due, entry_id,
  subject_kind, subject_id, 'INV-777777'
FROM openitems_openitem, (VALUES (1), (-1)) v(s) WHERE client_id = %s AND id = %s
"""


@pytest.mark.behaviour("LED-06")
def test_no_pair_of_items_is_hung_on_an_old_entry(raw: Raw) -> None:
    """It would add to nothing, and be an invoice that nobody wrote."""
    with raw.client.acting("bookkeeper"):
        [item, _] = Items().add(60, 40)
    with raw.connection() as connection:
        hang = [raw.client.id, item]
        assert sqlstate_of(lambda: connection.execute(PAIR_ON_AN_OLD_ENTRY, hang)) == USED_UP


@pytest.mark.behaviour("LED-06")
def test_no_pair_is_hung_on_a_sealed_entry_that_came_without_items(raw: Raw) -> None:
    """Its postings on the account add to nothing, so it needed none."""
    customer = uuid7()
    batch = raw.batch()
    entry = raw.entry(batch)
    lines = raw.lines(entry, (RECEIVABLES, 100), (RECEIVABLES, -100))
    raw.commit([batch], [entry], lines)
    with raw.client.acting("bookkeeper"):
        ledger.seal_batches()

    def hang() -> None:
        with raw.client.acting("bookkeeper"):
            add_items(
                "invoice",
                raw.accounts[RECEIVABLES],
                "test",
                ItemColumns([None, None], np.array([7, -7]), DAY, entry["id"], customer, ["a", "b"]),
            )

    with pytest.raises(DatabaseError, match="open items of an entry add to what it posted"):
        hang()
