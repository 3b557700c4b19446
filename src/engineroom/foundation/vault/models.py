"""Files kept: imported, issued, sent."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientModel


class VaultFile(ClientModel):
    """One file of one client. The bytes lie encrypted under their SHA-256; two rows may share them."""

    history = True

    sha256 = models.BinaryField()
    size = models.BigIntegerField()
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=100)
    kind = models.CharField(max_length=50)
    """What it is: `import.timesheets`, `payroll.payslip`, `settlement.bacs18`, ..."""
    subject_id = models.UUIDField(null=True)
    stored_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["client", "kind", "subject_id"], name="vault_file_subject"),
            models.Index(fields=["client", "sha256"], name="vault_file_content"),
        ]
