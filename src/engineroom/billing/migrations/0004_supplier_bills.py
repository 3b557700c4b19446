"""Bills of suppliers: drafts that one enters and another approves, then posted and frozen."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.models import ClientKey
from engineroom.foundation.tenancy.operations import ClientTable, Contributes, GuardFunction, OwnRows

# A draft is coded and approved or withdrawn; what was decided stands. Posted only as somebody approved it.
CHECK_BILL = """
BEGIN
  PERFORM see_the_present();
  IF NEW.state = 'draft' AND OLD.state = 'draft' AND NEW.reason = '' THEN
    RETURN NEW;
  END IF;
  IF NEW.content_hash <> OLD.content_hash THEN
    RAISE EXCEPTION 'supplier bill % changes as a draft alone', OLD.number USING ERRCODE = 'ER409';
  END IF;
  IF OLD.state = 'draft' AND NEW.state = 'withdrawn' AND NEW.reason <> '' THEN
    RETURN NEW;
  END IF;
  IF OLD.state = 'draft' AND NEW.state = 'posted' AND NEW.reason = '' THEN
    IF NOT EXISTS (SELECT FROM foundation_approval a
        WHERE a.client_id = NEW.client_id AND a.subject_kind = 'supplier_bill' AND a.subject_id = NEW.id
          AND a.content_hash = NEW.content_hash
          AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)) THEN
      RAISE EXCEPTION 'supplier bill % is posted as another person approved it, and not otherwise', OLD.number
        USING ERRCODE = 'ER403';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state = 'posted' AND NEW.state = 'reversed' AND NEW.entry_id = OLD.entry_id AND NEW.reason = '' AND EXISTS (
      SELECT FROM ledger_entry r WHERE r.client_id = OLD.client_id AND r.reverses_id = OLD.entry_id) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'supplier bill % is %: it does not become % like that', OLD.number, OLD.state, NEW.state
    USING ERRCODE = 'ER409';
END
"""

CHECK_LINE = """
DECLARE
  bill billing_supplierbill%ROWTYPE;
BEGIN
  SELECT * INTO bill FROM billing_supplierbill b WHERE b.client_id = NEW.client_id AND b.id = NEW.bill_id;
  IF bill.state IS DISTINCT FROM 'draft' THEN
    RAISE EXCEPTION 'the lines of supplier bill % are frozen', bill.number USING ERRCODE = 'ER409';
  END IF;
  IF NEW.line_no NOT BETWEEN 1 AND bill.line_count THEN
    RAISE EXCEPTION 'supplier bill % has % lines and no further one', bill.number, bill.line_count
      USING ERRCODE = 'ER422';
  END IF;
  RETURN NEW;
END
"""

# At commit: a bill begins as a draft whose lines are there and add to its net amount.
CHECK_WHOLE = """
DECLARE
  lines bigint;
  net bigint;
BEGIN
  SELECT count(*), coalesce(sum(l.net), 0) INTO lines, net FROM billing_supplierbillline l
    WHERE l.client_id = NEW.client_id AND l.bill_id = NEW.id;
  IF lines <> NEW.line_count OR lines < 1 OR net <> NEW.net OR NEW.state <> 'draft' THEN
    RAISE EXCEPTION 'the lines of a supplier bill add to its net amount: % says %, its lines %', NEW.number, NEW.net, net
      USING ERRCODE = 'ER422';
  END IF;
  RETURN NEW;
END
"""

# At commit, because the entry comes first: what a posted bill asks for is owed on the books.
CHECK_OWED = """
DECLARE
  owed bigint;
BEGIN
  SELECT coalesce(sum(o.amount), 0) INTO owed FROM openitems_openitem o
    WHERE o.client_id = NEW.client_id AND o.subject_kind = 'supplier_bill' AND o.subject_id = NEW.id
      AND o.kind = 'bill' AND o.counterparty_id = NEW.supplier_id AND o.currency = NEW.currency
      AND o.entry_id = NEW.entry_id;
  IF owed <> -NEW.gross THEN
    RAISE EXCEPTION 'supplier bill % of % is on the books with %', NEW.number, NEW.gross, -owed USING ERRCODE = 'ER422';
  END IF;
  RETURN NEW;
END
"""

TRIGGERS = """
GRANT SELECT ON billing_supplierbill, billing_supplierbillline TO engineroom_guard;
CREATE TRIGGER billing_supplierbill_checked BEFORE UPDATE ON billing_supplierbill
  FOR EACH ROW EXECUTE FUNCTION check_supplier_bill();
CREATE TRIGGER billing_supplierbillline_checked BEFORE INSERT OR UPDATE ON billing_supplierbillline
  FOR EACH ROW EXECUTE FUNCTION check_supplier_bill_line();
CREATE CONSTRAINT TRIGGER billing_supplierbill_whole AFTER INSERT ON billing_supplierbill
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_supplier_bill_whole();
CREATE CONSTRAINT TRIGGER billing_supplierbill_owed AFTER UPDATE OF state ON billing_supplierbill
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'posted')
  EXECUTE FUNCTION check_supplier_bill_owed();
CREATE TRIGGER billing_supplierbill_contributes AFTER INSERT ON billing_supplierbill REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION record_contribution('supplier_bill', 'id');
"""
TRIGGERS_BACK = """
DROP TRIGGER billing_supplierbill_contributes ON billing_supplierbill;
DROP TRIGGER billing_supplierbill_owed ON billing_supplierbill;
DROP TRIGGER billing_supplierbill_whole ON billing_supplierbill;
DROP TRIGGER billing_supplierbillline_checked ON billing_supplierbillline;
DROP TRIGGER billing_supplierbill_checked ON billing_supplierbill;
REVOKE ALL ON billing_supplierbill, billing_supplierbillline FROM engineroom_guard;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_valued_once"),
        ("foundation", "0004_engagement"),
        ("ledger", "0002_guards"),
        ("openitems", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="SupplierBill",
            fields=[
                ("id", ID),
                ("number", models.IntegerField()),
                ("reference", models.CharField(max_length=60)),
                ("issue_date", models.DateField()),
                ("due", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("net", models.BigIntegerField()),
                ("vat", models.BigIntegerField()),
                ("gross", models.BigIntegerField()),
                ("note", models.CharField(default="", max_length=300)),
                ("source", models.CharField(max_length=10)),
                ("exchange_id", models.UUIDField(null=True)),
                ("exchange_client_id", models.UUIDField(null=True)),
                ("line_count", models.IntegerField()),
                ("content_hash", models.BinaryField()),
                ("state", models.CharField(default="draft", max_length=10)),
                ("reason", models.CharField(default="", max_length=300)),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
                ("entry", ClientKey(null=True, to="ledger.entry", **KEY)),
                ("file", ClientKey(indexed=False, null=True, to="foundation.vaultfile", **KEY)),
                ("supplier", ClientKey(to="openitems.counterparty", **KEY)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("client", "number"), name="supplier_bill_number"),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("draft", "posted"))),
                        fields=("client", "supplier", "reference"),
                        name="supplier_bill_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("exchange_id__isnull", False)),
                        fields=("client", "exchange_id"),
                        name="supplier_bill_mirrored_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("gross", models.F("net") + models.F("vat")))
                        & ~models.Q(("gross", 0)),
                        name="supplier_bill_adds_up",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("entry__isnull", True), ("state__in", ("draft", "withdrawn")))
                        | models.Q(("entry__isnull", False), ("state__in", ("posted", "reversed"))),
                        name="supplier_bill_posted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("exchange_client_id__isnull", False),
                            ("exchange_id__isnull", False),
                            ("source", "mirror"),
                        )
                        | models.Q(
                            ("exchange_client_id__isnull", True),
                            ("exchange_id__isnull", True),
                            ("source__in", ("hand", "einvoice")),
                        ),
                        name="supplier_bill_source_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SupplierBillLine",
            fields=[
                ("id", ID),
                ("line_no", models.IntegerField()),
                ("description", models.CharField(max_length=200)),
                ("net", models.BigIntegerField()),
                ("account", ClientKey(indexed=False, to="ledger.account", **KEY)),
                ("bill", ClientKey(indexed=False, to="billing.supplierbill", **KEY)),
                ("client", models.ForeignKey(to="foundation.client", **KEY)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client", "bill", "line_no"), name="supplier_bill_line_no"
                    )
                ],
            },
        ),
        ClientTable("SupplierBill", changes=["state", "content_hash", "entry_id", "reason"]),
        ClientTable("SupplierBillLine", changes=["account_id"]),
        GuardFunction("check_supplier_bill()", "trigger", CHECK_BILL),
        GuardFunction("check_supplier_bill_line()", "trigger", CHECK_LINE),
        GuardFunction("check_supplier_bill_whole()", "trigger", CHECK_WHOLE),
        GuardFunction("check_supplier_bill_owed()", "trigger", CHECK_OWED),
        # Whoever enters it, and whoever says where it goes, is a maker of it; whoever approves or withdraws it is not.
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        Contributes("SupplierBillLine", subject="supplier_bill", column="bill_id"),
        OwnRows("billing_supplierbill"),
        OwnRows("billing_supplierbillline"),
    ]
