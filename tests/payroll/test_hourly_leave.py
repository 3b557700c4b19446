"""Leave of people paid by the hour is paid at the average of their paid weeks (ERA 1996 s.221 to s.224)."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firm import TestClient
from tests.payroll.months import Employee, blocked, calculated, figures, open_run, people, released
from tests.payroll.test_leave_in_runs import away, kinds

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.payroll import items, schedules, selectors, services
from engineroom.payroll.great_britain import GB
from engineroom.payroll.jurisdictions import PaidDays
from engineroom.people import terms
from engineroom.people.engine import Agreed

MONDAY = date(2026, 6, 1)
WEEK = timedelta(days=7)
TABLES = GB.resolve_tables(MONDAY)


@given(pay=st.lists(st.integers(0, 10**6), min_size=1, max_size=110))
def test_a_week_is_the_average_of_the_last_52_paid_of_104(pay: list[int]) -> None:
    """pay: by week, the latest first."""
    periods = [
        PaidDays(MONDAY - WEEK * (n + 1), MONDAY - WEEK * n - timedelta(days=1), amount)
        for n, amount in enumerate(pay)
    ]
    found = GB.leave_pay.a_week(periods, MONDAY, TABLES)
    counted = [amount for amount in pay[:104] if amount][:52]
    if not counted:
        assert isinstance(found, Problem) and "no week" in found.problem
        return
    assert found == (int(Fraction(sum(counted), len(counted)) + Fraction(1, 2)), len(counted))


def test_pay_of_longer_periods_is_spread_over_their_weeks() -> None:
    fortnights = [PaidDays(date(2026, 5, 18), date(2026, 5, 31), 801_00)]
    assert GB.leave_pay.a_week(fortnights, MONDAY, TABLES) == (400_50, 2)
    may = [PaidDays(date(2026, 5, 1), date(2026, 5, 31), 3_100_00)]
    assert GB.leave_pay.a_week(may, MONDAY, TABLES) == (700_00, 4), "of the fifth week May has three days"


def by_the_week(client: TestClient) -> UUID:
    """E1 at 12.50 an hour and 40 hours of a week, paid on Fridays for the week before."""
    ids = people(client, Employee(salary=None))
    with client.acting():
        terms.set_terms(ids["E1"], Agreed("hourly", 12_50, 2400), starts=date(2026, 1, 5), reason="agreed")
        schedules.add_pay_schedule(
            "WEEKS", "By the week", frequency="weekly", anchor=date(2026, 1, 5), pay_rule="days_after",
            pay_day=5,
        )  # fmt: skip
        schedules.put_on_schedule(ids["E1"], "WEEKS", starts=date(2026, 1, 5))
    kinds(client)
    return ids["E1"]


def week(client: TestClient, person: UUID, monday: date, pay: int) -> UUID:
    """A week's run with an item of pay for its hours, calculated."""
    with client.acting():
        items.add_pay_item(person, "basic_pay", pay, period=monday, reason="hours")
    run_id = open_run(client, monday + timedelta(days=11), schedule="WEEKS")
    calculated(client, run_id)
    return run_id


def test_leave_taken_is_paid_at_the_average_and_explained(client: TestClient) -> None:
    """Two weeks of 500.00 and 420.00: a week is 460.00, and two days of five are 184.00."""
    person = by_the_week(client)
    for monday, pay in ((date(2026, 5, 18), 500_00), (date(2026, 5, 25), 420_00)):
        released(client, week(client, person, monday, pay))
    away(client, person, "annual", date(2026, 6, 4), date(2026, 6, 5))
    run_id = week(client, person, MONDAY, 300_00)
    slip = figures(client, run_id)["E1"]
    assert (slip["basic_pay"], slip["holiday_pay"], slip["gross"]) == (300_00, 184_00, 484_00)
    with client.acting("lead"):
        run = services.find_run(run_id)
        (one,) = selectors.payslips(run)
        told = [str(line) for line in selectors.explain(one.id) if line.group == "holiday"]
        assert selectors.recheck(run).ok
    assert any("460.00" in line and "2 paid weeks" in line for line in told), told
    assert any("960 minutes" in line and "2,400" in line for line in told), told
    # Who works it out by hand adds an item of it, which stands in its place.
    with client.acting():
        items.add_pay_item(person, "holiday_pay", 200_00, period=MONDAY, reason="by hand")
    calculated(client, run_id)
    assert figures(client, run_id)["E1"]["holiday_pay"] == 200_00


def test_hours_that_items_pay_stand_on_the_payslip(client: TestClient) -> None:
    by_the_week(client)
    headings = ("payroll_number", "element", "amount", "hours", "period", "reason")
    rows = [("E1", "basic_pay", "468.75", "37:30", "2026-06-01", "hours"),
            ("E1", "overtime_pay", "50.00", "2.5", "2026-06-01", "Saturday"),
            ("E1", "bonus_pay", "10.00", "", "2026-06-01", "thanks")]  # fmt: skip
    client.take("pay-items", client.file("items.csv", headings, rows))
    run_id = open_run(client, date(2026, 6, 12), schedule="WEEKS")
    calculated(client, run_id)
    slip = figures(client, run_id)["E1"]
    assert (slip["gross"], slip["minutes_worked"]) == (528_75, 40 * 60)
    too_many = [("E1", "basic_pay", "1.00", "9000", "2026-06-08", "hours")]
    with pytest.raises(InputRefused, match="more hours than a year"):
        client.take("pay-items", client.file("many.csv", headings, too_many))


def test_without_a_paid_week_leave_waits_for_somebody_to_say_what_it_pays(client: TestClient) -> None:
    person = by_the_week(client)
    away(client, person, "annual", date(2026, 6, 4), date(2026, 6, 5))
    run_id = week(client, person, MONDAY, 300_00)
    assert blocked(client, run_id) == [("E1", "leave")]
    with client.acting():
        items.add_pay_item(person, "holiday_pay", 200_00, period=MONDAY, reason="by hand")
    assert calculated(client, run_id).blockers == 0
