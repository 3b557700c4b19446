"""What became of a client is kept with the day that was asked for, and by whom and when as PostgreSQL says."""

from django.db import migrations, models

from engineroom.foundation.tenancy.operations import GuardFunction

# By whom: a job that failed is kept by the system on somebody's behalf. They may have lost the role meanwhile,
# which is then what is kept.
STAMP = """
BEGIN
  NEW.by_user_id := coalesce(app_on_behalf(), app_user());
  NEW.at := clock_timestamp();
  IF NEW.by_user_id IS NULL OR NOT coalesce(user_may(NEW.by_user_id, NEW.client_id,
      CASE NEW.outcome WHEN 'failed' THEN 'templates.read' ELSE 'templates.prepare' END), false) THEN
    RAISE EXCEPTION 'what became of a client is said by somebody who may prepare templates for it'
      USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
CREATE TRIGGER outcome_stamped BEFORE INSERT ON templates_outcome FOR EACH ROW
  EXECUTE FUNCTION stamp_template_outcome();
"""
TRIGGERS_BACK = "DROP TRIGGER outcome_stamped ON templates_outcome;"


class Migration(migrations.Migration):
    dependencies = [("templates", "0002_guards")]

    operations = [
        migrations.AddField("Outcome", "starts", models.DateField(null=True)),
        GuardFunction("stamp_template_outcome()", "trigger", STAMP),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
