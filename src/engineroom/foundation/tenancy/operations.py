"""Migration operations that give a table its guards. Read like code: one operation per promise.

Each takes a model's name and works from the model's state, so a migration says *what* a table is, and this
file says once *how* PostgreSQL keeps it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from django.db.migrations import RunSQL
from django.db.migrations.operations.base import Operation

APP = "engineroom_app"
OWNER = "engineroom_owner"
GUARD = "engineroom_guard"


class GuardOperation(ABC, Operation):
    """Base: SQL computed from the model, forwards and backwards."""

    reduces_to_sql = True
    reversible = True
    model_name: str

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The guards are PostgreSQL's; Django's state does not change."""

    @abstractmethod
    def forwards(self, model: Any) -> list[str]: ...

    @abstractmethod
    def backwards(self, model: Any) -> list[str]: ...

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        for statement in self.forwards(model):
            schema_editor.execute(statement, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        # Backwards, the model that carries the guard is the one in the state we go to.
        model = to_state.apps.get_model(app_label, self.model_name)
        for statement in self.backwards(model):
            schema_editor.execute(statement, params=None)

    def describe(self) -> str:
        return f"{type(self).__name__} on {self.model_name}"


def _history_sql(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_history BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        f"CREATE TRIGGER {table}_history_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    ]


def _drop_history_sql(table: str) -> list[str]:
    return [
        f"DROP TRIGGER {table}_history ON {table}",
        f"DROP TRIGGER {table}_history_truncate ON {table}",
    ]


VERBS = {
    "read": "FOR SELECT USING ({read})",
    "insert": "FOR INSERT WITH CHECK ({write})",
    "update": "FOR UPDATE USING ({write}) WITH CHECK ({write})",
    "delete": "FOR DELETE USING ({write})",
}
"""One policy per verb: an ALL policy meant for writes is OR-ed into SELECT plans (measured)."""


def _policies(table: str, read: str, write: str) -> list[str]:
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        *(
            f"CREATE POLICY {table}_{verb} ON {table} {clause.format(read=read, write=write)}"
            for verb, clause in VERBS.items()
        ),
    ]


def _drop_policies(table: str) -> list[str]:
    return [
        *(f"DROP POLICY {table}_{verb} ON {table}" for verb in VERBS),
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        f"REVOKE ALL ON {table} FROM {APP}",
    ]


class ClientTable(GuardOperation):
    """Row security by client, the replica identity, composite keys, and history where the model says so.

    changes: the only columns that may be updated, and then nothing is deleted: dated rows, which end.
    """

    def __init__(
        self, model_name: str, history: bool = False, later: Sequence[str] = (), changes: Sequence[str] = ()
    ) -> None:
        self.model_name = model_name
        self.history = history
        self.changes = list(changes)
        self.later = list(later)
        """Keys into a table that gets its guards after this one: each has a `CompositeKey` further down."""

    def forwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        unique = f"{table}_client_id_id"
        keys = [key for key in client_keys(model) if key.name not in self.later]
        sql = [
            f"ALTER TABLE {table} ADD CONSTRAINT {unique} UNIQUE (client_id, id)",
            f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {unique}",
        ]
        if not any(not key.null for key in keys):
            # With a required composite key the client's existence follows from the row pointed to.
            sql.append(
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_client FOREIGN KEY (client_id) "
                "REFERENCES foundation_client (id)"
            )
        for key in keys:
            sql += _key_sql(table, key)
        sql += _policies(
            table,
            read="client_id = ANY ((SELECT app_read())::uuid[])",
            write="client_id = (SELECT app_write())",
        )
        sql.append(f"GRANT SELECT, INSERT{self._changing()} ON {table} TO {APP}")
        if self.history:
            sql += _history_sql(table)
        return sql

    def _changing(self) -> str:
        if self.history:
            return ""
        return f", UPDATE ({', '.join(self.changes)})" if self.changes else ", UPDATE, DELETE"

    def backwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        sql = _drop_history_sql(table) if self.history else []
        sql += _drop_policies(table)
        for key in client_keys(model):
            if key.name not in self.later:
                sql += _drop_key_sql(table, key)
        sql.append(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_client")
        sql.append(f"ALTER TABLE {table} REPLICA IDENTITY DEFAULT")
        sql.append(f"ALTER TABLE {table} DROP CONSTRAINT {table}_client_id_id")
        return sql


def _key_sql(table: str, key: Any) -> list[str]:
    target = key.remote_field.model._meta.db_table
    sql = []
    if not key.implied:
        sql.append(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{key.column}_key "
            f"FOREIGN KEY (client_id, {key.column}) REFERENCES {target} (client_id, id)"
        )
    if key.indexed and not key.primary_key:
        sql.append(f"CREATE INDEX {table}_{key.column}_idx ON {table} (client_id, {key.column})")
    return sql


def _drop_key_sql(table: str, key: Any) -> list[str]:
    return [
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_{key.column}_key",
        f"DROP INDEX IF EXISTS {table}_{key.column}_idx",
    ]


class CompositeKey(GuardOperation):
    """One composite key, where two tables point at each other and one of them must come later."""

    def __init__(self, model_name: str, key: str) -> None:
        self.model_name = model_name
        self.key = key

    def forwards(self, model: Any) -> list[str]:
        return _key_sql(model._meta.db_table, model._meta.get_field(self.key))

    def backwards(self, model: Any) -> list[str]:
        return _drop_key_sql(model._meta.db_table, model._meta.get_field(self.key))


def client_keys(model: Any) -> list[Any]:
    """The fields of a model that are client keys (by class name: migration state rebuilds the class)."""
    return [f for f in model._meta.local_fields if type(f).__name__ == "ClientKey"]


class FirmTable(GuardOperation):
    """Seen by its own user (`own`, an SQL condition) or from the firm's face; written from that face.

    writes_own: whoever a row is of writes it from any face: a token is everybody's own.
    """

    def __init__(
        self, model_name: str, own: str = "false", history: bool = False, writes_own: bool = False
    ) -> None:
        self.model_name = model_name
        self.own = own
        self.history = history
        self.writes_own = writes_own

    def forwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        firm, mine = "(SELECT app_face()) = 'firm'", f" OR ({self.own})"
        sql = _policies(table, read=firm + mine, write=firm + (mine if self.writes_own else ""))
        # Nobody deletes a user, a client or a grant: they are switched off or ended.
        sql.append(f"GRANT SELECT, INSERT{'' if self.history else ', UPDATE'} ON {table} TO {APP}")
        return sql + (_history_sql(table) if self.history else [])

    def backwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        return (_drop_history_sql(table) if self.history else []) + _drop_policies(table)


class NoOverlap(GuardOperation):
    """Dated rows with the same key never overlap: `starts` to `ends` inclusive, an empty end is for ever.

    An exclusion on uuids goes through uuidrange, because btree_gist is not in the embedded server.
    within: further ranges, in SQL: rows overlap only where these do too.
    """

    def __init__(
        self,
        model_name: str,
        key: Sequence[str],
        starts: str = "starts",
        ends: str = "ends",
        within: Sequence[str] = (),
    ) -> None:
        self.model_name = model_name
        self.key = list(key)
        self.starts = starts
        self.ends = ends
        self.within = list(within)

    def forwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        columns = ["client_id", *self.key]
        parts = [f"uuidrange({c}, {c}, '[]') WITH &&" for c in columns]
        parts.append(f"daterange({self.starts}, {self.ends}, '[]') WITH &&")
        parts += [f"{ranged} WITH &&" for ranged in self.within]
        return [
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_no_overlap EXCLUDE USING gist ({', '.join(parts)})"
        ]

    def backwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        return [f"ALTER TABLE {table} DROP CONSTRAINT {table}_no_overlap"]


class OwnRows(Operation):
    """From a person's own face and the work's, only rows that are their own: what `own` says in SQL, or none.

    A restrictive policy, so it narrows what the policies of a ClientTable open; other faces do not feel it.
    It takes a table, not a model: one migration says it of every room's tables.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, table: str, own: str = "false") -> None:
        self.table = table
        self.own = own

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Policies are PostgreSQL's; Django's state does not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        mine = "" if self.own == "false" else f" OR ({self.own})"
        schema_editor.execute(
            f"CREATE POLICY {self.table}_own ON {self.table} AS RESTRICTIVE FOR ALL "
            f"USING ((SELECT app_face()) NOT IN ('self', 'work'){mine})",
            params=None,
        )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(f"DROP POLICY {self.table}_own ON {self.table}", params=None)

    def describe(self) -> str:
        return f"Own rows of {self.table}"


class Contributes(GuardOperation):
    """Whoever writes rows of this table is a maker of the subject named in `column`."""

    def __init__(self, model_name: str, subject: str, column: str = "id") -> None:
        self.model_name = model_name
        self.subject = subject
        self.column = column

    def _triggers(self, model: Any) -> list[tuple[str, str]]:
        table = model._meta.db_table
        kinds = [("insert", "INSERT", "NEW"), ("update", "UPDATE", "NEW"), ("delete", "DELETE", "OLD")]
        if self.column != "id":
            # A row moved to another subject was taken from the first one: its mover made part of both.
            kinds.append(("update_from", "UPDATE", "OLD"))
        return [
            (
                f"{table}_contributes_{name}",
                f"AFTER {verb} ON {table} REFERENCING {rows} TABLE AS changed",
            )
            for name, verb, rows in kinds
        ]

    def forwards(self, model: Any) -> list[str]:
        return [
            f"CREATE TRIGGER {name} {event} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION record_contribution('{self.subject}', '{self.column}')"
            for name, event in self._triggers(model)
        ]

    def backwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        return [f"DROP TRIGGER {name} ON {table}" for name, _ in self._triggers(model)]


class Searched(GuardOperation):
    """Things of this table are found by words (`foundation/search`): their kind and their names in SQL, over
    columns of the row. What stands already gets its words too."""

    def __init__(self, model_name: str, kind: str, names: str) -> None:
        self.model_name = model_name
        self.kind = kind
        self.names = names

    def forwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        call = "FOR EACH STATEMENT EXECUTE FUNCTION keep_search_words({}, {})".format(
            *("'" + text.replace("'", "''") + "'" for text in (self.kind, self.names))
        )
        rows = {
            "insert": "NEW TABLE AS changed",
            "update": "OLD TABLE AS gone NEW TABLE AS changed",
            "delete": "OLD TABLE AS gone",
        }
        tables = (table, "foundation_searchword")
        return [
            *(
                f"CREATE TRIGGER {table}_searched_{verb} AFTER {verb.upper()} ON {table} "
                f"REFERENCING {named} {call}"
                for verb, named in rows.items()
            ),
            # The owner sees no client's rows otherwise.
            *(f"ALTER TABLE {each} NO FORCE ROW LEVEL SECURITY" for each in tables),
            "INSERT INTO foundation_searchword (id, client_id, kind, subject_id, word) "  # noqa: S608 ours
            f"SELECT gen_random_uuid(), c.client_id, {self.kind}, c.id, w "
            f"FROM {table} c CROSS JOIN LATERAL search_words({self.names}) w",
            *(f"ALTER TABLE {each} FORCE ROW LEVEL SECURITY" for each in tables),
        ]

    def backwards(self, model: Any) -> list[str]:
        table = model._meta.db_table
        return [f"DROP TRIGGER {table}_searched_{verb} ON {table}" for verb in ("insert", "update", "delete")]


def after_insert(table: str, function: str) -> RunSQL:
    """A trigger function that looks, once a statement, at all the rows it `added`."""
    return RunSQL(
        f"CREATE TRIGGER {table}_checked AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER {table}_checked ON {table}",
    )


def after_each_write(table: str, function: str) -> RunSQL:
    """A trigger function that looks, once a statement, at the rows that `moved`: new, changed or gone."""
    rows = {"insert": "NEW", "update": "NEW", "delete": "OLD"}
    return RunSQL(
        [
            f"CREATE TRIGGER {table}_{function}_{verb} AFTER {verb} ON {table} "
            f"REFERENCING {of} TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            for verb, of in rows.items()
        ],
        [f"DROP TRIGGER {table}_{function}_{verb} ON {table}" for verb in rows],
    )


class GuardFunction(Operation):
    """An SQL function that must see every row: owned by `guard`, SECURITY DEFINER, search_path pinned.

    signature: "name(args)"; returns: the return type; body: PL/pgSQL between BEGIN and END, with its own
    DECLARE. reads_only: asked by policies, so it must not keep a query from being planned freely.

    A guard looks rows up by their keys. While a table is small, PostgreSQL would rather walk it, and keeps to
    that while one statement makes it large: 10,000 allocations after a client of 60 took minutes (measured).
    """

    reduces_to_sql = True
    reversible = True

    def __init__(
        self,
        signature: str,
        returns: str,
        body: str,
        callable_by_app: bool = False,
        reads_only: bool = False,
    ) -> None:
        self.signature = signature
        self.returns = returns
        self.body = body
        self.callable_by_app = callable_by_app
        self.reads_only = reads_only

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Functions are PostgreSQL's; Django's state does not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        name = self.signature
        types = _argument_types(name)
        schema_editor.execute(
            f"CREATE FUNCTION {name} RETURNS {self.returns} LANGUAGE plpgsql SECURITY DEFINER "
            f"{'STABLE PARALLEL SAFE ' if self.reads_only else ''}"
            f"{'' if self.reads_only else 'SET enable_seqscan = off '}"
            f"SET search_path = pg_catalog, public, pg_temp AS $guard$\n{self.body}\n$guard$",
            params=None,
        )
        schema_editor.execute(f"REVOKE ALL ON FUNCTION {types} FROM PUBLIC", params=None)
        if self.callable_by_app:
            schema_editor.execute(f"GRANT EXECUTE ON FUNCTION {types} TO {APP}", params=None)
        schema_editor.execute(f"ALTER FUNCTION {types} OWNER TO {GUARD}", params=None)
        # Making a trigger needs EXECUTE; only the new owner can give it back to the one who migrates.
        schema_editor.execute(f"SET LOCAL ROLE {GUARD}", params=None)
        schema_editor.execute(f"GRANT EXECUTE ON FUNCTION {types} TO {OWNER}", params=None)
        schema_editor.execute("RESET ROLE", params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(f"DROP FUNCTION {_argument_types(self.signature)}", params=None)

    def describe(self) -> str:
        return f"Guard function {self.signature}"


def _argument_types(signature: str) -> str:
    """ "f(a uuid, b text)" as "f(uuid, text)"."""
    name, _, arguments = signature.partition("(")
    types = [a.strip().split(" ", 1)[1] for a in arguments.rstrip(")").split(",") if a.strip()]
    return f"{name}({', '.join(types)})"
