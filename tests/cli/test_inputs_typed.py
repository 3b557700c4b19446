"""A period's workbook out and in, late inputs let in, and an approval handed to a colleague, as typed."""

from __future__ import annotations

import re
from datetime import date, timedelta

from tests.cli.conftest import Cli
from tests.firm import Firm, TestClient, give_token
from tests.payroll.months import Employee, calculated, monthly, open_run, people
from tests.payroll.workbooks import typed

from engineroom.foundation import duties
from engineroom.foundation.tenancy.scope import Identity
from engineroom.payroll import items, schedules
from engineroom.payroll.models import TaxDetails

JULY = date(2026, 7, 24)
BONUS = "Bonus"


def test_a_workbook_goes_out_comes_back_filled_and_is_taken_once(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    monthly(staffed, people(staffed, Employee()))
    code, priya = staffed.code, mail["specialist"]
    asked = ("payroll", "workbook", code, "MONTHLY")
    out = cli(*asked, JULY, "--out", staffed.folder, who=priya)
    assert out.code == 0 and ": 1 people" in out.out, out.err
    assert f"engineroom import {code} workbook" in out.out, "what comes next"
    path = next(staffed.folder.glob("*.xlsx"))
    filled = typed(path, staffed.folder / "filled.xlsx", {("E1", BONUS): 250})
    for _ in range(2):
        assert cli("import", code, "workbook", filled, who=priya).code == 0
    with staffed.acting():
        assert [(row.element, row.amount) for row in items.items_waiting()] == [("bonus_pay", 250_00)]


def test_a_workbook_of_no_payday_or_to_no_folder_says_what_to_do(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    monthly(staffed, people(staffed, Employee()))
    code, priya = staffed.code, mail["specialist"]
    other_day = cli("payroll", "workbook", code, "MONTHLY", "2026-07-23", who=priya)
    assert other_day.code != 0 and "2026-07-23" in other_day.err and "Traceback" not in other_day.err
    none = cli("payroll", "workbook", code, "WEEKLY", JULY, who=priya)
    assert none.code != 0 and "WEEKLY" in none.err
    nowhere = cli("payroll", "workbook", code, "MONTHLY", JULY, "--out", staffed.folder / "none", who=priya)
    assert nowhere.code == 2 and "does not exist" in " ".join(re.findall(r"\w+", nowhere.err))
    assert not list(staffed.folder.glob("*.xlsx"))


def test_somebody_is_taxed_otherwise_from_a_day_on(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    ids = people(staffed, Employee())
    asked = ("payroll", "tax-set", staffed.code, "E1", "--from", "2026-08-01")
    done = cli(*asked, "--code", "br", "--week1", who=mail["specialist"])
    assert done.code == 0 and "E1 is taxed by BR from 2026-08-01" in done.out, done.err
    with staffed.acting():
        row = TaxDetails.objects.get(client_id=staffed.id, person_id=ids["E1"], ends=None)
    assert (row.tax_code, row.is_cumulative, row.ni_category) == ("BR", False, "A")
    same_day = cli(*asked, "--code", "0T", who=mail["specialist"])
    assert same_day.code == 2 and "stand already" in " ".join(same_day.out.split())
    plan = ("payroll", "tax-set", staffed.code, "E1", "--from", "2026-09-01", "--loan")
    assert cli(*plan, "2", who=mail["specialist"]).code == 0
    with staffed.acting():
        row = TaxDetails.objects.get(client_id=staffed.id, person_id=ids["E1"], ends=None)
    assert (row.tax_code, row.student_loan_plan) == ("BR", "2"), "what is not named stays"


def closing(client: TestClient) -> tuple[date, date]:
    """A schedule whose inputs of the period that is paid next are closed: that day, and the pay day."""
    ids = people(client, Employee(basis="cumulative"))
    today = duties.today()
    with client.acting():
        schedules.add_pay_schedule(
            "WEEKS", "By the week", frequency="weekly", anchor=date(2026, 1, 5), pay_rule="days_after",
            pay_day=14, cut_off_days=15,
        )  # fmt: skip
        schedules.put_on_schedule(ids["E1"], "WEEKS", starts=date(2026, 1, 5))
        found = schedules.periods_from(schedules.find_schedule("WEEKS"), today - timedelta(days=30), 10)
    return next((p.cut_off, p.paid) for p in found if p.cut_off < today < p.paid - timedelta(days=1))


def test_late_inputs_are_let_in_by_a_lead_until_a_day_with_a_reason(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    cut_off, paid = closing(staffed)
    asked = ("payroll", "let-in", staffed.code, "WEEKS", paid, "--until")
    why = ("--reason", "the client was closed")
    kept = cli(*asked, paid, *why, who=mail["specialist"])
    assert kept.code in (1, 3) and "permission" in kept.err, kept
    early = cli(*asked, cut_off, *why, who=mail["lead"])
    assert early.code == 1 and f"inputs close on {cut_off}; give a later day" in early.err
    late = cli(*asked, paid + timedelta(days=1), *why, who=mail["lead"])
    assert late.code == 1 and "give that day or an earlier one" in late.err
    done = cli(*asked, paid, *why, who=mail["lead"])
    assert done.code == 0 and f"are in time until {paid}" in done.out, done.err


def approver(firm: Firm, client: TestClient, role: str = "client_approver") -> Identity:
    user = firm.new_user("client")
    firm.grant(user, client.id, role)
    give_token(firm, user)
    return user


def test_an_approval_is_handed_to_a_colleague_listed_and_taken_back(
    firm: Firm, cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    monthly(staffed, people(staffed, Employee()))
    calculated(staffed, open_run(staffed, JULY))
    ivor, una, fiona = (approver(firm, staffed, r) for r in ["client_approver"] * 2 + ["client_finance"])
    asked = ("payroll", "hand-over", staffed.code, "--reason", "away", "--to")
    stranger = cli(*asked, fiona.email, "--run", 1, who=ivor.email)
    assert stranger.code == 1 and una.email in stranger.err, "who could have it is named"
    assert "hand over one run, or say until which day" in cli(*asked, una.email, who=ivor.email).err
    firms = cli(*asked, una.email, "--run", 1, who=mail["lead"])
    assert firms.code == 1 and "only the client's own approvers" in firms.err
    done = cli(*asked, una.email.upper(), "--run", 1, who=ivor.email)
    assert done.code == 0 and "approves pay run 1" in done.out, done.err

    listed = ("payroll", "handed-over", staffed.code)
    assert "run 1" in cli(*listed, who=mail["specialist"]).out
    assert "stands" in cli(*listed, who=una.email).out
    assert "there is no 2 in the list" in cli(*listed, "--take-back", 2, "--reason", "x", who=ivor.email).err
    bare = cli(*listed, "--take-back", 1, who=ivor.email)
    assert bare.code == 2 and "no reason is given" in bare.out
    back = cli(*listed, "--take-back", 1, "--reason", "I am here", who=ivor.email)
    assert back.code == 0 and "I am here" in cli(*listed, who=una.email).out
    until = duties.today() + timedelta(days=7)
    assert f"every run until {until}" in cli(*asked, una.email, "--until", until, who=ivor.email).out
