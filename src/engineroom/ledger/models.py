"""Books as rows that are only ever added."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel

ACCOUNT_TYPES = ("asset", "liability", "equity", "income", "expense")


class OnlyPost(RuntimeError):
    """Entries and postings are written by `ledger.services.post` alone."""


class PostedOnly(models.QuerySet[Any]):
    def bulk_create(self, *args: Any, **kwargs: Any) -> Any:
        raise OnlyPost("use ledger.services.post: bulk_create splits entries from their lines")

    def update(self, **kwargs: Any) -> int:
        raise OnlyPost("what is posted is never edited; reverse it and post again")


class Book(ClientModel):
    """A set of accounts that balances. Most clients have one."""

    code = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    currency = models.CharField(max_length=3, default="GBP")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "code"], name="book_code")]


class Account(ClientModel):
    """An account. A control account's balance is the sum of its open items, always."""

    book = ClientKey(Book, indexed=False)
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    type = models.CharField(max_length=10, choices=[(t, t) for t in ACCOUNT_TYPES])
    is_control = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "book", "code"], name="account_code"),
            models.CheckConstraint(condition=models.Q(type__in=ACCOUNT_TYPES), name="account_type_known"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class PeriodLock(ClientModel):
    """Nothing posts on or before `locked_through`. The latest row of a book counts; reopening is a row too.

    Locking waits for entries under way, and entries wait for a lock under way: none slips in between.
    """

    history = True

    book = ClientKey(Book, indexed=False)
    number = models.IntegerField()
    locked_through = models.DateField()
    reason = models.CharField(max_length=500)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "book", "number"], name="period_lock_number")
        ]


class Batch(ClientModel):
    """The entries of one act: a run posted, a bank line cleared. What caused it is its subject.

    Written whole, in one statement with its entries: a batch that could grow would change what was known
    when it was sealed.
    """

    history = True
    objects = PostedOnly.as_manager()

    kind = models.CharField(max_length=50)
    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    by_user_id = models.UUIDField()
    entry_count = models.IntegerField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "kind", "subject_kind", "subject_id"], name="batch_once"
            ),
            models.CheckConstraint(condition=models.Q(entry_count__gte=1), name="batch_has_entries"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise OnlyPost("use ledger.services.post")


class BatchSeal(ClientModel):
    """The batch's place in the order in which the books became known, per client. Its id is the batch's."""

    history = True

    id = None  # type: ignore[assignment]
    batch = ClientKey(Batch, primary_key=True, db_column="id")
    sealed_no = models.BigIntegerField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "sealed_no"], name="batch_sealed_no")]


class Entry(ClientModel):
    """One balanced journal entry."""

    history = True
    objects = PostedOnly.as_manager()

    batch = ClientKey(Batch, indexed=False)
    number = models.IntegerField()
    book = ClientKey(
        Book, indexed=False, implied="every line's account is of the entry's book (check_postings)"
    )
    day = models.DateField()
    narrative = models.CharField(max_length=300)
    line_count = models.IntegerField()
    reverses = ClientKey("self", null=True, indexed=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "batch", "number"], name="entry_number"),
            models.CheckConstraint(condition=models.Q(line_count__gte=2), name="entry_has_lines"),
            models.UniqueConstraint(
                fields=["client", "reverses"],
                condition=models.Q(reverses__isnull=False),
                name="entry_reversed_once",
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise OnlyPost("use ledger.services.post")


class Posting(ClientModel):
    """One line of an entry. amount: minor units, debit positive, credit negative.

    dimension: whom or what the amount is about (a customer), for margin; no key, because its table stands
    higher.
    """

    history = True
    objects = PostedOnly.as_manager()

    entry = ClientKey(Entry, indexed=False)
    line_no = models.IntegerField()
    account = ClientKey(Account, indexed=False, implied="the delta that every line adds to has the key")
    day = models.DateField()
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    dimension = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "entry", "line_no"], name="posting_line"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="posting_not_zero"),
        ]
        indexes = [models.Index(fields=["client", "account", "day"], name="posting_account_day")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise OnlyPost("use ledger.services.post")


class Delta(ClientModel):
    """What a batch added to an account on a day: balances are sums of these. Written by trigger."""

    history = True

    account = ClientKey(Account, indexed=False)
    currency = models.CharField(max_length=3)
    day = models.DateField()
    batch = ClientKey(Batch)
    debit = models.BigIntegerField()
    credit = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["client", "account", "currency", "day"], name="delta_balance")]
