"""The ledger's promises: whole entries, zero in every currency, open days only, nothing edited.

The guards compare rows by value and no transaction ids: they hold after a client has moved to another database too.
"""

from django.db import migrations

from engineroom.foundation.tenancy.operations import ClientTable, GuardFunction, after_insert

# A guard must see what others have committed by now; in repeatable read it would look at an old picture.
SEE_THE_PRESENT = """
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the books are written in read committed alone: only there do their guards see the present'
      USING ERRCODE = 'ER422';
  END IF;
END
"""

# Runs once per statement, over the batches that statement added. Entries are numbered 1..entry_count, so the unique key
# (client, batch, number) refuses any entry added later: what a sealed batch says never changes.
CHECK_BATCHES = """
DECLARE
  wrong text;
BEGIN
  SELECT format('batch %s has %s of its %s entries', a.id, count(e.id), a.entry_count) INTO wrong
    FROM added a LEFT JOIN ledger_entry e ON e.client_id = a.client_id AND e.batch_id = a.id
    GROUP BY a.id, a.entry_count HAVING count(e.id) <> a.entry_count LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a batch is written whole, in one statement: %', wrong USING ERRCODE = 'ER422';
  END IF;
  RETURN NULL;
END
"""

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

# Posting shares the book's period lock until it commits, and whoever locks a period takes it alone: so a lock waits for
# every entry under way, and no entry slips into a period after its lock.
CHECK_ENTRIES = """
DECLARE
  wrong text;
BEGIN
  PERFORM see_the_present();
  SELECT format('batch %s has %s of its %s entries', b.id, g.n, b.entry_count) INTO wrong
    FROM (SELECT client_id, batch_id, count(*) n, min(number) lo, max(number) hi FROM added GROUP BY 1, 2) g
    JOIN ledger_batch b ON b.client_id = g.client_id AND b.id = g.batch_id
    WHERE g.n <> b.entry_count OR g.lo <> 1 OR g.hi <> b.entry_count LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a batch is written whole, in one statement: %', wrong USING ERRCODE = 'ER422';
  END IF;

  SELECT format('entry %s has %s of its %s lines', a.id, count(p.id), a.line_count) INTO wrong
    FROM added a LEFT JOIN ledger_posting p ON p.client_id = a.client_id AND p.entry_id = a.id
    GROUP BY a.id, a.line_count HAVING count(p.id) <> a.line_count LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'an entry is written whole, in one statement: %', wrong USING ERRCODE = 'ER422';
  END IF;

  SELECT format('entry %s does not take back entry %s', a.id, o.id) INTO wrong
    FROM added a JOIN ledger_entry o ON o.client_id = a.client_id AND o.id = a.reverses_id
    WHERE o.reverses_id IS NOT NULL OR o.book_id <> a.book_id OR o.line_count <> a.line_count OR EXISTS (
      SELECT FROM ledger_posting n
        JOIN ledger_posting p ON p.client_id = n.client_id AND p.entry_id = o.id AND p.line_no = n.line_no
        WHERE n.client_id = a.client_id AND n.entry_id = a.id
          AND (n.account_id, n.currency, n.amount, n.dimension)
              IS DISTINCT FROM (p.account_id, p.currency, -p.amount, p.dimension)) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a reversal is the negative of its entry, line by line, and is not itself reversed: %', wrong
      USING ERRCODE = 'ER422';
  END IF;

  PERFORM pg_advisory_xact_lock_shared(hashtextextended('ledger-period:' || b.book_id, 0))
    FROM (SELECT DISTINCT book_id FROM added ORDER BY book_id) b;
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

# The latest lock counts, so a number out of turn would make all later locks count for nothing.
CHECK_LOCK = """
DECLARE
  last integer;
BEGIN
  PERFORM see_the_present();
  PERFORM pg_advisory_xact_lock(hashtextextended('ledger-period:' || NEW.book_id, 0));
  SELECT coalesce(max(number), 0) INTO last FROM ledger_periodlock
    WHERE client_id = NEW.client_id AND book_id = NEW.book_id;
  IF NEW.number <> last + 1 THEN
    RAISE EXCEPTION 'period locks are numbered in turn: % does not follow %', NEW.number, last
      USING ERRCODE = 'ER409';
  END IF;
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# Who wrote a row is who acts, whatever the statement says.
STAMP_WRITER = """
BEGIN
  IF app_user() IS NULL THEN
    RAISE EXCEPTION '% is written only inside acting', TG_TABLE_NAME USING ERRCODE = 'ER500';
  END IF;
  NEW.by_user_id := app_user();
  NEW.at := now();
  RETURN NEW;
END
"""

# A seal out of turn would put a batch among what was known already.
CHECK_SEALS = """
DECLARE
  wrong text;
BEGIN
  SELECT format('%s to %s', g.lo, g.hi) INTO wrong
    FROM (SELECT client_id, count(*) n, min(sealed_no) lo, max(sealed_no) hi FROM added GROUP BY client_id) g
    WHERE g.hi - g.lo + 1 <> g.n
      OR EXISTS (SELECT FROM ledger_batchseal s WHERE s.client_id = g.client_id AND s.sealed_no > g.hi)
      OR g.lo <> 1 AND NOT EXISTS (
        SELECT FROM ledger_batchseal s WHERE s.client_id = g.client_id AND s.sealed_no = g.lo - 1) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'seals are numbered in turn, from 1: %', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

# Moving an account with its postings, calling it a control account afterwards, or giving its code to another one would
# edit what is posted.
CHECK_ACCOUNT = """
BEGIN
  IF (NEW.client_id, NEW.id, NEW.book_id, NEW.type, NEW.is_control)
      IS DISTINCT FROM (OLD.client_id, OLD.id, OLD.book_id, OLD.type, OLD.is_control) THEN
    RAISE EXCEPTION 'account % keeps its book, its type and whether it is a control account: open another one', OLD.code
      USING ERRCODE = 'ER409';
  END IF;
  IF NEW.code <> OLD.code AND EXISTS (
      SELECT FROM ledger_posting p WHERE p.client_id = OLD.client_id AND p.account_id = OLD.id) THEN
    RAISE EXCEPTION 'account % is posted to and keeps its code: open another one', OLD.code USING ERRCODE = 'ER409';
  END IF;
  RETURN NEW;
END
"""

GUARD_READS = """
GRANT SELECT ON ledger_batch, ledger_batchseal, ledger_entry, ledger_posting, ledger_account, ledger_periodlock,
  ledger_delta TO engineroom_guard;
GRANT INSERT ON ledger_delta TO engineroom_guard;
"""
GUARD_READS_BACK = """
REVOKE ALL ON ledger_batch, ledger_batchseal, ledger_entry, ledger_posting, ledger_account, ledger_periodlock,
  ledger_delta FROM engineroom_guard;
"""


def before_row(table: str, verb: str, function: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_checked BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()",
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
        GuardFunction("see_the_present()", "void", SEE_THE_PRESENT),
        GuardFunction("stamp_writer()", "trigger", STAMP_WRITER),
        GuardFunction("check_batches()", "trigger", CHECK_BATCHES),
        GuardFunction("check_postings()", "trigger", CHECK_POSTINGS),
        GuardFunction("check_entries()", "trigger", CHECK_ENTRIES),
        GuardFunction("check_period_lock()", "trigger", CHECK_LOCK),
        GuardFunction("check_seals()", "trigger", CHECK_SEALS),
        GuardFunction("check_account()", "trigger", CHECK_ACCOUNT),
        migrations.RunSQL(
            "CREATE TRIGGER ledger_batch_stamped BEFORE INSERT ON ledger_batch "
            "FOR EACH ROW EXECUTE FUNCTION stamp_writer()",
            "DROP TRIGGER ledger_batch_stamped ON ledger_batch",
        ),
        after_insert("ledger_batch", "check_batches"),
        after_insert("ledger_posting", "check_postings"),
        after_insert("ledger_entry", "check_entries"),
        after_insert("ledger_batchseal", "check_seals"),
        before_row("ledger_periodlock", "INSERT", "check_period_lock"),
        before_row("ledger_account", "UPDATE", "check_account"),
        NO_FORGED_BALANCES,
    ]
