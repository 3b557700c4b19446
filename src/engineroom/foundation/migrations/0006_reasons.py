"""A grant's reasons stand whole, however often its end was moved."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("foundation", "0005_changes")]

    operations = [migrations.AlterField(model_name="grant", name="reason", field=models.TextField())]
