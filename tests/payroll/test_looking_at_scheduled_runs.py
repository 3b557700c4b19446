"""What a checker is shown of runs of schedules: compared with their own, and told from elements."""

from __future__ import annotations

from datetime import date

from tests.firm import TestClient
from tests.payroll.months import Employee, calculated, monthly, open_run, paid, people

from engineroom.payroll import explained, review, schedules, selectors

JUNE, JULY = date(2026, 6, 25), date(2026, 7, 24)


def two_schedules(client: TestClient) -> None:
    """E1 on MONTHLY, E2 on OTHERS: the same frequency and paydays."""
    ids = people(client, Employee("E1"), Employee("E2"))
    monthly(client, {"E1": ids["E1"]})
    with client.acting():
        schedules.add_pay_schedule(
            "OTHERS", "The others", frequency="monthly", anchor=date(2026, 1, 1), pay_rule="day_of_month",
            pay_day=25,
        )  # fmt: skip
        schedules.put_on_schedule(ids["E2"], "OTHERS", starts=date(2026, 1, 1))


def test_a_run_is_compared_with_the_last_of_its_own_schedule(client: TestClient) -> None:
    two_schedules(client)
    paid(client, JUNE)
    calculated(client, open_run(client, JUNE, schedule="OTHERS"))
    calculated(client, open_run(client, JULY))
    with client.acting("lead"):
        june_of_others, july = selectors.named_run(2), selectors.named_run(3)
        before = review.run_before(july)
        assert before is not None and before.number == 1
        change = review.variance(july, before)
        assert change is not None and (change.joined, change.left) == (0, 0)
        assert review.run_before(june_of_others) is None, "the first of its schedule"
        assert [row.payroll_number for row in explained.listed(july).rows] == ["E1"]
        assert explained.person_variance(july, "E1", "GBP").before_run == 1
        [first] = explained.listed(june_of_others).rows
        assert (first.payroll_number, first.before_net) == ("E2", None)
