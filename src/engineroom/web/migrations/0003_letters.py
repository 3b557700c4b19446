"""Letters that wait to be sent, and what became of each. Nobody sees them from their own face or the work's."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, OwnRows

ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
AT = models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)
CLIENT = models.ForeignKey(
    db_constraint=False,
    db_index=False,
    on_delete=django.db.models.deletion.PROTECT,
    related_name="+",
    to="foundation.client",
)


def client_key(to: str) -> models.Field:
    return engineroom.foundation.tenancy.models.ClientKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=to,
    )


class Migration(migrations.Migration):
    dependencies = [("web", "0002_own_rows")]

    operations = [
        migrations.CreateModel(
            name="Mailing",
            fields=[
                ("id", ID.clone()),
                ("kind", models.CharField(max_length=20)),
                ("subject_kind", models.CharField(max_length=50)),
                ("subject_id", models.UUIDField()),
                ("title", models.CharField(max_length=200)),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
            ],
            options={"indexes": [models.Index(fields=["client", "at"], name="mailing_at")]},
        ),
        migrations.CreateModel(
            name="Letter",
            fields=[
                ("id", ID.clone()),
                ("subject", models.CharField(max_length=250)),
                ("text", models.TextField()),
                ("client", CLIENT.clone()),
                ("link", client_key("web.link")),
                ("mailing", client_key("web.mailing")),
            ],
            options={
                "indexes": [models.Index(fields=["client", "mailing"], name="letter_mailing")],
                "constraints": [models.UniqueConstraint(fields=("client", "link"), name="letter_of_link")],
            },
        ),
        migrations.CreateModel(
            name="LetterTry",
            fields=[
                ("id", ID.clone()),
                ("number", models.PositiveIntegerField()),
                ("outcome", models.CharField(max_length=10)),
                ("said", models.CharField(max_length=300)),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("client", CLIENT.clone()),
                ("letter", client_key("web.letter")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "letter", "number"), name="letter_try"),
                    models.UniqueConstraint(
                        condition=models.Q(("outcome", "sent")),
                        fields=("client", "letter"),
                        name="letter_sent_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome__in", ["sent", "failed", "refused", "given_up", "left"])
                        ),
                        name="letter_outcome",
                    ),
                ],
            },
        ),
        ClientTable("Mailing", history=True),
        ClientTable("Letter", history=True),
        ClientTable("LetterTry", history=True),
        *(OwnRows(table) for table in ("web_mailing", "web_letter", "web_lettertry")),
    ]
