"""Why an employment ended, each time that it was said."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, OwnRows

LEAVING = ["resigned", "dismissed", "redundant", "end_of_contract", "retired", "died", "transferred", "other"]

STAMPED = """
CREATE TRIGGER employment_ending_stamped BEFORE INSERT ON people_employmentending
  FOR EACH ROW EXECUTE FUNCTION stamp_writer();
"""
STAMPED_BACK = "DROP TRIGGER employment_ending_stamped ON people_employmentending;"


class Migration(migrations.Migration):
    dependencies = [("people", "0005_accounts")]

    operations = [
        migrations.CreateModel(
            name="EmploymentEnding",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("last_day", models.DateField()),
                ("why", models.CharField(choices=[(w, w) for w in LEAVING], max_length=20)),
                ("note", models.CharField(default="", max_length=300)),
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
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("why__in", LEAVING)), name="employment_ending_why"
                    )
                ],
            },
        ),
        ClientTable("EmploymentEnding", history=True),
        migrations.RunSQL(STAMPED, STAMPED_BACK),
        OwnRows("people_employmentending"),
    ]
