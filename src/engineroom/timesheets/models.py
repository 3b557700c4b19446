"""From placement to charge."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.imports.models import ImportCommit
from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.openitems.models import Counterparty
from engineroom.people.models import Person

CHARGE_KINDS = ("basic", "overtime", "weekend")
HOLD_REASONS = ("disputed", "over_order")


class PurchaseOrder(ClientModel):
    """A customer's order: work under it is billed up to its limit, beyond it under the order that continues
    it, and held where none does."""

    customer = ClientKey(Counterparty)
    number = models.CharField(max_length=40)
    starts = models.DateField()
    ends = models.DateField(null=True)
    limit_minor = models.BigIntegerField(null=True)
    limit_minutes = models.BigIntegerField(null=True)
    continues: Any = ClientKey("self", indexed=False, null=True)
    """The order that it goes on from: hours beyond that one's limit are billed under this one."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "customer", "number"], name="purchase_order_number"),
            models.UniqueConstraint(fields=["client", "continues"], name="purchase_order_continues"),
            models.CheckConstraint(
                condition=~models.Q(continues=models.F("id")), name="purchase_order_goes_on"
            ),
        ]


class Site(ClientModel):
    """A place of a customer's at which people work."""

    customer = ClientKey(Counterparty)
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    address = models.CharField(max_length=500, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "customer", "code"], name="site_code")]


class Agreement(ClientModel):
    """What was agreed with a customer: under it stand the rate cards, by role."""

    customer = ClientKey(Counterparty)
    number = models.CharField(max_length=40)
    title = models.CharField(max_length=200, default="")
    site = ClientKey(Site, null=True)
    """The only site that it is for, where it says one."""
    agreed_on = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "customer", "number"], name="agreement_number")
        ]


class RateCard(ClientModel):
    """A version of what a role pays and bills under an agreement: its days. Versions of a role never
    overlap; what it says is its latest terms."""

    agreement = ClientKey(Agreement)
    role = models.CharField(max_length=100)
    starts = models.DateField()
    ends = models.DateField(null=True)


class RateTerms(ClientModel):
    """What a card says: an edit is a further revision, and values the card's hours anew.

    Rates are minor units an hour; multipliers (ppm) are of the basic rate, for pay and bill alike.
    """

    history = True

    card = ClientKey(RateCard, indexed=False)
    revision = models.IntegerField()
    pay_rate = models.BigIntegerField()
    bill_rate = models.BigIntegerField()
    overtime_ppm = models.BigIntegerField()
    weekend_ppm = models.BigIntegerField()
    weekly_threshold_minutes = models.BigIntegerField()
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    """Set by trigger from the scope."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "card", "revision"], name="rate_terms_revision"),
            models.CheckConstraint(
                condition=models.Q(
                    revision__gte=1,
                    pay_rate__gte=1,
                    bill_rate__gte=1,
                    overtime_ppm__gte=1_000_000,
                    weekend_ppm__gte=1_000_000,
                ),
                name="rate_terms_values",
            ),
        ]


class Assignment(ClientModel):
    """A person placed with a customer. Its rates are its own, or its agreement's card of the role from
    `follows_from` on."""

    code = models.CharField(max_length=20)
    person = ClientKey(Person)
    customer = ClientKey(Counterparty)
    order = ClientKey(PurchaseOrder, null=True)
    role = models.CharField(max_length=100)
    starts = models.DateField()
    ends = models.DateField(null=True)
    agreement = ClientKey(Agreement, null=True)
    follows_from = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "code"], name="assignment_code"),
            models.CheckConstraint(
                condition=models.Q(agreement__isnull=True, follows_from__isnull=True)
                | models.Q(agreement__isnull=False, follows_from__isnull=False),
                name="assignment_follows_from",
            ),
        ]


class AssignmentRate(ClientModel):
    """What an hour pays and bills from a day on, minor units per hour, and the multipliers per kind (ppm).

    weekly_threshold_minutes: weekday minutes a week before overtime starts.
    """

    assignment = ClientKey(Assignment)
    starts = models.DateField()
    ends = models.DateField(null=True)
    pay_rate = models.BigIntegerField()
    bill_rate = models.BigIntegerField()
    overtime_ppm = models.BigIntegerField()
    weekend_ppm = models.BigIntegerField()
    weekly_threshold_minutes = models.BigIntegerField()


class Timesheet(ClientModel):
    """One assignment's week as the customer answered for it. A correction is a later revision, beside this
    one."""

    history = True

    assignment = ClientKey(Assignment, indexed=False)
    week_ending = models.DateField()
    revision = models.IntegerField(default=1)
    status = models.CharField(max_length=10, choices=[("approved", "approved"), ("disputed", "disputed")])
    note = models.CharField(max_length=500, default="")
    taken_in = ClientKey(ImportCommit)
    entry_count = models.IntegerField()
    """How many hours it was taken in with: the database takes no further one, and no timesheet without."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "assignment", "week_ending", "revision"], name="timesheet_revision"
            ),
            models.CheckConstraint(condition=models.Q(entry_count__gte=1), name="timesheet_has_entries"),
        ]
        indexes = [models.Index(fields=["client", "week_ending"], name="timesheet_week")]


class TimeEntry(ClientModel):
    """Minutes worked on a day."""

    history = True

    timesheet = ClientKey(
        Timesheet, indexed=False, implied="a timesheet has the hours it says (check_time_entries)"
    )
    day = models.DateField()
    minutes = models.IntegerField()
    file_row = models.IntegerField(null=True)
    """Where it stood in the file that it was taken in with, as a spreadsheet counts."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "timesheet", "day"], name="time_entry_day"),
            models.CheckConstraint(
                condition=models.Q(minutes__gte=-1440, minutes__lte=1440) & ~models.Q(minutes=0),
                name="time_entry_minutes",
            ),
        ]


class Charge(ClientModel):
    """What part of a time entry became: the payable side and the billable side of the same minutes.

    Rates are minor units per hour with the kind's multiplier applied; amounts are minor units. An edit of a
    rate card moves what is neither paid nor billed; what stood before is kept (ChargeBefore).
    """

    time_entry = ClientKey(TimeEntry, implied="the charges of an entry add to its minutes (check_charges)")
    kind = models.CharField(max_length=10, choices=[(k, k) for k in CHARGE_KINDS])
    minutes = models.IntegerField()
    pay_rate = models.BigIntegerField()
    pay_amount = models.BigIntegerField()
    bill_rate = models.BigIntegerField()
    bill_amount = models.BigIntegerField()
    order = ClientKey(PurchaseOrder, null=True)
    """Under which it is billed; of hours taken in before this was kept, their assignment's."""


class ChargeBefore(ClientModel):
    """What a charge was worth until an edit of its rate card. Written by trigger."""

    history = True

    charge = ClientKey(Charge)
    pay_rate = models.BigIntegerField()
    pay_amount = models.BigIntegerField()
    bill_rate = models.BigIntegerField()
    bill_amount = models.BigIntegerField()
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class Hold(ClientModel):
    """The billable side may not be billed yet. Its id is the charge's."""

    history = True

    id = None  # type: ignore[assignment]
    charge = ClientKey(Charge, primary_key=True, db_column="id")
    reason = models.CharField(max_length=20, choices=[(r, r) for r in HOLD_REASONS])
    note = models.CharField(max_length=500, default="")
    at = models.DateTimeField(db_default=Now(), editable=False)


class HoldEnd(ClientModel):
    """A hold that no longer holds: the hour may be billed, or was written off to margin, and why. Its id is
    the charge's."""

    history = True

    id = None  # type: ignore[assignment]
    hold = ClientKey(Hold, primary_key=True, db_column="id")
    outcome = models.CharField(
        max_length=12, choices=[("billable", "billable"), ("written_off", "written_off")]
    )
    reason = models.CharField(max_length=500)
    order = ClientKey(PurchaseOrder, null=True)
    """Under which it is billed now, where it was held for want of one."""
    by_user_id = models.UUIDField()
    """Set by trigger from the scope."""
    at = models.DateTimeField(db_default=Now(), editable=False)


WEEK_STATES = ("draft", "sent", "asked", "answered")


class EnteredWeek(ClientModel):
    """One assignment's week as its worker enters it: theirs to change while it is a draft, then sent, put to
    the customer, and answered for. What was answered becomes a timesheet; this stays as it was sent.
    """

    assignment = ClientKey(Assignment, indexed=False)
    person = ClientKey(Person)
    week_ending = models.DateField()
    state = models.CharField(max_length=8, default="draft", choices=[(s, s) for s in WEEK_STATES])
    sent_at = models.DateTimeField(null=True)
    """Set by trigger, which also says who may move the state where."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "assignment", "week_ending"], name="entered_week_once")
        ]
        indexes = [models.Index(fields=["client", "state", "week_ending"], name="entered_week_state")]


class EnteredDay(ClientModel):
    """A day of an entered week: its minutes, and from when until when, where that was said.

    break_minutes: of the stretch, not worked. ends: not after starts where it is of the next morning.
    """

    week = ClientKey(EnteredWeek, indexed=False)
    person = ClientKey(Person)
    day = models.DateField()
    starts = models.TimeField(null=True)
    ends = models.TimeField(null=True)
    break_minutes = models.IntegerField(default=0)
    minutes = models.IntegerField()
    note = models.CharField(max_length=200, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "week", "day"], name="entered_day_once")]


class AnswerPolicy(ClientModel):
    """Who answers for a customer's hours from a day until a day, who stands in, and when whom is reminded.

    Hours count from when the customer was asked; 0: never. A change is a new row, from a later day.
    """

    customer = ClientKey(Counterparty)
    starts = models.DateField()
    ends = models.DateField(null=True)
    approver_name = models.CharField(max_length=100)
    approver_email = models.EmailField()
    backup_name = models.CharField(max_length=100, default="")
    backup_email = models.EmailField(default="")
    remind_hours = models.IntegerField()
    backup_hours = models.IntegerField()
    escalate_hours = models.IntegerField()


class AnswerRequest(ClientModel):
    """The customer was asked about a week: exactly these sheets, by this policy."""

    history = True

    customer = ClientKey(Counterparty)
    policy = ClientKey(AnswerPolicy)
    week_ending = models.DateField()
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class RequestedWeek(ClientModel):
    """A worker's week that the customer was asked about."""

    history = True

    request = ClientKey(AnswerRequest)
    week = ClientKey(EnteredWeek)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "request", "week"], name="requested_week_once")
        ]


class RequestStep(ClientModel):
    """What was done about a request: asked, reminded, backup, escalated, answered or withdrawn; each once."""

    history = True

    request = ClientKey(AnswerRequest, indexed=False)
    what = models.CharField(max_length=9)
    whom = models.CharField(max_length=300, default="")
    """To whom a letter went, or who answered."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "request", "what"], name="request_step_once")
        ]
