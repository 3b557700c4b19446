"""Runs of schedules: salaries whole and in part, items, kinds of run side by side, figures carried in."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import psycopg
import pytest
from tests.firm import TestClient, connect, enter
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

from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.payroll import attempts, items, schedules, selectors, services
from engineroom.payroll.engine.gb import gross_to_net as gb
from engineroom.payroll.models import OnSchedule, PayItem, PayRun
from engineroom.people import terms
from engineroom.people.engine import Agreed

JUNE, JULY = date(2026, 6, 25), date(2026, 7, 24)
"""Paydays of MONTHLY: the 25th of July 2026 is a Saturday."""


def alone(month: int, pay: int, before: tuple[int, int] = (0, 0), **more: object) -> dict[str, int]:
    """What the engine says of one monthly payslip."""
    done = gb.calculate(
        {
            "frequency": "monthly", "tax_period": month, "tax_code": ["1257L"], "ni_category": ["A"],
            "basic_pay": [pay], "taxable_pay_to_date_before": before[0], "tax_to_date_before": before[1],
            **more,
        },
        gb.resolve_tables(JUNE),
    )  # fmt: skip
    return {code: int(done.columns[code][0]) for code in ("gross", "paye", "employee_nic", "net_pay")}


def some(slip: dict[str, int]) -> dict[str, int]:
    return {code: slip[code] for code in ("gross", "paye", "employee_nic", "net_pay")}


# --- schedules --------------------------------------------------------------------------------------------


def test_a_month_of_salaries_is_paid_posted_and_owed(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E2", 24_000_00, "BR"))
    monthly(client, ids)
    run_id = open_run(client, JUNE)
    assert open_run(client, JUNE) == run_id
    assert calculated(client, run_id).blockers == 0
    slips = figures(client, run_id)
    assert some(slips["E1"]) == alone(3, 3_000_00)
    assert slips["E2"]["paye"] == 400_00
    assert slips["E1"]["holiday_accrued_pay"] == 0
    done = released(client, run_id)
    assert (done.payslips, done.net) == (2, slips["E1"]["net_pay"] + slips["E2"]["net_pay"])
    with client.acting("bookkeeper"):
        assert all(check.ok for check in (*ledger.verify(), *openitems.controls()))
        assert {b.code: b.balance for b in ledger.trial_balance()}["5000"] == 5_000_00
    with client.acting("lead"):
        run = services.find_run(run_id)
        assert (run.period_starts, run.period_ends) == (date(2026, 6, 1), date(2026, 6, 30))
        assert selectors.recheck(run).ok


def test_a_payday_that_banks_move_stays_in_its_tax_month_and_the_next_run_goes_on_from_it(
    client: TestClient,
) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    first = paid(client, JUNE)["E1"]
    second = paid(client, JULY)["E1"]
    assert some(second) == alone(4, 3_000_00, (first["taxable_pay"], first["paye"]))
    with client.acting("lead"):
        run = PayRun.objects.get(client_id=client.id, pay_date=JULY)
    assert (run.due, run.tax_period) == (date(2026, 7, 25), 4)


def test_a_day_that_is_no_payday_names_those_beside_it(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    with pytest.raises(schedules.NoSuchPayday, match="its paydays are 2026-05-22, 2026-06-25, 2026-07-24"):
        open_run(client, date(2026, 6, 26))
    with pytest.raises(NotFound, match="no pay schedule 'WEEKLY'"):
        open_run(client, JUNE, schedule="WEEKLY")
    paid(client, JULY)
    with pytest.raises(Conflict, match="no run can be opened before it"):
        open_run(client, JUNE)


def test_a_schedule_that_is_wrong_says_all_of_it_at_once(client: TestClient) -> None:
    with client.acting(), pytest.raises(InputRefused) as refused:
        schedules.add_pay_schedule(
            "", "", frequency="monthly", anchor=date(2026, 1, 31), pay_rule="never", proration="thirds"
        )
    assert {p.field for p in refused.value.problems} == {"anchor", "pay_rule", "proration", "code", "name"}


@pytest.mark.behaviour("PAY-07")
def test_starters_leavers_raises_and_changes_of_schedule_are_paid_their_part(client: TestClient) -> None:
    """June 2026 has 30 days: half of it is half of 3,000.00."""
    ids = people(
        client,
        Employee("E1", starts=date(2026, 6, 16)),
        Employee("E2", ends=date(2026, 6, 15)),
        Employee("E3"),
        Employee("E4"),
    )
    monthly(client, ids)
    with client.acting():
        terms.set_terms(
            ids["E3"], Agreed("salary", 48_000_00, 2250), starts=date(2026, 6, 16), reason="promoted"
        )
        schedules.add_pay_schedule(
            "WEEKS", "Weekly", frequency="weekly", anchor=date(2026, 6, 15), pay_rule="days_after", pay_day=5
        )
        schedules.put_on_schedule(ids["E4"], "WEEKS", starts=date(2026, 6, 16))
    slips = paid(client, JUNE)
    assert {number: slip["basic_pay"] for number, slip in slips.items()} == {
        "E1": 1_500_00, "E2": 1_500_00, "E3": 1_500_00 + 2_000_00, "E4": 1_500_00
    }  # fmt: skip
    run_id = open_run(client, date(2026, 6, 26), schedule="WEEKS")
    calculated(client, run_id)
    # Six of the seven days of the week from the 15th are on the weekly schedule.
    assert figures(client, run_id)["E4"]["basic_pay"] == round(36_000_00 / 52 * 6 / 7)


def test_who_has_nothing_to_pay_is_named_and_blocks_the_run(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E2", None))
    monthly(client, ids)
    run_id = open_run(client, JUNE)
    assert calculated(client, run_id).payslips == 1
    assert blocked(client, run_id) == [("E2", "terms")]
    with client.acting():
        items.add_pay_item(ids["E2"], "commission_pay", 500_00, period=JUNE, reason="May sales")
    assert calculated(client, run_id).blockers == 0
    assert figures(client, run_id)["E2"]["gross"] == 500_00


def test_somebody_put_on_the_schedule_after_the_calculation_makes_it_stale(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E0"), Employee("E2"))
    monthly(client, {"E0": ids["E0"]})
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    with client.acting():
        for number in ("E1", "E2"):
            schedules.put_on_schedule(ids[number], "MONTHLY", starts=date(2026, 6, 1))
    assert [field for _, field in blocked(client, run_id)] == ["inputs"]
    assert calculated(client, run_id).payslips == 3


def test_nobody_is_on_two_schedules_on_one_day(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    with client.acting():
        with pytest.raises(Conflict, match="on a schedule from 2026-01-01 already"):
            schedules.put_on_schedule(ids["E1"], "MONTHLY", starts=date(2026, 1, 1))
        row = OnSchedule.objects.get(client_id=client.id)
    with connect() as connection:
        enter(connection, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.errors.ExclusionViolation):
            connection.execute(
                "INSERT INTO payroll_onschedule (id, client_id, person_id, schedule_id, starts) "
                "VALUES (%s, %s, %s, %s, '2026-03-01')",
                [uuid4(), client.id, row.person_id, row.schedule_id],
            )


# --- items and recurring pay ------------------------------------------------------------------------------


def test_items_and_recurring_pay_are_elements_taken_once(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    with client.acting():
        items.add_pay_item(ids["E1"], "bonus_pay", 250_00, period=JUNE, reason="a good quarter")
        items.add_pay_item(ids["E1"], "bonus_pay", 999_00, period=JULY, reason="the next one")
        wrong = items.add_pay_item(ids["E1"], "bonus_pay", 1_00, period=JUNE, reason="a slip").item_id
        items.withdraw_pay_item(wrong, reason="entered twice")
        items.add_recurring_pay(
            ids["E1"], "expenses_paid", 40_00, starts=date(2026, 6, 1), ends=date(2026, 6, 30), reason="phone"
        )
    june = paid(client, JUNE)["E1"]
    assert (june["basic_pay"], june["bonus_pay"], june["expenses_paid"]) == (3_000_00, 250_00, 40_00)
    assert june["taxable_pay"] == 3_250_00
    july = paid(client, JULY)["E1"]
    assert (july["bonus_pay"], july["expenses_paid"]) == (999_00, 0)
    with client.acting():
        taken = PayItem.objects.get(client_id=client.id, amount=250_00)
        with pytest.raises(Conflict, match="has taken this item"):
            items.withdraw_pay_item(taken.id, reason="too late")


def test_what_cannot_be_paid_is_refused_with_what_to_do(client: TestClient) -> None:
    ids = people(client, Employee())
    with client.acting(), pytest.raises(InputRefused) as refused:
        items.add_pay_item(ids["E1"], "gold", 0, period=JUNE, reason=" ")
    assert {p.field for p in refused.value.problems} == {"element", "amount", "reason"}
    assert "bonus_pay" in str(refused.value)


WRITES = {
    "an item is not changed": "UPDATE payroll_payitem SET amount = 1 WHERE id = %(item)s",
    "an item is not deleted": "DELETE FROM payroll_payitem WHERE id = %(item)s",
    "what a run took is not withdrawn": "UPDATE payroll_payitem SET withdrawn = 'x' WHERE id = %(item)s",
    "what a released run took stays in it": "DELETE FROM payroll_paiditem WHERE id = %(item)s",
    "a schedule keeps its rhythm": "UPDATE payroll_payschedule SET pay_day = 1",
    "what was carried in is history": "UPDATE payroll_carriedin SET amount = 1",
}


def test_the_database_keeps_items_and_schedules_as_they_were_said(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    with client.acting():
        item = items.add_pay_item(ids["E1"], "bonus_pay", 250_00, period=JUNE, reason="why not").item_id
        items.carry_in(ids["E1"], "2026-27", "paye", 1_00, reason="the old bureau's P11")
    paid(client, JUNE)
    for sql in WRITES.values():
        with connect() as connection:
            enter(connection, client.staff["specialist"], write=client.id)
            with pytest.raises(psycopg.Error):
                connection.execute(sql, {"item": item})


# --- kinds of run -----------------------------------------------------------------------------------------


@pytest.mark.behaviour("PAY-03")
@pytest.mark.parametrize("kind", ["off_cycle", "bonus", "final", "correction"])
def test_a_further_run_of_a_period_pays_what_one_payslip_of_both_would(client: TestClient, kind: str) -> None:
    """1,000.00 after a salary of 3,000.00 in the same month: tax and NIC as of 4,000.00, the salary's taken
    off; and the month after goes on from both."""
    ids = people(client, Employee(loan="2"))
    monthly(client, ids)
    regular = paid(client, JUNE)["E1"]
    run_id = open_run(client, date(2026, 6, 29), kind)
    with client.acting():
        items.add_pay_item(ids["E1"], "bonus_pay", 1_000_00, period=JUNE, reason="extra", run_id=run_id)
    calculated(client, run_id)
    released(client, run_id)
    extra = figures(client, run_id)["E1"]
    both = alone(3, 3_000_00, bonus_pay=[1_000_00], student_loan_plan=["2"])
    assert {code: regular[code] + extra[code] for code in both} == both
    assert (extra["basic_pay"], extra["bonus_pay"]) == (0, 1_000_00)
    july = paid(client, JULY)["E1"]
    before = (regular["taxable_pay"] + extra["taxable_pay"], regular["paye"] + extra["paye"])
    assert some(july) == alone(4, 3_000_00, before, student_loan_plan=["2"])
    with client.acting("lead"):
        assert selectors.recheck(services.find_run(run_id)).ok


@pytest.mark.behaviour("PAY-03")
def test_an_adjustment_moves_figures_to_date_and_pays_nobody(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    june = paid(client, JUNE)["E1"]
    run_id = open_run(client, date(2026, 6, 29), "adjustment")
    with client.acting():
        for element, amount in (("taxable_pay", 600_00), ("paye", 120_00)):
            items.add_pay_item(ids["E1"], element, amount, period=JUNE, reason="P6", run_id=run_id)
        with pytest.raises(InputRefused, match="there is no element 'net_pay'"):
            items.add_pay_item(ids["E1"], "net_pay", 1, period=JUNE, reason="P6", run_id=run_id)
    calculated(client, run_id)
    done = released(client, run_id)
    assert (done.net, done.batch_id, done.payslips) == (0, None, 1)
    slip = figures(client, run_id)["E1"]
    assert (slip["taxable_pay"], slip["paye"], slip["net_pay"], slip["gross"]) == (600_00, 120_00, 0, 0)
    july = paid(client, JULY)["E1"]
    assert some(july) == alone(4, 3_000_00, (june["taxable_pay"] + 600_00, june["paye"] + 120_00))


def test_a_correction_that_takes_back_more_than_the_period_paid_blocks_by_name(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    paid(client, JUNE)
    run_id = open_run(client, date(2026, 6, 29), "correction")
    with client.acting():
        items.add_pay_item(ids["E1"], "basic_pay", -500_00, period=JUNE, reason="unpaid week", run_id=run_id)
    assert calculated(client, run_id).payslips == 0
    assert blocked(client, run_id) == [("E1", "net_pay")]


def test_a_run_of_another_kind_without_items_or_schedule_says_what_is_missing(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    run_id = open_run(client, JUNE, "bonus")
    with pytest.raises(attempts.NothingToPay, match="no items are for pay run"):
        calculated(client, run_id)
    with pytest.raises(EngineroomError, match="name it"):
        open_run(client, JUNE, "bonus", schedule="")
    with pytest.raises(EngineroomError, match="'party' is not a kind of run"):
        open_run(client, JUNE, "party")


# --- figures to date --------------------------------------------------------------------------------------


@pytest.mark.behaviour("PAY-04")
def test_a_client_taken_over_in_the_year_goes_on_from_the_other_bureaus_figures(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    with client.acting():
        for element, amount in (("taxable_pay", 6_000_00), ("paye", 780_40)):
            items.carry_in(ids["E1"], "2026-27", element, amount, reason="taken over from Old Bureau")
    assert some(paid(client, JUNE)["E1"]) == alone(3, 3_000_00, (6_000_00, 780_40))


@pytest.mark.behaviour("PAY-04")
def test_an_opening_balance_run_says_the_same_as_figures_carried_in(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    run_id = open_run(client, date(2026, 5, 29), "opening_balance")
    with client.acting():
        for element, amount in (("taxable_pay", 6_000_00), ("paye", 780_40)):
            items.add_pay_item(ids["E1"], element, amount, period=JUNE, reason="taken over", run_id=run_id)
    calculated(client, run_id)
    assert released(client, run_id).net == 0
    assert some(paid(client, JUNE)["E1"]) == alone(3, 3_000_00, (6_000_00, 780_40))


def test_a_run_waits_for_an_earlier_one_only_where_it_pays_the_same_people(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    with client.acting():
        rule = {"frequency": "monthly", "anchor": date(2026, 1, 1), "pay_rule": "day_of_month", "pay_day": 24}
        schedules.add_pay_schedule("OTHERS", "Other staff", **rule)  # type: ignore[arg-type]
    others = people(client, Employee("E2"))
    with client.acting():
        schedules.put_on_schedule(others["E2"], "OTHERS", starts=date(2026, 1, 1))
    calculated(client, open_run(client, date(2026, 6, 24), schedule="OTHERS"))
    june, july = open_run(client, JUNE), open_run(client, JULY)
    calculated(client, june)
    assert blocked(client, june) == []
    calculated(client, july)
    assert [field for _, field in blocked(client, july)] == ["pay date"], "June of the same people"
    released(client, june)
