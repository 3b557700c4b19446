"""Files taken in, in two phases: what was found in them, and that they were accepted."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.foundation.vault.models import VaultFile


class ImportPreview(ClientModel):
    """A file as read: how many rows, and every problem by row and field. Nothing has been taken from it."""

    history = True

    kind = models.CharField(max_length=50)
    file = ClientKey(VaultFile, indexed=False)
    rows = models.IntegerField()
    errors = models.IntegerField()
    warnings = models.IntegerField()
    problems = models.JSONField(default=list)
    """The first ten thousand, as dictionaries of kernel.errors.Problem."""
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)


class ImportCommit(ClientModel):
    """The file was accepted: once per client, kind and content. The same file again finds this row."""

    history = True

    kind = models.CharField(max_length=50)
    sha256 = models.BinaryField()
    preview = ClientKey(ImportPreview, indexed=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "kind", "sha256"], name="import_once")]
