"""Every hour knows the row of the file that it came in. Hours taken in before know their file alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("timesheets", "0002_guards")]

    operations = [migrations.AddField("timeentry", "file_row", models.IntegerField(null=True))]
