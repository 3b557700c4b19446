"""Files of leave: every wrong row is named at once, and what is right stands in the ledger."""

from __future__ import annotations

from datetime import date

import pytest

from engineroom.kernel.errors import InputRefused
from engineroom.kernel.rates import ppm
from engineroom.leave import entitling, selectors
from tests.leave.conftest import BEGAN, DAY, Office

BOOKED = ("payroll_number", "kind", "from_date", "until_date", "half_day", "hours")


def test_leave_that_was_agreed_elsewhere_comes_in_a_file_and_again_changes_nothing(office: Office):
    rows = [
        ("J1", "annual", "2026-08-03", "2026-08-07", "", ""),
        ("J1", "annual", "2026-09-07", "2026-09-08", "until noon", ""),
        ("B1", "dependants", "2026-09-01", "2026-09-01", "", "1.5"),
    ]
    path = office.client.file("leave.csv", BOOKED, rows)
    office.client.take("leave", path)
    with office.client.acting("specialist"):
        assert office.left("J1", date(2026, 12, 31)) == 28 * DAY - 5 * DAY - DAY - DAY // 2
    more = office.client.file(
        "more.csv", BOOKED, [*rows, ("A1", "annual", "2026-10-01", "2026-10-01", "", "")]
    )
    office.client.take("leave", more)
    with office.client.acting("specialist"):
        assert len(selectors.bookings_of(office.ids["J1"])) == 2
        assert len(selectors.bookings_of(office.ids["A1"])) == 1


def test_every_wrong_row_of_a_file_is_named_and_nothing_is_taken(office: Office):
    rows = [
        ("J1", "annual", "2026-08-03", "2026-08-07", "", ""),
        ("XX", "annual", "2026-08-03", "2026-08-07", "", ""),
        ("J1", "holidays", "2026-08-10", "2026-08-11", "", ""),
        ("J1", "annual", "2026-08-07", "2026-08-10", "", ""),
        ("A1", "annual", "2026-08-08", "2026-08-09", "", ""),
    ]
    with pytest.raises(InputRefused) as refused:
        office.client.take("leave", office.client.file("leave.csv", BOOKED, rows))
    said = {(p.row, p.problem) for p in refused.value.problems}
    assert (3, "nobody has payroll number XX") in said
    assert (4, "there is no kind of leave holidays") in said
    assert (5, "row 2 has some of these days already") in said
    assert (6, "none of these days is worked") in said
    with office.client.acting("specialist"):
        assert selectors.bookings_of(office.ids["J1"]) == []


def test_opening_balances_come_once_in_hours_or_days(office: Office):
    headings = ("payroll_number", "kind", "as_at", "hours", "days")
    rows = [("J1", "annual", "2026-06-01", "7.5", ""), ("B1", "annual", "2026-06-01", "", "-2.5")]
    path = office.client.file("balances.csv", headings, rows)
    office.client.take("leave-balances", path)
    with office.client.acting("specialist"):
        assert office.left("J1", date(2026, 6, 1)) == 29 * DAY
        assert office.left("B1", date(2026, 6, 1)) == 7_560 - 5 * DAY // 2
    again = office.client.file("again.csv", headings, [("J1", "annual", "2026-07-01", "1", "1"), rows[0]])
    with pytest.raises(InputRefused, match="stands already"):
        office.client.take("leave-balances", again)


def test_hours_worked_earn_leave_once_a_period(office: Office):
    headings = ("payroll_number", "kind", "period_ends", "hours")
    path = office.client.file("hours.csv", headings, [("A1", "annual", "2026-03-31", "100")])
    with pytest.raises(InputRefused, match="not earned by hours"):
        office.client.take("leave-hours", path)
    with office.client.acting("specialist"):
        annual = office.kind("annual")
        rate = entitling.accrual_of_law(BEGAN)
        entitling.set_policy(
            annual.id,
            BEGAN,
            weeks_ppm=ppm("5.6"),
            accrual="hours",
            accrual_ppm=rate,
            person_id=office.ids["A1"],
        )
        before = office.left("A1", date(2026, 3, 31))
    office.client.take("leave-hours", path)
    with office.client.acting("specialist"):
        assert office.left("A1", date(2026, 3, 31)) - before == 724  # 12.07% of 6,000 minutes
    other = office.client.file("other.csv", headings, [("A1", "annual", "2026-03-31", "90")])
    with pytest.raises(InputRefused, match="earned already"):
        office.client.take("leave-hours", other)
