"""A run keeps by which country's law it pays."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payroll", "0002_guards")]

    operations = [
        migrations.AddField(
            model_name="payrun",
            name="jurisdiction",
            field=models.CharField(default="gb", max_length=2),
        ),
    ]
