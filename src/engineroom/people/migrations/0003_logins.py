"""Which user is which person: at most one at a time, given by somebody else, and only to somebody with a face of their
own."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, Contributes, GuardFunction, NoOverlap

CHECK_LOGIN = """
BEGIN
  NEW.given_by_id := app_user();
  NEW.given_at := now();
  IF NEW.user_id = app_user() OR NEW.user_id = app_on_behalf() THEN
    RAISE EXCEPTION 'nobody gives a login to themselves' USING ERRCODE = 'ER403';
  END IF;
  IF NOT EXISTS (SELECT FROM foundation_user u WHERE u.id = NEW.user_id AND u.kind IN ('employee', 'worker')) THEN
    RAISE EXCEPTION 'only an employee or a worker is a person with a login' USING ERRCODE = 'ER403';
  END IF;
  IF NOT user_may(app_user(), NEW.client_id, 'foundation.grant') THEN
    RAISE EXCEPTION 'no role of this user here may give a login' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0002_guards"), ("foundation", "0002_guards")]

    operations = [
        migrations.CreateModel(
            name="PersonLogin",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("user_id", models.UUIDField()),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                ("given_by_id", models.UUIDField()),
                (
                    "given_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="foundation.client",
                    ),
                ),
                (
                    "person",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.person",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user_id"], name="person_login_user")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ends", None)),
                        fields=("client", "person"),
                        name="person_login_once",
                    )
                ],
            },
        ),
        ClientTable("PersonLogin", changes=["ends"]),
        NoOverlap("PersonLogin", key=["user_id"]),
        GuardFunction("check_login()", "trigger", CHECK_LOGIN),
        migrations.RunSQL(
            "CREATE TRIGGER login_checked BEFORE INSERT ON people_personlogin "
            "FOR EACH ROW EXECUTE FUNCTION check_login()",
            "DROP TRIGGER login_checked ON people_personlogin",
        ),
        Contributes("PersonLogin", subject="login"),
    ]
