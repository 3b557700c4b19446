"""Persons, employments, bank accounts."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.crypto.fields import EncryptedField
from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.openitems.models import Counterparty


class Person(ClientModel):
    """A human known to the client. Its id is its counterparty's."""

    id = None  # type: ignore[assignment]
    counterparty = ClientKey(Counterparty, primary_key=True, db_column="id")
    payroll_number = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    date_of_birth = models.DateField(null=True)
    email = models.EmailField(default="")
    ni_number = EncryptedField(data_class="identity", null=True)
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "payroll_number"], name="person_payroll_number")
        ]

    def __str__(self) -> str:
        return f"{self.payroll_number} {self.name}"


class Employment(ClientModel):
    """From when to when the client employs the person. Never overlapping."""

    person = ClientKey(Person)
    starts = models.DateField()
    ends = models.DateField(null=True)


class BankAccount(ClientModel):
    """Where a person is paid, from a day on. A change is a new row that ends the one before."""

    person = ClientKey(Person)
    starts = models.DateField()
    ends = models.DateField(null=True)
    account_name = models.CharField(max_length=100)
    sort_code = EncryptedField(data_class="bank")
    account_number = EncryptedField(data_class="bank")
    fingerprint = models.BinaryField()
    """Keyed hash of sort code and account: says "same account" without opening it; approvals of pay bind
    it."""


class PersonLogin(ClientModel):
    """The user is that person, from a day on: what their own face shows is theirs by this row alone.

    A user is one person of a client, and a person has one user. Ended, never changed.
    """

    person = ClientKey(Person)
    user_id = models.UUIDField()
    starts = models.DateField()
    ends = models.DateField(null=True)
    given_by_id = models.UUIDField()
    """Set by trigger from the scope. Nobody gives one to themselves."""
    given_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "person"], condition=models.Q(ends=None), name="person_login_once"
            )
        ]
        # Of the user alone: whose rows are their own is asked over all the clients that are read.
        indexes = [models.Index(fields=["user_id"], name="person_login_user")]
