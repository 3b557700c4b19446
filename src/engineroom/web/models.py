"""Links that open one thing once. Everything else that pages show belongs to a room below."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel
from engineroom.people.models import Person


class Link(ClientModel):
    """What a mail leads to: one thing of one client, for one user or one person, until a moment.

    Of its token only the SHA-256 is kept. It reads and never approves: who forwards a mail forwards its link.
    """

    history = True

    sha256 = models.BinaryField()
    kind = models.CharField(max_length=20)
    """payslip or pay_run: what opens it is in `links.OPENS`."""
    subject_id = models.UUIDField()
    for_user_id = models.UUIDField(null=True)
    for_person = ClientKey(Person, null=True)
    """Whom it was sent to: a user, or a person who has no login."""
    address = models.EmailField()
    expires_at = models.DateTimeField()
    by_user_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "sha256"], name="link_token"),
            models.CheckConstraint(
                condition=models.Q(for_user_id__isnull=False) | models.Q(for_person__isnull=False),
                name="link_is_for_somebody",
            ),
        ]
        indexes = [models.Index(fields=["client", "kind", "subject_id"], name="link_subject")]


class LinkUse(ClientModel):
    """The link was opened. Its id is the link's, so there is never a second one."""

    history = True

    id = None  # type: ignore[assignment]
    link = ClientKey(Link, primary_key=True, db_column="id")
    at = models.DateTimeField(db_default=Now(), editable=False)
