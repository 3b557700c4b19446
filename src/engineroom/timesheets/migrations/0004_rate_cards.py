"""Customers' sites, agreements and rate cards. Versions of a role's card do not overlap; an edit is a further
revision, and moves charges only with it."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import (
    APP,
    ClientTable,
    CompositeKey,
    Contributes,
    GuardFunction,
    NoOverlap,
    OwnRows,
)

# Who wrote a card's terms is the scope's word, not the row's; and when.
STAMP = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# A card's version ends, and only where no hour stands that it values.
CHECK_CARD = """
DECLARE
  last date;
BEGIN
  IF NEW.ends IS NOT NULL AND NEW.ends < coalesce(OLD.ends, 'infinity') THEN
    SELECT max(e.day) INTO last FROM timesheets_assignment a
      JOIN timesheets_timesheet t ON t.client_id = a.client_id AND t.assignment_id = a.id
      JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
      WHERE a.client_id = OLD.client_id AND a.agreement_id = OLD.agreement_id AND a.role = OLD.role
        AND e.day >= greatest(OLD.starts, a.follows_from) AND (OLD.ends IS NULL OR e.day <= OLD.ends);
    IF last > NEW.ends THEN
      RAISE EXCEPTION 'hours up to % are recorded under this rate card', last USING ERRCODE = 'ER409';
    END IF;
  END IF;
  RETURN NEW;
END
"""

# A charge gets another value with an edit of its card in the same transaction, by the same hand; what it was is
# kept. Whether a side is paid or billed the rooms above say, each with a guard of its own.
MOVE_CHARGE = """
BEGIN
  IF (NEW.pay_rate, NEW.pay_amount, NEW.bill_rate, NEW.bill_amount)
    IS NOT DISTINCT FROM (OLD.pay_rate, OLD.pay_amount, OLD.bill_rate, OLD.bill_amount) THEN
    RETURN NEW;
  END IF;
  IF NOT EXISTS (
    SELECT FROM timesheets_timeentry e
      JOIN timesheets_timesheet t ON t.client_id = e.client_id AND t.id = e.timesheet_id
      JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
      JOIN timesheets_ratecard k ON k.client_id = a.client_id AND k.agreement_id = a.agreement_id
        AND k.role = a.role AND e.day >= greatest(k.starts, a.follows_from)
        AND (k.ends IS NULL OR e.day <= k.ends)
      JOIN timesheets_rateterms r ON r.client_id = k.client_id AND r.card_id = k.id
        AND r.revision > 1 AND r.at = now() AND r.by_user_id = app_user()
      WHERE e.client_id = OLD.client_id AND e.id = OLD.time_entry_id) THEN
    RAISE EXCEPTION 'a charge keeps its value unless its rate card is edited' USING ERRCODE = 'ER409';
  END IF;
  INSERT INTO timesheets_chargebefore
      (id, client_id, charge_id, pay_rate, pay_amount, bill_rate, bill_amount, by_user_id)
    VALUES (gen_random_uuid(), OLD.client_id, OLD.id, OLD.pay_rate, OLD.pay_amount, OLD.bill_rate,
      OLD.bill_amount, app_user());
  RETURN NEW;
END
"""

RIGHTS = f"""
GRANT SELECT ON timesheets_assignment, timesheets_ratecard, timesheets_rateterms TO engineroom_guard;
GRANT INSERT ON timesheets_chargebefore TO engineroom_guard;
REVOKE INSERT ON timesheets_chargebefore FROM {APP};
DROP TRIGGER timesheets_charge_history ON timesheets_charge;
DROP TRIGGER timesheets_charge_history_truncate ON timesheets_charge;
CREATE TRIGGER timesheets_charge_stays BEFORE DELETE ON timesheets_charge
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT UPDATE (pay_rate, pay_amount, bill_rate, bill_amount) ON timesheets_charge TO {APP};
"""  # noqa: S608 ours
RIGHTS_BACK = f"""
REVOKE UPDATE (pay_rate, pay_amount, bill_rate, bill_amount) ON timesheets_charge FROM {APP};
DROP TRIGGER timesheets_charge_stays ON timesheets_charge;
CREATE TRIGGER timesheets_charge_history BEFORE UPDATE OR DELETE ON timesheets_charge
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER timesheets_charge_history_truncate BEFORE TRUNCATE ON timesheets_charge
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT INSERT ON timesheets_chargebefore TO {APP};
REVOKE INSERT ON timesheets_chargebefore FROM engineroom_guard;
REVOKE SELECT ON timesheets_assignment, timesheets_ratecard, timesheets_rateterms FROM engineroom_guard;
"""  # noqa: S608 ours

TRIGGERS = """
CREATE TRIGGER rate_terms_stamped BEFORE INSERT ON timesheets_rateterms
  FOR EACH ROW EXECUTE FUNCTION stamp_rate_terms();
CREATE TRIGGER rate_card_checked BEFORE UPDATE ON timesheets_ratecard
  FOR EACH ROW EXECUTE FUNCTION check_rate_card();
CREATE TRIGGER charge_moved BEFORE UPDATE ON timesheets_charge
  FOR EACH ROW EXECUTE FUNCTION move_charge();
"""
TRIGGERS_BACK = """
DROP TRIGGER charge_moved ON timesheets_charge;
DROP TRIGGER rate_card_checked ON timesheets_ratecard;
DROP TRIGGER rate_terms_stamped ON timesheets_rateterms;
"""

KEY: dict[str, Any] = {
    "db_constraint": False,
    "db_index": False,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
}
ID = models.UUIDField(default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)
CLIENT = models.ForeignKey(to="foundation.client", **KEY)
AT = models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)
ClientKey = engineroom.foundation.tenancy.models.ClientKey
TABLES = ("site", "agreement", "ratecard", "rateterms", "chargebefore")


class Migration(migrations.Migration):
    dependencies = [
        ("timesheets", "0003_file_row"),
        ("openitems", "0003_search"),
        ("foundation", "0006_reasons"),
    ]

    operations = [
        migrations.CreateModel(
            name="Site",
            fields=[
                ("id", ID),
                ("code", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=200)),
                ("address", models.CharField(default="", max_length=500)),
                ("client", CLIENT),
                ("customer", ClientKey(to="openitems.counterparty", **KEY)),
            ],
        ),
        migrations.CreateModel(
            name="Agreement",
            fields=[
                ("id", ID.clone()),
                ("number", models.CharField(max_length=40)),
                ("title", models.CharField(default="", max_length=200)),
                ("agreed_on", models.DateField(null=True)),
                ("client", CLIENT.clone()),
                ("customer", ClientKey(to="openitems.counterparty", **KEY)),
                ("site", ClientKey(null=True, to="timesheets.site", **KEY)),
            ],
        ),
        migrations.CreateModel(
            name="RateCard",
            fields=[
                ("id", ID.clone()),
                ("role", models.CharField(max_length=100)),
                ("starts", models.DateField()),
                ("ends", models.DateField(null=True)),
                ("agreement", ClientKey(to="timesheets.agreement", **KEY)),
                ("client", CLIENT.clone()),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="RateTerms",
            fields=[
                ("id", ID.clone()),
                ("revision", models.IntegerField()),
                ("pay_rate", models.BigIntegerField()),
                ("bill_rate", models.BigIntegerField()),
                ("overtime_ppm", models.BigIntegerField()),
                ("weekend_ppm", models.BigIntegerField()),
                ("weekly_threshold_minutes", models.BigIntegerField()),
                ("reason", models.CharField(default="", max_length=300)),
                ("by_user_id", models.UUIDField()),
                ("at", AT),
                ("card", ClientKey(indexed=False, to="timesheets.ratecard", **KEY)),
                ("client", CLIENT.clone()),
            ],
        ),
        migrations.CreateModel(
            name="ChargeBefore",
            fields=[
                ("id", ID.clone()),
                ("pay_rate", models.BigIntegerField()),
                ("pay_amount", models.BigIntegerField()),
                ("bill_rate", models.BigIntegerField()),
                ("bill_amount", models.BigIntegerField()),
                ("by_user_id", models.UUIDField()),
                ("at", AT.clone()),
                ("charge", ClientKey(to="timesheets.charge", **KEY)),
                ("client", CLIENT.clone()),
            ],
            options={"abstract": False},
        ),
        migrations.AddConstraint(
            "site", models.UniqueConstraint(fields=("client", "customer", "code"), name="site_code")
        ),
        migrations.AddConstraint(
            "agreement",
            models.UniqueConstraint(fields=("client", "customer", "number"), name="agreement_number"),
        ),
        migrations.AddConstraint(
            "rateterms",
            models.UniqueConstraint(fields=("client", "card", "revision"), name="rate_terms_revision"),
        ),
        migrations.AddConstraint(
            "rateterms",
            models.CheckConstraint(
                condition=models.Q(
                    revision__gte=1,
                    pay_rate__gte=1,
                    bill_rate__gte=1,
                    overtime_ppm__gte=1_000_000,
                    weekend_ppm__gte=1_000_000,
                ),
                name="rate_terms_values",
            ),
        ),
        migrations.AddField(
            "assignment", "agreement", ClientKey(null=True, to="timesheets.agreement", **KEY)
        ),
        migrations.AddField("assignment", "follows_from", models.DateField(null=True)),
        migrations.AddConstraint(
            "assignment",
            models.CheckConstraint(
                condition=models.Q(agreement__isnull=True, follows_from__isnull=True)
                | models.Q(agreement__isnull=False, follows_from__isnull=False),
                name="assignment_follows_from",
            ),
        ),
        ClientTable("Site"),
        ClientTable("Agreement"),
        ClientTable("RateCard", changes=["ends"]),
        # A role's name as a point of numbers: an exclusion takes ranges, and no extension compares texts.
        NoOverlap(
            "RateCard",
            key=["agreement_id"],
            within=["int8range(hashtextextended(role, 0), hashtextextended(role, 0), '[]')"],
        ),
        ClientTable("RateTerms", history=True),
        ClientTable("ChargeBefore", history=True),
        CompositeKey("Assignment", "agreement"),
        *(OwnRows(f"timesheets_{table}") for table in TABLES),
        Contributes("RateCard", subject="rate_card"),
        Contributes("RateTerms", subject="rate_card", column="card_id"),
        GuardFunction("stamp_rate_terms()", "trigger", STAMP),
        GuardFunction("check_rate_card()", "trigger", CHECK_CARD),
        GuardFunction("move_charge()", "trigger", MOVE_CHARGE),
        migrations.RunSQL(RIGHTS, RIGHTS_BACK),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
    ]
