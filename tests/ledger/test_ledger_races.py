"""Two at once: sealing, locking, reversing; each with real connections, held apart by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors
from engineroom.ledger import services as ledger
from engineroom.ledger.models import BatchSeal
from engineroom.ledger.services import Journal, Line, post_journals
from tests.firm import TestClient
from tests.ledger.raw import DAY, Raw, another_person, raw_books, until_somebody_waits


@pytest.fixture
def raw(client: TestClient) -> Raw:
    return raw_books(client)


def post_sale(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        lines = (Line("1200", 100), Line("4000", -100))
        post_journals("test", ("test", uuid7()), [Journal(DAY, "a sale", lines)])


def seal(client: TestClient) -> int:
    with client.acting("bookkeeper"):
        return ledger.seal_batches()


def seals(client: TestClient) -> dict[object, int]:
    with client.acting("bookkeeper"):
        return dict(BatchSeal.objects.filter(client_id=client.id).values_list("batch_id", "sealed_no"))


# sealing ----------------------------------------------------------------------------------------------


@pytest.mark.behaviour("LED-07")
def test_a_batch_that_commits_after_a_seal_comes_after_it(raw: Raw) -> None:
    """Its clock says it is older: now() is the start of a transaction, not the order of commits."""
    late, entry, lines = raw.simple()
    with raw.connection() as connection:
        raw.write(connection, [late], [entry], lines)
        post_sale(raw.client)
        assert seal(raw.client) == 1
        with raw.client.acting("bookkeeper"):
            answer = selectors.trial_balance(known_at=1)
        connection.commit()
    assert seal(raw.client) == 1
    assert seals(raw.client)[late["id"]] == 2
    with raw.client.acting("bookkeeper"):
        assert selectors.trial_balance(known_at=1) == answer


def test_of_two_sealers_the_second_waits_and_goes_on_from_the_first(raw: Raw) -> None:
    post_sale(raw.client)
    batch, entry, lines = raw.simple()
    raw.commit([batch], [entry], lines)
    with raw.connection() as connection, another_person() as somebody:
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('ledger-seal:' || %s, 0))", [str(raw.client.id)]
        )
        connection.execute(
            "INSERT INTO ledger_batchseal (id, client_id, sealed_no) VALUES (%s, %s, 1)",
            [batch["id"], raw.client.id],
        )
        other = somebody(lambda: seal(raw.client))
        until_somebody_waits()
        connection.commit()
        assert other.result(10) == 1
    assert sorted(seals(raw.client).values()) == [1, 2]


def test_many_sealers_beside_many_posters_lose_nothing_and_leave_no_gap(client: TestClient) -> None:
    def work(n: int) -> None:
        for _ in range(5):
            post_sale(client) if n % 2 else seal(client)

    with another_person() as somebody:
        for done in [somebody(lambda n=n: work(n)) for n in range(4)]:
            done.result(30)
    seal(client)
    assert sorted(seals(client).values()) == list(range(1, 11))
    with client.acting("bookkeeper"):
        assert selectors.trial_balance() == selectors.trial_balance(known_at=10)
        assert all(check.ok for check in selectors.verify())


# period locks -----------------------------------------------------------------------------------------


@pytest.mark.behaviour("LED-01")
def test_a_lock_waits_for_the_entry_that_is_under_way(raw: Raw) -> None:
    """It was posted into an open period; the lock comes after it and finds it there."""
    batch, entry, lines = raw.simple()

    def lock() -> int:
        with raw.client.acting("bookkeeper"):
            ledger.lock_period(DAY, reason="closed")
            return sum(b.debit for b in selectors.trial_balance(as_at=DAY))

    with raw.connection() as connection, another_person() as somebody:
        raw.write(connection, [batch], [entry], lines)
        locking = somebody(lock)
        until_somebody_waits()
        assert not locking.done()
        connection.commit()
        assert locking.result(10) == 100


@pytest.mark.behaviour("LED-01")
def test_no_entry_slips_past_a_lock_that_is_under_way(raw: Raw) -> None:
    with raw.connection() as connection, another_person() as somebody:
        _lock_by_hand(raw, connection)
        posting = somebody(lambda: post_sale(raw.client))
        until_somebody_waits()
        connection.commit()
        assert isinstance(posting.exception(10), ledger.PeriodLocked)
    with raw.client.acting("bookkeeper"):
        assert selectors.trial_balance() == []


def test_a_lock_that_is_given_up_stops_nobody(raw: Raw) -> None:
    with raw.connection() as connection, another_person() as somebody:
        _lock_by_hand(raw, connection)
        posting = somebody(lambda: post_sale(raw.client))
        until_somebody_waits()
        connection.rollback()
        posting.result(10)
    with raw.client.acting("bookkeeper"):
        assert len(selectors.trial_balance()) == 2


def test_posters_do_not_wait_for_each_other(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    with raw.connection() as connection, another_person() as somebody:
        raw.write(connection, [batch], [entry], lines)
        somebody(lambda: post_sale(raw.client)).result(10)


def _lock_by_hand(raw: Raw, connection: object) -> None:
    connection.execute(  # type: ignore[attr-defined]
        "INSERT INTO ledger_periodlock (id, client_id, book_id, number, locked_through, reason, by_user_id) "
        "VALUES (%s, %s, %s, 1, %s, 'closed', %s)",
        [uuid7(), raw.client.id, raw.book_id, DAY, raw.user.id],
    )


# reversing --------------------------------------------------------------------------------------------


@pytest.mark.behaviour("LED-01")
def test_two_people_reverse_one_entry_once(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    raw.commit([batch], [entry], lines)
    taking_back = raw.batch(kind="reversal", subject_kind="entry", subject_id=entry["id"])
    reversal = raw.entry(taking_back, reverses_id=entry["id"])
    negative = raw.lines(reversal, ("1200", -100), ("4000", 100))

    def reverse() -> None:
        with raw.client.acting("bookkeeper"):
            ledger.reverse_entry(entry["id"], day=DAY + timedelta(days=1), reason="me too")

    with raw.connection() as connection, another_person() as somebody:
        raw.write(connection, [taking_back], [reversal], negative)
        other = somebody(reverse)
        until_somebody_waits()
        connection.commit()
        assert isinstance(other.exception(10), ledger.AlreadyPosted)
    with raw.client.acting("bookkeeper"):
        assert all(b.balance == 0 for b in selectors.trial_balance())
