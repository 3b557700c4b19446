"""Where runs are posted and what they post, as typed."""

from __future__ import annotations

from datetime import date

from tests.cli.conftest import Cli
from tests.firm import TestClient
from tests.payroll.months import Employee, monthly, paid, people


def test_a_line_is_mapped_and_a_journal_written_from_the_command_line(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    monthly(staffed, people(staffed, Employee()))
    bea, code = mail["bookkeeper"], staffed.code
    added = cli("ledger", "add-account", code, "7100", "Salaries", "--type", "expense", who=bea)
    assert added.code == 0 and "account 7100 is in the book" in added.out, added.err
    why = ("--from", "2026-06-01", "--reason", "as the accountant asks")
    mapped = cli("payroll", "map-account", code, "cost.basic_pay", "7100", *why, who=bea)
    assert mapped.code == 0 and "version 1 of the account map" in mapped.out, mapped.err
    wrong = cli("payroll", "map-account", code, "cost.basic_pay", "2200", *why, who=bea)
    assert wrong.code == 2 and "is a control account" in wrong.out + wrong.err
    shown = cli("payroll", "account-map", code, "--day", "2026-06-25", who=bea)
    assert "7100" in shown.out and "client" in shown.out
    paid(staffed, date(2026, 6, 25))
    assert "3,000.00" in cli("payroll", "journal", code, "1", who=bea).out
    file = staffed.folder / "journal.csv"
    assert cli("payroll", "journal", code, "1", "--out", str(file), who=bea).code == 0
    assert "cost.basic_pay" in file.read_text("utf-8-sig")


def test_liabilities_at_the_terminal(cli: Cli, staffed: TestClient, mail: dict[str, str]) -> None:
    monthly(staffed, people(staffed, Employee()))
    paid(staffed, date(2026, 6, 25))
    bea, code = mail["bookkeeper"], staffed.code
    shown = cli("payroll", "liabilities", code, who=bea)
    assert shown.code == 0 and "ties to the books" in shown.out and "tax month 3 of 2026-27" in shown.out
    why = ("--day", "2026-06-25", "--reason", "claimed")
    said = cli("payroll", "say-liability", code, "HMRC", "employment_allowance", "100.00", *why, who=bea)
    assert said.code == 0 and "counts in tax month 3" in said.out, said.err
    out = staffed.folder / "hmrc.xlsx"
    written = cli("payroll", "liabilities", code, "--agency", "HMRC", "--out", str(out), who=bea)
    assert written.code == 0 and out.stat().st_size > 0, written.err
