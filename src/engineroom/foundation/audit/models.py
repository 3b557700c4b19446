"""What happened, who did it; and the chain that shows nobody changed it since."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientModel


class AuditEvent(ClientModel):
    """One thing done or one private thing read. verb is a command's name, or `read` of named columns."""

    history = True

    at = models.DateTimeField(db_default=Now(), editable=False)
    user_id = models.UUIDField()
    on_behalf_id = models.UUIDField(null=True)
    verb = models.CharField(max_length=100)
    subject_kind = models.CharField(max_length=50, default="")
    subject_id = models.UUIDField(null=True)
    detail = models.JSONField(default=dict)
    xact = models.BigIntegerField()
    """The transaction that wrote it, set by trigger: nothing is sealed that may yet get an earlier one."""

    class Meta:
        indexes = [
            models.Index(fields=["client", "at"], name="audit_event_at"),
            models.Index(fields=["client", "subject_kind", "subject_id"], name="audit_event_subject"),
            # What changed since: foundation/kept.py asks it for every page of many clients.
            models.Index(fields=["xact"], name="audit_event_change", condition=~models.Q(verb="read")),
        ]


class AuditUnsealed(ClientModel):
    """The sealer's queue: its id is the event's. Filled by trigger, emptied by the sealer."""


class AuditSeal(ClientModel):
    """A link of the client's chain: hash of the link before and of the event. Its id is the event's."""

    history = True

    seal_no = models.BigIntegerField()
    hash = models.BinaryField()
    sealed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "seal_no"], name="audit_seal_no")]
