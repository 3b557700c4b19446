"""Attachment orders in runs: published cases, the law's order, protected earnings, what is carried, whom it
is owed to."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.firm import Firm, TestClient, connect, enter
from tests.payroll.months import (
    Employee,
    blocked,
    calculated,
    figures,
    monthly,
    open_run,
    paid,
    people,
    released,
)

from engineroom.foundation.approvals.services import MakerIsNotChecker
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused
from engineroom.kernel.money import parse_minor
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.openitems.models import OpenItem
from engineroom.payroll import explained, items, orders, papers, selectors, services
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.models import OrderTaken, PayOrder, PayRun, Payslip
from engineroom.payroll.orders import OrderSaid

WEEK = timedelta(days=7)
FIELDS = ("creditor", "creditor_name", "starts", "ends")
JUNE, JULY = date(2026, 6, 25), date(2026, 7, 24)
MADE = date(2026, 5, 4)
WHY = "as the notice says"


def order(kind: str, reference: str = "A1", made_on: date = MADE, **more: Any) -> OrderSaid:
    """An order from June on; what it states by name."""
    said: dict[str, Any] = {"creditor": "COURT", "creditor_name": "The Court", "starts": date(2026, 6, 1)}
    said |= {name: more.pop(name) for name in FIELDS if name in more}
    return OrderSaid(kind, reference, made_on=made_on, stated=more, **said)


def ordered(client: TestClient, person: UUID, *said: OrderSaid) -> list[UUID]:
    with client.acting():
        return [orders.add_pay_order(person, one, reason=WHY).order_id for one in said]


def taken(client: TestClient, run_id: UUID) -> dict[str, tuple[int, ...]]:
    """By reference: place, deduction, fee, missed deductions, missed protected earnings, balance."""
    with client.acting("lead"):
        run = services.find_run(run_id)
        rows = OrderTaken.objects.filter(client_id=client.id, attempt_id=run.published_id)
        return {
            row.order.reference: (
                row.place, row.deduction, row.fee, row.deduction_arrears, row.protected_arrears, row.balance
            )
            for row in rows.select_related("order")
        }  # fmt: skip


def of_net(client: TestClient, *net: int, **schedule: object) -> dict[str, UUID]:
    """People whose net earnings are their pay: no tax, no National Insurance."""
    employees = [
        Employee(f"E{n}", None, tax_code="NT", ni_category="C", starts=date(2025, 4, 7))
        for n in range(1, len(net) + 1)
    ]
    ids = people(client, *employees, tax_from="2025-04-06")
    monthly(client, ids, **schedule)
    return ids


# --- published cases --------------------------------------------------------------------------------------

KINDS = {
    "attachment_dea": "direct_earnings",
    "attachment_ctaeo": "council_tax",
    "attachment_earnings_arrestment": "earnings_arrestment",
}


def _vectors(shared: Path, frequency: str) -> Iterator[tuple[str, str, dict[str, str], int]]:
    with (shared / "vectors" / "gb.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] in KINDS and row["frequency"] == frequency:
                given, expected = json.loads(row["inputs"]), json.loads(row["expected"])
                yield row["id"], KINDS[row["kind"]], given, parse_minor(expected["deduction"])


@pytest.mark.behaviour("PAY-06")
@pytest.mark.parametrize(
    ("frequency", "schedule", "payday"),
    [
        ("monthly", {}, date(2026, 1, 23)),
        (
            "weekly",
            {"frequency": "weekly", "anchor": date(2026, 1, 5), "pay_rule": "days_after", "pay_day": 5},
            date(2026, 1, 16),
        ),
    ],
)
def test_every_published_order_is_taken_by_a_run(
    client: TestClient, shared: Path, frequency: str, schedule: dict[str, Any], payday: date
) -> None:
    cases = list(_vectors(shared, frequency))
    assert len(cases) > 15
    ids = of_net(client, *(0 for _ in cases), **schedule)
    expected = {}
    for number, (_, kind, said, deduction) in zip(ids, cases, strict=True):
        net = parse_minor(said["net_earnings"])
        stated: dict[str, Any] = {"rate_table": said["rate_table"]} if "rate_table" in said else {}
        if kind == "council_tax":
            stated["nation"] = "england"
        with client.acting():
            items.add_pay_item(ids[number], "basic_pay", net, period=payday - WEEK, reason="net")
        ordered(client, ids[number], order(kind, number, date(2025, 9, 1), starts=date(2025, 9, 8), **stated))
        # A Direct Earnings Attachment leaves 60% of net earnings, whatever its percentage.
        expected[number] = (net, deduction)
    run_id = open_run(client, payday)
    assert calculated(client, run_id).blockers == 0
    slips = figures(client, run_id)
    got = {n: (s["gross"], s["gross"] - s["net_pay"]) for n, s in slips.items()}
    assert got == expected


# --- the law's order, what is protected, what is carried --------------------------------------------------


@pytest.mark.behaviour("PAY-06")
def test_orders_are_dealt_with_in_the_laws_order_and_carry_what_they_missed(client: TestClient) -> None:
    """Maintenance protects 700.00 and carries both arrears; a civil debt comes last and carries nothing."""
    ids = of_net(client, 1)
    person = ids["E1"]
    ordered(
        client,
        person,
        order("non_priority", "DEBT", date(2026, 1, 5), normal_deduction=100_00, protected_earnings=300_00,
              balance=250_00, creditor="LENDER", creditor_name="A Lender"),
        order("priority", "CHILD", normal_deduction=200_00, protected_earnings=700_00, takes_fee=1),
    )  # fmt: skip
    with client.acting():
        items.add_pay_item(person, "basic_pay", 650_00, period=JUNE, reason="a short month")
        items.add_pay_item(person, "basic_pay", 1_500_00, period=JULY, reason="a whole month")
    june = open_run(client, JUNE)
    calculated(client, june)
    assert taken(client, june) == {
        # 650.00 is 50.00 below what is protected: nothing, and both are carried.
        "CHILD": (0, 0, 0, 200_00, 50_00, None),
        "DEBT": (1, 100_00, 0, 0, 0, 150_00),
    }
    released(client, june)
    july = open_run(client, JULY)
    calculated(client, july)
    assert taken(client, july) == {
        "CHILD": (0, 400_00, 1_00, 0, 0, None),
        "DEBT": (1, 100_00, 0, 0, 0, 50_00),
    }
    slip = figures(client, july)["E1"]
    assert (slip["priority_orders"], slip["other_orders"], slip["order_fees"]) == (400_00, 100_00, 1_00)
    assert slip["net_pay"] == 1_500_00 - 501_00
    released(client, july)
    with client.acting("lead"):
        shown = {view.row.reference: view for view in orders.pay_orders(JULY)}
    assert (shown["DEBT"].taken, shown["DEBT"].balance, shown["DEBT"].paydays) == (200_00, 50_00, 2)
    assert (shown["CHILD"].taken, shown["CHILD"].arrears, shown["CHILD"].balance) == (400_00, 0, None)


@pytest.mark.behaviour("PAY-06")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pay=st.lists(st.integers(0, 2_000_00), min_size=2, max_size=3),
    said=st.lists(
        st.tuples(
            st.sampled_from(["priority", "non_priority", "direct_earnings", "council_tax"]),
            st.integers(1, 900_00),
            st.integers(0, 900_00),
            st.one_of(st.none(), st.integers(0, 500_00)),
        ),
        max_size=3,
        unique_by=lambda one: one[0],
    ),
)
def test_whatever_is_ordered_nothing_is_lost_and_net_pay_is_never_below_zero(
    firm: Firm, pay: list[int], said: list[tuple[str, int, int, int | None]]
) -> None:
    client = firm.new_client()
    person = of_net(client, 1)["E1"]
    for kind, normal, protected, balance in said:
        stated: dict[str, Any] = {
            "direct_earnings": {"rate_table": "higher"},
            "council_tax": {"nation": "england"},
        }.get(kind, {"normal_deduction": normal, "protected_earnings": protected})
        ordered(client, person, order(kind, kind, **stated, **({"balance": balance} if balance else {})))
    left = {kind: balance for kind, _, _, balance in said if balance}
    for month, gross in enumerate(pay, 6):
        payday = date(2026, month, 1)
        with client.acting():
            if gross:
                items.add_pay_item(person, "basic_pay", gross, period=payday, reason="a month")
            items.add_pay_item(person, "expenses_paid", 1_00, period=payday, reason="always something")
        run_id = open_run(client, {6: JUNE, 7: JULY, 8: date(2026, 8, 25)}[month])
        calculated(client, run_id)
        slip = figures(client, run_id)["E1"]
        rows = taken(client, run_id)
        assert slip["net_pay"] >= 0
        assert sum(row[1] + row[2] for row in rows.values()) == slip["gross"] - slip["net_pay"]
        for kind, row in rows.items():
            assert row[1] >= 0
            if kind in left:
                assert (row[5], left[kind] - row[1]) == (left[kind] - row[1], row[5])
                left[kind] = row[5]


def test_a_further_run_of_a_period_takes_only_what_is_still_due(client: TestClient) -> None:
    """The law takes a period's pay as one: a bonus beside it is taken from by the band of both together."""
    person = of_net(client, 1)["E1"]
    ordered(client, person, order("direct_earnings", "DWP", rate_table="standard", balance=5_000_00))
    with client.acting():
        items.add_pay_item(person, "basic_pay", 1_000_00, period=JUNE, reason="June")
    first = open_run(client, JUNE)
    calculated(client, first)
    assert taken(client, first)["DWP"][1] == 70_00  # 7% from 950.01 to 1,160.00
    released(client, first)
    bonus = open_run(client, date(2026, 6, 29), "bonus")
    with client.acting():
        items.add_pay_item(
            person, "bonus_pay", 700_00, period=date(2026, 6, 29), reason="sales", run_id=bonus
        )
    calculated(client, bonus)
    # 1,700.00 in the month is in the band of 15%: 255.00 in all.
    assert taken(client, bonus)["DWP"][1:] == (185_00, 0, 0, 0, 5_000_00 - 255_00)
    assert figures(client, bonus)["E1"]["net_pay"] == 700_00 - 185_00
    released(client, bonus)
    with client.acting():
        items.add_pay_item(person, "basic_pay", 1_000_00, period=JULY, reason="July")
    july = open_run(client, JULY)
    calculated(client, july)
    assert taken(client, july)["DWP"][5] == 5_000_00 - 255_00 - 70_00


def test_an_order_that_is_varied_goes_on_with_its_arrears_and_one_that_ended_takes_nothing(
    client: TestClient,
) -> None:
    person = of_net(client, 1)["E1"]
    (child,) = ordered(client, person, order("priority", "CHILD", normal_deduction=200_00))
    with client.acting():
        for payday, amount in ((JUNE, 150_00), (JULY, 1_000_00), (date(2026, 8, 25), 1_000_00)):
            items.add_pay_item(person, "basic_pay", amount, period=payday, reason="a month")
    assert paid(client, JUNE)["E1"]["net_pay"] == 0
    with client.acting():
        varied = orders.vary_pay_order(
            child, starts=date(2026, 7, 1), stated={"normal_deduction": 300_00}, reason="the court raised it"
        )
        with pytest.raises(Conflict, match="it ended on 2026-06-30"):
            orders.vary_pay_order(child, starts=date(2026, 8, 1), stated={"normal_deduction": 1}, reason=WHY)
    assert paid(client, JULY)["E1"]["priority_orders"] == 350_00  # and the 50.00 that June missed
    with client.acting():
        orders.end_pay_order(varied.order_id, ends=date(2026, 7, 31), reason="discharged")
    assert paid(client, date(2026, 8, 25))["E1"]["net_pay"] == 1_000_00


def test_a_maintenance_arrestment_takes_its_daily_rate_for_the_days_since_the_last_payday(
    client: TestClient,
) -> None:
    person = of_net(client, 1)["E1"]
    with client.acting():
        for payday in (JUNE, JULY):
            items.add_pay_item(person, "basic_pay", 2_000_00, period=payday, reason="a month")
    ordered(
        client, person, order("current_maintenance", "CMA", normal_deduction=5_00, starts=date(2026, 6, 15))
    )
    assert paid(client, JUNE)["E1"]["priority_orders"] == 10 * 5_00  # since it came
    assert paid(client, JULY)["E1"]["priority_orders"] == 29 * 5_00  # since 25 June


# --- in the books, on the payslip, in words ---------------------------------------------------------------


def test_what_was_taken_is_owed_to_each_creditor_and_the_charge_is_the_employers(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E2"))
    monthly(client, ids)
    ordered(
        client,
        ids["E1"],
        order("council_tax", "CT/1", nation="england", takes_fee=1, creditor="LEEDS", creditor_name="Leeds"),
        order("direct_earnings", "DWP/7", rate_table="standard", creditor="DWP", creditor_name="DWP"),
    )
    ordered(client, ids["E2"], order("priority", "CHILD", normal_deduction=100_00))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    released(client, run_id)
    by_reference = taken(client, run_id)
    with client.acting("bookkeeper"):
        assert all(check.ok for check in (*ledger.verify(), *openitems.controls()))
        balances = {b.code: b.balance for b in ledger.trial_balance()}
        rows = OpenItem.objects.filter(client_id=client.id, kind="attachment_order")
        owed = {row.reference: (row.counterparty.code, row.amount, row.due) for row in rows}
    assert owed == {
        f"{reference}, pay run 1": (creditor, -by_reference[reference][1], JUNE)
        for reference, creditor in (("CT/1", "LEEDS"), ("DWP/7", "DWP"), ("CHILD", "COURT"))
    }
    assert balances["2230"] == -sum(row[1] for row in by_reference.values())
    assert balances["4100"] == -1_00
    with client.acting("lead"):
        run = PayRun.objects.select_related("published").get(id=run_id)
        assert {rule["table"] for rule in run.published.rules} >= {"council_tax_attachment"}
        assert selectors.recheck(run).ok and selectors.recheck(run).same_rules
        (slip,) = [s for s in selectors.payslips(run) if s.payroll_number == "E1"]
        (paper,) = papers.documents(run, [slip])
        told = {line.about for line in selectors.explain(slip.id) if line.group == "orders"}
    deductions = dict(paper.deductions)
    assert deductions["Council tax CT/1, Leeds"] == by_reference["CT/1"][1]
    assert deductions["Direct Earnings Attachment DWP/7, DWP"] == by_reference["DWP/7"][1]
    assert deductions["Employer's charge for attachment orders"] == 1_00
    assert (
        "Order 1, Council tax: deducted" in told and "Order 2, Direct Earnings Attachment: deducted" in told
    )


def test_a_run_without_orders_resolves_no_table_of_orders(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    ordered(client, ids["E1"], order("direct_earnings", rate_table="standard", starts=date(2026, 9, 1)))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    with client.acting("lead"):
        run = PayRun.objects.select_related("published").get(id=run_id)
        assert not any("attachment" in rule["table"] for rule in run.published.rules)


def test_a_payslip_that_an_order_changed_says_so(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    before = paid(client, JUNE)["E1"]
    ordered(client, ids["E1"], order("priority", normal_deduction=100_00, starts=date(2026, 7, 1)))
    run_id = open_run(client, JULY)
    calculated(client, run_id)
    with client.acting("lead"):
        one = explained.person_variance(services.find_run(run_id), "E1", "GBP")
    assert one.change("net_pay") == figures(client, run_id)["E1"]["net_pay"] - before["net_pay"]
    assert "-100.00: attachment order began" in one.in_words("net_pay", "GBP")
    assert all(part.is_explained for part in one.parts)


# --- who may, what is refused, what PostgreSQL keeps ------------------------------------------------------


def test_whoever_entered_an_order_never_approves_the_run_that_takes_it(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    with client.acting("lead"):
        orders.add_pay_order(ids["E1"], order("priority", normal_deduction=1_00), reason=WHY)
    run_id = open_run(client, JUNE)
    digest = calculated(client, run_id).content_hash
    with client.acting("lead"), pytest.raises(MakerIsNotChecker):
        services.approve_pay_run(run_id, content_hash=digest)


def test_an_order_that_comes_after_the_calculation_makes_it_stale_and_voids_the_approval(
    client: TestClient,
) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    run_id = open_run(client, JUNE)
    first = calculated(client, run_id)
    with client.acting("lead"):
        services.approve_pay_run(run_id, content_hash=first.content_hash)
    ordered(client, ids["E1"], order("priority", normal_deduction=1_00))
    assert [field for _, field in blocked(client, run_id)] == ["inputs"]
    with client.acting("checker"), pytest.raises(EngineroomError):
        services.release_pay_run(run_id)
    again = calculated(client, run_id)
    assert again.approval_voided and again.content_hash != first.content_hash
    assert taken(client, run_id)["A1"][1] == 1_00


def test_two_orders_that_may_not_stand_together_block_the_person_by_name(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E2"))
    monthly(client, ids)
    ordered(client, ids["E1"], order("earnings_arrestment", "S1"), order("earnings_arrestment", "S2"))
    run_id = open_run(client, JUNE)
    assert calculated(client, run_id).payslips == 1
    with client.acting("lead"):
        (problem,) = blockers_of(services.find_run(run_id))
    assert problem.payroll_number == "E1" and "second earnings arrestment" in problem.problem


def test_an_order_that_is_wrong_says_all_of_it_at_once(client: TestClient) -> None:
    ids = people(client, Employee())
    cases: list[tuple[OrderSaid, set[str]]] = [
        (order("gold", "", creditor=""), {"kind", "reference", "creditor"}),
        (order("priority"), {"normal_deduction"}),
        (order("direct_earnings", nation="england"), {"rate_table", "nation"}),
        (order("council_tax", nation="wales"), {"nation"}),
        (order("direct_earnings", rate_table="steep", balance=-1), {"rate_table", "balance"}),
        (order("priority", normal_deduction=1, made_of="gold"), {"made_of"}),
        (order("priority", normal_deduction=1, creditor_name=""), {"creditor_name"}),
        (order("priority", normal_deduction=1, ends=date(2026, 5, 1)), {"ends"}),
    ]
    for said, fields in cases:
        with client.acting(), pytest.raises(InputRefused) as refused:
            orders.add_pay_order(ids["E1"], said, reason="")
        assert {p.field for p in refused.value.problems} == {*fields, "reason"}, said
    ordered(client, ids["E1"], order("priority", normal_deduction=1))
    with client.acting(), pytest.raises(InputRefused, match="stands already"):
        orders.add_pay_order(ids["E1"], order("priority", normal_deduction=2), reason=WHY)


def test_what_orders_took_is_never_changed_nor_added_once_it_is_released(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E2"))
    monthly(client, ids)
    (row_id,) = ordered(client, ids["E1"], order("priority", normal_deduction=1_00))
    (later,) = ordered(
        client, ids["E1"], order("priority", "B2", normal_deduction=1, starts=date(2027, 1, 1))
    )
    paid(client, JUNE)
    with client.acting():
        orders.end_pay_order(row_id, ends=date(2026, 12, 31), reason="discharged")
        row = OrderTaken.objects.get(client_id=client.id)
        slip = Payslip.objects.filter(client_id=client.id).earliest("id")
        standing = PayOrder.objects.get(id=row_id)
    insert = (
        "INSERT INTO payroll_ordertaken (id, client_id, run_id, attempt_id, person_id, order_id, place, "
        "earnings_met, deduction, fee, deduction_arrears, protected_arrears) "
        "VALUES (%s, %s, %s, %s, %s, %s, 1, 0, 0, 0, 0, 0)"
    )
    of_another = [uuid4(), client.id, uuid4(), slip.attempt_id, ids["E2"], later]
    late = [uuid4(), client.id, row.run_id, row.attempt_id, ids["E1"], row_id]
    varied = (
        "INSERT INTO payroll_payorder (id, client_id, first_id, person_id, kind, creditor_id, reference, "
        "made_on, starts, stated, reason) "
        "VALUES (%s, %s, %s, %s, 'priority', %s, 'A1', '2026-05-04', %s, '{}', 'x')"
    )
    other = [uuid4(), client.id, row_id, ids["E2"], standing.creditor_id, "2027-01-01"]
    overlap = [uuid4(), client.id, row_id, ids["E1"], standing.creditor_id, "2026-07-01"]
    attempts: list[tuple[str, list[Any], type[psycopg.Error], str]] = [
        ("UPDATE payroll_ordertaken SET deduction = 0 WHERE id = %s", [row.id], psycopg.Error, "permission"),
        ("DELETE FROM payroll_ordertaken WHERE id = %s", [row.id], psycopg.Error, "permission"),
        ("UPDATE payroll_payorder SET stated = '{}' WHERE id = %s", [row_id], psycopg.Error, "permission"),
        ("DELETE FROM payroll_payorder WHERE id = %s", [row_id], psycopg.Error, "permission"),
        (insert, late, psycopg.Error, "order_taken_once|released"),
        (insert, of_another, psycopg.Error, "the person it is about"),
        (varied, other, psycopg.Error, "same person"),
        (varied, overlap, psycopg.errors.ExclusionViolation, "no_overlap"),
    ]
    for sql, values, error, words in attempts:
        with connect() as connection:
            enter(connection, client.staff["specialist"], write=client.id)
            with pytest.raises(error, match=words):
                connection.execute(sql, values)
