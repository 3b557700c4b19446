"""Leave as typed: kinds offered, a year given, a request decided by another person."""

from __future__ import annotations

from datetime import date

from tests.cli.conftest import Cli
from tests.firm import Temp, TestClient, set_up

from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.models import Person


def test_leave_is_kept_at_the_terminal(cli: Cli, staffed: TestClient, mail: dict[str, str]) -> None:
    here, priya, lena = staffed.code, mail["specialist"], mail["lead"]
    set_up(staffed, [Temp("L1", "Lou Reed")])
    with staffed.acting("specialist"):
        lou = Person.objects.get(client_id=staffed.id, payroll_number="L1")
        terms.set_terms(
            lou.counterparty_id,
            Agreed("hourly", 15_00, 2250),
            starts=date(2026, 1, 5),
            reason="from the contract",
        )
    offered = cli("leave", "offer", here, who=priya)
    assert offered.code == 0 and "annual" in offered.out, offered.err
    assert "1 people" in cli("leave", "year", here, "grant", "annual", "2026-06-01", who=priya).out
    assert cli("leave", "year", here, "open", "annual", "2026-06-01", who=priya).code == 1
    asked = cli("leave", "record", here, "L1", "annual", "2026-08-03", "2026-08-07", "--waits", who=priya)
    assert asked.code == 0 and "asked: 37.50 h" in asked.out, asked.err
    booking = asked.out.split()[-1]
    assert "Lou Reed" in cli("leave", "requests", here, who=lena).out
    refused = cli("leave", "approve", here, booking, who=priya)
    assert refused.code == 1 and "leave.approve" in refused.err, "who prepares does not approve"
    assert cli("leave", "approve", here, booking, who=lena).code == 0
    shown = cli("leave", "balances", here, "L1", "--as-at", "2026-08-31", who=priya).out
    assert "5 days" in shown
    assert cli("leave", "cancel", here, booking, "--reason", "the visit was moved", who=priya).code == 0
    assert "nobody with payroll number" in cli("leave", "balances", here, "X9", who=priya).err
    rule = ("2027-01-01", "--weeks", "6", "--carry-weeks", "1", "--number", "L1")
    said = cli("leave", "entitle", here, "annual", *rule, who=priya)
    assert said.code == 0 and "6 weeks a year" in said.out, said.err
    listed = cli("leave", "entitlements", here, who=priya).out
    assert any(tuple(w.split()[:3]) == ("annual", "L1", "2027-01-01") for w in told(listed)), listed
    wrong = cli("leave", "entitle", here, "annual", "2028-01-01", "--weeks", "x", who=priya)
    assert wrong.code == 1 and "written as 5.6" in wrong.err


def told(table: str) -> list[str]:
    """Its rows, without what frames them."""
    return [" ".join(line.replace("│", " ").replace("|", " ").split()) for line in table.splitlines()]
