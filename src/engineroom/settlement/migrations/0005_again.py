"""A file that pays again what came back pays that one payment, and nothing else."""

from django.db import migrations

from engineroom.foundation.tenancy.operations import GuardFunction

CHECK_AGAIN = """
DECLARE
  wrong text;
BEGIN
  SELECT p.reference INTO wrong FROM added p
    JOIN settlement_paymentbatch b ON b.client_id = p.client_id AND b.id = p.batch_id AND b.subject_kind = 'payment'
    JOIN openitems_openitem i ON i.client_id = p.client_id AND i.id = p.item_id
    WHERE (i.subject_kind, i.subject_id) IS DISTINCT FROM ('payment'::text, b.subject_id) LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a file that pays again what came back pays that alone: %', wrong USING ERRCODE = 'ER409';
  END IF;
  RETURN NULL;
END
"""

TRIGGER = """
GRANT SELECT ON openitems_openitem, settlement_paymentbatch TO engineroom_guard;
CREATE TRIGGER settlement_payment_again AFTER INSERT ON settlement_payment REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION check_paid_again();
"""
TRIGGER_BACK = "DROP TRIGGER settlement_payment_again ON settlement_payment"


class Migration(migrations.Migration):
    dependencies = [("settlement", "0004_by_hand"), ("openitems", "0001_initial")]

    operations = [
        GuardFunction("check_paid_again()", "trigger", CHECK_AGAIN),
        migrations.RunSQL(TRIGGER, TRIGGER_BACK),
    ]
