"""What a checker is shown of runs of schedules: compared with their own, and told from elements."""

from __future__ import annotations

from datetime import date

import pytest
from tests.firm import TestClient
from tests.payroll.months import Employee, calculated, figures, monthly, open_run, paid, people
from tests.web.conftest import signed_in

from engineroom.payroll import explained, great_britain_deadlines, items, retro, review, schedules, selectors
from engineroom.people import terms
from engineroom.people.engine import Agreed

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


def test_a_bonus_that_fell_away_and_a_raise_are_told_from_elements(client: TestClient) -> None:
    ids = people(client, Employee("E1"), Employee("E2"))
    monthly(client, ids)
    with client.acting():
        items.add_pay_item(ids["E1"], "bonus_pay", 250_00, period=JUNE, reason="a good quarter")
    paid(client, JUNE)
    with client.acting():
        terms.set_terms(
            ids["E2"], Agreed("salary", 37_200_00, 2250), starts=date(2026, 7, 1), reason="a raise"
        )
    calculated(client, open_run(client, JULY))
    with client.acting("lead"):
        july = selectors.named_run(2)
        change = review.variance(july, review.run_before(july))
    assert change is not None
    assert review.in_words(change, "GBP") == (
        "Gross down 2.4 % on run 1 (-£150.00), because salaries (+£100.00), Bonus £250.00 less."
    )
    assert change.parts() == [("Salaries", 100_00), ("Bonus", -250_00)]
    assert sum(amount for _, amount in change.parts()) == change.change


def test_who_joins_or_leaves_with_a_bonus_is_counted_once(client: TestClient) -> None:
    ids = people(client, Employee("E1"), Employee("E2", ends=date(2026, 6, 30)))
    monthly(client, ids)
    with client.acting():
        items.add_pay_item(ids["E2"], "bonus_pay", 250_00, period=JUNE, reason="a good quarter")
    paid(client, JUNE)
    calculated(client, open_run(client, JULY))
    with client.acting("lead"):
        july = selectors.named_run(2)
        change = review.variance(july, review.run_before(july))
    assert change is not None
    assert change.parts() == [("Not in this run", -3_250_00)] and change.change == -3_250_00


def odd(client: TestClient, number: int) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    with client.acting("lead"):
        return [(one.kind, one.people) for one in review.oddities(selectors.named_run(number))]


def test_salaries_need_no_hours_and_a_bonus_after_leaving_is_looked_at(client: TestClient) -> None:
    ids = people(client, Employee("E1"), Employee("E2", ends=date(2026, 6, 11)))
    monthly(client, ids)
    calculated(client, open_run(client, JUNE))
    assert odd(client, 1) == [], "nobody on a salary has hours; E2 was employed in June"
    bonus = open_run(client, JUNE, "bonus")
    with client.acting():
        for person in ids.values():
            items.add_pay_item(person, "bonus_pay", 250_00, period=JUNE, reason="a good year", run_id=bonus)
    calculated(client, bonus)
    assert odd(client, 2) == [("left", (("E2", "Person E2"),))]


@pytest.mark.parametrize("kind", ["regular", "final"])
def test_pay_after_the_period_of_leaving_is_odd_but_not_in_a_final_run(client: TestClient, kind: str) -> None:
    ids = people(client, Employee("E1"), Employee("E2", ends=date(2026, 6, 11)))
    monthly(client, ids)
    run_id = open_run(client, JULY, kind)
    with client.acting():
        run = run_id if kind != "regular" else None
        items.add_pay_item(ids["E2"], "commission_pay", 90_00, period=JULY, reason="late sale", run_id=run)
    calculated(client, run_id)
    assert odd(client, 1) == ([("left", (("E2", "Person E2"),))] if kind == "regular" else [])


def test_back_pay_of_a_leaver_is_not_odd(client: TestClient) -> None:
    ids = people(client, Employee("E1"), Employee("E2", ends=date(2026, 6, 11)))
    monthly(client, ids)
    paid(client, JUNE)
    with client.acting():
        agreed = Agreed("salary", 38_400_00, 2250)
        terms.set_terms(ids["E2"], agreed, starts=date(2026, 6, 1), reason="agreed late")
        looked_at = retro.back_pay("MONTHLY").content_hash
        retro.accept_back_pay("MONTHLY", content_hash=looked_at)
    run_id = open_run(client, JULY)
    calculated(client, run_id)
    assert "E2" in figures(client, run_id)
    assert odd(client, 2) == []


def test_lists_and_the_head_of_a_run_say_its_kind_and_schedule(client: TestClient) -> None:
    ids = people(client, Employee("E1"))
    monthly(client, ids)
    bonus = open_run(client, JUNE, "bonus")
    with client.acting():
        items.add_pay_item(ids["E1"], "bonus_pay", 250_00, period=JUNE, reason="a good year", run_id=bonus)
    calculated(client, bonus)
    browser = signed_in(client.staff["lead"])
    runs = browser.get(f"/c/{client.code}/runs").content.decode()
    assert "Bonus, Monthly staff" in runs
    assert "a run of a schedule pays the period whose payday it is" in runs
    page = browser.get(f"/c/{client.code}/runs/1").content.decode()
    assert "Bonus, Monthly staff. Paid" in page
    assert "nobody is paid outside their employment" in page and "has hours in these weeks" not in page


def test_deadlines_of_hmrc_cite_what_a_reader_can_open() -> None:
    assert (
        "gov.uk" in great_britain_deadlines.SUMMARY
        and "SI 2003/2682 reg. 69" in great_britain_deadlines.PAYMENT
    )
    assert "facts/" not in great_britain_deadlines.SUMMARY + great_britain_deadlines.PAYMENT
