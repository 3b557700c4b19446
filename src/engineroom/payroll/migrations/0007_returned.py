"""An approver returns a run with comments; each is answered once, or by a change: said, and never changed."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, OwnRows

# A comment is about what stands: exactly the published figures, of a run that nobody has released.
CHECK_RETURNED = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  IF NOT EXISTS (SELECT FROM payroll_payrun r WHERE r.client_id = NEW.client_id AND r.id = NEW.run_id
      AND r.published_id = NEW.attempt_id AND r.content_hash = NEW.content_hash) THEN
    RAISE EXCEPTION 'a comment is about the run as it stands; it was calculated again since' USING ERRCODE = 'ER409';
  END IF;
  IF EXISTS (SELECT FROM foundation_release x WHERE x.client_id = NEW.client_id AND x.subject_kind = 'pay_run'
      AND x.subject_id = NEW.run_id) THEN
    RAISE EXCEPTION 'this pay run is released: it cannot be returned any more' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

CHECK_ANSWER = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  IF EXISTS (SELECT FROM payroll_returnedcomment c WHERE c.client_id = NEW.client_id AND c.id = NEW.id
      AND c.by_user_id = NEW.by_user_id) THEN
    RAISE EXCEPTION 'a comment is answered by somebody else than who made it' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
GRANT SELECT ON payroll_payrun, payroll_returnedcomment TO engineroom_guard;
CREATE TRIGGER returned_checked BEFORE INSERT ON payroll_returnedcomment
  FOR EACH ROW EXECUTE FUNCTION check_returned();
CREATE TRIGGER answer_checked BEFORE INSERT ON payroll_commentanswer
  FOR EACH ROW EXECUTE FUNCTION check_comment_answer();
"""
TRIGGERS_BACK = """
DROP TRIGGER answer_checked ON payroll_commentanswer;
DROP TRIGGER returned_checked ON payroll_returnedcomment;
REVOKE SELECT ON payroll_payrun, payroll_returnedcomment FROM engineroom_guard;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
CLIENT = models.ForeignKey(to="foundation.client", **KEY)
AT = models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)
ClientKey = engineroom.foundation.tenancy.models.ClientKey


class Migration(migrations.Migration):
    dependencies = [("payroll", "0006_items"), ("people", "0004_terms"), ("web", "0002_own_rows")]

    operations = [
        migrations.CreateModel(
            name="ReturnedComment",
            fields=[
                ("id", ID),
                ("content_hash", models.BinaryField()),
                ("text", models.CharField(max_length=1000)),
                ("by_user_id", models.UUIDField()),
                ("at", AT),
                ("attempt", ClientKey(indexed=False, to="payroll.attempt", **KEY)),
                ("client", CLIENT),
                ("person", ClientKey(indexed=False, null=True, to="people.person", **KEY)),
                ("run", ClientKey(to="payroll.payrun", **KEY)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="CommentAnswer",
            fields=[
                (
                    "comment",
                    ClientKey(
                        db_column="id",
                        primary_key=True,
                        serialize=False,
                        to="payroll.returnedcomment",
                        **KEY,
                    ),
                ),
                ("words", models.CharField(max_length=1000)),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
            ],
            options={"abstract": False},
        ),
        ClientTable("ReturnedComment", history=True),
        ClientTable("CommentAnswer", history=True),
        GuardFunction("check_returned()", "trigger", CHECK_RETURNED),
        GuardFunction("check_comment_answer()", "trigger", CHECK_ANSWER),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        OwnRows("payroll_returnedcomment", "person_id = ANY ((SELECT app_own('person'))::uuid[])"),
        OwnRows("payroll_commentanswer"),
    ]
