"""A kept file as a face hands it out."""

from __future__ import annotations

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
