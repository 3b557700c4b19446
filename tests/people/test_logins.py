"""A login makes a user one person, and from then on PostgreSQL shows them that person's rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from tests.firm import Firm, Temp, TestClient, connect, enter, run_payday, set_up

from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, NotFound, NotPermitted
from engineroom.people import own, services
from engineroom.people.models import Person, PersonLogin

TODAY = timezone.now().date()
STARTS = date(2026, 1, 5)
ONES_OWN = {
    "people_person": "id",
    "people_employment": "person_id",
    "people_bankaccount": "person_id",
    "payroll_taxdetails": "person_id",
    "payroll_payslip": "person_id",
    "timesheets_assignment": "person_id",
}
"""Tables of rows that are about one person, and the column that says about whom."""


@dataclass
class Pair:
    """A client that paid two people, of whom the first has a login."""

    client: TestClient
    jo: Identity
    jo_id: UUID
    al_id: UUID


def person_named(client: TestClient, number: str) -> UUID:
    with client.acting("specialist"):
        return Person.objects.get(client_id=client.id, payroll_number=number).counterparty_id


def employee_of(firm: Firm, client: TestClient) -> Identity:
    user = firm.new_user("employee")
    firm.grant(user, client.id, "employee")
    return user


@pytest.fixture(scope="module")
def pair(firm: Firm) -> Pair:
    client = firm.new_client()
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps)
    jo = employee_of(firm, client)
    jo_id, al_id = person_named(client, "T1"), person_named(client, "T2")
    with client.acting("lead"):
        services.give_login(jo_id, jo.id, starts=STARTS)
    return Pair(client, jo, jo_id, al_id)


def enter_own(app: psycopg.Connection, user: Identity, *clients: UUID, write: UUID | None = None) -> None:
    app.execute("SELECT app_enter(%s, NULL, 'self', %s, %s)", [user.id, list(clients), write])


@pytest.mark.parametrize(("table", "column"), ONES_OWN.items())
def test_raw_sql_as_an_employee_finds_their_own_rows_and_nobody_elses(pair, table, column):
    with connect() as app:
        enter_own(app, pair.jo, pair.client.id)
        assert app.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall() == [(pair.jo_id,)]
        mine = f"SELECT count(*) FROM {table} WHERE {column} = %s"
        assert app.execute(mine, [pair.al_id]).fetchone() == (0,)


@pytest.mark.parametrize("table", ["timesheets_timesheet", "timesheets_timeentry", "timesheets_charge"])
def test_hours_and_what_they_became_are_of_their_own_weeks(pair, table):
    with pair.client.acting("specialist"), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        [of_both] = cursor.fetchone()
    with connect() as app:
        enter_own(app, pair.jo, pair.client.id)
        assert app.execute(f"SELECT count(*) FROM {table}").fetchone() == (of_both // 2,)


@pytest.mark.parametrize(
    "table", ["ledger_posting", "billing_invoice", "settlement_payment", "foundation_approval", "web_link"]
)
def test_what_is_nobodys_own_is_not_there_at_all(pair, table):
    with connect() as app:
        enter_own(app, pair.jo, pair.client.id)
        assert app.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_an_employee_changes_nobody_elses_rows(pair):
    with connect() as app:
        enter_own(app, pair.jo, write=pair.client.id)
        changed = app.execute("UPDATE people_person SET name = 'X' WHERE id = %s", [pair.al_id])
        assert changed.rowcount == 0
        app.rollback()
        enter_own(app, pair.jo, write=pair.client.id)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(
                "INSERT INTO people_employment (id, client_id, person_id, starts) "
                "VALUES (gen_random_uuid(), %s, %s, current_date)",
                [pair.client.id, pair.al_id],
            )


def test_an_employee_without_a_login_sees_nothing(firm, pair):
    nobody = employee_of(firm, pair.client)
    with connect() as app:
        enter_own(app, nobody, pair.client.id)
        for table in (*ONES_OWN, "timesheets_charge", "payroll_payrun", "foundation_vaultfile"):
            assert app.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    with acting(nobody, read=[pair.client.id]):
        assert own.myself() is None


def test_who_somebody_is_comes_from_the_login(pair):
    with acting(pair.jo, read=[pair.client.id]):
        me = own.myself()
        assert me is not None and me.counterparty_id == pair.jo_id
        [account] = own.my_accounts(me)
        assert account.account == "••••0001"
        assert own.clients_where_i_am_somebody() == [pair.client.id]


def test_the_firm_sees_everybody_as_before(pair):
    with pair.client.acting("specialist"):
        assert Person.objects.filter(client_id=pair.client.id).count() == 2


def test_a_login_is_given_by_somebody_who_grants_and_not_to_themselves_or_to_staff(firm, pair):
    user = employee_of(firm, pair.client)
    with pytest.raises(NotPermitted, match=r"foundation\.grant"), pair.client.acting("specialist"):
        services.give_login(pair.al_id, user.id, starts=STARTS)
    with pytest.raises(NotPermitted, match="employee or a worker"), pair.client.acting("lead"):
        services.give_login(pair.al_id, pair.client.staff["checker"].id, starts=STARTS)
    with pytest.raises(NotPermitted, match="themselves"), pair.client.acting("lead"):
        services.give_login(pair.al_id, pair.client.staff["lead"].id, starts=STARTS)


def test_raw_sql_gives_no_login_without_the_permission(firm, pair):
    user = employee_of(firm, pair.client)
    with connect() as app:
        enter(app, pair.client.staff["specialist"], write=pair.client.id)
        with pytest.raises(psycopg.Error, match="may give a login"):
            app.execute(
                "INSERT INTO people_personlogin (id, client_id, person_id, user_id, starts, given_by_id) "
                "VALUES (gen_random_uuid(), %s, %s, %s, current_date, %s)",
                [pair.client.id, pair.al_id, user.id, user.id],
            )


def test_a_user_is_one_person_and_a_person_has_one_user(firm, pair):
    other = employee_of(firm, pair.client)
    with pytest.raises(Conflict, match="already"), pair.client.acting("lead"):
        services.give_login(pair.al_id, pair.jo.id, starts=STARTS)
    with pytest.raises(Conflict, match="already"), pair.client.acting("lead"):
        services.give_login(pair.jo_id, other.id, starts=STARTS)


def test_an_ended_login_shows_nothing_from_the_day_after(firm, pair):
    user = employee_of(firm, pair.client)
    with pair.client.acting("lead"):
        given = services.give_login(pair.al_id, user.id, starts=STARTS)
    with acting(user, read=[pair.client.id]):
        assert own.myself() is not None
    with pair.client.acting("lead"):
        services.end_login(given.login_id, ends=TODAY - timedelta(days=1))
        with pytest.raises(Conflict):
            services.end_login(given.login_id, ends=TODAY)
    with acting(user, read=[pair.client.id]):
        assert own.myself() is None
        assert not Person.objects.exists()


def test_a_login_that_begins_later_is_ended_on_its_first_day(firm):
    client = firm.new_client()
    set_up(client, [Temp("T9", "Ty Pogue")])
    user, first = employee_of(firm, client), TODAY + timedelta(days=9)
    person = person_named(client, "T9")
    with client.acting("lead"):
        given = services.give_login(person, user.id, starts=first)
        services.end_login(given.login_id, ends=TODAY)
        assert PersonLogin.objects.get(id=given.login_id).ends == first


def test_a_login_of_another_clients_person_cannot_be_given(firm, pair, other_client):
    user = employee_of(firm, other_client)
    with pytest.raises(NotFound), other_client.acting("lead"):
        services.give_login(pair.jo_id, user.id, starts=STARTS)
    with pytest.raises(NotFound), other_client.acting("lead"):
        services.end_login(PersonLogin().id, ends=TODAY)
