"""Which clients have a task that is not over: the index that inboxes over many clients begin with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sop", "0004_case_guards")]

    operations = [
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(state__in=("open", "check")), fields=["client"], name="task_open"
            ),
        ),
    ]
