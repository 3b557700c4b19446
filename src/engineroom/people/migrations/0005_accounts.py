"""Another account for somebody waits for a second person: PostgreSQL writes it only as somebody approved who had no part
in it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import engineroom.foundation.crypto.fields
import engineroom.foundation.tenancy.models
import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import (
    ClientTable,
    CompositeKey,
    Contributes,
    GuardFunction,
    OwnRows,
)

# A first account has no last day, so that two of them always overlap: nobody becomes the second one unseen. An account
# that ended stays ended: it does not come back by another day.
CHECK_ACCOUNT = """
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.ends IS NOT NULL AND NEW.ends IS DISTINCT FROM OLD.ends THEN
      RAISE EXCEPTION 'an account that has a last day keeps it' USING ERRCODE = 'ER409';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.proposal_id IS NOT NULL THEN
    IF NOT EXISTS (SELECT FROM people_accountproposal p
        JOIN foundation_approval a ON a.client_id = p.client_id AND a.subject_kind = 'account_change'
          AND a.subject_id = p.id AND a.content_hash = p.content_hash
        WHERE p.client_id = NEW.client_id AND p.id = NEW.proposal_id AND p.person_id = NEW.person_id
          AND p.fingerprint = NEW.fingerprint AND p.starts = NEW.starts AND p.account_name = NEW.account_name
          AND NOT EXISTS (SELECT FROM foundation_approvalvoid v WHERE v.client_id = a.client_id AND v.id = a.id)
          AND NOT EXISTS (SELECT FROM people_accountdecision d WHERE d.client_id = p.client_id AND d.id = p.id
            AND d.outcome <> 'approved')) THEN
      RAISE EXCEPTION 'an account is written only as another person approved it' USING ERRCODE = 'ER403';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.ends IS NOT NULL THEN
    RAISE EXCEPTION 'a first account has no last day' USING ERRCODE = 'ER409';
  END IF;
  IF EXISTS (SELECT FROM people_bankaccount b WHERE b.client_id = NEW.client_id AND b.person_id = NEW.person_id) THEN
    RAISE EXCEPTION 'another account for somebody waits for a second person' USING ERRCODE = 'ER403';
  END IF;
  IF (SELECT p.hold_first FROM people_accountpolicy p WHERE p.client_id = NEW.client_id
      ORDER BY p.at DESC, p.id DESC LIMIT 1) THEN
    RAISE EXCEPTION 'first accounts of this client wait for a second person' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

# Only what was approved is decided so; a policy is loosened, and a proposal refused, by whoever may approve.
CHECK_DECISION = """
BEGIN
  NEW.by_user_id := app_user();
  NEW.at := now();
  IF TG_TABLE_NAME = 'people_accountpolicy' THEN
    IF NOT user_may(app_user(), NEW.client_id, 'people.approve') THEN
      RAISE EXCEPTION 'no role of this user here may say what waits for a second person' USING ERRCODE = 'ER403';
    END IF;
  ELSIF NEW.outcome = 'approved' AND NOT EXISTS (SELECT FROM people_accountproposal p
      JOIN foundation_approval a ON a.client_id = p.client_id AND a.subject_kind = 'account_change'
        AND a.subject_id = p.id AND a.content_hash = p.content_hash
      WHERE p.client_id = NEW.client_id AND p.id = NEW.id) THEN
    RAISE EXCEPTION 'nobody approved this account' USING ERRCODE = 'ER403';
  END IF;
  RETURN NEW;
END
"""

# Of what a person is paid by, whoever proposed an account is a maker, and whoever approved it is none.
RECORD_MAKERS = """
BEGIN
  IF app_user() IS NULL THEN
    RAISE EXCEPTION 'people_bankaccount is written only inside acting: its makers must be known' USING ERRCODE = 'ER500';
  END IF;
  INSERT INTO foundation_contribution (id, client_id, subject_kind, subject_id, user_id, on_behalf_id)
    SELECT gen_random_uuid(), made.* FROM (
      SELECT DISTINCT c.client_id, 'person', c.person_id, app_user(), app_on_behalf() FROM changed c
      WHERE NOT EXISTS (SELECT FROM people_accountproposal p
        JOIN foundation_approval a ON a.client_id = p.client_id AND a.subject_kind = 'account_change'
          AND a.subject_id = p.id AND a.user_id = app_user() AND a.at = now()
        WHERE p.client_id = c.client_id AND p.person_id = c.person_id
          AND (p.id = c.proposal_id AND c.ends IS NULL OR p.starts = c.ends + 1))
      UNION
      SELECT DISTINCT c.client_id, 'person', c.person_id, m.user_id, m.on_behalf_id FROM changed c
      JOIN foundation_contribution m ON m.client_id = c.client_id AND m.subject_kind = 'account_change'
        AND m.subject_id = c.proposal_id) made (client_id, kind, person_id, user_id, on_behalf_id)
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END
"""

TRIGGERS = """
GRANT SELECT ON people_bankaccount, people_accountproposal, people_accountdecision, people_accountpolicy
  TO engineroom_guard;
CREATE TRIGGER account_checked BEFORE INSERT OR UPDATE ON people_bankaccount
  FOR EACH ROW EXECUTE FUNCTION check_payee();
CREATE TRIGGER account_decision_checked BEFORE INSERT ON people_accountdecision
  FOR EACH ROW EXECUTE FUNCTION check_account_decision();
CREATE TRIGGER account_policy_checked BEFORE INSERT ON people_accountpolicy
  FOR EACH ROW EXECUTE FUNCTION check_account_decision();
CREATE TRIGGER account_proposal_stamped BEFORE INSERT ON people_accountproposal
  FOR EACH ROW EXECUTE FUNCTION stamp_writer();
CREATE TRIGGER people_bankaccount_made AFTER INSERT ON people_bankaccount REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION record_account_makers();
CREATE TRIGGER people_bankaccount_remade AFTER UPDATE ON people_bankaccount REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION record_account_makers();
"""
TRIGGERS_BACK = """
DROP TRIGGER people_bankaccount_remade ON people_bankaccount;
DROP TRIGGER people_bankaccount_made ON people_bankaccount;
DROP TRIGGER account_proposal_stamped ON people_accountproposal;
DROP TRIGGER account_policy_checked ON people_accountpolicy;
DROP TRIGGER account_decision_checked ON people_accountdecision;
DROP TRIGGER account_checked ON people_bankaccount;
REVOKE SELECT ON people_bankaccount, people_accountproposal, people_accountdecision, people_accountpolicy
  FROM engineroom_guard;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0004_terms"),
        ("ledger", "0002_guards"),
    ]

    operations = [
        migrations.AddField("person", "ni_fingerprint", models.BinaryField(null=True)),
        migrations.AddIndex(
            "person", models.Index(fields=["client", "ni_fingerprint"], name="person_ni_fingerprint")
        ),
        migrations.CreateModel(
            name="AccountProposal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("starts", models.DateField()),
                ("account_name", models.CharField(max_length=100)),
                ("sort_code", engineroom.foundation.crypto.fields.EncryptedField(data_class="bank")),
                ("account_number", engineroom.foundation.crypto.fields.EncryptedField(data_class="bank")),
                ("fingerprint", models.BinaryField()),
                ("content_hash", models.BinaryField()),
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
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="bankaccount",
            name="proposal",
            field=engineroom.foundation.tenancy.models.ClientKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.accountproposal",
            ),
        ),
        migrations.CreateModel(
            name="AccountPolicy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hold_first", models.BooleanField()),
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
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AccountDecision",
            fields=[
                (
                    "proposal",
                    engineroom.foundation.tenancy.models.ClientKey(
                        db_column="id",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="people.accountproposal",
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("approved", "approved"),
                            ("refused", "refused"),
                            ("withdrawn", "withdrawn"),
                            ("superseded", "superseded"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(default="", max_length=300)),
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
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome__in", ["approved", "refused", "withdrawn", "superseded"])
                        ),
                        name="account_decision_outcome",
                    )
                ],
            },
        ),
        ClientTable("AccountProposal", changes=["sort_code", "account_number"]),
        ClientTable("AccountDecision", history=True),
        ClientTable("AccountPolicy", history=True),
        CompositeKey("BankAccount", "proposal"),
        GuardFunction("check_payee()", "trigger", CHECK_ACCOUNT),
        GuardFunction("check_account_decision()", "trigger", CHECK_DECISION),
        GuardFunction("record_account_makers()", "trigger", RECORD_MAKERS),
        migrations.RunSQL(TRIGGERS, TRIGGERS_BACK),
        Contributes("AccountProposal", subject="account_change"),
        OwnRows("people_accountproposal", "person_id = ANY ((SELECT app_own('person'))::uuid[])"),
        OwnRows("people_accountdecision"),
        OwnRows("people_accountpolicy"),
    ]
