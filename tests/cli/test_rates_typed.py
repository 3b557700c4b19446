"""Agreements and rate cards, as typed."""

from __future__ import annotations

import re

from tests.cli.conftest import Cli
from tests.firm import Temp, TestClient, hours_file, set_up


def test_rates_are_agreed_followed_and_edited(cli: Cli, staffed: TestClient, mail: dict[str, str]) -> None:
    temps = [Temp("T1")]
    set_up(staffed, temps)
    who = mail["specialist"]
    of = (staffed.code, "ACME", "AG-1")
    assert cli("rates", "add-agreement", *of, who=who).code == 0
    card = (*of, "Operative", "--from", "2026-01-05", "--pays", "15", "--bills", "21")
    assert "from 2026-01-05" in cli("rates", "new-version", *card, who=who).out
    wrong = cli("rates", "new-version", *card[:-1], "dear", who=who)
    assert wrong.code == 2 and "--bills" in wrong.out + wrong.err
    follow = ("rates", "follow", staffed.code, "T1-ACME", "AG-1", "--from", "2026-01-05")
    assert cli(*follow, who=who).code == 0
    staffed.take("timesheets", hours_file(staffed, temps))
    edit = ("rates", "edit", *of, "Operative", "2026-11-16", "--reason", "a slip", "--bills", "22")
    shown = cli(*edit, who=who)
    assert shown.code == 1 and "billable moves by 40.00" in shown.out, shown.err
    [content] = re.findall(r"--content (\w+)", shown.err)
    done = cli(*edit, "--yes", "--content", content, who=who)
    assert done.code == 0 and "5 charges valued anew" in done.out, done.err
    floor = cli(
        "rates", "floor", staffed.code, "10%", "--from", "2026-01-01", "--reason", "so", who=mail["checker"]
    )
    assert floor.code == 0, floor.err
    solved = cli("rates", "solve", staffed.code, "2026-11-27", "--pays", "15", "--markup", "40%", who=who)
    assert "bills 21.00" in solved.out and "below the floor of 10%" in solved.out and "21.55" in solved.out
    one = cli("rates", "solve", staffed.code, "2026-11-27", "--pays", "15", who=who)
    assert one.code == 2 and "give two" in one.out + one.err
    later = (*of, "Driver", "--from", "2027-01-04", "--pays", "15", "--bills", "20")
    assert "leaves" in cli("rates", "new-version", *later, who=who).out
    allowed = (staffed.code, "ACME", "Driver", "--pays", "15", "--bills", "20", "--reason", "to win them")
    assert cli("rates", "allow", *allowed, who=mail["checker"]).code == 0
    assert cli("rates", "new-version", *later, who=who).code == 0
    assert "22.00" in cli("rates", "list", staffed.code, who=mail["checker"]).out
