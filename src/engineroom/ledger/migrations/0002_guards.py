"""The ledger's promises: whole entries, zero in every currency, open days only, nothing edited."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction

# Runs once per statement, over the lines that statement added. Lines must be numbered 1..line_count without a gap; the
# unique key (client, entry, line_no) then refuses any line added later, without looking at older lines.
CHECK_POSTINGS = """
DECLARE
  wrong text;
BEGIN
  SELECT format('entry %s has %s of its %s lines', e.id, g.n, e.line_count) INTO wrong
    FROM (SELECT client_id, entry_id, count(*) n, min(line_no) lo, max(line_no) hi FROM added GROUP BY 1, 2) g
    JOIN ledger_entry e ON e.client_id = g.client_id AND e.id = g.entry_id
    WHERE g.n <> e.line_count OR g.lo <> 1 OR g.hi <> e.line_count LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an entry is written whole, in one statement: %', wrong USING ERRCODE = 'ER422';
  END IF;

  SELECT format('entry %s is out by %s %s', entry_id, sum(amount), currency) INTO wrong
    FROM added GROUP BY client_id, entry_id, currency HAVING sum(amount) <> 0 LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an entry adds to zero in every currency: %', wrong USING ERRCODE = 'ER422';
  END IF;

  SELECT format('entry %s of %s', e.id, e.day) INTO wrong
    FROM (SELECT DISTINCT client_id, entry_id, account_id, day FROM added) a
    JOIN ledger_entry e ON e.client_id = a.client_id AND e.id = a.entry_id
    JOIN ledger_account c ON c.client_id = a.client_id AND c.id = a.account_id
    WHERE a.day <> e.day OR c.book_id <> e.book_id LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a line has the day and the book of its entry: %', wrong USING ERRCODE = 'ER422';
  END IF;

  INSERT INTO ledger_delta (id, client_id, account_id, currency, day, batch_id, debit, credit)
    SELECT gen_random_uuid(), a.client_id, a.account_id, a.currency, a.day, e.batch_id,
           coalesce(sum(a.amount) FILTER (WHERE a.amount > 0), 0),
           coalesce(-sum(a.amount) FILTER (WHERE a.amount < 0), 0)
    FROM added a JOIN ledger_entry e ON e.client_id = a.client_id AND e.id = a.entry_id
    GROUP BY a.client_id, a.account_id, a.currency, a.day, e.batch_id;
  RETURN NULL;
END
"""

CHECK_ENTRIES = """
DECLARE
  wrong text;
BEGIN
  SELECT format('entry %s has %s of its %s lines', a.id, count(p.id), a.line_count) INTO wrong
    FROM added a LEFT JOIN ledger_posting p ON p.client_id = a.client_id AND p.entry_id = a.id
    GROUP BY a.id, a.line_count HAVING count(p.id) <> a.line_count LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an entry is written whole, in one statement: %', wrong USING ERRCODE = 'ER422';
  END IF;

  SELECT format('%s is locked through %s', a.day, l.locked_through) INTO wrong
    FROM (SELECT DISTINCT client_id, book_id, day FROM added) a
    CROSS JOIN LATERAL (SELECT locked_through FROM ledger_periodlock k
      WHERE k.client_id = a.client_id AND k.book_id = a.book_id ORDER BY number DESC LIMIT 1) l
    WHERE a.day <= l.locked_through LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the period is locked: %', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

GUARD_READS = """
GRANT SELECT ON ledger_entry, ledger_posting, ledger_account, ledger_periodlock TO engineroom_guard;
GRANT INSERT ON ledger_delta TO engineroom_guard;
"""
GUARD_READS_BACK = """
REVOKE ALL ON ledger_entry, ledger_posting, ledger_account, ledger_periodlock, ledger_delta FROM engineroom_guard;
"""


def after_insert(table: str, function: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_checked AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER {table}_checked ON {table}",
    )


# Balances are the trigger's to write: a delta of the app's own would be a balance without postings.
NO_FORGED_BALANCES = migrations.RunSQL(
    "REVOKE INSERT ON ledger_delta FROM engineroom_app", "GRANT INSERT ON ledger_delta TO engineroom_app"
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("foundation", "0002_guards")]

    operations = [
        ClientTable("Book"),
        ClientTable("Account"),
        ClientTable("PeriodLock", history=True),
        ClientTable("Batch", history=True),
        ClientTable("BatchSeal", history=True),
        ClientTable("Entry", history=True),
        ClientTable("Posting", history=True),
        ClientTable("Delta", history=True),
        migrations.RunSQL(GUARD_READS, GUARD_READS_BACK),
        GuardFunction("check_postings()", "trigger", CHECK_POSTINGS),
        GuardFunction("check_entries()", "trigger", CHECK_ENTRIES),
        after_insert("ledger_posting", "check_postings"),
        after_insert("ledger_entry", "check_entries"),
        NO_FORGED_BALANCES,
    ]
