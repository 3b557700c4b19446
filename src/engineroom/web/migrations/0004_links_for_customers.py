"""A link may be for a customer, who is neither a user nor a person of the client's."""

import django.db.models.deletion
from django.db import migrations, models

import engineroom.foundation.tenancy.models
from engineroom.foundation.tenancy.operations import CompositeKey


class Migration(migrations.Migration):
    dependencies = [("web", "0003_letters"), ("openitems", "0002_guards")]

    operations = [
        migrations.AddField(
            model_name="link",
            name="for_customer",
            field=engineroom.foundation.tenancy.models.ClientKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="openitems.counterparty",
            ),
        ),
        CompositeKey("Link", "for_customer"),
        migrations.RemoveConstraint(model_name="link", name="link_is_for_somebody"),
        migrations.AddConstraint(
            model_name="link",
            constraint=models.CheckConstraint(
                condition=models.Q(for_user_id__isnull=False)
                | models.Q(for_person__isnull=False)
                | models.Q(for_customer__isnull=False),
                name="link_is_for_somebody",
            ),
        ),
    ]
