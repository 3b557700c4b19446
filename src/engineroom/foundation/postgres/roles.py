"""The three roles that the database's own guards rest on, and the database they share.

    engineroom_owner  owns the database and its schema, and migrates; row security, being forced, binds it too
    engineroom_app    serves; may create nothing but temporary tables, and may become no other role
    engineroom_guard  nobody logs in as it; it sees every row, and owns only the trigger functions that must

The owner is a member of guard WITH SET TRUE, INHERIT FALSE: it can hand over a function it has made
(ALTER FUNCTION f OWNER TO engineroom_guard), which PostgreSQL allows when the giver may become the new owner
and the new owner may CREATE in the schema. To replace such a function later, a migration says
SET LOCAL ROLE engineroom_guard first; to drop it, the schema's owner needs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

SUPERUSER = "postgres"
DATABASE = "engineroom"
OWNER = "engineroom_owner"
APP = "engineroom_app"
GUARD = "engineroom_guard"

_ORDINARY = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
ATTRIBUTES = {
    OWNER: f"LOGIN NOBYPASSRLS {_ORDINARY}",
    APP: f"LOGIN NOBYPASSRLS {_ORDINARY}",
    GUARD: f"NOLOGIN BYPASSRLS {_ORDINARY}",
}
MEMBERSHIP = f"GRANT {GUARD} TO {OWNER} WITH ADMIN FALSE, INHERIT FALSE, SET TRUE"
# template0 with locale C: text sorts by code point, the same on every system and for ever.
CREATE_DATABASE = f"CREATE DATABASE {{database}} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
DATABASE_GRANTS = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    f"GRANT CONNECT, TEMPORARY ON DATABASE {{database}} TO {APP}",
)
SCHEMA_GRANTS = (
    f"ALTER SCHEMA public OWNER TO {OWNER}",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    f"GRANT USAGE ON SCHEMA public TO {APP}",
    f"GRANT USAGE, CREATE ON SCHEMA public TO {GUARD}",
)


def ensure_roles_and_database(superuser_conninfo: str, dbname: str = DATABASE) -> None:
    """Make what is missing and set right what differs. Needs a superuser; may be repeated at any time."""
    with psycopg.connect(superuser_conninfo, autocommit=True) as cluster:
        cluster.execute("SELECT pg_advisory_lock(hashtext('engineroom roles'))")  # two at once would collide
        present = {name for (name,) in cluster.execute("SELECT rolname FROM pg_roles")}
        for role, attributes in ATTRIBUTES.items():
            verb = "ALTER" if role in present else "CREATE"
            cluster.execute(sql.SQL(f"{verb} ROLE {role} {attributes}"))
        cluster.execute(MEMBERSHIP)
        if not cluster.execute("SELECT 1 FROM pg_database WHERE datname = %s", [dbname]).fetchone():
            cluster.execute(_for(CREATE_DATABASE, dbname))
        for statement in DATABASE_GRANTS:
            cluster.execute(_for(statement, dbname))
    with psycopg.connect(make_conninfo(superuser_conninfo, dbname=dbname), autocommit=True) as database:
        for statement in SCHEMA_GRANTS:
            database.execute(statement)


def is_complete(conninfo: str) -> bool:
    """Whether `ensure_roles_and_database` has run to its last statement. Reads only."""
    try:
        with psycopg.connect(conninfo, autocommit=True) as database:
            last = "SELECT has_schema_privilege(oid, 'public', 'CREATE') FROM pg_roles WHERE rolname = %s"
            return database.execute(last, [GUARD]).fetchone() == (True,)
    except psycopg.OperationalError:
        return False  # no such database yet


def administrator_script() -> str:
    """The same for a server that somebody else runs, as psql reads it; docs/administration.md repeats it."""
    return "\n".join(f"{line};" if not line.startswith("\\") else line for line in _script_lines()) + "\n"


def _script_lines() -> Iterator[str]:
    for role, attributes in ATTRIBUTES.items():
        password = f" PASSWORD :'{role.removeprefix('engineroom_')}_password'" if role != GUARD else ""
        yield f"CREATE ROLE {role} {attributes}{password}"
    yield MEMBERSHIP
    for statement in (CREATE_DATABASE, *DATABASE_GRANTS):
        yield statement.format(database=DATABASE)
    yield f"\\connect {DATABASE}"
    yield from SCHEMA_GRANTS


def _for(statement: str, dbname: str) -> sql.Composed:
    return sql.SQL(statement).format(database=sql.Identifier(dbname))
