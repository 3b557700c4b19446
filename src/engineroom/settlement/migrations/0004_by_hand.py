"""Bank lines explained by hand: said by one, approved by another, and taken back by reversing what was posted."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    CompositeKey,
    Contributes,
    GuardFunction,
    OwnRows,
)

WHOLE = """
ALTER TABLE settlement_lineexplanation ADD CONSTRAINT line_explanation_whole
  CHECK (cardinality(items) = cardinality(amounts) AND 0 < ALL (amounts) AND reason <> '');
CREATE TRIGGER settlement_lineexplanation_stamped BEFORE INSERT ON settlement_lineexplanation
  FOR EACH ROW EXECUTE FUNCTION stamp_writer();
GRANT SELECT ON settlement_lineexplanation TO engineroom_guard;
"""
WHOLE_BACK = """
REVOKE ALL ON settlement_lineexplanation FROM engineroom_guard;
DROP TRIGGER settlement_lineexplanation_stamped ON settlement_lineexplanation;
ALTER TABLE settlement_lineexplanation DROP CONSTRAINT line_explanation_whole;
"""

# A line goes to an account without open items, or says that it was cleared by hand, only where another person approved
# exactly that: the latest that was said of it. What a rule clears settles items, on control accounts alone.
CHECK_BY_HAND = """
DECLARE
  wrong text;
BEGIN
  PERFORM see_the_present();
  SELECT a.id::text INTO wrong FROM added a
    JOIN settlement_bankline l ON l.client_id = a.client_id AND l.id = a.id
    JOIN settlement_ownaccount o ON o.client_id = l.client_id AND o.id = l.own_account_id
    WHERE (a.explanation_id IS NOT NULL OR EXISTS (
        SELECT FROM ledger_batch b
        JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
        JOIN ledger_posting p ON p.client_id = e.client_id AND p.entry_id = e.id
        JOIN ledger_account c ON c.client_id = p.client_id AND c.id = p.account_id
        WHERE b.client_id = a.client_id AND b.subject_kind = 'bank_line' AND b.subject_id = a.id
          AND NOT c.is_control AND c.id <> o.account_id
          AND NOT EXISTS (SELECT FROM ledger_entry r WHERE r.client_id = e.client_id AND r.reverses_id = e.id)))
      AND NOT EXISTS (
        SELECT FROM settlement_lineexplanation x
        JOIN foundation_approval p ON p.client_id = x.client_id AND p.subject_kind = 'line_explanation'
          AND p.subject_id = x.id AND p.content_hash = x.content_hash
        WHERE x.client_id = a.client_id AND x.id = a.explanation_id AND x.line_id = a.id
          AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = p.client_id AND v.id = p.id)
          AND NOT EXISTS (SELECT FROM settlement_lineexplanation y
            WHERE y.client_id = x.client_id AND y.line_id = x.line_id AND (y.at, y.id) > (x.at, x.id)))
    LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a line is cleared by hand only as another person approved: %', wrong USING ERRCODE = 'ER403';
  END IF;
  RETURN NULL;
END
"""

# Cleared lines are open again only here: once nothing of their posting is left on the bank's account.
UNDO_CLEARING = """
DECLARE
  was settlement_cleared%ROWTYPE;
BEGIN
  IF NOT user_may(app_user(), app_write(), 'settlement.prepare') THEN
    RAISE EXCEPTION 'no role of this user here may take back what cleared a bank line' USING ERRCODE = 'ER403';
  END IF;
  SELECT * INTO was FROM settlement_cleared c WHERE c.client_id = app_write() AND c.id = which FOR UPDATE;
  IF was.id IS NULL THEN
    RAISE EXCEPTION 'this bank line is not cleared' USING ERRCODE = 'ER409';
  END IF;
  IF EXISTS (SELECT FROM ledger_batch b JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
      WHERE b.client_id = was.client_id AND b.subject_kind = 'bank_line' AND b.subject_id = was.id
        AND NOT EXISTS (SELECT FROM ledger_entry r WHERE r.client_id = e.client_id AND r.reverses_id = e.id)) THEN
    RAISE EXCEPTION 'what the bank line posted still stands: reverse it first' USING ERRCODE = 'ER409';
  END IF;
  INSERT INTO settlement_clearingundone (id, client_id, line_id, rule, why, item_id, cleared_at, reason, by_user_id, at)
    VALUES (gen_random_uuid(), was.client_id, was.id, was.rule, was.why, was.item_id, was.at, said, app_user(), now());
  DELETE FROM settlement_cleared c WHERE c.client_id = was.client_id AND c.id = was.id;
END
"""

# A cleared line is no row of history any more, since it may be taken back; the app still only adds to them.
CLEARED_MAY_GO = """
DROP TRIGGER settlement_cleared_history ON settlement_cleared;
DROP TRIGGER settlement_cleared_history_truncate ON settlement_cleared;
GRANT UPDATE, DELETE ON settlement_cleared TO engineroom_guard;
GRANT INSERT ON settlement_clearingundone TO engineroom_guard;
REVOKE INSERT ON settlement_clearingundone FROM engineroom_app;
CREATE TRIGGER settlement_cleared_said AFTER INSERT ON settlement_cleared REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION check_by_hand();
"""
CLEARED_MAY_GO_BACK = """
DROP TRIGGER settlement_cleared_said ON settlement_cleared;
REVOKE ALL ON settlement_clearingundone FROM engineroom_guard;
REVOKE UPDATE, DELETE ON settlement_cleared FROM engineroom_guard;
CREATE TRIGGER settlement_cleared_history BEFORE UPDATE OR DELETE ON settlement_cleared
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settlement_cleared_history_truncate BEFORE TRUNCATE ON settlement_cleared
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0004_engagement"),
        ("settlement", "0003_search"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClearingUndone",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("rule", models.CharField(max_length=30)),
                ("why", models.CharField(max_length=300)),
                ("item_id", models.UUIDField(null=True)),
                ("cleared_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=300)),
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
                    "line",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="settlement.bankline",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="LineExplanation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "items",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None),
                ),
                (
                    "amounts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("account_code", models.CharField(default="", max_length=20)),
                ("reason", models.CharField(max_length=300)),
                ("content_hash", models.BinaryField()),
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
                    "line",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="settlement.bankline",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="cleared",
            name="explanation",
            field=engineroom.foundation.tenancy.models.ClientKey(
                db_constraint=False,
                db_index=False,
                indexed=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="settlement.lineexplanation",
            ),
        ),
        ClientTable("LineExplanation", history=True),
        ClientTable("ClearingUndone", history=True),
        CompositeKey("Cleared", "explanation"),
        OwnRows("settlement_lineexplanation"),
        OwnRows("settlement_clearingundone"),
        migrations.RunSQL(WHOLE, WHOLE_BACK),
        GuardFunction("check_by_hand()", "trigger", CHECK_BY_HAND),
        GuardFunction(
            "app_undo_clearing(which uuid, said text)", "void", UNDO_CLEARING, callable_by_app=True
        ),
        migrations.RunSQL(CLEARED_MAY_GO, CLEARED_MAY_GO_BACK),
        Contributes("LineExplanation", subject="line_explanation"),
    ]
