"""Bill runs, invoices as issued, and the bills of suppliers."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.foundation.vault.models import VaultFile
from engineroom.ledger.models import Account, Entry
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


BILL_STATES = ("draft", "posted", "withdrawn", "reversed")


class SupplierBill(ClientModel):
    """What a supplier asks for, a credit note negative. Amounts are minor units of `currency`.

    A draft owes nothing: once another person approved exactly its content it is posted, and frozen.
    """

    number = models.IntegerField()
    """Ours, in the order in which they came."""
    supplier = ClientKey(Counterparty)
    reference = models.CharField(max_length=60)
    """The supplier's own number of it."""
    issue_date = models.DateField()
    due = models.DateField()
    currency = models.CharField(max_length=3)
    net = models.BigIntegerField()
    vat = models.BigIntegerField()
    gross = models.BigIntegerField()
    note = models.CharField(max_length=300, default="")
    source = models.CharField(max_length=10)
    file = ClientKey(VaultFile, null=True, indexed=False)
    """The e-invoice that it was read from."""
    exchange_id = models.UUIDField(null=True)
    """Of a mirror: the invoice of another client of the firm that it is the other side of."""
    exchange_client_id = models.UUIDField(null=True)
    """Whose invoice that is."""
    line_count = models.IntegerField()
    content_hash = models.BinaryField()
    state = models.CharField(max_length=10, default="draft")
    reason = models.CharField(max_length=300, default="")
    """Why it was withdrawn."""
    entry = ClientKey(Entry, null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="supplier_bill_number"),
            models.UniqueConstraint(
                fields=["client", "supplier", "reference"],
                condition=models.Q(state__in=("draft", "posted")),
                name="supplier_bill_once",
            ),
            models.UniqueConstraint(
                fields=["client", "exchange_id"],
                condition=models.Q(exchange_id__isnull=False),
                name="supplier_bill_mirrored_once",
            ),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("vat")) & ~models.Q(gross=0),
                name="supplier_bill_adds_up",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("draft", "withdrawn"), entry__isnull=True)
                | models.Q(state__in=("posted", "reversed"), entry__isnull=False),
                name="supplier_bill_posted",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    source="mirror", exchange_id__isnull=False, exchange_client_id__isnull=False
                )
                | models.Q(
                    source__in=("hand", "einvoice"), exchange_id__isnull=True, exchange_client_id__isnull=True
                ),
                name="supplier_bill_source_known",
            ),
        ]

    def __str__(self) -> str:
        return f"supplier bill {self.number}"


class SupplierBillLine(ClientModel):
    """A line of a supplier's bill: what it is for, and the account that it goes to."""

    bill = ClientKey(SupplierBill, indexed=False)
    line_no = models.IntegerField()
    description = models.CharField(max_length=200)
    net = models.BigIntegerField()
    account = ClientKey(Account, indexed=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "bill", "line_no"], name="supplier_bill_line_no")
        ]


class InvoiceMirror(ClientModel):
    """That an invoice has another side: the draft bill of the client of the firm that it bills.

    document_id: that bill's id, none while it is pending. problem: why it could not be written yet.
    """

    id = None  # type: ignore[assignment]
    invoice = ClientKey(Invoice, primary_key=True, db_column="id")
    to_client_id = models.UUIDField()
    document_id = models.UUIDField(null=True)
    problem = models.CharField(max_length=500, default="")
    at = models.DateTimeField(db_default=Now(), editable=False)


class MarginFloor(ClientModel):
    """The least that a rate leaves of the bill after the on-costs of a week, from a day on."""

    starts = models.DateField()
    ends = models.DateField(null=True)
    floor_ppm = models.BigIntegerField()
    week_minutes = models.IntegerField()
    with_levy = models.BooleanField()
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(floor_ppm__gte=0, floor_ppm__lt=1_000_000, week_minutes__gte=1),
                name="margin_floor_values",
            )
        ]


class BelowFloor(ClientModel):
    """Somebody allowed a rate below the floor: this one, for others to enter."""

    history = True

    customer = ClientKey(Counterparty)
    role = models.CharField(max_length=100)
    pay_rate = models.BigIntegerField()
    bill_rate = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope."""
    at = models.DateTimeField(db_default=Now(), editable=False)
