"""Who is owed or owes, what, and what has been set against it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.ledger.models import Account, Entry

COUNTERPARTY_KINDS = ("customer", "supplier", "person", "agency", "bank", "factor")


class Counterparty(ClientModel):
    """Whom a client deals with. A person's counterparty has the person's own id."""

    kind = models.CharField(max_length=10, choices=[(k, k) for k in COUNTERPARTY_KINDS])
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    details = models.JSONField(default=dict)
    """What documents print: address, VAT number, terms. No private data: a person has none here."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "kind", "code"], name="counterparty_code"),
            models.CheckConstraint(
                condition=models.Q(kind__in=COUNTERPARTY_KINDS), name="counterparty_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OpenItem(ClientModel):
    """Something owed or held. amount: minor units, signed as posted (a payable is negative)."""

    history = True

    kind = models.CharField(max_length=30)
    counterparty = ClientKey(Counterparty, null=True)
    account = ClientKey(Account, indexed=False)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    due = models.DateField()
    entry = ClientKey(Entry)
    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    reference = models.CharField(max_length=100, default="")
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(amount=0), name="open_item_not_zero")]
        indexes = [
            models.Index(fields=["client", "account", "due"], name="open_item_account_due"),
            models.Index(fields=["client", "amount"], name="open_item_amount"),
            models.Index(fields=["client", "subject_kind", "subject_id"], name="open_item_subject"),
        ]


class Allocation(ClientModel):
    """An amount of one item set against another of the opposite sign. An undo is a row of its own, negative.

    The amount is positive; the sign of each item says which way it goes.
    """

    history = True

    item_a = ClientKey(OpenItem)
    item_b = ClientKey(OpenItem)
    amount = models.BigIntegerField()
    entry = ClientKey(Entry, null=True, indexed=False)
    undoes = ClientKey("self", null=True, indexed=False)
    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gt=0, undoes__isnull=True)
                | models.Q(amount__lt=0, undoes__isnull=False),
                name="allocation_sign",
            ),
            models.UniqueConstraint(
                fields=["client", "undoes"],
                condition=models.Q(undoes__isnull=False),
                name="allocation_undone_once",
            ),
        ]
        indexes = [models.Index(fields=["client", "subject_kind", "subject_id"], name="allocation_subject")]
