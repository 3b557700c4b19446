"""Settlement's promises: what is paid was released and is whole, and a line is cleared by its posting alone."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, after_insert

# A file leaves for a released subject, and says which account it was written for: the account's own columns never change
# for the app, so another hash today means that somebody else changed one.
CHECK_BATCH = """
BEGIN
  IF NOT EXISTS (SELECT FROM foundation_release r
      WHERE r.client_id = NEW.client_id AND r.subject_kind = NEW.subject_kind AND r.subject_id = NEW.subject_id) THEN
    RAISE EXCEPTION 'payments leave only for what is released' USING ERRCODE = 'ER403';
  END IF;
  IF NEW.own_account_hash IS DISTINCT FROM (
      SELECT sha256(convert_to(concat_ws('|', o.id, o.sort_code, o.account_number, o.service_user_number, o.account_id),
                               'UTF8'))
      FROM settlement_ownaccount o WHERE o.client_id = NEW.client_id AND o.id = NEW.own_account_id) THEN
    RAISE EXCEPTION 'the payment file was written for another bank account than this one' USING ERRCODE = 'ER409';
  END IF;
  NEW.at := now();
  RETURN NEW;
END
"""

# Once per statement: the payments of a batch are all there or not at all, so none is added later.
CHECK_PAYMENTS = """
DECLARE
  wrong text;
BEGIN
  PERFORM see_the_present();
  SELECT format('file %s has %s payments of %s in all, not %s of %s', b.reference, t.n, t.total, b.count, b.total)
    INTO wrong
    FROM (SELECT DISTINCT client_id, batch_id FROM added) a
    JOIN settlement_paymentbatch b ON b.client_id = a.client_id AND b.id = a.batch_id
    CROSS JOIN LATERAL (SELECT count(*) n, sum(p.amount) total FROM settlement_payment p
      WHERE p.client_id = a.client_id AND p.batch_id = a.batch_id) t
    WHERE t.n <> b.count OR t.total <> b.total LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the payments of a file are written whole, in one statement: %', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# At commit: a file has its payments, each is the allocation of the same id, and its total is on its way.
CHECK_PAID = """
DECLARE
  has record;
BEGIN
  -- Joined by the one key that is unique: whatever the plan, a payment meets one allocation.
  SELECT count(*) AS n, coalesce(sum(p.amount), 0) AS total, count(*) FILTER (
      WHERE (l.client_id, l.item_a_id, l.amount, l.subject_kind, l.subject_id)
        = (p.client_id, p.item_id, p.amount, 'payment_batch', NEW.id) AND l.undoes_id IS NULL) AS allocated INTO has
    FROM settlement_payment p LEFT JOIN openitems_allocation l ON l.id = p.id
    WHERE p.client_id = NEW.client_id AND p.batch_id = NEW.id;
  IF (has.n, has.total, has.allocated) IS DISTINCT FROM (NEW.count::bigint, NEW.total::numeric, NEW.count::bigint) THEN
    RAISE EXCEPTION 'payment file % of % payments, % in all, has %, %, of which % settle their item', NEW.reference,
      NEW.count, NEW.total, has.n, has.total, has.allocated USING ERRCODE = 'ER422';
  END IF;
  IF NOT EXISTS (SELECT FROM openitems_openitem o WHERE o.client_id = NEW.client_id AND o.id = NEW.transit_item_id
      AND o.subject_kind = 'payment_batch' AND o.subject_id = NEW.id AND o.amount = -NEW.total) THEN
    RAISE EXCEPTION 'what payment file % pays is not what is on its way', NEW.reference USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

CHECK_BANK_LINES = """
DECLARE
  wrong text;
BEGIN
  SELECT format('%s in %s, account %s in %s', a.id, a.currency, o.code, o.currency) INTO wrong
    FROM added a
    JOIN settlement_statement s ON s.client_id = a.client_id AND s.id = a.statement_id
    JOIN settlement_ownaccount o ON o.client_id = a.client_id AND o.id = a.own_account_id
    WHERE a.currency <> o.currency OR s.own_account_id <> a.own_account_id LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a bank line has the account of its statement and the currency of its account: %', wrong
      USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# A line is cleared by the posting that stands before it: the batch of that line moved exactly its amount on the bank's
# account, and the item it names is the one that the batch settled or, for a return, made.
CHECK_CLEARED = """
DECLARE
  wrong text;
BEGIN
  PERFORM see_the_present();
  SELECT format('line %s of %s, posted %s', l.id, l.amount, t.posted) INTO wrong
    FROM added a
    JOIN settlement_bankline l ON l.client_id = a.client_id AND l.id = a.id
    JOIN settlement_ownaccount o ON o.client_id = l.client_id AND o.id = l.own_account_id
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(p.amount), 0) AS posted
      FROM ledger_batch b
      JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
      JOIN ledger_posting p ON p.client_id = e.client_id AND p.entry_id = e.id
      WHERE b.client_id = l.client_id AND b.kind ~ '^bank_line' AND b.subject_kind = 'bank_line' AND b.subject_id = l.id
        AND p.account_id = o.account_id AND p.currency = l.currency
        AND NOT EXISTS (SELECT FROM ledger_entry r WHERE r.client_id = e.client_id AND r.reverses_id = e.id)) t
    WHERE t.posted <> l.amount OR l.amount = 0 LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a line is cleared by its own posting on the bank''s account: %', wrong USING ERRCODE = 'ER422';
  END IF;
  SELECT a.id::text INTO wrong FROM added a
    WHERE a.item_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM openitems_allocation l WHERE l.client_id = a.client_id
        AND l.subject_kind = 'bank_line' AND l.subject_id = a.id AND a.item_id IN (l.item_a_id, l.item_b_id))
      AND NOT EXISTS (SELECT FROM openitems_openitem o
        JOIN ledger_entry e ON e.client_id = o.client_id AND e.id = o.entry_id
        JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id
        WHERE o.client_id = a.client_id AND o.id = a.item_id AND b.subject_kind = 'bank_line' AND b.subject_id = a.id)
    LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a line is cleared against the item that its posting settled: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

GUARD_READS = """
GRANT SELECT ON settlement_ownaccount, settlement_paymentbatch, settlement_payment, settlement_statement,
  settlement_bankline, settlement_cleared TO engineroom_guard;
"""
GUARD_READS_BACK = """
REVOKE ALL ON settlement_ownaccount, settlement_paymentbatch, settlement_payment, settlement_statement,
  settlement_bankline, settlement_cleared FROM engineroom_guard;
"""

# Planned for the average client, as in openitems: of rows of this very transaction no statistics know.
PLANNED_FOR_MANY = "trigger SET plan_cache_mode = force_generic_plan"


def before_insert(table: str, function: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_stamped BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER {table}_stamped ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0001_initial"),
        ("openitems", "0002_guards"),
        ("foundation", "0002_guards"),
    ]

    operations = [
        # What a file is written for never changes; another account is another row, which may take over the code.
        ClientTable("OwnAccount", changes=["code", "name"]),
        ClientTable("PaymentBatch", history=True),
        ClientTable("BatchStage", history=True),
        ClientTable("Payment", history=True),
        ClientTable("Statement", history=True),
        ClientTable("BankLine", history=True),
        ClientTable("Cleared", history=True),
        ClientTable("LineException", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_payment_batch()", "trigger", CHECK_BATCH),
        GuardFunction("check_payments()", "trigger", CHECK_PAYMENTS),
        GuardFunction("check_paid()", PLANNED_FOR_MANY, CHECK_PAID),
        GuardFunction("check_bank_lines()", "trigger", CHECK_BANK_LINES),
        GuardFunction("check_cleared()", "trigger", CHECK_CLEARED),
        before_insert("settlement_paymentbatch", "check_payment_batch"),
        before_insert("settlement_batchstage", "stamp_writer"),
        after_insert("settlement_payment", "check_payments"),
        after_insert("settlement_bankline", "check_bank_lines"),
        after_insert("settlement_cleared", "check_cleared"),
        migrations.RunSQL(
            "CREATE CONSTRAINT TRIGGER settlement_paymentbatch_is_whole AFTER INSERT ON settlement_paymentbatch "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_paid()",
            "DROP TRIGGER settlement_paymentbatch_is_whole ON settlement_paymentbatch",
        ),
    ]
