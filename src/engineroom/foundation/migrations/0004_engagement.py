"""What the firm does for a client, as agreed: whole in one row, by whom PostgreSQL says, and never rewritten."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, Contributes, GuardFunction, OwnRows

CHECK_ENGAGEMENT = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# A place in each array is one service line; PostgreSQL holds that every line has all its parts.
WHOLE_LINES = """
ALTER TABLE foundation_engagement ADD CONSTRAINT engagement_lines_whole CHECK (
  cardinality(bases) = cardinality(services) AND cardinality(prices_minor) = cardinality(services)
  AND cardinality(levels) = cardinality(services) AND 0 <= ALL (prices_minor));
CREATE TRIGGER engagement_by BEFORE INSERT ON foundation_engagement
  FOR EACH ROW EXECUTE FUNCTION check_engagement();
"""
WHOLE_LINES_BACK = """
DROP TRIGGER engagement_by ON foundation_engagement;
ALTER TABLE foundation_engagement DROP CONSTRAINT engagement_lines_whole;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0003_search"),
    ]

    operations = [
        migrations.CreateModel(
            name="Engagement",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("starts", models.DateField()),
                ("agreed_on", models.DateField()),
                ("agreed_with", models.CharField(max_length=200)),
                (
                    "services",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), size=None
                    ),
                ),
                (
                    "bases",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=10), size=None
                    ),
                ),
                (
                    "prices_minor",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "levels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300), size=None
                    ),
                ),
                ("data_processing", models.TextField(default="")),
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
                "indexes": [models.Index(fields=["client", "starts"], name="engagement_starts")],
                "constraints": [
                    models.UniqueConstraint(fields=("client", "number"), name="engagement_number"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("bases__contained_by", ["month", "payslip", "invoice", "hour", "included"]),
                            (
                                "services__contained_by",
                                [
                                    "payroll",
                                    "pay_and_bill",
                                    "credit_control",
                                    "payments",
                                    "bookkeeping",
                                    "advice",
                                ],
                            ),
                        ),
                        name="engagement_words_known",
                    ),
                ],
            },
        ),
        ClientTable("Engagement", history=True),
        OwnRows("foundation_engagement"),
        GuardFunction("check_engagement()", "trigger", CHECK_ENGAGEMENT),
        migrations.RunSQL(WHOLE_LINES, WHOLE_LINES_BACK),
        Contributes("Engagement", subject="engagement"),
    ]
