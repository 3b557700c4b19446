"""Tax details, runs, attempts, payslips."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.foundation.vault.models import VaultFile
from engineroom.people.models import Person
from engineroom.timesheets.models import Timesheet


class TaxDetails(ClientModel):
    """How a person is taxed from a day on: tax code, NI category, loans, pension, and figures of an earlier
    employer."""

    person = ClientKey(Person)
    starts = models.DateField()
    ends = models.DateField(null=True)
    tax_code = models.CharField(max_length=12)
    is_cumulative = models.BooleanField(default=True)
    ni_category = models.CharField(max_length=1, default="A")
    student_loan_plan = models.CharField(max_length=2, default="")
    postgraduate_loan = models.BooleanField(default=False)
    pension_relief = models.CharField(max_length=20, default="")
    """Empty: not in the scheme. Else relief_at_source, net_pay or salary_sacrifice."""
    pension_employee_ppm = models.BigIntegerField(default=0)
    pension_employer_ppm = models.BigIntegerField(default=0)
    previous_pay = models.BigIntegerField(default=0)
    """Taxable pay and tax of earlier employment in the tax year of `starts` (P45), minor units."""
    previous_tax = models.BigIntegerField(default=0)


class PayRun(ClientModel):
    """One calculation of pay for a set of people. `published` is the attempt that counts."""

    kind = models.CharField(max_length=20, default="regular")
    jurisdiction = models.CharField(max_length=2, default="gb")
    frequency = models.CharField(max_length=12, default="weekly")
    pay_date = models.DateField()
    period_starts = models.DateField()
    period_ends = models.DateField()
    tax_year = models.CharField(max_length=7)
    tax_period = models.IntegerField()
    number = models.IntegerField()
    published = ClientKey("Attempt", null=True, indexed=False)
    content_hash = models.BinaryField(null=True)
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
                condition=models.Q(kind="regular"),
                name="pay_run_regular_once",
            ),
        ]

    def __str__(self) -> str:
        return f"pay run {self.number}"


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

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "attempt", "chunk"], name="attempt_chunk_once")
        ]


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
