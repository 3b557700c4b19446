"""A result of a batch says whose runs it was about: those of a pay date."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payroll", "0018_tax_record")]

    operations = [migrations.AddField("batchresult", "pay_date", models.DateField(null=True))]
