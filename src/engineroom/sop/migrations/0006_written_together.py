"""What happened to cases is written by one call: a step costs one way to PostgreSQL and back, not five. Their rows
have room to be written anew, and the makers of evidence are recorded by a statement that is kept."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import GuardFunction

# No guard: it runs as whoever calls it, so row security, keys and every trigger look at each row as at anybody's. The
# order is part of it: evidence before the step that needs it ends, steps before their case does.
WRITE_CASES = """
CREATE FUNCTION app_write_cases(happened jsonb, moment timestamptz) RETURNS void LANGUAGE plpgsql SECURITY INVOKER
  SET enable_seqscan = off AS $$
BEGIN
  IF happened ? 'evidence' THEN
    INSERT INTO sop_taskevidence (id, client_id, task_id, key, kind, value, file_id)
      SELECT e.id, app_write(), e.task_id, e.key, e.kind, e.value, e.file_id
      FROM jsonb_to_recordset(happened -> 'evidence')
        AS e (id uuid, task_id uuid, key text, kind text, value text, file_id uuid);
  END IF;
  IF happened ? 'ended' THEN
    UPDATE sop_task t
      SET state = e.state, reason = e.reason, ended_at = moment, assignee_id = coalesce(t.assignee_id, e.by)
      FROM jsonb_to_recordset(happened -> 'ended') AS e (id uuid, state text, reason text, by uuid)
      WHERE t.client_id = app_write() AND t.id = e.id;
  END IF;
  IF happened ? 'called' THEN
    UPDATE sop_task t SET escalated_to = c.role
      FROM jsonb_to_recordset(happened -> 'called') AS c (id uuid, role text)
      WHERE t.client_id = app_write() AND t.id = c.id AND t.ended_at IS NULL;
  END IF;
  IF happened ? 'opened' THEN
    INSERT INTO sop_task (id, client_id, case_id, step, kind, title, role, host_id, race_id, fires_at, due_at,
        state, escalated_to, reworks, reason, opened_at)
      SELECT o.id, app_write(), o.case_id, o.step, o.kind, o.title, o.role, o.host_id, o.race_id, o.fires_at, o.due_at,
        'open', '', 0, '', moment
      FROM jsonb_to_recordset(happened -> 'opened')
        AS o (id uuid, case_id uuid, step text, kind text, title text, role text, host_id uuid, race_id uuid,
          fires_at timestamptz, due_at timestamptz);
  END IF;
  IF happened ? 'events' THEN
    INSERT INTO sop_caseevent (id, client_id, case_id, seq, kind, task_id, step, data)
      SELECT e.id, app_write(), e.case_id, e.seq, e.kind, e.task_id, e.step, e.data
      FROM jsonb_to_recordset(happened -> 'events')
        AS e (id uuid, case_id uuid, seq int, kind text, task_id uuid, step text, data jsonb);
  END IF;
  IF happened ? 'cases' THEN
    UPDATE sop_case c
      SET state = n.state, reason = n.reason, "values" = n.values, seq = n.seq, arrived = n.arrived,
        ended_at = CASE WHEN n.state = 'running' THEN NULL ELSE moment END
      FROM jsonb_to_recordset(happened -> 'cases')
        AS n (id uuid, state text, reason text, "values" jsonb, seq int, arrived int[])
      WHERE c.client_id = app_write() AND c.id = n.id;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION app_write_cases(jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_write_cases(jsonb, timestamptz) TO engineroom_app;
"""
WRITE_CASES_BACK = "DROP FUNCTION app_write_cases(jsonb, timestamptz)"

# Timers of cases that lie together fire together: each row of a page is written anew by one transaction, and only where
# the page has room for all of them are no indexes (17,700 of 41,000 rows with 70, all with 50, measured).
ROOM = "ALTER TABLE sop_case SET (fillfactor = 50)"
ROOM_BACK = "ALTER TABLE sop_case SET (fillfactor = 70)"

# record_contribution() serves every table, so its statement is made, parsed and planned anew each time: 0.3 ms of the 2.6
# that a step took in PostgreSQL. The same makers, by a statement that is kept.
EVIDENCE_MAKERS = """
BEGIN
  IF app_user() IS NULL THEN
    RAISE EXCEPTION 'evidence is written only inside acting: its makers must be known' USING ERRCODE = 'ER500';
  END IF;
  INSERT INTO foundation_contribution (id, client_id, subject_kind, subject_id, user_id, on_behalf_id)
    SELECT gen_random_uuid(), made.client_id, 'task', made.task_id, app_user(), app_on_behalf()
    FROM (SELECT DISTINCT client_id, task_id FROM changed) made
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END
"""
MADE_BY = """
DROP TRIGGER sop_taskevidence_contributes_insert ON sop_taskevidence;
CREATE TRIGGER sop_taskevidence_contributes_insert AFTER INSERT ON sop_taskevidence REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION {function};
"""


class Migration(migrations.Migration):
    dependencies = [("sop", "0005_open_tasks")]

    operations = [
        migrations.RunSQL(WRITE_CASES, WRITE_CASES_BACK),
        migrations.RunSQL(ROOM, ROOM_BACK),
        GuardFunction("record_evidence_makers()", "trigger", EVIDENCE_MAKERS),
        migrations.RunSQL(
            MADE_BY.format(function="record_evidence_makers()"),
            MADE_BY.format(function="record_contribution('task', 'task_id')"),
        ),
    ]
