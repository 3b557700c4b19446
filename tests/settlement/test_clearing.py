"""Clearing: what is certain is posted once, every other line has its reason, and control accounts hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from engineroom.foundation import thread
from engineroom.kernel.errors import NotFound
from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors as ledger_selectors
from engineroom.ledger import services as ledger
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems import selectors as openitems
from engineroom.openitems.services import counterparty
from engineroom.settlement.clearing import AlreadyCleared, ClearingDone, clear_lines, open_exceptions
from engineroom.settlement.models import BankLine, Cleared, LineException, Payment, PaymentBatch
from engineroom.settlement.selectors import Reconciliation, payment_files, reconcile, verify
from engineroom.settlement.services import add_own_account, record_stage
from tests.firm import PAY_DATE, Temp, TestClient, run_payday, set_up
from tests.ledger.raw import Raw, another_person, raw_books, tamper, until_somebody_waits
from tests.settlement.bank import DAY, Booked, statement, write

BANK, RECEIVABLES, WAGES, IN_TRANSIT = "1200", "1100", "2210", "2300"
TEMPS = [Temp("T1"), Temp("T2", "Al Smith", customer="BETA"), Temp("T3", "Zoë O'Neil")]


@dataclass
class Paid:
    """A client after one payday: its payment file, its payees, its invoices."""

    client: TestClient
    batch: PaymentBatch
    payments: list[Payment]
    invoices: list[openitems.Open]

    def whole_file(self, **change: object) -> Booked:
        return Booked(-self.batch.total, f"BACS {self.batch.reference}", reference="B1", **change)  # type: ignore[arg-type]

    def returned(self, n: int = 0) -> Booked:
        payment = self.payments[n]
        return Booked(
            payment.amount, "RETURNED", reference=f"R{n}", end_to_end=payment.reference, returned="AC04"
        )


@pytest.fixture
def paid(client: TestClient) -> Paid:
    set_up(client, TEMPS)
    day = run_payday(client, TEMPS)
    assert day.batch is not None
    with client.acting("bookkeeper"):
        payments = list(Payment.objects.filter(client_id=client.id).order_by("reference"))
        return Paid(client, day.batch, payments, openitems.open_items(kind="invoice"))


def clear(client: TestClient, *lines: Booked, name: str = "statement", **about: object) -> ClearingDone:
    if lines:
        path = write(client.folder, statement(lines, id_=name, **about), name=f"{name}.xml")  # type: ignore[arg-type]
        client.take("statement", path, role="bookkeeper")
    with client.acting("bookkeeper"):
        return clear_lines()


def reasons(client: TestClient) -> list[tuple[int, str]]:
    with client.acting("bookkeeper"):
        return [(e.line.amount, e.reason) for e in open_exceptions()]


def balance_of(client: TestClient, account: str) -> int:
    with client.acting("bookkeeper"):
        return sum(b.balance for b in ledger_selectors.trial_balance() if b.code == account)


def left(client: TestClient, kind: str) -> list[int]:
    with client.acting("bookkeeper"):
        return sorted(i.open for i in openitems.open_items(kind=kind))


def agreed(client: TestClient) -> Reconciliation:
    """The books hold in every way we can ask; returns how they stand beside the bank."""
    with client.acting("bookkeeper"):
        assert [c for c in openitems.controls() if not c.ok] == []
        assert [c for c in (*ledger_selectors.verify(), *openitems.verify()) if not c.ok] == []
        return reconcile()


# sent, settled, cleared -------------------------------------------------------------------------------


@pytest.mark.behaviour("SETL-03")
def test_sent_is_not_settled_is_not_cleared(paid: Paid) -> None:
    """Each stage needs its own proof, and the books move on the bank's line alone."""

    def state() -> tuple[str, int, int]:
        with paid.client.acting("bookkeeper"):
            [file] = payment_files()
        return file.state, balance_of(paid.client, IN_TRANSIT), balance_of(paid.client, BANK)

    on_its_way = (-paid.batch.total, 0)
    assert state() == ("released", *on_its_way)
    with paid.client.acting("bookkeeper"):
        record_stage(paid.batch.id, "submitted", on=DAY, evidence="BACSTEL receipt 77")
    assert state() == ("submitted", *on_its_way)
    with paid.client.acting("bookkeeper"):
        record_stage(paid.batch.id, "settled", on=DAY, evidence="input report 78")
    assert state() == ("settled", *on_its_way)
    clear(paid.client, paid.whole_file())
    assert state() == ("cleared", 0, -paid.batch.total)
    assert agreed(paid.client).ok


@pytest.mark.behaviour("SETL-03")
def test_the_bank_may_clear_what_nobody_recorded_as_sent(paid: Paid) -> None:
    """The bank's line is the stronger proof; the stages stay as they were recorded."""
    clear(paid.client, paid.whole_file())
    with paid.client.acting("bookkeeper"):
        assert [f.state for f in payment_files()] == ["cleared"]


# matching through the books ---------------------------------------------------------------------------


@pytest.mark.behaviour("LED-06")
def test_a_returned_payment_reopens_that_one_payee(paid: Paid) -> None:
    done = clear(paid.client, paid.whole_file(), paid.returned(1))
    assert (done.cleared, done.returned, done.exceptions) == (2, 1, 0)
    with paid.client.acting("bookkeeper"):
        [again] = openitems.open_items(kind="net_pay")
    assert (again.counterparty, again.open) == ("Al Smith", -paid.payments[1].amount)
    assert (again.subject_kind, again.subject_id) == ("payment", paid.payments[1].id)
    assert balance_of(paid.client, WAGES) == -paid.payments[1].amount
    assert agreed(paid.client) == Reconciliation(
        paid.client.code,
        paid.payments[1].amount - paid.batch.total,
        paid.payments[1].amount - paid.batch.total,
        0,
        0,
        0,
    )


def test_the_same_payment_does_not_come_back_twice(paid: Paid) -> None:
    clear(paid.client, paid.whole_file(), paid.returned())
    again = Booked(
        paid.payments[0].amount, reference="R9", end_to_end=paid.payments[0].reference, returned="AC04"
    )
    done = clear(paid.client, again, name="next day")
    assert (done.cleared, done.exceptions) == (0, 1)
    assert reasons(paid.client) == [(again.amount, "settled already")]
    assert left(paid.client, "net_pay") == [-paid.payments[0].amount]


def test_a_partial_receipt_leaves_the_rest_of_the_invoice_open(paid: Paid) -> None:
    invoice = paid.invoices[0]
    clear(paid.client, Booked(invoice.open - 1000, invoice.reference, "ACME LTD"))
    assert left(paid.client, "invoice") == sorted([1000, paid.invoices[1].open])
    rest = Booked(1000, f"rest of {invoice.reference}")
    clear(paid.client, rest, name="later", opening=invoice.open - 1000)
    assert left(paid.client, "invoice") == [paid.invoices[1].open]
    assert agreed(paid.client).ok


def test_one_receipt_pays_every_invoice_it_names(paid: Paid) -> None:
    both = sum(i.open for i in paid.invoices)
    done = clear(paid.client, Booked(both, " ".join(i.reference for i in paid.invoices)))
    assert done.cleared == 1
    assert left(paid.client, "invoice") == []
    assert balance_of(paid.client, RECEIVABLES) == 0
    assert agreed(paid.client).ok


@pytest.mark.behaviour("CLR-04")
def test_every_line_that_is_not_matched_says_why(paid: Paid) -> None:
    invoice = paid.invoices[0]
    lines = {
        Booked(invoice.open + 1, invoice.reference, reference="B1"): "amount differs",
        Booked(12000, "deposit refund", "J WHITTAKER", reference="B2"): "unknown receipt",
        Booked(-500, "card fees", reference="B3"): "unknown payment",
        Booked(777, reference="B4", end_to_end="ER000009 00001", returned="AC04"): "unknown return",
        Booked(-paid.batch.total - 1, paid.batch.reference, reference="B5"): "amount differs",
        Booked(0, "statement fee waived", reference="B6"): "no money",
    }
    before = balance_of(paid.client, IN_TRANSIT), left(paid.client, "invoice")
    done = clear(paid.client, *lines)
    assert (done.cleared, done.exceptions) == (0, len(lines))
    with paid.client.acting("bookkeeper"):
        found = {e.line.bank_reference: (e.reason, bool(e.detail)) for e in open_exceptions()}
    assert found == {one.reference: (reason, True) for one, reason in lines.items()}
    assert (balance_of(paid.client, IN_TRANSIT), left(paid.client, "invoice")) == before
    reconciled = agreed(paid.client)
    assert (reconciled.ledger, reconciled.exceptions, reconciled.ok) == (
        0,
        sum(b.amount for b in lines),
        True,
    )


@pytest.mark.behaviour("CLR-04")
def test_a_line_nobody_looked_at_says_so_too(paid: Paid) -> None:
    path = write(paid.client.folder, statement([Booked(5)]))
    paid.client.take("statement", path, role="bookkeeper")
    assert reasons(paid.client) == [(5, "not looked at")]


def test_a_reason_is_kept_once_while_it_stays_and_follows_what_changes(paid: Paid) -> None:
    """A receipt that came before its invoice was known clears when it is."""
    unknown = Booked(4242, "INV-000077", "LATE LTD")
    clear(paid.client, unknown)
    clear(paid.client)
    with paid.client.acting("bookkeeper"):
        assert LineException.objects.filter(client_id=paid.client.id).count() == 1
        _owe(4242, "INV-000077")
    assert clear(paid.client).cleared == 1
    assert reasons(paid.client) == []


def _owe(amount: int, reference: str) -> None:
    from engineroom.openitems.services import add_item

    customer = counterparty("customer", "LATE", "Late Ltd")
    lines = (Line(RECEIVABLES, amount), Line("4000", -amount))
    posted = post_journals("test", ("test", uuid7()), [Journal(DAY, "an invoice", lines)])
    add_item(
        "invoice",
        counterparty_id=customer.id,
        account_id=account_ids()[RECEIVABLES],
        amount=amount,
        due=DAY,
        entry_id=posted.entry_ids[0],
        subject=("invoice", uuid7()),
        reference=reference,
    )


def test_a_line_of_a_locked_period_waits_and_holds_up_nobody_else(paid: Paid) -> None:
    with paid.client.acting("bookkeeper"):
        ledger.lock_period(PAY_DATE, reason="November closed")
    [acme, beta] = paid.invoices
    late = Booked(beta.open, beta.reference, reference="B2", day=PAY_DATE + timedelta(days=1))
    done = clear(paid.client, Booked(acme.open, acme.reference, reference="B1"), late)
    assert (done.cleared, done.exceptions) == (1, 1)
    assert reasons(paid.client) == [(acme.open, "period locked")]


def test_clearing_again_changes_nothing(paid: Paid) -> None:
    lines = [paid.whole_file(), Booked(paid.invoices[0].open, paid.invoices[0].reference), Booked(5, "?")]
    clear(paid.client, *lines)
    before = [balance_of(paid.client, a) for a in (BANK, RECEIVABLES, WAGES, IN_TRANSIT)]
    assert clear(paid.client) == ClearingDone(cleared=0, exceptions=1, returned=0)
    assert [balance_of(paid.client, a) for a in (BANK, RECEIVABLES, WAGES, IN_TRANSIT)] == before


def test_an_unknown_account_is_named(client: TestClient) -> None:
    with client.acting("bookkeeper"), pytest.raises(NotFound, match="no bank account called 'savings'"):
        clear_lines("savings")


# two people -------------------------------------------------------------------------------------------


@pytest.mark.behaviour("CLR-09")
def test_two_people_clearing_at_once_clear_each_line_once(paid: Paid) -> None:
    lines = [paid.whole_file(), paid.returned()]
    lines += [Booked(i.open, i.reference, reference=i.reference) for i in paid.invoices]
    path = write(paid.client.folder, statement(lines))
    paid.client.take("statement", path, role="bookkeeper")

    def clear_too(role: str) -> int:
        with paid.client.acting(role):
            return clear_lines().cleared

    with another_person() as somebody:
        both = [somebody(lambda r=r: clear_too(r)) for r in ("bookkeeper", "lead")]
        assert sorted(one.result(30) for one in both) == [0, len(lines)]
    assert balance_of(paid.client, BANK) == sum(one.amount for one in lines)
    assert agreed(paid.client).ok


@pytest.mark.behaviour("CLR-09")
def test_who_comes_second_waits_for_the_first_and_finds_nothing(paid: Paid) -> None:
    path = write(paid.client.folder, statement([paid.whole_file()]))
    paid.client.take("statement", path, role="bookkeeper")

    def clear_too() -> ClearingDone:
        with paid.client.acting("lead"):
            return clear_lines()

    with another_person() as somebody:
        with paid.client.acting("bookkeeper"):
            assert clear_lines().cleared == 1
            other = somebody(clear_too)
            until_somebody_waits()
        assert other.result(10) == ClearingDone(0, 0, 0)


@pytest.mark.behaviour("CLR-09")
def test_a_line_cleared_by_hand_meanwhile_is_not_cleared_again(paid: Paid) -> None:
    """Around the account's lock, by raw SQL: then PostgreSQL lets one of the two through, and says so."""
    invoice = paid.invoices[0]
    path = write(paid.client.folder, statement([Booked(invoice.open, invoice.reference)]))
    paid.client.take("statement", path, role="bookkeeper")
    with paid.client.acting("bookkeeper"):
        line_id = BankLine.objects.get(client_id=paid.client.id).id

    def clear_too() -> ClearingDone:
        with paid.client.acting("lead"):
            return clear_lines()

    raw = raw_books(paid.client)
    with raw.connection() as connection, another_person() as somebody:
        _clear_by_hand(raw, connection, line_id, invoice.open)
        other = somebody(clear_too)
        until_somebody_waits()
        connection.commit()
        assert isinstance(other.exception(10), AlreadyCleared)
    with paid.client.acting("bookkeeper"):
        assert Cleared.objects.get(line_id=line_id).rule == "by hand"
        assert openitems.open_items(kind="invoice")[0].open == invoice.open
    agreed(paid.client)


def _clear_by_hand(raw: Raw, connection: psycopg.Connection[object], line_id: UUID, amount: int) -> None:
    batch, entry, _ = raw.simple()
    lines = raw.lines(entry, (BANK, amount), ("1100", -amount))
    of_line = {"kind": "bank_line", "subject_kind": "bank_line", "subject_id": line_id}
    raw.write(connection, [batch | of_line], [entry], lines)
    connection.execute(
        "INSERT INTO openitems_openitem (id, client_id, kind, account_id, currency, amount, due, entry_id, "
        "subject_kind, subject_id, reference) VALUES (gen_random_uuid(), %s, 'bank_line', %s, 'GBP', %s, "
        "current_date, %s, 'bank_line', %s, '')",
        [raw.client.id, raw.accounts["1100"], -amount, entry["id"], line_id],
    )
    connection.execute(
        "INSERT INTO settlement_cleared (id, client_id, rule, why) VALUES (%s, %s, 'by hand', 'raced')",
        [line_id, raw.client.id],
    )


@pytest.mark.behaviour("CLR-09")
def test_lines_of_two_accounts_never_settle_one_invoice_twice(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people clear two accounts, each of which received the whole invoice: one is paid, one is told."""
    invoice = paid.invoices[0]
    with paid.client.acting("bookkeeper"):
        add_own_account(
            "second", "Second", sort_code="200000", account_number="99999999", service_user_number="123456"
        )
    line = Booked(invoice.open, invoice.reference)
    for name, account in (("main", "20000055667788"), ("second", "20000099999999")):
        path = write(paid.client.folder, statement([line], id_=name, account=account), name=f"{name}.xml")
        paid.client.take("statement", path, role="bookkeeper")

    def clear_too() -> ClearingDone:
        with paid.client.acting("lead"):
            return clear_lines("second")

    with another_person() as somebody:
        with paid.client.acting("bookkeeper"):
            assert clear_lines("main").cleared == 1
            other = somebody(clear_too)
            until_somebody_waits()
        assert isinstance(other.exception(10), AlreadyCleared)
    with paid.client.acting("bookkeeper"):
        assert clear_lines("second") == ClearingDone(0, 1, 0)
    assert reasons(paid.client) == [(invoice.open, "settled already")]
    agreed(paid.client)


# the bank beside the books ----------------------------------------------------------------------------


def test_statements_with_a_gap_do_not_agree(paid: Paid) -> None:
    """Every line that came is explained, and yet the bank moved more: a statement is missing."""
    [acme, beta] = paid.invoices
    first = (DAY, DAY)
    third = (DAY + timedelta(days=4), DAY + timedelta(days=4))
    clear(paid.client, Booked(acme.open, acme.reference), name="Friday", opening=1000, period=first)
    assert agreed(paid.client).ok
    late = Booked(beta.open, beta.reference, day=third[0])
    clear(paid.client, late, name="Tuesday", opening=1000 + acme.open + 77, period=third)
    reconciled = agreed(paid.client)
    assert (reconciled.ok, reconciled.missing, reconciled.exceptions) == (False, 77, 0)
    monday = (DAY + timedelta(days=3), DAY + timedelta(days=3))
    clear(
        paid.client,
        Booked(77, "found", day=monday[0]),
        name="Monday",
        opening=1000 + acme.open,
        period=monday,
    )
    reconciled = agreed(paid.client)
    assert (reconciled.ok, reconciled.missing, reconciled.exceptions) == (True, 0, 77)


def test_overlapping_statements_agree_because_a_line_counts_once(paid: Paid) -> None:
    [acme, beta] = paid.invoices
    one, two = (
        Booked(acme.open, acme.reference, reference="B1"),
        Booked(beta.open, beta.reference, reference="B2"),
    )
    clear(paid.client, one, name="one", opening=50)
    clear(paid.client, one, two, name="both", opening=50, period=(DAY, DAY + timedelta(days=1)))
    assert agreed(paid.client) == Reconciliation(
        paid.client.code, acme.open + beta.open, acme.open + beta.open, 0, 0, 0
    )


def test_an_opening_balance_taken_over_is_no_difference(paid: Paid) -> None:
    """The books began with what the bank's first statement began with; anything else is one."""
    with paid.client.acting("bookkeeper"):
        lines = (Line(BANK, 5000), Line("3000", -5000))
        post_journals("opening", ("book", uuid7()), [Journal(DAY - timedelta(days=30), "taken over", lines)])
    clear(paid.client, paid.whole_file(), opening=5000)
    assert agreed(paid.client).ok
    with paid.client.acting("bookkeeper"):
        lines = (Line(BANK, 3), Line("3000", -3))
        post_journals("by hand", ("test", uuid7()), [Journal(DAY, "no bank line says this", lines)])
    reconciled = agreed(paid.client)
    assert (reconciled.ok, reconciled.without_bank) == (False, 5003)


def test_another_currency_on_the_account_does_not_count(paid: Paid) -> None:
    clear(paid.client, paid.whole_file())
    with paid.client.acting("bookkeeper"):
        lines = (Line(BANK, 900, currency="EUR"), Line("3000", -900, currency="EUR"))
        post_journals("test", ("test", uuid7()), [Journal(DAY, "euros", lines)])
    assert agreed(paid.client).ok


def test_clearing_asks_as_often_for_many_open_lines_as_for_few(paid: Paid, django_queries: list[str]) -> None:
    """Lines that settle nothing cost no queries of their own."""
    clear(paid.client, *(Booked(n, f"unknown {n}") for n in range(1, 4)), name="few")
    few = len(django_queries)
    django_queries.clear()
    clear(paid.client, *(Booked(n, f"unknown {n}") for n in range(1, 40)), name="many")
    assert len(django_queries) <= few + 2


@pytest.fixture
def django_queries() -> list[str]:
    from django.db import connection

    seen: list[str] = []

    def note(execute: object, sql: str, params: object, many: object, context: object) -> object:
        seen.append(sql)
        return execute(sql, params, many, context)  # type: ignore[operator]

    with connection.execute_wrapper(note):
        yield seen


def test_a_line_is_found_on_the_thread_by_whatever_reference_it_has(paid: Paid) -> None:
    """The bank's own, that of its one payment, else the payer's."""
    clear(
        paid.client,
        Booked(5, "fee", reference="B9"),
        Booked(6, "rent", end_to_end="RENT-11"),
        Booked(7, "neither", reference="NONREF"),
    )
    with paid.client.acting("bookkeeper"):
        found = {text: thread.FIND["bank_line"](text) for text in ("b9", "rent-11", "NONREF", "")}
        amounts = {
            text: [BankLine.objects.get(client_id=paid.client.id, id=one).amount for one in ids]
            for text, ids in found.items()
        }
    assert amounts == {"b9": [5], "rent-11": [6], "NONREF": [], "": []}


def _without_balances(text: str) -> str:
    return re.sub(r"<Bal>.*?</Bal>\n", "", text)


def test_one_statement_without_balances_breaks_one_link_and_not_the_proof(paid: Paid) -> None:
    """Before and after it lines are proven; between, it is said from when to when they are not."""
    days = [DAY + timedelta(days=n) for n in (0, 3, 4, 5)]
    texts = [
        statement(
            [Booked(n + 1, f"l{n}", reference=f"L{n}", day=day)],
            id_=f"S{n}",
            opening=opening,
            period=(day, day),
        )
        for n, (day, opening) in enumerate(zip(days, (0, 1, 3, 6), strict=True))
    ]
    texts[1] = _without_balances(texts[1])
    paid.client.take("statement", write(paid.client.folder, *texts), role="bookkeeper")
    with paid.client.acting("bookkeeper"):
        found = reconcile()
    assert (found.ok, found.missing, found.unproven) == (True, 0, ((days[0], days[2]),))
    late = days[3] + timedelta(days=1)
    lost = statement(
        [Booked(5, "m", reference="L9", day=late)], id_="S9", opening=10 + 77, period=(late, late)
    )
    paid.client.take("statement", write(paid.client.folder, lost, name="9.xml"), role="bookkeeper")
    with paid.client.acting("bookkeeper"):
        found = reconcile()
    assert (found.ok, found.missing) == (False, 77)


def test_statements_that_give_no_balances_at_all_prove_nothing(paid: Paid) -> None:
    text = _without_balances(statement([Booked(5, "m", reference="L1")]))
    paid.client.take("statement", write(paid.client.folder, text), role="bookkeeper")
    with paid.client.acting("bookkeeper"):
        found = reconcile()
    assert (found.ok, found.missing, found.unproven) == (True, None, ((DAY, None),))


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("UPDATE settlement_bankline SET amount = amount - 1", "cleared lines"),
        ("DELETE FROM settlement_cleared", "postings for bank lines"),
        ("UPDATE settlement_paymentbatch SET total = total + 1", "payment files whose"),
        ("UPDATE settlement_payment SET amount = 1", "payments that are not"),
        ("UPDATE settlement_ownaccount SET sort_code = '0'", "payment files written"),
    ],
)
def test_verify_sees_what_was_changed_behind_the_guards(paid: Paid, damage: str, check: str) -> None:
    clear(paid.client, paid.whole_file())
    with paid.client.acting("bookkeeper"):
        assert [c for c in verify() if not c.ok] == []
    tamper(f"{damage} WHERE client_id = %(client)s", {"client": paid.client.id})
    with paid.client.acting("bookkeeper"):
        assert any(c.what.startswith(check) for c in verify() if not c.ok)


def test_files_lines_slips_and_invoices_lead_to_their_entries(paid: Paid) -> None:
    """And an entry is found by the letters that the thread shows of it."""
    clear(paid.client, paid.whole_file())
    with paid.client.acting("bookkeeper"):
        line = BankLine.objects.get(client_id=paid.client.id)
        starts = [
            ("batch", paid.batch.id),
            ("bank_line", line.id),
            ("payslip", thread.FIND["payslip"]("1/T1")[0]),
            ("invoice", thread.FIND["invoice"](paid.invoices[0].reference)[0]),
        ]
        for kind, node in starts:
            entries = [
                b.node for b in thread.walk(kind, node, forward=True).branches if b.node.kind == "entry"
            ]
            assert entries, kind
            short = entries[0].label.split(":")[0].removeprefix("entry ")
            assert thread.FIND["entry"](short) == [entries[0].id]
            assert thread.FIND["entry"](str(entries[0].id)) == [entries[0].id]
        assert thread.FIND["entry"]("abc") == []
