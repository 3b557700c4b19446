"""Templates' promises: a published version is what its hash says, for ever, and whoever published it may; a client
follows a version of its own country, by somebody who may say so; what it has otherwise stands with a reason."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, FirmTable, GuardFunction, OwnRows

# As of procedures: the hash is PostgreSQL's own count of the bytes, and two who publish at once wait for one another.
CHECK_VERSION = """
DECLARE
  latest integer;
BEGIN
  NEW.published_by_id := app_user();
  NEW.published_at := now();
  IF NEW.published_by_id IS NULL OR NOT EXISTS (SELECT FROM foundation_client c
      WHERE c.is_house AND user_may(NEW.published_by_id, c.id, 'templates.approve')) THEN
    RAISE EXCEPTION 'a template is published by somebody who may approve templates in the house' USING ERRCODE = 'ER403';
  END IF;
  IF NEW.sha256 <> encode(sha256(convert_to(NEW.content, 'UTF8')), 'hex') THEN
    RAISE EXCEPTION 'the content of a version is not what its hash says' USING ERRCODE = 'ER422';
  END IF;
  PERFORM 1 FROM templates_template t WHERE t.id = NEW.template_id FOR UPDATE;
  SELECT coalesce(max(v.number), 0) INTO latest FROM templates_version v WHERE v.template_id = NEW.template_id;
  IF NEW.number <> latest + 1 THEN
    RAISE EXCEPTION 'the next version is number %, not %', latest + 1, NEW.number USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

STAMP = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := clock_timestamp();
  IF NEW.by_user_id IS NULL OR NOT user_may(NEW.by_user_id, NEW.client_id, 'templates.prepare') THEN
    RAISE EXCEPTION 'what a client has of templates is said by somebody who may prepare templates for it'
      USING ERRCODE = 'ER403';
  END IF;
  IF btrim(NEW.reason) = '' THEN
    RAISE EXCEPTION 'it is not said why' USING ERRCODE = 'ER422';
  END IF;
  RETURN NEW;
END
"""

CHECK_FOLLOWING = """
BEGIN
  IF NEW.version_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM templates_version v JOIN foundation_client c ON c.id = NEW.client_id
      WHERE v.id = NEW.version_id AND v.content::jsonb->>'country' = c.jurisdiction) THEN
    RAISE EXCEPTION 'there is no such version of a template for the country of this client' USING ERRCODE = 'ER422';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
CREATE TRIGGER template_version_checked BEFORE INSERT ON templates_version FOR EACH ROW
  EXECUTE FUNCTION check_template_version();
CREATE TRIGGER following_stamped BEFORE INSERT ON templates_following FOR EACH ROW EXECUTE FUNCTION stamp_template();
CREATE TRIGGER following_version BEFORE INSERT ON templates_following FOR EACH ROW
  EXECUTE FUNCTION check_following();
CREATE TRIGGER ownvalue_stamped BEFORE INSERT ON templates_ownvalue FOR EACH ROW EXECUTE FUNCTION stamp_template();
"""
TRIGGERS_BACK = """
DROP TRIGGER ownvalue_stamped ON templates_ownvalue;
DROP TRIGGER following_version ON templates_following;
DROP TRIGGER following_stamped ON templates_following;
DROP TRIGGER template_version_checked ON templates_version;
"""

GUARD_READS = """
GRANT SELECT, UPDATE ON templates_template TO engineroom_guard;  -- UPDATE: to lock the row
GRANT SELECT ON templates_version TO engineroom_guard;
"""
GUARD_READS_BACK = "REVOKE ALL ON templates_template, templates_version FROM engineroom_guard;"


class Migration(migrations.Migration):
    dependencies = [("templates", "0001_initial"), ("foundation", "0006_reasons")]

    operations = [
        FirmTable("Template"),
        FirmTable("Version", history=True),
        ClientTable("Following", history=True),
        ClientTable("OwnValue", history=True),
        ClientTable("Outcome", history=True),
        OwnRows("templates_following"),
        OwnRows("templates_ownvalue"),
        OwnRows("templates_outcome"),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_template_version()", "trigger", CHECK_VERSION),
        GuardFunction("stamp_template()", "trigger", STAMP),
        GuardFunction("check_following()", "trigger", CHECK_FOLLOWING),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
