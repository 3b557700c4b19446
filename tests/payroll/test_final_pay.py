"""Who leaves is paid by a final run up to their last day, and once, whichever run comes first."""

from __future__ import annotations

from datetime import date

import pytest
from tests.firm import TestClient
from tests.payroll.months import Employee, blocked, calculated, figures, monthly, open_run, paid, people

from engineroom.payroll import items, selectors, services
from engineroom.payroll.models import PayRun
from engineroom.people import employment

JUNE, FINAL = date(2026, 6, 25), date(2026, 6, 12)
SALARY = 3_000_00


@pytest.fixture
def leaving(client: TestClient) -> TestClient:
    """E1 leaves on the 10th of June, E2 stays, E3 leaves at the month's end; E1 has an allowance."""
    ids = people(
        client,
        Employee(ends=date(2026, 6, 10), basis="week1"),
        Employee("E2"),
        Employee("E3", ends=date(2026, 6, 30)),
    )
    monthly(client, ids)
    with client.acting():
        items.add_recurring_pay(ids["E1"], "basic_pay", 50_00, starts=date(2026, 1, 1), reason="first aider")
    return client


@pytest.mark.behaviour("PAY-03")
def test_a_final_run_pays_up_to_the_last_day_and_the_regular_run_does_not_again(leaving: TestClient) -> None:
    final = paid(leaving, FINAL, "final")
    assert {n: f["basic_pay"] for n, f in final.items()} == {"E1": SALARY * 10 // 30 + 50_00}
    run_id = open_run(leaving, JUNE)
    assert calculated(leaving, run_id).blockers == 0 and blocked(leaving, run_id) == []
    assert {n: f["basic_pay"] for n, f in figures(leaving, run_id).items()} == {"E2": SALARY, "E3": SALARY}
    with leaving.acting("lead"):
        assert all(selectors.recheck(run).ok for run in PayRun.objects.filter(client_id=leaving.id))
    # The last day is another after all: the regular run pays the days between.
    with leaving.acting():
        e1 = employment.Person.objects.get(client_id=leaving.id, payroll_number="E1").counterparty_id
        employment.end_employment(e1, last_day=date(2026, 6, 13), why="resigned")
    assert [field for _, field in blocked(leaving, run_id)] == ["inputs"]
    calculated(leaving, run_id)
    slip = figures(leaving, run_id)["E1"]
    assert (slip["basic_pay"], slip["taxable_pay"]) == (SALARY * 3 // 30, SALARY * 3 // 30)
    # What both pay is taxed as one payment of the period would be.
    assert (final["E1"]["paye"], slip["paye"]) == (20, 60_20 - 20)


def test_whom_the_regular_run_has_paid_gets_items_alone_in_a_final_run(leaving: TestClient) -> None:
    first = paid(leaving, JUNE)
    assert first["E1"]["basic_pay"] == SALARY * 10 // 30 + 50_00
    run_id = open_run(leaving, date(2026, 6, 29), "final")
    with leaving.acting():
        e1 = employment.Person.objects.get(client_id=leaving.id, payroll_number="E1").counterparty_id
        items.add_pay_item(e1, "bonus_pay", 10_00, period=JUNE, reason="farewell", run_id=run_id)
    calculated(leaving, run_id)
    assert {n: f["gross"] for n, f in figures(leaving, run_id).items()} == {"E1": 10_00}
    with leaving.acting("lead"):
        assert services.blockers_of(services.find_run(run_id)) == []
