"""Bank lines that no rule clears, as typed: said by one, looked at and approved by another."""

from __future__ import annotations

import re

import pytest
from tests.cli.conftest import Cli
from tests.firm import PAY_DATE, Temp, TestClient, run_payday, set_up
from tests.settlement.bank import Booked, statement, write

from engineroom.settlement import clearing

TEMPS = [Temp("T1")]


@pytest.fixture
def waiting(staffed: TestClient) -> TestClient:
    """One invoice of 1,008.00, and 300.00 that came without a reference of ours."""
    set_up(staffed, TEMPS)
    run_payday(staffed, TEMPS)
    booked = [Booked(300_00, text="a transfer", reference="B1", day=PAY_DATE)]
    staffed.take("statement", write(staffed.folder, statement(booked)), role="bookkeeper")
    with staffed.acting("bookkeeper"):
        clearing.clear_lines()
    return staffed


def test_a_line_is_said_approved_and_taken_back(cli: Cli, waiting: TestClient, mail: dict[str, str]) -> None:
    code, bea, lena = waiting.code, mail["bookkeeper"], mail["lead"]
    waits = " ".join(cli("bank", "lines", code, who=bea).out.split())
    assert "300.00" in waits and "likely" not in waits, "nothing open is 300.00, or near it"
    wrong = cli("bank", "explain", code, "B1", "--item", "INV-9", "--reason", "they rang", who=bea)
    assert wrong.code == 2 and "no open item is called 'INV-9'" in wrong.out + wrong.err
    words = ("--item", "INV-000001=250", "--account", "7900", "--reason", "they rang")
    said = cli("bank", "explain", code, "b1", *words, who=bea)
    assert said.code == 0, said.err
    content = re.search(r"content ([0-9a-f]{16})", said.out)[1]

    listed = cli("bank", "lines", code, who=bea).out
    assert content in listed and "INV-000001 250.00" in " ".join(listed.split())
    alone = cli("bank", "approve", code, "B1", who=lena)
    assert alone.code == 1 and f"--yes --content {content}" in alone.err, "nobody is at the terminal"
    assert "INV-000001" in alone.out and "account 7900" in alone.out and f"content {content}" in alone.out
    other = cli("bank", "approve", code, "B1", "--yes", "--content", "0" * 16, who=lena)
    assert other.code == 1 and "look again" in other.err
    own = cli("bank", "approve", code, "B1", "--yes", "--content", content, who=bea)
    assert own.code == 1 and "settlement.approve" in own.err
    done = cli("bank", "approve", code, "B1", "--yes", "--content", content, who=lena)
    assert done.code == 0, done.err
    assert "INV-000001" in done.out and "250.00" in done.out and "account 7900" in done.out
    assert "no line waits" in cli("bank", "lines", code, who=bea).out

    back = cli("bank", "undo", code, "B1", "--reason", "another invoice", who=bea)
    assert back.code == 0 and "its posting is reversed" in back.out
    assert "taken back" in cli("bank", "lines", code, who=bea).out
    cleared = cli("clear", code, who=bea)
    assert cleared.code == 0 and "taken back" in cleared.out
    assert "1 exception waits for a person" in cleared.out, "the line is listed, so it is counted"


def test_what_was_said_is_withdrawn(cli: Cli, waiting: TestClient, mail: dict[str, str]) -> None:
    code, bea = waiting.code, mail["bookkeeper"]
    assert cli("bank", "explain", code, "B1", "--account", "2900", "--reason", "x", who=bea).code == 0
    assert cli("bank", "withdraw", code, "B1", "--reason", "not so", who=bea).code == 0
    again = cli("bank", "withdraw", code, "B1", "--reason", "not so", who=bea)
    assert again.code == 1 and "nothing is said" in again.err
    unknown = cli("bank", "withdraw", code, "B2", "--reason", "x", who=bea)
    assert unknown.code == 1 and "engineroom bank lines" in unknown.err


def test_a_csv_is_shown_confirmed_and_taken(cli: Cli, waiting: TestClient, mail: dict[str, str]) -> None:
    code, bea = waiting.code, mail["bookkeeper"]
    path = waiting.folder / "bank.csv"
    path.write_text("Date,Details,Amount\n03/04/2026,ACME,12.00\n05/04/2026,RENT,-5.00\n")
    before = cli("bank", "import", code, str(path), who=bea)
    assert before.code == 2 and "engineroom bank layout" in before.out
    shown = cli("bank", "layout", code, str(path), who=bea)
    assert shown.code == 0 and "day or month" in shown.out and "nothing is kept" in shown.out
    wrong = cli("bank", "layout", code, str(path), "--column", "date=x", who=bea)
    assert wrong.code == 2 and "ROLE=COLUMN" in wrong.out
    done = cli("bank", "layout", code, str(path), "--date-format", "%m/%d/%Y", "--yes", who=bea)
    assert done.code == 0 and "statements of main" in done.out
    taken = cli("bank", "import", code, str(path), who=bea)
    assert taken.code == 0 and "2 lines" in taken.out
