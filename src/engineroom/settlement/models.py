"""Bank accounts, payment batches, statements, and what each line turned out to be."""

from __future__ import annotations

import hashlib

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.foundation.vault.models import VaultFile
from engineroom.ledger.models import Account
from engineroom.openitems.models import Counterparty, OpenItem


class OwnAccount(ClientModel):
    """A bank account of the client: where it pays from and is paid to.

    Only its code and name change: another account is another row, which may take over the code.
    """

    code = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    currency = models.CharField(max_length=3, default="GBP")
    sort_code = models.CharField(max_length=6)
    account_number = models.CharField(max_length=8)
    iban = models.CharField(max_length=34, default="")
    service_user_number = models.CharField(max_length=6, default="")
    account = ClientKey(Account, indexed=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "code"], name="own_account_code")]

    @property
    def hash(self) -> bytes:
        """What is paid from: PostgreSQL makes the same of the row (migration 0002)."""
        says = (self.id, self.sort_code, self.account_number, self.service_user_number, self.account_id)
        return hashlib.sha256("|".join(map(str, says)).encode()).digest()


class PaymentBatch(ClientModel):
    """Payments that left in one file, for one subject. Released: the file was written, not: money moved."""

    history = True

    number = models.IntegerField()
    scheme = models.CharField(max_length=20)
    own_account = ClientKey(OwnAccount, indexed=False)
    own_account_hash = models.BinaryField()
    """Of the account as the file was written for it (`OwnAccount.hash`)."""
    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    pay_date = models.DateField()
    submit_by = models.DateField()
    processing_day = models.DateField()
    entry_day = models.DateField()
    count = models.IntegerField()
    total = models.BigIntegerField()
    file = ClientKey(VaultFile, indexed=False)
    transit_item = ClientKey(OpenItem)
    """What is on its way: the open item in the transit account, cleared by the bank's line."""
    reference = models.CharField(max_length=18)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="payment_batch_number"),
            models.UniqueConstraint(
                fields=["client", "subject_kind", "subject_id"], name="payment_batch_once"
            ),
        ]


class BatchStage(ClientModel):
    """What is known of a batch after its release: submitted to the scheme, settled by it.

    That it cleared is the bank line's to say.
    """

    history = True

    batch = ClientKey(PaymentBatch)
    stage = models.CharField(max_length=12, choices=[("submitted", "submitted"), ("settled", "settled")])
    on = models.DateField()
    evidence = models.CharField(max_length=200)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "batch", "stage"], name="batch_stage_once")]


class Payment(ClientModel):
    """One payee's line in a batch. Its id is also the allocation's that settled the open item."""

    history = True

    batch = ClientKey(PaymentBatch)
    item = ClientKey(OpenItem)
    payee = ClientKey(Counterparty, indexed=False)
    amount = models.BigIntegerField()
    reference = models.CharField(max_length=18)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "batch", "reference"], name="payment_reference")
        ]


class Statement(ClientModel):
    """A bank statement as imported. Balances are minor units; ordinal: its place in the file."""

    history = True

    own_account = ClientKey(OwnAccount, indexed=False)
    statement_id = models.CharField(max_length=60)
    ordinal = models.IntegerField()
    sequence = models.CharField(max_length=30, default="")
    starts = models.DateField(null=True)
    ends = models.DateField(null=True)
    opening = models.BigIntegerField(null=True)
    closing = models.BigIntegerField(null=True)
    import_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "import_id", "ordinal"], name="statement_once")
        ]


class StatementLayout(ClientModel):
    """What somebody confirmed that files of one shape mean (formats.mapped.Mapping), and whose they are. The
    latest of a shape counts.
    """

    history = True

    own_account = ClientKey(OwnAccount, indexed=False)
    fingerprint = models.CharField(max_length=64)
    mapping = models.JSONField()
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["client", "fingerprint"], name="statement_layout_shape")]


class BankLine(ClientModel):
    """One booked line. identity: what makes it the same line in another copy of the statement."""

    history = True

    statement = ClientKey(Statement)
    own_account = ClientKey(OwnAccount, indexed=False)
    ordinal = models.IntegerField()
    identity = models.BinaryField()
    booked = models.DateField()
    value_date = models.DateField(null=True)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    """Signed: money in is positive."""
    bank_reference = models.CharField(max_length=60, default="")
    end_to_end = models.CharField(max_length=60, default="")
    counterparty_name = models.CharField(max_length=140, default="")
    remittance = models.CharField(max_length=500, default="")
    return_reason = models.CharField(max_length=10, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "own_account", "identity"], name="bank_line_identity")
        ]
        indexes = [models.Index(fields=["client", "own_account", "booked"], name="bank_line_booked")]


class LineExplanation(ClientModel):
    """What somebody says a bank line is: open items that it settles, in whole or part, and an account for the
    rest. It does nothing until another person approves it; the latest of a line counts.

    items, amounts: a place in each is one open item and how much of it, positive. Without any and without an
    account: the explanation before it is withdrawn.
    """

    history = True

    line = ClientKey(BankLine)
    items = ArrayField(models.UUIDField())
    amounts = ArrayField(models.BigIntegerField())
    account_code = models.CharField(max_length=20, default="")
    """Where the rest of the line goes, if any is left."""
    reason = models.CharField(max_length=300)
    content_hash = models.BinaryField()
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class Cleared(ClientModel):
    """The line is explained: by which rule, and what it settles. Its id is the line's: a line clears once.

    Never changed. An undo moves it into ClearingUndone, by one SQL function, once its posting is reversed.
    """

    id = None  # type: ignore[assignment]
    line = ClientKey(BankLine, primary_key=True, db_column="id")
    rule = models.CharField(max_length=30)
    why = models.CharField(max_length=300)
    item = ClientKey(OpenItem, null=True)
    """What it settles: the batch in transit, the invoice; for a return, the item that is owed again."""
    explanation = ClientKey(LineExplanation, null=True, indexed=False)
    """By hand: what was said and approved."""
    at = models.DateTimeField(db_default=Now(), editable=False)


class ClearingUndone(ClientModel):
    """A line that was cleared and is open again: how it had been cleared, and why that was taken back."""

    history = True

    line = ClientKey(BankLine)
    rule = models.CharField(max_length=30)
    why = models.CharField(max_length=300)
    item_id = models.UUIDField(null=True)
    cleared_at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class LineException(ClientModel):
    """Why a line is not cleared, in words, as found at one try. The latest counts until it is cleared."""

    history = True

    line = ClientKey(BankLine)
    reason = models.CharField(max_length=40)
    detail = models.CharField(max_length=300)
    at = models.DateTimeField(db_default=Now(), editable=False)
