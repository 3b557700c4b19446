"""The client's own approval as a condition of release: said from a pay date on, and held by PostgreSQL."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.models import ClientKey
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, OwnRows

CHECK_POLICY = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# What was said of the run's schedule, else of the client; `counts`: which rows.
WANTED = """coalesce(
    (SELECT nullif(p.wanted, 'as_client') FROM payroll_clientapprovalpolicy p
     WHERE p.client_id = run.client_id AND p.schedule_id = run.schedule_id AND p.starts <= run.pay_date{counts}
     ORDER BY p.starts DESC, p.at DESC, p.id DESC LIMIT 1),
    (SELECT p.wanted FROM payroll_clientapprovalpolicy p
     WHERE p.client_id = run.client_id AND p.schedule_id IS NULL AND p.starts <= run.pay_date{counts}
     ORDER BY p.starts DESC, p.at DESC, p.id DESC LIMIT 1), 'none')"""

# Why a run of this content cannot be released: it needs the client's approval, or whoever would release it lifted
# that condition after the run was opened.
LIFTED = """ AND (p.wanted <> 'must' AND p.at > run.opened_at
       AND p.by_user_id IN (app_user(), app_on_behalf())) IS NOT TRUE"""
LACKS = f"""
DECLARE
  run payroll_payrun;
BEGIN
  IF of_client IS DISTINCT FROM app_write() AND NOT (of_client = ANY (app_read())) THEN
    RETURN '';
  END IF;
  SELECT * INTO run FROM payroll_payrun r WHERE r.client_id = of_client AND r.id = of_run;
  IF run.id IS NULL OR EXISTS (SELECT FROM foundation_approval a
      JOIN foundation_user u ON u.id = a.user_id AND u.kind = 'client'
      WHERE a.client_id = of_client AND a.subject_kind = 'pay_run' AND a.subject_id = of_run
        AND a.content_hash = of_content
        AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)) THEN
    RETURN '';
  END IF;
  IF {WANTED.format(counts="")} = 'must' THEN
    RETURN 'must';
  END IF;
  IF {WANTED.format(counts=LIFTED)} = 'must' THEN
    RETURN 'lifted';
  END IF;
  RETURN '';
END
"""  # noqa: S608 ours

# The client's approval is held, so that it is not taken back meanwhile.
CHECK_RELEASED = """
DECLARE
  lacks text;
BEGIN
  PERFORM 1 FROM foundation_approval a
    WHERE a.client_id = NEW.client_id AND a.subject_kind = 'pay_run' AND a.subject_id = NEW.subject_id FOR UPDATE;
  lacks := client_approval_lacks(NEW.client_id, NEW.subject_id, NEW.content_hash);
  IF lacks = 'must' THEN
    RAISE EXCEPTION 'this run is released once an approver of the client has approved exactly this content'
      USING ERRCODE = 'ER409';
  END IF;
  IF lacks = 'lifted' THEN
    RAISE EXCEPTION 'whoever lifted the client''s approval of this run cannot release it: another person must'
      USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
GRANT SELECT ON payroll_clientapprovalpolicy TO engineroom_guard;
CREATE TRIGGER client_approval_said BEFORE INSERT ON payroll_clientapprovalpolicy
  FOR EACH ROW EXECUTE FUNCTION check_said_of_approval();
CREATE TRIGGER release_by_client BEFORE INSERT ON foundation_release
  FOR EACH ROW WHEN (NEW.subject_kind = 'pay_run') EXECUTE FUNCTION check_client_approved();
"""
TRIGGERS_BACK = """
DROP TRIGGER release_by_client ON foundation_release;
DROP TRIGGER client_approval_said ON payroll_clientapprovalpolicy;
REVOKE SELECT ON payroll_clientapprovalpolicy FROM engineroom_guard;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}


class Migration(migrations.Migration):
    dependencies = [("payroll", "0019_batch_day")]

    operations = [
        migrations.CreateModel(
            name="ClientApprovalPolicy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("starts", models.DateField()),
                ("wanted", models.CharField(max_length=10)),
                ("reason", models.CharField(max_length=300)),
                ("by_user_id", models.UUIDField()),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("schedule", ClientKey(null=True, to="payroll.payschedule", **KEY)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("wanted__in", ("none", "wanted", "must")),
                            models.Q(("schedule__isnull", False), ("wanted", "as_client")),
                            _connector="OR",
                        ),
                        name="client_approval_said",
                    )
                ],
            },
        ),
        ClientTable("ClientApprovalPolicy", history=True),
        OwnRows("payroll_clientapprovalpolicy"),
        GuardFunction("check_said_of_approval()", "trigger", CHECK_POLICY),
        GuardFunction(
            "client_approval_lacks(of_client uuid, of_run uuid, of_content bytea)",
            "text",
            LACKS,
            callable_by_app=True,
            reads_only=True,
        ),
        GuardFunction("check_client_approved()", "trigger", CHECK_RELEASED),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
