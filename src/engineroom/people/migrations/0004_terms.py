"""Terms: dated for the days that they are of and for the changes that they were known at; said and taken back, never
changed."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    NoOverlap,
    OwnRows,
)

# Changes of a client come one after the other: whoever says the next one waits until this one is committed, so that
# their numbers are the order in which they could be seen.
CHECK_TERMS_CHANGE = """
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('terms:' || NEW.client_id, 0));
  NEW.number := 1 + coalesce((SELECT max(c.number) FROM people_termschange c WHERE c.client_id = NEW.client_id), 0);
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# The change that says a row, or takes it back, is one of this transaction: nobody adds to what was known before.
CHECK_TERMS = """
DECLARE
  of_change bigint := CASE TG_OP WHEN 'INSERT' THEN NEW.said ELSE NEW.unsaid END;
BEGIN
  IF NOT EXISTS (SELECT FROM people_termschange c
      WHERE c.client_id = NEW.client_id AND c.number = of_change AND c.at = now() AND c.by_user_id = app_user()) THEN
    RAISE EXCEPTION 'terms are said, and taken back, by a change of the same transaction' USING ERRCODE = 'ER409';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF OLD.unsaid IS NOT NULL OR NEW.unsaid <= OLD.said THEN
      RAISE EXCEPTION 'terms are taken back once, by a later change' USING ERRCODE = 'ER409';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.unsaid IS NOT NULL THEN
    RAISE EXCEPTION 'terms are not taken back before they are said' USING ERRCODE = 'ER409';
  END IF;
  IF NOT EXISTS (SELECT FROM people_employment m WHERE m.client_id = NEW.client_id AND m.id = NEW.employment_id
      AND m.person_id = NEW.person_id AND m.starts <= NEW.starts AND (m.ends IS NULL OR m.ends >= NEW.starts)) THEN
    RAISE EXCEPTION 'terms begin within an employment of the person' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
GRANT SELECT ON people_employment, people_termschange TO engineroom_guard;
CREATE TRIGGER terms_change_numbered BEFORE INSERT ON people_termschange
  FOR EACH ROW EXECUTE FUNCTION check_terms_change();
CREATE TRIGGER terms_checked BEFORE INSERT OR UPDATE ON people_terms FOR EACH ROW EXECUTE FUNCTION check_terms();
"""
TRIGGERS_BACK = """
DROP TRIGGER terms_checked ON people_terms;
DROP TRIGGER terms_change_numbered ON people_termschange;
REVOKE SELECT ON people_employment, people_termschange FROM engineroom_guard;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0003_logins"),
        ("web", "0002_own_rows"),  # whose rows are somebody's own is asked by one function, made there
    ]

    operations = [
        migrations.CreateModel(
            name="Terms",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                (
                    "basis",
                    models.CharField(choices=[("salary", "salary"), ("hourly", "hourly")], max_length=10),
                ),
                ("amount", models.BigIntegerField()),
                ("minutes_per_week", models.IntegerField()),
                ("working_days", models.SmallIntegerField()),
                ("title", models.CharField(default="", max_length=100)),
                ("cost_centre", models.CharField(default="", max_length=40)),
                ("said", models.BigIntegerField()),
                ("unsaid", models.BigIntegerField(null=True)),
                ("continues", models.BooleanField(default=False)),
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
                    "employment",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.employment",
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
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0), ("basis__in", ["salary", "hourly"])),
                        name="terms_pay",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("minutes_per_week__gte", 0),
                            ("minutes_per_week__lte", 10080),
                            ("working_days__gte", 0),
                            ("working_days__lte", 127),
                        ),
                        name="terms_week",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends", None), ("ends__gte", models.F("starts")), _connector="OR"
                        ),
                        name="terms_days",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TermsChange",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.BigIntegerField()),
                ("reason", models.CharField(default="", max_length=300)),
                ("by_user_id", models.UUIDField()),
                (
                    "at",
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
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "number"), name="terms_change_number")
                ],
            },
        ),
        ClientTable("TermsChange", history=True),
        ClientTable("Terms", changes=["unsaid"]),
        # Neither what stands, nor what stood at any change.
        NoOverlap("Terms", key=["employment_id"], within=["int8range(said, unsaid)"]),
        GuardFunction("check_terms_change()", "trigger", CHECK_TERMS_CHANGE),
        GuardFunction("check_terms()", "trigger", CHECK_TERMS),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        Contributes("Terms", subject="person", column="person_id"),
        OwnRows("people_termschange"),
        OwnRows("people_terms", "person_id = ANY ((SELECT app_own('person'))::uuid[])"),
    ]
