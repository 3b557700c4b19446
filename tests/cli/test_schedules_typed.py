"""Schedules, items and runs of schedules, as typed."""

from __future__ import annotations

from tests.cli.conftest import Cli
from tests.firm import TestClient
from tests.payroll.months import Employee, people


def test_a_month_is_paid_from_the_command_line(cli: Cli, staffed: TestClient, mail: dict[str, str]) -> None:
    people(staffed, Employee())
    priya, code = mail["specialist"], staffed.code
    rule = ("--pay-rule", "day_of_month", "--pay-day", "25", "--name", "Staff")
    added = cli("payroll", "schedule-add", code, "MONTHLY", "monthly", "2026-01-01", *rule, who=priya)
    assert added.code == 0 and "the period of today is paid" in added.out, added.err
    wrong = cli("payroll", "schedule-add", code, "WEEKLY", "weekly", "2026-01-05", *rule, who=priya)
    assert wrong.code == 2 and "Use days_after for pay of weeks" in wrong.out + wrong.err
    assert "MONTHLY: Staff, monthly" in cli("payroll", "schedules", code, who=priya).out
    rows = staffed.file(
        "on.csv", ("payroll_number", "schedule", "from_date"), [("E1", "MONTHLY", "2026-01-05")]
    )
    staffed.take("on-schedule", rows)
    why = ("--period", "2026-06-30", "--reason", "sales")
    item = cli("payroll", "item-add", code, "E1", "bonus_pay", "250.00", *why, who=priya)
    assert item.code == 0 and "waits for its run" in item.out, item.err
    opened = cli("payroll", "open", code, "MONTHLY", "2026-06-25", who=priya)
    assert opened.code == 0 and "pay run 1 is open: paid 2026-06-25, period 3 of 2026-27" in opened.out
    done = cli("payroll", "calculate", code, "1", who=priya)
    assert done.code == 0 and "1 payslips, 0 blockers" in done.out, done.err
