"""What became of each client in one action over many: kept once."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, OwnRows

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}


class Migration(migrations.Migration):
    dependencies = [("payroll", "0007_returned")]

    operations = [
        migrations.CreateModel(
            name="BatchResult",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("batch_id", models.UUIDField()),
                ("action", models.CharField(max_length=20)),
                ("outcome", models.CharField(max_length=10)),
                ("words", models.CharField(max_length=2000)),
                ("by_user_id", models.UUIDField()),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "batch_id"), name="batch_result_once")
                ],
            },
        ),
        ClientTable("BatchResult", history=True),
        OwnRows("payroll_batchresult"),
    ]
