"""Attachment orders, and what each took on every payslip."""

from importlib import import_module
from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.models import ClientKey
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    NoOverlap,
    OwnRows,
    after_insert,
)

frozen = import_module("engineroom.payroll.migrations.0002_guards").frozen

# An order that is varied stays one order of one person; the row it began as names itself.
CHECK_ORDERS = """
BEGIN
  IF EXISTS (SELECT FROM added a JOIN payroll_payorder f ON f.client_id = a.client_id AND f.id = a.first_id
    WHERE f.person_id <> a.person_id OR f.first_id IS NOT NULL) THEN
    RAISE EXCEPTION 'an order that varies another is of the same person, and names the row it began as'
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""
CHECK_TAKEN = """
BEGIN
  IF EXISTS (SELECT FROM added a JOIN payroll_payorder o ON o.client_id = a.client_id AND o.id = a.order_id
    WHERE o.person_id <> a.person_id) THEN
    RAISE EXCEPTION 'an order takes from the pay of the person it is about' USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
OWN = "person_id = ANY ((SELECT app_own('person'))::uuid[])"


class Migration(migrations.Migration):
    dependencies = [
        ("payroll", "0008_batch"),
        ("people", "0004_terms"),
        ("openitems", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="PayOrder",
            fields=[
                ("id", ID),
                ("kind", models.CharField(max_length=30)),
                ("reference", models.CharField(max_length=40)),
                ("made_on", models.DateField()),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                ("stated", models.JSONField(default=dict)),
                ("reason", models.CharField(max_length=300)),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("creditor", ClientKey(indexed=False, to="openitems.counterparty", **KEY)),
                ("first", ClientKey(null=True, to="payroll.payorder", **KEY)),
                ("person", ClientKey(to="people.person", **KEY)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="OrderTaken",
            fields=[
                ("id", ID),
                ("run_id", models.UUIDField()),
                ("place", models.SmallIntegerField()),
                ("earnings_met", models.BigIntegerField()),
                ("deduction", models.BigIntegerField()),
                ("fee", models.BigIntegerField()),
                ("deduction_arrears", models.BigIntegerField()),
                ("protected_arrears", models.BigIntegerField()),
                ("balance", models.BigIntegerField(null=True)),
                ("attempt", ClientKey(indexed=False, to="payroll.attempt", **KEY)),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("order", ClientKey(to="payroll.payorder", **KEY)),
                ("person", ClientKey(indexed=False, to="people.person", **KEY)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "attempt", "order"), name="order_taken_once")
                ],
            },
        ),
        ClientTable("PayOrder", changes=["ends"]),
        ClientTable("OrderTaken", history=True),
        NoOverlap("PayOrder", key=["coalesce(first_id, id)"]),
        migrations.RunSQL(
            "GRANT SELECT ON payroll_payorder TO engineroom_guard",
            "REVOKE SELECT ON payroll_payorder FROM engineroom_guard",
        ),
        GuardFunction("check_pay_orders()", "trigger", CHECK_ORDERS),
        GuardFunction("check_orders_taken()", "trigger", CHECK_TAKEN),
        after_insert("payroll_payorder", "check_pay_orders"),
        after_insert("payroll_ordertaken", "check_orders_taken"),
        *frozen("payroll_ordertaken", "run_id", "INSERT"),
        Contributes("PayOrder", subject="person", column="person_id"),
        Contributes("OrderTaken", subject="pay_run", column="run_id"),
        OwnRows("payroll_payorder", OWN),
        OwnRows("payroll_ordertaken", OWN),
    ]
