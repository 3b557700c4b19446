"""Attachment orders, as typed."""

from __future__ import annotations

import re

from tests.cli.conftest import Cli
from tests.firm import TestClient
from tests.payroll.months import Employee, people


def test_an_order_is_entered_listed_varied_and_ended_from_the_command_line(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    people(staffed, Employee())
    priya, code = mail["specialist"], staffed.code
    given = (
        "payroll", "order-add", code, "E1", "priority", "FAM/77", "--creditor", "COURT",
        "--made-on", "2026-05-04", "--starts", "2026-06-01", "--reason", "order of 4 May",
    )  # fmt: skip
    wrong = cli(*given, "--states", "gold=1", who=priya)
    assert wrong.code == 2 and "names are normal_deduction" in wrong.out + wrong.err
    wrong = cli(*given, "--states", "normal_deduction=120.00", who=priya)
    assert wrong.code == 2 and "a new creditor without a name" in wrong.out + wrong.err
    named = ("--creditor-name", "Family Court", "--states", "protected_earnings=900")
    added = cli(*given, *named, "--states", "normal_deduction=120.00", who=priya)
    assert added.code == 0 and "order FAM/77 is taken" in added.out, added.err
    listed = cli("payroll", "orders", code, who=priya)
    assert "E1  Attachment of earnings (priority) FAM/77" in listed.out, listed.err
    found = re.match(r"\S+", listed.out)
    assert found is not None
    more = ("--starts", "2026-07-01", "--states", "normal_deduction=150", "--reason", "varied")
    varied = cli("payroll", "order-vary", code, found[0], *more, who=priya)
    assert varied.code == 0, varied.err
    listed = cli("payroll", "orders", code, who=priya)
    latest = re.findall(r"^\S+", listed.out, re.MULTILINE)[-1]
    ends = ("--ends", "2027-12-31", "--reason", "discharged")
    assert "ends on 2027-12-31" in cli("payroll", "order-end", code, latest, *ends, who=priya).out
