"""Nothing of a run is British: a country made up for tests is paid by the same services."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.firm import PAY_DATE, Temp, TestClient, hours_file, set_up, superuser
from tests.payroll.toy import TITHE, Toyland

from engineroom.payroll import attempts, jurisdictions, selectors, services
from engineroom.payroll.great_britain import GB
from engineroom.payroll.models import AttemptChunk, PayRun

WEEK = timedelta(days=7)


@pytest.fixture
def toyland(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client in a country that is known while the test runs."""
    monkeypatch.setitem(jurisdictions._known, "xx", Toyland())
    with superuser() as connection:
        connection.execute("UPDATE foundation_client SET jurisdiction = 'xx' WHERE id = %s", [client.id])
    yield client


def paid(client: TestClient, temps: list[Temp], pay_date: object = PAY_DATE) -> PayRun:
    """Hours taken in, calculated and published."""
    assert isinstance(pay_date, type(PAY_DATE))
    client.take(
        "timesheets", hours_file(client, temps, pay_date - timedelta(days=11), f"hours-{pay_date}.csv")
    )
    with client.acting():
        opened = services.open_pay_run(pay_date)
        plan = attempts.plan_calculation(opened.run_id)
        for chunk in AttemptChunk.objects.filter(client_id=client.id, attempt_id=plan.attempt_id):
            attempts.calculate_chunk(plan.attempt_id, chunk.chunk)
        attempts.publish_attempt(plan.attempt_id)
        return PayRun.objects.select_related("published").get(client_id=client.id, id=opened.run_id)


def figures(client: TestClient, run: PayRun) -> dict[str, dict[str, int]]:
    with client.acting("lead"):
        return {slip.payroll_number: slip.figures for slip in selectors.payslips(run)}


def test_another_country_is_paid_by_the_same_services_under_its_own_elements_and_year(
    toyland: TestClient,
) -> None:
    """40 hours at 15.00 twice: 1,000.00 of the calendar year are free, and a tenth of the rest is taken."""
    set_up(toyland, [Temp("T1")])
    first, second = paid(toyland, [Temp("T1")]), paid(toyland, [Temp("T1")], PAY_DATE + WEEK)
    assert (first.jurisdiction, first.tax_year, first.tax_period) == ("xx", "2026", 48)
    assert first.published is not None
    assert first.published.elements == jurisdictions.element_codes(Toyland())
    assert (first.published.engine_version, first.published.rules[0]["table"]) == (3, TITHE.name)
    assert figures(toyland, first)["T1"]["tithe"] == 0
    assert figures(toyland, second)["T1"] == {
        "basic_pay": 60_000, "overtime_pay": 0, "weekend_pay": 0, "gross": 60_000, "tithe": 2_000,
        "net_pay": 58_000, "minutes_worked": 2_400,
    }  # fmt: skip


@pytest.mark.behaviour("PAY-11")
def test_a_payslip_of_another_country_says_why_and_is_the_same_again(toyland: TestClient) -> None:
    set_up(toyland, [Temp("T1")])
    run = paid(toyland, [Temp("T1", hours=("10",) * 7)])
    with toyland.acting("lead"):
        (slip,) = selectors.payslips(run)
        assert selectors.explanation(slip.id) == [
            f"tithe {slip.figures['tithe'] / 100:.2f} a tenth of what is over"
        ]
        again = selectors.recheck(run)
    assert (again.ok, again.payslips, again.same_rules) == (True, 1, True)


def test_a_country_that_is_not_known_is_refused_before_a_run_is_opened(client: TestClient) -> None:
    with superuser() as connection:
        connection.execute("UPDATE foundation_client SET jurisdiction = 'zz' WHERE id = %s", [client.id])
    with client.acting(), pytest.raises(jurisdictions.NoJurisdiction, match="no law is known for 'zz'"):
        services.open_pay_run(PAY_DATE)
    with client.acting():
        assert not PayRun.objects.filter(client_id=client.id).exists()


def test_great_britain_says_its_own_year_and_period() -> None:
    assert str(GB.year_of(PAY_DATE).starts) == "2026-04-06"
    assert (GB.period_of("weekly", PAY_DATE), GB.period_of("monthly", PAY_DATE)) == (34, 8)
    assert GB.back_pay == "period of payment" != Toyland().back_pay
    assert "bonus_pay" in [element.code for element in GB.pay_elements(PAY_DATE)]
