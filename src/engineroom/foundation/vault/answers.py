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
    answer = HttpResponse(vault.read(file), content_type=file.media_type)
    kind = "inline" if inline else "attachment"
    answer["Content-Disposition"] = content_disposition_header(not inline, file.name) or kind
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
    answer = HttpResponse(whole.getvalue(), content_type="application/zip")
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    answer["Cache-Control"] = "no-store"
    return answer
