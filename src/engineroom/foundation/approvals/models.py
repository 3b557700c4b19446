"""Makers, checkers, releasers. Every rule of theirs is a trigger in the migration, not an `if` here."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientKey, ClientModel


class Contribution(ClientModel):
    """Somebody wrote a part of the subject. Filled by trigger from the scope; never by hand or removed."""

    history = True

    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    user_id = models.UUIDField()
    on_behalf_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "subject_kind", "subject_id", "user_id", "on_behalf_id"],
                nulls_distinct=False,
                name="contribution_once",
            )
        ]


class ContributionSource(ClientModel):
    """The subject takes in another one: a run its imports. Whoever made the part is a maker of the whole."""

    history = True

    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    part_kind = models.CharField(max_length=50)
    part_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "subject_kind", "subject_id", "part_kind", "part_id"],
                name="contribution_source_once",
            )
        ]


class Approval(ClientModel):
    """A checker's yes to the exact content, by hash. Who it was is written by trigger from the scope."""

    history = True

    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    content_hash = models.BinaryField()
    user_id = models.UUIDField()
    on_behalf_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["client", "subject_kind", "subject_id"], name="approval_subject")]


class ApprovalVoid(ClientModel):
    """The approval no longer holds, and why. Its id is the approval's."""

    history = True

    approval = ClientKey(Approval, primary_key=True, db_column="id")
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(db_default=Now(), editable=False)
    id = None  # type: ignore[assignment]


class Release(ClientModel):
    """The second permission: let it out. Never by whoever approved it. One per subject."""

    history = True

    subject_kind = models.CharField(max_length=50)
    subject_id = models.UUIDField()
    content_hash = models.BinaryField()
    approval = ClientKey(Approval, indexed=False)
    user_id = models.UUIDField()
    on_behalf_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "subject_kind", "subject_id"], name="release_once")
        ]
