"""Two-phase imports: preview everything, then take all of it or nothing.

A room registers an importer: what its files look like, how to check them against what is known, and how to take them.

    @importer
    class Timesheets(Importer): ...
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, transaction

from engineroom.foundation import vault
from engineroom.foundation.commands import command
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.imports.models import ImportCommit, ImportPreview
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, errors_of
from engineroom.kernel.ids import uuid7

MEGABYTE = 1 << 20
KEPT_PROBLEMS = 1000


@dataclass
class Parsed:
    """A file's content in the importer's own form, and what is wrong with it."""

    content: Any
    rows: int
    problems: list[Problem] = field(default_factory=list)


class Importer(ABC):
    """One kind of file. `kind` names it on the command line; `permission` is needed to take it."""

    kind: ClassVar[str]
    permission: ClassVar[str]
    limit_bytes: ClassVar[int] = 50 * MEGABYTE
    summary: ClassVar[str]

    @abstractmethod
    def parse(self, path: Path, file_name: str) -> Parsed:
        """Bytes to records, with every problem of form. Touches no database."""

    @abstractmethod
    def check(self, parsed: Parsed) -> list[Problem]:
        """Problems of substance: unknown people, overlaps, limits. Reads the database, writes nothing."""

    @abstractmethod
    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        """Write the rows; everything is in one transaction. Returns counts for the receipt."""


IMPORTERS: dict[str, Importer] = {}
_TAKERS: dict[str, Callable[..., Taken]] = {}


def importer(cls: type[Importer]) -> type[Importer]:
    """Register a kind of file, and the command `<room>.take_<kind>` that accepts it."""
    handler = cls()
    IMPORTERS[cls.kind] = handler
    room = cls.__module__.split(".")[1]

    def take_file(preview_id: UUID) -> Taken:
        return _take(handler, preview_id)

    take_file.__doc__ = f"Accept a previewed file of {cls.kind}."
    take_file.__module__ = cls.__module__
    _TAKERS[cls.kind] = command(cls.permission, name=f"{room}.take_{cls.kind}")(take_file)
    return cls


def find_importer(kind: str) -> Importer:
    if kind not in IMPORTERS:
        raise NotFound(f"there is no import called {kind!r}; there are: {', '.join(sorted(IMPORTERS))}")
    return IMPORTERS[kind]


@dataclass(frozen=True)
class Previewed:
    """What the file holds: nothing has been taken. problems: the first thousand."""

    preview_id: UUID
    kind: str
    file_name: str
    rows: int
    errors: int
    warnings: int
    problems: list[dict[str, Any]]
    already_taken: bool


@dataclass(frozen=True)
class Taken:
    """The receipt of an accepted file. again: the very same content was taken before, and nothing was done."""

    commit_id: UUID
    kind: str
    file_name: str
    counts: dict[str, int]
    again: bool

    @property
    def subject(self) -> str:
        return f"import:{self.commit_id}"


_parsed: dict[tuple[str, bytes], Parsed] = {}
"""What the last previews of this process parsed, so that taking a file does not parse it twice."""


def preview(kind: str, path: Path) -> tuple[Previewed, list[Problem]]:
    """Read a file, keep it in the vault, and say everything that is wrong with it. Takes nothing."""
    handler = find_importer(kind)
    size = path.stat().st_size
    if size > handler.limit_bytes:
        limit = handler.limit_bytes // MEGABYTE
        raise InputRefused(
            [Problem(f"the file has {size / MEGABYTE:.0f} MB; the limit is {limit} MB", "Split it", path.name)]
        )
    file = vault.store(path, name=path.name, kind=f"import.{kind}")
    parsed = _parse(handler, path, path.name, bytes(file.sha256))
    problems = [*parsed.problems, *handler.check(parsed)]
    errors = len(errors_of(problems))
    row = ImportPreview.objects.create(
        client_id=current_scope().client_id,
        kind=kind,
        file=file,
        rows=parsed.rows,
        errors=errors,
        warnings=len(problems) - errors,
        problems=[p.as_dict() for p in problems[:KEPT_PROBLEMS]],
        by_user_id=current_scope().user.id,
    )
    again = _before(kind, bytes(file.sha256)) is not None
    return Previewed(
        row.id, kind, path.name, row.rows, row.errors, row.warnings, list(row.problems), again
    ), problems


def _parse(handler: Importer, path: Path, file_name: str, digest: bytes) -> Parsed:
    key = (handler.kind, digest)
    if key not in _parsed:
        while len(_parsed) >= 4:
            _parsed.pop(next(iter(_parsed)))
        _parsed[key] = handler.parse(path, file_name)
    return _parsed[key]


def take(preview_id: UUID) -> Taken:
    """Accept a previewed file: all of it or, on any error, nothing. The same content again is a no-op.

    Raises InputRefused with every problem; NotPermitted without the importer's permission.
    """
    row = _preview(preview_id)
    if before := _before(row.kind, bytes(row.file.sha256)):
        return Taken(before.id, row.kind, row.file.name, {}, again=True)
    return _TAKERS[row.kind](preview_id)


def _preview(preview_id: UUID) -> ImportPreview:
    row = (
        ImportPreview.objects.select_related("file").filter(id=preview_id, client_id=current_scope().client_id).first()
    )
    if row is None:
        raise NotFound(f"there is no previewed file {preview_id}")
    return row


def _take(handler: Importer, preview_id: UUID) -> Taken:
    row = _preview(preview_id)
    digest = bytes(row.file.sha256)
    parsed = _reparse(handler, row, digest)
    # The world may have moved since the preview: check again, in the transaction that takes.
    problems = [*parsed.problems, *handler.check(parsed)]
    if errors_of(problems):
        raise InputRefused(problems)
    commit_id = uuid7()
    try:
        with transaction.atomic():
            commit = ImportCommit.objects.create(
                id=commit_id, client_id=row.client_id, kind=handler.kind, sha256=digest, preview=row
            )
    except IntegrityError:
        raise Conflict(f"{row.file.name}: somebody is taking this very file at this moment; look again") from None
    counts = handler.take(parsed, commit.id)
    failpoint("import")
    return Taken(commit.id, handler.kind, row.file.name, counts, again=False)


def _reparse(handler: Importer, row: ImportPreview, digest: bytes) -> Parsed:
    if parsed := _parsed.get((handler.kind, digest)):
        return parsed
    with tempfile.NamedTemporaryFile(suffix=Path(row.file.name).suffix) as copy:
        for frame in vault.frames(row.file):
            copy.write(frame)
        copy.flush()
        return _parse(handler, Path(copy.name), row.file.name, digest)


def _before(kind: str, digest: bytes) -> ImportCommit | None:
    return ImportCommit.objects.filter(client_id=current_scope().client_id, kind=kind, sha256=digest).first()
