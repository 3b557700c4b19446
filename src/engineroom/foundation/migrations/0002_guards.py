"""The guards of the ground floor: scope, isolation, history, makers and checkers. Read it as the list of promises."""

from django.db import migrations

from engineroom.foundation.access.roles import RELEASING, ROLES, ROOM_OF_SUBJECT, WRITING
from engineroom.foundation.tenancy.operations import (
    APP,
    ClientTable,
    Contributes,
    FirmTable,
    GuardFunction,
)
from engineroom.foundation.tenancy.scope import FACE_OF_KIND

SCOPE = """
CREATE TYPE uuidrange AS RANGE (subtype = uuid);

-- uuids, not text: a cast outside the SELECT of a policy is done again for every row (200 clients: 15 s for what
-- takes 0.1, measured).
CREATE FUNCTION app_read() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT coalesce(nullif(current_setting('app.read', true), ''), '{}')::uuid[] $$;
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


def listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def choice(of: dict[str, str]) -> str:
    """The arms of a CASE."""
    return " ".join(f"WHEN '{key}' THEN '{value}'" for key, value in of.items())


FACE_OF = f"(CASE kind {choice(FACE_OF_KIND)} END)"
FACE_OF_ROLE = f"(CASE NEW.role {choice({name: role.face for name, role in ROLES.items()})} END)"

ENTER = f"""
DECLARE
  wanted uuid[] := array(SELECT DISTINCT unnest(readable || writable));
  kind text;
  lacking uuid;
  holder uuid := who;
BEGIN
  IF app_user() IS NOT NULL THEN
    RAISE EXCEPTION 'a scope is already open in this transaction' USING ERRCODE = 'ER500';
  END IF;
  wanted := array_remove(wanted, NULL);
  SELECT u.kind INTO kind FROM foundation_user u WHERE u.id = who AND u.is_active;
  IF kind IS NULL THEN
    RAISE EXCEPTION 'this user is unknown or switched off' USING ERRCODE = 'ER403';
  END IF;
  IF face IS DISTINCT FROM {FACE_OF} THEN
    RAISE EXCEPTION 'a user of kind % has another face than %', kind, face USING ERRCODE = 'ER403';
  END IF;
  IF kind <> 'system' THEN
    SELECT w INTO lacking FROM unnest(wanted) w WHERE NOT EXISTS (
      SELECT FROM foundation_grant g WHERE g.user_id = who AND g.of_client_id = w
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)) LIMIT 1;
    IF lacking IS NOT NULL THEN
      RAISE EXCEPTION 'this user holds no live grant on client %', lacking USING ERRCODE = 'ER403';
    END IF;
    IF writable IS NOT NULL AND NOT EXISTS (
      SELECT FROM foundation_grant g WHERE g.user_id = who AND g.of_client_id = writable
        AND g.role IN ({listed(WRITING)})
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)) THEN
      RAISE EXCEPTION 'this user may read client % but not write it', writable USING ERRCODE = 'ER403';
    END IF;
  END IF;
  IF behalf IS NOT NULL THEN
    IF NOT EXISTS (SELECT FROM foundation_user u
        WHERE u.id = behalf AND u.is_active AND u.kind <> 'system') THEN
      RAISE EXCEPTION 'the one on whose behalf is unknown or switched off' USING ERRCODE = 'ER403';
    END IF;
    SELECT w INTO lacking FROM unnest(wanted) w WHERE NOT EXISTS (
      SELECT FROM foundation_grant g WHERE g.user_id = behalf AND g.of_client_id = w
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)) LIMIT 1;
    IF lacking IS NOT NULL THEN
      RAISE EXCEPTION 'the one on whose behalf holds no live grant on client %', lacking USING ERRCODE = 'ER403';
    END IF;
  END IF;
  -- The system has no rights of its own on a client: a job may do what the one who set it off may still do.
  IF kind = 'system' THEN
    holder := behalf;
  END IF;
  -- Local to the transaction: a session-level setting leaks through the pool.
  PERFORM set_config('app.user', who::text, true),
          set_config('app.on_behalf', coalesce(behalf::text, ''), true),
          set_config('app.face', face, true),
          set_config('app.read', wanted::text, true),
          set_config('app.write', coalesce(writable::text, ''), true);
  RETURN QUERY SELECT g.of_client_id, array_agg(DISTINCT g.role::text) FROM foundation_grant g
    WHERE g.user_id = holder AND g.of_client_id = ANY(wanted)
      AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)
    GROUP BY g.of_client_id;
END
"""  # noqa: S608 the names are ours

AUTHENTICATE = """
BEGIN
  RETURN QUERY SELECT u.id, u.email::text, u.name::text, u.kind::text, t.clients, t.verbs::text[]
    FROM foundation_token t JOIN foundation_user u ON u.id = t.user_id
    WHERE t.sha256 = digest AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
      AND u.is_active AND u.kind <> 'system';
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

# The door: one active person, by exact address or by id, with what a password is checked against. Nobody else's row.
DOOR = """
BEGIN
  RETURN QUERY SELECT u.id, u.email::text, u.name::text, u.kind::text, coalesce(c.password, '')::text, c.last_login
    FROM foundation_user u LEFT JOIN foundation_credential c ON c.user_id = u.id
    WHERE u.{key} = wanted AND u.is_active AND u.kind <> 'system';
END
"""

# Compared and swapped: whoever does not know the hash that stands writes none, and nobody another's.
CHANGE_PASSWORD = """
BEGIN
  IF app_user() IS NULL OR EXISTS (SELECT FROM foundation_user WHERE id = app_user() AND kind = 'system') THEN
    RAISE EXCEPTION 'a password is changed by its own user only' USING ERRCODE = 'ER403';
  END IF;
  INSERT INTO foundation_credential AS c (id, user_id, password, changed_at)
    SELECT gen_random_uuid(), app_user(), fresh, now() WHERE previous = ''
    ON CONFLICT (user_id) DO NOTHING;
  IF NOT FOUND THEN
    UPDATE foundation_credential SET password = fresh, changed_at = now()
      WHERE user_id = app_user() AND password = previous;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the password was changed meanwhile; sign in again' USING ERRCODE = 'ER409';
    END IF;
  END IF;
END
"""

SIGNED_IN = """
BEGIN
  IF app_user() IS NULL THEN
    RAISE EXCEPTION 'a sign-in is recorded by its own user only' USING ERRCODE = 'ER403';
  END IF;
  INSERT INTO foundation_credential AS c (id, user_id, password, last_login)
    VALUES (gen_random_uuid(), app_user(), '', now())
    ON CONFLICT (user_id) DO UPDATE SET last_login = now();
END
"""

# Where a user may go, in one question, before a scope is open. What is there, only a scope shows.
CLIENTS_OF = """
BEGIN
  RETURN QUERY SELECT c.id, c.code::text, c.name::text, c.is_house, c.jurisdiction::text, c.currency::text, c.details,
      c.opened_at, held.roles
    FROM (SELECT g.of_client_id AS client, array_agg(DISTINCT g.role::text) AS roles FROM foundation_grant g
          WHERE g.user_id = who AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)
          GROUP BY g.of_client_id) held
      JOIN foundation_client c ON c.id = held.client
    WHERE EXISTS (SELECT FROM foundation_user u WHERE u.id = who AND u.is_active)
    ORDER BY c.is_house DESC, c.code;
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

# What invoices print of the client itself has its makers too: of the client as a subject. The installation writes the
# house before there is anybody.
RECORD_CLIENT_MAKER = """
BEGIN
  IF app_user() IS NOT NULL THEN
    INSERT INTO foundation_contribution (id, client_id, subject_kind, subject_id, user_id, on_behalf_id)
      VALUES (gen_random_uuid(), NEW.id, 'client', NEW.id, app_user(), app_on_behalf()) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
"""

# Makers of many small parts, a row a maker. Only of the client being written, and it can only add makers.
TAKE_IN_MAKERS = """
BEGIN
  INSERT INTO foundation_contribution (id, client_id, subject_kind, subject_id, user_id, on_behalf_id)
    SELECT gen_random_uuid(), made.client_id, whole_kind, whole, made.user_id, made.on_behalf_id
    FROM (SELECT DISTINCT client_id, user_id, on_behalf_id FROM foundation_contribution
          WHERE client_id = app_write() AND subject_kind = part_kind AND subject_id = ANY(parts)) made
    ON CONFLICT DO NOTHING;
END
"""

# The table of roles.py as PostgreSQL knows it; a test asks both about every role and permission.
PATTERNS = ", ".join(
    f"('{name}', '{pattern.replace('_', '|_').replace('*', '%')}')"
    for name, role in ROLES.items()
    for pattern in role.permissions
)
ROLE_MAY = f"""
BEGIN
  RETURN EXISTS (SELECT FROM (VALUES {PATTERNS}) AS held (by, pattern)
    WHERE held.by = named AND permission LIKE held.pattern ESCAPE '|');
END
"""

# By a live grant of the user's own: a delegate acts with the delegate's roles.
USER_MAY = """
BEGIN
  RETURN EXISTS (SELECT FROM foundation_grant g WHERE g.user_id = who AND g.of_client_id = there
    AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date) AND role_may(g.role, permission));
END
"""

ROOM = f"(CASE NEW.subject_kind {choice(ROOM_OF_SUBJECT)} ELSE NEW.subject_kind END)"

# Maker is not checker: both identities, through every part the subject takes in.
CHECK_APPROVAL = f"""
DECLARE
  maker text;
BEGIN
  NEW.user_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  NEW.at := now();
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
  IF NOT user_may(NEW.user_id, NEW.client_id, {ROOM} || '.approve') THEN
    RAISE EXCEPTION 'no role of this user here may approve a %', replace(NEW.subject_kind, '_', ' ')
      USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""  # noqa: S608 the names are ours

# Two people let a thing out: whoever approved this very content, in whatever row, does not release it. The approval is
# locked first, so that a release and a void of it never pass each other unseen.
CHECK_RELEASE = f"""
DECLARE
  others integer;
BEGIN
  NEW.user_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  NEW.at := now();
  IF NEW.user_id IS NULL OR EXISTS (SELECT FROM foundation_user WHERE id = NEW.user_id AND kind = 'system') THEN
    RAISE EXCEPTION 'only a person can release' USING ERRCODE = 'ER403';
  END IF;
  IF NOT user_may(NEW.user_id, NEW.client_id, {ROOM} || '.release') THEN
    RAISE EXCEPTION 'no role of this user here may release a %', replace(NEW.subject_kind, '_', ' ')
      USING ERRCODE = 'ER403';
  END IF;
  PERFORM 1 FROM foundation_approval a WHERE a.client_id = NEW.client_id AND a.id = NEW.approval_id FOR UPDATE;
  IF NOT EXISTS (SELECT FROM foundation_approval a
      WHERE a.client_id = NEW.client_id AND a.id = NEW.approval_id
        AND a.subject_kind = NEW.subject_kind AND a.subject_id = NEW.subject_id AND a.content_hash = NEW.content_hash
        AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)) THEN
    RAISE EXCEPTION 'a release needs a standing approval of exactly this content' USING ERRCODE = 'ER403';
  END IF;
  IF EXISTS (SELECT FROM foundation_approval a
      WHERE a.client_id = NEW.client_id AND a.subject_kind = NEW.subject_kind AND a.subject_id = NEW.subject_id
        AND a.content_hash = NEW.content_hash
        AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)
        AND (NEW.user_id IN (a.user_id, a.on_behalf_id) OR NEW.on_behalf_id IN (a.user_id, a.on_behalf_id))) THEN
    SELECT count(DISTINCT g.user_id) INTO others FROM foundation_grant g
      JOIN foundation_user u ON u.id = g.user_id AND u.is_active
      WHERE g.of_client_id = NEW.client_id AND g.role IN ({listed(RELEASING)})
        AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)
        AND g.user_id <> NEW.user_id;
    IF others >= 2 OR NOT EXISTS (SELECT FROM foundation_grant g
        WHERE g.user_id = NEW.user_id AND g.of_client_id = NEW.client_id AND g.role = 'checker'
          AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date)) THEN
      RAISE EXCEPTION 'whoever approved this cannot release it: another person must' USING ERRCODE = 'ER403';
    END IF;
  END IF;
  RETURN NEW;
END
"""  # noqa: S608 the names are ours

CHECK_VOID = """
BEGIN
  NEW.at := now();
  PERFORM 1 FROM foundation_approval a WHERE a.client_id = NEW.client_id AND a.id = NEW.id FOR UPDATE;
  IF EXISTS (SELECT FROM foundation_release r WHERE r.client_id = NEW.client_id AND r.approval_id = NEW.id) THEN
    RAISE EXCEPTION 'what this approval let out is released: it cannot be voided any more' USING ERRCODE = 'ER409';
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

# Whoever may read a client's private columns leaves a trace of it, also where nothing of the client may be written.
RECORD_READ = """
BEGIN
  IF app_user() IS NULL OR NOT (of_client = ANY (app_read()::uuid[])) THEN
    RAISE EXCEPTION 'a read is logged on a client that the scope reads' USING ERRCODE = 'ER403';
  END IF;
  INSERT INTO foundation_auditevent (id, client_id, user_id, verb, subject_kind, subject_id, detail, xact)
    VALUES (event, of_client, app_user(), 'read', kind, subject, what, 0);
END
"""

# Nobody can grant the first grants: they come with the installation, all to one person.
CHECK_GRANT = f"""
DECLARE
  granter uuid := app_user();
BEGIN
  IF EXISTS (SELECT FROM foundation_user WHERE id = granter AND kind = 'system') THEN
    granter := app_on_behalf();
  END IF;
  IF NEW.user_id = app_user() OR NEW.user_id = app_on_behalf() THEN
    RAISE EXCEPTION 'nobody grants to themselves' USING ERRCODE = 'ER403';
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.user_id, NEW.of_client_id, NEW.role, NEW.starts)
      IS DISTINCT FROM (OLD.user_id, OLD.of_client_id, OLD.role, OLD.starts) THEN
    RAISE EXCEPTION 'a grant is ended, not changed into another one' USING ERRCODE = 'ER409';
  END IF;
  IF NOT EXISTS (SELECT FROM foundation_user u WHERE u.id = NEW.user_id AND {FACE_OF} = {FACE_OF_ROLE}) THEN
    RAISE EXCEPTION 'the role % is not for a user of this kind', NEW.role USING ERRCODE = 'ER403';
  END IF;
  IF app_user() IS NULL AND NOT EXISTS (SELECT FROM foundation_grant g WHERE g.user_id <> NEW.user_id) THEN
    NULL;
  ELSIF NOT EXISTS (SELECT FROM foundation_client c WHERE c.is_house AND user_may(granter, c.id, 'foundation.admin'))
      AND (NEW.role IN ('owner', 'admin') OR NOT coalesce(user_may(granter, NEW.of_client_id, 'foundation.grant'), false))
  THEN
    RAISE EXCEPTION 'this user may not grant the role % there', NEW.role USING ERRCODE = 'ER403';
  END IF;
  IF TG_OP = 'INSERT' THEN
    -- Locked, so that whoever is switched off at this moment is either off before, or their grant is ended with them.
    PERFORM FROM foundation_user u WHERE u.id = NEW.user_id AND u.is_active FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'this user is switched off: who comes back is a new user' USING ERRCODE = 'ER409';
    END IF;
    NEW.granted_by_id := app_user();
    NEW.granted_at := now();
  END IF;
  RETURN NEW;
END
"""  # noqa: S608 the names are ours

# Nobody locks themselves out, and somebody is always left to let people in. Two admins who switch each other off at
# once wait for one another here.
CHECK_SWITCH_OFF = """
BEGIN
  IF app_user() IS NULL OR NEW.is_active OR NOT OLD.is_active THEN
    RETURN NEW;
  END IF;
  IF NEW.id = app_user() OR NEW.id = app_on_behalf() THEN
    RAISE EXCEPTION 'nobody switches themselves off: another admin does' USING ERRCODE = 'ER403';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('switch-off', 0));
  IF user_rules_the_house(NEW.id) AND NOT EXISTS (SELECT FROM foundation_user u
      WHERE u.id <> NEW.id AND u.is_active AND user_rules_the_house(u.id)) THEN
    RAISE EXCEPTION 'this is the last admin: make another one first' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

RULES_THE_HOUSE = """
BEGIN
  RETURN EXISTS (SELECT FROM foundation_client c WHERE c.is_house AND user_may(who, c.id, 'foundation.admin'));
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

# The only way to a number: the next ones of the series, none skipped and none named. The row stays locked until commit.
TAKE_NUMBERS = """
DECLARE
  after bigint;
BEGIN
  IF app_write() IS NULL THEN
    RAISE EXCEPTION 'numbers are taken for the client that the scope writes' USING ERRCODE = 'ER403';
  END IF;
  IF how_many IS NULL OR how_many NOT BETWEEN 1 AND 1000000 THEN
    RAISE EXCEPTION '% numbers cannot be taken of %', how_many, of_series USING ERRCODE = 'ER422';
  END IF;
  INSERT INTO foundation_numberseries (id, client_id, series, next_number)
    VALUES (gen_random_uuid(), app_write(), of_series, 1 + how_many)
    ON CONFLICT (client_id, series)
      DO UPDATE SET next_number = foundation_numberseries.next_number + excluded.next_number - 1
    RETURNING next_number INTO after;
  RETURN after - how_many;
END
"""

GUARD_READS = """
GRANT SELECT ON foundation_user, foundation_client, foundation_token, foundation_grant, foundation_contribution,
  foundation_contributionsource, foundation_approval, foundation_approvalvoid, foundation_release,
  foundation_auditunsealed TO engineroom_guard;
-- To lock rows; changing an approval is refused to everybody.
GRANT UPDATE ON foundation_approval, foundation_user TO engineroom_guard;
GRANT INSERT ON foundation_contribution, foundation_auditevent, foundation_auditunsealed TO engineroom_guard;
GRANT SELECT, INSERT, UPDATE ON foundation_credential, foundation_numberseries TO engineroom_guard;
"""

GUARD_READS_BACK = """
REVOKE ALL ON foundation_user, foundation_client, foundation_credential, foundation_token, foundation_grant,
  foundation_contribution,
  foundation_contributionsource, foundation_approval, foundation_approvalvoid, foundation_release,
  foundation_auditevent, foundation_auditunsealed, foundation_numberseries FROM engineroom_guard;
"""

# What triggers write is not written by hand: no forged maker, no event slipped past the sealer, no number that is
# not the next one.
NOT_BY_HAND = f"""
REVOKE INSERT ON foundation_contribution FROM {APP};
REVOKE INSERT, UPDATE ON foundation_auditunsealed FROM {APP};
REVOKE INSERT, UPDATE, DELETE ON foundation_numberseries FROM {APP};
REVOKE ALL ON foundation_credential FROM {APP};
"""

NOT_BY_HAND_BACK = f"""
GRANT INSERT ON foundation_contribution TO {APP};
GRANT INSERT, UPDATE ON foundation_auditunsealed TO {APP};
GRANT INSERT, UPDATE, DELETE ON foundation_numberseries TO {APP};
GRANT SELECT, INSERT, UPDATE ON foundation_credential TO {APP};
"""

TRIGGERS = [
    ("approval_checked", "BEFORE INSERT ON foundation_approval FOR EACH ROW", "check_approval"),
    ("void_checked", "BEFORE INSERT ON foundation_approvalvoid FOR EACH ROW", "check_void"),
    ("release_checked", "BEFORE INSERT ON foundation_release FOR EACH ROW", "check_release"),
    ("audit_stamped", "BEFORE INSERT ON foundation_auditevent FOR EACH ROW", "stamp_event"),
    (
        "audit_queued",
        "AFTER INSERT ON foundation_auditevent REFERENCING NEW TABLE AS changed FOR EACH STATEMENT",
        "queue_event",
    ),
    ("switch_off_checked", "BEFORE UPDATE OF is_active ON foundation_user FOR EACH ROW", "check_switch_off"),
    ("grant_checked", "BEFORE INSERT OR UPDATE ON foundation_grant FOR EACH ROW", "check_grant"),
    (
        "client_made",
        "AFTER INSERT OR UPDATE OF name, details ON foundation_client FOR EACH ROW",
        "record_client_maker",
    ),
    ("series_counts_up", "BEFORE UPDATE ON foundation_numberseries FOR EACH ROW", "check_series"),
    ("series_stays", "BEFORE DELETE ON foundation_numberseries FOR EACH ROW", "refuse_change"),
]


def trigger(name: str, when: str, function: str) -> migrations.RunSQL:
    table = when.split(" ON ")[1].split()[0]
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}()", f"DROP TRIGGER {name} ON {table}"
    )


# ANALYZE belongs to a table's owner (MAINTAIN came with 17): the app may ask for it, by the rule of autovacuum.
ANALYZE = f"""
CREATE FUNCTION app_analyze(name text, written bigint) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  known real;
BEGIN
  SELECT c.reltuples INTO known FROM pg_class c
    WHERE c.relname = name AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'r';
  IF known IS NULL OR (known > 0 AND written < known / 10) THEN
    RETURN false;
  END IF;
  EXECUTE format('ANALYZE public.%I', name);
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION app_analyze(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_analyze(text, bigint) TO {APP};
"""  # noqa: S608 the names are ours
ANALYZE_BACK = "DROP FUNCTION app_analyze(text, bigint);"

# procrastinate's tables, Django's and allauth's are library tables: no client columns, ids only in a job's arguments.
# The limits on sign-in are counted in django_cache, which Django makes by a command and not by a migration.
LIBRARY = f"""
CREATE TABLE django_cache (cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
CREATE INDEX django_cache_expires ON django_cache (expires);
GRANT SELECT, INSERT, UPDATE, DELETE ON django_cache, django_session, account_emailaddress, account_emailconfirmation,
  mfa_authenticator, usersessions_usersession TO {APP};
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers,
  procrastinate_workers TO {APP};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP};
GRANT SELECT ON django_migrations, django_content_type TO {APP};
"""

LIBRARY_BACK = f"""
DROP TABLE django_cache;
REVOKE ALL ON django_session, account_emailaddress, account_emailconfirmation, mfa_authenticator,
  usersessions_usersession FROM {APP};
REVOKE ALL ON procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers, procrastinate_workers
  FROM {APP};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {APP};
REVOKE ALL ON django_migrations, django_content_type FROM {APP};
"""


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0001_initial"),
        ("procrastinate", "0041_post_retry_failed_job"),
        ("sessions", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("usersessions", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(SCOPE, SCOPE_BACK),
        FirmTable("Client", own="id = ANY ((SELECT app_read())::uuid[])"),
        FirmTable("Installation", own="true"),
        FirmTable("User", own="id = (SELECT app_user())"),
        FirmTable("Credential"),
        FirmTable("Token", own="user_id = (SELECT app_user())", writes_own=True),
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
            "TABLE (id uuid, email text, name text, kind text, clients uuid[], verbs text[])",
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
        *(
            GuardFunction(
                f"{name}(wanted {kind})",
                "TABLE (id uuid, email text, name text, kind text, password text, last_login timestamptz)",
                "#variable_conflict use_column" + DOOR.format(key=key),
                callable_by_app=True,
            )
            for name, kind, key in (("app_door", "text", "email"), ("app_door_of", "uuid", "id"))
        ),
        GuardFunction(
            "app_change_password(previous text, fresh text)", "void", CHANGE_PASSWORD, callable_by_app=True
        ),
        GuardFunction("app_signed_in()", "void", SIGNED_IN, callable_by_app=True),
        GuardFunction(
            "app_clients_of(who uuid)",
            "TABLE (id uuid, code text, name text, is_house boolean, jurisdiction text, currency text, details jsonb, "
            "opened_at timestamptz, roles text[])",
            "#variable_conflict use_column" + CLIENTS_OF,
            callable_by_app=True,
        ),
        GuardFunction(
            "app_record_read(event uuid, of_client uuid, kind text, subject uuid, what jsonb)",
            "void",
            "#variable_conflict use_variable" + RECORD_READ,
            callable_by_app=True,
        ),
        GuardFunction(
            "app_take_numbers(of_series text, how_many bigint)", "bigint", TAKE_NUMBERS, callable_by_app=True
        ),
        GuardFunction("app_unsealed_clients()", "SETOF uuid", UNSEALED_CLIENTS, callable_by_app=True),
        GuardFunction("record_contribution()", "trigger", RECORD_CONTRIBUTION),
        GuardFunction("record_client_maker()", "trigger", RECORD_CLIENT_MAKER),
        GuardFunction(
            "take_in_makers(whole_kind text, whole uuid, part_kind text, parts uuid[])",
            "void",
            TAKE_IN_MAKERS,
            callable_by_app=True,
        ),
        GuardFunction(
            "role_may(named text, permission text)",
            "boolean",
            ROLE_MAY,
            callable_by_app=True,
            reads_only=True,
        ),
        GuardFunction(
            "user_may(who uuid, there uuid, permission text)", "boolean", USER_MAY, reads_only=True
        ),
        GuardFunction("user_rules_the_house(who uuid)", "boolean", RULES_THE_HOUSE, reads_only=True),
        GuardFunction("check_switch_off()", "trigger", CHECK_SWITCH_OFF),
        GuardFunction("check_approval()", "trigger", CHECK_APPROVAL),
        GuardFunction("check_void()", "trigger", CHECK_VOID),
        GuardFunction("check_release()", "trigger", CHECK_RELEASE),
        GuardFunction("stamp_event()", "trigger", STAMP_EVENT),
        GuardFunction("queue_event()", "trigger", QUEUE_EVENT),
        GuardFunction("check_grant()", "trigger", CHECK_GRANT),
        GuardFunction("check_series()", "trigger", CHECK_SERIES),
        *(trigger(*t) for t in TRIGGERS),
        Contributes("ImportPreview", subject="import_preview"),
        Contributes("ImportCommit", subject="import"),
        migrations.RunSQL(NOT_BY_HAND, NOT_BY_HAND_BACK),
        migrations.RunSQL(ANALYZE, ANALYZE_BACK),
        migrations.RunSQL(LIBRARY, LIBRARY_BACK),
    ]
