"""Following a figure both ways, asking why, and proving the engine, as typed."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.cli.conftest import Cli, Ended
from tests.firm import PAY_DATE, Firm, Temp, TestClient, give_token, hours_file, run_payday, set_up

from engineroom.demo import bank
from engineroom.ledger import services as ledger
from engineroom.ledger.charts import STAFFING
from engineroom.payday import steps
from engineroom.payroll.engine.gb import gross_to_net as gb
from engineroom.settlement import services as settlement
from engineroom.settlement.models import PaymentBatch

TEMPS = [
    Temp("T1", hours=("9", "9", "9", "9", "9")),
    Temp("T2", "Al Smith", customer="BETA", hours=("8",)),
    Temp("T2", "Al Smith", customer="CELLO", hours=("2",)),
]


@pytest.fixture(scope="module")
def paid(firm: Firm, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A payday with its invoices paid by one customer and the payment file on the statement."""
    client = firm.new_client(with_books=False)
    iban = "GB72ZZZZ20000055667788"
    with client.acting("bookkeeper"):
        ledger.open_book(STAFFING)
        settlement.add_own_account(
            "main",
            "X",
            sort_code="200000",
            account_number="55667788",
            service_user_number="123456",
            iban=iban,
        )
    for user in client.staff.values():
        give_token(firm, user)
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    with client.acting("bookkeeper"):
        batch = PaymentBatch.objects.get(client_id=client.id)
    statement = bank.write_statement(
        client.folder / "statement.xml",
        account=bank.OwnAccountFacts(iban, "200000", "55667788", "X"),
        batch=bank.BatchFacts(batch.reference, batch.total, batch.entry_day),
        returned=[],
        receipts=[bank.ReceiptFacts(PAY_DATE + timedelta(days=7), 119700, "ACME LTD", "INV-000001")],
        opening_minor=10_000_00,
    )
    steps.clear(client.staff["bookkeeper"], client.id, [statement])
    return client


def trace(cli: Cli, client: TestClient, reference: str) -> tuple[list[str], list[str]]:
    """The lines of "came from" and of "became", without the tree's own signs."""
    ended = cli("trace", reference, "--client", client.code, who=client.staff["lead"].email)
    assert ended.code == 0, ended.err
    back, _, forward = ended.out.partition("became")

    def plain(text: str) -> list[str]:
        return [line.strip("│├└─ \xa0") for line in text.splitlines() if line.strip("│├└─ \xa0")]

    return plain(back)[1:], plain(forward)


def starts(lines: list[str], *beginnings: str) -> list[bool]:
    return [any(line.startswith(b) for line in lines) for b in beginnings]


def test_an_hour_leads_to_the_bank_on_both_sides(cli: Cli, paid: TestClient) -> None:
    back, forward = trace(cli, paid, "T1@2026-11-20")
    assert starts(back, "T1 Jo Bloggs at ACME Ltd, 9.00 h", "file hours-") == [True, True] and len(back) == 2
    wanted = (
        "T1 Jo Bloggs at ACME Ltd, 9.00 h",
        "payable: 4.00 h basic  60.00 GBP",
        "payable: 5.00 h overtime  112.50 GBP",
        "payslip 1/T1 Jo Bloggs, net",
        "open item: net pay",
        "payment ER000001 00001",
        "payment file ER000001",
        "bank line",
        "billable: 4.00 h basic",
        "line 1 of INV-000001",
        "invoice INV-000001 to ACME Ltd  1,197.00 GBP",
    )
    assert all(starts(forward, *wanted)), forward


def test_what_stands_above_on_the_tree_is_named_again_and_not_dropped(cli: Cli, paid: TestClient) -> None:
    _, forward = trace(cli, paid, "T1@2026-11-20")
    after_overtime = forward[
        next(i for i, line in enumerate(forward) if line.startswith("payable: 5.00 h overtime")) + 1
    ]
    assert after_overtime.startswith("payslip 1/T1 Jo Bloggs, net")
    assert after_overtime.endswith("(above)")


def test_two_customers_on_one_day_are_both_shown(cli: Cli, paid: TestClient) -> None:
    _, forward = trace(cli, paid, "T2@2026-11-16")
    assert all(starts(forward, "T2 Al Smith at BETA Ltd, 8.00 h", "T2 Al Smith at CELLO Ltd, 2.00 h")), (
        forward
    )


@pytest.mark.parametrize(
    ("reference", "back", "forward"),
    [
        ("1/T1", "T1 Jo Bloggs at ACME Ltd, 9.00 h  2026-11-16", "bank line"),
        ("INV-000001", "T1 Jo Bloggs at ACME Ltd, 9.00 h  2026-11-20", "bank line"),
        ("inv-000001", "line 1 of INV-000001", "open item: invoice"),
        ("ER000001", "T2 Al Smith at CELLO Ltd, 2.00 h", "bank line"),
    ],
)
def test_a_payslip_an_invoice_and_a_payment_file_go_both_ways(
    cli: Cli, paid: TestClient, reference: str, back: str, forward: str
) -> None:
    came_from, became = trace(cli, paid, reference)
    assert all(starts(came_from, back)), came_from
    assert all(starts(became, forward)), became


def test_a_bank_line_leads_back_to_the_hours_it_settled(cli: Cli, paid: TestClient) -> None:
    _, became = trace(cli, paid, "ER000001")
    line = next(text for text in became if text.startswith("bank line"))
    reference = line.removeprefix("bank line ").partition(":")[0]
    came_from, _ = trace(cli, paid, reference)
    assert all(starts(came_from, "payment file ER000001", "payslip 1/T1", "T1 Jo Bloggs at ACME Ltd, 9.00 h"))


def test_what_is_unknown_or_another_clients_is_not_found(
    cli: Cli, firm: Firm, paid: TestClient, other_client: TestClient
) -> None:
    give_token(firm, other_client.staff["lead"])
    for who, reference in [(paid.staff["lead"], "INV-999999"), (other_client.staff["lead"], "INV-000001")]:
        ended = cli("trace", reference, who=who.email)
        assert ended.code == 1
        assert "nothing you may see is called" in ended.err


def test_a_payslip_explains_itself(cli: Cli, paid: TestClient) -> None:
    ended = cli("payroll", "explain", "1/T1", "--client", paid.code, who=paid.staff["lead"].email)
    assert ended.code == 0
    gross = ended.out.splitlines()[0]
    assert gross.startswith("Gross pay 712.50 = 600.00 basic pay + 112.50 overtime (Employment Rights Act")
    assert cli("payroll", "explain", "1/T9", who=paid.staff["lead"].email).code == 1


@pytest.mark.behaviour("PAY-11")
def test_an_old_run_is_checked_again_and_says_which_version_differs(
    cli: Cli, paid: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = paid.staff["lead"].email
    same = cli("payroll", "recheck", paid.code, "1", who=who)
    assert (same.code, same.out.strip()) == (0, "2 payslips: the same pennies")
    now, before = gb.resolve_tables(PAY_DATE), gb.resolve_tables(PAY_DATE.replace(year=2025))
    mixed = replace(
        now,
        versions={**now.versions, "ni_class1": before.versions["ni_class1"]},
        parameters={**now.parameters, "ni_class1": before.parameters["ni_class1"]},
    )
    monkeypatch.setattr(gb, "resolve_tables", lambda day, further=(): mixed)
    monkeypatch.setattr(gb, "ENGINE_VERSION", 2)
    other = cli("payroll", "recheck", paid.code, "1", who=who)
    assert other.code == 1
    assert f"rules were {now.hash[:16]}, are {mixed.hash[:16]}; engine was 1, is 2" in other.err
    assert cli("payroll", "recheck", paid.code, "99", who=who).code == 1


# --- the engine's published cases ---------------------------------------------------------------------


@pytest.fixture
def cases(shared: Path) -> Path:
    path = shared / "vectors" / "gb.csv"
    if not path.is_file():
        pytest.skip("no published cases here")
    return path


OURS = ("paye", "ni_class1", "student_loan")


def verify(cli: Cli, path: Path, *more: str) -> Ended:
    return cli("payroll", "verify", path, *more)


def test_the_published_cases_pass(cli: Cli, cases: Path) -> None:
    ended = verify(cli, cases)
    assert ended.code == 0, ended.out
    tallies = {
        words[0]: words[1::2]
        for line in ended.out.splitlines()
        if (words := line.split()) and len(words) == 8
    }
    for kind in OURS:
        passed, failed, not_supported = tallies[kind][0], tallies[kind][1], tallies[kind][2]
        assert int(passed) > 50, kind
        assert (failed, not_supported) == ("0", "0"), kind


def test_what_is_not_supported_fails_only_when_strict(cli: Cli, cases: Path, tmp_path: Path) -> None:
    with cases.open(newline="", encoding="utf-8") as source:
        rows = list(csv.reader(source))
    kind_at = rows[0].index("kind")
    known = next(r for r in rows if r[kind_at] == "paye")
    unknown = [*known[:kind_at], "window_tax", *known[kind_at + 1 :]]
    one_each = [known, ["unknown-1", *unknown[1:]]]
    few = tmp_path / "few.csv"
    with few.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([rows[0], *one_each])
    assert verify(cli, few).code == 0
    assert verify(cli, few, "--strict").code == 1
    assert verify(cli, few, "--strict", "--kind", "paye").code == 0


def test_a_planted_wrong_penny_is_found_and_both_numbers_are_printed(
    cli: Cli, cases: Path, tmp_path: Path
) -> None:
    with cases.open(newline="", encoding="utf-8") as source:
        rows = list(csv.reader(source))
    heading = rows[0]
    at = heading.index("expected")
    wrong = next(r for r in rows[1:] if r[heading.index("kind")] == "paye")
    expected = json.loads(wrong[at])
    right = expected["tax_this_period"]
    planted_value = str(Decimal(right) + Decimal("0.20"))
    wrong[at] = json.dumps({**expected, "tax_this_period": planted_value})
    planted = tmp_path / "planted.csv"
    with planted.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    ended = verify(cli, planted, "--kind", "paye")
    assert ended.code == 1
    (line,) = [text for text in ended.out.splitlines() if wrong[0] in text]
    assert f"tax_this_period: expected {planted_value}, got {right}" in line
    assert "1 failed" in ended.out


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"id,kind\n1,paye\n",
        b"\xff\xfe\x00bad",
        b'id,jurisdiction,year,frequency,kind,inputs,expected\n1,gb,2026-27,weekly,paye,"{",{}\n',
    ],
)
def test_a_file_of_cases_that_is_none_is_refused(cli: Cli, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes(content)
    ended = verify(cli, path)
    assert ended.code in (1, 2)
    assert "Traceback" not in ended.err
    assert (ended.out + ended.err).strip()


def test_the_thread_of_hours_taken_but_not_paid_ends_there(cli: Cli, firm: Firm, staffed: TestClient) -> None:
    set_up(staffed, TEMPS[:1])
    staffed.take("timesheets", hours_file(staffed, TEMPS[:1]))
    _, forward = trace(cli, staffed, "T1@2026-11-16")
    assert all(starts(forward, "payable: 9.00 h basic", "billable: 9.00 h basic"))
    assert not any(starts(forward, "payslip", "line"))
