"""Debts of people in runs: taken by instalments within what is to be left, until they are paid."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.firm import Firm, TestClient, connect, enter
from tests.payroll.months import Employee, calculated, figures, monthly, open_run, paid, people, released
from tests.payroll.test_orders_in_runs import of_net, order, ordered
from tests.payroll.test_taken_back import pay, run_on, take_back
from tests.web.conftest import signed_in

from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.payroll import debts, items, papers, selectors, services
from engineroom.payroll.debts import DebtSaid
from engineroom.payroll.engine import net
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import Debt, DebtTaken
from engineroom.payroll.repaid import DebtsOfChunk, _Owed
from engineroom.settlement import services as settlement

JUNE, JULY, AUGUST = date(2026, 6, 25), date(2026, 7, 24), date(2026, 8, 25)
FIRST = date(2026, 6, 1)
WHY = "as agreed on 4 May"


def owes(
    client: TestClient,
    person: UUID,
    amount: int,
    instalment: int,
    *,
    reference: str = "A1",
    kind: str = "advance",
    leaves: int = 0,
) -> UUID:
    with client.acting():
        said = DebtSaid(kind, reference, amount, instalment, FIRST, leaves)
        return debts.add_debt(person, said, reason=WHY).debt_id


def left(client: TestClient) -> dict[str, tuple[int, int]]:
    """By reference: paid back, and left."""
    with client.acting("lead"):
        return {v.row.reference: (v.taken, v.left) for v in debts.debts(FIRST)}


def balance(client: TestClient, account: str) -> int:
    with client.acting("lead"):
        return {b.code: b.balance for b in ledger.trial_balance()}.get(account, 0)


def books_hold(client: TestClient) -> None:
    with client.acting("lead"):
        assert all(check.ok for check in [*ledger.verify(), *openitems.verify()])


# --- in runs ----------------------------------------------------------------------------------------------


@pytest.mark.behaviour("PAY-06")
def test_an_advance_is_paid_back_by_instalments_and_stops_at_what_was_owed(client: TestClient) -> None:
    person = of_net(client, 1)["E1"]
    owes(client, person, 250_00, 100_00)
    taken = []
    for payday in (JUNE, JULY, AUGUST, date(2026, 9, 25)):
        pay(client, person, 1_000_00, payday)
        slip = paid(client, payday)["E1"]
        taken.append(slip["debts_repaid"])
        assert slip["net_pay"] == 1_000_00 - slip["debts_repaid"]
    assert taken == [100_00, 100_00, 50_00, 0]
    assert left(client) == {"A1": (250_00, 0)}
    assert balance(client, "1150") == -250_00, "what was paid out stands against it where it is posted"
    books_hold(client)


@pytest.mark.behaviour("PAY-06")
def test_debts_leave_what_was_agreed_come_after_orders_and_wait_without_growing(client: TestClient) -> None:
    """900.00 less an order's 200.00 leaves 700.00, of which 650.00 is to be left: 50.00 is taken."""
    person = of_net(client, 1)["E1"]
    ordered(client, person, order("priority", "CHILD", normal_deduction=200_00))
    owes(client, person, 80_00, 40_00, leaves=650_00)
    owes(client, person, 500_00, 100_00, reference="B2", kind="loan")
    pay(client, person, 900_00, JUNE)
    assert paid(client, JUNE)["E1"]["debts_repaid"] == 50_00
    assert left(client) == {"A1": (40_00, 40_00), "B2": (10_00, 490_00)}
    pay(client, person, 600_00, JULY)
    assert paid(client, JULY)["E1"]["debts_repaid"] == 0
    pay(client, person, 2_000_00, AUGUST)
    assert paid(client, AUGUST)["E1"]["debts_repaid"] == 140_00, "an instalment each, and no more"
    assert left(client) == {"A1": (80_00, 0), "B2": (110_00, 390_00)}


def test_a_further_run_of_a_period_takes_what_is_left_of_the_instalment(client: TestClient) -> None:
    person = of_net(client, 1)["E1"]
    owes(client, person, 500_00, 100_00, leaves=960_00)
    pay(client, person, 1_000_00, JUNE)
    assert paid(client, JUNE)["E1"]["debts_repaid"] == 40_00
    bonus = open_run(client, date(2026, 6, 29), "bonus")
    with client.acting():
        items.add_pay_item(person, "bonus_pay", 300_00, period=date(2026, 6, 29), reason="b", run_id=bonus)
    calculated(client, bonus)
    assert figures(client, bonus)["E1"]["net_pay"] == 300_00 - 60_00
    released(client, bonus)
    assert left(client) == {"A1": (100_00, 400_00)}


@pytest.mark.behaviour("PAY-05")
def test_what_was_paid_back_is_owed_again_once_its_payslip_is_taken_back(client: TestClient) -> None:
    person = of_net(client, 1)["E1"]
    owes(client, person, 150_00, 100_00)
    for payday in (JUNE, JULY):
        pay(client, person, 1_000_00, payday)
        paid(client, payday)
    assert left(client) == {"A1": (150_00, 0)}
    opened = take_back(client, run_on(client, JUNE), JULY, anew=True)
    # July took the last 50.00 since: the replacement takes 100.00 again, and July's stay.
    assert opened.replacement_id is not None
    assert figures(client, opened.replacement_id)["E1"]["debts_repaid"] == 100_00
    assert left(client) == {"A1": (150_00, 0)} and balance(client, "1150") == -150_00
    take_back(client, run_on(client, JULY), JULY)
    assert left(client) == {"A1": (100_00, 50_00)}
    pay(client, person, 1_000_00, AUGUST)
    assert paid(client, AUGUST)["E1"]["debts_repaid"] == 50_00
    books_hold(client)


@pytest.mark.behaviour("PAY-05")
def test_pay_to_come_back_is_taken_off_later_pay_once(client: TestClient) -> None:
    monthly(client, people(client, Employee("E1"), Employee("E2")))
    net_pay = paid(client, JUNE)["E1"]["net_pay"]
    june = run_on(client, JUNE)
    with client.acting("checker"):
        settlement.release_payments("pay_run", june, kind="net_pay", pay_date=JUNE)
    with client.acting():
        person = (
            Debt._meta.get_field("person")
            .related_model.objects.get(client_id=client.id, payroll_number="E1")
            .counterparty_id
        )
    take_back(client, june, JUNE)
    with pytest.raises(InputRefused, match="is to come back from this person"):
        owes(client, person, net_pay + 1, 100_00, kind="overpayment")
    owes(client, person, net_pay, 1_000_00, kind="overpayment", reference="O1")
    with client.acting("lead"):
        back = openitems.open_items(kind="net_pay_back")
        rows = {row.number: row.state.word for row in selectors.runs().rows}
    assert [item.counterparty_id for item in back] != [person] and len(back) == 1
    assert balance(client, "1150") == net_pay
    july = paid(client, JULY)["E1"]
    assert july["debts_repaid"] == 1_000_00
    assert left(client)["O1"] == (1_000_00, net_pay - 1_000_00)
    assert balance(client, "1150") == net_pay - 1_000_00
    assert rows[2] == "Released, pay is owed back", "of the other one still"
    with pytest.raises(InputRefused, match=r"0\.00 of pay is to come back"):
        owes(client, person, 1, 1, kind="overpayment", reference="O2")
    books_hold(client)


def test_the_payslip_shows_each_debt_with_what_is_left_and_why(client: TestClient) -> None:
    ids = people(client, Employee("E1"))
    monthly(client, ids)
    owes(client, ids["E1"], 250_00, 100_00)
    paid(client, JUNE)
    june = run_on(client, JUNE)
    with client.acting("lead"):
        run = services.find_run(june)
        (slip,) = selectors.payslips(run)
        taken = debts.taken_on(run.published_id)[ids["E1"]]
        shown = papers.deductions_of(jurisdiction("gb"), slip, (), taken, "GBP")
        told = [str(line) for line in selectors.explain(slip.id) if "Paid back" in str(line)]
        assert selectors.recheck(run).ok
        (document,) = papers.documents(run, [slip])
    assert ("Advance of pay A1, 150.00 left", 100_00) in [tuple(figure) for figure in shown]
    assert shown == document.deductions
    assert sum(figure[1] for figure in shown) == slip.figures["gross"] - slip.figures["net_pay"]
    assert any("100.00 is due, as net pay allows" in line for line in told), told
    page = signed_in(client.staff["lead"]).get(f"/c/{client.code}/runs/1/E1").content.decode()
    assert "Advance of pay A1, 150.00 left" in page
    person = signed_in(client.staff["lead"]).get(f"/c/{client.code}/people/E1").content.decode()
    assert "Advance of pay" in person


# --- any debts --------------------------------------------------------------------------------------------

PENCE = st.integers(0, 2_000_00)


@given(
    st.lists(st.tuples(PENCE, st.integers(1, 500_00), PENCE, st.integers(0, 300_00)), min_size=1, max_size=4),
    st.integers(0, 3_000_00),
)
def test_what_is_taken_of_each_is_what_the_engine_recovers_and_nothing_is_lost(
    owed: list[tuple[int, int, int, int]], pay: int
) -> None:
    """Of one person: left, instalment, leaves, taken earlier in the period (which is of this period's)."""
    rows = tuple(
        _Owed(uuid4(), uuid4(), 0, "E1", str(n), "loan", each, leaves, left, 0)
        for n, (left, each, leaves, _) in enumerate(owed)
    )
    of = DebtsOfChunk(rows, 1)
    protected = of.columns["protected_net"]
    one = net.recover(
        np.array([pay]),
        [net.Debt(r.reference, np.array([r.left]), np.array([r.instalment])) for r in rows],
        protected,
    )
    total = int(sum(amount[0] for amount in one.taken.values()))
    due = of.columns["debts_due"]
    law = net.recover(np.array([pay]), [net.Debt("debts", due, due)], protected)
    assert int(law.taken["debts"][0]) == total
    found = {r.reference: amount for r, amount in of.taken({0: total})}
    assert found == {code: int(amount[0]) for code, amount in one.taken.items() if amount[0]}
    assert pay - total >= min(pay, int(protected[0]))


@pytest.mark.slow  # months of runs through the database for each example
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(1, 900_00), st.sampled_from(["kept", "back", "anew"])), min_size=3, max_size=3
    ),
    st.integers(1, 700_00),
    st.integers(1, 300_00),
    st.integers(0, 300_00),
)
def test_whatever_happens_what_is_paid_back_and_left_is_the_debt_and_the_books_agree(
    firm: Firm, history: list[tuple[int, str]], amount: int, instalment: int, leaves: int
) -> None:
    client = firm.new_client()
    person = of_net(client, 1)["E1"]
    owes(client, person, amount, instalment, leaves=leaves)
    should = 0
    for (gross, fate), payday in zip(history, (JUNE, JULY, AUGUST), strict=True):
        pay(client, person, gross, payday)
        slip = paid(client, payday)["E1"]
        due = min(amount - should, instalment, max(gross - leaves, 0))
        assert slip["debts_repaid"] == due
        if fate != "kept":
            take_back(client, run_on(client, payday), payday, anew=fate == "anew")
        should += 0 if fate == "back" else due
        assert left(client) == {"A1": (should, amount - should)}
        assert balance(client, "1150") == -should
    books_hold(client)


# --- said -------------------------------------------------------------------------------------------------


def test_a_debt_that_cannot_be_is_refused_with_everything_wrong(client: TestClient) -> None:
    ids = people(client, Employee())
    cases: list[tuple[DebtSaid, set[str]]] = [
        (DebtSaid("gift", "", 0, 0, FIRST, -1), {"kind", "reference", "amount", "instalment", "leaves"}),
        (DebtSaid("overpayment", "O1", 100, 10, FIRST), {"amount"}),
    ]
    for said, fields in cases:
        with client.acting(), pytest.raises(InputRefused) as refused:
            debts.add_debt(ids["E1"], said, reason="")
        assert {p.field for p in refused.value.problems} == {*fields, "reason"}, said
    row = owes(client, ids["E1"], 100_00, 10_00)
    with pytest.raises(InputRefused, match="stands already"):
        owes(client, ids["E1"], 100_00, 10_00)
    with client.acting():
        with pytest.raises(EngineroomError, match="give a later day"):
            debts.vary_debt(row, starts=FIRST, instalment=5_00, leaves=0, reason=WHY)
        debts.end_debt(row, ends=JULY, reason="paid in cash")
        with pytest.raises(Conflict, match="ends on 2026-07-24 already"):
            debts.end_debt(row, ends=AUGUST, reason="paid in cash")


def test_a_debt_goes_on_under_another_instalment_and_ends(client: TestClient) -> None:
    person = of_net(client, 1)["E1"]
    row = owes(client, person, 500_00, 100_00)
    with client.acting():
        varied = debts.vary_debt(row, starts=date(2026, 7, 1), instalment=30_00, leaves=0, reason="hardship")
        debts.end_debt(varied.debt_id, ends=date(2026, 7, 31), reason="let off")
    for payday, took in ((JUNE, 100_00), (JULY, 30_00), (AUGUST, 0)):
        pay(client, person, 1_000_00, payday)
        assert paid(client, payday)["E1"]["debts_repaid"] == took
    assert left(client)["A1"] == (130_00, 370_00)


def test_a_file_of_debts_is_taken_in_and_every_wrong_row_says_where(client: TestClient) -> None:
    monthly(client, people(client, Employee(), Employee("E2")))
    headings = (
        "payroll_number",
        "kind",
        "reference",
        "amount",
        "instalment",
        "leaves",
        "from_date",
        "reason",
    )

    def brought(*rows: tuple[str, ...]) -> None:
        client.take("debts", client.file(f"debts-{len(rows)}.csv", headings, rows))

    wrong = [
        ("E9", "loan", "L1", "100", "10", "", "2026-06-01", "x"),
        ("E1", "gift", "L2", "100", "10", "", "2026-06-01", "x"),
        ("E1", "loan", "L3", "100", "0", "", "2026-06-01", "x"),
        ("E1", "overpayment", "L4", "100", "10", "", "2026-06-01", "x"),
        ("E2", "loan", "L5", "100", "10", "", "2026-06-01", "x"),
        ("E2", "loan", "L5", "100", "10", "", "2026-06-01", "x"),
    ]
    with pytest.raises(InputRefused) as refused:
        brought(*wrong)
    found = {(p.row, p.field) for p in refused.value.problems}
    assert (3, "kind") in found
    with pytest.raises(InputRefused) as refused:
        brought(*(row for row in wrong if row[1] != "gift"))
    assert {(p.row, p.field) for p in refused.value.problems} == {
        (2, "payroll_number"), (3, "instalment"), (4, "amount"), (6, "reference")
    }  # fmt: skip
    brought(("E1", "loan", "L1", "100", "10", "500", "2026-06-01", "a bicycle"))
    assert paid(client, JUNE)["E1"]["debts_repaid"] == 10_00
    assert left(client) == {"L1": (10_00, 90_00)}


def test_a_debt_is_entered_changed_shown_and_ended_on_the_page(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    browser, at = signed_in(client.staff["specialist"]), f"/c/{client.code}/debts"
    debt = {
        "payroll_number": "E1", "kind": "loan", "reference": "BIKE/7", "amount": "300.00",
        "instalment": "25.00", "leaves": "", "starts": "2026-06-01", "reason": WHY,
    }  # fmt: skip
    refused = browser.post(f"{at}/do/add", {**debt, "instalment": "0"}, follow=True)
    assert "Give an amount above nought" in refused.content.decode()
    assert browser.post(f"{at}/do/add", debt).status_code == 303
    shown = browser.get(at).content.decode()
    assert "BIKE/7" in shown and "300.00" in shown
    with client.acting():
        row = Debt.objects.get(client_id=client.id)
    varied = {"starts": "2026-07-01", "instalment": "50.00", "leaves": "400", "reason": "sooner"}
    assert browser.post(f"{at}/{row.id}/vary", varied).status_code == 303
    with client.acting():
        now = Debt.objects.get(client_id=client.id, ends=None)
        assert (now.first_id, now.instalment, now.leaves) == (row.id, 50_00, 400_00)
    assert browser.post(f"{at}/{now.id}/end", {"ends": "2026-12-31", "reason": "let off"}).status_code == 303
    with client.acting():
        assert Debt.objects.get(client_id=client.id, id=now.id).ends == date(2026, 12, 31)


# --- by raw SQL -------------------------------------------------------------------------------------------


def test_postgresql_takes_of_a_debt_what_payslips_pay_back_and_no_more_than_it_is(client: TestClient) -> None:
    ids = of_net(client, 1, 1)
    row = owes(client, ids["E1"], 150_00, 100_00)
    for payday in (JUNE, JULY):
        pay(client, ids["E1"], 1_000_00, payday)
        pay(client, ids["E2"], 1_000_00, payday)
    paid(client, JUNE)
    july = open_run(client, JULY)
    calculated(client, july)
    with client.acting():
        one = DebtTaken.objects.get(client_id=client.id, run_id=july)
        debts.end_debt(row, ends=date(2026, 12, 31), reason="let off")
    put = (
        "INSERT INTO payroll_debttaken (id, client_id, run_id, attempt_id, person_id, debt_id, place, "
        "amount, takes_back_id) VALUES (%s, %s, %s, %s, %s, %s, 1, %s, %s)"
    )
    another = (
        "INSERT INTO payroll_debt (id, client_id, first_id, person_id, kind, reference, amount, instalment, "
        "leaves, starts, reason) VALUES (%s, %s, %s, %s, 'advance', 'A1', %s, 1, 0, %s, 'x')"
    )
    attempt = (
        "INSERT INTO payroll_attempt (id, client_id, run_id, number, engine_version, elements, rules_hash, "
        "rules) SELECT %s, client_id, run_id, 9, engine_version, elements, rules_hash, rules "
        "FROM payroll_attempt WHERE id = %s"
    )
    slips = (
        "INSERT INTO payroll_payslip (id, client_id, run_id, attempt_id, chunk, row, person_id, tax_code, "
        "ni_category, amounts) SELECT gen_random_uuid(), client_id, run_id, %s, chunk, row, person_id, "
        "tax_code, ni_category, amounts FROM payroll_payslip WHERE attempt_id = %s"
    )
    publish = "UPDATE payroll_payrun SET published_id = %s WHERE id = %s"
    new = uuid4()
    late = [uuid4(), client.id, one.run_id, one.attempt_id, ids["E1"], row, 1, None]
    cases: list[tuple[list[tuple[str, list[Any]]], str]] = [
        ([("UPDATE payroll_debttaken SET amount = 0 WHERE id = %s", [one.id])], "permission"),
        ([("UPDATE payroll_debt SET amount = 1 WHERE id = %s", [row])], "permission"),
        ([("DELETE FROM payroll_debt WHERE id = %s", [row])], "permission"),
        ([(put, late)], "debt_taken_once"),
        ([(put, [uuid4(), client.id, july, new, ids["E2"], row, 1, None])], "who owes it"),
        ([(put, [uuid4(), client.id, july, new, ids["E1"], row, -50_00, one.id])], "is the negative of what"),
        ([(another, [uuid4(), client.id, row, ids["E2"], 150_00, "2027-01-01"])], "same person and sum"),
        ([(another, [uuid4(), client.id, row, ids["E1"], 149_00, "2027-01-01"])], "same person and sum"),
        ([(another, [uuid4(), client.id, row, ids["E1"], 150_00, "2026-07-01"])], "no_overlap"),
        ([(slips, [new, one.attempt_id]), (publish, [new, july])], "is not what is taken of debts"),
        (
            [
                (slips, [new, one.attempt_id]),
                (put, [uuid4(), client.id, july, new, ids["E1"], row, 51_00, None]),
                (publish, [new, july]),
            ],
            "is not what is taken of debts: E1",
        ),
    ]
    for steps, says in cases:
        with connect() as app:
            enter(app, client.staff["specialist"], write=client.id)
            app.execute(attempt, [new, one.attempt_id])
            with pytest.raises(psycopg.Error, match=says):
                for sql, values in steps:
                    app.execute(sql, values)
            app.rollback()
