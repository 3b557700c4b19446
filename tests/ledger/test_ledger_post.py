"""Posting, reversing, sealing: what the books answer, and that what was answered stays."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engineroom.foundation import thread
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound
from engineroom.kernel.ids import uuid7, uuids_to_column
from engineroom.ledger import selectors
from engineroom.ledger import services as ledger
from engineroom.ledger.models import Entry
from engineroom.ledger.services import EntryColumns, Journal, Line, LineColumns, post_journals
from tests.firm import TestClient
from tests.ledger.raw import DAY

OF_A_CLIENT = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ACCOUNTS = ("1200", "2240", "2250", "3000", "4000", "5000")
"""Of the chart, those that are no control accounts: they need no open items."""


def post_one(*lines: Line, day: date = DAY, reverses: UUID | None = None) -> UUID:
    posted = post_journals("test", ("test", uuid7()), [Journal(day, "a test", lines, reverses)])
    return posted.entry_ids[0]


def sale(amount: int = 100, day: date = DAY) -> UUID:
    return post_one(Line("1200", amount), Line("4000", -amount), day=day)


def balances(**point: object) -> dict[tuple[str, str], int]:
    return {(b.code, b.currency): b.balance for b in selectors.trial_balance(**point) if b.balance}  # type: ignore[arg-type]


# post -------------------------------------------------------------------------------------------------


def test_an_unbalanced_entry_is_named_before_it_reaches_the_database(client: TestClient) -> None:
    with (
        client.acting("bookkeeper"),
        pytest.raises(ledger.UnbalancedEntry, match="out by 1 minor units of EUR"),
    ):
        post_one(
            Line("1200", 5, currency="GBP"),
            Line("4000", -5, currency="GBP"),
            Line("1200", 3, currency="EUR"),
            Line("4000", -2, currency="EUR"),
        )


def test_the_same_act_posts_once(client: TestClient) -> None:
    subject = ("test", uuid7())
    journal = Journal(DAY, "once", (Line("1200", 100), Line("4000", -100)))
    with client.acting("bookkeeper"):
        post_journals("test", subject, [journal])
    with client.acting("bookkeeper"), pytest.raises(ledger.AlreadyPosted):
        post_journals("test", subject, [journal])
    with client.acting("bookkeeper"):
        assert balances() == {("1200", "GBP"): 100, ("4000", "GBP"): -100}


def test_an_unknown_account_is_named(client: TestClient) -> None:
    with client.acting("bookkeeper"), pytest.raises(NotFound, match="9999"):
        post_one(Line("1200", 100), Line("9999", -100))


def test_an_entry_of_nothing_is_refused(client: TestClient) -> None:
    with client.acting("bookkeeper"), pytest.raises(EngineroomError, match="nothing to post"):
        post_one(Line("1200", 0), Line("4000", 0))


def test_a_locked_period_is_refused_in_words(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        ledger.lock_period(DAY, reason="closed")
        assert selectors.locked_through() == DAY
    with client.acting("bookkeeper"), pytest.raises(ledger.PeriodLocked, match="2026-11-10 is locked"):
        sale()


def test_lines_of_many_entries_must_come_sorted(client: TestClient) -> None:
    with client.acting("bookkeeper"), pytest.raises(ValueError, match="sorted"):
        bank = ledger.account_ids()["1200"]
        ledger.post(
            "test",
            ("test", uuid7()),
            ledger.book_named().id,
            EntryColumns(np.array([DAY] * 2, dtype="datetime64[D]"), ["a", "b"]),
            LineColumns(np.array([0, 1, 0, 1]), uuids_to_column([bank] * 4), np.array([1, 1, -1, -1])),
        )


# reverse ----------------------------------------------------------------------------------------------


@pytest.mark.behaviour("LED-01")
def test_a_reversal_is_linked_both_ways_and_leaves_nothing(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        entry_id = sale()
        done = ledger.reverse_entry(entry_id, day=DAY + timedelta(days=3), reason="wrong customer")
    with client.acting("bookkeeper"):
        assert balances() == {}
        assert balances(as_at=DAY) == {("1200", "GBP"): 100, ("4000", "GBP"): -100}
        assert Entry.objects.get(id=done.entry_id).reverses_id == entry_id
        forward = [branch.node.id for branch in thread.walk("entry", entry_id, forward=True).branches]
        back = [branch.node.id for branch in thread.walk("entry", done.entry_id, forward=False).branches]
        assert (forward, back) == ([done.entry_id], [entry_id])


@pytest.mark.behaviour("LED-01")
def test_an_entry_is_reversed_once_and_a_reversal_never(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        entry_id = sale()
        done = ledger.reverse_entry(entry_id, day=DAY, reason="wrong")
    with client.acting("bookkeeper"), pytest.raises(Conflict, match="reversed already"):
        ledger.reverse_entry(entry_id, day=DAY, reason="again")
    with client.acting("bookkeeper"), pytest.raises(Conflict, match="itself a reversal"):
        ledger.reverse_entry(done.entry_id, day=DAY, reason="undo the undo")


@pytest.mark.behaviour("LED-01")
def test_a_mistake_is_corrected_by_reversing_and_posting_again(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        wrong = sale(190)
    with client.acting("bookkeeper"):
        ledger.reverse_entry(wrong, day=DAY, reason="19.00 was meant")
        sale(19)
        assert balances() == {("1200", "GBP"): 19, ("4000", "GBP"): -19}
        assert [line.amount for line in selectors.journal()] == [190, -190, -190, 190, 19, -19]


def test_a_reversal_keeps_currencies_and_dimensions(client: TestClient) -> None:
    customer = uuid7()
    with client.acting("bookkeeper"):
        entry_id = post_one(
            Line("1200", 70, currency="EUR"),
            Line("4000", -70, customer, currency="EUR"),
            Line("1200", 3),
            Line("4000", -3, customer),
        )
        ledger.reverse_entry(entry_id, day=DAY, reason="both currencies")
        assert balances() == {}
        taken_back = selectors.journal()[4:]
        assert {(p.account_code, p.currency, p.amount, p.dimension) for p in taken_back} == {
            ("1200", "EUR", -70, None),
            ("4000", "EUR", 70, customer),
            ("1200", "GBP", -3, None),
            ("4000", "GBP", 3, customer),
        }


# balances ---------------------------------------------------------------------------------------------

amounts = st.integers(-(10**9), 10**9).filter(bool)
days = st.dates(date(2026, 10, 1), date(2026, 11, 30))
currencies = st.sampled_from(["GBP", "EUR", "JPY"])


@st.composite
def journals(draw: st.DrawFn) -> Journal:
    """A balanced entry in one to three currencies; an account may stand on both sides."""
    lines: list[Line] = []
    for currency in draw(st.lists(currencies, min_size=1, max_size=3, unique=True)):
        parts = draw(st.lists(amounts, min_size=1, max_size=4))
        rest = [-sum(parts)] if sum(parts) else [1, -1]
        for amount in (*parts, *rest):
            lines.append(Line(draw(st.sampled_from(ACCOUNTS)), amount, currency=currency))
    return Journal(draw(days), draw(st.text("abc £é,", max_size=20)), tuple(draw(st.permutations(lines))))


@OF_A_CLIENT
@given(posted=st.lists(journals(), min_size=1, max_size=6), as_at=days)
def test_balances_are_the_sums_of_the_postings_as_at_any_day(
    client: TestClient, posted: list[Journal], as_at: date
) -> None:
    with client.acting("bookkeeper"):
        before = Counter(balances(as_at=as_at))
    with client.acting("bookkeeper"):
        post_journals("test", ("test", uuid7()), posted)
    expected = Counter(before)
    for line in (line for journal in posted if journal.day <= as_at for line in journal.lines):
        expected[line.account, line.currency] += line.amount
    with client.acting("bookkeeper"):
        assert balances(as_at=as_at) == {key: total for key, total in expected.items() if total}
        assert all(check.ok for check in selectors.verify())
        per_currency: Counter[str] = Counter()
        for balance in selectors.trial_balance():
            per_currency[balance.currency] += balance.balance
        assert not any(per_currency.values())


# LED-07 -----------------------------------------------------------------------------------------------

offsets = st.integers(-40, 5)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("post"), offsets, st.integers(1, 999)),
        st.tuples(st.just("reverse"), offsets, st.integers(0, 9)),
        st.tuples(st.just("seal"), st.just(0), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.behaviour("LED-07")
@OF_A_CLIENT
@given(acts=acts)
def test_what_was_known_at_a_sealed_point_never_changes(
    client: TestClient, acts: list[tuple[str, int, int]]
) -> None:
    """Posts and reversals, many of them back-dated, between seals: every remembered answer stays."""
    remembered: dict[tuple[int, date | None], list[selectors.Balance]] = {}
    entries: list[UUID] = []
    for act, offset, number in acts:
        day = DAY + timedelta(days=offset)
        with client.acting("bookkeeper"):
            if act == "post":
                entries.append(sale(number, day))
            elif act == "reverse" and entries:
                ledger.reverse_entry(entries.pop(number % len(entries)), day=day, reason="a test")
            elif act == "seal":
                ledger.seal_batches()
        with client.acting("bookkeeper"):
            for (seal, as_at), answer in remembered.items():
                assert selectors.trial_balance(known_at=seal, as_at=as_at) == answer
            seal = selectors.last_seal()
            for as_at in (None, DAY, DAY - timedelta(days=20)):
                remembered[seal, as_at] = selectors.trial_balance(known_at=seal, as_at=as_at)


@pytest.mark.behaviour("LED-07")
def test_a_back_dated_entry_changes_as_at_and_not_as_known(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        sale(100, DAY)
    with client.acting("bookkeeper"):
        ledger.seal_batches()
        known = selectors.last_seal()
    with client.acting("bookkeeper"):
        sale(7, DAY - timedelta(days=30))
        ledger.seal_batches()
    with client.acting("bookkeeper"):
        assert balances(as_at=DAY)["1200", "GBP"] == 107
        assert balances(as_at=DAY, known_at=known)["1200", "GBP"] == 100
        assert balances(as_at=DAY, known_at=selectors.last_seal())["1200", "GBP"] == 107


def test_what_is_not_sealed_is_not_known(client: TestClient) -> None:
    with client.acting("bookkeeper"):
        sale()
        assert balances(known_at=0) == {}
        assert balances(known_at=selectors.last_seal()) == {}
        assert ledger.seal_batches() == 1
        assert balances(known_at=1) == balances()
        assert ledger.seal_batches() == 0
