"""Bank lines explained by people: by one, approved by another; and what was cleared, taken back."""

from __future__ import annotations

import re
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as some

from engineroom.foundation.approvals import services as approvals
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.ledger import selectors as ledger
from engineroom.ledger import services as ledger_services
from engineroom.ledger.models import Entry
from engineroom.openitems import selectors as openitems
from engineroom.settlement import by_hand, clearing, likely, selectors
from engineroom.settlement.by_hand import Part
from engineroom.settlement.models import BankLine, Cleared
from tests.firm import PAY_DATE, Temp, TestClient, connect, enter, run_payday, set_up
from tests.settlement.bank import Booked, statement, write
from tests.web.conftest import signed_in

TEMPS = [Temp("T1"), Temp("T2", "Al Green", customer="BETA")]


@pytest.fixture
def billed(client: TestClient) -> TestClient:
    """Two invoices of 1,008.00 each, and a payment file on its way."""
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    return client


def line_of(client: TestClient, amount: int, text: str = "a transfer") -> BankLine:
    booked = Booked(amount, text=text, reference=f"B{amount}", day=PAY_DATE)
    with client.acting("bookkeeper"):
        before = sum(BankLine.objects.filter(client_id=client.id).values_list("amount", flat=True))
    file = statement([booked], id_=f"S{amount}", opening=before)
    client.take("statement", write(client.folder, file, name=f"{amount}.xml"), role="bookkeeper")
    with client.acting("bookkeeper"):
        clearing.clear_lines()
        return BankLine.objects.get(client_id=client.id, amount=amount)


def invoices(client: TestClient) -> list[openitems.Open]:
    with client.acting("bookkeeper"):
        return openitems.open_items(kind="invoice")


def explain(client: TestClient, line: BankLine, *parts: Part, account: str = "", role: str = "bookkeeper"):
    with client.acting(role):
        return by_hand.explain_line(line.id, parts=list(parts), account=account, reason="they rang")


def approve(client: TestClient, said: by_hand.LineExplained, role: str = "lead") -> None:
    with client.acting(role):
        by_hand.approve_explanation(said.line_id, content_hash=said.content_hash)


def balance(client: TestClient, code: str) -> int:
    with client.acting("bookkeeper"):
        return sum(b.balance for b in ledger.trial_balance() if b.code == code)


def holds(client: TestClient) -> None:
    """The books balance, control accounts are their items, the bank agrees with them."""
    with client.acting("bookkeeper"):
        checks = [*ledger.verify(), *openitems.verify(), *selectors.verify()]
        assert not [c.what for c in checks if not c.ok]
        bank = selectors.reconcile("main")
        assert bank.bank_movement == bank.ledger + bank.exceptions and not bank.without_bank


def test_parts_of_two_invoices_and_a_fee_come_to_the_line(billed: TestClient):
    one, two = invoices(billed)
    line = line_of(billed, one.open + 400_00 - 2_50)
    said = explain(billed, line, Part(one.id, one.open), Part(two.id, 400_00), account="7900")
    with billed.acting("bookkeeper"):
        assert [e.reason for e in clearing.open_exceptions()] == ["explained"]
        assert clearing.clear_lines().exceptions == 0, "it is in a person's hands"
    assert balance(billed, "1200") == 0, "nothing is posted before the second person"
    approve(billed, said)
    assert balance(billed, "1200") == line.amount
    assert balance(billed, "7900") == 2_50
    assert [i.open for i in invoices(billed)] == [two.open - 400_00]
    with billed.acting("bookkeeper"):
        cleared = Cleared.objects.get(client_id=billed.id)
        assert (cleared.rule, cleared.item_id) == ("by hand", one.id)
        assert {amount for _, _, amount in selectors.settled_by(line.id)} == {one.open, 400_00}
        assert not clearing.open_exceptions()
    holds(billed)


def test_a_line_of_nobody_goes_to_an_account(billed: TestClient):
    line = line_of(billed, -35_00, "monthly charge")
    approve(billed, explain(billed, line, account="7900"))
    assert balance(billed, "7900") == 35_00
    holds(billed)


@pytest.mark.parametrize("role", ["bookkeeper", "specialist"])
def test_who_may_not_approve_cannot(billed: TestClient, role: str):
    said = explain(billed, line_of(billed, 10_00), account="2900")
    with pytest.raises(NotPermitted):
        approve(billed, said, role)


def test_whoever_said_it_does_not_approve_it(billed: TestClient):
    said = explain(billed, line_of(billed, 10_00), account="2900", role="lead")
    with pytest.raises(approvals.MakerIsNotChecker):
        approve(billed, said)
    assert balance(billed, "1200") == 0
    approve(billed, said, "checker")
    assert balance(billed, "1200") == 10_00


def test_what_is_approved_is_exactly_what_was_seen(billed: TestClient):
    line = line_of(billed, 10_00)
    first = explain(billed, line, account="2900")
    second = explain(billed, line, account="7900")
    with pytest.raises(approvals.ContentChanged):
        approve(billed, first)
    approve(billed, second)
    assert (balance(billed, "2900"), balance(billed, "7900")) == (0, -10_00)


def test_what_is_withdrawn_is_approved_by_nobody(billed: TestClient):
    line = line_of(billed, 10_00)
    said = explain(billed, line, account="2900")
    with billed.acting("bookkeeper"):
        by_hand.withdraw_explanation(line.id, reason="wrong line")
    with pytest.raises(NotFound):
        approve(billed, said)
    with pytest.raises(Conflict), billed.acting("bookkeeper"):
        by_hand.withdraw_explanation(line.id, reason="twice")


@pytest.mark.parametrize("reason", ["", "  ", "x" * (by_hand.LONGEST_REASON + 1)])
def test_a_reason_is_kept_whole_or_refused(billed: TestClient, reason: str):
    line = line_of(billed, 10_00)
    with pytest.raises(InputRefused), billed.acting("bookkeeper"):
        by_hand.explain_line(line.id, parts=[], account="2900", reason=reason)
    whole = "y" * by_hand.LONGEST_REASON
    with billed.acting("bookkeeper"):
        said = by_hand.explain_line(line.id, parts=[], account="2900", reason=whole)
    with pytest.raises(InputRefused), billed.acting("bookkeeper"):
        by_hand.withdraw_explanation(line.id, reason=reason)
    approve(billed, said)
    with billed.acting("bookkeeper"):
        entry = selectors.entry_of_line(line.id)
    with pytest.raises(InputRefused), billed.acting("bookkeeper"):
        by_hand.undo_clearing(line.id, reason=reason)
    with pytest.raises(InputRefused), billed.acting("bookkeeper"):
        ledger_services.reverse_entry(entry, day=line.booked, reason=reason.strip() and "z" * 281)
    with billed.acting("bookkeeper"):
        by_hand.undo_clearing(line.id, reason=whole)
        waits = [e.detail for e in clearing.open_exceptions() if e.line.id == line.id]
        assert waits == [whole]
        posted, reversal = Entry.objects.filter(client_id=billed.id, batch__subject_id__in=[line.id, entry])
        assert whole in posted.narrative and whole in reversal.narrative


def test_what_does_not_come_to_the_line_is_refused_with_what_is_left(billed: TestClient):
    one, _ = invoices(billed)
    line = line_of(billed, 500_00)
    wrong: list[tuple[list[Part], str, str]] = [
        ([], "", "£500.00 of the line is not explained"),
        ([Part(one.id, 499_00)], "", "£1.00 of the line is not explained"),
        ([Part(one.id, 500_00)], "7900", "nothing is left"),
        ([Part(one.id, one.open + 1)], "", "is open"),
        ([Part(one.id, 0)], "", "is open"),
        ([Part(one.id, 250_00), Part(one.id, 250_00)], "", "stands twice"),
        ([Part(line.id, 500_00)], "", "nothing is open"),
        ([], "1100", "takes no rest"),
        ([], "1200", "takes no rest"),
        ([], "9999", "takes no rest"),
    ]
    for parts, account, words in wrong:
        with pytest.raises(InputRefused, match=re.escape(words)):
            explain(billed, line, *parts, account=account)


def test_what_was_paid_meanwhile_is_not_settled_twice(billed: TestClient):
    one, _ = invoices(billed)
    said = explain(billed, line_of(billed, one.open - 1), Part(one.id, one.open - 1))
    approve(billed, explain(billed, line_of(billed, 100_00, "early part"), Part(one.id, 100_00)))
    with pytest.raises(Conflict, match="explained anew"):
        approve(billed, said)
    holds(billed)


# --- undo -----------------------------------------------------------------------------------------------


def test_what_a_rule_cleared_is_taken_back_and_said_anew(billed: TestClient):
    one, two = invoices(billed)
    line = line_of(billed, one.open, one.reference)
    assert [i.id for i in invoices(billed)] == [two.id], "cleared by its number"
    with billed.acting("bookkeeper"):
        done = by_hand.undo_clearing(line.id, reason="it was for the other one")
        assert selectors.entry_of_line(line.id) is None and selectors.settled_by(line.id) == []
        assert [e.reason for e in clearing.open_exceptions()] == ["taken back"]
        clearing.clear_lines()
        assert clearing.open_exceptions(), "the rule that was wrong is not asked again"
        assert done.reversal_id != done.entry_id
    assert [i.open for i in invoices(billed)] == [one.open, two.open]
    assert balance(billed, "1200") == 0
    with billed.acting("bookkeeper"):
        assert selectors.reconcile("main").without_bank == 0
    approve(billed, explain(billed, line, Part(two.id, two.open)))
    assert [i.id for i in invoices(billed)] == [one.id]
    holds(billed)
    with billed.acting("bookkeeper"):
        by_hand.undo_clearing(line.id, reason="after all")
    approve(billed, explain(billed, line, Part(one.id, one.open)))
    assert [i.id for i in invoices(billed)] == [two.id]
    holds(billed)


def test_a_line_that_is_open_is_not_taken_back(billed: TestClient):
    line = line_of(billed, 10_00)
    with pytest.raises(NotFound), billed.acting("bookkeeper"):
        by_hand.undo_clearing(line.id, reason="x")


def test_in_a_locked_period_what_is_posted_is_of_the_first_open_day(billed: TestClient):
    line, today = line_of(billed, 10_00), timezone.now().date()
    with billed.acting("bookkeeper"):
        ledger_services.lock_period(line.booked, reason="reported")
    first = max(today, line.booked + timedelta(days=1))
    approve(billed, explain(billed, line, account="2900"))
    with billed.acting("bookkeeper"):
        entry_id = selectors.entry_of_line(line.id)
        assert entry_id
        entry = ledger.entry(entry_id)
        assert entry and entry.day == first
        ledger_services.lock_period(first, reason="reported too")
        done = by_hand.undo_clearing(line.id, reason="wrong")
        reversal = ledger.entry(done.reversal_id)
        assert reversal and reversal.day == first + timedelta(days=1)
    holds(billed)


def test_the_entry_of_a_cleared_line_is_reversed_by_taking_the_clearing_back_alone(billed: TestClient):
    line = line_of(billed, 10_00)
    approve(billed, explain(billed, line, account="2900"))
    with billed.acting("bookkeeper"):
        entry = selectors.entry_of_line(line.id)
        assert entry
    with pytest.raises(Conflict, match="take the clearing back"), billed.acting("bookkeeper"):
        ledger_services.reverse_entry(entry, day=PAY_DATE, reason="from the books")
    bea, page = signed_in(billed.staff["bookkeeper"]), f"/c/{billed.code}/books/entries/{entry}"
    asked = {"day": PAY_DATE.isoformat(), "reason": "from the books"}
    answer = bea.post(f"{page}/reverse", asked, headers={"referer": f"http://127.0.0.1{page}"})
    assert answer.status_code == 409 and "take the clearing back" in answer.content.decode()
    assert balance(billed, "1200") == 10_00
    holds(billed)
    with billed.acting("bookkeeper"):
        by_hand.undo_clearing(line.id, reason="wrong")
    assert balance(billed, "1200") == 0
    holds(billed)


def test_a_line_whose_posting_was_reversed_elsewhere_is_taken_back_still(billed: TestClient, monkeypatch):
    """Books from before the refusal: the line is cleared, its entry reversed."""
    line = line_of(billed, 10_00)
    approve(billed, explain(billed, line, account="2900"))
    with monkeypatch.context() as before, billed.acting("bookkeeper"):
        kept = [f for f in ledger_services._followers if f is not by_hand.keep_cleared]
        before.setattr(ledger_services, "_followers", kept)
        entry = selectors.entry_of_line(line.id)
        assert entry
        reversal = ledger_services.reverse_entry(entry, day=PAY_DATE, reason="from the books")
    with billed.acting("bookkeeper"):
        done = by_hand.undo_clearing(line.id, reason="wrong")
        assert (done.entry_id, done.reversal_id) == (entry, reversal.entry_id)
        assert [e.reason for e in clearing.open_exceptions()] == ["taken back"]
    approve(billed, explain(billed, line, account="7900"))
    assert (balance(billed, "1200"), balance(billed, "2900"), balance(billed, "7900")) == (10_00, 0, -10_00)
    holds(billed)


# --- around the application -----------------------------------------------------------------------------


def test_postgresql_clears_nothing_to_an_account_without_a_second_persons_yes(billed: TestClient):
    line = line_of(billed, 10_00)
    explain(billed, line, account="2900")
    with (
        pytest.raises(Exception, match="as another person approved"),
        billed.acting("bookkeeper"),
    ):
        journal = ledger_services.Journal(
            line.booked, "mine", (ledger_services.Line("1200", 10_00), ledger_services.Line("2900", -10_00))
        )
        ledger_services.post_journals("bank_line", ("bank_line", line.id), [journal])
        Cleared.objects.create(client_id=billed.id, line=line, rule="x", why="x")


def test_postgresql_opens_no_line_whose_posting_stands_and_deletes_none(billed: TestClient):
    line = line_of(billed, 10_00)
    approve(billed, explain(billed, line, account="2900"))
    with connect() as app:
        enter(app, billed.staff["bookkeeper"], write=billed.id)
        with pytest.raises(psycopg.DatabaseError, match="still stands"), app.transaction():
            app.execute("SELECT app_undo_clearing(%s, 'x')", [line.id])
        for change in ("DELETE FROM settlement_cleared", "UPDATE settlement_cleared SET why = 'x'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(change)
        app.rollback()
        enter(app, billed.staff["specialist"], write=billed.id)
        with pytest.raises(psycopg.DatabaseError, match="no role of this user"), app.transaction():
            app.execute("SELECT app_undo_clearing(%s, 'x')", [line.id])
        app.rollback()


@limits(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(shares=some.lists(some.integers(1, 1008_00), min_size=2, max_size=2), fee=some.integers(-500, 500))
def test_whatever_is_said_and_taken_back_leaves_the_books_as_they_were(billed: TestClient, shares, fee):
    """The very same items are open afterwards; in between the bank agrees with the books."""
    before = [(i.id, i.open) for i in invoices(billed)]
    parts = [Part(i, min(share, open_)) for (i, open_), share in zip(before, shares, strict=True)]
    amount = sum(p.amount for p in parts) + fee
    with billed.acting("bookkeeper"):
        known = BankLine.objects.filter(client_id=billed.id, amount=amount).exists()
    if known or not amount:
        return
    line = line_of(billed, amount, f"sundry {amount}")
    approve(billed, explain(billed, line, *parts, account="7900" if fee else ""))
    holds(billed)
    with billed.acting("bookkeeper"):
        by_hand.undo_clearing(line.id, reason="and back")
    assert [(i.id, i.open) for i in invoices(billed)] == before
    assert balance(billed, "1200") == 0


# --- pages ----------------------------------------------------------------------------------------------


def test_two_people_explain_a_line_on_its_page_and_one_takes_it_back(billed: TestClient):
    one, _ = invoices(billed)
    line = line_of(billed, one.open - 2_50)
    bea, lena = signed_in(billed.staff["bookkeeper"]), signed_in(billed.staff["lead"])
    page = f"/c/{billed.code}/bank/{line.id}"
    shown = bea.get(page).content.decode()
    assert one.reference in shown and f'name="item_{one.id}"' in shown
    here = {"referer": f"http://127.0.0.1{page}"}
    part = {f"item_{one.id}": "1,008.00", "reason": "less a fee"}
    wrong = bea.post(f"{page}/explain", part, headers=here)
    assert wrong.status_code == 422 and 'id="id_account_error"' in wrong.content.decode()
    assert 'value="1,008.00"' in wrong.content.decode()
    assert bea.post(f"{page}/explain", part | {"account": "7900"}).status_code == 303
    assert "Approve" not in bea.get(page).content.decode()
    waits = lena.get(page).content.decode()
    assert "less a fee" in waits and "Bank charges" in waits and "-£2.50" in waits
    seen = re.search(r'name="content_hash" value="([0-9a-f]{64})"', waits)
    assert seen
    assert lena.post(f"{page}/approve", {"content_hash": seen[1]}).status_code == 303
    assert "Cleared" in lena.get(page).content.decode()
    assert lena.get("/today").status_code == 200
    assert bea.post(f"{page}/undo", {"undo-reason": "not theirs"}).status_code == 303
    assert "taken back" in bea.get(page).content.decode().lower()
    holds(billed)


def test_an_item_paid_while_the_page_was_open_is_named_and_its_money_goes_nowhere(billed: TestClient):
    one, _ = invoices(billed)
    line = line_of(billed, one.open + 5_00)
    line_of(billed, one.open, one.reference)
    bea, page = signed_in(billed.staff["bookkeeper"]), f"/c/{billed.code}/bank/{line.id}"
    asked = {f"item_{one.id}": "1,008.00", "account": "7900", "reason": "a tip"}
    answer = bea.post(f"{page}/explain", asked, headers={"referer": f"http://127.0.0.1{page}"})
    assert answer.status_code == 422
    assert f"{one.reference} is not open any more" in answer.content.decode()
    with billed.acting("bookkeeper"):
        assert by_hand.standing(line.id) is None


def test_what_a_line_may_be_is_suggested_and_taken_by_saying_it(billed: TestClient):
    """More came than the invoice that it names: no rule clears that."""
    one, _ = invoices(billed)
    line = line_of(billed, one.open + 8_00, one.reference)
    stranger = line_of(billed, 7_77, "of nobody")
    with billed.acting("bookkeeper"):
        found = likely.suggestions()
        assert set(found) == {line.id} and stranger.id not in found
        guess = found[line.id]
        assert (guess.items, guess.parts) == ((one,), (Part(one.id, one.open),))
        assert 0 < guess.score < 99 and "8.00 GBP is left over" in guess.why
    with billed.acting("checker"):
        assert likely.suggestions() == {}, "they explain no lines"
    bea, page = signed_in(billed.staff["bookkeeper"]), f"/c/{billed.code}/bank/{line.id}"
    assert (
        f"Likely {one.reference}: {guess.score} of 100" in bea.get(f"/c/{billed.code}/bank").content.decode()
    )
    plain, filled = (bea.get(page + asked).content.decode() for asked in ("", "?take=1"))
    assert "What it may be" in plain and 'value="1,008.00"' not in plain and 'value="1,008.00"' in filled
    approve(billed, explain(billed, line, *guess.parts, account="7900"))
    with billed.acting("bookkeeper"):
        assert line.id not in likely.suggestions()
    holds(billed)
