"""Isolation of clients, by raw SQL as the role that serves: every client table, whatever room it is in.

`busy` has rows in every table; `stranger` is somebody of another client who tries to get at them.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from django.db import connection as pooled
from django.db import transaction
from django.utils import timezone
from psycopg import sql
from psycopg.types.json import Jsonb
from tests.firm import Firm, TestClient, connect, enter, superuser
from tests.foundation.conftest import CLIENT_MODELS, CLIENT_TABLES, HISTORY_TABLES

from engineroom.foundation.access import services as access
from engineroom.foundation.numbering.models import NumberSeries
from engineroom.foundation.tenancy.scope import Identity, OutsideActing, acting, current_scope
from engineroom.kernel.errors import NotPermitted
from engineroom.kernel.ids import uuid7

TODAY = timezone.now().date()
REFUSED = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module")
def elsewhere(firm: Firm, busy: TestClient) -> TestClient:
    """Another client; its lead holds a second grant, to read `busy` and not to write it."""
    client = firm.new_client(with_books=False)
    firm.grant(client.staff["lead"], busy.id, "auditor", ends=TODAY + timedelta(days=30))
    return client


@pytest.fixture
def app():
    """The serving role's own connection; what a test does in it is rolled back."""
    with connect() as connection:
        yield connection
        connection.rollback()


def count(connection: psycopg.Connection, table: str, client_id: UUID | None = None) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    if client_id is None:
        return connection.execute(query).fetchone()[0]
    return connection.execute(query + sql.SQL(" WHERE client_id = %s"), [client_id]).fetchone()[0]


def a_row(table: str, client_id: UUID, *, last: bool = False) -> dict[str, object]:
    """A real row of the client (its first one, or its last), read past every guard."""
    with superuser() as look:
        cursor = look.execute(
            f"SELECT * FROM {table} WHERE client_id = %s ORDER BY id {'DESC' if last else ''} LIMIT 1",
            [client_id],
        )
        row = cursor.fetchone()
        assert row is not None, f"the busy client has no row in {table}: the test would prove nothing"
        return {column.name: value for column, value in zip(cursor.description, row, strict=True)}


def insert_copy(connection: psycopg.Connection, table: str, row: dict[str, object]) -> None:
    """Insert that row. Types come from the table itself."""
    connection.execute(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, %s)).*", [Jsonb(plain(row))]
    )


def refused_insert(app: psycopg.Connection, table: str, row: dict[str, object]) -> None:
    """A copy of the row under a new id is refused, and the transaction goes on.

    By row security or for want of the privilege; where a trigger of the table's own looks first, by its word.
    """
    with pytest.raises(psycopg.Error) as refused, app.transaction():
        insert_copy(app, table, row | {"id": uuid7()})
    assert is_refusal(refused.value), refused.value


def is_refusal(error: psycopg.Error) -> bool:
    """No privilege, no policy, or a guard of ours: not a typing error in the test."""
    return error.sqlstate == "42501" or (error.sqlstate or "").startswith("ER")


def plain(row: dict[str, object]) -> dict[str, object]:
    def text(value: object) -> object:
        if isinstance(value, bytes):
            return "\\x" + value.hex()
        if isinstance(value, int | bool | list | dict) or value is None:
            return value
        return str(value)

    return {key: text(value) for key, value in row.items()}


# --- reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", CLIENT_TABLES)
def test_nobody_reads_another_clients_rows(app, busy, elsewhere, table):
    row = a_row(table, busy.id)
    enter(app, elsewhere.staff["specialist"], write=elsewhere.id)
    assert count(app, table, busy.id) == 0
    assert app.execute(f"SELECT count(*) FROM {table} WHERE id = %s", [row["id"]]).fetchone() == (0,)
    assert app.execute(f"SELECT DISTINCT client_id FROM {table}").fetchall() in ([], [(elsewhere.id,)])


@pytest.mark.parametrize("table", CLIENT_TABLES)
def test_outside_acting_every_client_table_is_empty_and_cannot_be_written(app, busy, table):
    row = a_row(table, busy.id)
    assert count(app, table) == 0
    refused_insert(app, table, row)
    if table not in HISTORY_TABLES:
        assert changed(app, table, busy.id) == 0


# --- writing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", CLIENT_TABLES)
def test_nobody_inserts_a_row_with_another_clients_id(app, busy, elsewhere, table):
    row = a_row(table, busy.id)
    enter(app, elsewhere.staff["specialist"], write=elsewhere.id)
    refused_insert(app, table, row)


@pytest.mark.parametrize("table", CLIENT_TABLES)
def test_nobody_writes_to_a_client_that_they_may_only_read(app, busy, elsewhere, table):
    row = a_row(table, busy.id)
    enter(app, elsewhere.staff["lead"], read=[busy.id], write=elsewhere.id)
    assert count(app, table, busy.id) > 0, "readable"
    refused_insert(app, table, row)
    if table not in HISTORY_TABLES:  # the others cannot be updated or deleted from at all: test_history
        assert changed(app, table, busy.id) == 0


def changed(app: psycopg.Connection, table: str, client_id: UUID) -> int:
    """How many of the client's rows an UPDATE and a DELETE reach; 0 where there is no privilege to try."""
    reached = 0
    for change in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
        try:
            with app.transaction():
                reached += app.execute(f"{change} WHERE client_id = %s", [client_id]).rowcount
        except psycopg.Error as error:
            assert is_refusal(error), error
    return reached


@pytest.mark.parametrize(
    "table", sorted(set(CLIENT_TABLES) - set(HISTORY_TABLES) - {"foundation_auditunsealed"})
)
def test_a_row_cannot_be_moved_into_another_client(app, busy, elsewhere, table):
    row = a_row(table, busy.id)
    enter(app, busy.staff["specialist"], write=busy.id)
    with pytest.raises(psycopg.Error) as refused:
        app.execute(f"UPDATE {table} SET client_id = %s WHERE id = %s", [elsewhere.id, row["id"]])
    assert refused.value.sqlstate in ("42501", "ER409"), refused.value


KEYS = [
    (model._meta.db_table, field.column, field.remote_field.model._meta.db_table)
    for model in CLIENT_MODELS
    for field in model._meta.local_fields
    if type(field).__name__ == "ClientKey" and not field.implied  # those: IMPLIED in test_catalogue.py
]


@pytest.mark.parametrize(("table", "column", "target"), KEYS)
def test_no_row_points_into_another_client(busy, elsewhere, table, column, target):
    """The key itself refuses, whoever writes: here the superuser, with everything else out of its way."""
    row, theirs = a_row(table, busy.id), a_row(target, busy.id, last=True)["id"]
    with superuser() as anybody, pytest.raises(psycopg.errors.ForeignKeyViolation) as refused:
        constraints = anybody.execute(
            "SELECT conrelid::regclass::text, conname, "
            "conrelid = %s::regclass AND pg_get_constraintdef(oid) LIKE %s "
            "FROM pg_constraint WHERE contype IN ('f', 'c') AND %s::regclass IN (conrelid, confrelid)",
            [table, f"FOREIGN KEY (client_id, {column})%", table],
        ).fetchall()
        [key] = [name for _, name, is_the_key in constraints if is_the_key]
        for owner, name, is_the_key in constraints:
            if not is_the_key:
                anybody.execute(f"ALTER TABLE {owner} DROP CONSTRAINT {name}")
        anybody.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        anybody.execute(
            f"UPDATE {table} SET client_id = %s, {column} = coalesce({column}, %s) WHERE id = %s",
            [elsewhere.id, theirs, row["id"]],
        )
    assert refused.value.diag.constraint_name == key


def test_a_key_across_clients_is_refused_to_the_app(busy, elsewhere, app):
    preview = a_row("foundation_importpreview", busy.id)
    enter(app, elsewhere.staff["specialist"], write=elsewhere.id)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        app.execute(
            "INSERT INTO foundation_importcommit (id, client_id, kind, sha256, preview_id) "
            "VALUES (%s, %s, 'x', 'y', %s)",
            [uuid7(), elsewhere.id, preview["id"]],
        )


# --- the way in ---------------------------------------------------------------------------------------


def refusal(
    user: Identity,
    *,
    read: list[UUID] | None = None,
    write: UUID | None = None,
    behalf: UUID | None = None,
    face: str = "firm",
) -> str:
    with connect() as app, pytest.raises(psycopg.Error) as refused:
        app.execute("SELECT app_enter(%s, %s, %s, %s, %s)", [user.id, behalf, face, read or [], write])
    assert refused.value.sqlstate == "ER403"
    return str(refused.value)


def test_a_client_is_entered_with_a_grant_only(busy, elsewhere):
    stranger = elsewhere.staff["specialist"]
    assert "no live grant" in refusal(stranger, write=busy.id)
    assert "no live grant" in refusal(stranger, read=[busy.id])
    assert "no live grant" in refusal(stranger, read=[elsewhere.id, busy.id], write=elsewhere.id)


def test_a_grant_is_of_no_use_before_it_starts_and_after_it_ends(firm, busy):
    user = firm.new_user()
    for starts, ends in (
        (TODAY + timedelta(days=1), None),
        (TODAY - timedelta(days=9), TODAY - timedelta(days=1)),
    ):
        with acting(firm.admin, write=firm.house_id):
            access.grant(user.id, "lead", starts=starts, ends=ends, reason="test", on_client_id=busy.id)
    assert "no live grant" in refusal(user, write=busy.id)
    firm.grant(user, busy.id, "lead", ends=TODAY)
    with acting(user, write=busy.id) as scope:
        assert scope.roles == {busy.id: frozenset({"lead"})}


def test_a_user_who_is_switched_off_enters_nothing(firm, busy):
    user = firm.new_user()
    firm.grant(user, busy.id, "lead")
    with acting(user, write=busy.id):
        pass
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(user.id, reason="left")
    assert "switched off" in refusal(user, write=busy.id)
    assert "switched off" in refusal(user)
    assert "switched off" in refusal(Identity(uuid7(), "nobody@firm.example", "Nobody", "staff"))


def test_somebody_acts_on_behalf_only_of_one_who_may_be_there_too(firm, busy, elsewhere):
    user = busy.staff["lead"]
    assert "on whose behalf holds no live grant" in refusal(
        user, write=busy.id, behalf=elsewhere.staff["specialist"].id
    )
    off = firm.new_user()
    firm.grant(off, busy.id, "lead")
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(off.id, reason="left")
    assert "switched off" in refusal(user, write=busy.id, behalf=off.id)
    assert "switched off" in refusal(user, behalf=off.id), "also where no client is named"
    assert "switched off" in refusal(user, behalf=access.system_user().id), "the system has no behalf"


def test_acting_on_behalf_adds_no_role(busy):
    with acting(busy.staff["specialist"], write=busy.id, on_behalf=busy.staff["checker"]) as scope:
        assert scope.roles[busy.id] == {"specialist"}


def test_a_job_of_the_system_has_the_roles_of_whoever_set_it_off_and_none_alone(busy):
    with acting(access.system_user(), write=busy.id, on_behalf=busy.staff["specialist"]) as scope:
        assert scope.roles[busy.id] == {"specialist"}
    with acting(access.system_user(), write=busy.id) as scope:
        assert not scope.roles


def test_an_auditor_opens_no_client_for_writing(firm, busy):
    auditor = firm.new_user()
    firm.grant(auditor, busy.id, "auditor", ends=TODAY)
    assert "may read client" in refusal(auditor, write=busy.id)
    with acting(auditor, read=[busy.id]) as scope, pytest.raises(OutsideActing):
        assert scope.client_id
    with pytest.raises(NotPermitted), acting(auditor, write=busy.id):
        pass


def test_a_face_is_what_the_users_kind_says(firm, busy):
    worker = firm.new_user(kind="worker")
    assert "another face" in refusal(worker, face="firm")
    assert "another face" in refusal(busy.staff["lead"], face="self", write=busy.id)


def test_a_scope_is_opened_once_in_a_transaction(busy, elsewhere, app):
    enter(app, busy.staff["lead"], write=busy.id)
    with pytest.raises(psycopg.Error, match="already open"):
        enter(app, elsewhere.staff["lead"], write=elsewhere.id)
    with (
        acting(busy.staff["lead"], write=busy.id),
        pytest.raises(RuntimeError),
        acting(elsewhere.staff["lead"], write=elsewhere.id),
    ):
        pass


def test_a_scope_ends_with_its_transaction_also_on_the_same_connection(busy):
    with connect() as app:
        enter(app, busy.staff["lead"], write=busy.id)
        assert count(app, "foundation_commandrun") > 0
        app.commit()
        assert count(app, "foundation_commandrun") == 0
        app.rollback()
        enter(app, busy.staff["lead"], write=busy.id)
        app.rollback()
        assert count(app, "foundation_commandrun") == 0


def test_a_pooled_connection_has_no_scope_left_after_an_error(busy):
    pooled.ensure_connection()
    backend = pooled.connection.info.backend_pid
    for error in ("SELECT 1 / 0", "SELECT no_such_column"):
        with pytest.raises(Exception), acting(busy.staff["lead"], write=busy.id):  # noqa: B017 whatever it is
            assert NumberSeries.objects.count() > 0
            with pooled.cursor() as cursor:
                cursor.execute(error)
        assert pooled.connection.info.backend_pid == backend, "the same connection"
        with transaction.atomic(), pooled.cursor() as cursor:
            cursor.execute("SELECT app_read(), app_write(), app_user(), app_on_behalf(), app_face()")
            assert cursor.fetchone() == ([], None, None, None, "")
        assert NumberSeries.objects.count() == 0
        with pytest.raises(OutsideActing):
            current_scope()


def test_a_prepared_statement_shows_each_scope_its_own_rows(busy, elsewhere):
    """Planned once for whoever asked first, with the policies in it; asked in turn on the same connection."""
    sent = "SELECT count(*), count(DISTINCT client_id), min(client_id::text) FROM foundation_commandrun"

    def seen(client):
        with acting(client.staff["specialist"], read=[client.id]), pooled.cursor() as cursor:
            cursor.execute(sent)
            return cursor.fetchone()

    for _ in range(12):
        assert seen(busy)[1:] == (1, str(busy.id))
        assert seen(elsewhere)[0] == 0 or seen(elsewhere)[1:] == (1, str(elsewhere.id))
    prepared = pooled.connection.execute(
        "SELECT generic_plans FROM pg_prepared_statements WHERE statement = %s", [sent]
    )
    assert prepared.fetchone()[0] > 0, "planned once, for both"
    with transaction.atomic(), pooled.cursor() as cursor:
        cursor.execute(sent)
        assert cursor.fetchone()[0] == 0, "outside a scope there is nothing"


def test_a_refused_scope_leaves_the_connection_usable(busy, elsewhere):
    with pytest.raises(NotPermitted), acting(elsewhere.staff["specialist"], write=busy.id):
        pass
    with acting(busy.staff["specialist"], write=busy.id):
        assert NumberSeries.objects.count() > 0


# --- the firm's own tables ----------------------------------------------------------------------------


def test_a_worker_sees_of_users_tokens_and_grants_their_own_and_changes_tokens_alone(firm, busy, app):
    worker = firm.new_user(kind="worker")
    firm.grant(worker, busy.id, "worker")
    app.execute("SELECT app_enter(%s, NULL, 'work', %s, NULL)", [worker.id, [busy.id]])
    assert app.execute("SELECT id FROM foundation_user").fetchall() == [(worker.id,)]
    assert app.execute("SELECT DISTINCT user_id FROM foundation_grant").fetchall() == [(worker.id,)]
    assert app.execute("SELECT id FROM foundation_client").fetchall() == [(busy.id,)]
    assert app.execute("SELECT count(*) FROM foundation_token").fetchone() == (0,)
    assert app.execute("UPDATE foundation_user SET name = 'X'").rowcount == 0
    insert = (
        "INSERT INTO foundation_token (id, user_id, sha256, label, issued_at) VALUES (%s, %s, %s, '', now())"
    )
    app.execute(insert, [uuid7(), worker.id, worker.id.bytes * 2])
    assert app.execute("UPDATE foundation_token SET revoked_at = now()").rowcount == 1
    with pytest.raises(REFUSED):
        app.execute(insert, [uuid7(), firm.owner.id, firm.owner.id.bytes * 2])


def test_outside_acting_the_firms_tables_are_empty(firm, app):
    for table in ("foundation_user", "foundation_token", "foundation_grant", "foundation_client"):
        assert count(app, table) == 0


# --- dated master data ----------------------------------------------------------------------------------

SEALED_ANEW = {"sort_code", "account_number"}
DATED_TABLES = ["people_bankaccount", "people_employment", "payroll_taxdetails", "timesheets_assignmentrate"]


@pytest.mark.parametrize("table", DATED_TABLES)
def test_dated_rows_end_and_are_never_changed_or_deleted(app, busy, table):
    """What somebody was paid on, or by, last year is still to be seen: a change is an end and a new row."""
    row = a_row(table, busy.id)
    enter(app, busy.staff["specialist"], write=busy.id)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
        app.execute(f"DELETE FROM {table} WHERE id = %s", [row["id"]])
    for column in set(row) - SEALED_ANEW - {"ends"}:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            app.execute(f"UPDATE {table} SET {column} = {column} WHERE id = %s", [row["id"]])
    assert app.execute(f"UPDATE {table} SET ends = starts WHERE id = %s", [row["id"]]).rowcount == 1
