"""Jobs: what works in the background for me, how far it is, and what stopped it. Left and found again.

Files are taken in while one waits and need no job; sealing and requeueing are the house's own and not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation.access.roles import may
from engineroom.foundation.commands import keyed
from engineroom.foundation.jobs import shown
from engineroom.foundation.jobs.shown import Shown
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import Conflict
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, address, page, require_any

STATES = {
    "queued": ("open", "Queued"),
    "running": ("run", "Running"),
    "done": ("done", "Done"),
    "failed": ("risk", "Failed"),
    "left": ("void", "Superseded"),
}


@dataclass(frozen=True)
class Row:
    """A job as the page shows it. poll: what answers with its progress anew, while it moves."""

    job: Shown
    client: Client
    kind: str
    status: str
    url: str
    poll: str
    may_retry: bool


@page(None, scope="mine")
def jobs(request: PageRequest) -> HttpResponse:
    """My jobs of the last days: those that move first, then those that failed."""
    rows = [_row(job, request) for job in shown.mine({c.id: roles for c, roles in request.clients})]
    context = {
        "moving": [row for row in rows if row.job.moves],
        "failed": [row for row in rows if row.job.state == "failed"],
        "over": [row for row in rows if row.job.state in ("done", "left")],
        "days": shown.LOOK_BACK_DAYS,
    }
    return render(request, "web/jobs.html", context)


def _found(request: PageRequest, kind: str, job_id: UUID) -> Shown:
    assert request.client is not None
    if kind not in shown.KINDS:
        raise Http404
    require_any(request, shown.KINDS[kind].reads)
    found = shown.KINDS[kind].mine([request.client.id], job_id)
    if not found:
        raise Http404
    return found[0]


@page(None)
def progress(request: PageRequest, client: str, kind: str, job_id: UUID) -> HttpResponse:
    """The bar of one job, asked again and again while it moves; when it is over, the page reloads."""
    row = _row(_found(request, kind, job_id), request)
    response = render(request, "web/jobs_progress.html", {"row": row})
    if not row.poll:
        response.headers["HX-Refresh"] = "true"
    return response


@action(None)
def retry(request: PageRequest, client: str, kind: str, job_id: UUID) -> Done:
    """Queue what is left once more. Parts that are done stay done, so a try too many does nothing twice."""
    if kind in shown.KINDS:
        require_any(request, shown.KINDS[kind].prepares)
    job = _found(request, kind, job_id)
    if not job.may_retry:
        raise Conflict(f"there is nothing to try again: {job.why or STATES[job.state][1].lower()}")
    with keyed(request.key):
        return Done(shown.KINDS[kind].again(job), to=reverse("jobs"))


def _row(job: Shown, request: PageRequest) -> Row:
    client, roles = next(row for row in request.clients if row[0].id == job.client_id)
    kind, status = STATES[job.state]
    return Row(
        job,
        client,
        kind,
        status,
        address(job.page[0], client.code, *job.page[1]) or reverse("home", args=[client.code]),
        reverse("job_progress", args=[client.code, job.kind, job.id]) if job.moves else "",
        job.may_retry and may(roles, shown.KINDS[job.kind].prepares),
    )


NAVIGATION = [NavigationEntry("Jobs", "jobs", key="j", order=30, of="firm")]

urlpatterns = [
    path("jobs", jobs, name="jobs"),
    path("c/<str:client>/jobs/<slug:kind>/<uuid:job_id>/progress", progress, name="job_progress"),
    path("c/<str:client>/jobs/<slug:kind>/<uuid:job_id>/again", retry, name="job_again"),
]
