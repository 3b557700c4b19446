"""A kept file as a face hands it out."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from engineroom.foundation import vault
from engineroom.foundation.vault.models import VaultFile


def file_answer(file: VaultFile, *, inline: bool = False) -> HttpResponse:
    """The file, proven against its hash: to be kept, or to be looked at in the browser. Nobody caches it."""
    return file_of(vault.read(file), file.name, file.media_type, inline=inline)


def file_of(content: bytes, name: str, media_type: str, *, inline: bool = False) -> HttpResponse:
    """Bytes as a file of that name, made for whoever asked."""
    answer = HttpResponse(content, content_type=media_type)
    kind = "inline" if inline else "attachment"
    answer["Content-Disposition"] = content_disposition_header(not inline, name) or kind
    answer["Cache-Control"] = "no-store"
    return answer


IN_A_ZIP = 250
"""Files handed out as one: some ten megabytes of papers, unsealed and proven within a second."""


def zip_answer(files: Iterable[VaultFile], name: str) -> HttpResponse:
    """Several files in one, each proven against its hash. PDFs are packed already: nothing is pressed."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as packed:
        for file in files:
            packed.writestr(zipfile.ZipInfo(file.name, file.stored_at.timetuple()[:6]), vault.read(file))
    return file_of(whole.getvalue(), name, "application/zip")
