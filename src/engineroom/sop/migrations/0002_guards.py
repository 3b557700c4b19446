"""Procedures' promises: a published version is what its hash says, for ever, and whoever published it may."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import APP, FirmTable, GuardFunction

# The hash is PostgreSQL's own count of the bytes, so that no code can publish one thing under another's hash. Numbers
# follow each other: two who publish at once wait for one another at the procedure's row.
CHECK_VERSION = """
DECLARE
  latest integer;
BEGIN
  NEW.published_by_id := app_user();
  NEW.published_at := now();
  IF NEW.published_by_id IS NULL OR NOT EXISTS (SELECT FROM foundation_client c
      WHERE c.is_house AND user_may(NEW.published_by_id, c.id, 'sop.approve')) THEN
    RAISE EXCEPTION 'a procedure is published by somebody who may approve procedures in the house' USING ERRCODE = 'ER403';
  END IF;
  IF NEW.sha256 <> encode(sha256(convert_to(NEW.graph, 'UTF8')), 'hex') THEN
    RAISE EXCEPTION 'the graph of a version is not what its hash says' USING ERRCODE = 'ER422';
  END IF;
  PERFORM 1 FROM sop_procedure p WHERE p.id = NEW.procedure_id FOR UPDATE;
  SELECT coalesce(max(v.number), 0) INTO latest FROM sop_version v WHERE v.procedure_id = NEW.procedure_id;
  IF NEW.number <> latest + 1 THEN
    RAISE EXCEPTION 'the next version is number %, not %', latest + 1, NEW.number USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

# What later guards read comes from the frozen graph itself. The canonical form leaves out what has its default.
TAKE_STEPS = """
BEGIN
  INSERT INTO sop_versionstep (id, version_id, key, kind, four_eyes, may_skip, needs, apart_from)
  SELECT gen_random_uuid(), NEW.id, s->>'key', s->>'kind',
    coalesce((s->>'four_eyes')::boolean, false), coalesce((s->>'may_skip')::boolean, false),
    array(SELECT e->>'key' FROM jsonb_array_elements(coalesce(s->'evidence', '[]')) e
          WHERE coalesce((e->>'required')::boolean, true))
      || array(SELECT 'check_' || n FROM jsonb_array_elements(coalesce(s->'checks', '[]'))
               WITH ORDINALITY AS ticked (what, n)),
    array(SELECT jsonb_array_elements_text(coalesce(s->'apart_from', '[]')))
  FROM jsonb_array_elements(NEW.graph::jsonb->'steps') s;
  RETURN NULL;
END
"""

GUARD_READS = """
GRANT SELECT, UPDATE ON sop_procedure TO engineroom_guard;  -- UPDATE: to lock the row
GRANT SELECT ON sop_version TO engineroom_guard;
GRANT SELECT, INSERT ON sop_versionstep TO engineroom_guard;
"""
GUARD_READS_BACK = "REVOKE ALL ON sop_procedure, sop_version, sop_versionstep FROM engineroom_guard;"


class Migration(migrations.Migration):
    dependencies = [("sop", "0001_initial"), ("foundation", "0003_search")]

    operations = [
        FirmTable("Procedure"),
        # What a client is asked comes from a version, so every face may read them; only the firm's writes.
        FirmTable("Version", own="true", history=True),
        FirmTable("VersionStep", own="true", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        migrations.RunSQL(
            f"REVOKE INSERT ON sop_versionstep FROM {APP}", f"GRANT INSERT ON sop_versionstep TO {APP}"
        ),
        GuardFunction("check_version()", "trigger", CHECK_VERSION),
        GuardFunction("take_version_steps()", "trigger", TAKE_STEPS),
        migrations.RunSQL(
            "CREATE TRIGGER version_checked BEFORE INSERT ON sop_version FOR EACH ROW EXECUTE FUNCTION check_version();"
            "CREATE TRIGGER version_steps AFTER INSERT ON sop_version FOR EACH ROW "
            "EXECUTE FUNCTION take_version_steps();",
            "DROP TRIGGER version_steps ON sop_version; DROP TRIGGER version_checked ON sop_version;",
        ),
    ]
