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
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import Conflict
from engineroom.payroll import calculations, services
from engineroom.payroll.calculations import Calculation
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, address, page

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

    job: Calculation
    client: Client
    what: str
    kind: str
    status: str
    url: str
    poll: str


@page(None, scope="mine")
def jobs(request: PageRequest) -> HttpResponse:
    """My jobs of the last days: those that move first, then those that failed."""
    rows = [_row(job, request) for job in calculations.mine(_readable(request))]
    context = {
        "moving": [row for row in rows if row.job.state in ("queued", "running")],
        "failed": [row for row in rows if row.job.state == "failed"],
        "over": [row for row in rows if row.job.state in ("done", "left")],
        "days": calculations.LOOK_BACK_DAYS,
    }
    return render(request, "web/jobs.html", context)


@page("payroll.read")
def progress(request: PageRequest, client: str, attempt_id: UUID) -> HttpResponse:
    """The bar of one job, asked again and again while it moves; when it is over, the page reloads."""
    assert request.client is not None
    found = calculations.mine([request.client.id], attempt_id)
    if not found:
        raise Http404
    row = _row(found[0], request)
    response = render(request, "web/jobs_progress.html", {"row": row})
    if not row.poll:
        response.headers["HX-Refresh"] = "true"
    return response


@action("payroll.prepare")
def retry(request: PageRequest, client: str, attempt_id: UUID) -> Done:
    """Queue what is left once more. Parts that are done stay done, so a try too many does nothing twice."""
    assert request.client is not None
    found = calculations.mine([request.client.id], attempt_id)
    if not found:
        raise Http404
    [job] = found
    if not job.may_retry:
        raise Conflict(f"there is nothing to try again: {job.why or STATES[job.state][1].lower()}")
    with keyed(request.key):
        if job.chunks_done == job.chunks:
            services.publish_attempt(attempt_id)
            return Done(f"Run {job.run} is calculated.", to=reverse("jobs"))
        services.plan_calculation(job.run_id, in_background=True)
    return Done(f"Run {job.run} is in the queue again.", to=reverse("jobs"))


def _readable(request: PageRequest) -> list[UUID]:
    return [client.id for client, roles in request.clients if may(roles, "payroll.read")]


def _row(job: Calculation, request: PageRequest) -> Row:
    client = next(client for client, _ in request.clients if client.id == job.client_id)
    kind, status = STATES[job.state]
    moves = job.state in ("queued", "running")
    return Row(
        job,
        client,
        f"Pay run {job.run}",
        kind,
        status,
        address("payroll:run", client.code, job.run) or reverse("home", args=[client.code]),
        reverse("job_progress", args=[client.code, job.attempt_id]) if moves else "",
    )


NAVIGATION = [NavigationEntry("Jobs", "jobs", key="j", order=30, of="firm")]

urlpatterns = [
    path("jobs", jobs, name="jobs"),
    path("c/<str:client>/jobs/<uuid:attempt_id>/progress", progress, name="job_progress"),
    path("c/<str:client>/jobs/<uuid:attempt_id>/again", retry, name="job_again"),
]
