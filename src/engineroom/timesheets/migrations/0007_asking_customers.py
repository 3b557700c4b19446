"""Customers are asked about hours: who answers is dated, and what was asked and done about it is history."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, NoOverlap, OwnRows

SHAPES = """
ALTER TABLE timesheets_answerpolicy ADD CONSTRAINT answer_policy_shape CHECK (
  approver_name <> '' AND approver_email <> '' AND (backup_name = '') = (backup_email = '')
  AND (backup_hours = 0 OR backup_email <> '')
  AND remind_hours BETWEEN 0 AND 720 AND backup_hours BETWEEN 0 AND 720 AND escalate_hours BETWEEN 0 AND 720
  AND (ends IS NULL OR ends >= starts));
ALTER TABLE timesheets_requeststep ADD CONSTRAINT request_step_shape CHECK (
  what IN ('asked', 'reminded', 'backup', 'escalated', 'answered', 'withdrawn'));
CREATE UNIQUE INDEX request_step_over ON timesheets_requeststep (client_id, request_id)
  WHERE what IN ('answered', 'withdrawn');
"""
SHAPES_BACK = """
DROP INDEX request_step_over;
ALTER TABLE timesheets_requeststep DROP CONSTRAINT request_step_shape;
ALTER TABLE timesheets_answerpolicy DROP CONSTRAINT answer_policy_shape;
"""

ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
AT = models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)
CLIENT = models.ForeignKey(
    db_constraint=False,
    db_index=False,
    on_delete=django.db.models.deletion.PROTECT,
    related_name="+",
    to="foundation.client",
)


def client_key(to: str, **more: object) -> models.Field:
    return engineroom.foundation.tenancy.models.ClientKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=to,
        **more,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("timesheets", "0006_orders"),
        ("ledger", "0002_guards"),  # stamp_writer()
    ]

    operations = [
        migrations.CreateModel(
            name="AnswerPolicy",
            fields=[
                ("id", ID.clone()),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                ("approver_name", models.CharField(max_length=100)),
                ("approver_email", models.EmailField(max_length=254)),
                ("backup_name", models.CharField(default="", max_length=100)),
                ("backup_email", models.EmailField(default="", max_length=254)),
                ("remind_hours", models.IntegerField()),
                ("backup_hours", models.IntegerField()),
                ("escalate_hours", models.IntegerField()),
                ("client", CLIENT.clone()),
                ("customer", client_key("openitems.counterparty")),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="AnswerRequest",
            fields=[
                ("id", ID.clone()),
                ("week_ending", models.DateField()),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
                ("customer", client_key("openitems.counterparty")),
                ("policy", client_key("timesheets.answerpolicy")),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="RequestedWeek",
            fields=[
                ("id", ID.clone()),
                ("client", CLIENT.clone()),
                ("request", client_key("timesheets.answerrequest")),
                ("week", client_key("timesheets.enteredweek")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "request", "week"), name="requested_week_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="RequestStep",
            fields=[
                ("id", ID.clone()),
                ("what", models.CharField(max_length=9)),
                ("whom", models.CharField(default="", max_length=300)),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
                ("request", client_key("timesheets.answerrequest", indexed=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "request", "what"), name="request_step_once")
                ],
            },
        ),
        ClientTable("AnswerPolicy", changes=["ends"]),
        NoOverlap("AnswerPolicy", key=["customer_id"]),
        ClientTable("AnswerRequest", history=True),
        ClientTable("RequestedWeek", history=True),
        ClientTable("RequestStep", history=True),
        migrations.RunSQL(SHAPES, SHAPES_BACK),
        # Whoever asked is the scope's word, not the row's.
        migrations.RunSQL(
            "CREATE TRIGGER answer_request_stamped BEFORE INSERT ON timesheets_answerrequest "
            "FOR EACH ROW EXECUTE FUNCTION stamp_writer()",
            "DROP TRIGGER answer_request_stamped ON timesheets_answerrequest",
        ),
        *(
            OwnRows(f"timesheets_{table}")
            for table in ("answerpolicy", "answerrequest", "requestedweek", "requeststep")
        ),
    ]
