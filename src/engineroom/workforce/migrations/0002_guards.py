"""Workforce's promises: days never overlap, who recorded it is written here, and who left has no way in."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import FirmTable, GuardFunction


def no_overlap(table: str, columns: list[str], condition: str = "") -> migrations.RunSQL:
    """Firm tables have no client; otherwise as operations.NoOverlap."""
    parts = [f"uuidrange({c}, {c}, '[]') WITH &&" for c in columns]
    parts.append("daterange(starts, ends, '[]') WITH &&")
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_no_overlap EXCLUDE USING gist ({', '.join(parts)}){condition}",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_no_overlap",
    )


# Who wrote it is not for the writer to say.
STAMP_ABSENCE = """
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.recorded_by_id := app_user();
    NEW.recorded_at := now();
    NEW.called_off_at := NULL;
  ELSIF ROW(NEW.user_id, NEW.starts, NEW.ends, NEW.stand_in_id, NEW.recorded_by_id, NEW.recorded_at)
      IS DISTINCT FROM ROW(OLD.user_id, OLD.starts, OLD.ends, OLD.stand_in_id, OLD.recorded_by_id, OLD.recorded_at)
      OR OLD.called_off_at IS NOT NULL THEN
    RAISE EXCEPTION 'an absence is called off, not changed: record another one' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

STAMP_OFFBOARDING = """
BEGIN
  NEW.by_id := app_user();
  NEW.at := now();
  IF NEW.by_id IS NULL OR NOT user_rules_the_house(NEW.by_id) THEN
    RAISE EXCEPTION 'somebody is off-boarded by an admin of the house' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

# Asked at commit, when all of it was done: nothing that opens a door may be left.
CHECK_OFFBOARDING = """
DECLARE
  left_over text;
BEGIN
  SELECT string_agg(what, ', ') INTO left_over FROM (
    SELECT 'the sign-in' WHERE EXISTS (SELECT FROM foundation_user u WHERE u.id = NEW.user_id AND u.is_active)
    UNION ALL SELECT 'a token' WHERE EXISTS (
      SELECT FROM foundation_token t WHERE t.user_id = NEW.user_id AND t.revoked_at IS NULL)
    UNION ALL SELECT 'a grant' WHERE EXISTS (
      SELECT FROM foundation_grant g WHERE g.user_id = NEW.user_id AND (g.ends IS NULL OR g.ends > greatest(current_date, g.starts)))
    UNION ALL SELECT 'a device' WHERE EXISTS (SELECT FROM usersessions_usersession s WHERE s.user_id = NEW.user_id)
    UNION ALL SELECT 'a second factor' WHERE EXISTS (SELECT FROM mfa_authenticator m WHERE m.user_id = NEW.user_id)
  ) AS still (what);
  IF left_over IS NOT NULL THEN
    RAISE EXCEPTION 'off-boarding leaves behind: %', left_over USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# A user is switched on again nowhere in the product; by SQL neither, once they were off-boarded.
CHECK_STAYS_OUT = """
BEGIN
  IF NEW.is_active AND EXISTS (SELECT FROM workforce_offboarding o WHERE o.user_id = NEW.id) THEN
    RAISE EXCEPTION 'this user was off-boarded: who comes back is a new user' USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

GUARD_READS = """
GRANT SELECT ON workforce_offboarding TO engineroom_guard;
GRANT SELECT ON usersessions_usersession, mfa_authenticator TO engineroom_guard;
"""
GUARD_READS_BACK = """
REVOKE SELECT ON workforce_offboarding FROM engineroom_guard;
REVOKE SELECT ON usersessions_usersession, mfa_authenticator FROM engineroom_guard;
"""

TRIGGERS = """
CREATE TRIGGER absence_stamped BEFORE INSERT OR UPDATE ON workforce_absence
  FOR EACH ROW EXECUTE FUNCTION stamp_absence();
CREATE TRIGGER offboarding_stamped BEFORE INSERT ON workforce_offboarding
  FOR EACH ROW EXECUTE FUNCTION stamp_offboarding();
CREATE CONSTRAINT TRIGGER offboarding_checked AFTER INSERT ON workforce_offboarding
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_offboarding();
CREATE TRIGGER offboarded_stays_out AFTER UPDATE OF is_active ON foundation_user
  FOR EACH ROW EXECUTE FUNCTION check_stays_out();
"""
TRIGGERS_BACK = """
DROP TRIGGER offboarded_stays_out ON foundation_user;
DROP TRIGGER offboarding_checked ON workforce_offboarding;
DROP TRIGGER offboarding_stamped ON workforce_offboarding;
DROP TRIGGER absence_stamped ON workforce_absence;
"""


class Migration(migrations.Migration):
    dependencies = [("workforce", "0001_initial"), ("foundation", "0002_guards")]

    operations = [
        FirmTable("Team"),
        FirmTable("Membership"),
        FirmTable("Serving"),
        FirmTable("Absence"),
        FirmTable("OffBoarding", history=True),
        no_overlap("workforce_membership", ["team_id", "user_id"]),
        no_overlap("workforce_serving", ["team_id", "of_client_id"]),
        no_overlap("workforce_absence", ["user_id"], " WHERE (called_off_at IS NULL)"),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("stamp_absence()", "trigger", STAMP_ABSENCE),
        GuardFunction("stamp_offboarding()", "trigger", STAMP_OFFBOARDING),
        GuardFunction("check_offboarding()", "trigger", CHECK_OFFBOARDING),
        GuardFunction("check_stays_out()", "trigger", CHECK_STAYS_OUT),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
