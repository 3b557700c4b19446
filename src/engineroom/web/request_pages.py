"""What the firm asks a client: answered in the portal, by the link in a mail, or by a reply
to it (`mail_answers`).

While a request is open the clock of its case stands still, and both sides are told so. A mail's link and its
reference are one single-use token (see `links`): whichever of link and reply comes first uses it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation.access import services as access
from engineroom.foundation.access.selectors import holders_of
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import acting, current_client_id, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, NotPermitted
from engineroom.sop import drafts, running, services
from engineroom.sop.case_pages import typed_evidence
from engineroom.sop.graph import Evidence, Step
from engineroom.sop.models import Case, Task
from engineroom.sop.zones import zone_of
from engineroom.ui.pages import Done, PageRequest, action, page
from engineroom.web import letters, links

KIND = "request"
FACES = ("client",)


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


def find_request(task_id: UUID) -> Request:
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
    found = find_request(task_id)
    zone = zone_of(found.task.client_id)
    context = {"asked": found, "t": found, "may_answer": request.may("sop.answer"), "zone": zone}
    return render(request, "web/portal_request.html", context)


@action("sop.answer", faces=FACES)
def portal_answer(request: PageRequest, client: str, task_id: UUID) -> Done:
    """The client's answer."""
    found = find_request(task_id)
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
    found = find_request(task_id)
    if found.task.state != "open":
        raise Conflict("this request is answered already")
    people = [u for u in holders_of("sop.answer", found.task.client_id) if u.kind == "client"]
    if not people:
        raise Conflict("nobody of the client's can answer; grant somebody the role client_finance")
    title, template = found.task.title, "web/mail_request.txt"
    drafts = [
        links.draft_to(user, KIND, task_id, title, template, answered_by_reply=True, asked=found)
        for user in people
    ]
    case = running.load_one(found.case.id)
    case.tell("asked", case.tasks[task_id], asked=len(drafts))
    running.write([case], running.clock())
    letters.write("request", ("case", found.case.id), f"Question to the client: {title}", drafts)
    return Asked(task_id, found.case.id, len(drafts))


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
        asked = find_request(found.subject_id)
        zone = zone_of(found.client_id)
        context = {"asked": asked, "t": asked, "said": said, "found": found, "zone": zone}
        return render(http, "web/link_request.html", context, status=422 if said else 200)


links.OFFERS[KIND] = ("We need something from you", "Answer")
links.FORMS[KIND] = open_request


urlpatterns = [
    path("portal/<str:client>/requests/<uuid:task_id>", portal_request, name="portal_request"),
    path("portal/<str:client>/requests/<uuid:task_id>/answer", portal_answer, name="portal_request_answer"),
    path("c/<str:client>/requests/<uuid:task_id>/ask", ask, name="request_ask"),
]
