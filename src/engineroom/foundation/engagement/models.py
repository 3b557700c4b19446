"""The terms of an engagement, whole in one row, and every one that ever was."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientModel

SERVICES = {
    "payroll": "Payroll",
    "pay_and_bill": "Timesheets and billing",
    "credit_control": "Credit control",
    "payments": "Payments and bank",
    "bookkeeping": "Bookkeeping",
    "advice": "Advice by the hour",
}
"""Service lines that a client may take, with their names."""

BASES = {
    "month": "a month",
    "payslip": "a payslip",
    "invoice": "an invoice",
    "hour": "an hour",
    "included": "included",
}
"""What a price is for. Included: the service is given without a price of its own."""


class Engagement(ClientModel):
    """What was agreed from a day on, until terms of a later day, or later terms of the same day.

    services, bases, prices_minor, levels: a place in each is one service line. No service: it ends that day.
    """

    history = True

    number = models.IntegerField()
    starts = models.DateField()
    agreed_on = models.DateField()
    agreed_with = models.CharField(max_length=200)
    """Who said yes for the client."""
    services = ArrayField(models.CharField(max_length=20))
    bases = ArrayField(models.CharField(max_length=10))
    prices_minor = ArrayField(models.BigIntegerField())
    """In the client's currency, before tax."""
    levels = ArrayField(models.CharField(max_length=300))
    """What is promised of each service: its SLA, in words."""
    data_processing = models.TextField(default="")
    """Whose data, what for, how long, who else sees it (UK GDPR, article 28(3))."""
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="engagement_number"),
            models.CheckConstraint(
                condition=models.Q(services__contained_by=list(SERVICES), bases__contained_by=list(BASES)),
                name="engagement_words_known",
            ),
        ]
        indexes = [models.Index(fields=["client", "starts"], name="engagement_starts")]
