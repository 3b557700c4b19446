"""The words by which things are found."""

from __future__ import annotations

from django.db import models

from engineroom.foundation.tenancy.models import ClientModel


class SearchWord(ClientModel):
    """A word of a thing's name, small letters without accents. Written by trigger from the thing's own row
    (see `operations.Searched`), never by hand."""

    kind = models.CharField(max_length=30)
    subject_id = models.UUIDField()
    word = models.CharField(max_length=40, db_collation="C")

    class Meta:
        indexes = [
            models.Index(fields=["client", "kind", "word"], name="search_word"),
            models.Index(fields=["client", "subject_id"], name="search_word_subject"),
        ]
