"""Cases' promises: no step is done without its evidence or by whoever may not do it; what has ended stays ended; events
are only added; a case keeps its version unless a move says otherwise."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    OwnRows,
    after_insert,
)

# One row at a time, because each step has rules of its own; a timer's row is not looked at by its rules. A question that
# reads rows stands inside an IF of its own: one that is joined to a comparison by AND is asked even where that is false.
CHECK_TASK = """
DECLARE
  rules record;
  lacking text;
  maker text;
BEGIN
  IF OLD.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'this step is over (%): what has ended stays as it was', OLD.state USING ERRCODE = 'ER409';
  END IF;
  IF (NEW.client_id, NEW.case_id, NEW.kind, NEW.opened_at) IS DISTINCT FROM (OLD.client_id, OLD.case_id, OLD.kind, OLD.opened_at)
  THEN
    RAISE EXCEPTION 'a step stays in its case and what it is' USING ERRCODE = 'ER409';
  END IF;
  IF NEW.step <> OLD.step THEN
    IF NEW.state <> OLD.state OR NEW.ended_at IS NOT NULL OR NOT EXISTS (
        SELECT FROM sop_casemove m JOIN sop_case c ON c.client_id = m.client_id AND c.id = m.case_id
        WHERE m.client_id = NEW.client_id AND m.case_id = NEW.case_id AND m.at = now()
          AND m.to_version_id = c.version_id AND m.plan ->> OLD.step = NEW.step) THEN
      RAISE EXCEPTION 'a step stays itself until a move between versions is written' USING ERRCODE = 'ER409';
    END IF;
  END IF;
  IF NEW.ended_at IS NULL AND NEW.step = OLD.step AND NEW.state = OLD.state THEN
    RETURN NEW;
  END IF;
  IF NEW.ended_at IS NOT NULL THEN
    NEW.ended_by_id := app_user();
  END IF;
  IF NEW.kind NOT IN ('task', 'command', 'client_request') OR NEW.state IN ('cancelled', 'withdrawn') THEN
    RETURN NEW;
  END IF;
  SELECT s.four_eyes, s.may_skip, s.needs, s.apart_from INTO rules
    FROM sop_case c JOIN sop_versionstep s ON s.version_id = c.version_id AND s.key = NEW.step
    WHERE c.client_id = NEW.client_id AND c.id = NEW.case_id;
  IF rules IS NULL THEN
    RAISE EXCEPTION 'the version of this case has no step %', NEW.step USING ERRCODE = 'ER409';
  END IF;
  IF NEW.state IN (OLD.state, 'open') THEN
    RETURN NEW;
  END IF;
  IF app_user() IS NULL OR EXISTS (SELECT FROM foundation_user u WHERE u.id = app_user() AND u.kind = 'system') THEN
    RAISE EXCEPTION 'only a person finishes a step' USING ERRCODE = 'ER403';
  END IF;
  IF NEW.state = 'skipped' THEN
    IF NOT rules.may_skip AND NOT user_may(app_user(), NEW.client_id, 'sop.approve') THEN
      RAISE EXCEPTION 'this step is not one that may be skipped: a lead can' USING ERRCODE = 'ER403';
    END IF;
    -- What waits for a second person, or was sent back by one, is not left out by whoever did it.
    IF OLD.state <> 'check' AND NOT rules.four_eyes THEN
      RETURN NEW;
    END IF;
  END IF;
  IF OLD.state = 'open' AND NEW.state <> 'skipped' THEN
    SELECT string_agg(n, ', ') INTO lacking FROM unnest(rules.needs) n WHERE NOT EXISTS (
      SELECT FROM sop_taskevidence e WHERE e.client_id = NEW.client_id AND e.task_id = NEW.id AND e.key = n
        AND (e.value <> '' OR e.file_id IS NOT NULL));
    IF lacking IS NOT NULL THEN
      RAISE EXCEPTION 'the step is not done: its evidence is missing: %', lacking USING ERRCODE = 'ER422';
    END IF;
    IF cardinality(rules.apart_from) > 0 THEN
      SELECT u.email INTO maker FROM sop_task t
        JOIN foundation_contribution c
          ON c.client_id = t.client_id AND c.subject_kind = 'task' AND c.subject_id = t.id
        JOIN foundation_user u ON u.id IN (c.user_id, c.on_behalf_id) AND u.id IN (app_user(), app_on_behalf())
        WHERE t.client_id = NEW.client_id AND t.case_id = NEW.case_id AND t.step = ANY (rules.apart_from) LIMIT 1;
      IF maker IS NOT NULL THEN
        RAISE EXCEPTION 'maker is not checker: % did a step that this one has to be apart from', maker
          USING ERRCODE = 'ER403';
      END IF;
    END IF;
    IF rules.four_eyes AND NEW.state = 'done' THEN
      RAISE EXCEPTION 'this step needs a second person: it waits for a check first' USING ERRCODE = 'ER403';
    END IF;
    INSERT INTO foundation_contribution (id, client_id, subject_kind, subject_id, user_id, on_behalf_id)
      VALUES (gen_random_uuid(), NEW.client_id, 'task', NEW.id, app_user(), app_on_behalf()) ON CONFLICT DO NOTHING;
    IF NEW.state = 'check' THEN
      NEW.maker_id := app_user();
    END IF;
    RETURN NEW;
  END IF;
  -- It waited for a check and somebody says yes, or it is left out.
  SELECT u.email INTO maker FROM foundation_contribution c
    JOIN foundation_user u ON u.id IN (c.user_id, c.on_behalf_id) AND u.id IN (app_user(), app_on_behalf())
    WHERE c.client_id = NEW.client_id AND c.subject_kind = 'task' AND c.subject_id = NEW.id LIMIT 1;
  IF maker IS NOT NULL THEN
    RAISE EXCEPTION 'maker is not checker: % did this; another person accepts it or leaves it out', maker USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

# Each new row's case is looked up, with the client: no key of its own asks for it again (decision 006).
CHECK_NEW_TASKS = """
DECLARE
  bad record;
BEGIN
  SELECT n.kind, n.step, c.id, n.ended_at IS NULL AND n.state = 'open' AS is_open INTO bad
    FROM added n LEFT JOIN sop_case c ON c.client_id = n.client_id AND c.id = n.case_id
    WHERE c.id IS NULL OR n.ended_at IS NOT NULL OR n.state <> 'open'
      OR n.kind IN ('task', 'command', 'client_request') AND NOT EXISTS (
        SELECT FROM sop_versionstep s WHERE s.version_id = c.version_id AND s.key = n.step AND s.kind = n.kind)
    LIMIT 1;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF bad.id IS NULL THEN
    RAISE EXCEPTION 'a step is of a case of its own client' USING ERRCODE = 'ER422';
  END IF;
  IF NOT bad.is_open THEN
    RAISE EXCEPTION 'a step begins open' USING ERRCODE = 'ER422';
  END IF;
  RAISE EXCEPTION 'the version of this case has no % called %', bad.kind, bad.step USING ERRCODE = 'ER422';
END
"""

CHECK_CASE_EVENTS = """
BEGIN
  IF EXISTS (SELECT FROM added n WHERE NOT EXISTS (
      SELECT FROM sop_case c WHERE c.client_id = n.client_id AND c.id = n.case_id)) THEN
    RAISE EXCEPTION 'an event is of a case of its own client' USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

CHECK_NEW_CASE = """
BEGIN
  NEW.started_by_id := app_user();
  IF NOT EXISTS (SELECT FROM sop_version v JOIN sop_procedure p ON p.id = v.procedure_id
      WHERE v.id = NEW.version_id AND p.key = NEW.procedure_key) THEN
    RAISE EXCEPTION 'there is no such version of %', NEW.procedure_key USING ERRCODE = 'ER422';
  END IF;
  RETURN NEW;
END
"""

CHECK_CASE = """
BEGIN
  IF OLD.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'this case is over: what has ended stays as it was' USING ERRCODE = 'ER409';
  END IF;
  IF (NEW.client_id, NEW.number, NEW.procedure_key, NEW.started_by_id, NEW.parent_task_id)
      IS DISTINCT FROM (OLD.client_id, OLD.number, OLD.procedure_key, OLD.started_by_id, OLD.parent_task_id)
    OR NEW.seq < OLD.seq THEN
    RAISE EXCEPTION 'a case stays what it is, and its events only count up' USING ERRCODE = 'ER409';
  END IF;
  IF NEW.version_id <> OLD.version_id THEN
    IF NOT EXISTS (SELECT FROM sop_casemove m
        JOIN sop_version v ON v.id = NEW.version_id JOIN sop_procedure p ON p.id = v.procedure_id AND p.key = NEW.procedure_key
        WHERE m.client_id = NEW.client_id AND m.case_id = NEW.id AND m.at = now()
          AND m.from_version_id = OLD.version_id AND m.to_version_id = NEW.version_id) THEN
      RAISE EXCEPTION 'a case keeps its version until a move between versions is written' USING ERRCODE = 'ER409';
    END IF;
  END IF;
  IF NEW.ended_at IS NOT NULL THEN
    IF EXISTS (SELECT FROM sop_task t
        WHERE t.client_id = NEW.client_id AND t.case_id = NEW.id AND t.ended_at IS NULL) THEN
      RAISE EXCEPTION 'a case ends when none of its steps is open' USING ERRCODE = 'ER409';
    END IF;
  END IF;
  RETURN NEW;
END
"""

CHECK_EVIDENCE = """
BEGIN
  NEW.by_id := app_user();
  NEW.on_behalf_id := app_on_behalf();
  NEW.at := clock_timestamp();
  IF NOT EXISTS (SELECT FROM sop_task t WHERE t.client_id = NEW.client_id AND t.id = NEW.task_id AND t.state = 'open') THEN
    RAISE EXCEPTION 'evidence is added while its step is open' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

# Who and when are the database's to say, so `app` may not name them. The clock and not the transaction's start: whoever
# waited for the case's lock came after whom they waited for.
STAMPED = """
ALTER TABLE sop_caseevent ALTER by_id SET DEFAULT app_user(), ALTER on_behalf_id SET DEFAULT app_on_behalf(),
  ALTER at SET DEFAULT clock_timestamp();
REVOKE INSERT ON sop_caseevent FROM engineroom_app;
GRANT INSERT (id, client_id, case_id, seq, kind, task_id, step, data) ON sop_caseevent TO engineroom_app;
"""
STAMPED_BACK = """
REVOKE INSERT (id, client_id, case_id, seq, kind, task_id, step, data) ON sop_caseevent FROM engineroom_app;
GRANT INSERT ON sop_caseevent TO engineroom_app;
ALTER TABLE sop_caseevent ALTER by_id DROP DEFAULT, ALTER on_behalf_id DROP DEFAULT, ALTER at SET DEFAULT now();
"""

# A case's row is written anew with each event: where its page has room, no index is.
ROOM = "ALTER TABLE sop_case SET (fillfactor = 70)"
ROOM_BACK = "ALTER TABLE sop_case RESET (fillfactor)"

STAMP_CASE_MOVE = """
BEGIN
  IF NOT coalesce(user_may(app_user(), NEW.client_id, 'sop.approve'), false) OR NEW.from_version_id = NEW.to_version_id THEN
    RAISE EXCEPTION 'a case is moved to another version by whoever may approve it' USING ERRCODE = 'ER403';
  END IF;
  NEW.by_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

GUARD_READS = """
GRANT SELECT ON sop_case, sop_task, sop_taskevidence, sop_casemove TO engineroom_guard;
"""
GUARD_READS_BACK = "REVOKE ALL ON sop_case, sop_task, sop_taskevidence, sop_casemove FROM engineroom_guard;"

TRIGGERS = [
    ("task_checked", "BEFORE UPDATE ON sop_task", "check_task"),
    ("case_begins", "BEFORE INSERT ON sop_case", "check_new_case"),
    ("evidence_checked", "BEFORE INSERT ON sop_taskevidence", "check_task_evidence"),
    ("move_stamped", "BEFORE INSERT ON sop_casemove", "stamp_case_move"),
]


def trigger(name: str, when: str, function: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER {name} ON {when.split()[-1]}",
    )


# A case that only counts on has nothing to be asked: its guard looks wherever anything else is written.
CASE_CHECKED = """
CREATE TRIGGER case_checked BEFORE UPDATE ON sop_case FOR EACH ROW
WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NOT NULL OR NEW.seq < OLD.seq OR NEW.version_id <> OLD.version_id
  OR (NEW.id, NEW.client_id, NEW.number, NEW.procedure_key, NEW.started_by_id, NEW.parent_task_id)
    IS DISTINCT FROM (OLD.id, OLD.client_id, OLD.number, OLD.procedure_key, OLD.started_by_id, OLD.parent_task_id))
EXECUTE FUNCTION check_case()
"""

CASE_CHANGES = ["version_id", "state", "values", "arrived", "seq", "reason", "title", "ended_at"]
TASK_CHANGES = [
    "step", "title", "role", "state", "assignee_id", "maker_id", "host_id", "race_id", "fires_at", "due_at",
    "escalated_to", "reworks", "reason", "ended_at", "ended_by_id",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("sop", "0003_cases"), ("foundation", "0003_search")]

    operations = [
        ClientTable("Case", changes=CASE_CHANGES),
        ClientTable("Task", changes=TASK_CHANGES),
        ClientTable("TaskEvidence", history=True),
        ClientTable("CaseEvent", history=True),
        ClientTable("CaseMove", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_task()", "trigger", CHECK_TASK),
        GuardFunction("check_new_tasks()", "trigger", CHECK_NEW_TASKS),
        GuardFunction("check_case_events()", "trigger", CHECK_CASE_EVENTS),
        GuardFunction("check_new_case()", "trigger", CHECK_NEW_CASE),
        GuardFunction("check_case()", "trigger", CHECK_CASE),
        GuardFunction("check_task_evidence()", "trigger", CHECK_EVIDENCE),
        GuardFunction("stamp_case_move()", "trigger", STAMP_CASE_MOVE),
        *(trigger(*t) for t in TRIGGERS),
        migrations.RunSQL(CASE_CHECKED, "DROP TRIGGER case_checked ON sop_case"),
        after_insert("sop_task", "check_new_tasks"),
        after_insert("sop_caseevent", "check_case_events"),
        migrations.RunSQL(STAMPED, STAMPED_BACK),
        migrations.RunSQL(ROOM, ROOM_BACK),
        Contributes("TaskEvidence", subject="task", column="task_id"),
        OwnRows("sop_case"),
        OwnRows("sop_task", "assignee_id = (SELECT app_user())"),
        OwnRows("sop_taskevidence"),
        OwnRows("sop_caseevent"),
        OwnRows("sop_casemove"),
    ]
