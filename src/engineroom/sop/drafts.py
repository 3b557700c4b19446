"""Texts on the way to a version: read, checked against what is here, saved, published. The only code that
writes procedures."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal
from uuid import UUID

from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.commands import REGISTRY, command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, errors_of, too_long
from engineroom.sop import translation
from engineroom.sop.formats import bpmn, markdown
from engineroom.sop.graph import KEY, Graph, canonical, hash_of, read_canonical
from engineroom.sop.models import FORMATS, Procedure, Version
from engineroom.sop.problems import Surroundings, problems

WORKING_ROLES = tuple(
    name for name, role in ROLES.items() if role.face in ("firm", "work") and name != "auditor"
)
"""Who may be named as doing a step."""

LONGEST_NOTE = 300


@dataclass(frozen=True)
class Checked:
    """A text as it was understood. graph: None while it holds none."""

    graph: Graph | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[Problem]:
        return errors_of(self.problems)

    @property
    def sha256(self) -> str:
        return hash_of(self.graph) if self.graph else ""


def check(text: str, *, format: str = "md", file: str | None = None) -> Checked:
    """Read a text and find what is wrong with it, against the roles, commands and procedures there are."""
    reading = read_text(text, format=format, file=file)
    if reading.graph is None:
        return Checked(None, reading.problems)
    if not KEY.match(reading.graph.key):
        bad = Problem(
            f"{reading.graph.key!r} cannot be a procedure's name",
            "use small letters, digits and underscores, a letter first",
            file,
            1,
            "procedure",
        )
        return Checked(reading.graph, (*reading.problems, bad))
    found = problems(reading.graph, surroundings(), file=file)
    return Checked(reading.graph, (*reading.problems, *found))


def check_alone(text: str, *, format: str, file: str) -> Checked:
    """The same for somebody who has signed in nowhere: published procedures are not looked at."""
    reading = read_text(text, format=format, file=file)
    if reading.graph is None:
        return Checked(None, reading.problems)
    found = problems(reading.graph, Surroundings(WORKING_ROLES, commands(), None), file=file)
    return Checked(reading.graph, (*reading.problems, *found))


def read_text(text: str, *, format: str, file: str | None) -> markdown.Reading:
    """The graph a text of that format says."""
    if format not in FORMATS:
        raise NotFound(f"a procedure is written as {' or '.join(FORMATS)}, not {format!r}")
    if format == "md":
        return markdown.read(text, file=file)
    notes: list[Problem] = []
    for verdict in translation.verdicts(bpmn.read(text.encode(), file or "the model")):
        if verdict.runs:
            return markdown.Reading(verdict.graphs[0], tuple(_said(note, file) for note in verdict.notes))
        notes += [_said(note, file) for note in verdict.notes]
    return markdown.Reading(None, tuple(notes))


def _said(note: translation.Note, file: str | None) -> Problem:
    severity: Literal["error", "warning"] = "error" if note.kind == "cannot" else "warning"
    return Problem(f"{note.element}: {note.why}", note.remedy, file, note.line, severity=severity)


def surroundings() -> Surroundings:
    """What a procedure may name here: roles, commands with their arguments, procedures published or ready."""
    published = set(Version.objects.values_list("procedure__key", flat=True).distinct())
    return Surroundings(WORKING_ROLES, commands(), published | set(library()))


def commands() -> dict[str, list[tuple[str, bool]]]:
    """Registered commands with their arguments, and whether each must be given."""
    return {name: _arguments(name) for name in REGISTRY}


@lru_cache(maxsize=1_000)
def _arguments(name: str) -> list[tuple[str, bool]]:
    signature = inspect.signature(REGISTRY[name].run)
    return [
        (p.name, p.default is inspect.Parameter.empty)
        for p in signature.parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]


@lru_cache(maxsize=1)
def library() -> dict[str, str]:
    """The ready procedures that come with Engineroom: their texts by key."""
    folder = resources.files("engineroom.sop").joinpath("library")
    return {
        file.name.removesuffix(".md"): file.read_text("utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".md")
    }


@lru_cache(maxsize=100)
def check_library(key: str) -> markdown.Reading:
    """A ready procedure as it is read."""
    return markdown.read(library()[key], file=f"{key}.md")


# --- commands -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Saved:
    procedure_id: UUID
    key: str
    errors: int

    @property
    def subject(self) -> str:
        return f"procedure:{self.procedure_id}"


class DraftMoved(Conflict):
    """Somebody else kept another text since this one was begun."""


def mark_of(draft: str) -> str:
    """By which a kept text is known again; empty while none is kept."""
    return hashlib.sha256(draft.encode()).hexdigest() if draft else ""


@command("sop.prepare")
def save_draft(text: str, *, format: str = "md", of: str = "", begun_from: str | None = None) -> Saved:
    """Keep a procedure's text, with whatever is still wrong in it.

    of: the procedure's key, where the text itself cannot say it. begun_from: the mark of the kept text that
    this one was written from. Raises DraftMoved where another is kept meanwhile."""
    return _save(text, format, of, begun_from)


def _save(text: str, format: str, name: str, begun_from: str | None = None) -> Saved:
    access.only_at_home("procedures are written")
    checked = check(text, format=format)
    if checked.graph is None and not name:
        raise InputRefused(checked.problems, "a new text has to say at least which procedure it is")
    if checked.graph is not None and name and checked.graph.key != name:
        raise Conflict(
            f"this text is of the procedure {checked.graph.key}, not of {name}; start a new one with it"
        )
    found = name or (checked.graph.key if checked.graph else "")
    if not KEY.match(found):
        raise InputRefused(checked.problems)
    title = checked.graph.title if checked.graph else found
    Procedure.objects.get_or_create(key=found, defaults={"title": title[:200]})
    row = Procedure.objects.select_for_update().get(key=found)
    if begun_from is not None and row.draft != text and mark_of(row.draft) != begun_from:
        raise DraftMoved(
            "somebody kept another text of this procedure since you began; nothing is lost of either"
        )
    row.draft, row.draft_format = text, format
    row.draft_by_id, row.draft_at = current_scope().user.id, timezone.now()
    if checked.graph:
        row.title = title[:200]
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
        return f"procedure_version:{self.version_id}"


@command("sop.approve")
def publish(text: str, *, format: str = "md", note: str = "", begun_from: str | None = None) -> Published:
    """Freeze a text as the procedure's next version. Raises InputRefused with every error it has."""
    access.only_at_home("procedures are written")
    if problems := too_long("note", note, LONGEST_NOTE):
        raise InputRefused(problems)
    checked = check(text, format=format)
    if checked.graph is None or checked.errors:
        raise InputRefused(checked.problems, f"{len(checked.errors)} errors; nothing was published")
    saved = _save(text, format, checked.graph.key, begun_from)
    row = Procedure.objects.select_for_update().get(id=saved.procedure_id)
    last = row.versions.order_by("-number").first()
    if last and last.sha256 == checked.sha256:
        raise Conflict(f"version {last.number} says exactly this already; there is nothing to publish")
    version = Version.objects.create(
        procedure=row,
        number=last.number + 1 if last else 1,
        format=format,
        source=text,
        graph=canonical(checked.graph).decode(),
        sha256=checked.sha256,
        note=note.strip(),
    )
    return Published(version.id, row.key, version.number, version.sha256)


# --- versions -------------------------------------------------------------------------------------------


@lru_cache(maxsize=500)
def graph_of(version_id: UUID) -> Graph:
    """A version's graph: frozen, so it is read once in a process."""
    text = Version.objects.filter(id=version_id).values_list("graph", flat=True).first()
    if text is None:
        raise NotFound(f"there is no version {version_id}")
    return read_canonical(text.encode())


def procedure_named(key: str) -> Procedure:
    row = Procedure.objects.filter(key=key).first()
    if row is None:
        raise NotFound(f"there is no procedure {key!r}; the ready ones are: {', '.join(library())}")
    return row


def latest(key: str) -> Version:
    """The version that a new case runs."""
    row = Version.objects.filter(procedure__key=key).order_by("-number").first()
    if row is None:
        hint = "publish it first" if key in library() else f"the ready ones are: {', '.join(library())}"
        raise NotFound(f"there is no published procedure {key!r}; {hint}")
    return row


def version_of(version_id: UUID) -> Version:
    """A version by its id. Raises NotFound."""
    row = Version.objects.filter(id=version_id).first()
    if row is None:
        raise NotFound("there is no such version")
    return row


def version_numbered(key: str, number: int) -> Version:
    row = Version.objects.filter(procedure__key=key, number=number).first()
    if row is None:
        raise NotFound(f"there is no version {number} of {key}")
    return row
