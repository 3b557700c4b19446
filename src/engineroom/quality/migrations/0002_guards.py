"""Quality's promises: what was agreed is never rewritten, and who agreed it is written here."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, OwnRows

STAMP = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := clock_timestamp();
  IF NEW.by_user_id IS NULL OR NOT user_may(NEW.by_user_id, NEW.client_id, 'quality.prepare') THEN
    RAISE EXCEPTION 'a promise is made by somebody who may prepare quality for this client' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
CREATE TRIGGER promise_stamped BEFORE INSERT ON quality_promise FOR EACH ROW EXECUTE FUNCTION stamp_promise();
CREATE TRIGGER hours_stamped BEFORE INSERT ON quality_hours FOR EACH ROW EXECUTE FUNCTION stamp_promise();
"""
TRIGGERS_BACK = """
DROP TRIGGER hours_stamped ON quality_hours;
DROP TRIGGER promise_stamped ON quality_promise;
"""


class Migration(migrations.Migration):
    dependencies = [("quality", "0001_initial"), ("foundation", "0002_guards")]

    operations = [
        ClientTable("Promise", history=True),
        ClientTable("Hours", history=True),
        OwnRows("quality_promise"),
        OwnRows("quality_hours"),
        GuardFunction("stamp_promise()", "trigger", STAMP),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
