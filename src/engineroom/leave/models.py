"""Kinds of leave, entitlements, bookings with what was decided of them, the ledger, and the evidence of
sickness."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.rates import PPM
from engineroom.leave.engine import Rule
from engineroom.people.models import Person

UNITS = ("days", "hours")
COUNTS = ("work", "pattern", "all")
ACCRUALS = ("front", "monthly", "hours")


class LeaveKind(ClientModel):
    """A kind of leave that a client knows. It never changes: it ends, and another one begins."""

    code = models.CharField(max_length=30)
    label = models.CharField(max_length=60)
    unit = models.CharField(max_length=5)
    """How it is shown, days or hours; kept in minutes either way."""
    element = models.CharField(max_length=40, default="")
    """The code of the pay element that pays it; empty where it is not paid."""
    payment = models.CharField(max_length=10, default="")
    """Which statutory payment it is, where it is one."""
    counts = models.CharField(max_length=8, default="work")
    entitles = models.BooleanField(default=False)
    """It is taken from an entitlement, and has a balance."""
    needs_approval = models.BooleanField(default=False)
    own = models.BooleanField(default=False)
    """Somebody may ask for it, or report it, themselves."""
    spells = models.BooleanField(default=False)
    """Its stretches are linked: sickness."""
    private = models.BooleanField(default=False)
    """Shown as "away" to roles that see no health data."""
    division = models.CharField(max_length=5, default="")
    """Whose public holidays are not counted; empty for none."""
    ends = models.DateField(null=True)
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "code"], condition=models.Q(ends=None), name="leave_kind_code"
            )
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def paid_as(self) -> str:
        """The pay element in words; empty where it is not paid."""
        return self.element.replace("_", " ").capitalize()


class Policy(ClientModel):
    """What a kind of leave entitles to, from a day until a day: everybody, or one person otherwise."""

    kind = ClientKey(LeaveKind)
    person = ClientKey(Person, null=True)
    starts = models.DateField()
    ends = models.DateField(null=True)
    weeks_ppm = models.BigIntegerField()
    most_days = models.SmallIntegerField()
    year_month = models.SmallIntegerField()
    year_day = models.SmallIntegerField()
    accrual = models.CharField(max_length=7)
    accrual_ppm = models.IntegerField()
    carry_ppm = models.BigIntegerField()
    """Weeks that go on into the next year, at most."""
    carry_months = models.SmallIntegerField()
    """Months of the next year after which they lapse; 0: they do not."""

    @property
    def weeks(self) -> str:
        return f"{Decimal(self.weeks_ppm) / PPM:f}"

    @property
    def carry_weeks(self) -> str:
        return f"{Decimal(self.carry_ppm) / PPM:f}"

    @property
    def rule(self) -> Rule:
        return Rule(
            self.weeks_ppm,
            self.most_days,
            self.accrual,  # type: ignore[arg-type]  # one of ACCRUALS, by constraint
            self.accrual_ppm,
            self.carry_ppm,
        )


class Booking(ClientModel):
    """Leave asked for, or recorded. Its state follows from its decisions alone, and PostgreSQL sets it.

    minutes: what it takes, as it was counted when it was asked.
    """

    kind = ClientKey(LeaveKind)
    person = ClientKey(Person)
    starts = models.DateField()
    ends = models.DateField()
    from_noon = models.BooleanField(default=False)
    until_noon = models.BooleanField(default=False)
    minutes_given = models.IntegerField(null=True)
    """Of one day, where it was asked in hours."""
    minutes = models.BigIntegerField()
    state = models.CharField(max_length=9, default="asked")
    asked_by_id = models.UUIDField()
    on_behalf_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)


class Decision(ClientModel):
    """What was decided of a booking: approved, refused, recorded, withdrawn or cancelled; by whom and why."""

    history = True

    booking = ClientKey(Booking)
    person = ClientKey(Person)
    what = models.CharField(max_length=9)
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    on_behalf_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)


class LeaveEntry(ClientModel):
    """A line of the ledger, in minutes, signed: what gives is positive, what takes is negative.

    what: grant, accrual, opening, carried, adjusted, forfeited, paid, taken; undone for a line that takes
    another back. A booking has a line a day: so a balance is right as at any day, and a pay period takes
    the days in it.
    """

    history = True

    person = ClientKey(Person)
    kind = ClientKey(LeaveKind)
    what = models.CharField(max_length=9)
    day = models.DateField()
    year_starts = models.DateField()
    """The leave year whose balance it is of."""
    minutes = models.BigIntegerField()
    part = models.SmallIntegerField(default=0)
    """Hundredths of a day, of what is taken; negative where it is undone."""
    booking = ClientKey(Booking, null=True)
    undoes = ClientKey("self", null=True)
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "undoes"], name="leave_entry_undone_once"),
            models.UniqueConstraint(
                fields=["client", "booking", "day"], condition=models.Q(what="taken"), name="leave_day_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["client", "person", "day"],
                condition=models.Q(what__in=("taken", "undone")),
                name="leave_days_of_person",
            )
        ]


class Evidence(ClientModel):
    """A self-certificate or a doctor's note of an absence, and the file in the vault, if there is one."""

    history = True

    booking = ClientKey(Booking)
    person = ClientKey(Person)
    what = models.CharField(max_length=16)
    covers_from = models.DateField()
    covers_until = models.DateField()
    file = ClientKey(VaultFile, null=True)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    @property
    def word(self) -> str:
        return {"self_certificate": "Self-certificate", "fit_note": "Fit note"}.get(self.what, "Other")
