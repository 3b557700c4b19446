"""Statutory payments of people: what each goes by, and what every payslip paid of it."""

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
    OwnRows,
    after_insert,
)

frozen = import_module("engineroom.payroll.migrations.0002_guards").frozen

CHECK_PAID = """
BEGIN
  IF EXISTS (SELECT FROM added a JOIN payroll_claim c ON c.client_id = a.client_id AND c.id = a.claim_id
    WHERE c.person_id <> a.person_id) THEN
    RAISE EXCEPTION 'a claim is paid to the person whose claim it is' USING ERRCODE = 'ER409';
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
    dependencies = [("payroll", "0009_orders")]

    operations = [
        migrations.CreateModel(
            name="Claim",
            fields=[
                ("id", ID),
                ("payment", models.CharField(max_length=10)),
                ("first_day", models.DateField()),
                ("figures", models.JSONField()),
                ("period_from", models.DateField(null=True)),
                ("period_until", models.DateField(null=True)),
                ("reason", models.CharField(max_length=300)),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("person", ClientKey(to="people.person", **KEY)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="ClaimPaid",
            fields=[
                ("id", ID),
                ("run_id", models.UUIDField()),
                ("amount", models.BigIntegerField()),
                ("figures", models.JSONField()),
                ("attempt", ClientKey(indexed=False, to="payroll.attempt", **KEY)),
                ("claim", ClientKey(to="payroll.claim", **KEY)),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("person", ClientKey(indexed=False, to="people.person", **KEY)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "attempt", "claim"), name="claim_paid_once")
                ],
            },
        ),
        ClientTable("Claim", history=True),
        ClientTable("ClaimPaid", history=True),
        migrations.RunSQL(
            "GRANT SELECT ON payroll_claim TO engineroom_guard",
            "REVOKE SELECT ON payroll_claim FROM engineroom_guard",
        ),
        GuardFunction("check_claims_paid()", "trigger", CHECK_PAID),
        after_insert("payroll_claimpaid", "check_claims_paid"),
        *frozen("payroll_claimpaid", "run_id", "INSERT"),
        Contributes("Claim", subject="person", column="person_id"),
        Contributes("ClaimPaid", subject="pay_run", column="run_id"),
        OwnRows("payroll_claim", OWN),
        OwnRows("payroll_claimpaid", OWN),
    ]
