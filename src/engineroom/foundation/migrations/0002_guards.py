"""The guards of the ground floor: scope, isolation, history, makers and checkers. Read it as the list of promises."""

from django.db import migrations

from engineroom.foundation.access.roles import RELEASING
from engineroom.foundation.tenancy.operations import (
    APP,
    ClientTable,
    Contributes,
    FirmTable,
    GuardFunction,
)

SCOPE = """
CREATE TYPE uuidrange AS RANGE (subtype = uuid);

CREATE FUNCTION app_read() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT coalesce(nullif(current_setting('app.read', true), ''), '{}') $$;
CREATE FUNCTION app_write() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT nullif(current_setting('app.write', true), '')::uuid $$;
CREATE FUNCTION app_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT nullif(current_setting('app.user', true), '')::uuid $$;
CREATE FUNCTION app_on_behalf() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT nullif(current_setting('app.on_behalf', true), '')::uuid $$;
CREATE FUNCTION app_face() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT coalesce(current_setting('app.face', true), '') $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is history: rows are never changed or deleted; a correction is a new row', TG_TABLE_NAME
    USING ERRCODE = 'ER409';
END $$;
"""

SCOPE_BACK = """
DROP FUNCTION refuse_change();
DROP FUNCTION app_face();
DROP FUNCTION app_on_behalf();
DROP FUNCTION app_user();
DROP FUNCTION app_write();
DROP FUNCTION app_read();
DROP TYPE uuidrange;
"""

ENTER = """
DECLARE
  wanted uuid[] := array(SELECT DISTINCT unnest(readable || writable));
  kind text;
  lacking uuid;
BEGIN
  IF app_user() IS NOT NULL THEN
    RAISE EXCEPTION 'a scope is already open in this transaction' USING ERRCODE = 'ER500';
  END IF;
  wanted := array_remove(wanted, NULL);
  SELECT u.kind INTO kind FROM foundation_user u WHERE u.id = who AND u.is_active;
  IF kind IS NULL THEN
    RAISE EXCEPTION 'this user is unknown or switched off' USING ERRCODE = 'ER403';
  END IF;
  IF kind <> 'system' THEN
    SELECT w INTO lacking FROM unnest(wanted) w WHERE NOT EXISTS (
      SELECT FROM foundation_grant g WHERE g.user_id = who AND g.of_client_id = w
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)) LIMIT 1;
    IF lacking IS NOT NULL THEN
      RAISE EXCEPTION 'this user holds no live grant on client %', lacking USING ERRCODE = 'ER403';
    END IF;
  END IF;
  IF behalf IS NOT NULL THEN
    SELECT w INTO lacking FROM unnest(wanted) w WHERE NOT EXISTS (
      SELECT FROM foundation_grant g JOIN foundation_user u ON u.id = g.user_id AND u.is_active
      WHERE g.user_id = behalf AND g.of_client_id = w
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)) LIMIT 1;
    IF lacking IS NOT NULL THEN
      RAISE EXCEPTION 'the one on whose behalf holds no live grant on client %', lacking USING ERRCODE = 'ER403';
    END IF;
  END IF;
  -- Local to the transaction: a session-level setting leaks through the pool.
  PERFORM set_config('app.user', who::text, true),
          set_config('app.on_behalf', coalesce(behalf::text, ''), true),
          set_config('app.face', face, true),
          set_config('app.read', wanted::text, true),
          set_config('app.write', coalesce(writable::text, ''), true);
  RETURN QUERY SELECT g.of_client_id, array_agg(DISTINCT g.role::text) FROM foundation_grant g
    WHERE g.user_id = who AND g.of_client_id = ANY(wanted)
      AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)
    GROUP BY g.of_client_id;
END
"""

AUTHENTICATE = """
BEGIN
  RETURN QUERY SELECT u.id, u.email::text, u.name::text, u.kind::text
    FROM foundation_token t JOIN foundation_user u ON u.id = t.user_id
    WHERE t.sha256 = digest AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
      AND u.is_active;
END
"""

SYSTEM_USER = """
BEGIN
  RETURN QUERY SELECT u.id, u.email::text, u.name::text, u.kind::text
    FROM foundation_user u WHERE u.kind = 'system' AND u.is_active ORDER BY u.id LIMIT 1;
END
"""

IDENTITY = """
BEGIN
  RETURN QUERY SELECT u.id, u.email::text, u.name::text, u.kind::text
    FROM foundation_user u WHERE u.id = who AND u.is_active;
END
"""

UNSEALED_CLIENTS = """
BEGIN
  RETURN QUERY SELECT DISTINCT client_id FROM foundation_auditunsealed;
END
"""

# The writers of a table become makers of the subject its rows name. One statement, one insert, whatever its size.
RECORD_CONTRIBUTION = """
BEGIN
  IF app_user() IS NULL THEN
    RAISE EXCEPTION '% is written only inside acting: its makers must be known', TG_TABLE_NAME USING ERRCODE = 'ER500';
  END IF;
  EXECUTE format(
    'INSERT INTO public.foundation_contribution (id, client_id, subject_kind, subject_id, user_id, on_behalf_id) '
    'SELECT gen_random_uuid(), client_id, %L, subject, app_user(), app_on_behalf() '
    'FROM (SELECT DISTINCT client_id, %I AS subject FROM changed WHERE %I IS NOT NULL) made '
    'ON CONFLICT DO NOTHING', TG_ARGV[0], TG_ARGV[1], TG_ARGV[1]);
  RETURN NULL;
END
"""

# Maker is not checker: both identities, through every part the subject takes in.
CHECK_APPROVAL = """
DECLARE
  maker text;
BEGIN
  NEW.user_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  IF NEW.user_id IS NULL OR EXISTS (SELECT FROM foundation_user WHERE id = NEW.user_id AND kind = 'system') THEN
    RAISE EXCEPTION 'only a person can approve' USING ERRCODE = 'ER403';
  END IF;
  WITH RECURSIVE part (kind, id) AS (
    VALUES (NEW.subject_kind::text, NEW.subject_id)
    UNION
    SELECT s.part_kind::text, s.part_id FROM foundation_contributionsource s JOIN part p
      ON s.client_id = NEW.client_id AND s.subject_kind = p.kind AND s.subject_id = p.id)
  SELECT u.email INTO maker FROM part p
    JOIN foundation_contribution c
      ON c.client_id = NEW.client_id AND c.subject_kind = p.kind AND c.subject_id = p.id
    JOIN foundation_user u ON u.id IN (c.user_id, c.on_behalf_id) AND u.id IN (NEW.user_id, NEW.on_behalf_id)
    LIMIT 1;
  IF maker IS NOT NULL THEN
    RAISE EXCEPTION 'maker is not checker: % made part of this and cannot approve it', maker USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

CHECK_RELEASE = f"""
DECLARE
  given foundation_approval;
  others integer;
BEGIN
  NEW.user_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  IF NEW.user_id IS NULL OR EXISTS (SELECT FROM foundation_user WHERE id = NEW.user_id AND kind = 'system') THEN
    RAISE EXCEPTION 'only a person can release' USING ERRCODE = 'ER403';
  END IF;
  SELECT a.* INTO given FROM foundation_approval a
    WHERE a.client_id = NEW.client_id AND a.id = NEW.approval_id
      AND a.subject_kind = NEW.subject_kind AND a.subject_id = NEW.subject_id AND a.content_hash = NEW.content_hash
      AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id);
  IF given.id IS NULL THEN
    RAISE EXCEPTION 'a release needs a standing approval of exactly this content' USING ERRCODE = 'ER403';
  END IF;
  IF NEW.user_id IN (given.user_id, given.on_behalf_id) OR NEW.on_behalf_id IN (given.user_id, given.on_behalf_id) THEN
    SELECT count(DISTINCT g.user_id) INTO others FROM foundation_grant g
      JOIN foundation_user u ON u.id = g.user_id AND u.is_active
      WHERE g.of_client_id = NEW.client_id AND g.role IN ({", ".join(f"'{r}'" for r in RELEASING)})
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)
        AND g.user_id NOT IN (NEW.user_id, coalesce(NEW.on_behalf_id, NEW.user_id));
    IF others >= 2 OR NOT EXISTS (SELECT FROM foundation_grant g
        WHERE g.user_id = NEW.user_id AND g.of_client_id = NEW.client_id AND g.role = 'checker'
          AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)) THEN
      RAISE EXCEPTION 'whoever approved this cannot release it: another person must' USING ERRCODE = 'ER403';
    END IF;
  END IF;
  RETURN NEW;
END
"""

STAMP_EVENT = """
BEGIN
  IF app_user() IS NULL THEN
    RAISE EXCEPTION 'the audit trail is written only inside acting' USING ERRCODE = 'ER500';
  END IF;
  NEW.user_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  NEW.xact := pg_current_xact_id()::text::bigint;
  NEW.at := clock_timestamp();
  RETURN NEW;
END
"""

QUEUE_EVENT = """
BEGIN
  INSERT INTO foundation_auditunsealed (id, client_id) SELECT id, client_id FROM changed;
  RETURN NULL;
END
"""

CHECK_GRANT = """
BEGIN
  IF NEW.user_id = app_user() OR NEW.user_id = app_on_behalf() THEN
    RAISE EXCEPTION 'nobody grants to themselves' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

CHECK_SERIES = """
BEGIN
  IF NEW.next_number < OLD.next_number OR NEW.series <> OLD.series THEN
    RAISE EXCEPTION 'a number series only counts up' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

GUARD_READS = """
GRANT SELECT ON foundation_user, foundation_token, foundation_grant, foundation_contribution,
  foundation_contributionsource, foundation_approval, foundation_approvalvoid, foundation_auditunsealed
  TO engineroom_guard;
GRANT INSERT ON foundation_contribution, foundation_auditunsealed TO engineroom_guard;
"""

GUARD_READS_BACK = """
REVOKE ALL ON foundation_user, foundation_token, foundation_grant, foundation_contribution,
  foundation_contributionsource, foundation_approval, foundation_approvalvoid, foundation_auditunsealed
  FROM engineroom_guard;
"""

TRIGGERS = [
    ("approval_checked", "BEFORE INSERT ON foundation_approval FOR EACH ROW", "check_approval"),
    ("release_checked", "BEFORE INSERT ON foundation_release FOR EACH ROW", "check_release"),
    ("audit_stamped", "BEFORE INSERT ON foundation_auditevent FOR EACH ROW", "stamp_event"),
    (
        "audit_queued",
        "AFTER INSERT ON foundation_auditevent REFERENCING NEW TABLE AS changed FOR EACH STATEMENT",
        "queue_event",
    ),
    ("grant_checked", "BEFORE INSERT OR UPDATE ON foundation_grant FOR EACH ROW", "check_grant"),
    ("series_counts_up", "BEFORE UPDATE ON foundation_numberseries FOR EACH ROW", "check_series"),
]


def trigger(name: str, when: str, function: str) -> migrations.RunSQL:
    table = when.split(" ON ")[1].split()[0]
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}()", f"DROP TRIGGER {name} ON {table}"
    )


# procrastinate's tables and Django's are library tables: no client columns, ids only in a job's arguments.
LIBRARY = f"""
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers,
  procrastinate_workers TO {APP};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP};
GRANT SELECT ON django_migrations, django_content_type TO {APP};
"""

LIBRARY_BACK = f"""
REVOKE ALL ON procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers, procrastinate_workers
  FROM {APP};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {APP};
REVOKE ALL ON django_migrations, django_content_type FROM {APP};
"""


class Migration(migrations.Migration):
    dependencies = [("foundation", "0001_initial"), ("procrastinate", "0041_post_retry_failed_job")]

    operations = [
        migrations.RunSQL(SCOPE, SCOPE_BACK),
        FirmTable("Client", own="id = ANY ((SELECT app_read())::uuid[])"),
        FirmTable("Installation", own="true"),
        FirmTable("User", own="id = (SELECT app_user())"),
        FirmTable("Token", own="user_id = (SELECT app_user())"),
        FirmTable("Grant", own="user_id = (SELECT app_user())"),
        ClientTable("Contribution", history=True),
        ClientTable("ContributionSource", history=True),
        ClientTable("Approval", history=True),
        ClientTable("ApprovalVoid", history=True),
        ClientTable("Release", history=True),
        ClientTable("AuditEvent", history=True),
        ClientTable("AuditUnsealed"),
        ClientTable("AuditSeal", history=True),
        ClientTable("CommandRun", history=True),
        ClientTable("NumberSeries"),
        ClientTable("VaultFile", history=True),
        ClientTable("ImportPreview", history=True),
        ClientTable("ImportCommit", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction(
            "app_enter(who uuid, behalf uuid, face text, readable uuid[], writable uuid)",
            "TABLE (client_id uuid, roles text[])",
            "#variable_conflict use_column" + ENTER,
            callable_by_app=True,
        ),
        GuardFunction(
            "app_authenticate(digest bytea)",
            "TABLE (id uuid, email text, name text, kind text)",
            "#variable_conflict use_column" + AUTHENTICATE,
            callable_by_app=True,
        ),
        GuardFunction(
            "app_system_user()",
            "TABLE (id uuid, email text, name text, kind text)",
            "#variable_conflict use_column" + SYSTEM_USER,
            callable_by_app=True,
        ),
        GuardFunction(
            "app_identity(who uuid)",
            "TABLE (id uuid, email text, name text, kind text)",
            "#variable_conflict use_column" + IDENTITY,
            callable_by_app=True,
        ),
        GuardFunction("app_unsealed_clients()", "SETOF uuid", UNSEALED_CLIENTS, callable_by_app=True),
        GuardFunction("record_contribution()", "trigger", RECORD_CONTRIBUTION),
        GuardFunction("check_approval()", "trigger", CHECK_APPROVAL),
        GuardFunction("check_release()", "trigger", CHECK_RELEASE),
        GuardFunction("stamp_event()", "trigger", STAMP_EVENT),
        GuardFunction("queue_event()", "trigger", QUEUE_EVENT),
        GuardFunction("check_grant()", "trigger", CHECK_GRANT),
        GuardFunction("check_series()", "trigger", CHECK_SERIES),
        *(trigger(*t) for t in TRIGGERS),
        Contributes("ImportCommit", subject="import"),
        migrations.RunSQL(LIBRARY, LIBRARY_BACK),
    ]
