"""How far runs are, what changed in them, comments, a batch and the calendar, as typed."""

from __future__ import annotations

from datetime import date

import pytest
from tests.cli.conftest import Cli
from tests.firm import PAY_DATE, Temp, TestClient, approve_payday, hours_file, set_up
from tests.payroll import months

from engineroom.foundation import api
from engineroom.payroll import reopening
from engineroom.payroll.models import PayRun


def test_a_run_is_listed_batched_explained_returned_and_reopened(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    code, priya, lead = staffed.code, mail["specialist"], mail["lead"]
    day = str(PAY_DATE)
    assert "no pay run yet" in cli("payroll", "runs", code, who=priya).out
    nothing = cli("payroll", "batch", "calculate", "--pay-date", day, "--client", code, who=priya)
    assert nothing.code == 1 and "no approved hours wait" in nothing.out
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith")]
    set_up(staffed, temps)
    staffed.take("timesheets", hours_file(staffed, temps))
    would = cli("payroll", "preview", code, "--pay-date", day, who=priya)
    assert would.code == 0 and "is not open yet" in would.out and "2 payslips, gross 1,200.00" in would.out
    done = cli("payroll", "batch", "calculate", "--pay-date", day, "--client", code, who=priya)
    assert done.code == 0 and "payslip" in done.out, done.err
    would = cli("payroll", "preview", code, "1", who=priya)
    assert would.code == 0 and "Jo Bloggs" in would.out and "it is as calculated" in would.out, would.err
    assert "say which run" in cli("payroll", "preview", code, who=priya).err
    listed = cli("payroll", "runs", code, who=priya).out
    assert "Calculated, waits for approval" in listed and "Check it and approve it" in listed
    changed = cli("payroll", "variance", code, "1", who=priya)
    assert changed.code == 0 and "none of the runs before" in changed.out, changed.err
    with staffed.acting("checker"):
        run = PayRun.objects.get(client_id=staffed.id, number=1)
        seen = bytes(run.content_hash or b"").hex()
        reopening.return_pay_run(run.id, content_hash=seen, comment="Whose hours are these?")
    assert "Whose hours are these?" in cli("payroll", "returned", code, "1", who=priya).out
    said = cli("payroll", "returned", code, "1", "--answer", "1", "--words", "Signed by ACME", who=priya)
    assert said.code == 0 and "answered" in said.out and "Signed by ACME" in said.out, said.err
    approve_payday(staffed)
    back = cli("payroll", "reopen", code, "1", "--reason", "another week", who=priya)
    assert back.code == 0 and "1 approvals no longer hold" in back.out, back.err
    month = cli("payroll", "deadlines", "--month", day[:7], who=lead).out
    assert "Approve pay run 1" in month and "Pay day of pay run 1" in month
    assert cli("payroll", "deadlines", "--month", "soon", who=lead).code == 1


def test_what_a_role_may_not_see_of_pay_is_dots_in_a_preview(
    cli: Cli, staffed: TestClient, mail: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    months.monthly(staffed, months.people(staffed, months.Employee()))
    months.open_run(staffed, date(2026, 6, 25))
    asked = ("payroll", "preview", staffed.code, "1")
    assert "1 payslips, gross 3,000.00" in cli(*asked, who=mail["specialist"]).out
    monkeypatch.setattr(api, "hides", lambda data_class: data_class == "pay")
    shown = cli(*asked, who=mail["specialist"])
    assert shown.code == 0 and "1 payslips, gross ••••, net ••••" in shown.out, shown.err
    assert "3,000.00" not in shown.out


def test_whatever_keeps_a_run_is_counted_and_a_blocked_person_is_explained(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    """May is not released: nobody's own problem. E2 has no terms."""
    months.monthly(staffed, months.people(staffed, months.Employee(), months.Employee("E2", salary=None)))
    months.calculated(staffed, months.open_run(staffed, date(2026, 5, 22)))
    months.open_run(staffed, date(2026, 6, 25))
    done = cli("payroll", "calculate", staffed.code, "2", who=mail["specialist"])
    assert "1 payslips, 2 blockers" in done.out and "is not released" in done.out, done.err
    assert "solve what keeps it" in done.out
    why = cli("payroll", "explain", "2/E2", who=mail["specialist"])
    assert why.code == 1 and "E2 is blocked in run 2: there is nothing to pay" in why.err
    assert "there is no payslip" in cli("payroll", "explain", "2/E9", who=mail["specialist"]).err
