"""Payslips taken back, what the bank returned, and back pay, as typed."""

from __future__ import annotations

import re
from datetime import date

from tests.cli.conftest import Cli
from tests.firm import Temp, TestClient, run_payday, set_up
from tests.payroll import months
from tests.payroll.months import Employee
from tests.settlement.bank import Booked, statement, write

from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.selectors import named_person
from engineroom.settlement.clearing import clear_lines
from engineroom.settlement.models import Payment


def content_of(said: str) -> str:
    found = re.search(r"\b([0-9a-f]{16})\b", said)
    assert found is not None, said
    return found[1]


def test_back_pay_is_looked_at_accepted_and_a_payslip_taken_back(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    code, priya = staffed.code, mail["specialist"]
    months.monthly(staffed, months.people(staffed, Employee("E1")))
    months.paid(staffed, date(2026, 9, 25))
    asked = ("payroll", "back-pay", code, "--schedule", "MONTHLY")
    assert "nothing is due" in cli(*asked, who=priya).out
    with staffed.acting():
        person = named_person("E1").counterparty_id
        raised = Agreed("salary", 38_400_00, 2250)
        terms.set_terms(person, raised, starts=date(2026, 9, 1), reason="agreed late")
    shown = cli(*asked, who=priya)
    assert shown.code == 0 and "200.00" in shown.out, shown.err
    content = content_of(shown.out)
    other = cli(*asked, "--accept", "--yes", "--content", "0" * 16, who=priya)
    assert other.code == 1 and "look again" in other.err
    done = cli(*asked, "--accept", "--yes", "--content", content, who=priya)
    assert done.code == 0 and "1 items of 1 people wait" in done.out, done.err
    assert "nothing is due" in cli(*asked, who=priya).out

    taken = cli("payroll", "reverse", code, "1", "--reason", "wrong code", "--replace", who=priya)
    assert taken.code == 0 and "pay run 2 takes 1 payslips of run 1 back" in taken.out, taken.err
    assert "pay run 3 pays anew" in taken.out
    assert "1 payslips, 0 blockers" in cli("payroll", "calculate", code, "2", who=priya).out
    again = cli("payroll", "reverse", code, "1", "--reason", "twice", who=priya)
    assert again.code == 1 and "taken back already" in again.err


def test_what_came_back_is_approved_by_one_and_paid_again_by_another(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    code, lena, olga = staffed.code, mail["lead"], mail["checker"]
    set_up(staffed, [Temp("T1")])
    batch = run_payday(staffed, [Temp("T1")]).batch
    assert batch is not None
    assert "nothing came back" in cli("bank", "returned", code, who=lena).out
    with staffed.acting("bookkeeper"):
        payment = Payment.objects.get(client_id=staffed.id)
    lines = [
        Booked(-batch.total, f"BACS {batch.reference}", reference="B1"),
        Booked(payment.amount, "BACK", reference="R1", end_to_end=payment.reference, returned="AC04"),
    ]
    staffed.take("statement", write(staffed.folder, statement(lines)), role="bookkeeper")
    with staffed.acting("bookkeeper"):
        clear_lines()
    listed = cli("bank", "returned", code, who=lena).out
    assert payment.reference in listed and "the same still" in " ".join(listed.split())
    yes = ("bank", "approve-again", code, payment.reference, "--yes", "--content", content_of(listed))
    refused = cli(*yes, who=lena)
    assert refused.code == 1 and "came back from" in refused.err
    assert cli(*yes, "--same-account", who=lena).code == 0
    pay = ("bank", "pay-again", code, payment.reference, "--on", "2026-12-11")
    assert "another person must" in cli(*pay, who=lena).err
    paid = cli(*pay, who=olga)
    assert paid.code == 0 and "submit it by" in paid.out, paid.err
    assert "nothing came back" in cli("bank", "returned", code, who=lena).out
