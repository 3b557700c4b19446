"""Bill runs and invoices as issued."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.openitems.models import Counterparty
from engineroom.timesheets.models import Charge


class BillRun(ClientModel):
    """What is to be billed through a day, bound by the hash of its drafts."""

    number = models.IntegerField()
    through = models.DateField()
    issue_date = models.DateField()
    content_hash = models.BinaryField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="bill_run_number"),
            models.UniqueConstraint(fields=["client", "issue_date", "through"], name="bill_run_once"),
        ]


class Invoice(ClientModel):
    """An issued invoice. Amounts are minor units of `currency`."""

    history = True

    bill_run = ClientKey(BillRun)
    number = models.CharField(max_length=30)
    customer = ClientKey(Counterparty)
    order_number = models.CharField(max_length=40, default="")
    issue_date = models.DateField()
    tax_point = models.DateField()
    due = models.DateField()
    currency = models.CharField(max_length=3)
    net = models.BigIntegerField()
    vat = models.BigIntegerField()
    gross = models.BigIntegerField()
    vat_rule = models.CharField(max_length=200)
    parties = models.JSONField()
    """Supplier and customer as they were at issue: what the invoice prints of them, now and on any later
    print.
    """
    line_count = models.IntegerField()
    """How many lines it was issued with: the database takes no further one, and no invoice without lines."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="invoice_number"),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("vat")), name="invoice_adds_up"
            ),
        ]


class InvoiceLine(ClientModel):
    """A line of an issued invoice: one assignment, one week, one kind of hour, one rate."""

    history = True

    invoice = ClientKey(Invoice, indexed=False)
    line_no = models.IntegerField()
    description = models.CharField(max_length=200)
    assignment_id = models.UUIDField()
    week_ending = models.DateField()
    kind = models.CharField(max_length=10)
    minutes = models.IntegerField()
    rate = models.BigIntegerField()
    net = models.BigIntegerField()
    vat_ppm = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "invoice", "line_no"], name="invoice_line_no")
        ]


class Billed(ClientModel):
    """The charge is on an invoice: once. Its id is the charge's."""

    history = True

    id = None  # type: ignore[assignment]
    charge = ClientKey(
        Charge,
        primary_key=True,
        db_column="id",
        implied="the charges of a line add to it (check_billed)",
    )
    invoice_line = ClientKey(InvoiceLine, implied="the charges of a line add to it (check_billed)")
