"""A payslip is taken back with what orders took and claims paid on it; paid anew, it meets both anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.firm import Firm, TestClient, connect, enter
from tests.payroll import months
from tests.payroll.test_leave_in_runs import away, sick_after
from tests.payroll.test_orders_in_runs import of_net, order, ordered, taken

from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.payroll import claims, items, orders, reversal, selectors, services
from engineroom.payroll.models import ClaimPaid, OrderTaken, PayRun, Payslip

MARCH, APRIL, MAY = date(2026, 3, 25), date(2026, 4, 24), date(2026, 5, 22)
JUNE, JULY, AUGUST = date(2026, 6, 25), date(2026, 7, 24), date(2026, 8, 25)
WHY = "paid on the wrong hours"


def run_on(client: TestClient, pay_date: date) -> UUID:
    with client.acting("lead"):
        return PayRun.objects.get(client_id=client.id, pay_date=pay_date, kind="regular").id


def take_back(
    client: TestClient,
    run_id: UUID,
    pay_date: date,
    *,
    anew: bool = False,
    more: dict[str, int] | None = None,
) -> reversal.ReversalOpened:
    """Reverse a run, and pay it anew with more of some elements."""
    with client.acting():
        opened = reversal.reverse_payslips(run_id, reason=WHY, replace=anew, pay_date=pay_date)
        for element, amount in (more or {}).items():
            person = Payslip.objects.filter(run_id=run_id).values_list("person_id", flat=True)[0]
            items.add_pay_item(
                person, element, amount, period=pay_date, reason="more", run_id=opened.replacement_id
            )
    for one in (opened.run_id, opened.replacement_id):
        if one is not None:
            months.calculated(client, one)
            assert months.blocked(client, one) == []
            months.released(client, one)
    return opened


def viewed(client: TestClient) -> dict[str, tuple[int, int, int | None, int]]:
    """By reference: taken so far, missed deductions, what is left, paydays."""
    with client.acting("lead"):
        shown = orders.pay_orders(date(2026, 6, 1))
    return {v.row.reference: (v.taken, v.arrears, v.balance, v.paydays) for v in shown}


def owed_to(client: TestClient) -> dict[str, int]:
    """By creditor what is open, positive is owed."""
    found: dict[str, int] = {}
    with client.acting("lead"):
        for item in openitems.open_items(kind="attachment_order"):
            found[item.counterparty] = found.get(item.counterparty, 0) - item.open
    return found


def pay(client: TestClient, person: UUID, amount: int, payday: date) -> None:
    with client.acting():
        items.add_pay_item(person, "basic_pay", amount, period=payday, reason="a month")


# --- orders -----------------------------------------------------------------------------------------------


@pytest.mark.behaviour("PAY-05")
def test_what_orders_took_and_carried_is_as_before_once_its_payslip_is_taken_back(client: TestClient) -> None:
    person = of_net(client, 1)["E1"]
    ordered(
        client,
        person,
        order("priority", "CHILD", normal_deduction=200_00, protected_earnings=700_00),
        order("non_priority", "DEBT", normal_deduction=100_00, protected_earnings=300_00, balance=250_00,
              creditor="LENDER", creditor_name="A Lender"),
    )  # fmt: skip
    pay(client, person, 650_00, JUNE)
    months.paid(client, JUNE)
    # 650.00 is 50.00 below what the first protects: it takes nothing, and carries 200.00 missed.
    before = {"CHILD": (0, 200_00, None, 1), "DEBT": (100_00, 0, 150_00, 1)}
    assert viewed(client) == before and owed_to(client) == {"A Lender": 100_00}
    pay(client, person, 1_500_00, JULY)
    months.paid(client, JULY)
    assert viewed(client) == {"CHILD": (400_00, 0, None, 2), "DEBT": (200_00, 0, 50_00, 2)}
    july = run_on(client, JULY)
    opened = take_back(client, july, JULY)
    assert viewed(client) == before and owed_to(client) == {"A Lender": 100_00}
    assert taken(client, opened.run_id)["CHILD"][:3] == (0, -400_00, 0)
    with client.acting("lead"):
        copies = OrderTaken.objects.filter(attempt_id=services.find_run(opened.run_id).published_id)
        assert {copy.takes_back and copy.takes_back.run_id for copy in copies} == {july}
        assert all(check.ok for check in [*ledger.verify(), *openitems.verify()])
    pay(client, person, 1_500_00, AUGUST)
    months.paid(client, AUGUST)
    assert viewed(client) == {"CHILD": (400_00, 0, None, 2), "DEBT": (200_00, 0, 50_00, 2)}


@pytest.mark.behaviour("PAY-05")
def test_a_replacement_meets_orders_as_they_stood_at_its_payslip_but_takes_no_more_than_is_owed(
    client: TestClient,
) -> None:
    """June is replaced in August: 150.00 was owed then, of which July took 50.00 since."""
    person = of_net(client, 1)["E1"]
    said = order("non_priority", "DEBT", normal_deduction=100_00, balance=150_00)
    (row,) = ordered(client, person, said, order("priority", "CHILD", normal_deduction=200_00))[:1]
    for payday in (JUNE, JULY):
        pay(client, person, 1_000_00, payday)
        months.paid(client, payday)
    with client.acting():
        orders.end_pay_order(row, ends=JULY, reason="it is paid")
    assert viewed(client)["DEBT"] == (150_00, 0, 0, 2)
    opened = take_back(client, run_on(client, JUNE), JULY, anew=True, more={"basic_pay": 5_00})
    assert opened.replacement_id is not None
    assert taken(client, opened.replacement_id) == {"CHILD": (0, 200_00, 0, 0, 0, None),
                                                    "DEBT": (1, 100_00, 0, 0, 0, 0)}  # fmt: skip
    assert viewed(client)["DEBT"] == (150_00, 0, 0, 2)
    assert owed_to(client) == {"The Court": 550_00}


def test_missed_deductions_of_a_payslip_that_is_taken_back_are_taken_no_more(client: TestClient) -> None:
    """June missed 150.00 and July took it; June is taken back: what July took stays with the court."""
    person = of_net(client, 1)["E1"]
    ordered(client, person, order("priority", "CHILD", normal_deduction=200_00))
    pay(client, person, 50_00, JUNE)
    months.paid(client, JUNE)
    assert viewed(client)["CHILD"] == (50_00, 150_00, None, 1)
    pay(client, person, 1_000_00, JULY)
    months.paid(client, JULY)
    assert viewed(client)["CHILD"] == (400_00, 0, None, 2)
    take_back(client, run_on(client, JUNE), JULY)
    assert viewed(client)["CHILD"] == (350_00, 0, None, 1)
    for payday, amount, missed in ((AUGUST, 120_00, 80_00), (date(2026, 9, 25), 1_000_00, 0)):
        pay(client, person, amount, payday)
        months.paid(client, payday)
        assert viewed(client)["CHILD"][1] == missed
    assert viewed(client)["CHILD"][0] == 350_00 + 120_00 + 280_00


def test_a_maintenance_arrestment_counts_days_from_the_last_payday_that_stands(client: TestClient) -> None:
    person = of_net(client, 1)["E1"]
    ordered(
        client, person, order("current_maintenance", "CMA", normal_deduction=1_00, starts=date(2026, 6, 15))
    )
    for payday, days in ((JUNE, 10), (JULY, 29)):
        pay(client, person, 1_000_00, payday)
        assert months.paid(client, payday)["E1"]["priority_orders"] == days * 1_00
    opened = take_back(client, run_on(client, JUNE), JULY, anew=True)
    assert opened.replacement_id is not None
    assert taken(client, opened.replacement_id)["CMA"][1] == 10_00, "of June's payday, not of today's"
    take_back(client, run_on(client, JULY), JULY)
    pay(client, person, 3_000_00, AUGUST)
    assert months.paid(client, AUGUST)["E1"]["priority_orders"] == 61_00, "since June: July is no payday"


def test_a_credit_of_a_creditor_that_was_paid_is_kept_for_what_is_paid_anew(client: TestClient) -> None:
    ids = of_net(client, 1, 1)
    for number in ids:
        ordered(client, ids[number], order("direct_earnings", number, rate_table="standard"))
        pay(client, ids[number], 1_000_00, JUNE)
    months.paid(client, JUNE)
    assert owed_to(client) == {"The Court": 140_00}
    june = run_on(client, JUNE)
    with client.acting():
        opened = reversal.reverse_payslips(
            june, reason=WHY, payroll_numbers=["E1"], replace=True, pay_date=JUNE
        )
        items.add_pay_item(
            ids["E1"], "basic_pay", 700_00, period=JUNE, reason="more", run_id=opened.replacement_id
        )
    assert opened.replacement_id is not None
    for run_id in (opened.run_id, opened.replacement_id):
        months.calculated(client, run_id)
        months.released(client, run_id)
    assert owed_to(client) == {"The Court": 70_00 + 255_00}, "1,700.00 is in the band of 15%"
    with client.acting("lead"):
        left = {i.reference: -i.open for i in openitems.open_items(kind="attachment_order")}
    assert left == {"E2, pay run 1": 70_00, "E1, pay run 3": 255_00}


# --- sick pay ---------------------------------------------------------------------------------------------


@pytest.mark.behaviour("PAY-05")
def test_sick_pay_is_taken_back_with_its_days_and_worked_out_anew(client: TestClient) -> None:
    person = sick_after(client, MARCH, APRIL, MAY)
    away(client, person, "sickness", date(2026, 6, 8), date(2026, 6, 12))
    assert months.paid(client, JUNE)["E1"]["statutory_sick_pay"] == 123_25
    first = months.figures(client, run_on(client, JUNE))
    opened = take_back(client, run_on(client, JUNE), JUNE)
    with client.acting("lead"):
        (claim,) = claims.claims()
        (copy,) = ClaimPaid.objects.filter(attempt_id=services.find_run(opened.run_id).published_id)
        assert copy.takes_back is not None and copy.takes_back.amount == 123_25
    assert (claim.paid, claim.days) == (0, 0)
    assert (copy.amount, copy.figures["days_paid"]) == (-123_25, -5)
    away(client, person, "sickness", date(2026, 7, 6), date(2026, 7, 7))
    july = months.paid(client, JULY)["E1"]
    assert july["statutory_sick_pay"] == 49_30, "two days of a linked stretch: 2/5 of 123.25"
    assert first["E1"]["statutory_sick_pay"] == 123_25


@pytest.mark.behaviour("PAY-05")
def test_a_replacement_pays_the_sickness_that_is_on_record_now(client: TestClient) -> None:
    """A day more was handed in after the payslip: six days are paid, and the claim says so."""
    person = sick_after(client, MARCH, APRIL, MAY)
    away(client, person, "sickness", date(2026, 6, 8), date(2026, 6, 12))
    months.paid(client, JUNE)
    away(client, person, "sickness", date(2026, 6, 15), date(2026, 6, 15))
    opened = take_back(client, run_on(client, JUNE), JUNE, anew=True)
    assert opened.replacement_id is not None
    slip = months.figures(client, opened.replacement_id)["E1"]
    assert slip["statutory_sick_pay"] == 147_90
    with client.acting("lead"):
        (claim,) = claims.claims()
    assert (claim.paid, claim.days) == (147_90, 6)


# --- any history ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Month:
    """What happens for a payday. fate: what becomes of the payslip: kept, taken back, or paid anew."""

    payday: date
    bonus: int
    sick_days: int
    fate: str
    more: int


MONDAYS = {JUNE: date(2026, 6, 8), JULY: date(2026, 7, 6), AUGUST: date(2026, 8, 3)}
MONTHS = st.tuples(
    *(
        st.builds(
            Month,
            st.just(payday),
            st.integers(0, 900_00),
            st.integers(0, 5),
            st.sampled_from(["kept", "back", "anew", "anew"] if payday != AUGUST else ["kept"]),
            st.integers(0, 400_00),
        )
        for payday in MONDAYS
    )
)


def lived(
    client: TestClient, history: tuple[Month, ...], happens: Callable[[TestClient, Month], None]
) -> Any:
    """Two orders and months of pay; then everything that must be right."""
    person = sick_after(client, MARCH, APRIL, MAY)
    ordered(
        client,
        person,
        order("priority", "CHILD", normal_deduction=900_00, protected_earnings=1_900_00),
        order("non_priority", "DEBT", normal_deduction=150_00, balance=400_00,
              creditor="LENDER", creditor_name="A Lender"),
        order("current_maintenance", "CMA", normal_deduction=2_00),
    )  # fmt: skip
    for month in history:
        happens(client, month)
    august = run_on(client, AUGUST)
    with client.acting("lead"):
        paid = {c.row.first_day: (c.paid, c.days) for c in claims.claims() if c.days}
        controls = {c.account_code: (c.ledger, c.left_open) for c in openitems.controls()}
        assert all(check.ok for check in [*ledger.verify(), *openitems.verify()])
        last = services.find_run(august)
        to_date = selectors.year_to_date(last, person)
    return viewed(client), owed_to(client), paid, controls, to_date


def added(client: TestClient, month: Month, amount: int) -> UUID:
    with client.acting("lead"):
        person: UUID = Payslip.objects.filter(client_id=client.id).values_list("person_id", flat=True)[0]
    if month.sick_days:
        day = MONDAYS[month.payday]
        away(client, person, "sickness", day, day.replace(day=day.day + month.sick_days))
    if amount:
        with client.acting():
            items.add_pay_item(person, "bonus_pay", amount, period=month.payday, reason="bonus")
    return person


def as_it_went(client: TestClient, month: Month) -> None:
    """Paid; then taken back, or paid anew with more."""
    added(client, month, month.bonus)
    months.paid(client, month.payday)
    if month.fate != "kept":
        more = {"bonus_pay": month.more} if month.more and month.fate == "anew" else None
        run_id = run_on(client, month.payday)
        take_back(client, run_id, month.payday, anew=month.fate == "anew", more=more)


def as_if_never(client: TestClient, month: Month) -> None:
    """The same without what was taken back."""
    added(
        client,
        month,
        month.bonus + (month.more if month.fate == "anew" else 0) if month.fate != "back" else 0,
    )
    if month.fate != "back":
        months.paid(client, month.payday)


@pytest.mark.slow  # two histories of three months each, through the database
@pytest.mark.behaviour("PAY-05")
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(MONTHS)
def test_after_any_history_everything_is_as_if_what_was_taken_back_had_never_been(
    firm: Firm, history: tuple[Month, ...]
) -> None:
    went = lived(firm.new_client(), history, as_it_went)
    never = lived(firm.new_client(), history, as_if_never)
    assert went == never


# --- by raw SQL -------------------------------------------------------------------------------------------


@pytest.fixture
def sick_and_ordered(client: TestClient) -> tuple[TestClient, reversal.ReversalOpened]:
    """June paid sick pay and met an order, and is being taken back: calculated, not released."""
    person = sick_after(client, MARCH, APRIL, MAY)
    away(client, person, "sickness", date(2026, 6, 8), date(2026, 6, 12))
    ordered(client, person, order("priority", "CHILD", normal_deduction=200_00))
    months.paid(client, JUNE)
    june = run_on(client, JUNE)
    with client.acting():
        opened = reversal.reverse_payslips(june, reason=WHY, pay_date=JUNE)
    months.calculated(client, opened.run_id)
    return client, opened


COPY = """
INSERT INTO payroll_ordertaken (id, client_id, run_id, attempt_id, person_id, order_id, place, earnings_met,
  deduction, fee, deduction_arrears, protected_arrears, takes_back_id)
SELECT %(id)s, client_id, %(run)s, %(attempt)s, person_id, order_id, place, -earnings_met,
  -deduction + %(more)s, -fee, -deduction_arrears, -protected_arrears, {link}
FROM payroll_ordertaken WHERE id = %(row)s
"""
CLAIM_COPY = """
INSERT INTO payroll_claimpaid (id, client_id, run_id, attempt_id, person_id, claim_id, amount, figures,
  takes_back_id)
SELECT %(id)s, client_id, %(run)s, %(attempt)s, person_id, claim_id, -amount, {figures}, id
FROM payroll_claimpaid WHERE id = %(row)s
"""
ATTEMPT = """
INSERT INTO payroll_attempt (id, client_id, run_id, number, engine_version, elements, rules_hash, rules)
SELECT %(id)s, client_id, run_id, 9, engine_version, elements, rules_hash, rules FROM payroll_attempt
WHERE run_id = %(run)s LIMIT 1
"""


@pytest.mark.behaviour("PAY-05")
def test_postgresql_takes_back_exactly_what_orders_took_and_claims_paid(
    sick_and_ordered: tuple[TestClient, reversal.ReversalOpened],
) -> None:
    client, opened = sick_and_ordered
    with client.acting():
        row = OrderTaken.objects.get(client_id=client.id, takes_back=None)
        paid = ClaimPaid.objects.get(client_id=client.id, takes_back=None)
    asked: dict[str, Any] = {"run": opened.run_id, "attempt": uuid7(), "row": row.id, "more": 0}
    of_claim = {**asked, "row": paid.id}
    other = {**asked, "run": row.run_id}
    publish = "UPDATE payroll_payrun SET published_id = %(attempt)s WHERE id = %(run)s"
    cases: list[tuple[str, dict[str, Any], str]] = [
        (COPY.format(link="id"), {**asked, "more": 1}, "is the negative of what"),
        (COPY.format(link="NULL"), asked, "is the negative of what"),
        (COPY.format(link="id"), other, "is the negative of what|released"),
        (CLAIM_COPY.format(figures="figures"), of_claim, "is the negative of what"),
        (CLAIM_COPY.format(figures="'{}'"), of_claim, "is the negative of what"),
        (publish, asked, "takes back what its orders took and its claims paid too"),
    ]
    for sql, values, says in cases:
        with connect() as app:
            enter(app, client.staff["specialist"], write=client.id)
            app.execute(ATTEMPT, {"id": values["attempt"], "run": opened.run_id})
            with pytest.raises(psycopg.Error, match=says):
                app.execute(sql, {**values, "id": uuid7()})
            app.rollback()
    with connect() as app:  # and what is exact goes in
        enter(app, client.staff["specialist"], write=client.id)
        app.execute(ATTEMPT, {"id": asked["attempt"], "run": opened.run_id})
        app.execute(COPY.format(link="id"), {**asked, "id": uuid7()})
        with pytest.raises(psycopg.Error, match="order_taken_once"):
            app.execute(COPY.format(link="id"), {**asked, "id": uuid7()})
        app.rollback()
