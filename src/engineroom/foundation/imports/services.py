"""Two-phase imports: preview everything, then take all of it or nothing.

A room registers an importer: what its files look like, how to check them against what is known, and how to
take them.

    @importer
    class Timesheets(Importer): ...
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, transaction

from engineroom.foundation import vault
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import command
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.imports.models import ImportCommit, ImportPreview
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import (
    Conflict,
    InputRefused,
    NotFound,
    NotPermitted,
    Problem,
    by_row,
    errors_of,
)

MEGABYTE = 1 << 20
KEPT_PROBLEMS = 10_000
"""More than a file of five thousand rows has, so that all of them are mended at once."""


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
        """Bytes to records, with every problem of form. Reads of the database what the client is alone."""

    @abstractmethod
    def check(self, parsed: Parsed) -> list[Problem]:
        """Problems of substance: unknown people, overlaps, limits. Reads the database, writes nothing."""

    @abstractmethod
    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        """Write the rows; everything is in one transaction. Returns counts for the receipt."""

    def brings(self, parsed: Parsed) -> list[tuple[str, str]]:
        """What taking a file without errors would change, in words: what, and how much."""
        return []

    def again(self, commit: ImportCommit) -> str:
        """Why a file that was taken before, to the byte, is no longer what stands; empty where it is."""
        return ""


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
    """What the file holds: nothing has been taken. problems: the first ten thousand."""

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
    """The receipt of an accepted file. again: the very same content was taken before; nothing was done."""

    commit_id: UUID
    kind: str
    file_name: str
    counts: dict[str, int]
    again: bool

    @property
    def subject(self) -> str:
        return f"import:{self.commit_id}"


_parsed: dict[tuple[UUID, str, bytes, str], Parsed] = {}
"""What the last previews of this process parsed, so that taking a file does not parse it twice. By client
too: what one client's file is called is none of another's business."""
_parsed_lock = Lock()
KEPT_PARSED = 4


def permitted(kind: str) -> Importer:
    """The importer, if the acting user may use it here. Raises NotFound or NotPermitted."""
    handler = find_importer(kind)
    scope = current_scope()
    if not scope.may(handler.permission, scope.client_id):
        raise NotPermitted(
            f"{scope.user.email} may not import {kind} here: it needs the permission {handler.permission}"
        )
    return handler


def preview(kind: str, path: Path) -> tuple[Previewed, list[Problem]]:
    """Read a file, keep it in the vault, and say everything that is wrong with it. Takes nothing.

    Works on a copy of its own, so that what was judged, what is kept and what will be taken are the same
    bytes. Raises InputRefused over the limit; NotPermitted without the importer's permission.
    """
    handler, scope = permitted(kind), current_scope()
    with _copied(path, handler.limit_bytes) as copy:
        file = vault.store(copy, name=path.name, kind=f"import.{kind}")
        parsed = _parse(handler, file, copy)
    problems = by_row([*parsed.problems, *handler.check(parsed)])
    errors = len(errors_of(problems))
    row = ImportPreview.objects.create(
        client_id=scope.client_id,
        kind=kind,
        file=file,
        rows=parsed.rows,
        errors=errors,
        warnings=len(problems) - errors,
        problems=[p.as_dict() for p in problems[:KEPT_PROBLEMS]],
        by_user_id=scope.user.id,
    )
    audit.record(
        "foundation.preview",
        subject_kind="import_preview",
        subject_id=row.id,
        detail={"kind": kind, "sha256": bytes(file.sha256).hex(), "rows": parsed.rows, "errors": errors},
    )
    again = _before(kind, bytes(file.sha256)) is not None
    return Previewed(
        row.id, kind, path.name, row.rows, row.errors, row.warnings, list(row.problems), again
    ), problems


@contextmanager
def _copied(path: Path, limit_bytes: int) -> Iterator[Path]:
    """The file as it is at this moment, under a private name. Refuses what is no file or over the limit."""
    if not path.is_file():
        raise InputRefused([Problem("there is no such file", "Check the name", path.name)])
    with path.open("rb") as source, tempfile.NamedTemporaryFile(suffix=path.suffix) as copy:
        size = 0
        while block := source.read(MEGABYTE):
            size += len(block)
            if size > limit_bytes:
                limit = limit_bytes // MEGABYTE
                raise InputRefused(
                    [Problem(f"the file has more than {limit} MB, which is the limit", "Split it", path.name)]
                )
            copy.write(block)
        copy.flush()
        yield Path(copy.name)


def _parse(handler: Importer, file: VaultFile, path: Path) -> Parsed:
    key = (file.client_id, handler.kind, bytes(file.sha256), file.name)
    with _parsed_lock:
        known = _parsed.get(key)
    if known is not None:
        return known
    parsed = handler.parse(path, file.name)
    with _parsed_lock:
        while len(_parsed) >= KEPT_PARSED:
            _parsed.pop(next(iter(_parsed)))
        _parsed[key] = parsed
    return parsed


def take(preview_id: UUID) -> Taken:
    """Accept a previewed file: all of it or, on any error, nothing. The same content again is a no-op.

    Raises InputRefused with every problem; NotPermitted without the importer's permission.
    """
    return _TAKERS[_preview(preview_id).kind](preview_id)


def brings(preview: ImportPreview) -> list[tuple[str, str]]:
    """What taking a previewed file without errors would change, in words."""
    handler = find_importer(preview.kind)
    return handler.brings(_reparse(handler, _file_of(preview)))


def _preview(preview_id: UUID) -> ImportPreview:
    row = (
        ImportPreview.objects.select_related("file")
        .filter(id=preview_id, client_id=current_scope().client_id)
        .first()
    )
    if row is None:
        raise NotFound(f"there is no previewed file {preview_id}")
    return row


def _take(handler: Importer, preview_id: UUID) -> Taken:
    row = _preview(preview_id)
    file = _file_of(row)
    digest = bytes(file.sha256)
    commit = _claim(handler, row, digest)
    if commit is None:
        before = _before(handler.kind, digest)
        assert before is not None, "the claim was refused, so whoever holds it has committed"
        if passed := handler.again(before):
            raise Conflict(passed)
        return Taken(before.id, handler.kind, file.name, {}, again=True)
    # Whoever uploaded the file is a maker of what comes of it, also when somebody else takes it.
    approvals.takes_in("import", commit.id, "import_preview", [row.id])
    parsed = _reparse(handler, file)
    # The world may have moved since the preview: check again, in the transaction that takes.
    problems = by_row([*parsed.problems, *handler.check(parsed)])
    if errors_of(problems):
        raise InputRefused(problems)
    counts = handler.take(parsed, commit.id)
    with _parsed_lock:
        _parsed.pop((file.client_id, handler.kind, digest, file.name), None)
    failpoint("import")
    return Taken(commit.id, handler.kind, file.name, counts, again=False)


def _file_of(row: ImportPreview) -> VaultFile:
    file = row.file  # a ClientKey: the checker does not know what it leads to
    assert isinstance(file, VaultFile)
    return file


def _claim(handler: Importer, row: ImportPreview, digest: bytes) -> ImportCommit | None:
    """The one row that says this content is taken; None when it stands already. Of two, one waits here."""
    try:
        with transaction.atomic():
            return ImportCommit.objects.create(
                client_id=row.client_id, kind=handler.kind, sha256=digest, preview=row
            )
    except IntegrityError:
        return None


def _reparse(handler: Importer, file: VaultFile) -> Parsed:
    with _parsed_lock:
        parsed = _parsed.get((file.client_id, handler.kind, bytes(file.sha256), file.name))
    if parsed is not None:
        return parsed
    with tempfile.NamedTemporaryFile(suffix=Path(file.name).suffix) as copy:
        for frame in vault.frames(file):
            copy.write(frame)
        copy.flush()
        return _parse(handler, file, Path(copy.name))


def _before(kind: str, digest: bytes) -> ImportCommit | None:
    return ImportCommit.objects.filter(client_id=current_scope().client_id, kind=kind, sha256=digest).first()
