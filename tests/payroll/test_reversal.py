"""What was paid is taken back by its negative, once; paid anew, no liability is collected twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.firm import PAY_DATE, Temp, TestClient, approve_payday, connect, enter, hours_file, set_up
from tests.payroll import months
from tests.payroll.months import Employee
from tests.web.conftest import signed_in

from engineroom.foundation import deadlines
from engineroom.foundation.approvals import services as approvals
from engineroom.kernel.errors import Conflict, InputRefused, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.ledger import services as ledger
from engineroom.ledger.selectors import verify as ledger_verify
from engineroom.openitems import selectors as openitems
from engineroom.payday import steps
from engineroom.payroll import attempts, items, reversal, selectors, services
from engineroom.payroll.models import PaidItem, PayItem, PayRun, Payslip, ReversedPayslip
from engineroom.people.selectors import named_person
from engineroom.settlement import services as settlement

NOVEMBER, DECEMBER = date(2026, 11, 25), date(2026, 12, 24)
WHY = "paid on the wrong tax code"


@pytest.fixture
def two(client: TestClient) -> TestClient:
    """Two people on a monthly salary, paid for November; the file is not written."""
    ids = months.people(client, Employee("E1"), Employee("E2", 48_000_00, loan="2"))
    months.monthly(client, ids)
    months.paid(client, NOVEMBER)
    return client


def run_numbered(client: TestClient, number: int) -> PayRun:
    with client.acting("lead"):
        return selectors.named_run(number)


def reverse(
    client: TestClient, *numbers: str, run: int = 1, replace: bool = False
) -> reversal.ReversalOpened:
    with client.acting():
        return reversal.reverse_payslips(
            selectors.named_run(run).id,
            reason=WHY,
            payroll_numbers=numbers,
            replace=replace,
            pay_date=NOVEMBER,
        )


def gone_through(client: TestClient, run_id: UUID) -> services.RunReleased:
    months.calculated(client, run_id)
    return months.released(client, run_id)


def to_date(client: TestClient, number: str) -> Mapping[str, int]:
    """Every released figure of a person's tax year, added up."""
    with client.acting("lead"):
        person = person_of(client, number)
        last = PayRun.objects.filter(client_id=client.id).order_by("-pay_date", "-number").first()
        assert last is not None
        return selectors.year_to_date(last, person)


def person_of(client: TestClient, number: str) -> UUID:
    return named_person(number).counterparty_id


def left(client: TestClient) -> dict[str, int]:
    """What is open by kind of item."""
    found: dict[str, int] = {}
    with client.acting("lead"):
        for item in openitems.open_items():
            found[item.kind] = found.get(item.kind, 0) + item.open
    return found


def books_hold(client: TestClient) -> None:
    with client.acting("lead"):
        assert all(check.ok for check in [*ledger_verify(), *openitems.verify()])


def pay(client: TestClient, run: PayRun) -> settlement.BatchReleased:
    with client.acting("checker"):
        return settlement.release_payments("pay_run", run.id, kind="net_pay", pay_date=run.pay_date)


@pytest.mark.behaviour("PAY-05")
def test_a_reversed_run_leaves_nothing_to_date_in_the_books_or_owed(two: TestClient) -> None:
    opened = reverse(two)
    assert opened.payslips == 2
    released = gone_through(two, opened.run_id)
    assert released.net == 0
    before, after = months.figures(two, run_numbered(two, 1).id), months.figures(two, opened.run_id)
    assert {n: {k: -v for k, v in f.items()} for n, f in before.items()} == after
    assert not any(to_date(two, "E1").values()) and not any(to_date(two, "E2").values())
    assert left(two) == {}
    books_hold(two)
    with two.acting("lead"):
        rows = {row.number: row.state for row in selectors.runs().rows}
    assert (rows[1].word, rows[2].code) == ("Taken back", "settled")


@pytest.mark.behaviour("PAY-05")
def test_one_person_alone_is_taken_back_and_the_other_is_paid(two: TestClient) -> None:
    opened = reverse(two, "E1")
    gone_through(two, opened.run_id)
    file = pay(two, run_numbered(two, 1))
    net = months.figures(two, run_numbered(two, 1).id)["E2"]["net_pay"]
    assert (file.payments, file.total) == (1, net)
    with two.acting("lead"):
        rows = {row.number: row.state for row in selectors.runs().rows}
        slip = Payslip.objects.get(run_id=selectors.named_run(1).id, person__payroll_number="E1")
        [fate] = reversal.fates_of(slip.id)
        copy = Payslip.objects.get(run_id=opened.run_id)
        [back] = reversal.fates_of(copy.id)
    assert (fate.word, fate.run, back.word, back.run) == ("taken back by", 2, "takes back", 1)
    assert rows[1].word == "Released, in the payment file"
    books_hold(two)


@pytest.mark.behaviour("PAY-05")
def test_what_was_paid_out_is_owed_back_by_the_person(two: TestClient) -> None:
    pay(two, run_numbered(two, 1))
    net = months.figures(two, run_numbered(two, 1).id)["E1"]["net_pay"]
    gone_through(two, reverse(two, "E1").run_id)
    with two.acting("lead"):
        [owed] = openitems.open_items(kind="net_pay_back")
        state = {row.number: row.state for row in selectors.runs().rows}[2]
    assert owed.open == net and state.word == "Released, pay is owed back"
    books_hold(two)


@pytest.mark.behaviour("PAY-05")
@pytest.mark.parametrize("was_paid", [False, True])
def test_paid_anew_only_the_difference_is_paid_and_owed(two: TestClient, was_paid: bool) -> None:
    if was_paid:
        pay(two, run_numbered(two, 1))
    owed_before = left(two)
    first = months.figures(two, run_numbered(two, 1).id)["E1"]
    opened = reverse(two, "E1", replace=True)
    assert opened.replacement_id is not None
    with two.acting():
        items.add_pay_item(
            person_of(two, "E1"), "bonus_pay", 500_00, period=NOVEMBER, reason="forgotten",
            run_id=opened.replacement_id,
        )  # fmt: skip
    months.calculated(two, opened.run_id)
    months.calculated(two, opened.replacement_id)
    months.released(two, opened.run_id)
    released = months.released(two, opened.replacement_id)
    anew = months.figures(two, opened.replacement_id)["E1"]
    more = {k: anew[k] - first[k] for k in first}
    assert more["gross"] == 500_00 and more["employee_nic"] > 0
    assert released.net == (more["net_pay"] if was_paid else anew["net_pay"])
    expected = dict(owed_before)
    expected["net_pay"] = owed_before.get("net_pay", 0) - more["net_pay"]
    expected["hmrc"] = owed_before["hmrc"] - more["paye"] - more["employee_nic"] - more["employer_nic"]
    assert left(two) == expected
    assert to_date(two, "E1") == anew
    file = pay(two, run_numbered(two, opened.replacement or 0))
    assert (file.payments, file.total) == (1, released.net)
    books_hold(two)


@pytest.mark.behaviour("PAY-05")
def test_a_replacement_that_owes_nothing_more_is_settled_by_its_release_and_closed_by_the_lock(
    two: TestClient,
) -> None:
    pay(two, run_numbered(two, 1))
    opened = reverse(two, "E1", replace=True)
    assert opened.replacement_id is not None
    gone_through(two, opened.run_id)
    assert gone_through(two, opened.replacement_id).net == 0
    row = row_numbered(two, opened.replacement or 0)
    assert row.net > 0 and (row.state.code, row.state.word) == ("settled", "Nothing is left to pay")
    assert row.state.permission == "ledger.prepare"
    page = signed_in(two.staff["lead"]).get(f"/c/{two.code}/runs/{row.number}").content.decode()
    assert "nothing is left to pay" in page and "once the bank statement" not in page
    with two.acting("lead"):
        due = {d.what: d.is_kept for d in deadlines.between(NOVEMBER, NOVEMBER)}
    assert due[f"Pay day of pay run {row.number}"]
    with two.acting("checker"):
        run = selectors.named_run(row.number)
        again = steps.release_run(run)
    assert again == steps.Released(None, None)
    with two.acting("bookkeeper"):
        ledger.lock_period(date(2026, 11, 30), reason="month closed")
    assert row_numbered(two, row.number).state.code == "closed"


@pytest.mark.behaviour("PAY-05")
@pytest.mark.parametrize("more_for", ["E1", "E2"])
def test_a_replacement_that_owes_one_of_two_more_waits_for_its_file_and_is_in_it(
    two: TestClient, more_for: str
) -> None:
    pay(two, run_numbered(two, 1))
    opened = reverse(two, replace=True)
    assert opened.replacement_id is not None
    with two.acting():
        items.add_pay_item(
            person_of(two, more_for), "bonus_pay", 500_00, period=NOVEMBER, reason="forgotten",
            run_id=opened.replacement_id,
        )  # fmt: skip
    gone_through(two, opened.run_id)
    gone_through(two, opened.replacement_id)
    number = opened.replacement or 0
    assert row_numbered(two, number).state.word == "Released"
    pay(two, run_numbered(two, number))
    assert row_numbered(two, number).state.word == "Released, in the payment file"


def row_numbered(client: TestClient, number: int) -> selectors.RunRow:
    with client.acting("lead"):
        row = selectors.run_row(number)
    assert row is not None
    return row


@pytest.mark.behaviour("PAY-05")
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.sampled_from(["E1", "E2", "E3"]), min_size=1, max_size=3, unique=True),
    st.integers(-900_00, 900_00),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_replaced_what_is_owed_is_what_the_payslips_that_stand_say(
    firm, numbers: list[str], more: int, was_paid: bool, in_the_next_month: bool
) -> None:  # type: ignore[no-untyped-def]
    client = firm.new_client()
    people = [Employee("E1"), Employee("E2", 48_000_00, loan="2"), Employee("E3", 15_000_00)]
    months.monthly(client, months.people(client, *people))
    months.paid(client, NOVEMBER)
    if was_paid:
        pay(client, run_numbered(client, 1))
    paid_out = -sum(f["net_pay"] for f in months.figures(client, run_numbered(client, 1).id).values())
    if in_the_next_month:
        months.paid(client, DECEMBER)
    with client.acting():
        opened = reversal.reverse_payslips(
            selectors.named_run(1).id, reason=WHY, payroll_numbers=numbers, replace=True, pay_date=DECEMBER
        )
        if more:
            items.add_pay_item(
                person_of(client, numbers[0]), "basic_pay", more, period=NOVEMBER, reason="more",
                run_id=opened.replacement_id,
            )  # fmt: skip
    assert opened.replacement_id is not None
    for run_id in (opened.run_id, opened.replacement_id):
        months.calculated(client, run_id)
    for run_id in (opened.run_id, opened.replacement_id):
        months.released(client, run_id)
    total: dict[str, int] = {}
    with client.acting("lead"):
        for run in PayRun.objects.filter(client_id=client.id).select_related("published"):
            for element, amount in selectors.run_figures(run).totals.items():
                total[element] = total.get(element, 0) + amount
    owed = left(client)
    net = owed.get("net_pay", 0) + owed.get("net_pay_back", 0)
    assert net == -total["net_pay"] - (paid_out if was_paid else 0)
    parts = ("paye", "employee_nic", "employer_nic", "student_loan", "postgraduate_loan")
    assert owed.get("hmrc", 0) == -sum(total[part] for part in parts)
    books_hold(client)


@pytest.mark.behaviour("PAY-05")
def test_replaced_after_the_next_month_the_year_comes_right_with_the_month_after(two: TestClient) -> None:
    """November is replaced in December's books: its tax is November's, and January goes on from all of it."""
    months.paid(two, DECEMBER)
    first = months.figures(two, run_numbered(two, 1).id)["E1"]
    with two.acting():
        opened = reversal.reverse_payslips(
            selectors.named_run(1).id, reason=WHY, payroll_numbers=["E1"], replace=True, pay_date=DECEMBER
        )
    assert opened.replacement_id is not None
    gone_through(two, opened.run_id)
    gone_through(two, opened.replacement_id)
    assert months.figures(two, opened.replacement_id)["E1"] == first
    january = months.paid(two, date(2027, 1, 25))
    # 3,000.00 a month from November on, on 1257L cumulative: nothing is due before the free pay is used up.
    assert january["E1"]["taxable_pay_to_date"] == 3 * 300_000


def test_the_hours_of_a_week_are_paid_anew_at_their_customers(client: TestClient) -> None:
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(client)
    with client.acting("checker"):
        services.release_pay_run(selectors.named_run(1).id)
    with client.acting():
        opened = reversal.reverse_payslips(
            selectors.named_run(1).id, reason=WHY, replace=True, pay_date=PAY_DATE
        )
    assert opened.replacement_id is not None
    gone_through(client, opened.run_id)
    gone_through(client, opened.replacement_id)
    assert months.figures(client, opened.replacement_id) == months.figures(client, run_numbered(client, 1).id)
    with client.acting("lead"):
        rows = postings(client)
    assert rows == rows[:1] * len(rows), "costs stand at the customer once more, as if nothing had been"
    books_hold(client)


def postings(client: TestClient) -> list[tuple[object, ...]]:
    """Per run that pays, its postings by account and customer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg((p.account_id::text, p.dimension::text, p.amount)::text ORDER BY p.account_id, "
            "p.dimension, p.amount) FROM ledger_posting p "
            "JOIN ledger_entry e ON e.client_id = p.client_id AND e.id = p.entry_id "
            "JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id "
            "JOIN payroll_payrun r ON r.client_id = b.client_id AND r.id = b.subject_id "
            "WHERE p.client_id = %s AND r.kind <> 'reversal' GROUP BY r.id",
            [client.id],
        )
        return [tuple(row) for row in cursor.fetchall()]


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.behaviour("PAY-05")
def test_nothing_is_taken_back_twice(two: TestClient) -> None:
    opened = reverse(two, "E1")
    with pytest.raises(InputRefused, match="takes the payslip of E1 back already"):
        reverse(two, "E1")
    assert reverse(two).payslips == 1
    with pytest.raises(Conflict, match="every payslip of pay run 1 is taken back already"):
        reverse(two)
    gone_through(two, opened.run_id)
    with pytest.raises(Conflict, match="a reversal itself"):
        reverse(two, run=opened.number)
    with pytest.raises(InputRefused, match="no payslip of 'E9'"):
        reverse(two, "E9")


def test_a_reversal_given_up_leaves_the_payslip_to_another(two: TestClient) -> None:
    opened = reverse(two, "E1")
    months.calculated(two, opened.run_id)
    with two.acting():
        services.abandon_pay_run(opened.run_id, reason="the wrong person")
    with two.acting(), pytest.raises(Conflict, match="was given up, so it takes nothing back any more"):
        attempts.calculate_pay_run(opened.run_id)
    assert reverse(two, "E1").payslips == 1


def test_nothing_is_paid_anew_of_a_reversal_that_was_given_up(two: TestClient) -> None:
    opened = reverse(two, "E1", replace=True)
    assert opened.replacement_id is not None
    with two.acting():
        services.abandon_pay_run(opened.run_id, reason="the wrong person")
        with pytest.raises(Conflict, match="pay run 2 was given up, so pay run 3 has nothing to pay anew"):
            attempts.calculate_pay_run(opened.replacement_id)
    browser = signed_in(two.staff["specialist"])
    for number in (2, 3):
        page = browser.get(f"/c/{two.code}/runs/{number}").content.decode()
        assert "This run was given up" in page and "back anew" in page
        assert "/do/calculate" not in page and f"runs/{number}/preview" not in page


def test_a_replacement_given_up_pays_anew_what_is_taken_back_all_the_same(two: TestClient) -> None:
    """Its payslips cannot be taken back a second time, so it is the one that pays them."""
    opened = reverse(two, "E1", replace=True)
    assert opened.replacement_id is not None
    gone_through(two, opened.run_id)
    first = months.calculated(two, opened.replacement_id)
    with two.acting():
        services.abandon_pay_run(opened.replacement_id, reason="another line first")
    again = months.calculated(two, opened.replacement_id)
    assert (again.payslips, again.attempt_id == first.attempt_id) == (1, False)
    assert months.blocked(two, opened.replacement_id) == []


def test_what_was_calculated_before_a_run_was_given_up_counts_no_more(two: TestClient) -> None:
    run_id = months.open_run(two, DECEMBER)
    first = months.calculated(two, run_id)
    with two.acting():
        services.abandon_pay_run(run_id, reason="too early")
        with pytest.raises(Conflict, match="was given up while it was calculated"):
            attempts.publish_attempt(first.attempt_id)
    publish = "UPDATE payroll_payrun SET published_id = %s WHERE id = %s"
    refused(two, publish, [first.attempt_id, run_id], "what was calculated before counts no more")
    forget = "UPDATE payroll_payrun SET given_up_through = NULL WHERE id = %s"
    refused(two, forget, [run_id], "pay run 2 stays given up")
    page = signed_in(two.staff["specialist"]).get(f"/c/{two.code}/runs/2").content.decode()
    assert "It pays nobody" in page and "Its hours" not in page
    assert months.calculated(two, run_id).attempt_id != first.attempt_id


def test_what_is_not_released_is_changed_and_not_taken_back(two: TestClient) -> None:
    run_id = months.open_run(two, DECEMBER)
    months.calculated(two, run_id)
    with two.acting(), pytest.raises(Conflict, match="is not released"):
        reversal.reverse_payslips(run_id, reason=WHY)


def test_nothing_is_paid_anew_before_it_is_taken_back(two: TestClient) -> None:
    opened = reverse(two, "E1", replace=True)
    assert opened.replacement_id is not None
    months.calculated(two, opened.replacement_id)
    assert (str(run_numbered(two, opened.number)), "reversal") in months.blocked(two, opened.replacement_id)
    months.calculated(two, opened.run_id)
    months.released(two, opened.run_id)
    assert ("pay run 3", "inputs") in months.blocked(two, opened.replacement_id)
    months.calculated(two, opened.replacement_id)
    assert months.blocked(two, opened.replacement_id) == []


def test_who_made_a_reversal_does_not_approve_it(two: TestClient) -> None:
    opened = reverse(two, "E1")
    months.calculated(two, opened.run_id)
    with two.acting("lead"):
        found = reversal.corrections_of(selectors.named_run(1))
        digest = bytes(services.find_run(opened.run_id).content_hash or b"").hex()
    assert [(c.kind, c.people, c.reason) for c in found] == [("reversal", 1, WHY)]
    with two.acting("lead"):
        other = reversal.reverse_payslips(selectors.named_run(1).id, reason=WHY, pay_date=NOVEMBER)
    months.calculated(two, other.run_id)
    with two.acting("lead"), pytest.raises(approvals.MakerIsNotChecker):
        approvals.approve("pay_run", other.run_id, bytes(services.find_run(other.run_id).content_hash or b""))
    with two.acting(), pytest.raises(NotPermitted):
        services.approve_pay_run(opened.run_id, content_hash=digest)


# --- by raw SQL -------------------------------------------------------------------------------------------


def refused(client: TestClient, sql: str, values: list[object], says: str) -> None:
    with connect() as app:
        enter(app, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match=says):
            app.execute(sql, values)  # type: ignore[arg-type]
        app.rollback()


TAKE = (
    "INSERT INTO payroll_reversedpayslip (id, client_id, original_id, run_id, reason) "
    "VALUES (%s, %s, %s, %s, 'x')"
)


@pytest.mark.behaviour("PAY-05")
def test_postgresql_takes_a_payslip_back_once_and_only_of_what_was_released(two: TestClient) -> None:
    opened = reverse(two, "E1")
    later = reverse(two, "E2")
    original = run_numbered(two, 1)
    with two.acting():
        slips = {s.person.payroll_number: s for s in Payslip.objects.filter(run_id=original.id)}
    one = slips["E1"].id
    refused(two, TAKE, [one, two.id, original.id, later.run_id], "payroll_reversedpayslip_pkey")
    months.calculated(two, opened.run_id)
    with two.acting():
        copy = Payslip.objects.get(run_id=opened.run_id)
    refused(two, TAKE, [copy.id, two.id, opened.run_id, later.run_id], "released payslips")
    months.released(two, opened.run_id)
    refused(two, TAKE, [copy.id, two.id, opened.run_id, later.run_id], "released payslips")
    refused(two, "DELETE FROM payroll_reversedpayslip WHERE id = %s", [one], "frozen")
    refused(
        two, "UPDATE payroll_reversedpayslip SET run_id = %s WHERE id = %s", [later.run_id, one], "frozen"
    )


@pytest.mark.behaviour("PAY-05")
def test_postgresql_lets_a_reversal_have_negatives_alone(two: TestClient) -> None:
    opened = reverse(two, "E1")
    months.calculated(two, opened.run_id)
    with two.acting():
        copy = Payslip.objects.get(run_id=opened.run_id)
        attempt = services.find_run(opened.run_id).published
        assert attempt is not None
        other = person_of(two, "E2")
    put = (
        "INSERT INTO payroll_payslip (id, client_id, run_id, attempt_id, chunk, row, person_id, tax_code, "
        "ni_category, amounts) VALUES (%s, %s, %s, %s, 0, 1, %s, '', '', %s)"
    )
    values = [uuid7(), two.id, opened.run_id, attempt.id, other, list(copy.amounts)]
    refused(two, put, values, "the payslip of E2 in a reversal is not the negative")


OTHER_HEAD = {
    "period": "period_starts = '2026-08-01', period_ends = '2026-08-31'",
    "what it corrects": "corrects_id = NULL",
    "law date": "due = NULL",
    "schedule": "schedule_id = NULL",
    "kind": "kind = 'bonus'",
    "pay date": "pay_date = pay_date + 1",
    "frequency": "frequency = 'weekly'",
    "jurisdiction": "jurisdiction = 'xx'",
    "tax year": "tax_year = '2025-26'",
    "tax period": "tax_period = tax_period - 1",
    "number": "number = 99",
}


@pytest.mark.parametrize("head", OTHER_HEAD.values(), ids=OTHER_HEAD)
def test_postgresql_lets_nobody_change_what_a_run_is_for(two: TestClient, head: str) -> None:
    opened = reverse(two, "E1")
    sql = f"UPDATE payroll_payrun SET {head} WHERE id = %s"
    refused(two, sql, [opened.run_id], "what pay run 2 is for does not change")


def test_two_runs_of_the_same_figures_are_not_the_same_content(two: TestClient) -> None:
    """Who approves one by its hash has not approved the other."""
    hashes = []
    for _ in range(2):
        opened = reverse(two, "E1")
        hashes.append(months.calculated(two, opened.run_id).content_hash)
        with two.acting():
            services.abandon_pay_run(opened.run_id, reason="the wrong person")
    assert hashes[0] != hashes[1]


HEADS = {
    "number": 99,
    "corrects_id": None,
    "schedule_id": None,
    "jurisdiction": "xx",
    "period_starts": date(2026, 8, 1),
    "period_ends": date(2026, 8, 31),
    "due": date(2026, 11, 26),
    "tax_year": "2025-26",
}


def test_the_content_of_a_run_is_of_all_that_it_is_for(two: TestClient) -> None:
    opened = reverse(two, "E1")
    months.calculated(two, opened.run_id)
    run = run_numbered(two, opened.number)
    assert run.published is not None
    with two.acting("lead"):
        assert attempts.content_hash(run, run.published) == bytes(run.content_hash or b"")
        for name, other in HEADS.items():
            was = getattr(run, name)
            setattr(run, name, other)
            assert attempts.content_hash(run, run.published) != bytes(run.content_hash or b""), name
            setattr(run, name, was)


def test_items_of_a_replacement_are_what_the_payslip_paid(two: TestClient) -> None:
    with two.acting():
        e1 = person_of(two, "E1")
        items.add_pay_item(e1, "bonus_pay", 100_00, period=DECEMBER, reason="a good year")
    months.paid(two, DECEMBER)
    opened = None
    with two.acting():
        opened = reversal.reverse_payslips(
            selectors.named_run(2).id, reason=WHY, payroll_numbers=["E1"], replace=True, pay_date=DECEMBER
        )
        rows = PayItem.objects.filter(client_id=two.id, run_id=opened.replacement_id)
        found = {(r.element, r.amount, r.reason, r.original_id is not None) for r in rows}
        assert PaidItem.objects.filter(client_id=two.id).count() == 1
        assert ReversedPayslip.objects.filter(client_id=two.id).count() == 1
    why = f"in place of payslip 2/E1: {WHY}"
    assert found == {("bonus_pay", 100_00, "a good year", False), ("basic_pay", 300_000, why, True)}


def test_the_reason_of_a_replacement_is_kept_whole_or_refused(two: TestClient) -> None:
    run_id = run_numbered(two, 1).id
    longest = "x" * reversal.LONGEST_REPLACING
    with two.acting():
        with pytest.raises(InputRefused, match="250"):
            reversal.reverse_payslips(run_id, reason=longest + "y", replace=True, pay_date=NOVEMBER)
        opened = reversal.reverse_payslips(run_id, reason=longest, replace=True, pay_date=NOVEMBER)
        items_of = PayItem.objects.filter(client_id=two.id, run_id=opened.replacement_id)
        reasons = set(items_of.values_list("reason", flat=True))
    assert reasons == {f"in place of payslip 1/{number}: {longest}" for number in ("E1", "E2")}
