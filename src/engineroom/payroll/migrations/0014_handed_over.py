"""An approver of the client's hands their approval to a colleague, for a run or for days, and takes it back."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, OwnRows

APPROVING = ", ".join(
    f"'{name}'" for name, role in ROLES.items() if role.face == "client" and role.may("payroll.approve")
)

# Colleagues do not see each other's users: who of the client may approve is told to whoever may read the client.
APPROVERS = f"""
BEGIN
  IF NOT (of_client = ANY (coalesce(nullif(current_setting('app.read', true), ''), '{{}}')::uuid[])) THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT DISTINCT u.id, u.name::text, u.email::text FROM foundation_grant g
    JOIN foundation_user u ON u.id = g.user_id AND u.is_active AND u.kind = 'client'
    WHERE g.of_client_id = of_client AND g.role IN ({APPROVING})
      AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date);
END
"""  # noqa: S608 ours

# By whoever may approve, to a colleague of the client who may, and who made no part of the run.
CHECK_HANDED = f"""
DECLARE
  approvers uuid[];
BEGIN
  NEW.from_user_id := app_user();
  NEW.at := now();
  SELECT array_agg(DISTINCT u.id) INTO approvers FROM foundation_grant g
    JOIN foundation_user u ON u.id = g.user_id AND u.is_active AND u.kind = 'client'
    WHERE g.of_client_id = NEW.client_id AND g.role IN ({APPROVING})
      AND g.starts <= current_date AND (g.ends IS NULL OR g.ends >= current_date);
  IF NEW.from_user_id = NEW.to_user_id OR NOT coalesce(NEW.from_user_id = ANY (approvers), false)
      OR NOT coalesce(NEW.to_user_id = ANY (approvers), false) THEN
    RAISE EXCEPTION 'an approval is handed from one approver of the client to another' USING ERRCODE = 'ER403';
  END IF;
  IF NEW.run_id IS NOT NULL AND EXISTS (
    WITH RECURSIVE part (kind, id) AS (
      VALUES ('pay_run'::text, NEW.run_id)
      UNION
      SELECT s.part_kind::text, s.part_id FROM foundation_contributionsource s JOIN part p
        ON s.client_id = NEW.client_id AND s.subject_kind = p.kind AND s.subject_id = p.id)
    SELECT FROM part p JOIN foundation_contribution c
      ON c.client_id = NEW.client_id AND c.subject_kind = p.kind AND c.subject_id = p.id
    WHERE NEW.to_user_id IN (c.user_id, c.on_behalf_id) OR NEW.from_user_id IN (c.user_id, c.on_behalf_id)) THEN
    RAISE EXCEPTION 'maker is not checker: one of the two made part of this run' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""  # noqa: S608 ours

CHECK_BACK = """
BEGIN
  IF OLD.taken_back <> '' OR NEW.taken_back = '' THEN
    RAISE EXCEPTION 'this was taken back before' USING ERRCODE = 'ER409';
  END IF;
  IF app_user() IS DISTINCT FROM OLD.from_user_id AND app_user() IS DISTINCT FROM OLD.to_user_id THEN
    RAISE EXCEPTION 'it is taken back by whoever handed it over, or given back by whoever has it'
      USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
CREATE TRIGGER handed_over_checked BEFORE INSERT ON payroll_handedover
  FOR EACH ROW EXECUTE FUNCTION check_handed_over();
CREATE TRIGGER handed_over_back BEFORE UPDATE ON payroll_handedover
  FOR EACH ROW EXECUTE FUNCTION check_handed_back();
"""
TRIGGERS_BACK = """
DROP TRIGGER handed_over_back ON payroll_handedover;
DROP TRIGGER handed_over_checked ON payroll_handedover;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ClientKey = engineroom.foundation.tenancy.models.ClientKey


class Migration(migrations.Migration):
    dependencies = [("payroll", "0013_workbooks")]

    operations = [
        migrations.CreateModel(
            name="HandedOver",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("starts", models.DateField()),
                ("ends", models.DateField()),
                ("from_user_id", models.UUIDField()),
                ("to_user_id", models.UUIDField()),
                ("reason", models.CharField(max_length=300)),
                ("taken_back", models.CharField(default="", max_length=300)),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("run", ClientKey(null=True, to="payroll.payrun", **KEY)),
            ],
            options={"abstract": False},
        ),
        ClientTable("HandedOver", changes=["taken_back"]),
        OwnRows("payroll_handedover"),
        GuardFunction(
            "client_approvers(of_client uuid)",
            "TABLE (id uuid, name text, email text)",
            APPROVERS,
            callable_by_app=True,
            reads_only=True,
        ),
        GuardFunction("check_handed_over()", "trigger", CHECK_HANDED),
        GuardFunction("check_handed_back()", "trigger", CHECK_BACK),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
