"""Break it: every attempt is refused by PostgreSQL, in its own words, and nothing of it remains."""

from __future__ import annotations

import re

import pytest
from django.apps import apps

from engineroom.foundation.tenancy.models import ClientModel
from engineroom.web.break_pages import ATTEMPTS
from tests.firm import Firm, Temp, TestClient, run_payday, set_up, superuser
from tests.web.conftest import signed_in

TABLES = sorted(m._meta.db_table for m in apps.get_models() if issubclass(m, ClientModel))

WORDS = {
    "approve-own-run": ("ER403", "maker is not checker"),
    "edit-a-posting": ("42501", "permission denied for table ledger_posting"),
    "delete-a-payslip": ("42501", "permission denied for table payroll_payslip"),
    "import-twice": ("23505", "duplicate key value violates unique constraint"),
    "add-a-line": ("ER422", "an entry is written whole"),
    "unbalanced-entry": ("ER422", "an entry adds to zero in every currency"),
}
"""What PostgreSQL says: the state and the beginning of its sentence."""


@pytest.fixture(scope="module")
def paid(firm: Firm) -> TestClient:
    client = firm.new_client()
    temps = [Temp("T1"), Temp("T2", "Al Smith", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps)
    return client


def counts() -> dict[str, int]:
    """Rows of every client table, past every guard."""
    with superuser() as look:
        return {table: look.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def test_every_attempt_has_its_words_here_or_reads():
    assert {a.name for a in ATTEMPTS if not a.reads_nothing} == set(WORDS)


@pytest.mark.parametrize("name", WORDS)
def test_it_is_refused_in_postgresqls_own_words_and_nothing_remains(paid, name):
    before = counts()
    page = signed_in(paid.staff["lead"]).post(f"/demo/break/{name}")
    text = page.content.decode()
    assert page.status_code == 200
    state, words = WORDS[name]
    assert f"<code>{state}</code>" in text and words in text
    assert "NOT refused" not in text and "Refused" in text
    assert re.search(r"(INSERT INTO|UPDATE|DELETE FROM) \w+", text) and "%(" not in text
    assert counts() == before


def test_the_posting_and_the_payslip_stand_as_they_were(paid):
    def fingerprint() -> list[tuple]:
        with superuser() as look:
            return look.execute(
                "SELECT count(*), sum(amount), max(id::text) FROM ledger_posting UNION ALL "
                "SELECT count(*), sum(amounts[1]), max(id::text) FROM payroll_payslip"
            ).fetchall()

    before = fingerprint()
    browser = signed_in(paid.staff["specialist"])
    for name in WORDS:
        browser.post(f"/demo/break/{name}")
    assert fingerprint() == before


def test_another_clients_people_are_there_and_are_not_found(firm, paid, client):
    """Those of the other client of who tries it, and never of the one they are at work on."""
    user = firm.new_user()
    for held in (paid, client):
        firm.grant(user, held.id, "specialist")
    three = [Temp("T1"), Temp("T2", "Al Smith"), Temp("T3", "Bo Jones")]
    set_up(client, three)
    on, other, there = (paid, client, 3) if paid.code < client.code else (client, paid, 2)
    text = signed_in(user).post("/demo/break/read-another-client").content.decode()
    numbers = [int(held.code[1:]) for held in (other, on)]
    names = [f"Client {n} Ltd" for n in numbers]
    assert f"{there} people of {names[0]} there, 0 found by you at work on {names[1]}" in text
    assert other.id.hex in text.replace("-", "") and "NOT refused" not in text


def test_where_the_other_client_has_no_people_it_is_the_one_at_work_on(firm, paid, client):
    user = firm.new_user()
    for held in (paid, client):
        firm.grant(user, held.id, "specialist")
    text = signed_in(user).post("/demo/break/read-another-client").content.decode()
    names = [f"Client {int(held.code[1:])} Ltd" for held in (paid, client)]
    assert f"2 people of {names[0]} there, 0 found by you at work on {names[1]}" in text


def test_whoever_holds_one_client_asks_for_its_people_while_at_work_on_none(paid):
    text = signed_in(paid.staff["lead"]).post("/demo/break/read-another-client").content.decode()
    assert "2 people of" in text and "0 found by you at work on no client" in text
    assert "NOT refused" not in text


def test_the_page_offers_every_attempt(paid):
    text = signed_in(paid.staff["specialist"]).get("/demo/break").content.decode()
    assert len(re.findall(r'action="/demo/break/', text)) == len(ATTEMPTS) == 7


def test_where_nothing_was_paid_there_is_nothing_to_delete(client):
    text = signed_in(client.staff["lead"]).post("/demo/break/delete-a-payslip").content.decode()
    assert "Nothing to try it on" in text


def test_what_is_let_through_is_shown_in_red_and_rolled_back(paid, monkeypatch):
    """The page does not say Refused by itself: an attempt that works is told apart."""
    from dataclasses import replace

    from engineroom.web import break_pages

    works = replace(
        break_pages.BY_NAME["edit-a-posting"],
        tried=("UPDATE people_person SET name = name || ' changed' WHERE client_id = %(client)s",),
    )
    monkeypatch.setitem(break_pages.BY_NAME, "edit-a-posting", works)
    text = signed_in(paid.staff["lead"]).post("/demo/break/edit-a-posting").content.decode()
    assert "NOT refused" in text
    with superuser() as look:
        assert look.execute("SELECT count(*) FROM people_person WHERE name LIKE '% changed'").fetchone() == (
            0,
        )


def test_it_is_for_the_firms_face_in_a_demonstration_alone(firm, paid, browser, monkeypatch):
    assert browser.post("/demo/break/edit-a-posting").status_code == 302
    contact = firm.new_user("client")
    firm.grant(contact, paid.id, "client_approver")
    assert signed_in(contact).get("/demo/break").status_code == 404
    assert signed_in(contact).post("/demo/break/edit-a-posting").status_code == 404
    mine = signed_in(paid.staff["lead"])
    assert mine.get("/demo/break/edit-a-posting").status_code == 405
    assert mine.post("/demo/break/no-such").status_code == 404
    monkeypatch.setattr("engineroom.web.break_pages.is_demo", lambda: False)
    assert mine.get("/demo/break").status_code == 404
    assert mine.post("/demo/break/edit-a-posting").status_code == 404
