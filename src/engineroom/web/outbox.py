"""Mail as files: HOME/outbox, one .eml each, read by any mail program, and by the owner of the home alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from engineroom.kernel.ids import uuid7

LETTER = re.compile(r"<([0-9a-f-]{36})@engineroom>")


class Outbox(BaseEmailBackend):
    """Django's own file backend appends messages to one log; an outbox holds letters."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.OUTBOX_DIR)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for message in email_messages:
            # Handed over twice, as when we are killed before we note the first time, it is one file.
            known = LETTER.match(message.extra_headers.get("Message-ID", ""))
            path = folder / f"{known[1] if known else uuid7()}.eml"
            path.touch(mode=0o600)
            path.write_bytes(message.message().as_bytes(linesep="\r\n"))
        return len(email_messages)
