"""An order may continue another; a charge says under which order it is billed."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import engineroom.foundation.tenancy.models
from engineroom.foundation.tenancy.operations import CompositeKey

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
    "null": True,
    "to": "timesheets.purchaseorder",
}
ClientKey = engineroom.foundation.tenancy.models.ClientKey


class Migration(migrations.Migration):
    dependencies = [("timesheets", "0005_entered_weeks")]

    operations = [
        migrations.AddField("purchaseorder", "continues", ClientKey(indexed=False, **KEY)),
        migrations.AddField("charge", "order", ClientKey(**KEY)),
        migrations.AddField("holdend", "order", ClientKey(**KEY)),
        migrations.AddConstraint(
            "purchaseorder",
            models.UniqueConstraint(fields=("client", "continues"), name="purchase_order_continues"),
        ),
        migrations.AddConstraint(
            "purchaseorder",
            models.CheckConstraint(
                condition=~models.Q(continues=models.F("id")), name="purchase_order_goes_on"
            ),
        ),
        CompositeKey("PurchaseOrder", "continues"),
        CompositeKey("Charge", "order"),
        CompositeKey("HoldEnd", "order"),
    ]
