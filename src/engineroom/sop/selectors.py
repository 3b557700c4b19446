"""Questions about procedures, for pages, programs and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, Subquery

from engineroom.foundation.access.models import User
from engineroom.sop import drafts
from engineroom.sop.models import Procedure, Version


@dataclass(frozen=True)
class Listed:
    """A procedure of the list. number: of the latest version; None while nothing is published."""

    key: str
    title: str
    number: int | None
    published_at: datetime | None
    has_draft: bool
    from_library: bool


def procedures() -> list[Listed]:
    """Every procedure of the firm, then the ready ones that it has not taken up."""
    newest = Version.objects.filter(procedure=OuterRef("pk")).order_by("-number")
    rows = Procedure.objects.annotate(
        number=Subquery(newest.values("number")[:1]),
        published_at=Subquery(newest.values("published_at")[:1]),
        source=Subquery(newest.values("source")[:1]),
    ).order_by("title", "key")
    ready = drafts.library()
    found = [
        Listed(
            r.key, r.title, r.number, r.published_at, bool(r.draft) and r.draft != r.source, r.key in ready
        )
        for r in rows
    ]
    known = {row.key for row in found}
    return found + [Listed(key, title_of(key), None, None, False, True) for key in ready if key not in known]


def title_of(key: str) -> str:
    """A ready procedure's title."""
    graph = drafts.check_library(key).graph
    return graph.title if graph else key


def text_of(key: str) -> tuple[str, str]:
    """What an editor begins with, and its format: the draft, else the latest version, else the ready text.

    Raises NotFound.
    """
    row = Procedure.objects.filter(key=key).first()
    if row is None and key in drafts.library():
        return drafts.library()[key], "md"
    row = drafts.procedure_named(key)
    if row.draft:
        return row.draft, row.draft_format
    version = drafts.latest(key)
    return version.source, version.format


def mark_of(key: str) -> str:
    """By which an editor knows the kept text again that it began with."""
    row = Procedure.objects.filter(key=key).first()
    return drafts.mark_of(row.draft) if row else ""


@dataclass(frozen=True)
class VersionListed:
    id: UUID
    number: int
    sha256: str
    note: str
    published_at: datetime
    published_by: str


def versions(key: str) -> list[VersionListed]:
    """A procedure's versions, the newest first."""
    rows = list(Version.objects.filter(procedure__key=key).order_by("-number"))
    names = names_of({row.published_by_id for row in rows})
    return [
        VersionListed(r.id, r.number, r.sha256, r.note, r.published_at, names.get(r.published_by_id, ""))
        for r in rows
    ]


def names_of(ids: set[UUID | None]) -> dict[UUID | None, str]:
    """Users' names by id, of those whom the scope may see."""
    return dict(User.objects.filter(id__in=[i for i in ids if i]).values_list("id", "name"))
