"""Where runs are posted, by version, and what each was posted to; what is owed beside payslips. Never changed."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, OwnRows

# Who said it and when is PostgreSQL's to write.
CHECK_CHANGE = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# Rows come with their change: what was said later is another version.
CHECK_MAPPED = """
BEGIN
  IF NOT EXISTS (SELECT FROM payroll_accountchange c WHERE c.client_id = NEW.client_id AND c.id = NEW.change_id
      AND c.at = now() AND c.by_user_id = app_user()) THEN
    RAISE EXCEPTION 'an account map is never changed: say it as another version' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

# A run has the map that its release posted it by.
CHECK_POSTED = """
BEGIN
  NEW.at := now();
  IF NOT EXISTS (SELECT FROM foundation_release x WHERE x.client_id = NEW.client_id AND x.subject_kind = 'pay_run'
      AND x.subject_id = NEW.id AND x.at = now()) THEN
    RAISE EXCEPTION 'a run is posted when it is released, and by the map of that moment' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
GRANT SELECT ON payroll_accountchange, foundation_release TO engineroom_guard;
CREATE TRIGGER account_change_checked BEFORE INSERT ON payroll_accountchange
  FOR EACH ROW EXECUTE FUNCTION check_said_of_accounts();
CREATE TRIGGER liability_checked BEFORE INSERT ON payroll_liability
  FOR EACH ROW EXECUTE FUNCTION check_said_of_accounts();
CREATE TRIGGER mapped_account_checked BEFORE INSERT ON payroll_mappedaccount
  FOR EACH ROW EXECUTE FUNCTION check_mapped_account();
CREATE TRIGGER posted_map_checked BEFORE INSERT ON payroll_postedmap
  FOR EACH ROW EXECUTE FUNCTION check_posted_map();
"""
TRIGGERS_BACK = """
DROP TRIGGER posted_map_checked ON payroll_postedmap;
DROP TRIGGER liability_checked ON payroll_liability;
DROP TRIGGER mapped_account_checked ON payroll_mappedaccount;
DROP TRIGGER account_change_checked ON payroll_accountchange;
REVOKE SELECT ON payroll_accountchange FROM engineroom_guard;
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
    dependencies = [("payroll", "0010_claims")]

    operations = [
        migrations.CreateModel(
            name="AccountChange",
            fields=[
                ("id", ID),
                ("number", models.IntegerField()),
                ("reason", models.CharField(max_length=300)),
                ("source", models.CharField(default="", max_length=40)),
                ("by_user_id", models.UUIDField()),
                ("at", AT),
                ("client", CLIENT),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "number"), name="account_change_number")
                ],
            },
        ),
        migrations.CreateModel(
            name="MappedAccount",
            fields=[
                ("id", ID.clone()),
                ("line", models.CharField(max_length=60)),
                ("cost_centre", models.CharField(default="", max_length=40)),
                ("starts", models.DateField()),
                ("account", models.CharField(max_length=20)),
                ("change", ClientKey(to="payroll.accountchange", **KEY)),
                ("client", CLIENT.clone()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client", "change", "line", "cost_centre"), name="mapped_account_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PostedMap",
            fields=[
                (
                    "run",
                    ClientKey(db_column="id", primary_key=True, serialize=False, to="payroll.payrun", **KEY),
                ),
                ("version", models.IntegerField()),
                ("accounts", models.JSONField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="Liability",
            fields=[
                ("id", ID.clone()),
                ("agency", models.CharField(max_length=20)),
                ("year", models.CharField(max_length=7)),
                ("period", models.IntegerField()),
                ("name", models.CharField(max_length=40)),
                ("amount", models.BigIntegerField()),
                ("day", models.DateField()),
                ("reason", models.CharField(max_length=300)),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=~models.Q(amount=0), name="liability_not_zero")
                ],
                "indexes": [
                    models.Index(fields=["client", "agency", "year", "period"], name="liability_period")
                ],
            },
        ),
        ClientTable("AccountChange", history=True),
        ClientTable("MappedAccount", history=True),
        ClientTable("PostedMap", history=True),
        ClientTable("Liability", history=True),
        GuardFunction("check_said_of_accounts()", "trigger", CHECK_CHANGE),
        GuardFunction("check_mapped_account()", "trigger", CHECK_MAPPED),
        GuardFunction("check_posted_map()", "trigger", CHECK_POSTED),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        OwnRows("payroll_accountchange"),
        OwnRows("payroll_mappedaccount"),
        OwnRows("payroll_postedmap"),
        OwnRows("payroll_liability"),
    ]
