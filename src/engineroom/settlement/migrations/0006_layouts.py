"""What a client's files of one shape mean, as somebody confirmed it, with the bank account they are of."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, OwnRows

WHOLE = """
ALTER TABLE settlement_statementlayout ADD CONSTRAINT statement_layout_whole
  CHECK (fingerprint ~ '^[0-9a-f]{64}$' AND jsonb_typeof(mapping) = 'object');
CREATE TRIGGER settlement_statementlayout_stamped BEFORE INSERT ON settlement_statementlayout
  FOR EACH ROW EXECUTE FUNCTION stamp_writer();
"""
WHOLE_BACK = """
DROP TRIGGER settlement_statementlayout_stamped ON settlement_statementlayout;
ALTER TABLE settlement_statementlayout DROP CONSTRAINT statement_layout_whole;
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0005_again")]

    operations = [
        migrations.CreateModel(
            name="StatementLayout",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("fingerprint", models.CharField(max_length=64)),
                ("mapping", models.JSONField()),
                ("by_user_id", models.UUIDField()),
                (
                    "at",
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
                    "own_account",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        indexed=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="settlement.ownaccount",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddIndex(
            model_name="statementlayout",
            index=models.Index(fields=["client", "fingerprint"], name="statement_layout_shape"),
        ),
        ClientTable("StatementLayout", history=True),
        OwnRows("settlement_statementlayout"),
        migrations.RunSQL(WHOLE, WHOLE_BACK),
    ]
