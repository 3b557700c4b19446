"""What PostgreSQL itself refuses of the books: raw SQL as `app`, around every line of Python."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest
from django.utils import timezone

from engineroom.kernel.ids import uuid7
from engineroom.ledger import services as ledger
from engineroom.ledger.models import Batch, Entry, OnlyPost, Posting
from tests.firm import TestClient, superuser
from tests.ledger.raw import DAY, Raw, raw_books, sqlstate_of

NOT_WHOLE = UNBALANCED = ELSEWHERE = STALE = "ER422"
LOCKED = OUT_OF_TURN = FOR_EVER = "ER409"
UNIQUE, CHECK, FOREIGN_KEY, NO_PRIVILEGE = "23505", "23514", "23503", "42501"


@pytest.fixture
def raw(client: TestClient) -> Raw:
    return raw_books(client)


def refused(raw: Raw, *parts: object) -> str | None:
    """Write the batches, entries and lines as one statement; the sqlstate of the refusal."""
    return sqlstate_of(lambda: raw.commit(*parts))  # type: ignore[arg-type]


def test_a_whole_and_balanced_entry_is_taken(raw: Raw) -> None:
    """The ruler for all that follows: what the other tests change is the only thing wrong with theirs."""
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch], [entry], lines) is None
    with raw.client.acting("bookkeeper"):
        assert Posting.objects.filter(entry_id=entry["id"]).count() == 2


@pytest.mark.behaviour("LED-01")
def test_an_unbalanced_entry_is_refused(raw: Raw) -> None:
    batch, entry, _ = raw.simple()
    lines = raw.lines(entry, ("1200", 100), ("4000", -99))
    assert refused(raw, [batch], [entry], lines) == UNBALANCED


def test_an_entry_balances_in_each_currency_by_itself(raw: Raw) -> None:
    batch = raw.batch()
    entry = raw.entry(batch, lines=4)
    pounds = raw.lines(entry, ("1200", 100), ("4000", -100))
    euros = [
        raw.line(entry, 3, "1200", 70, currency="EUR"),
        raw.line(entry, 4, "4000", -70, currency="EUR"),
    ]
    assert refused(raw, [batch], [entry], [*pounds, *euros]) is None


def test_a_sum_of_two_currencies_is_no_balance(raw: Raw) -> None:
    batch, entry, _ = raw.simple()
    lines = [raw.line(entry, 1, "1200", 100), raw.line(entry, 2, "4000", -100, currency="EUR")]
    assert refused(raw, [batch], [entry], lines) == UNBALANCED


@pytest.mark.behaviour("LED-01")
@pytest.mark.parametrize(("first", "refusal"), [(1, UNIQUE), (3, NOT_WHOLE)])
def test_lines_are_never_added_to_an_old_entry_even_balanced_ones(raw: Raw, first: int, refusal: str) -> None:
    """As many as it has, under the same numbers or under the next ones."""
    batch, entry, lines = raw.simple()
    raw.commit([batch], [entry], lines)
    more = [raw.line(entry, first, "1200", 50), raw.line(entry, first + 1, "4000", -50)]
    assert refused(raw, [], [], more) == refusal


def test_an_entry_without_lines_is_refused(raw: Raw) -> None:
    batch, entry, _ = raw.simple()
    assert refused(raw, [batch], [entry], []) == NOT_WHOLE


@pytest.mark.parametrize("declared", [2, 4])
def test_an_entry_has_exactly_the_lines_it_declares(raw: Raw, declared: int) -> None:
    batch, entry, _ = raw.simple(line_count=declared)
    lines = raw.lines(entry, ("1200", 100), ("4000", -60), ("2250", -40))
    assert refused(raw, [batch], [entry], lines) == NOT_WHOLE


def test_an_entry_of_one_line_is_refused(raw: Raw) -> None:
    batch, entry, _ = raw.simple(line_count=1)
    assert refused(raw, [batch], [entry], raw.lines(entry, ("1200", 100))) == CHECK


def test_a_line_of_nothing_is_refused(raw: Raw) -> None:
    batch, entry, _ = raw.simple()
    assert refused(raw, [batch], [entry], raw.lines(entry, ("1200", 0), ("4000", 0))) == CHECK


def test_lines_are_numbered_without_a_gap(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch], [entry], [lines[0], lines[1] | {"line_no": 3}]) == NOT_WHOLE


def test_a_line_has_the_day_of_its_entry(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch], [entry], [{**line, "day": date(2026, 11, 9)} for line in lines]) == ELSEWHERE


def test_a_line_stays_in_the_book_of_its_entry(raw: Raw) -> None:
    with raw.client.acting("bookkeeper"):
        ledger.open_book([("1200", "Bank", "asset", False)], code="other")
        elsewhere = ledger.account_ids("other")["1200"]
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch], [entry], [lines[0] | {"account_id": elsewhere}, lines[1]]) == ELSEWHERE


def test_a_line_stays_in_its_client(raw: Raw, other_client: TestClient) -> None:
    theirs = raw_books(other_client).accounts["1200"]
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch], [entry], [lines[0] | {"account_id": theirs}, lines[1]]) == FOREIGN_KEY


def test_an_account_that_does_not_exist_is_refused(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch], [entry], [lines[0] | {"account_id": uuid7()}, lines[1]]) == FOREIGN_KEY


def test_an_entry_stays_in_a_book_of_its_client(raw: Raw, other_client: TestClient) -> None:
    """Neither their book under our accounts, nor theirs under theirs, nor one that nobody has."""
    theirs = raw_books(other_client)
    batch, entry, lines = raw.simple()
    for book in (theirs.book_id, uuid7()):
        assert refused(raw, [batch], [entry | {"book_id": book}], lines) == ELSEWHERE
    of_theirs = [
        line | {"account_id": theirs.accounts[code]}
        for line, code in zip(lines, ("1200", "4000"), strict=True)
    ]
    assert refused(raw, [batch], [entry | {"book_id": theirs.book_id}], of_theirs) == FOREIGN_KEY


@pytest.mark.parametrize(("day", "refusal"), [(DAY, LOCKED), (DAY + timedelta(days=1), None)])
def test_nothing_is_posted_on_or_before_the_last_locked_day(raw: Raw, day: date, refusal: str | None) -> None:
    with raw.client.acting("bookkeeper"):
        ledger.lock_period(DAY, reason="November closed")
    batch, entry, lines = raw.simple(day=day)
    assert refused(raw, [batch], [entry], lines) == refusal


def test_a_reopened_period_takes_entries_again_and_the_trail_stays(raw: Raw) -> None:
    with raw.client.acting("bookkeeper"):
        assert ledger.lock_period(DAY, reason="closed").number == 1
        assert ledger.lock_period(DAY - timedelta(days=1), reason="a late invoice").number == 2
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch], [entry], lines) is None


def test_a_lock_out_of_turn_is_refused_because_the_latest_number_counts(raw: Raw) -> None:
    def lock(number: int) -> None:
        with raw.connection() as connection:
            connection.execute(
                "INSERT INTO ledger_periodlock "
                "(id, client_id, book_id, number, locked_through, reason, by_user_id) "
                "VALUES (%s, %s, %s, %s, '2020-01-01', 'forged', %s)",
                [uuid7(), raw.client.id, raw.book_id, number, raw.user.id],
            )

    assert sqlstate_of(lambda: lock(7)) == OUT_OF_TURN
    assert sqlstate_of(lambda: lock(0)) == OUT_OF_TURN
    assert sqlstate_of(lambda: lock(1)) is None


# who wrote it -------------------------------------------------------------------------------------------


def test_who_posted_is_who_acted_whatever_the_row_says(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    raw.commit([batch | {"by_user_id": uuid7(), "at": "2020-01-01T00:00:00Z"}], [entry], lines)
    with raw.client.acting("bookkeeper"):
        row = Batch.objects.get(client_id=raw.client.id, id=batch["id"])
    assert (row.by_user_id, row.at.year) == (raw.user.id, timezone.now().year)


def test_who_locked_a_period_is_who_acted(raw: Raw) -> None:
    with raw.connection() as connection:
        connection.execute(
            "INSERT INTO ledger_periodlock "
            "(id, client_id, book_id, number, locked_through, reason, by_user_id, at) "
            "VALUES (%s, %s, %s, 1, '2020-01-01', 'forged', %s, '2020-01-01')",
            [uuid7(), raw.client.id, raw.book_id, uuid7()],
        )
        [(user, year)] = connection.execute(
            "SELECT by_user_id, extract(year FROM at)::int FROM ledger_periodlock WHERE client_id = %s",
            [raw.client.id],
        ).fetchall()
    assert (user, year) == (raw.user.id, timezone.now().year)


# accounts -----------------------------------------------------------------------------------------------


def test_an_account_that_is_posted_to_keeps_its_code(raw: Raw) -> None:
    """Two accounts that swap their codes would swap what is posted on them."""
    raw.commit(*_as_lists(raw.simple()))

    def recode(account: str) -> None:
        with raw.connection() as connection:
            connection.execute(
                "UPDATE ledger_account SET code = 'x' WHERE client_id = %s AND id = %s",
                [raw.client.id, raw.accounts[account]],
            )

    assert sqlstate_of(lambda: recode("4000")) == FOR_EVER
    assert sqlstate_of(lambda: recode("5000")) is None, "nothing stands on it yet"


# batches: what was known when ---------------------------------------------------------------------------


@pytest.mark.behaviour("LED-07")
@pytest.mark.parametrize(("number", "refusal"), [(1, UNIQUE), (2, NOT_WHOLE)])
def test_an_entry_is_never_added_to_an_old_batch(raw: Raw, number: int, refusal: str) -> None:
    """The batch may be sealed: what was known at its seal would change."""
    batch, entry, lines = raw.simple()
    raw.commit([batch], [entry], lines)
    late = raw.entry(batch, number=number)
    assert refused(raw, [], [late], raw.lines(late, ("1200", 1), ("4000", -1))) == refusal


def test_a_batch_does_not_wait_for_its_entries(raw: Raw) -> None:
    assert refused(raw, [raw.batch()], [], []) == NOT_WHOLE


def test_a_batch_has_exactly_the_entries_it_declares(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    assert refused(raw, [batch | {"entry_count": 2}], [entry], lines) == NOT_WHOLE


@pytest.mark.behaviour("LED-07")
@pytest.mark.parametrize("number", [-1, 0, 1, 3])
def test_a_seal_out_of_turn_is_refused(raw: Raw, number: int) -> None:
    """One batch is sealed as number 1, so the next seal is number 2 and no other."""
    raw.commit(*_as_lists(raw.simple()))
    with raw.client.acting("bookkeeper"):
        assert ledger.seal_batches() == 1
    batch, entry, lines = raw.simple()
    raw.commit([batch], [entry], lines)

    def seal(no: int) -> None:
        with raw.connection() as connection:
            connection.execute(
                "INSERT INTO ledger_batchseal (id, client_id, sealed_no) VALUES (%s, %s, %s)",
                [batch["id"], raw.client.id, no],
            )

    assert sqlstate_of(lambda: seal(number)) in (OUT_OF_TURN, UNIQUE)
    assert sqlstate_of(lambda: seal(2)) is None


def _as_lists(
    parts: tuple[dict[str, object], dict[str, object], list[dict[str, object]]],
) -> tuple[list, ...]:  # type: ignore[type-arg]
    batch, entry, lines = parts
    return [batch], [entry], lines


# nothing is edited --------------------------------------------------------------------------------------

HISTORY = (
    "ledger_batch", "ledger_batchseal", "ledger_entry", "ledger_posting", "ledger_delta", "ledger_periodlock",
)  # fmt: skip


@pytest.mark.behaviour("LED-01")
@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize("verb", ["UPDATE {} SET client_id = client_id", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_books_are_never_edited(raw: Raw, table: str, verb: str) -> None:
    """The app lacks the privilege; whoever has every privilege meets the trigger."""
    raw.commit(*_as_lists(raw.simple()))
    with raw.client.acting("bookkeeper"):
        ledger.seal_batches()
        ledger.lock_period(date(2026, 1, 1), reason="to have one")
    with raw.connection() as connection:
        assert sqlstate_of(lambda: connection.execute(verb.format(table))) == NO_PRIVILEGE
    cascade = " CASCADE" if verb.startswith("TRUNCATE") else ""
    with superuser() as connection, pytest.raises(psycopg.Error, match="is history"):
        connection.execute(verb.format(table) + cascade)


def test_the_app_writes_no_balances_of_its_own(raw: Raw) -> None:
    batch, entry, lines = raw.simple()
    raw.commit([batch], [entry], lines)
    with raw.connection() as connection:
        forged = (
            "INSERT INTO ledger_delta (id, client_id, account_id, currency, day, batch_id, debit, credit) "
            "SELECT gen_random_uuid(), client_id, account_id, currency, day, batch_id, 1, 0 FROM ledger_delta"
        )
        assert sqlstate_of(lambda: connection.execute(forged)) == NO_PRIVILEGE


@pytest.mark.parametrize("model", [Batch, Entry, Posting])
def test_post_is_the_only_writer_in_python_too(model: type) -> None:
    with pytest.raises(OnlyPost):
        model().save()  # type: ignore[attr-defined]
    with pytest.raises(OnlyPost):
        model.objects.bulk_create([model()])  # type: ignore[attr-defined]
    with pytest.raises(OnlyPost):
        model.objects.filter(client_id=uuid7()).update(client_id=uuid7())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change", ["is_control = NOT is_control", "type = 'equity'", "book_id = gen_random_uuid()"]
)
def test_an_account_is_not_made_another_one_under_its_postings(raw: Raw, change: str) -> None:
    with raw.connection() as connection:
        sql = f"UPDATE ledger_account SET {change} WHERE code = '1200'"
        assert sqlstate_of(lambda: connection.execute(sql)) == FOR_EVER


def test_an_account_may_be_renamed(raw: Raw) -> None:
    with raw.connection() as connection:
        assert (
            connection.execute("UPDATE ledger_account SET name = 'House bank' WHERE code = '1200'").rowcount
            == 1
        )


def test_the_books_are_written_where_guards_see_the_present(raw: Raw) -> None:
    """In repeatable read a guard looks at an old picture: a lock committed since would not count."""
    batch, entry, lines = raw.simple()
    with raw.connection() as connection:
        connection.rollback()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute(
            "SELECT app_enter(%s, NULL, 'firm', %s, %s)", [raw.user.id, [raw.client.id], raw.client.id]
        )
        assert sqlstate_of(lambda: raw.write(connection, [batch], [entry], lines)) == STALE


@pytest.mark.behaviour("LED-01")
@pytest.mark.parametrize(
    "change",
    [{"amount": 90}, {"account": "2250"}, {"dimension": uuid7()}],
    ids=["another amount", "another account", "another dimension"],
)
def test_what_claims_to_reverse_an_entry_is_its_negative_line_by_line(
    raw: Raw, change: dict[str, object]
) -> None:
    batch, entry, lines = raw.simple()
    raw.commit([batch], [entry], lines)
    amount = int(change.get("amount", 100))  # type: ignore[call-overload]
    account = str(change.get("account", "1200"))
    taking_back = raw.batch()
    reversal = raw.entry(taking_back, reverses_id=entry["id"])
    forged = raw.lines(reversal, (account, -amount), ("4000", amount))
    forged[0]["dimension"] = change.get("dimension")
    assert refused(raw, [taking_back], [reversal], forged) == NOT_WHOLE
    honest = raw.lines(reversal, ("1200", -100), ("4000", 100))
    assert refused(raw, [taking_back], [reversal], honest) is None
