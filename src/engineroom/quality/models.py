"""Promises and hours as they were agreed, each a row that is never changed: the latest counts."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientModel


class Promise(ClientModel):
    """So many working seconds for a case of a procedure; without one, of any that has none of its own.

    The latest row of a procedure counts, for cases that run as well; a row with budget_s 0 ends the promise.
    """

    history = True

    procedure_key = models.CharField(max_length=60, default="")
    name = models.CharField(max_length=100)
    budget_s = models.IntegerField()
    pause_reasons = ArrayField(models.CharField(max_length=20))
    warn_percent = models.SmallIntegerField(default=80)
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(budget_s__gte=0), name="promise_budget"),
            models.CheckConstraint(
                condition=models.Q(warn_percent__gte=1, warn_percent__lte=100), name="promise_warn"
            ),
        ]
        indexes = [models.Index(fields=["client", "at"], name="promise_at")]


class Hours(ClientModel):
    """When the client's work counts, as `sop.hours` writes it. whole: a correction of all that was."""

    history = True

    definition = models.JSONField()
    whole = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, default="")
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["client", "at"], name="hours_at")]
