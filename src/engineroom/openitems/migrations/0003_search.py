"""Whom a client deals with is found by name and code, an open item by its amount."""

from django.db import migrations, models

from engineroom.foundation.tenancy.operations import Searched


class Migration(migrations.Migration):
    dependencies = [("openitems", "0002_guards"), ("foundation", "0003_search")]

    operations = [
        migrations.AddIndex("OpenItem", models.Index(fields=["client", "amount"], name="open_item_amount")),
        Searched("Counterparty", kind="kind", names="name || ' ' || code"),
    ]
