"""Open items' promises: an item is on the books for what it says; nothing is allocated twice or across accounts."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import (
    ClientTable,
    Contributes,
    GuardFunction,
    after_insert,
)

# Sums per entry and control account must be the postings' own, once the statement that adds items is done; and items
# come whole, so nobody hangs one more pair on an old entry. (Where an entry's postings on the account add to nothing no
# item need have come with it: then its seal says that it is old.) Looked up by
# entry and nothing else: with the account in the question too, PostgreSQL may walk all items of the account for each
# entry while it has no statistics (50,000 invoices: never done).
CHECK_ITEMS = """
DECLARE
  wrong text;
BEGIN
  PERFORM see_the_present();
  SELECT format('entry %s, account %s: items %s, posted %s', a.entry_id, c.code, t.items, t.posted) INTO wrong
    FROM (SELECT DISTINCT client_id, entry_id FROM added) a
    CROSS JOIN LATERAL (
      SELECT s.account_id, s.currency, sum(s.item) AS items, coalesce(sum(s.posted), 0) AS posted
      FROM (SELECT o.account_id, o.currency, o.amount AS item, NULL AS posted FROM openitems_openitem o
              WHERE o.client_id = a.client_id AND o.entry_id = a.entry_id
            UNION ALL
            SELECT p.account_id, p.currency, NULL, p.amount FROM ledger_posting p
              WHERE p.client_id = a.client_id AND p.entry_id = a.entry_id) s
      GROUP BY s.account_id, s.currency HAVING count(s.item) > 0) t
    JOIN ledger_account c ON c.client_id = a.client_id AND c.id = t.account_id
    WHERE NOT c.is_control OR t.items <> t.posted OR t.posted = 0 AND EXISTS (
      SELECT FROM ledger_entry e JOIN ledger_batchseal s ON s.client_id = e.client_id AND s.id = e.batch_id
        WHERE e.client_id = a.client_id AND e.id = a.entry_id) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'open items of an entry add to what it posted on the control account: %', wrong
      USING ERRCODE = 'ER422';
  END IF;

  SELECT format('entry %s has %s, %s are added', g.entry_id, t.n, g.n) INTO wrong
    FROM (SELECT client_id, entry_id, account_id, currency, count(*) n FROM added GROUP BY 1, 2, 3, 4) g
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE o.account_id = g.account_id AND o.currency = g.currency) n
      FROM openitems_openitem o WHERE o.client_id = g.client_id AND o.entry_id = g.entry_id) t
    WHERE t.n <> g.n LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the items of an entry on one account are written whole, in one statement: %', wrong
      USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# Control account = sub-ledger, always: at commit every batch has an open item for what it posted to a control account.
# Deferred, because items need the entry they stand on; once per batch, because a deferred check per line is slow
# (facts/platform.md section 3). Balances say cheaply whether the batch touched a control account at all.
CHECK_CONTROL = """
DECLARE
  wrong text;
BEGIN
  IF NOT EXISTS (
      SELECT FROM ledger_delta d
      JOIN ledger_account c ON c.client_id = d.client_id AND c.id = d.account_id
      WHERE d.client_id = NEW.client_id AND d.batch_id = NEW.id AND c.is_control) THEN
    RETURN NULL;
  END IF;
  SELECT format('entry %s, account %s is %s %s off', e.id, t.code, t.amount, t.currency) INTO wrong
    FROM ledger_entry e
    CROSS JOIN LATERAL (
      SELECT c.code, s.currency, sum(s.amount) AS amount
      FROM (SELECT p.client_id, p.account_id, p.currency, p.amount FROM ledger_posting p
              WHERE p.client_id = e.client_id AND p.entry_id = e.id
            UNION ALL
            SELECT o.client_id, o.account_id, o.currency, -o.amount FROM openitems_openitem o
              WHERE o.client_id = e.client_id AND o.entry_id = e.id) s
      JOIN ledger_account c ON c.client_id = s.client_id AND c.id = s.account_id AND c.is_control
      GROUP BY c.code, s.currency HAVING sum(s.amount) <> 0) t
    WHERE e.client_id = NEW.client_id AND e.batch_id = NEW.id LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'what is posted to a control account has its open items: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

# Planned for the average client: this client's rows came in the same transaction, so no statistics know of them, and a
# plan for a client without rows walks all of them for each entry (50,000 invoices: ten minutes instead of seconds).
PLANNED_FOR_MANY = "trigger SET plan_cache_mode = force_generic_plan"

# The items are locked in id order first, so two people cannot both use the last of an item. Each is looked up by its
# key (LATERAL, and OFFSET 0 where nothing else holds the planner to it): as plain joins, planned while there are few
# items, 10,000 allocations were compared with 10,000 items (minutes instead of a tenth of a second).
CHECK_ALLOCATIONS = """
DECLARE
  wrong text;
BEGIN
  PERFORM see_the_present();
  PERFORM 1
    FROM (SELECT client_id, item_a_id AS id FROM added UNION SELECT client_id, item_b_id FROM added ORDER BY 2) t
    CROSS JOIN LATERAL (SELECT FROM openitems_openitem o WHERE o.client_id = t.client_id AND o.id = t.id
      FOR NO KEY UPDATE) locked;
  SELECT format('%s and %s', a.item_a_id, a.item_b_id) INTO wrong FROM added a
    CROSS JOIN LATERAL (SELECT o.account_id, o.currency, o.amount FROM openitems_openitem o
      WHERE o.client_id = a.client_id AND o.id = a.item_a_id OFFSET 0) x
    CROSS JOIN LATERAL (SELECT o.account_id, o.currency, o.amount FROM openitems_openitem o
      WHERE o.client_id = a.client_id AND o.id = a.item_b_id OFFSET 0) y
    WHERE x.account_id <> y.account_id OR x.currency <> y.currency OR sign(x.amount::numeric) = sign(y.amount::numeric) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'allocated items share account and currency and have opposite signs: %', wrong
      USING ERRCODE = 'ER422';
  END IF;
  SELECT format('%s of %s', used.total, abs(used.amount)) INTO wrong
    FROM (SELECT client_id, item_a_id AS id FROM added UNION SELECT client_id, item_b_id FROM added) touched
    CROSS JOIN LATERAL (
      SELECT o.amount,
        coalesce((SELECT sum(amount) FROM openitems_allocation WHERE client_id = o.client_id AND item_a_id = o.id), 0)
        + coalesce((SELECT sum(amount) FROM openitems_allocation WHERE client_id = o.client_id AND item_b_id = o.id), 0)
        AS total
      FROM openitems_openitem o WHERE o.client_id = touched.client_id AND o.id = touched.id OFFSET 0) used
    WHERE used.total > abs(used.amount) OR used.total < 0 LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an item cannot be allocated beyond its amount: %', wrong USING ERRCODE = 'ER409';
  END IF;
  SELECT u.undoes_id::text INTO wrong FROM added u
    CROSS JOIN LATERAL (SELECT o.item_a_id, o.item_b_id, o.amount FROM openitems_allocation o
      WHERE o.client_id = u.client_id AND o.id = u.undoes_id OFFSET 0) o
    WHERE u.undoes_id IS NOT NULL AND (u.item_a_id, u.item_b_id, -u.amount) <> (o.item_a_id, o.item_b_id, o.amount)
    LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an undo is the exact negative of what it undoes: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

GUARD_READS = """
GRANT SELECT, UPDATE ON openitems_openitem TO engineroom_guard;
GRANT SELECT ON openitems_allocation TO engineroom_guard;
"""
GUARD_READS_BACK = "REVOKE ALL ON openitems_openitem, openitems_allocation FROM engineroom_guard;"


class Migration(migrations.Migration):
    dependencies = [("openitems", "0001_initial"), ("ledger", "0002_guards")]

    operations = [
        ClientTable("Counterparty"),
        ClientTable("OpenItem", history=True),
        ClientTable("Allocation", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_items()", "trigger", CHECK_ITEMS),
        GuardFunction("check_control()", PLANNED_FOR_MANY, CHECK_CONTROL),
        GuardFunction("check_allocations()", "trigger", CHECK_ALLOCATIONS),
        after_insert("openitems_openitem", "check_items"),
        after_insert("openitems_allocation", "check_allocations"),
        migrations.RunSQL(
            "CREATE CONSTRAINT TRIGGER ledger_batch_has_items AFTER INSERT ON ledger_batch "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_control()",
            "DROP TRIGGER ledger_batch_has_items ON ledger_batch",
        ),
        Contributes("Counterparty", subject="counterparty"),
    ]
