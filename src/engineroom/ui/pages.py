"""The one way a page is made, and the one way a button of a page does something.

    @page("payroll.read")                          # /c/<client>/...: inside acting(user, read=[client])
    def pay_run(request: PageRequest, client: str, number: int) -> HttpResponse: ...

    @page("payroll.read", reads="pay_run")         # shows pay, bank or identity data: the read is logged
    def pay_run(request, client, number):
        run = run_numbered(number)
        request.reading(run.id)                    # says which one; without it the URL's own words are logged
        return render(request, "payroll/run.html", {"run": run})

    @page(None, scope="mine")                      # all my clients at once: Today
    @action("payroll.approve")                     # POST alone: inside acting(user, write=client)
    def approve(request: PageRequest, client: str, number: int) -> Done:
        approve_pay_run(run_id, key=request.key)   # `key`: the form's hidden field {{ form_key }}
        return Done("The run is approved.", to=reverse("payroll:run", args=[client, number]))

A page never writes, except that it was read. What an `EngineroomError` says is shown: a page of its own for a
page, a message on the page it came from for an action (or a list, where the error has one).

What an action refuses stands on its form's page, with what was typed, and what is wrong beside each field:

    context = {"form": form_of(request, OpenRun())}     # the page: a fresh form, or the refused one
    asked = filled_in(OpenRun(request.POST))            # the action: what it holds, or the refusal

Nobody learns what exists by trying: a client that is unknown and one that is not granted are both 404, and so
is a page of another face. A granted client on which the role lacks the permission is a 403 that says who can
help.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import DisallowedHost
from django.db.utils import DatabaseError
from django.forms import Form
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, get_urlconf, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from engineroom.foundation.access import roles as access_roles
from engineroom.foundation.access.sign_in import MyClients, clients_of, identity_of
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import LONGEST_KEY
from engineroom.foundation.refusals import refusal
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import FACE_OF_KIND, Identity, acting
from engineroom.foundation.thread import Node
from engineroom.kernel.errors import EngineroomError, InputRefused, NotPermitted, Problem
from engineroom.kernel.ids import uuid7
from engineroom.ui.parts import SAYS_WHAT_IS_WRONG

Reach = Literal["client", "mine", "house", "me"]
"""What a page is about: the client of its URL, all clients of its user, the house, or the user."""

View = Callable[..., "HttpResponse | Done | str"]
F = TypeVar("F", bound=Form)


@dataclass(frozen=True)
class Done:
    """What an action says when it is done, and where it leads; without `to`, back to where it came from."""

    message: str
    to: str | None = None


@dataclass(frozen=True)
class NavigationEntry:
    """An entry of the navigation, shown to whoever holds the permission.

    of: "client" entries stand on a client's pages, their URL takes `client`; "firm" ones stand everywhere.
    key: the letter after `g`. count: a number beside it, asked inside the page's own scope. under: the
    `url_name` of the entry beneath which it stands, shown while one is at that entry or beneath it.
    """

    label: str
    url_name: str
    permission: str | None = None
    key: str = ""
    order: int = 100
    of: Literal["client", "firm"] = "client"
    faces: Sequence[str] = ("firm",)
    count: Callable[[], int | None] | None = None
    under: str = ""


class LacksPermission(NotPermitted):
    """A granted client, and a role that may not do this there. Knows who could."""

    def __init__(self, permission: str, client: Client | None, helpers: Sequence[str]) -> None:
        self.permission, self.client, self.helpers = permission, client, tuple(helpers)
        where = f" on {client.code}" if client else ""
        super().__init__(f"your role{where} does not include the permission {permission}")


_filled: ContextVar[Form | None] = ContextVar("form_of_the_action", default=None)
"""The form that the running action reads: what is refused after it is said beside its fields."""


class PageRequest(HttpRequest):
    """A request as a page gets it: who asks, about which client, and what they may do there."""

    identity: Identity
    clients: MyClients
    """My clients with my roles on them."""
    client: Client | None
    roles: frozenset[str]
    """On `client`; without one, all roles that I hold anywhere."""
    masked: frozenset[str]
    refused_form: Form | None = None
    """What an action refused, while its page is shown again."""
    desk: UUID | None
    """The client in whose audit trail stands what a user does for themselves: the house, or the first that
    they may write."""
    key: str
    may: Callable[[str], bool]
    reading: Callable[..., None]


def page(
    permission: str | None,
    *,
    scope: Reach = "client",
    faces: Sequence[str] = ("firm",),
    reads: str | None = None,
    tries: bool = False,
) -> Callable[[View], Callable[..., HttpResponse]]:
    """A GET. reads: the kind of thing shown that is pay, bank or identity data; the read is logged. tries: it
    shows what would come of a change, which it makes and takes back, in a scope that writes its client."""

    def make(view: View) -> Callable[..., HttpResponse]:
        @wraps(view)
        def run(http: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if http.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["GET", "HEAD"])
            if not http.user.is_authenticated:
                return _to_sign_in(http)
            request = _dressed(http, scope, faces, kwargs)
            readable = request.clients.ids if scope == "mine" else _ids(request.client)
            written = None
            if tries and request.client and permission and request.may(permission):
                written = request.client.id
            with acting(request.identity, read=readable, write=written):
                _require(request, permission)
                response = cast("HttpResponse", view(request, *args, **kwargs))
                response = _rendered(response)
                if reads and response.status_code == 200:
                    _log_reads(request, reads, kwargs)
            return response

        run.permission, run.scope, run.faces = permission, scope, tuple(faces)  # type: ignore[attr-defined]
        run.is_page = True  # type: ignore[attr-defined]
        return run

    return make


def action(
    permission: str | None, *, scope: Reach = "client", faces: Sequence[str] = ("firm",)
) -> Callable[[View], Callable[..., HttpResponse]]:
    """A POST. Returns Done, or the sentence to say; what it raises is said on the page it came from."""

    def make(view: View) -> Callable[..., HttpResponse]:
        @wraps(view)
        def run(http: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if http.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            if not http.user.is_authenticated:
                return _to_sign_in(http)
            request = _dressed(http, scope, faces, kwargs)
            _filled.set(None)
            try:
                with acting(request.identity, write=request.client.id if request.client else request.desk):
                    _require(request, permission)
                    result = view(request, *args, **kwargs)
                    if isinstance(result, HttpResponse):
                        return _rendered(result)
            except LacksPermission:
                raise
            except (EngineroomError, DatabaseError) as error:
                return _say_no(request, error)
            done = Done(result) if isinstance(result, str) else result
            messages.success(request, done.message)
            return _go(request, done.to or came_from(request))

        run.permission, run.scope, run.faces = permission, scope, tuple(faces)  # type: ignore[attr-defined]
        return run

    return make


def address(name: str, *args: object) -> str:
    """Where a page is that some installation may be without, or that stands on a higher floor; else empty."""
    return _address(get_urlconf() or settings.ROOT_URLCONF, get_script_prefix(), name, args)


@lru_cache(maxsize=20_000)
def _address(urls: str, prefix: str, name: str, args: tuple[object, ...]) -> str:
    """Worked out once: a page has a hundred of them, and of most the same as another had."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def page_of(client: str, node: Node) -> str:
    """Where a thing of the thread is looked at: its own page, else its thread."""
    return own_page(client, node) or address("thread", client, node.kind, node.id)


def own_page(client: str, node: Node) -> str:
    """The page of a thing of the thread; empty, if it has none."""
    return address(node.page[0], client, *node.page[1]) if node.page else ""


def form_of(request: HttpRequest, fresh: F) -> F:
    """The form that a page shows: this one, or the same one as it was typed and refused just now."""
    refused = getattr(request, "refused_form", None)
    same = type(refused) is type(fresh) and refused.prefix == fresh.prefix  # type: ignore[union-attr]
    return cast("F", refused) if same else fresh


def filled_in(form: Form) -> dict[str, Any]:
    """What a form of an action holds. Raises InputRefused with every field that is wrong."""
    _filled.set(form)
    if form.is_valid():
        return form.cleaned_data
    raise InputRefused(
        [
            Problem(
                str(text).rstrip("."),
                "Correct it",
                field=str(form[name].label) if name in form.fields else "",
            )
            for name, texts in form.errors.items()
            for text in texts
        ]
    )


def reason_given(request: HttpRequest, otherwise: str) -> str:
    """What was typed as the reason beside a button; these words, where nothing was."""
    return request.POST.get("reason", "").replace("\x00", "").strip() or otherwise


def came_from(request: HttpRequest) -> str:
    """The page of ours on which the button was; the first page, if it cannot be told."""
    back = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not back:
        return "/"
    try:
        host = request.get_host()
    except DisallowedHost:  # the page that says so asks too
        return "/"
    if not url_has_allowed_host_and_scheme(back, {host}, require_https=request.is_secure()):
        return "/"
    parts = urlsplit(back)
    # http://us//elsewhere/x is ours, but its path alone, //elsewhere/x, is an address of somebody else.
    return "/" + parts.path.lstrip("/\\") + (f"?{parts.query}" if parts.query else "")


# --- what the two share -------------------------------------------------------------------------------


def _dressed(http: HttpRequest, scope: Reach, faces: Sequence[str], kwargs: dict[str, Any]) -> PageRequest:
    """The request with who asks and about what. Raises Http404 for what the asker may not know of."""
    request = cast("PageRequest", http)
    request.identity = identity_of(http.user)  # type: ignore[arg-type]
    if FACE_OF_KIND[request.identity.kind] not in faces:
        raise Http404
    request.clients = clients_of(request.identity)
    request.client, request.roles = _chosen(request, scope, kwargs)
    request.masked = access_roles.masked(request.roles)
    request.desk = request.clients.first_with(access_roles.WRITING)
    request.may = lambda permission: access_roles.may(request.roles, permission)
    key = http.POST.get("form_key", "") if http.method == "POST" else ""
    request.key = key[:LONGEST_KEY] or str(uuid7())
    told: list[dict[str, Any]] = []

    def reading(subject_id: UUID | None = None, *, client_id: UUID | None = None, **detail: Any) -> None:
        """Say what exactly is shown; may be said several times."""
        told.append({"subject_id": subject_id, "client_id": client_id, "detail": detail})

    request.reading = reading
    request._told_reads = told  # type: ignore[attr-defined]
    return request


def _chosen(
    request: PageRequest, scope: Reach, kwargs: dict[str, Any]
) -> tuple[Client | None, frozenset[str]]:
    if scope in ("mine", "me"):
        return None, request.clients.roles
    found = request.clients.house if scope == "house" else request.clients.called(str(kwargs["client"]))
    if found is None:
        raise Http404
    return found


def _require(request: PageRequest, permission: str | None) -> None:
    if permission is None or access_roles.may(request.roles, permission):
        return
    raise LacksPermission(permission, request.client, _who_can_help(request, permission))


def require_any(request: PageRequest, *permissions: str) -> None:
    """For a page of several duties: one of them is enough. Whoever has none is told the first."""
    if not any(request.may(permission) for permission in permissions):
        raise LacksPermission(permissions[0], request.client, _who_can_help(request, permissions[0]))


def _who_can_help(request: PageRequest, permission: str) -> list[str]:
    """Colleagues whose role here has the permission. Clients and workers see no names of the firm's."""
    from engineroom.foundation.access.selectors import holders_of

    if request.client is None or FACE_OF_KIND[request.identity.kind] != "firm":
        return []
    return [user.name for user in holders_of(permission, request.client.id)]


def _ids(client: Client | None) -> list[UUID]:
    return [client.id] if client else []


def _log_reads(request: PageRequest, kind: str, kwargs: dict[str, Any]) -> None:
    told = request._told_reads or [{"subject_id": None, "client_id": None, "detail": {}}]  # type: ignore[attr-defined]
    address = {name: str(value) for name, value in kwargs.items() if name != "client"}
    for one in told:
        client_id = one["client_id"] or (request.client.id if request.client else None)
        if client_id is None:
            raise RuntimeError("a page about several clients says which one it reads: reading(client_id=...)")
        audit.record_read(
            client_id,
            subject_kind=kind,
            subject_id=one["subject_id"],
            detail={"page": request.path, **address, **one["detail"]},
        )


def _rendered(response: HttpResponse) -> HttpResponse:
    """Rendered now, while the scope is open: a template may still ask the database."""
    return response.render() if hasattr(response, "render") else response


def _to_sign_in(http: HttpRequest) -> HttpResponse:
    here = (
        came_from(http) if http.headers.get("HX-Request") or http.method == "POST" else http.get_full_path()
    )
    return _go(http, redirect_to_login(here).url)


def _go(request: HttpRequest, where: str) -> HttpResponse:
    """Elsewhere: htmx follows a header, because a redirect would be swapped into the page."""
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=204)
        response.headers["HX-Redirect"] = where
        return response
    return HttpResponseRedirect(resolve_url(where), status=303)


def _say_no(request: PageRequest, error: EngineroomError | DatabaseError) -> HttpResponse:
    """Beside the fields of the form it came from; else a sentence goes to the page it came from, and a list
    of what is wrong gets a page of its own.
    """
    refused = refusal(error)
    form = _filled.get()
    if refused is not None and form is not None and (again := _form_again(request, form, refused)):
        return again
    if refused is None or getattr(refused, "problems", None) or getattr(refused, "blockers", None):
        raise refused or error
    messages.error(request, str(refused))
    return _go(request, came_from(request))


def _form_again(request: PageRequest, form: Form, refused: EngineroomError) -> HttpResponse | None:
    """The page that the form stands on, with what was typed in it. None, where that page has no such form."""
    if request.headers.get("HX-Request"):
        return None
    where = urlsplit(came_from(request))
    try:
        match = resolve(where.path)
    except Resolver404:
        return None
    if not getattr(match.func, "is_page", False):
        return None
    _note(form, refused)
    asked = copy.copy(request)
    asked.method, asked.resolver_match = "GET", match
    asked.path = asked.path_info = where.path
    asked.GET = QueryDict(where.query)
    asked.META = request.META | {"QUERY_STRING": where.query, "PATH_INFO": where.path}
    asked.refused_form = form
    try:
        response = match.func(asked, *match.args, **match.kwargs)
    except (Http404, EngineroomError):
        return None
    if response.status_code != 200 or SAYS_WHAT_IS_WRONG.encode() not in response.content:
        return None  # the page has no such form, or not for this role or in this state
    response.status_code = refused.status
    return cast("HttpResponse", response)


def _note(form: Form, refused: EngineroomError) -> None:
    """What a command found wrong goes beside its field, where the form has one of that name or label."""
    if form.errors:
        return  # each stands beside its field already
    named = {str(form[name].label): name for name in form.fields} | {name: name for name in form.fields}
    problems = getattr(refused, "problems", ())
    for problem in problems:
        remedy = "" if problem.remedy == "Correct it" else f". {problem.remedy}"
        said = f"{problem.problem}{remedy}"
        form.add_error(named.get(problem.field or ""), said[:1].upper() + said[1:])
    if not problems:
        form.add_error(None, str(refused))
