"""The catalogue: every table of the database is of a declared kind and has its kind's guards, in every room.

Read from PostgreSQL's own catalogues: a guard forgotten in a migration is found here and not by a client.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from tests.firm import connect, superuser
from tests.foundation.conftest import CLIENT_MODELS, CLIENT_TABLES, HISTORY_TABLES

from engineroom.foundation import postgres
from engineroom.foundation.access.roles import RELEASING, ROLES, WRITING
from engineroom.foundation.tenancy.models import ClientModel, FirmModel, ReferenceModel

APP, OWNER, GUARD = "engineroom_app", "engineroom_owner", "engineroom_guard"
LIBRARY = re.compile(
    r"django_(migrations|content_type|session|cache)|(auth|procrastinate|account|mfa|usersessions)_\w+"
)
"""Library tables: Django's, allauth's and procrastinate's, by name. No client columns; a job has ids only."""

READ = "(client_id = ANY (( SELECT app_read() AS app_read)::uuid[]))"
WRITE = "(client_id = ( SELECT app_write() AS app_write))"
FIRM_WRITE = "(( SELECT app_face() AS app_face) = 'firm'::text)"

FIRM_MODELS = [m for m in apps.get_models() if issubclass(m, FirmModel | ReferenceModel)]
FIRM_TABLES = sorted(m._meta.db_table for m in FIRM_MODELS)


@pytest.fixture(scope="module")
def look(firm):
    """A connection that sees the whole catalogue and commits nothing."""
    with superuser() as connection:
        yield connection
        connection.rollback()


def rows(look: psycopg.Connection, query: str, *arguments: object) -> list[tuple]:
    return look.execute(query, arguments).fetchall()


def tables(look: psycopg.Connection) -> list[str]:
    found = rows(
        look,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
    )
    return sorted(name for (name,) in found)


def test_every_table_is_of_one_declared_kind(look):
    of_library = {t for t in tables(look) if LIBRARY.fullmatch(t)}
    assert of_library.isdisjoint(CLIENT_TABLES) and of_library.isdisjoint(FIRM_TABLES)
    assert set(tables(look)) == {*CLIENT_TABLES, *FIRM_TABLES, *of_library}
    assert not rows(
        look,
        "SELECT relname FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'f')",
    )


def test_every_model_of_ours_declares_its_kind():
    for model in apps.get_models():
        if model.__module__.startswith("engineroom."):
            assert issubclass(model, ClientModel | FirmModel | ReferenceModel), model
            assert model.table_kind in ("client", "firm", "reference")


def test_only_client_tables_know_a_client(look):
    with_client = rows(
        look,
        "SELECT table_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name = 'client_id'",
    )
    assert sorted(name for (name,) in with_client) == CLIENT_TABLES


@pytest.mark.parametrize("table", CLIENT_TABLES)
def test_a_client_table_is_keyed_by_client_and_that_key_is_its_replica_identity(look, table):
    [(primary,)] = rows(
        look,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
        table,
    )
    assert primary == "PRIMARY KEY (id)"
    [(identity,)] = rows(
        look,
        "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
        "WHERE i.indrelid = %s::regclass AND i.indisreplident AND c.relreplident = 'i'",
        table,
    )
    assert identity.endswith(f"ON public.{table} USING btree (client_id, id)") and "UNIQUE" in identity
    [(nullable,)] = rows(
        look,
        "SELECT count(*) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attname IN ('client_id', 'id') AND NOT attnotnull",
        table,
    )
    assert nullable == 0


@pytest.mark.parametrize("table", CLIENT_TABLES)
def test_a_client_table_has_forced_row_security_and_exactly_one_policy_per_verb(look, table):
    assert rows(
        look, "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", table
    ) == [(True, True)]
    found = rows(
        look,
        "SELECT cmd, permissive, roles::text[], qual, with_check FROM pg_policies "
        "WHERE schemaname = 'public' AND tablename = %s AND permissive = 'PERMISSIVE'",
        table,
    )
    assert sorted(found) == [
        ("DELETE", "PERMISSIVE", ["public"], WRITE, None),
        ("INSERT", "PERMISSIVE", ["public"], None, WRITE),
        ("SELECT", "PERMISSIVE", ["public"], READ, None),
        ("UPDATE", "PERMISSIVE", ["public"], WRITE, WRITE),
    ]


@pytest.mark.parametrize("table", CLIENT_TABLES)
def test_from_a_persons_own_face_a_client_table_shows_their_own_rows_or_none(look, table):
    [(command, condition)] = rows(
        look,
        "SELECT cmd, qual FROM pg_policies WHERE schemaname = 'public' AND tablename = %s "
        "AND permissive = 'RESTRICTIVE'",
        table,
    )
    assert command == "ALL" and re.match(r"\(+ ?SELECT app_face\(\)", condition), condition
    assert "self" in condition and "work" in condition
    if table != "people_personlogin" and "person_id" in columns(look, table):
        assert "app_own('person'::text)" in condition


def columns(look: psycopg.Connection, table: str) -> list[str]:
    found = rows(look, "SELECT column_name FROM information_schema.columns WHERE table_name = %s", table)
    return [name for (name,) in found]


@pytest.mark.parametrize("table", FIRM_TABLES)
def test_a_firm_table_has_forced_row_security_and_is_written_from_the_firms_face_or_is_ones_own(look, table):
    assert rows(
        look, "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", table
    ) == [(True, True)]
    found = {
        cmd: (qual, check)
        for cmd, qual, check in rows(
            look, "SELECT cmd, qual, with_check FROM pg_policies WHERE tablename = %s", table
        )
    }
    # A token is everybody's own; nothing else of these is written from another face.
    write = found["SELECT"][0] if table == "foundation_token" else FIRM_WRITE
    assert found["INSERT"] == (None, write)
    assert found["UPDATE"] == (write, write)
    assert found["DELETE"] == (write, None)
    assert found["SELECT"][0].startswith(f"({FIRM_WRITE} OR ") and found.keys() == {
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
    }
    assert not rows(look, "SELECT WHERE has_table_privilege(%s, %s, 'DELETE')", APP, table), (
        "users are switched off, grants end"
    )


def test_every_key_into_a_client_table_names_the_client_and_acts_on_nothing(look):
    found = rows(
        look,
        "SELECT k.conrelid::regclass::text, k.confrelid::regclass::text, pg_get_constraintdef(k.oid), "
        "k.confupdtype::text || k.confdeltype::text, k.condeferrable "
        "FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace",
    )
    assert len(found) > 50
    for table, target, definition, actions, deferrable in found:
        assert actions == "aa" or LIBRARY.fullmatch(table), f"{table}: {definition} cascades or sets null"
        if target in CLIENT_TABLES:
            assert table in CLIENT_TABLES, f"{table} is no client table and points into {target}"
            assert re.match(r"FOREIGN KEY \(client_id, \w+\) REFERENCES \w+\(client_id, id\)$", definition), (
                table,
                definition,
            )
            assert not deferrable, f"{table}: {definition} would be looked at too late"
        elif table in CLIENT_TABLES:
            assert (target, definition) == (
                "foundation_client",
                "FOREIGN KEY (client_id) REFERENCES foundation_client(id)",
            )


IMPLIED = {
    "Entry.book",
    "Posting.account",
    "TimeEntry.timesheet",
    "Charge.time_entry",
    "Billed.charge",
    "Billed.invoice_line",
    "Task.case",
    "CaseEvent.case",
}
"""Keys without a constraint of their own (decision 006): raw SQL shows that they hold, in test_ledger_guards,
test_hours_taken_in, test_bill_runs and test_cases."""


def test_every_client_key_of_a_model_is_a_key_of_the_database(look):
    for model in CLIENT_MODELS:
        for field in model._meta.local_fields:
            if type(field).__name__ != "ClientKey":
                assert field.remote_field is None or field.name == "client", (
                    f"{model.__name__}.{field.name} is a bare foreign key"
                )
                continue
            if field.implied:
                assert f"{model.__name__}.{field.name}" in IMPLIED, "say in the catalogue what else holds it"
                continue
            target = field.remote_field.model._meta.db_table
            assert rows(
                look,
                "SELECT FROM pg_constraint WHERE contype = 'f' "
                "AND conrelid = %s::regclass AND confrelid = %s::regclass "
                "AND pg_get_constraintdef(oid) LIKE %s",
                model._meta.db_table, target, f"FOREIGN KEY (client_id, {field.column})%",
            ), f"{model.__name__}.{field.name}"  # fmt: skip


def test_every_client_row_has_a_client_that_exists(look):
    """By a key to the client, or by a required key to a row that has one."""
    for model in CLIENT_MODELS:
        table = model._meta.db_table
        keys = [
            d
            for (d,) in rows(
                look,
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE contype = 'f' AND conrelid = %s::regclass",
                table,
            )
        ]
        required = [f for f in model._meta.local_fields if type(f).__name__ == "ClientKey" and not f.null]
        assert required or "FOREIGN KEY (client_id) REFERENCES foundation_client(id)" in keys, table


def test_every_other_unique_key_of_a_client_table_leads_with_the_client(look):
    found = rows(
        look,
        "SELECT i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisprimary FROM pg_index i "
        "WHERE i.indrelid::regclass::text = ANY(%s) AND i.indisunique",
        CLIENT_TABLES,
    )
    assert len(found) >= 2 * len(CLIENT_TABLES)
    for table, definition, is_primary in found:
        assert is_primary or "(client_id" in definition, f"{table}: {definition}"
    exclusions = rows(
        look,
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'x'",
    )
    assert exclusions
    for table, definition in [e for e in exclusions if e[0] in CLIENT_TABLES]:
        assert definition.startswith(
            "EXCLUDE USING gist (uuidrange(client_id, client_id, '[]'::text) WITH &&"
        ), (table, definition)


def test_a_model_that_says_history_is_history_in_the_database_and_no_other(look):
    found = rows(
        look,
        "SELECT tgrelid::regclass::text, count(*) FROM pg_trigger "
        "WHERE tgfoid = 'refuse_change'::regproc AND tgname LIKE '%%\\_history%%' AND tgenabled = 'O' "
        "GROUP BY 1",
    )
    of_the_firm = [m._meta.db_table for m in FIRM_MODELS if m.history]
    assert dict(found) == dict.fromkeys([*HISTORY_TABLES, *of_the_firm], 2)


@pytest.mark.parametrize("table", HISTORY_TABLES)
def test_the_app_may_only_add_to_history(look, table):
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        assert not rows(look, "SELECT WHERE has_table_privilege(%s, %s, %s)", APP, table, verb), verb
    assert not rows(look, "SELECT WHERE has_any_column_privilege(%s, %s, 'UPDATE')", APP, table)


def test_the_app_holds_no_privilege_beyond_rows(look):
    for table in tables(look):
        for verb in ("TRUNCATE", "REFERENCES", "TRIGGER"):
            assert not rows(look, "SELECT WHERE has_table_privilege(%s, %s, %s)", APP, table, verb), (
                table,
                verb,
            )


def test_what_triggers_write_the_app_cannot_write_by_hand(look):
    for table, verbs in {
        "foundation_contribution": ("INSERT", "UPDATE", "DELETE"),
        "foundation_auditunsealed": ("INSERT", "UPDATE"),
        "foundation_numberseries": ("INSERT", "UPDATE", "DELETE"),
        "ledger_delta": ("INSERT", "UPDATE", "DELETE"),
        "web_linkuse": ("INSERT", "UPDATE", "DELETE"),
        "timesheets_chargebefore": ("INSERT", "UPDATE", "DELETE"),
    }.items():
        for verb in verbs:
            assert not rows(look, "SELECT WHERE has_table_privilege(%s, %s, %s)", APP, table, verb), (
                table,
                verb,
            )


def test_functions_that_see_every_row_are_pinned_and_not_everybodys(look):
    found = rows(
        look,
        "SELECT oid::regprocedure::text, pg_get_userbyid(proowner), prosecdef, proconfig, proacl::text "
        "FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
        "AND (prosecdef OR pg_get_userbyid(proowner) = %s)",
        GUARD,
    )
    assert len(found) > 15
    for name, owner, definer, config, acl in found:
        assert definer and "search_path=pg_catalog, public, pg_temp" in config, name
        assert owner in (GUARD, OWNER), (name, owner)
        assert acl is not None and not re.search(r"[{,]=X", acl), f"{name} may be run by everybody: {acl}"


def test_the_app_may_run_only_these_functions_of_the_guards(look):
    found = rows(
        look,
        "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef "
        "AND has_function_privilege(%s, p.oid, 'EXECUTE')",
        APP,
    )
    assert {name for (name,) in found} == {
        "app_analyze", "app_authenticate", "app_change_password", "app_clients_of", "app_door", "app_door_of",
        "app_signed_in", "app_enter", "app_identity", "app_record_read", "take_in_makers",
        "app_system_user",
        "app_unsealed_clients", "app_undo_clearing",
        "app_pay_rates",
        "app_take_numbers", "app_own", "app_link", "app_use_link", "role_may", "user_is_clients",
        "client_approvers", "client_approval_lacks",
    }  # fmt: skip


def test_the_app_owns_nothing_and_can_create_nothing_that_lasts(firm, look):
    [(owned,)] = rows(
        look, "SELECT count(*) FROM pg_shdepend WHERE refobjid = %s::regrole AND deptype = 'o'", APP
    )
    assert owned == 0
    for statement in (
        "CREATE TABLE stray (id int)",
        "CREATE FUNCTION stray() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA stray",
        "ALTER TABLE foundation_auditevent DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE foundation_auditevent DISABLE TRIGGER ALL",
        "DROP POLICY foundation_auditevent_read ON foundation_auditevent",
        "SET ROLE engineroom_guard",
        "SET ROLE engineroom_owner",
        "SET session_replication_role = replica",
    ):
        with connect() as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)


def test_what_the_database_knows_of_roles_is_what_the_code_says(look):
    """The lists are written into functions when they are migrated: a changed role needs a migration."""
    enter, release, grant = (
        look.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [name]).fetchone()[0]
        for name in ("app_enter", "check_release", "check_grant")
    )
    assert "({})".format(", ".join(f"'{r}'" for r in WRITING)) in enter
    assert "({})".format(", ".join(f"'{r}'" for r in RELEASING)) in release
    for name, role in ROLES.items():
        assert f"WHEN '{name}' THEN '{role.face}'" in grant


def test_no_model_has_changed_without_a_migration(firm):
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)  # exits when something is missing


BACK_AND_FORTH = """
import django, sys
django.setup()
from django.apps import apps
from django.core.management import call_command
from django.db import connections

owner = connections["owner"]
owner.settings_dict["NAME"] = sys.argv[1]
OURS = "WHERE %s::regnamespace = 'public'::regnamespace"
THE_OWNERS_OWN = "{engineroom_owner=arwdDxtm/engineroom_owner}"  # what an owner has without being granted it
CATALOGUE = [
    "SELECT 'table ' || relname || coalesce(relacl::text, '') FROM pg_class "
    + OURS % "relnamespace" + " AND relkind = 'r'",
    "SELECT 'function ' || oid::regprocedure::text || coalesce(proacl::text, '') FROM pg_proc "
    + OURS % "pronamespace",
    "SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT 'key ' || conrelid::regclass::text || pg_get_constraintdef(oid) FROM pg_constraint "
    + OURS % "connamespace" + " AND contype <> 'n'",
    "SELECT 'policy ' || tablename || policyname || coalesce(qual, '') || coalesce(with_check, '') "
    "FROM pg_policies",
    "SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT 'type ' || typname FROM pg_type " + OURS % "typnamespace" + " AND typtype IN ('r', 'e')",
]

def catalogue():
    with owner.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(CATALOGUE))
        return {row[0].replace(THE_OWNERS_OWN, "") for row in cursor.fetchall()}

rooms = [app for app in apps.get_app_configs() if app.name.startswith("engineroom.")]
ours = [app.label for app in rooms if app.models_module]
call_command("migrate", "procrastinate", database="owner", verbosity=0)
for library in ("contenttypes", "sessions"):
    call_command("migrate", library, database="owner", verbosity=0)
before = catalogue()
call_command("migrate", database="owner", verbosity=0)
forward = catalogue()
for label in reversed(ours):
    call_command("migrate", label, "zero", database="owner", verbosity=0)
left = {line for line in catalogue() - before if "auth_" not in line}
assert not left, sorted(left)
call_command("migrate", database="owner", verbosity=0)
assert catalogue() == forward, sorted(catalogue() ^ forward)
print("the same", len(forward - before))
"""


@pytest.mark.slow
def test_migrations_go_back_to_nothing_and_forward_to_the_same(firm):
    name = "engineroom_back_and_forth"
    postgres.recreate_database(dbname=name)
    done = subprocess.run(
        [sys.executable, "-c", BACK_AND_FORTH, name],
        capture_output=True,
        text=True,
        timeout=1_500,
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
    )
    with superuser() as cluster:
        cluster.autocommit = True
        cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("the same")
