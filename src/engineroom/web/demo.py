"""In a demonstration one becomes anybody with one click. In any other database this page does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant
from engineroom.foundation.access.sign_in import user_at_the_door
from engineroom.foundation.tenancy.scope import acting
from engineroom.web.accounts import come_in
from engineroom.web.context import is_demo

DOES = {
    "owner": "runs the firm",
    "admin": "users, grants, settings; sees no client's data",
    "lead": "prepares, approves, assigns",
    "specialist": "prepares payroll, time and billing",
    "checker": "approves and releases",
    "bookkeeper": "books, bank and clearing",
    "auditor": "reads everything, writes nothing",
    "worker": "works tasks",
    "client_finance": "the client's finance lead",
    "client_approver": "approves for the client",
    "employee": "reads their own payslips",
}


@dataclass(frozen=True)
class Role:
    role: str
    on: str
    does: str


@dataclass(frozen=True)
class Person:
    id: UUID
    name: str
    email: str
    roles: tuple[Role, ...]


def become(request: HttpRequest) -> HttpResponse:
    """GET: the people of the demonstration. POST user=..: be that one, and go on where one was (next=)."""
    if not is_demo():
        raise Http404
    people = _people()
    if request.method == "GET":
        return render(request, "web/become.html", {"people": people, "next": _next(request.GET.get("next"))})
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "POST"])
    chosen = next((p for p in people if str(p.id) == request.POST.get("user")), None)
    user = user_at_the_door(user_id=chosen.id) if chosen else None
    if user is None:
        raise Http404
    come_in(request, user)
    return redirect(_next(request.POST.get("next")) or "front")


def _next(path: str | None) -> str:
    """A path of ours, or nothing."""
    return path if path and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else ""


def _people() -> list[Person]:
    """Everybody with a live grant, as the system sees them: nobody is signed in yet."""
    today = timezone.now().date()
    found: dict[UUID, Person] = {}
    with acting(access.system_user()):
        grants = (
            Grant.objects.select_related("user", "of_client")
            .filter(user__is_active=True, starts__lte=today)
            .exclude(ends__lt=today)
            .order_by("user__name", "-of_client__is_house", "of_client__code", "role")
        )
        for g in grants:
            known = found.get(g.user_id)
            roles = (*(known.roles if known else ()), Role(g.role, g.of_client.code, DOES[g.role]))
            found[g.user_id] = Person(g.user_id, g.user.name, g.user.email, roles)
    return list(found.values())
