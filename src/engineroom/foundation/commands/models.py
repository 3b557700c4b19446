"""The record that makes a command happen once."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientModel


class CommandRun(ClientModel):
    """A command carried out: its key, the hash of what was asked, and what was answered."""

    history = True

    name = models.CharField(max_length=100)
    key = models.CharField(max_length=400)
    request_hash = models.BinaryField()
    result = models.JSONField(null=True)
    user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "name", "key"], name="command_once")]
