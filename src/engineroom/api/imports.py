"""Files taken in, in two steps: previewed, then taken."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile as Uploaded
from django.http import HttpRequest
from ninja import File, Query, Schema
from ninja.files import UploadedFile

from engineroom.foundation.api import (
    ERRORS_OF_COMMANDS,
    Code,
    InputProblem,
    Name,
    Page,
    PageAsked,
    Room,
    answers,
    caller_of,
    client_of,
    cut,
    log_read,
    one,
)
from engineroom.foundation.imports import services
from engineroom.foundation.imports.models import ImportCommit, ImportPreview
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import acting, current_scope
from engineroom.kernel.errors import InputRefused, NotPermitted, Problem
from engineroom.payday import steps

LONGEST_NAME_BYTES = 200

router = Room("foundation")


class ImporterOut(Schema):
    """A kind of file that can be taken in."""

    kind: str
    summary: str
    limit_bytes: int
    permission: str
    permitted: bool


class ImportersOut(Schema):
    """The kinds of file, and whether the caller may take them here."""

    items: list[ImporterOut]


class PreviewOut(Schema):
    """What a file holds. Nothing was taken of it by looking."""

    id: UUID
    kind: str
    file_name: str
    rows: int
    errors: int
    warnings: int
    taken: bool


class PreviewDetailOut(PreviewOut):
    """A preview with every problem by row and field: the first ten thousand."""

    problems: list[InputProblem]


class PreviewListedOut(PreviewOut):
    """A preview, and when and by whom."""

    at: datetime
    by_user_id: UUID


@router.read("/imports", ImportersOut, "Kinds of file")
def importers(client: Client) -> ImportersOut:
    """What can be taken in, under which limit."""
    scope = current_scope()
    return ImportersOut(
        items=[
            ImporterOut(
                kind=kind,
                summary=handler.summary,
                limit_bytes=handler.limit_bytes,
                permission=handler.permission,
                permitted=scope.may(handler.permission),
            )
            for kind, handler in sorted(services.IMPORTERS.items())
        ]
    )


@router.read("/import-previews", Page[PreviewListedOut], "Previewed files, latest first")
def previews(client: Client, page: Query[PageAsked], kind: Name | None = None) -> Page[PreviewListedOut]:
    """Files that were looked at, and whether they were taken."""
    rows = ImportPreview.objects.filter(client_id=client.id).select_related("file")
    if kind:
        rows = rows.filter(kind=kind)
    found, onward = cut(rows, page, by="id", latest_first=True)
    taken = _taken(client, found)
    return Page(
        items=[
            PreviewListedOut(**_preview(row, row.id in taken).dict(), at=row.at, by_user_id=row.by_user_id)
            for row in found
        ],
        next=onward,
    )


@router.read("/import-previews/{preview_id}", PreviewDetailOut, "One previewed file with its problems")
def import_preview(client: Client, preview_id: UUID) -> PreviewDetailOut:
    """Every problem by row and field, and what to do about it."""
    row = one(ImportPreview.objects.select_related("file"), "previewed file", preview_id)
    log_read("import_preview", row.id, "problems of a file", len(row.problems))
    out = _preview(row, bool(_taken(client, [row])))
    return PreviewDetailOut(**out.dict(), problems=[InputProblem(**p) for p in row.problems])


def _taken(client: Client, rows: list[ImportPreview]) -> set[UUID]:
    """Of these, whose very content was taken, from this preview or another."""
    digests = {bytes(row.file.sha256) for row in rows}
    commits = ImportCommit.objects.filter(client_id=client.id, sha256__in=digests)
    known = {(kind, bytes(digest)) for kind, digest in commits.values_list("kind", "sha256")}
    return {row.id for row in rows if (row.kind, bytes(row.file.sha256)) in known}


def _preview(row: ImportPreview, taken: bool) -> PreviewOut:
    return PreviewOut(
        id=row.id,
        kind=row.kind,
        file_name=row.file.name,
        rows=row.rows,
        errors=row.errors,
        warnings=row.warnings,
        taken=taken,
    )


@router.post(
    "/imports/{kind}",
    response=answers(PreviewDetailOut, [e for e in ERRORS_OF_COMMANDS if e not in (409, 428)]),
    summary="Preview a file",
    operation_id="foundation.preview",
)
def preview(request: HttpRequest, code: Code, kind: Name, file: File[UploadedFile]) -> PreviewDetailOut:
    """Read a file and say everything that is wrong with it. Nothing is taken, so it needs no key."""
    caller = caller_of(request)
    client = client_of(caller, code)
    with tempfile.TemporaryDirectory() as folder:
        with acting(caller, write=client.id):
            services.permitted(kind)
        path = _beside(Path(folder), file)
        with acting(caller, write=client.id):
            seen, problems = steps.preview(kind, path)
    return PreviewDetailOut(
        id=seen.preview_id,
        kind=seen.kind,
        file_name=seen.file_name,
        rows=seen.rows,
        errors=seen.errors,
        warnings=seen.warnings,
        taken=seen.already_taken,
        problems=[InputProblem(**p.as_dict()) for p in problems[: services.KEPT_PROBLEMS]],
    )


def _beside(folder: Path, file: Uploaded) -> Path:
    """The upload under its own name, for messages; the importer itself holds the limit of its kind."""
    name = Path(file.name or "").name
    if not name or not name.isprintable() or len(name.encode()) > LONGEST_NAME_BYTES:
        raise InputRefused([Problem("the file's name cannot be kept", "Give it a short, plain name")])
    path = folder / name
    with path.open("wb") as out:
        for block in file.chunks():
            out.write(block)
    return path


@router.command(
    "/import-previews/{preview_id}/take",
    services.Taken,
    "Take a previewed file",
    permission=None,
)
def take(client: Client, preview_id: UUID) -> services.Taken:
    """All of it or, on any error, nothing. The same content again does nothing."""
    scope = current_scope()
    if not any(scope.may(handler.permission) for handler in services.IMPORTERS.values()):
        raise NotPermitted(f"{scope.user.email} takes in no files here")
    return services.take(preview_id)
