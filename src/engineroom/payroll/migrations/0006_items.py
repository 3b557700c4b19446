"""Items and recurring pay, what was carried in from before, and how directors pay National Insurance."""

from importlib import import_module

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, Contributes, GuardFunction, OwnRows

frozen = import_module("engineroom.payroll.migrations.0002_guards").frozen

# What a run has taken stays; what is withdrawn is not taken. Both look at the item under its lock.
CHECK_ITEM = """
BEGIN
  IF OLD.withdrawn <> '' OR EXISTS (SELECT FROM payroll_paiditem p WHERE p.client_id = NEW.client_id AND p.id = NEW.id)
  THEN
    RAISE EXCEPTION 'a run has taken this item, or it was withdrawn before' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""
CHECK_PAID_ITEM = """
DECLARE
  said text;
BEGIN
  SELECT i.withdrawn INTO said FROM payroll_payitem i
    WHERE i.client_id = NEW.client_id AND i.id = NEW.id AND (i.run_id IS NULL OR i.run_id = NEW.run_id) FOR SHARE;
  IF said IS DISTINCT FROM '' THEN
    RAISE EXCEPTION 'this item is withdrawn, or for another run' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""
TRIGGERS = """
GRANT SELECT, UPDATE ON payroll_payitem TO engineroom_guard;
GRANT SELECT ON payroll_paiditem TO engineroom_guard;
CREATE TRIGGER pay_item_checked BEFORE UPDATE ON payroll_payitem FOR EACH ROW EXECUTE FUNCTION check_pay_item();
CREATE TRIGGER paid_item_checked BEFORE INSERT OR UPDATE ON payroll_paiditem
  FOR EACH ROW EXECUTE FUNCTION check_paid_item();
"""
TRIGGERS_BACK = """
DROP TRIGGER paid_item_checked ON payroll_paiditem;
DROP TRIGGER pay_item_checked ON payroll_payitem;
REVOKE SELECT ON payroll_paiditem FROM engineroom_guard;
REVOKE SELECT, UPDATE ON payroll_payitem FROM engineroom_guard;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0006_reasons"),
        ("payroll", "0005_schedules"),
        ("people", "0004_terms"),
    ]

    operations = [
        migrations.CreateModel(
            name="PayItem",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("element", models.CharField(max_length=40)),
                ("amount", models.BigIntegerField()),
                ("period", models.DateField()),
                ("reason", models.CharField(max_length=300)),
                ("source", models.CharField(default="", max_length=40)),
                ("withdrawn", models.CharField(default="", max_length=300)),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="foundation.client",
                    ),
                ),
                (
                    "person",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.person",
                    ),
                ),
                (
                    "run",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payroll.payrun",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="taxdetails",
            name="director_method",
            field=models.CharField(default="", max_length=12),
        ),
        migrations.AddField(
            model_name="taxdetails",
            name="director_weeks",
            field=models.IntegerField(default=52),
        ),
        migrations.CreateModel(
            name="CarriedIn",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tax_year", models.CharField(max_length=7)),
                ("element", models.CharField(max_length=40)),
                ("amount", models.BigIntegerField()),
                ("reason", models.CharField(max_length=300)),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="foundation.client",
                    ),
                ),
                (
                    "person",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.person",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RecurringPay",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("element", models.CharField(max_length=40)),
                ("amount", models.BigIntegerField()),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                ("reason", models.CharField(default="", max_length=300)),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="foundation.client",
                    ),
                ),
                (
                    "person",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.person",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PaidItem",
            fields=[
                (
                    "item",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_column="id",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="payroll.payitem",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="foundation.client",
                    ),
                ),
                (
                    "run",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payroll.payrun",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        ClientTable("PayItem", changes=["withdrawn"]),
        ClientTable("PaidItem"),
        ClientTable("RecurringPay", changes=["ends"]),
        ClientTable("CarriedIn", history=True),
        GuardFunction("check_pay_item()", "trigger", CHECK_ITEM),
        GuardFunction("check_paid_item()", "trigger", CHECK_PAID_ITEM),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        *frozen("payroll_paiditem", "run_id", "INSERT UPDATE DELETE"),
        Contributes("PayItem", subject="person", column="person_id"),
        Contributes("PaidItem", subject="pay_run", column="run_id"),
        Contributes("RecurringPay", subject="person", column="person_id"),
        Contributes("CarriedIn", subject="person", column="person_id"),
        *(
            OwnRows(f"payroll_{table}", "person_id = ANY ((SELECT app_own('person'))::uuid[])")
            for table in ("payitem", "recurringpay", "carriedin")
        ),
        OwnRows("payroll_paiditem"),
    ]
