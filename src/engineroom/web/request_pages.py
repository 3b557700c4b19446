"""What the firm asks a client: answered in the portal, by the link in a mail, or by replying to that mail.

While a request is open the clock of its case stands still, and both sides are told so. A mail's link and its
reference are one single-use token (see `links`): whichever of link and reply comes first uses it up.
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

from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path, reverse

from engineroom.foundation import vault
from engineroom.foundation.access import services as access
from engineroom.foundation.access.selectors import holders_of
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import acting, current_client_id, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, NotPermitted
from engineroom.sop import drafts, running, services
from engineroom.sop.case_pages import LARGEST_FILE, typed_evidence
from engineroom.sop.graph import Evidence, Step
from engineroom.sop.models import Case, Task
from engineroom.ui.pages import Done, PageRequest, action, page, refusal
from engineroom.web import links

KIND = "request"
FACES = ("client",)
REFERENCE = re.compile(r"ref:([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Request:
    """An open request as its page shows it."""

    task: Task
    case: Case
    step: Step

    @property
    def items(self) -> list[tuple[Evidence, str]]:
        return [(item, "") for item in self.step.evidence]

    @property
    def row(self) -> Task:
        return self.task

    @property
    def checks(self) -> list[tuple[int, str, bool]]:
        return []


def _request(task_id: UUID) -> Request:
    """Raises NotFound for what is no request of the client's."""
    task = Task.objects.filter(client_id=current_client_id(), id=task_id, kind="client_request").first()
    if task is None:
        raise NotFound("there is no such request")
    case = Case.objects.get(client_id=task.client_id, id=task.case_id)
    step = drafts.graph_of(case.version_id).by_key.get(task.step)
    if step is None:
        raise NotFound("there is no such request")
    return Request(task, case, step)


# --- in the portal --------------------------------------------------------------------------------------


@page("foundation.read", faces=FACES)
def portal_request(request: PageRequest, client: str, task_id: UUID) -> HttpResponse:
    """What is asked, and the form that answers it."""
    found = _request(task_id)
    context = {"asked": found, "t": found, "may_answer": request.may("sop.answer")}
    return render(request, "web/portal_request.html", context)


@action("sop.answer", faces=FACES)
def portal_answer(request: PageRequest, client: str, task_id: UUID) -> Done:
    """The client's answer."""
    found = _request(task_id)
    given = typed_evidence(request, task_id)
    services.answer(task_id, given["values"], given["files"], key=request.key)  # type: ignore[call-arg]
    return Done(
        f"Thank you. {found.task.title}: your answer is with us, and our clock runs again.",
        to=reverse("portal_client", args=[client]),
    )


# --- asked by mail --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    task_id: UUID
    case_id: UUID
    asked: int

    @property
    def subject(self) -> str:
        return f"case:{self.case_id}"


@command("sop.work")
def ask_client(task_id: UUID) -> Asked:
    """Mail the client's contacts what they are asked, each with a link of their own."""
    found = _request(task_id)
    if found.task.state != "open":
        raise Conflict("this request is answered already")
    client = Client.objects.get(id=found.task.client_id)
    people = [u for u in holders_of("sop.answer", client.id) if u.kind == "client"]
    if not people:
        raise Conflict("nobody of the client's can answer; grant somebody the role client_finance")
    letters = []
    for user in people:
        link, url = links.new_link(KIND, task_id, user.email, user_id=user.id)
        link.save(force_insert=True)
        reference = f"ref:{link.id.hex}.{url.rpartition('/')[2]}"
        words = {
            "name": user.name,
            "client": client.name,
            "asked": found,
            "link": url,
            "until": link.expires_at,
            "firm": links.firm_name(),
            "reference": reference,
        }
        body = render_to_string("web/mail_request.txt", words)
        letters.append(EmailMessage(f"{found.task.title} [{reference}]", body, None, [user.email]))
    case = running.load_one(found.case.id)
    case.tell("asked", case.tasks[task_id], asked=len(letters))
    running.write([case], running.clock())
    links.send_all(letters)
    return Asked(task_id, found.case.id, len(letters))


@action("sop.work")
def ask(request: PageRequest, client: str, task_id: UUID) -> Done:
    """The firm's button."""
    done = ask_client(task_id, key=request.key)  # type: ignore[call-arg]
    number = Case.objects.get(client_id=current_client_id(), id=done.case_id).number
    return Done(
        f"{done.asked} of the client's were asked by mail.", to=reverse("sop:case", args=[client, number])
    )


def open_request(http: HttpRequest, found: links.Found, token: str) -> HttpResponse:
    """What a mail's link leads to: the form. Looking does not use the link up; answering does."""
    if found.for_user_id is None:
        raise NotFound("there is no such request for this reader")
    reader = access.identity(found.for_user_id)
    said = ""
    if http.method == "POST":
        try:
            with acting(reader, write=found.client_id):
                given = typed_evidence(http, found.subject_id)  # type: ignore[arg-type]
                links.use(found.id, token)
                services.answer(found.subject_id, given["values"], given["files"])
            return render(http, "web/link_request_done.html", {"found": found})
        except EngineroomError as error:
            if isinstance(error, (links.LinkOver, NotFound, NotPermitted)):
                raise
            said = str(error)
    with acting(reader, read=[found.client_id]):
        if not current_scope().may("sop.answer", found.client_id):
            raise NotFound("there is no such request for this reader")
        asked = _request(found.subject_id)
        context = {"asked": asked, "t": asked, "said": said, "found": found}
        return render(http, "web/link_request.html", context, status=422 if said else 200)


links.OFFERS[KIND] = ("We need something from you", "Answer")
links.FORMS[KIND] = open_request


# --- answered by mail -----------------------------------------------------------------------------------


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
        asked = _request(found.subject_id)
        links.use(found.id, match[2])
        values = _values(asked.step, text)
        files = _files(asked.step, letter, found.subject_id)
        vault.store(
            content, name=name, kind="sop.mail", media_type="message/rfc822", subject_id=found.subject_id
        )
        services.answer(found.subject_id, values, files)
        return Answered(name, asked.case.number)


def _text(letter: Letter) -> str:
    part = letter.get_body(("plain",))
    return str(part.get_content()) if part else ""


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
        found[first] = words[:4_000]
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
        if len(data) > LARGEST_FILE:
            raise EngineroomError(f"{part.get_filename()} has more than 20 MB")
        kept = vault.store(data, name=part.get_filename() or "file", kind="sop.evidence",
                           media_type=part.get_content_type(), subject_id=task_id)  # fmt: skip
        found[key] = kept.id
    return found


urlpatterns = [
    path("portal/<str:client>/requests/<uuid:task_id>", portal_request, name="portal_request"),
    path("portal/<str:client>/requests/<uuid:task_id>/answer", portal_answer, name="portal_request_answer"),
    path("c/<str:client>/requests/<uuid:task_id>/ask", ask, name="request_ask"),
]
