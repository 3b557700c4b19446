"""The pages of the books: balances as the selectors have them, proofs, locks and reversals done once."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

from django.test import Client as Browser

from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors, services
from engineroom.ledger.models import Entry, PeriodLock
from engineroom.ledger.services import Journal, Line
from engineroom.ui.display import format_money
from tests.firm import Firm, TestClient
from tests.web.conftest import signed_in

DAY = date(2026, 11, 2)
BANK, SALES, WAGES = "1200", "4000", "5000"


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def browser_of(client: TestClient, role: str = "bookkeeper") -> Browser:
    return signed_in(client.staff[role])


def book(client: TestClient, amount: int, day: date = DAY, currency: str = "GBP", note: str = "cash") -> UUID:
    """One entry: bank against sales."""
    lines = (Line(BANK, amount, currency=currency), Line(SALES, -amount, currency=currency))
    with client.acting("bookkeeper"):
        return services.post_journals("test", ("test", uuid7()), [Journal(day, note, lines)]).entry_ids[0]


def seal(client: TestClient) -> int:
    with client.acting("bookkeeper"):
        services.seal_batches()
        return selectors.last_seal()


def test_the_trial_balance_shows_each_account_and_balances_to_zero_in_every_currency(
    client: TestClient,
) -> None:
    book(client, 12_345)
    book(client, 70_000, currency="EUR")
    page = text(browser_of(client).get(f"/c/{client.code}/books"))
    assert page.count("Balanced") == 2 and "Out of balance" not in page
    with client.acting("bookkeeper"):
        for balance in selectors.trial_balance():
            assert format_money(abs(balance.balance), balance.currency) in page
    assert "Balances in EUR" in page and "Balances in GBP" in page


def test_as_at_a_day_and_as_known_at_a_seal(client: TestClient) -> None:
    book(client, 10_000)
    first = seal(client)
    book(client, 555, DAY + timedelta(days=5))
    seal(client)
    browser = browser_of(client)
    known = text(browser.get(f"/c/{client.code}/books?known_at={first}"))
    assert format_money(10_000) in known and format_money(10_555) not in known
    assert f"As known at seal {first}" in known
    early = text(browser.get(f"/c/{client.code}/books?as_at={DAY}"))
    assert format_money(10_000) in early and "Filtered: as at 2 Nov 2026" in early
    assert format_money(10_555) in text(browser.get(f"/c/{client.code}/books"))
    assert "The last sealed point is" in text(browser.get(f"/c/{client.code}/books?known_at=99"))
    assert "Nothing was posted by then" in text(browser.get(f"/c/{client.code}/books?as_at=2020-01-01"))


def test_an_account_runs_its_balance_over_pages_by_cursor(client: TestClient) -> None:
    lines = [
        Journal(DAY + timedelta(days=n % 7), f"sale {n}", (Line(BANK, n), Line(SALES, -n)))
        for n in range(1, 121)
    ]
    with client.acting("bookkeeper"):
        services.post_journals("test", ("test", uuid7()), lines)
        account = selectors.account(BANK)
        assert account is not None
        seen, cursor = [], ""
        while True:
            part = selectors.account_lines(account.id, cursor=cursor)
            seen += part.rows
            cursor = part.next
            if not cursor:
                break
    assert len(seen) == len({line.id for line in seen}) == 120
    running = 0
    for line in reversed(seen):
        running += line.amount
        assert line.balance == running
    assert running == account.balances["GBP"] == sum(range(1, 121))
    browser = browser_of(client)
    page = browser.get(f"/c/{client.code}/books/accounts/{BANK}")
    onward = re.search(r'rel="next" href="([^"]+)"', page.content.decode())
    assert onward and text(page).count("<tr>") == 51
    second = text(browser.get(f"/c/{client.code}/books/accounts/{BANK}{onward[1].replace('&amp;', '&')}"))
    assert 'rel="prev"' in second
    one_day = text(browser.get(f"/c/{client.code}/books/accounts/{BANK}?since={DAY}&until={DAY}"))
    assert "Filtered: from 2 Nov 2026 until 2 Nov 2026" in one_day and "sale 7" in one_day


def test_an_entry_shows_its_lines_its_batch_and_what_reversed_it(client: TestClient) -> None:
    entry = book(client, 4_200, note="paid in cash")
    browser = browser_of(client)
    page = text(browser.get(f"/c/{client.code}/books/entries/{entry}"))
    assert "paid in cash" in page and page.count(format_money(4_200)) == 4
    asked = {"day": "2026-11-30", "reason": "typed twice", "form_key": str(uuid4())}
    for _ in range(2):
        answer = browser.post(f"/c/{client.code}/books/entries/{entry}/reverse", asked, follow=True)
        assert "The entry is reversed" in text(answer)
    with client.acting("bookkeeper"):
        assert Entry.objects.filter(client_id=client.id, reverses_id=entry).count() == 1
        assert sum(b.balance for b in selectors.trial_balance() if b.code == BANK) == 0
    page = text(browser.get(f"/c/{client.code}/books/entries/{entry}"))
    assert "Reversed" in page and "its reversal" in page and 'id="reverse"' not in page
    again = {**asked, "form_key": str(uuid4())}
    here = {"referer": f"http://127.0.0.1/c/{client.code}/books/entries/{entry}"}
    refused = browser.post(
        f"/c/{client.code}/books/entries/{entry}/reverse", again, headers=here, follow=True
    )
    assert "has been reversed already" in text(refused)


def test_a_period_is_locked_once_and_then_refuses_in_words(client: TestClient) -> None:
    entry = book(client, 900)
    browser = browser_of(client)
    asked = {"through": "2026-11-30", "reason": "November is reported", "form_key": str(uuid4())}
    for _ in range(2):
        answer = browser.post(f"/c/{client.code}/books/periods/lock", asked, follow=True)
        assert "Nothing posts on or before" in text(answer)
    with client.acting("bookkeeper"):
        assert PeriodLock.objects.filter(client_id=client.id).count() == 1
    late = {"day": "2026-11-15", "reason": "too late", "form_key": str(uuid4())}
    here = {"referer": f"http://127.0.0.1/c/{client.code}/books/entries/{entry}"}
    refused = browser.post(f"/c/{client.code}/books/entries/{entry}/reverse", late, headers=here, follow=True)
    assert "locked" in text(refused)
    wrong = browser.post(f"/c/{client.code}/books/periods/lock", {"through": "never", "reason": ""})
    assert wrong.status_code == 422 and "Locked through" in text(wrong)


def test_the_journal_is_a_file_that_adds_to_zero_and_opens_in_a_spreadsheet(client: TestClient) -> None:
    book(client, 1_999, note='=HYPERLINK("http://example.org")')
    book(client, 7, date(2025, 1, 1), note="long ago")
    answer = browser_of(client).get(f"/c/{client.code}/books/journal.csv?since=2026-01-01&until=2026-12-31")
    rows = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 2 and {r["debit"] for r in rows} == {"19.99", ""}
    assert all(r["narrative"].startswith("'=") for r in rows)
    assert "attachment" in answer.headers["Content-Disposition"]
    assert browser_of(client).get(f"/c/{client.code}/books/journal.csv").status_code == 422


def test_the_proof_names_every_check(client: TestClient) -> None:
    book(client, 1)
    page = text(browser_of(client).get(f"/c/{client.code}/books/proof"))
    assert "Everything holds" in page and page.count("None") >= len(selectors.CHECKS)


def test_empty_books_say_what_comes(client: TestClient) -> None:
    browser = browser_of(client)
    assert "Nothing posted yet" in text(browser.get(f"/c/{client.code}/books"))
    assert "Nothing posted yet" in text(browser.get(f"/c/{client.code}/books/accounts/{BANK}"))
    assert "No period is locked" in text(browser.get(f"/c/{client.code}/books/periods"))


def test_who_may_see_and_do_what(firm: Firm, client: TestClient, other_client: TestClient) -> None:
    entry = book(client, 100)
    theirs = browser_of(other_client)
    assert theirs.get(f"/c/{client.code}/books").status_code == 404
    assert theirs.get(f"/c/{other_client.code}/books/entries/{entry}").status_code == 404
    admin = firm.new_user()
    firm.grant(admin, client.id, "admin")
    assert signed_in(admin).get(f"/c/{client.code}/books").status_code == 403
    checker = browser_of(client, "checker")
    page = text(checker.get(f"/c/{client.code}/books/entries/{entry}"))
    assert 'id="reverse"' not in page
    for address in (f"entries/{entry}/reverse", "periods/lock"):
        assert checker.post(f"/c/{client.code}/books/{address}", {}).status_code == 403
    for address in ("accounts/9999", f"entries/{uuid4()}", "accounts/1200?at=x"):
        assert browser_of(client).get(f"/c/{client.code}/books/{address}").status_code == 404
