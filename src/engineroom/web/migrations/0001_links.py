"""Links that open one thing once. Nobody is signed in when one is opened: two functions of the guard's look at it and use
it up, for whoever holds the token."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction

# By id and by the token's hash, both: an id is no secret, and a hash is looked up on one row alone.
LINK = """
BEGIN
  RETURN QUERY SELECT l.client_id, l.kind::text, l.subject_id, l.for_user_id, l.for_person_id, l.expires_at, u.at
    FROM web_link l LEFT JOIN web_linkuse u ON u.client_id = l.client_id AND u.id = l.id
    WHERE l.id = which AND l.sha256 = digest;
END
"""

USE_LINK = """
BEGIN
  INSERT INTO web_linkuse (id, client_id)
    SELECT l.id, l.client_id FROM web_link l WHERE l.id = which AND l.sha256 = digest AND l.expires_at > now()
    ON CONFLICT DO NOTHING;
  RETURN FOUND;
END
"""

GUARD_READS = """
GRANT SELECT ON web_link, web_linkuse TO engineroom_guard;
GRANT INSERT ON web_linkuse TO engineroom_guard;
REVOKE INSERT ON web_linkuse FROM engineroom_app;
"""
GUARD_READS_BACK = """
GRANT INSERT ON web_linkuse TO engineroom_app;
REVOKE ALL ON web_link, web_linkuse FROM engineroom_guard;
"""

CLIENT = models.ForeignKey(
    db_constraint=False,
    db_index=False,
    on_delete=django.db.models.deletion.PROTECT,
    related_name="+",
    to="foundation.client",
)


def client_key(to: str, **kwargs: object) -> models.Field:
    return engineroom.foundation.tenancy.models.ClientKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=to,
        **kwargs,
    )


class Migration(migrations.Migration):
    initial = True
    dependencies = [("foundation", "0002_guards"), ("people", "0003_logins")]

    operations = [
        migrations.CreateModel(
            name="Link",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sha256", models.BinaryField()),
                ("kind", models.CharField(max_length=20)),
                ("subject_id", models.UUIDField()),
                ("for_user_id", models.UUIDField(null=True)),
                ("address", models.EmailField(max_length=254)),
                ("expires_at", models.DateTimeField()),
                ("by_user_id", models.UUIDField()),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", CLIENT),
                ("for_person", client_key("people.person", null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["client", "kind", "subject_id"], name="link_subject")],
                "constraints": [
                    models.UniqueConstraint(fields=("client", "sha256"), name="link_token"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("for_user_id__isnull", False), ("for_person__isnull", False), _connector="OR"
                        ),
                        name="link_is_for_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LinkUse",
            fields=[
                ("link", client_key("web.link", db_column="id", primary_key=True, serialize=False)),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", CLIENT.clone()),
            ],
            options={"abstract": False},
        ),
        ClientTable("Link", history=True),
        ClientTable("LinkUse", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction(
            "app_link(which uuid, digest bytea)",
            "TABLE (client_id uuid, kind text, subject_id uuid, for_user_id uuid, for_person_id uuid, "
            "expires_at timestamptz, used_at timestamptz)",
            "#variable_conflict use_column" + LINK,
            callable_by_app=True,
        ),
        GuardFunction("app_use_link(which uuid, digest bytea)", "boolean", USE_LINK, callable_by_app=True),
    ]
