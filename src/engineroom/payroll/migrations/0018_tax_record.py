"""What a country keeps of how people are taxed, where it has no columns of its own (decision 013)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payroll", "0017_debts")]

    operations = [
        migrations.AddField(
            model_name="taxdetails",
            name="stated",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AlterField(
            model_name="taxdetails",
            name="tax_code",
            field=models.CharField(default="", max_length=12),
        ),
        # One of the two: columns are Great Britain's, and no document stands beside them.
        migrations.AddConstraint(
            model_name="taxdetails",
            constraint=models.CheckConstraint(
                condition=models.Q(tax_code="") | models.Q(stated={}), name="tax_details_one_record"
            ),
        ),
    ]
