"""`verify` finds what was changed behind every guard, by whoever holds the server in their hands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors
from engineroom.ledger import services as ledger
from engineroom.ledger.services import Journal, Line, post_journals
from tests.firm import TestClient
from tests.ledger.raw import DAY, tamper

OF_A_LINE = "id = (SELECT id FROM ledger_posting WHERE client_id = %(c)s ORDER BY id LIMIT 1)"
OF_AN_ENTRY = (
    "(SELECT id FROM ledger_entry WHERE client_id = %(c)s AND reverses_id IS NULL ORDER BY id LIMIT 1)"
)
OF_A_DELTA = "id = (SELECT id FROM ledger_delta WHERE client_id = %(c)s ORDER BY id LIMIT 1)"
LAST_BATCH = "(SELECT id FROM ledger_batch WHERE client_id = %(c)s ORDER BY id DESC LIMIT 1)"

DAMAGE = [
    ("entries that do not add to zero", f"UPDATE ledger_posting SET amount = amount + 1 WHERE {OF_A_LINE}"),
    ("entries that do not add to zero", f"UPDATE ledger_posting SET currency = 'EUR' WHERE {OF_A_LINE}"),
    ("entries with missing or extra lines", f"DELETE FROM ledger_posting WHERE entry_id = {OF_AN_ENTRY}"),
    ("batches with missing or extra entries", f"DELETE FROM ledger_entry WHERE id = {OF_AN_ENTRY}"),
    ("lines without their entry", f"DELETE FROM ledger_entry WHERE id = {OF_AN_ENTRY}"),
    ("lines without their entry", f"UPDATE ledger_entry SET day = day - 1 WHERE id = {OF_AN_ENTRY}"),
    (
        "reversals that are not the negative",
        f"UPDATE ledger_posting SET amount = 2 * amount WHERE entry_id = {OF_AN_ENTRY}",
    ),
    (
        "reversals that are not the negative",
        f"UPDATE ledger_posting SET dimension = gen_random_uuid() WHERE entry_id = {OF_AN_ENTRY}",
    ),
    (
        "balance is not the sum of their postings",
        f"UPDATE ledger_delta SET debit = debit + 1 WHERE {OF_A_DELTA}",
    ),
    ("balance is not the sum of their postings", f"DELETE FROM ledger_delta WHERE {OF_A_DELTA}"),
    # As it is known now all is right; as it was known at a seal it is not.
    (
        "balance is not the sum of their postings",
        f"UPDATE ledger_delta SET batch_id = {LAST_BATCH} "
        f"WHERE client_id = %(c)s AND batch_id <> {LAST_BATCH}",
    ),
    (
        "a balance but no postings",
        "INSERT INTO ledger_delta (id, client_id, account_id, currency, day, batch_id, debit, credit) "
        "SELECT gen_random_uuid(), client_id, account_id, 'USD', day, batch_id, 5, 0 FROM ledger_delta "
        f"WHERE {OF_A_DELTA}",
    ),
    (
        "seals out of turn",
        "UPDATE ledger_batchseal SET sealed_no = 9 WHERE client_id = %(c)s AND sealed_no = 3",
    ),
    (
        "seals out of turn",
        "UPDATE ledger_batchseal SET sealed_no = 0 WHERE client_id = %(c)s AND sealed_no = 1",
    ),
    (
        "seals out of turn",
        "DELETE FROM ledger_batch WHERE id = (SELECT id FROM ledger_batchseal WHERE client_id = %(c)s "
        "AND sealed_no = 1)",
    ),
]


@pytest.fixture
def books(client: TestClient) -> TestClient:
    """Three sealed batches in two currencies, the last of them a reversal."""
    with client.acting("bookkeeper"):
        entries = []
        for currency in ("GBP", "EUR"):
            lines = (Line("1200", 100, currency=currency), Line("4000", -100, currency=currency))
            posted = post_journals("test", ("test", uuid7()), [Journal(DAY, "a sale", lines)])
            entries += posted.entry_ids
        ledger.reverse_entry(entries[0], day=DAY + timedelta(days=1), reason="wrong")
        assert ledger.seal_batches() == 3
    return client


@pytest.mark.parametrize(("finding", "sql"), DAMAGE, ids=range(len(DAMAGE)))
def test_verify_finds_planted_damage(books: TestClient, finding: str, sql: str) -> None:
    assert damaged(books) == []
    assert tamper(sql, {"c": books.id}) > 0
    assert any(finding in what for what in damaged(books))


def test_every_check_has_its_planted_damage() -> None:
    for check in selectors.CHECKS:
        assert any(finding in check for finding, _ in DAMAGE), check


def test_damage_in_one_client_is_not_seen_in_another(books: TestClient, other_client: TestClient) -> None:
    tamper(f"UPDATE ledger_posting SET amount = amount + 1 WHERE {OF_A_LINE}", {"c": books.id})
    assert damaged(books)
    assert damaged(other_client) == []


def damaged(client: TestClient) -> list[str]:
    with client.acting("bookkeeper"):
        return [check.what for check in selectors.verify() if not check.ok]
