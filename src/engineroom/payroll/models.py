"""Schedules, items, tax details, runs, attempts, payslips."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.imports.models import ImportCommit
from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.foundation.vault.models import VaultFile
from engineroom.openitems.models import Counterparty
from engineroom.payroll.engine.schedules import Rhythm
from engineroom.people.models import Person
from engineroom.timesheets.models import Timesheet


class TaxDetails(ClientModel):
    """How a person is taxed from a day on. Great Britain's record has columns; of another country they hold
    nothing, and `stated` what it keeps."""

    person = ClientKey(Person)
    starts = models.DateField()
    ends = models.DateField(null=True)
    tax_code = models.CharField(max_length=12, default="")
    is_cumulative = models.BooleanField(default=True)
    ni_category = models.CharField(max_length=1, default="A")
    student_loan_plan = models.CharField(max_length=2, default="")
    postgraduate_loan = models.BooleanField(default=False)
    pension_relief = models.CharField(max_length=20, default="")
    """Empty: not in the scheme. Else relief_at_source, net_pay or salary_sacrifice."""
    pension_employee_ppm = models.BigIntegerField(default=0)
    pension_employer_ppm = models.BigIntegerField(default=0)
    director_method = models.CharField(max_length=12, default="")
    """Empty: no director. Else how their National Insurance is worked out: the engine's names."""
    director_weeks = models.IntegerField(default=52)
    """Tax weeks left in the year of appointment, that week included; 52 in any other year."""
    previous_pay = models.BigIntegerField(default=0)
    """Taxable pay and tax of earlier employment in the tax year of `starts` (P45), minor units."""
    previous_tax = models.BigIntegerField(default=0)
    stated = models.JSONField(default=dict, db_default={})
    """What a country keeps that has no columns here, by the fields that it declares (tax_record)."""

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(tax_code="") | models.Q(stated={}), name="tax_details_one_record"
            )
        ]


class PaySchedule(ClientModel):
    """How often a group of people is paid, from which day its periods count, and when each is paid.

    Never changed: another rhythm is another schedule, and people go over to it from a day on.
    """

    code = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    jurisdiction = models.CharField(max_length=2)
    frequency = models.CharField(max_length=12)
    anchor = models.DateField()
    """The first day of any one of its periods (payroll/engine/schedules.py)."""
    pay_rule = models.CharField(max_length=20)
    pay_day = models.IntegerField(default=0)
    cut_off_days = models.IntegerField(default=0)
    proration = models.CharField(max_length=14, default="calendar_days")
    """What a part of a period is a part of: payroll/engine/proration.BASES."""
    ends = models.DateField(null=True)
    """The last day of its last period; none while it goes on."""
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "code"], name="pay_schedule_code")]

    def __str__(self) -> str:
        return self.code

    @property
    def rhythm(self) -> Rhythm:
        return Rhythm(self.frequency, self.anchor, self.pay_rule, self.pay_day, self.cut_off_days)


class OnSchedule(ClientModel):
    """The person is paid on the schedule, from a day on. Another frequency is a new row that ends this."""

    person = ClientKey(Person)
    schedule = ClientKey(PaySchedule)
    starts = models.DateField()
    ends = models.DateField(null=True)


class PayRun(ClientModel):
    """One calculation of pay for a set of people. `published` is the attempt that counts."""

    kind = models.CharField(max_length=20, default="regular")
    jurisdiction = models.CharField(max_length=2, default="gb")
    schedule = ClientKey(PaySchedule, null=True)
    """None: the weekly run of timesheets."""
    frequency = models.CharField(max_length=12, default="weekly")
    pay_date = models.DateField()
    due = models.DateField(null=True)
    """The payday as its schedule names it, where banks moved it: the law of this day applies."""
    period_starts = models.DateField()
    period_ends = models.DateField()
    tax_year = models.CharField(max_length=7)
    tax_period = models.IntegerField()
    number = models.IntegerField()
    corrects = ClientKey("self", null=True)
    """Of a reversal, the run whose payslips it takes back; of a replacement, that reversal."""
    published = ClientKey("Attempt", null=True, indexed=False)
    content_hash = models.BinaryField(null=True)
    given_up_through = models.IntegerField(null=True)
    """The last attempt that there was when the run was given up, nought for none: no attempt through it
    counts again."""
    payslips = models.IntegerField(default=0, editable=False)
    totals = ArrayField(models.BigIntegerField(), null=True, editable=False)
    """Of the published attempt: how many payslips, and its amounts added up, by its elements. PostgreSQL adds
    them up when it is published, so that no page goes through ten thousand payslips."""
    opened_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="pay_run_number"),
            models.UniqueConstraint(
                fields=["client", "frequency", "tax_year", "tax_period"],
                condition=models.Q(kind="regular", schedule=None),
                name="pay_run_regular_once",
            ),
            models.UniqueConstraint(
                fields=["client", "schedule", "period_starts"],
                condition=models.Q(kind="regular", schedule__isnull=False),
                name="pay_run_of_period_once",
            ),
        ]

    def __str__(self) -> str:
        return f"pay run {self.number}"

    @property
    def stands_for(self) -> PayRun:
        """The run that it takes back or pays anew, at first; or itself."""
        run = self
        while run.corrects is not None:
            run = run.corrects
        return run

    @property
    def law_date(self) -> date:
        """The day whose tables and tax period apply: the payday, also where banks moved it."""
        return self.due or self.pay_date


class Attempt(ClientModel):
    """One try at calculating a run, with the law and the engine it used."""

    history = True

    run = ClientKey(PayRun)
    number = models.IntegerField()
    engine_version = models.IntegerField()
    elements = ArrayField(models.CharField(max_length=40))
    """The frozen list: what each place of a payslip's amounts means."""
    rules_hash = models.CharField(max_length=64)
    rules = models.JSONField()
    """The versions of the dated tables used: table, start, source, confidence, hash, unverified names."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "run", "number"], name="attempt_number")]


class AttemptChunk(ClientModel):
    """Up to 16,384 people of an attempt, in id order: one job, one transaction, one trace file."""

    attempt = ClientKey(Attempt, indexed=False)
    run_id = models.UUIDField()
    chunk = models.IntegerField()
    first_person = models.UUIDField()
    last_person = models.UUIDField()
    people = models.IntegerField()
    inputs_hash = models.BinaryField(null=True)
    problems = models.JSONField(default=list)
    """People who could not be calculated or paid: payroll number, field, problem, remedy. They block
    approval."""
    trace = ClientKey(VaultFile, null=True, indexed=False)
    done_at = models.DateTimeField(null=True)
    seen = models.TextField(db_default="")
    """The snapshot that stood before the inputs were read (`moved`)."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "attempt", "chunk"], name="attempt_chunk_once")
        ]


class InputMoved(ClientModel):
    """In a transaction, rows that calculations read were written: which table's. Noted by triggers alone."""

    history = True

    what = models.CharField(max_length=63)
    run_id = models.UUIDField(null=True)
    """Of a pay run's own row: which."""
    xact = models.BigIntegerField()


class Payslip(ClientModel):
    """One person's result in one attempt. amounts: minor units (or minutes), by the attempt's elements."""

    history = True

    run_id = models.UUIDField()
    attempt = ClientKey(Attempt, indexed=False)
    chunk = models.IntegerField()
    row = models.IntegerField()
    """The person's row in the chunk's trace."""
    person = ClientKey(Person)
    tax_code = models.CharField(max_length=12)
    ni_category = models.CharField(max_length=1)
    amounts = ArrayField(models.BigIntegerField())
    payee_fingerprint = models.BinaryField(null=True)
    """Keyed hash of the bank account it will be paid to; the approval binds it. Null: no account known."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "attempt", "person"], name="payslip_once")]


class PaidTimesheet(ClientModel):
    """The timesheet is paid by the run: once. Its id is the timesheet's. Given back if that run is
    abandoned.
    """

    id = None  # type: ignore[assignment]
    timesheet = ClientKey(Timesheet, primary_key=True, db_column="id")
    run = ClientKey(PayRun)


class PayWorkbook(ClientModel):
    """A workbook of a schedule's period that was taken: the latest of a period is what stands of them."""

    history = True

    schedule = ClientKey(PaySchedule)
    period_starts = models.DateField()
    commit = ClientKey(ImportCommit, indexed=False)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class CutOffMoved(ClientModel):
    """Late inputs of a period are let in until a day, and why. The latest row of a period counts; who it was
    is written by trigger."""

    history = True

    schedule = ClientKey(PaySchedule)
    period_starts = models.DateField()
    until = models.DateField()
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class PayItem(ClientModel):
    """A one-off amount of an element, with its reason. Taken once: by the first regular run of the person's
    schedule whose period has `period` in it or before it, or by the run that it is for.
    """

    person = ClientKey(Person)
    element = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    """Minor units of the client's currency; below zero it takes back."""
    minutes = models.BigIntegerField(db_default=0)
    """Of work that the amount pays, where it is hours at a rate."""
    period = models.DateField()
    """A day of the pay period that it is for."""
    run = ClientKey(PayRun, null=True)
    """Only that run takes it: of another kind than regular. None: the regular run of the period."""
    original = ClientKey(PayRun, null=True)
    """Back pay: the run of the period that it is pay for."""
    reason = models.CharField(max_length=300)
    source = models.CharField(max_length=40, default="")
    """The file it came in, or how else it was said."""
    withdrawn = models.CharField(max_length=300, default="")
    """Why it is not to be paid after all; said once, before a run has taken it."""
    workbook = ClientKey(PayWorkbook, null=True, indexed=False)
    """That brought it; a later one of the same period takes its place."""
    added_at = models.DateTimeField(db_default=Now(), editable=False)


class PaidItem(ClientModel):
    """The item is in the run: once. Its id is the item's. Given back if that run is abandoned."""

    id = None  # type: ignore[assignment]
    item = ClientKey(PayItem, primary_key=True, db_column="id")
    run = ClientKey(PayRun)


class ReversedPayslip(ClientModel):
    """The payslip is taken back by the run: once. Its id is the payslip's. Given back if that run is
    abandoned before it is released."""

    id = None  # type: ignore[assignment]
    payslip = ClientKey(Payslip, primary_key=True, db_column="id")
    original = ClientKey(PayRun)
    run = ClientKey(PayRun)
    reason = models.CharField(max_length=300)


class RecurringPay(ClientModel):
    """An amount of an element in every period that these days touch. Ended, never changed; withdrawn, as long
    as no released run has paid it."""

    person = ClientKey(Person)
    element = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    """Minor units a pay period."""
    total = models.BigIntegerField(null=True)
    """In all, of the amount's sign: it is over once `RecurringPaid` comes to it. None: until its last day."""
    starts = models.DateField()
    ends = models.DateField(null=True)
    reason = models.CharField(max_length=300, default="")
    withdrawn = models.CharField(max_length=300, db_default="")
    """Why it never was to be paid; said once."""
    workbook = ClientKey(PayWorkbook, null=True, indexed=False)
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(total=None)
                | models.Q(total__gt=0, amount__gt=0)
                | models.Q(total__lt=0, amount__lt=0),
                name="recurring_total_of_its_sign",
            )
        ]


class RecurringPaid(ClientModel):
    """What one payslip paid of recurring pay that has a total; in a reversal the negative. Minor units."""

    history = True

    run_id = models.UUIDField()
    attempt = ClientKey(Attempt, indexed=False)
    person = ClientKey(Person, indexed=False)
    recurring = ClientKey(RecurringPay)
    amount = models.BigIntegerField()
    takes_back = ClientKey("self", null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "attempt", "recurring"], name="recurring_paid_once")
        ]


class PayOrder(ClientModel):
    """What a court or an authority has the employer take from a person's pay, and for whom (decision 009).

    What it has taken is never written here: each payslip leaves an `OrderTaken`. An order that is varied is a
    new row that ends this; `first` is the row it began as, none where this is it.
    """

    first = ClientKey("self", null=True)
    person = ClientKey(Person)
    kind = models.CharField(max_length=30)
    creditor = ClientKey(Counterparty, indexed=False)
    reference = models.CharField(max_length=40)
    made_on = models.DateField()
    starts = models.DateField()
    ends = models.DateField(null=True)
    stated = models.JSONField(default=dict)
    """What the order says, by the names of its jurisdiction: minor units, flags, and choices as texts."""
    reason = models.CharField(max_length=300)
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"order {self.reference}"

    @property
    def began_as(self) -> UUID:
        """The same of every row that the order was varied by."""
        first: UUID | None = self.first_id
        return first or self.id


class OrderTaken(ClientModel):
    """What an order took on one payslip, and what it takes on to the next payday. Minor units.

    A further run of a period leaves what it took beyond the runs before it; a reversal leaves the negative of
    every row beside a payslip that it takes back.
    """

    history = True

    run_id = models.UUIDField()
    attempt = ClientKey(Attempt, indexed=False)
    person = ClientKey(Person, indexed=False)
    order = ClientKey(PayOrder)
    place = models.SmallIntegerField()
    """In which order the person's orders were dealt with, from 0."""
    earnings_met = models.BigIntegerField()
    deduction = models.BigIntegerField()
    fee = models.BigIntegerField()
    deduction_arrears = models.BigIntegerField()
    protected_arrears = models.BigIntegerField()
    balance = models.BigIntegerField(null=True)
    """What is still owed; null where the order names no sum."""
    deduction_arrears_moved = models.BigIntegerField(db_default=0)
    protected_arrears_moved = models.BigIntegerField(db_default=0)
    """How this payslip changed what is carried: an order carries what it states and these, added up."""
    takes_back = ClientKey("self", null=True)
    """Of a reversal: the row whose negative this is."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "attempt", "order"], name="order_taken_once")
        ]


class Debt(ClientModel):
    """What a person owes the employer, and how much of it every payday takes (decision 009). Minor units.

    What was taken is never written here: each payslip leaves a `DebtTaken`. Another instalment is a new row
    that ends this; `first` is the row it began as, none where this is it.
    """

    first = ClientKey("self", null=True)
    person = ClientKey(Person)
    kind = models.CharField(max_length=20)
    """advance, loan or overpayment."""
    reference = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    """All of it, as it began; the same on every row."""
    instalment = models.BigIntegerField()
    leaves = models.BigIntegerField(default=0)
    """Net pay that is left, at least."""
    starts = models.DateField()
    ends = models.DateField(null=True)
    reason = models.CharField(max_length=300)
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gt=0, instalment__gt=0, leaves__gte=0), name="debt_of_something"
            )
        ]

    def __str__(self) -> str:
        return f"debt {self.reference}"

    @property
    def began_as(self) -> UUID:
        """The same of every row that the debt was changed by."""
        first: UUID | None = self.first_id
        return first or self.id


class DebtTaken(ClientModel):
    """What one payslip paid back of a debt, beyond earlier runs of its period; in a reversal the negative."""

    history = True

    run_id = models.UUIDField()
    attempt = ClientKey(Attempt, indexed=False)
    person = ClientKey(Person, indexed=False)
    debt = ClientKey(Debt)
    place = models.SmallIntegerField()
    """In which order the person's debts were dealt with, from 0."""
    amount = models.BigIntegerField()
    takes_back = ClientKey("self", null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "attempt", "debt"], name="debt_taken_once")]


class Claim(ClientModel):
    """A statutory payment of a person: from which day, and the average earnings that it goes by, as found.

    Of linked stretches of sickness there is one, from the first day of the first. What each payday paid of it
    is a `ClaimPaid`. A row is never changed: stated anew, the later one counts.
    """

    history = True

    person = ClientKey(Person)
    payment = models.CharField(max_length=10)
    first_day = models.DateField()
    figures = models.JSONField()
    """What the jurisdiction goes by, in its names: earnings, weeks or months, and what was had before."""
    period_from = models.DateField(null=True)
    """The paydays that the earnings were found from; none where somebody stated them."""
    period_until = models.DateField(null=True)
    reason = models.CharField(max_length=300)
    added_at = models.DateTimeField(db_default=Now(), editable=False)


class ClaimPaid(ClientModel):
    """What a payslip pays of a claim. amount: minor units. figures: how it was worked out, by name.

    A reversal leaves the negative of each, every figure with the other sign.
    """

    history = True

    run_id = models.UUIDField()
    attempt = ClientKey(Attempt, indexed=False)
    person = ClientKey(Person, indexed=False)
    claim = ClientKey(Claim)
    amount = models.BigIntegerField()
    figures = models.JSONField()
    takes_back = ClientKey("self", null=True)
    """Of a reversal: the row whose negative this is."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "attempt", "claim"], name="claim_paid_once")]


class CarriedIn(ClientModel):
    """An element's amount of a tax year so far, as another bureau paid it before our first run."""

    history = True

    person = ClientKey(Person)
    tax_year = models.CharField(max_length=7)
    element = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    added_at = models.DateTimeField(db_default=Now(), editable=False)


class HandedOver(ClientModel):
    """An approver of the client's lets a colleague approve in their place: one run, or whatever comes up on
    some days. Who it was is written by trigger; taken_back: why it no longer holds, said once."""

    run = ClientKey(PayRun, null=True)
    """None: every run, on the days."""
    starts = models.DateField()
    ends = models.DateField()
    from_user_id = models.UUIDField()
    to_user_id = models.UUIDField()
    reason = models.CharField(max_length=300)
    taken_back = models.CharField(max_length=300, default="")
    at = models.DateTimeField(db_default=Now(), editable=False)


class ClientApprovalPolicy(ClientModel):
    """Whether the client's own approval comes before a release: of runs paid from a day on, of all or of a
    schedule's. Of rows of one schedule (or none) the latest day holds, and of one day what was said last."""

    history = True

    schedule = ClientKey(PaySchedule, null=True)
    """None: of every run whose schedule has no policy of its own."""
    starts = models.DateField()
    wanted = models.CharField(max_length=10)
    """none, wanted or must; of a schedule also as_client: it has no policy of its own any more."""
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(wanted__in=("none", "wanted", "must"))
                | models.Q(wanted="as_client", schedule__isnull=False),
                name="client_approval_said",
            )
        ]


class ReturnedComment(ClientModel):
    """An approver's no, and about what: a person of the run, or the run. Bound to what they looked at; who it
    was is written by trigger."""

    history = True

    run = ClientKey(PayRun)
    attempt = ClientKey(Attempt, indexed=False)
    content_hash = models.BinaryField()
    person = ClientKey(Person, null=True, indexed=False)
    text = models.CharField(max_length=1000)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class CommentAnswer(ClientModel):
    """What was said to a comment: once. Its id is the comment's."""

    history = True

    id = None  # type: ignore[assignment]
    comment = ClientKey(ReturnedComment, primary_key=True, db_column="id")
    words = models.CharField(max_length=1000)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class BatchResult(ClientModel):
    """What became of this client in one action over many (`batch`). outcome: done, nothing or failed."""

    history = True

    batch_id = models.UUIDField()
    action = models.CharField(max_length=20)
    pay_date = models.DateField(null=True)
    outcome = models.CharField(max_length=10)
    words = models.CharField(max_length=2000)
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "batch_id"], name="batch_result_once")]


class AccountChange(ClientModel):
    """Something said of where runs are posted: by whom, when and why. number counts a client's changes: the
    version of the account map."""

    history = True

    number = models.IntegerField()
    reason = models.CharField(max_length=300)
    source = models.CharField(max_length=40, default="")
    """The file it came in, or empty."""
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "number"], name="account_change_number")]


class MappedAccount(ClientModel):
    """From a payday on, a line of runs' entries is posted to this account. Of rows of one line and cost
    centre the latest day holds, and of one day the latest change."""

    history = True

    change = ClientKey(AccountChange)
    line = models.CharField(max_length=60)
    """A line's code, as its jurisdiction names it: `cost.basic_pay`, `owed.paye`."""
    cost_centre = models.CharField(max_length=40, default="")
    """Of people whose terms have it; empty: of everybody else's."""
    starts = models.DateField()
    account = models.CharField(max_length=20)
    """The account's code in the client's book; empty: where the jurisdiction has it."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "change", "line", "cost_centre"], name="mapped_account_once"
            )
        ]


class PostedMap(ClientModel):
    """The accounts that a released run was posted to. Its id is the run's."""

    history = True

    id = None  # type: ignore[assignment]
    run = ClientKey(PayRun, primary_key=True, db_column="id")
    version = models.IntegerField()
    """The number of the last change of the account map that it knew; 0: none."""
    accounts = models.JSONField()
    """The account of every line, by its code, and of a cost centre by code and centre."""
    at = models.DateTimeField(db_default=Now(), editable=False)


class Liability(ClientModel):
    """What changes an agency's due of one of its periods and stands on no payslip: a levy, an allowance."""

    history = True

    agency = models.CharField(max_length=20)
    year = models.CharField(max_length=7)
    period = models.IntegerField()
    name = models.CharField(max_length=40)
    """Of the agency's adjustments."""
    amount = models.BigIntegerField()
    """Minor units; above zero more is owed."""
    day = models.DateField()
    """On which it is posted."""
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(amount=0), name="liability_not_zero")]
        indexes = [models.Index(fields=["client", "agency", "year", "period"], name="liability_period")]
