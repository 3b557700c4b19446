"""Bring files in: any kind of file that any room takes, in two steps. Previewed, then taken or left.

The same pages on two faces: the firm's, and the client's portal, where a contact brings in what their role
may prepare (hours, people) and sees the files of those kinds alone.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from engineroom.foundation.access.models import User
from engineroom.foundation.commands import keyed
from engineroom.foundation.imports import services as imports
from engineroom.foundation.imports.models import ImportCommit, ImportPreview
from engineroom.foundation.imports.sheets import Column
from engineroom.foundation.imports.tables import TableImporter
from engineroom.foundation.tenancy.scope import FACE_OF_KIND, current_client_id
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.payday import steps
from engineroom.timesheets import selectors as timesheets
from engineroom.ui.display import format_count
from engineroom.ui.pages import Done, PageRequest, action, address, filled_in, form_of, page

LONGEST_NAME_BYTES = 200
RECENT = 20
LISTED = 1_000
"""Problems of a file on its page; the API and the command line say all that are kept."""

BY_OTHERS = {"": "", "portal_": "the firm"}
"""Who read a file whose name one may not know: a contact sees no users of the firm."""

WHO_CAN = {
    "": "A specialist or a lead of this client can bring files in.",
    "portal_": "Ask your contact at the firm.",
}

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
        help_text="CSV or XLSX with headings; a bank statement as camt.053, MT940, OFX, BAI2, CSV or QIF.",
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


def _address(request: PageRequest, name: str, *more: object) -> str:
    """A page of these on the face of whoever asks."""
    assert request.client is not None
    return reverse(f"{_prefix(request)}{name}", args=[request.client.code, *more])


def _prefix(request: PageRequest) -> str:
    return "portal_" if FACE_OF_KIND[request.identity.kind] == "client" else ""


def _shown(request: PageRequest) -> QuerySet[ImportPreview]:
    """Files that were looked at. On the portal only of the kinds that the contact may bring in themselves:
    what the firm reads in for the client, tax details or statements, is masked by no page of theirs.
    """
    rows = ImportPreview.objects.filter(client_id=current_client_id()).select_related("file")
    return rows.filter(kind__in=[i.kind for i in _my_kinds(request)]) if _prefix(request) else rows


def _bring_in(request: PageRequest, client: str) -> HttpResponse:
    """The kinds of file that my role may bring in, with their columns, and what was looked at lately."""
    kinds = _my_kinds(request)
    recent = list(_shown(request).order_by("-id")[:RECENT])
    users = dict(User.objects.filter(id__in={r.by_user_id for r in recent}).values_list("id", "name"))
    taken = _taken(recent)
    context = {
        "form": form_of(request, FileIn(kinds, initial={"kind": request.GET.get("kind", "")}))
        if kinds
        else None,
        "kinds": [_kind_of_file(i) for i in kinds],
        "recent": [
            (
                row,
                _address(request, "import_seen", row.id),
                users.get(row.by_user_id) or BY_OTHERS[_prefix(request)],
                *_state(row, row.id in taken),
            )
            for row in recent
        ],
        "preview_url": _address(request, "import_preview"),
        "refused_who": WHO_CAN[_prefix(request)],
    }
    return render(request, "web/imports.html", context)


def _preview(request: PageRequest, client: str) -> Done:
    """Read the file and say everything that is wrong with it. Nothing is taken."""
    imports.permitted(request.POST.get("kind", ""))
    asked = filled_in(FileIn(_my_kinds(request), request.POST, request.FILES))
    with tempfile.TemporaryDirectory() as folder:
        seen, _ = steps.preview(asked["kind"], kept_upload(Path(folder), asked["file"]))
    said = (
        f"{seen.file_name} was taken before, to the byte. There is nothing left to do with it."
        if seen.already_taken
        else f"{seen.file_name} is read. Nothing of it is taken yet."
    )
    return Done(
        said,
        to=_address(request, "import_seen", seen.preview_id),
    )


def _seen(request: PageRequest, client: str, preview_id: UUID) -> HttpResponse:
    """What a file holds: counts, every problem by row and field, and whether to take it."""
    row = _shown(request).filter(id=preview_id).first()
    if row is None:
        raise NotFound("there is no such file")
    request.reading(row.id)
    taken = bool(_taken([row]))
    handler = imports.find_importer(row.kind)
    kind, word = _state(row, taken)
    by = User.objects.filter(id=row.by_user_id).values_list("name", flat=True).first()
    by = by or BY_OTHERS[_prefix(request)]
    context = {
        "row": row,
        "taken": taken,
        "state_kind": kind,
        "state": word,
        "problems": [] if taken else [Problem(**p) for p in row.problems[:LISTED]],
        "unshown": 0 if taken else row.errors + row.warnings - len(row.problems[:LISTED]),
        "may_take": request.may(handler.permission),
        "permission": handler.permission,
        "read_by": f"{row.at:%H:%M} {row.at.tzname()}" + (f", {by}" if by else ""),
        "imports_url": _address(request, "imports"),
        "brings": imports.brings(row) if not taken and not row.errors else [],
        "take_url": _address(request, "import_take", row.id),
        "layout_url": _layout_url(request, row),
        **(_made(request, row) if taken else {}),
    }
    return render(request, "web/import_seen.html", context)


def _layout_url(request: PageRequest, row: ImportPreview) -> str:
    """Where a statement that waits for its layout, or is not as its layout says, gets one."""
    said = [p for p in row.problems if p["field"] == "layout" or "the layout says" in p["problem"]]
    if row.kind != "statement" or not said or request.client is None:
        return ""
    return address("settlement:layout", request.client.code, row.id)


def _made(request: PageRequest, row: ImportPreview) -> dict[str, Any]:
    """The hours that came in with the file, each with its thread, and the file's own."""
    commits = ImportCommit.objects.filter(client_id=row.client_id, kind=row.kind)
    commit = commits.filter(sha256=row.file.sha256).values_list("id", flat=True).first()
    if commit is None or row.kind != "timesheets":
        return {}
    asked = request.GET.get("after", "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
    hours, onward = timesheets.hours_of_import(commit, after=after)
    assert request.client is not None
    return {
        "hours": [(hour, address("thread", request.client.code, "hour", hour.id)) for hour in hours],
        "hours_next": f"{request.path}?after={onward}" if onward else "",
        "import_thread": address("thread", request.client.code, "import", commit),
    }


def _take(request: PageRequest, client: str, preview_id: UUID) -> Done:
    """All of it or, on any error, nothing. The importer's own permission is asked by its command."""
    with keyed(request.key):
        done = imports.take(preview_id)
    if done.again:
        return Done(f"{done.file_name} was taken before, to the byte; nothing was done.")
    counts = ", ".join(f"{count:,} {name}" for name, count in done.counts.items())
    return Done(f"{done.file_name} is taken: {counts}.", to=_address(request, "import_seen", preview_id))


def _my_kinds(request: PageRequest) -> list[imports.Importer]:
    """The kinds of file that my role may bring in."""
    return [i for _, i in sorted(imports.IMPORTERS.items()) if request.may(i.permission)]


def _kind_of_file(handler: imports.Importer) -> KindOfFile:
    columns = handler.columns_here() if isinstance(handler, TableImporter) else ()
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
    commits = ImportCommit.objects.filter(client_id=current_client_id(), sha256__in=digests)
    known = {(kind, bytes(digest)) for kind, digest in commits.values_list("kind", "sha256")}
    return {row.id for row in rows if (row.kind, bytes(row.file.sha256)) in known}


def _state(row: ImportPreview, taken: bool) -> tuple[str, str]:
    if taken:
        return "done", "Taken"
    if row.errors:
        return "risk", "Cannot be taken"
    return "wait", "Read, not taken"


def kept_upload(folder: Path, file: UploadedFile) -> Path:
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


def _addresses(face: str, root: str, prefix: str) -> list[URLPattern]:
    """The four pages on one face."""
    faces = (face,)
    bring_in = page("foundation.read", faces=faces)(_bring_in)
    seen = page("foundation.read", faces=faces, reads="import_preview")(_seen)
    preview = action("foundation.read", faces=faces)(_preview)
    take = action("foundation.read", faces=faces)(_take)
    return [
        path(f"{root}/imports", bring_in, name=f"{prefix}imports"),
        path(f"{root}/imports/new", preview, name=f"{prefix}import_preview"),
        path(f"{root}/imports/<uuid:preview_id>", seen, name=f"{prefix}import_seen"),
        path(f"{root}/imports/<uuid:preview_id>/take", take, name=f"{prefix}import_take"),
    ]


urlpatterns = [
    *_addresses("firm", "c/<str:client>", ""),
    *_addresses("client", "portal/<str:client>", "portal_"),
]
