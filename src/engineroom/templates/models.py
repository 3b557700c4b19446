"""Templates and their frozen versions; which client follows which, what it has otherwise, and what became of
it in an action over many."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import ClientModel, FirmModel

ACTIONS = ("follow", "apply", "rehearse")
OUTCOMES = ("done", "partly", "nothing", "failed")


class Template(FirmModel):
    """What many clients have alike, by name, and the text that is being worked on. Clients follow versions,
    never this."""

    key = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=200)
    draft = models.TextField(default="")
    draft_by_id = models.UUIDField(null=True)
    draft_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.title


class Version(FirmModel):
    """A template as published: its text, what it says in canonical form, and the hash of that. For ever.

    PostgreSQL checks the hash, and writes who and when.
    """

    history = True

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    source = models.TextField()
    content = models.TextField()
    sha256 = models.CharField(max_length=64)
    note = models.CharField(max_length=300, default="")
    published_by_id = models.UUIDField(null=True)
    published_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_number"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class Following(ClientModel):
    """From now on the client follows this version, or, without one, none. The latest row counts.

    version_id: no key, so that hundreds of clients do not queue at the row of one version; a guard checks it.
    """

    history = True

    version_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["client", "at"], name="template_following_at")]


class OwnValue(ClientModel):
    """What the client has otherwise than its template, and why; where it does not stand, that this is over.

    field: empty where the client is without the item as a whole. Of one address the latest row counts.
    """

    history = True

    part = models.CharField(max_length=40)
    item = models.CharField(max_length=60)
    field = models.CharField(max_length=40, default="")
    value = models.CharField(max_length=300, default="")
    stands = models.BooleanField(default=True)
    reason = models.CharField(max_length=300)
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["client", "part", "item", "field", "at"], name="template_own_value")]


class Outcome(ClientModel):
    """What became of this client when a version was applied, alone or in an action over many; kept once.

    outcome: done; partly, where something cannot be changed; nothing to do; or failed, and words say why.
    changed, kept, cannot: a line each, for people. cannot_items: `part/item` of what could not be changed.
    starts: from which day; None in rows of before it was kept.
    """

    history = True

    batch_id = models.UUIDField()
    action = models.CharField(max_length=10)
    version_id = models.UUIDField()
    starts = models.DateField(null=True)
    outcome = models.CharField(max_length=10)
    words = models.CharField(max_length=2000, default="")
    changed = ArrayField(models.TextField())
    kept = ArrayField(models.TextField())
    cannot = ArrayField(models.TextField())
    cannot_items = ArrayField(models.TextField())
    by_user_id = models.UUIDField()
    """Set by trigger from the scope, as is `at`: whoever did it, or on whose behalf the system did."""
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "batch_id"], name="template_outcome_once"),
            models.CheckConstraint(condition=models.Q(action__in=ACTIONS), name="template_action_known"),
            models.CheckConstraint(condition=models.Q(outcome__in=OUTCOMES), name="template_outcome_known"),
        ]
        indexes = [models.Index(fields=["client", "at"], name="template_outcome_at")]
