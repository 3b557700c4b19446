"""What the firm does for a client, and the client's own bank accounts, as typed."""

from __future__ import annotations

from tests.cli.conftest import Cli
from tests.firm import TestClient


def test_terms_are_agreed_shown_and_ended(cli: Cli, staffed: TestClient, mail: dict[str, str]) -> None:
    said = ("--agreed-on", "2026-01-20", "--agreed-with", "Ms Client")
    lead = mail["lead"]
    services = ("--service", "payroll:payslip:4.50:paid by noon", "--service", "bookkeeping:month:650")
    done = cli("engagement", "agree", staffed.code, "--from", "2026-02-01", *said, *services, who=lead)
    assert done.code == 0 and "hold from 2026-02-01" in done.out, done.err
    ended = cli(
        "engagement", "end", staffed.code, "--from", "2026-09-01", *said, "--reason", "sold", who=mail["lead"]
    )
    assert ended.code == 0, ended.err
    shown = cli("engagement", "show", staffed.code, who=mail["specialist"])
    lines = [line for line in shown.out.splitlines() if line.strip()]
    assert "nothing more is done" in lines[2] and "sold" in lines[2]
    assert "Payroll" in lines[3] and "4.50" in lines[3] and "paid by noon" in lines[3]
    assert "Bookkeeping" in lines[4] and "650.00" in lines[4]


def test_what_is_wrong_with_terms_is_listed(cli: Cli, staffed: TestClient, mail: dict[str, str]) -> None:
    said = ("--from", "2026-02-01", "--agreed-on", "2026-01-20", "--agreed-with", "Ms Client")
    for service, words in (
        ("payroll:payslip:four", "is not an amount"),
        ("plumbing:month:1", "there is no service"),
        ("payroll:fortnight:1", "no basis"),
        ("payroll", "no basis"),
    ):
        ended = cli("engagement", "agree", staffed.code, *said, "--service", service, who=mail["lead"])
        assert ended.code == 2 and words in ended.out + ended.err, service
    refused = cli(
        "engagement", "agree", staffed.code, *said, "--service", "payroll:month:1", who=mail["specialist"]
    )
    assert refused.code == 1 and "foundation.prepare" in refused.err


def test_an_account_gives_its_code_to_the_one_that_follows_it(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    bea = mail["bookkeeper"]
    new = ("add-account", staffed.code, "main", "New bank", "--sort-code", "30-00-00")
    taken = cli("payments", *new, "--account-number", "11111111", who=bea)
    assert taken.code == 1 and "rename that one first" in taken.err
    wrong = cli("payments", *new, "--account-number", "1", who=bea)
    assert wrong.code == 2 and "eight digits" in wrong.out
    renamed = cli("payments", "rename-account", staffed.code, "main", "--to", "until November", who=bea)
    assert renamed.code == 0
    assert cli("payments", *new, "--account-number", "11111111", who=bea).code == 0
    shown = cli("payments", "accounts", staffed.code, who=bea).out
    assert "until November" in shown and "New bank" in shown
