"""Cases: what waits for me, one case with its tasks and everything that happened, the buttons of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.safestring import mark_safe

from engineroom.foundation.access.selectors import holders_of
from engineroom.foundation.commands import REGISTRY
from engineroom.foundation.vault.answers import file_answer
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.sop import beside, boards, diagram, drafts, moving, running, selectors, services
from engineroom.sop.boards import Happened, TaskView, Waiting
from engineroom.sop.evidence import keep_upload
from engineroom.sop.graph import WAITING, Graph
from engineroom.sop.models import WORKED_KINDS, Task, TaskEvidence
from engineroom.sop.zones import zone_of, zones_of
from engineroom.ui.display import format_count, format_moment
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, address, page
from engineroom.ui.parts import Event

NAVIGATION = [
    NavigationEntry("My work", "sop:inbox", "sop.work", key="w", order=15, of="firm"),
    NavigationEntry("Cases", "sop:cases", "sop.read", key="d", order=110),
]

STATUS = {
    "open": ("open", "To do"),
    "check": ("wait", "Waits for a check"),
    "done": ("done", "Done"),
    "skipped": ("void", "Skipped"),
    "cancelled": ("void", "Cancelled"),
    "withdrawn": ("void", "Withdrawn"),
}
CASE_STATUS = {"running": ("run", "Running"), "done": ("done", "Done"), "cancelled": ("void", "Cancelled")}


@page("sop.work", scope="mine")
def inbox(request: PageRequest) -> HttpResponse:
    """What waits for me over all my clients, and what clients were asked."""
    clients = {client.id: client for client, _ in request.clients}
    now = running.clock()

    mine, asked = boards.inbox(), boards.asked_of_clients()
    clocks = zones_of({w.client_id for w in (*mine, *asked)})

    def shown(found: list[Waiting]) -> list[tuple[Any, ...]]:
        return [
            (
                replace(w, due_at=w.due_at.astimezone(clocks[w.client_id]) if w.due_at else None),
                clients[w.client_id],
                reverse("sop:case", args=[clients[w.client_id].code, w.case_number]),
                w.due_at is not None and w.due_at <= now,
            )
            for w in found
        ]

    context = {"mine": shown(mine), "asked": shown(asked)}
    return render(request, "sop/inbox.html", context)


@page("sop.read")
def cases(request: PageRequest, client: str) -> HttpResponse:
    """A client's cases, and beginning one."""
    state = request.GET.get("state", "running")
    state = state if state in ("running", "done", "cancelled", "all") else "running"
    before = request.GET.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None
    rows = boards.cases("" if state == "all" else state, before=number)
    chosen = request.GET.get("procedure", "")
    published = [p for p in selectors.procedures() if p.number]
    known = next((p for p in published if p.key == chosen), None)
    graph = drafts.graph_of(drafts.latest(chosen).id) if known else None
    context = {
        "rows": [(r, CASE_STATUS[r.row.state]) for r in rows],
        "state": state,
        "next": f"?state={state}&before={rows[-1].row.number}" if len(rows) == boards.SHOWN else "",
        "published": published,
        "chosen": known,
        "graph": graph,
        "may_work": request.may("sop.work"),
        "zone": _zone(request),
    }
    return render(request, "sop/cases.html", context)


def _zone(request: PageRequest) -> ZoneInfo:
    assert request.client is not None, "a client's page has one"
    return zone_of(request.client.id)


@action("sop.work")
def start(request: PageRequest, client: str) -> Done:
    """Begin a case."""
    done = services.start_case(
        request.POST.get("procedure", "").replace("\x00", ""),
        _said(request.POST.get("title", "")),
        _typed(request, "f-"),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(f"Case {done.number} has begun.", to=reverse("sop:case", args=[client, done.number]))


def _said(text: object) -> str:
    return str(text).replace("\x00", "").strip()


def _typed(request: PageRequest, prefix: str) -> dict[str, str]:
    """What was typed into the fields of a form whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(prefix): _said(value)
        for name, value in request.POST.items()
        if name.startswith(prefix) and str(value).strip()
    }


@page("sop.read")
def case(request: PageRequest, client: str, number: int) -> HttpResponse:
    """One case: what is open, what was done, and its timeline."""
    view = boards.case_view(number)
    if view is None:
        raise NotFound("there is no such case")
    zone = _zone(request)
    context = {
        "case": view,
        "zone": zone,
        "heading_label": f"Case {number}",
        "status": CASE_STATUS[view.row.state],
        "is_latest": view.row.version_id == drafts.latest(view.row.procedure_key).id,
        "tasks": [_form(request, t, zone) for t in _by_due(view.open) if t.row.kind in WORKED_KINDS],
        "waits": [t for t in view.open if t.row.kind not in (*WORKED_KINDS, "escalation")],
        "over": [(t, STATUS[t.row.state]) for t in view.over],
        "events": [_event(e, zone) for e in _said_anew(view.events)],
        "svg": mark_safe(diagram.svg(view.graph, state=view.states)),
        "beside": beside.panels(view.row),
        "values": [(f.title, view.row.values.get(f.key, "")) for f in view.graph.all_fields.values()],
        "may_work": request.may("sop.work"),
        "colleagues": [u for u in holders_of("sop.work", view.row.client_id) if u.id != request.identity.id],
    }
    return render(request, "sop/case.html", context)


def _by_due(tasks: Sequence[TaskView]) -> list[TaskView]:
    """What is due first stands at the top, as in an inbox."""
    far = datetime.max.replace(tzinfo=UTC)
    return sorted(tasks, key=lambda t: (t.row.due_at or far, t.row.title))


def _form(request: PageRequest, task: TaskView, zone: ZoneInfo) -> dict[str, Any]:
    """What a task's panel shows: who may do what of it now."""
    me = request.identity.id
    step = task.step
    assert step is not None, "an open task stands on a step of its version"
    called = task.row.state != "check" and task.row.escalated_to in request.roles
    allowed = called or services.may_take(task.row.role, request.roles)
    asks_client = task.row.kind == "client_request" and task.row.state == "open"
    kind, word = STATUS[task.row.state]
    if asks_client:
        kind, word = "held", "Waits for the client; the clock stands still"
    return {
        "view": task,
        "row": task.row,
        "step": step,
        "status": (kind, word),
        "mine": task.row.assignee_id == me,
        "free": task.row.assignee_id is None and allowed and not asks_client,
        "allowed": request.may("sop.work") and (allowed or asks_client),
        "is_check": task.row.state == "check",
        "is_maker": task.row.maker_id == me,
        "checks": [(n, text, f"check_{n}" in task.ticked) for n, text in enumerate(step.checks, 1)],
        "items": [(item, task.values.get(item.key, "")) for item in step.evidence],
        "asks_client": asks_client,
        "does": REGISTRY[step.command].summary if step.command in REGISTRY else "",
        "due_typed": f"{task.row.due_at.astimezone(zone):%Y-%m-%dT%H:%M}" if task.row.due_at else "",
        "to_call": [role for role in services.callable_roles(step) if role not in request.roles],
        "ask_url": address("request_ask", request.client.code, task.row.id) if request.client else "",
    }


NOBODYS = ("opened", "paused", "resumed", "withdrawn", "fired", "finished")
"""What follows from somebody's doing: whoever did that stands at it, and does not begin or end these."""

WORDS: dict[str, tuple[str, str]] = {
    "started": ("Case begun", "open"),
    "opened": ("{title} begins", "open"),
    "claimed": ("{title}: taken", "run"),
    "released": ("{title}: given back", "open"),
    "delegated": ("{title}: given to a colleague", "run"),
    "commented": ("Comment", "run"),
    "evidence": ("{title}: evidence added", "run"),
    "submitted": ("{title}: done, waits for a check", "wait"),
    "ran": ("{title}: {command} was run", "done"),
    "done": ("{title}: done", "done"),
    "rejected": ("{title}: sent back", "risk"),
    "skipped": ("{title}: skipped", "void"),
    "escalated": ("{title}: {to} was called", "risk"),
    "cancelled": ("{title}: cancelled", "void"),
    "case_cancelled": ("Case cancelled", "void"),
    "withdrawn": ("{title}: no longer needed", "void"),
    "fired": ("{title}: the time is over", "wait"),
    "paused": ("The clock stands still: waiting for the {reason}", "held"),
    "resumed": ("The clock goes on", "run"),
    "asked": ("{title}: the client was asked by mail", "held"),
    "due_moved": ("{title}: due {when}", "wait"),
    "moved": ("The case goes on by version {version}", "run"),
    "finished": ("Case finished", "done"),
}


def _said_anew(events: Sequence[Happened]) -> list[Happened]:
    """Without what goes without saying, and without the evidence that came as its step was done."""
    finished = {(e.seq - 1, e.title) for e in events if e.kind in ("done", "submitted")}
    return [
        e
        for e in events
        if not (_goes_without_saying(e) or (e.kind == "evidence" and (e.seq, e.title) in finished))
    ]


def _goes_without_saying(e: Happened) -> bool:
    """A join that got one of its branches; a timer or an escalation set beside a step, and taken away; that
    a command which was run is done."""
    if e.kind == "arrived" or (e.of, e.kind) == ("command", "done"):
        return True
    return e.of in ("timer", "escalation") and e.kind in ("opened", "withdrawn", "cancelled")


def _event(e: Happened, zone: ZoneInfo) -> Event:
    text, kind = WORDS.get(e.kind, (e.kind, "run"))
    due = datetime.fromisoformat(str(e.data["due"])) if e.kind == "due_moved" else None
    when = format_moment(due.astimezone(zone)) if due else ""
    known = {"title": e.title, "reason": "", "to": "", "command": "", "version": "", "when": when}
    what = text.format_map({**known, **e.data})
    who = "" if e.kind in NOBODYS else f"{e.who} for {e.on_behalf}" if e.on_behalf else e.who
    note = str(
        e.data.get("text") or (e.data.get("reason") if e.kind not in ("paused", "resumed") else "") or ""
    )
    return Event(e.at.astimezone(zone), what, who, note, kind)


@page("sop.read")
def evidence_file(request: PageRequest, client: str, number: int, file_id: UUID) -> HttpResponse:
    """A file that was shown for a step of this case."""
    row = boards.case_numbered(number)
    found = (
        row
        and TaskEvidence.objects.filter(
            client_id=row.client_id, task__case_id=row.id, file_id=file_id
        ).first()
    )
    if not found or found.file is None:
        raise NotFound("there is no such file")
    return file_answer(found.file)


# --- a task's buttons -----------------------------------------------------------------------------------


def _stored(request: PageRequest, task_id: UUID) -> dict[str, UUID]:
    """Files of a form, kept in the vault. Raises FileTooLarge."""
    found: dict[str, UUID] = {}
    for name, upload in request.FILES.items():
        if not name.startswith("f-") or not isinstance(upload, UploadedFile):
            continue
        found[name.removeprefix("f-")] = keep_upload(task_id, upload)
    return found


def typed_evidence(request: PageRequest, task_id: UUID) -> dict[str, Any]:
    """What a task's form holds: values, ticks and files."""
    checks = [int(n) for n in request.POST.getlist("check") if n.isascii() and n.isdigit() and len(n) < 4]
    return {"values": _typed(request, "f-"), "checks": checks, "files": _stored(request, task_id)}


def _complete(request: PageRequest, task_id: UUID) -> str:
    done = services.complete(task_id, **typed_evidence(request, task_id), key=request.key)  # type: ignore[call-arg]
    if done.state == "check":
        return "Done. It waits for a second person."
    return "Done. The case is finished." if done.case_state == "done" else "Done."


def _why(request: PageRequest) -> str:
    return _said(request.POST.get("reason", ""))


def _delegated(request: PageRequest, task_id: UUID) -> str:
    try:
        to = UUID(request.POST.get("to", ""))
    except ValueError:
        raise NotFound("choose a colleague") from None
    services.delegate(task_id, to, _why(request))
    return "Your colleague has it now."


def _due(request: PageRequest, task_id: UUID) -> str:
    """Moments are typed as they are shown: on the client's clock."""
    text = request.POST.get("due", "")
    try:
        due = datetime.fromisoformat(text)
    except ValueError:
        raise InputRefused(
            [Problem(f"{text!r} is no day and time", "Say both, as 2026-12-01T16:00", field="due")]
        ) from None
    services.move_due(task_id, due if due.tzinfo else due.replace(tzinfo=_zone(request)), _why(request))
    return "It is due at another moment."


def _told(verb: Callable[..., object], said: str) -> Callable[[PageRequest, UUID], str]:
    def run(request: PageRequest, task_id: UUID) -> str:
        verb(request, task_id)
        return said

    return run


VERBS: dict[str, Callable[[PageRequest, UUID], str]] = {
    "complete": _complete,
    "claim": _told(lambda r, t: services.claim(t), "It is yours."),
    "release": _told(lambda r, t: services.release(t, _why(r)), "Given back."),
    "delegate": _delegated,
    "due": _due,
    "accept": _told(lambda r, t: services.accept(t), "Accepted."),
    "reject": _told(lambda r, t: services.reject(t, _why(r)), "Sent back, with your reason."),
    "skip": _told(lambda r, t: services.skip(t, _why(r)), "Skipped, with your reason."),
    "escalate": _told(lambda r, t: services.escalate(t, r.POST.get("to", ""), _why(r)), "They are called."),
    "run": _told(lambda r, t: services.run_step(t, key=r.key), "It is run, and the step is done."),  # type: ignore[call-arg]
}


@action("sop.work")
def task(request: PageRequest, client: str, task_id: UUID, verb: str) -> Done:
    """One of a task's buttons."""
    if verb not in VERBS:
        raise NotFound("there is no such button")
    said = VERBS[verb](request, task_id)
    row = Task.objects.select_related("case").get(client_id=request.client.id, id=task_id)  # type: ignore[union-attr]
    return Done(said, to=reverse("sop:case", args=[client, row.case.number]))


@action("sop.work")
def of_case(request: PageRequest, client: str, number: int, verb: str) -> Done:
    """A comment on a case, a message to it, or its cancelling."""
    row = boards.case_numbered(number)
    if row is None or verb not in ("comment", "cancel", "message"):
        raise NotFound("there is no such case or button")
    here = reverse("sop:case", args=[client, number])
    if verb == "comment":
        services.comment(row.id, _said(request.POST.get("text", "")), key=request.key)  # type: ignore[call-arg]
        return Done("Said.", to=here)
    if verb == "message":
        services.send_message(row.id, _said(request.POST.get("message", "")))
        return Done("The case goes on.", to=here)
    services.cancel_case(row.id, _why(request))
    return Done("The case is cancelled, with your reason.", to=here)


# --- between versions -----------------------------------------------------------------------------------


@page("sop.read")
def moves(request: PageRequest, client: str, key: str) -> HttpResponse:
    """Running cases of a procedure by version, and the moves there were."""
    return render(request, "sop/moves.html", _moves(request, key))


def _moves(request: PageRequest, key: str, **more: Any) -> dict[str, Any]:
    listed = selectors.versions(key)
    if not listed:
        raise NotFound("there is no such procedure")
    counts = boards.running_by_version(key)
    return {
        "key": key,
        "title": drafts.graph_of(drafts.latest(key).id).title,
        "versions": [(v, counts.get(v.id, 0)) for v in listed],
        "made": boards.moves_of(key),
        "may_move": request.may("sop.approve"),
        "start": listed[min(1, len(listed) - 1)].number,
        "to": listed[0].number,
        "zone": _zone(request),
        **more,
    }


def _between(request: PageRequest, key: str) -> tuple[int, int]:
    numbers = [request.POST.get(name, "") for name in ("from", "to")]
    if not all(n.isascii() and n.isdigit() and len(n) < 6 for n in numbers):
        raise NotFound("choose two versions")
    return int(numbers[0]), int(numbers[1])


@action("sop.approve")
def rehearse(request: PageRequest, client: str, key: str) -> HttpResponse:
    """What would become of each case: shown, and nothing moved."""
    start, to = _between(request, key)
    versions = [drafts.version_numbered(key, n).id for n in (start, to)]
    decided = _typed(request, "d-")
    plans = moving.dry_run(versions[0], versions[1], decided)
    old, target = drafts.graph_of(versions[0]), drafts.graph_of(versions[1])
    asked = sorted({s for p in plans for s in p.undecided} | set(decided))
    choices = [(s.key, s.title) for s in target.steps if s.kind in WAITING and not s.attached_to]
    shown = {
        "plans": [(p, PLAN_STATUS[p.verdict], _said_of(p.goes, old, target)) for p in plans],
        "start": start,
        "to": to,
        "asked": [(s, old.by_key[s].title, decided.get(s, "")) for s in asked if s in old.by_key],
        "choices": choices,
        "safe": sum(p.verdict == "safe" for p in plans),
        "rehearsed": True,
    }
    return render(request, "sop/moves.html", _moves(request, key, **shown))


def _said_of(goes: Mapping[str, str], old: Graph, target: Graph) -> list[str]:
    """Where a case would stand, as people call the steps."""
    found = []
    for step, to in goes.items():
        title = old.by_key[step].title
        if to == moving.WITHDRAW:
            found.append(f"{title} is no longer needed")
        else:
            found.append(f"stays at {title}" if to == step else f"{title} to {target.by_key[to].title}")
    return found


PLAN_STATUS = {"safe": "done", "needs a decision": "wait", "impossible": "risk"}


@action("sop.approve")
def move(request: PageRequest, client: str, key: str) -> Done:
    """Move what is safe, with the decisions that were rehearsed."""
    start, to = (drafts.version_numbered(key, n).id for n in _between(request, key))
    done = moving.move_cases(start, to, _why(request), _typed(request, "d-"), key=request.key)  # type: ignore[call-arg]
    left = (
        f" {format_count(len(done.left), 'case stays', 'cases stay')} where they were." if done.left else ""
    )
    said = f"{format_count(len(done.moved), 'case')} moved.{left}"
    return Done(said, to=reverse("sop:moves", args=[client, key]))


@action("sop.approve")
def move_back(request: PageRequest, client: str, key: str, batch: UUID) -> Done:
    """Take a move back."""
    done = moving.move_back(batch, _why(request), key=request.key)  # type: ignore[call-arg]
    left = "".join(f" Case {number} stays: {why}." for number, why in list(done.left.items())[:5])
    return Done(
        f"{format_count(len(done.moved), 'case')} moved back.{left}",
        to=reverse("sop:moves", args=[client, key]),
    )


urlpatterns = [
    path("c/<str:client>/procedures/<str:key>/moves", moves, name="moves"),
    path("c/<str:client>/procedures/<str:key>/moves/rehearse", rehearse, name="rehearse"),
    path("c/<str:client>/procedures/<str:key>/moves/go", move, name="move"),
    path("c/<str:client>/procedures/<str:key>/moves/<uuid:batch>/back", move_back, name="move_back"),
    path("work", inbox, name="inbox"),
    path("c/<str:client>/cases", cases, name="cases"),
    path("c/<str:client>/cases/start", start, name="start"),
    path("c/<str:client>/cases/<int:number>", case, name="case"),
    path("c/<str:client>/cases/<int:number>/files/<uuid:file_id>", evidence_file, name="file"),
    path("c/<str:client>/cases/<int:number>/<str:verb>", of_case, name="of_case"),
    path("c/<str:client>/tasks/<uuid:task_id>/<str:verb>", task, name="task"),
]
