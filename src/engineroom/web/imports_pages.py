"""Bring files in: any kind of file that any room takes, in two steps. Previewed, then taken or left."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation.access.models import User
from engineroom.foundation.commands import keyed
from engineroom.foundation.imports import services as imports
from engineroom.foundation.imports.models import ImportCommit, ImportPreview
from engineroom.foundation.imports.sheets import Column
from engineroom.foundation.imports.tables import TableImporter
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.payday import steps
from engineroom.ui.display import format_count
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page

LONGEST_NAME_BYTES = 200
RECENT = 20

KIND_WORDS = {
    "money": "an amount: 1,234.50",
    "date": "a day: 2026-11-27",
    "hours": "hours: 7.5 or 7:30",
    "percent": "a percentage: 5%",
    "int": "a whole number",
    "bool": "yes or no",
}


class FileIn(forms.Form):
    """A file and what it is."""

    kind = forms.ChoiceField(label="What it holds")
    file = forms.FileField(
        label="File",
        allow_empty_file=True,
        help_text="CSV or XLSX with headings; a bank statement as camt.053.",
        error_messages={"required": "There is no file. Choose one, or drop it on the form."},
    )

    def __init__(self, kinds: list[imports.Importer], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(i.kind, i.kind.replace("-", " ").capitalize()) for i in kinds]
        self.fields["kind"] = forms.ChoiceField(label="What it holds", choices=choices)


@dataclass(frozen=True)
class KindOfFile:
    """A kind of file with its columns, as (heading, what it holds, whether it must be there)."""

    kind: str
    summary: str
    limit_mb: int
    columns: list[tuple[str, str, bool]]


@page("foundation.read")
def bring_in(request: PageRequest, client: str) -> HttpResponse:
    """The kinds of file that my role may bring in, with their columns, and what was looked at lately."""
    kinds = _my_kinds(request)
    rows = ImportPreview.objects.filter(client_id=current_scope().read[0]).select_related("file")
    recent = list(rows.order_by("-id")[:RECENT])
    users = dict(User.objects.filter(id__in={r.by_user_id for r in recent}).values_list("id", "name"))
    taken = _taken(recent)
    context = {
        "form": form_of(request, FileIn(kinds, initial={"kind": request.GET.get("kind", "")}))
        if kinds
        else None,
        "kinds": [_kind_of_file(i) for i in kinds],
        "recent": [(row, users.get(row.by_user_id, ""), *_state(row, row.id in taken)) for row in recent],
    }
    return render(request, "web/imports.html", context)


@action("foundation.read")
def preview(request: PageRequest, client: str) -> Done:
    """Read the file and say everything that is wrong with it. Nothing is taken."""
    imports.permitted(request.POST.get("kind", ""))
    asked = filled_in(FileIn(_my_kinds(request), request.POST, request.FILES))
    with tempfile.TemporaryDirectory() as folder:
        seen, _ = steps.preview(asked["kind"], _kept(Path(folder), asked["file"]))
    said = (
        f"{seen.file_name} was taken before, to the byte. There is nothing left to do with it."
        if seen.already_taken
        else f"{seen.file_name} is read. Nothing of it is taken yet."
    )
    return Done(
        said,
        to=reverse("import_seen", args=[client, seen.preview_id]),
    )


@page("foundation.read", reads="import_preview")
def seen(request: PageRequest, client: str, preview_id: UUID) -> HttpResponse:
    """What a file holds: counts, every problem by row and field, and whether to take it."""
    rows = ImportPreview.objects.select_related("file")
    row = rows.filter(client_id=current_scope().read[0], id=preview_id).first()
    if row is None:
        raise NotFound("there is no such file")
    request.reading(row.id)
    taken = bool(_taken([row]))
    handler = imports.find_importer(row.kind)
    kind, word = _state(row, taken)
    context = {
        "row": row,
        "taken": taken,
        "state_kind": kind,
        "state": word,
        "problems": [] if taken else [Problem(**p) for p in row.problems],
        "unshown": 0 if taken else row.errors + row.warnings - len(row.problems),
        "may_take": request.may(handler.permission),
        "permission": handler.permission,
        "by": User.objects.filter(id=row.by_user_id).values_list("name", flat=True).first() or "",
    }
    return render(request, "web/import_seen.html", context)


@action("foundation.read")
def take(request: PageRequest, client: str, preview_id: UUID) -> Done:
    """All of it or, on any error, nothing. The importer's own permission is asked by its command."""
    with keyed(request.key):
        done = imports.take(preview_id)
    if done.again:
        return Done(f"{done.file_name} was taken before, to the byte; nothing was done.")
    counts = ", ".join(f"{count:,} {name}" for name, count in done.counts.items())
    return Done(f"{done.file_name} is taken: {counts}.", to=reverse("import_seen", args=[client, preview_id]))


def _my_kinds(request: PageRequest) -> list[imports.Importer]:
    """The kinds of file that my role may bring in."""
    return [i for _, i in sorted(imports.IMPORTERS.items()) if request.may(i.permission)]


def _kind_of_file(handler: imports.Importer) -> KindOfFile:
    columns = handler.columns if isinstance(handler, TableImporter) else ()
    limit_mb = handler.limit_bytes // imports.MEGABYTE
    named = [(c.name, _holds(c), c.required) for c in columns]
    return KindOfFile(handler.kind, handler.summary, limit_mb, named)


def _holds(column: Column) -> str:
    if column.choices:
        return "one of " + ", ".join(column.choices)
    if column.kind == "text" and column.max_length:
        return f"text, up to {format_count(column.max_length, 'letter')}"
    return KIND_WORDS.get(column.kind, column.kind)


def _taken(rows: list[ImportPreview]) -> set[UUID]:
    """Of these, whose very content was taken, from this preview or from another."""
    digests = {bytes(row.file.sha256) for row in rows}
    commits = ImportCommit.objects.filter(client_id=current_scope().read[0], sha256__in=digests)
    known = {(kind, bytes(digest)) for kind, digest in commits.values_list("kind", "sha256")}
    return {row.id for row in rows if (row.kind, bytes(row.file.sha256)) in known}


def _state(row: ImportPreview, taken: bool) -> tuple[str, str]:
    if taken:
        return "done", "Taken"
    if row.errors:
        return "risk", "Cannot be taken"
    return "wait", "Read, not taken"


def _kept(folder: Path, file: UploadedFile) -> Path:
    """The upload under its own name, for messages; the importer holds the limit of its kind."""
    name = Path(file.name or "").name
    if not name or not name.isprintable() or len(name.encode()) > LONGEST_NAME_BYTES:
        raise InputRefused(
            [Problem("the file's name cannot be kept", "Give it a short, plain name", field="file")]
        )
    place = folder / name
    with place.open("wb") as out:
        for block in file.chunks():
            out.write(block)
    return place


urlpatterns = [
    path("c/<str:client>/imports", bring_in, name="imports"),
    path("c/<str:client>/imports/new", preview, name="import_preview"),
    path("c/<str:client>/imports/<uuid:preview_id>", seen, name="import_seen"),
    path("c/<str:client>/imports/<uuid:preview_id>/take", take, name="import_take"),
]
