"""Statutory pay of parents in runs: the weeks of recorded leave, by the claim that somebody stated."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from tests.firm import TestClient
from tests.payroll.months import blocked, calculated, figures, open_run, paid, released
from tests.payroll.test_leave_in_runs import APRIL, JULY, JUNE, MAY, away, sick_after
from tests.web.conftest import signed_in

from engineroom.kernel.errors import InputRefused
from engineroom.kernel.money import parse_minor
from engineroom.payroll import claims, liabilities, reversal, selectors, services
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.models import ClaimPaid, PayRun

PAYS = "statutory_parental_pay"
EIGHT_WEEKS = {"relevant_earnings": 3_200_00, "relevant_periods": 8}


def state(client: TestClient, person: UUID, payment: str, first_day: date, **figures: int) -> None:
    with client.acting():
        claims.state_claim(person, payment, first_day, EIGHT_WEEKS | figures, reason="as the MATB1 says")


@pytest.mark.parametrize(
    ("tax_year", "monday", "payday"),
    [("2025-26", date(2026, 1, 5), date(2026, 1, 23)), ("2026-27", date(2026, 6, 1), JUNE)],
)
def test_published_weeks_are_paid_by_actual_runs(
    client: TestClient, shared: Path, tax_year: str, monday: date, payday: date
) -> None:
    with (shared / "vectors" / "gb.csv").open(encoding="utf-8") as file:
        cases = [row for row in csv.reader(file) if row[5] == "smp" and row[2] == tax_year]
    assert len(cases) == 1
    given, expected = json.loads(cases[0][6]), json.loads(cases[0][7])
    person = sick_after(client)
    away(client, person, "maternity", monday, monday + timedelta(days=6))
    earnings = 8 * parse_minor(given["average_weekly_earnings"], "GBP")
    state(client, person, "smp", monday, relevant_earnings=earnings, weeks_paid_before=given["week_no"] - 1)
    assert paid(client, payday)["E1"][PAYS] == parse_minor(expected["smp"], "GBP")


def test_each_run_pays_the_weeks_that_end_in_its_period_and_a_reversal_gives_them_back(
    client: TestClient,
) -> None:
    """Four weeks at 360.00; then two of them, and two at 194.32."""
    person = sick_after(client)
    away(client, person, "maternity", date(2026, 6, 1), date(2026, 12, 31))
    state(client, person, "smp", date(2026, 6, 1))
    june = paid(client, JUNE)["E1"]
    assert (june["basic_pay"], june[PAYS]) == (0, 4 * 360_00)
    july = paid(client, JULY)["E1"]
    assert july[PAYS] == 2 * 360_00 + 2 * 194_32
    with client.acting("lead"):
        run = PayRun.objects.select_related("published").get(client_id=client.id, number=2)
        (slip,) = selectors.payslips(run)
        told = [str(line) for line in selectors.explain(slip.id) if line.group == "claims"]
        (claim,) = claims.claims()
        assert selectors.recheck(run).ok
    assert any("2 at 90% of average earnings" in line and "400.00 a week" in line for line in told), told
    assert any("2 at the standard rate" in line for line in told), told
    assert (claim.paid, claim.days) == (june[PAYS] + july[PAYS], 8 * 7)
    with client.acting():
        done = reversal.reverse_payslips(run.id, reason="it was born later", replace=True)
    calculated(client, done.run_id)
    released(client, done.run_id)
    assert done.replacement_id is not None
    calculated(client, done.replacement_id)
    assert figures(client, done.replacement_id)["E1"][PAYS] == july[PAYS]
    with client.acting():
        rows = ClaimPaid.objects.filter(client_id=client.id).order_by("id")
        assert [row.amount for row in rows] == [june[PAYS], july[PAYS], -july[PAYS], july[PAYS]]


def test_what_is_paid_is_suggested_to_be_recovered_from_hmrc(client: TestClient) -> None:
    person = sick_after(client)
    away(client, person, "paternity", date(2026, 6, 1), date(2026, 6, 14))
    state(client, person, "spp", date(2026, 6, 1))
    assert paid(client, JUNE)["E1"][PAYS] == 2 * 194_32
    with client.acting("bookkeeper"):
        agency = liabilities.agency_called("HMRC")
        adjustment = next(a for a in agency.adjustments if a.name == "statutory_pay")
        periods = liabilities.owed_to(agency)
        month = next(o for o in periods if o.period.number == 3)
        assert liabilities.suggested(agency, adjustment, month, periods) == 357_55  # 92% of 388.64
        liabilities.say_liability("HMRC", "statutory_pay", 357_55, day=JUNE, reason="as the law says")
        periods = liabilities.owed_to(agency)
        month = next(o for o in periods if o.period.number == 3)
        assert liabilities.suggested(agency, adjustment, month, periods) == 0


def test_blocks_of_shared_leave_count_their_weeks_together_and_end(client: TestClient) -> None:
    """Of 37 weeks 35 were paid elsewhere: two are left, a week of each block."""
    person = sick_after(client)
    for monday in (date(2026, 6, 1), date(2026, 6, 15), date(2026, 6, 22)):
        away(client, person, "shared_parental", monday, monday + timedelta(days=4 + 2 * (monday.day != 22)))
    state(client, person, "shpp", date(2026, 6, 1), weeks_paid_before=36)
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    assert figures(client, run_id)["E1"][PAYS] == 194_32, (
        "the second week is beyond the 37th, the third no week"
    )


def test_earnings_are_found_in_what_was_paid_until_the_qualifying_week(client: TestClient) -> None:
    person = sick_after(client, date(2026, 3, 25), APRIL, MAY)
    away(client, person, "adoption", date(2026, 6, 1), date(2026, 6, 28))
    run_id = open_run(client, JUNE)
    assert calculated(client, run_id).blockers == 1
    assert blocked(client, run_id) == [("E1", "statutory pay")]
    with client.acting("lead"):
        (said,) = blockers_of(services.find_run(run_id))
    assert "Statutory Adoption Pay for the leave from 2026-06-01" in said.problem
    assert "page of statutory pay" in said.remedy
    with client.acting(), pytest.raises(InputRefused, match="no payday lies on or before"):
        claims.state_claim(person, "sap", date(2026, 6, 1), {}, reason="matched", paid_until=date(2026, 1, 3))
    asked = {
        "payroll_number": "E1", "payment": "sap", "first_day": "2026-06-01", "paid_until": "2026-05-30",
        "reason": "matched in May",
    }  # fmt: skip
    browser = signed_in(client.staff["specialist"])
    page = browser.post(f"/c/{client.code}/statutory-pay/do/state", asked, follow=True).content.decode()
    assert "Statutory Adoption Pay" in page and "earnings of the relevant period 6,000.00" in page
    assert calculated(client, run_id).blockers == 0
    # Two months of 3,000.00: 692.30 a week, of which 90% is 623.08.
    assert figures(client, run_id)["E1"][PAYS] == 4 * 623_08
