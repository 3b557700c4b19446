"""Persons, employments and their terms, bank accounts."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.crypto.fields import EncryptedField
from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.openitems.models import Counterparty

LEAVING = {
    "resigned": "Resigned",
    "dismissed": "Dismissed",
    "redundant": "Redundancy",
    "end_of_contract": "End of contract",
    "retired": "Retired",
    "died": "Died",
    "transferred": "Transferred",
    "other": "Other",
}
"""Why somebody leaves, with how it is called."""


class Person(ClientModel):
    """A human known to the client. Its id is its counterparty's."""

    id = None  # type: ignore[assignment]
    counterparty = ClientKey(Counterparty, primary_key=True, db_column="id")
    payroll_number = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    date_of_birth = models.DateField(null=True)
    email = models.EmailField(default="")
    ni_number = EncryptedField(data_class="identity", null=True)
    ni_fingerprint = models.BinaryField(null=True)
    """Keyed hash of it: says that two people have the same one, and nothing else."""
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "payroll_number"], name="person_payroll_number")
        ]
        indexes = [models.Index(fields=["client", "ni_fingerprint"], name="person_ni_fingerprint")]

    def __str__(self) -> str:
        return f"{self.payroll_number} {self.name}"


class Employment(ClientModel):
    """From when to when the client employs the person. Never overlapping."""

    person = ClientKey(Person)
    starts = models.DateField()
    ends = models.DateField(null=True)


class EmploymentEnding(ClientModel):
    """The last day of an employment, and why, as it was said. The latest row holds: a day may be moved."""

    history = True

    employment = ClientKey(Employment)
    last_day = models.DateField()
    why = models.CharField(max_length=20, choices=[(w, w) for w in LEAVING])
    note = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(why__in=list(LEAVING)), name="employment_ending_why")
        ]


class TermsChange(ClientModel):
    """Something said of terms: by whom, when and why. One change may be about many people (a file).

    number counts a client's changes in the order of their commits: *as known at* a number is exact, where a
    time would not be (a transaction begins before it is seen).
    """

    history = True

    number = models.BigIntegerField()
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "number"], name="terms_change_number")]


class Terms(ClientModel):
    """What a person is employed on, from a day to a day: dated for the days, and for what was known of them.

    A change never touches what was said. It takes rows back (`unsaid`, the only column that is ever written
    later, once) and says again what of them still holds. So what stands never overlaps, and neither does what
    stood at any earlier change. An employment that ends ends its terms: they are read up to its last day.
    """

    person = ClientKey(Person)
    employment = ClientKey(Employment)
    starts = models.DateField()
    ends = models.DateField(null=True)
    basis = models.CharField(max_length=10, choices=[("salary", "salary"), ("hourly", "hourly")])
    amount = models.BigIntegerField()
    """Minor units of the client's currency: a year of salary, or an hour."""
    minutes_per_week = models.IntegerField()
    """As contracted; 0 where no hours are promised."""
    working_days = models.SmallIntegerField()
    """Bits: Monday 1, Tuesday 2, to Sunday 64."""
    title = models.CharField(max_length=100, default="")
    cost_centre = models.CharField(max_length=40, default="")
    said = models.BigIntegerField()
    """The number of the change that said this row, of the transaction that wrote it."""
    unsaid = models.BigIntegerField(null=True)
    """The number of the change that took it back."""
    continues = models.BooleanField(default=False)
    """What is left, or said again, of a row that this change took back: not what the change was about."""

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(basis__in=["salary", "hourly"], amount__gte=0), name="terms_pay"
            ),
            models.CheckConstraint(
                condition=models.Q(minutes_per_week__gte=0, minutes_per_week__lte=10_080)
                & models.Q(working_days__gte=0, working_days__lte=127),
                name="terms_week",
            ),
            models.CheckConstraint(
                condition=models.Q(ends=None) | models.Q(ends__gte=models.F("starts")), name="terms_days"
            ),
        ]


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
    proposal = ClientKey("AccountProposal", null=True)
    """Whose approval made it. Only somebody's first account may be without, and by policy not that one."""


class AccountProposal(ClientModel):
    """Another account for a person, held until a second person has said yes to exactly that."""

    person = ClientKey(Person)
    starts = models.DateField()
    account_name = models.CharField(max_length=100)
    sort_code = EncryptedField(data_class="bank")
    account_number = EncryptedField(data_class="bank")
    fingerprint = models.BinaryField()
    content_hash = models.BinaryField()
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)


class AccountDecision(ClientModel):
    """What became of a proposal: nothing is held any more. Its id is the proposal's."""

    history = True

    id = None  # type: ignore[assignment]
    proposal = ClientKey(AccountProposal, primary_key=True, db_column="id")
    outcome = models.CharField(
        max_length=10,
        choices=[(o, o) for o in ("approved", "refused", "withdrawn", "superseded")],
    )
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome__in=["approved", "refused", "withdrawn", "superseded"]),
                name="account_decision_outcome",
            )
        ]


class AccountPolicy(ClientModel):
    """Whether this client's first accounts wait for a second person too. The latest row holds."""

    history = True

    hold_first = models.BooleanField()
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)


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
