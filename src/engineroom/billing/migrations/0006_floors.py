"""The floor under a client's rates, and rates that were allowed below it."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, NoOverlap, OwnRows

# Whose word it is says the scope, not the row; and it is the word of somebody who may approve bills.
SAID_BY = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""
TRIGGERS = """
CREATE TRIGGER margin_floor_said BEFORE INSERT ON billing_marginfloor
  FOR EACH ROW EXECUTE FUNCTION billing_said_by();
CREATE TRIGGER below_floor_said BEFORE INSERT ON billing_belowfloor
  FOR EACH ROW EXECUTE FUNCTION billing_said_by();
"""
TRIGGERS_BACK = """
DROP TRIGGER below_floor_said ON billing_belowfloor;
DROP TRIGGER margin_floor_said ON billing_marginfloor;
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
    dependencies = [("billing", "0005_mirrors"), ("openitems", "0003_search")]

    operations = [
        migrations.CreateModel(
            name="MarginFloor",
            fields=[
                ("id", ID),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                ("floor_ppm", models.BigIntegerField()),
                ("week_minutes", models.IntegerField()),
                ("with_levy", models.BooleanField()),
                ("reason", models.CharField(max_length=300)),
                ("by_user_id", models.UUIDField()),
                ("at", AT),
                ("client", CLIENT),
            ],
        ),
        migrations.CreateModel(
            name="BelowFloor",
            fields=[
                ("id", ID.clone()),
                ("role", models.CharField(max_length=100)),
                ("pay_rate", models.BigIntegerField()),
                ("bill_rate", models.BigIntegerField()),
                ("reason", models.CharField(max_length=300)),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
                ("customer", ClientKey(to="openitems.counterparty", **KEY)),
            ],
            options={"abstract": False},
        ),
        migrations.AddConstraint(
            "marginfloor",
            models.CheckConstraint(
                condition=models.Q(floor_ppm__gte=0, floor_ppm__lt=1_000_000, week_minutes__gte=1),
                name="margin_floor_values",
            ),
        ),
        ClientTable("MarginFloor", changes=["ends"]),
        NoOverlap("MarginFloor", key=[]),
        ClientTable("BelowFloor", history=True),
        OwnRows("billing_marginfloor"),
        OwnRows("billing_belowfloor"),
        GuardFunction("billing_said_by()", "trigger", SAID_BY),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
