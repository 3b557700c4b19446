"""Where runs are posted: by line, cost centre and day; said in versions, kept with every run."""

from __future__ import annotations

import csv
import io
from datetime import date
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from tests.firm import Temp, TestClient, connect, enter, run_payday, set_up, superuser
from tests.payroll.months import (
    Employee,
    blocked,
    calculated,
    figures,
    monthly,
    open_run,
    paid,
    people,
    released,
)
from tests.web.conftest import signed_in

from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused
from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors as ledger
from engineroom.ledger import services as books
from engineroom.openitems import selectors as openitems
from engineroom.payroll import account_map, items, journal, selectors, services
from engineroom.payroll.account_map import AccountMap, Mapped
from engineroom.payroll.great_britain import GB
from engineroom.payroll.models import PayRun, PostedMap
from engineroom.people import terms
from engineroom.people.engine import Agreed

JUNE, JULY = date(2026, 6, 25), date(2026, 7, 24)
FIRST = date(2026, 6, 1)
WHY = "as the client's accountant asks"


def own_accounts(client: TestClient) -> None:
    """A few of the client's own."""
    with client.acting("bookkeeper"):
        for code, name in (("7100", "Bonuses"), ("7200", "Salaries, shop"), ("7300", "Salaries, office")):
            books.add_account(code, name, "expense")
        books.add_account("2205", "National Insurance payable", "liability", is_control=True)


def say(client: TestClient, *rows: Mapped) -> account_map.AccountsMapped:
    with client.acting("bookkeeper"):
        return account_map.map_accounts(rows, reason=WHY)


def posted(client: TestClient, run_id: UUID) -> dict[str, int]:
    """What the ledger has of a run, by account."""
    sums: dict[str, int] = {}
    with client.acting("bookkeeper"):
        for line in ledger.journal(subjects=[run_id]):
            sums[line.account_code] = sums.get(line.account_code, 0) + line.amount
    return sums


def journal_rows(client: TestClient, run_id: UUID) -> tuple[AccountMap, list[journal.JournalRow]]:
    with client.acting("bookkeeper"):
        run = PayRun.objects.select_related("published").get(client_id=client.id, id=run_id)
        return journal.journal_of(run)


CODES = [line.code for line in GB.postings.lines() if line != GB.postings.net]
CENTRES = ["", "shop", "head office", "x y z"]


@given(
    mapped=st.dictionaries(
        st.tuples(st.sampled_from(CODES), st.sampled_from(CENTRES)), st.sampled_from(["", "7100", "7200"])
    ),
    version=st.integers(0, 99),
)
def test_what_a_run_keeps_says_the_same_of_every_line_and_centre(
    mapped: dict[tuple[str, str], str], version: int
) -> None:
    said = AccountMap(mapped, version)
    kept = AccountMap.kept(PostedMap(version=version, accounts=said.whole(GB.postings)))
    assert kept.version == version
    for line in GB.postings.lines():
        for centre in (*CENTRES, "nobody's"):
            assert kept.account_of(line, centre) == said.account_of(line, centre)


def test_a_run_is_posted_by_line_and_cost_centre_and_keeps_its_map(client: TestClient) -> None:
    """A bonus apart, the shop's and the office's salaries apart, National Insurance in its own account."""
    ids = people(client, Employee("E1", None), Employee("E2", None), Employee("E3"))
    monthly(client, ids)
    own_accounts(client)
    with client.acting():
        for number, centre in (("E1", "shop"), ("E2", "office")):
            agreed = Agreed("salary", 36_000_00, 2250, cost_centre=centre)
            terms.set_terms(ids[number], agreed, starts=date(2026, 1, 5), reason=WHY)
        items.add_pay_item(ids["E1"], "bonus_pay", 500_00, period=JUNE, reason="sold most")
    done = say(
        client,
        Mapped("cost.bonus_pay", "7100", FIRST),
        Mapped("cost.basic_pay", "7200", FIRST, "shop"),
        Mapped("cost.basic_pay", "7300", FIRST, "office"),
        Mapped("owed.nic", "2205", FIRST),
    )
    assert done.version == 1
    run_id = open_run(client, JUNE)
    assert calculated(client, run_id).blockers == 0
    before = journal_rows(client, run_id)
    assert before[0].version == 1
    released(client, run_id)
    slips = figures(client, run_id)
    nic = sum(s["employee_nic"] + s["employer_nic"] for s in slips.values())
    sums = posted(client, run_id)
    assert (sums["7100"], sums["7200"], sums["7300"], sums["5000"]) == (500_00, 3_000_00, 3_000_00, 3_000_00)
    assert (sums["2205"], sums["2200"]) == (-nic, -sum(s["paye"] for s in slips.values()))
    kept, rows = journal_rows(client, run_id)
    assert journal.sums_by_account(rows) == {code: amount for code, amount in sums.items() if amount}
    assert rows == before[1], "what was shown before the release is what was posted"
    assert {(r.cost_centre, r.amount) for r in rows if r.line == "cost.basic_pay"} == {
        ("shop", 3_000_00), ("office", 3_000_00), ("", 3_000_00),
    }  # fmt: skip
    say(client, Mapped("cost.bonus_pay", "5000", FIRST))
    assert journal_rows(client, run_id) == (kept, rows)
    with client.acting("bookkeeper"):
        assert PostedMap.objects.get(client_id=client.id).version == 1
        assert account_map.map_of(JUNE).version == 2
        assert all(check.ok for check in (*ledger.verify(), *openitems.verify()))


def test_hours_at_several_customers_are_one_journal_and_the_same_entry(client: TestClient) -> None:
    temps = [Temp("T1", hours=("7.25",) * 5), Temp("T1", customer="BETA", hours=("3.75",) * 4), Temp("T2")]
    set_up(client, temps)
    run_payday(client, temps)
    with client.acting("bookkeeper"):
        run = PayRun.objects.select_related("published").get(client_id=client.id)
        _, rows = journal.journal_of(run)
        written = list(csv.DictReader(io.StringIO(journal.as_csv(run, rows, "GBP").decode("utf-8-sig"))))
    assert journal.sums_by_account(rows) == {c: a for c, a in posted(client, run.id).items() if a}
    assert {row["customer"] for row in written if row["line"] == "cost.basic_pay"} == {"Acme", "Beta"} or len(
        {row["customer"] for row in written if row["line"] == "cost.basic_pay"}
    ) == 2
    cents = [
        int((r["debit"] or "0").replace(".", "")) - int((r["credit"] or "0").replace(".", ""))
        for r in written
    ]
    assert sum(cents) == 0 and len(written) == len(rows)


def test_the_latest_day_holds_and_of_one_day_the_latest_version(client: TestClient) -> None:
    own_accounts(client)
    say(client, Mapped("cost.bonus_pay", "7200", date(2026, 7, 1)))
    say(client, Mapped("cost.bonus_pay", "7300", FIRST))
    say(client, Mapped("cost.bonus_pay", "7100", FIRST))

    def account_on(day: date) -> str:
        with client.acting("bookkeeper"):
            line = next(line for line in GB.postings.lines() if line.code == "cost.bonus_pay")
            return account_map.map_of(day).account_of(line)

    assert [account_on(day) for day in (date(2026, 5, 31), JUNE, JULY)] == ["5000", "7100", "7200"]
    say(client, Mapped("cost.bonus_pay", "", date(2026, 7, 1)))
    assert account_on(JULY) == "5000"


def test_a_line_without_an_account_blocks_the_run_and_says_what_to_do(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    with superuser() as connection:
        connection.execute(
            "UPDATE ledger_account SET code = '5099' WHERE client_id = %s AND code = '5010'", [client.id]
        )
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    assert blocked(client, run_id) == [(f"pay run {_number(client, run_id)}", "account map")]
    with (
        client.acting("lead"),
        pytest.raises(Conflict, match=r"goes to account '5010', which the book does not"),
    ):
        run = services.find_run(run_id)
        services.approve_pay_run(run_id, content_hash=bytes(run.content_hash or b"").hex())
    with client.acting("lead"):
        (wrong,) = account_map.unmapped(services.find_run(run_id))
        assert wrong.remedy == "Map cost.employer_nic to an account of the book, or add 5010"
    say(client, Mapped("cost.employer_nic", "5099", FIRST))
    assert blocked(client, run_id) == []
    released(client, run_id)
    assert posted(client, run_id)["5099"] > 0


def _number(client: TestClient, run_id: UUID) -> int:
    with client.acting():
        return services.find_run(run_id).number


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (Mapped("cost.gold", "5000", FIRST), "'cost.gold' is no line of a run"),
        (Mapped("cost.bonus_pay", "9999", FIRST), "account '9999', which the book does not have"),
        (Mapped("cost.bonus_pay", "2200", FIRST), "account 2200 is a control account"),
        (Mapped("owed.paye", "5000", FIRST), "account 5000 is no control account"),
        (Mapped("owed.paye", "2200", FIRST, "shop"), "no cost, so it has no cost centre"),
        (Mapped("owed.net_pay", "2200", FIRST), "net pay always goes to"),
    ],
)
def test_what_cannot_be_posted_is_refused_when_it_is_said(
    client: TestClient, row: Mapped, words: str
) -> None:
    with pytest.raises(InputRefused, match=words):
        say(client, row)


def test_nothing_or_the_same_twice_or_without_a_reason_is_refused(client: TestClient) -> None:
    twice = Mapped("cost.bonus_pay", "5000", FIRST)
    with pytest.raises(InputRefused, match="mapped twice"):
        say(client, twice, twice)
    with pytest.raises(InputRefused, match="nothing is mapped"):
        say(client)
    with client.acting("bookkeeper"), pytest.raises(InputRefused):
        account_map.map_accounts([twice], reason=" ")
    with client.acting("bookkeeper"):
        assert account_map.versions() == []


def test_raw_sql_neither_changes_a_version_nor_adds_to_it_nor_posts_a_run_by_another(
    client: TestClient,
) -> None:
    monthly(client, people(client, Employee()))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    done = say(client, Mapped("cost.bonus_pay", "5000", FIRST))
    added = (
        "INSERT INTO payroll_mappedaccount (id, client_id, change_id, line, cost_centre, starts, account) "
        "VALUES (%s, %s, %s, 'cost.basic_pay', '', '2026-06-01', '7900')"
    )
    by_another = "INSERT INTO payroll_postedmap (id, client_id, version, accounts) VALUES (%s, %s, 1, %s)"
    for sql, values in (
        (added, [uuid7(), client.id, done.change_id]),
        (by_another, [run_id, client.id, Jsonb({})]),
    ):
        with connect() as raw, pytest.raises(psycopg.Error) as refused:
            enter(raw, client.staff["bookkeeper"], write=client.id)
            raw.execute(sql, values)
        assert refused.value.sqlstate == "ER409"
    released(client, run_id)
    for sql in (
        "UPDATE payroll_mappedaccount SET account = '7900'",
        "DELETE FROM payroll_mappedaccount",
        "UPDATE payroll_accountchange SET reason = 'none'",
        "UPDATE payroll_postedmap SET version = 7",
        "DELETE FROM payroll_postedmap",
    ):
        with connect() as raw, pytest.raises(psycopg.Error):
            enter(raw, client.staff["bookkeeper"], write=client.id)
            raw.execute(sql)


# --- as it is said ----------------------------------------------------------------------------------------


def test_a_file_of_the_map_says_everything_wrong_at_once_and_is_one_version(client: TestClient) -> None:
    headings = ("line", "account", "from_date", "cost_centre")
    wrong = [
        ("cost.gold", "5000", FIRST, ""),
        ("owed.paye", "5000", FIRST, ""),
        ("cost.bonus_pay", "1", FIRST, ""),
    ]
    with pytest.raises(EngineroomError) as refused:
        client.take("account-map", client.file("map.csv", headings, wrong), role="bookkeeper")
    assert all(words in str(refused.value) for words in ("cost.gold", "owed.paye", "'1'"))
    right = [("cost.bonus_pay", "7900", FIRST, ""), ("cost.basic_pay", "7900", FIRST, "shop")]
    client.take("account-map", client.file("map.csv", headings, right), role="bookkeeper")
    with client.acting("bookkeeper"):
        (version,) = account_map.versions()
        assert (version.number, version.source, len(version.rows)) == (1, "map.csv", 2)
        assert account_map.map_of(JUNE).has_centres


def test_the_page_maps_a_line_adds_an_account_and_shows_the_journal(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    paid(client, JUNE)
    browser, at = signed_in(client.staff["bookkeeper"]), f"/c/{client.code}"
    new = {"new-code": "7100", "new-name": "Bonuses", "new-type": "expense"}
    assert browser.post(f"{at}/account-map/do/add", new).status_code == 303
    row = {"line": "cost.bonus_pay", "account": "7100", "starts": "2026-06-01", "reason": WHY}
    assert browser.post(f"{at}/account-map/do/map", row).status_code == 303
    wrong = browser.post(f"{at}/account-map/do/map", {**row, "account": "2200"}, follow=True)
    assert "is a control account" in wrong.content.decode()
    shown = browser.get(f"{at}/account-map").content.decode()
    assert "7100 Bonuses" in shown and "This client's map" in shown and "accountant asks" in shown
    with client.acting("bookkeeper"):
        number = selectors.runs().rows[0].number
    page = browser.get(f"{at}/runs/{number}/do/journal").content.decode()
    assert "Posted" in page and "Basic pay" in page and "3,000.00" in page
    file = browser.get(f"{at}/runs/{number}/do/journal.csv")
    assert file["Content-Type"] == "text/csv; charset=utf-8" and b"cost.basic_pay" in file.content
