"""Requests answered by replying to the mail that asked: a reply is known by the reference it carries, counts
as its reader's answer, and uses up the link in it. A mail that is no whole answer changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage as Letter
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from engineroom.foundation import vault
from engineroom.foundation.access import services as access
from engineroom.foundation.refusals import refusal
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import EngineroomError, InputRefused, NotFound, NotPermitted
from engineroom.sop import services
from engineroom.sop.evidence import keep_file
from engineroom.sop.graph import Step
from engineroom.web import links
from engineroom.web.links import REFERENCE
from engineroom.web.request_pages import KIND, find_request


@dataclass(frozen=True)
class Answered:
    """What became of one mail. why: of one that was not taken."""

    name: str
    case_number: int | None
    why: str = ""


def import_mail(content: bytes, name: str, clients: Sequence[UUID]) -> Answered:
    """Take a reply as the answer to the request whose reference it carries; as whoever was asked.

    clients: those for which whoever imports may work. A mail that is no whole answer changes nothing.
    """
    try:
        return _take(message_from_bytes(content, policy=policy.default), content, name, clients)
    except EngineroomError as error:
        return Answered(name, None, str(error))
    except Exception as error:
        if refused := refusal(error):
            return Answered(name, None, str(refused))
        raise


def _take(letter: Letter, content: bytes, name: str, clients: Sequence[UUID]) -> Answered:
    text = _text(letter)
    headers = " ".join(str(letter.get(h, "")) for h in ("Subject", "In-Reply-To", "References"))
    match = REFERENCE.search(re.sub(r"\s+(?=[A-Za-z0-9_.-])", "", headers)) or REFERENCE.search(text)
    found = links.look(UUID(match[1]), match[2]) if match else None
    if match is None or found is None or found.kind != KIND or found.client_id not in clients:
        raise NotFound("it carries no reference of a request of ours; enter the answer by hand")
    if found.is_over or found.for_user_id is None:
        raise links.LinkOver("its reference was used, or is too old; enter the answer by hand")
    reader = access.identity(found.for_user_id)
    sender = parseaddr(str(letter.get("From", "")))[1].lower()
    if sender != reader.email.lower():
        raise NotPermitted(
            f"it comes from {sender or 'nobody'} and not from whom was asked; enter it by hand"
        )
    with acting(reader, write=found.client_id):
        asked = find_request(found.subject_id)
        links.use(found.id, match[2])
        values = _values(asked.step, text)
        files = _files(asked.step, letter, found.subject_id)
        vault.store(
            content, name=name, kind="sop.mail", media_type="message/rfc822", subject_id=found.subject_id
        )
        services.answer(found.subject_id, values, files)
        return Answered(name, asked.case.number)


def _text(letter: Letter) -> str:
    """The plain words of a mail; in an encoding that nobody knows, as far as they are ASCII."""
    part = letter.get_body(("plain",))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:
        raw: Any = part.get_payload(decode=True)
        return bytes(raw or b"").decode("ascii", "replace")


def _values(step: Step, text: str) -> dict[str, str]:
    """Fields out of a reply: a line `Title: value` for each; what is left over is the first text's."""
    fields = [item for item in step.evidence if item.field is not None]
    found: dict[str, str] = {}
    left: list[str] = []
    for line in text.splitlines():
        if line.startswith(">") or line.rstrip().endswith("wrote:"):
            break
        key = next((i.key for i in fields if line.lower().startswith(f"{i.title.lower()}:")), None)
        if key:
            found[key] = line.partition(":")[2].strip()
        else:
            left.append(line)
    first = next((i.key for i in fields if i.field and i.field.type == "text" and i.key not in found), None)
    words = "\n".join(left).strip()
    if first and words:
        found[first] = words
    return found


def _files(step: Step, letter: Letter, task_id: UUID) -> dict[str, UUID]:
    wanted = [item.key for item in step.evidence if item.kind == "file"]
    attached = [p for p in letter.iter_attachments() if p.get_filename()]
    if len(attached) > len(wanted):
        raise InputRefused(
            [], f"it has {len(attached)} files where {len(wanted)} are asked for; enter it by hand"
        )
    found: dict[str, UUID] = {}
    for key, part in zip(wanted, attached, strict=False):
        data: Any = part.get_payload(decode=True) or b""
        found[key] = keep_file(task_id, data, part.get_filename() or "file", part.get_content_type())
    return found
