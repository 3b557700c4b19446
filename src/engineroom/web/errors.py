"""Pages for when something is not as asked. They ask no database: one of them is for when it is gone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from engineroom.kernel.errors import EngineroomError
from engineroom.ui.pages import LacksPermission, came_from

log = logging.getLogger(__name__)

TITLES = {
    400: "The request cannot be read",
    403: "You may not do this here",
    404: "There is no such page",
    405: "Not in this way",
    409: "Something has changed meanwhile",
    413: "The file is too large",
    422: "The input has problems",
    429: "Too many tries",
    500: "Something broke on our side",
}


def _answer(request: HttpRequest, status: int, text: str, **more: Any) -> HttpResponse:
    title = TITLES.get(status, "This was refused")
    context = {"status": status, "title": title, "text": text, "back": came_from(request), **more}
    return HttpResponse(render_to_string("web/error.html", context), status=status)


def refused(request: HttpRequest, error: EngineroomError) -> HttpResponse:
    """Whatever was refused: its sentence, and the list of what to mend, where it has one."""
    if isinstance(error, LacksPermission):
        return _answer(
            request,
            403,
            str(error),
            permission=error.permission,
            helpers=error.helpers,
            who=_who(error.helpers),
        )
    sentence, *_ = str(error).split("\n")
    listed = getattr(error, "problems", None) or getattr(error, "blockers", None) or ()
    return _answer(request, error.status, sentence, problems=[_line(p) for p in listed])


def _who(names: Sequence[str]) -> str:
    """Who can help, in a sentence; of many, a few."""
    if not names:
        return ""
    more = f" and {len(names) - 3} others" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more} can help."


def _line(problem: Any) -> dict[str, str]:
    """A Problem, or a blocker of some room: who or where, what is wrong, what to do."""
    where = problem.where() if callable(getattr(problem, "where", None)) else getattr(problem, "who", "")
    what = getattr(problem, "problem", None) or str(problem)
    return {"where": str(where), "what": str(what), "remedy": str(getattr(problem, "remedy", ""))}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 400, "The address or the form is not one of ours. Go back and try again.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 403, "Your role does not include this.")


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF check said no: mostly a page left open while its session ended."""
    return _answer(
        request,
        403,
        "This form is older than your session, or came from elsewhere. Go back, reload, try again.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 404, "What you looked for does not exist, or is not yours to see.")


def too_large(request: HttpRequest) -> HttpResponse:
    return _answer(
        request, 413, "A request may hold 64 MB. Split the file, or import it on the command line."
    )


def too_many(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 429, "There were too many tries from here. Wait a few minutes, then try again.")


def broken(request: HttpRequest) -> HttpResponse:
    """Whatever broke, this page must not."""
    try:
        return _answer(request, 500, "It is in the server's log. Nothing of what you sent was kept.")
    except Exception:
        log.exception("the page for errors is broken itself")
        return HttpResponse("Something broke on our side.", status=500, content_type="text/plain")
