"""Mailings: how far they are, among the jobs; and a page with every letter that did not arrive, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.jobs import shown
from engineroom.foundation.jobs.shown import Queued, Shown, State
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.ui.display import format_count, format_moment
from engineroom.ui.pages import Done, PageRequest, action, page, require_any
from engineroom.web import letters

MAILINGS = """
SELECT m.client_id, m.id, m.title, m.at, count(*), count(*) FILTER (WHERE t.outcome IN ('sent', 'left')),
  count(*) FILTER (WHERE t.outcome IN ('refused', 'given_up')),
  max(t.said) FILTER (WHERE t.outcome = 'failed')
FROM web_mailing m
JOIN web_letter l ON l.client_id = m.client_id AND l.mailing_id = m.id
LEFT JOIN LATERAL (SELECT t.outcome, t.said FROM web_lettertry t
  WHERE t.client_id = l.client_id AND t.letter_id = l.id ORDER BY t.number DESC LIMIT 1) t ON true
WHERE m.client_id = ANY(%(clients)s) AND m.kind = %(kind)s
  AND (%(me)s::uuid IS NULL OR m.by_user_id = %(me)s::uuid AND m.at >= %(since)s)
  AND (%(mailing)s::uuid IS NULL OR m.id = %(mailing)s::uuid)
GROUP BY m.client_id, m.id, m.title, m.at ORDER BY m.at DESC LIMIT %(most)s
"""


def _jobs(kind: str, clients: Sequence[UUID], mailing_id: UUID | None, *, of: UUID | None) -> list[Shown]:
    values: dict[str, Any] = {
        "clients": list(clients),
        "kind": kind,
        "me": of,
        "since": timezone.now() - timedelta(days=shown.LOOK_BACK_DAYS),
        "mailing": mailing_id,
        "most": shown.MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(MAILINGS, values)
        found = cursor.fetchall()
    queue = shown.queue_of(letters.JOB, "mailing_id", [row[1] for row in found]) if found else {}
    return [_job(kind, row, queue.get(row[1], Queued())) for row in found]


def mine(kind: str, clients: Sequence[UUID], mailing_id: UUID | None = None) -> list[Shown]:
    """The mailings of this kind that I had sent."""
    return _jobs(kind, clients, mailing_id, of=current_scope().user.id)


def _job(kind: str, row: tuple[Any, ...], queued: Queued) -> Shown:
    client_id, mailing_id, title, at, total, over, not_arrived, said = row
    state, why, may_retry = _state(client_id, kind, total, over, not_arrived, said, queued)
    where = ("letters", (mailing_id,))
    return Shown(
        client_id, f"mail-{kind}", mailing_id, title, at, over, total, "letter", state, where, why, may_retry
    )


def _state(
    client_id: UUID, kind: str, total: int, over: int, not_arrived: int, said: str | None, queued: Queued
) -> tuple[State, str, bool]:
    if queued.again_at and said:
        again_at = format_moment(queued.again_at)
        return (
            "running",
            f"The mail server did not take them ({said}). It is asked again at {again_at}.",
            False,
        )
    if not_arrived and not (queued.todo or queued.doing):
        why = f"{format_count(not_arrived, 'letter')} did not arrive: the mailing lists them, each with why."
        return "failed", why, True
    left = f"{format_count(total - over, 'letter is', 'letters are')} not sent; try again, none goes twice."
    return shown.state_of(client_id, queued, over, total, letters.PREPARES[kind], left)


def _again(job: Shown) -> str:
    done = letters.send_again(job.id)
    return f"{format_count(done.letters, 'letter is', 'letters are')} on the way again."


for _kind, _prepares in letters.PREPARES.items():
    shown.register(f"mail-{_kind}", shown.Kind("foundation.read", _prepares, partial(mine, _kind), _again))


# --- the page of a mailing ------------------------------------------------------------------------------


class Row(NamedTuple):
    address: str
    subject: str
    outcome: str | None
    said: str
    at: datetime | None
    tries: int


LETTERS = """
SELECT k.address, l.subject, t.outcome, coalesce(t.said, ''), t.at, coalesce(t.number, 0) FROM web_letter l
JOIN web_link k ON k.client_id = l.client_id AND k.id = l.link_id
LEFT JOIN LATERAL (SELECT t.outcome, t.said, t.at, t.number FROM web_lettertry t
  WHERE t.client_id = l.client_id AND t.letter_id = l.id ORDER BY t.number DESC LIMIT 1) t ON true
WHERE l.client_id = %s AND l.mailing_id = %s
ORDER BY coalesce(t.outcome, '') NOT IN ('refused', 'given_up', 'failed'), k.address LIMIT %s
"""

MOST_LETTERS = 500

OUTCOMES = {
    None: ("open", "Waits"),
    "sent": ("done", "Sent"),
    "failed": ("wait", "Tried again"),
    "refused": ("risk", "Refused"),
    "given_up": ("risk", "Given up"),
    "left": ("void", "Left"),
}


@page("foundation.read")
def mailing(request: PageRequest, client: str, mailing_id: UUID) -> HttpResponse:
    """Every letter of a mailing, those that did not arrive first: to whom, and what the server said."""
    found = letters.find_mailing(mailing_id)
    [job] = _jobs(found.kind, [current_client_id()], mailing_id, of=None)
    with connection.cursor() as cursor:
        cursor.execute(LETTERS, [found.client_id, mailing_id, MOST_LETTERS])
        rows = [Row(*row) for row in cursor.fetchall()]
    context: dict[str, Any] = {
        "mailing": found,
        "job": job,
        "rows": [(row, OUTCOMES[row.outcome]) for row in rows],
        "more": job.total - len(rows),
        "may_prepare": request.may(letters.PREPARES[found.kind]),
        "poll": reverse("letters_progress", args=[client, mailing_id]) if job.moves else "",
        "asks_person": job.state == "failed",
    }
    return render(request, "web/letters.html", context)


@page("foundation.read")
def progress(request: PageRequest, client: str, mailing_id: UUID) -> HttpResponse:
    """How far a mailing is, asked again and again while it moves."""
    found = letters.find_mailing(mailing_id)
    [job] = _jobs(found.kind, [current_client_id()], mailing_id, of=None)
    poll = reverse("letters_progress", args=[client, mailing_id]) if job.moves else ""
    response = render(request, "web/letters_progress.html", {"job": job, "poll": poll})
    if not job.moves:
        response.headers["HX-Refresh"] = "true"
    return response


@action(None)
def again(request: PageRequest, client: str, mailing_id: UUID) -> str:
    """Try once more what did not arrive."""
    require_any(request, letters.PREPARES[letters.find_mailing(mailing_id).kind])
    done = letters.send_again(mailing_id, key=request.key)  # type: ignore[call-arg]
    return f"{format_count(done.letters, 'letter is', 'letters are')} on the way again."


@action(None)
def leave(request: PageRequest, client: str, mailing_id: UUID) -> Done:
    """Send nothing more of it."""
    require_any(request, letters.PREPARES[letters.find_mailing(mailing_id).kind])
    reason = request.POST.get("reason", "").replace("\x00", "")
    done = letters.leave_letters(mailing_id, reason=reason, key=request.key)  # type: ignore[call-arg]
    return Done(f"{format_count(done.letters, 'letter is', 'letters are')} left.")


urlpatterns = [
    path("c/<str:client>/letters/<uuid:mailing_id>", mailing, name="letters"),
    path("c/<str:client>/letters/<uuid:mailing_id>/progress", progress, name="letters_progress"),
    path("c/<str:client>/letters/<uuid:mailing_id>/again", again, name="letters_again"),
    path("c/<str:client>/letters/<uuid:mailing_id>/leave", leave, name="letters_leave"),
]
