"""The calendar: every client's deadlines of a month, from what stands, over all clients that I may read."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from engineroom.foundation import deadlines, duties
from engineroom.foundation.tenancy.scope import acting
from engineroom.payday import steps
from engineroom.payroll import schedules, services
from engineroom.ui.display import format_period
from tests.firm import PAY_DATE, Firm, Temp, TestClient, approve_payday, hours_file, set_up
from tests.payroll.months import Employee, monthly, people
from tests.web.conftest import signed_in

NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))
DECEMBER = (date(2026, 12, 1), date(2026, 12, 31))


@pytest.fixture
def calculated(client: TestClient) -> TestClient:
    temps = [Temp("T1", "Jo Bloggs")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    return client


def found(client: TestClient, first: date, last: date) -> dict[str, tuple[date, bool]]:
    with acting(client.staff["lead"], read=[client.id]):
        return {d.what: (d.day, d.is_kept) for d in deadlines.between(first, last)}


def test_a_run_is_approved_submitted_and_paid_by_its_days(calculated: TestClient) -> None:
    """Paid on Friday 27 November 2026: the file goes two banking days before, the yes a day before that."""
    assert found(calculated, *NOVEMBER) == {
        "Approve pay run 1": (date(2026, 11, 24), False),
        "Release pay run 1 and submit its file": (date(2026, 11, 25), False),
        "Pay day of pay run 1": (date(2026, 11, 27), False),
    }
    approve_payday(calculated)
    assert found(calculated, *NOVEMBER)["Approve pay run 1"][1]
    steps.release(calculated.staff["checker"], calculated.id, PAY_DATE)
    assert found(calculated, *NOVEMBER)["Release pay run 1 and submit its file"][1]


def test_what_hmrc_expects_stands_in_the_month_in_which_it_is_due(calculated: TestClient) -> None:
    """The tax month to 5 December: summary by the 19th, payment by the 22nd (SI 2003/2682 reg. 69)."""
    assert found(calculated, *DECEMBER) == {
        "Payment summary, tax month to 5 Dec": (date(2026, 12, 19), False),
        "PAYE and NIC, tax month to 5 Dec": (date(2026, 12, 22), False),
    }


def test_the_page_shows_all_my_clients_and_no_other(firm: Firm, calculated: TestClient) -> None:
    page = signed_in(calculated.staff["lead"]).get("/calendar", {"month": "2026-11"}).content.decode()
    assert "Approve pay run 1" in page and "Pay day of pay run 1" in page
    assert (
        "Approve pay run 1"
        not in signed_in(firm.new_client().staff["lead"])
        .get("/calendar", {"month": "2026-11"})
        .content.decode()
    )
    december = signed_in(calculated.staff["lead"]).get("/calendar", {"month": "2026-12"}).content.decode()
    assert "PAYE and NIC, tax month to 5 Dec" in december and "SI 2003/2682 reg. 69" in december
    only = {"month": "2026-11", "kind": "pay date"}
    filtered = signed_in(calculated.staff["lead"]).get("/calendar", only).content.decode()
    assert "Pay day of pay run 1" in filtered and "Approve pay run 1" not in filtered
    assert signed_in(calculated.staff["lead"]).get("/calendar", {"month": "soon"}).status_code == 404


def test_what_a_schedule_will_bring_stands_there_before_its_run_is_opened(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids, cut_off_days=5)
    with client.acting():
        row = schedules.find_schedule("MONTHLY")
        period = schedules.periods_from(row, duties.today() + timedelta(days=31), 1)[0]
        schedules.add_pay_schedule(
            "NOBODY", "Of nobody", frequency="monthly", anchor=date(2026, 1, 1), pay_rule="day_of_month",
            pay_day=20,
        )  # fmt: skip
    days = (period.starts, period.starts + timedelta(days=45))
    words = f"MONTHLY, {format_period(period.starts, period.ends)}"
    coming = found(client, *days)
    assert coming[f"Pay day of the run of {words}"] == (period.paid, False)
    assert coming[f"Inputs of {words}"] == (period.cut_off, False)
    assert f"Approve the run of {words}" in coming and not any("NOBODY" in what for what in coming)
    with client.acting():
        services.open_pay_run(period.paid, schedule="MONTHLY")
    opened = found(client, *days)
    assert "Pay day of pay run 1" in opened and f"Pay day of the run of {words}" not in opened
    assert opened[f"Inputs of {words}"] == (period.cut_off, False)
