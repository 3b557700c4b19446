"""Schedules: how often people are paid, who is on which from when, and the runs of their periods."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    CompositeKey,
    Contributes,
    NoOverlap,
    OwnRows,
)


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0006_reasons"),
        ("payroll", "0004_whose_yes"),
        ("people", "0004_terms"),
    ]

    operations = [
        migrations.CreateModel(
            name="OnSchedule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PaySchedule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("code", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=100)),
                ("jurisdiction", models.CharField(max_length=2)),
                ("frequency", models.CharField(max_length=12)),
                ("anchor", models.DateField()),
                ("pay_rule", models.CharField(max_length=20)),
                ("pay_day", models.IntegerField(default=0)),
                ("cut_off_days", models.IntegerField(default=0)),
                ("proration", models.CharField(default="calendar_days", max_length=14)),
                ("ends", models.DateField(null=True)),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="payrun",
            name="pay_run_regular_once",
        ),
        migrations.AddField(
            model_name="payrun",
            name="due",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="onschedule",
            name="client",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="foundation.client",
            ),
        ),
        migrations.AddField(
            model_name="onschedule",
            name="person",
            field=engineroom.foundation.tenancy.models.ClientKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.person",
            ),
        ),
        migrations.AddField(
            model_name="payschedule",
            name="client",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="foundation.client",
            ),
        ),
        migrations.AddField(
            model_name="onschedule",
            name="schedule",
            field=engineroom.foundation.tenancy.models.ClientKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payroll.payschedule",
            ),
        ),
        migrations.AddField(
            model_name="payrun",
            name="schedule",
            field=engineroom.foundation.tenancy.models.ClientKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payroll.payschedule",
            ),
        ),
        migrations.AddConstraint(
            model_name="payrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "regular"), ("schedule", None)),
                fields=("client", "frequency", "tax_year", "tax_period"),
                name="pay_run_regular_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="payrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "regular"), ("schedule__isnull", False)),
                fields=("client", "schedule", "period_starts"),
                name="pay_run_of_period_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="payschedule",
            constraint=models.UniqueConstraint(fields=("client", "code"), name="pay_schedule_code"),
        ),
        ClientTable("PaySchedule", changes=["ends"]),
        ClientTable("OnSchedule", changes=["ends"]),
        CompositeKey("PayRun", "schedule"),
        NoOverlap("OnSchedule", key=["person_id"]),
        Contributes("PaySchedule", subject="pay_schedule"),
        Contributes("OnSchedule", subject="person", column="person_id"),
        OwnRows("payroll_payschedule"),
        OwnRows("payroll_onschedule", "person_id = ANY ((SELECT app_own('person'))::uuid[])"),
    ]
