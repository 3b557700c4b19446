"""Numbers for people: gapless per client and series."""

from __future__ import annotations

from django.db import models

from engineroom.foundation.tenancy.models import ClientModel


class NumberSeries(ClientModel):
    """The next number of one series of one client."""

    series = models.CharField(max_length=50)
    next_number = models.BigIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "series"], name="number_series_once")]
