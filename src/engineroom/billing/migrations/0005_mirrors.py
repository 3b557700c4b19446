"""The other side of the house's invoices, at the client that is billed: pending, written, or why not yet."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from engineroom.foundation.tenancy.models import ClientKey
from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, OwnRows

# What is written at the other client stands there for good, so it does here.
CHECK_MIRROR = """
BEGIN
  IF OLD.document_id IS NOT NULL THEN
    RAISE EXCEPTION 'the other side of this invoice is written: it is not another one' USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""
TRIGGER = """
CREATE TRIGGER billing_invoicemirror_checked BEFORE UPDATE ON billing_invoicemirror
  FOR EACH ROW EXECUTE FUNCTION check_invoice_mirror();
"""
TRIGGER_BACK = "DROP TRIGGER billing_invoicemirror_checked ON billing_invoicemirror;"

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_supplier_bills")]

    operations = [
        migrations.CreateModel(
            name="InvoiceMirror",
            fields=[
                (
                    "invoice",
                    ClientKey(db_column="id", primary_key=True, serialize=False, to="billing.invoice", **KEY),
                ),
                ("to_client_id", models.UUIDField()),
                ("document_id", models.UUIDField(null=True)),
                ("problem", models.CharField(default="", max_length=500)),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
            ],
            options={"abstract": False},
        ),
        ClientTable("InvoiceMirror", changes=["document_id", "problem"]),
        GuardFunction("check_invoice_mirror()", "trigger", CHECK_MIRROR),
        migrations.RunSQL(TRIGGER, TRIGGER_BACK),
        OwnRows("billing_invoicemirror"),
    ]
