"""Texts on the way to a version: checked, saved, published. The only code that writes templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, too_long
from engineroom.sop.drafts import DraftMoved, mark_of
from engineroom.sop.graph import KEY
from engineroom.templates import document
from engineroom.templates.models import Template, Version

LONGEST_NOTE = 300
WRITTEN = "templates are written"


@dataclass(frozen=True)
class Saved:
    template_id: UUID
    key: str
    errors: int

    @property
    def subject(self) -> str:
        return f"template:{self.template_id}"


@command("templates.prepare")
def save_draft(text: str, *, of: str = "", begun_from: str | None = None) -> Saved:
    """Keep a template's text, with whatever is still wrong in it.

    of: the template's key, where the text itself cannot say it. begun_from: the mark of the kept text that
    this one was written from. Raises DraftMoved where another is kept meanwhile."""
    return _save(text, of, begun_from)


def _save(text: str, of: str, begun_from: str | None) -> Saved:
    access.only_at_home(WRITTEN)
    checked = document.check(text)
    said = checked.template.key if checked.template else ""
    if not said and not of:
        raise InputRefused(checked.problems, "a new text has to say at least which template it is")
    if said and of and said != of:
        raise Conflict(f"this text is of the template {said}, not of {of}; start a new one with it")
    key = of or said
    if not KEY.match(key):
        raise InputRefused(checked.problems)
    Template.objects.get_or_create(key=key, defaults={"title": key})
    row = Template.objects.select_for_update().get(key=key)
    if begun_from is not None and row.draft != text and mark_of(row.draft) != begun_from:
        raise DraftMoved(
            "somebody kept another text of this template since you began; nothing is lost of either"
        )
    row.draft, row.draft_by_id, row.draft_at = text, current_scope().user.id, timezone.now()
    if checked.template:
        row.title = checked.template.title[: document.LONGEST_TITLE] or key
    row.save()
    return Saved(row.id, row.key, len(checked.errors))


@dataclass(frozen=True)
class Published:
    version_id: UUID
    key: str
    number: int
    sha256: str

    @property
    def subject(self) -> str:
        return f"template_version:{self.version_id}"


@command("templates.approve")
def publish(text: str, *, note: str = "", begun_from: str | None = None) -> Published:
    """Freeze a text as the template's next version. Raises InputRefused with every error it has."""
    access.only_at_home(WRITTEN)
    if problems := too_long("note", note, LONGEST_NOTE):
        raise InputRefused(problems)
    checked = document.check(text)
    if checked.template is None or checked.errors:
        raise InputRefused(checked.problems, f"{len(checked.errors)} errors; nothing was published")
    saved = _save(text, checked.template.key, begun_from)
    row = Template.objects.select_for_update().get(id=saved.template_id)
    last = row.versions.order_by("-number").first()
    if last and last.sha256 == checked.sha256:
        raise Conflict(f"version {last.number} says exactly this already; there is nothing to publish")
    version = Version.objects.create(
        template=row,
        number=last.number + 1 if last else 1,
        source=text,
        content=document.canonical(checked.template),
        sha256=checked.sha256,
        note=note.strip(),
    )
    return Published(version.id, row.key, version.number, version.sha256)


# --- versions -------------------------------------------------------------------------------------------


@lru_cache(maxsize=500)
def template_of(version_id: UUID) -> document.Template:
    """What a version says: frozen, so it is read once in a process."""
    text = Version.objects.filter(id=version_id).values_list("content", flat=True).first()
    if text is None:
        raise NotFound(f"there is no version {version_id}")
    return document.read_canonical(text)


def template_named(key: str) -> Template:
    row = Template.objects.filter(key=key).first()
    if row is None:
        raise NotFound(f"there is no template {key!r}")
    return row


def version_numbered(key: str, number: int | None = None) -> Version:
    """A version of a template, the latest without a number. Raises NotFound."""
    rows = Version.objects.filter(template__key=key).select_related("template")
    row = (rows.filter(number=number) if number is not None else rows.order_by("-number")).first()
    if row is None:
        raise NotFound(f"there is no version {number} of {key}" if number else f"{key} is not published yet")
    return row
