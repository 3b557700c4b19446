"""Leave's promises: nobody decides of what they asked for themselves; a booking's state is what was decided; what is
approved stands in the ledger day by day, and what is cancelled nets to nothing; two stretches never overlap."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import (
    ClientTable,
    GuardFunction,
    NoOverlap,
    OwnRows,
    after_insert,
)

NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"

# Who asks is the database's to say; from somebody's own face only what may be asked there.
CHECK_BOOKING = """
DECLARE
  k leave_leavekind%ROWTYPE;
BEGIN
  NEW.asked_by_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  NEW.at := clock_timestamp();
  IF NEW.state <> 'asked' THEN
    RAISE EXCEPTION 'a booking begins as asked for' USING ERRCODE = 'ER422';
  END IF;
  SELECT * INTO k FROM leave_leavekind x WHERE x.client_id = NEW.client_id AND x.id = NEW.kind_id;
  IF app_face() IN ('self', 'work') AND NOT coalesce(k.own, false) THEN
    RAISE EXCEPTION '% is recorded by whoever keeps your leave: ask them', coalesce(k.label, 'this') USING ERRCODE = 'ER403';
  END IF;
  IF app_face() NOT IN ('self', 'work') AND NOT coalesce(user_may(app_user(), NEW.client_id, 'leave.prepare'), false) THEN
    RAISE EXCEPTION 'no role of this user here may record leave' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

# The one way in which a booking's state moves. Maker is not checker, with both identities, and not the person themself.
CHECK_DECISION = """
DECLARE
  b leave_booking%ROWTYPE;
  k leave_leavekind%ROWTYPE;
  i_keep boolean := coalesce(user_may(app_user(), NEW.client_id, 'leave.prepare'), false);
  i_asked boolean;
  next_state text;
BEGIN
  NEW.by_user_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  NEW.at := clock_timestamp();
  SELECT * INTO b FROM leave_booking x WHERE x.client_id = NEW.client_id AND x.id = NEW.booking_id FOR UPDATE;
  IF b.id IS NULL OR b.person_id <> NEW.person_id THEN
    RAISE EXCEPTION 'a decision is of a booking of its own client and person' USING ERRCODE = 'ER422';
  END IF;
  SELECT * INTO k FROM leave_leavekind x WHERE x.client_id = b.client_id AND x.id = b.kind_id;
  i_asked := app_user() IN (b.asked_by_id, coalesce(b.on_behalf_id, b.asked_by_id))
    OR coalesce(app_on_behalf() IN (b.asked_by_id, coalesce(b.on_behalf_id, b.asked_by_id)), false);
  next_state := CASE NEW.what WHEN 'recorded' THEN 'approved' ELSE NEW.what END;
  IF b.state IS DISTINCT FROM (CASE NEW.what WHEN 'cancelled' THEN 'approved' ELSE 'asked' END) THEN
    RAISE EXCEPTION 'this leave is % already', b.state USING ERRCODE = 'ER409';
  END IF;
  IF NEW.what IN ('approved', 'refused') THEN
    IF NOT coalesce(user_may(app_user(), NEW.client_id, 'leave.approve'), false) THEN
      RAISE EXCEPTION 'no role of this user here may decide of leave' USING ERRCODE = 'ER403';
    END IF;
    IF i_asked OR EXISTS (SELECT FROM people_personlogin l WHERE l.client_id = NEW.client_id
        AND l.person_id = b.person_id AND l.user_id IN (app_user(), app_on_behalf())) THEN
      RAISE EXCEPTION 'maker is not checker: nobody decides of leave that they asked for themselves' USING ERRCODE = 'ER403';
    END IF;
  ELSIF NEW.what = 'recorded' THEN
    IF NOT i_keep AND (k.needs_approval OR NOT i_asked) THEN
      RAISE EXCEPTION 'this kind of leave waits for somebody to approve it' USING ERRCODE = 'ER403';
    END IF;
  ELSIF NEW.what = 'withdrawn' THEN
    IF NOT i_keep AND NOT i_asked THEN
      RAISE EXCEPTION 'a request is withdrawn by whoever asked' USING ERRCODE = 'ER403';
    END IF;
  ELSIF NEW.what = 'cancelled' THEN
    IF NOT i_keep AND NOT (i_asked AND b.starts > current_date) THEN
      RAISE EXCEPTION 'leave that has begun is cancelled by whoever keeps the leave' USING ERRCODE = 'ER403';
    END IF;
  END IF;
  IF NEW.what IN ('refused', 'cancelled') AND btrim(NEW.reason) = '' THEN
    RAISE EXCEPTION 'say why' USING ERRCODE = 'ER422';
  END IF;
  UPDATE leave_booking x SET state = next_state WHERE x.client_id = b.client_id AND x.id = b.id;
  RETURN NEW;
END
"""

# What gives or takes without a booking is kept by staff; a day taken is a day of approved leave; an undone line mirrors
# the line it takes back.
CHECK_ENTRIES = """
DECLARE
  wrong record;
BEGIN
  SELECT n.what INTO wrong FROM added n
    WHERE (n.what NOT IN ('taken', 'undone') AND NOT coalesce(user_may(app_user(), n.client_id, 'leave.prepare'), false))
      OR n.by_user_id IS DISTINCT FROM app_user() LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'no role of this user here may write % into the ledger of leave', wrong.what USING ERRCODE = 'ER403';
  END IF;
  SELECT n.day INTO wrong FROM added n
    LEFT JOIN LATERAL (SELECT * FROM leave_booking x WHERE x.client_id = n.client_id AND x.id = n.booking_id OFFSET 0) b ON true
    WHERE n.what = 'taken' AND (b.id IS NULL OR b.state <> 'approved' OR b.person_id <> n.person_id OR b.kind_id <> n.kind_id
      OR n.day NOT BETWEEN b.starts AND b.ends OR n.minutes > 0 OR n.part NOT BETWEEN 0 AND 100) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'what is taken on % is no day of approved leave', wrong.day USING ERRCODE = 'ER422';
  END IF;
  SELECT n.day INTO wrong FROM added n
    LEFT JOIN LATERAL (SELECT * FROM leave_leaveentry x WHERE x.client_id = n.client_id AND x.id = n.undoes_id OFFSET 0) o ON true
    LEFT JOIN LATERAL (SELECT x.state FROM leave_booking x WHERE x.client_id = n.client_id AND x.id = n.booking_id OFFSET 0) b ON true
    WHERE n.what = 'undone' AND (o.id IS NULL OR o.what = 'undone' OR (n.person_id, n.kind_id, n.day, n.year_starts) IS DISTINCT FROM
        (o.person_id, o.kind_id, o.day, o.year_starts)
      OR n.minutes <> -o.minutes OR n.part <> -o.part OR n.booking_id IS DISTINCT FROM o.booking_id
      OR (o.booking_id IS NOT NULL AND b.state <> 'cancelled')
      OR (o.booking_id IS NULL AND NOT coalesce(user_may(app_user(), n.client_id, 'leave.prepare'), false))) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'a line is taken back whole, and a day of leave when its booking is cancelled' USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# At commit: approved leave stands in the ledger with exactly its minutes, cancelled leave with none.
BOOKING_IS_WHOLE = """
DECLARE
  b leave_booking%ROWTYPE;
  stands bigint;
BEGIN
  SELECT * INTO b FROM leave_booking x WHERE x.client_id = NEW.client_id AND x.id = NEW.booking_id;
  SELECT -coalesce(sum(e.minutes), 0) INTO stands FROM leave_leaveentry e
    WHERE e.client_id = b.client_id AND e.booking_id = b.id;
  IF stands <> (CASE b.state WHEN 'approved' THEN b.minutes ELSE 0 END) THEN
    RAISE EXCEPTION 'leave that is % takes % minutes, and the ledger has %', b.state,
      CASE b.state WHEN 'approved' THEN b.minutes ELSE 0 END, stands USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

SHAPES = """
ALTER TABLE leave_leavekind ADD CONSTRAINT leave_kind_shape CHECK (unit IN ('days', 'hours')
  AND counts IN ('work', 'pattern', 'all') AND code ~ '^[a-z][a-z0-9_]*$' AND label <> '');
ALTER TABLE leave_policy ADD CONSTRAINT leave_policy_shape CHECK (accrual IN ('front', 'monthly', 'hours')
  AND weeks_ppm BETWEEN 0 AND 53000000 AND most_days BETWEEN 0 AND 366 AND year_month BETWEEN 1 AND 12
  AND year_day BETWEEN 1 AND 28 AND accrual_ppm BETWEEN 0 AND 1000000 AND carry_ppm BETWEEN 0 AND 106000000
  AND carry_months BETWEEN 0 AND 24 AND (ends IS NULL OR ends >= starts));
ALTER TABLE leave_booking ADD CONSTRAINT leave_booking_shape CHECK (ends >= starts AND ends - starts <= 400 AND minutes >= 0
  AND state IN ('asked', 'approved', 'refused', 'withdrawn', 'cancelled')
  AND (minutes_given IS NULL OR (starts = ends AND minutes_given BETWEEN 1 AND 1440)));
ALTER TABLE leave_decision ADD CONSTRAINT leave_decision_shape
  CHECK (what IN ('approved', 'refused', 'recorded', 'withdrawn', 'cancelled'));
ALTER TABLE leave_leaveentry ADD CONSTRAINT leave_entry_shape CHECK (
  what IN ('grant', 'accrual', 'opening', 'carried', 'adjusted', 'forfeited', 'paid', 'taken', 'undone')
  AND (what = 'undone') = (undoes_id IS NOT NULL) AND (what <> 'taken' OR booking_id IS NOT NULL)
  AND abs(minutes) <= 10000000);
ALTER TABLE leave_evidence ADD CONSTRAINT leave_evidence_shape
  CHECK (what IN ('self_certificate', 'fit_note', 'other') AND covers_until >= covers_from);
ALTER TABLE leave_booking ADD CONSTRAINT leave_booking_no_overlap EXCLUDE USING gist (
  uuidrange(client_id, client_id, '[]') WITH &&, uuidrange(person_id, person_id, '[]') WITH &&,
  int4range((starts - DATE '2000-01-01') * 2 + from_noon::int, (ends - DATE '2000-01-01') * 2 + 1 - until_noon::int, '[]')
    WITH &&) WHERE (state IN ('asked', 'approved'));
"""
SHAPES_BACK = """
ALTER TABLE leave_booking DROP CONSTRAINT leave_booking_no_overlap;
ALTER TABLE leave_evidence DROP CONSTRAINT leave_evidence_shape;
ALTER TABLE leave_leaveentry DROP CONSTRAINT leave_entry_shape;
ALTER TABLE leave_decision DROP CONSTRAINT leave_decision_shape;
ALTER TABLE leave_booking DROP CONSTRAINT leave_booking_shape;
ALTER TABLE leave_policy DROP CONSTRAINT leave_policy_shape;
ALTER TABLE leave_leavekind DROP CONSTRAINT leave_kind_shape;
"""

# A state moves by a decision, and the guard moves it.
GUARD_READS = """
GRANT SELECT ON leave_leavekind, leave_leaveentry TO engineroom_guard;
GRANT SELECT, UPDATE ON leave_booking TO engineroom_guard;
REVOKE UPDATE (state) ON leave_booking FROM engineroom_app;
"""
GUARD_READS_BACK = """
REVOKE ALL ON leave_leavekind, leave_leaveentry, leave_booking FROM engineroom_guard;
"""

STAMPED = ("leave_leaveentry", "leave_evidence")


def trigger(name: str, when: str, function: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER {name} ON {when.split()[-1]}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("leave", "0001_initial"),
        ("people", "0003_logins"),
        ("ledger", "0002_guards"),  # stamp_writer()
        ("web", "0002_own_rows"),  # app_own()
    ]

    operations = [
        ClientTable("LeaveKind", changes=["ends"]),
        ClientTable("Policy", changes=["ends"]),
        ClientTable("Booking", changes=["state"]),
        ClientTable("Decision", history=True),
        ClientTable("LeaveEntry", history=True),
        ClientTable("Evidence", history=True),
        NoOverlap("Policy", key=["kind_id", f"coalesce(person_id, {NOBODY})"]),
        migrations.RunSQL(SHAPES, SHAPES_BACK),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_leave_booking()", "trigger", CHECK_BOOKING),
        GuardFunction("check_leave_decision()", "trigger", CHECK_DECISION),
        GuardFunction("check_leave_entries()", "trigger", CHECK_ENTRIES),
        GuardFunction("leave_booking_is_whole()", "trigger", BOOKING_IS_WHOLE),
        trigger("leave_booking_checked", "BEFORE INSERT ON leave_booking", "check_leave_booking"),
        trigger("leave_decision_checked", "BEFORE INSERT ON leave_decision", "check_leave_decision"),
        *(trigger(f"{table}_stamped", f"BEFORE INSERT ON {table}", "stamp_writer") for table in STAMPED),
        after_insert("leave_leaveentry", "check_leave_entries"),
        migrations.RunSQL(
            "CREATE CONSTRAINT TRIGGER leave_booking_is_whole AFTER INSERT ON leave_decision "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION leave_booking_is_whole()",
            "DROP TRIGGER leave_booking_is_whole ON leave_decision",
        ),
        # Whoever asked is a maker of it; whoever decides is not.
        migrations.RunSQL(
            "CREATE TRIGGER leave_booking_contributes AFTER INSERT ON leave_booking REFERENCING NEW TABLE AS changed "
            "FOR EACH STATEMENT EXECUTE FUNCTION record_contribution('leave_booking', 'id')",
            "DROP TRIGGER leave_booking_contributes ON leave_booking",
        ),
        # Kinds and what they entitle to are read by whoever is somebody here; the rest is one's own.
        OwnRows("leave_leavekind", "(SELECT cardinality(app_own('person')) > 0)"),
        OwnRows(
            "leave_policy",
            "(person_id IS NULL AND (SELECT cardinality(app_own('person')) > 0)) "
            "OR person_id = ANY ((SELECT app_own('person'))::uuid[])",
        ),
        *(
            OwnRows(table, "person_id = ANY ((SELECT app_own('person'))::uuid[])")
            for table in ("leave_booking", "leave_decision", "leave_leaveentry", "leave_evidence")
        ),
    ]
