"""Procedures and their frozen versions."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from engineroom.foundation.tenancy.models import FirmModel

FORMATS = ("md", "bpmn")


class Procedure(FirmModel):
    """What the firm does, by name, and the text that is being worked on. Cases run versions, never this."""

    key = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=200)
    draft = models.TextField(default="")
    draft_format = models.CharField(max_length=4, choices=[(f, f) for f in FORMATS], default="md")
    draft_by_id = models.UUIDField(null=True)
    draft_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.title


class Version(FirmModel):
    """A procedure as published: its text, its graph in canonical form, and the graph's hash. For ever.

    PostgreSQL checks the hash, writes who and when, and takes the steps out of the graph by itself.
    """

    history = True

    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    format = models.CharField(max_length=4, choices=[(f, f) for f in FORMATS], default="md")
    source = models.TextField()
    graph = models.TextField()
    sha256 = models.CharField(max_length=64)
    note = models.CharField(max_length=300, default="")
    published_by_id = models.UUIDField(null=True)
    published_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["procedure", "number"], name="version_number"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class VersionStep(FirmModel):
    """What the guards have to know of a step. Written by PostgreSQL from the version's graph; by nobody else.

    needs: keys of the evidence and checks without which the step is not done.
    """

    history = True

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    four_eyes = models.BooleanField()
    may_skip = models.BooleanField()
    needs = ArrayField(models.TextField())
    apart_from = ArrayField(models.TextField())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="version_step_key")]
