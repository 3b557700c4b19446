"""Files of people: starters, leavers, returns, changes; and dated rows that never overlap."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.firm import Temp, TestClient, approve_accounts, connect, enter, set_up

from engineroom.foundation.crypto.fields import reveal
from engineroom.kernel.errors import InputRefused
from engineroom.openitems.models import Counterparty
from engineroom.people.models import BankAccount, Employment, Person

HEADINGS = (
    "payroll_number", "name", "date_of_birth", "email", "ni_number", "start_date", "leave_date", "sort_code",
    "account_number", "account_from",
)  # fmt: skip


def person(**different: str) -> tuple[str, ...]:
    row = {
        "payroll_number": "T1", "name": "Jo Bloggs", "start_date": "2026-01-05", "sort_code": "20-00-00",
        "account_number": "00000001",
    }  # fmt: skip
    row |= different
    return tuple(row.get(h, "") for h in HEADINGS)


def take(client: TestClient, *rows: tuple[str, ...], name: str = "people.csv") -> dict[str, int]:
    return client.take("people", client.file(name, HEADINGS, rows)).taken[0].counts


def employments(client: TestClient) -> list[tuple[date, date | None]]:
    with client.acting():
        rows = Employment.objects.filter(client_id=client.id).order_by("starts")
        return list(rows.values_list("starts", "ends"))


def accounts(client: TestClient) -> list[tuple[date, date | None, str | None]]:
    with client.acting():
        rows = list(BankAccount.objects.filter(client_id=client.id).order_by("starts"))
        numbers = reveal(rows, "account_number", purpose="test")
        return [(row.starts, row.ends, number) for row, number in zip(rows, numbers, strict=True)]


def test_a_starter_is_a_person_a_payee_an_employment_and_an_account(client: TestClient) -> None:
    assert take(client, person(ni_number="QQ123456C")) == {"people": 1, "changed": 0}
    with client.acting():
        made = Person.objects.get(client_id=client.id)
        assert Counterparty.objects.get(client_id=client.id, kind="person").id == made.counterparty_id
        assert reveal([made], "ni_number", purpose="test") == ["QQ123456C"]
    assert employments(client) == [(date(2026, 1, 5), None)]
    assert accounts(client) == [(date(2026, 1, 5), None, "00000001")]


def test_the_same_people_in_another_file_change_nothing(client: TestClient) -> None:
    take(client, person())
    assert take(client, person(), person(payroll_number="T2", account_number="00000002"), name="b.csv") == {
        "people": 1,
        "changed": 0,
    }


def test_a_known_person_is_updated_with_what_differs(client: TestClient) -> None:
    take(client, person(ni_number="QQ123456C"))
    new = person(name="Jo Smith", email="jo@mail.example", ni_number="QQ654321C")
    assert take(client, new, name="b.csv") == {"people": 0, "changed": 1}
    with client.acting():
        now = Person.objects.get(client_id=client.id)
        assert (now.name, now.email) == ("Jo Smith", "jo@mail.example")
        assert reveal([now], "ni_number", purpose="test") == ["QQ654321C"]
        assert Counterparty.objects.get(client_id=client.id, kind="person").name == "Jo Smith"
    assert take(client, person(name="Jo Smith"), name="c.csv")["changed"] == 0


def test_a_leaver_leaves_and_comes_back(client: TestClient) -> None:
    take(client, person())
    take(client, person(leave_date="2026-03-31"), name="b.csv")
    assert employments(client) == [(date(2026, 1, 5), date(2026, 3, 31))]
    take(client, person(start_date="2026-09-01"), name="c.csv")
    assert employments(client) == [(date(2026, 1, 5), date(2026, 3, 31)), (date(2026, 9, 1), None)]


def test_a_start_date_that_contradicts_the_file_before_is_an_error(client: TestClient) -> None:
    take(client, person())
    with pytest.raises(
        InputRefused, match=r"b.csv, row 2, start_date: employed since 2026-01-05, not 2026-02-01"
    ):
        take(client, person(start_date="2026-02-01"), name="b.csv")


def test_another_account_needs_the_day_it_is_theirs_from(client: TestClient) -> None:
    """No clock decides where money goes: a file taken a day later gives the same payday."""
    take(client, person())
    changed = {"sort_code": "20-00-01", "account_number": "11111111"}
    with pytest.raises(
        InputRefused, match="row 2, account_from: this is another account than the one on file"
    ):
        take(client, person(**changed), name="b.csv")
    with pytest.raises(InputRefused, match="Give 2026-01-06 or later"):
        take(client, person(**changed, account_from="2026-01-05"), name="c.csv")
    taken = take(client, person(**changed, account_from="2026-11-23"), name="d.csv")
    assert taken == {"people": 0, "changed": 0, "accounts held for a second person": 1}
    assert accounts(client) == [(date(2026, 1, 5), None, "00000001")]
    assert approve_accounts(client) == 1
    assert accounts(client) == [
        (date(2026, 1, 5), date(2026, 11, 22), "00000001"),
        (date(2026, 11, 23), None, "11111111"),
    ]


def test_an_account_that_comes_later_stands_from_its_day(client: TestClient) -> None:
    take(client, person(sort_code="", account_number=""))
    assert accounts(client) == []
    take(client, person(account_from="2026-06-01"), name="b.csv")
    assert accounts(client) == [(date(2026, 6, 1), None, "00000001")]


@pytest.mark.behaviour("PRIV-01", part="encryption")
def test_private_columns_lie_sealed_in_the_table(client: TestClient) -> None:
    take(client, person(ni_number="QQ123456C", account_number="73726352"))
    with connect() as db:
        enter(db, client.staff["specialist"], read=[client.id])
        sql = (
            "SELECT p.ni_number, b.sort_code, b.account_number, b.fingerprint FROM "
            "people_person p, people_bankaccount b"
        )
        for sealed in db.execute(sql).fetchone() or ():
            assert b"QQ123456C" not in bytes(sealed)
            assert b"73726352" not in bytes(sealed)


# --- dated rows ---------------------------------------------------------------------------------------

DATED = {
    "people_employment": ("person_id", {}),
    "payroll_taxdetails": (
        "person_id",
        {
            "tax_code": "'1257L'", "is_cumulative": "true", "ni_category": "'A'", "student_loan_plan": "''",
            "postgraduate_loan": "false", "pension_relief": "''", "pension_employee_ppm": "0",
            "pension_employer_ppm": "0", "director_method": "''", "director_weeks": "52", "previous_pay": "0",
            "previous_tax": "0",
        },
    ),
    "timesheets_assignmentrate": (
        "assignment_id",
        {
            "pay_rate": "1", "bill_rate": "1", "overtime_ppm": "1", "weekend_ppm": "1",
            "weekly_threshold_minutes": "1",
        },
    ),
}  # fmt: skip


def insert_dated(db: Any, table: str, client_id: UUID, owner: UUID, starts: str, ends: str | None) -> None:
    key, others = DATED[table]
    columns = ", ".join(["id", "client_id", key, "starts", "ends", *others])
    values = ", ".join(["%s", "%s", "%s", "%s", "%s", *others.values()])
    db.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({values})", [uuid4(), client_id, owner, starts, ends]
    )


@pytest.mark.parametrize("table", DATED)
def test_dated_rows_of_one_owner_never_overlap(client: TestClient, table: str) -> None:
    """By raw SQL as the application's role: a row of 2030 stands, and nothing may share a day with it."""
    set_up(client, [Temp("T1")])
    key, _ = DATED[table]
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        found = db.execute(f"SELECT id, {key} FROM {table} WHERE client_id = %s", [client.id]).fetchone()
        assert found is not None
        db.execute(f"UPDATE {table} SET ends = starts WHERE id = %s", [found[0]])
        insert_dated(db, table, client.id, found[1], "2030-01-01", "2030-12-31")
        insert_dated(db, table, client.id, found[1], "2031-01-01", "2031-12-31")
        insert_dated(db, table, client.id, found[1], "2029-01-01", "2029-12-31")
        for starts, ends in OVERLAPPING:
            with pytest.raises(psycopg.errors.ExclusionViolation, match="no_overlap"), db.transaction():
                insert_dated(db, table, client.id, found[1], starts, ends)


OVERLAPPING = [
    ("2020-01-01", None),  # around it, for ever
    ("2020-01-01", "2040-01-01"),
    ("2030-06-30", "2030-06-30"),  # one day within
    ("2030-12-31", None),  # on its last day
]


def test_problems_quote_nothing_that_a_role_may_not_see(client: TestClient) -> None:
    secrets = {
        "date_of_birth": "31.02.1990",
        "ni_number": "QQ 12 34 56 C and a note",
        "sort_code": "20-00-99-1",
        "account_number": "123456789",
    }
    rows = [person(payroll_number=f"T{i}", **{name: text}) for i, (name, text) in enumerate(secrets.items())]
    rows.append(person(payroll_number="T9", sort_code="20-00-9x"))
    with pytest.raises(InputRefused) as refused:
        take(client, *rows)
    said = str(refused.value) + "".join(f"{p.problem} {p.remedy}" for p in refused.value.problems)
    assert {p.field for p in refused.value.problems} == set(secrets)
    assert "has 24 characters, at most 13" in said
    for text in (*secrets.values(), "QQ 12", "20-00-9x"):
        assert text not in said


def test_a_file_without_headings_quotes_nobody(client: TestClient) -> None:
    file = client.file("bare.csv", person(ni_number="QQ123456C"), [person(ni_number="QQ123456C")])
    with pytest.raises(InputRefused) as refused:
        client.take("people", file)
    assert "QQ123456C" not in str([(p.problem, p.remedy, p.field) for p in refused.value.problems])
