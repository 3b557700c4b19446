"""Bank statements taken in: each line once, hostile files not at all, memory that does not grow."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engineroom.foundation.imports import services as imports
from engineroom.kernel.errors import InputRefused, NotPermitted, Problem
from engineroom.payday import steps
from engineroom.settlement import imports as statements
from engineroom.settlement.formats import reading, record
from engineroom.settlement.models import BankLine, Statement
from tests.firm import TestClient
from tests.settlement.bank import DAY, Booked, statement, write


def take(client: TestClient, *texts: str, name: str = "statement.xml") -> dict[str, int]:
    """Import one file of these statements; what the receipt counts."""
    [taken] = client.take("statement", write(client.folder, *texts, name=name), role="bookkeeper").taken
    return {} if taken.again else taken.counts


def refused(client: TestClient, path: Path) -> Sequence[Problem]:
    with pytest.raises(InputRefused) as refusal:
        client.take("statement", path, role="bookkeeper")
    with client.acting("bookkeeper"):
        assert not BankLine.objects.filter(client_id=client.id).exists()
        assert not Statement.objects.filter(client_id=client.id).exists()
    problems = refusal.value.problems
    assert problems
    assert all(p.problem and p.remedy for p in problems)
    return problems


def amounts(client: TestClient) -> list[int]:
    with client.acting("bookkeeper"):
        return sorted(BankLine.objects.filter(client_id=client.id).values_list("amount", flat=True))


# each line once ---------------------------------------------------------------------------------------


@pytest.mark.behaviour("CLR-05")
def test_the_same_file_twice_is_a_no_op(client: TestClient) -> None:
    one = statement([Booked(100, reference="B1"), Booked(-30)])
    assert take(client, one) == {"statements": 1, "lines": 2, "known": 0}
    assert take(client, one, name="the same under another name.xml") == {}
    assert amounts(client) == [-30, 100]


@pytest.mark.behaviour("CLR-05")
@pytest.mark.parametrize("reference", ["", "B1"])
def test_two_identical_lines_stay_two(client: TestClient, reference: str) -> None:
    """A bank may even give both the same reference."""
    twice = [Booked(100, "rent", "ACME", reference)] * 2
    assert take(client, statement(twice))["lines"] == 2
    later = [*twice, Booked(5, reference="B9")]
    assert take(client, statement(later), name="downloaded again.xml") == {
        "statements": 1,
        "lines": 1,
        "known": 2,
    }
    assert amounts(client) == [5, 100, 100]


@pytest.mark.behaviour("CLR-05")
def test_a_line_in_two_overlapping_statements_is_taken_once(client: TestClient) -> None:
    shared = [Booked(100, reference="B2"), Booked(100, reference="B3")]
    first = statement([Booked(1, reference="B1"), *shared], id_="1 to 15")
    second = statement([*shared, Booked(4, reference="B4")], id_="10 to 20")
    assert take(client, first)["lines"] == 3
    assert take(client, second, name="second.xml") == {"statements": 1, "lines": 1, "known": 2}
    assert amounts(client) == [1, 4, 100, 100]


@pytest.mark.behaviour("CLR-05")
def test_statements_that_overlap_within_one_file_share_their_lines_too(client: TestClient) -> None:
    shared = Booked(100, reference="B2")
    first, second = statement([shared], id_="A"), statement([shared, Booked(7, reference="B3")], id_="B")
    assert take(client, first, second) == {"statements": 2, "lines": 2, "known": 1}


@pytest.mark.behaviour("CLR-05")
def test_equal_lines_on_two_pages_of_a_statement_stay_two(client: TestClient) -> None:
    pages = [statement([Booked(100, "rent")], page=n, opening=100 * (n - 1)) for n in (1, 2)]
    assert take(client, *pages) == {"statements": 2, "lines": 2, "known": 0}


def test_a_statement_repeated_in_its_file_is_taken_once(client: TestClient) -> None:
    one = statement([Booked(100, "rent")])
    assert take(client, one, one) == {"statements": 2, "lines": 1, "known": 1}


def test_lines_without_the_banks_reference_in_overlapping_statements_are_warned_of(
    client: TestClient,
) -> None:
    """Nothing says whether they are the same lines: dropping one could lose money, so a person looks."""
    take(client, statement([Booked(100, "rent")], id_="November", period=(DAY - timedelta(days=9), DAY)))
    path = write(client.folder, statement([Booked(100, "rent")], id_="week 48"), name="week.xml")
    done = client.take("statement", path, role="bookkeeper")
    assert [(p.severity, p.field) for p in done.problems] == [("warning", "AcctSvcrRef"), ("warning", "Bal")]
    assert "statements overlap from 2026-11-27 to 2026-11-27" in done.problems[1].problem
    assert done.taken[0].counts["lines"] == 1


@pytest.mark.behaviour("CLR-05")
@pytest.mark.parametrize("together", [True, False], ids=["one file", "two files"])
def test_equal_nameless_lines_on_two_pages_stay_two_however_they_come(
    client: TestClient, together: bool
) -> None:
    pages = [statement([Booked(100, "cash")], page=n, opening=100 * (n - 1)) for n in (1, 2)]
    if together:
        take(client, *pages)
    else:
        assert take(client, pages[0], name="1.xml")["lines"] == take(client, pages[1], name="2.xml")["lines"]
    assert amounts(client) == [100, 100]


@pytest.mark.behaviour("CLR-05")
def test_a_line_that_the_bank_words_anew_is_taken_once_and_told(client: TestClient) -> None:
    take(client, statement([Booked(4400, "CASH", "", "UNIQ77")], id_="R1"))
    path = write(
        client.folder, statement([Booked(4400, "CASH AT BRANCH", "JO", "UNIQ77")], id_="R2"), name="2"
    )
    done = client.take("statement", path, role="bookkeeper")
    assert done.taken[0].counts == {"statements": 1, "lines": 0, "known": 1}
    [problem] = done.problems
    assert problem.severity == "warning"
    assert "known, with another text" in problem.problem
    assert problem.row


@pytest.mark.behaviour("CLR-05")
@pytest.mark.parametrize("change", ["amount", "day"])
def test_one_reference_on_another_day_or_amount_is_another_line(client: TestClient, change: str) -> None:
    """Some banks use a reference again; the day and the amount tell the lines apart."""
    later = DAY + timedelta(days=1)
    first = Booked(100, "rent", reference="B1")
    second = (
        Booked(101, "rent", reference="B1")
        if change == "amount"
        else Booked(100, "rent", "", "B1", day=later)
    )
    take(client, statement([first], id_="A"))
    assert take(client, statement([second], id_="B", period=(DAY, later)), name="b.xml")["lines"] == 1


@pytest.mark.parametrize("nothing", ["NONREF", "nonref", "NotProvided", " "])
def test_a_reference_that_says_nothing_is_none(client: TestClient, nothing: str) -> None:
    """Equal lines of two days' statements under NONREF are two payments."""
    line = Booked(3300, "rent", "ACME", nothing)
    take(client, statement([line], id_="Q1"), statement([line], id_="Q2", opening=3300))
    assert amounts(client) == [3300, 3300]
    with client.acting("bookkeeper"):
        rows = BankLine.objects.filter(client_id=client.id)
        assert set(rows.values_list("bank_reference", "end_to_end", "remittance")) == {("", "", "rent")}


def test_a_nameless_line_known_from_another_file_is_told_each_time(client: TestClient) -> None:
    lines = [Booked(100, "rent"), Booked(7, "fee", reference="B1")]
    take(client, statement(lines))
    path = write(client.folder, statement([*lines, Booked(100, "rent"), Booked(5, "new")]), name="again.xml")
    done = client.take("statement", path, role="bookkeeper")
    assert done.taken[0].counts == {"statements": 1, "lines": 2, "known": 2}
    [problem] = done.problems
    assert "without a reference of the bank is known by its words" in problem.problem


def test_of_many_known_nameless_lines_the_first_are_told_and_the_rest_counted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_PROBLEMS", 3)
    lines = [Booked(n, "same") for n in range(1, 8)]
    take(client, statement(lines))
    path = write(client.folder, statement([*lines, Booked(99, "new")]), name="again.xml")
    told = client.take("statement", path, role="bookkeeper").problems
    assert len(told) == 4
    assert told[-1].problem == "4 more lines like these are known already"


def test_a_payments_own_reference_names_the_line_where_the_entry_has_none(client: TestClient) -> None:
    text = statement([Booked(100, "rent")]).replace("<Refs>", "<Refs><AcctSvcrRef>TX-9</AcctSvcrRef>")
    take(client, text)
    with client.acting("bookkeeper"):
        assert BankLine.objects.get(client_id=client.id).bank_reference == "TX-9"


def test_what_is_only_pending_is_not_taken(client: TestClient) -> None:
    assert take(client, statement([Booked(100), Booked(50, status="PDNG")]))["lines"] == 1


def test_more_lines_than_are_laid_down_at_once_are_all_taken_in_order(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "LINES_AT_ONCE", 3)
    assert (
        take(client, statement([Booked(n, "same") for n in range(1, 11)] + [Booked(1, "same")]))["lines"]
        == 11
    )
    with client.acting("bookkeeper"):
        rows = BankLine.objects.filter(client_id=client.id).order_by("ordinal")
        assert list(rows.values_list("ordinal", "amount")) == [*((n, n) for n in range(1, 11)), (11, 1)]


# what is refused --------------------------------------------------------------------------------------


def test_a_statement_of_another_clients_account_is_refused(client: TestClient) -> None:
    [problem] = refused(client, write(client.folder, statement([Booked(100)], account="20000011112222")))
    assert "20000011112222, which is not a bank account of this client" in problem.problem


def test_a_statement_in_another_currency_is_refused(client: TestClient) -> None:
    [problem] = refused(client, write(client.folder, statement([Booked(100)], currency="EUR")))
    assert "in EUR, the account main is in GBP" in problem.problem


def test_every_statement_of_a_file_is_judged_and_none_is_taken(client: TestClient) -> None:
    texts = [
        statement([Booked(100)]),
        statement([Booked(100)], id_="S2", account="1"),
        statement([Booked(100)], id_="S3", currency="EUR"),
    ]
    assert len(refused(client, write(client.folder, *texts))) == 2


def test_a_line_without_any_date_is_named(client: TestClient) -> None:
    text = statement([Booked(100), Booked(5, day=None), Booked(6, day=None)])
    problems = refused(client, write(client.folder, text))
    assert [(p.field, p.file) for p in problems] == [("Ntry 2", "statement.xml"), ("Ntry 3", "statement.xml")]
    assert all(p.row for p in problems)


def test_a_statement_that_does_not_add_up_is_refused(client: TestClient) -> None:
    [problem] = refused(client, write(client.folder, statement([Booked(100)], closing=99)))
    assert "does not add up" in problem.problem


HOSTILE = {
    "an entity bomb": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'boom'>]><Document>&b;</Document>",
    "a file of the system": b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><Document>&b;</Document>",
    "no XML": b"PK\x03\x04 this is a zip",
    "nothing": b"",
    "another message": b"<Document><CstmrCdtTrfInitn><GrpHdr/></CstmrCdtTrfInitn></Document>",
    "one long text": b"<Document><BkToCstmrStmt><Stmt><Id>"
    + b"x" * 5_000_000
    + b"</Id></Stmt></BkToCstmrStmt></Document>",
    "not its encoding": b"<?xml version='1.0'?><Document><BkToCstmrStmt><Stmt><Id>\xff\xfe</Id>",
    "deep": b"<Document><BkToCstmrStmt>" + b"<a>" * 2000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_in_words(client: TestClient, content: bytes) -> None:
    path = client.folder / "hostile.xml"
    path.write_bytes(content)
    refused(client, path)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_statement_is_refused(client: TestClient, kept: float) -> None:
    path = write(client.folder, statement([Booked(n) for n in range(1, 50)]))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert any("truncated" in p.problem for p in refused(client, path))


def test_a_statement_with_an_endless_id_is_refused_not_cut(client: TestClient) -> None:
    [problem] = refused(client, write(client.folder, statement([Booked(100)], id_="S" * 61)))
    assert problem.field == "Id"


def test_a_file_of_too_many_statements_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "MAX_STATEMENTS", 3)
    path = write(client.folder, *(statement([Booked(1)], id_=f"S{n}") for n in range(4)))
    assert any("more than 3 statements" in p.problem for p in refused(client, path))


def test_who_may_not_prepare_settlement_takes_no_statement(client: TestClient) -> None:
    path = write(client.folder, statement([Booked(100)]))
    with pytest.raises(NotPermitted):
        client.take("statement", path, role="specialist")


# between preview and taking ---------------------------------------------------------------------------


def test_what_was_previewed_is_what_is_taken_though_the_file_changed_since(client: TestClient) -> None:
    path = write(client.folder, statement([Booked(100)]))
    with client.acting("bookkeeper"):
        seen, problems = imports.preview("statement", path)
    assert (seen.rows, problems) == (1, [])
    write(client.folder, statement([Booked(999)]))
    with client.acting("bookkeeper"):
        imports.take(seen.preview_id)
    assert amounts(client) == [100]


def test_two_files_are_taken_in_one_transaction_or_neither(client: TestClient) -> None:
    good = write(client.folder, statement([Booked(100)]), name="good.xml")
    bad = write(client.folder, statement([Booked(5)], id_="S2", closing=6), name="bad.xml")
    with pytest.raises(InputRefused):
        steps.import_files(client.staff["bookkeeper"], client.id, "statement", [good, bad])
    assert amounts(client) == []
    second = write(client.folder, statement([Booked(7)], id_="S3"), name="second.xml")
    steps.import_files(client.staff["bookkeeper"], client.id, "statement", [good, second])
    assert amounts(client) == [7, 100]


def test_no_more_lines_are_held_than_are_laid_down_at_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: counted among everything that is alive while lines are taken."""
    alive: list[int] = []
    lay_down = statements._line_columns

    def count_and_lay_down(*parts: Any) -> dict[str, Any]:
        alive.append(sum(isinstance(one, record.Line) for one in gc.get_objects()))
        return lay_down(*parts)

    monkeypatch.setattr(statements, "LINES_AT_ONCE", 40)
    monkeypatch.setattr(statements, "_line_columns", count_and_lay_down)
    assert take(client, statement([Booked(n) for n in range(1, 1_001)]))["lines"] == 1_000
    assert len(alive) == 25
    assert max(alive) <= 2 * 40 + 1


def test_lines_come_with_what_the_bank_said(client: TestClient) -> None:
    lines = [
        Booked(12345, "INV-000007 & thanks", "ACME <LTD>", "BREF", "E2E-1"),
        Booked(-9, "back", "JO", returned="AC04", end_to_end="ER000001 00002", day=date(2026, 11, 30)),
    ]
    take(client, statement(lines))
    with client.acting("bookkeeper"):
        first, second = BankLine.objects.filter(client_id=client.id).order_by("ordinal")
    assert (first.amount, first.currency, first.booked, first.value_date) == (12345, "GBP", DAY, DAY)
    assert (first.counterparty_name, first.bank_reference, first.end_to_end) == (
        "ACME <LTD>",
        "BREF",
        "E2E-1",
    )
    assert "INV-000007 & thanks" in first.remittance
    assert (second.end_to_end, second.return_reason) == ("ER000001 00002", "AC04")
