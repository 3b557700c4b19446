"""What changed a client since: the index that answers kept in the processes are checked by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("foundation", "0004_engagement")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(condition=~models.Q(verb="read"), fields=["xact"], name="audit_event_change"),
        ),
    ]
