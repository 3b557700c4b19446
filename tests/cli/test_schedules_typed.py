"""Schedules, items and runs of schedules, as typed."""

from __future__ import annotations

import re

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
    put = cli("payroll", "schedule-put", code, "E1", "MONTHLY", "--from", "2026-01-05", who=priya)
    assert put.code == 0 and "E1 is paid on MONTHLY from 2026-01-05" in put.out, put.err
    none = cli("payroll", "schedule-put", code, "E1", "WEEKLY", "--from", "2026-02-01", who=priya)
    assert none.code == 1 and "there are MONTHLY" in none.err
    why = ("--period", "2026-06-30", "--reason", "sales")
    no_hours = cli("payroll", "item-add", code, "E1", "bonus_pay", "1", "--hours", "lots", *why, who=priya)
    assert no_hours.code == 1 and "lots is no number of hours" in no_hours.err
    item = cli("payroll", "item-add", code, "E1", "bonus_pay", "250.00", "--hours", "8", *why, who=priya)
    assert item.code == 0 and "waits for its run" in item.out, item.err
    twice = cli("payroll", "item-add", code, "E1", "bonus_pay", "99.00", *why, who=priya)
    assert twice.code == 0 and f"payroll items {code}" in twice.out
    assert "-- -250.00" in cli("payroll", "item-add", "--help").out
    listed = cli("payroll", "items", code, who=priya).out
    assert "250.00" in listed and "99.00" in listed
    place = next(line.split()[0] for line in listed.splitlines() if "99.00" in line)
    assert "2 items wait" in cli("payroll", "items", code, "--withdraw", 3, "--reason", "no", who=priya).err
    gone = cli("payroll", "items", code, "--withdraw", place, "--reason", "keyed twice", who=priya)
    assert gone.code == 0 and "is withdrawn" in gone.out, gone.err
    assert "99.00" not in cli("payroll", "items", code, who=priya).out
    opened = cli("payroll", "open", code, "MONTHLY", "2026-06-25", who=priya)
    assert opened.code == 0 and "pay run 1 is open: paid 2026-06-25, period 3 of 2026-27" in opened.out
    done = cli("payroll", "calculate", code, "1", who=priya)
    assert done.code == 0 and "1 payslips, 0 blockers" in done.out, done.err
    assert "another person approves it" in done.out

    lena, olga = mail["lead"], mail["checker"]
    asked = ("payroll", "approve", code, "1")
    shown = cli(*asked, who=lena)
    assert shown.code == 1 and "Employer's cost" in shown.out and "nobody is at the terminal" in shown.err
    content = re.search(r"--content ([0-9a-f]{16})", " ".join(shown.err.split()))
    assert content is not None
    yes = (*asked, "--yes", "--content")
    assert "--content" in cli(*asked, "--yes", who=lena).err, "a yes names what was looked at"
    assert "look again" in cli(*yes, "0" * 16, who=lena).err
    assert cli(*yes, content[1], who=priya).code != 0, "who made it does not approve it"
    early = cli("payroll", "release", code, "1", who=olga)
    assert early.code != 0 and "approv" in early.err
    approved = cli(*yes, content[1], who=lena)
    assert approved.code == 0 and f"payroll release {code} 1" in approved.out, approved.err
    assert cli("payroll", "release", code, "1", who=lena).code != 0, "who approved it does not release it"
    out = cli("payroll", "release", code, "1", who=olga)
    assert out.code == 0 and "1 payslips are frozen" in out.out and "submit it by" in out.out, out.err
    assert "was released before" in cli("payroll", "release", code, "1", who=olga).out
